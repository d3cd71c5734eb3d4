import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDatabase } from '../../src/database/database.ts';
import { within } from '../../src/database/wall.ts';
import { rollUpHistory } from '../../src/usage-history/commands.ts';
import { buy, createOrganisation, createUser, logon, mapping, uuidOf } from '../setup/given.ts';
import { handMovedClock, startTestServer, type TestServer } from '../setup/server.ts';

const clock = handMovedClock('2026-03-20T12:00:00Z');

let server: TestServer;
beforeAll(async () => {
  // Nothing is settled but by who asks.
  server = await startTestServer({ clock, sweepMilliseconds: 3_600_000 });
});
afterAll(() => server.stop());

const document = `query ($id: ID!) { organisation(id: $id) { tree {
  organisations activeUsers activeInBillingPeriod licences {
    licence { code } organisations holders
    base { total used reusable available overAllocated }
    concurrent { total used available overAllocated }
    contingency { total used available maxUsed paidHeadroom } } } } }`;

async function treeOf(id: string, by: Pick<TestServer, 'query'> = server) {
  const { data } = await by.query(document, { id });
  return data.organisation.tree;
}

/** A customer whose figures none of the others has. */
async function customer(parentId: string, name: string, sold: { concurrent: number; contingency: number }) {
  const id = await createOrganisation(server, { name, parentId });
  await buy(server, id, 'SUPERVISOR', { base: 4, ...sold });
  await buy(server, id, 'REPORTING', { concurrent: 1 });
  await buy(server, id, 'PADLOCK', { base: 2 });
  for (const username of ['ada', 'grace', 'joan']) {
    const user = await createUser(server, id, username, ['SUPERVISOR', 'REPORTING']);
    await logon(server, user, 'SUPERVISOR');
  }
  return id;
}

test('C1, C2, P2: a tree’s figures are the sums of its organisations’ own rows', async () => {
  const partner = await createOrganisation(server, { name: 'Partner' });
  const near = await customer(partner, 'Near', { concurrent: 1, contingency: 1 });
  const far = await customer(near, 'Far', { concurrent: 9, contingency: 3 });
  const third = await customer(partner, 'Third', { concurrent: 1, contingency: 5 });
  await customer(await createOrganisation(server, { name: 'Stranger' }), 'Strange', {
    concurrent: 2,
    contingency: 2,
  });

  // A purchase that ended leaves more logged on than there are seats: what one lacks is no other's surplus.
  const purchase = await server.query(
    'query ($id: ID!) { organisation(id: $id) { purchases { edges { node { id licence { code } } } } } }',
    { id: near },
  );
  const seats = purchase.data.organisation.purchases.edges.find(
    ({ node }: { node: { licence: { code: string } } }) => node.licence.code === 'SUPERVISOR',
  );
  await server.mutate('endPurchase', { purchaseId: seats.node.id });

  const rows = (await Promise.all([partner, near, far, third].map((id) => mapping(server, id)))).flat();
  const tree = await treeOf(partner);
  expect(tree).toMatchObject({ organisations: 4, activeUsers: 9, activeInBillingPeriod: 9 });
  expect(tree.licences.map(({ licence }: { licence: { code: string } }) => licence.code)).toEqual([
    'SUPERVISOR',
    'REPORTING',
    'PADLOCK',
  ]);
  for (const { licence, organisations, holders, ...pools } of tree.licences) {
    const own = rows.filter((row) => row.licence.code === licence.code);
    expect(organisations).toBe(own.length);
    expect(holders).toBe(own.reduce((sum, row) => sum + row.holders, 0));
    for (const pool of ['base', 'concurrent', 'contingency'] as const) {
      const figures = pools[pool] as Record<string, number> | null;
      expect(figures === null).toBe(own[0]?.[pool] === null);
      for (const [name, sum] of Object.entries(figures ?? {})) {
        expect([pool, name, sum]).toEqual([
          pool,
          name,
          own.reduce((total, row) => total + Number(row[pool]?.[name]), 0),
        ]);
      }
    }
  }
  const supervisors = tree.licences[0];
  expect(supervisors.concurrent).toMatchObject({ overAllocated: 2 });
  expect(supervisors.contingency).toMatchObject({ maxUsed: 3 });

  // A partner sees as much of its own as the operator does, and nothing of another's.
  const asPartner = asPartnerOf(partner);
  expect(await treeOf(partner, asPartner)).toEqual(tree);
  expect((await asPartner.query(document, { id: far })).data.organisation.tree.organisations).toBe(1);
});

