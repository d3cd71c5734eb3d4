import { type Instant, instant, isSameInstant } from '../kernel/clock.ts';
import {
  decodeId,
  encodeOwnedId,
  type LicenceCode,
  type OrganisationId,
  type SessionId,
  type UserId,
} from '../kernel/ids.ts';
import type { Period } from '../kernel/interval.ts';
import { type InvalidInput, invalidInput } from '../kernel/refusal.ts';
import { contingencyUsed, type HistoryEvent, type SeatFigures } from '../usage/domain.ts';

/** One line of a licence's history, as far as it tells of contingency use: the figures are those after its step. */
export interface SeatChange extends SeatFigures {
  /** Grows in the order in which the changes happened, also within one instant. */
  readonly id: number;
  readonly at: Instant;
  readonly kind: HistoryEvent['kind'];
  /** Time took the step, and not a request (T3). */
  readonly due: boolean;
}

/** Before a licence's first change nothing is in use. */
export const noSeats: SeatFigures = { inUse: 0, concurrentTotal: 0, contingencyTotal: 0 };

/**
 * What brought use to the peak first: a session that acquired a seat, a change of totals (a purchase that ended or
 * began), or the edge itself, at which the use of the month before was carried over (C2).
 */
export type PeakCause = 'ACQUIRED' | 'TOTALS_CHANGED' | 'CARRIED_OVER';

/** An unbroken stretch of time at the peak; it may be of 0 ms. */
export interface Episode {
  readonly from: Instant;
  /** null: it lasted to where the explanation ends. */
  readonly until: Instant | null;
}

/** For how long at least so many contingency seats were in use, all stretches of the period together. */
export interface Level {
  readonly level: number;
  readonly milliseconds: number;
}

/** Why a licence's peak of a billing period is what it is. */
export interface PeakExplanation {
  /** As the kept counter has it (C2). */
  readonly maxUsed: number;
  /** null while `maxUsed` is 0. */
  readonly maxUsedAt: Instant | null;
  /** null while `maxUsed` is 0. */
  readonly cause: PeakCause | null;
  /** The change that raised it; null where it was carried over. */
  readonly causeId: number | null;
  /** The episodes at the peak: the first `maxInstants` of them. None while `maxUsed` is 0. */
  readonly instants: readonly Episode[];
  /** How many episodes there were. */
  readonly instantCount: number;
  /**
   * Ascending, and only those levels that were reached and not passed over: for each level in between it is what it is
   * for the next higher one. The last is `maxUsed`, perhaps with 0 ms.
   */
  readonly levels: readonly Level[];
}

/** So many episodes are told one by one. */
export const maxInstants = 100;

/** How a period begins: with what contingency use, and how that came. */
export interface Opening {
  readonly used: number;
  readonly cause: PeakCause;
  /** The change that came with the edge and is part of the opening; null: the state of before was carried over. */
  readonly edgeId: number | null;
}

/**
 * C2, T3: a period begins with what is in use once all that falls due at its first instant has taken effect. That is one
 * step, before any request: if it changed the licence, its rows are the first of the period.
 * @param before the figures after the last change before the period
 * @param first the first change at or after its first instant; null: none
 */
export function openPeriod(before: SeatFigures, first: SeatChange | null, from: Instant): Opening {
  const carried = contingencyUsed(before);
  if (first === null || !first.due || !isSameInstant(first.at, from)) {
    return { used: carried, cause: 'CARRIED_OVER', edgeId: null };
  }
  const used = contingencyUsed(first);
  // What ended with the edge can only have freed seats, so more in use than before is the doing of purchases.
  return { used, cause: used > carried ? 'TOTALS_CHANGED' : 'CARRIED_OVER', edgeId: first.id };
}

