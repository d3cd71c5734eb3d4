import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { createDatabase } from '../../src/database/database.ts';
import { startEmbedded } from '../../src/database/embedded.ts';
import { migrateToLatest } from '../../src/database/migrate.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { OrganisationId, SessionId, UserId } from '../../src/kernel/ids.ts';
import { createLines } from '../../src/kernel/lines.ts';
import { createCatalogue } from '../../src/licence/store.ts';
import { createLive } from '../../src/live/live.ts';
import { createSessionCommands } from '../../src/session/commands.ts';

/**
 * The admission layer beside a transaction a logon, as one would write it first: on the same PostgreSQL, with the same
 * durability, writing the same rows. `users` of one hot organisation, and 100 in each of 1,000 others.
 */
const users = 150_000;
const organisations = 1000;
const usersEach = 100;
const seconds = 4;

interface Case {
  readonly name: string;
  readonly callers: number;
  /** How many requests there can be. */
  readonly limit: number;
  readonly request: (index: number) => Promise<unknown>;
  /** The case that it is a multiple of. */
  readonly baseline?: string;
  /** Sessions of the hot organisation that live already. */
  readonly live?: number;
}

export async function run(): Promise<void> {
  const log = { error: console.error, warn: console.error, info() {}, debug() {} };
  const dataFolder = mkdtempSync(join(tmpdir(), 'seatkeeper-bench-'));
  const postgres = await startEmbedded({ dataFolder, log });
  const { db, close, pool } = createDatabase({ ...postgres.connection, statement_timeout: 0 }, log);
  const naive = new pg.Pool({ ...postgres.connection, max: 16 });
  const live = createLive({ poll: async () => new Map(), log });
  try {
    await migrateToLatest(db);
    await seed(pool);
    const lines = createLines<OrganisationId>({ maxWaitingOfKey: 1000, maxWaiting: 1000 });
    const sessions = createSessionCommands({
      db,
      clock: systemClock,
      live,
      catalogue: createCatalogue(db, systemClock),
      lines,
      log,
    });
    const logon = async (organisationId: OrganisationId, userId: UserId) => {
      const answer = await sessions.logon({
        ...{ organisationId, userId, licence: 'SUPERVISOR', device: 'desktop' },
        ...{ features: [], idempotencyKey: null },
      });
      if ('code' in answer) throw new Error(answer.message);
    };
    const renew = async (index: number) => {
      const sessionId = liveSession(index % 100_000);
      const answer = await sessions.renewSession({ organisationId: hot, sessionId });
      if ('code' in answer) throw new Error(answer.message);
    };
    const hotNaive = 'one organisation, a transaction a logon, 16 callers';
    const manyNaive = '1,000 organisations, a transaction a logon, 500 callers';
    const hotLogon = (index: number) => logon(hot, userAt(index));
    const all = organisations * usersEach;
    const cases: readonly Case[] = [
      { name: hotNaive, callers: 16, limit: users, request: (n) => transactionALogon(naive, hot, userAt(n)) },
      {
        name: manyNaive,
        callers: 500,
        limit: all,
        request: (n) => transactionALogon(naive, orgAt(n), userAt(Math.floor(n / organisations))),
      },
      { name: 'one organisation, 1 caller', callers: 1, limit: users, request: hotLogon, baseline: hotNaive },
      {
        name: 'one organisation, 16 callers',
        callers: 16,
        limit: users,
        request: hotLogon,
        baseline: hotNaive,
      },
      {
        name: 'one organisation, 100 callers',
        callers: 100,
        limit: users,
        request: hotLogon,
        baseline: hotNaive,
      },
      {
        name: 'one organisation, 1,000 callers',
        callers: 1000,
        limit: users,
        request: hotLogon,
        baseline: hotNaive,
      },
      {
        name: '1,000 organisations, 500 callers',
        callers: 500,
        limit: all,
        request: (n) => logon(orgAt(n), userAt(Math.floor(n / organisations))),
        baseline: manyNaive,
      },
      ...[1000, 10_000, 100_000].map((count): Case => ({
        name: `logons beside ${count.toLocaleString('en')} live sessions, 16 callers`,
        callers: 16,
        limit: users - count,
        request: (n) => hotLogon(count + n),
        baseline: 'one organisation, 16 callers',
        live: count,
      })),
      {
        name: 'renewals of 100,000 live sessions, 500 callers',
        callers: 500,
        limit: Number.POSITIVE_INFINITY,
        request: renew,
        baseline: 'one organisation, 1,000 callers',
        live: 100_000,
      },
    ];
    const rates = new Map<string, number>();
    for (const each of cases) {
      await reset(pool, each.live ?? 0);
      const measured = await measure(each);
      rates.set(each.name, measured.perSecond);
      const base = each.baseline === undefined ? undefined : rates.get(each.baseline);
      const times = base === undefined ? null : Number((measured.perSecond / base).toFixed(2));
      console.log(JSON.stringify({ case: each.name, ...measured, times, of: each.baseline ?? null }));
    }
  } finally {
    live.close();
    await naive.end();
    await close();
    await postgres.stop();
    rmSync(dataFolder, { recursive: true, force: true });
  }
}

/** Closed loop: each caller asks again as soon as it is answered, until time or users run out. */
async function measure({ callers, limit, request }: Case) {
  const latencies: number[] = [];
  let next = 0;
  const cpu = process.cpuUsage();
  const started = performance.now();
  const end = started + seconds * 1000;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (performance.now() < end && next < limit) {
        const asked = performance.now();
        await request(next++);
        latencies.push(performance.now() - asked);
      }
    }),
  );
  const took = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  latencies.sort((one, other) => one - other);
  const percentile = (part: number) =>
    Number((latencies[Math.floor(latencies.length * part)] ?? 0).toFixed(2));
  return {
    requests: next,
    perSecond: Math.round(next / took),
    p50Milliseconds: percentile(0.5),
    p99Milliseconds: percentile(0.99),
    nodeCpuMicroseconds: Math.round((user + system) / next),
  };
}