test('L8: an expired lease counts in no tree, before anything has swept it', async () => {
  const partner = await createOrganisation(server, { name: 'Lapsing' });
  const near = await customer(partner, 'Lapsing near', { concurrent: 1, contingency: 2 });
  await customer(near, 'Lapsing far', { concurrent: 9, contingency: 0 });
  const used = async () => {
    const tree = await treeOf(partner);
    return [tree.licences[0].concurrent.used, tree.licences[0].contingency.used];
  };
  expect(await used()).toEqual([4, 2]);
  clock.set('2026-03-20T12:01:29.999Z');
  expect(await used()).toEqual([4, 2]);
  clock.set('2026-03-20T12:01:30Z');
  expect(await used()).toEqual([0, 0]);
  expect((await mapping(server, near, ['SUPERVISOR']))[0]?.concurrent).toMatchObject({ used: 0 });
});

/** @returns what the server sent for somebody's tenants while it answered, by connection; its own jobs are for all */
async function statementsOf(ask: () => Promise<unknown>): Promise<Map<object, string[]>> {
  const sent = new Map<object, string[]>();
  const ofTenants = new Set<object>();
  const stop = server.onStatement((text, connection) => {
    if (text.startsWith('begin')) ofTenants.add(connection);
    if (text.includes("seatkeeper.tenants = '*'")) ofTenants.delete(connection);
    if (ofTenants.has(connection)) sent.set(connection, [...(sent.get(connection) ?? []), text]);
  });
  await ask();
  stop();
  return sent;
}

const asPartnerOf = (id: string) => server.as({ role: 'PARTNER', organisationId: uuidOf(id), userId: null });

/** Everything that is told of a tree. Of whom, is told in one of its lists: each would look those up that were in none before. */
const reports = `query ($id: ID!) { organisation(id: $id) { tree {
  organisations licences { holders }
  usageHistory(licence: "SUPERVISOR", from: "2026-03-01T00:00:00Z", until: "2026-03-28T12:30:00Z", bucket: DAY) {
    denials concurrent { mean sumOfMaxima maximumTogether } }
  statements { sums { organisations } withoutPrices { totalCount } statements { edges { node { organisation { name } total { amount } } } } }
  peaks { sumOfBilled organisations { edges { node { billed } } } }
  denialReport(from: "2026-03-01T00:00:00Z", until: "2026-03-28T12:30:00Z") {
    licences { users organisations { edges { node { denials { unmetDemand } } } } } }
  alerts { totalCount edges { node { message } } } } } }`;

/** What is left of a story is looked up the first time; from then on it is as many each time. */
async function countStatements(id: string): Promise<number> {
  const partner = asPartnerOf(id);
  const ask = async () => {
    const { errors } = await partner.query(reports, { id });
    expect(errors).toBeUndefined();
  };
  await ask();
  return [...(await statementsOf(ask)).values()].flat().length;
}

