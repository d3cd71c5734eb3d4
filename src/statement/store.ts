import type { Selectable } from 'kysely';
import { forRows, insertInto, type Of } from '../database/bulk.ts';
import type { Database } from '../database/database.ts';
import { keyset, type PageRequest } from '../database/page.ts';
import type { Statement as Row, StatementLine as LineRow } from '../database/tables.ts';
import type { Transaction } from '../database/transaction.ts';
import { instant } from '../kernel/clock.ts';
import type { LicenceCode, OrganisationId } from '../kernel/ids.ts';
import type { Currency } from '../kernel/money.ts';
import type { BillingPeriod, Month } from '../organisation/domain.ts';
import type { ContractOptions } from '../peak/domain.ts';
import type {
  BilledPeak,
  ClosedPeriod,
  CountedPurchase,
  Evidence,
  Peak,
  Statement,
  StatementLine,
  StatementWithLines,
} from './domain.ts';

/** Terms and the contract's options are not loaded for every logon: they are looked up when a month ends. */
const insertPeriods = forRows(`
  insert into closed_period (organisation_id, month, time_zone, active_in_billing_period, minimum_peak_minutes,
    currency, partial_months)
  select given.organisation_id, given.month, given.time_zone, given.active_in_billing_period,
    coalesce((select minimum_peak_minutes from contract_option where organisation_id = given.organisation_id), 0),
    coalesce(terms.currency, given.currency), coalesce(terms.partial_months, given.partial_months)
  from $given left join lateral terms_over(given.organisation_id, given.month) terms on true`)({
  organisationId: 'uuid',
  month: 'integer',
  timeZone: 'text',
  activeInBillingPeriod: 'integer',
  currency: 'text',
  partialMonths: 'partial_months',
});

const insertCloses = insertInto('periodClose')({
  organisationId: 'uuid',
  month: 'integer',
  licence: 'text',
  baseTotal: 'integer',
  concurrentTotal: 'integer',
  contingencyTotal: 'integer',
  maxUsed: 'integer',
  maxUsedAt: 'timestamptz',
});

/**
 * What months were when they ended, in the transaction that ends them. Nothing is sent where none did.
 * @param defaultTerms by which are billed those for which nobody has any terms
 */
export async function insertClosedPeriods(
  trx: Transaction,
  closed: readonly Of<ClosedPeriod>[],
  defaultTerms: Terms,
): Promise<void> {
  await Promise.all([
    insertPeriods(
      trx,
      closed.map((period) => ({ ...period, ...defaultTerms })),
    ),
    insertCloses(
      trx,
      closed.flatMap(({ organisationId, month, pools }) =>
        pools.map((pool) => ({ ...pool, organisationId, month })),
      ),
    ),
  ]);
}

type Terms = Pick<Statement, 'currency' | 'partialMonths'>;

/** A month whose statement is still to be written, with its edges. */
export interface DuePeriod extends BillingPeriod {
  readonly timeZone: string;
  readonly activeInBillingPeriod: number;
  /** The contract's when the month ended. */
  readonly minimumPeakMinutes: number;
  /** Those that held then; null: they were not kept yet. */
  readonly terms: Terms | null;
}

/** The months of the organisation whose statements are still to be written, the earliest first. */
export async function listDuePeriods(
  db: Database,
  organisationId: OrganisationId,
  limit: number,
): Promise<DuePeriod[]> {
  const rows = await db
    .selectFrom('closedPeriod')
    .innerJoin('billingPeriod', (join) =>
      join
        .onRef('billingPeriod.organisationId', '=', 'closedPeriod.organisationId')
        .onRef('billingPeriod.month', '=', 'closedPeriod.month'),
    )
    .select([
      'closedPeriod.month',
      'billingPeriod.from',
      'billingPeriod.until',
      'closedPeriod.timeZone',
      'closedPeriod.activeInBillingPeriod',
      'closedPeriod.minimumPeakMinutes',
      'closedPeriod.currency',
      'closedPeriod.partialMonths',
    ])
    .where('closedPeriod.organisationId', '=', organisationId)
    .where('closedPeriod.statementNumber', 'is', null)
    .orderBy('closedPeriod.month')
    .limit(limit)
    .execute();
  return rows.map(({ currency, partialMonths, ...row }) => ({
    ...row,
    terms:
      currency === null || partialMonths === null ? null : { currency: currency as Currency, partialMonths },
  }));
}

/** Organisations with a month whose statement is still to be written, in the order of their ids. */
export async function listOrganisationIdsDue(
  db: Database,
  after: OrganisationId | null,
  limit: number,
): Promise<OrganisationId[]> {
  const rows = await db
    .selectFrom('closedPeriod')
    .select('organisationId')
    .distinct()
    .where('statementNumber', 'is', null)
    .$if(after !== null, (query) => query.where('organisationId', '>', after))
    .orderBy('organisationId')
    .limit(limit)
    .execute();
  return rows.map(({ organisationId }) => organisationId);
}

