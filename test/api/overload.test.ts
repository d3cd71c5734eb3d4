import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeId } from '../../src/kernel/ids.ts';
import { buy, createOrganisation, createUser, logonInput } from '../setup/given.ts';
import { type GraphqlAnswer, startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ queue: { maxWaitingOfKey: 10, maxWaiting: 1000 } });
});
afterAll(() => server.stop());

const logonDocument = `mutation ($input: LogonInput!) { logon(input: $input) {
  __typename ... on LogonPayload { session { id } } } }`;

async function floor(users: number) {
  const organisationId = await createOrganisation(server);
  await buy(server, organisationId, 'SUPERVISOR', { base: users, concurrent: users });
  const ids: string[] = [];
  for (let index = 0; index < users; index += 1)
    ids.push(await createUser(server, organisationId, `u${index}`, ['SUPERVISOR']));
  return { organisationId, ids };
}

const logon = (userId: string): Promise<GraphqlAnswer> =>
  server.query(logonDocument, { input: logonInput(userId, 'SUPERVISOR') });

/** Somebody else's transaction holds an organisation, until it is let go. */
async function hold(organisationId: string): Promise<() => Promise<void>> {
  const reference = decodeId(organisationId);
  if (reference?.type !== 'Organisation') throw new Error('Not an organisation');
  const client = await server.pool.connect();
  await client.query('begin');
  await client.query('select from organisation where id = $1 for update', [reference.organisationId]);
  return async () => {
    await client.query('commit');
    client.release();
  };
}

test('L2: while one organisation is held, its neighbours log on; past its limit its own are told at once; then they get in', async () => {
  const held = await floor(40);
  const neighbours = await Promise.all([floor(2), floor(2), floor(2), floor(2), floor(2), floor(2)]);
  const release = await hold(held.organisationId);
  const crowd = held.ids.map(logon);
  // Of six neighbours some share the lane.
  const answers = await Promise.all(neighbours.flatMap(({ ids }) => ids.map(logon)));
  expect(answers.map(({ data }) => data?.logon.__typename)).toEqual(
    Array.from({ length: 12 }, () => 'LogonPayload'),
  );
  const first = await Promise.race(crowd);
  expect(first.errors?.[0]?.extensions).toMatchObject({ code: 'OVERLOADED', retryAfterSeconds: 1 });
  await release();

  const settled = await Promise.all(crowd);
  const refused = settled.filter(({ errors }) => errors?.[0]?.extensions.code === 'OVERLOADED');
  const granted = settled.filter(({ data }) => data?.logon?.__typename === 'LogonPayload');
  expect(refused.length).toBeGreaterThan(0);
  expect(granted.length).toBeGreaterThan(0);
  expect(refused.length + granted.length).toBe(40);
});

test('L8: renewals wait for nobody who holds the organisation', async () => {
  const { organisationId, ids } = await floor(1);
  const { data } = await logon(ids[0] ?? '');
  const release = await hold(organisationId);
  const renewed = await server.mutate('renewSession', { sessionId: data.logon.session.id });
  expect(renewed.__typename).toBe('RenewSessionPayload');
  await release();
});

test('an organisation that is held for too long is UNAVAILABLE, and says when to try again', async () => {
  const { organisationId, ids } = await floor(1);
  const release = await hold(organisationId);
  const { errors } = await logon(ids[0] ?? '');
  expect(errors?.[0]?.extensions).toMatchObject({ code: 'UNAVAILABLE', retryAfterSeconds: 1 });
  await release();
});

test('commands that wait for an organisation that is held take nothing from its neighbours', async () => {
  const held = await floor(1);
  const neighbour = await floor(1);
  const release = await hold(held.organisationId);
  const crowd = Array.from({ length: 60 }, () =>
    server.query('mutation ($input: AssignLicenceInput!) { assignLicence(input: $input) { __typename } }', {
      input: { userId: held.ids[0], licence: 'REPORTING' },
    }),
  );
  const { data } = await logon(neighbour.ids[0] ?? '');
  expect(data.logon.__typename).toBe('LogonPayload');
  // Nor is the server said to be unwell: whoever waits has no connection.
  expect((await fetch(server.url.replace('/graphql', '/readyz'))).status).toBe(200);
  const { waitingCount } = server.pool;
  expect(waitingCount).toBe(0);
  const first = await Promise.race(crowd);
  expect(first.errors?.[0]?.extensions).toMatchObject({ code: 'UNAVAILABLE', retryAfterSeconds: 1 });
  await release();
  await Promise.all(crowd);
});

test('L2: a session that somebody else holds, or an organisation that cannot be written, fails no logon of a neighbour', async () => {
  const [locked, broken] = await Promise.all([floor(1), floor(1)]);
  const neighbours = await Promise.all(Array.from({ length: 8 }, () => floor(2)));
  await logon(locked.ids[0] ?? '');
  const client = await server.pool.connect();
  await client.query('begin');
  const [lockedId, brokenId] = [locked, broken].map(({ organisationId }) => {
    const reference = decodeId(organisationId);
    if (reference?.type !== 'Organisation') throw new Error('Not an organisation');
    return reference.organisationId;
  });
  await client.query('select from session where organisation_id = $1 for update', [lockedId]);
  // Its clock is where none can be.
  await server.pool.query(
    `update organisation set next_due_at = '-infinity', settled_at = period_from where id = $1`,
    [brokenId],
  );
  await server.pool.query(
    `alter table organisation add constraint broken check (id <> '${brokenId}' or settled_at = period_from) not valid`,
  );
  const asked = [locked, broken, ...neighbours].flatMap(({ ids }) =>
    ids.map((id) => ({ id, answer: logon(id) })),
  );
  try {
    const started = performance.now();
    const theirs = new Set(neighbours.flatMap(({ ids }) => ids));
    const answers = await Promise.all(asked.filter(({ id }) => theirs.has(id)).map(({ answer }) => answer));
    expect(answers.map(({ data }) => data?.logon?.__typename)).toEqual(
      Array.from({ length: 16 }, () => 'LogonPayload'),
    );
    // Far below the patience with who waits for a lock.
    expect(performance.now() - started).toBeLessThan(2500);
  } finally {
    await client.query('rollback');
    client.release();
    await server.pool.query('alter table organisation drop constraint broken');
    await Promise.all(asked.map(({ answer }) => answer));
  }
}, 30_000);
