import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { PoolConfig } from 'pg';
import type { Logger } from 'pino';
import { createAccess } from './access/authenticate.ts';
import { type Config, ConfigError, operatorKey, readConfig, trustedDocuments } from './config.ts';
import { type Database, createDatabase, patient, readClock } from './database/database.ts';
import { EmbeddedPostgresError } from './database/embedded.ts';
import { MigrationError, migrateToLatest } from './database/migrate.ts';
import { openServer } from './database/server.ts';
import { within } from './database/wall.ts';
import { graphiqlPage } from './graphql/transports/graphiql.ts';
import { createRates } from './graphql/transports/rates.ts';
import { createReferenceClock, systemClock } from './kernel/clock.ts';
import { createPostgresBus } from './live/postgres-bus.ts';
import { createLog } from './log.ts';
import { ensureBuilt } from './site/build.ts';
import { type Files, readFiles } from './site/files.ts';
import { createOpenIdSignIn } from './site/openid.ts';
import { createSignIns } from './site/sign-in.ts';
import { createSignInCode } from './site/sign-in-code.ts';

/** A failure to start that a person can act on: its message says all. */
class StartError extends Error {}

const startedBy = process.ppid;
/** Requests under way get this long; then their connections are cut. */
const drainMilliseconds = 4000;
/** The process is gone by then, whatever hangs. */
const stopMilliseconds = 9500;
/** Ctrl-C under npm arrives twice: from the terminal, and passed on by npm. */
const sameSignalMilliseconds = 500;

let config: Config;
try {
  config = readConfig(process.env);
} catch (error) {
  fail(error);
}
const log = createLog(config.logLevel);
const running = start(config, log);

let stoppingSince: number | null = null;

process.on('SIGINT', onSignal);
process.on('SIGTERM', onSignal);
process.on('uncaughtException', (error) => {
  if (stoppingSince === null) log.fatal({ err: error }, 'stopping, because of an error that nothing caught');
  void stop(1);
});
stopWithNpm();

try {
  const { lines } = await running;
  if (stoppingSince === null) console.log(lines.join('\n'));
} catch (error) {
  fail(error);
}

/** Opens everything, in order; what is open already is closed again where a later step fails. */
async function start(config: Config, log: Logger) {
  await using opening = new AsyncDisposableStack();
  const key = operatorKey(config);
  const documents = trustedDocuments(config);
  // PostgreSQL starts while most of the program is still being loaded: each takes as long as the other.
  const starting = openServer({ ...config, log });
  const loading = import('./app.ts');
  // What fails while PostgreSQL still starts is told where it is awaited: then there is what to stop again.
  loading.catch(() => {});
  const building = buildPages(log);
  const database = await starting;
  opening.defer(() => database.stop());
  const { createApp } = await loading;
  const { db, close } = createDatabase(database.connection, log);
  opening.defer(close);
  await migrate(database.owner, log);
  const clock = await createReferenceClock(() => readClock(db), log);
  opening.defer(() => clock.stop());

  const { redisUrl } = config;
  // What only some servers need is loaded by those: the client of Redis is a fifth of all that there is.
  const bus =
    redisUrl === null
      ? createPostgresBus(database.connection, log)
      : (await import('./live/redis-bus.ts')).createRedisBus(redisUrl, log);
  opening.defer(() => bus.close()); // after the server has drained: what was committed last is told too
  const system = within(db, 'ALL');
  const { openId, openIdClient: client } = config;
  const verifyToken =
    openId === null
      ? null
      : (await import('./access/tokens.ts')).createTokens({ openId, db: system, clock, log });
  const access = createAccess({ db: system, clock, log, operatorKey: key, verifyToken });
  opening.defer(() => access.stop());
  const files = await building;
  const code = createSignInCode(`Bearer ${key}`);
  const openIdSignIn = client === null ? null : createOpenIdSignIn({ client, secret: key, clock, log });
  const redis =
    redisUrl === null ? null : (await import('./graphql/transports/redis.ts')).connectRedis(redisUrl, log);
  const app = createApp({
    db,
    proofs: access,
    log,
    clock,
    bus,
    historyMonths: config.historyMonths,
    limits: config.limits,
    documentLimits: config.documentLimits,
    bodyLimits: config.bodyLimits,
    allowedOrigins: config.allowedOrigins,
    proxies: config.proxies,
    graphiql: config.graphiql ? graphiqlPage : null,
    pages: files === null ? null : { files, signIns: createSignIns(key, clock), code, openId: openIdSignIn },
    documents: files === null ? documents : documents.and(files.documents),
    rates: createRates({ limits: config.rateLimits, redis, log }),
    secondFactor: config.secondFactor,
  });
  const { server } = app;
  opening.defer(() => drain(server));
  opening.defer(() => app.stop()); // before the server drains: subscriptions do not end by themselves
  opening.defer(async () => {
    // Whoever balances the load hears of it before connections are refused.
    app.refuse();
    await delay(config.stopPauseSeconds * 1000);
  });
  if (database.embeddedIn !== null && (await isEmpty(system))) await app.loadDemonstration();
  const address = await listen(server, config);
  log.info({ address: address.address, port: address.port }, 'listening');

  const open = opening.move();
  return {
    lines: greeting({
      address,
      key,
      embeddedIn: database.embeddedIn,
      bus: bus.name,
      graphiql: config.graphiql,
      code: files === null ? null : code.code,
    }),
    close: () => open.disposeAsync(),
  };
}

