import type { Transaction as KyselyTransaction } from 'kysely';
import type { Database } from './database.ts';
import type { DB } from './tables.ts';

export type Transaction = KyselyTransaction<DB>;

export function inTransaction<Answer>(
  db: Database,
  _name: string,
  work: (trx: Transaction) => Promise<Answer>,
): Promise<Answer> {
  return db.transaction().execute(work);
}
