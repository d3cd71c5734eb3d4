import { statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type ServerProcess,
  isAlive,
  postgresPid,
  query,
  ready,
  spawnServer,
  temporaryFolder,
  until,
} from '../setup/process.ts';

const demonstration = '{ organisation(externalId: "demo") { name } }';
const createOther = `mutation {
  createOrganisation(input: { name: "Kept", externalId: "kept", timeZone: "UTC" }) { __typename }
}`;

// Processes start slowly while all the other tests run beside them.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

let data: ReturnType<typeof temporaryFolder>;
const started: ServerProcess[] = [];

beforeEach(() => {
  data = temporaryFolder();
});

afterEach(async () => {
  for (const { child, exited } of started.splice(0)) {
    child.kill('SIGKILL');
    await exited;
  }
  data.remove();
});

function serve(variables: Record<string, string> = {}, command?: string[]): ServerProcess {
  const server = spawnServer({ SEATKEEPER_DATA: data.folder, ...variables }, command);
  started.push(server);
  return server;
}

describe('the embedded database', () => {
  test('a first start makes it, with the demonstration organisation; a restart keeps what was written', async () => {
    const first = serve();
    const address = await ready(first);
    expect(await (await fetch(`${address.url}/readyz`)).json()).toEqual({ status: 'ready' });
    expect(await query(address, demonstration)).toMatchObject({ data: { organisation: { name: /Demo/ } } });
    await query(address, createOther);
    first.child.kill('SIGTERM');
    expect(await first.exited).toBe(0);

    const again = await ready(serve());
    expect(again.key).toBe(address.key);
    const kept = await query<{ organisation: { name: string } }>(
      again,
      '{ organisation(externalId: "kept") { name } }',
    );
    expect(kept.data.organisation.name).toBe('Kept');
  });

  test('it is gone within 2 seconds of a server that is killed, and a start right after the kill succeeds', async () => {
    const server = serve();
    await ready(server);
    const postgres = postgresPid(data.folder);
    server.child.kill('SIGKILL');
    const successor = serve();
    await until(() => !isAlive(postgres), 2000);
    await ready(successor);
  });

  test('it survives the signals of a terminal, which reach the whole process group, until the server has drained', async () => {
    const server = serve();
    await ready(server);
    const postgres = postgresPid(data.folder);
    server.child.kill('SIGINT');
    expect(await server.exited).toBe(0);
    expect(server.output.err).not.toMatch(/"level":[456]0/);
    expect(isAlive(postgres)).toBe(false);
  });

  test('when PostgreSQL dies the server starts it again, and is not ready meanwhile', async () => {
    const server = serve();
    const { url } = await ready(server);
    const before = postgresPid(data.folder);
    process.kill(before, 'SIGKILL');
    await until(() => server.output.err.includes('PostgreSQL is back'), 15_000);
    const after = postgresPid(data.folder);
    expect(after).not.toBe(before);
    await expect.poll(async () => (await fetch(`${url}/readyz`)).status, { timeout: 5000 }).toBe(200);
    server.child.kill('SIGTERM');
    expect(await server.exited).toBe(0);
    expect(isAlive(after)).toBe(false);
  });
});

