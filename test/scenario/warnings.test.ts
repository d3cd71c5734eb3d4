import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { usualThresholds } from '../../src/alert/domain.ts';
import { dropAlerts } from '../../src/alert/store.ts';
import { createDatabase } from '../../src/database/database.ts';
import { within } from '../../src/database/wall.ts';
import { decodeId, type OrganisationId, type UserId } from '../../src/kernel/ids.ts';
import { advance, buy, createOrganisation, createUser, logon, mapping, uuidOf } from '../setup/given.ts';
import { type GraphqlAnswer, startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const soon = { timeout: 5_000, interval: 20 };

async function supervisors(
  count: number,
  seats: Record<string, number>,
  testClockAt = '2026-03-02T09:00:00Z',
) {
  const organisationId = await createOrganisation(server, { testClockAt, leaseSeconds: 86_400 });
  await buy(server, organisationId, 'SUPERVISOR', { base: 100, ...seats });
  const users = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      createUser(server, organisationId, `user-${index}`, ['SUPERVISOR']),
    ),
  );
  return { organisationId, users };
}

const cap = (organisationId: string, value: number | null, period?: string) =>
  server.mutate(
    'setContingencyCap',
    { organisationId, licence: 'SUPERVISOR', cap: value, period },
    '... on SetContingencyCapPayload { contingencyCap { inForce everyMonth months { period cap } } }',
  );

async function alertsOf(organisationId: string, acknowledged?: boolean) {
  const { data, errors } = await server.query(
    `query ($id: ID!, $acknowledged: Boolean) { organisation(id: $id) { alerts(acknowledged: $acknowledged) { totalCount
      edges { node { id kind licence { code } at used total previous percent message acknowledgedAt acknowledgedBy { username } } } } } }`,
    { id: organisationId, acknowledged },
  );
  expect(errors).toBeUndefined();
  const { totalCount, edges } = data.organisation.alerts;
  expect(totalCount).toBe(edges.length);
  return edges.map(({ node }: { node: object }) => node);
}

const logOn = (userId: string, idempotencyKey?: string) =>
  server.mutate(
    'logon',
    { userId, licence: 'SUPERVISOR', device: 'desktop', idempotencyKey },
    '... on LogonPayload { raisesPeak session { id admittedAs } } ... on ContingencyCapped { cap licence { code } }',
  );

test('W1, W2: a cap keeps the bill where it is, month by month, and nobody is logged off by it', async () => {
  const { organisationId, users } = await supervisors(6, { concurrent: 1, contingency: 3 });
  expect(await cap(organisationId, 1)).toMatchObject({
    contingencyCap: { inForce: 1, everyMonth: 1, months: [] },
  });
  expect(await cap(organisationId, 2, '2026-04')).toMatchObject({
    contingencyCap: { inForce: 1, everyMonth: 1, months: [{ period: '2026-04', cap: 2 }] },
  });

  const [a = '', b = '', c = '', d = '', e = ''] = users;
  expect(await logOn(a)).toMatchObject({ raisesPeak: false, session: { admittedAs: 'CONCURRENT' } });
  const opened = await logOn(b, 'key');
  expect(opened).toMatchObject({ raisesPeak: true, session: { admittedAs: 'CONTINGENCY' } });
  // The same is answered again, also once the seat has been paid for long since.
  expect(await logOn(b, 'key')).toEqual(opened);
  expect(await logOn(b)).toMatchObject({ raisesPeak: false });
  const refused = await logOn(c, 'refused');
  expect(refused).toMatchObject({ code: 'CONTINGENCY_CAPPED', cap: 1, licence: { code: 'SUPERVISOR' } });
  expect(refused.message).toContain('raise the cap');
  expect(await logOn(c, 'refused')).toEqual(refused);
  const { data } = await server.query(
    'query ($id: ID!) { organisation(id: $id) { denials { edges { node { code } } } contingencyCaps { licence { code } inForce } } }',
    { id: organisationId },
  );
  expect(data.organisation).toEqual({
    denials: { edges: [{ node: { code: 'CONTINGENCY_CAPPED' } }] },
    contingencyCaps: [{ licence: { code: 'SUPERVISOR' }, inForce: 1 }],
  });

  // C3: what is paid for this month is not refused by a cap that comes later.
  await cap(organisationId, 0);
  await server.mutate('logoff', { sessionId: opened.session.id });
  expect(await logOn(c)).toMatchObject({ raisesPeak: false, session: { admittedAs: 'CONTINGENCY' } });
  expect((await logOn(d)).code).toBe('CONTINGENCY_CAPPED');

  // April has a cap of its own, and May that of every month again.
  await advance(server, organisationId, '2026-04-01T00:00:00Z');
  for (const [user, told] of [
    [a, 'CONCURRENT'],
    [b, 'CONTINGENCY'],
    [c, 'CONTINGENCY'],
    [d, 'CONTINGENCY_CAPPED'],
  ] as const) {
    const answer = await logOn(user);
    expect(answer.code ?? answer.session.admittedAs).toBe(told);
  }
  await advance(server, organisationId, '2026-05-01T00:00:00Z');
  expect((await logOn(a)).session.admittedAs).toBe('CONCURRENT');
  expect((await logOn(e)).code).toBe('CONTINGENCY_CAPPED');
  const listed = await server.query(
    'query ($id: ID!) { organisation(id: $id) { contingencyCaps { inForce everyMonth months { period } } } }',
    { id: organisationId },
  );
  expect(listed.data.organisation.contingencyCaps).toEqual([{ inForce: 0, everyMonth: 0, months: [] }]);
  await cap(organisationId, null);
  expect((await logOn(e)).raisesPeak).toBe(true);
  const [row] = await mapping(server, organisationId);
  expect(row?.contingency).toMatchObject({ used: 1, maxUsed: 1 });
});

