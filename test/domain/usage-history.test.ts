import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { contains } from '../../src/kernel/interval.ts';
import {
  addSpan,
  coverWith,
  edgesOf,
  moveEdges,
  nothing,
  openSpan,
  type Part,
  rollUp,
  type Span,
  startOfSpan,
  toBuckets,
  type Width,
  widths,
} from '../../src/usage-history/domain.ts';
import { at } from './given.ts';
import { type Course, course, edgesWithin, minute, reckonAll } from './usage-history-given.ts';

/** What is kept after the first `rows` rows, summed up bit by bit. */
function keep({ changes, denials }: Course, cuts: readonly number[]) {
  const kept = new Map(widths.map((width): [Width, Span[]] => [width, []]));
  let [rows, deniedUntil] = [0, new Date(0)];
  for (const cut of cuts.toSorted((one, other) => one - other)) {
    const until = changes[cut - 1]?.at ?? deniedUntil;
    const happened = changes.slice(rows, cut);
    const denied = denials.filter((each) => each.at >= deniedUntil && each.at < until);
    for (const [width, spans] of kept) {
      const last = spans.at(-1) ?? null;
      for (const span of rollUp(width, last, happened, denied)) {
        if (last !== null && span.from.getTime() === last.from.getTime()) spans.pop();
        spans.push(span);
      }
    }
    [rows, deniedUntil] = [Math.max(rows, cut), until];
  }
  return { kept, rows, deniedUntil };
}

test('what is summed up, and what is not yet, come to what the rows come to: whatever the edges, and whenever it was done', () => {
  const cases = course.chain((of) =>
    fc.record({
      of: fc.constant(of),
      edges: edgesWithin(of),
      cuts: fc.array(fc.nat(of.changes.length), { maxLength: 4 }),
    }),
  );
  fc.assert(
    fc.property(cases, ({ of, edges, cuts }) => {
      const { kept, rows, deniedUntil } = keep(of, cuts);
      const first = edges[0] ?? at('2026-01-01');
      const start = startOfSpan(first);
      const rolled = of.changes.slice(0, rows);
      const tail = of.changes.slice(rows);
      const opening =
        of.changes.findLast((change) => change.at >= start && change.at < first) ??
        tail.findLast((change) => change.at < first) ??
        kept.get(5)?.findLast((span) => span.from < start)?.closing ??
        nothing;
      const covers = edges.slice(1).map((until, index) => coverWith(edges[index] ?? until, until));
      const partsOf = (index: number): Part[] => [
        ...(covers[index] ?? []).flatMap((piece): readonly Part[] =>
          piece.width === null
            ? rolled.filter((change) => contains(piece, change.at))
            : (kept.get(piece.width) ?? []).filter((span) => contains(piece, span.from)),
        ),
        ...tail.filter(
          (change) => change.at >= (edges[index] ?? first) && change.at < (edges[index + 1] ?? first),
        ),
      ];
      const denialsOf = (index: number) =>
        of.denials
          .filter(
            (denial) =>
              contains({ from: edges[index] ?? first, until: edges[index + 1] ?? first }, denial.at) &&
              (denial.at >= deniedUntil ||
                covers[index]?.some((piece) => piece.width === null && contains(piece, denial.at))),
          )
          .reduce((sum, { denials }) => sum + denials, 0);
      expectSame(toBuckets(edges, opening, partsOf, denialsOf), reckonAll(of, edges));
    }),
    { numRuns: 500 },
  );
});

/** Means are quotients of the same whole numbers, but not always of the same steps. */
function expectSame(found: ReturnType<typeof toBuckets>, wanted: ReturnType<typeof toBuckets>): void {
  const rounded = (buckets: typeof found) =>
    buckets.map(({ inUse, concurrent, contingency, ...rest }) => ({
      ...rest,
      seats: [inUse, concurrent, contingency].map((seats) => ({
        ...seats,
        mean: Math.round(seats.mean * 1e9) / 1e9,
      })),
    }));
  expect(rounded(found)).toEqual(rounded(wanted));
}

