import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { defaultLimits } from '../../src/graphql/transports/limits.ts';
import { decodeId } from '../../src/kernel/ids.ts';
import { buy, createOrganisation, createUser, logon } from '../setup/given.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';
import { bareSocket, type BareSocket, type Message, subscribeTo } from '../setup/socket.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const soon = { timeout: 8_000, interval: 10 };

const usage = `subscription ($id: ID!, $licences: [String!]) {
  usageChanged(organisationId: $id, licences: $licences) {
    revision snapshot organisation { name } rows { licence { code name } revision concurrent { total used } }
  }
}`;

async function contactCentre(of: TestServer = server) {
  const id = await createOrganisation(of, { name: 'Groups', leaseSeconds: 3600 });
  await buy(of, id, 'SUPERVISOR', { base: 3, concurrent: 3 });
  return { id, user: await createUser(of, id, 'one', ['SUPERVISOR']) };
}

async function live(of: TestServer = server): Promise<BareSocket> {
  const bare = await bareSocket(of);
  expect((await bare.next()).type).toBe('connection_ack');
  return bare;
}

const used = ({ payload }: Message) => payload.data.usageChanged.rows[0]?.concurrent.used as number;

/** The data of an event stream, as it comes. */
async function eventStream(
  variables: object,
  query = usage,
  of: TestServer = server,
): Promise<{ status: number; events: string[]; stop: () => void; ended: Promise<unknown> }> {
  const cancel = new AbortController();
  const response = await fetch(of.url, {
    method: 'POST',
    headers: {
      accept: 'text/event-stream',
      'content-type': 'application/json',
      authorization: `Bearer ${of.key}`,
    },
    body: JSON.stringify({ query, variables }),
    signal: cancel.signal,
  });
  const events: string[] = [];
  const read = async () => {
    let text = '';
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk;
      const whole = text.split('\n\n');
      text = whole.pop() ?? '';
      for (const event of whole) {
        const data = /^event: next\ndata: (.+)$/m.exec(event)?.[1];
        if (data !== undefined) events.push(data);
      }
    }
  };
  const ended = read().catch((error: unknown) => error);
  return { status: response.status, events, stop: () => cancel.abort(), ended };
}

