import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { advance, buy, createOrganisation, createUser, logon, setStatus } from '../setup/given.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
let organisationId: string;
beforeAll(async () => {
  server = await startTestServer();
  organisationId = await createOrganisation(server, {
    testClockAt: '2026-01-01T00:00:00Z',
    leaseSeconds: 3600,
  });
  await buy(server, organisationId, 'INBOUND_AGENT', { base: 10, concurrent: 1, contingency: 3 });
  await buy(server, organisationId, 'AGENT_CALLS', { concurrent: 5 });
  const users: string[] = [];
  for (const name of ['ada', 'ben', 'cyd', 'dot']) {
    users.push(await createUser(server, organisationId, name, ['INBOUND_AGENT', 'AGENT_CALLS']));
  }
  const [ada = '', ben = '', cyd = '', dot = ''] = users;
  await setStatus(server, dot, 'DELETED');
  await advance(server, organisationId, '2026-01-31T23:59:00Z');
  for (const user of [ada, ben, cyd]) await logon(server, user);
  await advance(server, organisationId, '2026-02-01T00:00:30Z');
  await setStatus(server, cyd, 'SUSPENDED');
});
afterAll(() => server.stop());

const run = promisify(execFile);

async function verify(...args: string[]): Promise<{ readonly code: number; readonly out: string }> {
  const cli = join(import.meta.dirname, '..', '..', 'src', 'cli', 'verify.ts');
  const env = { PATH: process.env['PATH'], DATABASE_URL: server.databaseUrl };
  try {
    const { stdout } = await run(process.execPath, [cli, ...args], { env });
    return { code: 0, out: stdout };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: stdout + stderr };
  }
}

test('C2: a peak that began with the month, and everything else, is found as it is kept: no drift', async () => {
  expect(await verify()).toEqual({
    code: 0,
    out: expect.stringMatching(/^1 organisations checked .*: no drift\.\n$/),
  });
});

/** Each kind of damage, and the line that tells of it. */
const damages: readonly (readonly [string, string, RegExp])[] = [
  [
    'L2',
    "update pool set in_use = in_use + 2, max_used = max_used + 2 where licence = 'INBOUND_AGENT'",
    /INBOUND_AGENT: seats in use, by the live sessions \(L2\): recorded 4, is 2/,
  ],
  [
    'P1',
    "update pool set concurrent_total = 9 where licence = 'AGENT_CALLS'",
    /AGENT_CALLS: concurrent seats, .*recorded 9, is 5/,
  ],
  [
    'C2',
    "update pool set max_used = 3 where licence = 'INBOUND_AGENT'",
    /INBOUND_AGENT: contingency seats to be billed, .*recorded 3, is 2/,
  ],
  [
    'B2',
    "update pool set reusable = 0 where licence = 'INBOUND_AGENT'",
    /INBOUND_AGENT: base licences reusable, .*recorded 0, is 1/,
  ],
  [
    'C6',
    "update pool set holders = 7, purchases = 4 where licence = 'INBOUND_AGENT'",
    /INBOUND_AGENT: users with the licence, .*recorded 7, is 3/,
  ],
  [
    'L9',
    "delete from hold where licence = 'AGENT_CALLS'",
    /holds that the live sessions imply and that are missing \(L9\): recorded 0, is 2/,
  ],
  [
    'L9',
    "insert into hold select organisation_id, id, 'INBOUND_AGENT', 'CONCURRENT', now() from \"user\" where username = 'cyd'",
    /holds that no live session uses \(L9\): recorded 0, is 1/,
  ],
  [
    'U2',
    'update organisation set active_users = 1',
    /active users, by their status \(U2\): recorded 1, is 2/,
  ],
  [
    'U2',
    'update organisation set active_in_billing_period = 9',
    /users active in the billing period, .*recorded 9, is 3/,
  ],
  [
    'T3',
    'update organisation set next_due_at = period_until',
    /when something next falls due, at the latest \(T3\): recorded 2026-03-01/,
  ],
];

test.each(damages)('%s: after `%s` the drift is shown, and repaired', async (_rule, damage, line) => {
  await server.pool.query(damage);
  const found = await verify();
  expect(found.code).toBe(1);
  expect(found.out).toMatch(line);
  const repaired = await verify('--repair');
  expect(repaired.out).toMatch(/set right/);
  expect(repaired.code).toBe(0);
  expect(await verify()).toMatchObject({ code: 0 });
  const { rows } = await server.pool.query('select findings from repair order by id desc limit 1');
  expect(rows[0].findings.length).toBeGreaterThan(0);
});

test.each(['SUSPENDED', 'DELETED'])(
  'U2, T3: who is %s at the very instant at which a period begins was active in it: no drift',
  async (status) => {
    const organisation = await createOrganisation(server, {
      testClockAt: '2026-01-01T00:00:00Z',
      externalId: `edge-${status}`,
    });
    const leaving = await createUser(server, organisation, 'ada', []);
    await createUser(server, organisation, 'ben', []);
    const gone = await createUser(server, organisation, 'cyd', []);
    await advance(server, organisation, '2026-01-31T23:59:59.999Z');
    await setStatus(server, gone, status);
    await advance(server, organisation, '2026-02-01T00:00:00Z');
    await setStatus(server, leaving, status);
    expect(await verify('--organisation', `edge-${status}`)).toMatchObject({ code: 0 });
  },
);

test('what has no one right answer is told, and left to a person', async () => {
  await server.pool.query(
    "update session set user_id = gen_random_uuid() where device = 'desktop' and ended_at is not null",
  );
  const { code, out } = await verify('--repair');
  expect(code).toBe(1);
  expect(out).toContain('a person must look at this');
});

test('an organisation that does not exist is one line', async () => {
  expect(await verify('--organisation', 'nobody')).toEqual({
    code: 2,
    out: 'There is no organisation with the id or external id nobody.\n',
  });
});
