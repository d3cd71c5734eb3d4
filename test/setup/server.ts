import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createClient, type Client } from 'graphql-ws';
import pg from 'pg';
import { WebSocket } from 'ws';
import { type Access, createAccess } from '../../src/access/authenticate.ts';
import { createTokens, type TokenOptions } from '../../src/access/tokens.ts';
import { type AppOptions, createApp } from '../../src/app.ts';
import { createDatabase } from '../../src/database/database.ts';
import { within } from '../../src/database/wall.ts';
import { type Actor, operator } from '../../src/kernel/actor.ts';
import { type Clock, type Instant, instant, systemClock } from '../../src/kernel/clock.ts';
import { createRates, defaultRateLimits } from '../../src/graphql/transports/rates.ts';
import { testDatabase } from './database.ts';
import { expectNoSecrets, secret, textOf } from './secrets.ts';

export interface GraphqlError {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions: {
    readonly code: string;
    readonly requestId: string;
    readonly [name: string]: unknown;
  };
}

/** An answer as a client reads it. Tests look into `data` freely, and expect what they find. */
export interface GraphqlAnswer {
  // oxlint-disable-next-line typescript/no-explicit-any -- a test asserts the shape it reads
  readonly data?: any;
  readonly errors?: readonly GraphqlError[];
  readonly extensions?: Readonly<Record<string, unknown>>;
}

