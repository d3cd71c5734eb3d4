import { Temporal } from 'temporal-polyfill';
import { earliest, type Instant, latest } from '../kernel/clock.ts';
import type { LicenceCode, PurchaseId } from '../kernel/ids.ts';
import type { Period } from '../kernel/interval.ts';
import { type Currency, feeOf, type Money, negated, sumOf } from '../kernel/money.ts';
import { type InvalidInput, invalidInput, type Refusal } from '../kernel/refusal.ts';
import { type Catalogue, inCatalogueOrder } from '../licence/domain.ts';
import type { BillingPeriod, Month } from '../organisation/domain.ts';
import { billedPeak, type ContractOptions, type PeakEvidence } from '../peak/domain.ts';
import {
  type BillingTerms,
  keyOf,
  type Price,
  type PriceKind,
  type ReachingEntry,
  resolvePrices,
} from '../price/domain.ts';
import type { Purchase, Quantities } from '../purchase/domain.ts';
import type { Pool } from '../usage/domain.ts';

/** A licence's peak of a billing period, as it was kept (C2). */
export type Peak = Pick<Pool, 'licence' | 'maxUsed' | 'maxUsedAt'>;

/** What is billed of a peak, and why it is what it is. */
export interface BilledPeak extends Peak {
  /** The highest level that lasted as long as the contract wants (`billedPeak`). */
  readonly billed: number;
  /** null: nothing was used, or the history does not tell any more. */
  readonly explanation: PeakEvidence | null;
}

/**
 * What is billed of a kept peak by what is told of it. Where the history tells of another peak, because it was dropped or
 * put right, the kept one is billed whole, without an explanation: it is what was shown all month.
 */
export function billPeak<Told extends Pick<PeakEvidence, 'maxUsed' | 'levels'> | null>(
  kept: Peak,
  told: Told,
  { minimumPeakMinutes }: ContractOptions,
): Peak & { readonly billed: number; readonly explanation: Told | null } {
  return told?.maxUsed === kept.maxUsed
    ? { ...kept, billed: billedPeak(told.levels, minimumPeakMinutes), explanation: told }
    : { ...kept, billed: kept.maxUsed, explanation: null };
}

/** What a billing period was when it ended: before anything that fell due at that very instant, which is the next one's (T3). */
export interface ClosedPeriod {
  readonly month: Month;
  /** The organisation's then. */
  readonly timeZone: string;
  readonly activeInBillingPeriod: number;
  /** Of every licence that was ever bought. */
  readonly pools: readonly (Peak & Pick<Pool, 'baseTotal' | 'concurrentTotal' | 'contingencyTotal'>)[];
}

/** All that a month's bill depends on, beside terms and prices. */
export interface Facts {
  readonly period: BillingPeriod;
  readonly timeZone: string;
  readonly activeInBillingPeriod: number;
  readonly peaks: readonly BilledPeak[];
  readonly options: ContractOptions;
  /** Of the licences of `peaks`. */
  readonly purchases: readonly Purchase[];
}

/** A purchase that a line counts, as it was when the line was written. */
export interface CountedPurchase extends Pick<Purchase, 'from' | 'until' | 'reference'> {
  readonly id: PurchaseId;
  readonly quantity: number;
}

/** From what a quantity comes. */
export interface Evidence {
  /** The first of them, by when they began to be in force. */
  readonly purchases: readonly CountedPurchase[];
  /** How many there are. */
  readonly purchaseCount: number;
  /** Of CONTINGENCY, else null: by which the quantity was found, and from what. */
  readonly peak: {
    readonly minimumPeakMinutes: number;
    readonly explanation: PeakEvidence | null;
  } | null;
}

/** CREDIT: what an earlier document charged is taken off. */
export type Entry = 'CHARGE' | 'CREDIT';

export interface StatementLine {
  readonly entry: Entry;
  /** null: of ACTIVE_USER. */
  readonly licence: LicenceCode | null;
  readonly kind: PriceKind;
  /** The highest in force in the month; of CONTINGENCY what is billed of `maxUsed`. */
  readonly quantity: number;
  /** BY_DAY: of every day of the month the highest quantity in force, summed; null: billed by the whole month. */
  readonly seatDays: number | null;
  /** Minor units a month; null: there is no price. */
  readonly unitPrice: number | null;
  /** Minor units, never below zero; null: there is no price, or no such sum is a bill. */
  readonly amount: number | null;
  /** Of CONTINGENCY (C2), else null. */
  readonly maxUsed: number | null;
  readonly maxUsedAt: Instant | null;
  readonly evidence: Evidence | null;
}

