import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase } from '../../src/database/database.ts';
import { purgeKeys } from '../../src/idempotency/store.ts';
import { instant } from '../../src/kernel/clock.ts';
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

test('L6: old keys are forgotten slice by slice, and the others kept', async () => {
  const { db, pool } = database;
  await pool.query(`
    create table slice (keys integer);
    create function note_slice() returns trigger language plpgsql as
      'begin insert into slice select count(*) from gone; return null; end';
    create trigger note_slice after delete on idempotency_key referencing old table as gone
      for each statement execute function note_slice();
    insert into idempotency_key
      select gen_random_uuid(), 'logon', n::text, '[]', '{"id": "x"}',
        timestamptz '2026-01-01T00:00:00Z' + n * interval '1 minute'
      from generate_series(0, 29) n`);
  expect(await purgeKeys(db, instant('2026-01-01T00:25:00Z'), { slice: 10 })).toBe(25);
  const { rows: slices } = await pool.query('select keys from slice');
  expect(slices).toEqual([{ keys: 10 }, { keys: 10 }, { keys: 5 }]);
  const { rows: left } = await pool.query('select min(key::integer) as first from idempotency_key');
  expect(left).toEqual([{ first: 25 }]);
});
