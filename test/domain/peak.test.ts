import fc from 'fast-check';
import { expect, test } from 'vitest';
import { plusSeconds } from '../../src/kernel/clock.ts';
import {
  billedPeak,
  decideContractOptions,
  explainPeak,
  maxInstants,
  noSeats,
  type SeatChange,
  timeAtLevel,
} from '../../src/peak/domain.ts';
import { contingencyUsed } from '../../src/usage/domain.ts';
import { at } from './given.ts';
import { courseOf, live, steps } from './peak-given.ts';

const period = { from: at('2026-01-01'), until: at('2026-02-01') };

/** Changes of a licence with one concurrent seat and nine of contingency, by what is in use after each. */
function changes(...list: readonly (readonly [string, number])[]): SeatChange[] {
  return list.map(([time, used], index) => ({
    ...{ id: index + 1, at: at(`2026-01-01T${time}Z`), kind: 'ACQUIRED', due: false },
    ...{ inUse: used + 1, concurrentTotal: 1, contingencyTotal: 9 },
  }));
}

test('C2: the peak, its first instant, its episodes, and how long each level lasted', () => {
  const day = changes(
    ['08:00:00.000', 1],
    ['09:00:00.000', 3],
    ['09:10:00.000', 1],
    ['10:00:00.000', 3],
    ['10:00:30.000', 0],
  );
  expect(explainPeak(noSeats, day, period)).toEqual({
    ...{ maxUsed: 3, maxUsedAt: at('2026-01-01T09:00:00.000Z'), cause: 'ACQUIRED', causeId: 2 },
    instants: [
      { from: at('2026-01-01T09:00:00.000Z'), until: at('2026-01-01T09:10:00.000Z') },
      { from: at('2026-01-01T10:00:00.000Z'), until: at('2026-01-01T10:00:30.000Z') },
    ],
    instantCount: 2,
    // Level 2 was passed over: it lasted as long as level 3.
    levels: [
      { level: 1, milliseconds: 7_230_000 },
      { level: 3, milliseconds: 630_000 },
    ],
  });
});

test('C2: a state of 0 ms counts for the peak, and has 0 ms', () => {
  const blink = changes(['08:00:00.000', 1], ['09:00:00.000', 2], ['09:00:00.000', 1]);
  const { maxUsed, levels, instants } = explainPeak(noSeats, blink, {
    ...period,
    until: at('2026-01-01T10:00:00.000Z'),
  });
  expect({ maxUsed, levels, instants }).toEqual({
    maxUsed: 2,
    levels: [
      { level: 1, milliseconds: 7_200_000 },
      { level: 2, milliseconds: 0 },
    ],
    instants: [{ from: at('2026-01-01T09:00:00.000Z'), until: at('2026-01-01T09:00:00.000Z') }],
  });
  expect(timeAtLevel(levels, 3)).toBe(0);
});

test('C2: use that is carried over an edge is a peak without a change; with none in use there is no peak', () => {
  const before = { inUse: 3, concurrentTotal: 1, contingencyTotal: 9 };
  expect(explainPeak(before, [], period)).toMatchObject({
    ...{ maxUsed: 2, maxUsedAt: period.from, cause: 'CARRIED_OVER', causeId: null, instantCount: 1 },
    ...{
      instants: [{ from: period.from, until: null }],
      levels: [{ level: 2, milliseconds: 31 * 86_400_000 }],
    },
  });
  expect(explainPeak(noSeats, [], period)).toMatchObject({
    ...{ maxUsed: 0, maxUsedAt: null, cause: null, instants: [], instantCount: 0, levels: [] },
  });
});

