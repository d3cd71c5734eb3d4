import type { Instant } from '../kernel/clock.ts';
import type { LicenceCode } from '../kernel/ids.ts';
import type { Period } from '../kernel/interval.ts';
import { type Money, sumOf } from '../kernel/money.ts';
import type { Refusal } from '../kernel/refusal.ts';
import type { Organisation } from '../organisation/domain.ts';
import type { Statement } from '../statement/domain.ts';
import { type Bucket, type ChangeOfMany, measures, type State } from '../usage-history/domain.ts';

/** An organisation and all below it. */
export interface Tree {
  /** How many they are, itself included. */
  readonly organisations: number;
  readonly activeUsers: number;
  readonly activeInBillingPeriod: number;
  /** Of each licence that any of them has a row of (C6), in catalogue order. */
  readonly licences: readonly TreeLicence[];
}

/** Sums over the organisations' pools of one licence, each as its own row shows it (B5, C1, C2, C3, P2). */
export interface TreeLicence {
  readonly licence: LicenceCode;
  /** How many have a row of it. */
  readonly organisations: number;
  readonly holders: number;
  readonly baseTotal: number;
  readonly baseUsed: number;
  readonly baseReusable: number;
  readonly baseAvailable: number;
  readonly baseOverAllocated: number;
  readonly concurrentTotal: number;
  readonly concurrentUsed: number;
  readonly concurrentAvailable: number;
  readonly concurrentOverAllocated: number;
  readonly contingencyTotal: number;
  readonly contingencyUsed: number;
  readonly contingencyAvailable: number;
  readonly maxUsed: number;
  readonly paidHeadroom: number;
}

/** Reports are made of so many organisations at most: their figures are all in memory at once. */
export const maxOrganisations = 1000;

export type TreeTooLarge = Refusal<'TREE_TOO_LARGE'>;

export const treeTooLarge: TreeTooLarge = {
  code: 'TREE_TOO_LARGE',
  message: `Reports are over ${maxOrganisations} organisations at most: ask for those of organisations further below.`,
};

/** All organisations of a tree, at a moment at which nothing that was due had yet to take effect in any. */
export interface Members {
  readonly organisations: readonly Organisation[];
  /** The moment, in real time. */
  readonly at: Instant;
}

/** A history of so many organisations has at most so many buckets of theirs, all together. */
export const maxBucketsOfAll = 50_000;

/** So many changes of a licence's use are looked through at most for what was in use at one time. */
export const maxTogether = 100_000;

/** Of one pool of a licence, over a bucket: the sums of what the organisations' own buckets show. */
export interface PoolSums {
  readonly sumOfMinima: number;
  readonly sumOfMaxima: number;
  /** Exact: means over the same time may be added up. */
  readonly mean: number;
  readonly total: number;
}

/** What a licence's use in a tree was over a stretch of time. */
export interface TreeBucket extends Period {
  readonly concurrent: PoolSums;
  readonly contingency: PoolSums;
  readonly denials: number;
}

/**
 * The sums of the organisations' buckets, which have the same edges.
 * @param each every organisation's, one or more
 */
export function sumBuckets(each: Iterable<readonly Bucket[]>): TreeBucket[] {
  const sums: SummedBucket[] = [];
  for (const buckets of each) {
    for (const [index, bucket] of buckets.entries()) {
      const { from, until } = bucket;
      const sum = (sums[index] ??= {
        from,
        until,
        concurrent: nothing(),
        contingency: nothing(),
        denials: 0,
      });
      sum.denials += bucket.denials;
      addSeats(sum, 'concurrent', bucket, bucket.concurrentTotal);
      addSeats(sum, 'contingency', bucket, bucket.contingencyTotal);
    }
  }
  return sums.map((sum) => ({
    ...sum,
    concurrent: toPoolSums(sum, 'concurrent'),
    contingency: toPoolSums(sum, 'contingency'),
  }));
}

interface SummedPool {
  sumOfMinima: number;
  sumOfMaxima: number;
  /** Seats × milliseconds: whole numbers, in which nothing is lost. */
  milliseconds: number;
  total: number;
}

interface SummedBucket extends Period, Readonly<Record<SharedPool, SummedPool>> {
  denials: number;
}

type SharedPool = 'concurrent' | 'contingency';

const nothing = (): SummedPool => ({ sumOfMinima: 0, sumOfMaxima: 0, milliseconds: 0, total: 0 });

const durationOf = ({ from, until }: Period) => until.getTime() - from.getTime();

function addSeats(sum: SummedBucket, pool: SharedPool, bucket: Bucket, total: number): void {
  const { minimum, maximum, mean } = bucket[pool];
  const seats = sum[pool];
  seats.sumOfMinima += minimum;
  seats.sumOfMaxima += maximum;
  // The mean was reckoned from whole milliseconds: rounded, they are the same again.
  seats.milliseconds += Math.round(mean * durationOf(bucket));
  seats.total += total;
}

function toPoolSums(sum: SummedBucket, pool: SharedPool): PoolSums {
  const { milliseconds, ...rest } = sum[pool];
  const duration = durationOf(sum);
  return { ...rest, mean: duration === 0 ? rest.sumOfMinima : milliseconds / duration };
}

