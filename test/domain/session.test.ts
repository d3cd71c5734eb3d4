import { expect, test } from 'vitest';
import { plusSeconds } from '../../src/kernel/clock.ts';
import {
  type Answer,
  endSessions,
  loseFeature,
  maxSessionsOfUser,
  type Session,
} from '../../src/session/domain.ts';
import { concurrentUsage, contingencyUsage } from '../../src/usage/domain.ts';
import { at, books, code, decide, holder, logon, pool, pools } from './given.ts';

const now = at('2026-03-02T09:00:00.000Z');
const agent = ['INBOUND_AGENT', 'AGENT_CALLS', 'AGENT_EMAIL'];
const plenty = pools(
  pool('INBOUND_AGENT', { concurrentTotal: 10 }),
  pool('AGENT_CALLS', { concurrentTotal: 10 }),
  pool('AGENT_EMAIL', { concurrentTotal: 10 }),
);

function session(answer: Answer | undefined): Session {
  if (answer === null || answer === undefined || 'code' in answer) throw new Error(JSON.stringify(answer));
  return answer;
}

function refusal(answer: Answer | undefined): string {
  if (answer === null || answer === undefined || !('code' in answer)) throw new Error('Not a refusal');
  return answer.code;
}

const inUse = (given: { pools: ReturnType<typeof pools> }, name: string) =>
  given.pools.get(code(name))?.inUse ?? 0;

test('L1: who may not log on is refused before any seat is touched, in the order of the rule', () => {
  const suspended = holder([], 'SUSPENDED');
  const bare = holder([]);
  const administrator = holder(['ADMINISTRATOR', ...agent]);
  const first = decide(
    books(plenty, suspended, bare, administrator),
    now,
    logon(suspended),
    logon(bare),
    logon(administrator, 'ADMINISTRATOR'),
  );
  expect(first.answers.map(refusal)).toEqual([
    'USER_NOT_ACTIVE',
    'LICENCE_NOT_ASSIGNED',
    'SECOND_FACTOR_REQUIRED',
  ]);
  const second = decide(
    first,
    now,
    logon(administrator),
    logon(administrator, 'ADMINISTRATOR', { secondFactorShown: true }),
  );
  expect(refusal(second.answers[1])).toBe('DEVICE_IN_USE');
  expect(inUse(second, 'ADMINISTRATOR')).toBe(0);
});

test('L2: a hold is joined, then concurrent seats are taken, then contingency, then nothing', () => {
  const seats = pools(pool('SUPERVISOR', { concurrentTotal: 1, contingencyTotal: 1 }));
  const users = [holder(['SUPERVISOR']), holder(['SUPERVISOR']), holder(['SUPERVISOR'])] as const;
  const done = decide(
    books(seats, ...users),
    now,
    ...users.map((user) => logon(user, 'SUPERVISOR')),
    logon(users[1], 'SUPERVISOR', { device: 'tablet' }),
  );
  expect([
    session(done.answers[0]).admittedAs,
    session(done.answers[1]).admittedAs,
    refusal(done.answers[2]),
  ]).toEqual(['CONCURRENT', 'CONTINGENCY', 'NO_SEAT_AVAILABLE']);
  expect(session(done.answers[3]).admittedAs).toBe('CONTINGENCY');
  expect(inUse(done, 'SUPERVISOR')).toBe(2);
});

test('L2: a FIXED licence needs only the assignment', () => {
  const user = holder(['UC_USER']);
  expect(session(decide(books(pools(), user), now, logon(user, 'UC_USER')).answers[0]).admittedAs).toBe(
    'FIXED',
  );
});

test('L3: features are decided one by one, in catalogue order, for the first reason that holds', () => {
  const full = pools(
    pool('SUPERVISOR', { concurrentTotal: 1 }),
    pool('AGENT_CALLS', { concurrentTotal: 1, inUse: 1 }),
    pool('PADLOCK', { baseTotal: 1, assigned: 1 }),
  );
  const user = holder(['SUPERVISOR', 'AGENT_CALLS', 'AGENT_EMAIL', 'PADLOCK']);
  const asked = logon(user, 'SUPERVISOR', {
    features: ['PADLOCK', 'RECORDING', 'AGENT_EMAIL', 'AGENT_CALLS'],
  });
  const done = decide(books(full, user), now, asked);
  expect(session(done.answers[0]).features).toEqual([
    { licence: 'AGENT_CALLS', admittedAs: null, unavailableReason: 'NO_SEAT_AVAILABLE' },
    { licence: 'AGENT_EMAIL', admittedAs: null, unavailableReason: 'NOT_PURCHASED' },
    { licence: 'RECORDING', admittedAs: null, unavailableReason: 'NOT_ASSIGNED' },
    { licence: 'PADLOCK', admittedAs: 'FIXED', unavailableReason: null },
  ]);
  expect(done.denials.map(({ licence, code: why }) => `${licence} ${why}`)).toEqual([
    'AGENT_CALLS NO_SEAT_AVAILABLE',
    'AGENT_EMAIL NOT_PURCHASED',
  ]);
});

