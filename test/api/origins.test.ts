import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { ConfigError, readConfig } from '../../src/config.ts';
import { defaultBodyLimits } from '../../src/graphql/transports/bodies.ts';
import { bareRequest } from '../setup/bare-request.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';
import { protocol } from '../setup/socket.ts';

const friend = 'https://wall.example';
const stranger = 'https://evil.example';
const query = JSON.stringify({ query: '{ __typename }' });

let closed: TestServer;
let open: TestServer;
beforeAll(async () => {
  closed = await startTestServer();
  open = await startTestServer({ allowedOrigins: [friend, 'http://localhost:3000'] });
});
afterAll(() => Promise.all([closed.stop(), open.stop()]));

const send = ({ url }: TestServer, method: string, headers: Record<string, string>, body = '', search = '') =>
  bareRequest(new URL(url), `/graphql${search}`, method, headers, body);

const json = (server: TestServer) => ({
  'content-type': 'application/json',
  authorization: `Bearer ${server.key}`,
});

describe('CORS', () => {
  const corsOf = ({ headers }: Awaited<ReturnType<typeof send>>) =>
    Object.keys(headers).filter((name) => name.startsWith('access-control'));

  it.for([friend, stranger, 'null'])('is closed by default: %s may read nothing', async (origin) => {
    const preflight = await send(closed, 'OPTIONS', { origin, 'access-control-request-method': 'POST' });
    expect(preflight.status).toBe(204);
    expect(corsOf(preflight)).toEqual([]);
    const answer = await send(closed, 'POST', { ...json(closed), origin }, query);
    expect(answer.status).toBe(200);
    expect(corsOf(answer)).toEqual([]);
  });

  it('answers the preflight of an allowed origin', async () => {
    const asked = { origin: friend, 'access-control-request-method': 'POST' };
    const { status, headers } = await send(open, 'OPTIONS', asked);
    expect(status).toBe(204);
    expect(headers).toMatchObject({
      'access-control-allow-origin': friend,
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': expect.stringMatching(/authorization, content-type/) as string,
      'access-control-max-age': '600',
      vary: 'Origin',
    });
    expect(headers['access-control-allow-credentials']).toBeUndefined();
  });

  it('lets an allowed origin read answers of every kind, and their headers', async () => {
    const answers = [
      await send(open, 'POST', { ...json(open), origin: friend }, query),
      await send(open, 'POST', { ...json(open), origin: friend, accept: 'application/json;q=1.0' }, query),
      await send(open, 'POST', { ...json(open), origin: friend, accept: 'text/event-stream' }, query),
      await send(open, 'POST', { 'content-type': 'application/json', origin: friend }, query),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 401]);
    for (const { headers } of answers) {
      expect(headers).toMatchObject({
        'access-control-allow-origin': friend,
        'access-control-expose-headers': 'x-request-id, retry-after',
        vary: 'Origin',
      });
    }
  });

  it.for([stranger, 'null', 'https://wall.example.evil.example', 'http://wall.example'])(
    'lets %s read nothing, and says that answers differ by origin',
    async (origin) => {
      const preflight = await send(open, 'OPTIONS', { origin, 'access-control-request-method': 'POST' });
      const answer = await send(open, 'POST', { ...json(open), origin }, query);
      for (const { headers } of [preflight, answer]) {
        expect(headers['access-control-allow-origin']).toBeUndefined();
        expect(headers['vary']).toBe('Origin');
      }
    },
  );
});

describe('the allowed origins', () => {
  it('are listed as browsers write them', () => {
    const { allowedOrigins } = readConfig({ ALLOWED_ORIGINS: 'https://a.example, http://localhost:3000' });
    expect(allowedOrigins).toEqual(['https://a.example', 'http://localhost:3000']);
    expect(readConfig({}).allowedOrigins).toEqual([]);
  });

  it.for(['*', 'null', 'a.example', 'https://a.example/', 'https://a.example:443', 'https://*.example'])(
    'are not "%s"',
    (text) => {
      expect(() => readConfig({ ALLOWED_ORIGINS: `https://b.example,${text}` })).toThrow(ConfigError);
    },
  );
});

