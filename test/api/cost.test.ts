import { getIntrospectionQuery, parse, validate } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMeasure, defaultDocumentLimits } from '../../src/graphql/limits.ts';
import { schema } from '../../src/schema.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';
import { bareSocket, subscribeTo } from '../setup/socket.ts';
import { overHttp, transports } from '../setup/transports.ts';

const measure = createMeasure(schema, defaultDocumentLimits);
const page = 10;

function costOf(text: string, variables: object | null = null, operationName: string | null = null): number {
  const document = parse(text);
  expect(validate(schema, document)).toEqual([]);
  return measure.costOf(document, operationName, variables).requested;
}

describe('a page is reckoned', () => {
  const organisations = 'edges { node { id } }';
  it.for<[string, string, object | null, number]>([
    ['as long as it says', `{ organisations(first: 7) { ${organisations} } }`, null, 7],
    ['of 50 where nothing is said', `{ organisations { ${organisations} } }`, null, 50],
    ['of 50 where null is said', `{ organisations(first: null) { ${organisations} } }`, null, 50],
    ['of 100 where more is said', `{ organisations(first: 2000) { ${organisations} } }`, null, 100],
    [
      'as long as its variable says',
      `query ($n: Int) { organisations(last: $n) { ${organisations} } }`,
      { n: 3 },
      3,
    ],
    [
      'as long as its variable’s default',
      `query ($n: Int = 9) { organisations(last: $n) { ${organisations} } }`,
      {},
      9,
    ],
    [
      'of 50 without the variable',
      `query ($n: Int) { organisations(last: $n) { ${organisations} } }`,
      {},
      50,
    ],
    [
      'of 100 where the variable is none',
      `query ($n: Int) { organisations(last: $n) { ${organisations} } }`,
      { n: 'x' },
      100,
    ],
    [
      'of one where the variable is less',
      `query ($n: Int) { organisations(last: $n) { ${organisations} } }`,
      { n: -5 },
      1,
    ],
    [
      'through a fragment',
      `query ($n: Int) { organisations(first: $n) { ...e } } fragment e on OrganisationConnection { ${organisations} }`,
      { n: 4 },
      4,
    ],
  ])('%s', ([, text, variables, length]) => {
    // The page, `edges`, and a node with its id for each.
    expect(costOf(text, variables)).toBe(page + 1 + 2 * length);
  });

  it('within each of another', () => {
    const text =
      'query ($n: Int, $m: Int) { organisations(first: $n) { edges { node { users(first: $m) { edges { node { id } } } } } } }';
    expect(costOf(text, { n: 3, m: 4 })).toBe(page + 1 + 3 * (1 + page + 1 + 4 * 2));
  });
});

