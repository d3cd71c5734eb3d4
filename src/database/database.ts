import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { CamelCasePlugin, Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import type { Instant } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { DB } from './tables.ts';

export type Database = Kysely<DB>;

const int8 = 20;

/**
 * What no statement of this program should reach: what takes longer is given up, and its caller told to try again
 * (UNAVAILABLE), before the caller gives up.
 */
const limits = {
  max: 32,
  connectionTimeoutMillis: 3000,
  statement_timeout: 5000,
  lock_timeout: 3000,
  idle_in_transaction_session_timeout: 10_000,
} as const;

/** For migrations and for what reads whole tables: as long as it takes. */
export const patient = { statement_timeout: 0, lock_timeout: 60_000 } as const;

/** A database that has not answered a goodbye by then is gone itself. */
const goodbyeMilliseconds = 1000;

/** A statement that was executed this often is prepared on each connection, so that it is parsed and planned once. */
const prepareAfter = 5;
/** Only statements whose text does not vary come back; the others are forgotten with this many. */
const maxTexts = 2000;

/** @returns under which name to prepare a statement that is about to be executed; undefined: not yet */
function createPrepared(): (text: string) => string | undefined {
  const known = new Map<string, { uses: number; readonly name: string }>();
  return (text) => {
    let statement = known.get(text);
    if (statement === undefined) {
      if (known.size >= maxTexts) known.clear();
      statement = { uses: 0, name: createHash('sha1').update(text).digest('base64') };
      known.set(text, statement);
    }
    statement.uses += 1;
    return statement.uses > prepareAfter ? statement.name : undefined;
  };
}

/** Makes a client prepare what is executed again and again. @returns whether it waits for an answer */
function prepareRepeated(client: pg.PoolClient, nameOf: (text: string) => string | undefined): () => boolean {
  let waiting = 0;
  const execute = client.query.bind(client) as (...query: unknown[]) => unknown;
  const prepared = (text: unknown, values: unknown, ...rest: unknown[]) => {
    const isPreparable =
      typeof text === 'string' && Array.isArray(values) && !/^(begin|commit|rollback|set )/.test(text);
    const answer = isPreparable
      ? execute({ text, name: nameOf(text) }, values, ...rest)
      : execute(text, values, ...rest);
    if (answer instanceof Promise) {
      waiting += 1;
      const answered = () => {
        waiting -= 1;
      };
      answer.then(answered, answered);
    }
    return answer;
  };
  client.query = prepared as typeof client.query;
  return () => waiting > 0;
}

/**
 * A PostgreSQL that is frozen, or behind a network that is gone, says nothing, not even that a statement took too long:
 * then the connection is cut, which fails what waits on it and makes the pool replace it. (pg's own `query_timeout`
 * hands a connection back that still waits for its answer.)
 */
function giveUpWhenSilent(client: pg.PoolClient, isBusy: () => boolean, milliseconds: number): void {
  // pg declares no such property, and documents none; without it the process would have to be restarted.
  const { stream } = (client as unknown as { readonly connection: { readonly stream: Socket } }).connection;
  stream.setTimeout(milliseconds, () => {
    if (isBusy()) stream.destroy(new Error('Connection terminated: the database says nothing'));
  });
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
  /** Waits for what is under way, and until the database has let go of every connection. */
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
  const nameOf = createPrepared();
  const goodbyes = new Set<Promise<void>>();
  const silenceMilliseconds = config.statement_timeout ?? limits.statement_timeout;
  pool.on('connect', (client) => {
    client.on('error', lost);
    const goodbye = new Promise<void>((gone) => {
      client.once('end', () => gone());
    });
    goodbyes.add(goodbye);
    void goodbye.then(() => goodbyes.delete(goodbye));
    const isBusy = prepareRepeated(client, nameOf);
    if (silenceMilliseconds !== 0 && silenceMilliseconds !== false) {
      giveUpWhenSilent(client, isBusy, silenceMilliseconds + 1000);
    }
  });
  const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }), plugins: [new CamelCasePlugin()] });
  const close = async () => {
    await db.destroy();
    // The pool is done when it has sent its goodbyes. A PostgreSQL that stops before it has read one answers with an error.
    await Promise.race([Promise.all(goodbyes), delay(goodbyeMilliseconds, undefined, { ref: false })]);
  };
  return { db, pool, close };
}

/** What time it is at the database: the clock that all servers on it share. */
export async function readClock(db: Database): Promise<Instant> {
  const { rows } = await sql<{ readonly now: Instant }>`select clock_timestamp() as now`.execute(db);
  if (rows[0] === undefined) throw new Error('The database has no clock');
  return rows[0].now;
}
