import { type Kysely, sql } from 'kysely';

/**
 * The whole of the first version. `organisation_id` leads every primary key and every index but those by which an
 * organisation itself is found: the tables can be distributed by it.
 */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // Trigrams make "contains" searches an index's work; btree_gin lets that index begin with the organisation.
  `create extension if not exists pg_trgm`,
  `create extension if not exists btree_gin`,

  `create type licence_category as enum ('USER', 'FEATURE', 'PRODUCT')`,
  `create type seat_model as enum ('CONCURRENT', 'FIXED')`,
  `create type user_status as enum ('PRE_ACTIVE', 'ACTIVE', 'SUSPENDED', 'DELETED')`,
  `create type admitted_as as enum ('CONCURRENT', 'CONTINGENCY', 'FIXED')`,
  `create type unavailable_reason as enum
     ('NOT_ASSIGNED', 'NOT_PURCHASED', 'NO_SEAT_AVAILABLE', 'CONTINGENCY_CAPPED', 'ALLOTMENT_FULL')`,
  `create type session_end_reason as enum
     ('LOGOFF', 'LEASE_EXPIRED', 'FORCED', 'USER_SUSPENDED', 'USER_DELETED', 'LICENCE_UNASSIGNED')`,
  `create type history_kind as enum ('ACQUIRED', 'RELEASED', 'TOTALS_CHANGED')`,

  `create table licence (
     code text collate "C" primary key check (code ~ '^[A-Z][A-Z0-9_]{0,63}$'),
     position integer not null unique,
     name text not null,
     category licence_category not null,
     seat_model seat_model not null,
     contingency_allowed boolean not null,
     channel boolean not null default false,
     channel_required boolean not null default false,
     second_factor_required boolean not null default false,
     reassignment_days integer not null check (reassignment_days >= 0),
     check (seat_model = 'CONCURRENT' or not contingency_allowed),
     check (category = 'FEATURE' or not channel),
     check (category <> 'FEATURE' or (not channel_required and not second_factor_required and reassignment_days = 0))
   )`,
  `comment on column licence.position is 'catalogue order'`,
  `comment on column licence.reassignment_days is 'length of a base licence''s period (B1); 0: none (B7)'`,

  `create table organisation (
     id uuid primary key,
     parent_id uuid references organisation,
     name text not null,
     external_id text unique,
     time_zone text not null,
     lease_seconds integer not null check (lease_seconds between 10 and 86400),
     test_clock boolean not null,
     settled_at timestamptz(3) not null,
     next_due_at timestamptz(3) not null,
     period_month integer not null,
     period_from timestamptz(3) not null,
     period_until timestamptz(3) not null,
     active_users integer not null check (active_users >= 0),
     active_in_billing_period integer not null,
     revision bigint not null check (revision > 0),
     rows_revision bigint not null,
     created_at timestamptz(3) not null,
     search_text text not null generated always as (lower(name || ' ' || coalesce(external_id, ''))) stored,
     check (id <> parent_id),
     check (period_from <= settled_at and settled_at < period_until),
     check (next_due_at <= period_until),
     check (active_in_billing_period >= active_users),
     check (rows_revision <= revision)
   )`,
  `comment on column organisation.settled_at is
     'all that fell due up to here has taken effect (T3); a test clock stands here (T2)'`,
  `comment on column organisation.next_due_at is 'nothing falls due before this instant'`,
  `comment on column organisation.period_month is 'the running billing period''s month: year * 12 + month - 1 (T1)'`,
  `comment on column organisation.rows_revision is 'when all rows of the organisation last changed together (C5)'`,
  `create index organisation_newest on organisation (created_at, id)`,
  `create index organisation_parent on organisation (parent_id)`,
  `create index organisation_due on organisation (next_due_at) where not test_clock`,
  `create index organisation_search on organisation using gin (search_text gin_trgm_ops)`,

  `create table billing_period (
     organisation_id uuid not null references organisation,
     month integer not null,
     "from" timestamptz(3) not null,
     until timestamptz(3) not null check (until > "from"),
     primary key (organisation_id, month)
   )`,

  `create table "user" (
     organisation_id uuid not null references organisation,
     id uuid not null,
     username text collate "C" not null,
     display_name text not null,
     email text,
     external_id text,
     status user_status not null,
     active_month integer,
     created_at timestamptz(3) not null,
     search_text text not null generated always as
       (lower(username || ' ' || display_name || ' ' || coalesce(email, ''))) stored,
     primary key (organisation_id, id)
   )`,
  `comment on column "user".active_month is 'the last billing period (its month) in which an inactive user was ACTIVE (U2)'`,
  `create unique index user_username on "user" (organisation_id, username) where status <> 'DELETED'`,
  `create index user_by_username on "user" (organisation_id, username, id)`,
  `create index user_search on "user" using gin (organisation_id, search_text gin_trgm_ops)`,

  `create table user_status_interval (
     organisation_id uuid not null,
     id bigint not null generated always as identity,
     user_id uuid not null,
     status user_status not null,
     "from" timestamptz(3) not null,
     until timestamptz(3) check (until >= "from"),
     primary key (organisation_id, id),
     foreign key (organisation_id, user_id) references "user"
   )`,
  `create unique index user_status_interval_present on user_status_interval (organisation_id, user_id)
     where until is null`,

  `create table purchase (
     organisation_id uuid not null references organisation,
     id uuid not null,
     licence text collate "C" not null references licence,
     base integer not null check (base >= 0),
     concurrent integer not null check (concurrent >= 0),
     contingency integer not null check (contingency >= 0),
     "from" timestamptz(3) not null,
     until timestamptz(3) check (until >= "from"),
     reference text,
     recorded_at timestamptz(3) not null,
     primary key (organisation_id, id),
     check (base > 0 or concurrent > 0 or contingency > 0)
   )`,
  `create index purchase_newest on purchase (organisation_id, recorded_at, id)`,
  `create index purchase_start on purchase (organisation_id, "from")`,
  `create index purchase_end on purchase (organisation_id, until) where until is not null`,
  `create index purchase_licence on purchase (organisation_id, licence, until)`,

  `create table pool (
     organisation_id uuid not null references organisation,
     licence text collate "C" not null references licence,
     base_total integer not null check (base_total >= 0),
     concurrent_total integer not null check (concurrent_total >= 0),
     contingency_total integer not null check (contingency_total >= 0),
     in_use integer not null check (in_use >= 0),
     max_used integer not null,
     max_used_at timestamptz(3),
     assigned integer not null check (assigned >= 0),
     reusable integer not null check (reusable >= 0),
     locked integer not null check (locked >= 0),
     holders integer not null check (holders >= assigned),
     purchases integer not null check (purchases >= 0),
     revision bigint not null,
     primary key (organisation_id, licence),
     check (max_used >= least(greatest(in_use - concurrent_total, 0), contingency_total)),
     check ((max_used = 0) = (max_used_at is null))
   )`,
  `comment on table pool is 'the kept counters of one licence of one organisation: what the Licence Mapping page shows'`,

  `create table assignment (
     organisation_id uuid not null,
     id uuid not null,
     user_id uuid not null,
     licence text collate "C" not null references licence,
     assigned_at timestamptz(3) not null,
     consumed_at timestamptz(3),
     removed_at timestamptz(3) check (removed_at >= assigned_at),
     primary key (organisation_id, id),
     foreign key (organisation_id, user_id) references "user"
   )`,
  `comment on column assignment.consumed_at is 'since when it occupies a base licence or fixed seat; null: planned, or not needed (B6, B7)'`,
  `create unique index assignment_present on assignment (organisation_id, user_id, licence) where removed_at is null`,
  `create index assignment_licence on assignment (organisation_id, licence, user_id) where removed_at is null`,

  `create table base_licence (
     organisation_id uuid not null,
     id uuid not null,
     licence text collate "C" not null references licence,
     holder_id uuid,
     last_holder_id uuid not null,
     period_until timestamptz(3) not null,
     reassigned boolean not null,
     primary key (organisation_id, id),
     foreign key (organisation_id, last_holder_id) references "user",
     check (holder_id is null or holder_id = last_holder_id)
   )`,
  `comment on table base_licence is 'one that is held, REUSABLE or LOCKED; a FREE one has no row (B2)'`,
  `create unique index base_licence_holder on base_licence (organisation_id, holder_id, licence)
     where holder_id is not null`,
  `create index base_licence_released on base_licence (organisation_id, licence, reassigned, period_until)
     where holder_id is null`,
  `create index base_licence_returning on base_licence (organisation_id, last_holder_id, licence)
     where holder_id is null`,
  `create index base_licence_due on base_licence (organisation_id, period_until) where holder_id is null`,

  `create table session (
     organisation_id uuid not null,
     id uuid not null,
     user_id uuid not null,
     licence text collate "C" not null references licence,
     device text not null,
     admitted_as admitted_as not null,
     started_at timestamptz(3) not null,
     expires_at timestamptz(3) not null check (expires_at > started_at),
     ended_at timestamptz(3) check (ended_at between started_at and expires_at),
     end_reason session_end_reason,
     version integer not null,
     primary key (organisation_id, id),
     foreign key (organisation_id, user_id) references "user",
     check ((ended_at is null) = (end_reason is null))
   )`,
  `create unique index session_live_device on session (organisation_id, user_id, device) where ended_at is null`,
  `create index session_due on session (organisation_id, expires_at) where ended_at is null`,
  `create index session_newest on session (organisation_id, started_at, id)`,
  `create index session_live_newest on session (organisation_id, started_at, id) where ended_at is null`,

  `create table session_feature (
     organisation_id uuid not null,
     session_id uuid not null,
     licence text collate "C" not null references licence,
     admitted_as admitted_as,
     unavailable_reason unavailable_reason,
     primary key (organisation_id, session_id, licence),
     foreign key (organisation_id, session_id) references session,
     check ((admitted_as is null) <> (unavailable_reason is null))
   )`,

  // The primary key is the rule that one user occupies one seat of a licence, however many devices (L2).
  `create table hold (
     organisation_id uuid not null,
     user_id uuid not null,
     licence text collate "C" not null references licence,
     admitted_as admitted_as not null,
     acquired_at timestamptz(3) not null,
     primary key (organisation_id, user_id, licence),
     foreign key (organisation_id, user_id) references "user"
   )`,

  `create table history (
     organisation_id uuid not null references organisation,
     id bigint not null generated always as identity,
     at timestamptz(3) not null,
     kind history_kind not null,
     licence text collate "C" not null references licence,
     user_id uuid,
     session_id uuid,
     admitted_as admitted_as,
     seat_changed boolean not null,
     in_use integer not null,
     concurrent_total integer not null,
     contingency_total integer not null,
     max_used integer not null,
     primary key (organisation_id, id),
     check ((kind in ('ACQUIRED', 'RELEASED')) = (user_id is not null and session_id is not null and admitted_as is not null))
   )`,
  `comment on column history.seat_changed is 'false where the user holds the seat on another device too: counted once (L2)'`,

  `create table denial (
     organisation_id uuid not null,
     id uuid not null,
     user_id uuid not null,
     licence text collate "C" not null references licence,
     code text not null,
     at timestamptz(3) not null,
     primary key (organisation_id, id),
     foreign key (organisation_id, user_id) references "user"
   )`,
  `create index denial_newest on denial (organisation_id, at, id)`,

  `create table idempotency_key (
     organisation_id uuid not null,
     scope text not null,
     key text not null,
     arguments text not null,
     outcome jsonb not null,
     created_at timestamptz(3) not null,
     primary key (organisation_id, scope, key)
   )`,
  `comment on column idempotency_key.created_at is 'real time, also in an organisation with a test clock (L6)'`,
  `create index idempotency_key_age on idempotency_key (created_at)`,

  `insert into licence
     (position, code, name, category, seat_model, contingency_allowed, channel, channel_required, second_factor_required, reassignment_days)
   values
     (10, 'INBOUND_AGENT', 'Inbound Agent', 'USER', 'CONCURRENT', true, false, true, false, 90),
     (20, 'OUTBOUND_AGENT', 'Outbound Agent', 'USER', 'CONCURRENT', true, false, true, false, 90),
     (30, 'SUPERVISOR', 'Supervisor', 'USER', 'CONCURRENT', true, false, false, false, 90),
     (40, 'CONTACT_SWITCHBOARD_OPERATOR', 'Contact Switchboard Operator', 'USER', 'CONCURRENT', true, false, false, false, 90),
     (50, 'SUPERVISOR_SWITCHBOARD_OPERATOR', 'Supervisor Switchboard Operator', 'USER', 'CONCURRENT', true, false, false, false, 90),
     (60, 'UC_USER', 'UC User', 'USER', 'FIXED', false, false, false, false, 90),
     (70, 'UC_SWITCHBOARD_OPERATOR', 'UC Switchboard Operator', 'USER', 'FIXED', false, false, false, false, 90),
     (80, 'TEAMS_USER', 'Teams User', 'USER', 'FIXED', false, false, false, false, 90),
     (90, 'MEETING_ROOM', 'Meeting Room', 'USER', 'FIXED', false, false, false, false, 90),
     (100, 'ADMINISTRATOR', 'Administrator', 'USER', 'FIXED', false, false, false, true, 90),
     (110, 'VIEW', 'View', 'PRODUCT', 'FIXED', false, false, false, false, 90),
     (120, 'RECORDER', 'Recorder', 'PRODUCT', 'FIXED', false, false, false, false, 90),
     (130, 'AGENT_CALLS', 'Agent Calls', 'FEATURE', 'CONCURRENT', true, true, false, false, 0),
     (140, 'AGENT_SMS', 'Agent SMS', 'FEATURE', 'CONCURRENT', true, true, false, false, 0),
     (150, 'AGENT_EMAIL', 'Agent E-mail', 'FEATURE', 'CONCURRENT', true, true, false, false, 0),
     (160, 'AGENT_WEB_CHAT', 'Agent Web Chat', 'FEATURE', 'CONCURRENT', true, true, false, false, 0),
     (170, 'AGENT_SOCIAL_MEDIA', 'Agent Social Media', 'FEATURE', 'CONCURRENT', true, true, false, false, 0),
     (180, 'RECORDING', 'Recording', 'FEATURE', 'CONCURRENT', true, false, false, false, 0),
     (190, 'CONFERENCING', 'Conferencing', 'FEATURE', 'CONCURRENT', true, false, false, false, 0),
     (200, 'REPORTING', 'Reporting', 'FEATURE', 'CONCURRENT', true, false, false, false, 0),
     (210, 'VOICEMAIL', 'Voicemail', 'FEATURE', 'CONCURRENT', true, false, false, false, 0),
     (220, 'PADLOCK', 'Padlock', 'FEATURE', 'FIXED', false, false, false, false, 0),
     (230, 'CTI', 'CTI', 'FEATURE', 'FIXED', false, false, false, false, 0)`,
];
