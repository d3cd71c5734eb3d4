import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase, type Database } from '../../src/database/database.ts';
import { within } from '../../src/database/wall.ts';
import type { OrganisationId } from '../../src/kernel/ids.ts';
import { rollUpHistory } from '../../src/usage-history/commands.ts';
import { dropHistoryMonths } from '../../src/usage-history/store.ts';
import { surveyOrganisation } from '../../src/verification/commands.ts';
import { advance, buy, createOrganisation, createUser, logon, uuidOf } from '../setup/given.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
let db: Database;
let close: () => Promise<void>;
let organisationId: string;
let uuid: OrganisationId;
beforeAll(async () => {
  server = await startTestServer();
  const database = createDatabase({ ...server.runtime, max: 2 });
  ({ close } = database);
  db = within(database.db, 'ALL');
  organisationId = await createOrganisation(server, {
    ...{ testClockAt: '2026-03-28T00:00:00Z', timeZone: 'Europe/London', leaseSeconds: 86_400 },
  });
  uuid = uuidOf(organisationId);
  await buy(server, organisationId, 'SUPERVISOR', { base: 5, concurrent: 1, contingency: 1 });
  const users: string[] = [];
  for (const name of ['ada', 'ben', 'cyd']) {
    users.push(await createUser(server, organisationId, name, ['SUPERVISOR']));
  }
  const [ada = '', ben = '', cyd = ''] = users;
  await advance(server, organisationId, '2026-03-28T10:00:00Z');
  await logon(server, ada, 'SUPERVISOR');
  await advance(server, organisationId, '2026-03-28T11:30:00Z');
  const { session } = await logon(server, ben, 'SUPERVISOR');
  const { code } = await logon(server, cyd, 'SUPERVISOR');
  if (code !== 'NO_SEAT_AVAILABLE') throw new Error(`The third logon answered ${code}`);
  await advance(server, organisationId, '2026-03-28T12:00:00Z');
  await server.mutate('logoff', { sessionId: session?.id }, '... on LogoffPayload { session { id } }');
  // Until her lease is over, at 10:00 of the next day.
  await advance(server, organisationId, '2026-04-01T23:00:00.001Z');
});
afterAll(async () => {
  await close();
  await server.stop();
});

const fields =
  'from until concurrent { minimum maximum mean total } contingency { minimum maximum mean total } denials';

async function ask(from: string, until: string, bucket: string, licence = 'SUPERVISOR') {
  const { data, errors } = await server.query(
    `query ($id: ID!, $licence: String!, $from: DateTime!, $until: DateTime!, $bucket: UsageBucketSize!) {
       organisation(id: $id) {
         usageHistory(licence: $licence, from: $from, until: $until, bucket: $bucket) { ${fields} }
       }
     }`,
    { id: organisationId, licence, from, until, bucket },
  );
  return errors === undefined ? data.organisation.usageHistory : errors[0]?.extensions.code;
}

const pool = (minimum: number, maximum: number, mean: number) => ({ minimum, maximum, mean, total: 1 });

const hours = [
  { from: '2026-03-28T09:00:00.000Z', concurrent: pool(0, 0, 0), contingency: pool(0, 0, 0), denials: 0 },
  // Whoever logs on at an hour’s first instant was not there just before: that counts too (C2).
  { from: '2026-03-28T10:00:00.000Z', concurrent: pool(0, 1, 1), contingency: pool(0, 0, 0), denials: 0 },
  { from: '2026-03-28T11:00:00.000Z', concurrent: pool(1, 1, 1), contingency: pool(0, 1, 0.5), denials: 1 },
  { from: '2026-03-28T12:00:00.000Z', concurrent: pool(1, 1, 1), contingency: pool(0, 1, 0), denials: 0 },
];

async function expectAll(): Promise<void> {
  const found = await ask('2026-03-28T09:30:00Z', '2026-03-28T12:30:00Z', 'HOUR');
  expect(found).toEqual(hours.map((hour) => ({ ...hour, until: expect.any(String) as string })));
  // The day on which clocks are put on has 23 hours: for 10 of them ada was there. At 10:00 time logged her off (T3).
  expect(await ask('2026-03-29T12:00:00Z', '2026-03-29T12:00:01Z', 'DAY')).toEqual([
    {
      ...{ from: '2026-03-29T00:00:00.000Z', until: '2026-03-29T23:00:00.000Z', denials: 0 },
      ...{ concurrent: pool(0, 1, 10 / 23), contingency: pool(0, 0, 0) },
    },
  ]);
  expect(await ask('2026-03-29T10:00:00Z', '2026-03-29T10:00:01Z', 'MINUTE_5')).toMatchObject([
    { concurrent: pool(0, 0, 0) },
  ]);
  // Billing periods; the present one ends now.
  expect(await ask('2026-01-01T00:00:00Z', '2026-12-01T00:00:00Z', 'MONTH')).toMatchObject([
    { from: '2026-03-01T00:00:00.000Z', until: '2026-03-31T23:00:00.000Z', contingency: { maximum: 1 } },
    {
      ...{ from: '2026-03-31T23:00:00.000Z', until: '2026-04-01T23:00:00.001Z' },
      contingency: pool(0, 0, 0),
    },
  ]);
}

test('a licence’s use is told by local hours, days and billing periods: exactly, and alike once it is summed up', async () => {
  await expectAll();
  await rollUpHistory({ db });
  await expectAll();
  expect((await surveyOrganisation(db, uuid)).findings).toEqual([]);
});

