import { type Kysely, sql } from 'kysely';

/**
 * What is told before it costs: caps on contingency seats, thresholds, and the alerts that were raised. Every statement
 * is instant.
 */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const isVisible = (table: string) => `
  (select sees_every_tenant()) or organisation_id = (select present_tenant())
  or organisation_id = (select below.id from below_present_partner below where below.id = ${table}.organisation_id)`;

const statements = [
  `create type alert_kind as enum ('CONCURRENT_NEARLY_FULL', 'CONTINGENCY_FIRST_SEAT', 'CONTINGENCY_NEW_PEAK',
     'CONTINGENCY_NEARLY_FULL', 'BASE_NEARLY_GONE')`,

  // Not columns of pool: a server of the version before has statements prepared that read all of its columns. Admission
  // reads a row of this with the pool's; most pools have none.
  `create table pool_watch (
     organisation_id uuid not null references organisation,
     licence text collate "C" not null references licence,
     contingency_cap integer check (contingency_cap >= 0),
     caps jsonb,
     thresholds jsonb,
     raised jsonb not null,
     primary key (organisation_id, licence),
     check (caps is not null or contingency_cap is null)
   )`,
  `comment on table pool_watch is 'what is set for a pool, and what has been said of it; no row: nothing'`,
  `comment on column pool_watch.contingency_cap is 'of caps, what holds in the organisation''s billing period (W1)'`,
  `comment on column pool_watch.caps is '{"everyMonth": 3, "months": {"24312": 0}}; null: none'`,
  `comment on column pool_watch.thresholds is 'when to be told (W3); null: as is usual'`,
  `comment on column pool_watch.raised is 'the kinds of alerts that were raised and have not cleared'`,

  `create table alert (
     organisation_id uuid not null,
     id uuid not null,
     revision bigint not null,
     licence text collate "C" not null,
     kind alert_kind not null,
     at timestamptz(3) not null,
     used integer not null,
     total integer not null,
     previous integer,
     percent integer,
     acknowledged_at timestamptz(3),
     acknowledged_by uuid,
     primary key (organisation_id, id),
     check (acknowledged_by is null or acknowledged_at is not null)
   )`,
  `comment on table alert is 'append-only, but for who has acknowledged it'`,
  `comment on column alert.revision is 'the organisation''s, of the change that raised it'`,
  `create index alert_newest on alert (organisation_id, at, id)`,
  `create index alert_open on alert (organisation_id, at, id) where acknowledged_at is null`,
  `create index alert_revision on alert (organisation_id, revision)`,

  ...['pool_watch', 'alert'].flatMap((table) => [
    `alter table ${table} enable row level security`,
    `create policy tenant on ${table} using (${isVisible(table)})`,
  ]),
  `grant select, insert, update on pool_watch to seatkeeper_runtime`,
  `grant select, insert, update (acknowledged_at, acknowledged_by) on alert to seatkeeper_runtime`,
];
