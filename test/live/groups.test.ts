import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { groupKey } from '../../src/graphql/transports/sharing.ts';
import { type Actor, operator } from '../../src/kernel/actor.ts';
import { instant } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { createGroups, type Feed, type Member, type Membership } from '../../src/live/groups.ts';

const warnings: string[] = [];
const log = {
  error: () => {},
  warn: (_facts: object, message: string) => warnings.push(message),
  info: () => {},
  debug: () => {},
};

/** A counter, and who reads what changed of it: an event says from where to where it leads. */
function givenCounter({ readMilliseconds = 0 } = {}) {
  let value = 0;
  const wakes = new Set<() => void>();
  const reads: (number | null)[] = [];
  let failures = 0;
  const feed: Feed = {
    read: async (since) => {
      const from = since === null ? null : Number(since.version);
      reads.push(from);
      const to = value;
      await sleep(readMilliseconds);
      if (failures > 0) {
        failures -= 1;
        throw new Error('The database does not answer');
      }
      return {
        value: from === to ? null : JSON.stringify({ from, to }),
        position: { version: to },
        isLast: false,
      };
    },
    watch: (wake) => {
      wakes.add(wake);
      return () => wakes.delete(wake);
    },
  };
  return {
    feed,
    reads,
    wakes,
    change: () => {
      value += 1;
      for (const wake of wakes) wake();
    },
    failNext: (times: number) => {
      failures = times;
    },
    value: () => value,
  };
}

function givenMember(): Member & { received: { from: number | null; to: number }[]; isBlocked: boolean } {
  const member = {
    received: [] as { from: number | null; to: number }[],
    isBlocked: false,
    isReady: () => !member.isBlocked,
    send: ({ text }: { text: string }) => member.received.push(JSON.parse(text)),
    end: () => {},
  };
  return member;
}

/** Every event begins where the one before it ended: no gap, and no repeat. */
function expectUnbroken({ received }: ReturnType<typeof givenMember>): void {
  for (const [index, { from }] of received.entries()) expect(from).toBe(received[index - 1]?.to ?? null);
}

const soon = { timeout: 3000, interval: 5 };

test('members of one key share every read; another key, such as of an actor with other rights, shares nothing', async () => {
  const groups = createGroups({ log, maxEventsPerSecond: 100 });
  const one = givenCounter();
  const other = givenCounter();
  const members = Array.from({ length: 20 }, givenMember);
  const stranger = givenMember();
  await Promise.all(members.map((member) => groups.join('a', async () => one.feed, member).started));
  await groups.join('b', async () => other.feed, stranger).started;
  one.change();
  await vi.waitFor(() => expect(members.every(({ received }) => received.length === 2)).toBe(true), soon);
  expect(one.reads).toEqual([null, 0]);
  for (const { received } of members) expect(received[1]).toEqual({ from: 0, to: 1 });
  expect(stranger.received).toEqual([{ from: null, to: 0 }]);
});

test('a change during the snapshot’s read is not missed, and who comes after it does not get the old snapshot', async () => {
  const groups = createGroups({ log, maxEventsPerSecond: 100 });
  const counter = givenCounter({ readMilliseconds: 30 });
  const early = givenMember();
  const late = givenMember();
  void groups.join('a', async () => counter.feed, early);
  await vi.waitFor(() => expect(counter.reads).toEqual([null]), soon);
  counter.change();
  await groups.join('a', async () => counter.feed, late).started;
  expect(late.received).toEqual([{ from: null, to: 1 }]);
  await vi.waitFor(() => expect(early.received.at(-1)?.to).toBe(1), soon);
  expectUnbroken(early);
});

test('a failing read is tried again, and a member that throws harms nobody else', async () => {
  const groups = createGroups({ log, maxEventsPerSecond: 100, retryMilliseconds: 20 });
  const counter = givenCounter();
  const healthy = givenMember();
  const sick: Member = {
    isReady: () => true,
    send: ({ text }) => {
      if (text.includes('"from":0')) throw new Error('sick');
    },
    end: () => {},
  };
  await groups.join('a', async () => counter.feed, sick).started;
  await groups.join('a', async () => counter.feed, healthy).started;
  counter.failNext(3);
  counter.change();
  await vi.waitFor(() => expect(healthy.received.at(-1)).toEqual({ from: 0, to: 1 }), soon);
  expect(warnings).toContain('could not read what changed; reading again');
  counter.change();
  await vi.waitFor(() => expect(healthy.received.at(-1)).toEqual({ from: 1, to: 2 }), soon);
});

