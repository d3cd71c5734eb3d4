import { promises as fs } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { sql } from 'kysely';
import {
  DEFAULT_MIGRATION_TABLE,
  FileMigrationProvider,
  type MigrationResult,
  type MigrationResultSet,
  Migrator,
} from 'kysely/migration';
import { failureCode } from '../kernel/failure.ts';
import type { Database } from './database.ts';
import { runtimeRole } from './wall.ts';

/** A failure that a person can act on: its message is one line and needs no stack. */
export class MigrationError extends Error {}

const migrationFolder = path.join(import.meta.dirname, '..', '..', 'migrations');
const oldestPostgres = 15;
const insufficientPrivilege = '42501';

/**
 * Brings the database's schema to this program's version; several servers may do so at once.
 *
 * @returns the names of the migrations that were run; none, where the login may not and there is nothing to do.
 * @throws MigrationError where the database cannot be reached or read, is older than PostgreSQL 15, or newer than this program.
 */
export async function migrateToLatest(db: Database): Promise<string[]> {
  await checkServer(db);
  const { pending, newer } = await compare(db);
  if (pending.length === 0 && newer.length === 0) return [];
  const { error, results } = await alone(db, migrateOneByOne);
  if (error !== undefined) {
    const failed = results?.find((result) => result.status === 'Error')?.migrationName;
    const reason = error instanceof Error ? error.message : 'the migrator gave no reason';
    if (failed === undefined && failureCode(error) === insufficientPrivilege) {
      // Whoever may not migrate can work with what the owner has migrated.
      if (await isMigrated(db)) return [];
      throw new MigrationError(
        'The database is not migrated, and the login may not: set DATABASE_OWNER_URL to its owner’s, or run `npm run migrate` as the owner.',
        { cause: error },
      );
    }
    if (failed === undefined && /missing|corrupted/.test(reason)) {
      throw new MigrationError(
        'The database was migrated by a newer version of this program: start that version, or restore an older copy.',
        { cause: error },
      );
    }
    throw new MigrationError(`The migration ${failed ?? 'of the database'} failed: ${reason}`, {
      cause: error,
    });
  }
  return (results ?? []).map((result) => result.migrationName);
}

/**
 * Each migration is a transaction of its own, or none where its name says so: an index is built beside its table's writers
 * in no other way.
 */
async function migrateOneByOne(db: Database): Promise<MigrationResultSet> {
  const { pending } = await compare(db);
  // Another server may have done it all meanwhile. Of what a newer program did the migrator complains itself.
  if (pending.length === 0) return migrator(db).migrateUp();
  const done: MigrationResult[] = [];
  for (const name of pending) {
    const { error, results = [] } = await migrator(db).migrateUp({
      disableTransactions: name.endsWith('_concurrently'),
    });
    done.push(...results);
    if (error !== undefined) return done.length === 0 ? { error } : { error, results: done };
  }
  return { results: done };
}

const lockKey = 4_072_026;
const tryAgainMilliseconds = 200;

/**
 * Does it while no other server does, on one connection. Kysely's own lock is waited for within a statement, and an index
 * that is being built beside others waits for every statement that began before it: each would wait for the other.
 */
async function alone<Answer>(db: Database, work: (db: Database) => Promise<Answer>): Promise<Answer> {
  return db.connection().execute(async (connection) => {
    for (;;) {
      const { rows } = await sql<{ mine: boolean }>`select pg_try_advisory_lock(${lockKey}) as mine`.execute(
        connection,
      );
      if (rows[0]?.mine === true) break;
      await delay(tryAgainMilliseconds);
    }
    try {
      return await work(connection);
    } finally {
      await sql`select pg_advisory_unlock(${lockKey})`.execute(connection);
    }
  });
}

/**
 * True when the database has every migration that this program knows; throws where it does not answer.
 * @throws MigrationError where the login may not read it
 */
export async function isMigrated(db: Database): Promise<boolean> {
  return (await compare(db)).pending.length === 0;
}

/**
 * The migrations of the program and of the database that the other one lacks, in their order. The migrator would tell as
 * well, but describes every table of the database first: too much for what each start and each look at /readyz asks.
 */
async function compare(db: Database): Promise<{ pending: string[]; newer: string[] }> {
  const files = (await fs.readdir(migrationFolder)).filter((file) => file.endsWith('.ts'));
  const known = files.map((file) => path.parse(file).name).sort();
  const { rows: there } = await sql<{ is: boolean }>`
    select to_regclass(${DEFAULT_MIGRATION_TABLE}) is not null as is`.execute(db);
  if (there[0]?.is !== true) return { pending: known, newer: [] };
  const { rows } = await listDone(db);
  const done = new Set(rows.map(({ name }) => name));
  return {
    pending: known.filter((name) => !done.has(name)),
    newer: [...done].filter((name) => !known.includes(name)),
  };
}

async function listDone(db: Database) {
  try {
    return await sql<{ name: string }>`
      select name from ${sql.table(DEFAULT_MIGRATION_TABLE)} order by name`.execute(db);
  } catch (error) {
    if (failureCode(error) !== insufficientPrivilege) throw error;
    const { rows } = await sql<{ login: string }>`select quote_ident(current_user) as login`.execute(db);
    throw new MigrationError(
      `The login may not read the database: run \`grant ${runtimeRole} to ${rows[0]?.login}\` as its owner.`,
      { cause: error },
    );
  }
}

async function checkServer(db: Database): Promise<void> {
  let version: number;
  try {
    const answer = await sql<{ version: number }>`
      select current_setting('server_version_num')::int as version`.execute(db);
    version = answer.rows[0]?.version ?? 0;
  } catch (error) {
    throw new MigrationError(`The database cannot be reached: ${reasonOf(error)}`, { cause: error });
  }
  const major = Math.floor(version / 10_000);
  if (major < oldestPostgres) {
    throw new MigrationError(
      `The database is PostgreSQL ${major}: this program needs ${oldestPostgres} or later.`,
    );
  }
}

/** A connection refused on every address of a host is an AggregateError without a message of its own. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join(', ');
  return error instanceof Error ? error.message : 'the migrator gave no reason';
}

function migrator(db: Database): Migrator {
  return new Migrator({
    // The migrations write plain SQL: the plugin that turns names around has no part in them.
    db: db.withoutPlugins(),
    provider: new FileMigrationProvider({
      fs,
      path,
      migrationFolder,
      import: (file) => import(pathToFileURL(file).href),
    }),
  });
}
