import { useChoices } from '../shell/address.ts';
import { useAnswer } from '../shell/answer.ts';
import type { Zone } from '../shell/zone.ts';
import { MonthDocument, type LicencesQuery, type UsageBucketSize } from './documents.ts';

export const pieces = ['day', 'week', 'month'] as const;
export type Piece = (typeof pieces)[number];

/** The stretch of time that is shown. */
export interface Span {
  readonly by: Piece;
  readonly from: string;
  readonly until: string;
  readonly bucket: UsageBucketSize;
  /** Whether it has the present. */
  readonly isRunning: boolean;
  /** A date in the one before it, and in the one after it; null: that is yet to come. */
  readonly before: string;
  readonly after: string | null;
  /** The instant that what is told by the month is asked at; null: of the running one. */
  readonly period: string | null;
}

export type Organisation = NonNullable<LicencesQuery['organisation']>;

export function pieceOf(given: string | null): Piece {
  return pieces.find((piece) => piece === given) ?? 'day';
}

/**
 * What time the address says is shown: the day, week or billing period that its date is in, or else the present.
 * @returns null while a billing period that is over is looked up
 */
export function useSpan(
  { id: organisationId, now, billingPeriod }: Organisation,
  licence: string,
  zone: Zone,
): Span | null {
  const [choices] = useChoices();
  const by = pieceOf(choices.get('by'));
  const asked = zone.startOfDate(choices.get('at') ?? '');
  // Of time to come there is nothing to be shown.
  const at = asked === null || asked > now ? now : asked;
  const isPast = by === 'month' && at < billingPeriod.from;
  const { data, problem } = useAnswer({
    query: MonthDocument,
    variables: { organisationId, licence, from: at, until: plus(at, 1) },
    pause: !isPast,
  });
  if (by === 'day') return spanOf(by, zone.startOfDay(at), zone.nextDay(at), now, zone);
  if (by === 'week') {
    const monday = startOfWeek(at, zone);
    return spanOf(by, monday, zone.nextDay(daysAfter(monday, 6, zone)), now, zone);
  }
  if (!isPast) return spanOf(by, billingPeriod.from, billingPeriod.until, now, zone);
  // What cannot be looked up is shown as its day, whose own reading says why there is nothing.
  if (data === undefined && problem === null) return null;
  const [month] = data?.organisation?.usageHistory ?? [];
  // Before the first billing period there is none: its day is shown, which is empty.
  return spanOf(by, month?.from ?? zone.startOfDay(at), month?.until ?? zone.nextDay(at), now, zone);
}

const buckets = { day: 'MINUTE_5', week: 'HOUR', month: 'HOUR' } as const;

function spanOf(by: Piece, from: string, until: string, now: string, zone: Zone): Span {
  const isRunning = from <= now && now < until;
  return {
    ...{ by, from, until, isRunning, bucket: buckets[by] },
    before: zone.date(plus(from, -1)),
    after: until > now ? null : zone.date(until),
    period: until > now ? null : plus(until, -1),
  };
}

function startOfWeek(at: string, zone: Zone): string {
  let day = zone.startOfDay(at);
  while (zone.hourOfWeek(day) >= 24) day = zone.startOfDay(plus(day, -1));
  return day;
}

function daysAfter(day: string, days: number, zone: Zone): string {
  let later = day;
  for (let index = 0; index < days; index += 1) later = zone.nextDay(later);
  return later;
}

function plus(at: string, milliseconds: number): string {
  return new Date(Date.parse(at) + milliseconds).toISOString();
}
