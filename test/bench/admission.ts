import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { createDatabase } from '../../src/database/database.ts';
import { startEmbedded } from '../../src/database/embedded.ts';
import { migrateToLatest } from '../../src/database/migrate.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { OrganisationId, SessionId, UserId } from '../../src/kernel/ids.ts';
import { createSessionCommands, type SessionCommands } from '../../src/session/commands.ts';

const silent = { error: console.error, warn() {}, info() {}, debug() {} };

interface Case {
  readonly name: string;
  readonly callers: number;
  readonly work: (index: number) => Promise<unknown>;
  readonly limit: number;
}

/** Closed loop: each caller asks again as soon as it is answered, until time or users run out. */
async function measure({ callers, work, limit }: Case, seconds: number) {
  let next = 0;
  const cpu = process.cpuUsage();
  const started = performance.now();
  const end = started + seconds * 1000;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (performance.now() < end && next < limit) await work(next++);
    }),
  );
  const took = (performance.now() - started) / 1000;
  const used = process.cpuUsage(cpu);
  return { perSecond: next / took, nodeCpu: (used.user + used.system) / next, n: next };
}

const dataFolder = mkdtempSync(join(tmpdir(), 'seatkeeper-bench-'));
const postgres = await startEmbedded({ dataFolder, log: silent });
const { db, close, pool } = createDatabase({ ...postgres.connection, max: 16 }, silent);
await migrateToLatest(db);

const users = Number(process.env['USERS'] ?? 150_000);
const organisations = 1000;
const hot = '00000000-0000-4000-8000-000000000000' as OrganisationId;
async function seed() {
  for (const statement of [
    `insert into organisation (id,name,time_zone,lease_seconds,test_clock,settled_at,next_due_at,period_month,period_from,period_until,active_users,active_in_billing_period,revision,rows_revision,created_at)
     select ('00000000-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, 'o'||i, 'UTC', 3600, false, now(), date_trunc('month', now())+'1 month', 24312, date_trunc('month', now()), date_trunc('month', now())+'1 month', 1,1,1,0, now()
     from generate_series(0, ${organisations}) i`,
    `insert into "user" (organisation_id,id,username,display_name,status,created_at)
     select '${hot}', ('10000000-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, 'u'||i, 'u'||i, 'ACTIVE', now() from generate_series(1, ${users}) i`,
    `insert into "user" (organisation_id,id,username,display_name,status,created_at)
     select o.id, ('10000000-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, 'u'||i, 'u'||i, 'ACTIVE', now() from organisation o, generate_series(1, 100) i where o.id <> '${hot}'`,
    `insert into assignment (organisation_id,id,user_id,licence,assigned_at) select organisation_id, gen_random_uuid(), id, 'SUPERVISOR', now() from "user"`,
    `insert into pool (organisation_id,licence,base_total,concurrent_total,contingency_total,in_use,max_used,assigned,reusable,locked,holders,purchases,revision)
     select id,'SUPERVISOR',1000000,1000000,0,0,0,0,0,0,1000000,1,1 from organisation`,
    `vacuum analyze`,
  ])
    await pool.query(statement);
}
async function reset() {
  await pool.query('truncate session, session_feature, hold, history, denial');
  await pool.query('update pool set in_use = 0');
  // Yesterday's: nobody is logged on, and the tables are not empty.
  await pool.query(`insert into session (organisation_id,id,user_id,licence,device,admitted_as,started_at,expires_at,due_at,ended_at,end_reason,version)
    select organisation_id, gen_random_uuid(), id, 'SUPERVISOR', 'desktop', 'CONCURRENT', now() - interval '1 day', now() - interval '23 hours', now() - interval '23 hours', now() - interval '23 hours', 'LEASE_EXPIRED', 1 from "user" limit 100000`);
  await pool.query('vacuum analyze');
  await pool.query('checkpoint');
}
const hex = (n: number) => n.toString(16).padStart(12, '0');
const userAt = (i: number) => `10000000-0000-4000-8000-${hex(i + 1)}` as UserId;
const orgAt = (i: number) => `00000000-0000-4000-8000-${hex((i % organisations) + 1)}` as OrganisationId;

const naive = new pg.Pool({ ...postgres.connection, max: 16 });
async function transactionALogon(organisationId: string, userId: string) {
  const client = await naive.connect();
  try {
    const now = new Date();
    const id = crypto.randomUUID();
    await client.query('begin');
    const { rows } = await client.query(
      `update pool set in_use = in_use + 1, revision = revision + 1 where organisation_id = $1 and licence = 'SUPERVISOR' and in_use < concurrent_total returning in_use, concurrent_total, contingency_total, max_used`,
      [organisationId],
    );
    await client.query(
      `insert into session (organisation_id,id,user_id,licence,device,admitted_as,started_at,expires_at,version) values ($1,$2,$3,'SUPERVISOR','desktop','CONCURRENT',$4,$5,1)`,
      [organisationId, id, userId, now, new Date(now.getTime() + 3600000)],
    );
    await client.query(
      `insert into hold (organisation_id,user_id,licence,admitted_as,acquired_at) values ($1,$2,'SUPERVISOR','CONCURRENT',$3)`,
      [organisationId, userId, now],
    );
    await client.query(
      `insert into history (organisation_id,at,kind,licence,user_id,session_id,admitted_as,seat_changed,in_use,concurrent_total,contingency_total,max_used) values ($1,$2,'ACQUIRED','SUPERVISOR',$3,$4,'CONCURRENT',true,$5,$6,$7,$8)`,
      [
        organisationId,
        now,
        userId,
        id,
        rows[0].in_use,
        rows[0].concurrent_total,
        rows[0].contingency_total,
        rows[0].max_used,
      ],
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

let sessions: SessionCommands;
const fresh = () => {
  sessions = createSessionCommands({
    db,
    clock: systemClock,
    log: silent,
    live: { announce() {}, follow: undefined as never, close() {} },
  });
};
const logonOf = async (organisationId: OrganisationId, userId: UserId) => {
  const a = await sessions.logon({
    organisationId,
    userId,
    licence: 'SUPERVISOR',
    device: 'desktop',
    features: [],
    idempotencyKey: null,
  });
  if ('code' in a) throw new Error(JSON.stringify(a));
  return a;
};

await seed();
const seconds = Number(process.env['SECONDS'] ?? 4);
const cases: Case[] = [
  { name: 'naive hot 16', callers: 16, limit: users, work: (i) => transactionALogon(hot, userAt(i)) },
  {
    name: 'naive 1000 orgs 500',
    callers: 500,
    limit: organisations * 100,
    work: (i) => transactionALogon(orgAt(i), userAt(Math.floor(i / organisations))),
  },
  { name: 'lane hot 16', callers: 16, limit: users, work: (i) => logonOf(hot, userAt(i)) },
  { name: 'lane hot 100', callers: 100, limit: users, work: (i) => logonOf(hot, userAt(i)) },
  { name: 'lane hot 1000', callers: 1000, limit: users, work: (i) => logonOf(hot, userAt(i)) },
  {
    name: 'lane 1000 orgs 500',
    callers: 500,
    limit: organisations * 100,
    work: (i) => logonOf(orgAt(i), userAt(Math.floor(i / organisations))),
  },
];
for (const c of cases) {
  if (process.env['ONLY'] && !c.name.includes(process.env['ONLY'])) continue;
  await reset();
  fresh();
  console.log(c.name, JSON.stringify(await measure(c, seconds)));
}
void (0 as unknown as SessionId);
await naive.end();
await close();
await postgres.stop();
rmSync(dataFolder, { recursive: true, force: true });