/** Of these organisations those with a month whose statement is still to be written. */
export const listDueAmong = forRows<{ readonly organisationId: OrganisationId }>(`
  select given.organisation_id from $given cross join lateral (
    select from closed_period
    where closed_period.organisation_id = given.organisation_id and statement_number is null limit 1) due`)({
  organisationId: 'uuid',
});

/** Of every licence that had been bought when the month ended. */
export async function listPeaks(db: Database, organisationId: OrganisationId, month: Month): Promise<Peak[]> {
  return db
    .selectFrom('periodClose')
    .select(['licence', 'maxUsed', 'maxUsedAt'])
    .where('organisationId', '=', organisationId)
    .where('month', '=', month)
    .execute();
}

/**
 * A licence's peak of a month that is over, with what the contract said when it ended; null: it had not been bought, or the
 * month ended before this was kept.
 */
export async function findClosedPeak(
  db: Database,
  organisationId: OrganisationId,
  month: Month,
  licence: LicenceCode,
): Promise<(Peak & ContractOptions) | null> {
  const row = await db
    .selectFrom('periodClose')
    .innerJoin('closedPeriod', (join) =>
      join
        .onRef('closedPeriod.organisationId', '=', 'periodClose.organisationId')
        .onRef('closedPeriod.month', '=', 'periodClose.month'),
    )
    .select(['licence', 'maxUsed', 'maxUsedAt', 'minimumPeakMinutes'])
    .where('periodClose.organisationId', '=', organisationId)
    .where('periodClose.month', '=', month)
    .where('licence', '=', licence)
    .executeTakeFirst();
  return row ?? null;
}

