import { Temporal } from 'temporal-polyfill';
import type { Instant } from '../kernel/clock.ts';
import type { Period } from '../kernel/interval.ts';
import type { Refusal } from '../kernel/refusal.ts';
import { contingencyUsed } from '../usage/domain.ts';

/** What a licence's use is at an instant; between two changes it stays so. */
export interface State {
  readonly inUse: number;
  readonly concurrentTotal: number;
  readonly contingencyTotal: number;
}

/** Before anything was bought or used. */
export const nothing: State = { inUse: 0, concurrentTotal: 0, contingencyTotal: 0 };

/** A row of the history: what its step left. */
export interface Change extends State {
  readonly at: Instant;
  /** Time took the step: what was before it is no more at its instant (T3). */
  readonly due: boolean;
}

export type HistoryDropped = Refusal<'HISTORY_DROPPED'>;

/**
 * Whether what happened from an instant on is still there, change by change: what was dropped must not read as no use.
 * @param goneUntil the last instant of which changes were dropped; null: none were
 */
export function decideKept(goneUntil: Instant | null, from: Instant): HistoryDropped | null {
  return goneUntil === null || goneUntil < from
    ? null
    : {
        code: 'HISTORY_DROPPED',
        message: `The changes of up to ${goneUntil.toISOString()} were dropped (HISTORY_MONTHS): ask for a later time. What they came to is in usageHistory and in the statements.`,
      };
}

/** A change in one of many organisations. */
export interface ChangeOfMany extends Change {
  /** Which of them: its place among those that are asked for. */
  readonly number: number;
}

/** Denials of one licence, the last of them at an instant. */
export interface Denials {
  readonly at: Instant;
  readonly denials: number;
}

export const measures = {
  inUse: ({ inUse }: State) => inUse,
  /** C1 */
  concurrent: ({ inUse, concurrentTotal }: State) => Math.min(inUse, concurrentTotal),
  /** C1 */
  contingency: contingencyUsed,
} as const;

type Measure = keyof typeof measures;

/** How many seats, at the least and at the most, and the sum of seats × milliseconds, over a period. */
export interface Extent {
  readonly minimum: number;
  readonly maximum: number;
  readonly milliseconds: number;
}

/** What a licence's use was over a period, as if nothing more happened in it after the last change that is in. */
export interface Span extends Period, Readonly<Record<Measure, Extent>> {
  /** After the last change. */
  readonly closing: State;
  readonly denials: number;
  /** Whether anything is in but what the period began with. */
  readonly isTouched: boolean;
}

function mapMeasures<Value>(of: (measure: Measure) => Value): Record<Measure, Value> {
  return { inUse: of('inUse'), concurrent: of('concurrent'), contingency: of('contingency') };
}

/** A period in which nothing happened yet. */
export function openSpan(opening: State, from: Instant, until: Instant): Span {
  const extents = mapMeasures((measure): Extent => {
    const seats = measures[measure](opening);
    return { minimum: seats, maximum: seats, milliseconds: seats * (until.getTime() - from.getTime()) };
  });
  return { ...extents, from, until, closing: opening, denials: 0, isTouched: false };
}

/**
 * A change within the span, which is not before any that is in. What was before it counts at the span's first instant too,
 * unless a due step replaced it there (C2, T3).
 */
export function addChange(span: Span, { at, due, ...change }: Change): Span {
  const { inUse, concurrentTotal, contingencyTotal } = change;
  const closing = { inUse, concurrentTotal, contingencyTotal };
  const left = span.until.getTime() - at.getTime();
  const isReplaced = due && !span.isTouched && at.getTime() === span.from.getTime();
  const extents = mapMeasures((measure): Extent => {
    const { minimum, maximum, milliseconds } = span[measure];
    const seats = measures[measure](closing);
    return {
      minimum: isReplaced ? seats : Math.min(minimum, seats),
      maximum: isReplaced ? seats : Math.max(maximum, seats),
      milliseconds: milliseconds + (seats - measures[measure](span.closing)) * left,
    };
  });
  return { ...span, ...extents, closing, isTouched: true };
}