test('L3: features left out are all the user has; an empty list is none', () => {
  const user = holder(['SUPERVISOR', 'AGENT_CALLS', 'RECORDING']);
  const seats = pools(pool('SUPERVISOR', { concurrentTotal: 1 }), ...plenty.values());
  const all = decide(books(seats, user), now, logon(user, 'SUPERVISOR'));
  expect(session(all.answers[0]).features.map(({ licence }) => licence)).toEqual([
    'AGENT_CALLS',
    'RECORDING',
  ]);
  const none = decide(books(seats, user), now, logon(user, 'SUPERVISOR', { features: [] }));
  expect(session(none.answers[0]).features).toEqual([]);
});

test('L4, L5: an agent without any channel is refused, takes nothing and raises no peak', () => {
  const seats = pools(
    pool('INBOUND_AGENT', { contingencyTotal: 1 }),
    pool('AGENT_CALLS', { concurrentTotal: 1, inUse: 1 }),
  );
  const user = holder(agent);
  const done = decide(books(seats, user), now, logon(user));
  expect(done.answers[0]).toMatchObject({
    code: 'NO_CHANNEL_AVAILABLE',
    features: [{ unavailableReason: 'NO_SEAT_AVAILABLE' }, { unavailableReason: 'NOT_PURCHASED' }],
  });
  expect(done.pools).toEqual(seats);
  expect(done.history).toEqual([]);
  expect(done.denials.map((denial) => denial.code)).toEqual([
    'NO_SEAT_AVAILABLE',
    'NOT_PURCHASED',
    'NO_CHANNEL_AVAILABLE',
  ]);
});

test('L4: a channel that the user holds on another device is granted by joining', () => {
  const seats = pools(
    pool('INBOUND_AGENT', { concurrentTotal: 1 }),
    pool('AGENT_CALLS', { concurrentTotal: 1 }),
  );
  const user = holder(['INBOUND_AGENT', 'AGENT_CALLS']);
  const done = decide(
    books(seats, user),
    now,
    logon(user),
    logon(user, 'INBOUND_AGENT', { device: 'phone' }),
  );
  expect(session(done.answers[1]).features[0]?.admittedAs).toBe('CONCURRENT');
  expect(inUse(done, 'AGENT_CALLS')).toBe(1);
});

test('L6: logging on again from a device renews the same session, and decides what it does not hold', () => {
  const user = holder(agent);
  const first = decide(books(plenty, user), now, logon(user, 'INBOUND_AGENT', { features: ['AGENT_CALLS'] }));
  const later = plusSeconds(now, 30);
  const again = decide(first, later, logon(user, 'INBOUND_AGENT', { features: ['AGENT_EMAIL'] }));
  expect(session(again.answers[0])).toMatchObject({
    id: session(first.answers[0]).id,
    startedAt: now,
    expiresAt: plusSeconds(later, 90),
    features: [{ licence: 'AGENT_CALLS' }, { licence: 'AGENT_EMAIL', admittedAs: 'CONCURRENT' }],
  });
  expect(inUse(again, 'INBOUND_AGENT')).toBe(1);
});

test('L5, L6: a device too many is refused and takes nothing, while those that are logged on go on', () => {
  const [user, other] = [holder(['INBOUND_AGENT', 'AGENT_CALLS']), holder(agent)];
  const on = (device: number) => logon(user, 'INBOUND_AGENT', { device: `device ${device}` });
  const devices = Array.from({ length: maxSessionsOfUser }, (_, index) => on(index));
  const full = decide(books(plenty, user, other), now, ...devices);
  const { answers, denials, history, holders } = decide(
    full,
    now,
    on(maxSessionsOfUser),
    on(0),
    logon(other),
  );
  expect(answers[0]).toMatchObject({
    code: 'INVALID_INPUT',
    field: 'device',
    message: expect.stringContaining('50 devices'),
  });
  expect(answers.slice(1).map(session)).toHaveLength(2);
  expect(denials).toMatchObject([{ userId: user.userId, licence: 'INBOUND_AGENT', code: 'INVALID_INPUT' }]);
  expect(history.filter(({ seat }) => seat?.userId === user.userId)).toEqual([]);
  expect(holders.get(user.userId)?.sessions).toHaveLength(maxSessionsOfUser);
  // Only what is live counts: one logged off makes room for one.
  const off = {
    kind: 'LOGOFF',
    userId: user.userId,
    sessionId: session(full.answers[0]).id,
    features: [],
  } as const;
  const again = decide(full, now, off, on(maxSessionsOfUser), on(0));
  expect([session(again.answers[1]).device, refusal(again.answers[2])]).toEqual([
    'device 50',
    'INVALID_INPUT',
  ]);
});

