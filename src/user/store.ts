import { type Selectable, sql } from 'kysely';
import type { Database } from '../database/database.ts';
import { containing, keyset, type PageRequest } from '../database/page.ts';
import type { User as Row } from '../database/tables.ts';
import type { Transaction } from '../database/transaction.ts';
import type { Instant } from '../kernel/clock.ts';
import type { LicenceCode, OrganisationId, UserId } from '../kernel/ids.ts';
import type { Month } from '../organisation/domain.ts';
import type { User, UserStatus } from './domain.ts';

function toUser({ organisationId: _, searchText: __, createdAt: ___, ...user }: Selectable<Row>): User {
  return user;
}

export async function listUsers(
  db: Database,
  organisationId: OrganisationId,
  ids: readonly UserId[],
): Promise<User[]> {
  const rows = await db
    .selectFrom('user')
    .selectAll()
    .where('organisationId', '=', organisationId)
    .where('id', 'in', ids)
    .execute();
  return rows.map(toUser);
}

/** A user whom nobody else changes until the transaction ends; rows that refer to it can be inserted meanwhile. */
export async function lockUser(
  trx: Transaction,
  organisationId: OrganisationId,
  id: UserId,
): Promise<User | null> {
  const row = await trx
    .selectFrom('user')
    .selectAll()
    .where('organisationId', '=', organisationId)
    .where('id', '=', id)
    .forNoKeyUpdate()
    .executeTakeFirst();
  return row === undefined ? null : toUser(row);
}

export interface UserFilter {
  /** null: every status but DELETED (contract). */
  readonly status: readonly UserStatus[] | null;
  readonly licence: LicenceCode | null;
  /** Part of the username, display name or e-mail address, in any case. */
  readonly search: string | null;
}

/** By username. */
export async function pageUsers(
  db: Database,
  organisationId: OrganisationId,
  filter: UserFilter,
  page: PageRequest,
): Promise<User[]> {
  const { where, orderBy } = keyset(page, 'asc', ['username', 'id']);
  const rows = await found(db, organisationId, filter)
    .selectAll()
    .where(where)
    .orderBy(orderBy)
    .limit(page.limit)
    .execute();
  return rows.map(toUser);
}

export async function countUsers(
  db: Database,
  organisationId: OrganisationId,
  filter: UserFilter,
): Promise<number> {
  const { count } = await found(db, organisationId, filter)
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return count;
}

/** What is searched for is read through a view, on which PostgreSQL uses the index of the searched text. */
function found(db: Database, organisationId: OrganisationId, { status, licence, search }: UserFilter) {
  const users = sql.table(search === null ? 'user' : 'searchableUser').$castTo<Selectable<Row>>();
  return db
    .selectFrom(users.as('user'))
    .where('organisationId', '=', organisationId)
    .where('status', 'in', status ?? ['PRE_ACTIVE', 'ACTIVE', 'SUSPENDED'])
    .$if(search !== null, (query) => query.where('searchText', 'like', containing(search ?? '')))
    .$if(licence !== null, (query) =>
      query.where(({ exists, selectFrom }) =>
        exists(
          selectFrom('assignment')
            .select('assignment.id')
            .whereRef('assignment.organisationId', '=', 'user.organisationId')
            .whereRef('assignment.userId', '=', 'user.id')
            .where('assignment.licence', '=', licence)
            .where('assignment.removedAt', 'is', null),
        ),
      ),
    );
}

/** Whether a user that is not deleted has the username (U1); the unique index is the referee. */
export async function isUsernameTaken(
  db: Database,
  organisationId: OrganisationId,
  username: string,
): Promise<boolean> {
  const row = await db
    .selectFrom('user')
    .select('id')
    .where('organisationId', '=', organisationId)
    .where('username', '=', username)
    .where('status', '<>', 'DELETED')
    .executeTakeFirst();
  return row !== undefined;
}

export async function insertUser(
  trx: Transaction,
  organisationId: OrganisationId,
  user: User,
  at: Instant,
): Promise<void> {
  await trx
    .insertInto('user')
    .values({ organisationId, ...user, createdAt: at })
    .execute();
  await trx
    .insertInto('userStatusInterval')
    .values({ organisationId, userId: user.id, status: user.status, from: at })
    .execute();
}

/** Changes the status, and keeps the former one as an interval. */
export async function updateStatus(
  trx: Transaction,
  organisationId: OrganisationId,
  userId: UserId,
  change: { readonly status: UserStatus; readonly activeMonth: Month | null },
  at: Instant,
): Promise<void> {
  await trx
    .updateTable('user')
    .set(change)
    .where('organisationId', '=', organisationId)
    .where('id', '=', userId)
    .execute();
  await trx
    .updateTable('userStatusInterval')
    .set({ until: at })
    .where('organisationId', '=', organisationId)
    .where('userId', '=', userId)
    .where('until', 'is', null)
    .execute();
  await trx
    .insertInto('userStatusInterval')
    .values({ organisationId, userId, status: change.status, from: at })
    .execute();
}

/** Replaces what a user is known by, for good, and says so. */
export async function updateNames(
  trx: Transaction,
  organisationId: OrganisationId,
  { id, username, displayName, email, externalId }: User,
  at: Instant,
): Promise<void> {
  await trx
    .updateTable('user')
    .set({ username, displayName, email, externalId })
    .where('organisationId', '=', organisationId)
    .where('id', '=', id)
    .execute();
  await trx.insertInto('erasedUser').values({ organisationId, userId: id, at }).execute();
}