/** A span within this one, which is not before anything that is in; before it all stayed as it was. */
export function addSpan(span: Span, part: Span): Span {
  const whole = part.until.getTime() - part.from.getTime();
  const left = span.until.getTime() - part.until.getTime();
  const isReplaced = !span.isTouched && part.from.getTime() === span.from.getTime();
  const extents = mapMeasures((measure): Extent => {
    const { minimum, maximum, milliseconds } = span[measure];
    const [before, after] = [measures[measure](span.closing), measures[measure](part.closing)];
    return {
      minimum: isReplaced ? part[measure].minimum : Math.min(minimum, part[measure].minimum),
      maximum: isReplaced ? part[measure].maximum : Math.max(maximum, part[measure].maximum),
      milliseconds: milliseconds + part[measure].milliseconds - before * whole + (after - before) * left,
    };
  });
  return {
    ...span,
    ...extents,
    closing: part.closing,
    denials: span.denials + part.denials,
    isTouched: true,
  };
}

const minute = 60_000;

/** Of the spans that are kept, in minutes: each is a multiple of the one before. They begin at multiples since 1970. */
export const widths = [5, 60, 1440] as const;
export type Width = (typeof widths)[number];

const narrowest = widths[0];

function floor(at: Instant, width: Width): Instant {
  return new Date(Math.floor(at.getTime() / (width * minute)) * width * minute);
}

/** The first instant of the narrowest kept span that an instant falls in. */
export function startOfSpan(at: Instant): Instant {
  return floor(at, narrowest);
}

function isStart(at: Instant): boolean {
  return startOfSpan(at).getTime() === at.getTime();
}

/** The kept span of a width that an instant falls in, before anything happened in it. */
function openKept(opening: State, at: Instant, width: Width): Span {
  const from = floor(at, width);
  return openSpan(opening, from, new Date(from.getTime() + width * minute));
}

/**
 * Sums up what happened in spans of a width. A denial is taken after all that changed at its instant.
 * @param last the last such span that is kept already; null: none
 * @param changes what came after it; in order, as are the denials
 * @returns the spans to keep: `last`, changed, may be the first
 */
export function rollUp(
  width: Width,
  last: Span | null,
  changes: readonly Change[],
  denials: readonly Denials[],
): Span[] {
  const spans: Span[] = last === null ? [] : [last];
  const spanAt = (at: Instant): Span => {
    const present = spans.at(-1);
    if (present !== undefined && at < present.until) return present;
    const opened = openKept(present?.closing ?? nothing, at, width);
    spans.push(opened);
    return opened;
  };
  const put = (span: Span) => {
    spans[spans.length - 1] = span;
  };
  let next = 0;
  const takeChanges = (until: Instant | null) => {
    for (let change = changes[next]; change !== undefined; change = changes[next]) {
      if (until !== null && change.at > until) break;
      put(addChange(spanAt(change.at), change));
      next += 1;
    }
  };
  for (const { at, denials: count } of denials) {
    takeChanges(at);
    const span = spanAt(at);
    put({ ...span, denials: span.denials + count, isTouched: true });
  }
  takeChanges(null);
  return spans[0] === last ? spans.slice(1) : spans;
}

/** Part of a period: kept spans of a width, or (null) what must be read of the history itself. */
export interface Piece extends Period {
  readonly width: Width | null;
}

/** A period as pieces, in order: as few spans as it can be. */
export function coverWith(from: Instant, until: Instant, wide: readonly Width[] = widths): Piece[] {
  if (from >= until) return [];
  const width = wide.at(-1);
  if (width === undefined) return [{ width: null, from, until }];
  const first = floor(new Date(from.getTime() + width * minute - 1), width);
  const last = floor(until, width);
  const narrower = wide.slice(0, -1);
  if (first >= last) return coverWith(from, until, narrower);
  return [
    ...coverWith(from, first, narrower),
    { width, from: first, until: last },
    ...coverWith(last, until, narrower),
  ];
}