test('W1: what cannot be a cap is refused, field by field', async () => {
  const { organisationId } = await supervisors(0, { contingency: 2 });
  const field = async (licence: string, value: number | null, period?: string) => {
    const answer = await server.mutate('setContingencyCap', { organisationId, licence, cap: value, period });
    return answer.field ?? answer.code ?? 'set';
  };
  expect(await field('SUPERVISOR', 2)).toBe('set');
  expect(await field('SUPERVISOR', 3)).toBe('cap');
  expect(await field('SUPERVISOR', -1)).toBe('cap');
  expect(await field('SUPERVISOR', 1, '2026-02')).toBe('period');
  expect(await field('SUPERVISOR', 1, '2026-3')).toBe('period');
  expect(await field('UC_USER', 0)).toBe('licence');
  expect(await field('NOPE', 0)).toBe('NOT_FOUND');
});

test('W3: alerts are raised by what reaches a threshold, once, listed newest first, and acknowledged by name', async () => {
  const { organisationId, users } = await supervisors(12, { concurrent: 10, contingency: 5 });
  const sessions = [];
  for (const user of users.slice(0, 9)) sessions.push((await logOn(user)).session.id);
  expect(await alertsOf(organisationId)).toMatchObject([
    { kind: 'CONCURRENT_NEARLY_FULL', used: 9, total: 10, percent: 90, at: '2026-03-02T09:00:00.000Z' },
  ]);
  // Once: it wavers about the threshold, and clears 5 points below it.
  await server.mutate('logoff', { sessionId: sessions[0] });
  await logOn(users[0] ?? '');
  const both = await alertsOf(organisationId);
  expect(both).toHaveLength(2);
  await Promise.all(users.map((user) => logOn(user)));
  const alerts = await alertsOf(organisationId, false);
  expect(
    alerts.map(({ kind, used, previous }: { kind: string; used: number; previous: number }) => [
      kind,
      used,
      previous,
    ]),
  ).toEqual([
    ['CONTINGENCY_NEW_PEAK', 2, 1],
    ['CONTINGENCY_FIRST_SEAT', 1, null],
    ['CONCURRENT_NEARLY_FULL', 9, null],
    ['CONCURRENT_NEARLY_FULL', 9, null],
  ]);
  expect(alerts[0].message).toMatch(
    /^The month’s peak of contingency seats of Supervisor rose from 1 to 2 of 5/,
  );

  const reference = decodeId(users[0] ?? '');
  if (reference?.type !== 'User') throw new Error('No user');
  const supervisor = server.as({
    role: 'SUPERVISOR',
    organisationId: reference.organisationId as OrganisationId,
    userId: reference.id as UserId,
  });
  const document = `mutation ($input: AcknowledgeAlertsInput!) { acknowledgeAlerts(input: $input) {
    __typename ... on AcknowledgeAlertsPayload { alerts { id acknowledgedAt acknowledgedBy { username } } } ... on UserError { code } } }`;
  const input = { alertIds: [alerts[0].id, alerts[2].id] };
  const answer = (await supervisor.query(document, { input })).data.acknowledgeAlerts;
  expect(answer.alerts).toMatchObject(
    input.alertIds.map((id) => ({ id, acknowledgedBy: { username: 'user-0' } })),
  );
  // The first to say so stands.
  await server.mutate('acknowledgeAlerts', { alertIds: [alerts[0].id, alerts[1].id] });
  expect(await alertsOf(organisationId, false)).toHaveLength(1);
  expect(await alertsOf(organisationId, true)).toMatchObject([
    { acknowledgedBy: { username: 'user-0' } },
    { acknowledgedBy: null, acknowledgedAt: '2026-03-02T09:00:00.000Z' },
    { acknowledgedBy: { username: 'user-0' } },
  ]);
  const other = (await supervisors(0, {})).organisationId;
  await server.mutate('setAlertThresholds', {
    organisationId: other,
    licence: 'SUPERVISOR',
    basePercent: 10,
  });
  for (let index = 0; index < 10; index += 1) await createUser(server, other, `u-${index}`, ['SUPERVISOR']);
  const [base] = await alertsOf(other);
  expect(base).toMatchObject({ kind: 'BASE_NEARLY_GONE', used: 10, total: 100, percent: 10 });
  // Of several organisations at once, whose they are alone says who may.
  const ofBoth = { alertIds: [alerts[3].id, base.id] };
  expect((await supervisor.query(document, { input: ofBoth })).data.acknowledgeAlerts).toMatchObject({
    code: 'NOT_FOUND',
  });
  expect(await server.mutate('acknowledgeAlerts', ofBoth)).toMatchObject({
    __typename: 'AcknowledgeAlertsPayload',
  });
});

