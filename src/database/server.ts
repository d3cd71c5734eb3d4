import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { Log } from '../kernel/log.ts';
import { type EmbeddedPostgres, startEmbedded } from './embedded.ts';

export interface DatabaseServer {
  /** As what the program works. */
  readonly connection: pg.PoolConfig;
  /** As whom it migrates. */
  readonly owner: pg.PoolConfig;
  /** Where the embedded PostgreSQL keeps its data; null where the database is somebody else's. */
  readonly embeddedIn: string | null;
  stop(): Promise<void>;
}

const retryMilliseconds = 500;

/**
 * The PostgreSQL that `databaseUrl` names, or else the embedded one, started. When that one dies it is started again, at
 * the same address: whoever uses it fails meanwhile, and recovers by itself.
 */
export async function openServer(options: {
  databaseUrl: string | null;
  /** null: who works may migrate as well. */
  databaseOwnerUrl: string | null;
  dataFolder: string;
  log: Log;
}): Promise<DatabaseServer> {
  const { databaseUrl, databaseOwnerUrl, dataFolder, log } = options;
  if (databaseUrl !== null) {
    return {
      connection: { connectionString: databaseUrl },
      owner: { connectionString: databaseOwnerUrl ?? databaseUrl },
      embeddedIn: null,
      stop: async () => {},
    };
  }

  let embedded: EmbeddedPostgres | null = await startEmbedded({ dataFolder, log });
  const { connection, owner, dataFolder: embeddedIn } = embedded;
  let isStopping = false;

  const supervised = (async () => {
    for (;;) {
      await embedded?.ended;
      embedded = null;
      if (isStopping) return;
      log.error({}, 'PostgreSQL is gone; starting it again');
      try {
        embedded = await startEmbedded({ dataFolder, log, address: connection });
        log.info({}, 'PostgreSQL is back');
        if (isStopping) await embedded.stop();
      } catch (error) {
        log.error({ err: error }, 'PostgreSQL does not start; trying again');
        await delay(retryMilliseconds);
      }
    }
  })();

  return {
    connection,
    owner,
    embeddedIn,
    stop: async () => {
      isStopping = true;
      await embedded?.stop();
      await supervised;
    },
  };
}
