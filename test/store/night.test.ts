import { afterAll, beforeAll, expect, test } from 'vitest';
import { hastened } from '../../src/database/transaction.ts';
import { buy, createOrganisation, createUser, logon } from '../setup/given.ts';
import { planOf } from '../setup/plan.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

test('a plan that was made while nobody was logged on looks up each row by its key, however many come in the morning', async () => {
  const organisationId = await createOrganisation(server);
  await buy(server, organisationId, 'INBOUND_AGENT', { base: 1, concurrent: 1 });
  await buy(server, organisationId, 'AGENT_CALLS', { concurrent: 1 });
  const userId = await createUser(server, organisationId, 'early', ['INBOUND_AGENT', 'AGENT_CALLS']);
  await server.pool.query(
    `insert into session (organisation_id, id, user_id, licence, device, admitted_as, started_at, expires_at, due_at, ended_at, end_reason, version)
     select organisation_id, gen_random_uuid(), id, 'INBOUND_AGENT', 'desktop', 'CONCURRENT', at, at + interval '1 hour', at, at + interval '1 hour', 'LOGOFF', 2
     from "user", generate_series(now() - interval '9 days', now() - interval '1 day', interval '10 minutes') at`,
  );
  const comeAndGo = async () => {
    expect((await logon(server, userId)).__typename).toBe('LogonPayload');
    await server.mutate('forceLogoff', { organisationId });
  };
  // The first raises the month's peak, which writes more than the others do.
  await comeAndGo();
  await server.pool.query('vacuum analyze');

  const texts = new Set<string>();
  const stop = server.onStatement((text) => texts.add(text));
  await comeAndGo();
  stop();

  const written = [...texts].filter((text) => /^\s*(update|delete)/.test(text));
  const tables = written.map((text) => /^\s*(?:update|delete from) "?(\w+)/.exec(text)?.[1]);
  expect(tables).toEqual(expect.arrayContaining(['organisation', 'pool', 'session', 'hold']));
  for (const text of written) {
    const plan = await planOf(server.pool, text, hastened);
    expect(plan, text).toContain('Tid Scan');
    // Which is how every row of one side would be compared with every one of the other.
    expect(plan, text).not.toContain('Join Filter');
  }

  const holders = [...texts].find((text) => text.includes('from session s'));
  expect(await planOf(server.pool, holders ?? '', hastened)).toMatch(
    /session_live_device on session s\n\s+Index Cond: .*organisation_id.*user_id/,
  );
});
