import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { expect, test } from 'vitest';
import { type Bucket, stretches } from '../../src/web/usage/buckets.ts';
import { zoneOf } from '../../src/web/shell/zone.ts';

test('the pages find the first instant of a day as Temporal does, also where midnight is missing or comes twice', () => {
  const odd = ['Europe/London', 'America/Sao_Paulo', 'Asia/Beirut', 'Australia/Lord_Howe', 'Asia/Kathmandu'];
  fc.assert(
    fc.property(
      fc.constantFrom(...odd),
      fc.date({ min: new Date('2015-01-01'), max: new Date('2035-01-01'), noInvalidDate: true }),
      (timeZone, at) => {
        const day = Temporal.Instant.from(at.toISOString()).toZonedDateTimeISO(timeZone);
        const { epochMilliseconds } = day.startOfDay();
        expect(Date.parse(zoneOf(timeZone).startOfDay(at.toISOString()))).toBe(epochMilliseconds);
      },
    ),
    { numRuns: 60 },
  );
  // In São Paulo the clocks went from 00:00 to 01:00.
  expect(zoneOf('America/Sao_Paulo').startOfDay('2018-11-04T12:00:00Z')).toBe('2018-11-04T03:00:00.000Z');
});

test('a period’s last day is the one before its end', () => {
  expect(zoneOf('Europe/London').lastDay('2026-03-31T23:00:00.000Z')).toBe('31 Mar 2026');
});

test('a time that comes twice is told with its offset, and no other', () => {
  const { minute, moment, second } = zoneOf('Europe/Berlin');
  expect(['2026-10-24T23:55:00Z', '2026-10-25T00:30:00Z', '2026-10-25T01:30:00Z'].map(minute)).toEqual([
    '01:55',
    '02:30 CEST',
    '02:30 CET',
  ]);
  expect(second('2026-10-25T01:59:59.999Z')).toBe('02:59:59 CET');
  expect(moment('2026-10-25T02:00:00Z')).toBe('25 Oct 2026, 03:00');
  expect(minute('2026-03-29T01:00:00Z')).toBe('03:00');
  const { minute: howe } = zoneOf('Australia/Lord_Howe');
  expect(['2026-04-04T14:45:00Z', '2026-04-04T15:15:00Z', '2026-04-04T15:30:00Z'].map(howe)).toEqual([
    '01:45 GMT+11',
    '01:45 GMT+10:30',
    '02:00',
  ]);
});

const minutes5 = 300_000;
/** Of a day: the labels of the table's lines, and how many minutes each has. */
function linesOf(timeZone: string, noon: string): readonly (readonly [label: string, minutes: number])[] {
  const zone = zoneOf(timeZone);
  const [from, until] = [zone.startOfDay(noon), zone.nextDay(noon)];
  const none = { minimum: 0, maximum: 0, mean: 0, total: 0 };
  const buckets: Bucket[] = [];
  for (let at = Date.parse(from); at < Date.parse(until); at += minutes5) {
    const span = { from: new Date(at).toISOString(), until: new Date(at + minutes5).toISOString() };
    buckets.push({ ...span, concurrent: none, contingency: none, denials: 1 });
  }
  const span = { by: 'day', from, until, bucket: 'MINUTE_5', isRunning: false } as const;
  const told = stretches(buckets, { ...span, before: '', after: null, period: null }, zone);
  return told.map(({ label, denials }) => [label, denials * 5] as const);
}

test.each([
  [
    'Europe/Berlin',
    '2026-03-29',
    23,
    [
      ['01:00', 60],
      ['03:00', 60],
    ],
  ],
  [
    'Europe/Berlin',
    '2026-10-25',
    25,
    [
      ['01:00', 60],
      ['02:00 CEST', 60],
      ['02:00 CET', 60],
      ['03:00', 60],
    ],
  ],
  [
    'America/St_Johns',
    '2026-06-01',
    24,
    [
      ['01:00', 60],
      ['02:00', 60],
    ],
  ],
  [
    'America/St_Johns',
    '2026-11-01',
    25,
    [
      ['00:00', 60],
      ['01:00 GMT-2:30', 60],
      ['01:00 GMT-3:30', 60],
    ],
  ],
  [
    'Asia/Kathmandu',
    '2026-06-01',
    24,
    [
      ['00:00', 60],
      ['01:00', 60],
    ],
  ],
  [
    'Australia/Lord_Howe',
    '2026-10-04',
    24,
    [
      ['01:00', 60],
      ['02:30', 30],
      ['03:00', 60],
    ],
  ],
  [
    'Australia/Lord_Howe',
    '2026-04-05',
    24,
    [
      ['00:00', 60],
      ['01:00', 90],
      ['02:00', 60],
    ],
  ],
  [
    'Pacific/Apia',
    '2026-06-01',
    24,
    [
      ['00:00', 60],
      ['01:00', 60],
    ],
  ],
] as const)('the hours of a day are those of %s on %s', (timeZone, date, count, some) => {
  const lines = linesOf(timeZone, zoneOf(timeZone).startOfDate(date) ?? '');
  expect(lines).toHaveLength(count);
  const at = lines.findIndex(([label]) => label === some[0][0]);
  expect(lines.slice(at, at + some.length)).toEqual(some);
});