describe('the configuration', () => {
  test('each mistake is one line, and a secret is not repeated', async () => {
    const server = serve({
      PORT: '65536',
      LOG_LEVEL: 'loud',
      DATABASE_URL: 'mysql://root:hunter2@host/x',
      REDIS_URL: 'http://root:hunter2@host',
      SEATKEEPER_OPERATOR_KEY: 'too short',
    });
    expect(await server.exited).toBe(1);
    expect(server.output.err.trim().split('\n')).toEqual([
      expect.stringMatching(/^PORT must be a port number .*"65536"\.$/),
      expect.stringMatching(/^DATABASE_URL must be a URL like /),
      expect.stringMatching(/^REDIS_URL must be a URL like redis:/),
      expect.stringMatching(/^SEATKEEPER_OPERATOR_KEY must be /),
      expect.stringMatching(/^LOG_LEVEL must be one of .*"loud"\.$/),
    ]);
    expect(server.output.err).not.toMatch(/hunter2|too short/);
  });

  test('a database that does not answer is one line', async () => {
    const server = serve({ DATABASE_URL: 'postgres://nobody:hunter2@127.0.0.1:1/x' });
    expect(await server.exited).toBe(1);
    expect(server.output.err).toBe('The database cannot be reached: connect ECONNREFUSED 127.0.0.1:1\n');
  });

  test('a part of the program that is missing is told once, while PostgreSQL starts, which does not stay', async () => {
    const hooks = `import { registerHooks } from 'node:module'; registerHooks({ resolve(name, context, next) {
      if (name.endsWith('/app.ts')) throw new Error('missing, says the test'); return next(name, context); } });`;
    const server = serve({ NODE_OPTIONS: `--import="data:text/javascript,${encodeURIComponent(hooks)}"` });
    expect(await server.exited).toBe(1);
    expect(server.output.err).toMatch(/^Error: missing, says the test\n/);
    expect(server.output.err).not.toMatch(/"level":|Warning/);
    expect(() => postgresPid(data.folder)).toThrow('ENOENT');
  });

  test('a port in use is one line, and PostgreSQL does not stay', async () => {
    const other = createServer();
    await new Promise<void>((listening) => other.listen(0, '127.0.0.1', listening));
    const { port } = other.address() as AddressInfo;
    const server = serve({ PORT: String(port), LOG_LEVEL: 'error' });
    expect(await server.exited).toBe(1);
    expect(server.output.err).toMatch(new RegExp(`^Port ${port} of 127.0.0.1 is in use: .*\\n$`));
    expect(() => postgresPid(data.folder)).toThrow('ENOENT');
    other.close();
  });
});

/** One for all who do not mind what it was asked before. */
describe('a server that runs', () => {
  const { folder, remove } = temporaryFolder();
  const running = { server: null as ServerProcess | null, url: '', key: '' };
  beforeAll(async () => {
    running.server = spawnServer({ SEATKEEPER_DATA: folder });
    Object.assign(running, await ready(running.server));
  });
  afterAll(async () => {
    running.server?.child.kill('SIGKILL');
    await running.server?.exited;
    remove();
  });

  test('has its folder for itself: another is refused in one line that names the process', async () => {
    const second = serve({ SEATKEEPER_DATA: folder });
    expect(await second.exited).toBe(1);
    expect(second.output.err).toMatch(
      new RegExp(
        `^The data folder .* is in use by another server \\(PostgreSQL is process ${postgresPid(folder)}\\).*\\n$`,
      ),
    );
  });

  test("has the operator's key for its owner alone to read", () => {
    expect(statSync(join(folder, 'operator-key')).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'postgres')).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, 'postgres', 'password')).mode & 0o777).toBe(0o600);
  });

  test('prints a link to the pages that signs in once, without the key', async () => {
    const { url, key, server } = running;
    const link = /Pages +(\S+)/.exec(server?.output.out ?? '')?.[1] ?? '';
    expect(link).not.toContain(key);
    const authorization = `Code ${link.split('#code=')[1]}`;
    const open = () => fetch(`${url}/sign-in`, { method: 'POST', headers: { authorization } });
    expect(await (await open()).json()).toMatchObject({ role: 'OPERATOR' });
    expect((await open()).status).toBe(401);
  });

  test('is not held up by a subscription under way when it is stopped', async () => {
    const { url, key, server } = running;
    const id = await query<{ organisation: { id: string } }>(
      { url, key },
      '{ organisation(externalId: "demo") { id } }',
    );
    const stream = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: {
        accept: 'text/event-stream',
        'content-type': 'application/json',
        authorization: `Bearer ${key}`,
      },
      body: JSON.stringify({
        query: `subscription { usageChanged(organisationId: "${id.data.organisation.id}") { revision } }`,
      }),
    });
    expect(stream.status).toBe(200);
    const asked = Date.now();
    server?.child.kill('SIGTERM');
    await stream.text().catch(() => {});
    expect(await server?.exited).toBe(0);
    expect(Date.now() - asked).toBeLessThan(5000);
  });
});

test('when npm is killed nothing stays', async () => {
  const npm = serve({}, ['npm', 'start']);
  await ready(npm);
  const postgres = postgresPid(data.folder);
  npm.child.kill('SIGKILL');
  await until(() => !isAlive(postgres), 5000);
  await npm.exited; // its output is closed: the server, which had it too, is gone
});
