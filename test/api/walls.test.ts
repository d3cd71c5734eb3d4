import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Actor } from '../../src/kernel/actor.ts';
import { decodeId, encodeOwnedId, newId } from '../../src/kernel/ids.ts';
import { createAuthenticator } from '../setup/authenticator.ts';
import { buy, createOrganisation, createUser, logon, uuidOf } from '../setup/given.ts';
import { secret } from '../setup/secrets.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';
import { bareSocket, subscribeTo } from '../setup/socket.ts';

/** What a tenant has. */
type Things = Awaited<ReturnType<typeof furnish>>;

let server: TestServer;
let partner: string;
let mine: Things;
let strange: Things;
/** What a security key answered to an enrolment of ours. */
let response: string;

beforeAll(async () => {
  // The first wall removed: whatever is asked for is reached.
  server = await startTestServer({ mayReach: () => true });
  partner = await createOrganisation(server, { name: 'Partner' });
  mine = await furnish('Mine', partner);
  strange = await furnish('Strange');
  const { options } = await server.mutate(
    'beginSecurityKeyEnrolment',
    { userId: mine.user },
    '... on BeginSecurityKeyEnrolmentPayload { options }',
  );
  response = createAuthenticator().create(options);
});
afterAll(() => server.stop());

async function furnish(name: string, parentId?: string) {
  const organisation = await createOrganisation(server, { name, parentId, externalId: name.toLowerCase() });
  const purchase = await buy(server, organisation, 'SUPERVISOR', { base: 9, concurrent: 1 });
  const user = await createUser(server, organisation, 'margaret', ['SUPERVISOR']);
  const refused = await createUser(server, organisation, 'refused', ['SUPERVISOR']);
  const { session } = await logon(server, user, 'SUPERVISOR');
  await logon(server, refused, 'SUPERVISOR');
  const { apiKey, key } = await server.mutate(
    'createApiKey',
    { organisationId: organisation, name: 'Screen', role: 'WALLBOARD' },
    '... on CreateApiKeyPayload { key apiKey { id } }',
  );
  secret(key);
  const securityKey = newId<'SecurityKey'>();
  const userId = decodeId(user);
  if (userId?.type !== 'User') throw new Error(`${user} is no user`);
  await server.pool.query(
    `insert into security_key
       (organisation_id, id, user_id, credential_id, public_key, algorithm, counter, transports, name, created_at)
     values ($1, $2, $3, 'credential', '', 'ES256', 0, '{}', 'Key', now())`,
    [userId.organisationId, securityKey, userId.id],
  );
  const { data } = await server.query(
    `query ($organisation: ID!, $user: ID!) {
      node(id: $organisation) { ... on Organisation { denials { edges { node { id } } } licenceMapping { id } billingStatement { id } } }
      user: node(id: $user) { ... on User { assignments { id } } }
    }`,
    { organisation, user },
  );
  return {
    organisation,
    purchase,
    user,
    session: session?.id ?? '',
    apiKey: apiKey.id as string,
    securityKey: encodeOwnedId('SecurityKey', userId.organisationId, securityKey),
    assignment: data.user.assignments[0].id as string,
    denial: data.node.denials.edges[0].node.id as string,
    mapping: data.node.licenceMapping[0].id as string,
    statement: data.node.billingStatement.id as string,
  };
}

function as(role: Actor['role'], organisation: string) {
  return server.as({ role, organisationId: uuidOf(organisation), userId: null } as Actor);
}

const nodes = 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }';

test('the second wall: no id of another tenant’s names anything, where the first is removed', async () => {
  const ids = Object.values(strange);
  for (const actor of [as('ADMINISTRATOR', mine.organisation), as('PARTNER', partner)]) {
    const own = await actor.query(nodes, { ids: Object.values(mine) });
    expect(own.data?.nodes.every((node: unknown) => node !== null)).toBe(true);
    const { data } = await actor.query(nodes, { ids });
    expect(data?.nodes).toEqual(ids.map(() => null));
    const one = await actor.query(
      'query ($id: ID!) { organisation(id: $id) { name users { totalCount } } }',
      {
        id: strange.organisation,
      },
    );
    expect(one.data?.organisation).toBeNull();
    const named = await actor.query('{ organisation(externalId: "strange") { name } }');
    expect(named.data?.organisation).toBeNull();
  }
});

test('the second wall: what is above and below is seen as the role has it', async () => {
  const parent = `query ($id: ID!) { organisation(id: $id) { parent { name } } }`;
  const administrator = as('ADMINISTRATOR', mine.organisation);
  expect((await administrator.query(parent, { id: mine.organisation })).data?.organisation).toEqual({
    parent: null,
  });
  expect((await as('PARTNER', partner).query(parent, { id: mine.organisation })).data?.organisation).toEqual({
    parent: { name: 'Partner' },
  });
  // Of those who are no partner, what is below is another's too.
  const above = as('ADMINISTRATOR', partner);
  expect((await above.query(nodes, { ids: [mine.organisation] })).data?.nodes).toEqual([null]);
});

