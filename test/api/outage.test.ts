import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { buy, createOrganisation, createUser, logonInput } from '../setup/given.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

test('an unexpected error is masked, logged once with its request id, and costs only its own field', async () => {
  const organisationId = await createOrganisation(server);
  await server.pool.query('alter table denial rename to hidden');
  const before = server.logged.length;
  const { data, errors } = await server.query(
    'query ($id: ID!) { organisation(id: $id) { name denials { totalCount edges { cursor } } } }',
    {
      id: organisationId,
    },
  );
  await server.pool.query('alter table hidden rename to denial');
  expect(data).toEqual({ organisation: { name: 'Given', denials: null } });
  expect(errors).toHaveLength(1);
  const { message, extensions } = errors?.[0] ?? { message: '', extensions: { code: '', requestId: '' } };
  expect(extensions.code).toBe('INTERNAL_SERVER_ERROR');
  expect(message).not.toContain('denial');
  const logged = server.logged.slice(before).filter(({ level }) => level === 'error');
  expect(logged).toHaveLength(1);
  expect(logged[0]?.facts).toMatchObject({ requestId: extensions.requestId });
});

test('L6: where connections break under a crowd of logons, every caller gets an answer, and seats are counted right', async () => {
  const organisationId = await createOrganisation(server, {});
  await buy(server, organisationId, 'SUPERVISOR', { base: 30, concurrent: 10 });
  const users: string[] = [];
  for (let index = 0; index < 30; index += 1)
    users.push(await createUser(server, organisationId, `u${index}`, ['SUPERVISOR']));

  const document = 'mutation ($input: LogonInput!) { logon(input: $input) { __typename } }';
  const crowd = users.map((userId) =>
    server.query(document, { input: { ...logonInput(userId, 'SUPERVISOR'), idempotencyKey: userId } }),
  );
  await server.pool.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
  );
  const answers = await Promise.all(crowd);
  for (const { errors } of answers) {
    expect(['UNAVAILABLE', undefined]).toContain(errors?.[0]?.extensions.code);
    if (errors !== undefined) expect(errors[0]?.extensions['retryAfterSeconds']).toBeGreaterThan(0);
  }

  // Whoever was not answered asks again with the same key: nobody takes a second seat.
  const retried = await vi.waitFor(
    async () => {
      const again = await Promise.all(
        users.map((userId) =>
          server.query(document, { input: { ...logonInput(userId, 'SUPERVISOR'), idempotencyKey: userId } }),
        ),
      );
      expect(again.every(({ errors }) => errors === undefined)).toBe(true);
      return again;
    },
    { timeout: 10_000, interval: 200 },
  );
  expect(retried.filter(({ data }) => data.logon.__typename === 'LogonPayload')).toHaveLength(10);
  const { rows } = await server.pool.query(
    'select in_use, (select count(*)::int from hold where licence = $1) as holds from pool where licence = $1',
    ['SUPERVISOR'],
  );
  expect(rows).toEqual([{ in_use: 10, holds: 10 }]);
});
