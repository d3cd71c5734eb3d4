import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyChain } from '../../src/audit/commands.ts';
import { describeFlaw, type Entry, hashOf, serialisationVersion, whoOf } from '../../src/audit/domain.ts';
import { chain, saveLinks } from '../../src/audit/store.ts';
import { createDatabase, type Database, patient } from '../../src/database/database.ts';
import { inTransaction } from '../../src/database/transaction.ts';
import type { Actor } from '../../src/kernel/actor.ts';
import { encodeOrganisationId, nowhere, type OrganisationId } from '../../src/kernel/ids.ts';
import { createOrganisation, createUser, organisationOf, setStatus } from '../setup/given.ts';
import { verify as verifyDatabase } from '../setup/process.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
let database: { db: Database; close(): Promise<void> };
beforeAll(async () => {
  server = await startTestServer();
  database = createDatabase({ connectionString: server.databaseUrl, ...patient, max: 2 });
});
afterAll(async () => {
  await database.close();
  await server.stop();
});

const verify = (...args: readonly string[]) => verifyDatabase(server.databaseUrl, ...args);

/** What is wrong with a chain, in a person's words. */
async function flawOf(organisationId: OrganisationId): Promise<string | null> {
  const { flaw } = await verifyChain(database.db, organisationId);
  return flaw === null ? null : describeFlaw(flaw);
}

/** A chain of five: the organisation, three users, a status. */
async function chainOfFive(externalId?: string): Promise<OrganisationId> {
  const id = await createOrganisation(server, {
    name: 'Chained',
    ...(externalId === undefined ? {} : { externalId }),
  });
  const users = [];
  for (const name of ['ada', 'ben', 'cyd']) users.push(await createUser(server, id, name, []));
  await setStatus(server, users[0] ?? '', 'SUSPENDED');
  return organisationOf(id);
}

async function execute(statement: string, parameters: readonly unknown[] = []): Promise<void> {
  const { rowCount } = await server.pool.query(statement, [...parameters]);
  expect(rowCount).toBeGreaterThan(0);
}

const set = (what: string, sequence: number) =>
  `update audit_entry set ${what} where organisation_id = $1 and sequence = ${sequence}`;

/** Every field, edited by somebody who can write to the table. */
const edits = [
  "at = at + interval '1 millisecond'",
  "role = 'PARTNER'",
  "credential = 'another'",
  'user_id = organisation_id',
  "request_id = 'another'",
  "action = 'deleteUser'",
  "outcome = 'FORBIDDEN'",
  "subject = 'usr_another'",
  'before = \'{"status": "ACTIVE"}\'',
  "after = jsonb_set(after, '{status}', '\"DELETED\"')",
  "after = after - 'email' || '{\"e_mail\": null}'",
  'after = null',
  'version = 2',
  "hash = decode(repeat('ab', 32), 'hex')",
  "previous_hash = decode(repeat('ab', 32), 'hex')",
];

