import { setTimeout as delay } from 'node:timers/promises';
import { type Client, createClient } from 'graphql-ws';
import type pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { testDatabase } from '../setup/database.ts';
import { ready, type ServerProcess, spawnServer, temporaryFolder, until } from '../setup/process.ts';
import { type Proxy, startProxy } from '../setup/proxy.ts';
import { bareSocket } from '../setup/socket.ts';
import { type Address, ask, type Floor, openFloor } from './load.ts';

/** Within which a connection that is only half open must be noticed, at both of its ends. */
const noticedMilliseconds = 30_000;
/** Longer than the longest wait of a client whose connection was lost just now, its handshake and first event included. */
const backMilliseconds = 10_000;
/** An event stream brings at least a comment every 12 s (README, "Staying connected"). */
const streamSilentMilliseconds = 26_000;

interface Event {
  readonly snapshot: boolean;
  readonly used: number;
}

/** What a client saw: the events of each connection that it had. */
interface Wallboard {
  readonly name: string;
  readonly connections: Event[][];
  /** When it learned that a connection was lost. */
  readonly losses: number[];
  stop(): Promise<void>;
}

let database: Awaited<ReturnType<typeof testDatabase>>;
let folder: ReturnType<typeof temporaryFolder>;
let server: ServerProcess;
/** The server's own address. */
let direct: Address;
let proxy: Proxy;
let floor: Floor;
let boards: Wallboard[];
let loggedOn: number;
/** What event streams were told of when to come back, in milliseconds. */
let retries: number[];

async function start(
  port: string,
  at: Pick<pg.PoolConfig, 'host' | 'port'> = database.connection,
): Promise<void> {
  const { user, password, database: name } = database.connection;
  server = spawnServer({
    PORT: port,
    SEATKEEPER_DATA: folder.folder,
    DATABASE_URL: `postgres://${user}:${String(password)}@localhost/${name}?host=${encodeURIComponent(at.host ?? '')}&port=${at.port}`,
    // So that a connection that the server holds without its client shows.
    LIVE_MAX_CONNECTIONS_PER_KEY: '2',
  });
  direct = await ready(server);
}

beforeEach(async () => {
  database = await testDatabase();
  folder = temporaryFolder();
  await start('0');
  proxy = await startProxy({ host: '127.0.0.1', port: Number(new URL(direct.url).port) });
  floor = await openFloor(direct, 20, { concurrent: 20, contingency: 0 });
  loggedOn = 0;
  retries = [];
  const address = { url: `http://127.0.0.1:${proxy.port}`, key: direct.key };
  boards = [watchBySocket(address), watchByStream(address)];
  await allRight(backMilliseconds);
});

afterEach(async () => {
  await Promise.all(boards.map((board) => board.stop()));
  server.child.kill('SIGTERM');
  await server.exited;
  await proxy.close();
  await database.drop();
  folder.remove();
});

const document = (organisationId: string) =>
  `subscription { usageChanged(organisationId: "${organisationId}", licences: ["SUPERVISOR"]) {
    snapshot rows { concurrent { used } } } }`;

interface Payload {
  readonly usageChanged: {
    readonly snapshot: boolean;
    readonly rows: readonly { readonly concurrent: { readonly used: number } }[];
  };
}

function eventOf({ usageChanged: { snapshot, rows } }: Payload): Event {
  return { snapshot, used: rows[0]?.concurrent.used ?? -1 };
}

