import type { MonthlyDemand } from '../demand/domain.ts';
import type { Instant } from '../kernel/clock.ts';
import type { LicenceCode } from '../kernel/ids.ts';
import type { Currency } from '../kernel/money.ts';
import { type InvalidInput, invalidInput } from '../kernel/refusal.ts';
import type { Licence } from '../licence/domain.ts';
import type { Price, PriceKind, ReachingEntry } from '../price/domain.ts';

/** A quantity of seats of one licence, in force for whole months. */
export interface Seats {
  readonly concurrent: number;
  readonly contingency: number;
}

/** Of one seat for one month, in minor units: of a concurrent one, used or not, and of a contingency one that was used (C4). */
export interface Fees {
  readonly concurrent: number;
  readonly contingency: number;
}

/** Where a seat has no price, a cost is in seats × months: both kinds of seat cost the same. */
export const equalFees: Fees = { concurrent: 1, contingency: 1 };

/** By what costs are reckoned, and what that rests on. */
export interface ReckonedFees extends Fees {
  /** null: costs are in seats × months, for the prices of `missing` are wanting. */
  readonly currency: Currency | null;
  readonly missing: readonly PriceKind[];
}

/** What a reader would have a seat cost, whatever the price book says; null: as that says. */
export interface GivenFees {
  readonly licence: LicenceCode;
  readonly concurrent: number | null;
  readonly contingency: number | null;
}

/** Given fees as entries that are nearer than any of a price book. */
export function entriesOf(given: readonly GivenFees[], from: Instant): ReachingEntry[] {
  const entry = (licence: LicenceCode, kind: PriceKind, amount: number | null) =>
    amount === null ? [] : [{ licence, kind, amount, from, height: -1 }];
  return given.flatMap(({ licence, concurrent, contingency }) => [
    ...entry(licence, 'CONCURRENT', concurrent),
    ...entry(licence, 'CONTINGENCY', contingency),
  ]);
}

/**
 * The fees of a licence by its prices. Where one is missing they are `equalFees`, both: a price beside none would say that
 * the other kind of seat costs nothing.
 */
export function feesOf(
  { code, contingencyAllowed }: Pick<Licence, 'code' | 'contingencyAllowed'>,
  prices: readonly Price[],
  currency: Currency,
): ReckonedFees {
  const priceOf = (kind: PriceKind) =>
    prices.find((price) => price.licence === code && price.kind === kind)?.unitPrice.amount ?? null;
  const [concurrent, contingency] = [priceOf('CONCURRENT'), priceOf('CONTINGENCY')];
  if (concurrent !== null && contingency !== null) return { concurrent, contingency, currency, missing: [] };
  const missing: PriceKind[] = concurrent === null ? ['CONCURRENT'] : [];
  if (contingency === null && contingencyAllowed) missing.push('CONTINGENCY');
  return { ...equalFees, currency: null, missing };
}

export const maxMonths = 24;
/** Of all licences together: each is a pass over a month of a licence's history. */
export const maxLicenceMonths = 96;
export const maxSeats = 1_000_000;
export const maxFee = 100_000_000;

/** What the months would have cost with other quantities, if what was wanted had been the same. */
export interface Costing extends Seats {
  readonly cost: number;
  /** By how much less than with the present quantities; below zero, by how much more. */
  readonly saving: number;
  /** Month by month. */
  readonly contingencyBilled: readonly number[];
  /** Users that found every seat taken when they came. */
  readonly refusedArrivals: number;
  /** For how long more seats were wanted than there were, and how many more at most. */
  readonly shortMilliseconds: number;
  readonly maxShort: number;
}

export interface Advice {
  readonly present: Costing;
  readonly cheapest: Costing;
  readonly proposals: readonly Costing[];
  readonly tradeOff: readonly Costing[];
}

/** Quantities and fees for which every figure is exact. @param field as the client spells it */
export function decideProposal(field: string, { concurrent, contingency }: Seats): InvalidInput | null {
  return [concurrent, contingency].every((seats) => seats >= 0 && seats <= maxSeats)
    ? null
    : invalidInput(field, `A quantity is 0 to ${maxSeats} seats.`);
}

