import type { Selectable } from 'kysely';
import { forRows, type Of } from '../database/bulk.ts';
import type { Database } from '../database/database.ts';
import { keyset, type PageRequest } from '../database/page.ts';
import type { ApiKey as Row } from '../database/tables.ts';
import type { Transaction } from '../database/transaction.ts';
import type { Scope } from '../kernel/actor.ts';
import type { Instant } from '../kernel/clock.ts';
import type { ApiKeyId, OrganisationId, UserId } from '../kernel/ids.ts';
import type { UserStatus } from '../user/domain.ts';
import type { ApiKey } from './domain.ts';

const columns = [
  'id',
  'name',
  'role',
  'scopes',
  'userId',
  'prefix',
  'createdAt',
  'createdBy',
  'expiresAt',
  'revokedAt',
  'lastUsedAt',
] as const;

/** Only scopes are ever written. */
function toApiKey({ scopes, ...rest }: Pick<Selectable<Row>, (typeof columns)[number]>): ApiKey {
  return { ...rest, scopes: scopes as Scope[] | null };
}

export async function listApiKeys(
  db: Database,
  organisationId: OrganisationId,
  ids: readonly ApiKeyId[],
): Promise<ApiKey[]> {
  const rows = await db
    .selectFrom('apiKey')
    .select(columns)
    .where('organisationId', '=', organisationId)
    .where('id', 'in', ids)
    .execute();
  return rows.map(toApiKey);
}

/** Newest first. */
export async function pageApiKeys(
  db: Database,
  organisationId: OrganisationId,
  page: PageRequest,
): Promise<ApiKey[]> {
  const { where, orderBy } = keyset(page, 'desc', ['createdAt', 'id']);
  const rows = await db
    .selectFrom('apiKey')
    .select(columns)
    .where('organisationId', '=', organisationId)
    .where(where)
    .orderBy(orderBy)
    .limit(page.limit)
    .execute();
  return rows.map(toApiKey);
}

export async function countApiKeys(db: Database, organisationId: OrganisationId): Promise<number> {
  const { count } = await db
    .selectFrom('apiKey')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('organisationId', '=', organisationId)
    .executeTakeFirstOrThrow();
  return count;
}

/** @param hash SHA-256 of the whole key */
export async function insertApiKey(
  trx: Transaction,
  organisationId: OrganisationId,
  { scopes, ...apiKey }: ApiKey,
  hash: Buffer,
): Promise<void> {
  await trx
    .insertInto('apiKey')
    .values({ organisationId, ...apiKey, scopes: scopes === null ? null : [...scopes], hash })
    .execute();
}

/** One that was revoked stays so from when it first was. */
export async function updateRevocation(
  trx: Transaction,
  organisationId: OrganisationId,
  id: ApiKeyId,
  at: Instant,
): Promise<void> {
  await trx
    .updateTable('apiKey')
    .set({ revokedAt: at })
    .where('organisationId', '=', organisationId)
    .where('id', '=', id)
    .where('revokedAt', 'is', null)
    .execute();
}

/** Renames a user's keys: what they are called may name the user. */
export async function updateKeyNames(
  trx: Transaction,
  organisationId: OrganisationId,
  userId: UserId,
  name: string,
): Promise<void> {
  await trx
    .updateTable('apiKey')
    .set({ name })
    .where('organisationId', '=', organisationId)
    .where('userId', '=', userId)
    .execute();
}

/** What decides whether a key is worth anything. */
export interface KeyFacts extends Pick<
  ApiKey,
  'id' | 'role' | 'scopes' | 'userId' | 'prefix' | 'expiresAt' | 'revokedAt'
> {
  readonly hash: Buffer;
  /** Of its user; null: it has none. */
  readonly status: UserStatus | null;
}

/** The keys that begin like this, revoked and expired ones as well; what there is not is missing. */
export const findKeyFacts = forRows<Of<KeyFacts>>(`
  select given.organisation_id, given.prefix, key.* from $given cross join lateral (
    select api_key.id, role, scopes, user_id, hash, expires_at, revoked_at,
      (select status from "user" where organisation_id = api_key.organisation_id and id = api_key.user_id)
    from api_key where organisation_id = given.organisation_id and prefix = given.prefix offset 0
  ) key`)({ organisationId: 'uuid', prefix: 'text' });

/** By what somebody who is connected showed who they are: a key, a user, or both. */
export interface Shown {
  readonly organisationId: OrganisationId;
  readonly keyId: ApiKeyId | null;
  readonly userId: UserId | null;
  /** Tells one from another. */
  readonly position: number;
}

/** Of many, those that are worth nothing any more: the key was revoked, or the user was suspended or deleted. */
export const listEnded = forRows<Pick<Shown, 'position'>>(`
  select given.position from $given
  left join lateral (
    select revoked_at from api_key where organisation_id = given.organisation_id and id = given.key_id offset 0
  ) key on given.key_id is not null
  left join lateral (
    select status from "user" where organisation_id = given.organisation_id and id = given.user_id offset 0
  ) person on given.user_id is not null
  where (key.revoked_at is not null)
    or (given.user_id is not null and (person.status is null or person.status not in ('PRE_ACTIVE', 'ACTIVE')))`)(
  {
    organisationId: 'uuid',
    keyId: 'uuid',
    userId: 'uuid',
    position: 'integer',
  },
);

/** Notes when keys were last used, where what is noted is older than `since`. */
export const updateLastUse = forRows(`
  update api_key set last_used_at = given.at from $given
  where api_key.organisation_id = given.organisation_id and api_key.id = given.id
    and (last_used_at is null or last_used_at < given.since)`)({
  organisationId: 'uuid',
  id: 'uuid',
  at: 'timestamptz',
  since: 'timestamptz',
});

/** Whom an access token names. */
export interface Named {
  readonly organisationId: OrganisationId;
  /** Several: more than one user has the external id. None: nobody is called that. */
  readonly users: readonly { readonly id: UserId; readonly status: UserStatus }[];
}

const findByName = forRows<{
  readonly organisationId: OrganisationId;
  readonly id: UserId | null;
  readonly status: UserStatus | null;
  readonly isUsername: boolean | null;
}>(`
  select organisation.id as organisation_id, person.id, person.status, person.is_username from $given
  cross join lateral (
    select id from organisation where id = given.organisation_id
    union
    select id from organisation where external_id = given.external_id
  ) organisation
  left join lateral (
    select id, status, false as is_username from "user"
    where organisation_id = organisation.id and external_id = given.name and status <> 'DELETED'
    union all
    select id, status, true from "user"
    where organisation_id = organisation.id and username = given.name and status <> 'DELETED'
  ) person on true`)({ organisationId: 'uuid', externalId: 'text', name: 'text' });

/**
 * An organisation by its id or else its external id, and in it the users that are not deleted with this external id, or
 * where there is none the one with this username; null: there is no such organisation.
 */
export async function findNamed(
  db: Database,
  organisation: { readonly organisationId: OrganisationId } | { readonly externalId: string },
  name: string | null,
): Promise<Named | null> {
  const given = { organisationId: null, externalId: null, ...organisation, name };
  const rows = await findByName(db, [given]);
  const [first] = rows;
  if (first === undefined) return null;
  const users = rows.flatMap(({ id, status, isUsername }) =>
    id === null || status === null ? [] : [{ id, status, isUsername }],
  );
  const byExternalId = users.filter(({ isUsername }) => isUsername === false);
  return {
    organisationId: first.organisationId,
    users: byExternalId.length > 0 ? byExternalId : users,
  };
}
