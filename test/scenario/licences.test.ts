import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  advance,
  assign,
  buy,
  createOrganisation,
  createUser,
  logon,
  mapping,
  setStatus,
} from '../setup/given.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const day = (days: number) => new Date(Date.UTC(2026, 0, 1 + days)).toISOString();

async function base(organisationId: string, licence = 'UC_USER') {
  const [row] = await mapping(server, organisationId, [licence]);
  return row?.base;
}

/** Those that were given back inside their period, and when each is free. */
async function released(organisationId: string, licence = 'UC_USER'): Promise<unknown[]> {
  const { data } = await server.query(
    `query ($id: ID!, $licence: String!) { organisation(id: $id) { licenceMapping(licences: [$licence]) {
       releasedBases { totalCount edges { node { reusable freeAt lastHolder { username status } } } } } } }`,
    { id: organisationId, licence },
  );
  const [{ releasedBases }] = data.organisation.licenceMapping;
  const nodes = releasedBases.edges.map(({ node }: { node: unknown }) => node);
  expect(releasedBases.totalCount).toBe(nodes.length);
  return nodes;
}

test('B1, B2, B3, B5, U3: the worked example, told by the test clock', async () => {
  const organisationId = await createOrganisation(server);
  await buy(server, organisationId, 'UC_USER', { base: 10 });
  const users = new Map<string, string>();
  for (const name of ['A', 'B', 'C', 'D'])
    users.set(name, await createUser(server, organisationId, name, ['UC_USER']));
  expect(await base(organisationId)).toMatchObject({ used: 4, reusable: 0, available: 6 });

  await advance(server, organisationId, day(10));
  await setStatus(server, users.get('D') ?? '', 'DELETED');
  expect(await base(organisationId)).toMatchObject({ used: 4, reusable: 1, available: 7 });
  const freeAt = day(90);
  expect(await released(organisationId)).toEqual([
    { reusable: true, freeAt, lastHolder: { username: 'D', status: 'DELETED' } },
  ]);

  await advance(server, organisationId, day(12));
  users.set('E', await createUser(server, organisationId, 'E', ['UC_USER']));
  expect(await base(organisationId)).toMatchObject({ used: 4, reusable: 0, available: 6 });

  await advance(server, organisationId, day(20));
  await setStatus(server, users.get('E') ?? '', 'DELETED');
  expect(await base(organisationId)).toMatchObject({ used: 4, reusable: 0, available: 6, locked: 1 });
  expect(await released(organisationId)).toMatchObject([
    { reusable: false, freeAt, lastHolder: { username: 'E' } },
  ]);

  await advance(server, organisationId, new Date(Date.UTC(2026, 0, 91) - 1).toISOString());
  expect(await base(organisationId)).toMatchObject({ used: 4, locked: 1 });
  await advance(server, organisationId, day(90));
  expect(await base(organisationId)).toMatchObject({ used: 3, reusable: 0, available: 7, locked: 0 });
  expect(await released(organisationId)).toEqual([]);
});

test('B3, B4: a refusal says when one becomes available; the last holder has its own back', async () => {
  const organisationId = await createOrganisation(server);
  await buy(server, organisationId, 'UC_USER', { base: 1 });
  const first = await createUser(server, organisationId, 'first', ['UC_USER']);
  const second = await createUser(server, organisationId, 'second', []);
  await server.mutate('unassignLicence', { userId: first, licence: 'UC_USER' });
  expect(await assign(server, second, 'UC_USER')).toBe('AssignLicencePayload');
  await server.mutate('unassignLicence', { userId: second, licence: 'UC_USER' });
  const refused = await server.mutate(
    'assignLicence',
    { userId: first, licence: 'UC_USER' },
    '... on NoBaseLicenceAvailable { licence { code } availableAt }',
  );
  expect(refused).toMatchObject({
    code: 'NO_BASE_LICENCE_AVAILABLE',
    licence: { code: 'UC_USER' },
    availableAt: '2026-04-01T00:00:00.000Z',
  });
  await buy(server, organisationId, 'UC_USER', { base: 1, from: '2026-02-01T00:00:00Z' });
  const sooner = await server.mutate(
    'assignLicence',
    { userId: first, licence: 'UC_USER' },
    '... on NoBaseLicenceAvailable { availableAt }',
  );
  expect(sooner.availableAt).toBe('2026-02-01T00:00:00.000Z');
  expect(await assign(server, second, 'UC_USER')).toBe('AssignLicencePayload');
});

