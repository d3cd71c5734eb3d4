import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ServerProcess {
  readonly child: ChildProcess;
  /** What it has printed so far. */
  readonly output: { out: string; err: string };
  readonly exited: Promise<number | null>;
}

/** A first start makes a database, which takes long where many tests run beside it. */
const startMilliseconds = 60_000;
const project = join(import.meta.dirname, '..', '..');

/** Starts the real server on a free port, with the variables given and none of the caller's own configuration. */
export function spawnServer(variables: Record<string, string>, command?: string[]): ServerProcess {
  const env: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    PORT: '0',
    ...variables,
  };
  const [file = process.execPath, ...args] = command ?? [process.execPath, join(project, 'src', 'main.ts')];
  const child = spawn(file, args, { cwd: project, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { out: '', err: '' };
  child.stdout.on('data', (text) => (output.out += String(text)));
  child.stderr.on('data', (text) => (output.err += String(text)));
  const exited = new Promise<number | null>((done) => child.once('close', (code) => done(code)));
  return { child, output, exited };
}

/** The server's address, once it says that it is ready. */
export async function ready(server: ServerProcess): Promise<{ url: string; key: string }> {
  let isOver = false;
  void server.exited.then(() => (isOver = true));
  await until(() => isOver || server.output.out.includes('npm run simulate'), startMilliseconds);
  const url = /http:\/\/[^/]+/.exec(server.output.out)?.[0];
  const key = /Operator key +(\S+)/.exec(server.output.out)?.[1];
  if (url === undefined || key === undefined)
    throw new Error(`The server did not start: ${server.output.err}`);
  return { url, key };
}

export async function query<Data>(
  { url, key }: { url: string; key: string },
  document: string,
): Promise<{ data: Data }> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ query: document }),
  });
  return (await response.json()) as { data: Data };
}

export function temporaryFolder(): { folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'seatkeeper-process-'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export function postgresPid(dataFolder: string): number {
  return Number.parseInt(readFileSync(join(dataFolder, 'postgres', 'data', 'postmaster.pid'), 'utf8'), 10);
}

/** A zombie that a container's first process has not collected yet counts as gone. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return process.platform !== 'linux';
  }
}

/** Waits until it is so; throws after `milliseconds`. */
export async function until(isSo: () => boolean, milliseconds: number): Promise<void> {
  const deadline = Date.now() + milliseconds;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`Not so after ${milliseconds} ms: ${isSo.toString()}`);
    await sleep(20);
  }
}
