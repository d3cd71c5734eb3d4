import { type Kysely, sql } from 'kysely';

/** What a contract says beside its purchases. Every statement is instant. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // Not columns of organisation: that row is written by every logon.
  `create table contract_option (
     organisation_id uuid primary key references organisation,
     minimum_peak_minutes integer not null default 0 check (minimum_peak_minutes between 0 and 10000)
   )`,
  `comment on table contract_option is 'no row: the defaults'`,
  `alter table contract_option enable row level security`,
  `create policy tenant on contract_option using (
     (select sees_every_tenant()) or organisation_id = (select present_tenant())
     or organisation_id = (select below.id from below_present_partner below where below.id = contract_option.organisation_id))`,
  `grant select, insert, update on contract_option to seatkeeper_runtime`,
];
