import fc from 'fast-check';
import { type Instant, plusSeconds } from '../../src/kernel/clock.ts';
import { newId, type UserId } from '../../src/kernel/ids.ts';
import type { Period } from '../../src/kernel/interval.ts';
import { settle } from '../../src/ledger/domain.ts';
import type { Organisation } from '../../src/organisation/domain.ts';
import { changeTotals, isInForce, type Purchase } from '../../src/purchase/domain.ts';
import { type Books, isLive } from '../../src/session/domain.ts';
import { closeStep, type HistoryEntry, openTally } from '../../src/usage/domain.ts';
import { books, code, decide, holder, logon, organisation, pool, pools } from './given.ts';

/** A life of an organisation with one licence, decided by the product's own rules, months and leases included. */
export interface Life {
  /** In the order in which it was recorded, with the numbers that the database would give. */
  readonly history: readonly (HistoryEntry & { readonly id: number })[];
  /** Each period that began, with the peak that was kept of it last; the running one is explained until `now`. */
  readonly periods: readonly (Period & Kept)[];
  readonly now: Instant;
  /** Who holds a seat now. */
  readonly holding: ReadonlySet<UserId>;
}

export interface Kept {
  readonly maxUsed: number;
  readonly maxUsedAt: Instant | null;
}

const seconds = fc.constantFrom(0, 0, 0.001, 30, 90);
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('LOGON' as const), user: fc.nat(2) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('LOGOFF' as const), user: fc.nat(2) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('BUY' as const),
      concurrent: fc.nat(2),
      contingency: fc.nat(3),
      // Purchases like to end with a month.
      from: fc.constantFrom('NOW' as const, 'EDGE' as const),
      until: fc.constantFrom('NEVER' as const, 'EDGE' as const, 'SOON' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('END' as const), purchase: fc.nat(5) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('ZONE' as const), zone: fc.constantFrom('Asia/Tokyo', 'UTC') }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('PASS' as const), seconds }) },
  // To just before the edge, to the edge, or to just after it; leases end before, there or after.
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('TO_EDGE' as const),
      seconds: fc.constantFrom(-90, -30, -30, -0.001, 0, 0, 0, 60),
    }),
  },
);
export const steps = fc.array(step, { minLength: 5, maxLength: 60 });
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

export const licence = code('SUPERVISOR');

export function live(plan: readonly Step[]): Life {
  const users = Array.from({ length: 3 }, () => holder(['SUPERVISOR']));
  const history: (HistoryEntry & { id: number })[] = [];
  const periods: (Period & Kept)[] = [];
  const purchases: Purchase[] = [];
  let state: Books = books(pools(pool('SUPERVISOR', { contingencyTotal: 2 })), ...users);
  let company: Organisation = organisation('2026-01-31T23:50:00.000Z');

  const record = (entries: readonly HistoryEntry[]) => {
    for (const entry of entries) history.push({ ...entry, id: history.length + 1 });
  };
  const kept = (): Period & Kept => {
    const { maxUsed = 0, maxUsedAt = null } = state.pools.get(licence) ?? {};
    return { from: company.period.from, until: company.period.until, maxUsed, maxUsedAt };
  };
  const passTo = (to: Instant) => {
    const sessions = [...state.holders.values()].flatMap((one) =>
      one.sessions.filter((session) => isLive(session) && session.expiresAt <= to),
    );
    const due = { sessions, holders: state.holders, purchases, baseLicences: [] };
    const settled = settle(company, state.pools, due, to);
    company = settled.organisation;
    state = { pools: settled.pools, holders: settled.holders };
    record(settled.history);
  };
  const pass = (to: Instant) => {
    while (company.period.until <= to) {
      const { until } = company.period;
      passTo(plusSeconds(until, -0.001));
      periods.push(kept());
      passTo(until);
    }
    if (to > company.settledAt) passTo(to);
  };
  const change = (purchase: Purchase, sign: 1 | -1) => {
    const tally = openTally(state.pools);
    changeTotals(tally, licence, purchase, sign);
    closeStep(tally, company.settledAt);
    state = { ...state, pools: tally.pools };
    record(tally.history);
  };

  for (const one of plan) {
    const now = company.settledAt;
    switch (one.kind) {
      case 'PASS':
        pass(plusSeconds(now, one.seconds));
        break;
      case 'TO_EDGE':
        pass(plusSeconds(company.period.until, one.seconds));
        break;
      case 'ZONE':
        company = { ...company, timeZone: one.zone };
        break;
      case 'BUY': {
        const from = one.from === 'NOW' ? now : company.period.until;
        const edge = from < company.period.until ? company.period.until : null;
        const until = { NEVER: null, EDGE: edge, SOON: plusSeconds(from, 60) }[one.until];
        const purchase: Purchase = {
          ...{ id: newId(), licence, base: 0, concurrent: one.concurrent, contingency: one.contingency },
          ...{ from, until, reference: null, recordedAt: now },
        };
        purchases.push(purchase);
        if (isInForce(purchase, now)) change(purchase, 1);
        break;
      }
      case 'END': {
        const purchase = purchases[one.purchase];
        if (purchase === undefined || !isInForce(purchase, now)) break;
        purchases[one.purchase] = { ...purchase, until: now };
        change(purchase, -1);
        break;
      }
      case 'LOGON':
      case 'LOGOFF': {
        const user = users[one.user] ?? holder([]);
        const session = state.holders.get(user.userId)?.sessions.find(isLive);
        if (one.kind === 'LOGOFF' && session === undefined) break;
        const done = decide(
          state,
          now,
          one.kind === 'LOGON' || session === undefined
            ? logon(user, 'SUPERVISOR', { features: [] })
            : { kind: 'LOGOFF', userId: user.userId, sessionId: session.id, features: [] },
        );
        state = { pools: done.pools, holders: done.holders };
        record(done.history);
      }
    }
  }
  periods.push(kept());
  const holding = [...state.holders.values()]
    .filter(({ sessions }) => sessions.some(isLive))
    .map(({ userId }) => userId);
  return { history, periods, now: company.settledAt, holding: new Set(holding) };
}

/** What `explainPeak` is given of a life's period. */
export function courseOf({ history, now }: Life, { from, until }: Period) {
  const before = history.findLast((entry) => entry.at < from);
  const changes = history.filter((entry) => entry.at >= from && entry.at < until);
  return { before, changes, explained: { from, until: now < until ? now : until } };
}
