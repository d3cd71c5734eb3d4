import { sql } from 'kysely';
import type { Database } from '../database/database.ts';
import { inTransaction, type Settings } from '../database/transaction.ts';
import type { Instant } from '../kernel/clock.ts';
import type { LicenceCode, OrganisationId } from '../kernel/ids.ts';
import type { Period } from '../kernel/interval.ts';
import {
  hoursOfWeek,
  type LicenceDenials,
  maxRefusals,
  type MonthlyDemand,
  patienceMilliseconds,
  type ReasonDenials,
  returnMilliseconds,
  wantsOfSeats,
  type ZoneOffset,
} from './domain.ts';

/** What is sorted fits into memory: a million refusals do. */
const settings: Settings = { work_mem: "'128MB'" };

const seconds = (milliseconds: number) => sql.lit(milliseconds / 1000);
const patience = sql`make_interval(secs => ${seconds(patienceMilliseconds)})`;
const wants = sql`code = any (${wantsOfSeats}::text[])`;

/**
 * When users begin and end to want a seat, as `unmetDemand` has it, of the common tables `refusal` (licence, user_id,
 * code, at) and `acquisition` (licence, user_id, at, id: of the history's row). One who is refused again while they
 * want one goes on wanting. `got_in_id` is the acquisition that ended it, null where patience did.
 */
const wanting = sql`
  moment as (
    select *, lag(at) over moments as last_at, lag(id) over moments as last_id,
      lead(at) over moments as next_at, lead(id) over moments as next_id
    from (
      select licence, user_id, at, null::bigint as id from refusal where ${wants}
      union all
      select licence, user_id, at, id from acquisition
    ) as moment
    window moments as (partition by licence, user_id order by at, id nulls first)
  ), want_begun as (
    select licence, at from moment
    where id is null and (last_at is null or last_id is not null or last_at + ${patience} <= at)
  ), want_ended as (
    select licence,
      case when next_at < at + ${patience} then next_at else at + ${patience} end as at,
      case when next_at < at + ${patience} then next_id end as got_in_id
    from moment
    where id is null and (next_at is null or next_id is not null or next_at >= at + ${patience})
  )`;

interface Report {
  readonly refusals: number;
  readonly reasons: readonly {
    readonly licence: LicenceCode;
    readonly code: string;
    readonly denials: number;
    readonly gotIn: number;
    readonly neverGotIn: number;
    /** Seconds. */
    readonly waits: readonly [number, number] | null;
  }[];
  /** A null code: whatever the reason. */
  readonly users: readonly {
    readonly licence: LicenceCode;
    readonly code: string | null;
    readonly users: number;
  }[];
  readonly hours: readonly {
    readonly licence: LicenceCode;
    readonly code: string;
    readonly hour: number;
    readonly denials: number;
  }[];
  readonly unmet: readonly {
    readonly licence: LicenceCode;
    readonly level: number;
    /** Milliseconds since 1970. */
    readonly at: number;
  }[];
}

/**
 * The refusals of `[from, until)`, by licence code and reason. Refusals are a range of `denial_newest`. Of the history it
 * reads the days of a refusal, and those that follow them: most licences refuse nobody on most days.
 *
 * @param licences null: all that refused somebody
 * @param zone what the organisation's clocks show over the period
 * @returns null where there are more than `maxRefusals`
 */
