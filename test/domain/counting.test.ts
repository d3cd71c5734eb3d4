import { expect, test } from 'vitest';
import {
  availableAt,
  type BaseLicence,
  freeBaseLicence,
  releaseBaseLicence,
  takeBaseLicence,
} from '../../src/assignment/domain.ts';
import { plusDays } from '../../src/kernel/clock.ts';
import { newId, type UserId } from '../../src/kernel/ids.ts';
import { isRefusal } from '../../src/kernel/refusal.ts';
import { hasBaseLicences } from '../../src/licence/domain.ts';
import {
  decideEnd,
  decideInterval,
  decideQuantities,
  isInForce,
  type Purchase,
} from '../../src/purchase/domain.ts';
import {
  baseUsage,
  concurrentUsage,
  contingencyUsage,
  openTally,
  poolOf,
  raisePeak,
  resetPeak,
  type Tally,
} from '../../src/usage/domain.ts';
import { consumes, countActivation, countDeactivation, decideTransition } from '../../src/user/domain.ts';
import { at, code, licence, pool, pools } from './given.ts';

const now = at('2026-01-01');
const nothing = { base: 0, concurrent: 0, contingency: 0 };

function purchase(from: string, until: string | null, base = 1): Purchase {
  return {
    ...nothing,
    id: newId(),
    licence: code('UC_USER'),
    base,
    from: at(from),
    until: until === null ? null : at(until),
    reference: null,
    recordedAt: now,
  };
}

test('P1: a purchase counts from its first instant, and no longer at its end', () => {
  const bought = purchase('2026-02-01', '2026-03-01');
  expect(
    ['2026-01-31', '2026-02-01', '2026-02-28', '2026-03-01'].map((day) => isInForce(bought, at(day))),
  ).toEqual([false, true, true, false]);
});

test('P2: use beyond the total shows as over-allocated, and available is never negative', () => {
  const seats = pool('SUPERVISOR', {
    concurrentTotal: 2,
    contingencyTotal: 1,
    inUse: 5,
    baseTotal: 1,
    assigned: 3,
    locked: 1,
    reusable: 2,
  });
  expect(concurrentUsage(seats)).toEqual({ total: 2, used: 2, available: 0, overAllocated: 2 });
  expect(contingencyUsage(seats)).toMatchObject({ total: 1, used: 1, available: 0 });
  const base = baseUsage(seats);
  expect(base).toMatchObject({ available: 0, overAllocated: 3, used: 6 });
  expect(base.available - base.overAllocated).toBe(base.total - base.used + base.reusable);
});

test.each([
  ['UC_USER', { base: 1 }, null],
  ['UC_USER', { concurrent: 1 }, 'concurrent'],
  ['UC_USER', { base: 1, contingency: 1 }, 'contingency'],
  ['AGENT_CALLS', { base: 1, concurrent: 1 }, 'base'],
  ['AGENT_CALLS', { concurrent: 1, contingency: 1 }, null],
  ['INBOUND_AGENT', { base: 1, concurrent: 1, contingency: 1 }, null],
  ['INBOUND_AGENT', {}, 'base'],
  ['RECORDING', {}, 'concurrent'],
  ['INBOUND_AGENT', { base: -1, concurrent: 2 }, 'base'],
  ['PADLOCK', { base: 3 }, null],
])('P3: of %s, %o is refused at %s', (name, wanted, field) => {
  expect(decideQuantities(licence(name), { ...nothing, ...wanted }, nothing)?.field ?? null).toBe(field);
});

test('P3: no total outgrows what can be shown', () => {
  const most = { ...nothing, base: 2_147_483_647 };
  expect(decideQuantities(licence('UC_USER'), most, nothing)).toBeNull();
  expect(decideQuantities(licence('UC_USER'), most, { ...nothing, base: 1 })?.field).toBe('base');
});

