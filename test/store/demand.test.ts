import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase } from '../../src/database/database.ts';
import {
  type Moment,
  patienceMilliseconds,
  returnMilliseconds,
  unmetDemand,
  wantsOfSeats,
  zoneOffsets,
} from '../../src/demand/domain.ts';
import { listDemand, reportDenials } from '../../src/demand/store.ts';
import { instant, type Instant, plusSeconds } from '../../src/kernel/clock.ts';
import { type LicenceCode, newId, type OrganisationId, type SessionId } from '../../src/kernel/ids.ts';
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

const licence = 'SUPERVISOR' as LicenceCode;
const users = Array.from({ length: 4 }, () => newId<'User'>());
const start = instant('2026-03-29T00:00:00.000Z');
/** Two short periods, after a time before them that they must not count. */
const edges = [0, 180, 360].map((minutes) => plusSeconds(start, (30 + minutes) * 60));
const [first = start, middle = start, last = start] = edges;
const periods = [
  { from: first, until: middle },
  { from: middle, until: last },
];

interface Event extends Moment {
  readonly kind: 'ACQUIRED' | 'RELEASED' | 'REFUSED';
  readonly code: string | null;
  /** Of a lease that ended: before all that is asked at its instant (T3). */
  readonly isDue: boolean;
  readonly seatChanged: boolean;
  readonly inUse: number;
}

/** Minutes that pass, who, and what: often several things at one instant, and often on a period's edge or 15 minutes later. */
const story = fc
  .array(
    fc.record({
      minutes: fc.constantFrom(0, 0, 0, 5, 10, 15, 30),
      user: fc.nat(users.length - 1),
      what: fc.constantFrom('TAKE', 'FREE', 'LAPSE', 'REFUSE', 'REFUSE'),
      code: fc.constantFrom(...wantsOfSeats, 'USER_NOT_ACTIVE'),
    }),
    { maxLength: 50 },
  )
  .map((steps) => {
    const holding = new Set<string>();
    const events: Event[] = [];
    let at = start;
    for (const { minutes, user, what, code } of steps) {
      at = plusSeconds(at, minutes * 60);
      const userId = users[user] ?? newId();
      const common = { userId, at, code: null, isDue: false, seatChanged: true };
      if (what === 'REFUSE') events.push({ ...common, kind: 'REFUSED', code, inUse: holding.size });
      else if (what === 'TAKE') {
        const seatChanged = !holding.has(userId);
        holding.add(userId);
        events.push({ ...common, kind: 'ACQUIRED', seatChanged, inUse: holding.size });
      } else if (holding.delete(userId)) {
        const isDue = what === 'LAPSE' && events.at(-1)?.at.getTime() !== at.getTime();
        events.push({ ...common, kind: 'RELEASED', isDue, inUse: holding.size });
      }
    }
    return events;
  });

async function record(events: readonly Event[]): Promise<OrganisationId> {
  const { pool } = database;
  const organisationId = newId<'Organisation'>();
  for (const { kind, at, userId, code, isDue, seatChanged, inUse } of events) {
    if (kind === 'REFUSED') {
      await pool.query('insert into denial values ($1, $2, $3, $4, $5, $6)', [
        organisationId,
        newId(),
        userId,
        licence,
        code,
        at,
      ]);
      continue;
    }
    const sessionId = newId<'Session'>();
    if (isDue) await recordLapsed(organisationId, sessionId, userId, at);
    await pool.query(
      `insert into history (organisation_id, at, kind, licence, user_id, session_id, admitted_as, seat_changed,
         in_use, concurrent_total, contingency_total, max_used)
       values ($1, $2, $3, $4, $5, $6, 'CONCURRENT', $7, $8, 9, 0, 0)`,
      [organisationId, at, kind, licence, userId, sessionId, seatChanged, inUse],
    );
  }
  return organisationId;
}

async function recordLapsed(organisationId: OrganisationId, id: SessionId, userId: string, at: Instant) {
  await database.pool.query(
    `insert into session (organisation_id, id, user_id, licence, device, admitted_as, started_at, expires_at,
       ended_at, end_reason, version)
     values ($1, $2, $3, $4, 'desk', 'CONCURRENT', $5, $6, $6, 'LEASE_EXPIRED', 1)`,
    [organisationId, id, userId, licence, plusSeconds(at, -60), at],
  );
}