/** As README "Staying connected" has it, coming back somewhat sooner. */
function watchBySocket({ url, key }: Address): Wallboard {
  let unanswered: NodeJS.Timeout;
  const connections: Event[][] = [];
  const losses: number[] = [];
  const client: Client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${key}` },
    retryAttempts: Infinity,
    shouldRetry: () => true,
    retryWait: () => delay(Math.random() * 1000),
    keepAlive: 10_000,
    on: {
      connected: () => connections.push([]),
      ping: (received) => {
        if (!received) unanswered = setTimeout(() => client.terminate(), 5000);
      },
      pong: (received) => {
        if (received) clearTimeout(unanswered);
      },
      closed: () => {
        clearTimeout(unanswered);
        losses.push(performance.now());
      },
    },
  });
  client.subscribe<Payload>(
    { query: document(floor.organisationId) },
    {
      next: ({ data }) => {
        if (data) connections.at(-1)?.push(eventOf(data));
      },
      error: () => {},
      complete: () => {},
    },
  );
  return { name: 'WebSocket', connections, losses, stop: async () => client.dispose() };
}

/** As a browser's EventSource does it, with a watch on silence. */
function watchByStream({ url, key }: Address): Wallboard {
  const connections: Event[][] = [];
  const losses: number[] = [];
  const stopped = new AbortController();
  let retry = 1000;

  async function connectOnce(): Promise<void> {
    const silent = new AbortController();
    const watchdog = setTimeout(() => silent.abort(), streamSilentMilliseconds);
    try {
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'text/event-stream',
          authorization: `Bearer ${key}`,
        },
        body: JSON.stringify({ query: document(floor.organisationId) }),
        signal: AbortSignal.any([stopped.signal, silent.signal]),
      });
      if (!response.ok || response.body === null) return;
      const events: Event[] = [];
      connections.push(events);
      let text = '';
      for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
        watchdog.refresh();
        text += chunk;
        const lines = text.split('\n');
        text = lines.pop() ?? '';
        for (const line of lines) {
          if (line.startsWith('retry: ')) {
            retry = Number(line.slice('retry: '.length));
            retries.push(retry);
          } else if (line.startsWith('data: ')) {
            const { data } = JSON.parse(line.slice('data: '.length)) as { data: Payload };
            events.push(eventOf(data));
          }
        }
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  const running = (async () => {
    while (!stopped.signal.aborted) {
      await connectOnce().catch(() => {});
      losses.push(performance.now());
      await delay(retry, undefined, { signal: stopped.signal }).catch(() => {});
    }
  })();
  return {
    name: 'SSE',
    connections,
    losses,
    stop: async () => {
      stopped.abort();
      await running;
    },
  };
}

async function logOn(): Promise<void> {
  const { data } = await ask(
    direct,
    'mutation ($input: LogonInput!) { logon(input: $input) { __typename } }',
    { input: { userId: floor.users[loggedOn], licence: 'SUPERVISOR', device: 'desktop' } },
  );
  expect(data.logon.__typename).toBe('LogonPayload');
  loggedOn += 1;
}

/** Waits until every wallboard shows who is logged on, on a connection that it has. */
async function allRight(milliseconds: number): Promise<void> {
  const isRight = ({ connections }: Wallboard) => connections.at(-1)?.at(-1)?.used === loggedOn;
  await until(() => boards.every(isRight), milliseconds);
}

/** Every connection began with a snapshot, the only one on it, and went on in order. */
function expectSnapshots(connections: number): void {
  for (const { name, connections: seen } of boards) {
    expect([name, seen.length]).toEqual([name, connections]);
    for (const events of seen) {
      expect(events.map(({ snapshot }) => snapshot)).toEqual(events.map((_, index) => index === 0));
      const used = events.map((event) => event.used);
      expect(used).toEqual(used.toSorted((one, other) => one - other));
    }
  }
}

test('a network that drops: clients of WebSocket and of SSE come back, each in its own time, with a snapshot', async () => {
  for (let round = 1; round <= 3; round += 1) {
    proxy.cut();
    await logOn();
    await until(() => boards.every(({ connections }) => connections.length > round), backMilliseconds);
    await allRight(backMilliseconds);
  }
  expectSnapshots(4);
  expect(new Set(retries).size).toBe(4);
  for (const retry of retries) {
    expect(retry).toBeGreaterThanOrEqual(1000);
    expect(retry).toBeLessThanOrEqual(3000);
  }
});

test('a server that drains: they come back to the one that takes its place, with a snapshot', async () => {
  await logOn();
  await allRight(backMilliseconds);
  server.child.kill('SIGTERM');
  expect(await server.exited).toBe(0);
  await start(new URL(direct.url).port);
  await logOn();
  await allRight(backMilliseconds);
  expectSnapshots(2);
});

test('a slow network: what happens arrives late, in its order, and no connection is given up', async () => {
  proxy.delay(700);
  for (let round = 0; round < 10; round += 1) {
    await logOn();
    await delay(150);
  }
  await allRight(backMilliseconds);
  // Beyond the next pings, theirs and the server's.
  await delay(14_000);
  expectSnapshots(1);
});

test('a network that is frozen: both ends notice within 30 s, and all is right when it thaws', async () => {
  const address = { wsUrl: `${direct.url.replace('http', 'ws')}/graphql`, key: direct.key };
  /** Whether the server takes one more connection of the key. */
  const isTaken = async () => {
    const { socket, next, closed } = await bareSocket(address);
    const taken = await Promise.race([next().then(() => true), closed.then(() => false)]);
    socket.terminate();
    return taken;
  };
  expect(await isTaken()).toBe(false);
  const frozen = performance.now();
  proxy.freeze();
  await logOn();
  let noticed = Infinity;
  while (noticed === Infinity && performance.now() < frozen + noticedMilliseconds) {
    await delay(250);
    if (await isTaken()) noticed = performance.now();
  }
  expect(noticed - frozen).toBeLessThan(noticedMilliseconds);
  await until(() => boards.every(({ losses }) => losses.length > 0), noticedMilliseconds);
  for (const { losses } of boards) expect((losses[0] ?? Infinity) - frozen).toBeLessThan(noticedMilliseconds);

  proxy.thaw();
  await allRight(backMilliseconds);
  for (const { connections } of boards) expect(connections.at(-1)?.[0]?.snapshot).toBe(true);
});

test('a database that is away: who comes meanwhile is told nothing, and gets a snapshot when it is back', async () => {
  const { host = '', port = 0 } = database.connection;
  const network = await startProxy({ host, port });
  try {
    server.child.kill('SIGTERM');
    await server.exited;
    await start(new URL(direct.url).port, { host: '127.0.0.1', port: network.port });
    await until(() => boards.every(({ connections }) => connections.length > 1), backMilliseconds);
    await allRight(backMilliseconds);
    network.freeze();
    // They come anew, and find nobody behind the server.
    proxy.cut();
    await until(() => boards.some(({ connections }) => connections.length > 2), backMilliseconds);
    // The server gives a silent database up after 6 s.
    await delay(9000);
    for (const { connections } of boards) expect(connections.slice(2).flat()).toEqual([]);
    network.thaw();
    await until(
      () =>
        boards.every(({ connections }) => connections.length > 2 && (connections.at(-1)?.length ?? 0) > 0),
      2 * backMilliseconds,
    );
    await logOn();
    await allRight(backMilliseconds);
    for (const { connections } of boards) expect(connections.at(-1)?.[0]?.snapshot).toBe(true);
  } finally {
    await network.close();
  }
});