test('B6, U4, C6: planned licences consume nothing; activation takes all or none', async () => {
  const organisationId = await createOrganisation(server);
  await buy(server, organisationId, 'UC_USER', { base: 1 });
  const user = await createUser(
    server,
    organisationId,
    'planned',
    ['UC_USER', 'VIEW', 'RECORDING'],
    'PRE_ACTIVE',
  );
  expect(await mapping(server, organisationId)).toMatchObject([
    { licence: { code: 'UC_USER' }, holders: 1, base: { used: 0 } },
    { licence: { code: 'VIEW' }, holders: 1, base: { used: 0 } },
    { licence: { code: 'RECORDING' }, holders: 1, base: null },
  ]);
  const refused = await server.mutate(
    'setUserStatus',
    { userId: user, status: 'ACTIVE' },
    '... on NoBaseLicenceAvailable { licence { code } availableAt }',
  );
  expect(refused).toMatchObject({
    code: 'NO_BASE_LICENCE_AVAILABLE',
    licence: { code: 'VIEW' },
    availableAt: null,
  });
  expect(await base(organisationId)).toMatchObject({ used: 0, available: 1 });
  const nobody = await server.mutate('createUser', {
    organisationId,
    username: 'x',
    status: 'ACTIVE',
    licences: ['UC_USER', 'VIEW'],
  });
  expect(nobody.__typename).toBe('NoBaseLicenceAvailable');
  expect(
    (
      await server.query('query ($id: ID!) { organisation(id: $id) { users { totalCount } } }', {
        id: organisationId,
      })
    ).data.organisation.users.totalCount,
  ).toBe(1);

  await buy(server, organisationId, 'VIEW', { base: 1 });
  expect(await setStatus(server, user, 'ACTIVE')).toBe('SetUserStatusPayload');
  const { data } = await server.query(
    'query ($id: ID!) { node(id: $id) { ... on User { status assignments { licence { code } consumed } } } }',
    { id: user },
  );
  expect(data.node).toEqual({
    status: 'ACTIVE',
    assignments: [
      { licence: { code: 'UC_USER' }, consumed: true },
      { licence: { code: 'VIEW' }, consumed: true },
      { licence: { code: 'RECORDING' }, consumed: false },
    ],
  });
});

test('B7: a fixed feature’s seat is free when it is released', async () => {
  const organisationId = await createOrganisation(server);
  await buy(server, organisationId, 'PADLOCK', { base: 1 });
  const one = await createUser(server, organisationId, 'one', ['PADLOCK']);
  const other = await createUser(server, organisationId, 'other', []);
  expect(await assign(server, other, 'PADLOCK')).toBe('NoBaseLicenceAvailable');
  await server.mutate('unassignLicence', { userId: one, licence: 'PADLOCK' });
  expect(await base(organisationId, 'PADLOCK')).toMatchObject({ used: 0, available: 1, locked: 0 });
  expect(await assign(server, other, 'PADLOCK')).toBe('AssignLicencePayload');
});

test('U1: a deleted user’s name may be taken, and deletion is final', async () => {
  const organisationId = await createOrganisation(server);
  const user = await createUser(server, organisationId, 'ada', []);
  expect(await setStatus(server, user, 'PRE_ACTIVE')).toBe('InvalidTransition');
  expect(await setStatus(server, user, 'ACTIVE')).toBe('SetUserStatusPayload');
  expect(await setStatus(server, user, 'DELETED')).toBe('SetUserStatusPayload');
  expect(await setStatus(server, user, 'ACTIVE')).toBe('InvalidTransition');
  expect(await assign(server, user, 'RECORDING')).toBe('UserDeleted');
  await createUser(server, organisationId, 'ada', []);
  const { data } = await server.query(
    'query ($id: ID!) { organisation(id: $id) { live: users { totalCount } all: users(status: [ACTIVE, DELETED]) { totalCount } } }',
    { id: organisationId },
  );
  expect(data.organisation).toEqual({ live: { totalCount: 1 }, all: { totalCount: 2 } });
});

