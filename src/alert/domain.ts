import type { Instant } from '../kernel/clock.ts';
import { type AlertId, type LicenceCode, newId, type UserId } from '../kernel/ids.ts';
import { type InvalidInput, invalidInput } from '../kernel/refusal.ts';
import {
  concurrentUsage,
  contingencyLimit,
  contingencyUsed,
  type PoolStep,
  raisesPeak,
} from '../usage/domain.ts';

export type AlertKind =
  | 'CONCURRENT_NEARLY_FULL'
  | 'CONTINGENCY_FIRST_SEAT'
  | 'CONTINGENCY_NEW_PEAK'
  | 'CONTINGENCY_NEARLY_FULL'
  | 'BASE_NEARLY_GONE';

/** When an organisation wants to be told of a licence (W3). Percentages are whole, 10 … 100; 0: never. */
export interface Thresholds {
  readonly concurrentPercent: number;
  readonly contingencyPercent: number;
  readonly basePercent: number;
  readonly firstContingencySeat: boolean;
  readonly newPeak: boolean;
}

export const usualThresholds: Thresholds = {
  concurrentPercent: 90,
  contingencyPercent: 90,
  basePercent: 95,
  firstContingencySeat: true,
  newPeak: true,
};

/** An alert clears once use is below its percentage less so many points: use that wavers about it is told of once. */
export const hysteresisPoints = 5;
const minPercent = 10;

/** What was crossed, at which figures, and when. */
export interface Alert {
  readonly id: AlertId;
  readonly licence: LicenceCode;
  readonly kind: AlertKind;
  /** By the organisation's clock. */
  readonly at: Instant;
  /** Seats in use, or base licences taken; of the two of the month's peak, that peak. */
  readonly used: number;
  /** Of how many. */
  readonly total: number;
  /** The peak before; null where there was none, and of the other kinds. */
  readonly previous: number | null;
  /** The threshold; null of the kinds that have none. */
  readonly percent: number | null;
  readonly acknowledgedAt: Instant | null;
  readonly acknowledgedBy: UserId | null;
}

/** What one step says: alerts that it raises, and those that stand after it. */
export interface Watched {
  readonly alerts: readonly Alert[];
  readonly raised: readonly AlertKind[];
}

/**
 * W3: what a pool's steps raise, one after the other. An alert about a percentage is raised once, and again only after it
 * cleared. The month's peak only ever rises, so each of its seats is told of once by itself.
 * @param raised the alerts that stand before the first step; the same list is answered where none other does
 */
export function watch(steps: readonly PoolStep[], raised: readonly AlertKind[]): Watched {
  const alerts: Alert[] = [];
  let standing = raised;
  for (const step of steps) {
    const { after, at } = step;
    const thresholds = after.thresholds ?? usualThresholds;
    const tell = (kind: AlertKind, figures: Pick<Alert, 'used' | 'total' | 'previous' | 'percent'>) =>
      alerts.push({
        ...{ id: newId(), licence: after.licence, kind, at, ...figures },
        ...{ acknowledgedAt: null, acknowledgedBy: null },
      });

    if (raisesPeak(step)) {
      const previous = step.opensPeriod || step.before.maxUsed === 0 ? null : step.before.maxUsed;
      const [kind, isWanted] =
        previous === null
          ? (['CONTINGENCY_FIRST_SEAT', thresholds.firstContingencySeat] as const)
          : (['CONTINGENCY_NEW_PEAK', thresholds.newPeak] as const);
      if (isWanted)
        tell(kind, { used: after.maxUsed, total: after.contingencyTotal, previous, percent: null });
    }
    for (const { kind, used, total, percent } of levelsOf(step, thresholds)) {
      const stands = standing.includes(kind);
      if (!stands && isReached(used, total, percent)) {
        tell(kind, { used, total, previous: null, percent });
        standing = [...standing, kind];
      } else if (stands && !isReached(used, total, percent - hysteresisPoints)) {
        standing = standing.filter((other) => other !== kind);
      }
    }
  }
  return { alerts, raised: standing };
}

/** Each figure that a percentage is asked of. */
function levelsOf({ after }: PoolStep, thresholds: Thresholds) {
  return [
    {
      kind: 'CONCURRENT_NEARLY_FULL',
      used: concurrentUsage(after).used,
      total: after.concurrentTotal,
      percent: thresholds.concurrentPercent,
    },
    {
      kind: 'CONTINGENCY_NEARLY_FULL',
      used: contingencyUsed(after),
      total: contingencyLimit(after),
      percent: thresholds.contingencyPercent,
    },
    {
      kind: 'BASE_NEARLY_GONE',
      used: after.assigned + after.locked,
      total: after.baseTotal,
      percent: thresholds.basePercent,
    },
  ] as const;
}

/** Of nothing, nothing is reached; nor is it where nobody wants to be told. */
function isReached(used: number, total: number, percent: number): boolean {
  return percent > 0 && total > 0 && used * 100 >= percent * total;
}

/** What a customer says of the thresholds; null: unchanged. */
export type ThresholdChange = { readonly [Name in keyof Thresholds]: Thresholds[Name] | null };

export function decideThresholds(
  former: Thresholds,
  { concurrentPercent, contingencyPercent, basePercent, firstContingencySeat, newPeak }: ThresholdChange,
): Thresholds | InvalidInput {
  for (const [field, percent] of Object.entries({ concurrentPercent, contingencyPercent, basePercent })) {
    if (percent !== null && percent !== 0 && (percent < minPercent || percent > 100))
      return invalidInput(field, `A threshold is ${minPercent} to 100 percent, or 0 for none.`);
  }
  return {
    concurrentPercent: concurrentPercent ?? former.concurrentPercent,
    contingencyPercent: contingencyPercent ?? former.contingencyPercent,
    basePercent: basePercent ?? former.basePercent,
    firstContingencySeat: firstContingencySeat ?? former.firstContingencySeat,
    newPeak: newPeak ?? former.newPeak,
  };
}

/** What happened, and what to do about it, for people. @param name the licence's */
export function describeAlert({ kind, used, total, previous, percent }: Alert, name: string): string {
  switch (kind) {
    case 'CONCURRENT_NEARLY_FULL':
      return `${used} of ${total} concurrent seats of ${name} are in use (${percent} % or more); have those log off who need none, or buy more, before contingency seats are billed or logons refused.`;
    case 'CONTINGENCY_FIRST_SEAT':
      return `${name} uses contingency seats, for the first time this month: a full month’s fee is due for ${used} of ${total}; buy concurrent seats if it is so every month, or keep the bill where it is with setContingencyCap.`;
    case 'CONTINGENCY_NEW_PEAK':
      return `The month’s peak of contingency seats of ${name} rose from ${previous} to ${used} of ${total}, and a full month’s fee is due for each; keep it there with setContingencyCap, or buy concurrent seats.`;
    case 'CONTINGENCY_NEARLY_FULL':
      return `${used} of the ${total} contingency seats of ${name} that may be used are in use (${percent} % or more); buy more, or raise the cap, before logons are refused.`;
    case 'BASE_NEARLY_GONE':
      return `${used} of ${total} base licences or fixed seats of ${name} are taken (${percent} % or more); buy more, or delete users who have left, before an assignment is refused.`;
  }
}