test('the second wall: a partner creates below itself, finds it, and repeats with a key', async () => {
  const create = `mutation ($input: CreateOrganisationInput!) { createOrganisation(input: $input) {
    __typename ... on CreateOrganisationPayload { organisation { id } } } }`;
  const actor = as('PARTNER', partner);
  const input = { name: 'New', parentId: mine.organisation, idempotencyKey: 'new' };
  const [first, again] = [await actor.query(create, { input }), await actor.query(create, { input })];
  const made = first.data?.createOrganisation.organisation.id;
  expect(again.data?.createOrganisation.organisation.id).toBe(made);
  expect((await actor.query(nodes, { ids: [made] })).data?.nodes).toEqual([{ id: made }]);
});

/** Every change, of another tenant's things. */
const changes: readonly (readonly [name: string, input: (things: Things) => object])[] = [
  ['updateOrganisation', ({ organisation }) => ({ organisationId: organisation, name: 'Taken' })],
  ['advanceTestClock', ({ organisation }) => ({ organisationId: organisation, to: '2030-01-01T00:00:00Z' })],
  ['createOrganisation', ({ organisation }) => ({ name: 'Under', parentId: organisation })],
  [
    'recordPurchase',
    ({ organisation }) => ({ organisationId: organisation, licence: 'SUPERVISOR', base: 1 }),
  ],
  ['endPurchase', ({ purchase }) => ({ purchaseId: purchase })],
  [
    'setPrice',
    ({ organisation }) => ({ organisationId: organisation, kind: 'ACTIVE_USER', currency: 'EUR', amount: 1 }),
  ],
  ['setBillingTerms', ({ organisation }) => ({ organisationId: organisation, currency: 'USD' })],
  ['correctStatement', ({ statement }) => ({ statementId: statement, reason: 'Taken', lines: [] })],
  ['createUser', ({ organisation }) => ({ organisationId: organisation, username: 'mallory' })],
  ['setUserStatus', ({ user }) => ({ userId: user, status: 'SUSPENDED' })],
  ['assignLicence', ({ user }) => ({ userId: user, licence: 'RECORDING' })],
  ['unassignLicence', ({ user }) => ({ userId: user, licence: 'SUPERVISOR' })],
  ['logon', ({ user }) => ({ userId: user, licence: 'SUPERVISOR', device: 'other', idempotencyKey: 'k' })],
  ['renewSession', ({ session }) => ({ sessionId: session })],
  ['acquireFeatures', ({ session }) => ({ sessionId: session, features: ['RECORDING'] })],
  ['releaseFeatures', ({ session }) => ({ sessionId: session, features: ['RECORDING'] })],
  ['logoff', ({ session }) => ({ sessionId: session })],
  ['eraseUser', ({ user }) => ({ userId: user })],
  [
    'createApiKey',
    ({ organisation }) => ({ organisationId: organisation, name: 'Taken', role: 'WALLBOARD' }),
  ],
  ['revokeApiKey', ({ apiKey }) => ({ keyId: apiKey })],
  ['beginSecurityKeyEnrolment', ({ user }) => ({ userId: user })],
  ['enrolSecurityKey', ({ user }) => ({ userId: user, name: 'Taken', response })],
  ['removeSecurityKey', ({ securityKey }) => ({ securityKeyId: securityKey })],
  ['forceLogoff', ({ session }) => ({ sessionId: session })],
  ['forceLogoff', ({ user }) => ({ userId: user })],
  ['forceLogoff', ({ organisation }) => ({ organisationId: organisation })],
];

/** All that the tenant's rows say. */
async function rowsOf(organisation: string): Promise<string> {
  const { rows: tables } = await server.pool.query<{ name: string }>(`
    select c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'organisation_id'
    where c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace = 'public'::regnamespace order by 1`);
  const parts = [
    ...tables.map(({ name }) => `"${name}" t where organisation_id = $1`),
    'organisation t where id = $1',
  ];
  const texts = await Promise.all(
    parts.map(async (part) => {
      const { rows } = await server.pool.query(`select t::text as row from ${part} order by 1`, [
        uuidOf(organisation),
      ]);
      return [part, rows.map(({ row }) => row as string)];
    }),
  );
  return JSON.stringify(texts, null, 1);
}

