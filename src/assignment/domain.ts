import { type Instant, plusDays } from '../kernel/clock.ts';
import type { AssignmentId, BaseLicenceId, LicenceCode, UserId } from '../kernel/ids.ts';
import type { Refusal } from '../kernel/refusal.ts';
import type { Licence } from '../licence/domain.ts';
import type { Purchase } from '../purchase/domain.ts';
import { baseUsage, changePool, type Pool, poolOf, type Tally } from '../usage/domain.ts';

/** A licence given to a user. */
export interface Assignment {
  readonly id: AssignmentId;
  readonly userId: UserId;
  readonly licence: LicenceCode;
  readonly assignedAt: Instant;
  /** Since when it occupies a base licence or fixed seat; null: planned, or none is needed (B6, B7). */
  readonly consumedAt: Instant | null;
}

/** One base licence that is held, REUSABLE or LOCKED. A FREE one is only a number (B2). */
export interface BaseLicence {
  readonly id: BaseLicenceId;
  readonly licence: LicenceCode;
  /** null: released inside its period. */
  readonly holderId: UserId | null;
  readonly lastHolderId: UserId;
  readonly periodUntil: Instant;
  /** Whether its one reassignment is used (B1). */
  readonly reassigned: boolean;
}

/** What a user could be given: of the released base licences of one licence, the only two that the rules ever choose. */
export interface ReleasedBaseLicences {
  /** The one that this user held last (B4). */
  readonly returning: BaseLicence | null;
  /** The REUSABLE one whose period ends soonest (B3). */
  readonly reusable: BaseLicence | null;
}

export interface NoBaseLicenceAvailable extends Refusal<'NO_BASE_LICENCE_AVAILABLE'> {
  readonly licence: LicenceCode;
  /** The first instant at which one becomes available by itself; null: never, as things stand (B3). */
  readonly availableAt: Instant | null;
}
export interface AlreadyAssigned extends Refusal<'ALREADY_ASSIGNED'> {
  readonly licence: LicenceCode;
}
export interface NotAssigned extends Refusal<'NOT_ASSIGNED'> {
  readonly licence: LicenceCode;
}
export type UserDeleted = Refusal<'USER_DELETED'>;

export function alreadyAssigned({ code, name }: Licence): AlreadyAssigned {
  return { code: 'ALREADY_ASSIGNED', message: `The user has ${name} already.`, licence: code };
}

export function notAssigned({ code, name }: Licence): NotAssigned {
  return { code: 'NOT_ASSIGNED', message: `The user does not have ${name}.`, licence: code };
}

export function userDeleted(): UserDeleted {
  return { code: 'USER_DELETED', message: 'The user was deleted, which is final; create a new one.' };
}

export function noBaseLicenceAvailable(
  licence: Licence,
  availableAt: Instant | null,
): NoBaseLicenceAvailable {
  const hint =
    availableAt === null
      ? 'Buy more, or take it from another user.'
      : `One becomes available at ${availableAt.toISOString()}.`;
  return {
    code: 'NO_BASE_LICENCE_AVAILABLE',
    message: `No base licence of ${licence.name} is available. ${hint}`,
    licence: licence.code,
    availableAt,
  };
}

/**
 * B1, B3 and B4: gives a user a base licence or fixed seat, or null when none is available. Prefers the one the
 * user held last, then the REUSABLE one that ends soonest, then a FREE one.
 */
export function takeBaseLicence(
  tally: Tally,
  licence: Licence,
  userId: UserId,
  { returning, reusable }: ReleasedBaseLicences,
  newId: () => BaseLicenceId,
  now: Instant,
): BaseLicence | null {
  const pool = poolOf(tally, licence.code);
  // A LOCKED one is counted already, so its last holder needs no `available` to have it back (B4).
  const available = baseUsage(pool).available > 0 || returning?.reassigned === true;
  if (!available) return null;

  if (returning !== null) {
    uncountReleased(tally, pool, returning);
    return { ...returning, holderId: userId };
  }
  if (reusable !== null) {
    uncountReleased(tally, pool, reusable);
    return { ...reusable, holderId: userId, lastHolderId: userId, reassigned: true };
  }
  changePool(tally, licence.code, { assigned: pool.assigned + 1 });
  return {
    id: newId(),
    licence: licence.code,
    holderId: userId,
    lastHolderId: userId,
    periodUntil: plusDays(now, licence.reassignmentDays),
    reassigned: false,
  };
}

function uncountReleased(tally: Tally, pool: Pool, base: BaseLicence): void {
  const released = base.reassigned ? { locked: pool.locked - 1 } : { reusable: pool.reusable - 1 };
  changePool(tally, pool.licence, { assigned: pool.assigned + 1, ...released });
}

/** B2: a base licence given back becomes REUSABLE, LOCKED or, answered as null, FREE. */
export function releaseBaseLicence(tally: Tally, base: BaseLicence, now: Instant): BaseLicence | null {
  const pool = poolOf(tally, base.licence);
  const assigned = pool.assigned - 1;
  if (now >= base.periodUntil) {
    changePool(tally, base.licence, { assigned });
    return null;
  }
  changePool(
    tally,
    base.licence,
    base.reassigned ? { assigned, locked: pool.locked + 1 } : { assigned, reusable: pool.reusable + 1 },
  );
  return { ...base, holderId: null };
}

/** B2: the period of a released base licence is over, and it is FREE. */
export function freeBaseLicence(tally: Tally, base: BaseLicence): void {
  const pool = poolOf(tally, base.licence);
  changePool(
    tally,
    base.licence,
    base.reassigned ? { locked: pool.locked - 1 } : { reusable: pool.reusable - 1 },
  );
}

/**
 * B3: the first instant after now at which `available` > 0 by the running of periods and recorded purchases alone.
 * @param lockedUntil when each LOCKED base licence becomes FREE
 * @param purchases those of the licence that have not ended
 */
export function availableAt(
  pool: Pool,
  lockedUntil: readonly Instant[],
  purchases: readonly Purchase[],
  now: Instant,
): Instant | null {
  const changes: [at: Instant, by: number][] = lockedUntil.map((until) => [until, 1]);
  for (const { from, until, base } of purchases) {
    if (until !== null && until <= from) continue;
    if (from > now) changes.push([from, base]);
    if (until !== null && until > now) changes.push([until, -base]);
  }
  changes.sort(([one], [other]) => one.getTime() - other.getTime());

  let spare = pool.baseTotal - pool.assigned - pool.locked;
  for (const [index, [at, by]] of changes.entries()) {
    spare += by;
    // What falls due at one instant takes effect together (T3).
    const isLastAtInstant = changes[index + 1]?.[0].getTime() !== at.getTime();
    if (isLastAtInstant && spare > 0) return at;
  }
  return null;
}