test('a span is as good as its parts: what is kept in days is what the hours and the five minutes of them come to', () => {
  fc.assert(
    fc.property(course, (of) => {
      const { kept } = keep(of, [of.changes.length]);
      for (const [wide, narrow] of [
        [1440, 60],
        [60, 5],
      ] as const) {
        let before = nothing;
        for (const span of kept.get(wide) ?? []) {
          const parts = (kept.get(narrow) ?? []).filter((part) => contains(span, part.from));
          const whole = parts.reduce(addSpan, openSpan(before, span.from, span.until));
          expect(whole).toEqual(span);
          before = span.closing;
        }
      }
    }),
    { numRuns: 200 },
  );
});

const opening = { inUse: 5, concurrentTotal: 3, contingencyTotal: 4 };
const lower = { inUse: 4, concurrentTotal: 3, contingencyTotal: 4 };
const edges = [at('2026-02-01T00:00:00Z'), at('2026-03-01T00:00:00Z')] as const;
const within = (due: boolean) =>
  toBuckets(
    edges,
    opening,
    () => [{ at: edges[0], due, ...lower }],
    () => 0,
  )[0]?.contingency;

test('C2: what was in use at a bucket’s first instant counts, if only for no time', () => {
  expect(within(false)).toEqual({ minimum: 1, maximum: 2, mean: 1 });
});

test('C2, T3: but not where time took it at that very instant', () => {
  expect(within(true)).toEqual({ minimum: 1, maximum: 1, mean: 1 });
});

describe('a period is covered by as few spans as it can be', () => {
  const cover = (from: string, until: string) =>
    coverWith(at(from), at(until)).map(
      (piece) =>
        `${piece.width ?? 'rows'} ${(piece.until.getTime() - piece.from.getTime()) / ((piece.width ?? 1) * minute)}`,
    );
  test('days, with hours and minutes at both ends', () => {
    expect(cover('2026-01-01T21:54:30Z', '2026-01-05T02:05:00Z')).toEqual([
      ...['rows 0.5', '5 1', '60 2', '1440 3', '60 2', '5 1'],
    ]);
  });
  test('less than five minutes by rows alone', () => {
    expect(cover('2026-01-01T21:54:30Z', '2026-01-01T21:54:31Z')).toHaveLength(1);
    expect(cover('2026-01-01T21:54:30Z', '2026-01-01T21:55:30Z')).toEqual(['rows 1']);
    expect(cover('2026-01-01T21:54:30Z', '2026-01-01T21:54:30Z')).toEqual([]);
  });
});

test('where rows are gone an edge is at a multiple of five minutes', () => {
  const given = [at('2026-01-01T00:01:00Z'), at('2026-01-01T00:10:00Z'), at('2026-01-01T00:12:00Z')];
  expect(moveEdges(given, null)).toEqual(given);
  expect(moveEdges(given, at('2026-01-01T00:03:00Z'))).toEqual([
    at('2026-01-01T00:00:00Z'),
    ...given.slice(1),
  ]);
});