test('a span that was tampered with is found', async () => {
  const change = (by: number) =>
    server.pool.query(
      'update usage_rollup set contingency_maximum = contingency_maximum + $1 where width = 60',
      [by],
    );
  await change(1);
  expect((await surveyOrganisation(db, uuid)).findings).toEqual([
    { check: 'rollUps', licence: 'SUPERVISOR', recorded: 0, recomputed: expect.any(Number) as number },
  ]);
  await change(-1);
});

test('a row of the Licence Mapping page tells the same of its licence', async () => {
  const time = { from: '2026-03-28T10:00:00Z', until: '2026-03-28T13:00:00Z' };
  const { data } = await server.query(
    `query ($id: ID!, $from: DateTime!, $until: DateTime!) { organisation(id: $id) {
       licenceMapping { licence { code } usageHistory(from: $from, until: $until) { ${fields} } } } }`,
    { id: organisationId, ...time },
  );
  const rows: { licence: { code: string }; usageHistory: unknown[] }[] = data.organisation.licenceMapping;
  const told = await ask(time.from, time.until, 'HOUR');
  expect(told).toHaveLength(3);
  expect(rows.find(({ licence }) => licence.code === 'SUPERVISOR')?.usageHistory).toEqual(told);
});

test('nothing is told of what is to come', async () => {
  expect(await ask('2026-05-01T00:00:00Z', '2026-06-01T00:00:00Z', 'HOUR')).toEqual([]);
  const [last] = await ask('2026-04-01T23:00:00Z', '2026-06-01T00:00:00Z', 'DAY');
  expect(last).toMatchObject({ until: '2026-04-01T23:00:00.001Z' });
});

test('what cannot be answered is refused, and says why', async () => {
  expect(await ask('2025-01-01T00:00:00Z', '2026-04-01T00:00:00Z', 'HOUR')).toBe('INVALID_INPUT');
  expect(await ask('2026-04-01T00:00:00Z', '2026-04-01T00:00:00Z', 'HOUR')).toBe('INVALID_INPUT');
  expect(await ask('2026-03-28T00:00:00Z', '2026-04-01T00:00:00Z', 'HOUR', 'NONE')).toBe('NOT_FOUND');
});

/** What else is reckoned from single changes: its data, or the code it is refused with. */
async function askOfChanges(id: string, field: string) {
  const { data, errors } = await server.query(`query ($id: ID!) { organisation(id: $id) { ${field} } }`, {
    id,
  });
  return errors === undefined ? data.organisation : errors[0]?.extensions.code;
}

test('without the rows of old months, what they were is still told, and everything else is as it was', async () => {
  await server.pool.query(`
    do $$
    declare part text; bound text;
    begin
      select c.relname, substring(pg_get_expr(relpartbound, c.oid) from 'TO \\((.+)\\)') into part, bound
        from pg_class c where relispartition and pg_get_expr(relpartbound, c.oid) like '%MINVALUE%';
      execute format('alter table history detach partition %I', part);
      execute 'create table history_2020_05 partition of history for values from (minvalue) to (''2020-06-01T00:00Z'')';
      execute format('alter table history attach partition %I for values from (''2020-06-01T00:00Z'') to (%s)', part, bound);
    end $$`);
  // Somebody else's seat is carried into April, and nothing happens in it.
  const other = await createOrganisation(server, {
    ...{ testClockAt: '2026-03-28T00:00:00Z', leaseSeconds: 86_400 },
  });
  await buy(server, other, 'SUPERVISOR', { base: 1, contingency: 1 });
  await buy(server, other, 'SUPERVISOR', { contingency: 1 });
  const dee = await createUser(server, other, 'dee', ['SUPERVISOR']);
  await logon(server, dee, 'SUPERVISOR');
  const { rows: before } = await server.pool.query('select max(id)::int as id from history');
  await server.pool.query(
    `update session set expires_at = '2027-01-01', due_at = '2027-01-01' where organisation_id = $1`,
    [uuidOf(other)],
  );
  await advance(server, other, '2026-04-20T00:00:00Z');
  const april = 'peakUsage(licence: "SUPERVISOR") { maxUsed causedBy { kind } }';
  const carried = { peakUsage: { maxUsed: 1, causedBy: { kind: 'CARRIED_OVER' } } };
  expect(await askOfChanges(other, april)).toEqual(carried);
  expect((await server.pool.query('select max(id)::int as id from history')).rows).toEqual(before);
  await rollUpHistory({ db });

  // As if all but the end of ada's lease had been recorded years ago.
  await server.pool.query(`
    with moved as (delete from history where at < '2026-03-29' returning *),
      old as (select (jsonb_populate_record(null::history, to_jsonb(moved) || '{"recorded_at": "2020-05-05T00:00:00Z"}')).* from moved)
    insert into history select * from old`);
  expect(await dropHistoryMonths(db, 24)).toBe(1);
  expect((await server.pool.query('select count(*)::int as rows from history')).rows).toEqual([{ rows: 1 }]);
  await expectAll();
  expect((await surveyOrganisation(db, uuid)).findings).toEqual([]);

  // What is gone is not told as no use.
  expect(await askOfChanges(other, april)).toEqual(carried);
  // Of a month that is over the statement tells.
  expect(
    await askOfChanges(
      organisationId,
      'peakUsage(licence: "SUPERVISOR", period: "2026-03-15T00:00:00Z") { maxUsed }',
    ),
  ).toEqual({ peakUsage: { maxUsed: 1 } });
  await advance(server, other, '2026-06-01T00:00:00Z');
  expect(await askOfChanges(other, 'rightSizing(months: 12) { months { from maxInUse } }')).toEqual({
    rightSizing: [
      {
        months: [
          { from: '2026-04-01T00:00:00.000Z', maxInUse: 1 },
          { from: '2026-05-01T00:00:00.000Z', maxInUse: 1 },
        ],
      },
    ],
  });
});
