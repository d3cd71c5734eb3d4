import { builder } from '../graphql/builder.ts';
import { connect, connectionType, type Order, pageArguments } from '../graphql/connection.ts';
import { costs } from '../graphql/cost.ts';
import type { Context } from '../graphql/context.ts';
import { codedError } from '../graphql/errors.ts';
import { codes, text } from '../graphql/input.ts';
import { createLoader, sharedScope } from '../graphql/loader.ts';
import { readOrganisationId, registerNode } from '../graphql/node.ts';
import type { Instant } from '../kernel/clock.ts';
import { encodeMappingId, type LicenceCode, type OrganisationId } from '../kernel/ids.ts';
import { isRefusal, notFound } from '../kernel/refusal.ts';
import { hasBaseLicences, type Licence, type LicenceCategory } from '../licence/domain.ts';
import { type News, organisationTopic, type Position } from '../live/live.ts';
import type { Services } from '../live/services.ts';
import { nowOf } from '../organisation/domain.ts';
import {
  type AdmittedAs,
  type BaseUsage,
  baseUsage,
  type ConcurrentUsage,
  concurrentUsage,
  type ContingencyUsage,
  contingencyUsage,
  type SeatPool,
} from './domain.ts';
import { countHistory, listMappedPools, type MappedPool, pageHistory, type RecordedEntry } from './store.ts';

/** A row of the page with its licence at hand, so that none of its fields has to wait for anything. */
type MappingRow = MappedPool & { readonly licence: Licence };

interface UsageChanged {
  readonly organisationId: OrganisationId;
  readonly revision: number;
  readonly at: Instant;
  readonly snapshot: boolean;
  readonly rows: readonly MappingRow[];
  /** What its loaders' caches hang on: what was read for the event serves its fields too. */
  readonly scope: object;
}

/** What a subscriber of `usageChanged` has seen. */
interface SeenUsage extends Position {
  /** The organisation's revision. */
  readonly version: number;
  /** Of a subscriber that named pools: their figures. */
  readonly figures: ReadonlyMap<LicenceCode, string>;
}

declare module '../graphql/builder.ts' {
  interface Objects {
    LicenceMapping: MappingRow;
    BaseUsage: BaseUsage;
    ConcurrentUsage: ConcurrentUsage;
    ContingencyUsage: ContingencyUsage;
    UsageChanged: UsageChanged;
    HistoryEntry: RecordedEntry;
  }
  interface Enums {
    SeatPool: SeatPool;
    AdmittedAs: AdmittedAs;
    HistoryKind: RecordedEntry['kind'];
  }
}

async function readRows(
  { db, catalogue }: Services,
  ids: readonly OrganisationId[],
  since: number | null,
): Promise<MappingRow[]> {
  const pools = await listMappedPools(db, ids, since);
  const licences = await catalogue(pools.map(({ pool }) => pool.licence));
  return pools.map((row) => {
    const licence = licences.get(row.pool.licence);
    if (licence === undefined) throw new Error(`Licence ${row.pool.licence} is not in the catalogue`);
    return { ...row, licence };
  });
}

const findMappedPools = createLoader<OrganisationId, readonly MappingRow[]>(
  (id) => id,
  async ({ services }, ids) => {
    const rows = Map.groupBy(await readRows(services, ids, null), ({ organisationId }) => organisationId);
    return ids.map((id) => rows.get(id) ?? []);
  },
);

/** What changed after a revision: read once for all the groups of subscribers that wait for it. */
const findChangedPools = createLoader<
  { readonly organisationId: OrganisationId; readonly since: number | null },
  readonly MappingRow[]
>(
  ({ organisationId, since }) => `${organisationId}/${since ?? ''}`,
  ({ services }, keys) =>
    Promise.all(keys.map(({ organisationId, since }) => readRows(services, [organisationId], since))),
);

registerNode('LicenceMapping', async (context, { organisationId, licence }) => {
  if ((await context.findOrganisation(context, organisationId)) === null) return null;
  const rows = (await findMappedPools(context, organisationId)) ?? [];
  return rows.find(({ pool }) => pool.licence === licence) ?? null;
});

builder.enumType('SeatPool', {
  description: 'The two pools of shared seats.',
  values: {
    CONCURRENT: { description: 'Seats that are paid for by the month, whether used or not.' },
    CONTINGENCY: {
      description:
        'Reserve seats, used once every concurrent one is, and billed for the month in which they are.',
    },
  },
});

