import { type Kysely, sql } from 'kysely';

/** The history summed up in spans of time, so that years of it are read in no time, and its rows need not be kept. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

/** As in 0007_walls. */
const isVisible = (table: string) => `
  (select sees_every_tenant()) or organisation_id = (select present_tenant())
  or organisation_id = (select below.id from below_present_partner below where below.id = ${table}.organisation_id)`;

const grants = {
  usage_rollup: 'select, insert, update',
  usage_progress: 'select, insert, update',
  // Written by the owner alone, from what it drops.
  history_opening: 'select',
} as const;

const statements = [
  `create table usage_rollup (
    organisation_id uuid not null,
    licence text collate "C" not null,
    width smallint not null check (width in (5, 60, 1440)),
    at timestamptz(3) not null,
    in_use_minimum integer not null,
    in_use_maximum integer not null,
    in_use_milliseconds bigint not null,
    concurrent_minimum integer not null,
    concurrent_maximum integer not null,
    concurrent_milliseconds bigint not null,
    contingency_minimum integer not null,
    contingency_maximum integer not null,
    contingency_milliseconds bigint not null,
    in_use integer not null,
    concurrent_total integer not null,
    contingency_total integer not null,
    denials integer not null,
    primary key (organisation_id, licence, width, at)
  )`,
  `comment on table usage_rollup is 'what was in use in a span of time; only spans in which something happened: in a gap all stays as the last one left it'`,
  `comment on column usage_rollup.width is 'minutes, from "at" on; spans of a width begin at its multiples since 1970, in UTC'`,
  `comment on column usage_rollup.in_use_milliseconds is 'the sum of seats times how long, up to the span''s end, as if nothing more happened in it'`,
  `comment on column usage_rollup.in_use is 'after the last change; the totals too'`,

  `create table usage_progress (
    organisation_id uuid primary key,
    history_id bigint not null,
    denials_until timestamptz(3) not null
  )`,
  `comment on table usage_progress is 'how far an organisation''s history is in usage_rollup'`,
  `comment on column usage_progress.history_id is 'the last row of the history that is'`,
  `comment on column usage_progress.denials_until is 'denials of before this instant are'`,

  `create table history_opening (
    organisation_id uuid not null,
    licence text collate "C" not null,
    id bigint not null,
    at timestamptz(3) not null,
    in_use integer not null,
    concurrent_total integer not null,
    contingency_total integer not null,
    max_used integer not null,
    primary key (organisation_id, licence)
  )`,
  `comment on table history_opening is 'of each licence the last row of the history that was dropped: what the rows that are kept begin with'`,

  ...Object.entries(grants).flatMap(([table, grant]) => [
    `alter table ${table} enable row level security`,
    `create policy tenant on ${table} using (${isVisible(table)})`,
    `grant ${grant} on ${table} to seatkeeper_runtime`,
  ]),

  // Whatever it is asked for, it drops nothing that is not summed up, and leaves two whole months.
  `create function drop_history_months(kept integer) returns integer language plpgsql security definer
    set search_path = public, pg_temp set lock_timeout = '500ms' as $$
  declare
    part name;
    is_needed boolean;
    dropped integer := 0;
  begin
    if not pg_try_advisory_xact_lock(hashtext('history_months')) then return 0; end if;
    for part in
      select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'history'::regclass and c.relname ~ '^history_\\d{4}_\\d\\d$'
        and to_date(right(c.relname, 7), 'YYYY_MM')
          < date_trunc('month', now() at time zone 'UTC') - make_interval(months => greatest(kept, 2))
      order by 1
    loop
      -- An index look-up an organisation, however many rows there are.
      execute format('select exists (
        select from organisation o
        cross join lateral (select id from %I p where p.organisation_id = o.id order by id desc limit 1) newest
        left join usage_progress u on u.organisation_id = o.id
        where newest.id > coalesce(u.history_id, 0))', part) into is_needed;
      exit when is_needed;
      execute format('insert into history_opening
        select pool.organisation_id, pool.licence, newest.* from pool cross join lateral (
          select id, at, in_use, concurrent_total, contingency_total, max_used from %I p
          where p.organisation_id = pool.organisation_id and p.licence = pool.licence order by at desc, id desc limit 1) newest
        on conflict (organisation_id, licence) do update set id = excluded.id, at = excluded.at, in_use = excluded.in_use,
          concurrent_total = excluded.concurrent_total, contingency_total = excluded.contingency_total,
          max_used = excluded.max_used', part);
      execute format('drop table %I', part);
      dropped := dropped + 1;
    end loop;
    return dropped;
  end $$`,
  `comment on function drop_history_months(integer) is 'drops the partitions of the history of before so many whole months; says how many'`,
  `revoke execute on function drop_history_months(integer) from public`,
  `grant execute on function drop_history_months(integer) to seatkeeper_runtime`,
];
