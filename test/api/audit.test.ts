import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attemptLimits, createAttemptCounter, type Attempt } from '../../src/audit/domain.ts';
import { access } from '../../src/kernel/access.ts';
import type { Actor, Role } from '../../src/kernel/actor.ts';
import { nowhere, type OrganisationId } from '../../src/kernel/ids.ts';
import {
  advance,
  assign,
  buy,
  createOrganisation,
  createUser,
  logon,
  organisationOf,
  setStatus,
} from '../setup/given.ts';
import { createAuthenticator } from '../setup/authenticator.ts';
import { secret } from '../setup/secrets.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';
import { bareSocket } from '../setup/socket.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

interface Entry {
  readonly sequence: number;
  readonly at: string;
  readonly actor: {
    readonly role: string;
    readonly credential: string;
    readonly userId: string | null;
  } | null;
  readonly requestId: string;
  readonly action: string;
  readonly outcome: string;
  readonly subject: string | null;
  readonly before: Readonly<Record<string, unknown>> | null;
  readonly after: Readonly<Record<string, unknown>> | null;
  readonly hash: string;
}

const fields =
  'sequence at actor { role credential userId } requestId action outcome subject before after hash';

/** Newest first. */
async function auditLog(id: string, args = ''): Promise<readonly Entry[]> {
  const { data, errors } = await server.query(
    `query ($id: ID!) { organisation(id: $id) { auditLog${args} { edges { node { ${fields} } } } } }`,
    { id },
  );
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data.organisation.auditLog.edges.map(({ node }: { node: Entry }) => node);
}

function as(role: Role, organisationId: string, given: Partial<Actor> = {}) {
  return server.as({ role, organisationId: organisationOf(organisationId), userId: null, ...given } as Actor);
}

/** Denied attempts are written a moment later. */
const eventually = { timeout: 5000 };

