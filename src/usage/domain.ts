import type { AlertKind, Thresholds } from '../alert/domain.ts';
import type { Allotment } from '../allotment/domain.ts';
import type { ContingencyCaps } from '../contingency-cap/domain.ts';
import type { Instant } from '../kernel/clock.ts';
import type { LicenceCode, SessionId, UserId } from '../kernel/ids.ts';

export type SeatPool = 'CONCURRENT' | 'CONTINGENCY';

/** What a seat was when its hold was acquired. */
export type AdmittedAs = SeatPool | 'FIXED';

/** The kept counters of one licence of one organisation. All are whole numbers, none negative. */
export interface Counters {
  readonly licence: LicenceCode;
  /** Totals in force now (P1). */
  readonly baseTotal: number;
  readonly concurrentTotal: number;
  readonly contingencyTotal: number;
  /** Holds: users, not devices (L2). */
  readonly inUse: number;
  /** The highest contingency use in the billing period so far, and the first instant that reached it (C2). */
  readonly maxUsed: number;
  readonly maxUsedAt: Instant | null;
  /** Base licences and fixed seats by state (B2); a FREE one is counted nowhere. */
  readonly assigned: number;
  readonly reusable: number;
  readonly locked: number;
  /** Users with the licence assigned, planned and suspended ones included (C6). */
  readonly holders: number;
  /** Purchases ever recorded: past, present and future (C6). */
  readonly purchases: number;
  /** What departments have of the shared seats; those without an allotment are missing. */
  readonly allotments: readonly Allotment[];
  /** How many contingency seats may come to be billed in the running period (W1); null: as many as there are. */
  readonly contingencyCap: number | null;
}

/** The counters, with what is set for the pool and what has been said of it: of most pools, nothing. */
export interface Pool extends Counters {
  /** What the customer set, for this month and others. */
  readonly caps: ContingencyCaps | null;
  /** When the customer wants to be told (W3); null: as is usual. */
  readonly thresholds: Thresholds | null;
  /** The alerts that were raised and have not cleared: none is raised twice. */
  readonly raised: readonly AlertKind[];
}

/** One list for all pools of which no alert stands. */
export const noneRaised: readonly AlertKind[] = [];

export function emptyPool(licence: LicenceCode): Pool {
  return {
    licence,
    baseTotal: 0,
    concurrentTotal: 0,
    contingencyTotal: 0,
    inUse: 0,
    maxUsed: 0,
    maxUsedAt: null,
    assigned: 0,
    reusable: 0,
    locked: 0,
    holders: 0,
    purchases: 0,
    allotments: [],
    contingencyCap: null,
    caps: null,
    thresholds: null,
    raised: noneRaised,
  };
}

export interface BaseUsage {
  readonly total: number;
  readonly used: number;
  readonly reusable: number;
  readonly available: number;
  readonly assigned: number;
  readonly locked: number;
  readonly overAllocated: number;
}

/** B5 and P2: `available − overAllocated = total − used + reusable`, and at most one of the two is above zero. */
export function baseUsage({ baseTotal, assigned, reusable, locked }: Counters): BaseUsage {
  return {
    total: baseTotal,
    used: assigned + reusable + locked,
    reusable,
    available: Math.max(0, baseTotal - assigned - locked),
    assigned,
    locked,
    overAllocated: Math.max(0, assigned + locked - baseTotal),
  };
}

export interface ConcurrentUsage {
  readonly total: number;
  readonly used: number;
  readonly available: number;
  readonly overAllocated: number;
}

/** C1 and P2. */
export function concurrentUsage({ concurrentTotal, contingencyTotal, inUse }: Counters): ConcurrentUsage {
  return {
    total: concurrentTotal,
    used: Math.min(inUse, concurrentTotal),
    available: Math.max(0, concurrentTotal - inUse),
    overAllocated: Math.max(0, inUse - concurrentTotal - contingencyTotal),
  };
}

export interface ContingencyUsage {
  readonly total: number;
  readonly used: number;
  readonly maxUsed: number;
  readonly maxUsedAt: Instant | null;
  readonly available: number;
  readonly paidHeadroom: number;
}

/** C1, C2 and C3. */
export function contingencyUsage(pool: Counters): ContingencyUsage {
  const used = contingencyUsed(pool);
  return {
    total: pool.contingencyTotal,
    used,
    maxUsed: pool.maxUsed,
    maxUsedAt: pool.maxUsedAt,
    available: pool.contingencyTotal - used,
    paidHeadroom: Math.max(0, pool.maxUsed - used),
  };
}

/** What decides how many contingency seats are in use (C1). */
export type SeatFigures = Pick<Pool, 'inUse' | 'concurrentTotal' | 'contingencyTotal'>;

/** C1: a freed concurrent seat at once takes over a contingency holder. */
export function contingencyUsed({ concurrentTotal, contingencyTotal, inUse }: SeatFigures): number {
  return Math.min(Math.max(0, inUse - concurrentTotal), contingencyTotal);
}

