import { sql } from 'kysely';
import type { Database } from '../database/database.ts';
import type { Transaction } from '../database/transaction.ts';
import type { Instant } from '../kernel/clock.ts';
import type { OrganisationId } from '../kernel/ids.ts';
import type { Refusal } from '../kernel/refusal.ts';
import {
  canonical,
  type IdempotencyKeyReused,
  idempotencyKeyReused,
  isDecided,
  type Outcome,
} from './domain.ts';

/** A key means something within a scope: a mutation, and for logons a user (L6). */
export interface KeyedRequest {
  readonly scope: string;
  /** null: the request is not to be remembered. */
  readonly key: string | null;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** The scope of keys that belong to no organisation. */
const nowhere = '00000000-0000-0000-0000-000000000000' as OrganisationId;

/** What a key came to earlier, or a refusal when its arguments were others; null: it is new. */
export async function recall(
  trx: Transaction,
  organisationId: OrganisationId,
  request: KeyedRequest,
): Promise<Outcome | IdempotencyKeyReused | null> {
  if (request.key === null) return null;
  const row = await trx
    .selectFrom('idempotencyKey')
    .select(['arguments', 'outcome'])
    .where('organisationId', '=', organisationId)
    .where('scope', '=', request.scope)
    .where('key', '=', request.key)
    .executeTakeFirst();
  if (row === undefined) return null;
  return row.arguments === canonical(request.arguments)
    ? revive(row.outcome as Outcome)
    : idempotencyKeyReused();
}

export async function remember(
  trx: Transaction,
  organisationId: OrganisationId,
  request: KeyedRequest,
  outcome: Outcome,
  real: Instant,
): Promise<void> {
  if (request.key === null || ('refusal' in outcome && !isDecided(outcome.refusal))) return;
  await trx
    .insertInto('idempotencyKey')
    .values({
      organisationId,
      scope: request.scope,
      key: request.key,
      arguments: canonical(request.arguments),
      outcome: JSON.stringify(outcome),
      createdAt: real,
    })
    .execute();
}

/**
 * Does the work once for a key: a repeat answers what the first call made, as it is now, or the same refusal.
 * @param find what a remembered id names
 */
export async function once<Made extends { readonly id: string }, Refused extends Refusal>(
  trx: Transaction,
  organisationId: OrganisationId | null,
  request: KeyedRequest,
  real: Instant,
  work: () => Promise<Made | Refused>,
  find: (id: Made['id']) => Promise<Made>,
): Promise<Made | Refused | IdempotencyKeyReused> {
  const owner = organisationId ?? nowhere;
  // Callers within an organisation hold its lock; the others wait for one another here.
  if (organisationId === null && request.key !== null) {
    await sql`select pg_advisory_xact_lock(hashtextextended(${request.scope + request.key}, 0))`.execute(trx);
  }
  const known = await recall(trx, owner, request);
  if (known !== null && 'id' in known) return find(known.id);
  if (known !== null && 'refusal' in known) return known.refusal as Refused;
  if (known !== null) return known;

  const made = await work();
  await remember(trx, owner, request, 'code' in made ? { refusal: made } : { id: made.id }, real);
  return made;
}

export async function purgeKeys(db: Database, before: Instant): Promise<void> {
  await db.deleteFrom('idempotencyKey').where('createdAt', '<', before).execute();
}

/** JSON has no instants: the one that a refusal can carry is read back as one. */
function revive(outcome: Outcome): Outcome {
  if (!('refusal' in outcome) || !('availableAt' in outcome.refusal)) return outcome;
  const { availableAt } = outcome.refusal;
  return {
    refusal: {
      ...outcome.refusal,
      ...(typeof availableAt === 'string' ? { availableAt: new Date(availableAt) } : {}),
    } as Refusal,
  };
}