/** As if one had sat beside it: instant by instant, who wants a seat, and how many are in use. */
function watch(events: readonly Event[]) {
  const wanting = new Map<string, number>();
  const months = periods.map(() => ({
    maxInUse: 0,
    maxUnmet: 0,
    maxWanted: 0,
    levels: new Map<number, { milliseconds: number; arrivals: number }>(),
  }));
  let month = -1;
  let inUse = 0;
  const note = (milliseconds: number, arrivals: number) => {
    const present = months[month];
    if (present === undefined) return;
    const wanted = inUse + wanting.size;
    present.maxInUse = Math.max(present.maxInUse, inUse);
    present.maxUnmet = Math.max(present.maxUnmet, wanting.size);
    present.maxWanted = Math.max(present.maxWanted, wanted);
    const level = present.levels.get(wanted) ?? { milliseconds: 0, arrivals: 0 };
    present.levels.set(wanted, {
      milliseconds: level.milliseconds + milliseconds,
      arrivals: level.arrivals + arrivals,
    });
  };
  const isWant = ({ code }: Event) => code !== null && wantsOfSeats.includes(code);
  const minute = 60_000;
  for (let at = start.getTime(); at < last.getTime(); at += minute) {
    const now = events.filter((event) => event.at.getTime() === at);
    for (const [user, refused] of wanting) if (refused + patienceMilliseconds <= at) wanting.delete(user);
    const isDue = (event: Event) => event.isDue && edges.some((edge) => edge.getTime() === at);
    for (const due of now.filter(isDue)) inUse = due.inUse;
    if (edges.some((edge) => edge.getTime() === at)) month += 1;
    note(0, 0);
    for (const event of now.filter(isWant)) {
      const isNew = !wanting.has(event.userId);
      wanting.set(event.userId, at);
      if (isNew) note(0, 1);
    }
    for (const event of now.filter((each) => each.kind !== 'REFUSED' && !isDue(each))) {
      const gotIn = event.kind === 'ACQUIRED' && wanting.delete(event.userId);
      const isMore = event.inUse > inUse;
      inUse = event.inUse;
      note(0, isMore && !gotIn ? 1 : 0);
    }
    note(minute, 0);
  }
  return months.map(({ levels, ...most }, index) => ({
    ...periods[index],
    ...most,
    levels: [...levels]
      .map(([seats, level]) => ({ seats, ...level }))
      .filter(({ milliseconds, arrivals }) => milliseconds > 0 || arrivals > 0)
      .toSorted((one, other) => one.seats - other.seats),
  }));
}

test('the seats wanted, by month: what history has in SQL is what one would have seen', async () => {
  await fc.assert(
    fc.asyncProperty(story, async (events) => {
      const organisationId = await record(events);
      const demand = await listDemand(database.db, organisationId, licence, periods);
      // A number that was wanted between two requests of one instant is a level too; the watcher leaves it out.
      const shown = demand.map(({ levels, ...month }) => ({
        ...month,
        levels: levels.filter(({ milliseconds, arrivals }) => milliseconds > 0 || arrivals > 0),
      }));
      expect(shown).toEqual(watch(events));
    }),
    { numRuns: 40 },
  );
});

test('refusals: what is reported is what one would have counted, unmet demand as it is defined', async () => {
  const now = plusSeconds(start, 30 * 3600);
  await fc.assert(
    fc.asyncProperty(story, async (events) => {
      const organisationId = await record(events);
      const period = { from: start, until: last };
      const zone = zoneOffsets(period, 'Europe/London');
      const report = (await reportDenials(database.db, organisationId, null, period, zone, now)) ?? [];
      const refusals = events.filter(({ kind, at }) => kind === 'REFUSED' && at < last);
      const acquisitions = events.filter(({ kind }) => kind === 'ACQUIRED');
      const wanted = refusals.filter(({ code }) => wantsOfSeats.includes(code ?? ''));
      expect(report.map((each) => [each.licence, each.denials, each.users, each.unmetDemand])).toEqual(
        refusals.length === 0
          ? []
          : [
              [
                licence,
                refusals.length,
                new Set(refusals.map(({ userId }) => userId)).size,
                unmetDemand(wanted, acquisitions),
              ],
            ],
      );
      for (const reason of report[0]?.reasons ?? []) {
        const own = refusals.filter(({ code }) => code === reason.code);
        const waits = own
          .map(({ userId, at }) => acquisitions.find((each) => each.userId === userId && each.at >= at))
          .map((found, index) => (found?.at.getTime() ?? Infinity) - (own[index]?.at.getTime() ?? 0))
          .filter((wait) => wait <= returnMilliseconds)
          .toSorted((one, other) => one - other);
        const never = own.filter(
          ({ userId, at }) =>
            !acquisitions.some((each) => each.userId === userId && each.at >= at) &&
            at.getTime() + returnMilliseconds <= now.getTime(),
        );
        expect(reason).toMatchObject({
          denials: own.length,
          users: new Set(own.map(({ userId }) => userId)).size,
          gotIn: waits.length,
          medianMilliseconds: waits[Math.ceil(waits.length * 0.5) - 1] ?? null,
          ninetiethPercentileMilliseconds: waits[Math.ceil(waits.length * 0.9) - 1] ?? null,
          neverGotIn: never.length,
          waiting: own.length - waits.length - never.length,
        });
      }
    }),
    { numRuns: 40 },
  );
});
