import { type Selectable, sql } from 'kysely';
import type { Database } from '../database/database.ts';
import { columnOf, forRows, insertInto, parted, placed } from '../database/bulk.ts';
import { containing, keyset, type PageRequest } from '../database/page.ts';
import type { Organisation as Row } from '../database/tables.ts';
import type { Transaction } from '../database/transaction.ts';
import type { Instant } from '../kernel/clock.ts';
import type { OrganisationId } from '../kernel/ids.ts';
import type { Period } from '../kernel/interval.ts';
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

type Read = Pick<Selectable<Row>, (typeof columns)[number]>;

function toOrganisation({ periodMonth, periodFrom, periodUntil, ...rest }: Read): Organisation {
  return { ...rest, period: { month: periodMonth, from: periodFrom, until: periodUntil } };
}

function toRow({ period, ...rest }: Organisation) {
  return { ...rest, periodMonth: period.month, periodFrom: period.from, periodUntil: period.until };
}

const rowsById = (lock: string) =>
  forRows<Read>(`
    select organisation.* from $given cross join lateral (
      select ${columns.map(columnOf).join(', ')} from organisation where id = given.id offset 0
      ${lock}) organisation`)({ id: 'uuid' });
const selectRows = rowsById('');
const lockOrWait = rowsById('for no key update');
const lockIfFree = rowsById('for no key update skip locked');

/**
 * One organisation, one line: whatever changes an organisation's counters holds this lock first, in the order of ids
 * where it needs several. Weaker than `for update`, so that the foreign keys of rows inserted elsewhere do not wait.
 * @param skipLocked leaves out those that somebody else has, instead of waiting
 */
export async function lockOrganisations(
  trx: Transaction,
  ids: readonly OrganisationId[],
  skipLocked: boolean,
): Promise<Organisation[]> {
  const inOrder = ids.toSorted().map((id) => ({ id }));
  const rows = await (skipLocked ? lockIfFree : lockOrWait)(trx, inOrder);
  return rows.map(toOrganisation);
}

export async function listOrganisations(
  db: Database,
  ids: readonly OrganisationId[],
): Promise<Organisation[]> {
  const rows = await selectRows(
    db,
    ids.map((id) => ({ id })),
  );
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

/** null: of whatever name; anywhere. */
export interface OrganisationFilter {
  readonly search: string | null;
  /** One organisation, and if `below` all those below it. */
  readonly within: { readonly organisationId: OrganisationId; readonly below: boolean } | null;
}

/** Newest first. */
export async function pageOrganisations(
  db: Database,
  filter: OrganisationFilter,
  page: PageRequest,
): Promise<Organisation[]> {
  const { where, orderBy } = keyset(page, 'desc', ['createdAt', 'id']);
  const rows = await found(db, filter)
    .select(columns)
    .where(where)
    .orderBy(orderBy)
    .limit(page.limit)
    .execute();
  return rows.map(toOrganisation);
}

/** An organisation and those below it, at whatever depth, in the order of their ids: at most so many. */
export async function listTree(
  db: Database,
  organisationId: OrganisationId,
  limit: number,
): Promise<Organisation[]> {
  const rows = await found(db, { search: null, within: { organisationId, below: true } })
    .select(columns)
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map(toOrganisation);
}

export async function countOrganisations(db: Database, filter: OrganisationFilter): Promise<number> {
  const { count } = await found(db, filter)
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return count;
}

function found(db: Database, { search, within }: OrganisationFilter) {
  // Through the view PostgreSQL uses the index of the searched text.
  const table = sql
    .table(search === null ? 'organisation' : 'searchableOrganisation')
    .$castTo<Selectable<Row>>();
  const organisations = db
    .selectFrom(table.as('organisation'))
    .$if(search !== null, (query) => query.where('searchText', 'like', containing(search ?? '')));
  if (within === null) return organisations;
  if (!within.below) return organisations.where('id', '=', within.organisationId);
  return organisations.where(
    'id',
    'in',
    sql<OrganisationId>`(
    with recursive below as (
      select ${within.organisationId}::uuid as id
      union all
      select organisation.id from below join organisation on organisation.parent_id = below.id
    ) select id from below)`,
  );
}

/** Of organisations, those that are below another, at whatever depth. */
export async function listBelow(
  db: Database,
  above: OrganisationId,
  ids: readonly OrganisationId[],
): Promise<OrganisationId[]> {
  const { rows } = await sql<{ readonly id: OrganisationId }>`
    with recursive up as (
      select id, parent_id from organisation where id = any (${ids}::uuid[])
      union all
      select up.id, organisation.parent_id from up join organisation on organisation.id = up.parent_id
      where up.parent_id <> ${above}
    ) select id from up where parent_id = ${above}`.execute(db);
  return rows.map(({ id }) => id);
}

/** @returns false when another organisation has the external id */
export async function insertOrganisation(trx: Transaction, organisation: Organisation): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('organisation')
    .values(toRow(organisation))
    .onConflict((conflict) => conflict.column('externalId').doNothing())
    .executeTakeFirst();
  if (numInsertedOrUpdatedRows === 0n) return false;
  await insertBillingPeriods(trx, [{ organisationId: organisation.id, ...organisation.period }]);
  return true;
}

