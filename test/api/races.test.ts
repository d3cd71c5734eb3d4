import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../setup/server.ts';
import {
  assign,
  buy,
  createOrganisation,
  createUser,
  type LogonAnswer,
  logonInput,
  mapping,
} from '../setup/given.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const logonSelection = '... on LogonPayload { session { id admittedAs } }';

async function crowd(users: number, seats: { readonly concurrent: number; readonly contingency: number }) {
  const organisationId = await createOrganisation(server);
  await buy(server, organisationId, 'SUPERVISOR', { base: users, ...seats });
  const names = Array.from({ length: users }, (_, index) => `user-${index}`);
  const ids = await Promise.all(
    names.map((name) => createUser(server, organisationId, name, ['SUPERVISOR'])),
  );
  return { organisationId, ids };
}

test('L2: 40 logons at once on 12 seats grant exactly 12, concurrent before contingency', async () => {
  const { organisationId, ids } = await crowd(40, { concurrent: 7, contingency: 5 });
  const answers: LogonAnswer[] = await Promise.all(
    ids.map((userId) => server.mutate('logon', logonInput(userId, 'SUPERVISOR'), logonSelection)),
  );
  const seats = Object.groupBy(answers, (answer) => answer.session?.admittedAs ?? answer.__typename);
  expect(seats['CONCURRENT']).toHaveLength(7);
  expect(seats['CONTINGENCY']).toHaveLength(5);
  expect(seats['NoSeatAvailable']).toHaveLength(28);
  const [row] = await mapping(server, organisationId, ['SUPERVISOR']);
  expect(row).toMatchObject({
    concurrent: { used: 7, available: 0 },
    contingency: { used: 5, maxUsed: 5, available: 0 },
  });
  const { rows } = await server.pool.query(
    'select count(*)::int as holds from hold where licence = $1 and admitted_as is not null',
    ['SUPERVISOR'],
  );
  expect(rows[0]).toEqual({ holds: 12 });
});

/**
 * The mistake that the design rules out: count, then insert, with nothing held between. It must oversell, or the test
 * above proves nothing.
 */
test('L2: the same crowd oversells a build that counts, then inserts', async () => {
  await server.pool.query('create table mutant_seat (user_id integer primary key)');
  const seats = 12;
  const logon = async (userId: number): Promise<boolean> => {
    const { rows } = await server.pool.query('select count(*)::int as used from mutant_seat');
    if (rows[0].used >= seats) return false;
    await server.pool.query('insert into mutant_seat values ($1)', [userId]);
    return true;
  };
  const answers = await Promise.all(Array.from({ length: 40 }, (_, userId) => logon(userId)));
  expect(answers.filter(Boolean).length).toBeGreaterThan(seats);
});

test('L6: 50 calls at once with one idempotency key are one session and one answer', async () => {
  const { organisationId, ids } = await crowd(1, { concurrent: 5, contingency: 0 });
  const input = { ...logonInput(ids[0] ?? '', 'SUPERVISOR'), idempotencyKey: 'again' };
  const answers: LogonAnswer[] = await Promise.all(
    Array.from({ length: 50 }, () => server.mutate('logon', input, logonSelection)),
  );
  expect(new Set(answers.map(({ session }) => session?.id)).size).toBe(1);
  expect(await mapping(server, organisationId, ['SUPERVISOR'])).toMatchObject([{ concurrent: { used: 1 } }]);
  const other = await server.mutate('logon', { ...input, device: 'another' });
  expect(other.code).toBe('IDEMPOTENCY_KEY_REUSED');
});

test('U1: of 20 that take one username at once, one gets it', async () => {
  const organisationId = await createOrganisation(server);
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => server.mutate('createUser', { organisationId, username: 'ada' })),
  );
  expect(answers.filter((answer) => answer.__typename === 'CreateUserPayload')).toHaveLength(1);
  expect(answers.filter((answer) => answer.__typename === 'UsernameTaken')).toHaveLength(19);
});

test('B3: of 20 that want the last base licence at once, one gets it', async () => {
  const organisationId = await createOrganisation(server);
  await buy(server, organisationId, 'UC_USER', { base: 1 });
  const ids = await Promise.all(
    Array.from({ length: 20 }, (_, index) => createUser(server, organisationId, `u${index}`, [])),
  );
  const answers = await Promise.all(ids.map((userId) => assign(server, userId, 'UC_USER')));
  expect(answers.filter((type) => type === 'AssignLicencePayload')).toHaveLength(1);
  expect(answers.filter((type) => type === 'NoBaseLicenceAvailable')).toHaveLength(19);
});

test('L6: a device has one live session, however many logons arrive from it at once', async () => {
  const { ids } = await crowd(1, { concurrent: 5, contingency: 0 });
  const answers: LogonAnswer[] = await Promise.all(
    Array.from({ length: 20 }, () =>
      server.mutate('logon', logonInput(ids[0] ?? '', 'SUPERVISOR'), logonSelection),
    ),
  );
  expect(new Set(answers.map(({ session }) => session?.id)).size).toBe(1);
});
