import { request } from 'node:http';
import { registerHooks } from 'node:module';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { presentError } from '../../src/graphql/errors.ts';
import { type GraphqlAnswer, startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

/** A request as it is written here, with the key unless `authorization` says otherwise. */
async function send(
  body: BodyInit | null,
  headers: Record<string, string> = {},
  method = 'POST',
): Promise<{ readonly status: number; readonly headers: Headers; readonly answer: GraphqlAnswer }> {
  const response = await fetch(server.url, {
    method,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${server.key}`, ...headers },
    body,
    ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
    signal: AbortSignal.timeout(10_000),
  } as RequestInit);
  return {
    status: response.status,
    headers: response.headers,
    answer: (await response.json()) as GraphqlAnswer,
  };
}

const asked = (query: string, variables?: object) => JSON.stringify({ query, variables });

/** What a client gets when it sends bytes that no HTTP library would. */
function sendRaw(text: string): Promise<string> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.end(text));
    let received = '';
    socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
    socket.once('close', () => resolve(received));
    socket.once('error', reject);
  });
}

describe('the key', () => {
  it.for([
    ['missing', ''],
    ['wrong', 'Bearer wrong'],
    ['without its scheme', 'operator-key-of-the-tests'],
    ['of another scheme', 'Basic operator-key-of-the-tests'],
    ['too long', 'Bearer operator-key-of-the-tests-and-more'],
  ])('is refused when %s', async ([, authorization = '']) => {
    const { status, headers, answer } = await send(asked('{ __typename }'), { authorization });
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toMatch(/^Bearer/);
    expect(answer.data).toBeUndefined();
    expect(answer.errors?.[0]?.extensions).toEqual({
      code: 'UNAUTHENTICATED',
      requestId: headers.get('x-request-id'),
    });
  });

  it('is asked for over SSE too', async () => {
    const { status } = await send(asked('subscription { sessionChanged(sessionId: "x") { id } }'), {
      accept: 'text/event-stream',
      authorization: 'Bearer wrong',
    });
    expect(status).toBe(401);
  });
});

describe('a request id', () => {
  it('that the client sends comes back, in the header and in every error', async () => {
    const { headers, answer } = await send(asked('{ nothing }'), { 'x-request-id': 'my-request_1' });
    expect(headers.get('x-request-id')).toBe('my-request_1');
    expect(answer.errors?.[0]?.extensions.requestId).toBe('my-request_1');
  });

  it.for(['', 'with space', 'x'.repeat(65), 'semi;colon'])('such as "%s" is replaced', async (given) => {
    const { headers } = await send(asked('{ __typename }'), { 'x-request-id': given });
    expect(headers.get('x-request-id')).toMatch(/^[\w-]{36}$/);
  });
});

describe('an error before any resolver runs', () => {
  it.for([
    ['a syntax error', asked('{'), 'GRAPHQL_PARSE_FAILED'],
    ['a field that does not exist', asked('{ nothing }'), 'GRAPHQL_VALIDATION_FAILED'],
    ['a missing variable', asked('query ($id: ID!) { node(id: $id) { id } }'), 'INVALID_INPUT'],
    [
      'a variable of another type',
      asked('query ($id: ID!) { node(id: $id) { id } }', { id: {} }),
      'INVALID_INPUT',
    ],
  ])('says what it was: %s', async ([, body = '', code]) => {
    const { answer, headers } = await send(body);
    expect(answer.data ?? null).toBeNull();
    expect(answer.errors?.length).toBeGreaterThan(0);
    for (const { extensions } of answer.errors ?? []) {
      expect(extensions).toMatchObject({ code, requestId: headers.get('x-request-id') });
    }
  });

  it.for([
    ['no JSON', '{"query":'],
    ['an empty body', ''],
    ['a batch', `[${asked('{ __typename }')}]`],
    ['no document', '{}'],
    ['a number as document', '{"query":1}'],
    ['text as variables', '{"query":"{ __typename }","variables":"x"}'],
  ])('is 400 with a code for %s', async ([, body = '']) => {
    const { status, answer } = await send(body);
    expect(status).toBe(400);
    expect(answer.errors?.[0]?.extensions).toMatchObject({
      code: expect.stringMatching(/^[A-Z_]+$/) as string,
      requestId: expect.any(String) as string,
    });
    expect(answer.errors?.[0]?.extensions.code).not.toBe('INTERNAL_SERVER_ERROR');
  });

  it('refuses a mutation by GET', async () => {
    const query = encodeURIComponent('mutation { logoff(input: { sessionId: "x" }) { __typename } }');
    const response = await fetch(`${server.url}?query=${query}`, {
      headers: { authorization: `Bearer ${server.key}`, accept: 'application/json' },
    });
    expect(response.status).toBe(405);
    expect(((await response.json()) as GraphqlAnswer).errors?.[0]?.extensions.requestId).toBeDefined();
  });
});

describe('a scalar that is refused', () => {
  const purchase = (from: string) =>
    `mutation { recordPurchase(input: { organisationId: "org_x", licence: "VIEW", base: 1, from: ${from} }) { __typename } }`;
  const wrong = [
    '2026-02-30T00:00:00Z',
    '2026-03-01T09:00:00',
    '2026-03-01',
    '1969-12-31T23:59:59Z',
    '2026-12-31T23:59:60Z',
    '\u0000',
    '',
  ];

  it.for(wrong)('is INVALID_INPUT as a literal: DateTime "%s"', async (text) => {
    const { errors } = await server.query(purchase(JSON.stringify(text)));
    expect(errors?.[0]?.extensions.code).toBeOneOf(['INVALID_INPUT', 'GRAPHQL_VALIDATION_FAILED']);
  });

  it.for([...wrong, 0, true, ['2026-03-01T09:00:00Z']])(
    'is INVALID_INPUT as a variable: DateTime %j',
    async (from) => {
      const { errors } = await server.query(
        'mutation ($from: DateTime) { recordPurchase(input: { organisationId: "org_x", licence: "VIEW", base: 1, from: $from }) { __typename } }',
        { from },
      );
      expect(errors?.[0]?.extensions.code).toBe('INVALID_INPUT');
    },
  );

  it.for(['Mars/Olympus', '+01:00', '', 'Europe/London\u0000', 1])(
    'is INVALID_INPUT: TimeZone %j',
    async (timeZone) => {
      const { errors } = await server.query(
        'mutation ($timeZone: TimeZone!) { createOrganisation(input: { name: "Zoned", timeZone: $timeZone }) { __typename } }',
        { timeZone },
      );
      expect(errors?.[0]?.extensions.code).toBe('INVALID_INPUT');
    },
  );
});

describe('too much', () => {
  const big = 'x'.repeat(1024 * 1024 + 1);

  it('is 413, announced by its length', async () => {
    const { status, answer } = await send(asked(`{ __typename } # ${big}`));
    expect(status).toBe(413);
    expect(answer.errors?.[0]?.extensions.code).toEqual(expect.any(String));
  });

  it('is 413, sent in chunks of unknown number', async () => {
    const body = new Blob([asked(`{ __typename } # ${big}`)]).stream();
    const { status, answer } = await send(body);
    expect(status).toBe(413);
    expect(answer.errors?.[0]?.extensions.requestId).toEqual(expect.any(String));
  });
});

