import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { createDatabase } from '../../src/database/database.ts';
import { findRunning, startEmbedded } from '../../src/database/embedded.ts';
import { migrateToLatest } from '../../src/database/migrate.ts';
import { ready, type ServerProcess, spawnServer, until } from '../setup/process.ts';
import type { Address } from './client.ts';
import { parentOf } from './measure.ts';
import { progress } from './report.ts';

export interface ServerUnderLoad extends Address {
  readonly pid: number;
  readonly process: ServerProcess;
  stop(): Promise<void>;
}

/** The product, in a process of its own, on an embedded PostgreSQL of its own. */
export interface Product {
  /** The first runs the database; the others are on it too. */
  readonly nodes: readonly [ServerUnderLoad, ...ServerUnderLoad[]];
  /** The same database, beside the servers. */
  readonly pool: pg.Pool;
  readonly postmaster: number;
  /** Starts one more server on the same database. */
  addNode(): Promise<ServerUnderLoad>;
  stop(): Promise<void>;
}

export interface ProductOptions {
  readonly seed: (pool: pg.Pool) => Promise<void>;
  /** Whether PostgreSQL counts statements (`pg_stat_statements`). */
  readonly countStatements?: boolean;
  /** For Node itself, such as `--expose-gc`. */
  readonly nodeOptions?: readonly string[];
}

const log = { error: console.error, warn: console.warn, info() {}, debug() {} };
const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');

export async function startProduct(options: ProductOptions): Promise<Product> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'seatkeeper-bench-'));
  await prepareDatabase(dataFolder, options);
  const command = [process.execPath, ...(options.nodeOptions ?? []), main];
  const serve = async (variables: Record<string, string>) => {
    const server = spawnServer({ LOG_LEVEL: 'warn', SEATKEEPER_DATA: dataFolder, ...variables }, command);
    const { url, key } = await ready(server);
    return underLoad(server, { http: `${url}/graphql`, ws: `${url.replace('http', 'ws')}/graphql`, key });
  };
  const nodes: [ServerUnderLoad, ...ServerUnderLoad[]] = [await serve({})];
  const connection = findRunning({ dataFolder, log });
  if (connection === null) throw new Error('The server runs, and its database does not');
  const pool = new pg.Pool({ ...connection, max: 2 });
  const { rows } = await pool.query('select pg_backend_pid() as pid');
  const { host, port, user, password, database } = connection;
  const url = `postgres://${user}:${encodeURIComponent(password)}@localhost/${database}?host=${encodeURIComponent(host)}&port=${port}`;
  return {
    nodes,
    pool,
    postmaster: parentOf(rows[0].pid),
    addNode: async () => {
      const node = await serve({ DATABASE_URL: url });
      nodes.push(node);
      return node;
    },
    stop: async () => {
      await pool.end();
      // The first one last: it has the database.
      for (const node of nodes.toReversed()) await node.stop();
      rmSync(dataFolder, { recursive: true, force: true });
    },
  };
}

async function prepareDatabase(dataFolder: string, options: ProductOptions): Promise<void> {
  progress('preparing a database');
  const postgres = await startEmbedded({ dataFolder, log });
  const { db, pool, close } = createDatabase({ ...postgres.owner, statement_timeout: 0 }, log);
  try {
    await migrateToLatest(db);
    await options.seed(pool);
    if (options.countStatements === true) {
      await pool.query('create extension pg_stat_statements');
      await pool.query('alter system set shared_preload_libraries = pg_stat_statements');
    }
    await pool.query('vacuum analyze');
    await pool.query('checkpoint');
  } finally {
    await close();
    await postgres.stop();
  }
}

/**
 * Statements since they were last forgotten, without the sweeper's look for what is due, four times a second, and
 * without what begins and ends a transaction.
 */
export async function statementsOf(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query(`select coalesce(sum(calls), 0)::int as calls from pg_stat_statements
    where query not like '%order by "next_due_at"%' and query not like '%pg_stat_statements%'
      and query !~* '^(begin|commit|set local)'`);
  return rows[0].calls;
}

export async function forgetStatements(pool: pg.Pool): Promise<void> {
  await pool.query('select pg_stat_statements_reset()');
}

const peersFolder = join(import.meta.dirname, 'peers');
export type Peer = 'http' | 'ws-send' | 'ws-prepared' | 'mercurius' | 'apollo' | 'yoga';

/** Another server, of the peers' own package, which is installed where it is missing. */
export async function startPeer(peer: Peer): Promise<ServerUnderLoad> {
  if (!existsSync(join(peersFolder, 'node_modules'))) {
    progress(`installing the peers: npm ci in ${peersFolder}`);
    const { status } = spawnSync('npm', ['ci'], { cwd: peersFolder, stdio: ['ignore', 2, 2] });
    if (status !== 0) throw new Error('The peers could not be installed');
  }
  const server = spawnServer({ NODE_ENV: 'production' }, [
    process.execPath,
    join(peersFolder, 'serve.ts'),
    peer,
  ]);
  let isOver = false;
  void server.exited.then(() => (isOver = true));
  await until(() => isOver || server.output.out.includes('\n'), 15_000);
  if (isOver) throw new Error(`${peer} did not start: ${server.output.err}`);
  const { http, ws } = JSON.parse(server.output.out) as { readonly http: string; readonly ws: string };
  return underLoad(server, { http, ws, key: '' });
}

function underLoad(server: ServerProcess, address: Address): ServerUnderLoad {
  const { pid } = server.child;
  if (pid === undefined) throw new Error('A server without a process');
  return {
    ...address,
    pid,
    process: server,
    stop: async () => {
      // One that is gone before it was told to go has said why.
      if (server.child.exitCode !== null) progress(server.output.err.slice(-2000));
      server.child.kill('SIGTERM');
      await server.exited;
    },
  };
}
