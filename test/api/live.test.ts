import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { advance, buy, createOrganisation, createUser, logon } from '../setup/given.ts';
import { type GraphqlAnswer, startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

interface Watched {
  readonly events: GraphqlAnswer[];
  readonly state: { completed: boolean; failed: unknown };
  readonly stop: () => void;
}

/** A subscription over WebSocket, and all it has brought so far. */
function watch(query: string, variables: Record<string, unknown>): Watched {
  const events: GraphqlAnswer[] = [];
  const state = { completed: false, failed: null as unknown };
  const stop = server.wsClient().subscribe<GraphqlAnswer['data']>(
    { query, variables },
    {
      next: (event) => {
        events.push(event as GraphqlAnswer);
      },
      error: (error) => {
        state.failed = error;
      },
      complete: () => {
        state.completed = true;
      },
    },
  );
  return { events, state, stop };
}

const usage = `subscription ($id: ID!, $licences: [String!], $categories: [LicenceCategory!], $pools: [SeatPool!]) {
  usageChanged(organisationId: $id, licences: $licences, categories: $categories, pools: $pools) {
    revision at snapshot organisation { activeUsers }
    rows { licence { code } revision base { assigned } concurrent { total used } contingency { used maxUsed } }
  }
}`;

const shown = ({ events }: Watched) =>
  events.map(({ data }) => ({
    snapshot: data.usageChanged.snapshot,
    rows: data.usageChanged.rows.map(
      (row: { licence: { code: string }; concurrent: { used: number } | null }) =>
        `${row.licence.code} ${row.concurrent?.used ?? '-'}`,
    ),
  }));

async function contactCentre(input?: Record<string, unknown>) {
  const organisationId = await createOrganisation(server, input);
  await buy(server, organisationId, 'SUPERVISOR', { base: 3, concurrent: 1, contingency: 1 });
  await buy(server, organisationId, 'RECORDING', { concurrent: 5 });
  const users: string[] = [];
  for (const name of ['one', 'two'])
    users.push(await createUser(server, organisationId, name, ['SUPERVISOR', 'RECORDING']));
  return { organisationId, one: users[0] ?? '', two: users[1] ?? '' };
}

const soon = { timeout: 5_000, interval: 20 };

test('L8: first a snapshot, then only the rows that changed, leases that end included', async () => {
  const { organisationId, one } = await contactCentre();
  const seen = watch(usage, { id: organisationId });
  await vi.waitFor(
    () => expect(shown(seen)).toEqual([{ snapshot: true, rows: ['SUPERVISOR 0', 'RECORDING 0'] }]),
    soon,
  );
  await logon(server, one, 'SUPERVISOR', 'desktop', []);
  await vi.waitFor(() => expect(shown(seen)[1]).toEqual({ snapshot: false, rows: ['SUPERVISOR 1'] }), soon);
  await advance(server, organisationId, '2026-01-01T00:01:30Z');
  await vi.waitFor(() => expect(shown(seen)[2]).toEqual({ snapshot: false, rows: ['SUPERVISOR 0'] }), soon);
  seen.stop();
});

test('L8: in real time a lease that ends is shown without anybody asking', async () => {
  const { organisationId, one } = await contactCentre({ leaseSeconds: 10 });
  const seen = watch(usage, { id: organisationId, licences: ['SUPERVISOR'] });
  await logon(server, one, 'SUPERVISOR', 'desktop', []);
  await vi.waitFor(() => expect(shown(seen).at(-1)?.rows).toEqual(['SUPERVISOR 1']), soon);
  await vi.waitFor(() => expect(shown(seen).at(-1)?.rows).toEqual(['SUPERVISOR 0']), {
    timeout: 15_000,
    interval: 100,
  });
  seen.stop();
});

test('P1, C2, C5: purchases that start or end and month edges are shown, and revisions only grow', async () => {
  const { organisationId } = await contactCentre();
  await buy(server, organisationId, 'SUPERVISOR', {
    concurrent: 4,
    from: '2026-01-10T00:00:00Z',
    until: '2026-01-20T00:00:00Z',
  });
  const seen = watch(usage, { id: organisationId });
  await vi.waitFor(() => expect(seen.events).toHaveLength(1), soon);
  for (const to of ['2026-01-10T00:00:00Z', '2026-01-20T00:00:00Z', '2026-02-01T00:00:00Z']) {
    const before = seen.events.length;
    await advance(server, organisationId, to);
    await vi.waitFor(() => expect(seen.events.length).toBeGreaterThan(before), soon);
  }
  const totals = seen.events.map(({ data }) => data.usageChanged.rows[0]?.concurrent.total);
  expect(totals).toEqual([1, 5, 1, 1]);
  // The edge of a month changes every row.
  expect(shown(seen).at(-1)?.rows).toHaveLength(2);
  const revisions = seen.events.map(({ data }) => data.usageChanged.revision);
  expect(revisions).toEqual([...new Set(revisions)].toSorted((one, other) => one - other));
  seen.stop();
});

test('C5: a filter narrows the rows, and of pools the changes', async () => {
  const { organisationId, one, two } = await contactCentre();
  const features = watch(usage, { id: organisationId, categories: ['FEATURE'] });
  const contingency = watch(usage, { id: organisationId, licences: ['SUPERVISOR'], pools: ['CONTINGENCY'] });
  await vi.waitFor(() => expect(features.events.length + contingency.events.length).toBe(2), soon);
  expect(shown(features)[0]?.rows).toEqual(['RECORDING 0']);
  await logon(server, one, 'SUPERVISOR', 'desktop');
  await vi.waitFor(() => expect(shown(features)[1]?.rows).toEqual(['RECORDING 1']), soon);
  // A concurrent seat was taken: no figure of the contingency pool changed.
  expect(contingency.events).toHaveLength(1);
  await logon(server, two, 'SUPERVISOR', 'desktop', []);
  await vi.waitFor(() => expect(contingency.events).toHaveLength(2), soon);
  expect(contingency.events[1]?.data.usageChanged.rows[0].contingency).toEqual({ used: 1, maxUsed: 1 });
  features.stop();
  contingency.stop();
});

test('L7, L9: a session’s own news, until it ends', async () => {
  const { one } = await contactCentre({ leaseSeconds: 600 });
  const { session } = await logon(server, one, 'SUPERVISOR', 'desktop', []);
  const seen = watch(
    'subscription ($id: ID!) { sessionChanged(sessionId: $id) { expiresAt endedAt features { granted } } }',
    {
      id: session?.id,
    },
  );
  const news = () => seen.events.map(({ data }) => data.sessionChanged);
  await vi.waitFor(() => expect(news()).toHaveLength(1), soon);
  await server.mutate('renewSession', { sessionId: session?.id });
  await vi.waitFor(() => expect(news()).toHaveLength(2), soon);
  expect(news()[1].expiresAt > news()[0].expiresAt).toBe(true);
  await server.mutate('acquireFeatures', { sessionId: session?.id, features: ['RECORDING'] });
  await vi.waitFor(() => expect(news()[2]?.features).toEqual([{ granted: true }]), soon);
  await server.mutate('logoff', { sessionId: session?.id });
  await vi.waitFor(() => expect(seen.state.completed).toBe(true), soon);
  expect(news().at(-1).endedAt).not.toBeNull();
});

test('L2: after every database connection broke, a wallboard shows the right figures by itself', async () => {
  const { organisationId, one } = await contactCentre({ leaseSeconds: 600 });
  const seen = watch(usage, { id: organisationId, licences: ['SUPERVISOR'] });
  await vi.waitFor(() => expect(seen.events).toHaveLength(1), soon);
  await server.pool.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
  );
  await vi.waitFor(
    async () =>
      expect((await logon(server, one, 'SUPERVISOR', 'desktop', [])).__typename).toBe('LogonPayload'),
    soon,
  );
  await vi.waitFor(() => expect(shown(seen).at(-1)?.rows).toEqual(['SUPERVISOR 1']), soon);
  expect(seen.state).toEqual({ completed: false, failed: null });
  seen.stop();
});