describe('the process', () => {
  it.for(['//', '/graphql/../..//', '/%', '*', 'http://[', '/\\'])(
    'survives the address "%s"',
    async (address) => {
      const { hostname } = new URL(server.url);
      await sendRaw(`GET ${address} HTTP/1.1\r\nhost: ${hostname}\r\nconnection: close\r\n\r\n`);
      await sendRaw(
        `GET ${address} HTTP/1.1\r\nhost: ${hostname}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n`,
      );
      expect((await server.query('{ __typename }')).data).toEqual({ __typename: 'Query' });
    },
  );

  it('outlives a client that goes away in the middle of its request', async () => {
    await new Promise<void>((resolve) => {
      const { hostname, port } = new URL(server.url);
      const sent = request({
        hostname,
        port,
        path: '/graphql',
        method: 'POST',
        headers: {
          authorization: `Bearer ${server.key}`,
          'content-type': 'application/json',
          'content-length': '1000',
        },
      });
      sent.once('error', () => resolve());
      sent.write('{"query":', () => setTimeout(() => sent.destroy(new Error('gone')), 50));
    });
    expect((await server.query('{ __typename }')).data).toEqual({ __typename: 'Query' });
    expect(server.logged.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('GraphiQL', () => {
  it('that cannot be loaded is an answer, and is loaded when it is wanted again', async () => {
    // Anew, with whatever it loads: another file's server may have had its page in this process.
    const module = `${import.meta.resolve('../../src/graphql/transports/graphiql.ts')}?anew`;
    const { graphiqlPage } = (await import(module)) as { readonly graphiqlPage: () => Promise<string> };
    const hooks = registerHooks({
      resolve: (name, context, next) => {
        if (name === '@graphql-yoga/render-graphiql') throw new Error('of the test');
        return next(name, context);
      },
    });
    const broken = await startTestServer({ graphiql: graphiqlPage });
    const ask = () =>
      fetch(broken.url, { headers: { accept: 'text/html' }, signal: AbortSignal.timeout(30_000) });
    try {
      const missing = await ask();
      const { errors } = (await missing.json()) as GraphqlAnswer;
      expect([missing.status, errors?.[0]?.extensions.code]).toEqual([500, 'INTERNAL_SERVER_ERROR']);
      hooks.deregister();
      expect((await ask()).status).toBe(200);
    } finally {
      hooks.deregister();
      await broken.stop();
    }
  });

  it('is served whole: its page loads nothing from anywhere else', async () => {
    const response = await fetch(server.url, { headers: { accept: 'text/html' } });
    const page = await response.text();
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch('text/html');
    expect(page).toMatch(/<title>Seatkeeper/);

    const markup = page
      .replaceAll(/<script>[\s\S]*<\/script>/g, '')
      .replaceAll(/<style>[\s\S]*<\/style>/g, '');
    expect(markup).not.toMatch(/(?:src|href)="(?!data:)/);
    const [style = ''] = /<style>[\s\S]*?<\/style>/.exec(page) ?? [];
    expect(style).not.toMatch(/@import|url\(["']?(?:https?:)?\/\//);
  });

  it('takes the key from the fragment of its address', async () => {
    const page = await (await fetch(server.url, { headers: { accept: 'text/html' } })).text();
    expect(page).not.toContain(server.key);
    expect(page.indexOf('location.hash')).toBeLessThan(page.indexOf('renderYogaGraphiQL('));
  });
});

describe('an unexpected error', () => {
  it('is masked, and logged once with its request id and stack', async () => {
    const broken = await startTestServer();
    try {
      await broken.pool.query('drop table organisation cascade');
      const { data, errors } = await broken.query('{ organisation(externalId: "any") { id } }');
      expect(data).toEqual({ organisation: null });
      const [error] = errors ?? [];
      expect(error?.extensions.code).toBe('INTERNAL_SERVER_ERROR');
      expect(error?.message).not.toMatch(/relation|organisation/);
      const logged = broken.logged.filter(
        ({ facts }) => (facts as { requestId?: string }).requestId === error?.extensions.requestId,
      );
      expect(logged).toHaveLength(1);
      expect(logged[0]?.facts).toMatchObject({ err: { stack: expect.any(String) as string } });
    } finally {
      await broken.stop();
    }
  });

  it('of the database’s connection is UNAVAILABLE and says when to try again', () => {
    const log = { error() {}, warn() {}, info() {}, debug() {} };
    for (const code of ['ECONNREFUSED', '57P01', '53300']) {
      const cause = Object.assign(new Error('connect'), { code });
      expect(presentError(cause, 'BAD_REQUEST', 'request-1', log).extensions).toEqual({
        code: 'UNAVAILABLE',
        retryAfterSeconds: 1,
        requestId: 'request-1',
      });
    }
  });
});
