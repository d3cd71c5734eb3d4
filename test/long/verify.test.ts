import { afterAll, beforeAll, expect, test } from 'vitest';
import { seededRandom } from '../../src/cli/simulate/random.ts';
import { createDatabase, type Database, patient } from '../../src/database/database.ts';
import { within } from '../../src/database/wall.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { repairOrganisation, surveyOrganisation } from '../../src/verification/commands.ts';
import { describe } from '../../src/verification/domain.ts';
import {
  advance,
  buy,
  createOrganisation,
  createUser,
  logon,
  mapping,
  uuidOf,
  setStatus,
} from '../setup/given.ts';
import { verify as verifyDatabase } from '../setup/process.ts';
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
  const { department } = await server.mutate(
    'createDepartment',
    { organisationId, name: 'Sales' },
    '... on CreateDepartmentPayload { department { id } }',
  );
  await server.mutate('setDepartment', { userId: ben, departmentId: department.id });
  await server.mutate('setAllotment', { departmentId: department.id, licence: 'INBOUND_AGENT', reserved: 1 });
});
afterAll(() => server.stop());

const verify = (...args: readonly string[]) => verifyDatabase(server.databaseUrl, ...args);

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
  [
    'W1',
    `update pool_watch set contingency_cap = 2, caps = '{"everyMonth": 1, "months": {"24314": 2}}' where licence = 'INBOUND_AGENT'`,
    /contingency caps that hold and were not set for the running month \(W1\): recorded 0, is 1/,
  ],
  [
    'W3',
    `update pool_watch set raised = '["BASE_NEARLY_GONE", "CONCURRENT_NEARLY_FULL"]' where licence = 'INBOUND_AGENT'`,
    /INBOUND_AGENT: alerts that stand below the level at which they clear \(W3\): recorded 0, is 1/,
  ],
  [
    'D3',
    "update allotment set in_use = 7 where licence = 'INBOUND_AGENT'",
    /allotments that count other seats than their departments’ members hold \(D3\): recorded 0, is 1/,
  ],
];

test.each(damages)('%s: after `%s` the drift is shown, and repaired', async (_rule, damage, line) => {
  await server.pool.query(damage);
  const id = uuidOf(organisationId);
  await withDatabase(async (db) => {
    const survey = await surveyOrganisation(db, id);
    expect(survey.findings.map(describe).join('\n')).toMatch(line);
    expect(await repairOrganisation(db, systemClock, survey)).toEqual(survey.findings);
    expect((await surveyOrganisation(db, id)).findings).toEqual([]);
  });
  const { rows } = await server.pool.query('select findings from repair order by id desc limit 1');
  expect(rows[0].findings.length).toBeGreaterThan(0);
});

