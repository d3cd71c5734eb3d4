import type { Selectable } from 'kysely';
import { deleteFrom, forRows, type Of, spanColumns } from '../database/bulk.ts';
import type { Database } from '../database/database.ts';
import { keyset, type PageRequest } from '../database/page.ts';
import type { Assignment as AssignmentRow, BaseLicence as BaseLicenceRow } from '../database/tables.ts';
import type { Transaction } from '../database/transaction.ts';
import type { Instant } from '../kernel/clock.ts';
import type { AssignmentId, LicenceCode, OrganisationId, UserId } from '../kernel/ids.ts';
import type { Assignment, BaseLicence, ReleasedBaseLicences } from './domain.ts';

function toAssignment({
  organisationId: _,
  removedAt: __,
  ...assignment
}: Selectable<AssignmentRow>): Assignment {
  return assignment;
}

function toBaseLicence({ organisationId: _, ...base }: Selectable<BaseLicenceRow>): BaseLicence {
  return base;
}

/** The users' present assignments, in catalogue order. */
export async function listAssignments(
  db: Database,
  organisationId: OrganisationId,
  userIds: readonly UserId[],
): Promise<Assignment[]> {
  const rows = await db
    .selectFrom('assignment')
    .innerJoin('licence', 'licence.code', 'assignment.licence')
    .selectAll('assignment')
    .where('organisationId', '=', organisationId)
    .where('userId', 'in', userIds)
    .where('removedAt', 'is', null)
    .orderBy('licence.position')
    .execute();
  return rows.map(toAssignment);
}

/** By id, the present ones only. */
export async function listAssignmentsById(
  db: Database,
  organisationId: OrganisationId,
  ids: readonly AssignmentId[],
): Promise<Assignment[]> {
  const rows = await db
    .selectFrom('assignment')
    .selectAll()
    .where('organisationId', '=', organisationId)
    .where('id', 'in', ids)
    .where('removedAt', 'is', null)
    .execute();
  return rows.map(toAssignment);
}

export async function insertAssignments(
  trx: Transaction,
  organisationId: OrganisationId,
  assignments: readonly Assignment[],
): Promise<void> {
  if (assignments.length === 0) return;
  await trx
    .insertInto('assignment')
    .values(assignments.map((assignment) => ({ organisationId, ...assignment })))
    .execute();
}

/** The planned ones begin to occupy their base licences (B6). */
export async function consumeAssignments(
  trx: Transaction,
  organisationId: OrganisationId,
  ids: readonly AssignmentId[],
  at: Instant,
): Promise<void> {
  if (ids.length === 0) return;
  await trx
    .updateTable('assignment')
    .set({ consumedAt: at })
    .where('organisationId', '=', organisationId)
    .where('id', 'in', ids)
    .execute();
}

/** Ends assignments; the rows stay, as intervals. */
export async function removeAssignments(
  trx: Transaction,
  organisationId: OrganisationId,
  ids: readonly AssignmentId[],
  at: Instant,
): Promise<void> {
  if (ids.length === 0) return;
  await trx
    .updateTable('assignment')
    .set({ removedAt: at })
    .where('organisationId', '=', organisationId)
    .where('id', 'in', ids)
    .execute();
}

/** What a user could be given of a licence: two index look-ups, however many were released. */
export async function findReleasedBaseLicences(
  trx: Transaction,
  organisationId: OrganisationId,
  licence: LicenceCode,
  userId: UserId,
): Promise<ReleasedBaseLicences> {
  const released = trx
    .selectFrom('baseLicence')
    .selectAll()
    .where('organisationId', '=', organisationId)
    .where('licence', '=', licence)
    .where('holderId', 'is', null)
    .orderBy('periodUntil')
    .limit(1);
  const returning = await released.where('lastHolderId', '=', userId).executeTakeFirst();
  const reusable = await released.where('reassigned', '=', false).executeTakeFirst();
  return {
    returning: returning === undefined ? null : toBaseLicence(returning),
    reusable: reusable === undefined ? null : toBaseLicence(reusable),
  };
}

export async function findHeldBaseLicence(
  trx: Transaction,
  organisationId: OrganisationId,
  licence: LicenceCode,
  userId: UserId,
): Promise<BaseLicence | null> {
  const row = await trx
    .selectFrom('baseLicence')
    .selectAll()
    .where('organisationId', '=', organisationId)
    .where('holderId', '=', userId)
    .where('licence', '=', licence)
    .executeTakeFirst();
  return row === undefined ? null : toBaseLicence(row);
}

/** Released base licences of the organisations whose period ends up to and with `now`. */
export const listDueBaseLicences = forRows<Of<BaseLicence>>(`
  select base_licence.* from $given cross join lateral (
    select * from base_licence
    where organisation_id = given.organisation_id and holder_id is null and period_until <= given.now offset 0
  ) base_licence`)(spanColumns);

/** The REUSABLE and LOCKED base licences of a licence, the one that becomes FREE next first. */
export async function pageReleasedBaseLicences(
  db: Database,
  organisationId: OrganisationId,
  licence: LicenceCode,
  page: PageRequest,
): Promise<BaseLicence[]> {
  const { where, orderBy } = keyset(page, 'asc', ['periodUntil', 'id']);
  const rows = await releasedOf(db, organisationId, licence)
    .selectAll()
    .where(where)
    .orderBy(orderBy)
    .limit(page.limit)
    .execute();
  return rows.map(toBaseLicence);
}

export async function countReleasedBaseLicences(
  db: Database,
  organisationId: OrganisationId,
  licence: LicenceCode,
): Promise<number> {
  const { count } = await releasedOf(db, organisationId, licence)
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return count;
}

function releasedOf(db: Database, organisationId: OrganisationId, licence: LicenceCode) {
  return db
    .selectFrom('baseLicence')
    .where('organisationId', '=', organisationId)
    .where('licence', '=', licence)
    .where('holderId', 'is', null);
}

/** When each LOCKED base licence of a licence becomes FREE. */
export async function listLockedUntil(
  db: Database,
  organisationId: OrganisationId,
  licence: LicenceCode,
): Promise<Instant[]> {
  const rows = await releasedOf(db, organisationId, licence)
    .select('periodUntil')
    .where('reassigned', '=', true)
    .execute();
  return rows.map(({ periodUntil }) => periodUntil);
}

export async function saveBaseLicences(
  trx: Transaction,
  organisationId: OrganisationId,
  bases: readonly BaseLicence[],
): Promise<void> {
  if (bases.length === 0) return;
  await trx
    .insertInto('baseLicence')
    .values(bases.map((base) => ({ organisationId, ...base })))
    .onConflict((conflict) =>
      conflict.columns(['organisationId', 'id']).doUpdateSet(({ ref }) => ({
        holderId: ref('excluded.holderId'),
        lastHolderId: ref('excluded.lastHolderId'),
        reassigned: ref('excluded.reassigned'),
      })),
    )
    .execute();
}

/** A FREE base licence has no row. */
export const deleteBaseLicences = deleteFrom('baseLicence')({ organisationId: 'uuid', id: 'uuid' });
