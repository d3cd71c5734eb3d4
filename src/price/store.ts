import { forRows, type Of } from '../database/bulk.ts';
import type { Database } from '../database/database.ts';
import { keyset, type PageRequest } from '../database/page.ts';
import type { Transaction } from '../database/transaction.ts';
import type { Instant } from '../kernel/clock.ts';
import { nowhere, type OrganisationId } from '../kernel/ids.ts';
import type { Currency } from '../kernel/money.ts';
import { type BillingTerms, defaultTerms, type PriceEntry, type ReachingEntry } from './domain.ts';

/** Of an organisation's book, or of the operator's, which is `nowhere`'s. */
export async function insertPrice(
  trx: Transaction,
  organisationId: OrganisationId,
  entry: PriceEntry,
): Promise<void> {
  await trx
    .insertInto('price')
    .values({ organisationId, ...entry })
    .execute();
}

/**
 * The entries of the organisation and of all above it that hold at `from`, then those that come to hold before `until`, in
 * the order in which they do. PostgreSQL answers them over the wall, of an organisation that the caller may see.
 */
export async function listReachingEntries(
  db: Database,
  organisationId: OrganisationId,
  currency: Currency,
  from: Instant,
  until: Instant,
): Promise<readonly ReachingEntry[]> {
  return listReachingEntriesOfMany(db, [{ organisationId, currency, from, until }]);
}

/** As `listReachingEntries`, of many organisations at once, each in a currency and over a period of its own. */
export const listReachingEntriesOfMany = forRows<Of<ReachingEntry>>(`
  select given.organisation_id, entry.height, entry.kind, entry.licence, entry.amount, entry."from"
  from $given cross join lateral (
    select * from prices_over(given.organisation_id, given.currency, given."from", given.until) offset 0) entry
  order by entry."from", entry.id`)({
  organisationId: 'uuid',
  currency: 'text',
  from: 'timestamptz',
  until: 'timestamptz',
});

/** An entry of the operator's book, with its place in the order in which they were set. */
export interface BookEntry extends PriceEntry {
  readonly id: number;
}

/** The operator's book, the last set first. */
export async function pageBook(db: Database, page: PageRequest): Promise<BookEntry[]> {
  const { where, orderBy } = keyset(page, 'desc', ['id']);
  const rows = await db
    .selectFrom('price')
    .select(['id', 'licence', 'kind', 'currency', 'amount', 'from'])
    .where('organisationId', '=', nowhere)
    .where(where)
    .orderBy(orderBy)
    .limit(page.limit)
    .execute();
  return rows.map((row) => ({ ...row, currency: row.currency as Currency }));
}

export async function countBook(db: Database): Promise<number> {
  const { count } = await db
    .selectFrom('price')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('organisationId', '=', nowhere)
    .executeTakeFirstOrThrow();
  return count;
}

/** The terms of an organisation's month: its own, those of the nearest above it, or the default. */
export async function getTerms(
  db: Database,
  organisationId: OrganisationId,
  month: number,
): Promise<BillingTerms> {
  const [{ currency, partialMonths } = defaultTerms] = await listTermsOfMany(db, [{ organisationId, month }]);
  return { currency, partialMonths };
}

/** Of many organisations at once, their own terms or those of the nearest above; those that get the default are missing. */
export const listTermsOfMany = forRows<Of<BillingTerms>>(`
  select given.organisation_id, terms.* from $given cross join lateral (
    select currency, partial_months from terms_over(given.organisation_id, given.month) offset 0) terms`)({
  organisationId: 'uuid',
  month: 'integer',
});

/** From a month on, until the next that has terms. */
export async function saveTerms(
  trx: Transaction,
  organisationId: OrganisationId,
  month: number,
  terms: BillingTerms,
): Promise<void> {
  await trx
    .insertInto('billingTerms')
    .values({ organisationId, month, ...terms })
    .onConflict((conflict) => conflict.columns(['organisationId', 'month']).doUpdateSet(terms))
    .execute();
}
