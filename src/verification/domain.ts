import { type AlertKind, watch } from '../alert/domain.ts';
import { type Instant, isSameInstant } from '../kernel/clock.ts';
import type { LicenceCode } from '../kernel/ids.ts';
import { emptyPool, type Pool } from '../usage/domain.ts';

/** One kept figure that is not what the rows behind it say. */
export interface Finding {
  readonly check: Check;
  /** null: the organisation's own. */
  readonly licence: LicenceCode | null;
  readonly recorded: Figure;
  readonly recomputed: Figure;
}

export type Figure = number | Instant | null;

/** What is compared, and in a person's words. */
export const checks = {
  inUse: 'seats in use, by the live sessions (L2)',
  historyInUse: 'seats in use, by the live sessions and by the history (C1)',
  concurrentTotal: 'concurrent seats, by the purchases in force (P1)',
  contingencyTotal: 'contingency seats, by the purchases in force (P1)',
  baseTotal: 'base licences, by the purchases in force (P1)',
  stepsInUse:
    'steps of the history that tell other seats in use than its acquisitions and releases come to (C1)',
  stepsTotals: 'steps of the history that tell other totals than the purchases in force then (P1)',
  stepsMaxUsed: 'steps of the history that tell another peak than what was in use up to them (C2)',
  rollUps: 'spans of the usage history that tell other than the history’s rows, or the denials',
  maxUsed: 'contingency seats to be billed, by the history (C2)',
  maxUsedAt: 'when that was first reached, by the history (C2)',
  assigned: 'base licences assigned, by the base licences (B5)',
  reusable: 'base licences reusable, by the base licences (B2)',
  locked: 'base licences locked, by the base licences (B2)',
  consumed: 'base licences assigned, by the assignments (B6)',
  holders: 'users with the licence, by the assignments (C6)',
  purchases: 'purchases ever recorded (C6)',
  missingHolds: 'holds that the live sessions imply and that are missing (L9)',
  strayHolds: 'holds that no live session uses (L9)',
  wrongAllotments: 'allotments that count other seats than their departments’ members hold (D3)',
  wrongCaps: 'contingency caps that hold and were not set for the running month (W1)',
  strayAlerts: 'alerts that stand below the level at which they clear (W3)',
  activeUsers: 'active users, by their status (U2)',
  activeInBillingPeriod: 'users active in the billing period, by their status’ history (U2)',
  nextDueAt: 'when something next falls due, at the latest (T3)',
  strayRows: 'rows that name a user, licence or session that does not exist',
} as const;

export type Check = keyof typeof checks;

/** A licence's figures as they are kept, and as the rows behind them say. */
export interface LicenceFigures {
  readonly licence: LicenceCode;
  readonly recorded: Readonly<Record<LicenceCheck, Figure>>;
  readonly recomputed: Readonly<Record<LicenceCheck, Figure>>;
  /**
   * What was in use as the period began (C2). Where something happened at that very instant, the history does not tell
   * whether it came with the edge or after it: both peaks are right then.
   */
  readonly peakWithStart: { readonly maxUsed: number; readonly maxUsedAt: Instant | null };
  /** What has been said of the pool, and by which settings, the cap as it was set; null: nothing. */
  readonly watched: Pick<Pool, 'contingencyCap' | 'thresholds' | 'raised'> | null;
}

export type LicenceCheck = Exclude<
  Check,
  | 'activeUsers'
  | 'activeInBillingPeriod'
  | 'nextDueAt'
  | 'strayRows'
  | 'missingHolds'
  | 'strayHolds'
  | 'wrongAllotments'
  | 'wrongCaps'
  | 'strayAlerts'
  | 'rollUps'
>;

/** Those of `OrganisationFigures`; stray rows are counted apart. */
export type OrganisationCheck = Exclude<Check, LicenceCheck | 'strayAlerts' | 'strayRows' | 'rollUps'>;

