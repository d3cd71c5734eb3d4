import { countAlerts, pageAlerts } from '../alert/store.ts';
import {
  closeReports,
  decideReport,
  firstLookedAt,
  type LicenceDenials,
  maxRefusals,
  type SummedDenials,
  tooManyRefusals,
} from '../demand/domain.ts';
import { readReports } from '../demand/store.ts';
import { builder, type Objects } from '../graphql/builder.ts';
import {
  connect,
  type Connection,
  connectionType,
  type Order,
  type PageArguments,
  pageArguments,
} from '../graphql/connection.ts';
import type { Context } from '../graphql/context.ts';
import { costs } from '../graphql/cost.ts';
import { codedError } from '../graphql/errors.ts';
import { codes, text } from '../graphql/input.ts';
import { createLoader } from '../graphql/loader.ts';
import { earliest, type Instant } from '../kernel/clock.ts';
import type { LicenceCode, OrganisationId } from '../kernel/ids.ts';
import { contains, type Period } from '../kernel/interval.ts';
import { invalidInput, isRefusal } from '../kernel/refusal.ts';
import { findLicence, hasBaseLicences, inCatalogueOrder, type Licence } from '../licence/domain.ts';
import type { Services } from '../live/services.ts';
import { type Month, nowOf, type Organisation } from '../organisation/domain.ts';
import { findBillingPeriod, listBillingPeriods } from '../organisation/store.ts';
import { countAskedBuckets, countBuckets, decideKept, edgesOf, maxBuckets } from '../usage-history/domain.ts';
import { findGoneUntilOfMany, listBucketsOfMany, listChangesOfMany } from '../usage-history/store.ts';
import { readMembers, readStatements, readTrees } from './commands.ts';
import {
  isUnpriced,
  maxBucketsOfAll,
  maxTogether,
  type Members,
  type MemberStatement,
  type PeakSums,
  type PoolSums,
  type StatementSum,
  sumPeaks,
  sumStatements,
  sumBuckets,
  type Together,
  togetherIn,
  type Tree,
  type TreeBucket,
  type TreeLicence,
  type TreeTooLarge,
} from './domain.ts';

/** Sums of one kind of seats. */
interface SeatSums {
  readonly total: number;
  readonly used: number;
  readonly available: number;
}

type Overallocable = SeatSums & { readonly overAllocated: number };

/** A licence's sums with the licence at hand, which says what it is sold as. */
type Row = TreeLicence & { readonly sold: Licence };

/** A bucket of a pool, with what all organisations together had in use, which is found out when it is asked for. */
interface PoolBucket extends PoolSums {
  readonly findTogether: () => Promise<Together | null>;
}

interface BucketRow extends Omit<TreeBucket, 'concurrent' | 'contingency'> {
  readonly concurrent: PoolBucket;
  readonly contingency: PoolBucket;
}

interface DenialReport extends Period {
  readonly licences: readonly Objects['TreeLicenceDenials'][];
}

/** One organisation's refusals of a licence. */
interface OrganisationDenials {
  readonly organisation: Organisation;
  readonly denials: LicenceDenials;
}

declare module '../graphql/builder.ts' {
  interface Objects {
    Tree: Organisation;
    AlertConnection: Connection<Objects['Alert']>;
    BillingStatementConnection: Connection<Objects['BillingStatement']>;
    TreeStatements: readonly MemberStatement[];
    TreeStatementSum: StatementSum;
    TreePeak: PeakSums;
    TreeOrganisationPeak: PeakSums['each'][number];
    TreeDenialReport: DenialReport;
    TreeLicenceDenials: SummedDenials & { readonly each: readonly OrganisationDenials[] };
    TreeOrganisationDenials: OrganisationDenials;
    TreeUsageBucket: BucketRow;
    TreePoolUsage: PoolBucket;
    TreeLicence: Row;
    TreeBase: Overallocable & { readonly reusable: number };
    TreeConcurrent: Overallocable;
    TreeContingency: SeatSums & { readonly maxUsed: number; readonly paidHeadroom: number };
  }
}

