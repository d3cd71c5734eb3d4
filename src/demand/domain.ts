import { Temporal } from 'temporal-polyfill';
import { type Instant, plusSeconds } from '../kernel/clock.ts';
import type { LicenceCode, UserId } from '../kernel/ids.ts';
import type { Period } from '../kernel/interval.ts';
import { type InvalidInput, invalidInput } from '../kernel/refusal.ts';
import type { DroppedHistory } from '../usage-history/domain.ts';

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
export const tooManyRefusals = invalidInput(
  'until',
  `A report is over ${maxRefusals} refusals at most; ask for a shorter time, or for fewer licences.`,
);
/** A month of a licence is sized by so many changes of its use at most: five thousand users who come and go ten times a day. */
export const maxChanges = 4_000_000;

const maxReportDays = 366;
const maxReportMilliseconds = maxReportDays * 24 * 60 * minute;

/** A report is over a year at most. */
export function decideReport({ from, until }: Period): InvalidInput | null {
  if (until <= from) return invalidInput('until', 'A report ends after it begins.');
  return until.getTime() - from.getTime() > maxReportMilliseconds
    ? invalidInput('until', `A report is over ${maxReportDays} days at most.`)
    : null;
}

/** Who was refused shortly before a time may want a seat in it still: since then all of the history is looked at. */
export function firstLookedAt({ from }: Period): Instant {
  return plusSeconds(from, -patienceMilliseconds / 1000);
}

/** Something that happened to one user, at a millisecond since 1970: there may be a million, and they are compared. */
export interface Moment {
  readonly userId: UserId;
  readonly at: number;
}

/** Who wants a seat of one licence in vain, while time passes. */
interface Wanting {
  /** When each was last refused. */
  readonly refusedAt: Map<UserId, number>;
  /** Refusals in order; from `next` on their patience is not over. */
  asked: Moment[];
  next: number;
}

function openWanting(): Wanting {
  return { refusedAt: new Map(), asked: [], next: 0 };
}

/** @returns whether it is one more who wants a seat: not one who goes on wanting it */
function refuse({ refusedAt, asked }: Wanting, refusal: Moment): boolean {
  const isOneMore = !refusedAt.has(refusal.userId);
  refusedAt.set(refusal.userId, refusal.at);
  asked.push(refusal);
  return isOneMore;
}

/** Lets time pass up to and with an instant. @param end is told when somebody's patience ends, just before it does */
function passPatience(wanting: Wanting, until: number, end?: (at: number) => void): void {
  const { refusedAt, asked } = wanting;
  for (; ; wanting.next += 1) {
    const refusal = asked[wanting.next];
    if (refusal === undefined || refusal.at + patienceMilliseconds > until) break;
    if (refusedAt.get(refusal.userId) !== refusal.at) continue;
    end?.(refusal.at + patienceMilliseconds);
    refusedAt.delete(refusal.userId);
  }
  // Once as many are over as are not, so that each is moved about once.
  if (wanting.next * 2 <= asked.length) return;
  wanting.asked = asked.slice(wanting.next);
  wanting.next = 0;
}

/**
 * In the order of time, both lists being so. What of one instant came first is not recorded: there a refusal counts before
 * the seats that are taken, so that no demand is ever reckoned too low.
 */
function inOrder<Refusal extends Moment, Change extends { readonly at: number }>(
  refusals: readonly Refusal[],
  changes: readonly Change[],
  refused: (refusal: Refusal) => void,
  changed: (change: Change) => void,
): void {
  let next = 0;
  for (const change of changes) {
    for (; ; next += 1) {
      const refusal = refusals[next];
      if (refusal === undefined || refusal.at > change.at) break;
      refused(refusal);
    }
    changed(change);
  }
  for (const refusal of refusals.slice(next)) refused(refusal);
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
  /**
   * Refusals after which the same user acquired the licence within `returnMilliseconds`. This and what follows is null
   * where the history does not tell any more.
   */
  readonly gotIn: number | null;
  /** Of those, how long it took: by half of them, and by nine in ten; null where there are none. */
  readonly medianMilliseconds: number | null;
  readonly ninetiethPercentileMilliseconds: number | null;
  readonly neverGotIn: number | null;
  /** Neither yet: less than `returnMilliseconds` ago. */
  readonly waiting: number | null;
}