/** An organisation's own figures. */
export interface OrganisationFigures {
  readonly recorded: Readonly<Record<OrganisationCheck, Figure>>;
  readonly recomputed: Readonly<Record<OrganisationCheck, Figure>>;
}

/**
 * What is kept and is not so.
 * @param organisation null: only the licences' figures are compared
 * @param strayRows how many rows name what does not exist
 */
export function compare(
  organisation: OrganisationFigures | null,
  strayRows: number,
  licences: readonly LicenceFigures[],
): readonly Finding[] {
  const own =
    organisation === null
      ? []
      : differences<OrganisationCheck | 'strayRows'>(
          null,
          { ...organisation.recorded, strayRows: 0 },
          { ...organisation.recomputed, strayRows },
        );
  return [
    ...own.filter(
      // Any earlier instant is as good: it is a lower bound.
      ({ check, recorded, recomputed }) =>
        check !== 'nextDueAt' || recomputed === null || recorded === null || recorded > recomputed,
    ),
    ...licences.flatMap((figures) => {
      const { licence, recorded, recomputed, peakWithStart } = figures;
      const isStartPeak =
        recorded.maxUsed === peakWithStart.maxUsed && isSame(recorded.maxUsedAt, peakWithStart.maxUsedAt);
      const strayAlerts = (figures.watched?.raised.length ?? 0) - standingAlerts(figures).length;
      return [
        ...differences(licence, recorded, recomputed).filter(
          ({ check }) => !(isStartPeak && (check === 'maxUsed' || check === 'maxUsedAt')),
        ),
        ...differences<'strayAlerts'>(licence, { strayAlerts: 0 }, { strayAlerts }),
      ];
    }),
  ];
}

/**
 * Those of a pool's alerts that stand by right (W3). One that is missing is no drift: the next step of the pool raises it,
 * and tells of it, as of a threshold that a repair finds reached.
 */
export function standingAlerts({ licence, recomputed, watched }: LicenceFigures): readonly AlertKind[] {
  if (watched === null) return [];
  const pool = { ...emptyPool(licence), ...recomputed, ...watched } as Pool;
  const still = watch([{ at: new Date(0), before: pool, after: pool, opensPeriod: false }], watched.raised);
  return watched.raised.filter((kind) => still.raised.includes(kind));
}

function differences<Name extends Check>(
  licence: LicenceCode | null,
  recorded: Readonly<Record<Name, Figure>>,
  recomputed: Readonly<Record<Name, Figure>>,
): Finding[] {
  return (Object.keys(recorded) as Name[])
    .filter((check) => !isSame(recorded[check], recomputed[check]))
    .map((check) => ({ check, licence, recorded: recorded[check], recomputed: recomputed[check] }));
}

function isSame(one: Figure, other: Figure): boolean {
  return one instanceof Date && other instanceof Date ? isSameInstant(one, other) : one === other;
}

/** A base licence without its assignment, or a row without its user, has no one right answer: a person must look. */
const unmendable: readonly Check[] = ['historyInUse', 'consumed', 'strayRows', 'rollUps'];

/** The history is never rewritten: what it tells wrongly is noted beside it, once. */
const ofHistory: readonly Check[] = ['stepsInUse', 'stepsTotals', 'stepsMaxUsed'];

export function isMendable({ check }: Finding): boolean {
  return !unmendable.includes(check);
}

export function isOfHistory({ check }: Finding): boolean {
  return ofHistory.includes(check);
}

/** What a repair does about a finding, in a person's words. */
export function describeRepair(finding: Finding): string {
  if (!isMendable(finding)) return 'a person must look at this';
  return isOfHistory(finding) ? 'noted in the table "repair"; the history stays as it is' : 'set right';
}

/** A finding in one line. */
export function describe({ check, licence, recorded, recomputed }: Finding): string {
  return `${licence === null ? '' : `${licence}: `}${checks[check]}: recorded ${show(recorded)}, is ${show(recomputed)}`;
}

function show(figure: Figure): string {
  return figure instanceof Date ? figure.toISOString() : String(figure ?? 'none');
}
