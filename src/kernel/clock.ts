/**
 * A point in time, in UTC with milliseconds. One type everywhere: GraphQL answers it as `DateTime`, SQL keeps it as
 * `timestamptz(3)`. Treat as immutable.
 */
export type Instant = Date;

/** Where "now" comes from. Tests move one by hand; nothing else reads the wall clock. */
export interface Clock {
  now(): Instant;
}

export const systemClock: Clock = { now: () => new Date() };

/** Reads an instant that the program itself wrote; throws on anything else. */
export function instant(text: string): Instant {
  const parsed = new Date(text);
  if (Number.isNaN(parsed.getTime())) throw new RangeError(`Not an instant: ${text}`);
  return parsed;
}

export function plusSeconds(at: Instant, seconds: number): Instant {
  return new Date(at.getTime() + seconds * 1000);
}

/** Exactly `days` × 24 h later: no calendar, no zone (B1). */
export function plusDays(at: Instant, days: number): Instant {
  return plusSeconds(at, days * 86_400);
}

/** The earliest of the instants given, or null when there is none; null entries mean "never". */
export function earliest(...instants: readonly (Instant | null)[]): Instant | null {
  let first: Instant | null = null;
  for (const at of instants) if (at !== null && (first === null || at < first)) first = at;
  return first;
}

export function latest(one: Instant, other: Instant): Instant {
  return one > other ? one : other;
}

export function isSameInstant(one: Instant | null, other: Instant | null): boolean {
  return one === null || other === null ? one === other : one.getTime() === other.getTime();
}