test('the failure to open is told to all who wait for it, and the next who comes tries afresh', async () => {
  const groups = createGroups({ log, maxEventsPerSecond: 100 });
  const open = Promise.withResolvers<Feed>();
  const waiting = [givenMember(), givenMember()].map(
    (member) => groups.join('a', () => open.promise, member).started,
  );
  open.reject(new Error('no such organisation'));
  const outcomes = await Promise.allSettled(waiting);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  const counter = givenCounter();
  await groups.join('a', async () => counter.feed, givenMember()).started;
});

test('who leaves during a read gets nothing more; when all have left nothing is watched', async () => {
  const groups = createGroups({ log, maxEventsPerSecond: 100 });
  const counter = givenCounter({ readMilliseconds: 20 });
  const staying = givenMember();
  const leaving = givenMember();
  const first = groups.join('a', async () => counter.feed, staying);
  const second = groups.join('a', async () => counter.feed, leaving);
  await Promise.all([first.started, second.started]);
  counter.change();
  second.leave();
  await vi.waitFor(() => expect(staying.received).toHaveLength(2), soon);
  expect(leaving.received).toHaveLength(1);
  first.leave();
  expect(counter.wakes.size).toBe(0);
});

test('changes in quick succession arrive as few events, the first at once, the last always', async () => {
  const groups = createGroups({ log, maxEventsPerSecond: 10 });
  const counter = givenCounter();
  const member = givenMember();
  await groups.join('a', async () => counter.feed, member).started;
  counter.change();
  await sleep(20);
  expect(member.received).toEqual([
    { from: null, to: 0 },
    { from: 0, to: 1 },
  ]);
  const started = performance.now();
  for (let change = 0; change < 100; change += 1) {
    counter.change();
    await sleep(5);
  }
  const during = member.received.length;
  expect(during).toBeGreaterThan(3);
  // Half a second’s, and more on a busy machine, which takes longer over them.
  expect(during).toBeLessThanOrEqual(5 + (performance.now() - started) / 100);
  await vi.waitFor(() => expect(member.received.at(-1)?.to).toBe(101), soon);
  expectUnbroken(member);
});

test('those who fell behind at the same event share one read when they come back', async () => {
  const groups = createGroups({ log, maxEventsPerSecond: 1000 });
  const counter = givenCounter();
  const members = Array.from({ length: 10 }, givenMember);
  const memberships = members.map((member) => groups.join('a', async () => counter.feed, member));
  await Promise.all(memberships.map(({ started }) => started));
  const stalled = members.slice(0, 4);
  for (const member of stalled) member.isBlocked = true;
  for (let change = 1; change <= 3; change += 1) {
    counter.change();
    await vi.waitFor(() => expect(members[9]?.received.at(-1)?.to).toBe(change), soon);
    await sleep(5);
  }
  expect(stalled.every(({ received }) => received.length === 1)).toBe(true);
  counter.reads.length = 0;
  for (const member of stalled) member.isBlocked = false;
  for (const membership of memberships) membership.resume();
  await vi.waitFor(() => expect(stalled.every(({ received }) => received.length === 2)).toBe(true), soon);
  expect(counter.reads).toEqual([0]);
  for (const { received } of stalled) expect(received[1]).toEqual({ from: 0, to: 3 });
  counter.change();
  await vi.waitFor(() => expect(members.every(({ received }) => received.at(-1)?.to === 4)).toBe(true), soon);
  // They are one again.
  expect(counter.reads).toEqual([0, 3]);
});

