import { afterAll, beforeAll, expect, test } from 'vitest';
import { advance, buy, createOrganisation, createUser, logon, mapping, setStatus } from '../setup/given.ts';
import { handMovedClock, startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
const clock = handMovedClock('2026-05-01T08:00:00.000Z');
beforeAll(async () => {
  server = await startTestServer({ clock });
});
afterAll(() => server.stop());

async function supervisors(
  count: number,
  seats: Record<string, unknown>,
  organisation?: Record<string, unknown>,
) {
  const organisationId = await createOrganisation(server, organisation);
  await buy(server, organisationId, 'SUPERVISOR', { base: count, ...seats });
  const users: string[] = [];
  for (let index = 0; index < count; index += 1) {
    users.push(await createUser(server, organisationId, `user-${index}`, ['SUPERVISOR']));
  }
  const contingency = async () => (await mapping(server, organisationId))[0]?.contingency;
  return { organisationId, users, contingency };
}

test('L2, L9: the published example, with its history', async () => {
  const organisationId = await createOrganisation(server, { testClockAt: '2026-03-02T13:30:00Z' });
  await buy(server, organisationId, 'INBOUND_AGENT', { base: 5, concurrent: 5 });
  await buy(server, organisationId, 'AGENT_CALLS', { concurrent: 5 });
  await buy(server, organisationId, 'AGENT_EMAIL', { concurrent: 5 });
  await server.mutate('updateOrganisation', { organisationId, leaseSeconds: 3600 });
  const user = await createUser(server, organisationId, 'agent', [
    'INBOUND_AGENT',
    'AGENT_CALLS',
    'AGENT_EMAIL',
  ]);
  const used = async () => (await mapping(server, organisationId)).map((row) => row.concurrent?.['used']);

  const desktop = await logon(server, user, 'INBOUND_AGENT', 'agent desktop', ['AGENT_EMAIL']);
  expect(await used()).toEqual([1, 0, 1]);
  await advance(server, organisationId, '2026-03-02T13:34:00Z');
  await logon(server, user, 'INBOUND_AGENT', 'deskphone', ['AGENT_CALLS']);
  expect(await used()).toEqual([1, 1, 1]);

  const { data } = await server.query(
    'query ($id: ID!) { organisation(id: $id) { history(licence: "INBOUND_AGENT", last: 3) { edges { node { at kind seatChanged inUse } } } } }',
    { id: organisationId },
  );
  const acquired = data.organisation.history.edges
    .map((edge: { node: { kind: string } }) => edge.node)
    .filter((entry: { kind: string }) => entry.kind === 'ACQUIRED');
  expect(acquired).toEqual([
    { at: '2026-03-02T13:34:00.000Z', kind: 'ACQUIRED', seatChanged: false, inUse: 1 },
    { at: '2026-03-02T13:30:00.000Z', kind: 'ACQUIRED', seatChanged: true, inUse: 1 },
  ]);
  await server.mutate('logoff', { sessionId: desktop.session?.id });
  expect(await used()).toEqual([1, 1, 0]);
});

test('C1, C2, C3, C4: a month of contingency, over the end of summer time', async () => {
  const { organisationId, users, contingency } = await supervisors(
    4,
    { concurrent: 1, contingency: 3 },
    { testClockAt: '2026-10-25T00:30:00Z', timeZone: 'Europe/London', leaseSeconds: 86_400 },
  );
  const sessions: string[] = [];
  for (const user of users.slice(0, 3))
    sessions.push((await logon(server, user, 'SUPERVISOR')).session?.id ?? '');
  expect(await contingency()).toMatchObject({
    used: 2,
    maxUsed: 2,
    maxUsedAt: '2026-10-25T00:30:00.000Z',
    paidHeadroom: 0,
  });
  await server.mutate('logoff', { sessionId: sessions[0] });
  expect(await contingency()).toMatchObject({ used: 1, maxUsed: 2, paidHeadroom: 1 });

  // October ends at midnight in London, which is UTC again since the 25th. The two that stay are renewed over it.
  await advance(server, organisationId, '2026-10-25T23:30:00Z');
  for (let day = 25; day < 31; day += 1) {
    for (const sessionId of sessions.slice(1)) await server.mutate('renewSession', { sessionId });
    await advance(server, organisationId, `2026-10-${day + 1}T${47 - day}:00:00Z`);
  }
  for (const sessionId of sessions.slice(1)) await server.mutate('renewSession', { sessionId });
  expect(await contingency()).toMatchObject({ maxUsed: 2 });
  await advance(server, organisationId, '2026-11-01T00:00:00Z');
  expect(await contingency()).toMatchObject({ used: 1, maxUsed: 1, maxUsedAt: '2026-11-01T00:00:00.000Z' });
  const { data } = await server.query(
    'query ($id: ID!) { organisation(id: $id) { billingPeriod { from until } } }',
    { id: organisationId },
  );
  expect(data.organisation.billingPeriod).toEqual({
    from: '2026-11-01T00:00:00.000Z',
    until: '2026-12-01T00:00:00.000Z',
  });
});

test('C2: a purchase that ends raises the peak', async () => {
  const { organisationId, users, contingency } = await supervisors(2, { contingency: 2 });
  await buy(server, organisationId, 'SUPERVISOR', { concurrent: 2, until: '2026-01-01T00:01:00Z' });
  for (const user of users) await logon(server, user, 'SUPERVISOR');
  expect(await contingency()).toMatchObject({ used: 0, maxUsed: 0, maxUsedAt: null });
  await advance(server, organisationId, '2026-01-01T00:01:00Z');
  expect(await contingency()).toMatchObject({ used: 2, maxUsed: 2, maxUsedAt: '2026-01-01T00:01:00.000Z' });
});

test('T1: a zone changed mid-month leaves the running period its end', async () => {
  const organisationId = await createOrganisation(server, {
    testClockAt: '2026-01-15T00:00:00Z',
    timeZone: 'Pacific/Kiritimati',
  });
  await server.mutate('updateOrganisation', { organisationId, timeZone: 'Pacific/Pago_Pago' });
  const period = async () => {
    const { data } = await server.query(
      'query ($id: ID!) { organisation(id: $id) { billingPeriod { from until } } }',
      { id: organisationId },
    );
    return [data.organisation.billingPeriod.from, data.organisation.billingPeriod.until];
  };
  expect(await period()).toEqual(['2025-12-31T10:00:00.000Z', '2026-01-31T10:00:00.000Z']);
  await advance(server, organisationId, '2026-01-31T10:00:00Z');
  expect(await period()).toEqual(['2026-01-31T10:00:00.000Z', '2026-03-01T11:00:00.000Z']);
});

test('T1, T2: a clock that is moved eight centuries passes every month on the way', async () => {
  const organisationId = await createOrganisation(server, {
    testClockAt: '2009-10-31T12:00:00Z',
    timeZone: 'America/St_Johns',
  });
  await advance(server, organisationId, '2009-11-01T02:45:00Z');
  const { data } = await server.query(
    'query ($id: ID!) { organisation(id: $id) { billingPeriod { from } } }',
    { id: organisationId },
  );
  expect(data.organisation.billingPeriod.from).toBe('2009-11-01T02:30:00.000Z');
  await server.pool.query(`
    create table stretch (months integer);
    grant insert on stretch to seatkeeper_runtime;
    create function note_stretch() returns trigger language plpgsql as
      'begin insert into stretch select count(*) from passed; return null; end';
    create trigger note_stretch after insert on billing_period referencing new table as passed
      for each statement execute function note_stretch();`);
  await advance(server, organisationId, '2809-11-15T00:00:00Z');
  // A century at a time: nobody else waits for eight.
  const { rows: stretches } = await server.pool.query('select max(months) as most from stretch');
  expect(stretches[0].most).toBe(100 * 12);
  await server.pool.query('drop trigger note_stretch on billing_period');
  const { rows } = await server.pool.query(
    'select count(*)::int as months from billing_period b join organisation o on o.id = b.organisation_id where o.time_zone = $1',
    ['America/St_Johns'],
  );
  expect(rows[0].months).toBe(800 * 12 + 2);
});

test('L8: a seat is free from the end of the lease on, in real time too, and a renewal comes too late', async () => {
  const { organisationId, users } = await supervisors(2, { concurrent: 1 }, { leaseSeconds: 90 });
  const { session } = await logon(server, users[0] ?? '', 'SUPERVISOR');
  expect(session?.expiresAt).toBe('2026-05-01T08:01:30.000Z');
  clock.set('2026-05-01T08:01:29.999Z');
  expect((await logon(server, users[1] ?? '', 'SUPERVISOR')).code).toBe('NO_SEAT_AVAILABLE');
  clock.set('2026-05-01T08:01:30.000Z');
  expect((await server.mutate('renewSession', { sessionId: session?.id })).code).toBe('SESSION_ENDED');
  expect((await logon(server, users[1] ?? '', 'SUPERVISOR')).__typename).toBe('LogonPayload');
  const { data } = await server.query(
    'query ($id: ID!) { node(id: $id) { ... on Session { endedAt endReason } } }',
    { id: session?.id },
  );
  expect(data.node).toEqual({ endedAt: '2026-05-01T08:01:30.000Z', endReason: 'LEASE_EXPIRED' });
  expect((await mapping(server, organisationId))[0]?.concurrent).toMatchObject({ used: 1 });
});

test('L8: a shorter lease counts from the next renewal on', async () => {
  const { organisationId, users } = await supervisors(
    1,
    { concurrent: 1 },
    { testClockAt: '2026-01-01T00:00:00Z', leaseSeconds: 86_400 },
  );
  const { session } = await logon(server, users[0] ?? '', 'SUPERVISOR');
  await server.mutate('updateOrganisation', { organisationId, leaseSeconds: 10 });
  await advance(server, organisationId, '2026-01-01T01:00:00Z');
  const renewed = await server.mutate(
    'renewSession',
    { sessionId: session?.id },
    '... on RenewSessionPayload { session { expiresAt } }',
  );
  expect(renewed.session.expiresAt).toBe('2026-01-01T01:00:10.000Z');
  await advance(server, organisationId, '2026-01-01T01:00:10Z');
  expect((await mapping(server, organisationId))[0]?.concurrent).toMatchObject({ used: 0 });
});

test('L1, L5: refusals are recorded, newest first', async () => {
  const { organisationId, users } = await supervisors(1, { concurrent: 1 });
  await buy(server, organisationId, 'ADMINISTRATOR', { base: 1 });
  const user = users[0] ?? '';
  expect((await logon(server, user, 'ADMINISTRATOR')).code).toBe('LICENCE_NOT_ASSIGNED');
  await server.mutate('assignLicence', { userId: user, licence: 'ADMINISTRATOR' });
  expect((await logon(server, user, 'ADMINISTRATOR')).code).toBe('SECOND_FACTOR_REQUIRED');
  await logon(server, user, 'SUPERVISOR');
  await setStatus(server, user, 'SUSPENDED');
  expect((await logon(server, user, 'SUPERVISOR')).code).toBe('USER_NOT_ACTIVE');
  const { data } = await server.query(
    'query ($id: ID!) { organisation(id: $id) { denials { totalCount edges { node { code licence { code } user { username } } } } sessions(live: false) { edges { node { endReason } } } } }',
    { id: organisationId },
  );
  expect(data.organisation.denials.edges.map((edge: { node: { code: string } }) => edge.node.code)).toEqual([
    'USER_NOT_ACTIVE',
    'SECOND_FACTOR_REQUIRED',
    'LICENCE_NOT_ASSIGNED',
  ]);
  expect(data.organisation.sessions.edges).toEqual([{ node: { endReason: 'USER_SUSPENDED' } }]);
});

test('L3, L5: sessions, denials and purchases are asked for by licence', async () => {
  const organisationId = await createOrganisation(server);
  await buy(server, organisationId, 'INBOUND_AGENT', { base: 2, concurrent: 2 });
  await buy(server, organisationId, 'AGENT_CALLS', { concurrent: 1 });
  await buy(server, organisationId, 'SUPERVISOR', { base: 1, concurrent: 1 });
  const agent = await createUser(server, organisationId, 'agent', ['INBOUND_AGENT', 'AGENT_CALLS']);
  const supervisor = await createUser(server, organisationId, 'supervisor', ['SUPERVISOR']);
  await logon(server, agent, 'SUPERVISOR');
  await logon(server, agent, 'INBOUND_AGENT', 'desktop', ['AGENT_CALLS', 'AGENT_EMAIL']);
  await logon(server, supervisor, 'SUPERVISOR');
  const ask = async (licence: string, from: string | null, live: boolean | null = true) => {
    const { data, errors } = await server.query(
      `query ($id: ID!, $licence: String, $from: DateTime, $live: Boolean) { organisation(id: $id) {
         sessions(live: $live, licence: $licence) { totalCount edges { node { user { username } } } }
         denials(from: $from, licence: $licence) { totalCount edges { node { code } } }
         purchases(licence: $licence) { totalCount edges { node { concurrent } } } } }`,
      { id: organisationId, licence, from, live },
    );
    const { sessions, denials, purchases } = data?.organisation ?? {};
    return errors === undefined
      ? [sessions, denials, purchases].map(({ totalCount, edges: [edge] }) => [totalCount, edge?.node])
      : errors.map(({ extensions }) => extensions['field']);
  };
  const start = '2026-01-01T00:00:00Z';
  const user = (username: string) => ({ user: { username } });
  const code = 'LICENCE_NOT_ASSIGNED';
  expect(await ask('SUPERVISOR', start)).toEqual([
    [1, user('supervisor')],
    [1, { code }],
    [1, { concurrent: 1 }],
  ]);
  expect(await ask('AGENT_CALLS', start)).toEqual([
    [1, user('agent')],
    [0, undefined],
    [1, { concurrent: 1 }],
  ]);
  // Also where it was asked for in vain.
  expect(await ask('AGENT_EMAIL', start)).toMatchObject([
    [1, user('agent')],
    [0, undefined],
    [0, undefined],
  ]);
  expect(await ask('SUPERVISOR', '2026-01-01T00:00:00.001Z')).toMatchObject([
    [1, {}],
    [0, undefined],
    [1, {}],
  ]);
  expect(await ask('SUPERVISOR', null)).toEqual(['licence']);
  expect(await ask('SUPERVISOR', start, null)).toEqual(['licence']);
});

test('L3, L4: what was not granted is said, and an agent without a channel is refused', async () => {
  const organisationId = await createOrganisation(server);
  await buy(server, organisationId, 'INBOUND_AGENT', { base: 2, concurrent: 2 });
  await buy(server, organisationId, 'AGENT_CALLS', { concurrent: 1 });
  const one = await createUser(server, organisationId, 'one', [
    'INBOUND_AGENT',
    'AGENT_CALLS',
    'AGENT_EMAIL',
  ]);
  const two = await createUser(server, organisationId, 'two', ['INBOUND_AGENT', 'AGENT_CALLS']);
  const first = await logon(server, one, 'INBOUND_AGENT', 'desktop', [
    'AGENT_EMAIL',
    'AGENT_CALLS',
    'RECORDING',
  ]);
  expect(
    first.session?.features.map(({ feature, unavailableReason }) => [feature.code, unavailableReason]),
  ).toEqual([
    ['AGENT_CALLS', null],
    ['AGENT_EMAIL', 'NOT_PURCHASED'],
    ['RECORDING', 'NOT_ASSIGNED'],
  ]);
  const refused = await server.mutate(
    'logon',
    { userId: two, licence: 'INBOUND_AGENT', device: 'd' },
    '... on NoChannelAvailable { features { feature { code } unavailableReason } }',
  );
  expect(refused).toMatchObject({
    code: 'NO_CHANNEL_AVAILABLE',
    features: [{ feature: { code: 'AGENT_CALLS' }, unavailableReason: 'NO_SEAT_AVAILABLE' }],
  });
  expect((await mapping(server, organisationId, ['INBOUND_AGENT']))[0]?.concurrent).toMatchObject({
    used: 1,
  });
});

test('L6: a repeat with a key answers the same session or error, and takes, renews and records nothing', async () => {
  const { organisationId, users } = await supervisors(2, { concurrent: 1 });
  const input = { userId: users[0], licence: 'SUPERVISOR', device: 'd', features: [], idempotencyKey: 'k' };
  const select = '... on LogonPayload { session { id expiresAt endedAt } }';
  const first = await server.mutate('logon', input, select);
  await advance(server, organisationId, '2026-01-01T00:01:00Z');
  expect(await server.mutate('logon', input, select)).toEqual(first);
  const denied = { ...input, userId: users[1] };
  const refusal = await server.mutate('logon', denied);
  expect(refusal.code).toBe('NO_SEAT_AVAILABLE');
  await server.mutate('logoff', { sessionId: first.session.id });
  expect(await server.mutate('logon', denied)).toEqual(refusal);
  expect((await server.mutate('logon', input, select)).session).toMatchObject({
    id: first.session.id,
    endedAt: '2026-01-01T00:01:00.000Z',
  });
  for (const other of [
    { features: null },
    { features: ['SUPERVISOR'] },
    { features: ['NONSENSE'] },
    { licence: 'NONSENSE' },
    { licence: 'AGENT_CALLS' },
    { device: 'another' },
  ]) {
    const reused = await server.mutate('logon', { ...input, ...other });
    expect([other, reused.code]).toEqual([other, 'IDEMPOTENCY_KEY_REUSED']);
  }
  const { rows } = await server.pool.query(
    'select count(*)::int as denials from denial where code = $1 and user_id in (select id from "user" where username = $2)',
    ['NO_SEAT_AVAILABLE', 'user-1'],
  );
  expect(rows[0].denials).toBeGreaterThanOrEqual(1);
});

test('L7: features are acquired and released during a session', async () => {
  const { organisationId, users } = await supervisors(1, { concurrent: 1 });
  await buy(server, organisationId, 'RECORDING', { concurrent: 1 });
  await server.mutate('assignLicence', { userId: users[0], licence: 'RECORDING' });
  const { session } = await logon(server, users[0] ?? '', 'SUPERVISOR', 'desktop', []);
  const fields = 'session { expiresAt features { feature { code } granted unavailableReason } }';
  const acquired = await server.mutate(
    'acquireFeatures',
    { sessionId: session?.id, features: ['RECORDING', 'REPORTING'] },
    `... on AcquireFeaturesPayload { ${fields} }`,
  );
  expect(acquired.session).toEqual({
    expiresAt: session?.expiresAt,
    features: [
      { feature: { code: 'RECORDING' }, granted: true, unavailableReason: null },
      { feature: { code: 'REPORTING' }, granted: false, unavailableReason: 'NOT_ASSIGNED' },
    ],
  });
  const released = await server.mutate(
    'releaseFeatures',
    { sessionId: session?.id, features: ['RECORDING', 'REPORTING'] },
    `... on ReleaseFeaturesPayload { ${fields} }`,
  );
  expect(released.session.features).toEqual([]);
  expect((await mapping(server, organisationId, ['RECORDING']))[0]?.concurrent).toMatchObject({ used: 0 });
});

test('L9: forced logoff of a session, a user, an organisation', async () => {
  const { organisationId, users } = await supervisors(3, { concurrent: 3 });
  const sessions: string[] = [];
  for (const user of users) sessions.push((await logon(server, user, 'SUPERVISOR')).session?.id ?? '');
  const force = async (input: Record<string, unknown>) =>
    (await server.mutate('forceLogoff', input, '... on ForceLogoffPayload { sessions { id endReason } }'))
      .sessions;
  expect(await force({ sessionId: sessions[0] })).toEqual([{ id: sessions[0], endReason: 'FORCED' }]);
  expect(await force({ sessionId: sessions[0] })).toEqual([]);
  expect(await force({ userId: users[1] })).toHaveLength(1);
  expect(await force({ organisationId })).toHaveLength(1);
  expect((await mapping(server, organisationId))[0]?.concurrent).toMatchObject({ used: 0 });
  expect((await server.mutate('logoff', { sessionId: sessions[0] })).__typename).toBe('LogoffPayload');
});
