import {
  CompiledQuery,
  type DatabaseConnection,
  DummyDriver,
  PostgresDialect,
  Transaction as KyselyTransaction,
} from 'kysely';
import { failureCode } from '../kernel/failure.ts';
import type { Database } from './database.ts';
import type { DB } from './tables.ts';
import { WalledConnection } from './wall.ts';

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

interface TransactionOptions<Answer> {
  /** What is written last: its statements are all sent before it returns, and the commit right behind them. */
  readonly write?: (trx: Transaction, answer: Answer) => readonly unknown[];
  /** PostgreSQL's settings while the transaction lasts. */
  readonly settings?: Settings;
}

export type Settings = Readonly<Record<string, string | number>>;

/**
 * Does `work` in one transaction: all of it is written, or nothing. Of a database within tenants (wall.ts) it sees what
 * the database sees. Where PostgreSQL gives it up for another's sake
 * (a deadlock, a serialization failure) it is done again, up to 3 times: `work` must have no effect outside `trx`.
 *
 * @throws TransactionError carrying `name`, whatever `work` threw.
 */
export async function inTransaction<Answer>(
  db: Database,
  name: string,
  work: (trx: Transaction) => Promise<Answer>,
  options: TransactionOptions<Answer> = {},
): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db
        .getExecutor()
        .provideConnection((connection) => transact(db, connection, work, options));
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
  provided: DatabaseConnection,
  work: (trx: Transaction) => Promise<Answer>,
  { write, settings = {} }: TransactionOptions<Answer>,
): Promise<Answer> {
  const { inner: connection, begin } =
    provided instanceof WalledConnection ? provided : { inner: provided, begin: 'begin' };
  let isOver = false;
  const executor = db.getExecutor().withConnectionProvider({
    provideConnection: async (execute) => {
      // Of statements that were sent together one may fail, and what would follow on another must not stand by itself.
      if (isOver) throw new Error('The transaction is over');
      return execute(connection);
    },
  });
  const driver = new DummyDriver();
  const trx = new KyselyTransaction<DB>({ config: { dialect }, dialect, driver, executor });
  const set = Object.entries(settings).map(([setting, value]) => `; set local ${setting} = ${value}`);
  const begun = connection.executeQuery(CompiledQuery.raw(`${begin}${set.join('')}`));
  try {
    const [answer] = await Promise.all([work(trx), begun]);
    const written = Promise.all(write?.(trx, answer) ?? []);
    let unsent: { readonly error: unknown } | undefined;
    written.catch((error: unknown) => {
      unsent = { error };
    });
    // What could not even be sent has failed once this tick is over, and must not be missing from what is committed.
    await new Promise((resolve) => process.nextTick(resolve));
    isOver = true;
    if (unsent !== undefined) throw unsent.error;
    const committed = connection.executeQuery<{ readonly command: string }>(CompiledQuery.raw('commit'));
    // Of a statement that failed beside a commit that failed, the statement's error says why.
    committed.catch(() => {});
    await written;
    const { rows } = await committed;
    // Where a statement failed and nobody minded, PostgreSQL answers a commit by having rolled back.
    if (rows[0]?.command === 'ROLLBACK') throw new Error('The transaction was rolled back');
    return answer;
  } catch (error) {
    isOver = true;
    await connection.executeQuery(CompiledQuery.raw('rollback')).catch(() => {});
    throw error;
  }
}

/**
 * For the transactions that are done again and again. Their statements are planned once, and find their rows by an
 * index, also where the plan is made while a table is empty still: it would stay in use while the table grows.
 */
export const hastened: Settings = {
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
};

/** Before anything else in a transaction: all that it reads is of one moment, and it holds nobody up. */
export async function takeSnapshot(trx: Transaction): Promise<void> {
  await trx.executeQuery(CompiledQuery.raw('set transaction isolation level repeatable read, read only'));
}