async function change(actor: { query: TestServer['query'] }, name: string, input: object): Promise<string> {
  const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}Input`;
  const document = `mutation ($input: ${type}!) { ${name}(input: $input) { __typename } }`;
  const { data, errors } = await actor.query(document, { input });
  if (data?.[name] == null) throw new Error(`${name}: ${JSON.stringify(errors)}`);
  return data[name].__typename;
}

test('the second wall: no change reaches another tenant, where the first is removed', async () => {
  const before = await rowsOf(strange.organisation);
  const actor = as('PARTNER', partner);
  for (const [name, input] of changes) {
    expect([name, await change(actor, name, input(strange))]).toEqual([name, 'NotFound']);
  }
  // All at once, beside those who ask for what is theirs: admission decides them together.
  const owner = as('ADMINISTRATOR', strange.organisation);
  const stranger = as('ADMINISTRATOR', mine.organisation);
  const renewals = Array.from({ length: 20 }, (_, index) =>
    change(index % 2 === 0 ? stranger : owner, 'renewSession', { sessionId: strange.session }),
  );
  const answers = await Promise.all(renewals);
  expect(answers).toEqual(answers.map((_, index) => (index % 2 === 0 ? 'NotFound' : 'RenewSessionPayload')));
  const logons = Array.from({ length: 20 }, (_, index) =>
    change(index % 2 === 0 ? stranger : owner, 'logon', {
      ...{ userId: strange.user, licence: 'SUPERVISOR', device: `device ${index}` },
    }),
  );
  expect((await Promise.all(logons)).filter((answer) => answer === 'LogonPayload')).toHaveLength(10);
  const { rows } = await server.pool.query(
    `select count(*)::int as even from session where right(device, 1) in ('0', '2', '4', '6', '8')`,
  );
  expect(rows[0].even).toBe(0);
  const changed = await rowsOf(strange.organisation);
  expect(changed).not.toBe(before);
  expect(changed).not.toContain('mallory');
  expect(changed).not.toContain('Taken');
});

test('the second wall: no subscription shows another tenant’s figures, where the first is removed', async () => {
  const { key } = as('ADMINISTRATOR', mine.organisation);
  const { send, next, received } = await bareSocket(server, key);
  expect((await next()).type).toBe('connection_ack');
  send(
    subscribeTo('own', 'subscription ($id: ID!) { usageChanged(organisationId: $id) { revision } }', {
      id: mine.organisation,
    }),
  );
  const soon = { timeout: 5_000, interval: 20 };
  await vi.waitFor(
    () => expect(received).toContainEqual(expect.objectContaining({ id: 'own', type: 'next' })),
    soon,
  );
  send(
    subscribeTo('figures', 'subscription ($id: ID!) { usageChanged(organisationId: $id) { revision } }', {
      id: strange.organisation,
    }),
  );
  send(
    subscribeTo('session', 'subscription ($id: ID!) { sessionChanged(sessionId: $id) { id } }', {
      id: strange.session,
    }),
  );
  for (const id of ['figures', 'session']) {
    await vi.waitFor(() => expect(received.some((message) => message.id === id)).toBe(true), soon);
  }
  await server.mutate('logoff', { sessionId: strange.session });
  const shown = received.filter(
    ({ id, payload }) => id !== 'own' && JSON.stringify(payload ?? '').includes('"data":{'),
  );
  expect(shown).toEqual([]);
});

const recorded = `query ($id: ID!) { organisation(id: $id) {
  apiKeys { edges { node { prefix } } } auditLog { edges { node { action } } } } }`;

/** The entries of an organisation's audit log as CSV; null: there is no such organisation. */
async function entriesOf({ key }: { readonly key: string }, organisation: string): Promise<number | null> {
  const response = await fetch(new URL(`/audit/${organisation}.csv`, server.url), {
    headers: { authorization: `Bearer ${key}` },
  });
  const text = await response.text();
  return response.status === 404 ? null : text.trim().split('\r\n').length - 1;
}

test('the second wall: no key and no entry of another tenant’s is shown, where the first is removed', async () => {
  for (const actor of [as('ADMINISTRATOR', mine.organisation), as('PARTNER', partner)]) {
    const own = (await actor.query(recorded, { id: mine.organisation })).data?.organisation;
    expect(own.apiKeys.edges).toHaveLength(1);
    expect(own.auditLog.edges.length).toBeGreaterThan(0);
    expect(await entriesOf(actor, mine.organisation)).toBeGreaterThan(0);
    expect((await actor.query(recorded, { id: strange.organisation })).data?.organisation).toBeNull();
    expect(await entriesOf(actor, strange.organisation)).toBeNull();
  }
});

test('without the first wall, and the organisation’s own, it is seen, and what is in it is not', async () => {
  await server.pool.query('alter table organisation disable row level security');
  try {
    const actor = as('ADMINISTRATOR', mine.organisation);
    const ids = Object.values(strange);
    const { data } = await actor.query(nodes, { ids });
    // It was the second wall that held; and each table has a wall of its own.
    // The month that runs has a statement of its own, made of what is seen: of the organisation alone, nothing.
    const seen = [strange.organisation, strange.statement];
    expect(data?.nodes).toEqual(ids.map((id) => (seen.includes(id) ? { id } : null)));
    const { organisation } = (await actor.query(recorded, { id: strange.organisation })).data;
    expect(organisation).toEqual({ apiKeys: { edges: [] }, auditLog: { edges: [] } });
    expect(await entriesOf(actor, strange.organisation)).toBe(0);
  } finally {
    await server.pool.query('alter table organisation enable row level security');
  }
});
