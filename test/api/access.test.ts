import { readFileSync } from 'node:fs';
import { isInterfaceType, isObjectType } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guard } from '../../src/graphql/access.ts';
import { access, type Grant } from '../../src/kernel/access.ts';
import { type Actor, type Role, type Scope, scopes } from '../../src/kernel/actor.ts';
import { decodeId, encodeOwnedId, type UserId } from '../../src/kernel/ids.ts';
import { schema } from '../../src/schema.ts';
import { buy, createOrganisation, createUser, logon, organisationOf } from '../setup/given.ts';
import { type GraphqlAnswer, startTestServer, type TestServer } from '../setup/server.ts';
import { bareSocket, subscribeTo } from '../setup/socket.ts';

const roles = ['OPERATOR', 'PARTNER', 'ADMINISTRATOR', 'SUPERVISOR', 'WALLBOARD', 'AGENT'] as const;

/** The world: a partner with a customer and a customer of that one, and a stranger beside them. */
interface Things {
  readonly organisation: string;
  readonly user: string;
  /** Not the actor's own user. */
  readonly colleague: string;
  readonly purchase: string;
  readonly assignment: string;
  readonly session: string;
  readonly colleagueSession: string;
  readonly denial: string;
  readonly statement: string;
  readonly mapping: string;
  readonly alert: string;
  readonly apiKey: string;
  readonly securityKey: string;
  readonly colleagueSecurityKey: string;
  readonly department: string;
  readonly externalId: string;
}

let server: TestServer;
let partner: string;
let mine: Things;
let below: Things;
let strange: Things;
let missing: Things;

beforeAll(async () => {
  // What the server does by itself must not be among what an answer takes.
  server = await startTestServer({ sweepMilliseconds: 3_600_000 });
  partner = await createOrganisation(server, { name: 'Partner' });
  mine = await furnish({ name: 'Mine', externalId: 'mine', parentId: partner });
  below = await furnish({ name: 'Below', externalId: 'below', parentId: mine.organisation });
  strange = await furnish({ name: 'Strange', externalId: 'strange' });
  missing = Object.fromEntries(
    Object.entries(strange).map(([name, id]) => [
      name,
      name === 'externalId' ? 'nowhere' : forged(id as string),
    ]),
  ) as unknown as Things;
});
afterAll(() => server.stop());

async function furnish(input: { name: string; externalId: string; parentId?: string }): Promise<Things> {
  const organisation = await createOrganisation(server, { leaseSeconds: 3600, ...input });
  const purchase = await buy(server, organisation, 'SUPERVISOR', { base: 9, concurrent: 1, contingency: 1 });
  const user = await createUser(server, organisation, 'margaret', ['SUPERVISOR']);
  const colleague = await createUser(server, organisation, 'grace', ['SUPERVISOR']);
  const third = await createUser(server, organisation, 'refused', ['SUPERVISOR']);
  const [own, others] = [
    await logon(server, user, 'SUPERVISOR'),
    await logon(server, colleague, 'SUPERVISOR'),
  ];
  await logon(server, third, 'SUPERVISOR');
  const made = await server.mutate(
    'createApiKey',
    { organisationId: organisation, name: 'Screen', role: 'WALLBOARD' },
    '... on CreateApiKeyPayload { apiKey { id } }',
  );
  const { data } = await server.query(
    `query ($id: ID!, $user: ID!) {
      node(id: $id) { ... on Organisation {
        denials { edges { node { id } } } alerts { edges { node { id } } } licenceMapping { id } } }
      node(id: $id) { ... on Organisation { denials { edges { node { id } } } licenceMapping { id } billingStatement { id } } }
      user: node(id: $user) { ... on User { assignments { id } } }
    }`,
    { id: organisation, user },
  );
  return {
    organisation,
    user,
    colleague,
    purchase,
    assignment: data.user.assignments[0].id,
    session: own.session?.id ?? '',
    colleagueSession: others.session?.id ?? '',
    denial: data.node.denials.edges[0].node.id,
    statement: data.node.billingStatement.id,
    mapping: data.node.licenceMapping[0].id,
    alert: await acknowledged(data.node.alerts.edges[0].node.id, user),
    apiKey: made.apiKey.id,
    securityKey: await plantSecurityKey(user),
    colleagueSecurityKey: await plantSecurityKey(colleague),
    department: await plantDepartment(organisation),
    externalId: input.externalId,
  };
}

