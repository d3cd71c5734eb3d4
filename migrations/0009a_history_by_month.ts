import { type Kysely, sql } from 'kysely';

/**
 * The history by month, in three migrations. This one lets every row know when it was recorded, and bounds the table that
 * is to become the first partition. Instant, but for the table's exclusive lock.
 */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // Whoever logs on meanwhile waits behind whoever waits for this lock: so it is tried for a moment, again and again.
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

  // The default of the rows that are there is reckoned once, and written nowhere; that of new rows is each one's own.
  `alter table history
    add column recorded_at timestamptz(3) not null default now(),
    add column due boolean not null default false`,
  `alter table history alter column recorded_at set default clock_timestamp()`,
  `comment on column history.recorded_at is 'real time, also of an organisation with a test clock: which partition has the row'`,
  `comment on column history.due is 'of a step that time took, not a request (T3); of what was recorded before there was this column, not known: false'`,

  // Far enough away for the next two migrations to take days. Without it an exclusive lock would be held while the table
  // is read.
  `do $$
  begin
    execute format('alter table history add constraint history_bound check (recorded_at < %L) not valid',
      date_trunc('month', now(), 'UTC') + interval '2 months');
  end $$`,
];
