import type pg from 'pg';
import type { OrganisationId, SessionId, UserId } from '../../src/kernel/ids.ts';

/** Rows in bulk, as the product would have written them, with ids that can be told from their number. */

const hex = (value: number) => value.toString(16).padStart(12, '0');
export const organisationAt = (index: number) => `00000000-0000-4000-8000-${hex(index)}` as OrganisationId;
/** The users of each organisation are numbered from 0. */
export const userAt = (index: number) => `10000000-0000-4000-8000-${hex(index + 1)}` as UserId;
/** The session that `resetSessions` gave this user. */
export const sessionAt = (index: number) => `20000000-0000-4000-8000-${hex(index + 1)}` as SessionId;

const id = (prefix: string, from: string) =>
  `('${prefix}0000000-0000-4000-8000-' || lpad(to_hex(${from}), 12, '0'))::uuid`;

/** Rows of the Licence Mapping page: concurrent licences with contingency, so that no figure of theirs is null. */
export const benchLicences = Array.from(
  { length: 12 },
  (_, index) => `BENCH_LICENCE_${String(index + 1).padStart(2, '0')}`,
);

export async function seedLicences(pool: pg.Pool, codes: readonly string[] = benchLicences): Promise<void> {
  for (const [index, code] of codes.entries()) {
    await pool.query(
      `insert into licence (code, position, name, category, seat_model, contingency_allowed, reassignment_days)
       values ($1, $2, $1, 'USER', 'CONCURRENT', true, 90)`,
      [code, 1000 + index],
    );
  }
}

/** Organisations number `from` to `until`, that included, with `activeUsers` counted. */
export async function seedOrganisations(
  pool: pg.Pool,
  {
    from,
    until,
    activeUsers,
  }: { readonly from: number; readonly until: number; readonly activeUsers: number },
): Promise<void> {
  const month = "date_trunc('month', now())";
  await pool.query(
    `insert into organisation (id, name, time_zone, lease_seconds, test_clock, settled_at, next_due_at, period_month,
       period_from, period_until, active_users, active_in_billing_period, revision, rows_revision, created_at)
     select ${id('0', 'i')}, 'Organisation ' || i, 'UTC', 3600, false, now(), ${month} + interval '1 month',
       extract(year from now()) * 12 + extract(month from now()) - 1, ${month}, ${month} + interval '1 month',
       ${activeUsers}, ${activeUsers}, 1, 0, now()
     from generate_series(${from}, ${until}) i`,
  );
}

/** Users number 0 to `count - 1` of each of the organisations, with the licence assigned. */
export async function seedUsers(
  pool: pg.Pool,
  {
    organisationIds,
    count,
    licence,
    status = 'ACTIVE',
  }: {
    readonly organisationIds: readonly string[];
    readonly count: number;
    /** null: none. */
    readonly licence: string | null;
    readonly status?: 'ACTIVE' | 'SUSPENDED';
  },
): Promise<void> {
  // Built at the end, the text index of a million users takes a fraction of the time.
  const { rows } = await pool.query("select indexdef from pg_indexes where indexname = 'user_search'");
  await pool.query('drop index user_search');
  await pool.query(
    `insert into "user" (organisation_id, id, username, display_name, status, created_at)
     select o, ${id('1', 'i')}, 'user-' || i, 'User', $2, now()
     from unnest($1::uuid[]) o, generate_series(1, ${count}) i`,
    [organisationIds, status],
  );
  await pool.query(rows[0].indexdef);
  await pool.query(
    `insert into user_status_interval (organisation_id, user_id, status, "from")
     select organisation_id, id, status, created_at from "user" where organisation_id = any($1)`,
    [organisationIds],
  );
  if (licence === null) return;
  await pool.query(
    `insert into assignment (organisation_id, id, user_id, licence, assigned_at)
     select organisation_id, gen_random_uuid(), id, $2, now() from "user" where organisation_id = any($1)`,
    [organisationIds, licence],
  );
}

/** Seats enough of each licence, for organisations that have none yet. */
export async function seedPools(pool: pg.Pool, licences: readonly string[]): Promise<void> {
  await pool.query(
    `insert into pool (organisation_id, licence, base_total, concurrent_total, contingency_total, in_use, max_used,
       assigned, reusable, locked, holders, purchases, revision)
     select id, licence, 1000000, 1000000, 0, 0, 0, 0, 0, 0, 1000000, 1, 1
     from organisation, unnest($1::text[]) licence on conflict do nothing`,
    [licences],
  );
}

/** Nobody is logged on but `live` users of the first organisation; yesterday's sessions are there. */
export async function resetSessions(pool: pg.Pool, live: number): Promise<void> {
  const first = organisationAt(0);
  await pool.query('truncate session, session_feature, hold, history, denial');
  await pool.query(`update pool set in_use = case when organisation_id = $1 then ${live} else 0 end`, [
    first,
  ]);
  await pool.query(
    `insert into session (organisation_id, id, user_id, licence, device, admitted_as, started_at, expires_at, due_at,
       ended_at, end_reason, version)
     select organisation_id, gen_random_uuid(), id, 'SUPERVISOR', 'desktop', 'CONCURRENT', at, at + interval '1 hour',
       at + interval '1 hour', at + interval '1 hour', 'LEASE_EXPIRED', 1
     from "user", (select now() - interval '1 day' as at) yesterday limit 100000`,
  );
  await pool.query(
    `insert into session (organisation_id, id, user_id, licence, device, admitted_as, started_at, expires_at, due_at, version)
     select organisation_id, ('2' || substr(id::text, 2))::uuid, id, 'SUPERVISOR', 'desktop', 'CONCURRENT', now(),
       now() + interval '50 minutes', now() + interval '50 minutes', 1
     from "user" where organisation_id = $1 order by id limit ${live}`,
    [first],
  );
  await pool.query(
    `insert into hold select organisation_id, user_id, licence, admitted_as, started_at from session where ended_at is null`,
  );
  await pool.query('vacuum analyze');
  await pool.query('checkpoint');
}