/** @returns the alert's id, once the user has acknowledged it: whoever did is not everybody's to see */
async function acknowledged(alert: string, user: string): Promise<string> {
  await server.pool.query(
    'update alert set acknowledged_at = now(), acknowledged_by = $2 where organisation_id = $1',
    [organisationOf(alert), userOf(user)],
  );
  return alert;
}

/** @returns the id of a security key of the user's; each has one, which is there again if it was removed */
async function plantSecurityKey(user: string): Promise<string> {
  const [organisationId, userId] = [organisationOf(user), userOf(user)];
  await server.pool.query(
    `insert into security_key
       (organisation_id, id, user_id, credential_id, public_key, algorithm, counter, transports, name, created_at)
     values ($1, $2::uuid, $2::uuid, $2::text, '', 'ES256', 0, '{}', 'Key', now()) on conflict do nothing`,
    [organisationId, userId],
  );
  return encodeOwnedId('SecurityKey', organisationId, userId);
}

/** @returns the id of a department of the organisation, which is there again if it was removed */
async function plantDepartment(organisation: string): Promise<string> {
  const id = organisationOf(organisation);
  await server.pool.query(`insert into department values ($1, $1, 'Sales') on conflict do nothing`, [id]);
  return encodeOwnedId('Department', id, id);
}

/** An id of the same type whose organisation does not exist. */
function forged(id: string): string {
  const [prefix, packed = ''] = id.split(/_(.*)/);
  const other = packed.startsWith('A') ? 'B' : 'A';
  return `${prefix}_${other}${packed.slice(1)}`;
}

function userOf(id: string): UserId {
  const reference = decodeId(id);
  if (reference?.type !== 'User') throw new Error(`${id} is no user`);
  return reference.id as UserId;
}

/** In the organisation `mine`; a person is margaret. */
function become(role: Role, given: Partial<Actor> = {}) {
  const isPerson = role === 'ADMINISTRATOR' || role === 'SUPERVISOR' || role === 'AGENT';
  return server.as({
    role,
    organisationId:
      role === 'OPERATOR' ? null : organisationOf(role === 'PARTNER' ? partner : mine.organisation),
    userId: isPerson ? userOf(mine.user) : null,
    ...given,
  } as Actor);
}

type Ask = (things: Things, isOwn: boolean) => { readonly document: string; readonly variables: object };