builder.enumType('AdmittedAs', {
  description: 'What a seat was when its hold was acquired.',
  values: {
    CONCURRENT: { description: 'A concurrent seat.' },
    CONTINGENCY: { description: 'A contingency seat.' },
    FIXED: { description: 'The user’s own fixed seat.' },
  },
});

builder.objectType('BaseUsage', {
  description:
    'Base licences: the right of named users to exist. `available − overAllocated = total − used + reusable`.',
  fields: (t) => ({
    total: t.exposeInt('total', { description: 'Bought, and in force now.' }),
    used: t.exposeInt('used', { description: 'Assigned, reusable and locked together.' }),
    reusable: t.exposeInt('reusable', {
      description: 'Given back within their 90 days, and still to be reassigned once.',
    }),
    available: t.exposeInt('available', { description: 'How many more users can be given one.' }),
    assigned: t.exposeInt('assigned', { description: 'Held by users now.' }),
    locked: t.exposeInt('locked', {
      description: 'Given back with their one reassignment used: nobody’s until their 90 days are over.',
    }),
    overAllocated: t.exposeInt('overAllocated', {
      description: 'By how much assigned and locked exceed the total.',
    }),
  }),
});

builder.objectType('ConcurrentUsage', {
  description: 'Concurrent seats. Users are counted, not devices.',
  fields: (t) => ({
    total: t.exposeInt('total', { description: 'Bought, and in force now.' }),
    used: t.exposeInt('used', { description: 'In use now.' }),
    available: t.exposeInt('available', { description: 'Free now.' }),
    overAllocated: t.exposeInt('overAllocated', {
      description: 'Users logged on beyond all seats, contingency included, after a total fell.',
    }),
  }),
});

builder.objectType('ContingencyUsage', {
  description: 'Contingency seats: a reserve, billed by the highest use of the month.',
  fields: (t) => ({
    total: t.exposeInt('total', { description: 'Bought, and in force now.' }),
    used: t.exposeInt('used', {
      description: 'In use now. A freed concurrent seat takes a user over at once.',
    }),
    maxUsed: t.exposeInt('maxUsed', {
      description:
        'The highest use of the billing period so far, exactly: a full monthly fee is due for each.',
    }),
    maxUsedAt: t.expose('maxUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'The first instant of that highest use; null while it is 0.',
    }),
    available: t.exposeInt('available', { description: 'Free now.' }),
    paidHeadroom: t.exposeInt('paidHeadroom', {
      description: 'Free seats whose use this month costs nothing more.',
    }),
  }),
});

builder.objectType('LicenceMapping', {
  interfaces: ['Node'],
  description:
    'A row of the Licence Mapping page: how many seats of one licence an organisation has, and uses.',
  fields: (t) => ({
    id: t.id({
      description: 'Opaque and globally unique.',
      resolve: ({ organisationId, pool }) => encodeMappingId(organisationId, pool.licence),
    }),
    organisation: t.field({
      type: 'Organisation',
      description: 'Whose row it is.',
      resolve: ({ organisationId }, _args, context) => context.getOrganisation(context, organisationId),
    }),
    licence: t.field({
      type: 'Licence',
      description: 'The licence that is counted.',
      resolve: ({ licence }) => licence,
    }),
    activeUsers: t.exposeInt('activeUsers', { description: 'The organisation’s users that are ACTIVE now.' }),
    base: t.field({
      type: 'BaseUsage',
      nullable: true,
      description: 'Base licences or fixed seats; null for a concurrent feature.',
      resolve: ({ licence, pool }) => (hasBaseLicences(licence) ? baseUsage(pool) : null),
    }),
    concurrent: t.field({
      type: 'ConcurrentUsage',
      nullable: true,
      description: 'Concurrent seats; null for a licence with fixed seats.',
      resolve: ({ licence, pool }) => (licence.seatModel === 'CONCURRENT' ? concurrentUsage(pool) : null),
    }),
    contingency: t.field({
      type: 'ContingencyUsage',
      nullable: true,
      description: 'Contingency seats; null where the licence is sold without.',
      resolve: ({ licence, pool }) => (licence.contingencyAllowed ? contingencyUsage(pool) : null),
    }),
    activeInBillingPeriod: t.exposeInt('activeInBillingPeriod', {
      description: 'The organisation’s users that were ACTIVE at any instant of the billing period so far.',
    }),
    holders: t.int({
      description: 'Users with this licence assigned, planned and suspended ones included.',
      resolve: ({ pool }) => pool.holders,
    }),
    revision: t.expose('revision', {
      type: 'SafeInt',
      description: 'Grows with every change of the row, within the organisation.',
    }),
  }),
});

