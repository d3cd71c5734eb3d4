import { forRows } from '../database/bulk.ts';
import type { Transaction } from '../database/transaction.ts';
import type { Instant } from '../kernel/clock.ts';
import type { OrganisationId } from '../kernel/ids.ts';
import type { Tree, TreeLicence } from './domain.ts';

/** Each tree's organisations, by its root. */
const below = `with recursive below as (
    select given.organisation_id as root, organisation.id
    from $given join organisation on organisation.id = given.organisation_id
    union all
    select below.root, organisation.id from below join organisation on organisation.parent_id = below.id
  )`;

type Rooted<Thing> = Thing & { readonly root: OrganisationId };

const selectOrganisations = forRows<Rooted<Omit<TreeRead, 'licences'>>>(`
  ${below}
  select root, count(*) as organisations, sum(active_users) as active_users,
    sum(active_in_billing_period) as active_in_billing_period,
    coalesce(array_agg(id) filter (where next_due_at
      <= case when test_clock then settled_at else greatest(settled_at, present.now) end), '{}') as due
  from below join organisation using (id) cross join (select max(given.now) as now from $given) present
  group by root`)({ organisationId: 'uuid', now: 'timestamptz' });

/**
 * What a pool's own row shows, reckoned once more as in usage/domain.ts: the sums of thousands of rows are a few, while
 * the rows would all have to be sent. test/scenario/tree.test.ts holds that the two agree.
 */
const selectLicences = forRows<Rooted<TreeLicence>>(`
  ${below}, seats as (
    select below.root, pool.*,
      least(greatest(pool.in_use - pool.concurrent_total, 0), pool.contingency_total) as contingency_used
    from below cross join lateral (
      select * from pool where organisation_id = below.id and (purchases > 0 or holders > 0) offset 0) pool
  )
  select root, licence, count(*) as organisations, sum(holders) as holders,
    sum(base_total) as base_total,
    sum(assigned + reusable + locked) as base_used,
    sum(reusable) as base_reusable,
    sum(greatest(base_total - assigned - locked, 0)) as base_available,
    sum(greatest(assigned + locked - base_total, 0)) as base_over_allocated,
    sum(concurrent_total) as concurrent_total,
    sum(least(in_use, concurrent_total)) as concurrent_used,
    sum(greatest(concurrent_total - in_use, 0)) as concurrent_available,
    sum(greatest(in_use - concurrent_total - contingency_total, 0)) as concurrent_over_allocated,
    sum(contingency_total) as contingency_total,
    sum(contingency_used) as contingency_used,
    sum(contingency_total - contingency_used) as contingency_available,
    sum(max_used) as max_used,
    sum(greatest(max_used - contingency_used, 0)) as paid_headroom
  from seats join licence on licence.code = seats.licence
  group by root, licence, position
  order by position`)({ organisationId: 'uuid' });

/** A tree as the database shows it. */
interface TreeRead extends Tree {
  /** Those of its organisations in which something is due that has not taken effect: their figures are to come. */
  readonly due: readonly OrganisationId[];
}

/**
 * The trees of these organisations, those that exist, each with what the database shows of it.
 * @param trx a snapshot: both statements must tell of one moment
 * @param now real time, by which what is due is told
 */
export async function listTrees(
  trx: Transaction,
  ids: readonly OrganisationId[],
  now: Instant,
): Promise<ReadonlyMap<OrganisationId, TreeRead>> {
  const roots = ids.map((organisationId) => ({ organisationId, now }));
  const [trees, licences] = await Promise.all([selectOrganisations(trx, roots), selectLicences(trx, roots)]);
  const ofRoot = Map.groupBy(licences, ({ root }) => root);
  return new Map(trees.map(({ root, ...tree }) => [root, { ...tree, licences: ofRoot.get(root) ?? [] }]));
}