test('L7: features come and go during a session, and only a renewal renews', () => {
  const user = holder(agent);
  const start = decide(books(plenty, user), now, logon(user, 'INBOUND_AGENT', { features: ['AGENT_CALLS'] }));
  const { id, expiresAt } = session(start.answers[0]);
  const of = { userId: user.userId, sessionId: id };
  const later = plusSeconds(now, 10);
  const changed = decide(
    start,
    later,
    { kind: 'ACQUIRE', ...of, features: [code('AGENT_EMAIL')] },
    { kind: 'RELEASE', ...of, features: [code('AGENT_CALLS'), code('RECORDING')] },
  );
  expect(session(changed.answers[1])).toMatchObject({ expiresAt, features: [{ licence: 'AGENT_EMAIL' }] });
  expect([inUse(changed, 'AGENT_CALLS'), inUse(changed, 'AGENT_EMAIL')]).toEqual([0, 1]);
  const renewed = decide(changed, later, { kind: 'RENEW', ...of, features: [] });
  expect(session(renewed.answers[0]).expiresAt).toEqual(plusSeconds(later, 90));
});

test('L8, L9: an ended session cannot be renewed, and logging it off again changes nothing', () => {
  const user = holder(agent);
  const start = decide(books(plenty, user), now, logon(user));
  const of = { userId: user.userId, sessionId: session(start.answers[0]).id, features: [] };
  const ended = decide(
    start,
    now,
    { kind: 'LOGOFF', ...of },
    { kind: 'RENEW', ...of },
    { kind: 'LOGOFF', ...of },
  );
  expect(session(ended.answers[0])).toMatchObject({ endedAt: now, endReason: 'LOGOFF' });
  expect(refusal(ended.answers[1])).toBe('SESSION_ENDED');
  expect(ended.answers[2]).toBeNull();
  expect(inUse(ended, 'INBOUND_AGENT')).toBe(0);
});

test('L9: a hold ends with the last session of the user that uses it, as in the published example', () => {
  const user = holder(agent);
  const desktop = decide(
    books(plenty, user),
    at('2026-03-02T13:30:00.000Z'),
    logon(user, 'INBOUND_AGENT', { features: ['AGENT_EMAIL'] }),
  );
  const both = decide(
    desktop,
    at('2026-03-02T13:34:00.000Z'),
    logon(user, 'INBOUND_AGENT', { device: 'deskphone', features: ['AGENT_CALLS'] }),
  );
  expect(both.history.map(({ licence, seatChanged, inUse: used }) => [licence, seatChanged, used])).toEqual([
    ['INBOUND_AGENT', false, 1],
    ['AGENT_CALLS', true, 1],
  ]);
  const off = decide(both, now, {
    kind: 'LOGOFF',
    userId: user.userId,
    sessionId: session(desktop.answers[0]).id,
    features: [],
  });
  expect(['INBOUND_AGENT', 'AGENT_EMAIL', 'AGENT_CALLS'].map((name) => inUse(off, name))).toEqual([1, 0, 1]);
});

test('U3, U5: ended sessions free their seats, a lost feature leaves every session', () => {
  const user = holder(agent);
  const start = decide(
    books(plenty, user),
    now,
    logon(user),
    logon(user, 'INBOUND_AGENT', { device: 'phone' }),
  );
  const lost = loseFeature(start, user.userId, code('AGENT_CALLS'), now);
  expect(inUse(lost, 'AGENT_CALLS')).toBe(0);
  const sessions = lost.holders.get(user.userId)?.sessions ?? [];
  expect(
    sessions.map(
      ({ features }) => features.find(({ licence }) => licence === 'AGENT_CALLS')?.unavailableReason,
    ),
  ).toEqual(['NOT_ASSIGNED', 'NOT_ASSIGNED']);
  const ended = endSessions(lost, () => true, 'USER_SUSPENDED', now);
  expect([...ended.pools.values()].every((one) => one.inUse === 0)).toBe(true);
});

test('C1, C3: a freed concurrent seat at once takes over a contingency holder', () => {
  const seats = pools(pool('SUPERVISOR', { concurrentTotal: 1, contingencyTotal: 2 }));
  const users = [holder(['SUPERVISOR']), holder(['SUPERVISOR'])] as const;
  const full = decide(books(seats, ...users), now, ...users.map((user) => logon(user, 'SUPERVISOR')));
  const first = session(full.answers[0]);
  const off = decide(full, now, { kind: 'LOGOFF', userId: first.userId, sessionId: first.id, features: [] });
  const left = off.pools.get(code('SUPERVISOR')) ?? pool('SUPERVISOR');
  expect(concurrentUsage(left)).toMatchObject({ used: 1, available: 0 });
  expect(contingencyUsage(left)).toMatchObject({ used: 0, maxUsed: 1, maxUsedAt: now, paidHeadroom: 1 });
});
