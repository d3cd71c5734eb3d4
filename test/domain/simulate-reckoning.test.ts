import { describe, expect, test } from 'vitest';
import type { Answer, Exchange, Request } from '../../src/cli/simulate/exchange.ts';
import { differences, type Row } from '../../src/cli/simulate/figures.ts';
import { Floor } from '../../src/cli/simulate/floor.ts';
import type { PlannedEvent } from '../../src/cli/simulate/plan.ts';
import { Reckoning } from '../../src/cli/simulate/reckoning.ts';
import { percentile } from '../../src/cli/simulate/report.ts';
import { instant, plusSeconds } from '../../src/kernel/clock.ts';
import {
  calls,
  catalogue,
  granted,
  leaseSeconds,
  logon,
  nine,
  organisation,
  refused,
} from './simulate-given.ts';

function reckon(): Reckoning {
  return new Reckoning(organisation, catalogue);
}

const exchange = (request: Request, answer: Answer): Exchange => ({ request, answer });
const agents = (reckoning: Reckoning): Row | undefined => reckoning.rows()[0];
const half = leaseSeconds / 2;

describe('what the server answers rightly', () => {
  test('a seat, a contingency seat and a refusal, in whatever order they are heard of', () => {
    const answers = [
      exchange(logon('cat'), refused('NO_SEAT_AVAILABLE')),
      exchange(logon('bob'), granted('2', 'CONTINGENCY')),
      exchange(logon('ann'), granted('1', 'CONCURRENT')),
    ];
    const reckoning = reckon();
    expect(reckoning.apply(answers)).toEqual([]);
    expect(agents(reckoning)).toMatchObject({
      licence: 'INBOUND_AGENT',
      activeUsers: 3,
      holders: 3,
      base: { total: 4, used: 3, available: 1, assigned: 3 },
      concurrent: { total: 1, used: 1, available: 0, overAllocated: 0 },
      contingency: { total: 1, used: 1, maxUsed: 1, maxUsedAt: nine.toISOString(), paidHeadroom: 0 },
    });
    expect(reckoning.denials).toEqual(new Map([['INBOUND_AGENT NO_SEAT_AVAILABLE', 1]]));
  });

  test('a second device joins the hold; the seat is free when both are logged off', () => {
    const reckoning = reckon();
    expect(
      reckoning.apply([
        exchange(logon('ann'), granted('1', 'CONCURRENT')),
        exchange(logon('ann', 'deskphone'), granted('2', 'CONCURRENT')),
      ]),
    ).toEqual([]);
    expect(agents(reckoning)?.concurrent?.used).toBe(1);
    for (const [sessionId, used] of [
      ['1', 1],
      ['2', 0],
    ] as const) {
      const device = sessionId === '1' ? 'desktop' : 'deskphone';
      const faults = reckoning.apply([
        exchange({ kind: 'LOGOFF', username: 'ann', device, sessionId }, ended(sessionId)),
      ]);
      expect(faults).toEqual([]);
      expect(agents(reckoning)?.concurrent?.used).toBe(used);
    }
  });

  test('a lease that ends frees the seat at its own instant, and the peak stays', () => {
    const reckoning = reckon();
    reckoning.apply([
      exchange(logon('ann'), granted('1', 'CONCURRENT')),
      exchange(logon('bob'), granted('2', 'CONTINGENCY')),
    ]);
    reckoning.settle(plusSeconds(nine, leaseSeconds - 1));
    expect(reckoning.liveSessions).toBe(2);
    reckoning.settle(plusSeconds(nine, leaseSeconds));
    expect(reckoning.liveSessions).toBe(0);
    expect(reckoning.sessionsExpired).toBe(2);
    expect(agents(reckoning)?.contingency).toMatchObject({ used: 0, maxUsed: 1, paidHeadroom: 1 });
    const wake: Request = { kind: 'RENEW', username: 'ann', device: 'desktop', sessionId: '1' };
    expect(reckoning.apply([exchange(wake, refused('SESSION_ENDED'))])).toEqual([]);
  });

  test('a month begins with what is in use then', () => {
    const eve = instant('2027-03-31T23:50:00.000Z');
    const reckoning = new Reckoning({ ...organisation, from: eve }, catalogue);
    reckoning.apply([
      exchange(logon('ann'), granted('1', 'CONCURRENT', eve)),
      exchange(logon('bob'), granted('2', 'CONTINGENCY', eve)),
    ]);
    reckoning.settle(instant('2027-04-01T00:05:00.000Z'));
    expect(agents(reckoning)?.contingency).toMatchObject({
      maxUsed: 1,
      maxUsedAt: '2027-04-01T00:00:00.000Z',
    });
  });

  test('a deleted user leaves a base licence to be reassigned', () => {
    const reckoning = reckon();
    reckoning.apply([exchange(logon('ann'), granted('1', 'CONCURRENT'))]);
    const status: Answer = { kind: 'USER', status: 'DELETED' };
    expect(reckoning.apply([exchange({ kind: 'DELETE', username: 'ann' }, status)])).toEqual([]);
    expect(agents(reckoning)).toMatchObject({
      activeUsers: 2,
      activeInBillingPeriod: 3,
      holders: 2,
      base: { total: 4, used: 3, reusable: 1, available: 2, assigned: 2 },
      concurrent: { used: 0 },
    });
  });
});

