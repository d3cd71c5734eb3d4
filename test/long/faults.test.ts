import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { postgresPid, ready, type ServerProcess, spawnServer, temporaryFolder } from '../setup/process.ts';
import { bareSocket, subscribeTo } from '../setup/socket.ts';
import {
  type Address,
  ask,
  chooseSeed,
  drive,
  expectNoDrift,
  type Floor,
  openFloor,
  random,
} from './load.ts';

let data: ReturnType<typeof temporaryFolder>;
let server: ServerProcess;
let address: Address;
let floor: Floor;
const verifyCli = join(import.meta.dirname, '..', '..', 'src', 'cli', 'verify.ts');
const seed = chooseSeed();
const next = random(seed);

beforeEach(async () => {
  data = temporaryFolder();
  await start();
  floor = await openFloor(address, 24, { concurrent: 12, contingency: 4 });
});

afterEach(async () => {
  server.child.kill('SIGTERM');
  await server.exited;
  data.remove();
});

async function start(variables: Record<string, string> = {}): Promise<void> {
  server = spawnServer({ SEATKEEPER_DATA: data.folder, LOG_LEVEL: 'warn', ...variables });
  address = await ready(server);
}

/** PostgreSQL and every process of its own. */
function postgresPids(): number[] {
  const postmaster = postgresPid(data.folder);
  const children = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => parentOf(pid) === postmaster);
  return [postmaster, ...children];
}

function parentOf(pid: number): number | null {
  try {
    return Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]);
  } catch {
    return null;
  }
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // It is gone already.
    }
  }
}

/** A connection past the server, to see what was written. */
async function withDatabase(work: (pool: pg.Pool) => Promise<void>): Promise<void> {
  const cluster = join(data.folder, 'postgres');
  const pool = new pg.Pool({
    host: cluster,
    user: 'seatkeeper',
    database: 'seatkeeper',
    password: readFileSync(join(cluster, 'password'), 'utf8'),
  });
  pool.on('error', () => {});
  try {
    await work(pool);
  } finally {
    await pool.end();
  }
}

async function readiness(): Promise<number> {
  try {
    return (await fetch(`${address.url}/readyz`, { signal: AbortSignal.timeout(5000) })).status;
  } catch {
    return 0;
  }
}

/** Faults under load, until `faults` is through; then what the clients were told is what there is. */
async function underLoad(faults: () => Promise<void>) {
  let isOver = false;
  const driving = drive(
    () => address,
    floor,
    seed,
    () => isOver,
  );
  // A driver that fails must not be noticed only when the faults are through.
  await Promise.race([faults(), driving]);
  isOver = true;
  const report = await driving;
  console.log(
    `${report.answers} answers, slowest ${Math.round(report.slowestMilliseconds)} ms, not answered: ${JSON.stringify(Object.fromEntries(report.codes))}`,
  );
  await withDatabase((pool) => expectNoDrift(pool, floor, report));
  // Beside the server, which runs on.
  const { stdout } = await promisify(execFile)(process.execPath, [verifyCli], {
    env: { PATH: process.env['PATH'], SEATKEEPER_DATA: data.folder },
  });
  expect(stdout).toMatch(/no drift\.\n$/);
  return report;
}

test('L6, L8: PostgreSQL is killed again and again under load: the server recovers by itself, nothing is lost', async () => {
  const seen = new Set<number>();
  const report = await underLoad(async () => {
    for (let kill = 0; kill < 3; kill += 1) {
      await delay(500 + next() * 1500);
      signal(postgresPids(), 'SIGKILL');
      for (let look = 0; look < 5; look += 1) seen.add(await readiness());
      await expect.poll(readiness, { timeout: 20_000 }).toBe(200);
    }
    await delay(500);
  });
  expect([...seen]).toContain(503);
  expect([...report.codes.keys()]).toEqual(['UNAVAILABLE']);
  expect(server.child.exitCode).toBeNull();
});

test('L6, L8: a backend of PostgreSQL is killed under load: nothing is lost', async () => {
  const report = await underLoad(async () => {
    for (let kill = 0; kill < 3; kill += 1) {
      await delay(300 + next() * 1000);
      const [, ...children] = postgresPids();
      const backends = children.filter((pid) => {
        try {
          return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('seatkeeper_server seatkeeper');
        } catch {
          return false;
        }
      });
      signal(backends.slice(0, 1), 'SIGKILL');
      await delay(200);
      await expect.poll(readiness, { timeout: 20_000 }).toBe(200);
    }
    await delay(500);
  });
  expect([...report.codes.keys()]).toEqual(['UNAVAILABLE']);
  expect(server.child.exitCode).toBeNull();
});

test('L6, L8: PostgreSQL freezes for longer than a statement may take: callers are told, and nobody hangs', async () => {
  const report = await underLoad(async () => {
    await delay(500 + next() * 500);
    const pids = postgresPids();
    signal(pids, 'SIGSTOP');
    await expect.poll(readiness, { timeout: 3000 }).toBe(503);
    await delay(9000);
    signal(pids, 'SIGCONT');
    await expect.poll(readiness, { timeout: 20_000 }).toBe(200);
    await delay(1000);
  });
  expect([...report.codes.keys()]).toEqual(['UNAVAILABLE']);
  expect(report.slowestMilliseconds).toBeLessThan(12_000);
});

test('L6, L8: the server is killed again and again under load: a retry finds what was granted', async () => {
  await underLoad(async () => {
    for (let kill = 0; kill < 3; kill += 1) {
      await delay(300 + next() * 1500);
      server.child.kill('SIGKILL');
      await server.exited;
      await start();
    }
    await delay(500);
  });
});

test('L6, L8: SIGTERM under load: not ready first, wallboards sent away, every answer kept, gone within 10 seconds', async () => {
  server.child.kill('SIGTERM');
  await server.exited;
  await start({ STOP_PAUSE_SECONDS: '1' });
  const wallboard = await bareSocket({
    wsUrl: `${address.url.replace('http', 'ws')}/graphql`,
    key: address.key,
  });
  expect((await wallboard.next()).type).toBe('connection_ack');
  wallboard.send(
    subscribeTo('a', 'subscription ($id: ID!) { usageChanged(organisationId: $id) { revision } }', {
      id: floor.organisationId,
    }),
  );
  expect((await wallboard.next()).type).toBe('next');
  await underLoad(async () => {
    await delay(500 + next() * 500);
    const asked = performance.now();
    server.child.kill('SIGTERM');
    await delay(300);
    // Requests are still taken while whoever balances the load hears that it should send no more.
    expect(await readiness()).toBe(503);
    expect((await ask(address, '{ __typename }')).data).toEqual({ __typename: 'Query' });
    expect(await wallboard.closed).toEqual({ code: 1001, reason: 'Going away' });
    expect(await server.exited).toBe(0);
    expect(performance.now() - asked).toBeLessThan(10_000);
    await start();
    await delay(500);
  });
});

test('SIGTERM while PostgreSQL is frozen: gone within 10 seconds all the same', async () => {
  const pids = postgresPids();
  signal(pids, 'SIGSTOP');
  const waiting = ask(address, '{ organisations(first: 1) { totalCount } }').catch(() => null);
  await delay(200);
  const asked = performance.now();
  server.child.kill('SIGTERM');
  await server.exited;
  expect(performance.now() - asked).toBeLessThan(10_000);
  signal(pids, 'SIGCONT');
  await waiting;
});
