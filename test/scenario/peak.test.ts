import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  advance,
  buy,
  createOrganisation,
  createUser,
  dropHistory,
  logon,
  mapping,
  uuidOf,
} from '../setup/given.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const explained = `
  licence { code } period { from until } maxUsed maxUsedAt billed inUse episodeCount
  episodes { from until } levels { seats milliseconds }
  holders { totalCount edges { node { user { username } since } } }
  causedBy { kind at user { username } session { device } purchases { id } }`;

async function peakOf(
  id: string,
  period?: string,
  as: Pick<TestServer, 'query'> = server,
  selection = explained,
) {
  const { data, errors } = await as.query(
    `query ($id: ID!, $period: DateTime) {
       organisation(id: $id) { peakUsage(licence: "SUPERVISOR", period: $period) { ${selection} } }
     }`,
    { id, period },
  );
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data.organisation.peakUsage;
}

/** An organisation with a concurrent seat and three of contingency, and three users who log on in March. */
async function given() {
  const id = await createOrganisation(server, {
    testClockAt: '2026-03-30T08:00:00Z',
    timeZone: 'Europe/London',
    leaseSeconds: 86_400,
  });
  const purchase = await buy(server, id, 'SUPERVISOR', { base: 9, concurrent: 1 });
  await buy(server, id, 'SUPERVISOR', { contingency: 3 });
  const [ada = '', ben = '', cyd = ''] = await Promise.all(
    ['ada', 'ben', 'cyd'].map((name) => createUser(server, id, name, ['SUPERVISOR'])),
  );
  return { id, purchase, ada, ben, cyd };
}

async function logoff(sessionId: string | undefined) {
  await server.mutate('logoff', { sessionId });
}

test('C2: a peak is told with its instants, its levels, who held seats, and whose logon raised it', async () => {
  const { id, ada, ben, cyd } = await given();
  await logon(server, ada, 'SUPERVISOR');
  await logon(server, ben, 'SUPERVISOR');
  await advance(server, id, '2026-03-30T09:00:00Z');
  const { session } = await logon(server, cyd, 'SUPERVISOR', 'phone');
  await advance(server, id, '2026-03-30T09:05:00Z');
  await logoff(session?.id);
  // A state of no time at all is an episode too.
  await logoff((await logon(server, cyd, 'SUPERVISOR')).session?.id);
  await advance(server, id, '2026-03-30T10:00:00Z');

  const peak = await peakOf(id);
  expect(peak).toEqual({
    licence: { code: 'SUPERVISOR' },
    // In London the clocks go forward on 29 March.
    period: { from: '2026-03-01T00:00:00.000Z', until: '2026-03-31T23:00:00.000Z' },
    ...{ maxUsed: 2, maxUsedAt: '2026-03-30T09:00:00.000Z', billed: 2, inUse: 3, episodeCount: 2 },
    episodes: [
      { from: '2026-03-30T09:00:00.000Z', until: '2026-03-30T09:05:00.000Z' },
      { from: '2026-03-30T09:05:00.000Z', until: '2026-03-30T09:05:00.000Z' },
    ],
    levels: [
      { seats: 1, milliseconds: 7_200_000 },
      { seats: 2, milliseconds: 300_000 },
    ],
    holders: { totalCount: 3, edges: expect.any(Array) },
    causedBy: {
      ...{ kind: 'ACQUIRED', at: '2026-03-30T09:00:00.000Z', purchases: [] },
      ...{ user: { username: 'cyd' }, session: { device: 'phone' } },
    },
  });
  const holders = peak.holders.edges.map(
    ({ node }: { node: { user: { username: string }; since: string } }) => [node.user.username, node.since],
  );
  expect(new Map(holders)).toEqual(
    new Map([
      ['ada', '2026-03-30T08:00:00.000Z'],
      ['ben', '2026-03-30T08:00:00.000Z'],
      ['cyd', '2026-03-30T09:00:00.000Z'],
    ]),
  );
  const page = 'holders(first: 2) { pageInfo { hasNextPage } edges { node { user { username } } } }';
  const { holders: first } = await peakOf(id, undefined, server, page);
  expect([first.edges.length, first.pageInfo.hasNextPage]).toEqual([2, true]);

  const wallboard = server.as({
    role: 'WALLBOARD',
    organisationId: uuidOf(id),
    userId: null,
  });
  expect(await peakOf(id, undefined, wallboard, 'maxUsed holders { totalCount } causedBy { kind }')).toEqual({
    ...{ maxUsed: 2, holders: null, causedBy: null },
  });
});

test('C2: use that is carried over the edge, and a purchase that ends, raise a peak as well', async () => {
  const { id, purchase, ada, ben } = await given();
  await advance(server, id, '2026-03-31T22:00:00Z');
  await logon(server, ada, 'SUPERVISOR');
  await logon(server, ben, 'SUPERVISOR');
  await advance(server, id, '2026-04-01T12:00:00Z');
  const april = await peakOf(id);
  expect(april).toMatchObject({
    ...{ maxUsed: 1, maxUsedAt: '2026-03-31T23:00:00.000Z', inUse: 2, episodeCount: 1 },
    episodes: [{ from: '2026-03-31T23:00:00.000Z', until: null }],
    levels: [{ seats: 1, milliseconds: 13 * 3_600_000 }],
    causedBy: { kind: 'CARRIED_OVER', user: null, session: null, purchases: [] },
  });
  expect(april.holders.edges.map(({ node }: { node: { since: string | null } }) => node.since)).toEqual([
    null,
    null,
  ]);

  await server.mutate('endPurchase', { purchaseId: purchase });
  expect(await peakOf(id)).toMatchObject({
    ...{ maxUsed: 2, maxUsedAt: '2026-04-01T12:00:00.000Z', inUse: 2 },
    causedBy: { kind: 'TOTALS_CHANGED', user: null, session: null, purchases: [{ id: purchase }] },
  });
  const [row] = await mapping(server, id, ['SUPERVISOR']);
  expect(row?.contingency).toMatchObject({ maxUsed: 2, maxUsedAt: '2026-04-01T12:00:00.000Z' });

  // March is told as it was, in May as well; the future is not told.
  await advance(server, id, '2026-05-20T00:00:00Z');
  expect(await peakOf(id, '2026-03-15T00:00:00Z')).toMatchObject({
    ...{ maxUsed: 1, maxUsedAt: '2026-03-31T22:00:00.000Z', causedBy: { kind: 'ACQUIRED' } },
    levels: [{ seats: 1, milliseconds: 3_600_000 }],
  });
  expect(await peakOf(id)).toMatchObject({ maxUsed: 0, billed: 0, episodes: [], levels: [], causedBy: null });
  expect(await peakOf(id, '2026-07-01T00:00:00Z')).toBeNull();
});

test('C4: by the contract’s minimumPeakMinutes a shorter peak is not billed; who sets it stands in the audit log', async () => {
  const { id, ada, ben, cyd } = await given();
  await logon(server, ada, 'SUPERVISOR');
  await logon(server, ben, 'SUPERVISOR');
  await advance(server, id, '2026-03-30T09:00:00Z');
  const { session } = await logon(server, cyd, 'SUPERVISOR');
  await advance(server, id, '2026-03-30T09:10:00Z');
  await logoff(session?.id);

  const set = (minimumPeakMinutes: number | null) =>
    server.mutate(
      'setContractOptions',
      { organisationId: id, minimumPeakMinutes },
      '... on SetContractOptionsPayload { contractOptions { minimumPeakMinutes } }',
    );
  const shown = 'maxUsed billed';
  expect(await set(10)).toMatchObject({ contractOptions: { minimumPeakMinutes: 10 } });
  expect(await peakOf(id, undefined, server, shown)).toEqual({ maxUsed: 2, billed: 2 });
  await set(11);
  expect(await peakOf(id, undefined, server, shown)).toEqual({ maxUsed: 2, billed: 1 });
  expect(await set(null)).toMatchObject({ contractOptions: { minimumPeakMinutes: 11 } });
  expect(await set(10_001)).toMatchObject({ __typename: 'InvalidInput', field: 'minimumPeakMinutes' });

  const { data } = await server.query(
    `query ($id: ID!) { organisation(id: $id) {
       contractOptions { minimumPeakMinutes }
       auditLog(first: 2, action: "setContractOptions") { edges { node { before after } } }
     } }`,
    { id },
  );
  expect(data.organisation.contractOptions).toEqual({ minimumPeakMinutes: 11 });
  expect(data.organisation.auditLog.edges[1].node).toEqual({
    before: { minimumPeakMinutes: 10 },
    after: { minimumPeakMinutes: 11 },
  });

  // What a month that is over was billed stays, whatever the contract says since.
  await advance(server, id, '2026-04-02T00:00:00Z');
  await set(0);
  const march = '2026-03-30T09:00:00Z';
  expect(await peakOf(id, march, server, shown)).toEqual({ maxUsed: 2, billed: 1 });
  // Nor does it wait for the statement.
  await server.pool.query('delete from statement_line where organisation_id = $1', [uuidOf(id)]);
  expect(await peakOf(id, march, server, shown)).toEqual({ maxUsed: 2, billed: 1 });
});

test('C2: of a month of which the history was dropped, what is kept is told, and what is gone is not told as nothing', async () => {
  const { id, ada, ben } = await given();
  await logon(server, ada, 'SUPERVISOR');
  await logon(server, ben, 'SUPERVISOR');
  await advance(server, id, '2026-05-20T00:00:00Z');
  const written = await server.query(
    'query ($id: ID!) { organisation(id: $id) { billingStatements { totalCount } } }',
    { id },
  );
  expect(written.data.organisation.billingStatements).toEqual({ totalCount: 2 });
  const selection = `dropped { keptSince message } ${explained}`;
  const [march, april] = ['2026-03-15T00:00:00Z', '2026-04-15T00:00:00Z'];
  const before = { march: await peakOf(id, march, server, selection), april: await peakOf(id, april) };
  expect(before.march).toMatchObject({ maxUsed: 1, dropped: null, holders: { totalCount: 2 } });
  await logon(server, ada, 'SUPERVISOR');
  await logon(server, ben, 'SUPERVISOR');
  await advance(server, id, '2026-05-20T00:01:00Z');

  // A test clock’s month lasts as long as somebody likes.
  await dropHistory(server, uuidOf(id), '2026-05-20T00:00:01Z');
  const dropped = {
    keptSince: '2026-05-20T00:00:00.001Z',
    message: expect.stringContaining('HISTORY_MONTHS') as string,
  };
  // The statement has kept why.
  expect(await peakOf(id, march, server, selection)).toEqual({ ...before.march, dropped, holders: null });
  expect(await peakOf(id, april)).toEqual({ ...before.april, holders: null });
  expect(await peakOf(id, undefined, server, selection)).toMatchObject({
    ...{ dropped, maxUsed: 1, maxUsedAt: '2026-05-20T00:00:00.000Z', billed: 1 },
    ...{ inUse: null, episodes: null, episodeCount: null, levels: null, holders: null, causedBy: null },
  });
  // June begins with what is known to be in use.
  await advance(server, id, '2026-06-10T00:00:00Z');
  expect(await peakOf(id, undefined, server, selection)).toMatchObject({ dropped: null, maxUsed: 0 });
});

test('C4: of a month of which changes were dropped nothing is let off by what is left of them', async () => {
  const { id, ada, ben } = await given();
  await server.mutate('setContractOptions', { organisationId: id, minimumPeakMinutes: 15 });
  await logon(server, ada, 'SUPERVISOR');
  for (const hour of ['08', '09']) {
    await advance(server, id, `2026-03-30T${hour}:10:00Z`);
    const { session } = await logon(server, ben, 'SUPERVISOR');
    await advance(server, id, `2026-03-30T${hour}:20:00Z`);
    await logoff(session?.id);
  }
  const lineOf = async () => {
    const { data } = await server.query(
      `query ($id: ID!) { organisation(id: $id) { billingStatement(period: "2026-03-30T00:00:00Z") {
         lines { kind quantity maxUsed peak } } } }`,
      { id },
    );
    return data.organisation.billingStatement.lines.find(
      ({ kind }: { kind: string }) => kind === 'CONTINGENCY',
    );
  };
  expect(await lineOf()).toMatchObject({ quantity: 1, maxUsed: 1, peak: { maxUsed: 1 } });
  // The first of its two stretches of ten minutes was recorded so long ago that it is dropped.
  await server.pool.query(
    `with gone as (delete from history where organisation_id = $1 and at < '2026-03-30T09:00Z' returning *)
     insert into history_opening
     select distinct on (organisation_id, licence)
       organisation_id, licence, id, at, in_use, concurrent_total, contingency_total, max_used
     from gone order by organisation_id, licence, id desc`,
    [uuidOf(id)],
  );
  const unexplained = { kind: 'CONTINGENCY', quantity: 1, maxUsed: 1, peak: null };
  expect(await lineOf()).toEqual(unexplained);
  await advance(server, id, '2026-04-10T00:00:00Z');
  expect(await lineOf()).toEqual(unexplained);
});

test('C4: months that a clock passes at once are of the contract as it was, whoever changes it meanwhile', async () => {
  const id = await createOrganisation(server, { testClockAt: '2026-01-10T00:00:00Z' });
  await buy(server, id, 'SUPERVISOR', { base: 1, contingency: 1 });
  // A year at a time, while the option is set to how often it was set.
  const moves = Array.from({ length: 6 }, (_, move) => `${2027 + move}-01-10T00:00:00Z`);
  for (const [move, to] of moves.entries()) {
    await Promise.all([
      server.mutate('setContractOptions', { organisationId: id, minimumPeakMinutes: move + 1 }),
      advance(server, id, to),
    ]);
  }
  const { rows: done } = await server.pool.query<{ action: string }>(
    `select action from audit_entry where organisation_id = $1 and action in ('setContractOptions', 'advanceTestClock') order by sequence`,
    [uuidOf(id)],
  );
  let option = 0;
  const expected = done.flatMap(({ action }) => {
    if (action === 'advanceTestClock') return Array.from({ length: 12 }, () => option);
    option += 1;
    return [];
  });
  const { rows } = await server.pool.query<{ minutes: number }>(
    'select minimum_peak_minutes as minutes from closed_period where organisation_id = $1 order by month',
    [uuidOf(id)],
  );
  expect(expected).toHaveLength(72);
  expect(rows.map(({ minutes }) => minutes)).toEqual(expected);
});

test('what has no contingency has no peak, and what is not in the catalogue is not found', async () => {
  const { id } = await given();
  const ask = (selection: string) =>
    server.query(`query ($id: ID!) { organisation(id: $id) { ${selection} } }`, { id });
  const fixed = await ask('peakUsage(licence: "UC_USER") { maxUsed }');
  expect(fixed.data.organisation).toEqual({ peakUsage: null });
  const unknown = await ask('peakUsage(licence: "NOPE") { maxUsed }');
  expect(unknown.errors?.[0]?.extensions.code).toBe('NOT_FOUND');
  const wide = await ask('peakUsage(licence: "SUPERVISOR") { levels(first: 1001) { seats } }');
  expect(wide.errors?.[0]).toMatchObject({
    message: 'Levels are shown 1 to 1000 at once.',
    extensions: { code: 'INVALID_INPUT' },
  });
});