interface RowFilter {
  readonly categories?: readonly LicenceCategory[] | null | undefined;
  readonly licences?: readonly string[] | null | undefined;
}

function narrow(rows: readonly MappingRow[], { categories, licences }: RowFilter): MappingRow[] {
  return rows.filter(
    ({ licence: { category, code } }) =>
      (categories?.includes(category) ?? true) && (licences?.includes(code) ?? true),
  );
}

builder.objectField('Organisation', 'licenceMapping', (t) =>
  t.field({
    type: ['LicenceMapping'],
    description:
      'The Licence Mapping page, in catalogue order. Neither filter given: USER licences; each given narrows.',
    extensions: costs({ weight: 10, assumedSize: 30 }),
    args: {
      categories: t.arg({ type: ['LicenceCategory'], description: 'Only these categories.' }),
      licences: t.arg.stringList({ validate: codes, description: 'Only the licences with these codes.' }),
    },
    resolve: async ({ id }, { categories, licences }, context) => {
      const rows = (await findMappedPools(context, id)) ?? [];
      const isUnfiltered = categories == null && licences == null;
      return narrow(rows, isUnfiltered ? { categories: ['USER'] } : { categories, licences });
    },
  }),
);

builder.objectType('UsageChanged', {
  description: 'An event of `usageChanged`: first all matching rows, then those that changed.',
  fields: (t) => ({
    organisation: t.field({
      type: 'Organisation',
      description: 'Whose figures they are.',
      resolve: ({ organisationId }, _args, context) => context.getOrganisation(context, organisationId),
    }),
    revision: t.expose('revision', {
      type: 'SafeInt',
      description: 'The organisation’s revision; it only grows.',
    }),
    at: t.expose('at', {
      type: 'DateTime',
      description: 'When, by the organisation’s clock, the figures were so.',
    }),
    snapshot: t.exposeBoolean('snapshot', {
      description: 'Whether these are all matching rows, not only changed ones.',
    }),
    rows: t.field({
      type: ['LicenceMapping'],
      description: 'The rows, in catalogue order.',
      extensions: costs({ assumedSize: 30 }),
      resolve: ({ rows }) => [...rows],
    }),
  }),
});

builder.subscriptionField('usageChanged', (t) =>
  t.field({
    type: 'UsageChanged',
    description:
      'Live usage. The first event is a snapshot of every matching row; each later one holds only the rows that changed since. Several changes in quick succession may arrive as one event with the latest figures; the last change always arrives.',
    args: {
      organisationId: t.arg.id({ required: true, description: 'Whose usage.' }),
      licences: t.arg.stringList({ validate: codes, description: 'Only the licences with these codes.' }),
      categories: t.arg({ type: ['LicenceCategory'], description: 'Only these categories.' }),
      pools: t.arg({ type: ['SeatPool'], description: 'Only changes of a figure of these pools.' }),
    },
    subscribe: async (_root, { organisationId, licences, categories, pools }, context) => {
      const reference = await readOrganisationId(context, organisationId);
      if (isRefusal(reference)) throw codedError(reference);
      const id = reference.organisationId;
      if ((await context.findOrganisation(context, id)) === null) throw codedError(notFound('organisation'));
      return context.services.live.follow(
        organisationTopic(id),
        createUsageReader(context, id, { licences, categories }, pools ?? null),
      );
    },
    resolve: (event, _args, context) => {
      context.scope = event.scope;
      return event;
    },
  }),
);

/** Reads what changed since a subscriber last saw it, all rows at first; no event when nothing that matches did. */
function createUsageReader(
  context: Context,
  organisationId: OrganisationId,
  filter: RowFilter,
  pools: readonly SeatPool[] | null,
): (since: SeenUsage | null) => Promise<News<UsageChanged, SeenUsage>> {
  return async (since) => {
    // Each event is read afresh: nothing that an earlier one read may be answered.
    const fresh = { ...context, scope: sharedScope(context) };
    const organisation = await fresh.getOrganisation(fresh, organisationId);
    if (since !== null && organisation.revision <= since.version) {
      return { value: null, position: since, isLast: false };
    }
    const changed = (await findChangedPools(fresh, { organisationId, since: since?.version ?? null })) ?? [];
    // Rows may be newer than the organisation that was read before them: what they bring is not to be sent again.
    const version = Math.max(organisation.revision, ...changed.map((row) => row.revision));
    const matching = narrow(changed, filter);
    const { rows, figures } = narrowToPools(matching, pools, since?.figures ?? new Map());
    const position = { version, figures };
    if (since !== null && rows.length === 0) return { value: null, position, isLast: false };
    const value = {
      organisationId,
      revision: version,
      at: nowOf(organisation, context.services.clock.now()),
      snapshot: since === null,
      rows,
      scope: fresh.scope,
    };
    return { value, position, isLast: false };
  };
}

