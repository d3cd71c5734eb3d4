import { sql } from 'kysely';
import { forRows, insertInto, type Of } from '../database/bulk.ts';
import type { Database } from '../database/database.ts';
import { keyset, type PageRequest } from '../database/page.ts';
import type { Transaction } from '../database/transaction.ts';
import type { Instant } from '../kernel/clock.ts';
import type { AlertId, LicenceCode, OrganisationId, UserId } from '../kernel/ids.ts';
import type { Alert, Thresholds } from './domain.ts';

/** An alert, with the organisation's revision at which it was raised. */
export type RecordedAlert = Alert & { readonly revision: number };

const insert = insertInto('alert')({
  organisationId: 'uuid',
  id: 'uuid',
  revision: 'bigint',
  licence: 'text',
  kind: 'alert_kind',
  at: 'timestamptz',
  used: 'integer',
  total: 'integer',
  previous: 'integer',
  percent: 'integer',
});

/** What a change raised, in the transaction that makes it: neither is there without the other (W3). */
export async function insertAlerts(trx: Transaction, alerts: readonly Of<RecordedAlert>[]): Promise<void> {
  await insert(trx, alerts);
}

/**
 * Of one organisation or of many together, newest first: as many statements for a thousand as for one.
 * @param acknowledged null: whether or not
 */
export async function pageAlerts(
  db: Database,
  organisationIds: readonly OrganisationId[],
  acknowledged: boolean | null,
  page: PageRequest,
): Promise<Of<RecordedAlert>[]> {
  const { where, orderBy } = keyset(page, 'desc', ['at', 'id']);
  // Of each no more than the page: what is before it in its own list is before it in all of them.
  const { rows } = await sql<Of<RecordedAlert>>`
    select found.* from unnest(${organisationIds}::uuid[]) as whose(organisation_id) cross join lateral (
      select * from alert
      where alert.organisation_id = whose.organisation_id and ${wanted(acknowledged)} and ${where}
      order by ${orderBy} limit ${page.limit}) found
    order by ${orderBy} limit ${page.limit}`.execute(db);
  return rows;
}

export async function countAlerts(
  db: Database,
  organisationIds: readonly OrganisationId[],
  acknowledged: boolean | null,
): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select coalesce(sum(found.count), 0)::int8 as count
    from unnest(${organisationIds}::uuid[]) as whose(organisation_id) cross join lateral (
      select count(*) as count from alert
      where alert.organisation_id = whose.organisation_id and ${wanted(acknowledged)} offset 0) found`.execute(
    db,
  );
  return rows[0]?.count ?? 0;
}

function wanted(acknowledged: boolean | null) {
  if (acknowledged === null) return sql`true`;
  return acknowledged ? sql`acknowledged_at is not null` : sql`acknowledged_at is null`;
}

/** Alerts by organisation and id, those that exist. */
export const listAlerts = forRows<Of<RecordedAlert>>(`
  select found.* from $given cross join lateral (
    select * from alert where organisation_id = given.organisation_id and id = given.id offset 0) found`)({
  organisationId: 'uuid',
  id: 'uuid',
});

/** The newest that were raised after a revision, newest first: at most `limit`, whatever was missed. */
export async function listAlertsSince(
  db: Database,
  organisationId: OrganisationId,
  revision: number,
  limit: number,
): Promise<Of<RecordedAlert>[]> {
  return db
    .selectFrom('alert')
    .selectAll()
    .where('organisationId', '=', organisationId)
    .where('revision', '>', revision)
    .orderBy('revision', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
}

/** The first acknowledgement stands: of one that has it already nothing changes. */
export async function acknowledge(
  trx: Transaction,
  organisationId: OrganisationId,
  ids: readonly AlertId[],
  { at, by }: { readonly at: Instant; readonly by: UserId | null },
): Promise<void> {
  await trx
    .updateTable('alert')
    .set({ acknowledgedAt: at, acknowledgedBy: by })
    .where('organisationId', '=', organisationId)
    .where('id', '=', sql<AlertId>`any(${ids}::uuid[])`)
    .where('acknowledgedAt', 'is', null)
    .execute();
}

/** The thresholds that were set; licences that have the usual ones are missing. */
export async function listThresholds(
  db: Database,
  organisationId: OrganisationId,
): Promise<{ readonly licence: LicenceCode; readonly thresholds: Thresholds }[]> {
  return db
    .selectFrom('poolWatch')
    .select(['licence', sql<Thresholds>`thresholds`.as('thresholds')])
    .where('organisationId', '=', organisationId)
    .where('thresholds', 'is not', null)
    .execute();
}

/**
 * Drops alerts, acknowledged or not, of before so many whole months by their organisation's clock, two at the least.
 * @param slice how many one statement drops
 * @returns how many were dropped
 */
export async function dropAlerts(
  db: Database,
  months: number,
  { slice = 10_000, signal }: { readonly slice?: number; readonly signal?: AbortSignal } = {},
): Promise<number> {
  for (let all = 0; ;) {
    const { rows } = await sql<{
      dropped: number;
    }>`select drop_alerts(${months}, ${slice}) as dropped`.execute(db);
    const dropped = rows[0]?.dropped ?? 0;
    all += dropped;
    if (dropped < slice || signal?.aborted === true) return all;
  }
}
