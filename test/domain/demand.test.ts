import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addToReport,
  closeReport,
  decideReport,
  demandIn,
  type Moment,
  patienceMilliseconds,
  openReport,
  zoneOffsets,
} from '../../src/demand/domain.ts';
import { plusSeconds } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import {
  acquisitionsOf,
  count,
  end,
  isForWantOfSeats,
  licence,
  periods,
  refusalsOf,
  start,
  story,
  watch,
} from './demand-given.ts';
import { at } from './given.ts';

const [ada, grace, joan] = [newId<'User'>(), newId<'User'>(), newId<'User'>()];
const moment = (userId: typeof ada, time: string) => ({
  userId,
  at: at(`2026-03-02T${time}.000Z`).getTime(),
});

function unmetDemand(refusals: readonly Moment[], acquisitions: readonly Moment[]): number {
  const report = openReport({ from: at('2026-03-02'), until: at('2026-03-03') }, 'UTC');
  const inOrder = refusals.toSorted((one, other) => one.at - other.at);
  addToReport(
    report,
    inOrder.map((refusal) => ({ ...refusal, licence, code: 'NO_SEAT_AVAILABLE' })),
    acquisitions.map((acquisition) => ({ ...acquisition, licence })),
  );
  return closeReport(report, at('2026-03-09'), new Map())[0]?.unmetDemand ?? 0;
}

describe('unmet demand: the most users that want a seat in vain at one instant', () => {
  const refusals = [moment(ada, '09:00:00'), moment(grace, '09:10:00'), moment(joan, '09:20:00')];

  test('a refused user wants a seat for 15 minutes, and then no longer', () => {
    expect(unmetDemand(refusals, [])).toBe(2);
    expect(unmetDemand([moment(ada, '09:00:00'), moment(grace, '09:15:00')], [])).toBe(1);
  });

  test('who is refused again goes on wanting, and counts once', () => {
    expect(unmetDemand([...refusals, moment(ada, '09:08:00')], [])).toBe(3);
    expect(unmetDemand([moment(ada, '09:00:00'), moment(ada, '09:01:00')], [])).toBe(1);
  });

  test('who gets in wants none any more, another’s getting in changes nothing', () => {
    expect(unmetDemand(refusals, [moment(ada, '09:09:59'), moment(grace, '09:19:59')])).toBe(1);
    expect(unmetDemand(refusals, [moment(joan, '09:05:00')])).toBe(2);
  });

  test('at one instant a refusal counts before the seats that are taken', () => {
    expect(unmetDemand(refusals, [moment(grace, '09:20:00')])).toBe(2);
    expect(unmetDemand([moment(ada, '09:00:00')], [moment(ada, '09:00:00')])).toBe(1);
  });
});

test('a report is what one counts by its words, whatever stretches of time it is added up from', () => {
  const [from, now] = [plusSeconds(start, 600), plusSeconds(start, 26 * 3600)];
  fc.assert(
    fc.property(story, fc.nat(600), (events, minutes) => {
      const refusals = refusalsOf(events).filter((refusal) => refusal.at < end.getTime());
      const acquisitions = acquisitionsOf(events);
      const report = openReport({ from, until: end }, 'Europe/London');
      const split = plusSeconds(start, minutes * 60).getTime();
      const earlier = (each: Moment) => each.at < split;
      const later = (each: Moment) => each.at >= split;
      addToReport(report, refusals.filter(earlier), acquisitions.filter(earlier));
      addToReport(report, refusals.filter(later), acquisitions.filter(later));
      const figures = closeReport(report, now, new Map()).map(({ unmetDemandAt: _, ...rest }) => rest);
      expect(figures).toEqual(count(refusals, acquisitions, from, now));
    }),
  );
});

test('C2, T3: the seats wanted in a month are what one sees who sits beside it', () => {
  fc.assert(
    fc.property(story, (events) => {
      const demands = periods.map((period) => {
        const isBefore = (event: (typeof events)[number]) =>
          event.at < period.from || (event.isDue && event.at.getTime() === period.from.getTime());
        const opening = events.findLast((event) => event.kind !== 'REFUSED' && isBefore(event))?.inUse ?? 0;
        return demandIn(
          period,
          opening,
          refusalsOf(
            events.filter(
              (event) =>
                isForWantOfSeats(event) &&
                event.at >= plusSeconds(period.from, -patienceMilliseconds / 1000) &&
                event.at < period.until,
            ),
          ),
          events
            .filter(({ kind, at }) => kind !== 'REFUSED' && at < period.until)
            .filter((event) => event.kind === 'ACQUIRED' || !isBefore(event))
            .map((event) => ({
              at: event.at.getTime(),
              inUse: event.inUse,
              takerId: event.kind === 'ACQUIRED' ? event.userId : null,
            })),
        );
      });
      expect(demands).toEqual(watch(events));
    }),
  );
});

test('T1: a zone’s clocks over a period: an hour before UTC in summer, and back', () => {
  const year = { from: at('2026-01-01'), until: at('2027-01-01') };
  const hour = 3_600_000;
  expect(zoneOffsets(year, 'UTC')).toEqual([{ ...year, offsetMilliseconds: 0 }]);
  expect(zoneOffsets(year, 'Europe/London')).toEqual([
    { from: year.from, until: at('2026-03-29T01:00:00.000Z'), offsetMilliseconds: 0 },
    { from: at('2026-03-29T01:00:00.000Z'), until: at('2026-10-25T01:00:00.000Z'), offsetMilliseconds: hour },
    { from: at('2026-10-25T01:00:00.000Z'), until: year.until, offsetMilliseconds: 0 },
  ]);
  const night = { from: at('2026-07-01'), until: at('2026-07-02') };
  expect(zoneOffsets(night, 'Asia/Kathmandu')).toEqual([{ ...night, offsetMilliseconds: 5.75 * hour }]);
});

test('nobody is told to want a seat in a time that is to come', () => {
  const period = { from: plusSeconds(start, 300), until: plusSeconds(start, 600) };
  const report = openReport(period, 'UTC');
  const refusal = { licence, code: 'NO_SEAT_AVAILABLE', userId: newId<'User'>(), at: start.getTime() };
  addToReport(report, [refusal], []);
  expect(closeReport(report, plusSeconds(start, 299), new Map())).toEqual([]);
  expect(closeReport(report, period.from, new Map())).toMatchObject([{ denials: 0, unmetDemand: 1 }]);
});

test('a report is over a year at most, and ends after it begins', () => {
  const from = at('2024-01-01');
  expect(decideReport({ from, until: at('2025-01-01') })).toBeNull();
  expect(decideReport({ from, until: at('2025-01-02') })).toMatchObject({ field: 'until' });
  expect(decideReport({ from, until: from })).toMatchObject({ field: 'until' });
});