export async function reportDenials(
  db: Database,
  organisationId: OrganisationId,
  licences: readonly LicenceCode[] | null,
  { from, until }: Period,
  zone: readonly ZoneOffset[],
  now: Instant,
): Promise<LicenceDenials[] | null> {
  const isReturn = sql`waited <= ${seconds(returnMilliseconds)}`;
  const statement = sql<Report>`
    with refusal as materialized (
      -- Who was refused shortly before the period may want a seat still when it begins.
      select licence, user_id, code, at from denial
      where organisation_id = ${organisationId} and at >= ${from}::timestamptz - ${patience} and at < ${until}
        and (${licences}::text[] is null or licence = any (${licences}::text[]))
      limit ${maxRefusals + 1}
    ), refused_user as materialized (
      select distinct licence, user_id from refusal
    ), day as (
      select distinct licence, "from" + later * interval '24 hours' as "from"
      from (select distinct licence, date_bin('24 hours', at, 'epoch') as "from" from refusal) as refused
      cross join generate_series(0, 1) as later
    ), acquisition as materialized (
      select day.licence, history.user_id, history.at, history.id
      from day cross join lateral (
        select user_id, at, id from history
        where organisation_id = ${organisationId} and licence = day.licence and kind = 'ACQUIRED'
          and at >= day."from" and at < day."from" + interval '24 hours'
        offset 0) as history
      join refused_user on refused_user.licence = day.licence and refused_user.user_id = history.user_id
    ), refused as materialized (
      select licence, user_id, code, at, date_part('epoch', got_in_at - at) as waited
      from (
        select *, min(at) filter (where code is null) over (
            partition by licence, user_id order by at desc, code nulls first rows unbounded preceding) as got_in_at
        from (
          select licence, user_id, code, at from refusal
          union all
          select licence, user_id, null, at from acquisition
        ) as moment
      ) as moment
      where code is not null and at >= ${from}
    ), reason as (
      select licence, code, count(*) as denials, count(*) filter (where ${isReturn}) as got_in,
        count(*) filter (
          where (waited is null or not ${isReturn})
            and at <= ${now}::timestamptz - make_interval(secs => ${seconds(returnMilliseconds)})) as never_got_in,
        percentile_disc(array[0.5, 0.9]) within group (order by waited) filter (where ${isReturn}) as waits
      from refused group by licence, code
    ), persons as (
      select licence, code, count(*) as users
      from (select distinct licence, code, user_id from refused) as refused group by licence, code
      union all
      select licence, null, count(*)
      from (select distinct licence, user_id from refused) as refused group by licence
    ), hours as (
      select licence, code, hour, count(*) as denials
      from refused
      join unnest(
        ${zone.map((stretch) => stretch.from)}::timestamptz[], ${zone.map((stretch) => stretch.until)}::timestamptz[],
        ${zone.map(({ offsetMilliseconds }) => offsetMilliseconds / 1000)}::float8[]
      ) as zone ("from", until, offset_seconds) on at >= zone."from" and at < zone.until
      -- 1 January 1970 was a Thursday: its midnight is hour 72 of the week.
      cross join lateral (
        select mod(floor((date_part('epoch', at) + offset_seconds) / 3600)::bigint + 72, ${hoursOfWeek}) as hour
      ) as week
      group by licence, code, hour
    ), ${wanting},
    level as (
      select licence, at, change, sum(change) over (
          -- At one instant: patience ends, then somebody is refused, then seats are taken.
          partition by licence order by at, case when change < 0 then is_got_in::int * 2 else 1 end
          rows unbounded preceding) as level
      from (
        select licence, at, 1 as change, false as is_got_in from want_begun
        union all
        select licence, at, -1, got_in_id is not null from want_ended
        union all
        select distinct licence, ${from}::timestamptz, 0, false from refused_user
      ) as edge
    ), unmet as (
      select distinct on (licence) licence, level, date_part('epoch', at) * 1000 as at
      from (
        select licence, level, min(at) as at from level where change >= 0 and at >= ${from} group by licence, level
      ) as level
      where level > 0
      order by licence, level desc
    )
    select
      (select count(*) from refusal) as refusals,
      (select coalesce(jsonb_agg(reason), '[]') from reason) as reasons,
      (select coalesce(jsonb_agg(persons), '[]') from persons) as users,
      (select coalesce(jsonb_agg(hours), '[]') from hours) as hours,
      (select coalesce(jsonb_agg(unmet), '[]') from unmet) as unmet`;
  const { rows } = await inTransaction(db, 'report denials', (trx) => statement.execute(trx), { settings });
  const [report] = rows;
  return report === undefined || report.refusals > maxRefusals ? null : toLicences(report);
}

function toLicences({ reasons, users, hours, unmet }: Report): LicenceDenials[] {
  const usersOf = new Map(users.map((row) => [`${row.licence}/${row.code ?? ''}`, row.users]));
  const unmetOf = new Map(unmet.map((row) => [row.licence, row]));
  const hoursOf = Map.groupBy(hours, ({ licence, code }) => `${licence}/${code}`);
  const reasonsOf = Map.groupBy(reasons, ({ licence }) => licence);
  return [...new Set([...reasonsOf.keys(), ...unmetOf.keys()])].map((licence) => {
    const own = (reasonsOf.get(licence) ?? []).map(
      ({ code, denials, gotIn, neverGotIn, waits }): ReasonDenials => {
        const byHourOfWeek = Array.from({ length: hoursOfWeek }, () => 0);
        for (const row of hoursOf.get(`${licence}/${code}`) ?? []) byHourOfWeek[row.hour] = row.denials;
        const [median, ninetieth] = waits ?? [];
        return {
          code,
          denials,
          users: usersOf.get(`${licence}/${code}`) ?? 0,
          byHourOfWeek,
          gotIn,
          medianMilliseconds: median === undefined ? null : Math.round(median * 1000),
          ninetiethPercentileMilliseconds: ninetieth === undefined ? null : Math.round(ninetieth * 1000),
          neverGotIn,
          waiting: denials - gotIn - neverGotIn,
        };
      },
    );
    const most = unmetOf.get(licence);
    return {
      licence,
      denials: own.reduce((total, { denials }) => total + denials, 0),
      users: usersOf.get(`${licence}/`) ?? 0,
      unmetDemand: most?.level ?? 0,
      unmetDemandAt: most === undefined ? null : new Date(most.at),
      reasons: own.toSorted((one, other) => other.denials - one.denials || (one.code < other.code ? -1 : 1)),
    };
  });
}