test('U2: who was active in the period stays counted until it ends', async () => {
  const organisationId = await createOrganisation(server);
  const counts = async () => {
    const { data } = await server.query(
      'query ($id: ID!) { organisation(id: $id) { activeUsers activeInBillingPeriod } }',
      { id: organisationId },
    );
    return [data.organisation.activeUsers, data.organisation.activeInBillingPeriod];
  };
  await createUser(server, organisationId, 'planned', [], 'PRE_ACTIVE');
  const one = await createUser(server, organisationId, 'one', []);
  const two = await createUser(server, organisationId, 'two', []);
  expect(await counts()).toEqual([2, 2]);
  await setStatus(server, one, 'DELETED');
  await setStatus(server, two, 'SUSPENDED');
  await setStatus(server, two, 'ACTIVE');
  expect(await counts()).toEqual([1, 2]);
  await advance(server, organisationId, '2026-02-01T00:00:00Z');
  expect(await counts()).toEqual([1, 1]);
  await setStatus(server, two, 'SUSPENDED');
  expect(await counts()).toEqual([0, 1]);
  await advance(server, organisationId, '2026-03-01T00:00:00Z');
  expect(await counts()).toEqual([0, 0]);
});

test('U5: unassigning a licence type ends its sessions, a feature leaves every session', async () => {
  const organisationId = await createOrganisation(server);
  await buy(server, organisationId, 'SUPERVISOR', { base: 1, concurrent: 1 });
  await buy(server, organisationId, 'AGENT_CALLS', { concurrent: 1 });
  const user = await createUser(server, organisationId, 'ada', ['SUPERVISOR', 'AGENT_CALLS']);
  const { session } = await logon(server, user, 'SUPERVISOR');
  await server.mutate('unassignLicence', { userId: user, licence: 'AGENT_CALLS' });
  const read = async () => {
    const { data } = await server.query(
      'query ($id: ID!) { node(id: $id) { ... on Session { endedAt endReason features { granted unavailableReason } } } }',
      { id: session?.id },
    );
    return data.node;
  };
  expect(await read()).toEqual({
    endedAt: null,
    endReason: null,
    features: [{ granted: false, unavailableReason: 'NOT_ASSIGNED' }],
  });
  await server.mutate('unassignLicence', { userId: user, licence: 'SUPERVISOR' });
  expect(await read()).toMatchObject({ endReason: 'LICENCE_UNASSIGNED' });
  expect(await mapping(server, organisationId)).toMatchObject([
    { concurrent: { used: 0 }, base: { reusable: 1 } },
    { concurrent: { used: 0 } },
  ]);
  expect((await server.mutate('unassignLicence', { userId: user, licence: 'SUPERVISOR' })).code).toBe(
    'NOT_ASSIGNED',
  );
});

test('P1, P2, P4: totals follow the purchases in force, and nobody is logged off by a smaller one', async () => {
  const organisationId = await createOrganisation(server);
  const purchase = await buy(server, organisationId, 'SUPERVISOR', { base: 2, concurrent: 2 });
  await buy(server, organisationId, 'SUPERVISOR', {
    concurrent: 3,
    from: '2026-01-10T00:00:00Z',
    until: '2026-01-20T00:00:00Z',
  });
  const users = [
    await createUser(server, organisationId, 'one', ['SUPERVISOR']),
    await createUser(server, organisationId, 'two', ['SUPERVISOR']),
  ] as const;
  for (const user of users) await logon(server, user, 'SUPERVISOR');
  const total = async () => (await mapping(server, organisationId))[0]?.concurrent;
  expect(await total()).toMatchObject({ total: 2, used: 2 });
  await server.mutate('endPurchase', { purchaseId: purchase });
  expect(await total()).toEqual({ total: 0, used: 0, available: 0, overAllocated: 2 });
  expect((await mapping(server, organisationId))[0]?.base).toMatchObject({
    total: 0,
    assigned: 2,
    available: 0,
    overAllocated: 2,
  });
  // Joining one's own hold is not new (P2, L2).
  expect((await logon(server, users[0], 'SUPERVISOR', 'tablet')).__typename).toBe('LogonPayload');
  await advance(server, organisationId, '2026-01-10T00:00:00Z');
  expect(await total()).toMatchObject({ total: 3 });
  await advance(server, organisationId, '2026-01-20T00:00:00Z');
  expect(await total()).toMatchObject({ total: 0 });
  expect((await server.mutate('endPurchase', { purchaseId: purchase })).__typename).toBe(
    'EndPurchasePayload',
  );
});