/** A document: what a month costs, or what was wrong with what it was said to. */
export interface Statement extends Period, BillingTerms {
  readonly month: Month;
  /** 0: the month's own. 1, 2, 3 …: its corrections. */
  readonly correction: number;
  /** 1, 2, 3 … of the organisation's documents, without a gap; null: an estimate. */
  readonly number: number | null;
  /** The organisation's, when it was issued. */
  readonly name: string;
  readonly timeZone: string;
  /** How many days, whole or begun, the period has in the zone. */
  readonly days: number;
  /** Minor units; of a correction the difference. */
  readonly total: number;
  /** false: a line has no price, and is not in the total. */
  readonly complete: boolean;
  /** Of a correction. */
  readonly reason: string | null;
  /** By the organisation's clock; null: an estimate. */
  readonly issuedAt: Instant | null;
}

export interface StatementWithLines extends Statement {
  readonly lines: readonly StatementLine[];
}

/**
 * A month's own document before it is issued: no number, and no correction.
 * @param name the organisation's
 * @param entries of price books, those that reach the organisation
 */
export function draftStatement(
  name: string,
  facts: Facts,
  { currency, partialMonths }: BillingTerms,
  entries: readonly ReachingEntry[],
  licences: Catalogue,
): StatementWithLines {
  const { month, from, until } = facts.period;
  const prices = resolvePrices(entries, currency, from);
  return {
    ...{ month, from, until, correction: 0, number: null, name, timeZone: facts.timeZone },
    ...{ currency, partialMonths, reason: null, issuedAt: null },
    ...reckonStatement(facts, { currency, partialMonths }, prices, licences),
  };
}

/** So many purchases stand in a line's evidence. */
const maxEvidence = 100;

/**
 * What a month costs. Of each licence the base licences or fixed seats and the concurrent seats that were bought, by the
 * terms' rule for parts of a month, and a full fee for each contingency seat of `maxUsed` (C4) that the contract does not
 * let off; and a full fee for each user that was ACTIVE in it (U2), where that has a price.
 *
 * - FULL_MONTH: the highest quantity in force at any instant of the month.
 * - BY_DAY: of each day the highest quantity in force at any instant of it, each for one day's part of the monthly fee.
 *   The line is rounded once (`feeOf`). A day is one of the organisation's zone at the period's end; where the period does
 *   not begin or end with a day, what is begun counts as one.
 */
export function reckonStatement(
  { period, timeZone, activeInBillingPeriod, peaks, options, purchases }: Facts,
  terms: BillingTerms,
  prices: readonly Price[],
  catalogue: Catalogue,
): Pick<StatementWithLines, 'lines' | 'total' | 'complete' | 'days'> {
  const priced = new Map(prices.map((price) => [keyOf(price.kind, price.licence), price.unitPrice]));
  const days = daysOf(period, timeZone);
  const peakOf = new Map(peaks.map((peak) => [peak.licence, peak]));
  const counted = Map.groupBy(purchases.filter(isIn(period)), ({ licence }) => licence);
  const lines: StatementLine[] = [];

  for (const { code: licence } of inCatalogueOrder(catalogue, [...peakOf.keys(), ...counted.keys()])) {
    const bought = counted.get(licence) ?? [];
    for (const [kind, pool] of pools) {
      const course = courseOf(bought, pool, period);
      const quantity = highestIn(course, period);
      if (quantity === 0) continue;
      const seatDays =
        terms.partialMonths === 'BY_DAY' ? days.reduce((sum, day) => sum + highestIn(course, day), 0) : null;
      const unitPrice = priced.get(keyOf(kind, licence)) ?? null;
      const evidence = evidenceOf(bought, pool);
      lines.push(charge({ licence, kind, quantity, seatDays, unitPrice, evidence }, days.length));
    }
    const peak = peakOf.get(licence);
    if (peak !== undefined && peak.maxUsed > 0) {
      const { maxUsed, maxUsedAt, billed, explanation } = peak;
      const unitPrice = priced.get(keyOf('CONTINGENCY', licence)) ?? null;
      const evidence = { ...evidenceOf(bought, 'contingency'), peak: { ...options, explanation } };
      const used = { quantity: billed, maxUsed, maxUsedAt, unitPrice, evidence };
      lines.push(charge({ licence, kind: 'CONTINGENCY', ...used }, days.length));
    }
  }
  const unitPrice = priced.get(keyOf('ACTIVE_USER', null));
  if (unitPrice !== undefined && activeInBillingPeriod > 0) {
    const quantity = activeInBillingPeriod;
    lines.push(charge({ licence: null, kind: 'ACTIVE_USER', quantity, unitPrice }, days.length));
  }
  return { lines, ...totalOf(lines, terms), days: days.length };
}

