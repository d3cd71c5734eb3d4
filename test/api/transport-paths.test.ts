import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../setup/server.ts';

/**
 * The usual request, of a document that was valid before, is answered without Yoga's passage through the Fetch API. Whichever way a request takes, its answer
 * must be the same: each is sent in a spelling that takes the short way, and in one that takes the long.
 */
let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const mediaTypes = ['application/json', 'application/graphql-response+json', '*/*'] as const;

async function send(body: string, accept: string, headers: Record<string, string>) {
  const response = await fetch(server.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${server.key}`,
      'x-request-id': 'same',
      accept,
      ...headers,
    },
    body,
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    requestId: response.headers.get('x-request-id'),
    body: text.startsWith('{') ? (JSON.parse(text) as unknown) : text,
  };
}

const asked = (query: unknown, rest: object = {}) => JSON.stringify({ query, ...rest });

const bodies: readonly (readonly [string, string, Record<string, string>?])[] = [
  ['a query', asked('{ __typename organisations(first: 1) { totalCount } }')],
  ['a query with variables', asked('query ($id: ID!) { node(id: $id) { id } }', { variables: { id: 'x' } })],
  [
    'a named operation',
    asked('query A { __typename } query B { licences { code } }', { operationName: 'B' }),
  ],
  ['an unknown operation', asked('query A { __typename }', { operationName: 'C' })],
  ['no operation named of two', asked('query A { __typename } query B { __typename }')],
  [
    'a refused mutation',
    asked('mutation { logoff(input: { sessionId: "x" }) { __typename ... on UserError { code message } } }'),
  ],
  ['an error in a resolver', asked('{ organisations(first: -1) { totalCount } }')],
  ['a subscription', asked('subscription { sessionChanged(sessionId: "x") { id } }')],
  ['a syntax error', asked('{')],
  ['an unknown field', asked('{ nothing }')],
  ['a missing variable', asked('query ($id: ID!) { node(id: $id) { id } }')],
  [
    'a variable of another type',
    asked('query ($n: Int) { organisations(first: $n) { totalCount } }', { variables: { n: 'x' } }),
  ],
  ['variables that are a list', asked('{ __typename }', { variables: [] })],
  ['variables that are a text', asked('{ __typename }', { variables: '{}' })],
  ['no query', JSON.stringify({ variables: {} })],
  ['a query that is a number', asked(1)],
  ['an operation name that is a number', asked('{ __typename }', { operationName: 1 })],
  ['extensions', asked('{ __typename }', { extensions: { trace: 1 } })],
  ['extensions that are a text', asked('{ __typename }', { extensions: 'x' })],
  ['an unknown part', asked('{ __typename }', { id: 1 })],
  ['a list', `[${asked('{ __typename }')}]`],
  ['null', 'null'],
  ['no JSON', '{"query":'],
  ['nothing', ''],
  ['a byte order mark', `\uFEFF${asked('{ __typename }')}`],
  ['a charset', asked('{ __typename }'), { 'content-type': 'application/json; charset=utf-8' }],
  ['another content type', asked('{ __typename }'), { 'content-type': 'text/plain' }],
];

it.for(
  mediaTypes.flatMap((accept) => bodies.map(([name, body, headers]) => ({ name, body, headers, accept }))),
)('$name, accepting $accept, is answered the same on both ways', async ({ body, headers = {}, accept }) => {
  const short = await send(body, accept, headers);
  const long = await send(body, `${accept};q=1.0`, headers);
  expect(short).toEqual(long);
});