/**
 * The billing periods of an organisation that are over, the last first.
 * @param count at most so many
 */
export async function listClosedPeriods(
  db: Database,
  organisationId: OrganisationId,
  now: Instant,
  count: number,
): Promise<Period[]> {
  return db
    .selectFrom('billingPeriod')
    .select(['from', 'until'])
    .where('organisationId', '=', organisationId)
    .where('until', '<=', now)
    .orderBy('month', 'desc')
    .limit(count)
    .execute();
}

interface DemandRow {
  /** 1: the first period. */
  readonly month: number;
  readonly seats: number;
  readonly milliseconds: number;
  readonly arrivals: number;
  readonly maxInUse: number;
  readonly maxUnmet: number;
}

/**
 * The seats of one licence that were wanted in each of some periods, in use or in vain: one pass over the licence's
 * history of that time.
 *
 * @param periods at least one, each beginning where the one before it ends
 */
export async function listDemand(
  db: Database,
  organisationId: OrganisationId,
  licence: LicenceCode,
  periods: readonly Period[],
): Promise<MonthlyDemand[]> {
  const froms = periods.map(({ from }) => from);
  const until = periods.at(-1)?.until ?? null;
  const ofLicence = sql`organisation_id = ${organisationId} and licence = ${licence}`;
  const statement = sql<DemandRow>`
    with refusal as materialized (
      select licence, user_id, code, at from denial
      where ${ofLicence} and ${wants} and at >= ${froms[0]}::timestamptz - ${patience} and at < ${until}
    ), recorded as materialized (
      select licence, kind, user_id, session_id, at, id, in_use, seat_changed from history
      where ${ofLicence} and at >= ${froms[0]}::timestamptz - ${patience} and at < ${until}
    ), opening as (
      select coalesce((
        select in_use from history
        where ${ofLicence} and at < ${froms[0]}::timestamptz - ${patience} order by at desc, id desc limit 1), 0) as in_use
    ), acquisition as (
      select licence, user_id, at, id from recorded
      where kind = 'ACQUIRED' and user_id in (select user_id from refusal)
    ), ${wanting},
    step as (
      -- At one instant: patience ends; leases end, and with them a period; somebody is refused; requests are granted.
      select at, 0 as place, null::bigint as id, 0 as in_use, -1 as wanting, 0 as edge
      from want_ended where got_in_id is null
      union all
      select unnest, 2, null, 0, 0, 1 from unnest(${froms}::timestamptz[])
      union all
      select at, 3, null, 0, 1, 0 from want_begun
      union all
      select recorded.at, case when is_due then 1 else 4 end, id,
        recorded.in_use - lag(recorded.in_use, 1, opening.in_use) over (order by recorded.at, id),
        case when got_in_id is null then 0 else -1 end, 0
      from recorded cross join opening left join want_ended on got_in_id = id
      cross join lateral (
        -- What is due at a period's edge belongs to the period before it (T3).
        select recorded.at = any (${froms}::timestamptz[]) and kind = 'RELEASED' and exists (
          select from session
          where session.organisation_id = ${organisationId} and session.id = session_id
            and end_reason = 'LEASE_EXPIRED' and ended_at = recorded.at) as is_due
      ) as due
    ), state as (
      select sum(edge) over steps as month,
        opening.in_use + sum(step.in_use) over steps as in_use,
        sum(wanting) over steps as unmet,
        lead(at, 1, ${until}::timestamptz) over steps - at as lasting,
        -- Who wanted a seat already, and gets one, is not one more.
        step.in_use + wanting > 0 as is_arrival
      from step cross join opening
      window steps as (order by at, place, id rows unbounded preceding)
    )
    select month, in_use + unmet as seats, (extract(epoch from sum(lasting)) * 1000)::bigint as milliseconds,
      count(*) filter (where is_arrival) as arrivals, max(in_use) as max_in_use, max(unmet) as max_unmet
    from state where month > 0
    group by month, seats order by month, seats`;
  const { rows } = await inTransaction(db, 'list demand', (trx) => statement.execute(trx), { settings });
  const byMonth = Map.groupBy(rows, ({ month }) => month);
  return periods.map(({ from, until }, index) => {
    const levels = byMonth.get(index + 1) ?? [];
    const most = (figure: (level: DemandRow) => number) =>
      levels.reduce((highest, level) => Math.max(highest, figure(level)), 0);
    return {
      from,
      until,
      maxInUse: most(({ maxInUse }) => maxInUse),
      maxUnmet: most(({ maxUnmet }) => maxUnmet),
      maxWanted: most(({ seats }) => seats),
      levels: levels.map(({ seats, milliseconds, arrivals }) => ({ seats, milliseconds, arrivals })),
    };
  });
}