const findTree = createLoader<OrganisationId, Tree>(
  (id) => id,
  async ({ services }, ids) => {
    const trees = await readTrees(services, ids);
    return ids.map((id) => trees.get(id) ?? null);
  },
);

async function getTree(context: Context, { id }: Organisation): Promise<Tree> {
  const tree = await findTree(context, id);
  if (tree === null) throw new Error(`Organisation ${id} is gone`);
  return tree;
}

const findMembers = createLoader<OrganisationId, Members | TreeTooLarge>(
  (id) => id,
  ({ services }, ids) => Promise.all(ids.map((id) => readMembers(services, id))),
);

/** All organisations of a tree, and the asked one as it is among them. */
async function getMembers(
  context: Context,
  { id }: Organisation,
): Promise<Members & { readonly root: Organisation }> {
  const members = await findMembers(context, id);
  if (members !== null && isRefusal(members)) throw codedError(members);
  const root = members?.organisations.find((organisation) => organisation.id === id);
  if (members === null || root === undefined) throw new Error(`Organisation ${id} is gone`);
  return { ...members, root };
}

builder.objectType('TreeBase', {
  description: 'Base licences of several organisations together.',
  fields: (t) => ({
    total: t.expose('total', { type: 'SafeInt', description: 'Bought, and in force now.' }),
    used: t.expose('used', { type: 'SafeInt', description: 'Assigned, reusable and locked together.' }),
    reusable: t.expose('reusable', {
      type: 'SafeInt',
      description: 'Given back within their 90 days, and still to be reassigned once.',
    }),
    available: t.expose('available', {
      type: 'SafeInt',
      description: 'Each for users of its own organisation.',
    }),
    overAllocated: t.expose('overAllocated', {
      type: 'SafeInt',
      description: 'By how much organisations exceed their own totals.',
    }),
  }),
});

builder.objectType('TreeConcurrent', {
  description: 'Concurrent seats of several organisations together.',
  fields: (t) => ({
    total: t.expose('total', { type: 'SafeInt', description: 'Bought, and in force now.' }),
    used: t.expose('used', { type: 'SafeInt', description: 'In use now.' }),
    available: t.expose('available', {
      type: 'SafeInt',
      description: 'Free now, each in its own organisation.',
    }),
    overAllocated: t.expose('overAllocated', {
      type: 'SafeInt',
      description: 'Users logged on beyond all seats of their organisation.',
    }),
  }),
});

builder.objectType('TreeContingency', {
  description: 'Contingency seats of several organisations together.',
  fields: (t) => ({
    total: t.expose('total', { type: 'SafeInt', description: 'Bought, and in force now.' }),
    used: t.expose('used', { type: 'SafeInt', description: 'In use now.' }),
    available: t.expose('available', {
      type: 'SafeInt',
      description: 'Free now, each in its own organisation.',
    }),
    maxUsed: t.expose('maxUsed', {
      type: 'SafeInt',
      description:
        'The organisations’ highest uses of their billing periods so far, added up: a full monthly fee is due for each. They need not have been at one time.',
    }),
    paidHeadroom: t.expose('paidHeadroom', {
      type: 'SafeInt',
      description: 'Free seats whose use this month costs nothing more.',
    }),
  }),
});

builder.objectType('TreeLicence', {
  description: 'One licence in a tree: the sums of its rows in the Licence Mapping pages.',
  fields: (t) => ({
    licence: t.field({ type: 'Licence', description: 'Which.', resolve: ({ sold }) => sold }),
    organisations: t.exposeInt('organisations', { description: 'How many have a row of it.' }),
    holders: t.expose('holders', {
      type: 'SafeInt',
      description: 'Users with this licence assigned, planned and suspended ones included.',
    }),
    base: t.field({
      type: 'TreeBase',
      nullable: true,
      description: 'Base licences or fixed seats; null for a concurrent feature.',
      resolve: ({ sold, ...sums }) =>
        hasBaseLicences(sold)
          ? {
              total: sums.baseTotal,
              used: sums.baseUsed,
              reusable: sums.baseReusable,
              available: sums.baseAvailable,
              overAllocated: sums.baseOverAllocated,
            }
          : null,
    }),
    concurrent: t.field({
      type: 'TreeConcurrent',
      nullable: true,
      description: 'Concurrent seats; null for a licence with fixed seats.',
      resolve: ({ sold, ...sums }) =>
        sold.seatModel === 'CONCURRENT'
          ? {
              total: sums.concurrentTotal,
              used: sums.concurrentUsed,
              available: sums.concurrentAvailable,
              overAllocated: sums.concurrentOverAllocated,
            }
          : null,
    }),
    contingency: t.field({
      type: 'TreeContingency',
      nullable: true,
      description: 'Contingency seats; null where the licence is sold without.',
      resolve: ({ sold, ...sums }) =>
        sold.contingencyAllowed
          ? {
              total: sums.contingencyTotal,
              used: sums.contingencyUsed,
              available: sums.contingencyAvailable,
              maxUsed: sums.maxUsed,
              paidHeadroom: sums.paidHeadroom,
            }
          : null,
    }),
  }),
});

