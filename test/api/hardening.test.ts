import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { defaultDocumentLimits } from '../../src/graphql/limits.ts';
import { defaultLimits, type LiveLimits } from '../../src/graphql/transports/limits.ts';
import { endOf, open } from '../setup/connection.ts';
import { buy, createOrganisation } from '../setup/given.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';
import { bareSocket, type BareSocket, subscribeTo } from '../setup/socket.ts';

/** What a client that means harm, or is merely odd, sends: it costs its own operation, and nobody else anything. */

const usage =
  'subscription ($id: ID!) { usageChanged(organisationId: $id) { revision rows { licence { code } } } }';
const soon = { timeout: 15_000, interval: 20 };

/** So that one event can be made as large as one likes. */
const documentLimits = { ...defaultDocumentLimits, aliases: 10_000 };

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ documentLimits });
});
afterAll(() => server.stop());

const others: TestServer[] = [];
/** With limits of its own. */
async function limited(limits: Partial<LiveLimits>): Promise<TestServer> {
  const other = await startTestServer({ documentLimits, limits: { ...defaultLimits, ...limits } });
  others.push(other);
  return other;
}
afterEach(async () => {
  await Promise.all(others.splice(0).map((other) => other.stop()));
});

/** What ws keeps to itself: the connection below a WebSocket. */
const below = ({ socket }: BareSocket) => (socket as unknown as { readonly _socket: Socket })._socket;

async function live(of: TestServer = server): Promise<BareSocket> {
  const bare = await bareSocket(of);
  expect((await bare.next()).type).toBe('connection_ack');
  return bare;
}

const licences = [
  'INBOUND_AGENT',
  'OUTBOUND_AGENT',
  'SUPERVISOR',
  'CONTACT_SWITCHBOARD_OPERATOR',
  'SUPERVISOR_SWITCHBOARD_OPERATOR',
];
async function centre(of: TestServer = server): Promise<string> {
  const id = await createOrganisation(of, { name: 'Hard', leaseSeconds: 3600 });
  await Promise.all(licences.map((licence) => buy(of, id, licence, { base: 1, concurrent: 1 })));
  return id;
}

/** A subscription whose events are as large as one likes. */
const wide = (times: number) =>
  `subscription ($id: ID!) { usageChanged(organisationId: $id) { rows { ${Array.from({ length: times }, (_, index) => `a${index}: id`).join(' ')} } } }`;

