import { countAlertsOfMany, pageAlertsOfMany } from '../alert/store.ts';
import { builder, type Objects } from '../graphql/builder.ts';
import { connect, type Connection, type Order, pageArguments } from '../graphql/connection.ts';
import type { Context } from '../graphql/context.ts';
import { costs } from '../graphql/cost.ts';
import { codedError } from '../graphql/errors.ts';
import { text } from '../graphql/input.ts';
import { createLoader } from '../graphql/loader.ts';
import { earliest, type Instant } from '../kernel/clock.ts';
import type { LicenceCode, OrganisationId } from '../kernel/ids.ts';
import { invalidInput, isRefusal } from '../kernel/refusal.ts';
import { findLicence, hasBaseLicences, type Licence } from '../licence/domain.ts';
import type { Services } from '../live/services.ts';
import { nowOf, type Organisation } from '../organisation/domain.ts';
import { listBillingPeriods } from '../organisation/store.ts';
import { countAskedBuckets, countBuckets, edgesOf, maxBuckets } from '../usage-history/domain.ts';
import { listBucketsOfMany, listChangesOfMany } from '../usage-history/store.ts';
import { readMembers, readTrees } from './commands.ts';
import {
  maxBucketsOfAll,
  maxTogether,
  type Members,
  type PoolSums,
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

declare module '../graphql/builder.ts' {
  interface Objects {
    Tree: Organisation;
    AlertConnection: Connection<Objects['Alert']>;
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
        const known = { from, until: earliest(until, now) ?? now };
        const most = Math.min(maxBuckets, Math.floor(maxBucketsOfAll / organisations.length));
        if (countBuckets(bucket, from, known.until) > most) throw codedError(tooManyBuckets(most));
        const periods =
          bucket === 'MONTH' && from < now ? await listBillingPeriods(services.db, root.id, known) : [];
        const edges = edgesOf(bucket, known, root.timeZone, periods).map((edge) => (edge > now ? now : edge));
        if (edges.length > most + 1) throw codedError(tooManyBuckets(most));
        return readUsage(services, organisations, found.code, edges);
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
          (request) => pageAlertsOfMany(db, ids, acknowledged ?? null, request),
          () => countAlertsOfMany(db, ids, acknowledged ?? null),
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
  const buckets = sumBuckets(await listBucketsOfMany(db, ids, licence, edges));
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

builder.objectField('Organisation', 'tree', (t) =>
  t.field({
    type: 'Tree',
    nullable: true,
    description: 'The organisation and all below it, together: what a partner’s customers have and use.',
    extensions: costs({ weight: 100 }),
    resolve: (organisation) => organisation,
  }),
);
