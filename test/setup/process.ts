import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expectNoSecrets, secret } from './secrets.ts';

export interface ServerProcess {
  readonly child: ChildProcess;
  /** What it has printed so far. */
  readonly output: { out: string; err: string };
  readonly exited: Promise<number | null>;
}

/** A first start makes a database, which takes long where many tests run beside it. */
const startMilliseconds = 60_000;
const project = join(import.meta.dirname, '..', '..');

/** None of the caller's own configuration. What one process of a run compiled the next need not. */
const environment = {
  PATH: process.env['PATH'],
  HOME: process.env['HOME'],
  NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
};

/** Starts the real server on a free port, with the variables given and none of the caller's own configuration. */
export function spawnServer(variables: Record<string, string>, command?: string[]): ServerProcess {
  const env: NodeJS.ProcessEnv = { ...environment, PORT: '0', ...variables };
  const [file = process.execPath, ...args] = command ?? [process.execPath, join(project, 'src', 'main.ts')];
  const child = spawn(file, args, { cwd: project, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { out: '', err: '' };
  child.stdout.on('data', (text) => (output.out += String(text)));
  child.stderr.on('data', (text) => (output.err += String(text)));
  for (const [name, value] of Object.entries(variables)) registerSecrets(name, value);
  const exited = new Promise<number | null>((done, failed) => {
    child.once('close', (code) => {
      const folder = variables['SEATKEEPER_DATA'];
      if (folder !== undefined) registerFiles(folder);
      try {
        expectNoSecrets(withoutGreeting(output.out) + output.err, 'a server’s process');
        done(code);
      } catch (error) {
        failed(error as Error);
      }
    });
  });
  return { child, output, exited };
}

/** Runs `npm run verify` on a database. @returns how it ended, and all that it said */
export async function verify(
  databaseUrl: string,
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly out: string }> {
  const env = { ...environment, DATABASE_URL: databaseUrl };
  try {
    const cli = join(project, 'src', 'cli', 'verify.ts');
    const { stdout } = await promisify(execFile)(process.execPath, [cli, ...args], { env });
    return { code: 0, out: stdout };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: stdout + stderr };
  }
}

/** The secrets of a server's configuration: its key, and the password of a database or of Redis. */
function registerSecrets(name: string, value: string): void {
  if (name === 'SEATKEEPER_OPERATOR_KEY' && value.length >= 16) secret(value);
  if (!name.endsWith('_URL') || !URL.canParse(value)) return;
  const password = decodeURIComponent(new URL(value).password);
  if (password.length >= 8) secret(password);
}

/** Those that a server made for itself. */
function registerFiles(folder: string): void {
  for (const file of ['operator-key', join('postgres', 'password')]) {
    try {
      secret(readFileSync(join(folder, file), 'utf8').trim());
    } catch {
      // It was never made, or the folder is gone already.
    }
  }
}

/** What a server prints to the person who starts it, by its documented lines, is no log. */
function withoutGreeting(out: string): string {
  return out.replaceAll(/^ {2}(?:Pages|GraphiQL|Operator key) .*$/gm, '');
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