/** How many contingency seats logons may open: those that the cap leaves, and those paid for already (W1, C3). */
export function contingencyLimit({
  contingencyTotal,
  contingencyCap,
  maxUsed,
}: Pick<Counters, 'contingencyTotal' | 'contingencyCap' | 'maxUsed'>): number {
  return contingencyCap === null
    ? contingencyTotal
    : Math.min(contingencyTotal, Math.max(contingencyCap, maxUsed));
}

/** The pool that the next hold would be admitted from: concurrent first, then contingency (L2). */
export function freeSeat(pool: Pool): SeatPool | null {
  const { concurrentTotal, inUse } = pool;
  if (inUse < concurrentTotal) return 'CONCURRENT';
  return inUse < concurrentTotal + contingencyLimit(pool) ? 'CONTINGENCY' : null;
}

/** Raises the period's peak to what is in use, if that is higher: never samples, never falls (C2). */
export function raisePeak(pool: Pool, at: Instant): Pool {
  const used = contingencyUsed(pool);
  return used > pool.maxUsed ? { ...pool, maxUsed: used, maxUsedAt: at } : pool;
}

/** A new billing period's peak is what is in use at its first instant (C2). */
export function resetPeak(pool: Pool, at: Instant): Pool {
  const used = contingencyUsed(pool);
  return { ...pool, maxUsed: used, maxUsedAt: used === 0 ? null : at };
}

export interface HistoryEvent {
  readonly kind: 'ACQUIRED' | 'RELEASED' | 'TOTALS_CHANGED';
  readonly licence: LicenceCode;
  /** Of ACQUIRED and RELEASED: who, on which session, and what the seat was. */
  readonly seat: {
    readonly userId: UserId;
    readonly sessionId: SessionId;
    readonly admittedAs: AdmittedAs;
  } | null;
  /** Whether a seat was taken or freed; false where the user holds it on another device too. */
  readonly seatChanged: boolean;
}

/** An event with the counters after the step it belongs to. */
export interface HistoryEntry extends HistoryEvent {
  readonly at: Instant;
  /** Whether time took the step, and not a request: then the state before it is no more at its instant (T3). */
  readonly due: boolean;
  readonly inUse: number;
  readonly concurrentTotal: number;
  readonly contingencyTotal: number;
  readonly maxUsed: number;
}

/** What a step made of a pool. */
export interface PoolStep {
  readonly at: Instant;
  readonly before: Pool;
  readonly after: Pool;
  /** A billing period began with it: what is in use is billed anew (C2). */
  readonly opensPeriod: boolean;
}

/** Whether the step opened a seat that is billed for the month and was not before (W2). */
export function raisesPeak({ before, after, opensPeriod }: PoolStep): boolean {
  return after.maxUsed > (opensPeriod ? 0 : before.maxUsed);
}

/**
 * The pools while a *step* is under way: one request, or all that falls due at one instant. Between the changes of
 * a step no state exists (T3), so peaks are raised, and history's counters are read, only when it closes.
 */
export interface Tally {
  readonly pools: Map<LicenceCode, Pool>;
  readonly history: HistoryEntry[];
  readonly events: HistoryEvent[];
  /** Every step so far, pool by pool, in order: what holds between two requests is not missed (W3). */
  readonly steps: PoolStep[];
  /** The pools that the step has changed, as they were before it. */
  readonly touched: Map<LicenceCode, Pool>;
}

export function openTally(pools: ReadonlyMap<LicenceCode, Pool>): Tally {
  return { pools: new Map(pools), history: [], events: [], steps: [], touched: new Map() };
}

export function poolOf(tally: Tally, licence: LicenceCode): Pool {
  return tally.pools.get(licence) ?? emptyPool(licence);
}

export function changePool(tally: Tally, licence: LicenceCode, change: Partial<Pool>): void {
  const before = poolOf(tally, licence);
  tally.pools.set(licence, { ...before, ...change });
  if (!tally.touched.has(licence)) tally.touched.set(licence, before);
}

/**
 * Ends a step: every state between two requests counts for the peak, even at one instant (C2, T3).
 * @param cause a request; what falls due at that instant; or that with the edge of a billing period
 * @returns what it made of the pools that it changed
 */
export function closeStep(
  tally: Tally,
  at: Instant,
  cause: 'REQUEST' | 'DUE' | 'PERIOD' = 'REQUEST',
): readonly PoolStep[] {
  const opensPeriod = cause === 'PERIOD';
  const due = cause !== 'REQUEST';
  const steps = [...tally.touched].map(([licence, before]): PoolStep => {
    const after = raisePeak(poolOf(tally, licence), at);
    tally.pools.set(licence, after);
    return { at, before, after, opensPeriod };
  });
  tally.steps.push(...steps);
  for (const event of tally.events) {
    const { inUse, concurrentTotal, contingencyTotal, maxUsed } = poolOf(tally, event.licence);
    tally.history.push({ ...event, at, due, inUse, concurrentTotal, contingencyTotal, maxUsed });
  }
  tally.touched.clear();
  tally.events.length = 0;
  return steps;
}
