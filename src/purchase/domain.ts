import type { Instant } from '../kernel/clock.ts';
import type { LicenceCode, PurchaseId } from '../kernel/ids.ts';
import { contains, type Interval } from '../kernel/interval.ts';
import { type InvalidInput, invalidInput } from '../kernel/refusal.ts';
import { hasBaseLicences, isFeature, type Licence } from '../licence/domain.ts';
import { changePool, poolOf, type Tally } from '../usage/domain.ts';

/** Seats of one licence, counted by pool. */
export interface Quantities {
  readonly base: number;
  readonly concurrent: number;
  readonly contingency: number;
}

/** A contract fact: quantities of one licence in force over `[from, until)`. One that was cancelled is never in force. */
export interface Purchase extends Interval, Quantities {
  readonly id: PurchaseId;
  readonly licence: LicenceCode;
  readonly reference: string | null;
  readonly recordedAt: Instant;
}

/** The largest number of seats that a total can show: GraphQL's Int. */
const maxSeats = 2_147_483_647;

/**
 * P3: what can be bought of a licence, and how much.
 * @param recorded the sum of the licence's purchases that have not ended: no total may outgrow GraphQL's Int
 */
export function decideQuantities(
  licence: Licence,
  wanted: Quantities,
  recorded: Quantities,
): InvalidInput | null {
  const { name } = licence;
  for (const field of ['base', 'concurrent', 'contingency'] as const) {
    if (wanted[field] < 0) return invalidInput(field, `A quantity is 0 or more, not ${wanted[field]}.`);
  }
  if (wanted.base > 0 && !hasBaseLicences(licence)) {
    return invalidInput(
      'base',
      `${name} is a concurrent feature: it is bought as concurrent and contingency seats.`,
    );
  }
  for (const field of ['concurrent', 'contingency'] as const) {
    if (wanted[field] > 0 && licence.seatModel === 'FIXED') {
      return invalidInput(field, `${name} has fixed seats: it is bought as base licences only.`);
    }
  }
  if (wanted.contingency > 0 && !licence.contingencyAllowed) {
    return invalidInput('contingency', `${name} is not sold with contingency seats.`);
  }
  for (const field of ['base', 'concurrent', 'contingency'] as const) {
    if (wanted[field] > 0 && recorded[field] + wanted[field] > maxSeats) {
      return invalidInput(field, `All purchases of ${name} together are at most ${maxSeats} ${field} seats.`);
    }
  }
  if (wanted.base === 0 && wanted.concurrent === 0 && wanted.contingency === 0) {
    const field = isFeature(licence) && licence.seatModel === 'CONCURRENT' ? 'concurrent' : 'base';
    return invalidInput(field, 'A purchase has at least one seat.');
  }
  return null;
}

/** P4: when a purchase is in force; `from` null is now. */
export function decideInterval(
  from: Instant | null,
  until: Instant | null,
  now: Instant,
): Interval | InvalidInput {
  if (from !== null && from < now)
    return invalidInput('from', 'A purchase starts now or later, not in the past.');
  const start = from ?? now;
  if (until !== null && until < now)
    return invalidInput('until', 'A purchase ends now or later, not in the past.');
  if (until !== null && until <= start) return invalidInput('until', 'A purchase ends after it starts.');
  return { from: start, until };
}

/**
 * P4: the new end of a purchase; `until` null ends it now, and cancels one that has not started. Ending one that
 * has ended changes nothing.
 */
export function decideEnd(purchase: Purchase, until: Instant | null, now: Instant): Instant | InvalidInput {
  const ended = purchase.until !== null && purchase.until <= now ? purchase.until : null;
  if (until === null) return ended ?? (purchase.from > now ? purchase.from : now);
  if (until < now) return invalidInput('until', 'A purchase ends now or later, not in the past.');
  if (until <= purchase.from) {
    return invalidInput('until', 'A purchase ends after it starts; to cancel it, leave `until` out.');
  }
  if (ended !== null) {
    return invalidInput('until', `This purchase ended at ${ended.toISOString()}; record a new one instead.`);
  }
  return until;
}

/** Adds (1) or takes away (−1) a purchase's seats from the totals in force (P1). */
export function changeTotals(tally: Tally, licence: LicenceCode, change: Quantities, sign: 1 | -1): void {
  const pool = poolOf(tally, licence);
  changePool(tally, licence, {
    baseTotal: pool.baseTotal + sign * change.base,
    concurrentTotal: pool.concurrentTotal + sign * change.concurrent,
    contingencyTotal: pool.contingencyTotal + sign * change.contingency,
  });
  tally.events.push({ kind: 'TOTALS_CHANGED', licence, seat: null, seatChanged: false });
}

export function isInForce(purchase: Purchase, at: Instant): boolean {
  return contains(purchase, at);
}
