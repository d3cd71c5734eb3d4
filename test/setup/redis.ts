import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './port.ts';

/** Debian's `redis-server` or `valkey-server`, if there is one; said loudly where there is none. */
export const redisBinary =
  ['redis-server', 'valkey-server'].find((name) => spawnSync(name, ['--version']).status === 0) ?? null;
if (redisBinary === null) {
  console.error(
    'NOT TESTED: there is no redis-server here. Install it (Debian: apt-get install redis-server).',
  );
}

export interface Redis {
  readonly port: number;
  readonly url: string;
  /** As by `kill -9`. */
  kill(): Promise<void>;
  /** Again, at the same address. */
  start(): Promise<void>;
}

/** A Redis of the caller's own, which keeps nothing. */
export async function startRedis(): Promise<Redis> {
  const port = await freePort();
  let child: ChildProcess | null = null;
  const redis: Redis = {
    port,
    url: `redis://127.0.0.1:${port}`,
    kill: async () => {
      if (child === null) return;
      const ended = once(child, 'close');
      child.kill('SIGKILL');
      child = null;
      await ended;
    },
    start: async () => {
      const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
      child = spawn(redisBinary ?? 'redis-server', options, { stdio: 'ignore' });
      for (let attempt = 0; !(await isListening(port)); attempt += 1) {
        if (attempt === 100) throw new Error('Redis did not start');
        await sleep(50);
      }
    },
  };
  await redis.start();
  return redis;
}

function isListening(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      answer(true);
    });
    socket.once('error', () => answer(false));
  });
}
