import { type Kysely, sql } from 'kysely';

/** By which terms a month is billed is kept as it ends. Every statement is instant. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // Without a check, which would read every row: they are copies of what was checked.
  `alter table closed_period add column currency text, add column partial_months partial_months`,
  `comment on column closed_period.currency is 'of the terms that held as it was closed; null: closed before this was kept'`,
];
