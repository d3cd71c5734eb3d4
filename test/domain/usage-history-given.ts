import fc from 'fast-check';
import type { Instant } from '../../src/kernel/clock.ts';
import type { Bucket, Change, Denials, State } from '../../src/usage-history/domain.ts';

/** A licence's history as the ledger writes one, and what each stretch of it comes to, reckoned row by row. */
export interface Course {
  readonly changes: readonly Change[];
  readonly denials: readonly Denials[];
}

export const minute = 60_000;
const start = Date.parse('2026-03-28T21:40:00Z');

/** Moments and days, and often to where a span begins. */
const gap = fc.oneof(
  { weight: 4, arbitrary: fc.constant(0) },
  { weight: 2, arbitrary: fc.constantFrom(1, 1000) },
  { weight: 3, arbitrary: fc.nat(2 * 60 * minute) },
  { weight: 1, arbitrary: fc.nat(3 * 1440 * minute) },
  { weight: 4, arbitrary: fc.constantFrom(5, 60, 1440).map((width) => ({ to: width * minute })) },
);

const step = fc.record({
  gap,
  due: fc.boolean(),
  rows: fc.nat(3),
  denied: fc.nat(2),
  state: fc.record({
    inUse: fc.nat(6),
    concurrentTotal: fc.nat(4),
    contingencyTotal: fc.nat(2),
  }),
});

/** Several rows of a step tell the same; a due step is the first of its instant; a request may be refused, and change nothing. */
export const course: fc.Arbitrary<Course> = fc.array(step, { maxLength: 40 }).map((steps) => {
  const changes: Change[] = [];
  const denials: Denials[] = [];
  let now = start;
  for (const { gap: passed, due, rows, denied, state } of steps) {
    const before = now;
    now = typeof passed === 'number' ? now + passed : Math.ceil((now + 1) / passed.to) * passed.to;
    const at = new Date(now);
    for (let row = 0; row < rows; row += 1) changes.push({ at, due: due && now > before, ...state });
    if (denied > 0) denials.push({ at, denials: denied });
  }
  return { changes, denials };
});

/** Instants of a course and anywhere, in order, each once. */
export const edgesWithin = ({ changes }: Course): fc.Arbitrary<Instant[]> =>
  fc
    .uniqueArray(
      fc.oneof(
        fc.constantFrom(start, ...changes.map(({ at }) => at.getTime())),
        fc.nat(4 * 1440).map((minutes) => start - 60 * minute + minutes * minute),
        fc.nat(2 * 1440 * minute).map((milliseconds) => start + milliseconds),
        fc.nat(800).map((spans) => Math.floor(start / (5 * minute)) * 5 * minute + spans * 5 * minute),
      ),
      { minLength: 2, maxLength: 12 },
    )
    .map((edges) => edges.sort((one, other) => one - other).map((at) => new Date(at)));

const contingency = ({ inUse, concurrentTotal, contingencyTotal }: State) =>
  Math.min(Math.max(0, inUse - concurrentTotal), contingencyTotal);

/** What a bucket is, by the rows alone. */
export function reckon({ changes, denials }: Course, from: Instant, until: Instant): Bucket {
  const none: State = { inUse: 0, concurrentTotal: 0, contingencyTotal: 0 };
  const before = changes.findLast(({ at }) => at < from) ?? none;
  const inside = changes.filter(({ at }) => at >= from && at < until);
  const [first] = inside;
  const isReplaced = first?.due === true && first.at.getTime() === from.getTime();
  const states = [...(isReplaced ? [] : [{ ...before, at: from }]), ...inside];
  const seats = (of: (state: State) => number) => ({
    minimum: Math.min(...states.map(of)),
    maximum: Math.max(...states.map(of)),
    mean:
      states.reduce((sum, state, index) => {
        const next = states[index + 1]?.at ?? until;
        return sum + of(state) * (next.getTime() - state.at.getTime());
      }, 0) /
      (until.getTime() - from.getTime()),
  });
  const last = inside.at(-1) ?? before;
  return {
    from,
    until,
    inUse: seats(({ inUse }) => inUse),
    concurrent: seats(({ inUse, concurrentTotal }) => Math.min(inUse, concurrentTotal)),
    contingency: seats(contingency),
    concurrentTotal: last.concurrentTotal,
    contingencyTotal: last.contingencyTotal,
    denials: denials
      .filter(({ at }) => at >= from && at < until)
      .reduce((sum, { denials: count }) => sum + count, 0),
  };
}

export function reckonAll(of: Course, edges: readonly Instant[]): Bucket[] {
  return edges.slice(1).map((until, index) => reckon(of, edges[index] ?? until, until));
}