describe('a chain', () => {
  test('that was left alone is whole', async () => {
    expect(await flawOf(await chainOfFive())).toBeNull();
    expect(await flawOf(nowhere)).toBeNull();
  });

  test.each(edits)('of which an entry was edited (%s)', async (edit) => {
    const id = await chainOfFive();
    await execute(set(edit, 3), [id]);
    expect(await flawOf(id)).toBe('entry 3 was edited');
  });

  test('of which an entry was edited, and its hash reckoned anew', async () => {
    const id = await chainOfFive();
    await execute(set("credential = 'another'", 3), [id]);
    await seal(id, 3);
    expect(await flawOf(id)).toBe('entry 3 was edited');
    await execute(set("credential = 'another'", 5), [id]);
    expect(await flawOf(id)).toBe('entry 3 was edited');
  });

  test('of which the last entry was edited, and its hash reckoned anew', async () => {
    const id = await chainOfFive();
    await execute(set("outcome = 'FORBIDDEN'", 5), [id]);
    await seal(id, 5);
    expect(await flawOf(id)).toBe('entry 5 was edited');
  });

  test('of which entries were removed', async () => {
    const id = await chainOfFive();
    await execute('delete from audit_entry where organisation_id = $1 and sequence = 3', [id]);
    expect(await flawOf(id)).toBe('entry 3 was removed');
    await execute('delete from audit_entry where organisation_id = $1 and sequence = 2', [id]);
    expect(await flawOf(id)).toBe('entries 2 to 3 were removed');
    await execute('delete from audit_entry where organisation_id = $1 and sequence = 1', [id]);
    expect(await flawOf(id)).toBe('entries 1 to 3 were removed');
  });

  test('of which an entry was removed, and the others moved up', async () => {
    const id = await chainOfFive();
    await execute('delete from audit_entry where organisation_id = $1 and sequence = 3', [id]);
    await move(id, 4, 3);
    await move(id, 5, 4);
    expect(await flawOf(id)).toBe('entry 3 was moved: it was written as entry 4');
  });

  test('of which two entries were swapped', async () => {
    const id = await chainOfFive();
    await move(id, 2, 99);
    await move(id, 4, 2);
    await move(id, 99, 4);
    expect(await flawOf(id)).toBe('entry 2 was moved: it was written as entry 4');
  });

  test('of which the tail was cut off', async () => {
    const id = await chainOfFive();
    await execute('delete from audit_entry where organisation_id = $1 and sequence > 3', [id]);
    expect(await flawOf(id)).toBe('entries 4 to 5 were cut off from the end');
    await execute('delete from audit_entry where organisation_id = $1', [id]);
    expect(await flawOf(id)).toBe('entries 1 to 5 were cut off from the end');
  });

  test('into which an entry was forged, in the middle and at the end', async () => {
    const id = await chainOfFive();
    await insertCopy(id, 5, 6);
    await seal(id, 6);
    expect(await flawOf(id)).toBe('entry 6 was not written by the service');
    await move(id, 6, 99);
    for (const sequence of [5, 4, 3]) await move(id, sequence, sequence + 1);
    await move(id, 99, 3);
    await seal(id, 3);
    // The forged one is whole in itself: the first that cannot be where it is, is the one that it pushed away.
    expect(await flawOf(id)).toBe('entry 4 was moved: it was written as entry 3');
  });

  test('of which the head is gone', async () => {
    const id = await chainOfFive();
    await execute('delete from audit_head where organisation_id = $1', [id]);
    expect(await flawOf(id)).toBe('entry 1 was not written by the service');
  });

  test('of which a name was edited, removed, or made to look erased', async () => {
    const id = await chainOfFive();
    await execute("update audit_name set value = 'eve' where organisation_id = $1 and value = 'ben'", [id]);
    expect(await flawOf(id)).toBe('entry 3: a name that it refers to was edited or removed');
    await execute("update audit_name set salt = null where organisation_id = $1 and value = 'eve'", [id]);
    expect(await flawOf(id)).toBe('entry 3: a name that it refers to was edited or removed');
    await execute("delete from audit_name where organisation_id = $1 and value = 'ada'", [id]);
    expect(await flawOf(id)).toBe('entry 2: a name that it refers to was edited or removed');
  });
});

/** Reckons an entry's hash as the service would, behind the entry that is before it. */
async function seal(id: OrganisationId, sequence: number): Promise<void> {
  const { rows } = await server.pool.query<Record<string, unknown>>(
    `select e.*, coalesce(p.hash, e.previous_hash) as behind from audit_entry e left join audit_entry p
     on p.organisation_id = e.organisation_id and p.sequence = e.sequence - 1
     where e.organisation_id = $1 and e.sequence = $2`,
    [id, sequence],
  );
  const [row = {}] = rows;
  const entry = {
    ...row,
    sequence,
    version: serialisationVersion,
    userId: row['user_id'],
    requestId: row['request_id'],
    previousHash: row['behind'],
  } as unknown as Entry;
  await execute(
    'update audit_entry set previous_hash = $3, hash = $4 where organisation_id = $1 and sequence = $2',
    [id, sequence, entry.previousHash, hashOf(id, entry)],
  );
}

async function move(id: OrganisationId, from: number, to: number): Promise<void> {
  await execute(set(`sequence = ${to}`, from), [id]);
}

async function insertCopy(id: OrganisationId, of: number, sequence: number): Promise<void> {
  await execute(
    `insert into audit_entry select organisation_id, ${sequence}, version, at, role, credential, user_id, request_id,
       action, outcome, subject, before, after, previous_hash, hash
     from audit_entry where organisation_id = $1 and sequence = ${of}`,
    [id],
  );
}

test('verify --audit names organisation and entry, and ends with 1', async () => {
  const id = await chainOfFive('to-verify');
  expect(await verify('--audit', '--organisation', 'to-verify')).toEqual({
    code: 0,
    out: expect.stringMatching(/^1 chains walked in .* \(5 entries in all\): every chain is whole\.\n$/),
  });
  await execute(set("action = 'nothing'", 4), [id]);
  const stranger = '99999999-9999-4999-8999-999999999999' as OrganisationId;
  await execute(
    `insert into audit_entry select $2, sequence, version, at, role, credential, user_id, request_id,
       action, outcome, subject, before, after, previous_hash, hash
     from audit_entry where organisation_id = $1 and sequence = 1`,
    [id, stranger],
  );
  const { code, out } = await verify('--audit');
  expect(code).toBe(1);
  expect(out).toContain(`Chained (${id}): entry 4 was edited\n`);
  expect(out).toContain(`Of an organisation that is not there (${stranger}): entry 1 was edited\n`);
  expect(out).toContain('chains are not as they were written.');
  const { out: lines } = await verify('--audit', '--json', '--organisation', 'to-verify');
  expect(JSON.parse(lines)).toMatchObject({
    organisation: id,
    sequence: 5,
    hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    flaw: { kind: 'EDITED', sequence: 4 },
  });
});

