import { Temporal } from 'temporal-polyfill';
import { type Instant, instant } from '../kernel/clock.ts';
import type { OrganisationId } from '../kernel/ids.ts';
import type { Period } from '../kernel/interval.ts';
import { type InvalidInput, invalidInput } from '../kernel/refusal.ts';

/** A customer. Its counters are those of its Licence Mapping rows that are the organisation's own (C6). */
export interface Organisation {
  readonly id: OrganisationId;
  readonly parentId: OrganisationId | null;
  readonly name: string;
  readonly externalId: string | null;
  readonly timeZone: string;
  readonly leaseSeconds: number;
  readonly testClock: boolean;
  /** Everything due up to here has taken effect; a test clock stands here (T2, T3). */
  readonly settledAt: Instant;
  /** A lower bound: nothing falls due before it. */
  readonly nextDueAt: Instant;
  readonly period: BillingPeriod;
  readonly activeUsers: number;
  readonly activeInBillingPeriod: number;
  readonly revision: number;
  /** The revision at which every row last changed together (C5). */
  readonly rowsRevision: number;
  readonly createdAt: Instant;
}

export const minLeaseSeconds = 10;
export const maxLeaseSeconds = 86_400;

/** A billing period knows its month, because after a change of zone its edges no longer tell it (T1). */
export interface BillingPeriod extends Period {
  readonly month: Month;
}

/** year × 12 + month − 1: January 2026 is 24,312; the month after `m` is `m + 1`. */
export type Month = number;

/**
 * The organisation's own present: a test clock's, or the real time — but never before what has already taken effect,
 * so that a server whose clock lags cannot undo it.
 */
export function nowOf(organisation: Pick<Organisation, 'testClock' | 'settledAt'>, real: Instant): Instant {
  return organisation.testClock || organisation.settledAt > real ? organisation.settledAt : real;
}

/** The first instant of a month's first local date: of a midnight that happens twice the first, of one that never does what follows it (T1). */
export function startOfMonth(month: Month, timeZone: string): Instant {
  const firstDay = Temporal.PlainDate.from({ year: Math.floor(month / 12), month: (month % 12) + 1, day: 1 });
  return new Date(firstDay.toZonedDateTime(timeZone).epochMilliseconds);
}

/** The billing period that an instant falls in, for an organisation that begins then (T1). */
export function billingPeriodAt(at: Instant, timeZone: string): BillingPeriod {
  const local = Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(timeZone);
  let month = local.year * 12 + local.month - 1;
  // Where clocks go back over midnight of the 1st, the local date is the old month's again after the new one began.
  if (startOfMonth(month + 1, timeZone) <= at) month += 1;
  return { month, from: startOfMonth(month, timeZone), until: startOfMonth(month + 1, timeZone) };
}

/** The period that follows: it starts where this one ends and ends at the zone's edge of *its* month (T1). */
export function nextBillingPeriod(period: BillingPeriod, timeZone: string): BillingPeriod {
  const month = period.month + 1;
  return { month, from: period.until, until: startOfMonth(month + 1, timeZone) };
}

const firstPeriod = instant('1970-01-01T00:00:00.000Z');
const endOfClocks = instant('9999-01-01T00:00:00.000Z');

/** A clock may stand only where every instant that follows from it can be answered (years 1970…9999). */
export function decideClock(field: string, at: Instant, timeZone: string): InvalidInput | null {
  if (at >= endOfClocks) return invalidInput(field, 'A clock stands before the year 9999.');
  if (billingPeriodAt(at, timeZone).from < firstPeriod) {
    return invalidInput(field, `A clock stands where its month, in ${timeZone}, begins in 1970 or later.`);
  }
  return null;
}

/** Leases are 10 … 86,400 seconds (L8). */
export function decideLease(leaseSeconds: number): InvalidInput | null {
  return leaseSeconds >= minLeaseSeconds && leaseSeconds <= maxLeaseSeconds
    ? null
    : invalidInput('leaseSeconds', `A lease is ${minLeaseSeconds} to ${maxLeaseSeconds} seconds.`);
}
