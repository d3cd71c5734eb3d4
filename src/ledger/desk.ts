import {
  availableAt,
  type BaseLicence,
  type NoBaseLicenceAvailable,
  noBaseLicenceAvailable,
  releaseBaseLicence,
  takeBaseLicence,
} from '../assignment/domain.ts';
import {
  deleteBaseLicences,
  findHeldBaseLicence,
  findReleasedBaseLicences,
  listLockedUntil,
  saveBaseLicences,
} from '../assignment/store.ts';
import { type LicenceCode, newId, type UserId } from '../kernel/ids.ts';
import { hasBaseLicences, type Licence } from '../licence/domain.ts';
import { listOpenPurchases } from '../purchase/store.ts';
import {
  type Decided,
  endSessions,
  loseFeature,
  type Session,
  type SessionEndReason,
} from '../session/domain.ts';
import { changePool, emptyPool, poolOf } from '../usage/domain.ts';
import { type Desk, inStep, type Ledger } from './commands.ts';

/**
 * Takes a base licence or fixed seat for a user of each licence that has them: all or none. The first that is
 * missing, in catalogue order, is named (U4).
 * @returns what `saveBaseLicences` writes, once the user exists
 */
export async function takeBaseLicences(
  { trx, organisationId, ledger }: Desk,
  userId: UserId,
  licences: readonly Licence[],
): Promise<BaseLicence[] | NoBaseLicenceAvailable> {
  const { now, pools: before, steps } = ledger;
  const taken: BaseLicence[] = [];
  for (const licence of licences.filter(hasBaseLicences)) {
    const released = await findReleasedBaseLicences(trx, organisationId, licence.code, userId);
    const base = inStep(ledger, (tally) => takeBaseLicence(tally, licence, userId, released, newId, now));
    if (base === null) {
      ledger.pools = before;
      ledger.steps = steps;
      const locked = await listLockedUntil(trx, organisationId, licence.code);
      const purchases = await listOpenPurchases(trx, organisationId, licence.code, now);
      const pool = before.get(licence.code) ?? emptyPool(licence.code);
      return noBaseLicenceAvailable(licence, availableAt(pool, locked, purchases, now));
    }
    taken.push(base);
  }
  return taken;
}

/** Takes a user's base licence or fixed seat of a licence back: it becomes REUSABLE, LOCKED or FREE (B2). */
export async function takeBackBaseLicence(
  { trx, organisationId, ledger }: Desk,
  userId: UserId,
  licence: LicenceCode,
): Promise<void> {
  const held = await findHeldBaseLicence(trx, organisationId, licence, userId);
  if (held === null) throw new Error(`User ${userId} holds no base licence of ${licence}`);
  const released = inStep(ledger, (tally) => releaseBaseLicence(tally, held, ledger.now));
  if (released === null) await deleteBaseLicences(trx, [{ organisationId, id: held.id }]);
  else await saveBaseLicences(trx, organisationId, [released]);
}

/** Counts users that come to have a licence assigned (1), or cease to (−1) (C6). */
export function countHolders(ledger: Ledger, licences: readonly LicenceCode[], change: 1 | -1): void {
  inStep(ledger, (tally) => {
    for (const licence of licences) {
      changePool(tally, licence, { holders: poolOf(tally, licence).holders + change });
    }
  });
}

/** Ends the live sessions of the loaded users that `ends` picks, at once (U3, U5). */
export function endLoadedSessions(
  ledger: Ledger,
  ends: (session: Session) => boolean,
  reason: SessionEndReason,
): Session[] {
  const before = ledger.holders;
  apply(ledger, endSessions(ledger, ends, reason, ledger.now));
  return [...ledger.holders].flatMap(([userId, { sessions }]) => {
    const former = before.get(userId)?.sessions ?? [];
    return sessions.filter((session) => !former.includes(session));
  });
}

/** Releases a feature that a loaded user lost from every session of theirs (U5). */
export function releaseLostFeature(ledger: Ledger, userId: UserId, feature: LicenceCode): void {
  apply(ledger, loseFeature(ledger, userId, feature, ledger.now));
}

/** Puts decided books into the ledger. */
export function apply(ledger: Ledger, { pools, holders, history, steps }: Decided): void {
  ledger.pools = pools;
  ledger.holders = holders;
  ledger.history = [...ledger.history, ...history];
  ledger.steps = [...ledger.steps, ...steps];
}
