import { type Selectable, sql } from 'kysely';
import type { Database } from '../database/database.ts';
import { inChunks, keyset, type PageRequest } from '../database/page.ts';
import type { Pool as Row } from '../database/tables.ts';
import type { Transaction } from '../database/transaction.ts';
import type { LicenceCode, OrganisationId } from '../kernel/ids.ts';
import type { HistoryEntry, Pool } from './domain.ts';

function toPool({ organisationId: _, revision: __, ...pool }: Selectable<Row>): Pool {
  return pool;
}

/** Every pool of an organisation: at most one a licence of the catalogue. */
export async function listPools(
  db: Database,
  organisationId: OrganisationId,
): Promise<ReadonlyMap<LicenceCode, Pool>> {
  const rows = await db.selectFrom('pool').selectAll().where('organisationId', '=', organisationId).execute();
  return new Map(rows.map((row) => [row.licence, toPool(row)]));
}

/** A pool as the Licence Mapping page shows it: with the revision at which the row last changed (C5). */
export interface MappedPool {
  readonly organisationId: OrganisationId;
  readonly pool: Pool;
  readonly revision: number;
  readonly activeUsers: number;
  readonly activeInBillingPeriod: number;
}

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
  const rows = await db
    .selectFrom('pool')
    .innerJoin('organisation', 'organisation.id', 'pool.organisationId')
    .innerJoin('licence', 'licence.code', 'pool.licence')
    .selectAll('pool')
    .select(['organisation.activeUsers', 'organisation.activeInBillingPeriod'])
    .select(sql<number>`greatest(pool.revision, organisation.rows_revision)`.as('rowRevision'))
    .where('pool.organisationId', 'in', organisationIds)
    .where(
      since === null
        ? sql<boolean>`(pool.purchases > 0 or pool.holders > 0)`
        : sql<boolean>`greatest(pool.revision, organisation.rows_revision) > ${since}`,
    )
    .orderBy('pool.organisationId')
    .orderBy('licence.position')
    .execute();
  return rows.map(({ rowRevision, activeUsers, activeInBillingPeriod, ...row }) => ({
    organisationId: row.organisationId,
    pool: toPool(row),
    revision: rowRevision,
    activeUsers,
    activeInBillingPeriod,
  }));
}

export async function savePools(
  trx: Transaction,
  organisationId: OrganisationId,
  pools: readonly Pool[],
  revision: number,
): Promise<void> {
  if (pools.length === 0) return;
  await trx
    .insertInto('pool')
    .values(pools.map((pool) => ({ organisationId, revision, ...pool })))
    .onConflict((conflict) =>
      conflict.columns(['organisationId', 'licence']).doUpdateSet(({ ref }) => ({
        baseTotal: ref('excluded.baseTotal'),
        concurrentTotal: ref('excluded.concurrentTotal'),
        contingencyTotal: ref('excluded.contingencyTotal'),
        inUse: ref('excluded.inUse'),
        maxUsed: ref('excluded.maxUsed'),
        maxUsedAt: ref('excluded.maxUsedAt'),
        assigned: ref('excluded.assigned'),
        reusable: ref('excluded.reusable'),
        locked: ref('excluded.locked'),
        holders: ref('excluded.holders'),
        purchases: ref('excluded.purchases'),
        revision: ref('excluded.revision'),
      })),
    )
    .execute();
}

/** Append-only: a row is never changed or removed. */
export async function insertHistory(
  trx: Transaction,
  organisationId: OrganisationId,
  history: readonly HistoryEntry[],
): Promise<void> {
  await inChunks(history, (chunk) =>
    trx
      .insertInto('history')
      .values(
        chunk.map(({ seat, ...entry }) => ({
          organisationId,
          ...entry,
          userId: seat?.userId ?? null,
          sessionId: seat?.sessionId ?? null,
          admittedAs: seat?.admittedAs ?? null,
        })),
      )
      .execute(),
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
