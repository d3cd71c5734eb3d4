import { createClient } from '@redis/client';
import type { Log } from '../../kernel/log.ts';

export type RedisClient = ReturnType<typeof createClient>;

/** A connection for counting, which comes back by itself. A module of its own: it is not loaded where there is no Redis. */
export function connectRedis(url: string, log: Log): RedisClient {
  const client = createClient({
    url,
    socket: {
      reconnectStrategy: (retries) => Math.min(100 * 2 ** retries, 5_000) * (0.5 + Math.random()),
      // A connection dies without a word: one that does not bring back its ping is replaced.
      socketTimeout: 3_000,
    },
    pingInterval: 1_000,
    disableOfflineQueue: true,
    commandsQueueMaxLength: 10_000,
    maintNotifications: 'disabled',
  });
  let isOut = false;
  client.on('error', (error: Error) => {
    if (!isOut) log.warn({ err: error }, 'rates are not counted in Redis; each server counts for itself');
    isOut = true;
  });
  client.on('ready', () => {
    if (isOut) log.info({}, 'rates are counted in Redis again');
    isOut = false;
  });
  // Its strategy connects it again and again; what it fails with was told above.
  client.connect().catch(() => {});
  return client as unknown as RedisClient;
}