/** The statements sent while something happens. */
async function statementsOf(happening: () => Promise<void>): Promise<string[]> {
  const statements: string[] = [];
  const stop = server.onStatement((text) => statements.push(text));
  await happening();
  stop();
  return statements.filter((text) => /from "?pool\b/.test(text));
}

test('equal subscriptions of sockets and event streams are read once, and get the same bytes', async () => {
  const { id, user } = await contactCentre();
  const sockets = await Promise.all(Array.from({ length: 20 }, () => live()));
  const snapshots = await statementsOf(async () => {
    for (const { send } of sockets) send(subscribeTo('a', usage, { id }));
    await Promise.all(sockets.map(({ next }) => next()));
  });
  expect(snapshots).toHaveLength(1);
  const streams = await Promise.all([eventStream({ id }), eventStream({ id })]);
  await vi.waitFor(() => expect(streams.every(({ events }) => events.length === 1)).toBe(true), soon);

  const before = sockets.map(({ socket }) => {
    const texts: string[] = [];
    socket.on('message', (data: Buffer) => texts.push(data.toString()));
    return texts;
  });
  // A poll of versions may wake them for nothing.
  await sleep(1100);
  const changes = await statementsOf(async () => {
    await logon(server, user, 'SUPERVISOR', 'desktop', []);
    await vi.waitFor(() => expect(before.every((texts) => texts.length === 1)).toBe(true), soon);
    await vi.waitFor(() => expect(streams.every(({ events }) => events.length === 2)).toBe(true), soon);
  });
  expect(changes.filter((text) => text.includes('> given.since'))).toHaveLength(1);
  const texts = new Set(before.flat());
  expect(texts.size).toBe(1);
  expect([...texts][0]).toBe(`{"id":"a","type":"next","payload":${streams[0]?.events[1]}}`);
  expect(streams[1]?.events).toEqual(streams[0]?.events);
  for (const { socket } of sockets) socket.terminate();
  for (const { stop } of streams) stop();
});

test('two subscriptions of one socket in one group each have their own events; one completed, the other goes on', async () => {
  const { id, user } = await contactCentre();
  const { send, next, received, socket } = await live();
  send(subscribeTo('one', usage, { id, licences: ['SUPERVISOR'] }));
  // The same variables in another order.
  send(subscribeTo('two', usage, { licences: ['SUPERVISOR'], id }));
  const first = await next();
  const second = await next();
  expect(new Set([first.id, second.id])).toEqual(new Set(['one', 'two']));
  expect(second.payload).toEqual(first.payload);
  await logon(server, user, 'SUPERVISOR', 'desktop', []);
  expect(new Set([(await next()).id, (await next()).id])).toEqual(new Set(['one', 'two']));
  send({ id: 'one', type: 'complete' });
  send(subscribeTo('barrier', '{ __typename }'));
  expect((await next()).id).toBe('barrier');
  expect((await next()).type).toBe('complete');
  await logon(server, user, 'SUPERVISOR', 'phone', []);
  await buy(server, id, 'SUPERVISOR', { concurrent: 1 });
  expect(await next()).toMatchObject({ id: 'two', type: 'next' });
  await sleep(250);
  expect(received.every((message) => message.id === 'two')).toBe(true);
  socket.terminate();
});

test('who comes late starts from the figures as they are, and goes on without a gap', async () => {
  const { id, user } = await contactCentre();
  const early = await live();
  early.send(subscribeTo('a', usage, { id }));
  expect(used(await early.next())).toBe(0);
  await logon(server, user, 'SUPERVISOR', 'desktop', []);
  // At once: a snapshot of before the logon may not be handed out again.
  const late = await live();
  late.send(subscribeTo('a', usage, { id }));
  const snapshot = await late.next();
  expect(snapshot.payload.data.usageChanged.snapshot).toBe(true);
  expect(used(snapshot)).toBe(1);
  expect(used(await early.next())).toBe(1);
  await buy(server, id, 'SUPERVISOR', { concurrent: 2 });
  const [one, other] = [await early.next(), await late.next()];
  expect(other).toEqual(one);
  expect(one.payload.data.usageChanged).toMatchObject({
    snapshot: false,
    rows: [{ concurrent: { total: 5 } }],
  });
  early.socket.terminate();
  late.socket.terminate();
});

test('an id can be used again as soon as its subscription is completed, even in the same packet', async () => {
  const { id, user } = await contactCentre();
  const { send, next, received, socket } = await live();
  send(subscribeTo('a', usage, { id }));
  expect((await next()).type).toBe('next');
  for (let time = 0; time < 5; time += 1) {
    send({ id: 'a', type: 'complete' });
    send(subscribeTo('a', usage, { id }));
  }
  expect((await next()).payload.data.usageChanged.snapshot).toBe(true);
  await sleep(200);
  const seen = received.length;
  await logon(server, user, 'SUPERVISOR', 'desktop', []);
  await vi.waitFor(() => expect(received.length).toBe(seen + 1), soon);
  await sleep(200);
  expect(received.filter(({ type }) => type === 'complete')).toEqual([]);
  expect(received.length).toBe(seen + 1);
  // It is known under its id: the next completion reaches it.
  send({ id: 'a', type: 'complete' });
  await logon(server, user, 'SUPERVISOR', 'phone', []);
  await buy(server, id, 'SUPERVISOR', { concurrent: 1 });
  await sleep(250);
  expect(received.length).toBe(seen + 1);
  socket.terminate();
});

/** Some 6 kB an event. */
const wide = `subscription ($id: ID!) { usageChanged(organisationId: $id) { snapshot revision rows { concurrent { total }
  ${Array.from({ length: 150 }, (_, index) => `a${index}: licence { name code }`).join(' ')} } } }`;

const totalOf = (data: Buffer) => Number(/"concurrent":\{"total":(\d+)\}/.exec(data.toString('latin1'))?.[1]);

/** A socket with so many subscriptions of the group that one event fills every buffer on the way. */
async function heavySocket(id: string, of: TestServer = server) {
  const { socket, send, closed } = await live(of);
  const totals: number[] = [];
  socket.on('message', (data: Buffer) => totals.push(totalOf(data)));
  for (let index = 0; index < 400; index += 1) send(subscribeTo(`${index}`, wide, { id }));
  await vi.waitFor(() => expect(totals).toHaveLength(400), soon);
  return { socket, totals, closed };
}

test('one stalled socket among 500 harms nobody: nothing is queued for it, and it gets what it missed as one event', async () => {
  const { id } = await contactCentre();
  const sockets = await Promise.all(Array.from({ length: 499 }, () => live()));
  const others = sockets.map(({ socket, send }) => {
    const seen: number[] = [];
    socket.on('message', (data: Buffer) => seen.push(totalOf(data)));
    send(subscribeTo('a', wide, { id }));
    return seen;
  });
  await vi.waitFor(() => expect(others.every((seen) => seen.length === 1)).toBe(true), soon);
  const stalled = await heavySocket(id);
  stalled.totals.length = 0;
  stalled.socket.pause();
  for (let total = 4; total <= 23; total += 1) {
    await buy(server, id, 'SUPERVISOR', { concurrent: 1 });
    await vi.waitFor(() => expect(others.every((seen) => seen.at(-1) === total)).toBe(true), soon);
  }
  expect(stalled.totals).toEqual([]);
  stalled.socket.resume();
  await vi.waitFor(() => expect(stalled.totals.filter((total) => total === 23)).toHaveLength(400), soon);
  // Twenty changes: what was on its way when it stalled, and one event with the rest.
  expect(stalled.totals.length).toBeLessThan(400 * 8);
  for (const { socket } of [...sockets, stalled]) socket.terminate();
}, 60_000);

/** Changes figures until nothing more fits on the way to who does not read. */
async function changeFigures(of: TestServer, id: string, times: number): Promise<void> {
  for (let change = 0; change < times; change += 1) {
    await buy(of, id, 'SUPERVISOR', { concurrent: 1 });
    await sleep(120);
  }
}

describe('with narrow limits', () => {
  let narrow: TestServer;
  beforeAll(async () => {
    narrow = await startTestServer({
      limits: {
        ...defaultLimits,
        stalledMilliseconds: 1500,
        maxSubscriptions: 3,
        maxConnections: 6,
        maxConnectionsPerKey: 4,
        maxMessageBytes: 2000,
        initMilliseconds: 300,
      },
    });
  });
  afterAll(() => narrow.stop());

  test('a message larger than the limit closes the socket: 1009', async () => {
    const { send, closed } = await live(narrow);
    send(subscribeTo('a', `{ __typename } # ${'x'.repeat(2000)}`));
    expect((await closed).code).toBe(1009);
  });

  test('who does not say who it is in time is closed: 4408', async () => {
    const { closed } = await bareSocket(narrow, null);
    expect(await closed).toEqual({ code: 4408, reason: 'Connection initialisation timeout' });
  });

  test('who says so twice is closed: 4429', async () => {
    const { send, closed } = await live(narrow);
    send({ type: 'connection_init' });
    expect(await closed).toEqual({ code: 4429, reason: 'Too many initialisation requests' });
  });

  test.each([
    ['what is no JSON', 'nonsense'],
    ['what is no message of the protocol', '{"type":"start"}'],
    ['a subscription without an id', '{"type":"subscribe","payload":{"query":"{ __typename }"}}'],
  ])('%s closes the socket: 4400', async (_what, text) => {
    const { socket, closed } = await live(narrow);
    socket.send(text);
    expect((await closed).code).toBe(4400);
  });

  test('another protocol, or none, is not spoken: 4406', async () => {
    const socket = new WebSocket(narrow.wsUrl);
    const code = await new Promise((resolve) => {
      socket.once('close', resolve);
    });
    expect(code).toBe(4406);
  });

  test('an id that is taken closes the socket: 4409', async () => {
    const { id } = await contactCentre(narrow);
    const { send, closed } = await live(narrow);
    send(subscribeTo('a', usage, { id }));
    send(subscribeTo('a', usage, { id }));
    expect(await closed).toEqual({ code: 4409, reason: 'Subscriber for a already exists' });
  });

  test('a subscription too many on one connection is refused, and the others go on', async () => {
    const { id } = await contactCentre(narrow);
    const { send, next, socket } = await live(narrow);
    for (const name of ['a', 'b', 'c', 'd']) {
      send(subscribeTo(name, usage, { id }));
      const message = await next();
      if (name !== 'd') expect(message.payload.data.usageChanged.snapshot).toBe(true);
      else expect(message.payload.errors[0].extensions.code).toBe('TOO_MANY_SUBSCRIPTIONS');
    }
    expect(await next()).toEqual({ id: 'd', type: 'complete' });
    send({ id: 'a', type: 'complete' });
    send(subscribeTo('e', usage, { id }));
    expect((await next()).payload.data.usageChanged.snapshot).toBe(true);
    socket.terminate();
    await sleep(50);
  });

  test('connections too many of one key are closed with 1013, and too many of all are not taken: 503', async () => {
    const { id } = await contactCentre(narrow);
    const sockets = await Promise.all([live(narrow), live(narrow), live(narrow)]);
    const stream = await eventStream({ id }, usage, narrow);
    await vi.waitFor(() => expect(stream.events).toHaveLength(1), soon);
    const fifth = await bareSocket(narrow);
    expect(await fifth.closed).toEqual({ code: 1013, reason: 'Too many connections' });
    const refused = await eventStream({ id }, usage, narrow);
    expect(await refused.ended).toBeUndefined();
    expect(refused).toMatchObject({ status: 503, events: [] });

    const silent = await Promise.all([bareSocket(narrow, null), bareSocket(narrow, null)]);
    const error = await bareSocket(narrow).catch((error: unknown) => error);
    expect(String(error)).toContain('503');
    stream.stop();
    for (const { socket } of [...sockets, ...silent]) socket.terminate();
    // Who left makes room.
    await vi.waitFor(async () => {
      const { next, socket } = await bareSocket(narrow);
      expect((await next()).type).toBe('connection_ack');
      socket.terminate();
    }, soon);
  });
});

test('one that stays stalled is closed with a code after which clients connect again: 1013', async () => {
  const stalling = await startTestServer({ limits: { ...defaultLimits, stalledMilliseconds: 1500 } });
  const { id } = await contactCentre(stalling);
  const { socket, closed } = await heavySocket(id, stalling);
  socket.pause();
  await changeFigures(stalling, id, 8);
  // The system's watch may look once before it begins to count.
  await sleep(2 * 1500 + 500);
  socket.resume();
  expect(await closed).toEqual({ code: 1013, reason: 'Too slow' });
  await stalling.stop();
}, 30_000);

test('a server that stops answers what it accepted, refuses what comes then, and completes nobody: 1001', async () => {
  const stopping = await startTestServer();
  const { id, user } = await contactCentre(stopping);
  const { send, next, received, closed } = await live(stopping);
  send(subscribeTo('live', usage, { id }));
  expect((await next()).type).toBe('next');
  const held = await hold(stopping, id);
  const logonDocument = `mutation ($input: LogonInput!) { logon(input: $input) { __typename } }`;
  const logonAs = (device: string) => ({ input: { userId: user, licence: 'SUPERVISOR', device } });
  send(subscribeTo('accepted', logonDocument, logonAs('desktop')));
  await sleep(200);
  const stopped = stopping.stop();
  await sleep(50);
  for (const name of ['late', 'later']) send(subscribeTo(name, logonDocument, logonAs(name)));
  const refusals = [await next(), await next()];
  for (const { type, payload } of refusals) {
    expect(type).toBe('error');
    expect(payload[0].extensions).toMatchObject({ code: 'UNAVAILABLE', retryAfterSeconds: 1 });
  }
  await held();
  expect(await closed).toEqual({ code: 1001, reason: 'Going away' });
  await stopped;
  const answers = received.filter((message) => message.id === 'accepted');
  expect(answers).toMatchObject([
    { id: 'accepted', type: 'next', payload: { data: { logon: { __typename: 'LogonPayload' } } } },
    { id: 'accepted', type: 'complete' },
  ]);
  expect(received.filter((message) => message.id === 'live' && message.type === 'complete')).toEqual([]);
});

/** Somebody else's transaction holds an organisation, until it is let go. */
async function hold(of: TestServer, organisationId: string): Promise<() => Promise<void>> {
  const reference = decodeId(organisationId);
  if (reference?.type !== 'Organisation') throw new Error('Not an organisation');
  const client = new pg.Client(of.databaseUrl);
  await client.connect();
  await client.query('begin');
  await client.query('select from organisation where id = $1 for update', [reference.organisationId]);
  return async () => {
    await client.query('commit');
    await client.end();
  };
}

test('an event stream that stays stalled is cut off, and the rest of its group goes on', async () => {
  const stalling = await startTestServer({ limits: { ...defaultLimits, stalledMilliseconds: 1000 } });
  const { id } = await contactCentre(stalling);
  const deaf = connect(Number(new URL(stalling.url).port), '127.0.0.1');
  const cut = once(deaf, 'close').catch((error: unknown) => error);
  const rows = Array.from({ length: 100 }, (_, index) => `${'x'.repeat(2000)}${index}: revision`);
  const heavy = `subscription ($id: ID!) { usageChanged(organisationId: $id) { rows { concurrent { total } } ${rows.join(' ')} } }`;
  const healthy = await eventStream({ id }, heavy, stalling);
  const body = JSON.stringify({ query: heavy, variables: { id } });
  const headers = [
    'accept: text/event-stream',
    'content-type: application/json',
    `content-length: ${body.length}`,
  ];
  deaf.pause();
  deaf.write(
    `POST /graphql HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${stalling.key}\r\n${headers.join('\r\n')}\r\n\r\n${body}`,
  );
  await changeFigures(stalling, id, 50);
  await sleep(1200);
  expect(healthy.events.at(-1)).toContain('"total":53');
  deaf.resume();
  await cut;
  healthy.stop();
  await stalling.stop();
}, 60_000);
