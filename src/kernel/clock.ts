import type { Log } from './log.ts';

/**
 * A point in time, in UTC with milliseconds. One type everywhere: GraphQL answers it as `DateTime`, SQL keeps it as
 * `timestamptz(3)`. Treat as immutable.
 */
export type Instant = Date;

/** Where "now" comes from. Tests move one by hand; nothing else reads the wall clock. */
export interface Clock {
  now(): Instant;
}

/** Milliseconds since the process began, by a clock that never steps: for how long something took, never for when. */
export function elapsedMilliseconds(): number {
  return performance.now();
}

export const systemClock: Clock = { now: () => new Date() };

/** How often a reference is asked again, and how often in a row: the quickest answer is the most exact. */
const askMilliseconds = 10_000;
const samples = 3;

/**
 * A clock that tells the time of a reference, such as the database that several servers share: their own clocks may be
 * wrong, and step, but a lease must end at one instant for all of them. Between two readings of the reference it goes on
 * by this process's monotonic clock, which never steps.
 *
 * @throws where the reference does not answer at first; later it keeps going by what it knows
 */
export async function createReferenceClock(
  read: () => Promise<Instant>,
  log: Log,
): Promise<Clock & { stop(): void }> {
  const readOffset = async () => {
    const sent = performance.now();
    const reference = await read();
    const answered = performance.now();
    return { milliseconds: reference.getTime() - (sent + answered) / 2, error: answered - sent };
  };
  const findOffset = async () => {
    let best = await readOffset();
    for (let sample = 1; sample < samples; sample += 1) {
      const next = await readOffset();
      if (next.error < best.error) best = next;
    }
    return best.milliseconds;
  };

  let offset = await findOffset();
  const timer = setInterval(() => {
    findOffset().then(
      (found) => {
        offset = found;
      },
      (error: unknown) => {
        log.warn({ err: error }, 'could not read the database’s clock; going on by the last reading');
      },
    );
  }, askMilliseconds);
  timer.unref();
  return {
    now: () => new Date(Math.round(performance.now() + offset)),
    stop: () => clearInterval(timer),
  };
}

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
export function earliest(one: Instant, ...others: readonly (Instant | null)[]): Instant;
export function earliest(...instants: readonly (Instant | null)[]): Instant | null;
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
