import { expect, test } from 'vitest';
import { plusDays, plusSeconds } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { type Due, settle } from '../../src/ledger/domain.ts';
import {
  billingPeriodAt,
  decideClock,
  decideLease,
  nextBillingPeriod,
  nowOf,
} from '../../src/organisation/domain.ts';
import type { Purchase } from '../../src/purchase/domain.ts';
import type { Session } from '../../src/session/domain.ts';
import { at, books, code, decide, holder, logon, organisation, pool, pools } from './given.ts';

const nothingDue: Due = { sessions: [], holders: new Map(), purchases: [], baseLicences: [] };

function purchase(name: string, from: string, until: string | null, quantities: Partial<Purchase>): Purchase {
  return {
    id: newId(),
    licence: code(name),
    base: 0,
    concurrent: 0,
    contingency: 0,
    ...quantities,
    from: at(from),
    until: until === null ? null : at(until),
    reference: null,
    recordedAt: at('2020-01-01'),
  };
}

test.each([
  ['UTC', '2026-02-14', '2026-02-01T00:00:00.000Z', '2026-03-01T00:00:00.000Z'],
  ['Europe/London', '2026-10-31T23:30:00.000Z', '2026-09-30T23:00:00.000Z', '2026-11-01T00:00:00.000Z'],
  ['Pacific/Kiritimati', '2026-01-31T10:00:00.000Z', '2026-01-31T10:00:00.000Z', '2026-02-28T10:00:00.000Z'],
  // Midnight of the 1st happens twice: clocks went from 00:01 back to 23:01 of the 31st.
  ['America/St_Johns', '2009-11-01T02:30:00.000Z', '2009-11-01T02:30:00.000Z', '2009-12-01T03:30:00.000Z'],
  ['America/St_Johns', '2009-11-01T02:45:00.000Z', '2009-11-01T02:30:00.000Z', '2009-12-01T03:30:00.000Z'],
  ['America/St_Johns', '2009-11-01T02:29:59.999Z', '2009-10-01T02:30:00.000Z', '2009-11-01T02:30:00.000Z'],
  // Midnight of the 1st never happens: clocks went from 00:00 to 01:00.
  ['America/Asuncion', '2017-10-01T04:00:00.000Z', '2017-10-01T04:00:00.000Z', '2017-11-01T03:00:00.000Z'],
  ['America/Asuncion', '2017-10-01T03:59:59.999Z', '2017-09-01T04:00:00.000Z', '2017-10-01T04:00:00.000Z'],
])('T1: in %s, %s is in the month from %s until %s', (zone, instant, from, until) => {
  const period = billingPeriodAt(at(instant), zone);
  expect([period.from.toISOString(), period.until.toISOString()]).toEqual([from, until]);
});

test.each([
  ['Pacific/Kiritimati', 'Pacific/Pago_Pago', '2026-01-31T10:00:00.000Z', '2026-03-01T11:00:00.000Z'],
  ['Pacific/Pago_Pago', 'Pacific/Kiritimati', '2026-02-01T11:00:00.000Z', '2026-02-28T10:00:00.000Z'],
])('T1: after a change of zone from %s to %s, after January comes February', (before, after, from, until) => {
  const january = billingPeriodAt(at('2026-01-15'), before);
  const february = nextBillingPeriod(january, after);
  expect([february.from.toISOString(), february.until.toISOString()]).toEqual([from, until]);
  expect(february.month).toBe(2026 * 12 + 1);
});

test('T2: a clock stands where every instant that follows from it can be answered', () => {
  expect(decideClock('to', at('1970-01-01'), 'UTC')).toBeNull();
  expect(decideClock('to', at('1970-01-01'), 'America/New_York')).toMatchObject({ field: 'to' });
  expect(decideClock('to', at('9999-12-31'), 'UTC')).toMatchObject({ field: 'to' });
});

test('T2: time never runs backwards, whoever’s clock is asked', () => {
  const real = { testClock: false, settledAt: at('2026-01-02') };
  expect(nowOf(real, at('2026-01-01'))).toEqual(at('2026-01-02'));
  expect(nowOf(real, at('2026-01-03'))).toEqual(at('2026-01-03'));
  expect(nowOf({ testClock: true, settledAt: at('2020-01-01') }, at('2026-01-03'))).toEqual(at('2020-01-01'));
});

test('L8: a lease is 10 to 86,400 seconds', () => {
  expect([9, 10, 86_400, 86_401].map((seconds) => decideLease(seconds)?.field ?? null)).toEqual([
    'leaseSeconds',
    null,
    null,
    'leaseSeconds',
  ]);
});

