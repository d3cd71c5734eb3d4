import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { buy, createOrganisation, createUser, logon } from '../setup/given.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ sweepMilliseconds: 60_000 });
});
afterAll(() => server.stop());

test('C5: any number of idle wallboards and sessions costs two statements a poll, and no other', async () => {
  let snapshots = 0;
  const watch = (query: string, id: string) =>
    server
      .wsClient()
      .subscribe(
        { query, variables: { id } },
        { next: () => (snapshots += 1), error: () => {}, complete: () => {} },
      );
  for (let index = 0; index < 12; index += 1) {
    const organisationId = await createOrganisation(server, { leaseSeconds: 600 });
    await buy(server, organisationId, 'SUPERVISOR', { base: 1, concurrent: 1 });
    const user = await createUser(server, organisationId, 'one', ['SUPERVISOR']);
    const { session } = await logon(server, user, 'SUPERVISOR', 'desktop', []);
    watch('subscription ($id: ID!) { usageChanged(organisationId: $id) { revision } }', organisationId);
    watch('subscription ($id: ID!) { sessionChanged(sessionId: $id) { expiresAt } }', session?.id ?? '');
  }
  await vi.waitFor(() => expect(snapshots).toBe(24), { timeout: 5000 });
  // Each topic is looked at once more, at the first poll: what was read first may have been read before a change.
  await delay(1500);

  const statements: string[] = [];
  // Each is a transaction of its own, whose beginning and end are sent with it.
  const stopListening = server.onStatement((text) =>
    // What looks for months that ended is no poll, and asks the same of a thousand wallboards as of none.
    /^(begin|commit)|"closed_period"/.test(text) ? null : statements.push(text),
  );
  await delay(3000);
  stopListening();
  const polls = statements.filter((text) => /<> given\.(revision|version)/.test(text));
  expect(statements.filter((text) => !polls.includes(text))).toEqual([]);
  expect(polls.length).toBeGreaterThanOrEqual(4);
  expect(polls.length).toBeLessThanOrEqual(10);
  expect(snapshots).toBe(24);
});
