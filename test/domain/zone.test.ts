import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { expect, test } from 'vitest';
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
