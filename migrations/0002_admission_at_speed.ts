import { type Kysely, sql } from 'kysely';

/**
 * What a logon and a renewal write, made cheap. Every statement but the index's build is instant, whatever the tables
 * hold; that one reads the live sessions only.
 */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // A renewal moves expires_at. While an index stood on it, each renewal wrote to every index of the table; now it
  // rewrites the row in place. What the index has instead is a lower bound, set right when it falls due.
  `alter table session add column due_at timestamptz(3) not null default '-infinity'`,
  `comment on column session.due_at is 'the lease is not over before this instant: at or before expires_at'`,
  `alter table session add check (due_at <= expires_at) not valid`,
  `drop index session_due`,
  // Of the two ways to say that a session is live (a check makes them one), each of these indexes understands the one
  // by which it is meant to be used: a plan made at night, when nobody is logged on and all indexes of live sessions
  // cost the same, is then the right one in the morning too.
  `create index session_due on session (organisation_id, due_at) where end_reason is null`,
  `drop index session_live_newest`,
  `create index session_live_newest on session (organisation_id, started_at, id) where end_reason is null`,
  // Room on each page for the next version of its rows.
  `alter table session set (fillfactor = 75)`,
  `alter table pool set (fillfactor = 50)`,
  `alter table organisation set (fillfactor = 50)`,

  // A row that admission writes names a user, a licence and an organisation that it read under the organisation's lock,
  // and none of the three is ever deleted. Looking each up again doubled the cost of a logon, and every such look-up
  // also locks the one row of the licence that all tenants share.
  `alter table session drop constraint session_licence_fkey`,
  `alter table session drop constraint session_organisation_id_user_id_fkey`,
  `alter table session_feature drop constraint session_feature_licence_fkey`,
  `alter table hold drop constraint hold_licence_fkey`,
  `alter table hold drop constraint hold_organisation_id_user_id_fkey`,
  `alter table history drop constraint history_licence_fkey`,
  `alter table history drop constraint history_organisation_id_fkey`,
  `alter table denial drop constraint denial_organisation_id_user_id_fkey`,
];