/** What admission alone changes of an organisation. */
export const lineKeys = [
  'settledAt',
  'nextDueAt',
  'revision',
  'rowsRevision',
] as const satisfies readonly (keyof Organisation)[];

const updateLines = forRows(`
  update organisation set
    settled_at = given.settled_at,
    next_due_at = given.next_due_at,
    revision = given.revision,
    rows_revision = given.rows_revision
  from ${placed('organisation', ['id'])}
  where organisation.ctid = place`)({
  id: 'uuid',
  settledAt: 'timestamptz',
  nextDueAt: 'timestamptz',
  revision: 'bigint',
  rowsRevision: 'bigint',
});

const updateWhole = forRows(`
  update organisation set
    name = given.name,
    time_zone = given.time_zone,
    lease_seconds = given.lease_seconds,
    settled_at = given.settled_at,
    period_month = given.period_month,
    period_from = given.period_from,
    period_until = given.period_until,
    active_users = given.active_users,
    active_in_billing_period = given.active_in_billing_period,
    revision = given.revision,
    rows_revision = given.rows_revision,
    next_due_at = least(
      given.period_until,
      (select greatest(due_at, given.settled_at) from session where organisation_id = given.id and end_reason is null
        order by due_at limit 1),
      (select min("from") from purchase where organisation_id = given.id and "from" > given.settled_at),
      (select min(until) from purchase where organisation_id = given.id and until > given.settled_at),
      (select min(period_until) from base_licence where organisation_id = given.id and holder_id is null))
  from ${placed('organisation', ['id'])}
  where organisation.ctid = place`)({
  id: 'uuid',
  name: 'text',
  timeZone: 'text',
  leaseSeconds: 'integer',
  settledAt: 'timestamptz',
  periodMonth: 'integer',
  periodFrom: 'timestamptz',
  periodUntil: 'timestamptz',
  activeUsers: 'integer',
  activeInBillingPeriod: 'integer',
  revision: 'bigint',
  rowsRevision: 'bigint',
});

/**
 * Writes organisations back.
 * @param organisations those with `isLineOnly` changed nothing but `lineKeys`, and nothing falls due sooner than their
 *   `nextDueAt`. For the others it is found when something next falls due: each of the four is the first entry of an
 *   index, whatever the organisation's size.
 */
export async function updateOrganisations(
  trx: Transaction,
  organisations: readonly (Organisation & { readonly isLineOnly: boolean })[],
): Promise<void> {
  const [lines, wholes] = parted(organisations, ({ isLineOnly }) => isLineOnly);
  await Promise.all([updateLines(trx, lines), updateWhole(trx, wholes.map(toRow))]);
}

export const insertBillingPeriods = insertInto('billingPeriod')({
  organisationId: 'uuid',
  month: 'integer',
  from: 'timestamptz',
  until: 'timestamptz',
});

/** The billing period that an instant falls in; null: none has begun there. */
export async function findBillingPeriod(
  db: Database,
  organisationId: OrganisationId,
  at: Instant,
): Promise<BillingPeriod | null> {
  const row = await db
    .selectFrom('billingPeriod')
    .select(['month', 'from', 'until'])
    .where('organisationId', '=', organisationId)
    .where('from', '<=', at)
    .where('until', '>', at)
    .executeTakeFirst();
  return row ?? null;
}

/** The billing periods that a period touches, in order. */
export async function listBillingPeriods(
  db: Database,
  organisationId: OrganisationId,
  { from, until }: Period,
): Promise<Period[]> {
  return db
    .selectFrom('billingPeriod')
    .select(['from', 'until'])
    .where('organisationId', '=', organisationId)
    .where('until', '>', from)
    .where('from', '<', until)
    .orderBy('month')
    .execute();
}

/**
 * The billing periods of an organisation that are over, the last first.
 * @param count at most so many
 */
export async function listClosedBillingPeriods(
  db: Database,
  organisationId: OrganisationId,
  now: Instant,
  count: number,
): Promise<BillingPeriod[]> {
  return db
    .selectFrom('billingPeriod')
    .select(['month', 'from', 'until'])
    .where('organisationId', '=', organisationId)
    .where('until', '<=', now)
    .orderBy('month', 'desc')
    .limit(count)
    .execute();
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

/** Of organisations at known revisions, those that are at another now: for who watches many, of which few change. */
export const listNewRevisions = forRows<{ readonly id: OrganisationId; readonly revision: number }>(`
  select given.id, present.revision from $given
  cross join lateral (
    select organisation.revision from organisation where organisation.id = given.id offset 0
  ) as present
  where present.revision <> given.revision`)({ id: 'uuid', revision: 'bigint' });