builder.objectType('TreePoolUsage', {
  description: 'How many seats of a pool several organisations had in use over a bucket.',
  fields: (t) => ({
    mean: t.exposeFloat('mean', { description: 'On average over time, all organisations together: exact.' }),
    total: t.expose('total', { type: 'SafeInt', description: 'Bought, and in force at its end.' }),
    sumOfMinima: t.expose('sumOfMinima', {
      type: 'SafeInt',
      description:
        'Each organisation’s own minimum, added up. They need not have been at one time: so few need never have been in use.',
    }),
    sumOfMaxima: t.expose('sumOfMaxima', {
      type: 'SafeInt',
      description:
        'Each organisation’s own maximum, added up. They need not have been at one time: so many need never have been in use.',
    }),
    minimumTogether: t.field({
      type: 'SafeInt',
      nullable: true,
      description: 'The fewest in use at one instant, all organisations together; null as `maximumTogether`.',
      extensions: costs({ weight: 10 }),
      resolve: async ({ findTogether }) => (await findTogether())?.minimum ?? null,
    }),
    maximumTogether: t.field({
      type: 'SafeInt',
      nullable: true,
      description: `The most in use at one instant, all organisations together: exact, from every recorded change. Null where there are more than ${maxTogether} changes of the licence in the whole time that is asked for, or some of them were dropped.`,
      extensions: costs({ weight: 10 }),
      resolve: async ({ findTogether }) => (await findTogether())?.maximum ?? null,
    }),
  }),
});

builder.objectType('TreeUsageBucket', {
  description: 'A licence’s use in several organisations over a stretch of time.',
  fields: (t) => ({
    from: t.expose('from', { type: 'DateTime', description: 'Its first instant.' }),
    until: t.expose('until', { type: 'DateTime', description: 'Its end, which belongs to the next one.' }),
    concurrent: t.expose('concurrent', { type: 'TreePoolUsage', description: 'Concurrent seats.' }),
    contingency: t.expose('contingency', { type: 'TreePoolUsage', description: 'Contingency seats.' }),
    denials: t.expose('denials', { type: 'SafeInt', description: 'How often the licence was refused.' }),
  }),
});

/** A page of what is all at hand: one of each organisation, in the order of their ids. */
function connectAll<Row>(
  name: string,
  page: PageArguments,
  rows: readonly Row[],
  idOf: (row: Row) => OrganisationId,
): Promise<Connection<Row>> {
  return connect<Row>(
    { name, parts: ['uuid'], keyOf: (row) => [idOf(row)] },
    page,
    async ({ limit, backward, beyond }) => {
      const key = beyond === null ? null : String(beyond[0]).toLowerCase();
      return (backward ? rows.toReversed() : rows)
        .filter((row) => key === null || (backward ? idOf(row) < key : idOf(row) > key))
        .slice(0, limit);
    },
    () => Promise.resolve(rows.length),
  );
}

const organisationIdOf = ({ organisation }: { readonly organisation: Organisation }) => organisation.id;

builder.objectType('TreeOrganisationDenials', {
  description: 'What one organisation of several refused of a licence.',
  fields: (t) => ({
    organisation: t.expose('organisation', { type: 'Organisation', description: 'Which organisation.' }),
    denials: t.expose('denials', { type: 'LicenceDenials', description: 'Its own, with its unmet demand.' }),
  }),
});