function change(name: string, inputOf: (things: Things, isOwn: boolean) => object): Ask {
  const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}Input`;
  return (things, isOwn) => ({
    document: `mutation ($input: ${type}!) { ${name}(input: $input) { __typename ... on UserError { code message } } }`,
    variables: { input: inputOf(things, isOwn) },
  });
}

const read =
  (document: string, variablesOf: (things: Things, isOwn: boolean) => object = () => ({})): Ask =>
  (things, isOwn) => ({ document, variables: variablesOf(things, isOwn) });

const node = (idOf: (things: Things, isOwn: boolean) => string): Ask =>
  read('query ($id: ID!) { node(id: $id) { __typename id } }', (things, isOwn) => ({
    id: idOf(things, isOwn),
  }));

const ofOrganisation = (selection: string): Ask =>
  read(
    `query ($id: ID!) { node(id: $id) { __typename ... on Organisation { ${selection} } } }`,
    ({ organisation }) => ({
      id: organisation,
    }),
  );

const asSession = (name: string, more: object = {}): Ask =>
  change(name, ({ session, colleagueSession }, isOwn) => ({
    sessionId: isOwn ? session : colleagueSession,
    ...more,
  }));

let counter = 0;
/** How each place is asked for: whose organisation's, and whether of the actor's own user or of a colleague. */
const asked: Readonly<Record<keyof typeof access, Ask>> = {
  'Query.node': node(({ organisation }) => organisation),
  'Query.nodes': read('query ($id: ID!) { nodes(ids: [$id]) { __typename } }', ({ organisation }) => ({
    id: organisation,
  })),
  'Query.organisation': read('query ($id: ID!) { organisation(id: $id) { name } }', ({ organisation }) => ({
    id: organisation,
  })),
  'Query.organisations': read('{ organisations { edges { node { name } } } }'),
  'Query.licences': read('{ licences { code } }'),
  'Query.priceBook': read('{ priceBook { edges { node { from } } } }'),
  Organisation: node(({ organisation }) => organisation),
  LicenceType: node(() => 'lic_SUPERVISOR'),
  FeatureLicence: node(() => 'lic_RECORDING'),
  LicenceMapping: node(({ mapping }) => mapping),
  User: node(({ user, colleague }, isOwn) => (isOwn ? user : colleague)),
  LicenceAssignment: node(({ assignment }) => assignment),
  Session: node(({ session, colleagueSession }, isOwn) => (isOwn ? session : colleagueSession)),
  Denial: node(({ denial }) => denial),
  Alert: node(({ alert }) => alert),
  Purchase: node(({ purchase }) => purchase),
  BillingStatement: node(({ statement }) => statement),
  ApiKey: node(({ apiKey }) => apiKey),
  SecurityKey: node(({ securityKey, colleagueSecurityKey }, isOwn) =>
    isOwn ? securityKey : colleagueSecurityKey,
  ),
  Department: node(({ department }) => department),
  'LicenceMapping.releasedBases': read(
    'query ($id: ID!) { node(id: $id) { __typename ... on LicenceMapping { field: releasedBases { edges { cursor } } } } }',
    ({ mapping }) => ({ id: mapping }),
  ),
  'Organisation.activeUsers': ofOrganisation('field: activeUsers'),
  'Organisation.activeInBillingPeriod': ofOrganisation('field: activeInBillingPeriod'),
  'Organisation.licenceMapping': ofOrganisation('field: licenceMapping { holders }'),
  'Organisation.users': ofOrganisation('field: users { edges { node { username } } }'),
  'Organisation.sessions': ofOrganisation('field: sessions { edges { node { device } } }'),
  'Organisation.purchases': ofOrganisation('field: purchases { edges { node { base } } }'),
  'Organisation.denials': ofOrganisation('field: denials { edges { node { code } } }'),
  'Organisation.history': ofOrganisation('field: history { edges { node { inUse } } }'),
  'Organisation.departments': ofOrganisation('field: departments { name }'),
  'Organisation.tree': ofOrganisation('field: tree { organisations }'),
  'Tree.usageHistory': ofOrganisation(
    'field: tree { field: usageHistory(licence: "SUPERVISOR", from: "2026-01-01T00:00:00Z", until: "2026-01-02T00:00:00Z", bucket: DAY) { denials } }',
  ),
  'Tree.alerts': ofOrganisation('field: tree { field: alerts { edges { node { used } } } }'),
  'Tree.denialReport': ofOrganisation(
    'field: tree { field: denialReport(from: "2026-01-01T00:00:00Z", until: "2026-06-01T00:00:00Z") { licences { denials } } }',
  ),
  'Tree.statements': ofOrganisation('field: tree { field: statements { organisations } }'),
  'Tree.peaks': ofOrganisation('field: tree { field: peaks { sumOfBilled } }'),
  'Organisation.billingTerms': ofOrganisation('field: billingTerms { currency }'),
  'Organisation.prices': ofOrganisation('field: prices { from }'),
  'Organisation.billingStatement': ofOrganisation('field: billingStatement { id }'),
  'Organisation.billingStatements': ofOrganisation('field: billingStatements { edges { node { id } } }'),
  'Organisation.peakUsage': ofOrganisation('field: peakUsage(licence: "SUPERVISOR") { maxUsed }'),
  'PeakUsage.holders': ofOrganisation(
    'field: peakUsage(licence: "SUPERVISOR") { field: holders { edges { node { since } } } }',
  ),
  'PeakUsage.causedBy': ofOrganisation(
    'field: peakUsage(licence: "SUPERVISOR") { field: causedBy { kind } }',
  ),
  'Organisation.contractOptions': ofOrganisation('field: contractOptions { minimumPeakMinutes }'),
  'Organisation.denialReport': ofOrganisation(
    'field: denialReport(from: "2026-01-01T00:00:00Z", until: "2026-06-01T00:00:00Z") { licences { denials } }',
  ),
  'Organisation.rightSizing': ofOrganisation('field: rightSizing { licence { code } }'),
  'Organisation.alerts': ofOrganisation('field: alerts { edges { node { used } } }'),
  'Alert.acknowledgedBy': read(
    'query ($id: ID!) { node(id: $id) { __typename ... on Alert { field: acknowledgedBy { username } } } }',
    ({ alert }) => ({ id: alert }),
  ),
  'Organisation.alertThresholds': ofOrganisation('field: alertThresholds { newPeak }'),
  'Organisation.contingencyCaps': ofOrganisation('field: contingencyCaps { everyMonth }'),
  'Organisation.usageHistory': ofOrganisation(
    'field: usageHistory(licence: "SUPERVISOR", from: "2026-01-01T00:00:00Z", until: "2026-01-02T00:00:00Z", bucket: DAY) { denials }',
  ),
  'Organisation.apiKeys': ofOrganisation('field: apiKeys { edges { node { prefix } } }'),
  'User.securityKeys': read(
    'query ($id: ID!) { node(id: $id) { __typename ... on User { field: securityKeys { name } } } }',
    ({ user, colleague }, isOwn) => ({ id: isOwn ? user : colleague }),
  ),
  'Organisation.auditLog': ofOrganisation('field: auditLog { edges { node { action } } }'),
  'Mutation.createDepartment': change('createDepartment', ({ organisation }) => ({
    organisationId: organisation,
    name: 'Service',
  })),
  'Mutation.renameDepartment': change('renameDepartment', ({ department }) => ({
    departmentId: department,
    name: 'Sale',
  })),
  'Mutation.removeDepartment': change('removeDepartment', ({ department }) => ({ departmentId: department })),
  'Mutation.setDepartment': change('setDepartment', ({ user, department }) => ({
    userId: user,
    departmentId: department,
  })),
  'Mutation.setAllotment': change('setAllotment', ({ department }) => ({
    departmentId: department,
    licence: 'SUPERVISOR',
    maximum: 5,
  })),
  'Mutation.createOrganisation': change('createOrganisation', ({ organisation }) => ({
    name: 'Child',
    parentId: organisation,
  })),
  'Mutation.updateOrganisation': change('updateOrganisation', ({ organisation }) => ({
    organisationId: organisation,
  })),
  'Mutation.advanceTestClock': change('advanceTestClock', ({ organisation }) => ({
    organisationId: organisation,
    to: '2030-01-01T00:00:00Z',
  })),
  'Mutation.recordPurchase': change('recordPurchase', ({ organisation }) => ({
    organisationId: organisation,
    licence: 'RECORDING',
    concurrent: 1,
  })),
  'Mutation.endPurchase': change('endPurchase', ({ purchase }) => ({
    purchaseId: purchase,
    until: '2090-01-01T00:00:00Z',
  })),
  'Mutation.setPrice': change('setPrice', ({ organisation }) => ({
    ...{ organisationId: organisation, licence: 'SUPERVISOR', kind: 'BASE', currency: 'EUR', amount: 100 },
  })),
  'Mutation.setBillingTerms': change('setBillingTerms', ({ organisation }) => ({
    organisationId: organisation,
  })),
  // Of an estimate: who may ask is told that it is none yet.
  'Mutation.correctStatement': change('correctStatement', ({ statement }) => ({
    ...{ statementId: statement, reason: 'Wrong', lines: [] },
  })),
  'Mutation.setContractOptions': change('setContractOptions', ({ organisation }) => ({
    organisationId: organisation,
    minimumPeakMinutes: 5,
  })),
  'Mutation.setContingencyCap': change('setContingencyCap', ({ organisation }) => ({
    organisationId: organisation,
    licence: 'SUPERVISOR',
    cap: 0,
  })),
  'Mutation.setAlertThresholds': change('setAlertThresholds', ({ organisation }) => ({
    organisationId: organisation,
    licence: 'SUPERVISOR',
  })),
  'Mutation.acknowledgeAlerts': change('acknowledgeAlerts', ({ alert }) => ({ alertIds: [alert] })),
  'Mutation.createUser': change('createUser', ({ organisation }) => ({
    organisationId: organisation,
    username: `user-${(counter += 1)}`,
  })),
  'Mutation.setUserStatus': change('setUserStatus', ({ user }) => ({ userId: user, status: 'ACTIVE' })),
  // Of a user that is not deleted: who may ask is told what to do first.
  'Mutation.eraseUser': change('eraseUser', ({ user }) => ({ userId: user })),
  'Mutation.assignLicence': change('assignLicence', ({ user }) => ({ userId: user, licence: 'SUPERVISOR' })),
  'Mutation.unassignLicence': change('unassignLicence', ({ user }) => ({ userId: user, licence: 'VIEW' })),
  'Mutation.beginSecurityKeyEnrolment': change('beginSecurityKeyEnrolment', ({ user, colleague }, isOwn) => ({
    userId: isOwn ? user : colleague,
  })),
  'Mutation.enrolSecurityKey': change('enrolSecurityKey', ({ user, colleague }, isOwn) => ({
    userId: isOwn ? user : colleague,
    name: 'Key',
    response: '{}',
  })),
  'Mutation.removeSecurityKey': change(
    'removeSecurityKey',
    ({ securityKey, colleagueSecurityKey }, isOwn) => ({
      securityKeyId: isOwn ? securityKey : colleagueSecurityKey,
    }),
  ),
  'Mutation.logon': change('logon', ({ user, colleague }, isOwn) => ({
    userId: isOwn ? user : colleague,
    licence: 'SUPERVISOR',
    device: 'desktop',
  })),
  'Mutation.renewSession': asSession('renewSession'),
  'Mutation.acquireFeatures': asSession('acquireFeatures', { features: [] }),
  'Mutation.releaseFeatures': asSession('releaseFeatures', { features: [] }),
  'Mutation.logoff': change('logoff', ({ session, colleagueSession }, isOwn) => ({
    sessionId: isOwn ? session : colleagueSession,
  })),
  'Mutation.forceLogoff': change('forceLogoff', ({ colleagueSession }) => ({ sessionId: colleagueSession })),
  'Mutation.createApiKey': change('createApiKey', ({ organisation }) => ({
    organisationId: organisation,
    name: 'Another screen',
    role: 'WALLBOARD',
  })),
  'Mutation.revokeApiKey': change('revokeApiKey', ({ apiKey }) => ({ keyId: apiKey })),
  'Subscription.usageChanged': read(
    'subscription ($id: ID!) { usageChanged(organisationId: $id) { revision } }',
    ({ organisation }) => ({ id: organisation }),
  ),
  'Subscription.usageAlerts': read(
    'subscription ($id: ID!) { usageAlerts(organisationId: $id) { snapshot } }',
    ({ organisation }) => ({ id: organisation }),
  ),
  'Subscription.sessionChanged': read(
    'subscription ($id: ID!) { sessionChanged(sessionId: $id) { device } }',
    ({ session, colleagueSession }, isOwn) => ({ id: isOwn ? session : colleagueSession }),
  ),
};

/** Places that answer the same whatever organisation is meant, or have no id to name another's by. */
const ofNobody = new Set([
  'Query.organisations',
  'Query.licences',
  'Query.priceBook',
  'LicenceType',
  'FeatureLicence',
]);

async function ask(
  place: keyof typeof access,
  as: ReturnType<typeof become>,
  things: Things,
  isOwn: boolean,
) {
  const { document, variables } = asked[place](things, isOwn);
  if (things !== missing) {
    if (place.includes('SecurityKey')) await plantSecurityKey(isOwn ? things.user : things.colleague);
    if (/Department|Allotment/.test(place)) await plantDepartment(things.organisation);
  }
  if (!place.startsWith('Subscription.')) return as.query(document, { ...variables });
  const { send, next, socket } = await bareSocket({ wsUrl: server.wsUrl, key: as.key });
  expect((await next()).type).toBe('connection_ack');
  send(subscribeTo('1', document, variables));
  const { type, payload } = await next();
  socket.terminate();
  return (type === 'error' ? { errors: payload } : payload) as GraphqlAnswer;
}

/** What somebody was told, without what differs from one request to the next. */
function toldOf({ data, errors }: GraphqlAnswer): string {
  const told = errors?.map(({ message, extensions }) => ({ message, code: extensions.code }));
  return JSON.stringify({ data, told });
}

/** An answer of a logoff and the like is a success, whatever rule refused it after the actor was let through. */
const isRefused = (answer: GraphqlAnswer) =>
  /"(FORBIDDEN|NOT_FOUND)"/.test(toldOf(answer)) || isNothing(answer);

function isNothing({ data }: GraphqlAnswer): boolean {
  const [value] = Object.values((data ?? {}) as object);
  if (value === null || (Array.isArray(value) && value[0] === null)) return true;
  return /"field":null/.test(JSON.stringify(value));
}

/** An answer, and what it took of the database: where two took the same, so did their time. */
async function observe(place: keyof typeof access, as: ReturnType<typeof become>, things: Things) {
  const statements: string[] = [];
  // What the server does by itself, like the writing down of denials, it does for all tenants.
  const ofTenants = new Set<object>();
  const stop = server.onStatement((text, connection) => {
    if (text.startsWith('begin')) ofTenants.add(connection);
    if (text.includes("seatkeeper.tenants = '*'")) ofTenants.delete(connection);
    if (ofTenants.has(connection)) statements.push(text);
  });
  const told = await ask(place, as, things, true);
  stop();
  return { told, statements };
}

const places = Object.keys(access) as (keyof typeof access)[];

describe.each(roles)('%s', (role) => {
  // Logons first and ends last, as one would: a cell must not depend on what another one ended.
  test.each(places)('%s', async (place) => {
    const grant = (access[place].roles as Partial<Record<Role, Grant>>)[role];
    const as = become(role);
    for (const isOwn of [true, false]) {
      const answer = await ask(place, as, mine, isOwn);
      const isExpected =
        grant === 'ANY' || (grant === 'OWN' && isOwn) || (grant === 'OWN' && place === 'LicenceAssignment');
      expect([place, isOwn, isRefused(answer) ? toldOf(answer) : 'answered']).toEqual([
        place,
        isOwn,
        isExpected ? 'answered' : expect.any(String),
      ]);
      if (!isExpected) expect(isRefused(answer)).toBe(true);
      if (grant === undefined && place.startsWith('Mutation.'))
        expect(toldOf(answer)).toContain('"FORBIDDEN"');
    }
    if (ofNobody.has(place)) return;
    // Another organisation's, and one that nobody has, are answered alike; what is above is another's as well.
    const [stranger, nobody] = [await observe(place, as, strange), await observe(place, as, missing)];
    expect(toldOf(nobody.told)).not.toContain('INTERNAL_SERVER_ERROR');
    if (role === 'OPERATOR') {
      expect(isRefused(stranger.told)).toBe(false);
    } else {
      expect(isRefused(stranger.told)).toBe(true);
      expect(toldOf(stranger.told)).toBe(toldOf(nobody.told));
      expect(stranger.statements).toEqual(nobody.statements);
    }
    const reachesBelow = role === 'OPERATOR' || (role === 'PARTNER' && grant !== undefined);
    expect(isRefused(await ask(place, as, below, true))).toBe(!reachesBelow);
  });
});

test('an organisation is found by its external id only by those whose it is, and its parent as well', async () => {
  const document = 'query ($id: String!) { organisation(externalId: $id) { name parent { name } } }';
  const find = async (role: Role, externalId: string) =>
    (await become(role).query(document, { id: externalId })).data.organisation;
  expect(await find('ADMINISTRATOR', 'mine')).toEqual({ name: 'Mine', parent: null });
  expect(await find('ADMINISTRATOR', 'below')).toBeNull();
  expect(await find('PARTNER', 'below')).toEqual({ name: 'Below', parent: { name: 'Mine' } });
  expect(await find('PARTNER', 'strange')).toBeNull();
  expect(await find('PARTNER', 'nowhere')).toBeNull();
});

test('each lists its own organisations, with those below a partner, and counts them', async () => {
  const document = '{ organisations { totalCount edges { node { name } } } }';
  const list = async (role: Role) => {
    const { organisations } = (await become(role).query(document)).data;
    const names = organisations.edges.map(({ node }: { node: { name: string } }) => node.name);
    expect(organisations.totalCount).toBe(names.length);
    return new Set(names);
  };
  expect(await list('SUPERVISOR')).toEqual(new Set(['Mine']));
  expect(await list('AGENT')).toEqual(new Set(['Mine']));
  expect(await list('PARTNER')).toEqual(new Set(['Partner', 'Mine', 'Below', 'Child']));
  expect(await list('OPERATOR')).toEqual(new Set(['Partner', 'Mine', 'Below', 'Child', 'Strange']));
});

test('a partner creates below its own organisations only, and its idempotency keys are its own', async () => {
  const document =
    'mutation ($input: CreateOrganisationInput!) { createOrganisation(input: $input) { ... on CreateOrganisationPayload { organisation { id } } ... on UserError { code } } }';
  const create = async (as: Pick<TestServer, 'query'>, input: object) =>
    (await as.query(document, { input: { name: 'Child', ...input } })).data.createOrganisation;
  expect(await create(become('PARTNER'), {})).toEqual({ code: 'INVALID_INPUT' });
  const other = become('PARTNER', { organisationId: organisationOf(strange.organisation) });
  const one = await create(become('PARTNER'), { parentId: mine.organisation, idempotencyKey: 'same' });
  const two = await create(other, { parentId: strange.organisation, idempotencyKey: 'same' });
  expect(two.organisation.id).not.toBe(one.organisation.id);
  expect(await create(become('PARTNER'), { parentId: mine.organisation, idempotencyKey: 'same' })).toEqual(
    one,
  );
});

test('scopes narrow what a role may do', async () => {
  const rules = Object.entries(access) as [keyof typeof access, { readonly scope: Scope }][];
  for (const scope of scopes) {
    const as = become('OPERATOR', { scopes: [scope] });
    for (const [place, { scope: needed }] of rules) {
      if (!place.startsWith('Mutation.')) continue;
      const refused = toldOf(await ask(place, as, mine, true)).includes('"FORBIDDEN"');
      // That key can do more than one scope.
      const isBeyond = place === 'Mutation.revokeApiKey';
      expect([scope, place, refused]).toEqual([scope, place, needed !== scope || isBeyond]);
    }
  }
});

test.each(roles)('all scopes but the one that a place needs are not enough: %s', async (role) => {
  const rules = Object.entries(access) as [keyof typeof access, (typeof access)[keyof typeof access]][];
  const told = rules
    .filter(([, rule]) => role in rule.roles)
    .map(async ([place, { scope }]) => {
      const as = become(role, { scopes: scopes.filter((other) => other !== scope) });
      const answer = await ask(place, as, mine, true);
      // A node that may not be seen is null, as a field is that can be.
      return [place, toldOf(answer).includes('"FORBIDDEN"') || isNothing(answer)];
    });
  const answers = await Promise.all(told);
  expect(answers.filter(([, refused]) => refused !== true)).toEqual([]);
  expect(answers.length).toBeGreaterThan(8);
});

test('a root field, or a type with an id, that has no rule keeps the schema from being built', () => {
  for (const name of ['Query', 'Mutation', 'Subscription']) {
    const type = schema.getType(name);
    if (!isObjectType(type)) throw new Error(`${name} is no type`);
    for (const field of Object.keys(type.getFields()))
      expect(Object.keys(access)).toContain(`${name}.${field}`);
  }
  const interfaceType = schema.getType('Node');
  if (!isInterfaceType(interfaceType)) throw new Error('Node is no interface');
  for (const { name } of schema.getPossibleTypes(interfaceType)) expect(Object.keys(access)).toContain(name);

  const query = schema.getQueryType();
  const fields = query?.getFields() ?? {};
  const [first] = Object.values(fields);
  if (first === undefined) throw new Error('No query has a field');
  fields['secret'] = Object.assign(Object.create(first) as typeof first, { name: 'secret' });
  try {
    expect(() => guard(schema)).toThrow('src/kernel/access.ts has no rule for Query.secret');
  } finally {
    delete fields['secret'];
  }
});

test('docs/access.md has every rule, as it is', () => {
  const rows = readFileSync(`${import.meta.dirname}/../../docs/access.md`, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  const words = { ANY: 'yes', OWN: 'own' };
  const expected = places.map((place) => {
    const { scope, roles: grants }: { scope: Scope; roles: Partial<Record<Role, Grant>> } = access[place];
    return [
      `\`${place}\``,
      scope,
      ...roles.map((role) => {
        const grant = grants[role];
        return grant === undefined ? '–' : words[grant];
      }),
    ];
  });
  expect(rows).toEqual(expected);
});