test('a tree is read in one snapshot, by as many statements for 40 organisations below as for one', async () => {
  const partner = await createOrganisation(server, { name: 'Broad' });
  const sent = await statementsOf(() => treeOf(partner, asPartnerOf(partner)));
  const ofTree = [...sent.values()].filter((texts) => texts.some((text) => text.includes('recursive')));
  expect(ofTree).toHaveLength(1);
  const [texts = []] = ofTree;
  const reading = texts.slice(texts.findIndex((text) => text.includes('repeatable read')));
  expect(reading.filter((text) => text.includes('recursive'))).toHaveLength(2);

  const below = (name: string) => createOrganisation(server, { name, parentId: partner });
  await below('First');
  const one = await countStatements(partner);
  for (let index = 0; index < 39; index += 1) await below(`Broad ${index}`);
  expect(await countStatements(partner)).toBe(one);
});

test('a tree that is too large for reports says so, and is summed up all the same', async () => {
  const partner = await createOrganisation(server, { name: 'Vast' });
  const columns = await server.pool.query(
    `select string_agg(quote_ident(column_name), ', ') as all from information_schema.columns
     where table_schema = 'public' and table_name = 'organisation' and is_generated = 'NEVER'`,
  );
  const all = columns.rows[0].all as string;
  await server.pool.query(
    `insert into organisation (${all}) select ${all} from (
       select (jsonb_populate_record(null::organisation, to_jsonb(o) || jsonb_build_object('id', gen_random_uuid(), 'parent_id', o.id))).*
       from organisation o, generate_series(1, 1000) where id = $1) made`,
    [uuidOf(partner)],
  );
  const { data, errors } = await server.query(
    'query ($id: ID!) { organisation(id: $id) { tree { organisations alerts { totalCount } } } }',
    { id: partner },
  );
  expect(errors?.map(({ message, extensions }) => [extensions.code, message])).toEqual([
    [
      'TREE_TOO_LARGE',
      'Reports are over 1000 organisations at most: ask for those of organisations further below.',
    ],
  ]);
  expect(data.organisation.tree).toEqual({ organisations: 1001, alerts: null });
});

test('what is asked of a tree beyond its bounds is refused, and says which', async () => {
  const partner = await createOrganisation(server, { name: 'Asking' });
  for (let index = 0; index < 30; index += 1)
    await createOrganisation(server, { name: 'Asked', parentId: partner });
  const ask = async (field: string) => {
    const { errors } = await server.query(
      `query ($id: ID!) { organisation(id: $id) { tree { ${field} } } }`,
      {
        id: partner,
      },
    );
    return errors?.[0]?.message ?? 'answered';
  };
  const usage = (from: string, licence = 'SUPERVISOR') =>
    ask(`usageHistory(licence: "${licence}", from: "${from}", until: "2026-03-20T12:00:00Z") { denials }`);
  // 50,000 buckets of 31 organisations are 1,612 of each: hours of 67 days.
  expect(await usage('2026-01-20T12:00:00Z')).toBe('answered');
  expect(await usage('2026-01-01T12:00:00Z')).toContain('At most 1612 buckets');
  expect(await usage('2026-03-20T13:00:00Z')).toContain('after');
  expect(await usage('2026-03-20T11:00:00Z', 'NONE')).toContain('no such licence');
  expect(
    await ask('denialReport(from: "2024-01-01T00:00:00Z", until: "2026-01-01T00:00:00Z") { from }'),
  ).toContain('366 days');
  // Before it had a billing period there is nothing to tell, and nothing of what is to come.
  expect(await ask('statements(period: "2025-01-01T00:00:00Z") { organisations }')).toBe('answered');
});

