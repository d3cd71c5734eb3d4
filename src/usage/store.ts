import type { Selectable } from 'kysely';
import type { Database } from '../database/database.ts';
import { forRows, insertInto, type Of, parted, placed } from '../database/bulk.ts';
import { keyset, type PageRequest } from '../database/page.ts';
import type { Pool as Row } from '../database/tables.ts';
import type { Transaction } from '../database/transaction.ts';
import type { DepartmentId, LicenceCode, OrganisationId } from '../kernel/ids.ts';
import { type Counters, type HistoryEntry, noneRaised, type Pool } from './domain.ts';

/** allotments are null where the licence is not allotted. */
type Read = Selectable<Row> & { readonly allotments: string | null };

function toCounters<Row extends Read>({ organisationId: _, revision: __, allotments, ...counters }: Row) {
  return { ...counters, allotments: allotments === null ? [] : toAllotments(allotments) };
}

/** As `allotted` writes them. */
type AllotmentRow = readonly [
  departmentId: DepartmentId,
  reserved: number,
  maximum: number | null,
  inUse: number,
];

function toAllotments(text: string): Counters['allotments'] {
  return (JSON.parse(text) as readonly AllotmentRow[]).map(([departmentId, reserved, maximum, inUse]) => ({
    ...{ departmentId, reserved, maximum, inUse },
  }));
}

/**
 * What is kept beside the pools is looked up once an organisation, by licence: joined row by row, it cost twice as much.
 * Allotments are text of arrays without names: of 100 departments with a part of every licence, jsonb of objects cost four
 * times as much, at every logon.
 */
const allotted = `cross join lateral (
    select jsonb_object_agg(licence, departments) as departments from (
      select licence, json_agg(json_build_array(department_id, reserved, maximum, in_use) order by department_id)::text
        as departments
      from allotment where organisation_id = given.organisation_id group by licence) licences offset 0) allotted`;
const watched = `cross join lateral (
    select jsonb_object_agg(licence, jsonb_build_object(
      'contingencyCap', contingency_cap, 'caps', caps, 'thresholds', thresholds, 'raised', raised)) as watches
    from pool_watch where organisation_id = given.organisation_id offset 0) watched`;
/** Of a page's rows only the caps count. */
const capped = `cross join lateral (
    select jsonb_object_agg(licence, contingency_cap) as caps
    from pool_watch where organisation_id = given.organisation_id and contingency_cap is not null offset 0) capped`;

type Watch = Pick<Pool, (typeof watchKeys)[number]>;

/** Of a pool for which nothing is set, and of which nothing has been said. */
const unwatched: Watch = { contingencyCap: null, caps: null, thresholds: null, raised: noneRaised };

const selectPools = forRows<Read & { readonly watch: Watch | null }>(`
  select pool.*, allotted.departments ->> pool.licence as allotments, watched.watches -> pool.licence as watch
  from $given ${allotted} ${watched} cross join lateral (
    select * from pool where organisation_id = given.organisation_id offset 0) pool`)({
  organisationId: 'uuid',
});

/** Every pool of the organisations: at most one a licence of the catalogue. */
export async function listPools(
  db: Database,
  organisationIds: readonly OrganisationId[],
): Promise<ReadonlyMap<OrganisationId, ReadonlyMap<LicenceCode, Pool>>> {
  const rows = await selectPools(
    db,
    organisationIds.map((organisationId) => ({ organisationId })),
  );
  const pools = new Map(organisationIds.map((id) => [id, new Map<LicenceCode, Pool>()]));
  for (const row of rows) {
    const { watch, ...counters } = toCounters(row);
    pools.get(row.organisationId)?.set(row.licence, { ...counters, ...(watch ?? unwatched) });
  }
  return pools;
}

/** A pool as the Licence Mapping page shows it: with the revision at which the row last changed (C5). */
export interface MappedPool {
  readonly organisationId: OrganisationId;
  readonly pool: Counters;
  readonly revision: number;
  readonly activeUsers: number;
  readonly activeInBillingPeriod: number;
}

type MappedRow = Read & {
  readonly contingencyCap: number | null;
  readonly rowRevision: number;
  readonly activeUsers: number;
  readonly activeInBillingPeriod: number;
};

const selectMapped = (which: string) => `
  select pool.*, organisation.active_users, organisation.active_in_billing_period,
    greatest(pool.revision, organisation.rows_revision) as row_revision,
    allotted.departments ->> pool.licence as allotments, (capped.caps ->> pool.licence)::integer as contingency_cap
  from $given ${allotted} ${capped}
  join organisation on organisation.id = given.organisation_id
  cross join lateral (select * from pool where pool.organisation_id = given.organisation_id offset 0) pool
  join licence on licence.code = pool.licence
  where ${which}
  order by pool.organisation_id, licence.position`;

const selectPage = forRows<MappedRow>(selectMapped('(pool.purchases > 0 or pool.holders > 0)'))({
  organisationId: 'uuid',
});
const selectChanged = forRows<MappedRow>(
  selectMapped('greatest(pool.revision, organisation.rows_revision) > given.since'),
)({ organisationId: 'uuid', since: 'bigint' });

/**
 * The rows of the Licence Mapping page, in catalogue order (C6). The row's own counters and the organisation's are
 * read by one statement, so they are of one moment.
 * @param since only the rows that changed after this revision, also those that ceased to belong to the page
 */
