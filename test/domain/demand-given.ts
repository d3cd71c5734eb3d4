import fc from 'fast-check';
import {
  type Acquired,
  type LicenceDenials,
  type MonthlyDemand,
  patienceMilliseconds,
  type Refused,
  returnMilliseconds,
  wantsOfSeats,
} from '../../src/demand/domain.ts';
import { type Instant, instant, plusSeconds } from '../../src/kernel/clock.ts';
import { newId, type UserId } from '../../src/kernel/ids.ts';
import { code } from './given.ts';

export const licence = code('SUPERVISOR');
const users = Array.from({ length: 4 }, () => newId<'User'>());
const minute = 60_000;

export const start = instant('2026-03-29T00:00:00.000Z');
/** Two short periods, after a time that belongs to neither. */
const edges = [0, 180, 360].map((minutes) => plusSeconds(start, (30 + minutes) * 60));
const [first = start, middle = start, last = start] = edges;
export const end = last;
export const periods = [
  { from: first, until: middle },
  { from: middle, until: last },
] as const;

export interface Event {
  readonly kind: 'ACQUIRED' | 'RELEASED' | 'REFUSED';
  readonly at: Instant;
  readonly userId: UserId;
  /** Of a refusal. */
  readonly code: string;
  /** Of a lease that ended on a period's edge: before the period begins (T3). */
  readonly isDue: boolean;
  readonly seatChanged: boolean;
  readonly inUse: number;
}

/** Minutes that pass, who, and what: often several things at one instant, on a period's edge, or just when patience ends. */
export const story = fc
  .array(
    fc.record({
      minutes: fc.constantFrom(0, 0, 0, 5, 10, 15, 30),
      user: fc.constantFrom(...users),
      what: fc.constantFrom('TAKE', 'FREE', 'LAPSE', 'REFUSE', 'REFUSE'),
      reason: fc.constantFrom(...wantsOfSeats, 'USER_NOT_ACTIVE'),
    }),
    { maxLength: 50 },
  )
  .map((steps) => {
    const holding = new Set<UserId>();
    const events: Event[] = [];
    let at = start;
    for (const { minutes, user: userId, what, reason } of steps) {
      at = plusSeconds(at, minutes * 60);
      const common = { at, userId, code: '', isDue: false, seatChanged: true };
      if (what === 'REFUSE') {
        events.push({ ...common, kind: 'REFUSED', code: reason, inUse: holding.size });
      } else if (what === 'TAKE') {
        const seatChanged = !holding.has(userId);
        holding.add(userId);
        events.push({ ...common, kind: 'ACQUIRED', seatChanged, inUse: holding.size });
      } else if (holding.delete(userId)) {
        const isDue =
          what === 'LAPSE' &&
          events.at(-1)?.at.getTime() !== at.getTime() &&
          edges.some((edge) => edge.getTime() === at.getTime());
        events.push({ ...common, kind: 'RELEASED', isDue, inUse: holding.size });
      }
    }
    return events;
  });

const moment = ({ userId, at }: Event) => ({ licence, userId, at: at.getTime() });

export function refusalsOf(events: readonly Event[]): Refused[] {
  return events
    .filter(({ kind }) => kind === 'REFUSED')
    .map((event) => ({ ...moment(event), code: event.code }));
}

export function acquisitionsOf(events: readonly Event[]): Acquired[] {
  return events.filter(({ kind }) => kind === 'ACQUIRED').map(moment);
}

export const isForWantOfSeats = ({ code }: { readonly code: string }) => wantsOfSeats.includes(code);