test('T3: what time took at the edge is part of how the period begins; a request at the edge is not', () => {
  const before = { inUse: 4, concurrentTotal: 1, contingencyTotal: 9 };
  const change = { id: 7, at: period.from, due: false, inUse: 3, concurrentTotal: 1, contingencyTotal: 9 };
  const lease: SeatChange = { ...change, kind: 'RELEASED', due: true };
  const logoff: SeatChange = { ...change, kind: 'RELEASED' };
  const sold: SeatChange = { ...change, kind: 'TOTALS_CHANGED', inUse: 4, concurrentTotal: 0, due: true };
  const logon: SeatChange = { ...change, kind: 'ACQUIRED', inUse: 5 };
  expect(explainPeak(before, [logon], period)).toMatchObject({ maxUsed: 4, cause: 'ACQUIRED', causeId: 7 });
  expect(explainPeak(before, [lease], period)).toMatchObject({ maxUsed: 2, cause: 'CARRIED_OVER' });
  expect(explainPeak(before, [logoff], period)).toMatchObject({ maxUsed: 3, cause: 'CARRIED_OVER' });
  expect(explainPeak(before, [sold], period)).toMatchObject({
    maxUsed: 4,
    cause: 'TOTALS_CHANGED',
    causeId: 7,
  });
});

test('C2, T1, T3: in any life of an organisation the explained peak is the kept one, in every period', () => {
  fc.assert(
    fc.property(steps, (plan) => {
      const life = live(plan);
      for (const { maxUsed, maxUsedAt, ...kept } of life.periods) {
        const { before, changes: list, explained } = courseOf(life, kept);
        const peak = explainPeak(before ?? noSeats, list, explained);
        expect({ maxUsed: peak.maxUsed, maxUsedAt: peak.maxUsedAt }).toEqual({ maxUsed, maxUsedAt });
        expect(billedPeak(peak.levels, 0)).toBe(maxUsed);
        expect(peak.instants.length).toBe(Math.min(peak.instantCount, maxInstants));
        expect(peak.instants[0]?.from ?? null).toEqual(maxUsedAt);
        const atPeak = peak.instants.reduce(
          (sum, { from, until }) => sum + (until ?? explained.until).getTime() - from.getTime(),
          0,
        );
        if (maxUsed > 0) expect(timeAtLevel(peak.levels, maxUsed)).toBe(atPeak);
        for (let level = 1; level <= maxUsed; level += 1) {
          // Naively: each change's use lasts until the next; before the first, what was in use before the period.
          let naive = 0;
          let [used, since] = [before === undefined ? 0 : contingencyUsed(before), explained.from];
          for (const change of list) {
            if (used >= level) naive += change.at.getTime() - since.getTime();
            [used, since] = [contingencyUsed(change), change.at];
          }
          if (used >= level) naive += explained.until.getTime() - since.getTime();
          expect(timeAtLevel(peak.levels, level)).toBe(naive);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('C4: with minimumPeakMinutes the highest level that lasted so long is billed; with 0 every peak is', () => {
  const levels = [
    { level: 1, milliseconds: 7_230_000 },
    { level: 3, milliseconds: 600_000 },
    { level: 4, milliseconds: 0 },
  ];
  expect([0, 1, 10, 11, 120, 121].map((minutes) => billedPeak(levels, minutes))).toEqual([4, 3, 3, 1, 1, 0]);
  expect(billedPeak([], 0)).toBe(0);
});

test('a peak’s minimum is 0 to 10,000 minutes', () => {
  const decide = (minimumPeakMinutes: number) => decideContractOptions({ minimumPeakMinutes });
  expect([0, 10_000].map(decide)).toEqual([null, null]);
  for (const wrong of [-1, 10_001]) {
    expect(decide(wrong)).toMatchObject({ code: 'INVALID_INPUT', field: 'minimumPeakMinutes' });
  }
});

test('so many episodes are told one by one, and all are counted', () => {
  const flicker = Array.from({ length: 300 }, (_, index): SeatChange => ({
    ...{
      id: index + 1,
      at: plusSeconds(period.from, index + 1),
      kind: index % 2 === 0 ? 'ACQUIRED' : 'RELEASED',
    },
    ...{ inUse: 2 - (index % 2), concurrentTotal: 1, contingencyTotal: 1, due: false },
  }));
  const { instants, instantCount } = explainPeak(noSeats, flicker, period);
  expect([instants.length, instantCount]).toEqual([maxInstants, 150]);
});
