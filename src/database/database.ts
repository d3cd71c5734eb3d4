import { createHash } from 'node:crypto';
import { CamelCasePlugin, Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import type { Log } from '../kernel/log.ts';
import type { DB } from './tables.ts';

export type Database = Kysely<DB>;

const int8 = 20;

/** What no statement of this program should reach: a connection that waits longer than this is stuck, and is given up. */
const limits = {
  max: 24,
  connectionTimeoutMillis: 5000,
  statement_timeout: 15_000,
  lock_timeout: 10_000,
  idle_in_transaction_session_timeout: 15_000,
} as const;

/** A statement that was executed this often is prepared on each connection, so that it is parsed and planned once. */
const prepareAfter = 5;
/** Only statements whose text does not vary come back; the others are forgotten with this many. */
const maxTexts = 2000;

/** @returns under which name to prepare a statement that is about to be executed; undefined: not yet */
function createPrepared(): (text: string) => string | undefined {
  const uses = new Map<string, number>();
  return (text) => {
    const count = (uses.get(text) ?? 0) + 1;
    if (uses.size >= maxTexts) uses.clear();
    uses.set(text, count);
    return count > prepareAfter ? createHash('sha1').update(text).digest('base64') : undefined;
  };
}

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
  const pool = new pg.Pool({ ...limits, ...config, types, pipeline: true } as pg.PoolConfig);
  const lost = (error: Error) => log?.warn({ err: error }, 'lost a database connection');
  // An 'error' event that nobody listens to ends the process. The pool listens to its idle clients only.
  pool.on('error', lost);
  pool.on('connect', (client) => client.on('error', lost));
  const nameOf = createPrepared();
  pool.on('connect', (client) => {
    const execute = client.query.bind(client) as (...query: unknown[]) => unknown;
    const prepared = (text: unknown, values: unknown, ...rest: unknown[]) =>
      typeof text === 'string' && Array.isArray(values) && !/^(begin|commit|rollback|set )/.test(text)
        ? execute({ text, name: nameOf(text) }, values, ...rest)
        : execute(text, values, ...rest);
    client.query = prepared as typeof client.query;
  });
  const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }), plugins: [new CamelCasePlugin()] });
  return { db, pool, close: () => db.destroy() };
}
