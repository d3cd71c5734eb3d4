import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { defaultLimits } from '../../src/graphql/transports/limits.ts';
import { endOf, open } from '../setup/connection.ts';
import { createOrganisation, uuidOf } from '../setup/given.ts';
import { secret } from '../setup/secrets.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';

/** A download is one of its caller's connections, and ends as they do. */

let server: TestServer;
/** On the same database, with little patience. */
let strict: TestServer;
let id: string;

beforeAll(async () => {
  server = await startTestServer();
  strict = await startTestServer({
    beside: server,
    limits: { ...defaultLimits, stalledMilliseconds: 500, maxConnectionsPerKey: 1 },
  });
  id = await createOrganisation(server);
  // 20 MB: more than the system holds for a client that takes nothing.
  await server.pool.query(
    `insert into audit_entry (organisation_id, sequence, version, at, action, outcome, after, previous_hash, hash)
     select organisation_id, sequence + n, 1, at, 'none', 'DONE', jsonb_build_object('of', repeat('x', 100000)), hash, hash
     from audit_head, generate_series(1, 200) n where organisation_id = $1`,
    [uuidOf(id)],
  );
  await server.pool.query('update audit_head set sequence = sequence + 200 where organisation_id = $1', [
    uuidOf(id),
  ]);
});
afterAll(async () => {
  await strict.stop();
  await server.stop();
});

const pathOf = () => `/audit/${id}.csv`;

/** A download whose client takes nothing of it yet. */
async function begin(of: TestServer, key: string): Promise<{ client: Socket; end: Socket }> {
  const client = await open(
    of,
    `GET ${pathOf()} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${key}\r\n\r\n`,
  );
  client.pause();
  const end = endOf(client);
  await vi.waitFor(() => expect(end.writableLength).toBeGreaterThan(0), { timeout: 8_000, interval: 20 });
  return { client, end };
}

const refusalOf = async (of: TestServer, key: string) => {
  const response = await fetch(of.url.replace('/graphql', pathOf()), {
    headers: { authorization: `Bearer ${key}` },
  });
  if (response.status !== 200) return { status: response.status, text: await response.text() };
  await response.body?.cancel();
  return null;
};

test('a download counts as a connection of its key, and is broken off when its client takes nothing', async () => {
  const { client, end } = await begin(strict, strict.key);
  expect(await refusalOf(strict, strict.key)).toMatchObject({
    status: 503,
    text: expect.stringContaining('TOO_MANY_CONNECTIONS') as string,
  });
  await vi.waitFor(() => expect(end.destroyed).toBe(true), { timeout: 5_000, interval: 20 });
  expect(await refusalOf(strict, strict.key)).toBeNull();
  client.destroy();
});

test('what waits behind it on its connection is given back with it, also where an upgrade comes last', async () => {
  const { client } = await begin(strict, strict.key);
  const head = `host: localhost\r\nauthorization: Bearer ${strict.key}\r\n`;
  client.write(`GET ${pathOf()} HTTP/1.1\r\n${head}\r\n`);
  client.write(
    `GET /graphql HTTP/1.1\r\n${head}connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: graphql-transport-ws\r\n\r\n`,
  );
  await sleep(100);
  client.destroy();
  await vi.waitFor(async () => expect(await refusalOf(strict, strict.key)).toBeNull(), {
    timeout: 5_000,
    interval: 50,
  });
});

test('one whose client takes it slowly goes on', async () => {
  const { client, end } = await begin(strict, strict.key);
  let taken = 0;
  const reading = setInterval(() => {
    taken += (client.read(200_000) as Buffer | null)?.length ?? 0;
    client.read(0);
  }, 50);
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  clearInterval(reading);
  expect(taken).toBeGreaterThan(500_000);
  expect(end.destroyed).toBe(false);
  client.destroy();
});

test('one under way ends within 5 s of the revocation of its key, and is not whole', async () => {
  const { createApiKey } = (
    await server.query(
      `mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) {
         ... on CreateApiKeyPayload { key apiKey { id } } ... on UserError { message } } }`,
      { input: { organisationId: id, name: 'Export', role: 'ADMINISTRATOR' } },
    )
  ).data;
  const { client, end } = await begin(server, secret(createApiKey.key as string));
  const revoked = await server.mutate('revokeApiKey', { keyId: createApiKey.apiKey.id });
  expect(revoked.__typename).toBe('RevokeApiKeyPayload');
  await vi.waitFor(() => expect(end.destroyed).toBe(true), { timeout: 5_000, interval: 20 });
  let text = '';
  client.on('data', (data: Buffer) => (text += data.toString('latin1')));
  client.resume();
  await vi.waitFor(() => expect(client.destroyed || client.readableEnded).toBe(true), { timeout: 5_000 });
  client.destroy();
  expect(text).toMatch(/^HTTP\/1\.1 200 OK/);
  expect(text).not.toMatch(/\r\n0\r\n\r\n$/);
});
