import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { planDay, shareOut } from '../../src/cli/simulate/day.ts';
import { readOptions } from '../../src/cli/simulate/options.ts';
import type { PlannedEvent, PlannedOrganisation } from '../../src/cli/simulate/plan.ts';
import { planRoster, readRoster } from '../../src/cli/simulate/roster.ts';
import { highestDemand } from '../../src/cli/simulate/seats.ts';
import { readTrace } from '../../src/cli/simulate/trace.ts';
import { catalogue } from './simulate-given.ts';

const seats = new Map();

function plan(seed: string, users = 300, organisations = 3): readonly PlannedOrganisation[] {
  return planDay({ seed, users, organisations, seats }, catalogue).organisations;
}

describe('a planned day', () => {
  test('follows from its seed', () => {
    expect(plan('monday')).toEqual(plan('monday'));
    expect(plan('monday')).not.toEqual(plan('tuesday'));
  });

  test('has the users asked for, unevenly shared out', () => {
    expect(shareOut(1200, 3)).toEqual([649, 329, 222]);
    expect(shareOut(30, 3)).toEqual([10, 10, 10]);
    const sizes = plan('1', 1000, 7).map(({ users }) => users.length);
    expect(sizes.reduce((sum, size) => sum + size)).toBe(1000);
  });

  test.each(['1', '2', '3', 'x'])('with seed %s is in order, within the day, and of one mind', (seed) => {
    for (const { events, users, from, until } of plan(seed)) {
      const times = events.map(({ at }) => at.getTime());
      expect(times).toEqual(times.toSorted((one, other) => one - other));
      expect(times.every((at) => at >= from.getTime() && at < until.getTime())).toBe(true);
      expect(new Set(users.map(({ username }) => username)).size).toBe(users.length);
      // Two logons of one device at one instant would be answered in an order that nobody knows.
      const logons = events.filter(({ kind }) => kind === 'LOGON').map(keyOf);
      expect(logons.filter((key, index) => logons.indexOf(key) !== index)).toEqual([]);
    }
  });

  test('has everything that a day of a contact centre has', () => {
    const [largest] = plan('1', 1200);
    const kinds = new Set(largest?.events.map(({ kind }) => kind));
    expect([...kinds].sort()).toEqual(
      ['ACQUIRE', 'ACTIVATE', 'CRASH', 'DELETE', 'LOGOFF', 'LOGON', 'RELEASE', 'WAKE'].sort(),
    );
    const devices = new Set(largest?.events.map((event) => ('device' in event ? event.device : '')));
    expect(devices).toContain('deskphone');
  });

  test('asks at lunchtime for more seats than are bought, contingency included', () => {
    for (const { users, events, purchases } of plan('1', 1200)) {
      const demand = highestDemand(users, events, catalogue).get('INBOUND_AGENT') ?? 0;
      const bought = purchases.find(({ licence }) => licence === 'INBOUND_AGENT');
      expect(bought?.contingency).toBeGreaterThan(0);
      expect(bought?.concurrent).toBeLessThan(demand);
      expect((bought?.concurrent ?? 0) + (bought?.contingency ?? 0)).toBeLessThan(demand);
      expect(bought?.base).toBeGreaterThanOrEqual(
        users.filter(({ licences }) => licences.includes('INBOUND_AGENT')).length,
      );
    }
  });

  test('buys the seats that were named', () => {
    const named = new Map([['AGENT_CALLS', { concurrent: 7, contingency: 2 }]]);
    const [first] = planDay(
      { seed: '1', users: 50, organisations: 1, seats: named },
      catalogue,
    ).organisations;
    expect(first?.purchases).toContainEqual({
      licence: 'AGENT_CALLS',
      base: 0,
      concurrent: 7,
      contingency: 2,
    });
  });
});

describe('the highest demand', () => {
  test('counts users, not devices', () => {
    const at = new Date(0);
    const on = { kind: 'LOGON', at, licence: 'SUPERVISOR', features: [], onlyIfLoggedOff: false } as const;
    const events: PlannedEvent[] = [
      { ...on, username: 'ann', device: 'desktop' },
      { ...on, username: 'ann', device: 'deskphone' },
      { ...on, username: 'bob', device: 'desktop' },
      { kind: 'LOGOFF', at, username: 'ann', device: 'desktop' },
      { kind: 'LOGOFF', at, username: 'ann', device: 'deskphone' },
      { ...on, username: 'cat', device: 'desktop' },
    ];
    const users = ['ann', 'bob', 'cat'].map((username) => ({
      username,
      displayName: username,
      status: 'ACTIVE' as const,
      licences: ['SUPERVISOR'],
    }));
    expect(highestDemand(users, events, catalogue).get('SUPERVISOR')).toBe(2);
  });
});