const OrganisationDenialsConnection = connectionType(
  'TreeOrganisationDenials',
  'What each organisation of several refused, in the order of their ids.',
);

builder.objectType('TreeLicenceDenials', {
  description: 'Refusals of one licence in several organisations.',
  fields: (t) => ({
    licence: t.field({
      type: 'Licence',
      description: 'What was refused.',
      resolve: ({ licence }, _args, context) => context.getLicence(context, licence),
    }),
    denials: t.exposeInt('denials', { description: 'How many refusals, whatever the reason.' }),
    users: t.exposeInt('users', { description: 'How many users were refused, each counted once.' }),
    sumOfUnmetDemand: t.exposeInt('sumOfUnmetDemand', {
      description:
        'Each organisation’s own unmet demand, added up. They need not have been at one time, and a free seat of one is none of another’s.',
    }),
    reasons: t.field({
      type: ['ReasonDenials'],
      description:
        'By reason, the most frequent first: each in the hour of the week of its own organisation’s zone, the times until users got in of all together.',
      extensions: costs({ assumedSize: 5 }),
      resolve: ({ reasons }) => [...reasons],
    }),
    organisations: t.field({
      type: OrganisationDenialsConnection,
      nullable: true,
      description: 'What each organisation refused, those that refused somebody.',
      args: pageArguments(t.arg),
      resolve: ({ each }, page) => connectAll('treeDenials', page, each, organisationIdOf),
    }),
  }),
});

builder.objectType('TreeDenialReport', {
  description: 'Refusals in several organisations as demand.',
  fields: (t) => ({
    from: t.expose('from', { type: 'DateTime', description: 'Its first instant.' }),
    until: t.expose('until', { type: 'DateTime', description: 'The first instant that is not in it.' }),
    licences: t.field({
      type: ['TreeLicenceDenials'],
      description: 'The licences that were refused to somebody, in catalogue order.',
      resolve: ({ licences }) => [...licences],
    }),
  }),
});

builder.objectType('TreeStatementSum', {
  description: 'The statements of several organisations in one currency, together.',
  fields: (t) => ({
    organisations: t.exposeInt('organisations', { description: 'How many statements these are.' }),
    incomplete: t.exposeInt('incomplete', {
      description: 'Of how many of them a line has no price, and is not in the total.',
    }),
    total: t.expose('total', {
      type: 'Money',
      description: 'The sum of their totals: what is due by the statements themselves, without corrections.',
    }),
    corrections: t.expose('corrections', {
      type: 'Money',
      description: 'What all their corrections come to: the difference that they make.',
    }),
  }),
});

builder.objectType('TreeStatements', {
  description:
    'What a month costs each of several organisations: its statement, or the estimate while it runs.',
  fields: (t) => ({
    organisations: t.int({
      description: 'How many have a statement or an estimate of the month.',
      resolve: (all) => all.length,
    }),
    sums: t.field({
      type: ['TreeStatementSum'],
      description:
        'By currency, in the order of their codes. Who is in `withoutPrices` is in none: what that costs is not known.',
      extensions: costs({ assumedSize: 5 }),
      resolve: (all) => sumStatements(all),
    }),
    withoutPrices: t.field({
      type: 'BillingStatementConnection',
      nullable: true,
      description: 'Those with lines of which none has a price, in the order of the organisations’ ids.',
      args: pageArguments(t.arg),
      resolve: (all, page) => connectStatements('treeUnpriced', page, all.filter(isUnpriced)),
    }),
    statements: t.field({
      type: 'BillingStatementConnection',
      nullable: true,
      description:
        'Each organisation’s own, in the order of the organisations’ ids. An estimate’s lines are read anew, organisation by organisation: ask for them in small pages.',
      args: pageArguments(t.arg),
      resolve: (all, page) => connectStatements('treeStatements', page, all),
    }),
  }),
});

function connectStatements(name: string, page: PageArguments, all: readonly MemberStatement[]) {
  const rows = all.map(({ organisation: { id }, statement }) => ({ ...statement, organisationId: id }));
  return connectAll(name, page, rows, ({ organisationId }) => organisationId);
}