/** Partner and customer in three depths, each of another zone; one is idle, and a stranger is beside them. */
describe('what a tree did', () => {
  let partner: string;
  let near: string;
  let far: string;
  let idle: string;
  let stranger: string;
  let unpriced: string;
  const users = new Map<string, string>();
  const on = async (names: readonly string[], expected: readonly string[]) => {
    for (const [index, name] of names.entries()) {
      const { code, session } = await logon(server, users.get(name) ?? '', 'SUPERVISOR');
      if (session !== undefined) sessions.set(name, session.id);
      if ((code ?? 'on') !== expected[index]) throw new Error(`${name}: ${code ?? 'on'}`);
    }
  };
  const sessions = new Map<string, string>();
  const off = (name: string) => server.mutate('logoff', { sessionId: sessions.get(name) });
  const found = async (name: string, timeZone: string, parentId: string | null, sold: object | null) => {
    const id = await createOrganisation(server, { name, timeZone, parentId, leaseSeconds: 3600 });
    if (sold === null) return id;
    await buy(server, id, 'SUPERVISOR', { base: 4, ...sold });
    for (const user of ['a', 'b', 'c', 'd']) {
      users.set(`${name} ${user}`, await createUser(server, id, `${name} ${user}`, ['SUPERVISOR']));
    }
    return id;
  };

  beforeAll(async () => {
    clock.set('2026-03-28T09:00:00Z');
    partner = await found('P', 'Europe/London', null, { concurrent: 1, contingency: 1 });
    near = await found('N', 'Asia/Kolkata', partner, { concurrent: 1, contingency: 2 });
    far = await found('F', 'America/New_York', near, { concurrent: 2, contingency: 1 });
    idle = await found('Idle', 'Europe/London', partner, null);
    unpriced = await found('Unpriced', 'Europe/London', partner, null);
    await buy(server, unpriced, 'UC_USER', { base: 2 });
    await buy(server, partner, 'REPORTING', { concurrent: 1 });
    const price = (organisationId: string, currency: string, kind: string, amount: number) =>
      server.mutate('setPrice', { organisationId, currency, licence: 'SUPERVISOR', kind, amount });
    await price(partner, 'EUR', 'BASE', 1001);
    await price(partner, 'EUR', 'CONCURRENT', 2003);
    await price(near, 'USD', 'BASE', 307);
    await price(far, 'USD', 'CONTINGENCY', 509);
    await server.mutate('setBillingTerms', {
      organisationId: near,
      currency: 'USD',
      partialMonths: 'BY_DAY',
    });
    await server.mutate('setBillingTerms', { organisationId: unpriced, currency: 'GBP' });
    await server.mutate('setContractOptions', { organisationId: near, minimumPeakMinutes: 50 });
    await server.mutate('setContractOptions', { organisationId: far, minimumPeakMinutes: 1 });
    stranger = await found('X', 'Europe/London', null, { concurrent: 1, contingency: 1 });

    clock.set('2026-03-28T10:02:00Z');
    await on(['P a', 'N a', 'N b', 'X a'], ['on', 'on', 'on', 'on']);
    clock.set('2026-03-28T10:20:00Z');
    await off('N b');
    clock.set('2026-03-28T10:31:00Z');
    await on(['F a', 'F b', 'F c', 'F d'], ['on', 'on', 'on', 'NO_SEAT_AVAILABLE']);
    clock.set('2026-03-28T11:15:00Z');
    await on(['N a', 'N b', 'N c', 'N d'], ['on', 'on', 'on', 'NO_SEAT_AVAILABLE']);
    clock.set('2026-03-28T11:40:00Z');
    await on(['P a', 'P b', 'P c'], ['on', 'on', 'NO_SEAT_AVAILABLE']);
    clock.set('2026-03-28T11:43:00Z');
    await on(['P c'], ['NO_SEAT_AVAILABLE']);
    clock.set('2026-03-28T12:03:00Z');
  });

  const usage = async (id: string, isTree: boolean, bucket: string, until = '2026-03-28T12:30:00Z') => {
    const together = isTree
      ? 'minimum: minimumTogether maximum: maximumTogether sumOfMinima sumOfMaxima'
      : 'minimum maximum';
    const pool = `{ mean total ${together} }`;
    const field = `usageHistory(licence: "SUPERVISOR", from: "2026-03-28T09:30:00Z", until: "${until}", bucket: ${bucket}) {
      from until denials concurrent ${pool} contingency ${pool} }`;
    const { data, errors } = await server.query(
      `query ($id: ID!) { organisation(id: $id) { ${isTree ? `tree { ${field} }` : field} } }`,
      { id },
    );
    if (errors !== undefined) throw new Error(JSON.stringify(errors[0]));
    return (isTree ? data.organisation.tree : data.organisation).usageHistory as Bucket[];
  };

  interface Bucket {
    readonly from: string;
    readonly until: string;
    readonly denials: number;
    readonly concurrent: Readonly<Record<string, number>>;
    readonly contingency: Readonly<Record<string, number>>;
  }

  const span = ({ from, until }: Bucket) => Date.parse(until) - Date.parse(from);

  /** By the organisations' own histories of five minutes, which no zone cuts. */
  async function expectSums(bucket: string, count: number): Promise<void> {
    const own = await Promise.all([partner, near, far, idle].map((id) => usage(id, false, 'MINUTE_5')));
    const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);
    const found = await usage(partner, true, bucket);
    expect(found).toHaveLength(count);
    for (const summed of found) {
      const within = own.map((each) =>
        each.filter((part) => part.from >= summed.from && part.until <= summed.until),
      );
      expect(summed.denials).toBe(sum(within.flat().map(({ denials }) => denials)));
      for (const pool of ['concurrent', 'contingency'] as const) {
        const parts = within.map((each) => each.map((part) => part[pool]));
        expect(summed[pool]['total']).toBe(sum(parts.map((each) => each.at(-1)?.['total'] ?? 0)));
        expect(summed[pool]['sumOfMaxima']).toBe(
          sum(parts.map((each) => Math.max(...each.map((part) => Number(part['maximum']))))),
        );
        const seats = within.flat().map((part) => Number(part[pool]['mean']) * span(part));
        expect(summed[pool]['mean']).toBeCloseTo(sum(seats) / span(summed), 9);
      }
    }
  }

  async function expectUsage(): Promise<void> {
    await expectSums('MINUTE_5', 31);
    await expectSums('HOUR', 4);
    const hours = await usage(partner, true, 'HOUR');
    // N’s two reserve seats and F’s one were in use together from 11:15 to 11:31; P’s came when F’s was free again.
    expect(hours[2]).toMatchObject({
      ...{ from: '2026-03-28T11:00:00.000Z', denials: 3 },
      concurrent: { sumOfMaxima: 4, maximum: 4, sumOfMinima: 0, minimum: 1, total: 4 },
      contingency: { sumOfMaxima: 4, maximum: 3, sumOfMinima: 0, minimum: 1, total: 4 },
    });
    const days = await usage(partner, true, 'DAY');
    expect(days.map(({ from, until }) => [from, until])).toEqual([
      ['2026-03-28T00:00:00.000Z', '2026-03-28T12:03:00.000Z'],
    ]);
    // By the asked organisation’s zone.
    const below = await usage(near, true, 'DAY');
    expect(below[0]).toMatchObject({ from: '2026-03-27T18:30:00.000Z', denials: 2 });
    expect(await usage(partner, true, 'MONTH')).toMatchObject([
      { from: '2026-03-01T00:00:00.000Z', denials: 4 },
    ]);
  }

  test('its use over time is the sum of its organisations’ own, and its maximum that of one instant', async () => {
    await expectUsage();
    const { db, close } = createDatabase({ ...server.runtime, max: 2 });
    await rollUpHistory({ db: within(db, 'ALL') });
    await close();
    await expectUsage();
  });

  test('what was in use at one instant is not told where changes are gone; the sums are', async () => {
    const whole = await usage(partner, true, 'HOUR');
    await server.pool.query(
      `insert into history_opening (organisation_id, licence, id, at, in_use, concurrent_total, contingency_total, max_used)
       values ($1, 'SUPERVISOR', 1, '2026-03-28T10:00:00Z', 0, 0, 0, 0)`,
      [uuidOf(far)],
    );
    const untold = { minimum: null, maximum: null };
    expect(await usage(partner, true, 'HOUR')).toEqual(
      whole.map((bucket) => ({
        ...bucket,
        concurrent: { ...bucket.concurrent, ...untold },
        contingency: { ...bucket.contingency, ...untold },
      })),
    );
    const { errors } = await server.query(
      `query ($id: ID!) { organisation(id: $id) { tree {
        denialReport(from: "2026-03-28T09:00:00Z", until: "2026-03-29T00:00:00Z") { from } } } }`,
      { id: partner },
    );
    expect(errors?.[0]?.extensions.code).toBe('HISTORY_DROPPED');
    await server.pool.query('delete from history_opening');
  });

  test('its alerts are its organisations’ own, newest first, and are acknowledged whosever they are', async () => {
    const fields = 'id at used kind acknowledgedAt organisation { name }';
    const ofTree = async (args: string, by: Pick<TestServer, 'query'> = server) => {
      const { data } = await by.query(
        `query ($id: ID!) { organisation(id: $id) { tree { alerts${args} {
          totalCount pageInfo { hasNextPage endCursor } edges { node { ${fields} } } } } } }`,
        { id: partner },
      );
      return data.organisation.tree.alerts as {
        readonly totalCount: number;
        readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string };
        readonly edges: readonly { readonly node: { readonly id: string; readonly at: string } }[];
      };
    };
    const own = await Promise.all(
      [partner, near, far, idle].map(async (id) => {
        const { data } = await server.query(
          `query ($id: ID!) { organisation(id: $id) { alerts { edges { node { ${fields} } } } } }`,
          { id },
        );
        return data.organisation.alerts.edges as { readonly node: { readonly at: string } }[];
      }),
    );
    const all = await ofTree('');
    const sorted = own.flat().toSorted((one, other) => (one.node.at < other.node.at ? 1 : -1));
    expect(sorted.length).toBeGreaterThan(6);
    expect(all.edges.map(({ node }) => node.at)).toEqual(sorted.map(({ node }) => node.at));
    expect(new Set(all.edges.map(({ node }) => node))).toEqual(new Set(sorted.map(({ node }) => node)));
    expect(all.totalCount).toBe(sorted.length);

    const first = await ofTree('(first: 4)');
    const rest = await ofTree(`(first: 50, after: "${first.pageInfo.endCursor}")`);
    expect([...first.edges, ...rest.edges]).toEqual(all.edges);
    expect([first.pageInfo.hasNextPage, rest.pageInfo.hasNextPage]).toEqual([true, false]);

    // One of each organisation, by whoever sells to them; another's is not there, and then none is acknowledged.
    const asPartner = asPartnerOf(partner);
    const acknowledge = async (alertIds: readonly (string | undefined)[]) =>
      (
        await asPartner.query(
          `mutation ($input: AcknowledgeAlertsInput!) { acknowledgeAlerts(input: $input) {
            ... on AcknowledgeAlertsPayload { alerts { id acknowledgedAt } } ... on UserError { code } } }`,
          { input: { alertIds } },
        )
      ).data.acknowledgeAlerts;
    const named = ['P', 'N', 'F'].map(
      (name) =>
        all.edges.find(
          ({ node }) => (node as unknown as { organisation: { name: string } }).organisation.name === name,
        )?.node.id,
    );
    const { data } = await server.query(
      'query ($id: ID!) { organisation(id: $id) { alerts { edges { node { id } } } } }',
      {
        id: stranger,
      },
    );
    const foreign = data.organisation.alerts.edges[0].node.id;
    expect(await acknowledge([...named, foreign])).toEqual({ code: 'NOT_FOUND' });
    expect((await ofTree('(acknowledged: true)')).edges).toEqual([]);
    const { alerts } = await acknowledge(named);
    expect(alerts).toEqual(named.map((id) => ({ id, acknowledgedAt: '2026-03-28T12:03:00.000Z' })));
    const acknowledged = await ofTree('(acknowledged: true)', asPartner);
    expect(new Set(acknowledged.edges.map(({ node }) => node.id))).toEqual(new Set(named));
    expect((await ofTree('(acknowledged: false)')).totalCount).toBe(sorted.length - 3);
  });

  test('its refusals are its organisations’ own, each in the hour of its own week', async () => {
    const reasons = 'reasons { code denials users byHourOfWeek gotIn neverGotIn waiting medianMilliseconds }';
    const own = `licences { licence { code } denials users unmetDemand ${reasons} }`;
    const period = '(from: "2026-03-28T00:00:00Z", until: "2026-03-29T00:00:00Z")';
    // F d gets in once F’s seats are free: after 93 minutes.
    clock.set('2026-03-28T12:04:00Z');
    await on(['F d'], ['on']);
    const [p, n, f] = await Promise.all(
      [partner, near, far].map(async (id) => {
        const { data } = await server.query(
          `query ($id: ID!) { organisation(id: $id) { denialReport${period} { ${own} } } }`,
          { id },
        );
        return data.organisation.denialReport.licences[0];
      }),
    );
    const { data } = await server.query(
      `query ($id: ID!) { organisation(id: $id) { tree { denialReport${period} { licences {
        licence { code } denials users sumOfUnmetDemand ${reasons}
        organisations(first: 2) { totalCount pageInfo { endCursor } edges { node { organisation { name } denials { ${own.slice(11, -2)} } } } }
      } } } } }`,
      { id: partner },
    );
    const { licences } = data.organisation.tree.denialReport;
    expect(licences).toHaveLength(1);
    const [{ organisations, ...summed }] = licences;
    expect([p.denials, n.denials, f.denials]).toEqual([2, 1, 1]);
    expect(summed).toMatchObject({
      ...{ licence: { code: 'SUPERVISOR' }, denials: 4, users: 3 },
      sumOfUnmetDemand: p.unmetDemand + n.unmetDemand + f.unmetDemand,
    });
    const [reason] = summed.reasons;
    expect(reason).toMatchObject({ code: 'NO_SEAT_AVAILABLE', denials: 4, users: 3, gotIn: 1, waiting: 3 });
    expect(reason.medianMilliseconds).toBe(f.reasons[0].medianMilliseconds);
    const hours = [p, n, f].map((each) => each.reasons[0].byHourOfWeek as readonly number[]);
    expect(reason.byHourOfWeek).toEqual(
      hours[0]?.map((_, hour) => hours.reduce((sum, each) => sum + (each[hour] ?? 0), 0)),
    );
    // A Saturday: at 11 in London, a quarter to five in Kolkata, and half past six in New York.
    expect(hours.map((each) => each.findIndex((count) => count > 0))).toEqual([131, 136, 126]);
    expect(organisations).toMatchObject({
      totalCount: 3,
      edges: [{ node: { denials: p } }, { node: { denials: n } }],
    });
  });

  async function expectStatements(period: string, status: string, corrections: number): Promise<void> {
    const fields =
      'id status number period { from until } timeZone days total { amount currency } complete reason issuedAt';
    const own = await Promise.all(
      [partner, near, far, idle, unpriced].map(async (id) => {
        const { data } = await server.query(
          `query ($id: ID!, $period: DateTime!) { organisation(id: $id) { billingStatement(period: $period) { ${fields} lines { quantity } }
            peakUsage(licence: "SUPERVISOR", period: $period) { maxUsed maxUsedAt billed } name } }`,
          { id, period },
        );
        return data.organisation;
      }),
    );
    const { data, errors } = await server.query(
      `query ($id: ID!, $period: DateTime!) { organisation(id: $id) { tree {
        statements(period: $period) {
          organisations sums { organisations incomplete total { amount currency } corrections { amount currency } }
          withoutPrices { totalCount edges { node { organisation { name } } } }
          statements(first: 3) { pageInfo { endCursor hasNextPage } edges { node { ${fields} lines { quantity } } } } }
        peaks(period: $period) { licence { code } sumOfMaxUsed sumOfBilled organisations { edges { node {
          organisation { name } maxUsed maxUsedAt billed } } } } } } }`,
      { id: partner, period },
    );
    expect(errors).toBeUndefined();
    const { statements, peaks } = data.organisation.tree;
    expect(own.map(({ billingStatement }) => billingStatement.status)).toEqual(own.map(() => status));
    expect(statements.organisations).toBe(5);
    const rest = await server.query(
      `query ($id: ID!, $period: DateTime!, $after: String!) { organisation(id: $id) { tree { statements(period: $period) {
        statements(after: $after) { pageInfo { hasNextPage } edges { node { ${fields} lines { quantity } } } } } } } }`,
      { id: partner, period, after: statements.statements.pageInfo.endCursor },
    );
    const listed = [
      ...statements.statements.edges,
      ...rest.data.organisation.tree.statements.statements.edges,
    ];
    // Made one after the other, their ids are in that order.
    expect(listed.map(({ node }) => node)).toEqual(own.map(({ billingStatement }) => billingStatement));

    const totals = own.map(({ billingStatement }) => billingStatement.total.amount as number);
    const [p = 0, n = 0, f = 0, i = 0] = totals;
    expect(statements.sums).toEqual([
      {
        ...{ organisations: 2, incomplete: 1, total: { amount: p + i, currency: 'EUR' } },
        corrections: { amount: corrections, currency: 'EUR' },
      },
      {
        ...{ organisations: 2, incomplete: 2, total: { amount: n + f, currency: 'USD' } },
        corrections: { amount: 0, currency: 'USD' },
      },
    ]);
    expect(Math.min(p, n, f)).toBeGreaterThan(0);
    expect(statements.withoutPrices).toEqual({
      ...{ totalCount: 1, edges: [{ node: { organisation: { name: 'Unpriced' } } }] },
    });

    const used = own.slice(0, 3).map(({ peakUsage }) => peakUsage);
    expect(used.map(({ maxUsed, billed }) => [maxUsed, billed])).toEqual([
      [1, 1],
      [2, status === 'CLOSED' ? 2 : 1],
      [1, 1],
    ]);
    expect(peaks).toEqual([
      {
        ...{ licence: { code: 'SUPERVISOR' }, sumOfMaxUsed: 4, sumOfBilled: status === 'CLOSED' ? 4 : 3 },
        organisations: {
          edges: used.map((peak, index) => ({ node: { ...peak, organisation: { name: own[index].name } } })),
        },
      },
    ]);
  }

  test('its statements and peaks are its organisations’ own, summed by currency; the unpriced are named', async () => {
    await expectStatements('2026-03-28T12:00:00Z', 'ESTIMATE', 0);
  });

  test('all of it takes as many statements as that of a smaller tree', async () => {
    expect(await countStatements(partner)).toBe(await countStatements(near));
  });

  test('C4: so are those of a month that is over, with its corrections beside them', async () => {
    clock.set('2026-04-02T00:00:00Z');
    await expectStatements('2026-03-28T12:00:00Z', 'CLOSED', 0);
    const { data } = await server.query(
      'query ($id: ID!) { organisation(id: $id) { billingStatement(period: "2026-03-28T12:00:00Z") { id } } }',
      { id: partner },
    );
    await server.mutate('correctStatement', {
      ...{ statementId: data.organisation.billingStatement.id, reason: 'One too many' },
      lines: [{ licence: 'SUPERVISOR', kind: 'BASE', quantity: 3 }],
    });
    await expectStatements('2026-03-28T12:00:00Z', 'CLOSED', -1001);
  });
});