describe('a cost is', () => {
  it('declared where the field is', () => {
    expect(costOf('{ organisations(first: 1) { totalCount } }')).toBe(page + 50);
    expect(costOf('{ organisation(externalId: "x") { licenceMapping { id } } }')).toBe(1 + 10 + 30);
  });

  it('of as many buckets as a usage history is asked for, whole ones at both ends', () => {
    const history = (until: string) =>
      `query ($from: DateTime!, $bucket: UsageBucketSize! = DAY) { organisation(externalId: "x") {
        usageHistory(licence: "X", from: $from, until: "${until}", bucket: $bucket) { denials } } }`;
    const from = '2026-01-01T12:00:00Z';
    expect(costOf(history('2026-01-11T12:00:00Z'), { from })).toBe(1 + 10 + 11);
    expect(costOf(history('2026-01-11T12:00:00Z'), { from, bucket: 'HOUR' })).toBe(1 + 10 + 241);
    expect(costOf(history('2996-01-11T12:00:00Z'), { from })).toBe(1 + 10 + 2000);
    expect(costOf(history('2026-01-11T12:00:00Z'), { from: 'some day' })).toBe(1 + 10 + 2000);
  });

  it('as long as the list of ids that is given', () => {
    expect(costOf('{ nodes(ids: ["a", "b", "c"]) { id } }')).toBe(1 + 3);
    expect(costOf('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: ['a', 'b'] })).toBe(1 + 2);
  });

  it('that of each mutation', () => {
    const logoff = (alias: string) => `${alias}: logoff(input: { sessionId: "x" }) { __typename }`;
    expect(costOf(`mutation { ${logoff('a')} ${logoff('b')} }`)).toBe(2 * (900 + 1));
  });

  it('that of the operation that is asked for', () => {
    const text = 'query A { __typename } query B { organisations(first: 5) { edges { cursor } } }';
    expect(costOf(text, null, 'A')).toBe(1);
    expect(costOf(text, null, 'B')).toBe(page + 1 + 5);
    expect(costOf(text, null, 'C')).toBe(0);
  });

  it('far below the limit for GraphiQL’s introspection', () => {
    const introspection = getIntrospectionQuery({ descriptions: true, inputValueDeprecation: true });
    expect(costOf(introspection)).toBeLessThan(defaultDocumentLimits.cost / 4);
  });
});

describe('an operation', () => {
  let server: TestServer;
  const limit = 1_000;
  beforeAll(async () => {
    server = await startTestServer({
      documentLimits: { ...defaultDocumentLimits, cost: limit },
      sweepMilliseconds: 60_000,
    });
  });
  afterAll(() => server.stop());

  const ids = (times: number) => Array.from({ length: times }, (_, index) => `a${index}: id`).join(' ');
  const sized = `query ($n: Int) { organisations(first: $n) { edges { node { ${ids(12)} } } } }`;
  const requestedOf = (n: number) => page + 1 + n * 13;

  it.for(transports)('over %s is answered with its cost', async ([, send]) => {
    // The second and third come by the short way, of a document that is known.
    for (const n of [1, 2, 3]) {
      const { data, extensions } = await send(server, { query: sized, variables: { n } });
      expect(data).toEqual({ organisations: { edges: [] } });
      expect(extensions).toEqual({ cost: { requested: requestedOf(n), limit } });
    }
    const logoff = 'mutation { logoff(input: { sessionId: "x" }) { __typename } }';
    expect((await send(server, { query: logoff })).extensions).toEqual({ cost: { requested: 901, limit } });
  });

  it.for(transports)('over %s that costs too much is refused, by its variables alone', async ([, send]) => {
    for (const n of [100, 1, 100]) {
      const sent: string[] = [];
      const stop = server.onStatement((text) => sent.push(text));
      const { data, errors } = await send(server, { query: sized, variables: { n } });
      stop();
      if (n === 1) {
        expect(data).toEqual({ organisations: { edges: [] } });
        continue;
      }
      const requested = requestedOf(n);
      expect(data).toBeUndefined();
      expect(errors).toMatchObject([
        {
          message: `This operation costs ${requested}; at most ${limit}: ask for smaller pages.`,
          extensions: {
            code: 'GRAPHQL_VALIDATION_FAILED',
            cost: { requested, limit },
            requestId: expect.any(String) as string,
          },
        },
      ]);
      expect(sent.filter((text) => /from "organisation"/.test(text) && /limit/.test(text))).toEqual([]);
    }
  });

  it('is 400 in the media type of GraphQL, on both ways', async () => {
    for (const accept of ['application/graphql-response+json', 'application/graphql-response+json;q=1.0']) {
      const response = await fetch(server.url, {
        method: 'POST',
        headers: { accept, 'content-type': 'application/json', authorization: `Bearer ${server.key}` },
        body: JSON.stringify({ query: sized, variables: { n: 100 } }),
      });
      expect(response.status).toBe(400);
      expect(JSON.stringify(await response.json())).not.toContain('"http"');
    }
  });

  it('that fails in a resolver has its cost too', async () => {
    const { errors, extensions } = await overHttp(server, { query: sized, variables: { n: -1 } });
    expect(errors).toHaveLength(1);
    expect(extensions).toEqual({ cost: { requested: requestedOf(1), limit } });
  });

  it('that subscribes is refused by its cost, and its events are without', async () => {
    const { organisation } = await server.mutate(
      'createOrganisation',
      { name: 'Watched' },
      '... on CreateOrganisationPayload { organisation { id } }',
    );
    const id = organisation.id as string;
    const { send, next, socket } = await bareSocket(server);
    expect((await next()).type).toBe('connection_ack');
    const watch = (selection: string) =>
      subscribeTo('1', `subscription { usageChanged(organisationId: "${id}") { ${selection} } }`);
    send(watch(`rows { ${ids(40)} }`));
    expect(await next()).toMatchObject({ type: 'error', payload: [{ extensions: { cost: { limit } } }] });
    send(watch('revision'));
    const event = await next();
    expect(Object.keys(event.payload as object)).toEqual(['data']);
    socket.terminate();
  });
});
