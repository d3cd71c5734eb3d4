import type pg from 'pg';
import type { Log } from '../kernel/log.ts';
import { startEmbedded } from './embedded.ts';

export interface DatabaseServer {
  readonly connection: pg.PoolConfig;
  /** Where the embedded PostgreSQL keeps its data; null where the database is somebody else's. */
  readonly embeddedIn: string | null;
  /** Settles when the embedded PostgreSQL is gone; never, for another. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

/** The PostgreSQL that `databaseUrl` names, or else the embedded one, started. */
export async function openServer(options: {
  databaseUrl: string | null;
  dataFolder: string;
  log: Log;
}): Promise<DatabaseServer> {
  const { databaseUrl, dataFolder, log } = options;
  if (databaseUrl !== null) {
    return {
      connection: { connectionString: databaseUrl },
      embeddedIn: null,
      ended: new Promise(() => {}),
      stop: async () => {},
    };
  }
  const embedded = await startEmbedded({ dataFolder, log });
  return { ...embedded, embeddedIn: embedded.dataFolder };
}
