import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { buy, createOrganisation, createUser, logon } from '../setup/given.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
let organisationId: string;
let userId: string;
let sessionId: string;
let purchaseId: string;
let foreign: { organisationId: string; userId: string };
let before: string;

beforeAll(async () => {
  server = await startTestServer({ sweepMilliseconds: 3_600_000 });
  organisationId = await createOrganisation(server, {
    externalId: 'given',
    testClockAt: '2026-01-01T00:00:00Z',
  });
  purchaseId = await buy(server, organisationId, 'SUPERVISOR', { base: 5, concurrent: 5 });
  userId = await createUser(server, organisationId, 'ada', ['SUPERVISOR']);
  sessionId = (await logon(server, userId, 'SUPERVISOR')).session?.id ?? '';
  const other = await createOrganisation(server);
  foreign = { organisationId: other, userId: await createUser(server, other, 'eve', []) };
});
afterAll(() => server.stop());

/** Every row of every table, so that "nothing written" is seen and not believed. */
async function everything(): Promise<string> {
  const { rows } = await server.pool.query(
    `select c.relname as name, (xpath('/row/n/text()', query_to_xml(
       format('select count(*) || ''/'' || coalesce(md5(string_agg(t::text, '','' order by t::text)), '''') as n from %I t', c.relname),
       false, true, '')))[1]::text as content
     from pg_class c
     where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and c.relname not in ('organisation', 'usage_progress', 'usage_rollup')
     order by 1`,
  );
  return JSON.stringify(rows);
}

beforeEach(async () => {
  before = await everything();
});