/** The rows with news of the asked pools: one that has none of them has no row, one whose figures are as seen no news. */
function narrowToPools(
  rows: readonly MappingRow[],
  pools: readonly SeatPool[] | null,
  seen: SeenUsage['figures'],
): { readonly rows: readonly MappingRow[]; readonly figures: SeenUsage['figures'] } {
  if (pools === null) return { rows, figures: seen };
  const figures = new Map(seen);
  const news: MappingRow[] = [];
  for (const row of rows) {
    const present = figuresOf(row, pools);
    if (present === null || seen.get(row.pool.licence) === present) continue;
    figures.set(row.pool.licence, present);
    news.push(row);
  }
  return { rows: news, figures };
}

function figuresOf({ pool, licence }: MappingRow, pools: readonly SeatPool[]): string | null {
  const { seatModel, contingencyAllowed } = licence;
  const concurrent =
    pools.includes('CONCURRENT') && seatModel === 'CONCURRENT' ? concurrentUsage(pool) : null;
  const contingency = pools.includes('CONTINGENCY') && contingencyAllowed ? contingencyUsage(pool) : null;
  return concurrent === null && contingency === null ? null : JSON.stringify([concurrent, contingency]);
}

builder.enumType('HistoryKind', {
  description: 'What happened to a pool.',
  values: {
    ACQUIRED: { description: 'A session acquired a seat, or joined its user’s hold.' },
    RELEASED: { description: 'A session released a seat, or left its user’s hold to another device.' },
    TOTALS_CHANGED: { description: 'A purchase started or ended.' },
  },
});

builder.objectType('HistoryEntry', {
  description: 'One line of the append-only history of a licence’s seats, with the counters after it.',
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'When, by the organisation’s clock.' }),
    kind: t.field({ type: 'HistoryKind', description: 'What happened.', resolve: ({ kind }) => kind }),
    licence: t.field({
      type: 'Licence',
      description: 'Of which licence.',
      resolve: ({ licence }, _args, context) => context.getLicence(context, licence),
    }),
    admittedAs: t.field({
      type: 'AdmittedAs',
      nullable: true,
      description: 'What the seat was when its hold was acquired; null for TOTALS_CHANGED.',
      resolve: ({ admittedAs }): AdmittedAs | null => admittedAs,
    }),
    seatChanged: t.exposeBoolean('seatChanged', {
      description: 'Whether a seat was taken or freed; false where the user holds it on another device too.',
    }),
    inUse: t.exposeInt('inUse', { description: 'Users holding a seat after it.' }),
    concurrentTotal: t.exposeInt('concurrentTotal', { description: 'Concurrent seats in force after it.' }),
    contingencyTotal: t.exposeInt('contingencyTotal', {
      description: 'Contingency seats in force after it.',
    }),
    maxUsed: t.exposeInt('maxUsed', {
      description: 'The billing period’s highest contingency use after it.',
    }),
  }),
});

const HistoryConnection = connectionType(
  'HistoryEntry',
  'The history of an organisation’s seats, newest first.',
);

const historyOrder: Order<RecordedEntry> = {
  name: 'history',
  parts: ['integer'],
  keyOf: ({ id }) => [id],
};

builder.objectField('Organisation', 'history', (t) =>
  t.field({
    type: HistoryConnection,
    nullable: true,
    description: 'Every acquisition and release of a seat, and every change of totals, newest first.',
    args: {
      ...pageArguments(t.arg),
      licence: t.arg.string({ validate: text.nullish(), description: 'Only of the licence with this code.' }),
    },
    resolve: ({ id }, { licence, ...page }, { services }) => {
      const code = (licence ?? null) as LicenceCode | null;
      return connect(
        historyOrder,
        page,
        (request) => pageHistory(services.db, id, code, request),
        () => countHistory(services.db, id, code),
      );
    },
  }),
);