/** Refusals of one licence. */
export interface LicenceDenials {
  readonly licence: LicenceCode;
  readonly denials: number;
  /** Distinct, whatever the reason. */
  readonly users: number;
  /**
   * The most distinct users that wanted a seat in vain at one instant, and the first such instant; null while it is 0. At `t`
   * a user wants one who was refused for want of seats at an `r` with `r ≤ t < r + patienceMilliseconds`, and acquired none
   * in `[r, t)`. Null where the history does not tell any more who acquired one.
   */
  readonly unmetDemand: number | null;
  readonly unmetDemandAt: Instant | null;
  /** What of the history is gone that would tell who got in; null: nothing. */
  readonly dropped: DroppedHistory | null;
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
  /** For want of seats, of the period and of the `patienceMilliseconds` before it. */
  readonly refusals: number;
  /** Every number that was wanted for some time or on some arrival, ascending. */
  readonly levels: readonly DemandLevel[];
}

/** A refusal of a licence. */
export interface Refused extends Moment {
  readonly licence: LicenceCode;
  readonly code: string;
}

/** A licence that a user acquired. */
export interface Acquired extends Moment {
  readonly licence: LicenceCode;
}

interface ReasonTally {
  denials: number;
  readonly users: Set<UserId>;
  readonly byHourOfWeek: number[];
  readonly waits: number[];
  waiting: number;
}

interface LicenceTally {
  readonly wanting: Wanting;
  /** Of the first refusal: who acquired the licence before that does not matter. */
  readonly firstAt: number;
  isBegun: boolean;
  unmetDemand: number;
  unmetDemandAt: number | null;
  readonly reasons: Map<string, ReasonTally>;
  /** Those who did not get in yet, with their refusals. */
  readonly outside: Map<UserId, { readonly at: number; readonly reason: ReasonTally }[]>;
}

/** A report while refusals and acquisitions are added to it, in the order of time. */
export interface Report extends Period {
  readonly zone: readonly ZoneOffset[];
  readonly licences: Map<LicenceCode, LicenceTally>;
}

/** @param timeZone by whose clocks hours are told */
export function openReport(period: Period, timeZone: string): Report {
  return { ...period, zone: zoneOffsets(period, timeZone), licences: new Map() };
}

/**
 * Adds a stretch of time to a report.
 * @param refusals of the report's period, and of the `patienceMilliseconds` before it: who was refused then may want a seat
 *   still when it begins
 * @param acquisitions of whoever was refused, until `returnMilliseconds` after the period
 */
export function addToReport(
  report: Report,
  refusals: readonly Refused[],
  acquisitions: readonly Acquired[],
): void {
  inOrder(
    refusals,
    acquisitions,
    (refusal) => addRefusal(report, refusal),
    ({ licence, userId, at }) => {
      const tally = report.licences.get(licence);
      if (tally === undefined) return;
      begin(report, tally, at);
      tally.wanting.refusedAt.delete(userId);
      for (const refusal of tally.outside.get(userId) ?? []) {
        refusal.reason.waits.push(at - refusal.at);
      }
      tally.outside.delete(userId);
    },
  );
}

function addRefusal(report: Report, refusal: Refused): void {
  const { licence, userId, code, at } = refusal;
  const tally = report.licences.get(licence) ?? {
    wanting: openWanting(),
    firstAt: at,
    isBegun: false,
    unmetDemand: 0,
    unmetDemandAt: null,
    reasons: new Map(),
    outside: new Map(),
  };
  report.licences.set(licence, tally);
  begin(report, tally, at);
  if (wantsOfSeats.includes(code)) {
    passPatience(tally.wanting, at);
    refuse(tally.wanting, refusal);
    if (tally.isBegun) measure(tally, at);
  }
  if (!tally.isBegun) return;

  const reason = tally.reasons.get(code) ?? {
    denials: 0,
    users: new Set(),
    byHourOfWeek: Array.from({ length: hoursOfWeek }, () => 0),
    waits: [],
    waiting: 0,
  };
  tally.reasons.set(code, reason);
  reason.denials += 1;
  reason.users.add(userId);
  const hour = hourOfWeek(at, report.zone);
  reason.byHourOfWeek[hour] = (reason.byHourOfWeek[hour] ?? 0) + 1;
  const own = tally.outside.get(userId);
  if (own === undefined) tally.outside.set(userId, [{ at, reason }]);
  else own.push({ at, reason });
}

/** What is wanted at the report's first instant counts, though nobody be refused in it. */
function begin({ from }: Report, tally: LicenceTally, at: number): void {
  if (tally.isBegun || at < from.getTime()) return;
  tally.isBegun = true;
  passPatience(tally.wanting, from.getTime());
  measure(tally, from.getTime());
}