const pools = [
  ['BASE', 'base'],
  ['CONCURRENT', 'concurrent'],
] as const satisfies readonly (readonly [PriceKind, keyof Quantities])[];

type Charged = Pick<StatementLine, 'licence' | 'kind' | 'quantity'> &
  Partial<Pick<StatementLine, 'seatDays' | 'maxUsed' | 'maxUsedAt' | 'evidence'>> & {
    readonly unitPrice: Money | null;
  };

function charge({ unitPrice, ...rest }: Charged, days: number): StatementLine {
  const { quantity, seatDays = null } = rest;
  const fee =
    unitPrice === null
      ? null
      : seatDays === null
        ? feeOf(unitPrice, quantity)
        : feeOf(unitPrice, seatDays, days);
  return {
    entry: 'CHARGE',
    maxUsed: null,
    maxUsedAt: null,
    evidence: null,
    ...rest,
    seatDays,
    unitPrice: unitPrice?.amount ?? null,
    amount: fee?.amount ?? null,
  };
}

/** What a line adds to its statement: below zero of a CREDIT; null: there was no price. */
export function moneyOf(
  { entry, amount }: Pick<StatementLine, 'entry' | 'amount'>,
  currency: Currency,
): Money | null {
  if (amount === null) return null;
  const money = { amount, currency };
  return entry === 'CHARGE' ? money : negated(money);
}

function totalOf(
  lines: readonly StatementLine[],
  { currency }: Pick<BillingTerms, 'currency'>,
): Pick<Statement, 'total' | 'complete'> {
  const amounts = lines.flatMap((line) => moneyOf(line, currency) ?? []);
  return { total: sumOf(currency, amounts).amount, complete: amounts.length === lines.length };
}

/** In force at an instant of the period; one that was cancelled never was (P4). */
function isIn({ from, until }: Period): (purchase: Purchase) => boolean {
  return (purchase) =>
    purchase.from < until &&
    (purchase.until === null || (purchase.until > from && purchase.until > purchase.from));
}

function evidenceOf(purchases: readonly Purchase[], pool: keyof Quantities): Evidence {
  const counted = purchases
    .filter((purchase) => purchase[pool] > 0)
    .toSorted((one, other) => one.from.getTime() - other.from.getTime() || (one.id < other.id ? -1 : 1));
  return {
    purchases: counted.slice(0, maxEvidence).map(({ id, from, until, reference, [pool]: quantity }) => ({
      ...{ id, quantity, from, until, reference },
    })),
    purchaseCount: counted.length,
    peak: null,
  };
}

/** A total over time: it is `quantity` from `from` until the next step's. */
interface Step {
  readonly from: Instant;
  readonly quantity: number;
}

/** P1, over a period. What ends and what begins at one instant do so together: the two are never in force at once (T3). */
function courseOf(purchases: readonly Purchase[], pool: keyof Quantities, period: Period): Step[] {
  const changes = new Map([[period.from.getTime(), 0]]);
  const change = (at: Instant, by: number) =>
    changes.set(at.getTime(), (changes.get(at.getTime()) ?? 0) + by);
  for (const purchase of purchases) {
    change(latest(purchase.from, period.from), purchase[pool]);
    if (purchase.until !== null && purchase.until < period.until) change(purchase.until, -purchase[pool]);
  }
  let quantity = 0;
  return [...changes]
    .toSorted(([one], [other]) => one - other)
    .map(([at, by]) => ({ from: new Date(at), quantity: (quantity += by) }));
}

/** The highest at any instant of a part of the course's period. */
function highestIn(course: readonly Step[], { from, until }: Period): number {
  let highest = 0;
  for (const [index, step] of course.entries()) {
    const end = course[index + 1]?.from ?? null;
    if (step.from < until && (end === null || end > from)) highest = Math.max(highest, step.quantity);
  }
  return highest;
}