describe('a WebSocket', () => {
  /** The status that refuses it; 101: it is open. */
  function statusFor(server: TestServer, headers: Record<string, string>): Promise<number> {
    return new Promise((resolve) => {
      const socket = new WebSocket(server.wsUrl, protocol, { headers });
      socket.once('open', () => {
        socket.terminate();
        resolve(101);
      });
      socket.once('unexpected-response', (_request, response) => {
        resolve(response.statusCode ?? 0);
        socket.terminate();
      });
      socket.on('error', () => {});
    });
  }

  it('is opened for pages of its own origin, allowed ones, and who is no browser', async () => {
    const own = new URL(open.url).origin;
    expect(await statusFor(open, {})).toBe(101);
    expect(await statusFor(open, { origin: own })).toBe(101);
    expect(await statusFor(open, { origin: friend })).toBe(101);
    expect(await statusFor(closed, { origin: new URL(closed.url).origin })).toBe(101);
  });

  it.for([stranger, 'null', 'http://127.0.0.1:1', 'nonsense'])('is 403 for a page of %s', async (origin) => {
    expect(await statusFor(open, { origin })).toBe(403);
    expect(await statusFor(closed, { origin })).toBe(403);
  });

  it('is 403 for an origin that only another server allows', async () => {
    expect(await statusFor(closed, { origin: friend })).toBe(403);
  });
});

describe('a request that any page could have had a browser send', () => {
  const cookie = 'session=of-somebody-signed-in';
  const search = '?query=%7B__typename%7D';
  const forms = ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'];

  it.for([...forms, '', 'text/plain; application/json'])('is 403 by POST as "%s"', async (type) => {
    const headers = { cookie, ...(type === '' ? {} : { 'content-type': type }) };
    const { status, body } = await send(closed, 'POST', headers, query);
    expect(status).toBe(403);
    expect(JSON.parse(body)).toMatchObject({
      errors: [
        { message: expect.stringMatching(/preflight/) as string, extensions: { code: 'PREFLIGHT_REQUIRED' } },
      ],
    });
  });

  it('is 403 by GET, also as EventSource from elsewhere', async () => {
    expect((await send(closed, 'GET', { cookie }, '', search)).status).toBe(403);
    const accept = 'text/event-stream';
    for (const site of ['cross-site', 'same-site', 'none']) {
      const headers = { cookie, accept, 'sec-fetch-site': site };
      expect((await send(closed, 'GET', headers, '', search)).status, site).toBe(403);
    }
  });

  it.for<[string, string, Record<string, string>]>([
    ['a header that needs a preflight', 'GET', { 'x-requested-with': 'fetch' }],
    ['another such header', 'GET', { 'graphql-require-preflight': '1' }],
    ['Apollo’s header', 'POST', { 'apollo-require-preflight': '1', 'content-type': 'text/plain' }],
    ['JSON', 'POST', { 'content-type': 'application/json' }],
    ['the browser’s word that it is this origin’s', 'GET', { 'sec-fetch-site': 'same-origin' }],
  ])('is told apart by %s', async ([, method, headers]) => {
    // This cookie is nobody’s: the next thing that is looked at is the key.
    expect((await send(closed, method, { cookie, ...headers }, '', search)).status).toBe(401);
  });

  it('is told apart by a key, which no other page knows', async () => {
    const authorization = `Bearer ${closed.key}`;
    const { status, body } = await send(closed, 'GET', { cookie, authorization }, '', search);
    expect([status, JSON.parse(body)]).toMatchObject([200, { data: { __typename: 'Query' } }]);
  });
});

describe('a body', () => {
  it('that is compressed is 415, in words', async () => {
    const headers = { ...json(closed), 'content-encoding': 'gzip' };
    const { status, body } = await send(closed, 'POST', headers, query);
    expect(status).toBe(415);
    expect(body).toMatch(/compressed bodies are not read/);
  });

  it('is as long as it is configured to be', async () => {
    const small = await startTestServer({ bodyLimits: { ...defaultBodyLimits, maxBytes: 2_000 } });
    const padded = (bytes: number) => query.padEnd(bytes, ' ');
    try {
      expect((await send(small, 'POST', json(small), padded(2_000))).status).toBe(200);
      const { status, body } = await send(small, 'POST', json(small), padded(2_001));
      expect([status, body]).toEqual([413, expect.stringMatching(/at most 2000 bytes/)]);
    } finally {
      await small.stop();
    }
  });

  it('that is a list of operations is 400', async () => {
    const { status, body } = await send(closed, 'POST', json(closed), `[${query},${query}]`);
    expect([status, body]).toEqual([400, expect.stringMatching(/Batching is not supported/)]);
  });
});
