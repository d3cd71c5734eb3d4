import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase } from '../../src/database/database.ts';
import { closeReport, demandIn, firstLookedAt, patienceMilliseconds } from '../../src/demand/domain.ts';
import { getDemand, readReports } from '../../src/demand/store.ts';
import { plusSeconds } from '../../src/kernel/clock.ts';
import { newId, type OrganisationId } from '../../src/kernel/ids.ts';
import {
  acquisitionsOf,
  count,
  end,
  type Event,
  licence,
  periods,
  refusalsOf,
  start,
  story,
  watch,
} from '../domain/demand-given.ts';
import { dropHistory } from '../setup/given.ts';
import { testDatabase } from '../setup/database.ts';

let database: ReturnType<typeof createDatabase>;
let stop: () => Promise<void>;
beforeAll(async () => {
  const { connection, drop } = await testDatabase();
  database = createDatabase(connection);
  stop = async () => {
    await database.close();
    await drop();
  };
});
afterAll(() => stop());

/** As admission would have written it, in an organisation of its own. */
async function record(events: readonly Event[]): Promise<OrganisationId> {
  const { pool } = database;
  const organisationId = newId<'Organisation'>();
  for (const { kind, at, userId, code, isDue, seatChanged, inUse } of events) {
    if (kind === 'REFUSED') {
      const denial = [organisationId, newId(), userId, licence, code, at];
      await pool.query('insert into denial values ($1, $2, $3, $4, $5, $6)', denial);
      continue;
    }
    await pool.query(
      `insert into history (organisation_id, at, kind, licence, user_id, session_id, admitted_as, seat_changed,
         in_use, concurrent_total, contingency_total, max_used, due)
       values ($1, $2, $3, $4, $5, gen_random_uuid(), 'CONCURRENT', $6, $7, 9, 0, 0, $8)`,
      [organisationId, at, kind, licence, userId, seatChanged, inUse, isDue],
    );
  }
  return organisationId;
}

test('C2, T3: what is read of refusals and history is what happened', async () => {
  const [from, now] = [plusSeconds(start, 600), plusSeconds(start, 26 * 3600)];
  await fc.assert(
    fc.asyncProperty(story, async (events) => {
      const organisationId = await record(events);
      const { db } = database;
      const happened = watch(events);
      const demands = [];
      for (const period of periods) demands.push(await getDemand(db, organisationId, licence, period, 1000));
      expect(demands).toEqual(happened);
      for (const [index, period] of periods.entries()) {
        const { refusals = 0 } = happened[index] ?? {};
        if (refusals === 0) continue;
        expect(await getDemand(db, organisationId, licence, period, refusals)).not.toBeNull();
        expect(await getDemand(db, organisationId, licence, period, refusals - 1)).toBeNull();
      }

      const period = { from, until: end };
      const [report] =
        (await readReports(db, [{ organisationId, timeZone: 'Europe/London' }], null, period)) ?? [];
      if (report === undefined) throw new Error('These are few');
      const refusals = refusalsOf(events).filter(({ at }) => at < end.getTime());
      const figures = closeReport(report, now, new Map()).map(({ unmetDemandAt: _, ...rest }) => rest);
      expect(figures).toEqual(count(refusals, acquisitionsOf(events), from, now));

      // The second month needs nothing that was long before it but what was in use then.
      const [, second] = periods;
      await dropHistory(
        database,
        organisationId,
        plusSeconds(second.from, -patienceMilliseconds / 1000).toISOString(),
      );
      expect(await getDemand(db, organisationId, licence, second, 1000)).toEqual(happened[1]);
    }),
    { numRuns: 25 },
  );
});

test('a month’s demand is the same read a week at a time: also of who gets in across the end of one', async () => {
  const period = { from: start, until: plusSeconds(start, 20 * 86_400) };
  const week = plusSeconds(firstLookedAt(period), 7 * 86_400);
  const [ada, ben] = [newId<'User'>(), newId<'User'>()];
  const common = { code: 'NO_SEAT_AVAILABLE', isDue: false, seatChanged: true, inUse: 0 };
  const refused = [
    { ...common, kind: 'REFUSED' as const, at: plusSeconds(week, -300), userId: ada },
    { ...common, kind: 'REFUSED' as const, at: week, userId: ben },
  ];
  const taken = { ...common, kind: 'ACQUIRED' as const, at: plusSeconds(week, 60), userId: ada, inUse: 1 };
  const organisationId = await record([...refused, taken]);
  const expected = demandIn(
    period,
    0,
    refused.map(({ at, userId }) => ({ at: at.getTime(), userId })),
    [{ at: taken.at.getTime(), inUse: 1, takerId: ada }],
  );
  expect(expected).toMatchObject({ maxUnmet: 2, maxWanted: 2, refusals: 2 });
  const { db } = database;
  expect(await getDemand(db, organisationId, licence, period, 2)).toEqual(expected);
  expect(await getDemand(db, organisationId, licence, period, 1)).toBeNull();
});

test('a report reads its time and no more, by the index of the newest denials', async () => {
  const organisationId = newId<'Organisation'>();
  const { db, pool } = database;
  await pool.query(
    `insert into denial select $1, gen_random_uuid(), gen_random_uuid(), $2, 'NO_SEAT_AVAILABLE',
       timestamptz '2026-01-01' + n * interval '1 hour' from generate_series(0, 8000) n`,
    [organisationId, licence],
  );
  await pool.query('analyze denial');
  const period = { from: plusSeconds(start, -86_400), until: start };
  const [report] = (await readReports(db, [{ organisationId, timeZone: 'UTC' }], [licence], period)) ?? [];
  const [denials] = report === undefined ? [] : closeReport(report, end, new Map());
  expect(denials).toMatchObject({ denials: 24, users: 24, unmetDemand: 1, unmetDemandAt: period.from });
  const { rows: plan } = await pool.query(
    `explain select licence, user_id, code, at from denial
     where organisation_id = '${organisationId}' and at >= greatest(timestamptz '2026-03-01', '2026-03-02')
       and at < least(timestamptz '2026-03-08', '2026-03-07') limit 1000001`,
  );
  expect(JSON.stringify(plan)).toMatch(/denial_newest.*Index Cond: [^"]*at >= [^"]*at < /);
});
