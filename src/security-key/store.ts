import { type Selectable, sql } from 'kysely';
import type { Database } from '../database/database.ts';
import type { SecurityKey as Row } from '../database/tables.ts';
import type { Transaction } from '../database/transaction.ts';
import type { Instant } from '../kernel/clock.ts';
import type { OrganisationId, SecurityKeyId, UserId } from '../kernel/ids.ts';
import type { Purpose, SecurityKey, Whose } from './domain.ts';

function toSecurityKey({ organisationId: _, ...key }: Selectable<Row>): SecurityKey {
  return key;
}

/** The users' keys, oldest first, suspect ones included. */
export async function listSecurityKeys(
  db: Database,
  organisationId: OrganisationId,
  userIds: readonly UserId[],
): Promise<SecurityKey[]> {
  const rows = await db
    .selectFrom('securityKey')
    .selectAll()
    .where('organisationId', '=', organisationId)
    .where('userId', '=', sql<UserId>`any(${userIds}::uuid[])`)
    .orderBy('createdAt')
    .orderBy('id')
    .execute();
  return rows.map(toSecurityKey);
}

export async function listSecurityKeysById(
  db: Database,
  organisationId: OrganisationId,
  ids: readonly SecurityKeyId[],
): Promise<SecurityKey[]> {
  const rows = await db
    .selectFrom('securityKey')
    .selectAll()
    .where('organisationId', '=', organisationId)
    .where('id', '=', sql<SecurityKeyId>`any(${ids}::uuid[])`)
    .execute();
  return rows.map(toSecurityKey);
}

/** A user's key by its own name for itself; another's is null. */
export async function findCredential(
  db: Database,
  { organisationId, userId }: Whose,
  credentialId: string,
): Promise<SecurityKey | null> {
  const row = await db
    .selectFrom('securityKey')
    .selectAll()
    .where('organisationId', '=', organisationId)
    .where('credentialId', '=', credentialId)
    .where('userId', '=', userId)
    .executeTakeFirst();
  return row === undefined ? null : toSecurityKey(row);
}

/** A key that nobody else uses or removes until the transaction ends: of two signatures one is the later. */
export async function lockSecurityKey(
  trx: Transaction,
  organisationId: OrganisationId,
  id: SecurityKeyId,
): Promise<SecurityKey | null> {
  const row = await trx
    .selectFrom('securityKey')
    .selectAll()
    .where('organisationId', '=', organisationId)
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst();
  return row === undefined ? null : toSecurityKey(row);
}

/** @returns whether it was inserted: false where the organisation has the credential already */
export async function insertSecurityKey(
  trx: Transaction,
  organisationId: OrganisationId,
  { publicKey, transports, ...key }: SecurityKey,
): Promise<boolean> {
  const inserted = await trx
    .insertInto('securityKey')
    .values({ organisationId, ...key, publicKey: Buffer.from(publicKey), transports: [...transports] })
    .onConflict((conflict) => conflict.columns(['organisationId', 'credentialId']).doNothing())
    .returning('id')
    .executeTakeFirst();
  return inserted !== undefined;
}

/** Keeps what using a key changed. */
export async function updateUse(
  trx: Transaction,
  organisationId: OrganisationId,
  { id, counter, lastUsedAt, suspectAt }: SecurityKey,
): Promise<void> {
  await trx
    .updateTable('securityKey')
    .set({ counter, lastUsedAt, suspectAt })
    .where('organisationId', '=', organisationId)
    .where('id', '=', id)
    .execute();
}

export async function deleteSecurityKey(
  trx: Transaction,
  organisationId: OrganisationId,
  id: SecurityKeyId,
): Promise<void> {
  await trx
    .deleteFrom('securityKey')
    .where('organisationId', '=', organisationId)
    .where('id', '=', id)
    .execute();
}

/** All that is a user's: what their keys are called may name them. */
export async function deleteSecurityKeys(
  trx: Transaction,
  organisationId: OrganisationId,
  userId: UserId,
): Promise<void> {
  const ofUser = { organisationId, userId };
  await Promise.all([
    trx
      .deleteFrom('securityKey')
      .where(({ and }) => and(ofUser))
      .execute(),
    trx
      .deleteFrom('securityKeyChallenge')
      .where(({ and }) => and(ofUser))
      .execute(),
  ]);
}

/** Adds a challenge, and keeps no more than `most` of the user's for the purpose: the newest. The user must be locked. */
export async function insertChallenge(
  trx: Transaction,
  { organisationId, userId }: Whose,
  added: { readonly purpose: Purpose; readonly challenge: string; readonly expiresAt: Instant },
  most: number,
): Promise<void> {
  const { purpose } = added;
  await Promise.all([
    sql`
      delete from security_key_challenge where (organisation_id, user_id, purpose, challenge) in (
        select organisation_id, user_id, purpose, challenge from security_key_challenge
        where organisation_id = ${organisationId} and user_id = ${userId} and purpose = ${purpose}
        order by expires_at desc offset ${most - 1})`.execute(trx),
    trx
      .insertInto('securityKeyChallenge')
      .values({ organisationId, userId, ...added })
      .execute(),
  ]);
}

/** Takes a challenge away: whoever is told until when it was good is the only one. @returns null where there is none */
export async function takeChallenge(
  trx: Transaction,
  { organisationId, userId }: Whose,
  purpose: Purpose,
  challenge: string,
): Promise<Instant | null> {
  const taken = await trx
    .deleteFrom('securityKeyChallenge')
    .where('organisationId', '=', organisationId)
    .where('userId', '=', userId)
    .where('purpose', '=', purpose)
    .where('challenge', '=', challenge)
    .returning('expiresAt')
    .executeTakeFirst();
  return taken?.expiresAt ?? null;
}

/** Forgets the challenges that nobody answered in time. @returns how many */
export async function purgeChallenges(db: Database, now: Instant): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom('securityKeyChallenge')
    .where('expiresAt', '<=', now)
    .executeTakeFirst();
  return Number(numDeletedRows);
}
