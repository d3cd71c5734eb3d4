import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { template } from './global.ts';

/** A migrated, empty database of the caller's own, copied from the run's template in a few milliseconds. */
export async function testDatabase(): Promise<{
  /** As the owner. */
  connection: pg.PoolConfig;
  /** As what the server works. */
  runtime: pg.PoolConfig;
  drop(): Promise<void>;
}> {
  const postgres = inject('postgres');
  const database = `test_${randomBytes(6).toString('hex')}`;
  const execute = async (statement: string) => {
    const admin = new pg.Client({ ...postgres, database: 'postgres' });
    await admin.connect();
    try {
      await admin.query(statement);
    } finally {
      await admin.end();
    }
  };
  await execute(`create database ${database} template ${template}`);
  return {
    connection: { ...postgres, database },
    runtime: { ...postgres, ...inject('runtime'), database },
    drop: () => execute(`drop database if exists ${database} with (force)`),
  };
}
