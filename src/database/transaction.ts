import {
  CompiledQuery,
  type DatabaseConnection,
  DummyDriver,
  PostgresDialect,
  sql,
  Transaction as KyselyTransaction,
} from 'kysely';
import { failureCode } from '../kernel/failure.ts';
import type { Database } from './database.ts';
import type { DB } from './tables.ts';

/**
 * One transaction. Its statements are pipelined: those that are executed together (`Promise.all`) are sent together, in
 * the order in which they were called, and cost one round trip.
 */
export type Transaction = KyselyTransaction<DB>;

/** Only asked for what a transaction must not do: to begin another, or to end the pool. */
const dialect = new PostgresDialect({
  pool: () => Promise.reject(new Error('A transaction has one connection')),
});

/** What failed inside a transaction, under the transaction's name; the database's own error is its `cause`. */
export class TransactionError extends Error {
  readonly transaction: string;

  constructor(transaction: string, cause: unknown) {
    super(`${transaction}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = 'TransactionError';
    this.transaction = transaction;
  }
}

const attempts = 4;
/** A serialization failure, a deadlock, and a prepared statement that a migration made stale. */
const worthRepeating = new Set(['40001', '40P01', '0A000']);

/**
 * Does `work` in one transaction: all of it is written, or nothing. Where PostgreSQL gives it up for another's sake
 * (a deadlock, a serialization failure) it is done again, up to 3 times: `work` must have no effect outside `trx`.
 *
 * @throws TransactionError carrying `name`, whatever `work` threw.
 */
export async function inTransaction<Answer>(
  db: Database,
  name: string,
  work: (trx: Transaction) => Promise<Answer>,
): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.getExecutor().provideConnection((connection) => transact(db, connection, work));
    } catch (error) {
      if (attempt === attempts || !worthRepeating.has(failureCode(error) ?? '')) {
        throw new TransactionError(name, error);
      }
    }
  }
}

/** Kysely's own transactions send a statement only when the one before was answered, `begin` included. */
async function transact<Answer>(
  db: Database,
  connection: DatabaseConnection,
  work: (trx: Transaction) => Promise<Answer>,
): Promise<Answer> {
  const executor = db
    .getExecutor()
    .withConnectionProvider({ provideConnection: (execute) => execute(connection) });
  const driver = new DummyDriver();
  const trx = new KyselyTransaction<DB>({ config: { dialect }, dialect, driver, executor });
  const begun = connection.executeQuery(CompiledQuery.raw('begin'));
  try {
    const [answer] = await Promise.all([work(trx), begun]);
    const { rows } = await connection.executeQuery<{ readonly command: string }>(CompiledQuery.raw('commit'));
    // Where a statement failed and nobody minded, PostgreSQL answers a commit by having rolled back.
    if (rows[0]?.command === 'ROLLBACK') throw new Error('The transaction was rolled back');
    return answer;
  } catch (error) {
    await connection.executeQuery(CompiledQuery.raw('rollback')).catch(() => {});
    throw error;
  }
}

/** How long the rest of the transaction waits for a lock that somebody else holds, instead of the usual. */
export async function limitLockWait(trx: Transaction, milliseconds: number): Promise<void> {
  await sql`set local lock_timeout = ${sql.lit(milliseconds)}`.execute(trx);
}
