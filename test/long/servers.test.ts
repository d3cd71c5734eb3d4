import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { testDatabase } from '../setup/database.ts';
import { ready, type ServerProcess, spawnServer, temporaryFolder } from '../setup/process.ts';
import { type CommitProxy, startCommitProxy } from './commit-proxy.ts';
import { type Address, ask, chooseSeed, drive, expectNoDrift, openFloor } from './load.ts';

/** Several servers on one database. */
let database: Awaited<ReturnType<typeof testDatabase>>;
let pool: pg.Pool;
let folder: ReturnType<typeof temporaryFolder>;
const servers: ServerProcess[] = [];
const seed = chooseSeed();

beforeEach(async () => {
  database = await testDatabase();
  pool = new pg.Pool({ ...database.connection, max: 2 });
  folder = temporaryFolder();
});

afterEach(async () => {
  for (const { child } of servers) child.kill('SIGTERM');
  await Promise.all(servers.splice(0).map(({ exited }) => exited));
  await pool.end();
  await database.drop();
  folder.remove();
});

function databaseUrl(host: string, port: number): string {
  const { user, password, database: name } = database.connection;
  return `postgres://${user}:${String(password)}@localhost/${name}?host=${encodeURIComponent(host)}&port=${port}`;
}

async function serve(
  variables: Record<string, string> = {},
): Promise<Address & { readonly server: ServerProcess }> {
  const { host = '', port = 0 } = database.connection;
  const server = spawnServer({
    DATABASE_URL: databaseUrl(host, port),
    SEATKEEPER_DATA: folder.folder,
    LOG_LEVEL: 'warn',
    ...variables,
  });
  servers.push(server);
  return { ...(await ready(server)), server };
}

test('L2: two servers that admit for one organisation sell no seat twice', async () => {
  const [one, other] = [await serve(), await serve()];
  const floor = await openFloor(one, 40, { concurrent: 15, contingency: 5 });
  let turn = 0;
  let isOver = false;
  const driving = drive(
    () => (turn++ % 2 === 0 ? one : other),
    floor,
    seed,
    () => isOver,
  );
  await delay(6000);
  isOver = true;
  const report = await driving;
  expect([...report.codes.keys()]).toEqual([]);
  expect(report.answers).toBeGreaterThan(500);
  await expectNoDrift(pool, floor, report);
});

test('L8: a lease that two servers sweep ends once', async () => {
  const [one, other] = [await serve(), await serve()];
  const floor = await openFloor(one, 30, { concurrent: 30, contingency: 0 }, 10);
  const logon = `mutation ($input: LogonInput!) { logon(input: $input) { __typename } }`;
  await Promise.all(
    floor.users.map((userId, index) =>
      ask(index % 2 === 0 ? one : other, logon, {
        input: { userId, licence: 'SUPERVISOR', device: 'desktop' },
      }),
    ),
  );
  await expect
    .poll(async () => (await pool.query('select sum(in_use)::int as n from pool')).rows[0].n, {
      timeout: 15_000,
    })
    .toBe(0);
  const { rows } = await pool.query(
    "select count(*)::int as released, count(distinct session_id)::int as sessions from history where kind = 'RELEASED'",
  );
  expect(rows[0]).toEqual({ released: 30, sessions: 30 });
});

test('L8, C2: the database’s clock counts: a server whose own is off, or steps, ends no lease early or late', async () => {
  const skew = join(folder.folder, 'skew');
  writeFileSync(skew, '60000');
  const preload = join(import.meta.dirname, 'skewed-clock.ts');
  const right = await serve();
  const wrong = await serve({ CLOCK_SKEW: skew, NODE_OPTIONS: `--import ${preload}` });
  const floor = await openFloor(right, 2, { concurrent: 1, contingency: 1 }, 30);
  const logon = `mutation ($input: LogonInput!) { logon(input: $input) {
    ... on LogonPayload { session { id startedAt expiresAt } } } }`;
  const renew = `mutation ($input: RenewSessionInput!) { renewSession(input: $input) {
    __typename ... on RenewSessionPayload { session { expiresAt } } } }`;

  const sessions: string[] = [];
  for (const [index, server] of [right, wrong].entries()) {
    const { data } = await ask(server, logon, {
      input: { userId: floor.users[index], licence: 'SUPERVISOR', device: 'desktop' },
    });
    const { id, startedAt, expiresAt } = data.logon.session;
    expect(Math.abs(Date.parse(startedAt) - Date.now())).toBeLessThan(5000);
    expect(Date.parse(expiresAt) - Date.parse(startedAt)).toBe(30_000);
    sessions.push(id);
  }
  // The clock goes from a minute ahead to a minute behind.
  writeFileSync(skew, '-60000');
  await delay(1000);
  for (const sessionId of sessions) {
    for (const server of [wrong, right]) {
      const { data } = await ask(server, renew, { input: { sessionId } });
      expect(data.renewSession.__typename).toBe('RenewSessionPayload');
      const left = Date.parse(data.renewSession.session.expiresAt) - Date.now();
      expect(left).toBeGreaterThan(25_000);
      expect(left).toBeLessThan(35_000);
    }
  }
  const { rows } = await pool.query(
    'select in_use, max_used, abs(extract(epoch from max_used_at - now())) < 30 as now from pool',
  );
  expect(rows).toEqual([{ in_use: 2, max_used: 1, now: true }]);
});

/** What makes something under a key, and how to count what it made. */
const creations: readonly (readonly [
  string,
  (ids: { organisationId: string; userId: string }) => object,
  string,
])[] = [
  [
    'logon',
    ({ userId }) => ({ userId, licence: 'SUPERVISOR', device: 'desktop' }),
    'select count(*)::int as n from session',
  ],
  [
    'createUser',
    ({ organisationId }) => ({ organisationId, username: 'new' }),
    'select count(*)::int as n from "user" where username = \'new\'',
  ],
  [
    'recordPurchase',
    ({ organisationId }) => ({ organisationId, licence: 'AGENT_CALLS', concurrent: 3 }),
    "select count(*)::int as n from purchase where licence = 'AGENT_CALLS'",
  ],
  [
    'createOrganisation',
    () => ({ name: 'New' }),
    "select count(*)::int as n from organisation where name = 'New'",
  ],
];

test.each(creations)(
  'L6: %s, killed between commit and answer and sent again, is done once',
  async (name, input, count) => {
    const { host = '', port = 0 } = database.connection;
    const proxy: CommitProxy = await startCommitProxy({ host, port });
    try {
      const first = await serve({ DATABASE_URL: databaseUrl('127.0.0.1', proxy.port) });
      const floor = await openFloor(first, 1, { concurrent: 1, contingency: 0 });
      const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
      const document = `mutation ($input: ${type}Input!) { ${name}(input: $input) { __typename } }`;
      const ids = { organisationId: floor.organisationId, userId: floor.users[0] ?? '' };
      const variables = { input: { ...input(ids), idempotencyKey: 'once' } };
      const isDone = async () => (await pool.query(count)).rows[0].n as number;
      // The sweeper's commits are not meant: it does not run where nothing is due.
      proxy.arm(() => first.server.child.kill('SIGKILL'));
      await expect(ask(first, document, variables)).rejects.toThrow(/fetch failed/);
      await first.server.exited;
      expect(await isDone()).toBe(1);

      const second = await serve();
      const { data, errors } = await ask(second, document, variables);
      expect(errors).toBeUndefined();
      expect(data[name].__typename).toBe(`${type}Payload`);
      expect(await isDone()).toBe(1);
    } finally {
      proxy.close();
    }
  },
);
