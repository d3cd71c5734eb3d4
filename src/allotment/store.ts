import { sql } from 'kysely';
import { deleteFrom, insertInto, type Of } from '../database/bulk.ts';
import type { Database } from '../database/database.ts';
import type { Transaction } from '../database/transaction.ts';
import type { DepartmentId, LicenceCode, OrganisationId, UserId } from '../kernel/ids.ts';
import type { Allotment, Department } from './domain.ts';

const columns = ['id', 'name'] as const;

/** By name: at most `maxDepartments`. */
export async function listDepartmentsOf(
  db: Database,
  organisationIds: readonly OrganisationId[],
): Promise<Of<Department>[]> {
  return db
    .selectFrom('department')
    .select([...columns, 'organisationId'])
    .where('organisationId', 'in', organisationIds)
    .orderBy(sql`lower(name)`)
    .orderBy('id')
    .execute();
}

export async function listDepartments(
  db: Database,
  organisationId: OrganisationId,
  ids: readonly DepartmentId[],
): Promise<Department[]> {
  return db
    .selectFrom('department')
    .select(columns)
    .where('organisationId', '=', organisationId)
    .where('id', 'in', ids)
    .execute();
}

/** In which department users are; those that are in none are missing from the answer. */
export async function listMemberships(
  db: Database,
  organisationId: OrganisationId,
  userIds: readonly UserId[],
): Promise<{ readonly id: UserId; readonly departmentId: DepartmentId }[]> {
  return db
    .selectFrom('departmentMember')
    .select(['userId as id', 'departmentId'])
    .where('organisationId', '=', organisationId)
    .where('userId', 'in', userIds)
    .execute();
}

/** How many departments an organisation has, and which has this name. */
export async function lookForName(
  trx: Transaction,
  organisationId: OrganisationId,
  name: string,
): Promise<{ readonly count: number; readonly taken: DepartmentId | null }> {
  const rows = await trx
    .selectFrom('department')
    .select(['id', sql<boolean>`lower(name) = lower(${name})`.as('isNamed')])
    .where('organisationId', '=', organisationId)
    .execute();
  return { count: rows.length, taken: rows.find(({ isNamed }) => isNamed)?.id ?? null };
}

export async function saveDepartment(
  trx: Transaction,
  organisationId: OrganisationId,
  { id, name }: Department,
): Promise<void> {
  await trx
    .insertInto('department')
    .values({ organisationId, id, name })
    .onConflict((conflict) => conflict.columns(['organisationId', 'id']).doUpdateSet({ name }))
    .execute();
}

/** With its members' memberships and its allotments. @returns how many members it had */
export async function deleteDepartment(
  trx: Transaction,
  organisationId: OrganisationId,
  departmentId: DepartmentId,
): Promise<{ readonly members: number }> {
  const [members] = await Promise.all(
    (['departmentMember', 'allotment'] as const).map((table) =>
      trx
        .deleteFrom(table)
        .where('organisationId', '=', organisationId)
        .where('departmentId', '=', departmentId)
        .executeTakeFirstOrThrow(),
    ),
  );
  await trx
    .deleteFrom('department')
    .where('organisationId', '=', organisationId)
    .where('id', '=', departmentId)
    .execute();
  return { members: Number(members?.numDeletedRows ?? 0) };
}

/** @param departmentId null: in none */
export async function saveMembership(
  trx: Transaction,
  organisationId: OrganisationId,
  userId: UserId,
  departmentId: DepartmentId | null,
): Promise<void> {
  if (departmentId === null) {
    await trx
      .deleteFrom('departmentMember')
      .where('organisationId', '=', organisationId)
      .where('userId', '=', userId)
      .execute();
    return;
  }
  await trx
    .insertInto('departmentMember')
    .values({ organisationId, userId, departmentId })
    .onConflict((conflict) => conflict.columns(['organisationId', 'userId']).doUpdateSet({ departmentId }))
    .execute();
}

/** How many of the department's members hold a seat of the licence, as it is written. @param except these are not looked at */
export async function countHeld(
  trx: Transaction,
  organisationId: OrganisationId,
  licence: LicenceCode,
  departmentId: DepartmentId,
  except: readonly UserId[],
): Promise<number> {
  const { count } = await trx
    .selectFrom('hold')
    .innerJoin('departmentMember', (join) =>
      join
        .onRef('departmentMember.organisationId', '=', 'hold.organisationId')
        .onRef('departmentMember.userId', '=', 'hold.userId'),
    )
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('hold.organisationId', '=', organisationId)
    .where('hold.licence', '=', licence)
    .where('departmentMember.departmentId', '=', departmentId)
    .where('hold.userId', '<>', sql<UserId>`all(${except}::uuid[])`)
    .executeTakeFirstOrThrow();
  return count;
}

const insertAllotments = insertInto(
  'allotment',
  `on conflict (organisation_id, licence, department_id) do update set
    reserved = excluded.reserved, maximum = excluded.maximum, in_use = excluded.in_use`,
)({
  organisationId: 'uuid',
  licence: 'text',
  departmentId: 'uuid',
  reserved: 'integer',
  maximum: 'integer',
  inUse: 'integer',
});

export async function saveAllotments(
  trx: Transaction,
  allotments: readonly Of<Allotment & { readonly licence: LicenceCode }>[],
): Promise<void> {
  await insertAllotments(trx, allotments);
}

export const deleteAllotments = deleteFrom('allotment')({
  organisationId: 'uuid',
  licence: 'text',
  departmentId: 'uuid',
});