/**
 * Explains a period's peak (C2). Every state counts for the peak, also one of 0 ms between two requests at one instant;
 * for the levels it counts with its 0 ms. This is the specification of what `readPeak` of store.ts has PostgreSQL reckon.
 * @param before the figures after the last change before the period
 * @param changes all of the period, in their order
 * @param period until the period's end, or in the running period until now: a change at that instant is part of it then
 */
export function explainPeak(
  before: SeatFigures,
  changes: readonly SeatChange[],
  { from, until }: Period,
): PeakExplanation {
  const opening = openPeriod(before, changes[0] ?? null, from);
  const states = [
    {
      used: opening.used,
      at: from,
      id: opening.cause === 'CARRIED_OVER' ? null : opening.edgeId,
      cause: opening.cause,
    },
    ...changes
      .filter(({ id }) => id !== opening.edgeId)
      .map((change) => ({
        used: contingencyUsed(change),
        at: change.at,
        id: change.id,
        cause: causeOf(change),
      })),
  ];
  const maxUsed = states.reduce((most, { used }) => Math.max(most, used), 0);

  const lasted = new Map<number, number>();
  const episodes: { from: Instant; until: Instant | null }[] = [];
  let running: { from: Instant; until: Instant | null } | null = null;
  for (const [index, { used, at }] of states.entries()) {
    const end = states[index + 1]?.at ?? until;
    lasted.set(used, (lasted.get(used) ?? 0) + end.getTime() - at.getTime());
    if (used === maxUsed && running === null) {
      running = { from: at, until: null };
      episodes.push(running);
    } else if (used < maxUsed && running !== null) {
      running.until = at;
      running = null;
    }
  }
  const first = states.find(({ used }) => used === maxUsed);
  return {
    ...peakAt(maxUsed, first ?? null),
    instants: maxUsed === 0 ? [] : episodes.slice(0, maxInstants),
    instantCount: maxUsed === 0 ? 0 : episodes.length,
    levels: levelsOf(lasted),
  };
}

/** The change's own part in a rise of use: what a step releases besides cannot raise it. */
export function causeOf({ kind }: Pick<SeatChange, 'kind'>): PeakCause {
  return kind === 'ACQUIRED' ? 'ACQUIRED' : 'TOTALS_CHANGED';
}

function peakAt(
  maxUsed: number,
  first: { readonly at: Instant; readonly id: number | null; readonly cause: PeakCause } | null,
) {
  return maxUsed === 0 || first === null
    ? { maxUsed, maxUsedAt: null, cause: null, causeId: null }
    : { maxUsed, maxUsedAt: first.at, cause: first.cause, causeId: first.id };
}

/** @param lasted for how many milliseconds exactly so many seats were in use */
export function levelsOf(lasted: ReadonlyMap<number, number>): Level[] {
  let milliseconds = 0;
  return [...lasted]
    .filter(([level]) => level > 0)
    .sort(([one], [other]) => other - one)
    .map(([level, exactly]) => ({ level, milliseconds: (milliseconds += exactly) }))
    .toReversed();
}

/** For how many milliseconds at least so many contingency seats were in use. @param level 1 or more */
export function timeAtLevel(levels: readonly Level[], level: number): number {
  return levels.find((each) => each.level >= level)?.milliseconds ?? 0;
}

/**
 * What is billed of a peak: the highest level whose time, all stretches of the period together, reached the contract's
 * minimum. With 0, the default, that is `maxUsed` itself, also where it lasted 0 ms (C2, C4). It is never above `maxUsed`,
 * and 0 where no level lasted so long.
 * @param levels of `explainPeak`
 */
export function billedPeak(levels: readonly Level[], minimumPeakMinutes: number): number {
  const reached = levels.findLast(({ milliseconds }) => milliseconds >= minimumPeakMinutes * 60_000);
  return reached?.level ?? 0;
}

/** What an organisation's contract says beside its purchases. */
export interface ContractOptions {
  /** Levels of contingency use that lasted less than so many minutes of a month, all together, are not billed; 0 … 10,000. */
  readonly minimumPeakMinutes: number;
}

