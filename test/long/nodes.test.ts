import { setTimeout as delay } from 'node:timers/promises';
import { type Client, createClient } from 'graphql-ws';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { testDatabase } from '../setup/database.ts';
import { ready, type ServerProcess, spawnServer, temporaryFolder, until } from '../setup/process.ts';
import { type Proxy, startProxy } from '../setup/proxy.ts';
import { type Redis, redisBinary, startRedis } from '../setup/redis.ts';
import { startCommitProxy } from './commit-proxy.ts';
import { type Address, ask, type Floor, openFloor } from './load.ts';

/** What a wallboard must never be behind by. */
const promisedMilliseconds = 2000;
/** What only the bus can do: with one logon right after another is shown, the last of three polls is nearly 750 ms away. */
const hastenedMilliseconds = 400;

interface Node extends Address {
  readonly server: ServerProcess;
}

interface Wallboard {
  /** Every figure it showed, in order. */
  readonly shown: number[];
  readonly revisions: number[];
}

let database: Awaited<ReturnType<typeof testDatabase>>;
let pool: pg.Pool;
let folder: ReturnType<typeof temporaryFolder>;
let proxy: Proxy | null = null;
let redis: Redis | null = null;
let floor: Floor;
let boards: Wallboard[];
let loggedOn: number;
const nodes: Node[] = [];
const clients: Client[] = [];

beforeEach(async () => {
  database = await testDatabase();
  pool = new pg.Pool({ ...database.connection, max: 2 });
  // The database is dropped while they are being closed.
  pool.on('connect', (client) => client.on('error', () => {}));
  folder = temporaryFolder();
  boards = [];
  loggedOn = 0;
});

afterEach(async () => {
  for (const client of clients.splice(0)) await client.dispose();
  for (const { server } of nodes) server.child.kill('SIGTERM');
  await Promise.all(nodes.splice(0).map(({ server }) => server.exited));
  await proxy?.close();
  proxy = null;
  await redis?.kill();
  redis = null;
  await pool.end();
  await database.drop();
  folder.remove();
});

function databaseUrl(host: string, port: number): string {
  const { user, password, database: name } = database.connection;
  return `postgres://${user}:${String(password)}@localhost/${name}?host=${encodeURIComponent(host)}&port=${port}`;
}

async function startNode(variables: Record<string, string>): Promise<Node> {
  const server = spawnServer({ SEATKEEPER_DATA: folder.folder, LOG_LEVEL: 'info', ...variables });
  const node = { ...(await ready(server)), server };
  nodes.push(node);
  return node;
}

function watch({ url, key }: Address): Wallboard {
  const board: Wallboard = { shown: [], revisions: [] };
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${key}` },
    retryAttempts: 0,
  });
  clients.push(client);
  client.subscribe<{
    usageChanged: { revision: number; rows: readonly { concurrent: { used: number } }[] };
  }>(
    {
      query: `subscription ($id: ID!) { usageChanged(organisationId: $id, licences: ["SUPERVISOR"]) {
        revision rows { concurrent { used } } } }`,
      variables: { id: floor.organisationId },
    },
    {
      next: ({ data }) => {
        board.revisions.push(data?.usageChanged.revision ?? 0);
        board.shown.push(data?.usageChanged.rows[0]?.concurrent.used ?? -1);
      },
      // A node that is killed takes its wallboards' connections with it.
      error: () => {},
      complete: () => {},
    },
  );
  return board;
}

const logonDocument = 'mutation ($input: LogonInput!) { logon(input: $input) { __typename } }';

async function logOn(node: Address): Promise<void> {
  const input = { userId: floor.users[loggedOn], licence: 'SUPERVISOR', device: 'desktop' };
  loggedOn += 1;
  const { data } = await ask(node, logonDocument, { input });
  expect(data.logon.__typename).toBe('LogonPayload');
}

/** @returns after how many milliseconds every wallboard showed who is logged on */
async function allRight(): Promise<number> {
  const from = performance.now();
  await until(() => boards.every(({ shown }) => shown.at(-1) === loggedOn), 15_000);
  return performance.now() - from;
}

/** Logs on at one node after the other. @returns the median of the milliseconds until every wallboard was right */
async function usualDelay(): Promise<number> {
  const delays: number[] = [];
  for (let turn = 0; turn < 9; turn += 1) {
    const node = nodes[turn % nodes.length];
    if (node === undefined) break;
    await logOn(node);
    delays.push(await allRight());
  }
  return delays.sort((one, other) => one - other)[4] ?? Infinity;
}

/** Only logons were done, one after another: what goes back, or beyond them, was never true. */
function expectNothingFalse(): void {
  for (const { shown, revisions } of boards) {
    expect(shown).toEqual(shown.toSorted((one, other) => one - other));
    expect(revisions).toEqual([...new Set(revisions)].toSorted((one, other) => one - other));
    expect(shown.at(-1)).toBeLessThanOrEqual(loggedOn);
  }
}

const logged = ({ server }: Node, message: string) => server.output.err.split(message).length - 1;
const gone = 'the bus is gone';
const back = 'the bus is back';

const buses = [
  {
    name: 'PostgreSQL',
    greeting: 'seatkeeper bus',
    isThere: true,
    prepare: async () => {
      const { host = '', port = 0 } = database.connection;
      proxy = await startProxy({ host, port });
      return { DATABASE_URL: databaseUrl('127.0.0.1', proxy.port) };
    },
  },
  {
    name: 'Redis',
    greeting: '',
    isThere: redisBinary !== null,
    prepare: async (): Promise<Record<string, string>> => {
      const { host = '', port = 0 } = database.connection;
      redis = await startRedis();
      proxy = await startProxy({ host: '127.0.0.1', port: redis.port });
      return { DATABASE_URL: databaseUrl(host, port), REDIS_URL: `redis://127.0.0.1:${proxy.port}` };
    },
  },
] as const;