builder.objectType('TreeOrganisationPeak', {
  description: 'The contingency peak of a licence in one organisation’s billing period.',
  fields: (t) => ({
    organisation: t.expose('organisation', { type: 'Organisation', description: 'Which organisation.' }),
    maxUsed: t.exposeInt('maxUsed', { description: 'The highest use of its billing period so far.' }),
    maxUsedAt: t.expose('maxUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'The first instant of that highest use.',
    }),
    billed: t.exposeInt('billed', {
      description:
        'What of it its statement bills, or would now: less where its contract lets off what lasted too short.',
    }),
  }),
});

const OrganisationPeakConnection = connectionType(
  'TreeOrganisationPeak',
  'The peak of each organisation of several, in the order of their ids.',
);

builder.objectType('TreePeak', {
  description: 'The contingency peaks of a licence in the billing periods of several organisations.',
  fields: (t) => ({
    licence: t.field({
      type: 'Licence',
      description: 'Of which licence.',
      resolve: ({ licence }, _args, context) => context.getLicence(context, licence),
    }),
    sumOfMaxUsed: t.exposeInt('sumOfMaxUsed', {
      description: 'Each organisation’s own peak, added up. They need not have been at one time.',
    }),
    sumOfBilled: t.exposeInt('sumOfBilled', {
      description: 'What is billed of each, added up: for each a full monthly fee.',
    }),
    organisations: t.field({
      type: OrganisationPeakConnection,
      nullable: true,
      description: 'Each organisation’s own, where it is above 0.',
      args: pageArguments(t.arg),
      resolve: ({ each }, page) => connectAll('treePeaks', page, each, organisationIdOf),
    }),
  }),
});

const findStatements = createLoader<
  { readonly asked: Organisation; readonly month: Month },
  readonly MemberStatement[]
>(
  ({ asked, month }) => `${asked.id}/${month}`,
  (context, keys) =>
    Promise.all(
      keys.map(async ({ asked, month }) => {
        const { organisations } = await getMembers(context, asked);
        await context.closeDueStatementsOf(
          context,
          organisations.map(({ id }) => id),
        );
        return readStatements(context.services, organisations, month);
      }),
    ),
);

/** Of the month that the asked organisation's billing period has. @returns null where it has had none then */
async function statementsAt(
  context: Context,
  asked: Organisation,
  at: Instant | null | undefined,
): Promise<readonly MemberStatement[] | null> {
  const { root } = await getMembers(context, asked);
  const month =
    at == null || contains(root.period, at)
      ? root.period.month
      : (await findBillingPeriod(context.services.db, root.id, at))?.month;
  return month === undefined ? null : findStatements(context, { asked: root, month });
}

const newestAlertFirst: Order<Objects['Alert']> = {
  name: 'treeAlerts',
  parts: ['instant', 'uuid'],
  keyOf: ({ at, id }) => [at, id],
};

