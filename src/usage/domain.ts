import type { Instant } from '../kernel/clock.ts';
import type { LicenceCode, SessionId, UserId } from '../kernel/ids.ts';

export type SeatPool = 'CONCURRENT' | 'CONTINGENCY';

/** What a seat was when its hold was acquired. */
export type AdmittedAs = SeatPool | 'FIXED';

/** The kept counters of one licence of one organisation. All are whole numbers, none negative. */
export interface Pool {
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
}

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
export function baseUsage({ baseTotal, assigned, reusable, locked }: Pool): BaseUsage {
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
export function concurrentUsage({ concurrentTotal, contingencyTotal, inUse }: Pool): ConcurrentUsage {
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
export function contingencyUsage(pool: Pool): ContingencyUsage {
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

/** The pool that the next hold would be admitted from: concurrent first, then contingency (L2). */
export function freeSeat({ concurrentTotal, contingencyTotal, inUse }: Pool): SeatPool | null {
  if (inUse < concurrentTotal) return 'CONCURRENT';
  return inUse < concurrentTotal + contingencyTotal ? 'CONTINGENCY' : null;
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
  readonly inUse: number;
  readonly concurrentTotal: number;
  readonly contingencyTotal: number;
  readonly maxUsed: number;
}

/**
 * The pools while a *step* is under way: one request, or all that falls due at one instant. Between the changes of
 * a step no state exists (T3), so peaks are raised, and history's counters are read, only when it closes.
 */
export interface Tally {
  readonly pools: Map<LicenceCode, Pool>;
  readonly history: HistoryEntry[];
  readonly events: HistoryEvent[];
  readonly touched: Set<LicenceCode>;
}

export function openTally(pools: ReadonlyMap<LicenceCode, Pool>): Tally {
  return { pools: new Map(pools), history: [], events: [], touched: new Set() };
}

export function poolOf(tally: Tally, licence: LicenceCode): Pool {
  return tally.pools.get(licence) ?? emptyPool(licence);
}

export function changePool(tally: Tally, licence: LicenceCode, change: Partial<Pool>): void {
  tally.pools.set(licence, { ...poolOf(tally, licence), ...change });
  tally.touched.add(licence);
}

/** Ends a step: every state between two requests counts for the peak, even at one instant (C2, T3). */
export function closeStep(tally: Tally, at: Instant): void {
  for (const licence of tally.touched) tally.pools.set(licence, raisePeak(poolOf(tally, licence), at));
  for (const event of tally.events) {
    const { inUse, concurrentTotal, contingencyTotal, maxUsed } = poolOf(tally, event.licence);
    tally.history.push({ ...event, at, inUse, concurrentTotal, contingencyTotal, maxUsed });
  }
  tally.touched.clear();
  tally.events.length = 0;
}
