import { builder } from '../graphql/builder.ts';
import { costs } from '../graphql/cost.ts';
import { createLoader } from '../graphql/loader.ts';
import type { OrganisationId } from '../kernel/ids.ts';
import { hasBaseLicences, type Licence } from '../licence/domain.ts';
import { readTrees } from './commands.ts';
import type { Tree, TreeLicence } from './domain.ts';

/** Sums of one kind of seats. */
interface SeatSums {
  readonly total: number;
  readonly used: number;
  readonly available: number;
}

type Overallocable = SeatSums & { readonly overAllocated: number };

/** A licence's sums with the licence at hand, which says what it is sold as. */
type Row = TreeLicence & { readonly sold: Licence };

declare module '../graphql/builder.ts' {
  interface Objects {
    Tree: Tree;
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

builder.objectType('Tree', {
  description: 'An organisation and all below it, together.',
  fields: (t) => ({
    organisations: t.exposeInt('organisations', { description: 'How many they are, itself included.' }),
    activeUsers: t.expose('activeUsers', {
      type: 'SafeInt',
      description: 'Their users that are ACTIVE now.',
    }),
    activeInBillingPeriod: t.expose('activeInBillingPeriod', {
      type: 'SafeInt',
      description: 'Their users that were ACTIVE at any instant of their billing period so far.',
    }),
    licences: t.field({
      type: ['TreeLicence'],
      description: 'Each licence that any of them has a row of, in catalogue order.',
      extensions: costs({ assumedSize: 30 }),
      resolve: ({ licences }, _args, context) =>
        Promise.all(
          licences.map(async (row) => ({ ...row, sold: await context.getLicence(context, row.licence) })),
        ),
    }),
  }),
});

builder.objectField('Organisation', 'tree', (t) =>
  t.field({
    type: 'Tree',
    nullable: true,
    description: 'The organisation and all below it, together: what a partner’s customers have and use.',
    extensions: costs({ weight: 100 }),
    resolve: ({ id }, _args, context) => findTree(context, id),
  }),
);