test('a chain of several pages is walked, and downloaded', async () => {
  const id = await chainOfFive();
  await server.pool.query('delete from audit_entry where organisation_id = $1', [id]);
  let previousHash: Buffer = Buffer.alloc(32);
  const rows: unknown[][] = [];
  const at = new Date('2026-01-01T00:00:00Z');
  for (let sequence = 1; sequence <= 2500; sequence += 1) {
    const entry = {
      ...{ sequence, version: serialisationVersion, at, role: null, credential: null, userId: null },
      ...{ requestId: null, action: 'none', outcome: 'DONE', subject: null, before: null, after: null },
      previousHash,
    };
    const hash = hashOf(id, entry);
    rows.push([sequence, previousHash, hash]);
    previousHash = hash;
  }
  const column = (index: number) => rows.map((row) => row[index]);
  await execute(
    `insert into audit_entry (organisation_id, sequence, version, at, action, outcome, previous_hash, hash)
     select $1, s, ${serialisationVersion}, $2, 'none', 'DONE', p, h
     from unnest($3::bigint[], $4::bytea[], $5::bytea[]) as given (s, p, h)`,
    [id, at, column(0), column(1), column(2)],
  );
  await execute('update audit_head set sequence = 2500, hash = $2 where organisation_id = $1', [
    id,
    previousHash,
  ]);
  expect(await flawOf(id)).toBeNull();
  const csv = await fetch(server.url.replace('/graphql', `/audit/${encodeOrganisationId(id)}.csv`), {
    headers: { authorization: `Bearer ${server.key}` },
  });
  const sequences = (parse(await csv.text(), { columns: true }) as { sequence: string }[]).map((row) =>
    Number(row.sequence),
  );
  expect(sequences).toEqual(rows.map(([sequence]) => sequence));
  await execute(set("action = 'other'", 2400), [id]);
  expect(await flawOf(id)).toBe('entry 2400 was edited');
});

test('nobody may change or remove an entry, the owner without superuser’s rights included', async () => {
  const { rows } = await server.pool.query(
    `select distinct c.relname, privilege_type from pg_class c cross join aclexplode(c.relacl)
     where c.relname in ('audit_entry', 'audit_head') and privilege_type in ('UPDATE', 'DELETE', 'TRUNCATE')`,
  );
  // The head moves on; only entries never change.
  expect(rows).toEqual([{ relname: 'audit_head', privilege_type: 'UPDATE' }]);
});

describe('at once', () => {
  test('who appends without the lock is refused by the table’s key', async () => {
    const id = organisationOf(await createOrganisation(server));
    const told = { ...whoOf(null), at: new Date(), action: 'mutant', outcome: 'DONE' };
    const bothRead = Promise.withResolvers<void>();
    let reading = 2;
    const append = () =>
      inTransaction(
        database.db,
        'mutant',
        async (trx) => {
          const links = await chain(trx, [
            { organisationId: id, ...told, subject: null, before: null, after: null },
          ]);
          reading -= 1;
          if (reading === 0) bothRead.resolve();
          await bothRead.promise;
          return links;
        },
        { write: saveLinks },
      );
    const outcomes = await Promise.allSettled([append(), append()]);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(await flawOf(id)).toBeNull();
  });

  const denied = 'mutation ($input: CreateUserInput!) { createUser(input: $input) { __typename } }';

  test.each([1, 5])(
    '50 commands on each of %i organisations, and denied attempts among them',
    async (count) => {
      const ids = await Promise.all(Array.from({ length: count }, () => createOrganisation(server)));
      await Promise.all(
        ids.flatMap((id) =>
          Array.from({ length: 50 }, async (_, index) => {
            const stranger = server.as({
              ...{
                role: 'AGENT',
                organisationId: organisationOf(id),
                userId: null,
                credential: `key-${index}`,
              },
            } as unknown as Actor);
            await Promise.all([
              createUser(server, id, `user-${index}`, []),
              stranger.query(denied, { input: { organisationId: id, username: 'eve' } }),
            ]);
          }),
        ),
      );
      for (const id of ids) {
        const organisationId = organisationOf(id);
        const read = async () => {
          const { rows } = await server.pool.query<{ sequence: string; outcome: string }>(
            'select sequence, outcome from audit_entry where organisation_id = $1 order by sequence',
            [organisationId],
          );
          return rows;
        };
        await expect.poll(async () => (await read()).length, { timeout: 10_000 }).toBe(101);
        const rows = await read();
        expect(rows.map(({ sequence }) => Number(sequence))).toEqual(rows.map((_, index) => index + 1));
        expect(rows.filter(({ outcome }) => outcome === 'DONE')).toHaveLength(51);
        expect(await flawOf(organisationId)).toBeNull();
      }
      expect(server.logged.filter(({ message }) => message.includes('denied attempts'))).toEqual([]);
    },
  );
});