describe('changes', () => {
  test('each administrative mutation leaves an entry with who, what, before and after', async () => {
    const id = await createOrganisation(server, { name: 'First', testClockAt: '2026-01-01T00:00:00Z' });
    await server.mutate('updateOrganisation', { organisationId: id, name: 'Second', leaseSeconds: 90 });
    const purchase = await buy(server, id, 'SUPERVISOR', { base: 3, concurrent: 1 });
    const user = await createUser(server, id, 'ada', [], 'PRE_ACTIVE');
    await setStatus(server, user, 'ACTIVE');
    await assign(server, user, 'SUPERVISOR');
    await logon(server, user, 'SUPERVISOR');
    const { data } = await server.query(
      'query ($id: ID!) { organisation(id: $id) { alerts { edges { node { id } } } licenceMapping { id } } }',
      { id },
    );
    const [alert, mapping] = [
      data.organisation.alerts.edges[0].node.id,
      data.organisation.licenceMapping[0].id,
    ];
    // The second time changes nothing.
    await server.mutate('acknowledgeAlerts', { alertIds: [alert] });
    await server.mutate('acknowledgeAlerts', { alertIds: [alert] });
    await server.mutate('setContingencyCap', { organisationId: id, licence: 'SUPERVISOR', cap: 0 });
    await server.mutate('setAlertThresholds', {
      organisationId: id,
      licence: 'SUPERVISOR',
      concurrentPercent: 80,
    });
    await server.mutate('forceLogoff', { userId: user });
    await server.mutate('unassignLicence', { userId: user, licence: 'SUPERVISOR' });
    await server.mutate('endPurchase', { purchaseId: purchase, until: '2026-06-01T00:00:00Z' });
    const price = { licence: 'SUPERVISOR', kind: 'BASE', currency: 'EUR', amount: 1000 };
    await server.mutate('setPrice', { organisationId: id, ...price });
    await server.mutate('setBillingTerms', { organisationId: id, partialMonths: 'BY_DAY' });
    await server.mutate('setContractOptions', { organisationId: id, minimumPeakMinutes: 5 });
    await advance(server, id, '2026-02-02T00:00:00Z');
    const statement = `${id.replace('org', 'stm')}202601`;
    const lines = [{ licence: 'SUPERVISOR', kind: 'BASE', quantity: 2 }];
    await server.mutate('correctStatement', { statementId: statement, reason: 'One too many', lines });
    const { apiKey, key } = await server.mutate(
      'createApiKey',
      { organisationId: id, name: 'Ada’s', role: 'AGENT', userId: user, scopes: ['SESSIONS'] },
      '... on CreateApiKeyPayload { key apiKey { id } }',
    );
    secret(key);
    await server.mutate('revokeApiKey', { keyId: apiKey.id });
    await server.mutate('revokeApiKey', { keyId: apiKey.id });
    const { options } = await server.mutate(
      'beginSecurityKeyEnrolment',
      { userId: user },
      '... on BeginSecurityKeyEnrolmentPayload { options }',
    );
    const { securityKey } = await server.mutate(
      'enrolSecurityKey',
      { userId: user, name: 'Ada’s', response: createAuthenticator().create(options) },
      '... on EnrolSecurityKeyPayload { securityKey { id } }',
    );
    await server.mutate('removeSecurityKey', { securityKeyId: securityKey.id });
    await setStatus(server, user, 'DELETED');
    await server.mutate('eraseUser', { userId: user });

    const log = await auditLog(id);
    expect(log.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 23 }, (_, index) => 23 - index));
    for (const entry of log) {
      expect(entry).toMatchObject({
        actor: { role: 'OPERATOR', credential: 'operator', userId: null },
        outcome: 'DONE',
        requestId: expect.stringMatching(/^[\w-]{36}$/),
        hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      });
      expect(Date.now() - Date.parse(entry.at)).toBeLessThan(60_000);
    }
    expect(
      log.toReversed().map(({ action, subject, before, after }) => ({ action, subject, before, after })),
    ).toEqual([
      {
        action: 'createOrganisation',
        subject: id,
        before: null,
        after: {
          ...{ name: 'First', externalId: null, timeZone: 'UTC', leaseSeconds: 90 },
          ...{ testClock: true, parentId: null },
        },
      },
      // Only what changed: the lease is what it was.
      { action: 'updateOrganisation', subject: id, before: { name: 'First' }, after: { name: 'Second' } },
      {
        action: 'recordPurchase',
        subject: purchase,
        before: null,
        after: {
          ...{ licence: 'SUPERVISOR', base: 3, concurrent: 1, contingency: 0, reference: null },
          ...{ from: '2026-01-01T00:00:00.000Z', until: null },
        },
      },
      {
        action: 'createUser',
        subject: user,
        before: null,
        after: {
          // By now she is erased.
          username: expect.stringMatching(/^erased-/),
          displayName: expect.stringMatching(/^erased-/),
          ...{ email: null, externalId: null, status: 'PRE_ACTIVE', licences: [] },
        },
      },
      {
        action: 'setUserStatus',
        subject: user,
        before: { status: 'PRE_ACTIVE' },
        after: { status: 'ACTIVE' },
      },
      {
        action: 'assignLicence',
        subject: user,
        before: null,
        after: { licence: 'SUPERVISOR', consumed: true },
      },
      {
        action: 'acknowledgeAlerts',
        subject: alert,
        before: { acknowledgedAt: null },
        after: { acknowledgedAt: '2026-01-01T00:00:00.000Z' },
      },
      {
        action: 'setContingencyCap',
        subject: mapping,
        before: { period: null, cap: null },
        after: { period: null, cap: 0 },
      },
      {
        action: 'setAlertThresholds',
        subject: mapping,
        before: { concurrentPercent: 90 },
        after: { concurrentPercent: 80 },
      },
      { action: 'forceLogoff', subject: user, before: null, after: { sessionsEnded: 1 } },
      {
        action: 'unassignLicence',
        subject: user,
        before: { licence: 'SUPERVISOR', consumed: true },
        after: null,
      },
      {
        action: 'endPurchase',
        subject: purchase,
        before: { until: null },
        after: { until: '2026-06-01T00:00:00.000Z' },
      },
      {
        action: 'setPrice',
        subject: id,
        before: null,
        after: { ...price, from: '2026-01-01T00:00:00.000Z' },
      },
      {
        action: 'setBillingTerms',
        subject: id,
        before: { partialMonths: 'FULL_MONTH' },
        after: { partialMonths: 'BY_DAY' },
      },
      {
        action: 'setContractOptions',
        subject: id,
        before: { minimumPeakMinutes: 0 },
        after: { minimumPeakMinutes: 5 },
      },
      {
        action: 'advanceTestClock',
        subject: id,
        before: { now: '2026-01-01T00:00:00.000Z' },
        after: { now: '2026-02-02T00:00:00.000Z' },
      },
      {
        action: 'correctStatement',
        subject: `${statement}-1`,
        before: null,
        after: { number: 2, corrects: 1, total: -1000, reason: 'One too many' },
      },
      {
        action: 'createApiKey',
        subject: apiKey.id,
        before: null,
        after: {
          name: expect.stringMatching(/^erased-/),
          ...{ role: 'AGENT', scopes: ['SESSIONS'], expiresAt: null, userId: user },
        },
      },
      // The second time changed nothing.
      {
        action: 'revokeApiKey',
        subject: apiKey.id,
        before: { revokedAt: null },
        after: { revokedAt: expect.any(String) },
      },
      {
        action: 'enrolSecurityKey',
        subject: securityKey.id,
        before: null,
        after: { userId: user, algorithm: 'ES256' },
      },
      {
        action: 'removeSecurityKey',
        subject: securityKey.id,
        before: { userId: user, algorithm: 'ES256' },
        after: null,
      },
      {
        action: 'setUserStatus',
        subject: user,
        before: { status: 'ACTIVE' },
        after: { status: 'DELETED' },
      },
      {
        action: 'eraseUser',
        subject: user,
        before: null,
        after: { username: expect.stringMatching(/^erased-/) },
      },
    ]);
    // A new mutation belongs here, or among those that have a history of their own.
    // What begins an enrolment changes nothing that lasts.
    const ownHistory = [
      'logon',
      'renewSession',
      'acquireFeatures',
      'releaseFeatures',
      'logoff',
      'beginSecurityKeyEnrolment',
      // Tried in test/scenario/allotment.test.ts, beside what they do.
      'createDepartment',
      'renameDepartment',
      'removeDepartment',
      'setDepartment',
      'setAllotment',
    ];
    const mutations = Object.keys(access).flatMap((place) => /^Mutation\.(.*)/.exec(place)?.[1] ?? []);
    expect([...new Set(log.map(({ action }) => action)), ...ownHistory].toSorted()).toEqual(
      mutations.toSorted(),
    );
  });

  test('what is refused, and a repeat by an idempotency key, leave none', async () => {
    const id = await createOrganisation(server);
    const input = { organisationId: id, username: 'ada', idempotencyKey: 'once' };
    for (let call = 0; call < 3; call += 1) await server.mutate('createUser', input);
    expect((await server.mutate('createUser', { organisationId: id, username: 'ada' })).code).toBe(
      'USERNAME_TAKEN',
    );
    expect((await auditLog(id)).map(({ action }) => action)).toEqual(['createUser', 'createOrganisation']);
  });

  test('a change whose entry cannot be written is not made', async () => {
    const id = await createOrganisation(server);
    const organisationId = organisationOf(id);
    await server.pool.query('update audit_head set sequence = 0 where organisation_id = $1', [
      organisationId,
    ]);
    await expect(server.mutate('createUser', { organisationId: id, username: 'nobody' })).rejects.toThrow(
      /INTERNAL_SERVER_ERROR/,
    );
    const { rows } = await server.pool.query('select from "user" where organisation_id = $1', [
      organisationId,
    ]);
    expect(rows).toHaveLength(0);
  });
});

