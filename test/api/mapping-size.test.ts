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