function measure(tally: LicenceTally, at: number): void {
  const unmet = tally.wanting.refusedAt.size;
  if (unmet <= tally.unmetDemand) return;
  tally.unmetDemand = unmet;
  tally.unmetDemandAt = at;
}

const hourMilliseconds = 60 * minute;
/** 1 January 1970 was a Thursday: its midnight is hour 72 of a week. */
const firstHour = 72;

function hourOfWeek(at: number, zone: readonly ZoneOffset[]): number {
  const offset = zone.find(({ until }) => at < until.getTime())?.offsetMilliseconds ?? 0;
  return (Math.floor((at + offset) / hourMilliseconds) + firstHour) % hoursOfWeek;
}

/**
 * @param now whose patience of a day is not over by then is waiting still
 * @param dropped of which licences old history is gone: whether those got in who were refused before is not known
 * @returns in no order of its own
 */
export function closeReport(
  report: Report,
  now: Instant,
  dropped: ReadonlyMap<LicenceCode, DroppedHistory>,
): LicenceDenials[] {
  const licences: LicenceDenials[] = [];
  for (const [licence, tally] of report.licences) {
    // Who will want a seat in a time that is to come is not known.
    if (report.from <= now) begin(report, tally, report.until.getTime());
    // Where acquisitions are gone it is too high, if anything.
    if (tally.reasons.size === 0 && tally.unmetDemand === 0) continue;
    const gone = dropped.get(licence);
    const isKnown = gone === undefined || tally.firstAt >= gone.keptSince.getTime();
    for (const { at, reason } of [...tally.outside.values()].flat()) {
      if (at + returnMilliseconds > now.getTime()) reason.waiting += 1;
    }
    const reasons = [...tally.reasons].map(([code, reason]) => ({
      ...toReason(code, reason),
      ...(isKnown ? {} : unknown),
    }));
    licences.push({
      licence,
      denials: reasons.reduce((total, { denials }) => total + denials, 0),
      users: new Set([...tally.reasons.values()].flatMap(({ users }) => [...users])).size,
      unmetDemand: isKnown ? tally.unmetDemand : null,
      unmetDemandAt: isKnown && tally.unmetDemandAt !== null ? new Date(tally.unmetDemandAt) : null,
      dropped: isKnown ? null : gone,
      reasons: reasons.toSorted(byFrequency),
    });
  }
  return licences;
}

/** Refusals of one licence in several organisations. */
export interface SummedDenials extends Pick<LicenceDenials, 'licence' | 'denials' | 'users' | 'reasons'> {
  /**
   * Each organisation's own, added up: they need not have been at one time, and a seat that is free in one is none of
   * another's.
   */
  readonly sumOfUnmetDemand: number;
}

/**
 * Closes the reports of several organisations, each by its own present, and sums them up. Their times until users got in
 * are taken together, so that the median is one of all; hours of the week are each organisation's own.
 * @param reports of a time of which all history is there (`decideKept`)
 * @returns in `each` what `closeReport` answers of each, in their order
 */
export function closeReports(reports: readonly { readonly report: Report; readonly now: Instant }[]): {
  readonly each: readonly (readonly LicenceDenials[])[];
  readonly sums: readonly SummedDenials[];
} {
  const each = reports.map(({ report, now }) => closeReport(report, now, new Map()));
  const tallies = Map.groupBy(
    reports.flatMap(({ report }) => [...report.licences]),
    ([licence]) => licence,
  );
  const closed = Map.groupBy(each.flat(), ({ licence }) => licence);
  const sums = [...closed].map(([licence, own]) => {
    const ofLicence = (tallies.get(licence) ?? []).flatMap(([, { reasons }]) => [...reasons]);
    const reasons = [...Map.groupBy(ofLicence, ([code]) => code)].map(([code, all]) =>
      toReason(code, joinTallies(all.map(([, tally]) => tally))),
    );
    return {
      licence,
      denials: own.reduce((sum, { denials }) => sum + denials, 0),
      // A user is one of one organisation.
      users: own.reduce((sum, { users }) => sum + users, 0),
      sumOfUnmetDemand: own.reduce((sum, { unmetDemand }) => sum + (unmetDemand ?? 0), 0),
      reasons: reasons.toSorted(byFrequency),
    };
  });
  return { each, sums };
}