/** The number of the organisation's last document; 0: it has none. The caller holds the organisation's lock. */
export async function getLastNumber(db: Database, organisationId: OrganisationId): Promise<number> {
  const row = await db
    .selectFrom('statement')
    .select('number')
    .where('organisationId', '=', organisationId)
    .orderBy('number', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.number ?? 0;
}

const columns = [
  'number',
  'month',
  'correction',
  'name',
  'from',
  'until',
  'timeZone',
  'currency',
  'partialMonths',
  'days',
  'total',
  'complete',
  'reason',
  'issuedAt',
] as const;

/** One that was issued. */
export type IssuedStatement = Statement & { readonly number: number; readonly issuedAt: Date };

function toStatement(row: Pick<Selectable<Row>, (typeof columns)[number]>): IssuedStatement {
  return { ...row, currency: row.currency as Currency };
}

const markWritten = forRows(`
  update closed_period set statement_number = given.number from $given
  where closed_period.organisation_id = given.organisation_id and closed_period.month = given.month`)({
  organisationId: 'uuid',
  month: 'integer',
  number: 'integer',
});

const insertLines = insertInto('statementLine')({
  organisationId: 'uuid',
  number: 'integer',
  position: 'integer',
  entry: 'statement_entry',
  licence: 'text',
  kind: 'price_kind',
  quantity: 'integer',
  seatDays: 'bigint',
  unitPrice: 'bigint',
  amount: 'bigint',
  maxUsed: 'integer',
  maxUsedAt: 'timestamptz',
  evidence: 'jsonb',
});

/** Append-only: a document is never changed. Its lines are numbered in the order given. */
export async function insertStatement(
  trx: Transaction,
  organisationId: OrganisationId,
  { lines, ...statement }: StatementWithLines & { readonly number: number; readonly issuedAt: Date },
): Promise<void> {
  const { number, month } = statement;
  const row = Object.fromEntries(columns.map((column) => [column, statement[column]])) as Pick<
    IssuedStatement,
    (typeof columns)[number]
  >;
  await Promise.all([
    trx
      .insertInto('statement')
      .values({ organisationId, ...row })
      .execute(),
    insertLines(
      trx,
      lines.map(({ evidence, ...line }, index) => ({
        ...line,
        // A credit is a copy of an earlier document's line.
        ...{ organisationId, number, position: index + 1 },
        evidence: evidence === null ? null : JSON.stringify(evidence),
      })),
    ),
    statement.correction === 0 ? markWritten(trx, [{ organisationId, month, number }]) : null,
  ]);
}

/** What a month's statement bills of a licence's peak, and its explanation; null: there is no statement, or no such line. */
export async function findPeakLine(
  db: Database,
  organisationId: OrganisationId,
  month: Month,
  licence: LicenceCode,
): Promise<Pick<BilledPeak, 'billed' | 'explanation'> | null> {
  const row = await db
    .selectFrom('statement')
    .innerJoin('statementLine', (join) =>
      join
        .onRef('statementLine.organisationId', '=', 'statement.organisationId')
        .onRef('statementLine.number', '=', 'statement.number'),
    )
    .select(['quantity', 'evidence'])
    .where('statement.organisationId', '=', organisationId)
    .where('month', '=', month)
    .where('correction', '=', 0)
    .where('licence', '=', licence)
    .where('kind', '=', 'CONTINGENCY')
    .executeTakeFirst();
  if (row === undefined) return null;
  const evidence = row.evidence as unknown as WrittenEvidence | null;
  return { billed: row.quantity, explanation: evidence?.peak?.explanation ?? null };
}

/** Documents by month and correction. */
export const listStatements = (() => {
  const select = forRows<Of<Pick<Selectable<Row>, (typeof columns)[number]>>>(`
    select statement.* from $given cross join lateral (
      select * from statement
      where organisation_id = given.organisation_id and month = given.month and correction = given.correction
      offset 0) statement`)({ organisationId: 'uuid', month: 'integer', correction: 'integer' });
  return async (
    db: Database,
    keys: readonly Of<Pick<Statement, 'month' | 'correction'>>[],
  ): Promise<Of<IssuedStatement>[]> =>
    (await select(db, keys)).map(({ organisationId, ...row }) => ({ organisationId, ...toStatement(row) }));
})();

/** A month's corrections, the earliest first. */
export async function listCorrections(
  db: Database,
  organisationId: OrganisationId,
  month: Month,
): Promise<IssuedStatement[]> {
  const rows = await db
    .selectFrom('statement')
    .select(columns)
    .where('organisationId', '=', organisationId)
    .where('month', '=', month)
    .where('correction', '>', 0)
    .orderBy('correction')
    .execute();
  return rows.map(toStatement);
}

/** How many lines documents have, and of how many there is a price. */
export const countLines = forRows<Of<{ readonly lines: number; readonly priced: number }>>(`
  select given.organisation_id, line.* from $given cross join lateral (
    select count(*) as lines, count(amount) as priced from statement_line
    where organisation_id = given.organisation_id and number = given.number offset 0) line`)({
  organisationId: 'uuid',
  number: 'integer',
});

/** The peaks that documents bill, without the evidence: `quantity` is what is billed of `maxUsed`. */
export const listBilledPeaks = forRows<
  Of<Peak & { readonly quantity: number }> & { readonly licence: LicenceCode }
>(`
  select line.* from $given cross join lateral (
    select organisation_id, licence, quantity, max_used, max_used_at from statement_line
    where organisation_id = given.organisation_id and number = given.number
      and kind = 'CONTINGENCY' and entry = 'CHARGE' offset 0) line`)({
  organisationId: 'uuid',
  number: 'integer',
});

/** What all corrections of months come to; those without any are missing. */
export const sumCorrections = forRows<Of<{ readonly total: number }>>(`
  select given.organisation_id, correction.total from $given cross join lateral (
    select sum(total)::int8 as total from statement
    where organisation_id = given.organisation_id and month = given.month and correction > 0 offset 0) correction
  where correction.total is not null`)({ organisationId: 'uuid', month: 'integer' });

type ReadLine = Selectable<LineRow>;

const selectLines = forRows<ReadLine>(`
  select line.* from $given cross join lateral (
    select * from statement_line where organisation_id = given.organisation_id and number = given.number offset 0) line
  order by line.organisation_id, line.number, line.position`)({ organisationId: 'uuid', number: 'integer' });

/** The lines of documents, in their order. */
export async function listLines(
  db: Database,
  numbers: readonly Of<{ readonly number: number }>[],
): Promise<Of<StatementLine & { readonly number: number }>[]> {
  const rows = await selectLines(db, numbers);
  return rows.map(({ position: _, evidence, ...row }) => ({
    ...row,
    evidence: evidence === null ? null : readEvidence(evidence as unknown as WrittenEvidence),
  }));
}

type WrittenEvidence = Omit<Evidence, 'purchases'> & {
  readonly purchases: readonly (Omit<CountedPurchase, 'from' | 'until'> & {
    readonly from: string;
    readonly until: string | null;
  })[];
};

function readEvidence({ purchases, ...rest }: WrittenEvidence): Evidence {
  return {
    ...rest,
    purchases: purchases.map(({ from, until, ...purchase }) => ({
      ...purchase,
      from: instant(from),
      until: until === null ? null : instant(until),
    })),
  };
}

/** The last issued first. */
export async function pageStatements(
  db: Database,
  organisationId: OrganisationId,
  page: PageRequest,
): Promise<IssuedStatement[]> {
  const { where, orderBy } = keyset(page, 'desc', ['number']);
  const rows = await db
    .selectFrom('statement')
    .select(columns)
    .where('organisationId', '=', organisationId)
    .where(where)
    .orderBy(orderBy)
    .limit(page.limit)
    .execute();
  return rows.map(toStatement);
}

/** They are numbered without a gap. */
export const countStatements = getLastNumber;