test('whoever comes, goes, stalls and recovers, in any order: no gap, no repeat, and the last change', async () => {
  const groups = createGroups({ log, maxEventsPerSecond: 500, retryMilliseconds: 5 });
  const counter = givenCounter({ readMilliseconds: 1 });
  const present: { member: ReturnType<typeof givenMember>; membership: Membership }[] = [];
  const everybody: ReturnType<typeof givenMember>[] = [];
  let random = 42;
  const below = (limit: number) => {
    random = (random * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((random / 2_147_483_648) * limit);
  };
  for (let step = 0; step < 1500; step += 1) {
    const chosen = present[below(present.length)];
    switch (below(7)) {
      case 0: {
        const member = givenMember();
        const membership = groups.join('a', async () => counter.feed, member);
        membership.started.catch(() => {});
        present.push({ member, membership });
        everybody.push(member);
        break;
      }
      case 1:
        if (chosen === undefined || below(3) > 0) break;
        chosen.membership.leave();
        present.splice(present.indexOf(chosen), 1);
        break;
      case 2:
        if (chosen !== undefined) chosen.member.isBlocked = true;
        break;
      case 3:
        if (chosen === undefined) break;
        chosen.member.isBlocked = false;
        chosen.membership.resume();
        break;
      case 4:
        if (below(20) === 0) counter.failNext(1);
        break;
      default:
        counter.change();
    }
    if (below(3) === 0) await sleep(below(4));
  }
  counter.failNext(0);
  await Promise.allSettled(present.map(({ membership }) => membership.started));
  for (const { member, membership } of present) {
    member.isBlocked = false;
    membership.resume();
  }
  const live = present.filter(({ member }) => member.received.length > 0);
  expect(live.length).toBeGreaterThan(20);
  await vi.waitFor(
    () => expect(live.every(({ member }) => member.received.at(-1)?.to === counter.value())).toBe(true),
    soon,
  );
  for (const member of everybody) expectUnbroken(member);
});

test('what makes two subscriptions differ makes their groups differ; the order of variables does not', () => {
  const payload = { query: 'subscription A { a }', variables: { one: 1, two: { three: [3], four: null } } };
  type Asked = Parameters<typeof groupKey>[0] & { readonly variables: Readonly<Record<string, unknown>> };
  const keyOf = (asked: Asked, actor: Actor = operator) => groupKey(asked, asked.variables, actor);
  const key = keyOf(payload);
  expect(keyOf({ ...payload, variables: { two: { four: null, three: [3] }, one: 1 } })).toBe(key);
  expect(keyOf({ ...payload, operationName: null })).toBe(key);
  const parsed = JSON.parse('{ "__proto__": 1 }') as Record<string, unknown>;
  const others = [
    { ...payload, query: 'subscription A { a } ' },
    { ...payload, operationName: 'A' },
    { ...payload, variables: { ...payload.variables, one: '1' } },
    { ...payload, variables: { ...payload.variables, two: { three: [3] } } },
    { ...payload, variables: { ...payload.variables, one: null } },
    { ...payload, variables: {} },
    { ...payload, variables: { ...payload.variables, one: instant('2030-01-01') } },
    { ...payload, variables: { ...payload.variables, one: instant('2030-01-02') } },
    { ...payload, variables: parsed },
    { query: 'subscription A { a }\n', variables: payload.variables },
  ];
  const keys = new Set([key, ...others.map((other) => keyOf(other))]);
  expect(keys.size).toBe(others.length + 1);

  const [one, other] = [newId<'Organisation'>(), newId<'Organisation'>()];
  const [user, another] = [newId<'User'>(), newId<'User'>()];
  const actors: readonly Actor[] = [
    operator,
    { ...operator, scopes: ['READ'] },
    { ...operator, role: 'PARTNER', organisationId: one },
    { ...operator, role: 'WALLBOARD', organisationId: one },
    { ...operator, role: 'WALLBOARD', organisationId: other },
    { ...operator, role: 'AGENT', organisationId: one, userId: user },
    { ...operator, role: 'AGENT', organisationId: one, userId: another },
  ];
  expect(new Set(actors.map((each) => keyOf(payload, each))).size).toBe(actors.length);
  // Two keys of one wallboard see the same, whatever they are called and however long they last.
  const wallboard = { ...operator, role: 'WALLBOARD', organisationId: one } as const;
  const renamed = { ...wallboard, credential: 'key_2', expiresAt: instant('2030-01-01') };
  expect(keyOf(payload, renamed)).toBe(keyOf(payload, wallboard));
});