/** As if one had sat beside it, minute by minute: who wants a seat, and how many are in use. */
export function watch(events: readonly Event[]): MonthlyDemand[] {
  const wanting = new Map<UserId, number>();
  const months = periods.map((period) => ({
    ...period,
    maxInUse: 0,
    maxUnmet: 0,
    maxWanted: 0,
    levels: new Map<number, { milliseconds: number; arrivals: number }>(),
  }));
  let month = -1;
  let inUse = 0;
  const note = (milliseconds: number, arrivals: number) => {
    const present = months[month];
    if (present === undefined) return;
    const wanted = inUse + wanting.size;
    present.maxInUse = Math.max(present.maxInUse, inUse);
    present.maxUnmet = Math.max(present.maxUnmet, wanting.size);
    present.maxWanted = Math.max(present.maxWanted, wanted);
    if (milliseconds + arrivals === 0) return;
    const level = present.levels.get(wanted) ?? { milliseconds: 0, arrivals: 0 };
    present.levels.set(wanted, {
      milliseconds: level.milliseconds + milliseconds,
      arrivals: level.arrivals + arrivals,
    });
  };
  for (let at = start.getTime(); at < end.getTime(); at += minute) {
    const now = events.filter((event) => event.at.getTime() === at);
    for (const [user, refused] of wanting) if (refused + patienceMilliseconds <= at) wanting.delete(user);
    for (const due of now.filter(({ isDue }) => isDue)) inUse = due.inUse;
    if (edges.some((edge) => edge.getTime() === at)) month += 1;
    note(0, 0);
    for (const { userId } of now.filter(isForWantOfSeats)) {
      const isNew = !wanting.has(userId);
      wanting.set(userId, at);
      note(0, isNew ? 1 : 0);
    }
    for (const event of now.filter(({ kind, isDue }) => kind !== 'REFUSED' && !isDue)) {
      const gotIn = event.kind === 'ACQUIRED' && wanting.delete(event.userId);
      const isMore = event.inUse > inUse;
      inUse = event.inUse;
      note(0, isMore && !gotIn ? 1 : 0);
    }
    note(minute, 0);
  }
  const refused = events.filter(isForWantOfSeats);
  return months.map(({ levels, ...most }) => ({
    ...most,
    refusals: refused.filter(
      ({ at }) =>
        at.getTime() >= most.from.getTime() - patienceMilliseconds && at.getTime() < most.until.getTime(),
    ).length,
    levels: [...levels]
      .map(([seats, level]) => ({ seats, ...level }))
      .toSorted((one, other) => one.seats - other.seats),
  }));
}

/** The report by its words, figure by figure: each looks at everything again. */
export function count(
  refusals: readonly Refused[],
  acquisitions: readonly Acquired[],
  from: Instant,
  now: Instant,
): Omit<LicenceDenials, 'unmetDemandAt'>[] {
  const within = refusals.filter(({ at }) => at >= from.getTime());
  const wants = (instant: number) =>
    refusals.filter(
      ({ userId, at, code }) =>
        wantsOfSeats.includes(code) &&
        at <= instant &&
        instant < at + patienceMilliseconds &&
        !acquisitions.some((each) => each.userId === userId && at <= each.at && each.at < instant),
    );
  const unmet = [from.getTime(), ...within.map(({ at }) => at)].map(
    (instant) => new Set(wants(instant).map(({ userId }) => userId)).size,
  );
  const usersOf = (list: readonly Refused[]) => new Set(list.map(({ userId }) => userId)).size;
  const reasons = [...Map.groupBy(within, ({ code }) => code)].map(([code, own]) => {
    const waits = own.map(
      ({ userId, at }) =>
        (acquisitions.find((each) => each.userId === userId && each.at >= at)?.at ?? Infinity) - at,
    );
    const returned = waits.filter((wait) => wait <= returnMilliseconds).toSorted((one, other) => one - other);
    const waiting = own.filter(
      ({ at }, index) => waits[index] === Infinity && at + returnMilliseconds > now.getTime(),
    );
    const byHourOfWeek = Array.from({ length: 168 }, (_, hour) => {
      const inHour = own.filter(({ at }) => hourInLondon(at) === hour);
      return inHour.length;
    });
    return {
      code,
      denials: own.length,
      users: usersOf(own),
      byHourOfWeek,
      gotIn: returned.length,
      medianMilliseconds: returned[Math.ceil(returned.length * 0.5) - 1] ?? null,
      ninetiethPercentileMilliseconds: returned[Math.ceil(returned.length * 0.9) - 1] ?? null,
      neverGotIn: own.length - returned.length - waiting.length,
      waiting: waiting.length,
    };
  });
  const unmetDemand = Math.max(...unmet);
  if (within.length === 0 && unmetDemand === 0) return [];
  return [
    {
      licence,
      denials: within.length,
      users: usersOf(within),
      unmetDemand,
      dropped: null,
      reasons: reasons.toSorted(
        (one, other) => other.denials - one.denials || (one.code < other.code ? -1 : 1),
      ),
    },
  ];
}

const days = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
const london = new Intl.DateTimeFormat('en-GB', {
  timeZone: 'Europe/London',
  weekday: 'short',
  hour: '2-digit',
  hourCycle: 'h23',
});

function hourInLondon(at: number): number {
  const parts = new Map(london.formatToParts(at).map(({ type, value }) => [type, value]));
  return days.indexOf(parts.get('weekday') ?? '') * 24 + Number(parts.get('hour'));
}
