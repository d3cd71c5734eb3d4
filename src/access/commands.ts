import { hash, randomBytes } from 'node:crypto';
import { doneBy, nameOf } from '../audit/domain.ts';
import { note } from '../audit/store.ts';
import { inTransaction } from '../database/transaction.ts';
import type { IdempotencyKeyReused } from '../idempotency/domain.ts';
import { once } from '../idempotency/store.ts';
import { type Actor, scopes } from '../kernel/actor.ts';
import { type ApiKeyId, encodeOwnedId, newId, type OrganisationId } from '../kernel/ids.ts';
import { type InvalidInput, isRefusal, type NotFound, notFound, type Refusal } from '../kernel/refusal.ts';
import type { Services } from '../live/services.ts';
import { lockOrganisations } from '../organisation/store.ts';
import { listUsers } from '../user/store.ts';
import {
  type ApiKey,
  decideBearer,
  decideEnd,
  decideKey,
  decideKind,
  decideScopes,
  lookUpBytes,
  secretBytes,
  type WantedKey,
  writeKey,
} from './domain.ts';
import { insertApiKey, listApiKeys, updateRevocation } from './store.ts';

export interface CreateApiKey extends WantedKey {
  readonly organisationId: OrganisationId;
  readonly name: string;
  readonly idempotencyKey: string | null;
}

export interface CreatedApiKey {
  readonly apiKey: ApiKey;
  /** The key itself, which nobody can be shown again; null: it was shown to an earlier call of the same idempotency key. */
  readonly key: string | null;
}

/** Makes a key, which can do no more than the actor, and of which only the hash is kept. */
export async function createApiKey(
  { db, clock, by }: Services,
  actor: Actor,
  { organisationId, idempotencyKey, ...input }: CreateApiKey,
): Promise<CreatedApiKey | InvalidInput | NotFound | Refusal<'FORBIDDEN'> | IdempotencyKeyReused> {
  const forbidden = decideKind(actor, input.role);
  if (forbidden !== null) return forbidden;
  const decided = decideScopes(actor, input.scopes);
  if (isRefusal(decided)) return decided;
  const end = decideEnd(actor, input.expiresAt);
  if (isRefusal(end)) return end;
  const wanted = { ...input, ...decided, ...end };
  const bearer = decideBearer(actor, wanted);
  if (bearer !== null) return bearer;
  const now = clock.now();

  let shown: string | null = null;
  const made = await inTransaction(db, 'createApiKey', async (trx) => {
    shown = null;
    const [organisation] = await lockOrganisations(trx, [organisationId], false);
    if (organisation === undefined) return notFound('organisation');
    return once<ApiKey, InvalidInput | NotFound>(
      trx,
      organisationId,
      { scope: 'createApiKey', key: idempotencyKey, arguments: wanted },
      now,
      async () => {
        const invalid = decideKey(wanted, now);
        if (invalid !== null) return invalid;
        const [user] = wanted.userId === null ? [] : await listUsers(trx, organisationId, [wanted.userId]);
        if (wanted.userId !== null && (user === undefined || user.status === 'DELETED')) {
          return notFound('user');
        }
        const { prefix, key } = writeKey(organisationId, randomBytes(lookUpBytes), randomBytes(secretBytes));
        const apiKey: ApiKey = {
          ...wanted,
          id: newId(),
          prefix,
          createdAt: now,
          createdBy: actor.credential,
          revokedAt: null,
          lastUsedAt: null,
        };
        await insertApiKey(trx, organisationId, apiKey, hash('sha256', key, 'buffer'));
        shown = key;
        await note(trx, {
          organisationId,
          ...doneBy(by, now, 'createApiKey'),
          subject: encodeOwnedId('ApiKey', organisationId, apiKey.id),
          before: null,
          after: {
            name: apiKey.userId === null ? apiKey.name : nameOf(apiKey.userId, apiKey.name),
            ...{ role: apiKey.role, scopes: apiKey.scopes, expiresAt: apiKey.expiresAt },
            userId: apiKey.userId === null ? null : encodeOwnedId('User', organisationId, apiKey.userId),
          },
        });
        return apiKey;
      },
      async (id) => {
        const [apiKey] = await listApiKeys(trx, organisationId, [id]);
        if (apiKey === undefined) throw new Error(`API key ${id} is remembered and gone`);
        return apiKey;
      },
    );
  });
  return isRefusal(made) ? made : { apiKey: made, key: shown };
}

/** Takes a key away, everywhere within seconds. One that was revoked stays so since then. */
export async function revokeApiKey(
  { db, clock, by }: Services,
  actor: Actor,
  organisationId: OrganisationId,
  id: ApiKeyId,
): Promise<ApiKey | NotFound | Refusal<'FORBIDDEN'>> {
  return inTransaction(db, 'revokeApiKey', async (trx) => {
    await lockOrganisations(trx, [organisationId], false);
    const [apiKey] = await listApiKeys(trx, organisationId, [id]);
    if (apiKey === undefined) return notFound('API key');
    const forbidden = decideKind(actor, apiKey.role);
    if (forbidden !== null) return forbidden;
    const beyond = decideScopes(actor, apiKey.scopes ?? scopes);
    if (isRefusal(beyond)) return beyond;
    if (apiKey.revokedAt !== null) return apiKey;
    const revoked = { ...apiKey, revokedAt: clock.now() };
    await updateRevocation(trx, organisationId, id, revoked.revokedAt);
    await note(trx, {
      organisationId,
      ...doneBy(by, revoked.revokedAt, 'revokeApiKey'),
      subject: encodeOwnedId('ApiKey', organisationId, id),
      before: { revokedAt: null },
      after: { revokedAt: revoked.revokedAt },
    });
    return revoked;
  });
}