describe('a roster', () => {
  test('is read, with its organisations, names and shifts', () => {
    const roster = readRoster(
      'r.csv',
      '\u{FEFF}username,licences,organisation,shift\n ann ,INBOUND_AGENT;AGENT_CALLS,North,late\nbob,SUPERVISOR,North,\n',
      catalogue,
    );
    expect([...roster]).toEqual([
      [
        'North',
        [
          {
            user: {
              username: 'ann',
              displayName: 'ann',
              status: 'ACTIVE',
              licences: ['INBOUND_AGENT', 'AGENT_CALLS'],
            },
            shift: 'late',
          },
          {
            user: { username: 'bob', displayName: 'bob', status: 'ACTIVE', licences: ['SUPERVISOR'] },
            shift: null,
          },
        ],
      ],
    ]);
  });

  test.each([
    ['username,licences\n\n,SUPERVISOR', /^ {2}line 3: the username is empty$/m],
    ['username,licences\nann,SUPERVISER', /^ {2}line 2: the server's catalogue has no licence "SUPERVISER"/m],
    ['username,licences,shift\nann,SUPERVISOR,noon', /line 2: the shift "noon" is none of night, early/],
    ['username,licences\nann,\nann,', /line 3: ann is on line 2 already/],
    ['username,licences\nann,SUPERVISOR,x', /line 2: 3 fields instead of 2/],
    ['user,licences\nann,', /line 1: the column "username" is missing/],
    ['username,licences', /has no rows below its header/],
    ['', /is empty\. Its first line names the columns/],
    ['username,licences\n"ann,x', /is not a CSV file/],
  ])('such as %j is refused with the line at fault', (text, message) => {
    expect(() => readRoster('r.csv', text, catalogue)).toThrow(message);
  });
});

describe('a trace', () => {
  const roster = readRoster('r.csv', 'username,licences\nann,INBOUND_AGENT AGENT_CALLS\nbob,\n', catalogue);
  const read = (text: string) => readTrace('t.csv', text, roster, seats, catalogue);

  test('becomes logons and logoffs at their own instants', () => {
    const [organisation] = read(
      'username,logon_at,logoff_at,features\nann,2027-03-17T09:00:30+01:00,2027-03-17 10:00Z,\nann,2027-03-17T10:30:00Z,,none\n',
    ).organisations;
    const ann = { username: 'ann', device: 'desktop' };
    const on = { kind: 'LOGON', licence: 'INBOUND_AGENT', onlyIfLoggedOff: false, ...ann };
    expect(organisation?.events).toEqual([
      { ...on, at: new Date('2027-03-17T08:00:30Z'), features: null },
      { kind: 'LOGOFF', at: new Date('2027-03-17T10:00:00Z'), ...ann },
      { ...on, at: new Date('2027-03-17T10:30:00Z'), features: [] },
      { kind: 'CRASH', at: new Date('2027-03-17T10:30:01Z'), ...ann },
    ]);
    expect(organisation?.from).toEqual(new Date('2027-03-17T08:00:00Z'));
    expect(organisation?.until).toEqual(new Date('2027-03-17T12:00:00Z'));
  });

  test.each([
    ['eve,2027-03-17T09:00:00Z,', /line 2: the roster has no user "eve" in "Roster"/],
    ['bob,2027-03-17T09:00:00Z,', /line 2: the licence is empty, and the user has none/],
    ['ann,2027-03-17 09:00,', /line 2: the logon_at "2027-03-17 09:00" is not an instant/],
    ['ann,2027-02-30T09:00:00Z,', /line 2: the logon_at "2027-02-30T09:00:00Z" is not an instant/],
    ['ann,2027-03-17T09:00:00Z,later', /line 2: the logoff_at "later" is not an instant/],
    ['ann,2027-03-17T09:00:00Z,2027-03-17T09:00:00Z', /line 2: the logoff_at is not after the logon_at/],
    [
      'ann,2027-03-17T09:00:00Z,2027-03-17T11:00:00Z\nann,2027-03-17T10:00:00Z,',
      /line 3: ann is logged on with this device since line 2/,
    ],
  ])('with %j is refused with the line at fault', (rows, message) => {
    expect(() => read(`username,logon_at,logoff_at\n${rows}\n`)).toThrow(message);
  });
});

test('the samples can be used', () => {
  const sample = (name: string) =>
    readFileSync(new URL(`../../src/cli/simulate/samples/${name}`, import.meta.url), 'utf8');
  const roster = readRoster('roster.csv', sample('roster.csv'), catalogue);
  expect(planRoster(roster, '1', seats, catalogue).organisations).toHaveLength(2);
  const { organisations } = readTrace('trace.csv', sample('trace.csv'), roster, seats, catalogue);
  expect(organisations.every(({ events }) => events.length > 10)).toBe(true);
});

describe('options', () => {
  test('have defaults', () => {
    const options = readOptions([]);
    expect(options).toMatchObject({ seed: '1', speed: null, organisations: 3, users: 1200, race: false });
    expect(readOptions(['--help'])).toBeNull();
    expect(readOptions(['--speed', '60', '--seats', 'SUPERVISOR=4'])).toMatchObject({
      speed: 60,
      seats: new Map([['SUPERVISOR', { concurrent: 4, contingency: 0 }]]),
    });
  });

  test.each([
    [['--users', '29'], /--users "29" is not a whole number from 30/],
    [['--organisations', '0'], /--organisations "0" is not a whole number from 1/],
    [['--connections', '1.5'], /--connections "1.5"/],
    [['--speed', '0'], /--speed "0" is neither "max" nor a number above 0/],
    [['--seed', 'a b'], /--seed "a b"/],
    [['--url', 'localhost'], /--url "localhost" is not an http or https address/],
    [['--seats', 'calls=3'], /--seats "calls=3" is not a licence and its seats/],
    [['--trace', 't.csv'], /--trace needs --roster/],
    [['--roster', 'r.csv', '--users', '50'], /do not go with --roster/],
    [['--sed', '1'], /Unknown option '--sed'/],
  ])('%j are refused', (args, message) => {
    expect(() => readOptions(args)).toThrow(message);
  });
});

function keyOf(event: PlannedEvent): string {
  return `${event.username} ${'device' in event ? event.device : ''} ${event.at.toISOString()}`;
}