describe.each(buses)('three nodes that tell one another through $name', (bus) => {
  let variables: Record<string, string>;

  beforeEach(async (context) => {
    if (!bus.isThere) context.skip();
    variables = await bus.prepare();
    for (let index = 0; index < 3; index += 1) await startNode(variables);
    floor = await openFloor(nodes[0] as Node, 60, { concurrent: 60, contingency: 0 });
    boards = nodes.map(watch);
    await allRight();
  });

  afterEach(expectNothingFalse);

  test('C5: a logon on one is on the wallboards of the others at once', async () => {
    expect(await usualDelay()).toBeLessThan(hastenedMilliseconds);
    for (const node of nodes) {
      expect(node.server.output.out).toContain(`announced to other servers through ${bus.name}`);
      expect(logged(node, gone)).toBe(0);
    }
  });

  test('C5: while the bus is frozen, and after it was cut, wallboards are right within 2 s; then at once again', async () => {
    await usualDelay();
    proxy?.freeze(bus.greeting);
    await logOn(nodes[0] as Node);
    expect(await allRight()).toBeLessThan(promisedMilliseconds);
    await until(() => nodes.every((node) => logged(node, gone) === 1), 10_000);
    await logOn(nodes[1] as Node);
    expect(await allRight()).toBeLessThan(promisedMilliseconds);
    proxy?.thaw();
    await until(() => nodes.every((node) => logged(node, back) === 1), 20_000);
    expect(await usualDelay()).toBeLessThan(hastenedMilliseconds);

    proxy?.cut();
    // The requests' own connections to the database were cut as well.
    await until(() => nodes.every((node) => logged(node, back) === 2), 20_000);
    await logOn(nodes[2] as Node);
    expect(await allRight()).toBeLessThan(promisedMilliseconds);
    expect(await usualDelay()).toBeLessThan(hastenedMilliseconds);
    expect(nodes.map((node) => logged(node, gone))).toEqual([2, 2, 2]);
  });

  test('C5: of a node that is killed between commit and announcement, the others find the change within 2 s', async () => {
    const { host = '', port = 0 } = database.connection;
    const commits = await startCommitProxy({ host, port });
    try {
      const doomed = await startNode({ ...variables, DATABASE_URL: databaseUrl('127.0.0.1', commits.port) });
      commits.arm(() => doomed.server.child.kill('SIGKILL'));
      await expect(logOn(doomed)).rejects.toThrow(/fetch failed/);
      expect(await allRight()).toBeLessThan(promisedMilliseconds);
      const { rows } = await pool.query('select sum(in_use)::int as n from pool');
      expect(rows).toEqual([{ n: 1 }]);
    } finally {
      commits.close();
    }
  });
});

