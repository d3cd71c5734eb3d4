import { type Kysely, sql } from 'kysely';

/**
 * The table of the history becomes the first partition of a partitioned one. Instant, but for the table's exclusive lock:
 * that the rows are within the partition's bound is known already, and every index is there.
 */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

/** As in 0007_walls. */
const isVisible = `
  (select sees_every_tenant()) or organisation_id = (select present_tenant())
  or organisation_id = (select below.id from below_present_partner below where below.id = history.organisation_id)`;

const statements = [
  // As in 0009a_history_by_month.
  `do $$
  begin
    for attempt in 1..100 loop
      begin
        set local lock_timeout = '500ms';
        lock table history in access exclusive mode;
        return;
      exception when lock_not_available then
        perform pg_sleep(0.5);
      end;
    end loop;
    raise exception 'the table "history" is in use for too long: end what reads it, then start again';
  end $$`,

  `alter table history rename to history_past`,
  `alter table history_past
    drop constraint history_pkey,
    add constraint history_past_pkey primary key using index history_past_key`,
  // Before PostgreSQL 17 no partitioned table has an identity: its numbers go on in a sequence of its own.
  `do $$
  declare last bigint;
  begin
    select case when is_called then last_value else last_value - 1 end into last from history_id_seq;
    alter table history_past alter column id drop identity;
    execute format('create sequence history_id_seq as bigint start with %s', last + 1);
  end $$`,

  `create table history (
    organisation_id uuid not null,
    id bigint not null default nextval('history_id_seq'),
    at timestamptz(3) not null,
    kind history_kind not null,
    licence text collate "C" not null,
    user_id uuid,
    session_id uuid,
    admitted_as admitted_as,
    seat_changed boolean not null,
    in_use integer not null,
    concurrent_total integer not null,
    contingency_total integer not null,
    max_used integer not null,
    recorded_at timestamptz(3) not null default clock_timestamp(),
    due boolean not null default false,
    primary key (organisation_id, id, recorded_at),
    constraint history_check check (
      (kind in ('ACQUIRED', 'RELEASED')) = (user_id is not null and session_id is not null and admitted_as is not null))
  ) partition by range (recorded_at)`,
  `alter sequence history_id_seq owned by history.id`,
  `create index history_time on history (organisation_id, licence, at, id)`,
  `comment on column history.seat_changed is 'false where the user holds the seat on another device too: counted once (L2)'`,
  `comment on column history.recorded_at is 'real time, also of an organisation with a test clock: which partition has the row'`,
  `comment on column history.due is 'of a step that time took, not a request (T3); of what was recorded before there was this column, not known: false'`,

  `do $$
  declare bound timestamptz;
  begin
    select substring(pg_get_constraintdef(oid) from '''(.+)''')::timestamptz into bound
      from pg_constraint where conrelid = 'history_past'::regclass and conname = 'history_bound';
    execute format('alter table history attach partition history_past for values from (minvalue) to (%L)', bound);
    alter table history_past drop constraint history_bound;
    -- A partition is named after its last month.
    execute format('alter table history_past rename to %I',
      'history_' || to_char((bound - interval '1 day') at time zone 'UTC', 'YYYY_MM'));
  end $$`,
  // Should a month be missing ever, no logon is refused for it.
  `create table history_default partition of history default`,

  // What the program may do it may do to the whole: of the partitions it sees nothing.
  `do $$
  declare part regclass;
  begin
    for part in select inhrelid from pg_inherits where inhparent = 'history'::regclass loop
      execute format('alter table %s enable row level security', part);
      execute format('drop policy if exists tenant on %s', part);
      execute format('revoke all on %s from seatkeeper_runtime', part);
    end loop;
  end $$`,
  `alter table history enable row level security`,
  `create policy tenant on history using (${isVisible})`,
  `grant select, insert on history to seatkeeper_runtime`,
  `grant usage on sequence history_id_seq to seatkeeper_runtime`,

  // The owner's work, which the program asks for: it owns nothing, and could make no partition.
  `create function make_history_months() returns integer language plpgsql security definer
    set search_path = public, pg_temp set lock_timeout = '500ms' as $$
  declare
    month timestamp;
    name text;
    made integer := 0;
  begin
    -- Several servers ask at once: one is enough.
    if not pg_try_advisory_xact_lock(hashtext('history_months')) then return 0; end if;
    select to_date(max(right(c.relname, 7)), 'YYYY_MM') into month
      from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'history'::regclass and c.relname ~ '^history_\\d{4}_\\d\\d$';
    loop
      month := month + interval '1 month';
      exit when month > (now() at time zone 'UTC') + interval '1 year';
      -- A month of which rows stand among those of no month keeps standing there.
      continue when exists (select from history_default
        where recorded_at >= month at time zone 'UTC' and recorded_at < (month + interval '1 month') at time zone 'UTC');
      name := 'history_' || to_char(month, 'YYYY_MM');
      -- Attached, not made as a partition: that would lock out whoever writes the history.
      execute format('create table %I (like history including defaults including constraints)', name);
      execute format('alter table %I enable row level security', name);
      execute format('alter table history attach partition %I for values from (%L) to (%L)',
        name, month at time zone 'UTC', (month + interval '1 month') at time zone 'UTC');
      made := made + 1;
    end loop;
    return made;
  end $$`,
  `comment on function make_history_months() is 'partitions of the history for the year to come; says how many were missing'`,
  `revoke execute on function make_history_months() from public`,
  `grant execute on function make_history_months() to seatkeeper_runtime`,
  `select make_history_months()`,
];