describe('what the server answers wrongly', () => {
  const noCalls = { ...calls, granted: false, admittedAs: null, unavailableReason: 'NO_SEAT_AVAILABLE' };

  test.each<[string, Exchange[], RegExp]>([
    [
      'a seat sold twice',
      [
        exchange(logon('ann'), granted('1', 'CONCURRENT')),
        exchange(logon('bob'), granted('2', 'CONCURRENT')),
      ],
      /2 were concurrent and 0 contingency; 1 concurrent seats were free/,
    ],
    [
      'a seat more than there are',
      [
        exchange(logon('ann'), granted('1', 'CONCURRENT')),
        exchange(logon('bob'), granted('2', 'CONTINGENCY')),
        exchange(logon('cat'), granted('3', 'CONTINGENCY')),
      ],
      /3 seats of INBOUND_AGENT are in use, and there are 2/,
    ],
    [
      'a refusal while a seat is free',
      [exchange(logon('ann'), refused('NO_SEAT_AVAILABLE'))],
      /ann was refused a seat of INBOUND_AGENT, of which 2 were free/,
    ],
    [
      'a feature refused while a seat is free',
      [exchange(logon('ann'), refused('NO_CHANNEL_AVAILABLE', [noCalls]))],
      /ann was refused a seat of AGENT_CALLS, of which 3 were free/,
    ],
    [
      'a refusal for a reason that does not hold',
      [exchange(logon('ann'), refused('DEVICE_IN_USE'))],
      /refused with DEVICE_IN_USE instead of being granted/,
    ],
    [
      'a logon that had to be refused',
      [exchange({ ...logon('ann'), licence: 'SUPERVISOR' }, granted('1', 'CONCURRENT'))],
      /had to be refused with LICENCE_NOT_ASSIGNED/,
    ],
    [
      'an agent without a channel',
      [exchange({ ...logon('ann'), features: [] }, granted('1', 'CONCURRENT', nine, []))],
      /was granted without a channel/,
    ],
    [
      'a feature without an answer',
      [exchange(logon('ann'), granted('1', 'CONCURRENT', nine, []))],
      /was not answered about AGENT_CALLS/,
    ],
    [
      'a lease of another length',
      [exchange(logon('ann'), granted('1', 'CONCURRENT', plusSeconds(nine, 1)))],
      /expires at 2027-03-17T09:30:01.000Z instead of 2027-03-17T09:30:00.000Z/,
    ],
    [
      'a second device with a seat of its own',
      [
        exchange(logon('ann'), granted('1', 'CONCURRENT')),
        exchange(logon('ann', 'deskphone'), granted('2', 'CONTINGENCY')),
      ],
      /joined the user's CONCURRENT hold of INBOUND_AGENT as CONTINGENCY/,
    ],
    [
      'the renewal of a session that never was',
      [
        exchange(
          { kind: 'RENEW', username: 'ann', device: 'desktop', sessionId: '9' },
          granted('9', 'CONCURRENT'),
        ),
      ],
      /RENEW of an ended session was answered session 9/,
    ],
  ])('%s is found', (_, exchanges, fault) => {
    expect(reckon().apply(exchanges).join('\n')).toMatch(fault);
  });

  test('a figure is shown beside the one that was reckoned', () => {
    const rows = reckon().rows();
    expect(differences(rows, rows)).toEqual([]);
    const wrong = rows.map((row) => ({ ...row, holders: 4, base: row.base && { ...row.base, used: 2 } }));
    expect(differences(rows, wrong.slice(0, 1)).slice(0, 3)).toEqual([
      'INBOUND_AGENT holders: reckoned 3, the server says 4',
      'INBOUND_AGENT base.used: reckoned 3, the server says 2',
      'AGENT_CALLS activeUsers: reckoned 3, the server says undefined',
    ]);
  });
});