builder.objectType('Tree', {
  description: 'An organisation and all below it, together.',
  fields: (t) => ({
    organisations: t.int({
      description: 'How many they are, itself included.',
      resolve: async (root, _args, context) => (await getTree(context, root)).organisations,
    }),
    activeUsers: t.field({
      type: 'SafeInt',
      description: 'Their users that are ACTIVE now.',
      resolve: async (root, _args, context) => (await getTree(context, root)).activeUsers,
    }),
    activeInBillingPeriod: t.field({
      type: 'SafeInt',
      description: 'Their users that were ACTIVE at any instant of their billing period so far.',
      resolve: async (root, _args, context) => (await getTree(context, root)).activeInBillingPeriod,
    }),
    licences: t.field({
      type: ['TreeLicence'],
      description: 'Each licence that any of them has a row of, in catalogue order.',
      extensions: costs({ assumedSize: 30 }),
      resolve: async (root, _args, context) => {
        const { licences } = await getTree(context, root);
        return Promise.all(
          licences.map(async (row) => ({ ...row, sold: await context.getLicence(context, row.licence) })),
        );
      },
    }),
    usageHistory: t.field({
      type: ['TreeUsageBucket'],
      nullable: true,
      description: `A licence’s use over time, all organisations together, in the buckets that \`from\` and \`until\` touch: whole ones, by the time zone and the billing periods of the asked organisation, but none goes on after now. At most ${maxBuckets}, and ${maxBucketsOfAll} of all organisations together. One with a test clock that stands earlier counts as it stands.`,
      extensions: costs({ weight: 500, sizedBy: countAskedBuckets }),
      args: {
        licence: t.arg.string({
          required: true,
          validate: text,
          description: 'Of the licence with this code.',
        }),
        from: t.arg({ type: 'DateTime', required: true, description: 'In the first bucket.' }),
        until: t.arg({ type: 'DateTime', required: true, description: 'Not in the last bucket any more.' }),
        bucket: t.arg({
          type: 'UsageBucketSize',
          required: true,
          defaultValue: 'HOUR',
          description: 'How long a bucket is.',
        }),
      },
      resolve: async (asked, { licence, from, until, bucket }, context) => {
        const { services } = context;
        const found = findLicence(await services.catalogue([licence as LicenceCode]), licence);
        if (isRefusal(found)) throw codedError(found);
        if (until <= from) throw codedError(invalidInput('until', '`until` is after `from`.'));
        const { root, organisations, at } = await getMembers(context, asked);
        const now = nowOf(root, at);
        const known = { from, until: earliest(until, now) };
        const most = Math.min(maxBuckets, Math.floor(maxBucketsOfAll / organisations.length));
        if (countBuckets(bucket, from, known.until) > most) throw codedError(tooManyBuckets(most));
        const periods =
          bucket === 'MONTH' && from < now ? await listBillingPeriods(services.db, root.id, known) : [];
        const edges = edgesOf(bucket, known, root.timeZone, periods).map((edge) => earliest(edge, now));
        if (edges.length > most + 1) throw codedError(tooManyBuckets(most));
        return readUsage(services, organisations, found.code, edges);
      },
    }),
    statements: t.field({
      type: 'TreeStatements',
      nullable: true,
      description:
        'What a month costs each of them: the month of the asked organisation’s billing period that an instant falls in, of each its own by its own zone. Null where the asked one has had none then.',
      extensions: costs({ weight: 2000 }),
      args: { period: t.arg({ type: 'DateTime', description: 'An instant of it; now if nothing is said.' }) },
      resolve: (asked, { period }, context) => statementsAt(context, asked, period),
    }),
    peaks: t.field({
      type: ['TreePeak'],
      nullable: true,
      description:
        'The contingency peaks of a month, as `statements` has the month: licences of which any organisation has one, in catalogue order.',
      extensions: costs({ weight: 2000, assumedSize: 30 }),
      args: { period: t.arg({ type: 'DateTime', description: 'An instant of it; now if nothing is said.' }) },
      resolve: async (asked, { period }, context) => {
        const statements = await statementsAt(context, asked, period);
        if (statements === null) return null;
        const sums = new Map(sumPeaks(statements).map((each) => [each.licence, each]));
        const catalogue = await context.services.catalogue([...sums.keys()]);
        return inCatalogueOrder(catalogue, sums.keys()).flatMap(({ code }) => sums.get(code) ?? []);
      },
    }),
    denialReport: t.field({
      type: 'TreeDenialReport',
      nullable: true,
      description: `The refusals of a time of at most 366 days and ${maxRefusals} refusals, all organisations together: by licence, reason and hour of the week, whether and when those refused got in, and how many seats were wanting in each. HISTORY_DROPPED where the changes of that time are kept no more in one of them.`,
      extensions: costs({ weight: 2000 }),
      args: {
        from: t.arg({ type: 'DateTime', required: true, description: 'Its first instant.' }),
        until: t.arg({
          type: 'DateTime',
          required: true,
          description: 'The first instant that is not in it; 366 days later at most.',
        }),
        licences: t.arg.stringList({ validate: codes, description: 'Only the licences with these codes.' }),
      },
      resolve: async (asked, { licences, ...period }, context) => {
        const refusal = decideReport(period);
        if (refusal !== null) throw codedError(refusal);
        const { organisations, at } = await getMembers(context, asked);
        return reportOf(
          context.services,
          organisations,
          at,
          period,
          (licences ?? null) as LicenceCode[] | null,
        );
      },
    }),
    alerts: t.field({
      type: 'AlertConnection',
      nullable: true,
      description: 'Thresholds that were reached in any of them, newest first by their own clocks.',
      extensions: costs({ weight: 100 }),
      args: {
        ...pageArguments(t.arg),
        acknowledged: t.arg.boolean({
          description: 'true: only acknowledged ones; false: only the others; both if nothing is said.',
        }),
      },
      resolve: async (asked, { acknowledged, ...page }, context) => {
        const { organisations } = await getMembers(context, asked);
        const { db } = context.services;
        const ids = organisations.map(({ id }) => id);
        return connect(
          newestAlertFirst,
          page,
          (request) => pageAlerts(db, ids, acknowledged ?? null, request),
          () => countAlerts(db, ids, acknowledged ?? null),
        );
      },
    }),
  }),
});