test('L2: a change that nobody announced is found all the same', async () => {
  const { organisationId } = await contactCentre({ leaseSeconds: 600 });
  const seen = watch(usage, { id: organisationId, licences: ['SUPERVISOR'] });
  await vi.waitFor(() => expect(seen.events).toHaveLength(1), soon);
  // As another server process would: the counters change in the database, and this process hears nothing.
  await server.pool.query(
    `with changed as (update organisation set revision = revision + 1 where id in
       (select organisation_id from pool where licence = 'SUPERVISOR' order by revision desc) returning id, revision)
     update pool set holders = holders + 1, revision = changed.revision from changed
     where organisation_id = changed.id and licence = 'SUPERVISOR'`,
  );
  await vi.waitFor(() => expect(seen.events).toHaveLength(2), soon);
  seen.stop();
});

test('C6: what does not exist cannot be watched', async () => {
  const { organisationId } = await contactCentre();
  const forged = `${organisationId.slice(0, -3)}AAA`;
  for (const id of ['org_x', '', forged, organisationId.replace('org_', 'usr_')]) {
    const seen = watch(usage, { id });
    await vi.waitFor(() => expect(seen.state.failed ?? seen.events[0]?.errors ?? null).not.toBeNull(), soon);
    const errors = (seen.state.failed ?? seen.events[0]?.errors) as { extensions: { code: string } }[];
    expect(errors[0]?.extensions.code).toBe('NOT_FOUND');
  }
});