function joinTallies(tallies: readonly ReasonTally[]): ReasonTally {
  const sumOf = (numberOf: (tally: ReasonTally) => number) =>
    tallies.reduce((sum, tally) => sum + numberOf(tally), 0);
  return {
    denials: sumOf(({ denials }) => denials),
    users: new Set(tallies.flatMap(({ users }) => [...users])),
    byHourOfWeek: Array.from({ length: hoursOfWeek }, (_, hour) =>
      sumOf(({ byHourOfWeek }) => byHourOfWeek[hour] ?? 0),
    ),
    waits: tallies.flatMap(({ waits }) => waits),
    waiting: sumOf(({ waiting }) => waiting),
  };
}

function byFrequency(one: ReasonDenials, other: ReasonDenials): number {
  return other.denials - one.denials || (one.code < other.code ? -1 : 1);
}

const unknown = {
  ...{ gotIn: null, medianMilliseconds: null, ninetiethPercentileMilliseconds: null },
  ...{ neverGotIn: null, waiting: null },
};

function toReason(
  code: string,
  { denials, users, byHourOfWeek, waits, waiting }: ReasonTally,
): ReasonDenials {
  const returned = Float64Array.from(waits.filter((wait) => wait <= returnMilliseconds)).sort();
  const atMost = (share: number) => returned[Math.ceil(returned.length * share) - 1] ?? null;
  return {
    code,
    denials,
    users: users.size,
    byHourOfWeek,
    gotIn: returned.length,
    medianMilliseconds: atMost(0.5),
    ninetiethPercentileMilliseconds: atMost(0.9),
    neverGotIn: denials - returned.length - waiting,
    waiting,
  };
}

/** A change of the seats in use. */
export interface SeatChange {
  readonly at: number;
  readonly inUse: number;
  /** Who acquired a seat, if it is somebody that was refused. */
  readonly takerId: UserId | null;
}

/** Whether the history still has all that a period's demand is reckoned from. */
export function isKnown({ from }: Period, dropped: DroppedHistory | null): boolean {
  return dropped === null || dropped.keptSince.getTime() <= from.getTime() - patienceMilliseconds;
}

/**
 * The seats of one licence that were wanted in a billing period, in use or in vain.
 * @param opening in use when it began
 * @param refusals for want of seats, of the period and of the `patienceMilliseconds` before it
 * @param changes of the period, and of the time before it those with a taker
 */
export function demandIn(
  { from, until }: Period,
  opening: number,
  refusals: readonly Moment[],
  changes: readonly SeatChange[],
): MonthlyDemand {
  const wanting = openWanting();
  const levels = new Map<number, { milliseconds: number; arrivals: number }>();
  let [inUse, maxInUse, maxUnmet, maxWanted] = [opening, 0, 0, 0];
  let isBegun = false;
  let since = from.getTime();

  const add = (milliseconds: number, arrivals: number) => {
    const seats = inUse + wanting.refusedAt.size;
    const level = levels.get(seats);
    if (level === undefined) levels.set(seats, { milliseconds, arrivals });
    else {
      level.milliseconds += milliseconds;
      level.arrivals += arrivals;
    }
  };
  const stay = (at: number) => {
    if (at <= since) return;
    add(at - since, 0);
    since = at;
  };
  const measure = (arrivals: number) => {
    if (!isBegun) return;
    maxInUse = Math.max(maxInUse, inUse);
    maxUnmet = Math.max(maxUnmet, wanting.refusedAt.size);
    maxWanted = Math.max(maxWanted, inUse + wanting.refusedAt.size);
    if (arrivals > 0) add(0, arrivals);
  };
  const pass = (at: number) => {
    if (!isBegun && at >= from.getTime()) {
      passPatience(wanting, from.getTime());
      isBegun = true;
      measure(0);
    }
    passPatience(wanting, at, stay);
    stay(at);
  };

  inOrder(
    refusals,
    changes,
    (refusal) => {
      pass(refusal.at);
      measure(refuse(wanting, refusal) ? 1 : 0);
    },
    (change) => {
      pass(change.at);
      // Who wanted a seat already, and gets one, is not one more.
      const gotIn = change.takerId !== null && wanting.refusedAt.delete(change.takerId);
      if (!isBegun) return;
      const isMore = change.inUse > inUse;
      inUse = change.inUse;
      measure(isMore && !gotIn ? 1 : 0);
    },
  );
  pass(until.getTime());
  return {
    from,
    until,
    maxInUse,
    maxUnmet,
    maxWanted,
    refusals: refusals.length,
    levels: [...levels]
      .map(([seats, level]) => ({ seats, ...level }))
      .toSorted((one, other) => one.seats - other.seats),
  };
}
