import { type BaseLicence, freeBaseLicence } from '../assignment/domain.ts';
import { capIn, capsFrom } from '../contingency-cap/domain.ts';
import { earliest, type Instant } from '../kernel/clock.ts';
import type { LicenceCode, UserId } from '../kernel/ids.ts';
import {
  type BillingPeriod,
  type Month,
  nextBillingPeriod,
  type Organisation,
} from '../organisation/domain.ts';
import { changeTotals, type Purchase } from '../purchase/domain.ts';
import { expireSessions, type Holder, type Session } from '../session/domain.ts';
import type { ClosedPeriod } from '../statement/domain.ts';
import {
  changePool,
  closeStep,
  type HistoryEntry,
  openTally,
  type Pool,
  type PoolStep,
  resetPeak,
} from '../usage/domain.ts';

/** All that falls due after the organisation's `settledAt`, up to and with the instant it is to be settled to. */
export interface Due {
  /** Live sessions whose lease ends. */
  readonly sessions: readonly Session[];
  /** Their users, with every live session. */
  readonly holders: ReadonlyMap<UserId, Holder>;
  /** Purchases that start, end, or both. */
  readonly purchases: readonly Purchase[];
  /** Released base licences whose period ends. */
  readonly baseLicences: readonly BaseLicence[];
}

export interface Settled {
  readonly organisation: Organisation;
  readonly pools: ReadonlyMap<LicenceCode, Pool>;
  readonly holders: ReadonlyMap<UserId, Holder>;
  readonly history: readonly HistoryEntry[];
  readonly steps: readonly PoolStep[];
  /** The billing periods that began on the way. */
  readonly periods: readonly BillingPeriod[];
  /** What those were that ended on the way. */
  readonly closed: readonly ClosedPeriod[];
  /** Whether every row of the organisation changed, not only those of `pools` (C5). */
  readonly everyRowChanged: boolean;
}

/**
 * Lets time pass (T2, T3): what falls due takes effect at its own instant, in order; what falls due at one instant
 * takes effect together, as one step, before anything is asked at that instant.
 */
export function settle(
  organisation: Organisation,
  pools: ReadonlyMap<LicenceCode, Pool>,
  due: Due,
  now: Instant,
): Settled {
  const tally = openTally(pools);
  const holders = new Map(due.holders);
  const periods: BillingPeriod[] = [];
  const closed: ClosedPeriod[] = [];
  let { period, activeInBillingPeriod } = organisation;

  const sessions = group(due.sessions, ({ expiresAt }) => expiresAt);
  const starts = group(due.purchases.filter(isEverInForce), ({ from }) => from);
  const ends = group(due.purchases.filter(isEverInForce), ({ until }) => until);
  const baseLicences = group(due.baseLicences, ({ periodUntil }) => periodUntil);

  const instants = [sessions, starts, ends, baseLicences]
    .flatMap((groups) => [...groups.keys()])
    .filter((at) => at > organisation.settledAt.getTime() && at <= now.getTime())
    .sort((one, other) => one - other);

  for (let next = 0; ;) {
    const at = earliest(period.until, dateAt(instants, next));
    if (at > now) break;
    const key = at.getTime();
    while (instants[next] === key) next += 1;

    const isEdge = period.until.getTime() === key;
    // Whatever falls due at the edge is the next period's already (T3).
    if (isEdge) closed.push(closePeriod(organisation, period.month, activeInBillingPeriod, tally.pools));
    expireSessions(tally, holders, sessions.get(key) ?? [], at);
    for (const purchase of ends.get(key) ?? []) changeTotals(tally, purchase.licence, purchase, -1);
    for (const purchase of starts.get(key) ?? []) changeTotals(tally, purchase.licence, purchase, 1);
    for (const base of baseLicences.get(key) ?? []) freeBaseLicence(tally, base);
    if (isEdge) {
      period = nextBillingPeriod(period, organisation.timeZone);
      periods.push(period);
      // Whoever is ACTIVE at a period's first instant was ACTIVE in it; nobody else was, yet (U2).
      activeInBillingPeriod = organisation.activeUsers;
      for (const [licence, pool] of tally.pools) {
        const caps = capsFrom(pool.caps, period.month);
        changePool(tally, licence, {
          ...{ ...resetPeak(pool, at), caps },
          contingencyCap: capIn(caps, period.month),
        });
      }
    }
    closeStep(tally, at, isEdge ? 'PERIOD' : 'DUE');
  }

  return {
    organisation: { ...organisation, settledAt: now, period, activeInBillingPeriod },
    pools: tally.pools,
    holders,
    history: tally.history,
    steps: tally.steps,
    periods,
    closed,
    everyRowChanged: periods.length > 0,
  };
}

function closePeriod(
  { timeZone }: Organisation,
  month: Month,
  activeInBillingPeriod: number,
  pools: ReadonlyMap<LicenceCode, Pool>,
): ClosedPeriod {
  const bought = [...pools.values()].filter(({ purchases }) => purchases > 0);
  return { month, timeZone, activeInBillingPeriod, pools: bought };
}

/** A purchase that was cancelled before it started was never in force (P4). */
function isEverInForce({ from, until }: Purchase): boolean {
  return until === null || until > from;
}

/** The items that have an instant, by its milliseconds. */
function group<Item>(items: readonly Item[], instantOf: (item: Item) => Instant | null): Map<number, Item[]> {
  const groups = new Map<number, Item[]>();
  for (const item of items) {
    const key = instantOf(item)?.getTime();
    if (key === undefined) continue;
    const same = groups.get(key);
    if (same === undefined) groups.set(key, [item]);
    else same.push(item);
  }
  return groups;
}

function dateAt(instants: readonly number[], index: number): Instant | null {
  const at = instants[index];
  return at === undefined ? null : new Date(at);
}
