import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { createDatabase } from '../../src/database/database.ts';
import { startEmbedded } from '../../src/database/embedded.ts';
import { migrateToLatest } from '../../src/database/migrate.ts';
import { within } from '../../src/database/wall.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { OrganisationId, UserId } from '../../src/kernel/ids.ts';
import { createLines } from '../../src/kernel/lines.ts';
import { createCatalogue } from '../../src/licence/store.ts';
import { createLive } from '../../src/live/live.ts';
import { createSessionCommands } from '../../src/session/commands.ts';
import { closedLoop } from './measure.ts';
import { progress, section } from './report.ts';
import {
  organisationAt,
  resetSessions,
  seedOrganisations,
  seedPools,
  seedUsers,
  sessionAt,
  userAt,
} from './seed.ts';

/**
 * The admission layer beside a transaction a logon, as one would write it first: on the same PostgreSQL, with the same
 * durability, writing the same rows. `users` of one hot organisation, and 200 in each of 1,000 others.
 */
const users = 250_000;
const organisations = 1000;
const usersEach = 200;
const warmUpSeconds = 2;
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
  readonly prepare?: () => Promise<void>;
}

/** The admission layer on a database of its own, with `users` and `organisations` in it. */
export async function openAdmission() {
  const log = { error: console.error, warn: console.error, info() {}, debug() {} };
  const dataFolder = mkdtempSync(join(tmpdir(), 'seatkeeper-bench-'));
  const postgres = await startEmbedded({ dataFolder, log });
  const { db, close, pool } = createDatabase({ ...postgres.owner, statement_timeout: 0 }, log);
  const live = createLive({ poll: async () => new Map(), log });
  await migrateToLatest(db);
  await seed(pool);
  const lines = createLines<OrganisationId>({ maxWaitingOfKey: 1000, maxWaiting: 1000 });
  const services = {
    db: within(db, 'ALL'),
    clock: systemClock,
    live,
    catalogue: createCatalogue(db, systemClock),
    lines,
    log,
    by: null,
  };
  const sessions = createSessionCommands(services)(services);
  const logon = async (organisationId: OrganisationId, userId: UserId) => {
    const answer = await sessions.logon({
      ...{ organisationId, userId, licence: 'SUPERVISOR', device: 'desktop' },
      ...{ features: [], idempotencyKey: null, secondFactorShown: false },
    });
    if ('code' in answer) throw new Error(answer.message);
  };
  return {
    ...{ pool, owner: postgres.owner, sessions },
    /** Of the hot organisation. */
    hotLogon: (index: number) => logon(hot, userAt(index)),
    /** Of all the others in turn. */
    otherLogon: (index: number) => logon(othersAt(index), userAt(Math.floor(index / organisations))),
    largeLogon: (index: number) => logon(large, userAt(index)),
    hotUsers: users,
    otherUsers: organisations * usersEach,
    stop: async () => {
      live.close();
      await close();
      await postgres.stop();
      rmSync(dataFolder, { recursive: true, force: true });
    },
  };
}

export async function run(): Promise<void> {
  const admission = await openAdmission();
  const { pool, sessions, hotLogon, otherLogon, largeLogon, otherUsers: all } = admission;
  const naive = new pg.Pool({ ...admission.owner, max: 16 });
  try {
    const renew = async (index: number) => {
      const sessionId = sessionAt(index % 100_000);
      const answer = await sessions.renewSession({ organisationId: hot, sessionId });
      if ('code' in answer) throw new Error(answer.message);
    };
    const hotNaive = 'one organisation, a transaction a logon, 16 callers';
    const manyNaive = '1,000 organisations, a transaction a logon, 500 callers';
    const cases: readonly Case[] = [
      { name: hotNaive, callers: 16, limit: users, request: (n) => transactionALogon(naive, hot, userAt(n)) },
      {
        name: manyNaive,
        callers: 500,
        limit: all,
        request: (n) => transactionALogon(naive, othersAt(n), userAt(Math.floor(n / organisations))),
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
        request: otherLogon,
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
      {
        name: 'an organisation of 1,000,000 users, 16 callers',
        callers: 16,
        limit: largeUsers,
        request: largeLogon,
        baseline: 'one organisation, 16 callers',
        prepare: async () => {
          progress('a million users move in');
          await seedUsers(pool, { organisationIds: [large], count: largeUsers, licence: 'SUPERVISOR' });
        },
      },
    ];
    const rates = new Map<string, number>();
    const report = section('admission');
    for (const each of cases) {
      if (each.prepare !== undefined) await each.prepare();
      await resetSessions(pool, each.live ?? 0);
      const measured = await measure(each);
      rates.set(each.name, measured.perSecond);
      const base = each.baseline === undefined ? undefined : rates.get(each.baseline);
      const times = base === undefined ? null : Number((measured.perSecond / base).toFixed(2));
      report({ case: each.name, ...measured, times, of: each.baseline ?? null });
    }
  } finally {
    await naive.end();
    await admission.stop();
  }
}

async function measure({ callers, limit, request }: Case) {
  const warmUp = await closedLoop({ callers, seconds: warmUpSeconds, limit, request });
  const cpu = process.cpuUsage();
  const measured = await closedLoop({ callers, seconds, limit, request, from: warmUp.requests });
  const { user, system } = process.cpuUsage(cpu);
  return { ...measured, nodeCpuMicroseconds: Math.round((user + system) / measured.requests) };
}

const hot = organisationAt(0);
/** Of a million users. */
const large = organisationAt(organisations + 1);
const largeUsers = 1_000_000;
const othersAt = (index: number) => organisationAt((index % organisations) + 1);

async function seed(pool: pg.Pool): Promise<void> {
  const licence = 'SUPERVISOR';
  await seedOrganisations(pool, { from: 0, until: organisations + 1, activeUsers: 1 });
  await seedUsers(pool, { organisationIds: [hot], count: users, licence });
  const organisationIds = Array.from({ length: organisations }, (_, index) => othersAt(index));
  await seedUsers(pool, { organisationIds, count: usersEach, licence });
  await seedPools(pool, [licence]);
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
