import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase, type Database } from '../../src/database/database.ts';
import { within } from '../../src/database/wall.ts';
import { type Instant, systemClock } from '../../src/kernel/clock.ts';
import { type LicenceCode, newId, type OrganisationId } from '../../src/kernel/ids.ts';
import { keepHistoryMonths, rollUpHistory } from '../../src/usage-history/commands.ts';
import type { Bucket } from '../../src/usage-history/domain.ts';
import { dropHistoryMonths, listBuckets } from '../../src/usage-history/store.ts';
import { surveyOrganisation } from '../../src/verification/commands.ts';
import { type Course, course, edgesWithin, reckonAll } from '../domain/usage-history-given.ts';
import { testDatabase } from '../setup/database.ts';

let owner: pg.Pool;
let db: Database;
let services: Parameters<typeof keepHistoryMonths>[0];
let stop: () => Promise<void>;
beforeAll(async () => {
  const made = await testDatabase();
  owner = new pg.Pool({ ...made.connection, max: 2 });
  const database = createDatabase({ ...made.runtime, max: 4 });
  db = within(database.db, 'ALL');
  services = { db, clock: systemClock, log: { error() {}, warn() {}, info() {}, debug() {} } };
  stop = async () => {
    await database.close();
    await owner.end();
    await made.drop();
  };
});
afterAll(() => stop());

const licence = 'SUPERVISOR' as LicenceCode;

async function createOrganisation(): Promise<OrganisationId> {
  const id = newId<'Organisation'>();
  await owner.query(
    `insert into organisation (id, name, time_zone, lease_seconds, test_clock, settled_at, next_due_at, period_month,
       period_from, period_until, active_users, active_in_billing_period, revision, rows_revision, created_at)
     values ($1, 'Given', 'UTC', 90, true, '2026-03-01', '2030-01-01', 24314, '2026-03-01', '2030-01-01', 0, 0, 1, 1, now())`,
    [id],
  );
  await owner.query(
    `insert into "user" (organisation_id, id, username, display_name, status, created_at) values ($1, $1, 'ada', 'Ada', 'ACTIVE', now())`,
    [id],
  );
  await owner.query(`insert into pool select $1, unnest($2::text[]), 0, 0, 0, 0, 0, null, 0, 0, 0, 0, 0, 1`, [
    id,
    [licence, 'AGENT_CALLS'],
  ]);
  return id;
}

/** As the ledger writes it; beside it another licence, which is not asked for. */
async function record(
  id: OrganisationId,
  { changes, denials }: Course,
  settledAt: Instant,
  recordedAt: Instant | null = null,
): Promise<void> {
  for (const code of [licence, 'AGENT_CALLS']) {
    await owner.query(
      `insert into history (organisation_id, at, kind, licence, seat_changed, in_use, concurrent_total, contingency_total, max_used, due, recorded_at)
       select $1, at, 'TOTALS_CHANGED', $2, false, in_use, concurrent, contingency, 0, due, coalesce($8, clock_timestamp())
       from unnest($3::timestamptz[], $4::int[], $5::int[], $6::int[], $7::bool[]) as given(at, in_use, concurrent, contingency, due)`,
      [
        ...[id, code, changes.map(({ at }) => at), changes.map(({ inUse }) => inUse)],
        ...[changes.map(({ concurrentTotal }) => concurrentTotal)],
        ...[
          changes.map(({ contingencyTotal }) => contingencyTotal),
          changes.map(({ due }) => due),
          recordedAt,
        ],
      ],
    );
    await owner.query(
      `insert into denial select $1, gen_random_uuid(), $1, $2, 'NO_SEAT_AVAILABLE', at
       from unnest($3::timestamptz[], $4::int[]) as given(at, times), generate_series(1, times)`,
      [id, code, denials.map(({ at }) => at), denials.map(({ denials: times }) => times)],
    );
  }
  await owner.query('update organisation set settled_at = $2 where id = $1', [id, settledAt]);
}

const rounded = (buckets: readonly Bucket[]) =>
  buckets.map(({ inUse, concurrent, contingency, ...rest }) => ({
    ...rest,
    seats: [inUse, concurrent, contingency].map((seats) => ({
      ...seats,
      mean: Math.round(seats.mean * 1e9) / 1e9,
    })),
  }));

/** What a course was up to an instant, and what came then. */
function split({ changes, denials }: Course, at: Instant): readonly [Course, Course] {
  return [
    { changes: changes.filter((each) => each.at < at), denials: denials.filter((each) => each.at < at) },
    { changes: changes.filter((each) => each.at >= at), denials: denials.filter((each) => each.at >= at) },
  ];
}

