import type { Transaction as KyselyTransaction } from 'kysely';
import type { Database } from './database.ts';
import type { DB } from './tables.ts';

export type Transaction = KyselyTransaction<DB>;

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
const serializationFailure = '40001';
const deadlockDetected = '40P01';

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
      return await db.transaction().execute(work);
    } catch (error) {
      if (attempt === attempts || !isWorthRepeating(error)) throw new TransactionError(name, error);
    }
  }
}

function isWorthRepeating(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === serializationFailure || code === deadlockDetected;
}
