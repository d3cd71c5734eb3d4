import type { Instant } from '../../kernel/clock.ts';

/** A row of the Licence Mapping page: what the server answers and what the reckoning expects have one shape. */
export interface Row {
  readonly licence: string;
  readonly activeUsers: number;
  readonly activeInBillingPeriod: number;
  readonly holders: number;
  readonly base: {
    readonly total: number;
    readonly used: number;
    readonly reusable: number;
    readonly available: number;
    readonly assigned: number;
    readonly locked: number;
    readonly overAllocated: number;
  } | null;
  readonly concurrent: {
    readonly total: number;
    readonly used: number;
    readonly available: number;
    readonly overAllocated: number;
  } | null;
  readonly contingency: {
    readonly total: number;
    readonly used: number;
    readonly maxUsed: number;
    readonly maxUsedAt: string | null;
    readonly available: number;
    readonly paidHeadroom: number;
  } | null;
}

/** The highest figures of one licence in the whole simulation (months do not matter here). */
export interface Peak {
  readonly licence: string;
  readonly concurrentTotal: number;
  readonly contingencyTotal: number;
  readonly concurrentUsed: number;
  readonly contingencyUsed: number;
  /** The first instant at which most seats were in use; null where none ever was. */
  readonly at: Instant | null;
}

/** Where the server's rows are not the expected ones: one line a figure, in the order of the rows. */
export function differences(expected: readonly Row[], actual: readonly Row[]): string[] {
  const wanted = figuresOf(expected);
  const found = figuresOf(actual);
  return [...new Set([...wanted.keys(), ...found.keys()])]
    .filter((figure) => wanted.get(figure) !== found.get(figure))
    .map((figure) => `${figure}: reckoned ${wanted.get(figure)}, the server says ${found.get(figure)}`);
}

/** Every figure of the rows by its name, such as `AGENT_CALLS contingency.maxUsed`. */
function figuresOf(rows: readonly Row[]): Map<string, string> {
  const figures = new Map<string, string>();
  for (const { licence, ...groups } of rows) {
    for (const [group, value] of Object.entries(groups)) {
      if (value === null || typeof value !== 'object') figures.set(`${licence} ${group}`, String(value));
      else
        for (const [name, figure] of Object.entries(value))
          figures.set(`${licence} ${group}.${name}`, String(figure));
    }
  }
  return figures;
}