/** The minimum and maximum, which may have lasted no time at all, and the mean over time. */
export interface Seats {
  readonly minimum: number;
  readonly maximum: number;
  readonly mean: number;
}

/** What a licence's use was over a period. */
export interface Bucket extends Period {
  readonly inUse: Seats;
  /** C1 */
  readonly concurrent: Seats;
  /** C1 */
  readonly contingency: Seats;
  /** In force at its end. */
  readonly concurrentTotal: number;
  readonly contingencyTotal: number;
  readonly denials: number;
}

/** What there is to know of a bucket: changes and spans that do not overlap, in order of time. */
export type Part = Change | Span;

function isSpan(part: Part): part is Span {
  return 'until' in part;
}

/**
 * The buckets between edges.
 * @param opening as it was just before the first edge
 * @param partsOf what happened in the bucket with this number, in order
 */
export function toBuckets(
  edges: readonly Instant[],
  opening: State,
  partsOf: (index: number) => readonly Part[],
  denialsOf: (index: number) => number,
): Bucket[] {
  let before = opening;
  return edges.slice(1).map((until, index) => {
    const from = edges[index] ?? until;
    let span = openSpan(before, from, until);
    for (const part of partsOf(index)) span = isSpan(part) ? addSpan(span, part) : addChange(span, part);
    before = span.closing;
    return toBucket(span, denialsOf(index));
  });
}

function toBucket(span: Span, denials: number): Bucket {
  const { from, until, closing } = span;
  const duration = until.getTime() - from.getTime();
  const seats = mapMeasures((measure): Seats => {
    const { minimum, maximum, milliseconds } = span[measure];
    return { minimum, maximum, mean: duration === 0 ? minimum : milliseconds / duration };
  });
  const { concurrentTotal, contingencyTotal } = closing;
  return { from, until, ...seats, concurrentTotal, contingencyTotal, denials: span.denials + denials };
}

/**
 * Edges where the rows of the history up to an instant are gone: one within a kept span is moved to the span's beginning.
 * Two that come to one are one: no bucket is of no time.
 * @param goneUntil null: every row is there
 */
export function moveEdges(edges: readonly Instant[], goneUntil: Instant | null): readonly Instant[] {
  if (goneUntil === null) return edges;
  const moved = edges.map((edge) =>
    !isStart(edge) && startOfSpan(edge) <= goneUntil ? startOfSpan(edge) : edge,
  );
  // A test clock may stand within the span that the last dropped row is in: what it began cannot be told yet.
  return moved.filter((edge, index) => edge.getTime() !== moved[index - 1]?.getTime());
}

/** Old rows of a licence's history were dropped (HISTORY_MONTHS): what was before is known by what is summed up alone. */
export interface DroppedHistory {
  /** From here on every row is there. */
  readonly keptSince: Instant;
}

/** In a sentence, for whoever asked for more than the history still tells. */
export function describeDropped({ keptSince }: DroppedHistory): string {
  return `The history of this licence is kept since ${keptSince.toISOString()}: what was before was dropped by HISTORY_MONTHS. Ask for a time from then on, or have more months kept.`;
}

export const bucketSizes = ['MINUTE_5', 'HOUR', 'DAY', 'MONTH'] as const;
export type BucketSize = (typeof bucketSizes)[number];

/** More than a chart can show. */
export const maxBuckets = 2000;

/** At least so many milliseconds lie between two edges, but for where clocks are put on: what is too much is told in advance. */
const shortest: Readonly<Record<BucketSize, number>> = {
  MINUTE_5: 5 * minute,
  HOUR: 60 * minute,
  DAY: 24 * 60 * minute,
  MONTH: 28 * 24 * 60 * minute,
};

