import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase } from '../../src/database/database.ts';
import { instant } from '../../src/kernel/clock.ts';
import { purgeChallenges } from '../../src/security-key/store.ts';
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

test('L1: challenges that nobody answered are forgotten once they are over, by an index', async () => {
  const { db, pool } = database;
  await pool.query(`
    set session_replication_role = replica;
    insert into security_key_challenge
      select gen_random_uuid(), gen_random_uuid(), 'LOGON', n::text,
        timestamptz '2026-01-01T00:00:00Z' + n * interval '1 minute'
      from generate_series(0, 9999) n;
    set session_replication_role = default;
    analyze security_key_challenge`);
  expect(await purgeChallenges(db, instant('2026-01-01T00:25:00Z'))).toBe(26);
  const { rows: left } = await pool.query(
    'select min(challenge::integer) as first from security_key_challenge',
  );
  expect(left).toEqual([{ first: 26 }]);
  const { rows: plan } = await pool.query(
    `explain delete from security_key_challenge where expires_at <= '2026-01-01T00:30:00Z'`,
  );
  expect(JSON.stringify(plan)).toContain('security_key_challenge_age');
});
