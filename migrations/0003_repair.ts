import { type Kysely, sql } from 'kysely';

/** What `verify --repair` found and set right. */
export async function up(db: Kysely<never>): Promise<void> {
  await sql
    .raw(
      `create table repair (
         organisation_id uuid not null references organisation,
         id bigint not null generated always as identity,
         at timestamptz(3) not null,
         findings jsonb not null,
         primary key (organisation_id, id)
       )`,
    )
    .execute(db);
}
