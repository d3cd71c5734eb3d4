import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase, type Database } from '../../src/database/database.ts';
import { within } from '../../src/database/wall.ts';
import { newId, type OrganisationId, type UserId } from '../../src/kernel/ids.ts';
import { evidenceOf, explainPeak, noSeats, readEvidence } from '../../src/peak/domain.ts';
import { findMoment, listLevels, pagePeakHolders, readPeak } from '../../src/peak/store.ts';
import { courseOf, licence, type Life, live, steps } from '../domain/peak-given.ts';
import { testDatabase } from '../setup/database.ts';

let owner: pg.Client;
let db: Database;
let close: () => Promise<void>;
beforeAll(async () => {
  const { connection, runtime, drop } = await testDatabase();
  owner = new pg.Client(connection);
  await owner.connect();
  // A life is its history: neither its organisation nor its users need be there.
  await owner.query('set session_replication_role = replica');
  const database = createDatabase(runtime);
  db = within(database.db, 'ALL');
  close = async () => {
    await database.close();
    await owner.end();
    await drop();
  };
});
afterAll(() => close());

async function record({ history, holding }: Life): Promise<OrganisationId> {
  const organisationId = newId<'Organisation'>();
  const rows = history.map(({ seat, ...entry }) => ({ ...entry, ...seat }));
  await owner.query(
    `insert into history (organisation_id, at, kind, licence, user_id, session_id, admitted_as, seat_changed, in_use,
       concurrent_total, contingency_total, max_used, due)
     select $1, at, kind, licence, "userId", "sessionId", "admittedAs", "seatChanged", "inUse",
       "concurrentTotal", "contingencyTotal", "maxUsed", due
     from jsonb_to_recordset($2) line (id int, at timestamptz, kind history_kind, licence text, "userId" uuid, "sessionId" uuid,
       "admittedAs" admitted_as, "seatChanged" boolean, "inUse" int, "concurrentTotal" int, "contingencyTotal" int, "maxUsed" int, due boolean)
     order by line.id`,
    [organisationId, JSON.stringify(rows)],
  );
  await owner.query(`insert into hold select $1, unnest($2::uuid[]), $3, 'CONCURRENT', now()`, [
    organisationId,
    [...holding],
    licence,
  ]);
  return organisationId;
}

test('C2: what PostgreSQL explains is what the specification does, and those held seats that the history says', async () => {
  let people = 0;
  await fc.assert(
    fc.asyncProperty(steps, async (plan) => {
      const life = live(plan);
      const organisationId = await record(life);
      const { rows } = await owner.query<{ first: number }>(
        'select coalesce(min(id), 1)::int as first from history where organisation_id = $1',
        [organisationId],
      );
      // Numbers go on from one life to the next.
      const numbered = (id: number | null) => (id === null ? null : id + (rows[0]?.first ?? 1) - 1);
      const levels = await listLevels(
        db,
        life.periods.map(({ from, until }) => ({ organisationId, licence, from, until, now: life.now })),
      );
      for (const [index, { maxUsed, maxUsedAt, ...period }] of life.periods.entries()) {
        const { before, changes, explained } = courseOf(life, period);
        const { causeId, ...expected } = explainPeak(before ?? noSeats, changes, explained);
        const peak = await readPeak(db, organisationId, licence, period, life.now);
        if (peak === null) throw new Error('Nothing was dropped');
        expect(peak).toMatchObject(expected);
        expect(peak).toMatchObject({ maxUsed, maxUsedAt });
        expect(peak.causeId).toBe(numbered(causeId));
        expect(levels[index]).toEqual(expected.levels);
        // In however many pieces it is read.
        expect(await readPeak(db, organisationId, licence, period, life.now, 1)).toEqual(peak);
        const evidence = evidenceOf(organisationId, peak);
        expect(JSON.parse(JSON.stringify(evidence))).toEqual(evidence);
        expect(peak).toMatchObject(readEvidence(evidence));
        if (peak.moment === null) continue;

        const held = new Set<UserId>();
        for (const { id, at, seat, seatChanged, kind } of life.history) {
          const isBefore =
            at < peak.moment.at ||
            (at.getTime() === peak.moment.at.getTime() &&
              (peak.moment.beforeId === null || (numbered(id) ?? 0) < peak.moment.beforeId));
          if (!isBefore || seat === null || !seatChanged) continue;
          if (kind === 'ACQUIRED') held.add(seat.userId);
          else held.delete(seat.userId);
        }
        expect(await findMoment(db, organisationId, licence, period.from, peak)).toEqual(peak.moment);
        const holders = await pagePeakHolders(
          db,
          organisationId,
          { ...peak, from: period.from },
          {
            limit: 100,
            backward: false,
            beyond: null,
          },
        );
        expect(holders.map(({ userId }) => userId)).toEqual([...held].toSorted());
        expect(held.size).toBe(peak.inUse);
        if (peak.cause === 'ACQUIRED') expect(held).toContain(peak.seat?.userId);
        people += holders.filter(({ since }) => since === null).length;
      }
    }),
    { numRuns: 60 },
  );
  // Some of them have held their seats since before the period.
  expect(people).toBeGreaterThan(0);
});

test('C2: of a period of which changes were dropped neither a peak nor levels are told', async () => {
  const life = live([
    { kind: 'LOGON', user: 0 },
    { kind: 'PASS', seconds: 30 },
    { kind: 'LOGON', user: 1 },
  ]);
  const organisationId = await record(life);
  const period = life.periods[0];
  if (period === undefined) throw new Error('A life has a period');
  const asked = { organisationId, licence, from: period.from, until: period.until, now: life.now };
  const tell = () =>
    Promise.all([readPeak(db, organisationId, licence, period, life.now), listLevels(db, [asked])]);

  expect(await tell()).toMatchObject([
    { maxUsed: 2 },
    [
      [
        { level: 1, milliseconds: 30_000 },
        { level: 2, milliseconds: 0 },
      ],
    ],
  ]);
  await owner.query(
    `with dropped as (delete from history where organisation_id = $1 and at < $2 returning *)
     insert into history_opening (organisation_id, licence, id, at, in_use, concurrent_total, contingency_total, max_used)
     select organisation_id, licence, id, at, in_use, concurrent_total, contingency_total, max_used from dropped
     order by id desc limit 1`,
    [organisationId, life.now],
  );
  expect(await tell()).toEqual([null, [null]]);
});
