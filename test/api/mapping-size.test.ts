import { afterAll, beforeAll, expect, test } from 'vitest';
import { buy, createOrganisation, createUser, logon, mapping } from '../setup/given.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const page = `query ($first: Int!) { organisations(first: $first, search: "counted") { edges { node {
  name licenceMapping(categories: [USER, PRODUCT, FEATURE]) {
    licence { code } activeUsers activeInBillingPeriod base { used } concurrent { used } contingency { maxUsed } } } } } }`;

test('C6: the page is as many statements for 40 organisations as for one', async () => {
  for (let index = 0; index < 40; index += 1) {
    const id = await createOrganisation(server, { name: `Counted ${index}` });
    await buy(server, id, 'SUPERVISOR', { base: 5, concurrent: 5 });
  }
  const sent: string[] = [];
  const count = async (first: number) => {
    sent.length = 0;
    // The sweeper's look for what is due goes on meanwhile, as a transaction of its own.
    const stop = server.onStatement((text) =>
      text.includes('order by "next_due_at"') || /^(begin|commit)/.test(text) ? null : sent.push(text),
    );
    const { data } = await server.query(page, { first });
    stop();
    expect(data.organisations.edges).toHaveLength(first);
    return sent.length;
  };
  await count(1);
  const one = await count(1);
  expect(one).toBeGreaterThan(0);
  expect(await count(40)).toBe(one);
});

test('C6, U2: the page reads no table that grows with users, sessions or history', async () => {
  const id = await createOrganisation(server, { name: 'Large' });
  await buy(server, id, 'SUPERVISOR', { base: 500, concurrent: 500 });
  const user = await createUser(server, id, 'ada', ['SUPERVISOR']);
  await logon(server, user, 'SUPERVISOR');
  await server.pool
    .query(`insert into "user" (organisation_id, id, username, display_name, status, created_at)
    select organisation_id, gen_random_uuid(), 'user-' || i, 'User', 'SUSPENDED', now()
    from "user", generate_series(1, 20000) i where username = 'ada'`);
  await server.pool.query('analyze');
  const texts: string[] = [];
  const stop = server.onStatement((text) => texts.push(text));
  const [row] = await mapping(server, id);
  stop();
  expect(row).toMatchObject({ activeUsers: 1, activeInBillingPeriod: 1, concurrent: { used: 1 } });
  const read = texts.filter((text) => /"(user|session|history|hold)"/.test(text));
  expect(read).toEqual([]);
});

test('the hours of six rows are as many statements as those of one, and what is asked wrongly fails alone', async () => {
  const id = await createOrganisation(server, { name: 'Hours' });
  const licences = [
    'SUPERVISOR',
    'INBOUND_AGENT',
    'OUTBOUND_AGENT',
    'AGENT_CALLS',
    'AGENT_EMAIL',
    'RECORDING',
  ];
  for (const licence of licences) await buy(server, id, licence, { concurrent: 2 });
  const { data: organisation } = await server.query(`{ organisation(id: "${id}") { now } }`);
  const now = Date.parse(organisation.organisation.now);
  const variables = {
    licences,
    from: new Date(now - 3_600_000).toISOString(),
    until: new Date(now + 3_600_000).toISOString(),
  };
  const hours = `query ($licences: [String!], $from: DateTime!, $until: DateTime!) { organisation(id: "${id}") {
    licenceMapping(licences: $licences, categories: [USER, PRODUCT, FEATURE]) {
      licence { code } usageHistory(from: $from, until: $until) { concurrent { total } }
      OTHER } } }`;
  const ask = async (given: typeof variables, other = '') => {
    const texts: string[] = [];
    const stop = server.onStatement((text) => {
      if (/(history|denial)/.test(text)) texts.push(text);
    });
    const answer = await server.query(hours.replace('OTHER', other), given);
    stop();
    return { ...answer, statements: texts.length };
  };
  const one = await ask({ ...variables, licences: ['SUPERVISOR'] });
  expect(one.errors).toBeUndefined();
  expect(one.statements).toBeGreaterThan(0);
  const all = await ask(variables);
  expect(all.data.organisation.licenceMapping).toHaveLength(licences.length);
  for (const row of all.data.organisation.licenceMapping) {
    expect(row.usageHistory.at(-1)).toEqual({ concurrent: { total: 2 } });
  }
  expect(all.statements).toBe(one.statements);

  const { errors } = await ask(
    { ...variables, licences: ['SUPERVISOR'] },
    'wrong: usageHistory(from: $until, until: $from) { denials }',
  );
  expect(errors?.map(({ path, extensions }) => [path?.at(-1), extensions.code])).toEqual([
    ['wrong', 'INVALID_INPUT'],
  ]);
});