export async function listMappedPools(
  db: Database,
  organisationIds: readonly OrganisationId[],
  since: number | null = null,
): Promise<MappedPool[]> {
  const rows =
    since === null
      ? await selectPage(
          db,
          organisationIds.map((organisationId) => ({ organisationId })),
        )
      : await selectChanged(
          db,
          organisationIds.map((organisationId) => ({ organisationId, since })),
        );
  return rows.map(({ rowRevision, activeUsers, activeInBillingPeriod, ...row }) => ({
    organisationId: row.organisationId,
    pool: toCounters(row),
    revision: rowRevision,
    activeUsers,
    activeInBillingPeriod,
  }));
}

/** What admission alone changes of a pool. */
export const useKeys = [
  'inUse',
  'maxUsed',
  'maxUsedAt',
  'allotments',
] as const satisfies readonly (keyof Pool)[];

const updateUse = forRows(`
  update pool set
    in_use = given.in_use, max_used = given.max_used, max_used_at = given.max_used_at, revision = given.revision
  from ${placed('pool', ['organisationId', 'licence'])}
  where pool.ctid = place`)({
  organisationId: 'uuid',
  licence: 'text',
  inUse: 'integer',
  maxUsed: 'integer',
  maxUsedAt: 'timestamptz',
  revision: 'bigint',
});

const saveWhole = insertInto(
  'pool',
  `on conflict (organisation_id, licence) do update set
    base_total = excluded.base_total,
    concurrent_total = excluded.concurrent_total,
    contingency_total = excluded.contingency_total,
    in_use = excluded.in_use,
    max_used = excluded.max_used,
    max_used_at = excluded.max_used_at,
    assigned = excluded.assigned,
    reusable = excluded.reusable,
    locked = excluded.locked,
    holders = excluded.holders,
    purchases = excluded.purchases,
    revision = excluded.revision`,
)({
  organisationId: 'uuid',
  licence: 'text',
  baseTotal: 'integer',
  concurrentTotal: 'integer',
  contingencyTotal: 'integer',
  inUse: 'integer',
  maxUsed: 'integer',
  maxUsedAt: 'timestamptz',
  assigned: 'integer',
  reusable: 'integer',
  locked: 'integer',
  holders: 'integer',
  purchases: 'integer',
  revision: 'bigint',
});

/** What is set for a pool, and what has been said of it. */
export const watchKeys = [
  'contingencyCap',
  'caps',
  'thresholds',
  'raised',
] as const satisfies readonly (keyof Pool)[];

const saveWatches = insertInto(
  'poolWatch',
  `on conflict (organisation_id, licence) do update set
    contingency_cap = excluded.contingency_cap,
    caps = excluded.caps,
    thresholds = excluded.thresholds,
    raised = excluded.raised`,
)({
  organisationId: 'uuid',
  licence: 'text',
  contingencyCap: 'integer',
  caps: 'jsonb',
  thresholds: 'jsonb',
  raised: 'jsonb',
});

/**
 * Writes pools as they are now, under the revision of the change (C5).
 * @param pools those with `isUseOnly` are there already, and changed at most `useKeys` and `watchKeys`; those with `isWatchChanged`
 *   changed some of `watchKeys`
 */
export async function savePools(
  trx: Transaction,
  pools: readonly Of<
    Pool & { readonly revision: number; readonly isUseOnly: boolean; readonly isWatchChanged: boolean }
  >[],
): Promise<void> {
  const [uses, wholes] = parted(pools, ({ isUseOnly }) => isUseOnly);
  const watches = pools
    .filter(({ isWatchChanged }) => isWatchChanged)
    .map(({ caps, thresholds, raised, ...pool }) => ({
      ...pool,
      caps: asJson(caps),
      thresholds: asJson(thresholds),
      raised: asJson(raised),
    }));
  await Promise.all([updateUse(trx, uses), saveWhole(trx, wholes), saveWatches(trx, watches)]);
}

function asJson(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value);
}

const insertEntries = insertInto('history')({
  organisationId: 'uuid',
  at: 'timestamptz',
  kind: 'history_kind',
  licence: 'text',
  userId: 'uuid',
  sessionId: 'uuid',
  admittedAs: 'admitted_as',
  seatChanged: 'boolean',
  inUse: 'integer',
  concurrentTotal: 'integer',
  contingencyTotal: 'integer',
  maxUsed: 'integer',
  due: 'boolean',
});

/** Append-only: a row is never changed or removed. Rows are numbered in the order given. */
export async function insertHistory(trx: Transaction, entries: readonly Of<HistoryEntry>[]): Promise<void> {
  const noSeat = { userId: null, sessionId: null, admittedAs: null };
  await insertEntries(
    trx,
    entries.map((entry) => ({ ...entry, ...(entry.seat ?? noSeat) })),
  );
}

/** One line of the history, as it was recorded. */
export type RecordedEntry = Awaited<ReturnType<typeof pageHistory>>[number];

/** Newest first. */
export async function pageHistory(
  db: Database,
  organisationId: OrganisationId,
  licence: LicenceCode | null,
  page: PageRequest,
) {
  const { where, orderBy } = keyset(page, 'desc', ['id']);
  return historyOf(db, organisationId, licence)
    .selectAll()
    .where(where)
    .orderBy(orderBy)
    .limit(page.limit)
    .execute();
}

export async function countHistory(
  db: Database,
  organisationId: OrganisationId,
  licence: LicenceCode | null,
): Promise<number> {
  const { count } = await historyOf(db, organisationId, licence)
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return count;
}

function historyOf(db: Database, organisationId: OrganisationId, licence: LicenceCode | null) {
  const history = db.selectFrom('history').where('organisationId', '=', organisationId);
  return licence === null ? history : history.where('licence', '=', licence);
}