function request(of: TestServer, body: string, headers: Record<string, string> = {}): string {
  const all = {
    host: 'localhost',
    authorization: `Bearer ${of.key}`,
    accept: 'text/event-stream',
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return `POST /graphql HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
}

const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
const deepBody = `{"query":${JSON.stringify(usage)},"variables":{"id":${deep}}}`;

test('variables of a hundred thousand levels cost their operation, over SSE and over WebSocket', async () => {
  const response = await fetch(server.url, {
    method: 'POST',
    headers: {
      accept: 'text/event-stream',
      'content-type': 'application/json',
      authorization: `Bearer ${server.key}`,
    },
    body: deepBody,
  });
  expect(await response.text()).toContain('INVALID_INPUT');

  const { socket, next } = await live();
  socket.send(`{"id":"deep","type":"subscribe","payload":${deepBody}}`);
  expect((await next()).payload.errors).toMatchObject([{ extensions: { code: 'INVALID_INPUT' } }]);
  expect(socket.readyState).toBe(socket.OPEN);
  socket.terminate();
});

test('a client that takes nothing has one event queued for it, however much it subscribes to', async () => {
  const id = await centre();
  const eager = await live();
  eager.send(subscribeTo('one', wide(1000), { id }));
  const size = JSON.stringify(await eager.next()).length;
  eager.socket.terminate();

  const deaf = await live();
  const end = endOf(below(deaf));
  deaf.socket.pause();
  for (let index = 0; index < 400; index += 1) deaf.send(subscribeTo(`${index}`, wide(1000), { id }));
  await vi.waitFor(() => expect(end.writableLength).toBeGreaterThan(0), soon);
  let most = 0;
  for (let turn = 0; turn < 40; turn += 1) {
    await sleep(25);
    most = Math.max(most, end.writableLength);
  }
  expect(most).toBeLessThan(2 * size);

  // And it gets all of them, once it takes them.
  deaf.socket.resume();
  await vi.waitFor(() => expect(deaf.received.length).toBe(400), soon);
  expect(new Set(deaf.received.map((message) => message.id)).size).toBe(400);
  deaf.socket.terminate();
}, 30_000);

test('answers are queued for a client that takes none up to a limit, and come when it takes them', async () => {
  const id = await centre();
  const deaf = await live();
  const end = endOf(below(deaf));
  deaf.socket.pause();
  const fields = Array.from({ length: 300 }, (_, index) => `a${index}: id`).join(' ');
  const query = `query ($id: ID!) { node(id: $id) { ... on Organisation { licenceMapping { ${fields} } } } }`;
  for (let index = 0; index < 400; index += 1) deaf.send(subscribeTo(`${index}`, query, { id }));
  let most = 0;
  for (let turn = 0; turn < 60; turn += 1) {
    await sleep(25);
    most = Math.max(most, end.writableLength);
  }
  deaf.socket.resume();
  await vi.waitFor(() => expect(deaf.received.length).toBe(800), { timeout: 20_000, interval: 50 });
  const size = JSON.stringify(deaf.received[0]).length;
  // A hundred under way, and what one piece from the network still held.
  expect(most).toBeLessThan(200 * size);
  deaf.socket.terminate();
}, 40_000);

test('a client that takes what it is sent slowly is not stalled; one that takes nothing is', async () => {
  const slow = await limited({ stalledMilliseconds: 2500 });
  const id = await centre(slow);
  const body = JSON.stringify({ query: wide(1600), variables: { id } });
  const [reader, deaf] = [await open(slow, request(slow, body)), await open(slow, request(slow, body))];
  reader.pause();
  deaf.pause();
  const ended = { reader: endOf(reader), deaf: endOf(deaf) };
  let taken = 0;
  const reading = setInterval(() => {
    taken += (reader.read(60_000) as Buffer | null)?.length ?? 0;
    reader.read(0);
  }, 100);
  let wasBehind = false;
  // More than the system can hold for them.
  await vi.waitFor(
    async () => {
      await Promise.all(licences.map((licence) => buy(slow, id, licence, { concurrent: 1 })));
      wasBehind ||= ended.reader.writableLength > 0;
      expect(ended.deaf.destroyed).toBe(true);
    },
    { timeout: 25_000, interval: 100 },
  );
  await sleep(3000);
  clearInterval(reading);
  expect(wasBehind).toBe(true);
  expect(taken).toBeGreaterThan(1_000_000);
  expect(ended.reader.destroyed).toBe(false);
  reader.destroy();
  deaf.destroy();
}, 40_000);

test('a refused upgrade lets its socket go, also where the client keeps its own end open', async () => {
  for (const path of ['/nope', '/graphql']) {
    const of = path === '/nope' ? server : await limited({ maxConnections: 0 });
    const client = await open(
      of,
      `GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\nand more`,
    );
    client.resume();
    const end = endOf(client);
    await vi.waitFor(() => expect(end.destroyed).toBe(true), soon);
    client.destroy();
  }
});

test('an offer of another protocol is left alone, and the request answered', async () => {
  const body = JSON.stringify({ query: '{ __typename }' });
  const client = await open(
    server,
    request(server, body, {
      accept: 'application/json',
      connection: 'Upgrade, HTTP2-Settings',
      upgrade: 'h2c',
      'http2-settings': 'AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA',
    }),
  );
  const [data] = (await once(client, 'data')) as [Buffer];
  expect(data.toString()).toMatch(/^HTTP\/1\.1 200 OK/);
  client.destroy();
});

test.each([
  ['with a query string', '?x=1', {}],
  ['with a charset in quotes', '', { 'content-type': 'application/json; charset="utf-8"' }],
])('an event stream asked for %s has its limits as well', async (_what, suffix, headers) => {
  const of = await limited({ maxConnections: 2 });
  const id = await centre(of);
  const statuses: number[] = [];
  for (let index = 0; index < 4; index += 1) {
    const { status } = await fetch(of.url + suffix, {
      method: 'POST',
      headers: {
        accept: 'text/event-stream',
        'content-type': 'application/json',
        authorization: `Bearer ${of.key}`,
        ...headers,
      },
      body: JSON.stringify({ query: usage, variables: { id } }),
    });
    statuses.push(status);
  }
  expect(statuses).toEqual([200, 200, 503, 503]);
});

test('a subscription in a form that no limit sees is refused, and says how to ask', async () => {
  const response = await fetch(server.url, {
    method: 'POST',
    headers: {
      accept: 'text/event-stream',
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Bearer ${server.key}`,
    },
    body: new URLSearchParams({ query: 'subscription { usageChanged(organisationId: "x") { revision } }' }),
  });
  expect(await response.text()).toMatch(/Ask for a subscription by POST/);
});

test('an event stream is broken off after its time, for its client to come back', async () => {
  const of = await limited({ streamMilliseconds: 500 });
  const id = await centre(of);
  const client = await open(of, request(of, JSON.stringify({ query: usage, variables: { id } })));
  let text = '';
  client.on('data', (data: Buffer) => (text += data.toString()));
  await once(client, 'end');
  client.destroy();
  expect(text).toContain('retry: ');
  expect(text).not.toContain('event: complete');
});