describe('PostgreSQL as the bus', () => {
  beforeEach(async () => {
    const { host = '', port = 0 } = database.connection;
    for (let index = 0; index < 3; index += 1) await startNode({ DATABASE_URL: databaseUrl(host, port) });
    floor = await openFloor(nodes[0] as Node, 30, { concurrent: 30, contingency: 0 });
    boards = nodes.map(watch);
    await allRight();
  });

  test('C5: connections that listen are replaced when PostgreSQL ends them', async () => {
    const bus = "from pg_stat_activity where application_name = 'seatkeeper bus'";
    for (let outage = 1; outage <= 2; outage += 1) {
      const { rowCount } = await pool.query(
        `select pg_terminate_backend(pid) ${bus} and datname = current_database()`,
      );
      expect(rowCount).toBe(3);
      await logOn(nodes[0] as Node);
      expect(await allRight()).toBeLessThan(promisedMilliseconds);
      await until(() => nodes.every((node) => logged(node, back) === outage), 5000);
      expect(await usualDelay()).toBeLessThan(hastenedMilliseconds);
    }
  });
});

describe('behind a pooler', () => {
  test('C5: wallboards are right within 2 s by asking alone', async () => {
    const { host = '', port = 0 } = database.connection;
    proxy = await startProxy({ host, port }, asPooler);
    const variables = { DATABASE_URL: databaseUrl('127.0.0.1', proxy.port) };
    for (let index = 0; index < 3; index += 1) await startNode(variables);
    floor = await openFloor(nodes[0] as Node, 30, { concurrent: 30, contingency: 0 });
    boards = nodes.map(watch);
    await allRight();
    for (let turn = 0; turn < 9; turn += 1) {
      await logOn(nodes[turn % 3] as Node);
      expect(await allRight()).toBeLessThan(promisedMilliseconds);
    }
    for (const node of nodes) {
      expect(logged(node, gone)).toBe(1);
      expect(node.server.output.err).toContain('A pooler stands between');
    }
  });
});

/** A pooler names itself as the other end of a connection (BackendKeyData), where PostgreSQL names its own process. */
function asPooler(data: Buffer): Buffer {
  const at = data.indexOf(Buffer.from([0x4b, 0, 0, 0, 12]));
  if (at === -1) return data;
  const altered = Buffer.from(data);
  altered.writeInt32BE(0x7f_ff_ff_ff, at + 5);
  return altered;
}

describe.skipIf(redisBinary === null)('Redis as the bus', () => {
  beforeEach(async () => {
    const { host = '', port = 0 } = database.connection;
    redis = await startRedis();
    proxy = await startProxy({ host: '127.0.0.1', port: redis.port });
    const variables = { DATABASE_URL: databaseUrl(host, port), REDIS_URL: `redis://127.0.0.1:${proxy.port}` };
    for (let index = 0; index < 3; index += 1) await startNode(variables);
    floor = await openFloor(nodes[0] as Node, 60, { concurrent: 60, contingency: 0 });
    boards = nodes.map(watch);
    await allRight();
  });

  test('C5: a slow bus tells late what is known by then, and nobody sees an older figure', async ({
    skip,
  }) => {
    if (redis === null) skip('a slow PostgreSQL slows the logons as well');
    proxy?.delay(1500);
    for (let turn = 0; turn < 12; turn += 1) {
      await logOn(nodes[turn % 3] as Node);
      await delay(100);
    }
    expect(await allRight()).toBeLessThan(promisedMilliseconds);
    await delay(2000);
    expect(boards.map(({ shown }) => shown.at(-1))).toEqual([12, 12, 12]);
  });

  test('C5: killed and restarted, it is missed by nobody, and told of once', async () => {
    expect(await usualDelay()).toBeLessThan(hastenedMilliseconds);
    await redis?.kill();
    for (const node of nodes) {
      await logOn(node);
      expect(await allRight()).toBeLessThan(promisedMilliseconds);
    }
    await delay(6000);
    await redis?.start();
    await until(() => nodes.every((node) => logged(node, back) === 1), 15_000);
    expect(await usualDelay()).toBeLessThan(hastenedMilliseconds);
    expect(nodes.map((node) => logged(node, gone))).toEqual([1, 1, 1]);
  });

  test('C5: a node that starts while it is down serves all the same', async () => {
    await redis?.kill();
    const { host = '', port = 0 } = database.connection;
    const late = await startNode({
      DATABASE_URL: databaseUrl(host, port),
      REDIS_URL: redis?.url ?? '',
    });
    boards.push(watch(late));
    await logOn(late);
    expect(await allRight()).toBeLessThan(promisedMilliseconds);
    await redis?.start();
    await until(() => nodes.every((node) => logged(node, back) === 1), 15_000);
    expect(await usualDelay()).toBeLessThan(hastenedMilliseconds);
  });
});