const hex = (value: number) => value.toString(16).padStart(12, '0');
const hot = `00000000-0000-4000-8000-${hex(0)}` as OrganisationId;
const userAt = (index: number) => `10000000-0000-4000-8000-${hex(index + 1)}` as UserId;
const orgAt = (index: number) =>
  `00000000-0000-4000-8000-${hex((index % organisations) + 1)}` as OrganisationId;
const liveSession = (index: number) => `20000000-0000-4000-8000-${hex(index + 1)}` as SessionId;

async function seed(pool: pg.Pool): Promise<void> {
  const id = (prefix: string, from: string) =>
    `('${prefix}0000000-0000-4000-8000-' || lpad(to_hex(${from}), 12, '0'))::uuid`;
  const month = "date_trunc('month', now())";
  for (const statement of [
    `insert into organisation (id, name, time_zone, lease_seconds, test_clock, settled_at, next_due_at, period_month,
       period_from, period_until, active_users, active_in_billing_period, revision, rows_revision, created_at)
     select ${id('0', 'i')}, 'Organisation ' || i, 'UTC', 3600, false, now(), ${month} + interval '1 month', 24312,
       ${month}, ${month} + interval '1 month', 1, 1, 1, 0, now() from generate_series(0, ${organisations}) i`,
    `insert into "user" (organisation_id, id, username, display_name, status, created_at)
     select o.id, ${id('1', 'i')}, 'user-' || i, 'User', 'ACTIVE', now()
     from organisation o cross join lateral
       generate_series(1, case when o.id = '${hot}' then ${users} else ${usersEach} end) i`,
    `insert into assignment (organisation_id, id, user_id, licence, assigned_at)
     select organisation_id, gen_random_uuid(), id, 'SUPERVISOR', now() from "user"`,
    `insert into pool (organisation_id, licence, base_total, concurrent_total, contingency_total, in_use, max_used,
       assigned, reusable, locked, holders, purchases, revision)
     select id, 'SUPERVISOR', 1000000, 1000000, 0, 0, 0, 0, 0, 0, 1000000, 1, 1 from organisation`,
  ]) {
    await pool.query(statement);
  }
}

/** Nobody is logged on but `live` of the hot organisation; yesterday's sessions are there. */
async function reset(pool: pg.Pool, live: number): Promise<void> {
  await pool.query('truncate session, session_feature, hold, history, denial');
  await pool.query(`update pool set in_use = case when organisation_id = '${hot}' then ${live} else 0 end`);
  await pool.query(
    `insert into session (organisation_id, id, user_id, licence, device, admitted_as, started_at, expires_at, due_at,
       ended_at, end_reason, version)
     select organisation_id, gen_random_uuid(), id, 'SUPERVISOR', 'desktop', 'CONCURRENT', at, at + interval '1 hour',
       at + interval '1 hour', at + interval '1 hour', 'LEASE_EXPIRED', 1
     from "user", (select now() - interval '1 day' as at) yesterday limit 100000`,
  );
  await pool.query(
    `insert into session (organisation_id, id, user_id, licence, device, admitted_as, started_at, expires_at, due_at, version)
     select organisation_id, ('2' || substr(id::text, 2))::uuid, id, 'SUPERVISOR', 'desktop', 'CONCURRENT', now(),
       now() + interval '50 minutes', now() + interval '50 minutes', 1
     from "user" where organisation_id = '${hot}' order by id limit ${live}`,
  );
  await pool.query(
    `insert into hold select organisation_id, user_id, licence, admitted_as, started_at from session where ended_at is null`,
  );
  await pool.query('vacuum analyze');
  await pool.query('checkpoint');
}

/** What one would write first: a transaction a logon, which writes the rows that a logon of ours writes. */
async function transactionALogon(pool: pg.Pool, organisationId: string, userId: string): Promise<void> {
  const client = await pool.connect();
  try {
    const [id, now] = [randomUUID(), new Date()];
    const until = new Date(now.getTime() + 3_600_000);
    await client.query('begin');
    const { rows } = await client.query(
      `update pool set in_use = in_use + 1, revision = revision + 1
       where organisation_id = $1 and licence = 'SUPERVISOR' and in_use < concurrent_total
       returning in_use, concurrent_total, contingency_total, max_used`,
      [organisationId],
    );
    await client.query(
      `insert into session (organisation_id, id, user_id, licence, device, admitted_as, started_at, expires_at, due_at, version)
       values ($1, $2, $3, 'SUPERVISOR', 'desktop', 'CONCURRENT', $4, $5, $5, 1)`,
      [organisationId, id, userId, now, until],
    );
    await client.query(
      `insert into hold (organisation_id, user_id, licence, admitted_as, acquired_at)
       values ($1, $2, 'SUPERVISOR', 'CONCURRENT', $3)`,
      [organisationId, userId, now],
    );
    await client.query(
      `insert into history (organisation_id, at, kind, licence, user_id, session_id, admitted_as, seat_changed,
         in_use, concurrent_total, contingency_total, max_used)
       values ($1, $2, 'ACQUIRED', 'SUPERVISOR', $3, $4, 'CONCURRENT', true, $5, $6, $7, $8)`,
      [organisationId, now, userId, id, ...Object.values(rows[0])],
    );
    await client.query(
      'update organisation set revision = revision + 1, settled_at = greatest(settled_at, $2) where id = $1',
      [organisationId, now],
    );
    await client.query('commit');
  } finally {
    client.release();
  }
}
