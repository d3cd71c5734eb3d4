import { CamelCasePlugin, Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import type { Log } from '../kernel/log.ts';
import type { DB } from './tables.ts';

export type Database = Kysely<DB>;

const int8 = 20;

/** What no statement of this program should reach: a connection that waits longer than this is stuck, and is given up. */
const limits = {
  connectionTimeoutMillis: 5000,
  statement_timeout: 15_000,
  lock_timeout: 10_000,
  idle_in_transaction_session_timeout: 15_000,
} as const;

/**
 * A pool of connections and the typed queries over it. `bigint` columns are read as numbers: none of ours nears 2^53.
 * A connection that breaks is logged and replaced; only the work that was on it fails.
 */
export function createDatabase(
  config: pg.PoolConfig,
  log?: Log,
): {
  db: Database;
  pool: pg.Pool;
  close(): Promise<void>;
} {
  const types: pg.CustomTypesConfig = {
    // pg's own declaration of getTypeParser is overloaded by format: only its text form matters here.
    getTypeParser: ((oid: number, format?: 'text') =>
      oid === int8 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
  };
  const pool = new pg.Pool({ ...limits, ...config, types });
  const lost = (error: Error) => log?.warn({ err: error }, 'lost a database connection');
  // An 'error' event that nobody listens to ends the process. The pool listens to its idle clients only.
  pool.on('error', lost);
  pool.on('connect', (client) => client.on('error', lost));
  const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }), plugins: [new CamelCasePlugin()] });
  return { db, pool, close: () => db.destroy() };
}