test('P4: a purchase starts now or later and ends after it starts; one that is ended twice ended once', () => {
  const field = (from: string | null, until: string | null) => {
    const decided = decideInterval(from === null ? null : at(from), until === null ? null : at(until), now);
    return isRefusal(decided) ? decided.field : decided.from;
  };
  expect(field(null, null)).toEqual(now);
  expect(field('2025-12-31', null)).toBe('from');
  expect(field(null, '2025-12-31')).toBe('until');
  expect(field(null, '2026-01-01')).toBe('until');
  expect(field('2026-02-01', '2026-02-01')).toBe('until');

  const running = purchase('2025-06-01', null);
  expect(decideEnd(running, null, now)).toEqual(now);
  expect(decideEnd(purchase('2026-05-01', null), null, now)).toEqual(at('2026-05-01'));
  expect(decideEnd(purchase('2025-06-01', '2025-07-01'), null, now)).toEqual(at('2025-07-01'));
  expect(decideEnd(purchase('2025-06-01', '2025-07-01'), at('2026-02-01'), now)).toMatchObject({
    field: 'until',
  });
  expect(decideEnd(purchase('2026-05-01', null), at('2026-05-01'), now)).toMatchObject({ field: 'until' });
  expect(decideEnd(running, at('2025-12-31'), now)).toMatchObject({ field: 'until' });
});

test('C1, C2: the peak rises with use, never falls within a period, and begins a new one with what is in use', () => {
  const busy = raisePeak(pool('SUPERVISOR', { concurrentTotal: 1, contingencyTotal: 3, inUse: 3 }), now);
  expect(busy).toMatchObject({ maxUsed: 2, maxUsedAt: now });
  const later = raisePeak({ ...busy, inUse: 2 }, at('2026-01-02'));
  expect(later).toMatchObject({ maxUsed: 2, maxUsedAt: now });
  expect(resetPeak(later, at('2026-02-01'))).toMatchObject({ maxUsed: 1, maxUsedAt: at('2026-02-01') });
  expect(resetPeak({ ...later, inUse: 0 }, at('2026-02-01'))).toMatchObject({ maxUsed: 0, maxUsedAt: null });
});

test('C4: each of the highest use is due: what is free below it costs nothing more', () => {
  const used = pool('SUPERVISOR', { contingencyTotal: 5, inUse: 1, maxUsed: 4, maxUsedAt: now });
  expect(contingencyUsage(used)).toMatchObject({ maxUsed: 4, paidHeadroom: 3 });
});

/** Given and taken back, one base licence after the other, as the commands do. */
function desk(name: string, total: number) {
  const tally: Tally = openTally(pools(pool(name, { baseTotal: total })));
  let released: BaseLicence[] = [];
  const held = new Map<UserId, BaseLicence>();
  return {
    usage: () => baseUsage(poolOf(tally, code(name))),
    give: (userId: UserId, day: number) => {
      const inOrder = released.toSorted(
        (one, other) => one.periodUntil.getTime() - other.periodUntil.getTime(),
      );
      const base = takeBaseLicence(
        tally,
        licence(name),
        userId,
        {
          returning: inOrder.find(({ lastHolderId }) => lastHolderId === userId) ?? null,
          reusable: inOrder.find(({ reassigned }) => !reassigned) ?? null,
        },
        newId,
        plusDays(now, day),
      );
      if (base === null) return false;
      released = released.filter(({ id }) => id !== base.id);
      held.set(userId, base);
      return true;
    },
    takeBack: (userId: UserId, day: number) => {
      const base = held.get(userId);
      if (base === undefined) throw new Error('Nothing to take back');
      held.delete(userId);
      const rest = releaseBaseLicence(tally, base, plusDays(now, day));
      if (rest !== null) released.push(rest);
    },
    passTo: (day: number) => {
      const over = released.filter(({ periodUntil }) => periodUntil <= plusDays(now, day));
      for (const base of over) freeBaseLicence(tally, base);
      released = released.filter((base) => !over.includes(base));
    },
    held,
  };
}

test('B1, B2, B3, B5: the worked example', () => {
  const example = desk('UC_USER', 10);
  const [a, b, c, d, e] = [
    newId<'User'>(),
    newId<'User'>(),
    newId<'User'>(),
    newId<'User'>(),
    newId<'User'>(),
  ] as const;
  for (const user of [a, b, c, d]) example.give(user, 0);
  const figures = () => {
    const { used, reusable, available, locked } = example.usage();
    return [used, reusable, available, locked];
  };
  expect(figures()).toEqual([4, 0, 6, 0]);
  example.takeBack(d, 10);
  expect(figures()).toEqual([4, 1, 7, 0]);
  example.give(e, 12);
  expect(figures()).toEqual([4, 0, 6, 0]);
  expect(example.held.get(e)?.periodUntil).toEqual(plusDays(now, 90));
  example.takeBack(e, 20);
  expect(figures()).toEqual([4, 0, 6, 1]);
  example.passTo(90);
  expect(figures()).toEqual([3, 0, 7, 0]);
});

