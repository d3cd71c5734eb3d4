import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { defaultLimits } from '../../src/graphql/transports/limits.ts';
import type { Actor } from '../../src/kernel/actor.ts';
import { decodeId, type UserId } from '../../src/kernel/ids.ts';
import { buy, createOrganisation, createUser, uuidOf, setStatus } from '../setup/given.ts';
import { startProxy } from '../setup/proxy.ts';
import { type GraphqlAnswer, startTestServer, type TestServer } from '../setup/server.ts';
import { bareSocket, protocol, subscribeTo } from '../setup/socket.ts';

let server: TestServer;
/** Another server on the same database. */
let other: TestServer;
let partner: string;
let organisation: string;
let user: string;

beforeAll(async () => {
  server = await startTestServer();
  other = await startTestServer({ beside: server });
  partner = await createOrganisation(server, { name: 'Partner' });
  organisation = await createOrganisation(server, { name: 'Mine', parentId: partner });
  await buy(server, organisation, 'SUPERVISOR', { base: 20, concurrent: 20 });
  user = await createUser(server, organisation, 'margaret', ['SUPERVISOR']);
});
afterAll(async () => {
  await other.stop();
  await server.stop();
});

const document =
  'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { __typename ... on UserError { code message } ... on InvalidInput { field } ... on CreateApiKeyPayload { key apiKey { id name role scopes prefix createdAt createdBy expiresAt revokedAt lastUsedAt user { username } } } } }';

async function create(input: object, as: Pick<TestServer, 'query'> = server) {
  const given = { organisationId: organisation, name: 'Screen', role: 'WALLBOARD', ...input };
  const { data, errors } = await as.query(document, { input: given });
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data.createApiKey;
}

const revoke = (id: string, as: Pick<TestServer, 'query'> = server) =>
  as.query(
    'mutation ($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { __typename ... on UserError { code } ... on RevokeApiKeyPayload { apiKey { revokedAt } } } }',
    { input: { keyId: id } },
  );

function become(role: Actor['role'], given: Partial<Actor> = {}) {
  const reference = decodeId(user);
  return server.as({
    role,
    organisationId: uuidOf(role === 'PARTNER' ? partner : organisation),
    userId: role === 'AGENT' && reference?.type === 'User' ? (reference.id as UserId) : null,
    ...given,
  } as Actor);
}

async function ask(key: string, query: string, at: TestServer = server) {
  const response = await fetch(at.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ query }),
  });
  return {
    status: response.status,
    retryAfter: response.headers.get('retry-after'),
    answer: (await response.json()) as GraphqlAnswer,
  };
}

const soon = { timeout: 5_000, interval: 20 };
const names = '{ organisations { edges { node { name } } } }';
const seen = async (key: string, at?: TestServer) =>
  (await ask(key, names, at)).answer.data?.organisations.edges.map(
    ({ node }: { node: { name: string } }) => node.name,
  );

