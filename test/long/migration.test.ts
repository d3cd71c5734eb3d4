import { randomBytes } from 'node:crypto';
import { promises as fs } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { FileMigrationProvider, Migrator } from 'kysely/migration';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createDatabase, patient } from '../../src/database/database.ts';
import { migrateToLatest } from '../../src/database/migrate.ts';

/** What waits longer than this for a migration would be noticed by whoever logs on. */
const noticedMilliseconds = 2000;
const rows = 300_000;

const database = `live_${randomBytes(6).toString('hex')}`;
let connection: pg.PoolConfig;
let admin: pg.Client;
beforeAll(async () => {
  connection = { ...inject('postgres'), database, ...patient };
  admin = new pg.Client({ ...inject('postgres'), database: 'postgres' });
  await admin.connect();
  await admin.query(`create database ${database}`);
});
afterAll(async () => {
  await admin.query(`drop database ${database} with (force)`);
  await admin.end();
});

const organisationId = '00000000-0000-4000-8000-000000000001';
const insert = `insert into history (organisation_id, at, kind, licence, seat_changed, in_use, concurrent_total, contingency_total, max_used)
  select '${organisationId}', now(), 'TOTALS_CHANGED', 'SUPERVISOR', false, 1, 1, 1, 0 from generate_series(1, $1::int)`;

test('the history becomes one by month while it is written and read: nobody waits long, and no row is lost', async () => {
  const [one, other] = [createDatabase(connection), createDatabase({ ...connection, max: 1 })];
  await using open = new AsyncDisposableStack();
  open.defer(one.close);
  open.defer(other.close);
  const folder = path.join(import.meta.dirname, '..', '..', 'migrations');
  const provider = new FileMigrationProvider({
    fs,
    path,
    migrationFolder: folder,
    import: (file) => import(file),
  });
  const { error } = await new Migrator({ db: one.db.withoutPlugins(), provider }).migrateTo('0007_walls');
  expect(error).toBeUndefined();
  await one.pool.query(insert, [rows]);

  let isOver = false;
  let [written, longest] = [0, 0];
  const write = async () => {
    while (!isOver) {
      const began = performance.now();
      await one.pool.query(insert, [1]);
      written += 1;
      longest = Math.max(longest, performance.now() - began);
      await delay(2);
    }
  };
  const read = async () => {
    while (!isOver) await one.pool.query('select count(*), pg_sleep(0.2) from history');
  };
  const work = [write(), write(), read()];
  // Two servers start at once.
  const done = await Promise.all([migrateToLatest(one.db), migrateToLatest(other.db)]);
  isOver = true;
  await Promise.all(work);

  expect(done.flat()).toContain('0009c_history_by_month_partitioned');
  expect(new Set(done.flat()).size).toBe(done.flat().length);
  expect(longest).toBeLessThan(noticedMilliseconds);
  const { rows: found } = await one.pool.query(
    'select count(*)::int as rows, count(distinct id)::int as ids, max(id)::int as last from history',
  );
  const all = rows + written;
  expect(found).toEqual([{ rows: all, ids: all, last: all }]);
}, 120_000);
