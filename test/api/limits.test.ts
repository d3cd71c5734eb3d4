import { afterAll, beforeAll, expect, test } from 'vitest';
import { getIntrospectionQuery, parse } from 'graphql';
import { operator } from '../../src/kernel/actor.ts';
import type { Graphql } from '../../src/graphql/transports/http.ts';
import { prepare } from '../../src/graphql/transports/operation.ts';
import { createOrganisation } from '../setup/given.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';
import { transports } from '../setup/transports.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  await createOrganisation(server, { externalId: 'deep' });
});
afterAll(() => server.stop());

const times = (count: number, part: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => part(index)).join(' ');
const deep = (levels: number) =>
  `{ organisation(externalId: "deep") ${'{ parent '.repeat(levels)} { id } ${'}'.repeat(levels)} }`;
const page =
  'organisations(first: 100) { edges { node { id users(first: 100) { edges { node { id } } } } } }';
const doubling = (count: number) =>
  `{ organisation(externalId: "deep") { ...f0 } }
   ${times(count, (n) => `fragment f${n} on Organisation { a: parent { ...f${n + 1} } b: parent { ...f${n + 1} } }`)}
   fragment f${count} on Organisation { id }`;
const entangled = (count: number) =>
  `{ organisation(externalId: "deep") { ...f0 ...f1 } }
   ${times(count, (n) => `fragment f${n} on Organisation { parent { ...f${(n + 1) % count} ...f${(n + 2) % count} } }`)}`;

const tooMuch: readonly (readonly [string, string, string, RegExp])[] = [
  // What the parser's stack bears depends on how warm it is; what is refused does not.
  ['of 2,000 levels', deep(2_000), 'GRAPHQL_PARSE_FAILED', /more than 5000 tokens|too deep/],
  ['of 50,000 levels', deep(50_000), 'GRAPHQL_PARSE_FAILED', /more than 5000 tokens|too deep/],
  ['of 700 levels', deep(700), 'GRAPHQL_VALIDATION_FAILED', /702 fields deep; at most 30/],
  ['of 31 levels', deep(29), 'GRAPHQL_VALIDATION_FAILED', /31 fields deep; at most 30/],
  [
    'of 20,000 lists in one another',
    `{ licences(categories: ${'['.repeat(20_000)}${']'.repeat(20_000)}) { code } }`,
    'GRAPHQL_PARSE_FAILED',
    /more than 5000 tokens|too deep/,
  ],
  ['of 20,000 names', `{ ${'__typename '.repeat(20_000)} }`, 'GRAPHQL_PARSE_FAILED', /more than 5000 tokens/],
  [
    'of 2,001 fields',
    `{ ${'__typename '.repeat(2_001)} }`,
    'GRAPHQL_VALIDATION_FAILED',
    /2001 fields; at most 2000/,
  ],
  [
    'of pages in pages, by 100 aliases',
    `{ ${times(100, (n) => `a${n}: ${page}`)} }`,
    'GRAPHQL_VALIDATION_FAILED',
    /costs \d+; at most 250000: ask for smaller pages/,
  ],
  [
    'of fragments that double',
    doubling(25),
    'GRAPHQL_VALIDATION_FAILED',
    /asks for \d+ fields; at most 2000/,
  ],
  [
    'of 201 aliases',
    `{ ${times(201, (n) => `a${n}: __typename`)} }`,
    'GRAPHQL_VALIDATION_FAILED',
    /201 aliases; at most 200/,
  ],
  [
    'of one mutation 201 times',
    `mutation { ${times(201, (n) => `a${n}: logoff(input: { sessionId: "x" }) { __typename }`)} }`,
    'GRAPHQL_VALIDATION_FAILED',
    /201 aliases; at most 200/,
  ],
  [
    'of 5 directives in one place',
    `{ __typename ${'@skip(if: false) '.repeat(5)} }`,
    'GRAPHQL_VALIDATION_FAILED',
    /5 directives in one place; at most 4/,
  ],
  [
    'of 101 directives',
    `{ ${'... @skip(if: false) { __typename } '.repeat(101)} }`,
    'GRAPHQL_VALIDATION_FAILED',
    /101 directives; at most 100/,
  ],
  ['of fragments in many circles', entangled(90), 'GRAPHQL_VALIDATION_FAILED', /./],
];

test.each(transports.flatMap(([name, send]) => tooMuch.map((each) => [name, ...each, send] as const)))(
  'over %s a document %s is refused before any resolver runs',
  async (_transport, _document, query, code, message, send) => {
    const sent: string[] = [];
    const stop = server.onStatement((text) => sent.push(text));
    const { data, errors } = await send(server, { query });
    stop();
    expect(data).toBeUndefined();
    expect(errors?.[0]).toMatchObject({
      message: expect.stringMatching(message) as string,
      extensions: { code, requestId: expect.any(String) as string },
    });
    expect(sent.filter((text) => /from "organisation" where "external/.test(text))).toEqual([]);
    expect(server.logged).toEqual([]);
  },
);

test.each(transports)('over %s what is asked in earnest is answered', async (_transport, send) => {
  for (const query of [getIntrospectionQuery(), deep(28), `{ ${page} }`, doubling(7)]) {
    const { data, errors } = await send(server, { query });
    expect(errors).toBeUndefined();
    expect(data).toBeTypeOf('object');
  }
});

test.each(transports)('over %s an error is told for each limit that is broken', async (_transport, send) => {
  const query = `{ ${times(201, (n) => `a${n}: __typename @skip(if: false)`)} ${'__typename '.repeat(1_900)} }`;
  const { errors } = await send(server, { query });
  expect(errors?.map(({ message }) => message)).toEqual([
    'This document has 201 aliases; at most 200.',
    'This document has 201 directives; at most 100.',
    'This document asks for 2101 fields; at most 2000.',
  ]);
});

test('what throws in validation costs its operation, and not the socket it came on', async () => {
  const graphql = {
    getEnveloped: () => ({
      parse,
      validate: () => {
        throw new Error('a plugin is broken');
      },
    }),
  } as unknown as Graphql;
  const log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
  const arrival = { actor: operator, requestId: 'one' } as const;
  expect(prepare(graphql, arrival, { query: '{ __typename }' }, log)).toMatchObject([
    { extensions: { code: 'INTERNAL_SERVER_ERROR', requestId: 'one' } },
  ]);
});