/** The answer of a mutation: its error's code and field, or a GraphQL error's code. */
async function attempt(name: string, input: Record<string, unknown>): Promise<string> {
  const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}Input`;
  const { data, errors } = await server.query(
    `mutation ($input: ${type}!) { ${name}(input: $input) { __typename ... on UserError { code message } ... on InvalidInput { field } } }`,
    { input },
  );
  if (errors !== undefined) return `error ${errors[0]?.extensions.code}`;
  const { code, field, message } = data[name];
  expect(message ?? 'A sentence').toMatch(/^[A-Z].*\.$/u);
  return field === undefined ? code : `${code} ${field}`;
}

const ids = () => ({ organisationId, userId, sessionId, purchaseId });
type Ids = ReturnType<typeof ids>;
type Case = readonly [name: string, input: (ids: Ids) => Record<string, unknown>, answer: string];

const texts: readonly (readonly [what: string, text: string])[] = [
  ['empty', ''],
  ['blank', ' \t\n '],
  ['with a NUL byte', 'a\u0000b'],
  ['with a control character', 'a\u001bb'],
  ['with a lone surrogate', 'a\ud800b'],
  ['of 201 characters', 'x'.repeat(201)],
  ['of 10 kB', 'x'.repeat(10_000)],
];

test.each(texts)('text that is %s is INVALID_INPUT, and names its field', async (_what, text) => {
  expect(await attempt('createOrganisation', { name: text })).toBe('INVALID_INPUT name');
  expect(await attempt('createOrganisation', { name: 'x', externalId: text })).toBe(
    'INVALID_INPUT externalId',
  );
  expect(await attempt('updateOrganisation', { organisationId, name: text })).toBe('INVALID_INPUT name');
  expect(await attempt('createUser', { organisationId, username: text })).toBe('INVALID_INPUT username');
  expect(await attempt('createUser', { organisationId, username: 'x', email: text })).toBe(
    'INVALID_INPUT email',
  );
  expect(
    await attempt('recordPurchase', { organisationId, licence: 'SUPERVISOR', base: 1, reference: text }),
  ).toBe('INVALID_INPUT reference');
  expect(await attempt('logon', { userId, licence: 'SUPERVISOR', device: text })).toBe(
    'INVALID_INPUT device',
  );
  expect(await attempt('logon', { userId, licence: 'SUPERVISOR', device: 'd', idempotencyKey: text })).toBe(
    'INVALID_INPUT idempotencyKey',
  );
  expect(await attempt('logon', { userId, licence: 'SUPERVISOR', device: 'd', features: [text] })).toMatch(
    /^INVALID_INPUT features/,
  );
  expect(await everything()).toBe(before);
});

const cases: readonly Case[] = [
  ['createOrganisation', () => ({ name: 'x', timeZone: 'Mars/Olympus' }), 'error INVALID_INPUT'],
  ['createOrganisation', () => ({ name: 'x', timeZone: '+01:00' }), 'error INVALID_INPUT'],
  ['createOrganisation', () => ({ name: 'x', timeZone: '' }), 'error INVALID_INPUT'],
  ['createOrganisation', () => ({ name: 'x', leaseSeconds: 9 }), 'INVALID_INPUT leaseSeconds'],
  ['createOrganisation', () => ({ name: 'x', leaseSeconds: 86_401 }), 'INVALID_INPUT leaseSeconds'],
  ['createOrganisation', () => ({ name: 'x', leaseSeconds: 3_000_000_000 }), 'error INVALID_INPUT'],
  ['createOrganisation', () => ({ name: 'x', leaseSeconds: null }), 'error INVALID_INPUT'],
  ['createOrganisation', () => ({ name: 'x', parentId: 'org_nobody' }), 'NOT_FOUND'],
  ['createOrganisation', ({ userId: parentId }) => ({ name: 'x', parentId }), 'NOT_FOUND'],
  ['createOrganisation', () => ({ name: 'x', externalId: 'given' }), 'EXTERNAL_ID_TAKEN'],
  [
    'createOrganisation',
    () => ({ name: 'x', testClockAt: '9999-12-31T00:00:00Z' }),
    'INVALID_INPUT testClockAt',
  ],
  [
    'createOrganisation',
    () => ({ name: 'x', testClockAt: '1970-01-01T00:00:00Z', timeZone: 'America/New_York' }),
    'INVALID_INPUT testClockAt',
  ],
  ['createOrganisation', () => ({ name: 'x', testClockAt: '1969-12-31T23:59:59Z' }), 'error INVALID_INPUT'],
  ['createOrganisation', () => ({ name: 'x', testClockAt: '10000-01-01T00:00:00Z' }), 'error INVALID_INPUT'],
  ['createOrganisation', () => ({ name: 'x', testClockAt: '2026-02-30T00:00:00Z' }), 'error INVALID_INPUT'],
  ['createOrganisation', () => ({ name: 'x', testClockAt: '2026-02-01T00:00:00' }), 'error INVALID_INPUT'],
  ['createOrganisation', () => ({ name: 'x', testClockAt: '2026-02-01T24:00:00Z' }), 'error INVALID_INPUT'],
  ['createOrganisation', () => ({ name: 'x', testClockAt: 1_700_000_000 }), 'error INVALID_INPUT'],
  ['createOrganisation', () => ({ name: 'x', nonsense: 1 }), 'error INVALID_INPUT'],
  [
    'updateOrganisation',
    (all) => ({ organisationId: all.organisationId, leaseSeconds: 0 }),
    'INVALID_INPUT leaseSeconds',
  ],
  ['updateOrganisation', () => ({ organisationId: 'org_AAAAAAAAAAAAAAAAAAAAAA' }), 'NOT_FOUND'],
  [
    'advanceTestClock',
    (all) => ({ organisationId: all.organisationId, to: '2025-12-31T23:59:59Z' }),
    'INVALID_INPUT to',
  ],
  [
    'advanceTestClock',
    (all) => ({ organisationId: all.organisationId, to: '9999-12-31T00:00:00Z' }),
    'INVALID_INPUT to',
  ],
  [
    'createUser',
    (all) => ({ organisationId: all.organisationId, username: 'x', status: 'SUSPENDED' }),
    'INVALID_INPUT status',
  ],
  [
    'createUser',
    (all) => ({ organisationId: all.organisationId, username: 'x', status: 'DELETED' }),
    'INVALID_INPUT status',
  ],
  [
    'createUser',
    (all) => ({ organisationId: all.organisationId, username: 'x', status: 'ASLEEP' }),
    'error INVALID_INPUT',
  ],
  ['createUser', (all) => ({ organisationId: all.organisationId, username: 'ada' }), 'USERNAME_TAKEN'],
  [
    'createUser',
    (all) => ({ organisationId: all.organisationId, username: 'x', licences: ['NOPE'] }),
    'NOT_FOUND',
  ],
  [
    'createUser',
    (all) => ({ organisationId: all.organisationId, username: 'x', licences: ['__proto__', 'constructor'] }),
    'NOT_FOUND',
  ],
  ['createUser', (all) => ({ organisationId: all.userId, username: 'x' }), 'NOT_FOUND'],
  ['setUserStatus', (all) => ({ userId: all.userId, status: 'PRE_ACTIVE' }), 'INVALID_TRANSITION'],
  ['setUserStatus', (all) => ({ userId: all.organisationId, status: 'ACTIVE' }), 'NOT_FOUND'],
  [
    'recordPurchase',
    (all) => ({ organisationId: all.organisationId, licence: 'SUPERVISOR' }),
    'INVALID_INPUT base',
  ],
  [
    'recordPurchase',
    (all) => ({ organisationId: all.organisationId, licence: 'SUPERVISOR', base: -1 }),
    'INVALID_INPUT base',
  ],
  [
    'recordPurchase',
    (all) => ({ organisationId: all.organisationId, licence: 'UC_USER', concurrent: 1 }),
    'INVALID_INPUT concurrent',
  ],
  [
    'recordPurchase',
    (all) => ({ organisationId: all.organisationId, licence: 'UC_USER', base: 1, contingency: 1 }),
    'INVALID_INPUT contingency',
  ],
  [
    'recordPurchase',
    (all) => ({ organisationId: all.organisationId, licence: 'AGENT_CALLS', base: 1 }),
    'INVALID_INPUT base',
  ],
  [
    'recordPurchase',
    (all) => ({ organisationId: all.organisationId, licence: 'SUPERVISOR', base: 2_147_483_647 }),
    'INVALID_INPUT base',
  ],
  [
    'recordPurchase',
    (all) => ({ organisationId: all.organisationId, licence: 'SUPERVISOR', base: 2_147_483_648 }),
    'error INVALID_INPUT',
  ],
  [
    'recordPurchase',
    (all) => ({ organisationId: all.organisationId, licence: 'SUPERVISOR', base: 1.5 }),
    'error INVALID_INPUT',
  ],
  [
    'recordPurchase',
    (all) => ({
      organisationId: all.organisationId,
      licence: 'SUPERVISOR',
      base: 1,
      from: '2025-12-31T23:59:59.999Z',
    }),
    'INVALID_INPUT from',
  ],
  [
    'recordPurchase',
    (all) => ({
      organisationId: all.organisationId,
      licence: 'SUPERVISOR',
      base: 1,
      until: '2026-01-01T00:00:00Z',
    }),
    'INVALID_INPUT until',
  ],
  [
    'recordPurchase',
    (all) => ({
      organisationId: all.organisationId,
      licence: 'SUPERVISOR',
      base: 1,
      from: '2026-03-01T00:00:00Z',
      until: '2026-03-01T00:00:00Z',
    }),
    'INVALID_INPUT until',
  ],
  [
    'recordPurchase',
    (all) => ({ organisationId: all.organisationId, licence: 'supervisor', base: 1 }),
    'NOT_FOUND',
  ],
  [
    'endPurchase',
    (all) => ({ purchaseId: all.purchaseId, until: '2025-01-01T00:00:00Z' }),
    'INVALID_INPUT until',
  ],
  [
    'endPurchase',
    (all) => ({ purchaseId: all.purchaseId, until: '2026-01-01T00:00:00Z' }),
    'INVALID_INPUT until',
  ],
  ['endPurchase', (all) => ({ purchaseId: all.sessionId }), 'NOT_FOUND'],
  ['assignLicence', (all) => ({ userId: all.userId, licence: 'SUPERVISOR' }), 'ALREADY_ASSIGNED'],
  ['assignLicence', (all) => ({ userId: all.userId, licence: 'NOPE' }), 'NOT_FOUND'],
  ['assignLicence', (all) => ({ userId: all.sessionId, licence: 'SUPERVISOR' }), 'NOT_FOUND'],
  ['unassignLicence', (all) => ({ userId: all.userId, licence: 'RECORDING' }), 'NOT_ASSIGNED'],
  ['logon', (all) => ({ userId: all.userId, licence: 'NOPE', device: 'd' }), 'NOT_FOUND'],
  ['logon', (all) => ({ userId: all.userId, licence: 'RECORDING', device: 'd' }), 'INVALID_INPUT licence'],
  [
    'logon',
    (all) => ({ userId: all.userId, licence: 'SUPERVISOR', device: 'd', features: ['UC_USER'] }),
    'INVALID_INPUT features',
  ],
  [
    'logon',
    (all) => ({ userId: all.userId, licence: 'SUPERVISOR', device: 'd', features: ['NOPE'] }),
    'NOT_FOUND',
  ],
  ['logon', (all) => ({ userId: all.organisationId, licence: 'SUPERVISOR', device: 'd' }), 'NOT_FOUND'],
  ['logon', (all) => ({ userId: `${all.userId}x`, licence: 'SUPERVISOR', device: 'd' }), 'NOT_FOUND'],
  ['renewSession', (all) => ({ sessionId: all.userId }), 'NOT_FOUND'],
  ['renewSession', () => ({ sessionId: 'x'.repeat(10_000) }), 'NOT_FOUND'],
  [
    'acquireFeatures',
    (all) => ({ sessionId: all.sessionId, features: ['SUPERVISOR'] }),
    'INVALID_INPUT features',
  ],
  [
    'acquireFeatures',
    (all) => ({ sessionId: all.sessionId, features: Array.from({ length: 101 }, () => 'RECORDING') }),
    'INVALID_INPUT features',
  ],
  ['releaseFeatures', (all) => ({ sessionId: all.sessionId, features: ['NOPE'] }), 'NOT_FOUND'],
  ['logoff', () => ({ sessionId: '' }), 'NOT_FOUND'],
  ['forceLogoff', () => ({}), 'INVALID_INPUT sessionId'],
  ['forceLogoff', (all) => ({ sessionId: all.sessionId, userId: all.userId }), 'INVALID_INPUT sessionId'],
  ['forceLogoff', (all) => ({ organisationId: all.userId }), 'NOT_FOUND'],
];

test.each(cases.map(([name, input, answer], index) => [name, answer, input, index] as const))(
  '%s answers %s (case $3)',
  async (name, answer, input) => {
    expect(await attempt(name, input(ids()))).toBe(answer);
    expect(await everything()).toBe(before);
  },
);

test('the id of another organisation’s thing, forged into one’s own, names nothing', async () => {
  const [, theirs = ''] = foreign.userId.split('_');
  const [, mine = ''] = organisationId.split('_');
  const forged = `usr_${mine}${theirs.slice(22)}`;
  expect(await attempt('logon', { userId: forged, licence: 'SUPERVISOR', device: 'd' })).toBe('NOT_FOUND');
  const { data, errors } = await server.query(
    'query ($id: ID!, $ids: [ID!]!) { node(id: $id) { id } nodes(ids: $ids) { id } organisation(id: $id) { id } }',
    {
      id: forged,
      ids: [
        forged,
        userId,
        '',
        'nonsense',
        `${userId}A`,
        organisationId.replace('org_', 'xyz_'),
        'lic_NOPE',
        'lic_RECORDING',
      ],
    },
  );
  expect(errors).toBeUndefined();
  expect(data).toEqual({
    node: null,
    nodes: [null, { id: userId }, null, null, null, null, null, { id: 'lic_RECORDING' }],
    organisation: null,
  });
});

const cursor = (...values: unknown[]) => Buffer.from(JSON.stringify(values)).toString('base64url');

test.each([
  { first: 0 },
  { first: -1 },
  { first: 101 },
  { last: 0 },
  { last: -1 },
  { last: 101 },
  { first: 1, last: 1 },
  { after: '' },
  { after: 'nonsense' },
  { after: cursor('organisations', '2026-01-01T00:00:00.000Z', '00000000-0000-4000-8000-000000000000') },
  { after: cursor('users', 'ada') },
  { after: cursor('users', 1, 2) },
  { after: cursor('users', 'a\u0000', '00000000-0000-4000-8000-000000000000') },
  { after: cursor('users', 'ada', 'not-a-uuid') },
  { last: 5, before: cursor('users', { toString: 'x' }, []) },
  { before: cursor('users', 'ada', '00000000-0000-4000-8000-000000000000') },
])('users(%o) is INVALID_INPUT', async (args) => {
  const { data, errors } = await server.query(
    `query ($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
       organisation(id: $id) { name users(first: $first, after: $after, last: $last, before: $before) { totalCount } }
     }`,
    { id: organisationId, ...args },
  );
  expect(errors?.map(({ extensions }) => extensions.code)).toEqual(['INVALID_INPUT']);
  // The rest of the answer is there.
  expect(data.organisation).toEqual({ name: 'Given', users: null });
});

test('queries answer a coded error for what they cannot take', async () => {
  const codeOf = async (document: string, variables = {}) =>
    (await server.query(document, variables)).errors?.[0]?.extensions.code;
  expect(
    await codeOf('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', {
      ids: Array.from({ length: 101 }, () => 'x'),
    }),
  ).toBe('INVALID_INPUT');
  expect(await codeOf('{ organisation { id } }')).toBe('INVALID_INPUT');
  expect(await codeOf('{ organisation(id: "x", externalId: "y") { id } }')).toBe('INVALID_INPUT');
  expect(await codeOf('{ organisations(search: "") { totalCount } }')).toBe('INVALID_INPUT');
  expect(await codeOf(`{ organisations(search: "${'x'.repeat(201)}") { totalCount } }`)).toBe(
    'INVALID_INPUT',
  );
  expect(await codeOf('{ licences(categories: [NOPE]) { code } }')).toBe('GRAPHQL_VALIDATION_FAILED');
  expect((await server.query('{ organisation(externalId: "no\\u0000body") { id } }')).data).toEqual({
    organisation: null,
  });
});

test('text is trimmed, counted in characters, and may be of any script', async () => {
  const name = `${'🎧'.repeat(199)}é`;
  const answer = await server.mutate(
    'createOrganisation',
    { name: `  ${name}\n` },
    '... on CreateOrganisationPayload { organisation { name } }',
  );
  expect(answer.organisation.name).toBe(name);
});

test('one mutation that is refused leaves its neighbours their answers', async () => {
  const { data, errors } = await server.query(
    `mutation ($id: ID!) {
       bad: createUser(input: { organisationId: "nobody", username: "x" }) { __typename }
       good: updateOrganisation(input: { organisationId: $id, name: "Renamed" }) { ... on UpdateOrganisationPayload { organisation { name } } }
     }`,
    { id: organisationId },
  );
  expect(errors).toBeUndefined();
  expect(data).toEqual({ bad: { __typename: 'NotFound' }, good: { organisation: { name: 'Renamed' } } });
});

test('nothing of all this was unexpected', () => {
  expect(server.logged).toEqual([]);
});