test('a drift is a line and an exit of 1, and a repair says what it set right', async () => {
  const [damage] = damages;
  if (damage === undefined) throw new Error('No damage is known');
  await server.pool.query(damage[1]);
  const found = await verify();
  expect(found.code).toBe(1);
  expect(found.out).toMatch(damage[2]);
  const repaired = await verify('--repair');
  expect(repaired.out).toMatch(/set right/);
  expect(repaired.code).toBe(0);
  expect(await verify()).toMatchObject({ code: 0 });
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

/** The database as `npm run verify` has it, in this process: a repair can be held between its survey and its lock. */
async function withDatabase<Answer>(work: (db: Database) => Promise<Answer>): Promise<Answer> {
  const { db, close } = createDatabase({ connectionString: server.databaseUrl, ...patient });
  try {
    return await work(within(db, 'ALL'));
  } finally {
    await close();
  }
}

/** Two supervisors of which the second has the contingency seat; the first is logged on, and the pool has drifted. */
async function givenDrift(externalId: string) {
  const organisation = await createOrganisation(server, { testClockAt: '2026-01-01T00:00:00Z', externalId });
  await buy(server, organisation, 'SUPERVISOR', { base: 5, concurrent: 1, contingency: 3 });
  const ann = await createUser(server, organisation, 'ann', ['SUPERVISOR']);
  const bob = await createUser(server, organisation, 'bob', ['SUPERVISOR']);
  await logon(server, ann, 'SUPERVISOR');
  const id = uuidOf(organisation);
  await server.pool.query(
    `update pool set in_use = 3, max_used = 2, max_used_at = '2026-01-01T00:00:00Z'
     where licence = 'SUPERVISOR' and organisation_id = $1`,
    [id],
  );
  return { organisation, id, bob };
}

test('C1, C2: what the history copied from a drifted counter is not believed, nor billed', async () => {
  const { organisation, id, bob } = await givenDrift('copied');
  await logon(server, bob, 'SUPERVISOR');
  const found = await verify('--repair', '--organisation', 'copied');
  expect(found.code).toBe(0);
  for (const line of [
    /seats in use, by the live sessions \(L2\): recorded 4, is 2 – set right/,
    /contingency seats to be billed, by the history \(C2\): recorded 3, is 1 – set right/,
    /steps of the history that tell other seats in use .*: recorded 0, is 1 – noted in the table "repair"/,
    /steps of the history that tell another peak .*: recorded 0, is 1 – noted in the table "repair"/,
  ]) {
    expect(found.out).toMatch(line);
  }
  expect(await mapping(server, organisation, ['SUPERVISOR'])).toMatchObject([
    { concurrent: { used: 1 }, contingency: { used: 1, maxUsed: 1, maxUsedAt: '2026-01-01T00:00:00.000Z' } },
  ]);
  // The history stays as it was recorded; what is wrong in it is told once.
  const { rows } = await server.pool.query(
    'select in_use from history where organisation_id = $1 order by id desc limit 1',
    [id],
  );
  expect(rows).toEqual([{ in_use: 4 }]);
  expect(await verify('--organisation', 'copied')).toMatchObject({ code: 0 });
});

test('P1: totals that the history copied from a drifted counter are not believed', async () => {
  const { id, bob } = await givenDrift('totals');
  await server.pool.query(
    "update pool set in_use = 1, max_used = 0, max_used_at = null, concurrent_total = 9 where licence = 'SUPERVISOR' and organisation_id = $1",
    [id],
  );
  await logon(server, bob, 'SUPERVISOR');
  const found = await verify('--repair', '--organisation', 'totals');
  expect(found.out).toMatch(/steps of the history that tell other totals .* \(P1\): recorded 0, is 1/);
  expect(found.out).toMatch(/contingency seats to be billed, .*: recorded 0, is 1/);
  expect(await verify('--organisation', 'totals')).toMatchObject({ code: 0 });
});

test('a repair reads no history while the organisation waits for it', async () => {
  const { organisation, id } = await givenDrift('big');
  await withDatabase(async (db) => {
    const survey = await surveyOrganisation(db, id);
    await server.pool.query('delete from history where organisation_id = $1', [id]);
    expect(await repairOrganisation(db, systemClock, survey)).toContainEqual(
      expect.objectContaining({ check: 'maxUsed', recorded: 2, recomputed: 0 }),
    );
  });
  expect(await mapping(server, organisation, ['SUPERVISOR'])).toMatchObject([
    { concurrent: { used: 1 }, contingency: { maxUsed: 0 } },
  ]);
});

test('C2: what happens between a repair’s survey and its lock counts', async () => {
  const { organisation, id, bob } = await givenDrift('between');
  await withDatabase(async (db) => {
    const survey = await surveyOrganisation(db, id);
    await advance(server, organisation, '2026-01-01T00:01:00Z');
    await logon(server, bob, 'SUPERVISOR');
    await repairOrganisation(db, systemClock, survey);
  });
  expect(await mapping(server, organisation, ['SUPERVISOR'])).toMatchObject([
    { concurrent: { used: 1 }, contingency: { used: 1, maxUsed: 1, maxUsedAt: '2026-01-01T00:01:00.000Z' } },
  ]);
  expect(await verify('--organisation', 'between')).toMatchObject({ code: 0 });
});

test('C2: where a month begins between a repair’s survey and its lock, it surveys anew', async () => {
  const { organisation, id } = await givenDrift('month');
  await withDatabase(async (db) => {
    const survey = await surveyOrganisation(db, id);
    await advance(server, organisation, '2026-02-01T00:00:00Z');
    await repairOrganisation(db, systemClock, survey);
  });
  expect(await verify('--organisation', 'month')).toMatchObject({ code: 0 });
});

/** Everything that moves seats, totals and what is set of them, much of it at the same instants, over a month's edge. */
test.each([1, 2, 3, 4, 5, 6])('whatever happens, no drift is found that is none: story %i', async (seed) => {
  const random = seededRandom(`story ${seed}`);
  const one = <Item>(items: readonly Item[]) => random.weighted(items.map((item) => [1, item] as const));
  const organisation = await createOrganisation(server, {
    testClockAt: '2026-01-31T23:55:00Z',
    leaseSeconds: 120,
  });
  const organisationId = uuidOf(organisation);
  const purchases = [
    await buy(server, organisation, 'SUPERVISOR', { base: 9, concurrent: 1, contingency: 3 }),
  ];
  await buy(server, organisation, 'CONFERENCING', { concurrent: 1, contingency: 2 });
  const users: string[] = [];
  for (let user = 0; user < 5; user += 1) {
    users.push(await createUser(server, organisation, `u${user}`, ['SUPERVISOR', 'CONFERENCING']));
  }
  const departments: string[] = [];
  for (const name of ['Sales', 'Service']) {
    const { department } = await server.mutate(
      'createDepartment',
      { organisationId: organisation, name },
      '... on CreateDepartmentPayload { department { id } }',
    );
    departments.push(department.id);
  }
  let minute = 0;
  const at = (minutes: number) => new Date(Date.UTC(2026, 0, 31, 23, 55 + minutes)).toISOString();
  for (let step = 0; step < 60; step += 1) {
    const user = one(users);
    const licence = one(['SUPERVISOR', 'CONFERENCING']);
    switch (random.between(0, 12)) {
      case 0:
        minute += 1;
        await advance(server, organisation, at(minute));
        break;
      case 1: {
        const from = minute + random.between(0, 1);
        const until = from + 1 + random.between(0, 2);
        const quantities = { concurrent: random.between(0, 1), contingency: 1 + random.between(0, 1) };
        const period = { ...(from > minute ? { from: at(from) } : {}), until: at(until) };
        purchases.push(await buy(server, organisation, 'SUPERVISOR', { ...quantities, ...period }));
        break;
      }
      case 2:
        await server.mutate('endPurchase', { purchaseId: one(purchases) });
        break;
      case 3:
        await server.mutate('forceLogoff', { userId: user });
        break;
      case 4:
        await setStatus(server, user, one(['SUSPENDED', 'ACTIVE']));
        break;
      case 5:
        await server.mutate('setDepartment', { userId: user, departmentId: one([null, ...departments]) });
        break;
      case 6: {
        const reserved = random.between(0, 2);
        const maximum = one([null, reserved, reserved + 1]);
        await server.mutate('setAllotment', { departmentId: one(departments), licence, reserved, maximum });
        break;
      }
      case 7: {
        const cap = one([null, 0, 1, 2]);
        const period = one([null, '2026-01', '2026-02']);
        await server.mutate('setContingencyCap', { organisationId: organisation, licence, cap, period });
        break;
      }
      case 8: {
        const concurrentPercent = one([0, 10, 50, 100]);
        const thresholds = { concurrentPercent, contingencyPercent: one([0, 30, 60]) };
        await server.mutate('setAlertThresholds', { organisationId: organisation, licence, ...thresholds });
        break;
      }
      default:
        await logon(server, user, 'SUPERVISOR', one(['desk', 'phone']));
    }
  }
  const { findings } = await withDatabase((db) => surveyOrganisation(db, organisationId));
  expect(findings).toEqual([]);
});

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