/** About how many buckets a period has. */
export function countBuckets(size: BucketSize, from: Instant, until: Instant): number {
  return Math.max(0, Math.ceil((until.getTime() - from.getTime()) / shortest[size]));
}

/** How many buckets a client's arguments ask for at most, so that what it costs is known before it is asked. */
export function countAskedBuckets({ from, until, bucket }: Readonly<Record<string, unknown>>): number {
  const count = countBuckets(sizeOf(bucket), instantOf(from), instantOf(until));
  // Whoever reads it refuses what is no instant, or more.
  return Number.isNaN(count) ? maxBuckets : Math.min(count + 1, maxBuckets);
}

function sizeOf(given: unknown): BucketSize {
  return bucketSizes.find((size) => size === given) ?? 'HOUR';
}

function instantOf(given: unknown): Instant {
  return new Date(given instanceof Date ? given : String(given));
}

/**
 * The edges of the whole buckets that a period touches, by local time: an hour that is put back lasts longer, one that is
 * skipped is none, and a day has 23, 24 or 25 hours.
 * @param periods the billing periods, which are the months (T1); in order
 * @returns none where the period touches none
 */
export function edgesOf(
  size: BucketSize,
  { from, until }: Period,
  timeZone: string,
  periods: readonly Period[],
): Instant[] {
  if (from >= until) return [];
  const edges: Instant[] = [];
  for (const edge of edgesFrom(size, from, timeZone, periods)) {
    // Of a day that a zone left out both ends are one instant.
    if (edges.at(-1)?.getTime() === edge.getTime()) continue;
    if (edge <= from) edges.length = 0;
    edges.push(edge);
    if (edge >= until) break;
  }
  return edges.length < 2 ? [] : edges;
}

/** Without end but for the months: from an edge that is not after `from` on. */
function* edgesFrom(
  size: BucketSize,
  from: Instant,
  timeZone: string,
  periods: readonly Period[],
): Generator<Instant, void, void> {
  if (size === 'MONTH') {
    const [first] = periods;
    if (first !== undefined) yield first.from;
    for (const period of periods) yield period.until;
    return;
  }
  if (size === 'MINUTE_5') {
    for (let at = startOfSpan(from).getTime(); ; at += narrowest * minute) yield new Date(at);
  }
  const local = Temporal.Instant.fromEpochMilliseconds(from.getTime()).toZonedDateTimeISO(timeZone);
  let day = local.toPlainDate();
  // Where clocks go back over midnight, the day before is not over when the day began.
  if (startOfDay(day, timeZone) > from) day = day.subtract({ days: 1 });
  for (; ; day = day.add({ days: 1 })) {
    const start = startOfDay(day, timeZone);
    if (size === 'DAY') yield start;
    else yield* hoursOf(start, startOfDay(day.add({ days: 1 }), timeZone), timeZone);
  }
}

function startOfDay(day: Temporal.PlainDate, timeZone: string): Instant {
  return new Date(day.toZonedDateTime(timeZone).epochMilliseconds);
}

/** Where a local hour begins: on the hour, or where clocks are put on into the middle of one. */
function* hoursOf(start: Instant, end: Instant, timeZone: string): Generator<Instant, void, void> {
  for (let at = start.getTime(); at < end.getTime();) {
    yield new Date(at);
    const local = toLocal(at, timeZone);
    let next = at + untilNextHour(local);
    const there = toLocal(next, timeZone);
    // Clocks were put back by part of an hour: it goes on.
    if (there.minute !== 0 && there.hour === local.hour) next += untilNextHour(there);
    at = next;
  }
}

function toLocal(at: number, timeZone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timeZone);
}

function untilNextHour({ minute: minutes, second, millisecond }: Temporal.ZonedDateTime): number {
  return 60 * minute - (minutes * minute + second * 1000 + millisecond);
}
