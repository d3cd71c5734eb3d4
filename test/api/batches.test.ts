import { afterAll, beforeAll, expect, test } from 'vitest';
import { buy, createOrganisation, createUser, logonInput } from '../setup/given.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ sweepMilliseconds: 60_000 });
});
afterAll(() => server.stop());

/** What the database was sent while something was done. */
async function statementsOf(
  work: () => Promise<unknown>,
): Promise<{ transactions: number; statements: number }> {
  const texts: string[] = [];
  const stop = server.onStatement((text) => texts.push(text));
  await work();
  stop();
  return { transactions: texts.filter((text) => text.startsWith('begin')).length, statements: texts.length };
}

/** What the least of some took, done one after another: what the server does by itself may fall into the others. */
async function oneByOne(each: readonly string[], work: (one: string) => Promise<unknown>) {
  let least = { transactions: Infinity, statements: Infinity };
  for (const one of each) {
    const found = await statementsOf(() => work(one));
    if (found.statements < least.statements) least = found;
  }
  return least;
}

async function floor(users: number): Promise<string[]> {
  const organisationId = await createOrganisation(server, { leaseSeconds: 3600 });
  // Twice as many seats as users: no threshold is near, which alone would cost statements (W3).
  await buy(server, organisationId, 'SUPERVISOR', { base: users, concurrent: 2 * users });
  return Promise.all(
    Array.from({ length: users }, (_, index) =>
      createUser(server, organisationId, `u${index}`, ['SUPERVISOR']),
    ),
  );
}

async function logOn(userId: string): Promise<string> {
  const { data } = await server.query(
    'mutation ($input: LogonInput!) { logon(input: $input) { ... on LogonPayload { session { id } } } }',
    { input: logonInput(userId, 'SUPERVISOR') },
  );
  return data.logon.session.id;
}

const renew = (sessionId: string) => server.mutate('renewSession', { sessionId });

test('L2: a crowd of one organisation, and of many, is admitted by few transactions, none of more statements than a single logon’s', async () => {
  const [first = '', ...crowd] = await floor(80);
  const neighbours = (await Promise.all(Array.from({ length: 20 }, () => floor(2)))).flat();
  // What is done seldom, such as to read the catalogue, is done by now.
  await logOn(first);
  const alone = await oneByOne(crowd.splice(0, 3), logOn);
  expect(alone.transactions).toBe(1);
  const together = await statementsOf(() => Promise.all([...crowd, ...neighbours].map(logOn)));
  expect(together.transactions).toBeLessThan(40);
  expect(together.statements).toBeLessThanOrEqual(together.transactions * alone.statements);
});

test('L8: a crowd’s renewals are few statements, each a transaction of its own', async () => {
  const sessions = await Promise.all((await floor(80)).map(logOn));
  await renew(sessions[0] ?? '');
  const alone = await oneByOne(sessions.slice(1, 4), renew);
  // With its tenants before it, and the commit behind it.
  expect(alone).toEqual({ transactions: 1, statements: 3 });
  const { transactions, statements } = await statementsOf(() => Promise.all(sessions.map(renew)));
  expect(transactions).toBeLessThan(40);
  expect(statements).toBe(3 * transactions);
});