describe('reading', () => {
  let id: string;
  beforeAll(async () => {
    id = await createOrganisation(server, { name: 'Read' });
    const key = as('ADMINISTRATOR', id, { credential: '=cmd|calc' });
    for (const name of ['a', 'b', 'c']) {
      await key.query('mutation ($input: CreateUserInput!) { createUser(input: $input) { __typename } }', {
        input: { organisationId: id, username: name, displayName: `@${name}` },
      });
    }
    await server.mutate('updateOrganisation', { organisationId: id, name: '-Read' });
  });

  test('is filtered by action, credential and time', async () => {
    expect((await auditLog(id)).map(({ sequence }) => sequence)).toEqual([5, 4, 3, 2, 1]);
    const sequences = async (args: string) => (await auditLog(id, args)).map(({ sequence }) => sequence);
    expect(await sequences('(action: "createUser")')).toEqual([4, 3, 2]);
    expect(await sequences('(credential: "operator")')).toEqual([5, 1]);
    const third = (await auditLog(id)).find(({ sequence }) => sequence === 3);
    expect(await sequences(`(until: "${third?.at}")`)).not.toContain(3);
    expect(await sequences(`(from: "${third?.at}", action: "createUser")`)).toEqual([4, 3]);
  });

  test('is paged both ways, and counted', async () => {
    const document = `query ($id: ID!, $after: String) { organisation(id: $id) {
      auditLog(first: 2, after: $after) { totalCount pageInfo { hasNextPage endCursor } edges { node { sequence } } } } }`;
    const seen: number[] = [];
    for (let after: string | null = null; ;) {
      const { data } = await server.query(document, { id, after });
      const { totalCount, pageInfo, edges } = data.organisation.auditLog;
      expect(totalCount).toBe(5);
      for (const { node } of edges) seen.push(node.sequence);
      if (!pageInfo.hasNextPage) break;
      after = pageInfo.endCursor;
    }
    expect(seen).toEqual([5, 4, 3, 2, 1]);
    expect((await auditLog(id, '(last: 2)')).map(({ sequence }) => sequence)).toEqual([2, 1]);
  });

  test.each(['(action: "createUser")', '(credential: "operator")', '(from: "2026-01-01T00:00:00Z")', ''])(
    'with %s a page is read by an index, in order',
    async (args) => {
      const statements: string[] = [];
      const stop = server.onStatement((text) => statements.push(text));
      await auditLog(id, args);
      stop();
      const text = statements.find((one) => one.includes('from "audit_entry"')) ?? '';
      const client = await server.pool.connect();
      try {
        await client.query('begin');
        await client.query('set local enable_seqscan = off');
        await client.query('set local plan_cache_mode = force_generic_plan');
        await client.query(`prepare page as ${text}`);
        const parameters = [...new Set(text.match(/\$\d+/g))].map(() => 'null').join(', ');
        const { rows } = await client.query(`explain execute page(${parameters})`);
        const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
        expect(plan).toMatch(/Index Scan Backward using audit_entry_/);
        expect(plan).not.toMatch(/Sort/);
      } finally {
        await client.query('rollback');
        await client.query('deallocate page');
        client.release();
      }
    },
  );

  const download = (path: string, key = server.key, headers: Record<string, string> = {}) =>
    fetch(server.url.replace('/graphql', path), { headers: { authorization: `Bearer ${key}`, ...headers } });

  test('as CSV it is whole, oldest first, and no cell is a formula', async () => {
    const response = await download(`/audit/${id}.csv`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8; header=present');
    const text = await response.text();
    const rows = parse(text, { columns: true }) as Record<string, string>[];
    expect(rows.map(({ sequence }) => sequence)).toEqual(['1', '2', '3', '4', '5']);
    expect(rows[1]).toMatchObject({ credential: "'=cmd|calc", action: 'createUser', role: 'ADMINISTRATOR' });
    expect(JSON.parse(rows[1]?.['after'] ?? '')).toMatchObject({ username: 'a', displayName: '@a' });
    for (const row of rows) for (const cell of Object.values(row)) expect(cell).not.toMatch(/^[=+\-@\t\r]/);
    const filtered = await download(`/audit/${id}.csv?action=createUser&from=2026-01-01T00:00:00Z`);
    expect(parse(await filtered.text(), { columns: true })).toHaveLength(3);
  });

  test.each(['=', '+', '-', '@', '\t', '\r'])(
    'a cell that begins with %j is made harmless',
    async (first) => {
      const organisationId = await createOrganisation(server);
      await as('ADMINISTRATOR', organisationId, { credential: `${first}SUM(A1)` }).query(
        'mutation ($input: CreateUserInput!) { createUser(input: $input) { __typename } }',
        { input: { organisationId, username: 'ada' } },
      );
      const [, row] = parse(await (await download(`/audit/${organisationId}.csv`)).text(), {
        columns: true,
      }) as Record<string, string>[];
      expect(row?.['credential']).toBe(`'${first}SUM(A1)`);
    },
  );

  test('a download is refused as the field is', async () => {
    const other = await createOrganisation(server);
    const code = async (response: Response) => [
      response.status,
      ((await response.json()) as { errors: { extensions: { code: string } }[] }).errors[0]?.extensions.code,
    ];
    const administrator = as('ADMINISTRATOR', id).key;
    expect((await download(`/audit/${id}.csv`, administrator)).status).toBe(200);
    expect(await code(await download(`/audit/${other}.csv`, administrator))).toEqual([404, 'NOT_FOUND']);
    expect(await code(await download('/audit/org_AAAA.csv'))).toEqual([404, 'NOT_FOUND']);
    expect(await code(await download('/audit/nowhere.csv', administrator))).toEqual([404, 'NOT_FOUND']);
    expect(await code(await download(`/audit/${id}.csv`, as('SUPERVISOR', id).key))).toEqual([
      403,
      'FORBIDDEN',
    ]);
    expect(await code(await download(`/audit/${id}.csv`, 'wrong'))).toEqual([401, 'UNAUTHENTICATED']);
    expect(await code(await download(`/audit/${id}.csv?from=yesterday`))).toEqual([400, 'INVALID_INPUT']);
    expect(await code(await download(`/audit/${id}.csv?since=2026-01-01`))).toEqual([400, 'INVALID_INPUT']);
  });
});

describe('denied attempts', () => {
  test('stand in the chain of the actor’s own organisation, and in no other', async () => {
    const mine = await createOrganisation(server, { name: 'Mine' });
    const strange = await createOrganisation(server, { name: 'Strange', externalId: 'strange' });
    const administrator = as('ADMINISTRATOR', mine, { credential: 'key-7' });
    const partnersKey = await server.mutate(
      'createApiKey',
      { organisationId: mine, name: 'Theirs', role: 'PARTNER' },
      '... on CreateApiKeyPayload { apiKey { id } }',
    );
    const input = { organisationId: strange, username: 'eve' };
    await administrator.query(
      'mutation ($input: CreateUserInput!) { createUser(input: $input) { __typename } }',
      { input },
    );
    await administrator.query('query ($id: ID!) { node(id: $id) { id } }', { id: strange });
    // May be asked for, and is forbidden by what the command finds: before its transaction, and in it.
    await administrator.query(
      'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { __typename } }',
      { input: { organisationId: mine, name: 'Mine', role: 'PARTNER' } },
    );
    await administrator.query(
      'mutation ($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { __typename } }',
      { input: { keyId: partnersKey.apiKey.id } },
    );
    // Of an external id nobody behind the walls can say whether it is somebody's.
    await administrator.query('{ organisation(externalId: "strange") { id } }');
    await administrator.query('{ organisation(externalId: "nowhere") { id } }');
    await as('AGENT', mine, { credential: 'key-8' }).query(
      'mutation ($input: UpdateOrganisationInput!) { updateOrganisation(input: $input) { __typename } }',
      { input: { organisationId: mine, name: 'Theirs' } },
    );
    await as('WALLBOARD', mine, { credential: 'key-9' }).query(
      'query ($id: ID!) { organisation(id: $id) { users { totalCount } } }',
      { id: mine },
    );

    const denied = async () =>
      (await auditLog(mine))
        .filter(({ outcome }) => outcome !== 'DONE')
        .map(({ actor, action, outcome, subject, after }) =>
          [actor?.credential, action, outcome, subject, after?.['attempts']].join(' '),
        )
        .toSorted();
    await expect
      .poll(denied, eventually)
      .toEqual(
        [
          `key-7 createUser NOT_FOUND ${strange} 1`,
          `key-7 Query.node NOT_FOUND ${strange} 1`,
          `key-7 createApiKey FORBIDDEN ${mine} 1`,
          `key-7 revokeApiKey FORBIDDEN ${partnersKey.apiKey.id} 1`,
          `key-8 updateOrganisation FORBIDDEN ${mine} 1`,
          'key-9 Organisation.users FORBIDDEN  1',
        ].toSorted(),
      );
    expect((await auditLog(strange)).map(({ outcome }) => outcome)).toEqual(['DONE']);
  });

  test('of whom nobody knows are of no organisation, few however many, and without the key', async () => {
    const secret = 'not-a-key-of-anybody';
    for (let attempt = 0; attempt < 30; attempt += 1) {
      const answer = await fetch(server.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${secret}-${attempt}` },
        body: '{"query":"{ __typename }"}',
      });
      expect(answer.status).toBe(401);
    }
    expect((await (await bareSocket(server, secret)).closed).code).toBe(4403);
    const read = async () => {
      const { rows } = await server.pool.query(
        "select * from audit_entry where organisation_id = $1 and outcome = 'UNAUTHENTICATED'",
        [nowhere],
      );
      return rows;
    };
    await expect.poll(async () => (await read()).length, eventually).toBeGreaterThan(0);
    const rows = await read();
    // The first is written at once, the others together, much later.
    expect(rows.length).toBeLessThanOrEqual(2);
    expect(rows[0]).toMatchObject({ action: 'authenticate', after: { remoteAddress: '127.0.0.1' } });
    expect(JSON.stringify(rows)).not.toContain(secret);
    const csv = await fetch(server.url.replace('/graphql', '/audit/nowhere.csv'), {
      headers: { authorization: `Bearer ${server.key}` },
    });
    expect(await csv.text()).toContain('UNAUTHENTICATED');
  });
});

describe('a flood', () => {
  const limits = {
    ...attemptLimits,
    ...{ maxOfCredential: 3, maxOfOrganisation: 5, max: 12, sureOfOrganisation: 2 },
  };
  const attempt = (given: Partial<Attempt>): Attempt => ({
    organisationId: '00000000-0000-7000-8000-000000000001' as OrganisationId,
    ...{ role: 'AGENT', credential: 'key', userId: null, requestId: null, remoteAddress: null },
    ...{ action: 'Query.node', outcome: 'NOT_FOUND', subject: 'x' },
    ...given,
  });
  const start = new Date('2026-01-01T00:00:00Z');
  const later = (seconds: number) => new Date(start.getTime() + seconds * 1000);

  test('of equal attempts is one entry at once, and one when the time is over', () => {
    const counter = createAttemptCounter(limits);
    counter.count(attempt({}), start);
    const first = counter.due(start);
    expect(first).toMatchObject([{ subject: 'x', attempts: 1 }]);
    // One more while the first is being written is not lost.
    counter.count(attempt({}), start);
    counter.written(first, start);
    for (let count = 0; count < 1000; count += 1) counter.count(attempt({}), later(1));
    expect(counter.due(later(limits.quietSeconds - 1))).toEqual([]);
    // A server that stops has no later: it writes what it has.
    expect(counter.due(later(1), 'ALL')).toMatchObject([{ attempts: 1001 }]);
    expect(counter.due(later(limits.quietSeconds))).toMatchObject([{ attempts: 1001, at: later(1) }]);
  });

  test('of what could not be written is kept', () => {
    const counter = createAttemptCounter(limits);
    counter.count(attempt({}), start);
    counter.due(start);
    counter.count(attempt({}), start);
    expect(counter.due(later(1))).toMatchObject([{ attempts: 2 }]);
  });

  test('of different ones is told apart up to a limit, and counted beyond it', () => {
    const counter = createAttemptCounter(limits);
    for (let count = 0; count < 1000; count += 1) counter.count(attempt({ subject: `x${count}` }), start);
    expect(counter.due(start).map(({ subject, attempts }) => [subject, attempts])).toEqual([
      ['x0', 1],
      ['x1', 1],
      ['x2', 1],
      [null, 997],
    ]);
  });

  test('by an organisation’s many keys is summed under it, and touches nothing that is told of another', () => {
    const counter = createAttemptCounter(limits);
    const [first, ...others] = [1, 2, 3, 4, 5].map((digit) => `of ${digit}` as OrganisationId);
    const flood = (organisationId: OrganisationId) => {
      for (let count = 0; count < 1000; count += 1)
        counter.count(attempt({ organisationId, credential: `key${count}`, requestId: `${count}` }), start);
    };
    const toldOf = (organisationId: OrganisationId) =>
      counter
        .due(start)
        .filter((one) => one.organisationId === organisationId)
        .map(({ credential, subject, requestId, attempts }) => [credential, subject, requestId, attempts]);
    if (first === undefined) throw new Error('There is none');
    flood(first);
    expect(toldOf(first)).toEqual([
      ...['key0', 'key1', 'key2', 'key3', 'key4'].map((key, index) => [key, 'x', `${index}`, 1]),
      [null, null, null, 995],
    ]);
    // One that fills all there is: the others still have what is surely theirs, and lose nothing of the rest.
    for (const other of others) flood(other);
    for (const other of others) {
      const told = toldOf(other);
      expect(told.slice(0, 2)).toEqual([
        ['key0', 'x', '0', 1],
        ['key1', 'x', '1', 1],
      ]);
      expect(told.reduce((sum, [, , , attempts]) => sum + Number(attempts), 0)).toBe(1000);
    }
    expect(toldOf(first).at(-1)).toEqual([null, null, null, 995]);
  });

  test('that is over is forgotten', () => {
    const counter = createAttemptCounter(limits);
    for (let round = 0; round < 10; round += 1) {
      const now = later(round * 10_000);
      for (let count = 0; count < 3; count += 1)
        counter.count(attempt({ subject: `${round}/${count}` }), now);
      const due = counter.due(now);
      expect(due.map(({ subject }) => subject)).toEqual([`${round}/0`, `${round}/1`, `${round}/2`]);
      counter.written(due, now);
      expect(counter.due(later(round * 10_000 + limits.quietSeconds))).toEqual([]);
    }
  });
});