const ghost = (externalId: string) =>
  `mutation { createOrganisation(input: { name: "Ghost", externalId: "${externalId}" }) { __typename } }`;

test('what is sent after a goodbye is not done', async () => {
  const of = await limited({ maxConnectionsPerKey: 1 });
  const first = await live(of);
  const second = await bareSocket(of, null);
  second.send({ type: 'connection_init', payload: { authorization: `Bearer ${of.key}` } });
  expect((await second.closed).code).toBe(1013);

  const id = await centre(of);
  first.send(subscribeTo('a', usage, { id }));
  first.send(subscribeTo('a', usage, { id }));
  first.send(subscribeTo('m', ghost('goodbye')));
  expect((await first.closed).code).toBe(4409);
  await sleep(300);
  const { data } = await of.query('{ organisation(externalId: "goodbye") { id } }');
  expect(data).toEqual({ organisation: null });
});

test('an id is told apart whatever its length, up to one that is refused', async () => {
  const id = await centre();
  const long = 'x'.repeat(256);
  const { send, next, closed } = await live();
  send(subscribeTo(`${long}x`, usage, { id }));
  expect(await next()).toMatchObject({ type: 'error', payload: [{ extensions: { code: 'BAD_REQUEST' } }] });
  send(subscribeTo(long, usage, { id }));
  expect((await next()).type).toBe('next');
  send(subscribeTo(long, usage, { id }));
  expect((await closed).code).toBe(4409);
});

test('a message that only a server sends closes with 4400, and is no error of ours', async () => {
  const { send, closed } = await live();
  send({ type: 'connection_ack' });
  expect((await closed).code).toBe(4400);
  expect(server.logged.filter(({ level }) => level === 'error')).toEqual([]);
});

test('an operation that cannot be told from its neighbours is an error with a code', async () => {
  const { send, next, socket } = await live();
  send(subscribeTo('a', 'query A { __typename } query B { __typename }'));
  expect(await next()).toMatchObject({ type: 'error', payload: [{ extensions: { code: 'BAD_REQUEST' } }] });
  socket.terminate();
});

test('an id that is given anew in the same breath is the new operation’s', async () => {
  const id = await centre();
  const bare = await live();
  below(bare).cork();
  bare.send(subscribeTo('a', '{ nothing }'));
  bare.send({ id: 'a', type: 'complete' });
  bare.send(subscribeTo('a', usage, { id }));
  below(bare).uncork();
  expect((await bare.next()).type).toBe('next');
  await buy(server, id, 'SUPERVISOR', { concurrent: 1 });
  expect((await bare.next()).type).toBe('next');
  bare.send({ id: 'a', type: 'complete' });
  await sleep(200);
  expect(bare.received).toEqual([]);
  bare.socket.terminate();
});

test('documents are kept as long as they are few and short', async () => {
  // Without a collection it would be measured what happens to lie about.
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let index = 0; index < 100; index += 1) {
    await server.query(`{ __typename } # ${index} ${'x'.repeat(900_000)}`);
  }
  collect();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(60_000_000);
}, 30_000);

test('who has not said who they are is heard for a little, and let go', async () => {
  const client = await open(
    server,
    'GET /graphql HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: graphql-transport-ws\r\n\r\n',
  );
  client.resume();
  const end = endOf(client);
  // A frame of nearly a megabyte, of which a part is still to come.
  client.write(Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 15, 255, 255, 0, 0, 0, 0]));
  client.write(Buffer.alloc(200_000));
  await vi.waitFor(() => expect(end.destroyed).toBe(true), soon);
  client.destroy();
});

test('whoever asks whether the server is ready, and however often, has the database asked once', async () => {
  const texts: string[] = [];
  const stop = server.onStatement((text) => texts.push(text));
  const url = server.url.replace('/graphql', '/readyz');
  const answers = await Promise.all(Array.from({ length: 100 }, async () => (await fetch(url)).status));
  stop();
  expect(new Set(answers)).toEqual(new Set([200]));
  expect(texts.filter((text) => /kysely_migration/.test(text)).length).toBeLessThan(10);
});

test('whoever asks whether the server is ready is told that its login may not read the database, and not that there is none', async () => {
  const reason = async () =>
    ((await (await fetch(server.url.replace('/graphql', '/readyz'))).json()) as { readonly reason?: string })
      .reason;
  await server.pool.query('revoke select on kysely_migration from seatkeeper_runtime');
  await expect.poll(reason).toBe('The login of the server may not read the database.');
  await server.pool.query('grant select on kysely_migration to seatkeeper_runtime');
  await expect.poll(reason).toBeUndefined();
});