function tooManyBuckets(most: number) {
  return invalidInput(
    'until',
    `At most ${most} buckets, of so many organisations: ask for less time, or for longer ones.`,
  );
}

async function readUsage(
  { db }: Services,
  organisations: readonly Organisation[],
  licence: LicenceCode,
  edges: readonly Instant[],
): Promise<BucketRow[]> {
  const ids = organisations.map(({ id }) => id);
  const buckets = sumBuckets(
    await listBucketsOfMany(
      db,
      ids.map((organisationId) => ({ organisationId, licence })),
      edges,
    ),
  );
  const [first, last] = [buckets[0], buckets.at(-1)];
  if (first === undefined || last === undefined) return [];
  // Once for all buckets, and only if one of them is asked for it.
  let found: Promise<ReturnType<typeof togetherIn> | null> | null = null;
  const findTogether = () =>
    (found ??= listChangesOfMany(db, ids, licence, { from: first.from, until: last.until }, maxTogether).then(
      (all) => (all === null ? null : togetherIn(buckets, all.openings, all.changes)),
    ));
  return buckets.map((bucket, index) => {
    const pool = (name: 'concurrent' | 'contingency'): PoolBucket => ({
      ...bucket[name],
      findTogether: async () => (await findTogether())?.[index]?.[name] ?? null,
    });
    return { ...bucket, concurrent: pool('concurrent'), contingency: pool('contingency') };
  });
}

async function reportOf(
  { db, catalogue }: Services,
  organisations: readonly Organisation[],
  at: Instant,
  period: Period,
  licences: readonly LicenceCode[] | null,
): Promise<DenialReport> {
  const reported = organisations.map(({ id: organisationId, timeZone }) => ({ organisationId, timeZone }));
  const goneUntil = await findGoneUntilOfMany(
    db,
    reported.map(({ organisationId }) => organisationId),
  );
  const dropped = decideKept(goneUntil, firstLookedAt(period));
  if (dropped !== null) throw codedError(dropped);
  const [reports, known] = await Promise.all([readReports(db, reported, licences, period), catalogue()]);
  if (reports === null) {
    throw codedError(tooManyRefusals);
  }
  const presents = organisations.map((organisation) => nowOf(organisation, at));
  const found = closeReports(reports.map((report, index) => ({ report, now: presents[index] ?? at })));
  const sums = new Map(found.sums.map((each) => [each.licence, each]));
  const own = Map.groupBy(
    organisations.flatMap((organisation, index) =>
      (found.each[index] ?? []).map((denials) => ({ organisation, denials })),
    ),
    ({ denials }) => denials.licence,
  );
  return {
    ...period,
    licences: inCatalogueOrder(known, sums.keys()).flatMap(({ code }) => {
      const summed = sums.get(code);
      return summed === undefined ? [] : [{ ...summed, each: own.get(code) ?? [] }];
    }),
  };
}

builder.objectField('Organisation', 'tree', (t) =>
  t.field({
    type: 'Tree',
    nullable: true,
    description: 'The organisation and all below it, together: what a partner’s customers have and use.',
    extensions: costs({ weight: 100 }),
    resolve: (organisation) => organisation,
  }),
);
