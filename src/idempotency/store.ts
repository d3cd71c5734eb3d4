import { sql } from 'kysely';
import { forRows, insertInto, type Of } from '../database/bulk.ts';
import type { Database } from '../database/database.ts';
import type { Transaction } from '../database/transaction.ts';
import type { Instant } from '../kernel/clock.ts';
import type { OrganisationId, UserId } from '../kernel/ids.ts';
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

const findKeys = forRows<
  Of<{ readonly scope: string; readonly key: string; readonly arguments: string; readonly outcome: Outcome }>
>(`
  select known.* from $given cross join lateral (
    select organisation_id, scope, key, arguments, outcome from idempotency_key
    where organisation_id = given.organisation_id and scope = given.scope and key = given.key offset 0) known`)(
  {
    organisationId: 'uuid',
    scope: 'text',
    key: 'text',
  },
);

/** What the keys came to earlier: an outcome, or a refusal where the arguments were others. Those that are new are missing. */
export async function recall<Request extends Of<KeyedRequest>>(
  trx: Transaction,
  requests: readonly Request[],
): Promise<ReadonlyMap<Request, Outcome | IdempotencyKeyReused>> {
  const keyed = requests.filter(({ key }) => key !== null);
  const known = new Map((await findKeys(trx, keyed)).map((row) => [identityOf(row), row]));
  const recalled = new Map<Request, Outcome | IdempotencyKeyReused>();
  for (const request of keyed) {
    const row = known.get(identityOf(request));
    if (row === undefined) continue;
    const isSame = row.arguments === canonical(request.arguments);
    recalled.set(request, isSame ? revive(row.outcome) : idempotencyKeyReused());
  }
  return recalled;
}

/** What tells one key from another. */
export function identityOf(request: Of<Pick<KeyedRequest, 'scope' | 'key'>>): string {
  return JSON.stringify([request.organisationId, request.scope, request.key]);
}

const insertKeys = insertInto('idempotencyKey')({
  organisationId: 'uuid',
  scope: 'text',
  key: 'text',
  arguments: 'text',
  outcome: 'jsonb',
  createdAt: 'timestamptz',
});

/** Keeps what requests with a key came to; the others, and what no rule decided, are passed over. */
export async function remember(
  trx: Transaction,
  decided: readonly { readonly request: Of<KeyedRequest>; readonly outcome: Outcome }[],
  real: Instant,
): Promise<void> {
  const kept = decided.filter(
    ({ request, outcome }) => request.key !== null && (!('refusal' in outcome) || isDecided(outcome.refusal)),
  );
  await insertKeys(
    trx,
    kept.map(({ request, outcome }) => ({
      ...request,
      arguments: canonical(request.arguments),
      outcome: JSON.stringify(outcome),
      createdAt: real,
    })),
  );
}

/** For `once` where no organisation is locked: those with one key wait for one another. */
export async function lockKey(trx: Transaction, { scope, key }: KeyedRequest): Promise<void> {
  if (key === null) return;
  await sql`select pg_advisory_xact_lock(hashtextextended(${scope + key}, 0))`.execute(trx);
}

/**
 * Does the work once for a key: a repeat answers what the first call made, as it is now, or the same refusal.
 * @param organisationId whose key it is; locked, or else the key is
 * @param find what a remembered id names
 */
export async function once<Made extends { readonly id: string }, Refused extends Refusal>(
  trx: Transaction,
  organisationId: OrganisationId,
  request: KeyedRequest,
  real: Instant,
  work: () => Promise<Made | Refused>,
  find: (id: Made['id']) => Promise<Made>,
): Promise<Made | Refused | IdempotencyKeyReused> {
  const asked = { organisationId, ...request };
  const known = (await recall(trx, [asked])).get(asked) ?? null;
  if (known !== null && 'id' in known) return find(known.id);
  if (known !== null && 'refusal' in known) return known.refusal as Refused;
  if (known !== null) return known;

  const made = await work();
  const outcome = 'code' in made ? { refusal: made } : { id: made.id };
  await remember(trx, [{ request: asked, outcome }], real);
  return made;
}

/**
 * Takes what a user is known by out of the requests that are remembered. A repeat of one is answered as one with other
 * arguments: the person it names is not made a second time.
 */
export async function eraseFromKeys(
  trx: Transaction,
  organisationId: OrganisationId,
  { id, ...names }: { readonly id: UserId } & Readonly<Partial<Record<PersonalArgument, string | null>>>,
): Promise<void> {
  const mentions = personalArguments
    .filter((name) => typeof names[name] === 'string')
    // As `canonical` writes an argument.
    .map((name) => JSON.stringify([name, names[name]]));
  await sql`
    update idempotency_key set
      arguments = 'erased',
      outcome = case when outcome ? 'refusal' then '{"refusal": {"code": "ERASED", "message": ""}}' else outcome end
    where organisation_id = ${organisationId} and (
      (scope = 'createUser' and (outcome ->> 'id' = ${id}
        or (outcome ? 'refusal' and exists (
          select from unnest(${mentions}::text[]) mention where position(mention in arguments) > 0))))
      or (scope = 'createApiKey' and position(${JSON.stringify(['userId', id])} in arguments) > 0))`.execute(
    trx,
  );
}

const personalArguments = ['username', 'displayName', 'email', 'externalId'] as const;
type PersonalArgument = (typeof personalArguments)[number];

/**
 * Forgets the keys of before an instant, a slice at a time until none is left: however many there are, no statement is
 * long. Several servers may do it at once; each takes what the others have not.
 * @param signal stops it after the slice under way
 * @returns how many it forgot
 */
export async function purgeKeys(
  db: Database,
  before: Instant,
  { slice = 10_000, signal }: { readonly slice?: number; readonly signal?: AbortSignal } = {},
): Promise<number> {
  for (let purged = 0; ;) {
    const { numAffectedRows = 0n } = await sql`
      delete from idempotency_key where (organisation_id, scope, key) in (
        select organisation_id, scope, key from idempotency_key where created_at < ${before}
        order by created_at limit ${slice} for update skip locked)`.execute(db);
    purged += Number(numAffectedRows);
    if (numAffectedRows < slice || signal?.aborted === true) return purged;
  }
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