describe('a key', () => {
  test('is shown once, kept as its hash only, and is its organisation’s with its role', async () => {
    const { key, apiKey } = await create({ scopes: ['READ'] });
    expect(key).toMatch(/^sk_[\w-]{34}_[\w-]{43}$/);
    expect(apiKey).toMatchObject({
      name: 'Screen',
      role: 'WALLBOARD',
      scopes: ['READ'],
      prefix: key.slice(0, 15),
      createdBy: 'operator',
      expiresAt: null,
      revokedAt: null,
      lastUsedAt: null,
      user: null,
    });
    expect(await seen(key)).toEqual(['Mine']);
    expect(await seen(key, other)).toEqual(['Mine']);

    const { rows } = await server.pool.query('select row_to_json(api_key)::text as row from api_key');
    const secret = key.slice(-43);
    for (const { row } of rows) {
      expect(row).not.toContain(secret);
      expect(row).not.toContain(Buffer.from(secret, 'base64url').toString('hex'));
    }
    for (const { logged } of [server, other]) expect(JSON.stringify(logged)).not.toContain(secret);
  });

  test('is not shown again by a repeat, which makes no second one', async () => {
    const first = await create({ idempotencyKey: 'once' });
    const again = await create({ idempotencyKey: 'once' });
    expect(again).toEqual({ ...first, key: null });
    expect(await create({ idempotencyKey: 'once', name: 'Another' })).toMatchObject({
      code: 'IDEMPOTENCY_KEY_REUSED',
    });
  });

  test('is nobody’s where a character of it is wrong, or it is of another organisation', async () => {
    const { key } = await create({});
    const { key: another } = await create({ organisationId: partner });
    const wrong = [
      `${key.slice(0, -2)}${key.at(-2) === 'A' ? 'B' : 'A'}${key.at(-1)}`,
      `${key.slice(0, 3)}${key.at(3) === 'A' ? 'B' : 'A'}${key.slice(4)}`,
      key.slice(0, 15) + another.slice(15, 37) + key.slice(37),
      key.slice(0, 37) + another.slice(37),
      key.slice(0, -1),
      `${key}A`,
      `${key.slice(0, 37)}_${'A'.repeat(43)}`,
    ];
    for (const given of wrong) {
      const { status, answer } = await ask(given, names);
      expect([given === key, status, answer.errors?.[0]?.extensions.code]).toEqual([
        false,
        401,
        'UNAUTHENTICATED',
      ]);
    }
    expect(await seen(key)).toEqual(['Mine']);
  });

  test('is listed newest first, with nothing of the key but its beginning', async () => {
    const list = await createOrganisation(server, { name: 'List' });
    const made = [];
    for (const name of ['one', 'two', 'three'])
      made.push(await create({ organisationId: list, name, expiresAt: '2090-01-01T00:00:00.000Z' }));
    const { data } = await server.query(
      'query ($id: ID!) { organisation(id: $id) { apiKeys(first: 2) { totalCount pageInfo { hasNextPage } edges { node { name prefix expiresAt } } } } }',
      { id: list },
    );
    const nodes = [made[2], made[1]].map(({ apiKey: { name, prefix, expiresAt } }) => ({
      node: { name, prefix, expiresAt },
    }));
    expect(data.organisation.apiKeys).toEqual({
      totalCount: 3,
      pageInfo: { hasNextPage: true },
      edges: nodes,
    });
  });

  test('does what its scopes say, and no more', async () => {
    const { key } = await create({ role: 'ADMINISTRATOR', scopes: ['USERS'] });
    const { answer } = await ask(key, names);
    expect(answer.errors?.[0]?.extensions.code).toBe('FORBIDDEN');
    const made = await ask(
      key,
      `mutation { createUser(input: { organisationId: "${organisation}", username: "by-key" }) { __typename } }`,
    );
    expect(made.answer.data.createUser.__typename).toBe('CreateUserPayload');
  });

  test('of an agent is that user', async () => {
    const { key, apiKey } = await create({ role: 'AGENT', userId: user });
    expect(apiKey.user).toEqual({ username: 'margaret' });
    const logon = await ask(
      key,
      `mutation { logon(input: { userId: "${user}", licence: "SUPERVISOR", device: "key" }) { __typename } }`,
    );
    expect(logon.answer.data.logon.__typename).toBe('LogonPayload');
  });

  test('is refused where it makes no sense', async () => {
    const stranger = await createUser(server, partner, 'stranger', []);
    expect(await create({ role: 'AGENT' })).toMatchObject({ code: 'INVALID_INPUT', field: 'userId' });
    expect(await create({ userId: user })).toMatchObject({ code: 'INVALID_INPUT', field: 'userId' });
    expect(await create({ scopes: [] })).toMatchObject({ code: 'INVALID_INPUT', field: 'scopes' });
    expect(await create({ expiresAt: '2020-01-01T00:00:00Z' })).toMatchObject({
      code: 'INVALID_INPUT',
      field: 'expiresAt',
    });
    expect(await create({ role: 'AGENT', userId: stranger })).toMatchObject({ code: 'NOT_FOUND' });
    const { errors } = await server.query(document, {
      input: { organisationId: organisation, name: 'Second', role: 'OPERATOR' },
    });
    expect(errors?.[0]?.extensions.code).toBe('INVALID_INPUT');
  });

  test('expires at its instant', async () => {
    const expiresAt = Date.now() + 2500;
    const { key } = await create({ expiresAt: new Date(expiresAt).toISOString() });
    expect(await seen(key)).toEqual(['Mine']);
    await sleep(expiresAt + 100 - Date.now());
    expect((await ask(key, names)).status).toBe(401);
  });

  test('that is revoked is worth nothing on any server within 5 s, and stays so since then', async () => {
    const { key, apiKey } = await create({});
    expect(await seen(key)).toEqual(['Mine']);
    expect(await seen(key, other)).toEqual(['Mine']);
    const { data } = await revoke(apiKey.id);
    for (const at of [server, other])
      await vi.waitFor(async () => expect((await ask(key, names, at)).status).toBe(401), {
        timeout: 5000,
        interval: 100,
      });
    expect((await revoke(apiKey.id)).data).toEqual(data);
  });

  test('notes when it was last used, without a statement of the request’s own', async () => {
    const { key, apiKey } = await create({});
    const third = await startTestServer({ beside: server });
    try {
      expect(await seen(key, third)).toEqual(['Mine']);
      const statements: string[] = [];
      const stop = third.onStatement((text) => statements.push(text));
      for (let index = 0; index < 20; index += 1) await ask(key, '{ __typename }', third);
      stop();
      expect(statements.filter((text) => text.includes('api_key'))).toEqual([]);
    } finally {
      await third.stop();
    }
    const { data } = await server.query(
      'query ($id: ID!) { node(id: $id) { ... on ApiKey { lastUsedAt } } }',
      { id: apiKey.id },
    );
    expect(Math.abs(Date.parse(data.node.lastUsedAt) - Date.now())).toBeLessThan(60_000);
  });

  test('is looked up once for many requests at once', async () => {
    const { key } = await create({});
    const statements: string[] = [];
    const stop = server.onStatement((text) => statements.push(text));
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask(key, '{ __typename }')));
    stop();
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(statements.filter((text) => text.includes('key.* from'))).toHaveLength(1);
  });

  test('that nobody has is looked up with others: a crowd of them takes one connection, not all', async () => {
    const { key } = await create({});
    let counter = 0;
    const bogus = () => `${key.slice(0, 3)}${String((counter += 1)).padStart(12, '0')}${key.slice(15)}`;
    const statements: string[] = [];
    const lookUps = () => statements.filter((text) => text.includes('key.* from')).length;
    const stop = server.onStatement((text) => statements.push(text));
    const holder = await server.pool.connect();
    await holder.query('begin; lock table api_key in access exclusive mode');
    const crowd = Promise.all(Array.from({ length: 200 }, () => ask(bogus(), '{ __typename }')));
    await vi.waitFor(() => expect(lookUps()).toBe(1), soon);
    await sleep(500);
    expect(lookUps()).toBe(1);
    await holder.query('commit');
    holder.release();
    expect(new Set((await crowd).map(({ status }) => status))).toEqual(new Set([401]));
    stop();
    expect(lookUps()).toBeLessThan(10);
  });
});