/** The days of a period in a zone: the first and the last one as far as they are in it. */
export function daysOf({ from, until }: Period, timeZone: string): Period[] {
  const days: Period[] = [];
  let date = Temporal.Instant.fromEpochMilliseconds(from.getTime())
    .toZonedDateTimeISO(timeZone)
    .toPlainDate();
  for (let start = from; start < until;) {
    date = date.add({ days: 1 });
    const next = new Date(date.toZonedDateTime(timeZone).epochMilliseconds);
    const end = earliest(next, until);
    // A day that the zone leaves out, as where the date line was moved, has no instant; one may begin twice.
    if (end <= start) continue;
    days.push({ from: start, until: end });
    start = end;
  }
  return days;
}

/** What a line should have been. */
export interface Corrected {
  readonly licence: LicenceCode | null;
  readonly kind: PriceKind;
  readonly quantity: number;
  /** null: as many as the quantity has in every day of the month. Only where the statement is BY_DAY. */
  readonly seatDays: number | null;
  /** Minor units; null: as it was. */
  readonly unitPrice: number | null;
}

export type StatementNotClosed = Refusal<'STATEMENT_NOT_CLOSED'>;

export const statementNotClosed: StatementNotClosed = {
  code: 'STATEMENT_NOT_CLOSED',
  message: 'This is an estimate, which follows what happens: only what was billed can be corrected.',
};

/** What a month that ended before migrations/0010_money.ts was cannot be found again: neither its zone, nor its prices. */
export const monthNotKept: Refusal<'MONTH_NOT_KEPT'> = {
  code: 'MONTH_NOT_KEPT',
  message:
    'This month ended before months were kept for statements: there was no price book, and how many users were active is not known. What was used and bought is in usageHistory, peakUsage and purchases.',
};

export const maxCorrections = 100;
const maxCorrectedLines = 100;

/**
 * The lines of a correction: what was charged is credited, and what should have been is charged.
 * @param charged the lines of the statement and of its corrections so far, the earliest first
 */
export function reckonCorrection(
  statement: Statement,
  charged: readonly StatementLine[],
  corrected: readonly Corrected[],
): Pick<StatementWithLines, 'lines' | 'total' | 'complete'> | InvalidInput {
  const wrong = (message: string) => invalidInput('lines', message);
  if (corrected.length === 0 || corrected.length > maxCorrectedLines) {
    return wrong(`A correction has 1 to ${maxCorrectedLines} lines.`);
  }
  const { currency, days } = statement;
  const last = new Map(
    charged
      .filter(({ entry }) => entry === 'CHARGE')
      .map((line) => [keyOf(line.kind, line.licence), line] as const),
  );
  const seen = new Set<string>();
  const lines: StatementLine[] = [];
  for (const { licence, kind, quantity, ...asked } of corrected) {
    const key = keyOf(kind, licence);
    const what = licence === null ? kind : `${licence} ${kind}`;
    if (seen.has(key)) return wrong(`${what} is there twice.`);
    seen.add(key);
    if (quantity < 0) return wrong(`${what}: a quantity is 0 or more, not ${quantity}.`);
    const former = last.get(key) ?? null;
    if (former === null && quantity === 0) return wrong(`${what} is not billed.`);
    const unitPrice = asked.unitPrice ?? former?.unitPrice ?? null;
    if (unitPrice === null) return wrong(`${what} had no price: say \`unitPrice\`.`);
    const isByDay = statement.partialMonths === 'BY_DAY' && (kind === 'BASE' || kind === 'CONCURRENT');
    if (!isByDay && asked.seatDays !== null)
      return wrong(`${what} is billed by the month: leave \`seatDays\` out.`);
    const seatDays = isByDay ? (asked.seatDays ?? quantity * days) : null;
    if (seatDays !== null && seatDays > quantity * days) {
      return wrong(`${what} has at most ${quantity * days} seat-days, ${days} for each of ${quantity}.`);
    }
    // A quantity is what was in force on some day of the month.
    if (seatDays !== null && seatDays < quantity) {
      return wrong(`${what} has at least ${quantity} seat-days: all of them on one day.`);
    }
    const money = { amount: unitPrice, currency };
    const line = charge({ licence, kind, quantity, seatDays, unitPrice: money }, days);
    if (line.amount === null) return wrong(`${what} comes to more than can be billed.`);
    const isSame =
      former?.quantity === quantity && former.seatDays === seatDays && former.unitPrice === unitPrice;
    if (isSame) return wrong(`${what} is billed so already.`);
    // What had no price was never charged.
    if (former !== null && former.amount !== null) lines.push({ ...former, entry: 'CREDIT', evidence: null });
    lines.push(line);
  }
  return { lines, ...totalOf(lines, statement) };
}
