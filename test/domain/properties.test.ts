import fc from 'fast-check';
import { expect, test } from 'vitest';
import { plusSeconds } from '../../src/kernel/clock.ts';
import { changeTotals } from '../../src/purchase/domain.ts';
import { type Books, endSessions, holdsOf, isLive, type Request } from '../../src/session/domain.ts';
import {
  baseUsage,
  closeStep,
  concurrentUsage,
  contingencyUsage,
  openTally,
  type Pool,
} from '../../src/usage/domain.ts';
import { at, books, code, decide, holder, logon, pool, pools } from './given.ts';

const names = ['SUPERVISOR', 'INBOUND_AGENT', 'AGENT_CALLS', 'AGENT_EMAIL'] as const;
const start = at('2026-01-01');

/** A step of a day: who does what; or seats are bought and sold; or time passes. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('LOGON' as const),
      user: fc.nat(5),
      name: fc.constantFrom('SUPERVISOR', 'INBOUND_AGENT'),
      device: fc.constantFrom('a', 'b'),
      features: fc.option(fc.subarray(['AGENT_CALLS', 'AGENT_EMAIL'])),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('RENEW' as const, 'ACQUIRE' as const, 'RELEASE' as const, 'LOGOFF' as const),
      user: fc.nat(5),
      session: fc.nat(2),
      features: fc.subarray(['AGENT_CALLS', 'AGENT_EMAIL']),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('BUY' as const),
      name: fc.constantFrom(...names),
      concurrent: fc.integer({ min: -2, max: 2 }),
      contingency: fc.integer({ min: -1, max: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('SUSPEND' as const), user: fc.nat(5) }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

const users = Array.from({ length: 6 }, () =>
  holder(['SUPERVISOR', 'INBOUND_AGENT', 'AGENT_CALLS', 'AGENT_EMAIL']),
);
const user = (index: number) => users[index] ?? users[0] ?? holder([]);

function given(seats: readonly number[]): Books {
  return books(
    pools(
      ...names.map((name, index) =>
        pool(name, { concurrentTotal: seats[index] ?? 0, contingencyTotal: seats[index + 4] ?? 0 }),
      ),
    ),
    ...users,
  );
}

function requestOf(now: Books, one: Step): Request | null {
  if (one.kind === 'LOGON')
    return logon(user(one.user), one.name, { device: one.device, features: one.features });
  if (one.kind === 'BUY' || one.kind === 'SUSPEND') return null;
  const { userId } = user(one.user);
  const session = now.holders.get(userId)?.sessions[one.session];
  return session === undefined
    ? null
    : { kind: one.kind, userId, sessionId: session.id, features: one.features.map(code) };
}

function next(before: Books, one: Step, instant: Date): Books {
  const request = requestOf(before, one);
  if (request !== null) return decide(before, instant, request);
  if (one.kind === 'SUSPEND') {
    const { userId } = user(one.user);
    return endSessions(before, (session) => session.userId === userId, 'USER_SUSPENDED', instant);
  }
  if (one.kind !== 'BUY') return before;
  const tally = openTally(before.pools);
  const present = before.pools.get(code(one.name)) ?? pool(one.name);
  const clamp = (change: number, total: number) => Math.max(-total, change);
  changeTotals(
    tally,
    code(one.name),
    {
      base: 0,
      concurrent: clamp(one.concurrent, present.concurrentTotal),
      contingency: clamp(one.contingency, present.contingencyTotal),
    },
    1,
  );
  closeStep(tally, instant);
  return { ...before, pools: tally.pools };
}

/** Users that hold a seat of the licence, counted from their live sessions. */
function counted(state: Books, name: string): number {
  return [...state.holders.values()].filter((one) => holdsOf(one).has(code(name))).length;
}

function poolOf(state: Books, name: string): Pool {
  return state.pools.get(code(name)) ?? pool(name);
}

const seats = fc.array(fc.nat(3), { minLength: 8, maxLength: 8 });
const day = fc.array(step, { maxLength: 60 });

