import { ConfigError, readConfig } from '../config.ts';
import { createDatabase, patient } from '../database/database.ts';
import { EmbeddedPostgresError } from '../database/embedded.ts';
import { MigrationError, migrateToLatest } from '../database/migrate.ts';
import { openServer } from '../database/server.ts';
import { createLog } from '../log.ts';

/** `npm run migrate`: brings the configured database to this version, ahead of a deployment. */
async function migrate(): Promise<void> {
  const config = readConfig(process.env);
  await using open = new AsyncDisposableStack();
  const server = await openServer({ ...config, log: createLog(config.logLevel) });
  open.defer(() => server.stop());
  const { db, close } = createDatabase({ ...server.owner, ...patient });
  open.defer(close);
  const done = await migrateToLatest(db);
  console.log(done.length === 0 ? 'Nothing to do: the database is up to date.' : `Done: ${done.join(', ')}`);
}

try {
  await migrate();
} catch (error) {
  const isPlain =
    error instanceof ConfigError || error instanceof MigrationError || error instanceof EmbeddedPostgresError;
  console.error(isPlain ? error.message : error);
  process.exitCode = 1;
}