test('W3: thresholds are the organisation’s own: what they find reached is told at once, or never', async () => {
  const { organisationId, users } = await supervisors(4, { concurrent: 10 });
  await Promise.all(users.map((user) => logOn(user)));
  const set = (input: object) =>
    server.mutate(
      'setAlertThresholds',
      { organisationId, licence: 'SUPERVISOR', ...input },
      '... on SetAlertThresholdsPayload { alertThresholds { concurrentPercent contingencyPercent basePercent newPeak } }',
    );
  expect(await set({ concurrentPercent: 5 })).toMatchObject({ field: 'concurrentPercent' });
  expect(await set({ concurrentPercent: 40, newPeak: false })).toMatchObject({
    alertThresholds: { concurrentPercent: 40, contingencyPercent: 90, basePercent: 95, newPeak: false },
  });
  expect(await alertsOf(organisationId)).toMatchObject([{ used: 4, total: 10, percent: 40 }]);
  const { data } = await server.query(
    'query ($id: ID!) { organisation(id: $id) { alertThresholds { licence { code } concurrentPercent } } }',
    { id: organisationId },
  );
  expect(data.organisation.alertThresholds).toEqual([
    { licence: { code: 'SUPERVISOR' }, concurrentPercent: 40 },
  ]);
});

test('W1, W3: what another server set of licences that this one does not know yet is in the lists', async () => {
  const { organisationId } = await supervisors(0, {});
  const thresholds = { ...usualThresholds, concurrentPercent: 50 };
  for (const [position, field] of ['contingencyCaps', 'alertThresholds'].entries()) {
    const code = `LATER_${position}`;
    await server.pool.query(
      `insert into licence select made.* from licence, jsonb_populate_record(licence, $1) made where licence.code = 'SUPERVISOR'`,
      [{ code, position: 9000 + position }],
    );
    await server.pool.query(`insert into pool_watch values ($1, $2, 1, $3, $4, '[]')`, [
      uuidOf(organisationId),
      code,
      { everyMonth: 1, months: {} },
      thresholds,
    ]);
    const { data } = await server.query(
      `query ($id: ID!) { organisation(id: $id) { ${field} { licence { code } } } }`,
      { id: organisationId },
    );
    expect(data.organisation[field]).toContainEqual({ licence: { code } });
  }
});