test('requests compete where there are more than seats', () => {
  const reckoning = reckon();
  expect(reckoning.contested([logon('ann'), logon('bob'), logon('bob', 'deskphone')])).toEqual(new Set());
  expect(reckoning.contested([logon('ann'), logon('bob'), logon('cat')])).toEqual(new Set(['INBOUND_AGENT']));
});

describe('the floor', () => {
  const ann = { username: 'ann', device: 'desktop' };
  const crash: PlannedEvent = { kind: 'CRASH', at: nine, ...ann };
  const again: PlannedEvent = { ...logon('ann'), at: nine, onlyIfLoggedOff: true };

  function open(): { floor: Floor; reckoning: Reckoning } {
    const reckoning = reckon();
    const floor = new Floor(reckoning, leaseSeconds);
    const exchanges = [exchange(logon('ann'), granted('1', 'CONCURRENT'))];
    reckoning.apply(exchanges);
    floor.note(exchanges, nine);
    return { floor, reckoning };
  }

  test('renews at half the lease', () => {
    const { floor } = open();
    expect(floor.nextRenewalAt()).toEqual(plusSeconds(nine, half));
    expect(floor.givingBack([], plusSeconds(nine, half - 1))).toEqual([]);
    expect(floor.givingBack([], plusSeconds(nine, half))).toEqual([
      { kind: 'RENEW', ...ann, sessionId: '1' },
    ]);
  });

  test('a device that logs off does not renew', () => {
    const { floor } = open();
    const logoff: PlannedEvent = { kind: 'LOGOFF', at: nine, ...ann };
    expect(floor.givingBack([logoff], plusSeconds(nine, half))).toEqual([
      { kind: 'LOGOFF', ...ann, sessionId: '1' },
    ]);
  });

  test('a crashed device is silent until it wakes, and then renews what it had', () => {
    const { floor } = open();
    expect(floor.givingBack([crash], nine)).toEqual([]);
    expect(floor.nextRenewalAt()).toBeNull();
    const late = plusSeconds(nine, 2 * leaseSeconds);
    expect(floor.givingBack([{ kind: 'WAKE', at: late, ...ann }], late)).toEqual([
      { kind: 'RENEW', ...ann, sessionId: '1' },
    ]);
  });

  test('who was refused tries again; who is logged on does not', () => {
    const { floor, reckoning } = open();
    expect(floor.taking([again])).toEqual([]);
    reckoning.settle(plusSeconds(nine, leaseSeconds));
    expect(floor.taking([again])).toEqual([logon('ann')]);
  });
});

test('a percentile is the nearest rank', () => {
  const sorted = Array.from({ length: 100 }, (_, index) => index + 1);
  expect([0.5, 0.95, 0.99, 1].map((part) => percentile(sorted, part))).toEqual([50, 95, 99, 100]);
  expect(percentile([7], 0.5)).toBe(7);
});

function ended(id: string): Answer {
  return {
    kind: 'SESSION',
    session: {
      id,
      admittedAs: 'CONCURRENT',
      expiresAt: plusSeconds(nine, leaseSeconds),
      endedAt: nine,
      features: [],
    },
  };
}
