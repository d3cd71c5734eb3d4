import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createRates, defaultRateLimits } from '../../src/graphql/transports/rates.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';
import { bareSocket, protocol, subscribeTo } from '../setup/socket.ts';

const log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
const ratesOf = (limits: Partial<typeof defaultRateLimits>) =>
  createRates({ limits: { ...defaultRateLimits, ...limits }, redis: null, log });

describe('who shows no key', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ rates: ratesOf({ failuresPerMinute: 0 }), graphiql: null });
  });
  afterAll(() => server.stop());

  /** What would tell of the schema, or of how documents are read, if it were looked at. */
  const asked = {
    introspection: '{ __schema { types { name } } }',
    'a misspelt field': '{ organisatio { id } }',
    'a syntax error': '{',
    'too much': `{ ${'__typename '.repeat(9_000)} }`,
    nothing: '',
  };
  const telling = /organisation|Query|__schema|Did you mean|Syntax|tokens/i;

  it.for(
    Object.entries(asked).flatMap(([name, query]) =>
      ['application/json', 'text/event-stream', 'text/html'].flatMap((accept) =>
        // No address is as long as that.
        (query.length > 8_000 ? ['POST'] : ['GET', 'POST']).map(
          (method) => [name, method, accept, query] as const,
        ),
      ),
    ),
  )('is told nothing about %s by %s accepting %s: 401', async ([, method, accept, query]) => {
    const search = method === 'GET' ? `?query=${encodeURIComponent(query)}` : '';
    const response = await fetch(server.url + search, {
      method,
      headers: { accept, 'content-type': 'application/json', authorization: 'Bearer wrong' },
      ...(method === 'POST' ? { body: JSON.stringify({ query }) } : {}),
    });
    const text = await response.text();
    expect(response.status).toBe(401);
    expect(text).toContain('UNAUTHENTICATED');
    expect(text).not.toMatch(telling);
  });

  it.for(Object.entries(asked))('is told nothing about %s over WebSocket: 4401', async ([, query]) => {
    const socket = new WebSocket(server.wsUrl, protocol);
    const received: string[] = [];
    socket.on('message', (data: Buffer) => received.push(data.toString()));
    await once(socket, 'open');
    socket.send(JSON.stringify(subscribeTo('1', query)));
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
    expect([code, reason.toString(), received]).toEqual([4401, 'Unauthorized', []]);
  });

  it('is told nothing over WebSocket with a wrong key: 4403', async () => {
    const { closed, received } = await bareSocket(server, 'wrong');
    expect(await closed).toEqual({ code: 4403, reason: 'Forbidden' });
    expect(received).toEqual([]);
  });

  it('is shown no GraphiQL where it is off', async () => {
    const response = await fetch(server.url, { headers: { accept: 'text/html' } });
    expect([response.status, await response.text()]).toEqual([401, expect.not.stringMatching(/<html/)]);
  });

  it('who does is told what it asks: introspection and suggestions', async () => {
    expect((await server.query('{ __schema { queryType { name } } }')).data).toBeDefined();
    expect((await server.query('{ organisatio { id } }')).errors?.[0]?.message).toMatch(/Did you mean/);
  });
});

describe('who tries keys', () => {
  const ask = ({ url }: TestServer, key: string, forwarded?: string) =>
    fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${key}`,
        ...(forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }),
      },
      body: '{"query":"{ __typename }"}',
    });

  it('is not listened to for a minute, whatever key comes next, on any transport', async () => {
    const server = await startTestServer({ rates: ratesOf({ failuresPerMinute: 4 }) });
    try {
      // Before it is known what they come to.
      const early = await bareSocket(server, null);
      for (const key of ['one', 'two', 'three']) expect((await ask(server, key)).status).toBe(401);
      expect((await ask(server, server.key)).status).toBe(200);
      expect(await (await bareSocket(server, 'four')).closed).toMatchObject({ code: 4403 });

      const refused = await ask(server, server.key);
      expect(refused.status).toBe(429);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(50);
      expect(await refused.json()).toMatchObject({
        errors: [{ extensions: { code: 'RATE_LIMITED', retryAfterSeconds: expect.any(Number) as number } }],
      });
      await expect(bareSocket(server)).rejects.toThrow('429');
      early.send({ type: 'connection_init', payload: { authorization: `Bearer ${server.key}` } });
      expect(await early.closed).toMatchObject({ code: 1013, reason: 'Too many wrong keys' });
    } finally {
      await server.stop();
    }
  });

  it('is told apart from others behind the same proxy, where the proxy is believed', async () => {
    const options = { rates: ratesOf({ failuresPerMinute: 2 }), proxies: 1 };
    const server = await startTestServer(options);
    try {
      // What stands before the last address is the client’s own invention.
      for (const invented of ['1.1.1.1', '2.2.2.2']) {
        expect((await ask(server, `wrong-${invented}`, `${invented}, 192.0.2.1`)).status).toBe(401);
      }
      expect((await ask(server, server.key, '192.0.2.1')).status).toBe(429);
      expect((await ask(server, server.key, '192.0.2.2')).status).toBe(200);

      // An IPv6 network is one party.
      await ask(server, 'wrong', '2001:db8::1');
      await ask(server, 'wrong-too', '2001:db8:0:0:ffff::2');
      expect((await ask(server, server.key, '2001:0db8::abcd')).status).toBe(429);
      expect((await ask(server, server.key, '2001:db8:0:1::1')).status).toBe(200);
    } finally {
      await server.stop();
    }
  });

  it('cannot choose its address where no proxy is believed', async () => {
    const server = await startTestServer({ rates: ratesOf({ failuresPerMinute: 2 }) });
    try {
      for (const invented of ['192.0.2.1', '192.0.2.2']) await ask(server, `wrong-${invented}`, invented);
      expect((await ask(server, server.key, '192.0.2.3')).status).toBe(429);
    } finally {
      await server.stop();
    }
  });

  it('is not who shows no key at all', async () => {
    const server = await startTestServer({ rates: ratesOf({ failuresPerMinute: 1 }) });
    try {
      for (let times = 0; times < 3; times += 1) {
        expect((await fetch(server.url, { method: 'POST' })).status).toBe(401);
      }
      expect((await ask(server, server.key)).status).toBe(200);
    } finally {
      await server.stop();
    }
  });
});

describe('a key that is out of date', () => {
  it('counts once, however often its screen comes back; guesses count each', async () => {
    const server = await startTestServer({ rates: ratesOf({ failuresPerMinute: 5 }) });
    try {
      const status = async (key: string) =>
        (
          await fetch(server.url, {
            method: 'POST',
            headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
            body: JSON.stringify({ query: '{ __typename }' }),
          })
        ).status;
      for (let times = 0; times < 20; times += 1) expect(await status('stale')).toBe(401);
      expect(await status(server.key)).toBe(200);
      for (let guess = 0; guess < 5; guess += 1) await status(`guess-${guess}`);
      expect(await status(server.key)).toBe(429);
    } finally {
      await server.stop();
    }
  });
});
