import type { Instant } from './clock.ts';

/** Half-open: holds at `from`, no longer at `until`. */
export interface Interval {
  readonly from: Instant;
  /** null: without an end. */
  readonly until: Instant | null;
}

/** An interval that is known to end. */
export interface Period extends Interval {
  readonly until: Instant;
}

export function contains({ from, until }: Interval, at: Instant): boolean {
  return from <= at && (until === null || at < until);
}