test('L2, P2, C1: no order or mix of requests sells a seat twice, and the counters are what the sessions say', () => {
  fc.assert(
    fc.property(seats, day, (totals, steps) => {
      let state = given(totals);
      for (const [index, one] of steps.entries()) {
        const before = state;
        state = next(state, one, plusSeconds(start, index));
        for (const name of names) {
          const now = poolOf(state, name);
          const was = poolOf(before, name);
          expect(now.inUse).toBe(counted(state, name));
          // A new hold needs a free seat; use above the totals is left only by a smaller purchase.
          if (now.inUse > was.inUse)
            expect(now.inUse).toBeLessThanOrEqual(now.concurrentTotal + now.contingencyTotal);
          const { used, available, overAllocated } = concurrentUsage(now);
          const contingency = contingencyUsage(now);
          expect(used + contingency.used + overAllocated).toBe(now.inUse);
          expect(
            Math.min(available, contingency.available, overAllocated, contingency.paidHeadroom),
          ).toBeGreaterThanOrEqual(0);
          expect(used).toBeLessThanOrEqual(now.concurrentTotal);
          expect(contingency.used).toBeLessThanOrEqual(now.contingencyTotal);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('C2: the peak is the highest use of all states between requests, and its instant the first that reached it', () => {
  fc.assert(
    fc.property(seats, day, (totals, steps) => {
      let state = given(totals);
      const peaks = new Map(names.map((name) => [name, { used: 0, at: null as Date | null }]));
      for (const [index, one] of steps.entries()) {
        const instant = plusSeconds(start, index);
        state = next(state, one, instant);
        for (const name of names) {
          const peak = peaks.get(name);
          const { used } = contingencyUsage(poolOf(state, name));
          if (peak !== undefined && used > peak.used) peaks.set(name, { used, at: instant });
        }
      }
      for (const name of names) {
        expect({ used: poolOf(state, name).maxUsed, at: poolOf(state, name).maxUsedAt }).toEqual(
          peaks.get(name),
        );
      }
    }),
    { numRuns: 300 },
  );
});

test('W1, W2: no admission raises a peak past its cap, a paid seat is refused to nobody, and what raises a peak says so', () => {
  fc.assert(
    fc.property(
      seats,
      day,
      fc.array(fc.option(fc.nat(3)), { minLength: 4, maxLength: 4 }),
      (totals, steps, caps) => {
        const uncapped = given(totals);
        let state: Books = {
          ...uncapped,
          pools: pools(
            ...names.map((name, index) => ({
              ...poolOf(uncapped, name),
              contingencyCap: caps[index] ?? null,
            })),
          ),
        };
        for (const [index, one] of steps.entries()) {
          const before = state;
          const instant = plusSeconds(start, index);
          const request = requestOf(before, one);
          if (request === null) {
            state = next(state, one, instant);
            continue;
          }
          const decided = decide(before, instant, request);
          state = decided;
          const rose = names.filter((name) => poolOf(decided, name).maxUsed > poolOf(before, name).maxUsed);
          expect(decided.raisesPeak).toEqual([rose.length > 0]);
          for (const name of rose) {
            const { contingencyCap, maxUsed } = poolOf(decided, name);
            if (contingencyCap !== null) expect(maxUsed).toBeLessThanOrEqual(contingencyCap);
          }
          for (const { licence, code: why } of decided.denials) {
            const { inUse, concurrentTotal, contingencyTotal, contingencyCap, maxUsed } = poolOf(
              before,
              licence,
            );
            const open = concurrentTotal + contingencyTotal - inUse;
            if (why === 'CONTINGENCY_CAPPED') {
              expect(open).toBeGreaterThan(0);
              expect(inUse - concurrentTotal).toBeGreaterThanOrEqual(
                Math.max(contingencyCap ?? Infinity, maxUsed),
              );
            }
            if (why === 'NO_SEAT_AVAILABLE') expect(open).toBeLessThanOrEqual(0);
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('T3: a batch is decided as its requests would be one by one', () => {
  fc.assert(
    fc.property(seats, day, (totals, steps) => {
      const empty = given(totals);
      const requests = steps
        .filter((one) => one.kind === 'LOGON')
        .map((one) => requestOf(empty, one))
        .filter((one) => one !== null);
      const together = decide(empty, start, ...requests);
      let apart: Books = empty;
      for (const request of requests) apart = decide(apart, start, request);
      expect(together.pools).toEqual(apart.pools);
      expect(together.holders).toEqual(apart.holders);
    }),
    { numRuns: 200 },
  );
});

test('L2: the history replays to the counters', () => {
  fc.assert(
    fc.property(seats, day, (totals, steps) => {
      const empty = given(totals);
      const requests = steps.map((one) => requestOf(empty, one)).filter((one) => one !== null);
      const done = decide(empty, start, ...requests);
      for (const name of names) {
        const events = done.history.filter(({ licence, seatChanged }) => licence === name && seatChanged);
        const replayed = events.reduce((sum, { kind }) => sum + (kind === 'ACQUIRED' ? 1 : -1), 0);
        expect(replayed).toBe(poolOf(done, name).inUse);
      }
      const live = [...done.holders.values()].flatMap((one) => one.sessions.filter(isLive));
      expect(new Set(live.map(({ userId, device }) => `${userId}/${device}`)).size).toBe(live.length);
    }),
    { numRuns: 200 },
  );
});

test('B5, P2: available − overAllocated = total − used + reusable, whatever the states', () => {
  fc.assert(
    fc.property(fc.nat(50), fc.nat(50), fc.nat(50), fc.nat(50), (baseTotal, assigned, reusable, locked) => {
      const usage = baseUsage(pool('UC_USER', { baseTotal, assigned, reusable, locked }));
      expect(usage.available - usage.overAllocated).toBe(usage.total - usage.used + usage.reusable);
      expect(Math.min(usage.available, usage.overAllocated)).toBe(0);
      expect(usage.used).toBe(assigned + reusable + locked);
    }),
  );
});
