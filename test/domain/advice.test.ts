import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Advice, advise, cheapestSeats, costOf } from '../../src/advice/domain.ts';
import type { MonthlyDemand } from '../../src/demand/domain.ts';
import { isRefusal } from '../../src/kernel/refusal.ts';
import { at } from './given.ts';

/** A month with a minute at each level up to the highest, and one arrival at each but 0. */
function month(maxWanted: number): MonthlyDemand {
  const levels = Array.from({ length: maxWanted + 1 }, (_, seats) => ({
    seats,
    milliseconds: 60_000,
    arrivals: seats === 0 ? 0 : 1,
  }));
  return {
    from: at('2026-01-01'),
    until: at('2026-02-01'),
    maxInUse: maxWanted,
    maxUnmet: 0,
    maxWanted,
    refusals: 0,
    levels,
  };
}

function advised(highest: readonly number[], asked: Partial<Parameters<typeof advise>[1]> = {}): Advice {
  const advice = advise(highest.map(month), {
    fees: { concurrent: 1, contingency: 1 },
    contingencyAllowed: true,
    present: { concurrent: 0, contingency: 0 },
    proposals: [],
    ...asked,
  });
  if (isRefusal(advice)) throw new Error(advice.message);
  return advice;
}

const fee = fc.nat(6);
const demand = fc.array(fc.nat(12), { minLength: 1, maxLength: 6 });

test('the cheapest quantities: nobody is refused, and none of all the others that refuse nobody costs less', () => {
  fc.assert(
    fc.property(demand, fee, fee, fc.boolean(), (highest, concurrent, contingency, contingencyAllowed) => {
      const fees = { concurrent, contingency };
      const months = highest.map(month);
      const most = Math.max(...highest);
      const reserves = contingencyAllowed ? most + 1 : 0;
      const all = Array.from({ length: most + 2 }, (_, seats) =>
        Array.from({ length: reserves + 1 }, (__, reserve) => ({ concurrent: seats, contingency: reserve })),
      )
        .flat()
        .filter((seats) => seats.concurrent + seats.contingency >= most);
      const least = Math.min(...all.map((seats) => costOf(seats, months, fees)));
      const found = cheapestSeats(months, fees, contingencyAllowed);
      expect(costOf(found, months, fees)).toBe(least);
      expect(found.concurrent + found.contingency).toBe(most);
      expect(found.contingency).toBeLessThanOrEqual(reserves);
      // Among those that cost the same, it relies least on the reserve.
      const equals = all.filter((seats) => seats.concurrent <= most && costOf(seats, months, fees) === least);
      expect(found.concurrent).toBe(Math.max(...equals.map((seats) => seats.concurrent)));
    }),
  );
});

test('C4: a contingency seat is billed in the months that it was used in, a concurrent one in each', () => {
  const { present, cheapest } = advised([5, 9, 6], {
    fees: { concurrent: 100, contingency: 250 },
    present: { concurrent: 6, contingency: 2 },
  });
  // In February 9 were wanted, of 8: one user was refused.
  expect(present).toEqual({
    concurrent: 6,
    contingency: 2,
    cost: 3 * 600 + 2 * 250,
    saving: 0,
    contingencyBilled: [0, 2, 0],
    refusedArrivals: 1,
    shortMilliseconds: 60_000,
    maxShort: 1,
  });
  // A seventh concurrent seat is 300 for three months; the third contingency seat 250 for one.
  expect(cheapest).toMatchObject({
    concurrent: 6,
    contingency: 3,
    cost: 3 * 600 + 3 * 250,
    saving: -250,
    contingencyBilled: [0, 3, 0],
    refusedArrivals: 0,
    maxShort: 0,
  });
});

test('what is proposed, and a few quantities around the cheapest, are told by the same figures', () => {
  const { proposals, tradeOff, cheapest } = advised([5, 9, 6], {
    fees: { concurrent: 100, contingency: 250 },
    proposals: [{ concurrent: 4, contingency: 1 }],
  });
  expect(proposals).toMatchObject([
    { cost: 3 * 400 + 3 * 250, contingencyBilled: [1, 1, 1], refusedArrivals: 5, maxShort: 4 },
  ]);
  expect(tradeOff.map(({ concurrent }) => concurrent)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect(tradeOff.every(({ contingency }) => contingency === cheapest.contingency)).toBe(true);
  expect(tradeOff.map(({ maxShort }) => maxShort)).toEqual([4, 3, 2, 1, 0, 0, 0, 0, 0]);
});

test('a cost that is no longer exact is refused, not rounded', () => {
  const refusal = advise([month(2)], {
    fees: { concurrent: 100_000_000, contingency: 0 },
    contingencyAllowed: true,
    present: { concurrent: 2_147_483_647, contingency: 0 },
    proposals: [],
  });
  expect(refusal).toMatchObject({ code: 'INVALID_INPUT', field: 'fees' });
});