describe('nobody makes a key that can do more than they can', () => {
  test.each([
    ['PARTNER', 'PARTNER', true],
    ['PARTNER', 'ADMINISTRATOR', true],
    ['ADMINISTRATOR', 'PARTNER', false],
    ['ADMINISTRATOR', 'ADMINISTRATOR', true],
    ['ADMINISTRATOR', 'SUPERVISOR', true],
    ['ADMINISTRATOR', 'WALLBOARD', true],
    ['SUPERVISOR', 'WALLBOARD', false],
    ['WALLBOARD', 'WALLBOARD', false],
  ] as const)('%s: %s', async (maker, role, may) => {
    const { code } = await create({ role }, become(maker));
    expect(code).toBe(may ? undefined : 'FORBIDDEN');
  });

  test('nor of an organisation that is not theirs', async () => {
    const strange = await createOrganisation(server, { name: 'Strange' });
    for (const maker of ['PARTNER', 'ADMINISTRATOR'] as const)
      expect(await create({ organisationId: strange }, become(maker))).toMatchObject({ code: 'NOT_FOUND' });
    expect(await create({ organisationId: partner }, become('ADMINISTRATOR'))).toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('nor with a scope that they have not; what they do not say is what they have', async () => {
    const narrow = become('ADMINISTRATOR', { scopes: ['KEYS', 'READ'] });
    expect(await create({ scopes: ['READ', 'USERS'] }, narrow)).toMatchObject({ code: 'FORBIDDEN' });
    expect((await create({ scopes: ['READ'] }, narrow)).apiKey.scopes).toEqual(['READ']);
    expect((await create({}, narrow)).apiKey.scopes).toEqual(['KEYS', 'READ']);
    expect(await create({}, become('ADMINISTRATOR', { scopes: ['USERS'] }))).toMatchObject({
      code: 'FORBIDDEN',
    });
  });

  test('nor one that outlasts the key that makes it; an access token’s end is none of its keys’', async () => {
    const ends = '2090-01-01T00:00:00.000Z';
    const { key } = await create({ role: 'ADMINISTRATOR', expiresAt: ends });
    const byKey = async (more = '') => {
      const { answer } = await ask(
        key,
        `mutation { createApiKey(input: { organisationId: "${organisation}", name: "Its own", role: WALLBOARD ${more} })
          { ... on UserError { code } ... on InvalidInput { field } ... on CreateApiKeyPayload { apiKey { expiresAt } } } }`,
      );
      return answer.data.createApiKey;
    };
    expect(await byKey()).toEqual({ apiKey: { expiresAt: ends } });
    expect(await byKey(`expiresAt: "${ends}"`)).toEqual({ apiKey: { expiresAt: ends } });
    expect(await byKey('expiresAt: "2090-01-01T00:00:00.001Z"')).toEqual({
      code: 'INVALID_INPUT',
      field: 'expiresAt',
    });
    const token = become('ADMINISTRATOR', { credential: 'issuer|ada', expiresAt: new Date(ends) });
    expect((await create({}, token)).apiKey.expiresAt).toBeNull();
  });

  test('nor takes one away that they could not have made', async () => {
    const { key, apiKey } = await create({ role: 'PARTNER' });
    const { data } = await revoke(apiKey.id, become('ADMINISTRATOR'));
    expect(data.revokeApiKey).toMatchObject({ code: 'FORBIDDEN' });
    expect(await seen(key)).toEqual(['Mine']);
  });
});

const watching = 'subscription ($id: ID!) { usageChanged(organisationId: $id) { revision } }';

async function watchAt(at: TestServer, key: string) {
  const connection = await bareSocket(at, key);
  expect((await connection.next()).type).toBe('connection_ack');
  connection.send(subscribeTo('1', watching, { id: organisation }));
  expect((await connection.next()).type).toBe('next');
  return connection;
}

/** An event stream, and when it was cut. @param query for the path that Yoga answers: `?x` */
async function streamAt(at: TestServer, key: string, query = '') {
  const response = await fetch(`${at.url}${query}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      authorization: `Bearer ${key}`,
    },
    body: JSON.stringify({ query: watching, variables: { id: organisation } }),
  });
  const reader = response.body?.getReader();
  if (reader === undefined) throw new Error('No stream');
  await reader.read();
  const cut = (async () => {
    for (let text = ''; ;) {
      try {
        const { done, value } = await reader.read();
        if (done) return text;
        text += Buffer.from(value).toString();
      } catch {
        return text;
      }
    }
  })();
  return { cut };
}

/** Ends within 5 s, on another server than where it was decided. */
async function expectEnd(
  connections: readonly { readonly closed: Promise<{ code: number }> }[],
  streams: readonly { readonly cut: Promise<string> }[],
) {
  const late = sleep(5000, 'late' as const);
  for (const { closed } of connections)
    expect(await Promise.race([closed, late])).toMatchObject({ code: 4403 });
  for (const { cut } of streams) expect(await Promise.race([cut, late])).not.toBe('late');
}

describe('live connections end', () => {
  test('when their key is revoked, on another server; those of another key go on', async () => {
    const { key, apiKey } = await create({});
    const { key: staying } = await create({});
    const connections = [await watchAt(other, key), await watchAt(other, key)];
    const streams = [await streamAt(other, key), await streamAt(other, key, '?x')];
    const kept = await watchAt(other, staying);
    await revoke(apiKey.id);
    await expectEnd(connections, streams);

    const before = connections.map(({ received }) => received.length);
    await buy(server, organisation, 'VIEW', { base: 1 });
    expect((await kept.next()).type).toBe('next');
    expect(connections.map(({ received }) => received.length)).toEqual(before);
    kept.socket.terminate();
  });

  test('when the user of their key is suspended, or deleted, whatever they wait for', async () => {
    const leaving = [
      ['AGENT', 'SUSPENDED'],
      ['SUPERVISOR', 'DELETED'],
      ['ADMINISTRATOR', 'SUSPENDED'],
    ] as const;
    const opened = await Promise.all(
      leaving.map(async ([role, status]) => {
        const person = await createUser(server, organisation, `person-${role}`, []);
        const { key } = await create({ role, userId: person });
        const idle = await bareSocket(other, key);
        expect((await idle.next()).type).toBe('connection_ack');
        // An agent sees no figures.
        const isAgent = role === 'AGENT';
        const connections = isAgent ? [idle] : [idle, await watchAt(other, key)];
        return { key, person, status, connections, streams: isAgent ? [] : [await streamAt(other, key)] };
      }),
    );
    for (const { person, status } of opened) await setStatus(server, person, status);
    const connections = opened.flatMap((each) => each.connections);
    await expectEnd(
      connections,
      opened.flatMap(({ streams }) => streams),
    );
    for (const { key } of opened) expect((await ask(key, names, other)).status).toBe(401);
    const before = connections.map(({ received }) => received.length);
    await buy(server, organisation, 'VIEW', { base: 1 });
    expect(connections.map(({ received }) => received.length)).toEqual(before);
  });

  test('when their key expires, at its instant', async () => {
    const expiresAt = new Date(Date.now() + 2500);
    const { key } = await create({ expiresAt: expiresAt.toISOString() });
    const [connection, stream] = [await watchAt(other, key), await streamAt(other, key)];
    await expectEnd([connection], [stream]);
    expect(Date.now()).toBeGreaterThan(expiresAt.getTime() - 100);
  });

  test('and whoever does not take the goodbye is not heard any more, and is cut off', async () => {
    const { key, apiKey } = await create({ role: 'ADMINISTRATOR' });
    const { socket, send, next } = await bareSocket(other, key);
    expect((await next()).type).toBe('connection_ack');
    // A client that answers no close frame.
    socket.close = () => {};
    const { _receiver: receiver } = socket as unknown as { _receiver: NodeJS.EventEmitter };
    receiver.removeAllListeners('conclude');
    let told = false;
    receiver.on('conclude', () => {
      told = true;
      const input = { organisationId: organisation, username: 'after-the-end' };
      send(
        subscribeTo('9', 'mutation ($input: CreateUserInput!) { createUser(input: $input) { __typename } }', {
          input,
        }),
      );
    });
    const gone = new Promise((resolve) => socket.once('close', resolve));
    await revoke(apiKey.id);
    await gone;
    expect(told).toBe(true);
    const { rows } = await server.pool.query(`select from "user" where username = 'after-the-end'`);
    expect(rows).toEqual([]);
  });
});

test('a request whose body is slow is nobody’s by the time it has arrived', async () => {
  const { key, apiKey } = await create({ role: 'ADMINISTRATOR' });
  const query = `mutation { createUser(input: { organisationId: "${organisation}", username: "slow" }) { __typename } }`;
  const body = JSON.stringify({ query });
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  const headers = `POST /graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\nauthorization: Bearer ${key}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`;
  socket.write(headers + body.slice(0, 10));
  await sleep(200);
  await revoke(apiKey.id);
  await sleep(2500);
  socket.write(body.slice(10));
  let answer = '';
  for await (const text of socket) answer += String(text);
  expect(answer).toMatch(/^HTTP\/1.1 401 /);
  const { rows } = await server.pool.query(`select from "user" where username = 'slow'`);
  expect(rows).toEqual([]);
});

test('a wallboard’s key works from a link’s fragment, over SSE as in GraphiQL, and over WebSocket', async () => {
  const { key } = await create({});
  const page = await (await fetch(server.url, { headers: { accept: 'text/html' } })).text();
  const [, script = ''] = /<script>([^<]*location\.hash[^<]*)<\/script>/.exec(page) ?? [];
  const kept = new Map<string, string>();
  let address = `/graphql#key=${encodeURIComponent(key)}`;
  runInNewContext(script, {
    URLSearchParams,
    location: { hash: address.slice(address.indexOf('#')), pathname: '/graphql', search: '' },
    localStorage: {
      setItem: (name: string, value: string) => kept.set(name, value),
      removeItem: (name: string) => kept.delete(name),
    },
    history: { replaceState: (_state: unknown, _title: string, to: string) => (address = to) },
  });
  expect(address).toBe('/graphql');
  const { authorization } = JSON.parse(kept.get('graphiql:headers') ?? '{}') as { authorization: string };
  expect(authorization).toBe(`Bearer ${key}`);
  const stream = await streamAt(server, authorization.slice('Bearer '.length));
  expect(await Promise.race([stream.cut, sleep(200, 'open')])).toBe('open');
  (await watchAt(server, key)).socket.terminate();
});

describe('where the database is gone', () => {
  test('a key that is not known lately is UNAVAILABLE, over HTTP and WebSocket, and works when it is back', async () => {
    const { host = '', port = 0 } = server.connection;
    const proxy = await startProxy({ host, port });
    const cutOff = await startTestServer({
      beside: { ...server, runtime: { ...server.runtime, host: '127.0.0.1', port: proxy.port } },
    });
    try {
      const { key } = await create({});
      const { key: unknown } = await create({});
      expect(await seen(key, cutOff)).toEqual(['Mine']);
      proxy.freeze();
      proxy.cut();
      const known = await ask(key, '{ __typename }', cutOff);
      expect(known.status).toBe(200);
      const { status, retryAfter, answer } = await ask(unknown, '{ __typename }', cutOff);
      expect([status, retryAfter]).toEqual([503, '1']);
      expect(answer.errors?.[0]?.extensions).toMatchObject({ code: 'UNAVAILABLE', retryAfterSeconds: 1 });
      const { closed } = await bareSocket(cutOff, unknown);
      expect(await closed).toMatchObject({ code: 1013 });
      expect((await ask(server.key, '{ __typename }', cutOff)).status).toBe(200);
      proxy.thaw();
      await vi.waitFor(async () => expect(await seen(unknown, cutOff)).toEqual(['Mine']), {
        timeout: 10_000,
        interval: 200,
      });
    } finally {
      await cutOff.stop();
      await proxy.close();
    }
  });
});

test('a client that leaves while it is found out who it is leaves nothing behind', async () => {
  const one = await startTestServer({
    beside: server,
    limits: { ...defaultLimits, maxConnectionsPerKey: 1 },
  });
  const holder = await server.pool.connect();
  try {
    const { key } = await create({});
    let lookUps = 0;
    const stop = one.onStatement((text) => (lookUps += text.includes('key.* from') ? 1 : 0));
    await holder.query('begin; lock table api_key in access exclusive mode');

    const socket = new WebSocket(one.wsUrl, protocol);
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${key}` } }));
    const leaving = new AbortController();
    const request = fetch(one.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        authorization: `Bearer ${key}`,
      },
      body: JSON.stringify({ query: watching, variables: { id: organisation } }),
      signal: leaving.signal,
    }).catch(() => 'left');
    await vi.waitFor(() => expect(lookUps).toBe(1), soon);
    await sleep(100);
    const gone = new Promise((resolve) => socket.once('close', resolve));
    socket.terminate();
    leaving.abort();
    await gone;
    expect(await request).toBe('left');
    await sleep(100);
    await holder.query('commit');
    stop();

    // The one connection that the key may have is free.
    await vi.waitFor(async () => expect(await seen(key, one)).toEqual(['Mine']), soon);
    const connection = await watchAt(one, key);
    connection.socket.terminate();
    await connection.closed;
    await sleep(100);
    const stream = await streamAt(one, key);
    expect(await Promise.race([stream.cut, sleep(200, 'open')])).toBe('open');
  } finally {
    holder.release(true);
    await one.stop();
  }
});