describe('T1: edges are local', () => {
  const hoursBetween = (
    size: 'HOUR' | 'DAY' | 'MINUTE_5',
    from: string,
    until: string,
    timeZone: string,
  ): number[] =>
    edgesOf(size, { from: at(from), until: at(until) }, timeZone, []).flatMap((edge, index, all) =>
      index === 0 ? [] : [(edge.getTime() - (all[index - 1]?.getTime() ?? 0)) / (60 * minute)],
    );

  test('a day has 23, 24 or 25 hours', () => {
    const zone = 'Europe/London';
    expect(hoursBetween('DAY', '2026-03-28T12:00:00Z', '2026-03-30T12:00:00Z', zone)).toEqual([24, 23, 24]);
    expect(hoursBetween('DAY', '2026-10-25T12:00:00Z', '2026-10-25T12:00:01Z', zone)).toEqual([25]);
  });
  test('an hour that is put back into is counted twice, one that is skipped not at all', () => {
    const zone = 'Europe/London';
    const day = (date: string) => hoursBetween('HOUR', `${date}T00:00:00Z`, `${date}T23:00:00Z`, zone);
    expect(new Set(day('2026-10-25'))).toEqual(new Set([1]));
    expect(hoursBetween('HOUR', '2026-10-24T23:00:00Z', '2026-10-26T00:00:00Z', zone)).toHaveLength(25);
    expect(hoursBetween('HOUR', '2026-03-29T00:00:00Z', '2026-03-29T23:00:00Z', zone)).toHaveLength(23);
  });
  test('where clocks are put on or back by half an hour, hours begin on the hour again', () => {
    const zone = 'Australia/Lord_Howe';
    expect(hoursBetween('HOUR', '2026-04-04T13:00:00Z', '2026-04-04T17:00:00Z', zone)).toEqual([
      1, 1.5, 1, 1,
    ]);
    expect(hoursBetween('HOUR', '2026-10-03T14:30:00Z', '2026-10-03T17:00:00Z', zone)).toEqual([1, 0.5, 1]);
  });
  test('a date that a zone left out is no day, and one whose midnight never was begins after it', () => {
    expect(hoursBetween('DAY', '2011-12-29T12:00:00Z', '2011-12-30T12:00:00Z', 'Pacific/Apia')).toEqual([
      24, 24,
    ]);
    expect(hoursBetween('DAY', '2018-11-04T12:00:00Z', '2018-11-04T12:00:01Z', 'America/Sao_Paulo')).toEqual([
      23,
    ]);
  });
  test('where clocks go back over midnight the day before is not over', () => {
    const zone = 'America/Havana';
    const [from] = edgesOf(
      'DAY',
      { from: at('2026-11-01T04:30:00Z'), until: at('2026-11-01T04:31:00Z') },
      zone,
      [],
    );
    expect(from).toEqual(at('2026-11-01T04:00:00Z'));
  });
  test('months are the billing periods, as they were', () => {
    const periods = [
      { from: at('2026-01-01T00:00:00Z'), until: at('2026-02-01T00:00:00Z') },
      { from: at('2026-02-01T00:00:00Z'), until: at('2026-02-28T15:00:00Z') },
    ];
    const span = { from: at('2026-02-10T00:00:00Z'), until: at('2026-02-11T00:00:00Z') };
    expect(edgesOf('MONTH', span, 'Asia/Tokyo', periods)).toEqual([
      at('2026-02-01T00:00:00Z'),
      at('2026-02-28T15:00:00Z'),
    ]);
    expect(
      edgesOf(
        'MONTH',
        { from: at('2025-01-01T00:00:00Z'), until: at('2027-01-01T00:00:00Z') },
        'UTC',
        periods,
      ),
    ).toHaveLength(3);
  });
  test('nothing is between an instant and itself', () => {
    expect(
      edgesOf('DAY', { from: at('2026-02-10T00:00:00Z'), until: at('2026-02-10T00:00:00Z') }, 'UTC', []),
    ).toEqual([]);
  });
});

test('where rows are gone an edge is where a kept span begins, and no bucket is of no time', () => {
  const [start, within, later] = ['10:00:00Z', '10:03:00Z', '10:08:00Z'].map((time) =>
    at(`2026-03-01T${time}`),
  );
  if (start === undefined || within === undefined || later === undefined) throw new Error('Three are given');
  expect(moveEdges([start, within], within)).toEqual([start]);
  expect(moveEdges([start, within, later], within)).toEqual([start, later]);
  expect(moveEdges([start, within, later], null)).toEqual([start, within, later]);
});
