import { type Kysely, sql } from 'kysely';

/** Alerts are kept as long as the history is. Every statement is instant. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // The owner's: the program itself removes nothing that was told. By each organisation's own clock, as the alerts are.
  `create function drop_alerts(kept integer, most integer) returns integer language plpgsql security definer
    set search_path = public, pg_temp set timezone = 'UTC' as $$
  declare
    dropped integer;
  begin
    delete from alert where (organisation_id, id) in (
      select old.organisation_id, old.id from organisation o
      cross join lateral (
        select organisation_id, id from alert
        where organisation_id = o.id and at < o.period_from - make_interval(months => greatest(kept, 2))
        order by at, id limit most for update skip locked) old
      limit most);
    get diagnostics dropped = row_count;
    return dropped;
  end $$`,
  `comment on function drop_alerts(integer, integer) is 'drops at most so many alerts of before so many whole months; says how many'`,
  `revoke execute on function drop_alerts(integer, integer) from public`,
  `grant execute on function drop_alerts(integer, integer) to seatkeeper_runtime`,
  `comment on table alert is 'never changed but for who has acknowledged it; dropped when its month is old enough'`,
];