export const defaultContractOptions: ContractOptions = { minimumPeakMinutes: 0 };

const maxMinimumPeakMinutes = 10_000;

export function decideContractOptions({ minimumPeakMinutes }: ContractOptions): InvalidInput | null {
  return minimumPeakMinutes >= 0 && minimumPeakMinutes <= maxMinimumPeakMinutes
    ? null
    : invalidInput('minimumPeakMinutes', `A peak’s minimum is 0 to ${maxMinimumPeakMinutes} minutes.`);
}

/** A moment between two changes: after all that happened before `at`, and at `at` before the change `beforeId`. */
export interface Moment {
  readonly at: Instant;
  /** null: after all that happened at `at`. */
  readonly beforeId: number | null;
}

/** Who acquired the seat, where that raised the peak. */
export interface PeakSeat {
  readonly userId: UserId;
  readonly sessionId: SessionId;
}

/** The peak of one licence's period as it was read from the history, with what leads to persons. */
export interface Peak extends PeakExplanation {
  readonly licence: LicenceCode;
  /** What was explained: until the period's end, or until now in the running one. */
  readonly explained: Period;
  /** Of the first moment at the peak; null while `maxUsed` is 0. */
  readonly moment: Moment | null;
  /** Users that held a seat then, concurrent ones included; 0 while `maxUsed` is 0. */
  readonly inUse: number;
  readonly seat: PeakSeat | null;
}

/** A peak as plain JSON, to be kept as the evidence of a bill when the history itself is gone. */
export type PeakEvidence = ReturnType<typeof evidenceOf>;

/** What an explanation comes to, without what leads to single rows of the history. */
export type ToldPeak = Pick<
  Peak,
  'maxUsed' | 'maxUsedAt' | 'cause' | 'inUse' | 'seat' | 'instants' | 'instantCount' | 'levels'
>;

/** Of a period in which no contingency seat was used. */
export const noPeak: ToldPeak = {
  ...{ maxUsed: 0, maxUsedAt: null, cause: null, inUse: 0, seat: null },
  ...{ instants: [], instantCount: 0, levels: [] },
};

/** Instants are RFC 3339, in UTC; persons are named by their ids alone, so that erasing one leaves it whole. */
export function evidenceOf(organisationId: OrganisationId, peak: Peak) {
  const { licence, explained, maxUsed, maxUsedAt, cause, seat, inUse, instants, instantCount, levels } = peak;
  return {
    licence,
    from: explained.from.toISOString(),
    until: explained.until.toISOString(),
    maxUsed,
    maxUsedAt: maxUsedAt?.toISOString() ?? null,
    inUse,
    cause,
    userId: seat === null ? null : encodeOwnedId('User', organisationId, seat.userId),
    sessionId: seat === null ? null : encodeOwnedId('Session', organisationId, seat.sessionId),
    episodes: instants.map(({ from, until }) => ({
      from: from.toISOString(),
      until: until?.toISOString() ?? null,
    })),
    episodeCount: instantCount,
    levels: levels.map(({ level, milliseconds }) => ({ level, milliseconds })),
  };
}

/** What was kept of a peak as evidence, as it was told. */
export function readEvidence(evidence: PeakEvidence): ToldPeak {
  const { maxUsed, maxUsedAt, cause, inUse, userId, sessionId, episodes, episodeCount, levels } = evidence;
  const [user, session] = [userId, sessionId].map((id) => (id === null ? null : decodeId(id)));
  return {
    ...{ maxUsed, cause, inUse, levels },
    maxUsedAt: maxUsedAt === null ? null : instant(maxUsedAt),
    seat:
      user?.type === 'User' && session?.type === 'Session'
        ? { userId: user.id as UserId, sessionId: session.id as SessionId }
        : null,
    instants: episodes.map(({ from, until }) => ({
      from: instant(from),
      until: until === null ? null : instant(until),
    })),
    instantCount: episodeCount,
  };
}