test('W3: months that pass while nobody looks each tell of their first contingency seat, and are dropped in time', async () => {
  const { organisationId, users } = await supervisors(
    2,
    { concurrent: 1, contingency: 2 },
    '2026-03-31T12:00:00Z',
  );
  await server.mutate('updateOrganisation', { organisationId, leaseSeconds: 86_400 });
  for (const user of users) await logOn(user);
  await advance(server, organisationId, '2026-06-01T00:00:00Z');
  const first = (await alertsOf(organisationId)).filter(
    ({ kind }: { kind: string }) => kind === 'CONTINGENCY_FIRST_SEAT',
  );
  // The leases end on the 1st of April: its first instant still had them.
  expect(first.map(({ at }: { at: string }) => at)).toEqual([
    '2026-04-01T00:00:00.000Z',
    '2026-03-31T12:00:00.000Z',
  ]);

  const { db, close } = createDatabase(server.runtime);
  try {
    const system = within(db, 'ALL');
    const before = await alertsOf(organisationId);
    await dropAlerts(system, 3);
    expect(await alertsOf(organisationId)).toEqual(before);
    // Two whole months stay, whatever it is asked for: April and May, by the organisation's own clock.
    await dropAlerts(system, 0, { slice: 1 });
    const left = await alertsOf(organisationId);
    expect(left.length).toBeGreaterThan(0);
    expect(left).toEqual(before.filter(({ at }: { at: string }) => at >= '2026-04-01'));
  } finally {
    await close();
  }
});

test('W3: two servers tell of each crossing once, and whoever watches sees all of it, the last included', async () => {
  const other = await startTestServer({ beside: server });
  try {
    const { organisationId, users } = await supervisors(24, { concurrent: 4, contingency: 20 });
    const events: GraphqlAnswer['data'][] = [];
    const stop = other.wsClient().subscribe(
      {
        query:
          'subscription ($id: ID!) { usageAlerts(organisationId: $id) { snapshot alerts { id kind used } } }',
        variables: { id: organisationId },
      },
      {
        next: ({ data }) => {
          events.push((data as GraphqlAnswer['data']).usageAlerts);
        },
        error: () => {},
        complete: () => {},
      },
    );
    await vi.waitFor(() => expect(events).toEqual([{ snapshot: true, alerts: [] }]), soon);
    await Promise.all(
      users.map(async (userId, index) => logon(index % 2 === 0 ? server : other, userId, 'SUPERVISOR')),
    );
    const alerts = await alertsOf(organisationId);
    const kinds = (kind: string) => alerts.filter((alert: { kind: string }) => alert.kind === kind);
    expect(kinds('CONTINGENCY_FIRST_SEAT')).toHaveLength(1);
    expect(
      kinds('CONTINGENCY_NEW_PEAK')
        .map(({ used }: { used: number }) => used)
        .toSorted((one: number, two: number) => one - two),
    ).toEqual(Array.from({ length: 19 }, (_, index) => index + 2));
    expect(kinds('CONCURRENT_NEARLY_FULL')).toHaveLength(1);
    expect(kinds('CONTINGENCY_NEARLY_FULL')).toMatchObject([{ used: 18, total: 20 }]);
    const seen = () => events.slice(1).flatMap((event) => event.alerts.map(({ id }: { id: string }) => id));
    await vi.waitFor(() => expect(seen()).toHaveLength(alerts.length), soon);
    expect(new Set(seen())).toEqual(new Set(alerts.map(({ id }: { id: string }) => id)));
    stop();

    const open = await new Promise<GraphqlAnswer['data']>((resolve, reject) => {
      const end = server.wsClient().subscribe(
        {
          query: 'subscription ($id: ID!) { usageAlerts(organisationId: $id) { snapshot alerts { id } } }',
          variables: { id: organisationId },
        },
        {
          next: ({ data }) => {
            resolve((data as GraphqlAnswer['data']).usageAlerts);
            end();
          },
          error: reject,
          complete: () => {},
        },
      );
    });
    expect(open.snapshot).toBe(true);
    expect(open.alerts).toHaveLength(alerts.length);
  } finally {
    await other.stop();
  }
});