export function decideFees(
  field: string,
  { concurrent, contingency }: Pick<GivenFees, 'concurrent' | 'contingency'>,
): InvalidInput | null {
  return [concurrent, contingency].every((fee) => fee === null || (fee >= 0 && fee <= maxFee))
    ? null
    : invalidInput(field, `A fee is 0 to ${maxFee} minor units.`);
}

/** The contingency seats that a month is billed (C2, C4): the most that were wanted beyond the concurrent ones, as far as there are any. */
function contingencyBilled({ concurrent, contingency }: Seats, { maxWanted }: MonthlyDemand): number {
  return Math.min(Math.max(0, maxWanted - concurrent), contingency);
}

/** months × concurrent × fee, and a fee for each contingency seat in each month that it was used in. */
export function costOf(seats: Seats, months: readonly MonthlyDemand[], fees: Fees): number {
  return months.reduce(
    (cost, month) =>
      cost + seats.concurrent * fees.concurrent + contingencyBilled(seats, month) * fees.contingency,
    0,
  );
}

/**
 * The quantities with which nobody would have been refused at the least cost; of several, those with the most concurrent
 * seats. A contingency seat costs nothing until it is used, so there are as many as the busiest month needs. What is left
 * is a line that bends at the months' highest demands alone, and is least at one of them, or at 0.
 */
export function cheapestSeats(
  months: readonly MonthlyDemand[],
  fees: Fees,
  contingencyAllowed: boolean,
): Seats {
  const highest = months.reduce((most, { maxWanted }) => Math.max(most, maxWanted), 0);
  const all: Seats = { concurrent: highest, contingency: 0 };
  if (!contingencyAllowed) return all;
  let cheapest = { seats: all, cost: costOf(all, months, fees) };
  for (const concurrent of [0, ...months.map(({ maxWanted }) => maxWanted)]) {
    const seats = { concurrent, contingency: highest - concurrent };
    const cost = costOf(seats, months, fees);
    if (cost < cheapest.cost || (cost === cheapest.cost && concurrent > cheapest.seats.concurrent)) {
      cheapest = { seats, cost };
    }
  }
  return cheapest.seats;
}

const tradeOffSteps = [-4, -3, -2, -1, 0, 1, 2, 3, 4];

/** More and fewer concurrent seats than the cheapest, beside the same contingency: by one, or in large pools by a twentieth. */
export function tradeOffAround({ concurrent, contingency }: Seats): Seats[] {
  const step = Math.max(1, Math.round(concurrent / 20));
  return tradeOffSteps
    .map((steps) => ({ concurrent: concurrent + steps * step, contingency }))
    .filter((seats) => seats.concurrent >= 0);
}

/**
 * What to buy of one licence, by what was wanted of it: in use, or by users who were refused.
 * @returns a refusal where a cost is no longer a whole number below 2^53
 */
export function advise(
  months: readonly MonthlyDemand[],
  {
    fees,
    contingencyAllowed,
    present,
    proposals,
  }: {
    readonly fees: Fees;
    readonly contingencyAllowed: boolean;
    readonly present: Seats;
    readonly proposals: readonly Seats[];
  },
): Advice | InvalidInput {
  const today = costOf(present, months, fees);
  const costing = (seats: Seats): Costing => {
    const { concurrent, contingency } = seats;
    const cost = costOf(seats, months, fees);
    const short = months
      .flatMap(({ levels }) => levels)
      .filter((level) => level.seats > concurrent + contingency);
    return {
      concurrent,
      contingency,
      cost,
      saving: today - cost,
      contingencyBilled: months.map((month) => contingencyBilled(seats, month)),
      refusedArrivals: short.reduce((total, { arrivals }) => total + arrivals, 0),
      shortMilliseconds: short.reduce((total, { milliseconds }) => total + milliseconds, 0),
      maxShort: short.reduce((most, level) => Math.max(most, level.seats - concurrent - contingency), 0),
    };
  };
  const cheapest = cheapestSeats(months, fees, contingencyAllowed);
  const advice: Advice = {
    present: costing(present),
    cheapest: costing(cheapest),
    proposals: proposals.map(costing),
    tradeOff: tradeOffAround(cheapest).map(costing),
  };
  const costs = [advice.present, advice.cheapest, ...advice.proposals, ...advice.tradeOff];
  return costs.every(({ cost }) => Number.isSafeInteger(cost))
    ? advice
    : invalidInput('fees', 'With these fees a cost is too large to be exact; give them in a larger unit.');
}