test('L8, T2: sessions end at their own instants, in order, with their seats', () => {
  const seats = pools(pool('SUPERVISOR', { concurrentTotal: 2 }));
  const [one, other] = [holder(['SUPERVISOR']), holder(['SUPERVISOR'])] as const;
  const start = organisation('2026-01-01');
  const first = decide(books(seats, one, other), start.settledAt, logon(one, 'SUPERVISOR'));
  const both = decide(first, plusSeconds(start.settledAt, 60), logon(other, 'SUPERVISOR'));
  const sessions = [...both.holders.values()].flatMap((user) => user.sessions);
  const settled = settle(
    start,
    both.pools,
    { ...nothingDue, holders: both.holders, sessions },
    plusDays(start.settledAt, 1),
  );
  expect(settled.history.map(({ at: when, inUse }) => [when, inUse])).toEqual([
    [plusSeconds(start.settledAt, 90), 1],
    [plusSeconds(start.settledAt, 150), 0],
  ]);
  const ended: Session[] = [...settled.holders.values()].flatMap((user) => user.sessions);
  expect(ended.map(({ endedAt, endReason }) => [endedAt, endReason])).toEqual([
    [plusSeconds(start.settledAt, 90), 'LEASE_EXPIRED'],
    [plusSeconds(start.settledAt, 150), 'LEASE_EXPIRED'],
  ]);
});

test('T3, C2: what falls due at one instant takes effect together: no state between exists', () => {
  const start = organisation('2026-01-31T23:59:00.000Z');
  const edge = at('2026-02-01');
  const seats = pools(pool('SUPERVISOR', { concurrentTotal: 2, contingencyTotal: 2 }));
  const [one, other] = [holder(['SUPERVISOR']), holder(['SUPERVISOR'])] as const;
  const busy = decide(books(seats, one, other), plusSeconds(edge, -90), logon(one, 'SUPERVISOR'));
  const full = decide(busy, plusSeconds(edge, -60), logon(other, 'SUPERVISOR'));
  const [leaving] = full.holders.get(one.userId)?.sessions ?? [];
  const settled = settle(
    start,
    full.pools,
    {
      ...nothingDue,
      holders: full.holders,
      sessions: leaving === undefined ? [] : [leaving],
      // One concurrent seat ends at the very instant at which one user's lease does, and the month.
      purchases: [purchase('SUPERVISOR', '2025-01-01', '2026-02-01', { concurrent: 1 })],
    },
    edge,
  );
  expect(settled.pools.get(code('SUPERVISOR'))).toMatchObject({
    inUse: 1,
    concurrentTotal: 1,
    maxUsed: 0,
    maxUsedAt: null,
  });
  expect(settled.history.every(({ inUse, concurrentTotal }) => inUse === 1 && concurrentTotal === 1)).toBe(
    true,
  );
});

test('C2: a purchase that ends raises the peak, and a new month begins with what is in use', () => {
  const start = organisation('2026-01-10');
  const seats = pools(pool('SUPERVISOR', { concurrentTotal: 2, contingencyTotal: 2, inUse: 2 }));
  const ends = purchase('SUPERVISOR', '2025-01-01', '2026-01-20', { concurrent: 1 });
  const january = settle(start, seats, { ...nothingDue, purchases: [ends] }, at('2026-01-25'));
  expect(january.pools.get(code('SUPERVISOR'))).toMatchObject({ maxUsed: 1, maxUsedAt: at('2026-01-20') });
  const february = settle(start, seats, { ...nothingDue, purchases: [ends] }, at('2026-02-05'));
  expect(february.pools.get(code('SUPERVISOR'))).toMatchObject({ maxUsed: 1, maxUsedAt: at('2026-02-01') });
});

test('C5, U2: a period edge changes every row, and counts who is active at its first instant', () => {
  const start = { ...organisation('2026-01-10'), activeUsers: 3, activeInBillingPeriod: 7 };
  expect(settle(start, pools(), nothingDue, at('2026-01-31'))).toMatchObject({ everyRowChanged: false });
  const next = settle(start, pools(), nothingDue, at('2026-04-01'));
  expect(next).toMatchObject({ everyRowChanged: true, organisation: { activeInBillingPeriod: 3 } });
  expect(next.periods.map(({ from }) => from)).toEqual([
    at('2026-02-01'),
    at('2026-03-01'),
    at('2026-04-01'),
  ]);
});
