import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { createDatabase } from '../../src/database/database.ts';
import { startEmbedded } from '../../src/database/embedded.ts';
import { migrateToLatest } from '../../src/database/migrate.ts';
import { expectNoSecretsOfRun, folderVariable } from './secrets.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A PostgreSQL for this run alone, with the database `template`, migrated. */
    postgres: { host: string; port: number; user: string; password: string };
    /** As what the server works there. */
    runtime: { user: string; password: string };
  }
}

export const template = 'template_seatkeeper';

const silent = { error() {}, warn() {}, info() {}, debug() {} };

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'seatkeeper-test-'));
  const logs = mkdtempSync(join(tmpdir(), 'seatkeeper-test-logs-'));
  process.env[folderVariable] = logs;
  // What one process of the run compiled the others need not: there are dozens.
  process.env['NODE_COMPILE_CACHE'] = join(dataFolder, 'compiled');
  const postgres = await startEmbedded({ dataFolder, log: silent, durable: false });
  const { host, port, user, password } = postgres.owner;
  const admin = new pg.Client({ ...postgres.owner });
  await admin.connect();
  await admin.query(`create database ${template}`);
  await admin.end();
  const { db, close } = createDatabase({ ...postgres.owner, database: template });
  await migrateToLatest(db);
  await close();
  project.provide('postgres', { host, port, user, password });
  const { connection } = postgres;
  project.provide('runtime', { user: connection.user, password: connection.password });
  return async () => {
    await postgres.stop();
    rmSync(dataFolder, { recursive: true, force: true });
    try {
      expectNoSecretsOfRun(logs);
    } finally {
      rmSync(logs, { recursive: true, force: true });
    }
  };
}
