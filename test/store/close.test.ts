import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase } from '../../src/database/database.ts';
import { testDatabase } from '../setup/database.ts';

let made: Awaited<ReturnType<typeof testDatabase>>;
let observer: pg.Client;
beforeAll(async () => {
  made = await testDatabase();
  observer = new pg.Client(made.connection);
  await observer.connect();
});
afterAll(async () => {
  await observer.end();
  await made.drop();
});

const connections = async () => {
  const { rows } = await observer.query(
    'select count(*)::int from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
  );
  return rows[0].count as number;
};

test('a database that is closed has no connection left, which a PostgreSQL that stops next would have to cut', async () => {
  const { db, close } = createDatabase(made.connection);
  await Promise.all(Array.from({ length: 20 }, () => sql`select pg_sleep(0.05)`.execute(db)));
  expect(await connections()).toBe(20);
  await close();
  expect(await connections()).toBe(0);
});