export interface TestServer {
  readonly url: string;
  readonly wsUrl: string;
  readonly key: string;
  /** The database's, as its owner, for another server beside this one. */
  readonly connection: pg.PoolConfig;
  /** The same, as whom the server works. */
  readonly runtime: pg.PoolConfig;
  /** For a process of its own on the same database: as its owner. */
  readonly databaseUrl: string;
  /** The server's own database, as its owner, to look at what was written. */
  readonly pool: pg.Pool;
  /** What was logged, but for debugging. */
  readonly logged: readonly { readonly level: string; readonly message: string; readonly facts: object }[];
  /** Tells of every statement that the server sends, and on which connection, until the function it returns is called. */
  readonly onStatement: (listener: (text: string, connection: object) => void) => () => void;
  /** Over HTTP, with the operator's key. */
  readonly query: (document: string, variables?: Record<string, unknown>) => Promise<GraphqlAnswer>;
  /** Somebody else than the operator, with a key of their own. */
  readonly as: (actor: Pick<Actor, 'role' | 'organisationId' | 'userId'> & Partial<Actor>) => {
    readonly key: string;
    readonly query: TestServer['query'];
  };
  /** A mutation's result, whole; fails on GraphQL errors. The selection is of the union. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a test asserts the shape it reads
  readonly mutate: (name: string, input: Record<string, unknown>, selection?: string) => Promise<any>;
  /** A `graphql-ws` client with the key; disposed with the server. */
  readonly wsClient: () => Client;
  /** As a first start does on a database of its own. */
  readonly loadDemonstration: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** A hand-moved clock, for organisations of real time. */
export function handMovedClock(start: string): Clock & { set(to: string): void } {
  let now: Instant = instant(start);
  return {
    now: () => now,
    set: (to) => {
      now = instant(to);
    },
  };
}

/** The real server, on a free port and a database of its own. */
export async function startTestServer(
  options: Partial<Omit<AppOptions, 'db' | 'proofs' | 'log' | 'bus'>> & {
    /** A provider whose access tokens are taken. */
    readonly openId?: Pick<TokenOptions, 'openId' | 'cooldownMilliseconds' | 'cacheMilliseconds'>;
    /** Another server's database, which this one is beside; else its own. */
    readonly beside?: TestServer;
  } = {},
): Promise<TestServer> {
  const { openId, beside, ...appOptions } = options;
  const { connection, runtime, drop } =
    beside === undefined ? await testDatabase() : { ...beside, drop: () => Promise.resolve() };
  const logged: { level: string; message: string; facts: object }[] = [];
  const lines: string[] = [];
  const write = (level: string) => (facts: object, message: string) => {
    // As it is now: what is logged may be changed afterwards.
    lines.push(`${level} ${message} ${textOf(facts)}`);
    if (level !== 'debug') logged.push({ level, message, facts });
  };
  const log = { error: write('error'), warn: write('warn'), info: write('info'), debug: write('debug') };
  const database = createDatabase(runtime, log);
  const { db, close } = database;
  const statements = new EventEmitter<{ sent: [text: string, connection: object] }>();
  database.pool.on('connect', (client) => {
    const execute = client.query.bind(client) as (...query: unknown[]) => unknown;
    const told = (text: unknown, ...rest: unknown[]) => {
      if (typeof text === 'string') statements.emit('sent', text, client);
      return execute(text, ...rest);
    };
    client.query = told as typeof client.query;
  });
  const key = secret('operator-key-of-the-tests');
  secret(String(connection.password));
  const clock = options.clock ?? systemClock;
  const system = within(db, 'ALL');
  const access = createAccess({
    db: system,
    log,
    clock,
    operatorKey: key,
    verifyToken: openId === undefined ? null : createTokens({ ...openId, db: system, log, clock }),
  });
  const actors = new Map<string, Actor>();
  const proofs: Access = {
    ...access,
    authenticate: (authorization) => actors.get(authorization ?? '') ?? access.authenticate(authorization),
  };
  // Tests show many wrong keys, and all of them from one address.
  const rateLimits = { ...defaultRateLimits, failuresPerMinute: 0 };
  const rates = createRates({ limits: rateLimits, redis: null, log });
  const app = createApp({ db, proofs, rates, log, clock, sweepMilliseconds: 50, ...appOptions });
  const { server } = app;
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/graphql`;
  const wsUrl = `ws://127.0.0.1:${port}/graphql`;
  const pool = new pg.Pool({ ...connection, max: 2 });
  // A connection that is being closed when the database is dropped is told so.
  pool.on('connect', (client) => client.on('error', () => {}));
  const clients: Client[] = [];

  const ask = async (given: string, document: string, variables: Record<string, unknown> = {}) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${given}` },
      body: JSON.stringify({ query: document, variables }),
      signal: AbortSignal.timeout(15_000),
    });
    return (await response.json()) as GraphqlAnswer;
  };
  const query: TestServer['query'] = (...asked) => ask(key, ...asked);

  const { host, port: databasePort, user, password, database: databaseName } = connection;
  const databaseUrl = `postgres://${user}:${String(password)}@localhost/${databaseName}?host=${encodeURIComponent(host ?? '')}&port=${databasePort}`;

  return {
    url,
    wsUrl,
    key,
    connection,
    runtime,
    databaseUrl,
    onStatement: (listener) => {
      statements.on('sent', listener);
      return () => statements.off('sent', listener);
    },
    pool,
    logged,
    query,
    as: (actor) => {
      const given = secret(`key-${randomUUID()}`);
      actors.set(`Bearer ${given}`, { ...operator, credential: `of ${randomUUID()}`, ...actor } as Actor);
      return { key: given, query: (...asked) => ask(given, ...asked) };
    },
    mutate: async (name, input, selection = '') => {
      const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}Input`;
      const { data, errors } = await query(
        `mutation ($input: ${type}!) { ${name}(input: $input) { __typename ... on UserError { code message } ... on InvalidInput { field } ${selection} } }`,
        { input },
      );
      if (errors !== undefined) throw new Error(`${name}: ${JSON.stringify(errors)}`);
      return data[name];
    },
    wsClient: () => {
      const client = createClient({
        url: wsUrl,
        webSocketImpl: WebSocket,
        connectionParams: { authorization: `Bearer ${key}` },
        lazy: true,
      });
      clients.push(client);
      return client;
    },
    loadDemonstration: app.loadDemonstration,
    stop: async () => {
      for (const client of clients) await client.dispose();
      await app.stop();
      await access.stop();
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
      await pool.end();
      await close();
      await drop();
      expectNoSecrets(lines.join('\n'), 'a test’s server');
    },
  };
}
