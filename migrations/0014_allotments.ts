import { type Kysely, sql } from 'kysely';

/** A customer's pool divided over its departments. Every statement is instant. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const tables = ['department', 'department_member', 'allotment'];

const statements = [
  `create table department (
     organisation_id uuid not null references organisation,
     id uuid not null,
     name text not null,
     primary key (organisation_id, id)
   )`,
  `create unique index department_name on department (organisation_id, lower(name))`,

  // Not a column of "user": a server of the version before has statements prepared that read all of its columns.
  `create table department_member (
     organisation_id uuid not null,
     user_id uuid not null,
     department_id uuid not null,
     primary key (organisation_id, user_id),
     foreign key (organisation_id, user_id) references "user",
     foreign key (organisation_id, department_id) references department
   )`,
  `comment on table department_member is 'a user is in one department or in none'`,
  `create index department_member_department on department_member (organisation_id, department_id)`,

  `create table allotment (
     organisation_id uuid not null,
     licence text collate "C" not null,
     department_id uuid not null,
     reserved integer not null check (reserved >= 0),
     maximum integer check (maximum >= reserved),
     in_use integer not null check (in_use >= 0),
     primary key (organisation_id, licence, department_id),
     foreign key (organisation_id, licence) references pool,
     foreign key (organisation_id, department_id) references department,
     check (reserved > 0 or maximum is not null)
   )`,
  `comment on column allotment.in_use is 'the holds of the department''s members'`,
  `comment on column allotment.maximum is 'null: as many as there are'`,
  // A logon changes in_use alone, which no index holds.
  `alter table allotment set (fillfactor = 50)`,

  // As all tables with an organisation are walled in by the migration before.
  ...tables.flatMap((table) => [
    `alter table ${table} enable row level security`,
    `create policy tenant on ${table} using (
       (select sees_every_tenant()) or organisation_id = (select present_tenant())
       or organisation_id = (select below.id from below_present_partner below where below.id = ${table}.organisation_id))`,
    `grant select, insert, update, delete on ${table} to seatkeeper_runtime`,
  ]),
];
