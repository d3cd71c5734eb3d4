import { afterAll, beforeAll, expect, test } from 'vitest';
import { verifyChain } from '../../src/audit/commands.ts';
import { createDatabase, type Database, patient } from '../../src/database/database.ts';
import { decodeId } from '../../src/kernel/ids.ts';
import { surveyOrganisation } from '../../src/verification/commands.ts';
import { createAuthenticator } from '../setup/authenticator.ts';
import { buy, createOrganisation, createUser, logon, organisationOf, setStatus } from '../setup/given.ts';
import { secret } from '../setup/secrets.ts';
import { type GraphqlAnswer, startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
let database: { db: Database; close(): Promise<void> };
beforeAll(async () => {
  server = await startTestServer();
  database = createDatabase({ connectionString: server.databaseUrl, ...patient, max: 2 });
});
afterAll(async () => {
  await database.close();
  await server.stop();
});

const person = {
  username: 'ada.lovelace',
  displayName: 'Ada “the first” Lovelace',
  email: 'ada@example.com',
  externalId: 'emp-1815',
};
const userFields = '... on EraseUserPayload { user { id username displayName email externalId status } }';

/** Every row of every table that says any of it: `table: row`. */
async function whereIs(texts: readonly string[]): Promise<string[]> {
  const { rows: tables } = await server.pool.query<{ name: string }>(
    "select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'",
  );
  const found: string[] = [];
  for (const { name } of tables) {
    const { rows } = await server.pool.query<{ row: string }>(`select t::text as row from "${name}" t`);
    for (const { row } of rows) {
      // As a row's text quotes it, in JSON and outside.
      if (texts.some((text) => row.toLowerCase().includes(text.toLowerCase()))) found.push(`${name}: ${row}`);
    }
  }
  return found;
}

async function askWith(key: string, query: string): Promise<GraphqlAnswer> {
  const response = await fetch(server.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ query }),
  });
  return (await response.json()) as GraphqlAnswer;
}

test('an erased user’s names are nowhere, and all that was counted and chained holds', async () => {
  const organisationId = await createOrganisation(server, { name: 'Erasing', leaseSeconds: 3600 });
  await buy(server, organisationId, 'INBOUND_AGENT', { base: 2, concurrent: 2 });
  await buy(server, organisationId, 'AGENT_CALLS', { concurrent: 2 });
  const input = {
    ...{ organisationId, ...person, status: 'ACTIVE', idempotencyKey: 'hired' },
    licences: ['INBOUND_AGENT', 'AGENT_CALLS'],
  };
  const { user } = await server.mutate('createUser', input, '... on CreateUserPayload { user { id } }');
  // A refusal that is remembered names her too.
  const refused = await server.mutate('createUser', { ...input, idempotencyKey: 'hired twice' });
  expect(refused.code).toBe('USERNAME_TAKEN');
  const other = await createUser(server, organisationId, 'ben', ['INBOUND_AGENT', 'AGENT_CALLS']);
  expect((await logon(server, user.id)).session).toBeDefined();

  // Keys that are named for her; and one that is nobody's, made with a key of hers.
  const key = {
    ...{ organisationId, name: 'Lovelace’s desk', role: 'ADMINISTRATOR', userId: user.id },
    ...{ scopes: ['KEYS', 'READ'], idempotencyKey: 'her key' },
  };
  const made = await server.mutate('createApiKey', key, '... on CreateApiKeyPayload { key apiKey { id } }');
  const { data: hall } = await askWith(
    secret(made.key),
    `mutation { createApiKey(input: { organisationId: "${organisationId}", name: "Hall", role: WALLBOARD, idempotencyKey: "hall" })
      { ... on CreateApiKeyPayload { apiKey { id createdBy } } } }`,
  );
  expect(hall.createApiKey.apiKey.createdBy).toBe(made.apiKey.id);
  const { options } = await server.mutate(
    'beginSecurityKeyEnrolment',
    { userId: user.id },
    '... on BeginSecurityKeyEnrolmentPayload { options }',
  );
  const response = createAuthenticator().create(options);
  const enrolled = await server.mutate('enrolSecurityKey', {
    userId: user.id,
    name: 'Ada Lovelace’s',
    response,
  });
  expect(enrolled.__typename).toBe('EnrolSecurityKeyPayload');
  await server.mutate('beginSecurityKeyEnrolment', { userId: user.id });

  const early = await server.mutate('eraseUser', { userId: user.id });
  expect(early).toMatchObject({ __typename: 'UserNotDeleted', code: 'USER_NOT_DELETED' });
  expect(early.message).toContain('DELETED');

  await setStatus(server, user.id, 'DELETED');
  const kept = await whereIs(['lovelace', person.email, person.externalId]);
  expect(new Set(kept.map((row) => row.slice(0, row.indexOf(':'))))).toEqual(
    new Set(['user', 'api_key', 'security_key', 'idempotency_key', 'audit_name']),
  );
  const erased = await server.mutate('eraseUser', { userId: user.id }, userFields);
  const pseudonym = `erased-${decodeId(user.id)?.type === 'User' ? (decodeId(user.id) as { id: string }).id : ''}`;
  expect(erased.user).toEqual({
    ...{ id: user.id, status: 'DELETED' },
    ...{ username: pseudonym, displayName: pseudonym, email: pseudonym, externalId: pseudonym },
  });
  expect(await whereIs(['lovelace', person.email, person.externalId])).toEqual([]);

  // Again: nothing more happens.
  expect(await server.mutate('eraseUser', { userId: user.id }, userFields)).toEqual(erased);
  const log = `query ($id: ID!) { organisation(id: $id) {
    auditLog { edges { node { action subject after } } } found: users(search: "lovelace", status: [DELETED]) { totalCount } } }`;
  const { data } = await server.query(log, { id: organisationId });
  const entries = data.organisation.auditLog.edges.map((edge: { node: object }) => edge.node);
  expect(entries.filter(({ action }: { action: string }) => action === 'eraseUser')).toHaveLength(1);
  expect(entries).toContainEqual({
    action: 'createUser',
    subject: user.id,
    after: expect.objectContaining({ username: pseudonym, email: pseudonym, status: 'ACTIVE' }),
  });
  expect(data.organisation.found.totalCount).toBe(0);

  // What was remembered of her is not made a second time, and another's is what it was.
  for (const idempotencyKey of ['hired', 'hired twice']) {
    expect((await server.mutate('createUser', { ...input, idempotencyKey })).code).toBe(
      'IDEMPOTENCY_KEY_REUSED',
    );
  }
  expect((await server.mutate('createApiKey', key)).code).toBe('IDEMPOTENCY_KEY_REUSED');
  const id = organisationOf(organisationId);
  expect(await verifyChain(database.db, id)).toMatchObject({ flaw: null });
  expect((await surveyOrganisation(database.db, id)).findings).toEqual([]);

  // The username is free, and who has it now is not touched by erasing her again.
  const successor = await createUser(server, organisationId, person.username, []);
  await server.mutate('eraseUser', { userId: user.id });
  const { data: present } = await server.query(
    'query ($ids: [ID!]!) { nodes(ids: $ids) { ... on User { username } } }',
    { ids: [successor, other] },
  );
  expect(present.nodes).toEqual([{ username: person.username }, { username: 'ben' }]);
  await setStatus(server, successor, 'DELETED');
  expect((await server.mutate('eraseUser', { userId: successor }, userFields)).user.username).toMatch(
    /^erased-/,
  );
  expect(await verifyChain(database.db, id)).toMatchObject({ flaw: null });
});
