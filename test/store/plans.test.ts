import { afterAll, beforeAll, expect, test } from 'vitest';
import { advance, buy, createOrganisation, createUser, logon, uuidOf } from '../setup/given.ts';
import { planOf } from '../setup/plan.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
let id: string;

/** A month over and one under way, with so much in both that to read all of a table would be a mistake. */
beforeAll(async () => {
  server = await startTestServer();
  id = await createOrganisation(server, { testClockAt: '2026-03-01T00:00:00Z', leaseSeconds: 86_400 });
  await buy(server, id, 'SUPERVISOR', { base: 9, concurrent: 1, contingency: 3 });
  const [ada = '', ben = ''] = await Promise.all(
    ['ada', 'ben'].map((name) => createUser(server, id, name, ['SUPERVISOR'])),
  );
  const come = async () => {
    for (const user of [ada, ben]) await logon(server, user, 'SUPERVISOR');
  };
  await come();
  await advance(server, id, '2026-04-20T00:00:00Z');
  await come();
  const [organisation, other] = [uuidOf(id), uuidOf(await createOrganisation(server))];
  const { pool } = server;
  await pool.query(
    `insert into "user" (organisation_id, id, username, display_name, status, created_at)
     select o, gen_random_uuid(), 'user-' || i, 'User', 'ACTIVE', now() from unnest($1::uuid[]) o, generate_series(1, 4000) i`,
    [[organisation, other]],
  );
  await pool.query(
    `insert into session (organisation_id, id, user_id, licence, device, admitted_as, started_at, expires_at, due_at, ended_at, end_reason, version)
     select organisation_id, gen_random_uuid(), id, 'SUPERVISOR', 'desk', 'CONCURRENT', at, at + interval '1 hour', at, at + interval '1 hour', 'LOGOFF', 2
     from "user", (select timestamptz '2026-03-02' at) day`,
  );
  await pool.query(
    `insert into history (organisation_id, at, kind, licence, user_id, session_id, admitted_as, seat_changed, in_use, concurrent_total, contingency_total, max_used)
     select organisation_id, at + n * interval '7 minutes', 'ACQUIRED', 'SUPERVISOR', user_id, id, 'CONCURRENT', true, 1 + n % 3, 1, 3, 2
     from (select *, started_at as at, row_number() over (partition by organisation_id) as n from session where ended_at is not null) s`,
  );
  await pool.query(
    `insert into denial select organisation_id, gen_random_uuid(), id, 'SUPERVISOR', 'NO_SEAT_AVAILABLE',
       timestamptz '2026-03-02' + row_number() over (partition by organisation_id) * interval '11 minutes' from "user"`,
  );
  await pool.query('analyze');
});
afterAll(() => server.stop());

const inMarch = 'from: "2026-03-02T00:00:00Z", until: "2026-03-20T00:01:00Z"';

test.each([
  `usageHistory(licence: "SUPERVISOR", ${inMarch}, bucket: HOUR) { denials }`,
  `usageHistory(licence: "SUPERVISOR", from: "2026-03-01T00:00:00Z", until: "2026-04-20T00:00:00Z", bucket: MONTH) { denials }`,
  'peakUsage(licence: "SUPERVISOR") { maxUsed holders { edges { node { user { username } } } } causedBy { session { device } } }',
  'peakUsage(licence: "SUPERVISOR", period: "2026-03-02T00:00:00Z") { maxUsed holders { totalCount } }',
  `denialReport(${inMarch}) { licences { denials } }`,
  `denialReport(${inMarch}, licences: ["SUPERVISOR"]) { licences { denials } }`,
  'rightSizing(months: 1) { present { cost } }',
  'billingStatement { total { decimal } }',
])('reads ranges of an index, and no table from end to end: %s', async (field) => {
  const texts = new Set<string>();
  const stop = server.onStatement((text) => texts.add(text));
  const { data, errors } = await server.query(
    `query ($id: ID!) { organisation(id: $id) { answer: ${field} } }`,
    { id },
  );
  stop();
  expect(errors).toBeUndefined();
  expect(data.organisation.answer).not.toBeNull();
  const large = [...texts].filter((text) =>
    /\b(history|denial|session|hold|usage_rollup)\b|"user"/.test(text),
  );
  expect(large.length).toBeGreaterThan(0);
  const present = await filled();
  for (const text of large.filter((each) => /^\s*(select|with)/.test(each))) {
    const scanned = (await planOf(server.pool, text))
      .split('\n')
      .filter((line) => present.some((table) => line.includes(`Seq Scan on ${table}`)));
    expect(scanned, text).toEqual([]);
  }
});

/** The tables of which a scan reads something: months to come have partitions too. */
async function filled(): Promise<string[]> {
  const { rows } = await server.pool.query<{ name: string }>(
    `select quote_ident(relname) as name from pg_class
     where relkind = 'r' and reltuples > 1000 and relname ~ '^(history|denial|session|hold|user|usage_rollup)'`,
  );
  expect(rows.length).toBeGreaterThan(3);
  return rows.map(({ name }) => name);
}
