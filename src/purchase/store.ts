import { type Selectable, sql } from 'kysely';
import type { Database } from '../database/database.ts';
import { forRows, type Of, spanColumns } from '../database/bulk.ts';
import { keyset, type PageRequest } from '../database/page.ts';
import type { Purchase as Row } from '../database/tables.ts';
import type { Transaction } from '../database/transaction.ts';
import type { Instant } from '../kernel/clock.ts';
import type { LicenceCode, OrganisationId, PurchaseId } from '../kernel/ids.ts';
import type { Purchase, Quantities } from './domain.ts';

function toPurchase({ organisationId: _, ...purchase }: Selectable<Row>): Purchase {
  return purchase;
}

export async function listPurchases(
  db: Database,
  organisationId: OrganisationId,
  ids: readonly PurchaseId[],
): Promise<Purchase[]> {
  const rows = await db
    .selectFrom('purchase')
    .selectAll()
    .where('organisationId', '=', organisationId)
    .where('id', 'in', ids)
    .execute();
  return rows.map(toPurchase);
}

/** Those of the organisations that start or end after `settledAt`, up to and with `now`. */
export const listDuePurchases = forRows<Of<Purchase>>(`
  select purchase.* from $given cross join lateral (
    -- Two index ranges: one \`or\` over both columns would read the organisation's every purchase.
    select * from purchase
    where organisation_id = given.organisation_id and "from" > given.settled_at and "from" <= given.now
    union
    select * from purchase
    where organisation_id = given.organisation_id and until > given.settled_at and until <= given.now
  ) purchase`)(spanColumns);

/**
 * Those of the licences that end after `from`, or never, and start before `until`; also such as were cancelled.
 * @param licences each with the period that is asked for
 */
export const listPurchasesIn = forRows<Of<Purchase>>(`
  select purchase.* from $given cross join lateral (
    select * from purchase
    where organisation_id = given.organisation_id and licence = given.licence and until > given."from"
      and "from" < given.until
    union all
    select * from purchase
    where organisation_id = given.organisation_id and licence = given.licence and until is null
      and "from" < given.until
  ) purchase`)({ organisationId: 'uuid', licence: 'text', from: 'timestamptz', until: 'timestamptz' });

/** Those of one licence that brought or took shared seats at that very instant; at most 100, the first recorded first. */
export async function listPurchasesTurning(
  db: Database,
  organisationId: OrganisationId,
  licence: LicenceCode,
  at: Instant,
): Promise<Purchase[]> {
  const rows = await db
    .selectFrom('purchase')
    .selectAll()
    .where('organisationId', '=', organisationId)
    .where('licence', '=', licence)
    .where((is) => is.or([is('from', '=', at), is('until', '=', at)]))
    // One that was cancelled was never in force (P4).
    .where((is) => is.or([is('until', 'is', null), is('until', '>', is.ref('from'))]))
    .where((is) => is.or([is('concurrent', '>', 0), is('contingency', '>', 0)]))
    .orderBy('recordedAt')
    .orderBy('id')
    .limit(100)
    .execute();
  return rows.map(toPurchase);
}

/** Those of one licence that have not ended: in force, or to come. */
export async function listOpenPurchases(
  db: Database,
  organisationId: OrganisationId,
  licence: LicenceCode,
  now: Instant,
): Promise<Purchase[]> {
  const rows = await db
    .selectFrom('purchase')
    .selectAll()
    .where('organisationId', '=', organisationId)
    .where('licence', '=', licence)
    .where(({ eb, or }) => or([eb('until', 'is', null), eb('until', '>', now)]))
    .execute();
  return rows.map(toPurchase);
}

/** The sum of a licence's purchases that have not ended. */
export async function sumOpenPurchases(
  db: Database,
  organisationId: OrganisationId,
  licence: LicenceCode,
  now: Instant,
): Promise<Quantities> {
  return db
    .selectFrom('purchase')
    .select([
      sql<number>`coalesce(sum(base), 0)::int8`.as('base'),
      sql<number>`coalesce(sum(concurrent), 0)::int8`.as('concurrent'),
      sql<number>`coalesce(sum(contingency), 0)::int8`.as('contingency'),
    ])
    .where('organisationId', '=', organisationId)
    .where('licence', '=', licence)
    .where(({ eb, or }) => or([eb('until', 'is', null), eb('until', '>', now)]))
    .executeTakeFirstOrThrow();
}

export async function insertPurchase(
  trx: Transaction,
  organisationId: OrganisationId,
  purchase: Purchase,
): Promise<void> {
  await trx
    .insertInto('purchase')
    .values({ organisationId, ...purchase })
    .execute();
}

export async function updatePurchaseEnd(
  trx: Transaction,
  organisationId: OrganisationId,
  id: PurchaseId,
  until: Instant,
): Promise<void> {
  await trx
    .updateTable('purchase')
    .set({ until })
    .where('organisationId', '=', organisationId)
    .where('id', '=', id)
    .execute();
}

/** Newest first, by when they were recorded. */
export async function pagePurchases(
  db: Database,
  organisationId: OrganisationId,
  licence: LicenceCode | null,
  page: PageRequest,
): Promise<Purchase[]> {
  const { where, orderBy } = keyset(page, 'desc', ['recordedAt', 'id']);
  const rows = await purchasesOf(db, organisationId, licence)
    .selectAll()
    .where(where)
    .orderBy(orderBy)
    .limit(page.limit)
    .execute();
  return rows.map(toPurchase);
}

export async function countPurchases(
  db: Database,
  organisationId: OrganisationId,
  licence: LicenceCode | null,
): Promise<number> {
  const { count } = await purchasesOf(db, organisationId, licence)
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return count;
}

function purchasesOf(db: Database, organisationId: OrganisationId, licence: LicenceCode | null) {
  const purchases = db.selectFrom('purchase').where('organisationId', '=', organisationId);
  return licence === null ? purchases : purchases.where('licence', '=', licence);
}
