import type { Client } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type GraphqlAnswer, startTestServer, type TestServer } from '../setup/server.ts';
import { bareSocket, protocol, subscribeTo } from '../setup/socket.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const usage = `subscription ($id: ID!) {
  usageChanged(organisationId: $id) { revision snapshot organisation { name } rows { licence { code } base { total } } }
}`;

async function givenOrganisation(name = 'Live'): Promise<string> {
  const { organisation } = await server.mutate(
    'createOrganisation',
    { name },
    payload('CreateOrganisation', 'organisation { id }'),
  );
  return organisation.id as string;
}

const payload = (mutation: string, selection: string) => `... on ${mutation}Payload { ${selection} }`;

async function buy(organisationId: string, licence: string): Promise<void> {
  const bought = await server.mutate('recordPurchase', { organisationId, licence, base: 5 });
  expect(bought.__typename).toBe('RecordPurchasePayload');
}

async function ready() {
  const bare = await bareSocket(server);
  expect((await bare.next()).type).toBe('connection_ack');
  return bare;
}

function watchBySocket(client: Client, id: string): ReturnType<Client['iterate']> {
  return client.iterate({ query: usage, variables: { id } });
}

/** The events of a subscription over SSE, until the caller stops. */
async function* watchBySse(query: string, variables: object): AsyncGenerator<GraphqlAnswer, void, void> {
  const cancel = new AbortController();
  const response = await fetch(server.url, {
    method: 'POST',
    headers: {
      accept: 'text/event-stream',
      'content-type': 'application/json',
      authorization: `Bearer ${server.key}`,
    },
    body: JSON.stringify({ query, variables }),
    signal: cancel.signal,
  });
  expect(response.headers.get('content-type')).toMatch('text/event-stream');
  let text = '';
  try {
    if (response.body === null) return;
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const event = text.slice(0, end);
        text = text.slice(end + 2);
        const data = /^data: ?(.+)$/m.exec(event)?.[1];
        if (/^event: ?next$/m.test(event) && data !== undefined) yield JSON.parse(data) as GraphqlAnswer;
      }
    }
  } finally {
    cancel.abort();
  }
}

describe('on WebSocket and SSE alike', () => {
  const transports: [string, (id: string) => AsyncIterableIterator<unknown>][] = [
    ['WebSocket', (id) => watchBySocket(server.wsClient(), id)],
    ['SSE', (id) => watchBySse(usage, { id })],
  ];

  it.for(transports)(
    'a subscription begins with a snapshot, and each event is read afresh: %s',
    async ([, watch]) => {
      const id = await givenOrganisation('Before');
      const events = watch(id);
      try {
        const first = (await events.next()).value as GraphqlAnswer;
        expect(first.data.usageChanged).toMatchObject({
          snapshot: true,
          organisation: { name: 'Before' },
          rows: [],
        });

        await server.mutate('updateOrganisation', { organisationId: id, name: 'After' });
        await buy(id, 'VIEW');
        let event: GraphqlAnswer['data'];
        do event = ((await events.next()).value as GraphqlAnswer).data.usageChanged;
        while (event.rows.length === 0);
        // A loader's cache that outlived the first event would still say "Before".
        expect(event).toMatchObject({
          snapshot: false,
          organisation: { name: 'After' },
          rows: [{ licence: { code: 'VIEW' }, base: { total: 5 } }],
        });
      } finally {
        await events.return?.();
      }
    },
  );

  it.for(transports)('a subscription on what does not exist fails with NOT_FOUND: %s', async ([, watch]) => {
    const events = watch('org_forged');
    // graphql-ws hands an operation's `error` message to the client as a failure.
    const outcome: unknown = await events.next().then(
      ({ value }) => (value as GraphqlAnswer).errors,
      (error: unknown) => error,
    );
    expect(outcome).toMatchObject([
      { extensions: { code: 'NOT_FOUND', requestId: expect.any(String) as string } },
    ]);
    await events.return?.();
  });
});

describe('a WebSocket', () => {
  it.for(['wrong', '', 'operator-key-of-the-tests-and-more'])(
    'with the key "%s" is closed: 4403',
    async (key) => {
      const { closed } = await bareSocket(server, key);
      expect(await closed).toEqual({ code: 4403, reason: 'Forbidden' });
    },
  );

  it('that subscribes before it said who it is is closed: 4401', async () => {
    const socket = new WebSocket(server.wsUrl, protocol);
    socket.once('open', () => socket.send(JSON.stringify(subscribeTo('1', '{ __typename }'))));
    const code = await new Promise((resolve) => {
      socket.once('close', resolve);
    });
    expect(code).toBe(4401);
  });

  it('on another path is refused: 404', async () => {
    const socket = new WebSocket(server.wsUrl.replace('/graphql', '/elsewhere'), protocol);
    const error = await new Promise<Error>((resolve) => {
      socket.once('error', resolve);
    });
    expect(error.message).toContain('404');
  });

  it('outlives every bad operation, and so does the subscription on it', async () => {
    const id = await givenOrganisation();
    const { send, next, socket } = await ready();
    send(subscribeTo('live', usage, { id }));
    expect(await next()).toMatchObject({ type: 'next', id: 'live' });

    const bad: [string, unknown, object | undefined, string][] = [
      ['syntax', '{', undefined, 'GRAPHQL_PARSE_FAILED'],
      ['empty', '', undefined, 'GRAPHQL_PARSE_FAILED'],
      ['too long', `{ ${'__typename '.repeat(9_000)} }`, undefined, 'GRAPHQL_PARSE_FAILED'],
      ['too deep', `${'{ a '.repeat(700)}${'}'.repeat(700)}`, undefined, 'GRAPHQL_VALIDATION_FAILED'],
      ['validation', '{ nothing }', undefined, 'GRAPHQL_VALIDATION_FAILED'],
      ['bad subscription', 'subscription { nothing }', undefined, 'GRAPHQL_VALIDATION_FAILED'],
      ['variable', 'query ($id: ID!) { node(id: $id) { id } }', { id: {} }, 'INVALID_INPUT'],
      ['subscription variable', usage, { id: [] }, 'INVALID_INPUT'],
      [
        'two roots',
        `subscription { a: usageChanged(organisationId: "${id}") { at } b: usageChanged(organisationId: "${id}") { at } }`,
        undefined,
        'GRAPHQL_VALIDATION_FAILED',
      ],
      ['forged id', usage, { id: 'org_forged' }, 'NOT_FOUND'],
    ];
    const requestIds = new Set<string>();
    for (const [name, query, variables, code] of bad) {
      send(subscribeTo(name, query, variables));
      const message = await next();
      expect(message.id, name).toBe(name);
      const errors = message.type === 'error' ? message.payload : message.payload.errors;
      for (const { extensions } of errors as NonNullable<GraphqlAnswer['errors']>) {
        expect(extensions, name).toMatchObject({ code, requestId: expect.any(String) as string });
        requestIds.add(extensions.requestId);
      }
      if (message.type === 'next') expect(await next(), name).toEqual({ type: 'complete', id: name });
    }
    expect(requestIds.size).toBe(bad.length);

    send(subscribeTo('query', '{ __typename }'));
    expect(await next()).toMatchObject({
      type: 'next',
      id: 'query',
      payload: { data: { __typename: 'Query' } },
    });
    expect(await next()).toEqual({ type: 'complete', id: 'query' });

    await buy(id, 'VIEW');
    const event = await next();
    expect(event).toMatchObject({ type: 'next', id: 'live' });
    expect(event.payload.data.usageChanged.rows).toMatchObject([{ licence: { code: 'VIEW' } }]);
    expect(socket.readyState).toBe(WebSocket.OPEN);
    socket.terminate();
  });

  it('is closed by a message larger than a mebibyte: 1009', async () => {
    const { send, closed } = await ready();
    send(subscribeTo('big', `{ __typename } # ${'x'.repeat(1024 * 1024)}`));
    expect((await closed).code).toBe(1009);
  });

  it('is told that the server goes away: 1001', async () => {
    const stopping = await startTestServer();
    const socket = new WebSocket(stopping.wsUrl, protocol);
    await new Promise((resolve) => {
      socket.once('open', resolve);
    });
    const closed = new Promise((resolve) => {
      socket.once('close', resolve);
    });
    await stopping.stop();
    expect(await closed).toBe(1001);
  });
});