test('B2: one that is given back after its period is FREE at once', () => {
  const one = desk('UC_USER', 1);
  const user = newId<'User'>();
  one.give(user, 0);
  one.takeBack(user, 90);
  expect(one.usage()).toMatchObject({ used: 0, reusable: 0, available: 1 });
});

test('B4: the last holder has its own back, LOCKED or not, and it is no reassignment', () => {
  const one = desk('UC_USER', 1);
  const [first, second, third] = [newId<'User'>(), newId<'User'>(), newId<'User'>()] as const;
  one.give(first, 0);
  one.takeBack(first, 1);
  one.give(first, 2);
  expect(one.held.get(first)?.reassigned).toBe(false);
  one.takeBack(first, 3);
  one.give(second, 4);
  one.takeBack(second, 5);
  expect(one.usage()).toMatchObject({ locked: 1, available: 0 });
  expect(one.give(third, 6)).toBe(false);
  expect(one.give(second, 6)).toBe(true);
  one.takeBack(second, 7);
  expect(one.usage()).toMatchObject({ locked: 1, available: 0 });
});

test('B3: when one becomes available by periods and purchases alone; what falls due together counts together', () => {
  const full = pool('UC_USER', { baseTotal: 2, assigned: 1, locked: 1 });
  expect(availableAt(full, [at('2026-03-01')], [], now)).toEqual(at('2026-03-01'));
  expect(availableAt(full, [at('2026-03-01')], [purchase('2026-02-01', null)], now)).toEqual(
    at('2026-02-01'),
  );
  expect(availableAt(full, [at('2026-03-01')], [purchase('2025-01-01', '2026-03-01')], now)).toBeNull();
  expect(availableAt(full, [], [purchase('2026-02-01', '2026-02-01')], now)).toBeNull();
  expect(
    availableAt({ ...full, assigned: 3 }, [at('2026-03-01')], [purchase('2026-04-01', null, 2)], now),
  ).toEqual(at('2026-04-01'));
});

test('B6, U4: planned licences consume nothing; a suspended user consumes like an active one', () => {
  expect((['PRE_ACTIVE', 'ACTIVE', 'SUSPENDED', 'DELETED'] as const).map(consumes)).toEqual([
    false,
    true,
    true,
    false,
  ]);
});

test('B7: fixed features are free when released, concurrent features need none', () => {
  expect(hasBaseLicences(licence('RECORDING'))).toBe(false);
  const padlock = desk('PADLOCK', 1);
  const [one, other] = [newId<'User'>(), newId<'User'>()] as const;
  padlock.give(one, 0);
  expect(padlock.give(other, 0)).toBe(false);
  padlock.takeBack(one, 0);
  expect(padlock.usage()).toMatchObject({ used: 0, available: 1, locked: 0 });
});

test('U1: a user’s life goes one way, and staying as it is is always allowed', () => {
  const all = ['PRE_ACTIVE', 'ACTIVE', 'SUSPENDED', 'DELETED'] as const;
  const allowed = all.flatMap((from) =>
    all.filter((to) => from !== to && decideTransition(from, to) === null).map((to) => `${from}→${to}`),
  );
  expect(allowed).toEqual([
    'PRE_ACTIVE→ACTIVE',
    'PRE_ACTIVE→DELETED',
    'ACTIVE→SUSPENDED',
    'ACTIVE→DELETED',
    'SUSPENDED→ACTIVE',
    'SUSPENDED→DELETED',
  ]);
  expect(all.every((status) => decideTransition(status, status) === null)).toBe(true);
});

test('U2: a user counts once in a period, however often it becomes active', () => {
  const none = { activeUsers: 0, activeInBillingPeriod: 0 };
  const once = countActivation(none, null, 24_312);
  const suspended = countDeactivation(once);
  expect(suspended).toEqual({ activeUsers: 0, activeInBillingPeriod: 1 });
  expect(countActivation(suspended, 24_312, 24_312)).toEqual({ activeUsers: 1, activeInBillingPeriod: 1 });
  expect(countActivation(none, 24_311, 24_312)).toEqual({ activeUsers: 1, activeInBillingPeriod: 1 });
});