/** The pages; null where they cannot be built, which keeps nobody from the API. */
async function buildPages(log: Logger): Promise<Files | null> {
  try {
    return readFiles(await ensureBuilt());
  } catch (error) {
    log.error({ err: error }, 'could not build the pages: there are none (npm ci builds them too)');
    return null;
  }
}

/** On a connection of its own: a migration takes as long as it takes. */
async function migrate(connection: PoolConfig, log: Logger): Promise<void> {
  const { db, close } = createDatabase({ ...connection, ...patient, max: 1 }, log);
  try {
    await migrateToLatest(db);
  } finally {
    await close();
  }
}

async function listen(server: Server, config: Config): Promise<AddressInfo> {
  await new Promise<void>((listening, failed) => {
    server.once('error', (error) => failed(listenError(error, config)));
    server.listen(config.port, config.host, listening);
  });
  return server.address() as AddressInfo;
}

/** Takes no more connections, and waits for the requests under way. */
function drain(server: Server): Promise<void> {
  return new Promise((drained) => {
    server.close(() => drained());
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), drainMilliseconds).unref();
  });
}

async function isEmpty(db: Database): Promise<boolean> {
  return (await db.selectFrom('organisation').select('id').limit(1).executeTakeFirst()) === undefined;
}

function greeting(facts: {
  address: AddressInfo;
  key: string;
  embeddedIn: string | null;
  bus: string;
  graphiql: boolean;
  /** Of the pages, once; null: there are none. */
  code: string | null;
}): string[] {
  const { address, port, family } = facts.address;
  const anywhere = address === '0.0.0.0' || address === '::';
  const host = anywhere ? 'localhost' : family === 'IPv6' ? `[${address}]` : address;
  return [
    'Seatkeeper is ready.',
    ...(facts.code === null ? [] : [`  Pages         http://${host}:${port}/#code=${facts.code} (once)`]),
    facts.graphiql
      ? `  GraphiQL      http://${host}:${port}/graphql#key=${encodeURIComponent(facts.key)}`
      : `  API           http://${host}:${port}/graphql`,
    `  Operator key  ${facts.key}`,
    `  Data          ${facts.embeddedIn ?? 'the database that DATABASE_URL names'}`,
    `  Live          changes are announced to other servers through ${facts.bus}`,
    `  Try next      ${facts.code !== null ? 'open the pages, and ' : ''}drive a day of a contact centre in another terminal: npm run simulate`,
    ...(facts.graphiql ? ['                or open GraphiQL, and press ▶ in one tab after the other'] : []),
  ];
}

function onSignal(): void {
  if (stoppingSince !== null && systemClock.now().getTime() - stoppingSince > sameSignalMilliseconds)
    process.exit(1);
  void stop(0);
}

async function stop(code: number): Promise<void> {
  if (stoppingSince !== null) return;
  stoppingSince = systemClock.now().getTime();
  setTimeout(() => {
    log.error({}, 'could not stop in time');
    process.exit(1);
  }, stopMilliseconds).unref();
  try {
    const { close } = await running;
    log.info({}, 'stopping');
    await close();
  } catch (error) {
    log.error({ err: error }, 'could not stop in order');
  }
  process.exit(code);
}

/** npm that is killed cannot pass its end on: whoever is adopted by another parent stops. */
function stopWithNpm(): void {
  if (process.env['npm_lifecycle_event'] === undefined) return;
  setInterval(() => {
    if (process.ppid !== startedBy) void stop(0);
  }, 500).unref();
}

function listenError(error: NodeJS.ErrnoException, { host, port }: Config): Error {
  switch (error.code) {
    case 'EADDRINUSE':
      return new StartError(
        `Port ${port} of ${host} is in use: stop what listens there, or set PORT to another.`,
      );
    case 'EACCES':
      return new StartError(`Port ${port} needs more rights than this user has: set PORT to another.`);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new StartError(`HOST is ${host}, which is not an address of this machine.`);
    default:
      return error;
  }
}

function fail(error: unknown): never {
  const isPlain = [ConfigError, StartError, MigrationError, EmbeddedPostgresError].some(
    (known) => error instanceof known,
  );
  console.error(isPlain ? (error as Error).message : error);
  process.exit(1);
}
