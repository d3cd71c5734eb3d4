import { Temporal } from 'temporal-polyfill';
import type { Instant } from '../kernel/clock.ts';
import type { LicenceCode, UserId } from '../kernel/ids.ts';
import type { Period } from '../kernel/interval.ts';
import { type InvalidInput, invalidInput } from '../kernel/refusal.ts';

/**
 * The refusals that more seats would have made grants. Not ALLOTMENT_FULL: there the seats were bought, and given to
 * others.
 */
export const wantsOfSeats: readonly string[] = [
  'NO_SEAT_AVAILABLE',
  'NO_CHANNEL_AVAILABLE',
  'NOT_PURCHASED',
  'CONTINGENCY_CAPPED',
];

const minute = 60_000;

/** How long a user who was refused a seat is taken to want one, if they do not ask again. */
export const patienceMilliseconds = 15 * minute;

/** A user who got in later than this after a refusal came back for something else. */
export const returnMilliseconds = 24 * 60 * minute;

/** At most so many refusals are reckoned for one report. */
export const maxRefusals = 1_000_000;

const maxReportDays = 366;
const maxReportMilliseconds = maxReportDays * 24 * 60 * minute;

/** A report is over a year at most. */
export function decideReport({ from, until }: Period): InvalidInput | null {
  if (until <= from) return invalidInput('until', 'A report ends after it begins.');
  return until.getTime() - from.getTime() > maxReportMilliseconds
    ? invalidInput('until', `A report is over ${maxReportDays} days at most.`)
    : null;
}

/** One user's, at one instant: refused a seat of a licence for want of seats, or given one. */
export interface Moment {
  readonly userId: UserId;
  readonly at: Instant;
}

/**
 * The most distinct users that wanted a seat of a licence at one instant: the seats by which it was short. At `t` a user
 * wants one who was refused at an `r` with `r ≤ t < r + patienceMilliseconds`, and acquired none in `[r, t)`.
 * What of one instant came first is not recorded: there a refusal counts before the seats that are taken, so that the
 * answer is never too low.
 *
 * This is the definition. Rows are reckoned where they are, by src/demand/store.ts, which test/store/demand.test.ts
 * holds equal to it.
 */
export function unmetDemand(refusals: readonly Moment[], acquisitions: readonly Moment[]): number {
  const acquired = Map.groupBy(acquisitions, ({ userId }) => userId);
  const wants = (refusal: Moment, instant: Instant) =>
    refusal.at <= instant &&
    instant.getTime() < refusal.at.getTime() + patienceMilliseconds &&
    !(acquired.get(refusal.userId) ?? []).some(({ at }) => refusal.at <= at && at < instant);
  // It only rises where somebody is refused.
  const levels = refusals.map(({ at }) => {
    const wanting = refusals.filter((refusal) => wants(refusal, at));
    return new Set(wanting.map(({ userId }) => userId)).size;
  });
  return levels.reduce((most, level) => Math.max(most, level), 0);
}

/** A stretch of time in which a zone's clocks are this far before UTC. */
export interface ZoneOffset extends Period {
  readonly offsetMilliseconds: number;
}

/** What a zone's clocks show over a period: one stretch more than they are changed in it. */
export function zoneOffsets({ from, until }: Period, timeZone: string): ZoneOffset[] {
  const offsets: ZoneOffset[] = [];
  let start = from;
  while (start < until) {
    const local = Temporal.Instant.fromEpochMilliseconds(start.getTime()).toZonedDateTimeISO(timeZone);
    const changed = local.getTimeZoneTransition('next')?.epochMilliseconds ?? Infinity;
    const end = new Date(Math.min(changed, until.getTime()));
    offsets.push({ from: start, until: end, offsetMilliseconds: local.offsetNanoseconds / 1_000_000 });
    start = end;
  }
  return offsets;
}

export const hoursOfWeek = 168;

/** Refusals of one licence for one reason. `denials` = `gotIn` + `neverGotIn` + `waiting`. */
export interface ReasonDenials {
  /** A logon's error code, or a feature's unavailable reason. */
  readonly code: string;
  readonly denials: number;
  /** Distinct. */
  readonly users: number;
  /** By the organisation's clocks: 0 is Monday from midnight to one, 167 Sunday's last hour. */
  readonly byHourOfWeek: readonly number[];
  /** Refusals after which the same user acquired the licence within `returnMilliseconds`. */
  readonly gotIn: number;
  /** Of those, how long it took: by half of them, and by nine in ten; null where there are none. */
  readonly medianMilliseconds: number | null;
  readonly ninetiethPercentileMilliseconds: number | null;
  readonly neverGotIn: number;
  /** Neither yet: less than `returnMilliseconds` ago. */
  readonly waiting: number;
}

/** Refusals of one licence. */
export interface LicenceDenials {
  readonly licence: LicenceCode;
  readonly denials: number;
  /** Distinct, whatever the reason. */
  readonly users: number;
  /** As `unmetDemand` has it, and the first instant at which it was so; null while it is 0. */
  readonly unmetDemand: number;
  readonly unmetDemandAt: Instant | null;
  readonly reasons: readonly ReasonDenials[];
}

/** A number of seats, and what history has of it in a billing period. */
export interface DemandLevel {
  readonly seats: number;
  /** For how long so many were wanted: in use, or by users who were refused. */
  readonly milliseconds: number;
  /** How often one more user came, and then so many were wanted: with fewer seats that user is refused. */
  readonly arrivals: number;
}

/** The seats of a licence that were wanted in one billing period. */
export interface MonthlyDemand extends Period {
  /** The most in use, and the most users that wanted one in vain, each at its own instant; and both at one instant. */
  readonly maxInUse: number;
  readonly maxUnmet: number;
  readonly maxWanted: number;
  /** Every number that was wanted for some time or on some arrival, ascending. */
  readonly levels: readonly DemandLevel[];
}