/** The fewest and the most seats in use at one instant, of all organisations together. */
export interface Together {
  readonly minimum: number;
  readonly maximum: number;
}

/**
 * What all organisations together had in use at one instant: no sum of their own extremes, which need not have been at
 * one time. Every state counts that some change left, also one of no time; what time took at one instant it took in all of
 * them together, and at a bucket's first instant what was in use just before counts too, but where time replaced it (T3).
 * @param buckets one after the other
 * @param openings each organisation's use just before the first
 * @param changes by instant, at an instant those that time took first, then as they were recorded
 */
export function togetherIn(
  buckets: readonly Period[],
  openings: readonly State[],
  changes: readonly ChangeOfMany[],
): Readonly<Record<SharedPool, Together>>[] {
  const present = openings.map(sharedSeats);
  const sums = {
    concurrent: present.reduce((sum, { concurrent }) => sum + concurrent, 0),
    contingency: present.reduce((sum, { contingency }) => sum + contingency, 0),
  };
  let next = 0;
  /** @returns whether there was one, and it was taken */
  const take = (isNext: (change: ChangeOfMany) => boolean): boolean => {
    const change = changes[next];
    if (change === undefined || !isNext(change)) return false;
    const after = sharedSeats(change);
    const before = present[change.number];
    sums.concurrent += after.concurrent - (before?.concurrent ?? 0);
    sums.contingency += after.contingency - (before?.contingency ?? 0);
    present[change.number] = after;
    next += 1;
    return true;
  };
  const takeDue = (at: Instant) => {
    while (take((change) => change.due && change.at.getTime() === at.getTime()));
  };

  return buckets.map(({ from, until }) => {
    takeDue(from);
    const extents = { concurrent: extentOf(sums.concurrent), contingency: extentOf(sums.contingency) };
    for (;;) {
      const change = changes[next];
      if (change === undefined || change.at >= until) return extents;
      if (change.due) takeDue(change.at);
      else take(() => true);
      widen(extents.concurrent, sums.concurrent);
      widen(extents.contingency, sums.contingency);
    }
  });
}

const sharedSeats = (state: State) => ({
  concurrent: measures.concurrent(state),
  contingency: measures.contingency(state),
});

const extentOf = (seats: number) => ({ minimum: seats, maximum: seats });

function widen(extent: { minimum: number; maximum: number }, seats: number): void {
  extent.minimum = Math.min(extent.minimum, seats);
  extent.maximum = Math.max(extent.maximum, seats);
}

/** A licence's peak of an organisation's billing period, and what of it is billed (C2, C4). */
export interface MemberPeak {
  readonly licence: LicenceCode;
  readonly maxUsed: number;
  readonly maxUsedAt: Instant | null;
  readonly billed: number;
}

/** What an organisation's month costs, without the lines. */
export interface MemberStatement {
  readonly organisation: Organisation;
  readonly statement: Statement;
  /** How many lines it has, and how many of them a price. */
  readonly lines: number;
  readonly priced: number;
  /** What all its corrections come to, in minor units. */
  readonly corrections: number;
  /** Of the licences whose peak is above 0. */
  readonly peaks: readonly MemberPeak[];
}

/** The statements of one currency, together. */
export interface StatementSum {
  readonly organisations: number;
  /** Of these, those of which a line has no price. */
  readonly incomplete: number;
  readonly total: Money;
  readonly corrections: Money;
}

/** Nobody has priced anything that it bought: what it costs is not known, which is not nothing. */
export function isUnpriced({ lines, priced }: MemberStatement): boolean {
  return lines > 0 && priced === 0;
}

/** By currency, in the order of their codes; without those that are unpriced. */
export function sumStatements(all: readonly MemberStatement[]): StatementSum[] {
  const byCurrency = Map.groupBy(
    all.filter((each) => !isUnpriced(each)),
    ({ statement }) => statement.currency,
  );
  return [...byCurrency.keys()].toSorted().map((currency) => {
    const own = byCurrency.get(currency) ?? [];
    const sum = (amountOf: (each: MemberStatement) => number) =>
      sumOf(
        currency,
        own.map((each) => ({ amount: amountOf(each), currency })),
      );
    return {
      organisations: own.length,
      incomplete: own.filter(({ lines, priced }) => priced < lines).length,
      total: sum(({ statement }) => statement.total),
      corrections: sum(({ corrections }) => corrections),
    };
  });
}

/** The peaks of one licence in the billing periods of several organisations. */
export interface PeakSums {
  readonly licence: LicenceCode;
  readonly sumOfMaxUsed: number;
  readonly sumOfBilled: number;
  readonly each: readonly (MemberPeak & Pick<MemberStatement, 'organisation'>)[];
}

/** In no order of their own. */
export function sumPeaks(all: readonly MemberStatement[]): PeakSums[] {
  const peaks = all.flatMap(({ organisation, peaks: own }) => own.map((peak) => ({ ...peak, organisation })));
  return [...Map.groupBy(peaks, ({ licence }) => licence)].map(([licence, each]) => ({
    licence,
    sumOfMaxUsed: each.reduce((sum, { maxUsed }) => sum + maxUsed, 0),
    sumOfBilled: each.reduce((sum, { billed }) => sum + billed, 0),
    each,
  }));
}