test('buckets are what the rows come to: by what is summed up, by what is not yet, and by what is dropped', async () => {
  const cases = course.chain((of) =>
    fc.record({ of: fc.constant(of), edges: edgesWithin(of), cut: fc.nat(of.changes.length) }),
  );
  let asked = 0;
  await fc.assert(
    fc.asyncProperty(cases, async ({ of, edges, cut }) => {
      const id = await createOrganisation();
      const at = of.changes[cut]?.at ?? new Date('2026-05-01');
      const [first, rest] = split(of, at);
      await record(id, first, at);
      await rollUpHistory(services);
      await record(id, rest, new Date('2026-05-01'));
      const wanted = rounded(reckonAll(of, edges));
      expect(rounded(await listBuckets(db, id, licence, edges))).toEqual(wanted);
      await rollUpHistory(services);
      expect(rounded(await listBuckets(db, id, licence, edges))).toEqual(wanted);
      // Once is enough.
      await rollUpHistory(services);
      expect(rounded(await listBuckets(db, id, licence, edges))).toEqual(wanted);
      const { findings } = await surveyOrganisation(db, id);
      expect(findings.filter(({ check }) => check === 'rollUps')).toEqual([]);
      asked += 1;
    }),
    { numRuns: 12 },
  );
  expect(asked).toBe(12);
});

test('several servers sum up at once, and none does it twice', async () => {
  const id = await createOrganisation();
  const changes = Array.from({ length: 500 }, (_, index) => ({
    ...{ at: new Date(Date.parse('2026-04-01') + index * 61_000), due: false, inUse: index % 7 },
    ...{ concurrentTotal: 4, contingencyTotal: 2 },
  }));
  const of = { changes, denials: changes.map(({ at }) => ({ at, denials: 1 })) };
  await record(id, of, new Date('2026-05-01'));
  await Promise.all([rollUpHistory(services), rollUpHistory(services), rollUpHistory(services)]);
  const edges = [new Date('2026-04-01'), new Date('2026-04-01T05:00:00Z'), new Date('2026-05-01')];
  expect(rounded(await listBuckets(db, id, licence, edges))).toEqual(rounded(reckonAll(of, edges)));
  const { rows } = await owner.query(
    'select sum(denials)::int as denials from usage_rollup where organisation_id = $1 and licence = $2 and width = 1440',
    [id, licence],
  );
  expect(rows).toEqual([{ denials: 500 }]);
});

test('a month is dropped once it is summed up; what it was, and what it left, is still known', async () => {
  await owner.query(`
    do $$
    declare part text; bound text;
    begin
      select c.relname, substring(pg_get_expr(relpartbound, c.oid) from 'TO (.+)$') into part, bound
        from pg_class c where relispartition and pg_get_expr(relpartbound, c.oid) like '%MINVALUE%';
      execute format('alter table history detach partition %I', part);
      execute 'create table history_2020_05 partition of history for values from (minvalue) to (''2020-06-01T00:00Z'')';
      execute format('alter table history attach partition %I for values from (''2020-06-01T00:00Z'') to %s', part, bound);
    end $$`);
  const id = await createOrganisation();
  const [first, second] = [new Date('2026-04-01T00:02:00Z'), new Date('2026-04-02T09:00:00Z')];
  const state = { due: false, concurrentTotal: 2, contingencyTotal: 2 };
  const of = {
    changes: [
      { ...state, at: first, inUse: 3 },
      { ...state, at: second, inUse: 1 },
    ],
    denials: [],
  };
  await record(id, { ...of, changes: of.changes.slice(0, 1) }, first, new Date('2020-05-05'));
  await record(id, { ...of, changes: of.changes.slice(1) }, second);
  const edges = [new Date('2026-04-01'), new Date('2026-04-02'), new Date('2026-04-03')];
  const wanted = rounded(reckonAll(of, edges));

  const count = async () =>
    (await owner.query('select count(*)::int as rows from history where organisation_id = $1', [id])).rows[0]
      .rows;
  expect(await dropHistoryMonths(db, 24)).toBe(0);
  expect(await count(), 'not summed up yet').toBe(4);
  await keepHistoryMonths(services, 24);
  expect(await count()).toBe(2);
  expect(rounded(await listBuckets(db, id, licence, edges))).toEqual(wanted);
  const { rows } = await owner.query(
    'select at, in_use from history_opening where organisation_id = $1 and licence = $2',
    [id, licence],
  );
  expect(rows).toEqual([{ at: first, in_use: 3 }]);
  const { findings } = await surveyOrganisation(db, id);
  expect(findings.filter(({ check }) => check === 'rollUps')).toEqual([]);
});
