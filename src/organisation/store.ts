import { type Selectable, sql } from 'kysely';
import type { Database } from '../database/database.ts';
import { containing, inChunks, keyset, type PageRequest } from '../database/page.ts';
import type { Organisation as Row } from '../database/tables.ts';
import type { Transaction } from '../database/transaction.ts';
import type { Instant } from '../kernel/clock.ts';
import type { OrganisationId } from '../kernel/ids.ts';
import type { BillingPeriod, Organisation } from './domain.ts';

const columns = [
  'id',
  'parentId',
  'name',
  'externalId',
  'timeZone',
  'leaseSeconds',
  'testClock',
  'settledAt',
  'nextDueAt',
  'periodMonth',
  'periodFrom',
  'periodUntil',
  'activeUsers',
  'activeInBillingPeriod',
  'revision',
  'rowsRevision',
  'createdAt',
] as const;

function toOrganisation({
  periodMonth,
  periodFrom,
  periodUntil,
  ...rest
}: Pick<Selectable<Row>, (typeof columns)[number]>): Organisation {
  return { ...rest, period: { month: periodMonth, from: periodFrom, until: periodUntil } };
}

function toRow({ period, ...rest }: Organisation) {
  return { ...rest, periodMonth: period.month, periodFrom: period.from, periodUntil: period.until };
}

/**
 * One organisation, one line: whatever changes an organisation's counters holds this lock first. Weaker than `for
 * update`, so that the foreign keys of rows inserted elsewhere do not wait for it.
 */
export async function lockOrganisation(trx: Transaction, id: OrganisationId): Promise<Organisation | null> {
  const row = await trx
    .selectFrom('organisation')
    .select(columns)
    .where('id', '=', id)
    .forNoKeyUpdate()
    .executeTakeFirst();
  return row === undefined ? null : toOrganisation(row);
}

export async function listOrganisations(
  db: Database,
  ids: readonly OrganisationId[],
): Promise<Organisation[]> {
  const rows = await db.selectFrom('organisation').select(columns).where('id', 'in', ids).execute();
  return rows.map(toOrganisation);
}

export async function findOrganisationIdByExternalId(
  db: Database,
  externalId: string,
): Promise<OrganisationId | null> {
  const row = await db
    .selectFrom('organisation')
    .select('id')
    .where('externalId', '=', externalId)
    .executeTakeFirst();
  return row?.id ?? null;
}

/** Newest first. */
export async function pageOrganisations(
  db: Database,
  search: string | null,
  page: PageRequest,
): Promise<Organisation[]> {
  const { where, orderBy } = keyset(page, 'desc', ['createdAt', 'id']);
  const rows = await found(db, search)
    .select(columns)
    .where(where)
    .orderBy(orderBy)
    .limit(page.limit)
    .execute();
  return rows.map(toOrganisation);
}

export async function countOrganisations(db: Database, search: string | null): Promise<number> {
  const { count } = await found(db, search)
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return count;
}

function found(db: Database, search: string | null) {
  const organisations = db.selectFrom('organisation');
  return search === null ? organisations : organisations.where('searchText', 'like', containing(search));
}

/** @returns false when another organisation has the external id */
export async function insertOrganisation(trx: Transaction, organisation: Organisation): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('organisation')
    .values(toRow(organisation))
    .onConflict((conflict) => conflict.column('externalId').doNothing())
    .executeTakeFirst();
  if (numInsertedOrUpdatedRows === 0n) return false;
  await insertBillingPeriods(trx, organisation.id, [organisation.period]);
  return true;
}

/**
 * Writes an organisation back, and finds when something next falls due: each of the four is the first entry of an
 * index, whatever the organisation's size.
 */
export async function updateOrganisation(trx: Transaction, organisation: Organisation): Promise<void> {
  const { id, createdAt: _, nextDueAt: __, ...row } = toRow(organisation);
  const at = organisation.settledAt;
  await trx
    .updateTable('organisation')
    .set({
      ...row,
      nextDueAt: sql<Instant>`least(
        ${organisation.period.until}::timestamptz,
        (select min(expires_at) from session where organisation_id = ${id} and ended_at is null),
        (select min("from") from purchase where organisation_id = ${id} and "from" > ${at}),
        (select min(until) from purchase where organisation_id = ${id} and until > ${at}),
        (select min(period_until) from base_licence where organisation_id = ${id} and holder_id is null))`,
    })
    .where('id', '=', id)
    .execute();
}

export async function insertBillingPeriods(
  trx: Transaction,
  organisationId: OrganisationId,
  periods: readonly BillingPeriod[],
): Promise<void> {
  await inChunks(periods, (chunk) =>
    trx
      .insertInto('billingPeriod')
      .values(chunk.map((period) => ({ organisationId, ...period })))
      .execute(),
  );
}

/** The organisations of real time in which something is due; the longest overdue first. */
export async function listDueOrganisationIds(
  db: Database,
  now: Instant,
  limit: number,
): Promise<OrganisationId[]> {
  const rows = await db
    .selectFrom('organisation')
    .select('id')
    .where('testClock', '=', false)
    .where('nextDueAt', '<=', now)
    .orderBy('nextDueAt')
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
}

/** The present revision of each, for those who watch. */
export async function listRevisions(
  db: Database,
  ids: readonly OrganisationId[],
): Promise<{ readonly id: OrganisationId; readonly revision: number }[]> {
  return db.selectFrom('organisation').select(['id', 'revision']).where('id', 'in', ids).execute();
}
