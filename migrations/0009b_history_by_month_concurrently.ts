import { type Kysely, sql } from 'kysely';

/**
 * Reads the whole history, once for each statement, while others read and write it: outside of a transaction, because
 * PostgreSQL builds an index beside its writers in no other way. Broken off, it can be done again.
 */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `alter table history validate constraint history_bound`,
  `drop index concurrently if exists history_past_key`,
  `create unique index concurrently history_past_key on history (organisation_id, id, recorded_at)`,
  `drop index concurrently if exists history_past_time`,
  `create index concurrently history_past_time on history (organisation_id, licence, at, id)`,
];
