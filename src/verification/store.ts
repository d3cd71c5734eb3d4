import { type RawBuilder, sql } from 'kysely';
import type { Database } from '../database/database.ts';
import type { Transaction } from '../database/transaction.ts';
import type { Instant } from '../kernel/clock.ts';
import type { LicenceCode, OrganisationId } from '../kernel/ids.ts';
import {
  type Finding,
  isOfHistory,
  type LicenceFigures,
  type OrganisationFigures,
  standingAlerts,
} from './domain.ts';

/** Every organisation in the order of its id, page by page. */
export async function pageOrganisationNames(
  db: Database,
  after: OrganisationId | null,
  limit: number,
): Promise<readonly { readonly id: OrganisationId; readonly name: string }[]> {
  return db
    .selectFrom('organisation')
    .select(['id', 'name'])
    .$if(after !== null, (query) => query.where('id', '>', after))
    .orderBy('id')
    .limit(limit)
    .execute();
}

export async function countOrganisationsAndHistory(
  db: Database,
): Promise<{ readonly organisations: number; readonly history: number }> {
  const { rows } = await sql<{ organisations: number; history: number }>`
    select (select count(*) from organisation) as organisations, (select count(*) from history) as history`.execute(
    db,
  );
  return rows[0] ?? { organisations: 0, history: 0 };
}

/**
 * Who was ACTIVE at any instant of the billing period so far (U2). A period begins before any request at its first
 * instant (T3): who ceased to be ACTIVE at that very instant was ACTIVE in it.
 */
const activeInPeriod = sql`
  select count(distinct i.user_id) from user_status_interval i
  where i.organisation_id = o.id and i.status = 'ACTIVE'
    and (i."from" >= o.period_from or i.until >= o.period_from or i.until is null)`;

const holdsImplied = (organisationId: OrganisationId) => sql`
  select distinct s.user_id, s.licence from session s
  where s.organisation_id = ${organisationId} and s.ended_at is null
  union
  select s.user_id, f.licence from session s
  join session_feature f on f.organisation_id = s.organisation_id and f.session_id = s.id
  where s.organisation_id = ${organisationId} and s.ended_at is null and f.admitted_as is not null`;

/** Of the allotment `a`, how many holds its department's members have. @param holds user_id and licence of each */
const heldByMembers = (holds: RawBuilder<unknown>) => sql`
  select count(*) from ${holds} held join department_member m
    on m.organisation_id = a.organisation_id and m.user_id = held.user_id
  where held.licence = a.licence and m.department_id = a.department_id`;

/** Of the row `w` of pool_watch, what its caps say of the month of the organisation `o`. */
const capOfMonth = sql`
  coalesce((w.caps -> 'months' ->> o.period_month::text)::integer, (w.caps ->> 'everyMonth')::integer)`;

/** @returns null where there is no such organisation */
export async function readOrganisationFigures(
  trx: Transaction,
  organisationId: OrganisationId,
): Promise<OrganisationFigures | null> {
  const { rows } = await sql<{
    activeUsers: number;
    activeInBillingPeriod: number;
    nextDueAt: Instant;
    reallyActive: number;
    reallyActiveInPeriod: number;
    reallyDueAt: Instant;
    missingHolds: number;
    strayHolds: number;
    wrongAllotments: number;
    wrongCaps: number;
  }>`
    with implied as (${holdsImplied(organisationId)}),
      held as (select user_id, licence from hold where organisation_id = ${organisationId})
    select
      o.active_users, o.active_in_billing_period, o.next_due_at,
      (select count(*) from "user" u where u.organisation_id = o.id and u.status = 'ACTIVE') as really_active,
      (${activeInPeriod}) as really_active_in_period,
      least(o.period_until,
        (select min(expires_at) from session where organisation_id = o.id and end_reason is null),
        (select min("from") from purchase where organisation_id = o.id and "from" > o.settled_at),
        (select min(until) from purchase where organisation_id = o.id and until > o.settled_at),
        (select min(period_until) from base_licence where organisation_id = o.id and holder_id is null)) as really_due_at,
      (select count(*) from (table implied except table held) missing) as missing_holds,
      (select count(*) from (table held except table implied) stray) as stray_holds,
      (select count(*) from allotment a where a.organisation_id = o.id
        and a.in_use <> (${heldByMembers(sql`implied`)})) as wrong_allotments,
      (select count(*) from pool_watch w where w.organisation_id = o.id
        and w.contingency_cap is distinct from ${capOfMonth}) as wrong_caps
    from organisation o where o.id = ${organisationId}`.execute(trx);
  const [row] = rows;
  if (row === undefined) return null;
  return {
    recorded: {
      activeUsers: row.activeUsers,
      activeInBillingPeriod: row.activeInBillingPeriod,
      nextDueAt: row.nextDueAt,
      missingHolds: 0,
      strayHolds: 0,
      wrongAllotments: 0,
      wrongCaps: 0,
    },
    recomputed: {
      activeUsers: row.reallyActive,
      activeInBillingPeriod: row.reallyActiveInPeriod,
      nextDueAt: row.reallyDueAt,
      missingHolds: row.missingHolds,
      strayHolds: row.strayHolds,
      wrongAllotments: row.wrongAllotments,
      wrongCaps: row.wrongCaps,
    },
  };
}

/** Rows that name a user, licence or session that does not exist. Reads the whole history. */
export async function countStrayRows(trx: Transaction, organisationId: OrganisationId): Promise<number> {
  const { rows } = await sql<{ strayRows: number }>`
    select
      (select count(*) from session s where s.organisation_id = o.id and not exists
          (select from "user" u where u.organisation_id = o.id and u.id = s.user_id))
        + (select count(*) from hold h where h.organisation_id = o.id and not exists
          (select from "user" u where u.organisation_id = o.id and u.id = h.user_id))
        + (select count(*) from denial d where d.organisation_id = o.id and not exists
          (select from "user" u where u.organisation_id = o.id and u.id = d.user_id))
        + (select count(*) from alert a where a.organisation_id = o.id and a.acknowledged_by is not null and not exists
          (select from "user" u where u.organisation_id = o.id and u.id = a.acknowledged_by))
        + (select count(*) from history h where h.organisation_id = o.id and h.session_id is not null and not exists
          (select from session s where s.organisation_id = o.id and s.id = h.session_id and s.user_id = h.user_id))
        + (select count(*) from (
            select licence from session where organisation_id = o.id
            union all select licence from session_feature where organisation_id = o.id
            union all select licence from hold where organisation_id = o.id
            union all select licence from alert where organisation_id = o.id
            union all select licence from history where organisation_id = o.id) named
          where not exists (select from licence l where l.code = named.licence)) as stray_rows
    from organisation o where o.id = ${organisationId}`.execute(trx);
  return rows[0]?.strayRows ?? 0;
}

/** What the history says of a licence: not the figures that each row copied, but what its events and the purchases come to. */
export interface Course {
  readonly licence: LicenceCode;
  /** After the last row. */
  readonly inUse: number;
  /** Contingency seats in use: after the last row, and before the running billing period. */
  readonly used: number;
  readonly startUsed: number;
  /** The highest in the running billing period, and when it was first reached; null where nothing happened in it. */
  readonly peakUsed: number;
  readonly peakAt: Instant | null;
  /** Whether something happened at the very instant at which the period began. */
  readonly atEdge: boolean;
  /** Steps with other figures than these, since the last repair that noted them. */
  readonly wrongInUse: number;
  readonly wrongTotals: number;
  readonly wrongMaxUsed: number;
  /** Where nothing is read but what was dropped: its last row's instant, and the peak of its month up to there. */
  readonly opening?: { readonly at: Instant; readonly maxUsed: number };
}

export interface HistoryReading {
  /** The last row that was read. */
  readonly lastId: number;
  readonly courses: ReadonlyMap<LicenceCode, Course>;
}

/**
 * Reckons an organisation's history anew (C1, C2, P1). A row tells the figures after the *step* it belongs to, and steps
 * are not marked: rows of one instant with the same figures are taken as one, and the step's sum is what counts. At the
 * instant of a purchase's start or end, a row before the last may tell the totals of before it.
 *
 * @param since an earlier reading, in the same billing period: only what came after it is read
 */
export async function readHistory(
  trx: Transaction,
  organisationId: OrganisationId,
  since: HistoryReading | null,
): Promise<HistoryReading> {
  const carried = since?.courses ?? (await readOpenings(trx, organisationId));
  const known = [...carried.values()];
  const { rows } = await sql<
    Omit<Course, 'startUsed'> & { readonly startUsed: number | null; readonly lastId: number }
  >`
    with o as (select period_from as began, settled_at from organisation where id = ${organisationId}),
      noted as (
        select coalesce(max((finding ->> 'through')::int8), 0) as through
        from repair cross join jsonb_array_elements(findings) finding where organisation_id = ${organisationId}),
      carried as (
        select * from unnest(${known.map(({ licence }) => licence)}::text[], ${known.map(({ inUse }) => inUse)}::int[],
          ${known.map(({ startUsed, peakUsed, opening }) => opening?.maxUsed ?? Math.max(startUsed, peakUsed))}::int[],
          ${known.map(({ used }) => used)}::int[], ${known.map(({ opening }) => opening?.at ?? null)}::timestamptz[])
          known (licence, in_use, peak, used, opened_at)),
      lines as (
        select licence, at, id, in_use, concurrent_total, contingency_total, max_used,
          case when not seat_changed then 0 when kind = 'ACQUIRED' then 1 when kind = 'RELEASED' then -1 else 0 end as seats,
          0 as concurrent, 0 as contingency, 0 as opened, 0 as opened_contingency, 0 as closed, 0 as closed_contingency,
          null::timestamptz as edge
        from history where organisation_id = ${organisationId} and id > ${since?.lastId ?? 0}
        union all
        select licence, "from", 0, 0, 0, 0, 0, 0, concurrent, contingency,
          case when until = "from" then 0 else concurrent end, case when until = "from" then 0 else contingency end, 0, 0, null
        from purchase, o where organisation_id = ${organisationId} and "from" <= o.settled_at
        union all
        select licence, until, 0, 0, 0, 0, 0, 0, -concurrent, -contingency, 0, 0, concurrent, contingency, null
        from purchase, o where organisation_id = ${organisationId} and until <= o.settled_at
        union all
        select pool.licence, b."from", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b."from"
        from billing_period b join pool using (organisation_id), o where organisation_id = ${organisationId} and b."from" <= o.settled_at),
      summed as (
        select licence, at, id, in_use, concurrent_total, contingency_total, max_used,
          sum(seats) over w as seats, sum(concurrent) over w as concurrent, sum(contingency) over w as contingency,
          sum(opened) over same as opened, sum(opened_contingency) over same as opened_contingency,
          sum(closed) over same as closed, sum(closed_contingency) over same as closed_contingency,
          max(edge) over w as period_from,
          lead(at) over w is distinct from at as is_last,
          (lead(at) over w, lead(in_use) over w, lead(concurrent_total) over w, lead(contingency_total) over w,
            lead(max_used) over w) is distinct from (at, in_use, concurrent_total, contingency_total, max_used) as is_end
        from lines
        window w as (partition by licence order by at, id), same as (partition by licence, at)),
      ends as (
        select s.licence, at, id, max_used, period_from, s.in_use, concurrent_total, contingency_total,
          coalesce(carried.in_use, 0) + seats as really_in_use, coalesce(case when carried.opened_at < period_from then carried.used else carried.peak end, 0) as carried_peak,
          case when not is_last and concurrent_total between concurrent - opened and concurrent + closed
            then concurrent_total else concurrent end as really_concurrent,
          case when not is_last and contingency_total
              between contingency - opened_contingency and contingency + closed_contingency
            then contingency_total else contingency end as really_contingency
        from summed s left join carried on carried.licence = s.licence
        where id > 0 and is_end),
      steps as (
        select *, least(greatest(really_in_use - really_concurrent, 0), really_contingency) as used from ends),
      started as (
        select *, case
            when lag(id) over w is null then carried_peak
            when lag(period_from) over w is distinct from period_from then lag(used) over w
            else 0 end as start_used
        from steps window w as (partition by licence order by at, id)),
      peaked as (
        select *,
          max(greatest(used, start_used)) over w as most,
          -- What happened at a period's very first instant may have come with the edge: then nothing was in use before.
          max(greatest(used, case when at = period_from then 0 else start_used end)) over w as least_most
        from started window w as (partition by licence, period_from order by at, id)),
      course as (
        select licence, max(id) as last_id, max(id) filter (where at < o.began) as start_id,
          coalesce(bool_or(at = o.began), false) as at_edge,
          count(*) filter (where p.id > noted.through and in_use <> really_in_use) as wrong_in_use,
          count(*) filter (where p.id > noted.through and (concurrent_total, contingency_total)
            <> (really_concurrent, really_contingency)) as wrong_totals,
          count(*) filter (where p.id > noted.through and max_used not between least_most and most) as wrong_max_used
        from peaked p, o, noted group by licence),
      peak as (
        select distinct on (licence) licence, used, at from steps, o where at >= o.began
        order by licence, used desc, at, id)
    select course.licence, course.last_id, course.at_edge,
      course.wrong_in_use, course.wrong_totals, course.wrong_max_used,
      last.really_in_use::int8 as in_use, last.used::int8 as used, start.used::int8 as start_used,
      coalesce(peak.used, 0)::int8 as peak_used, peak.at as peak_at
    from course
    join steps last on last.licence = course.licence and last.id = course.last_id
    left join steps start on start.licence = course.licence and start.id = course.start_id
    left join peak on peak.licence = course.licence`.execute(trx);
  const courses = new Map(carried);
  let lastId = since?.lastId ?? 0;
  for (const { lastId: id, startUsed, ...rest } of rows) {
    const before = courses.get(rest.licence);
    const course = { ...rest, startUsed: startUsed ?? before?.startUsed ?? 0 };
    courses.set(course.licence, before === undefined ? course : continued(before, course));
    lastId = Math.max(lastId, id);
  }
  return { lastId, courses };
}

/** What the rows that are kept begin with. When a peak was reached is gone with its row: what the pool says is taken. */
async function readOpenings(
  trx: Transaction,
  organisationId: OrganisationId,
): Promise<ReadonlyMap<LicenceCode, Course>> {
  const { rows } = await sql<Omit<Course, 'opening'> & { readonly at: Instant; readonly maxUsed: number }>`
    select licence, in_use, used, case when at < began then used else 0 end as start_used,
      case when at < began then 0 else max_used end as peak_used, case when at < began then null else peak_at end as peak_at,
      false as at_edge, 0 as wrong_in_use, 0 as wrong_totals, 0 as wrong_max_used, at, max_used
    from (
      select h.*, o.period_from as began, least(greatest(h.in_use - h.concurrent_total, 0), h.contingency_total) as used,
        case when pool.max_used = h.max_used then pool.max_used_at else h.at end as peak_at
      from history_opening h join organisation o on o.id = h.organisation_id
      left join pool on pool.organisation_id = h.organisation_id and pool.licence = h.licence
      where h.organisation_id = ${organisationId}) opening`.execute(trx);
  return new Map(
    rows.map(({ at, maxUsed, ...course }) => [course.licence, { ...course, opening: { at, maxUsed } }]),
  );
}

/** Two stretches of one course; the first is in the running billing period, or has no peak in it. */
function continued(before: Course, after: Course): Course {
  const isHigher = before.peakAt === null || after.peakUsed > before.peakUsed;
  return {
    ...after,
    ...(isHigher ? {} : { peakUsed: before.peakUsed, peakAt: before.peakAt }),
    atEdge: before.atEdge || after.atEdge,
    wrongInUse: before.wrongInUse + after.wrongInUse,
    wrongTotals: before.wrongTotals + after.wrongTotals,
    wrongMaxUsed: before.wrongMaxUsed + after.wrongMaxUsed,
  };
}

/**
 * By licence, how many spans of the usage history are not what the rows and the denials come to, as far as they are summed
 * up and their rows are kept. Reckoned by PostgreSQL alone: what it is compared with was reckoned by the program.
 */
export async function findWrongRollUps(trx: Transaction, organisationId: OrganisationId): Promise<Finding[]> {
  const { rows } = await sql<{ licence: LicenceCode; wrong: number }>`
    with progress as (select * from usage_progress where organisation_id = ${organisationId}),
      gone as (select coalesce(max(at), '-infinity') as until from history_opening where organisation_id = ${organisationId}),
      widths as (select width::smallint, make_interval(mins => width) as length from unnest(array[5, 60, 1440]) width),
      states as (
        select licence, id, at, due, in_use, concurrent_total, contingency_total
        from history where organisation_id = ${organisationId} and id <= (select history_id from progress)
        union all
        select licence, id, at, false, in_use, concurrent_total, contingency_total
        from history_opening where organisation_id = ${organisationId}),
      measured as (
        select *, least(in_use, concurrent_total) as concurrent,
          least(greatest(in_use - concurrent_total, 0), contingency_total) as contingency
        from states),
      course as (
        select *, lead(at) over w as next_at, coalesce(lag(in_use) over w, 0) as in_use_before,
          coalesce(lag(concurrent) over w, 0) as concurrent_before,
          coalesce(lag(contingency) over w, 0) as contingency_before
        from measured window w as (partition by licence order by id)),
      placed as (
        select course.*, width, span as span_at,
          row_number() over w = 1 as is_first,
          row_number() over w = 1 and not (due and course.at = span) as is_after,
          lead(course.id) over w is null as is_last,
          extract(epoch from least(next_at, span + length) - course.at) * 1000 as lasted,
          extract(epoch from course.at - span) * 1000 as passed
        from course cross join widths cross join lateral date_bin(length, course.at, to_timestamp(0)) span
        window w as (partition by licence, width, span order by id)),
      reckoned as (
        select licence, width, span_at as at,
          least(min(in_use), min(in_use_before) filter (where is_after)) as in_use_minimum,
          greatest(max(in_use), max(in_use_before) filter (where is_after)) as in_use_maximum,
          sum(in_use * lasted + case when is_first then in_use_before * passed else 0 end)::int8 as in_use_milliseconds,
          least(min(concurrent), min(concurrent_before) filter (where is_after)) as concurrent_minimum,
          greatest(max(concurrent), max(concurrent_before) filter (where is_after)) as concurrent_maximum,
          sum(concurrent * lasted + case when is_first then concurrent_before * passed else 0 end)::int8
            as concurrent_milliseconds,
          least(min(contingency), min(contingency_before) filter (where is_after)) as contingency_minimum,
          greatest(max(contingency), max(contingency_before) filter (where is_after)) as contingency_maximum,
          sum(contingency * lasted + case when is_first then contingency_before * passed else 0 end)::int8
            as contingency_milliseconds,
          max(in_use) filter (where is_last) as in_use,
          max(concurrent_total) filter (where is_last) as concurrent_total,
          max(contingency_total) filter (where is_last) as contingency_total
        from placed group by licence, width, span_at),
      denied as (
        select licence, width, date_bin(length, at, to_timestamp(0)) as at, count(*)::int as denials
        from denial cross join widths
        where organisation_id = ${organisationId} and at < (select denials_until from progress) group by 1, 2, 3),
      kept as (select * from usage_rollup where organisation_id = ${organisationId})
    select licence, count(*) as wrong
    from kept k full join reckoned r using (licence, width, at) full join denied d using (licence, width, at), gone
    where at > gone.until and (
      k.organisation_id is null or (r.in_use is null and d.denials is null) or k.denials <> coalesce(d.denials, 0)
      or (r.in_use is not null and (k.in_use_minimum, k.in_use_maximum, k.in_use_milliseconds, k.concurrent_minimum,
          k.concurrent_maximum, k.concurrent_milliseconds, k.contingency_minimum, k.contingency_maximum,
          k.contingency_milliseconds, k.in_use, k.concurrent_total, k.contingency_total)
        is distinct from (r.in_use_minimum, r.in_use_maximum, r.in_use_milliseconds, r.concurrent_minimum,
          r.concurrent_maximum, r.concurrent_milliseconds, r.contingency_minimum, r.contingency_maximum,
          r.contingency_milliseconds, r.in_use, r.concurrent_total, r.contingency_total)))
    group by licence order by licence`.execute(trx);
  return rows.map(({ licence, wrong }) => ({
    check: 'rollUps' as const,
    ...{ licence, recorded: 0, recomputed: wrong },
  }));
}

interface LicenceRow {
  readonly licence: LicenceCode;
  readonly [name: string]: number | Instant | null | LicenceCode;
}

type WatchedRow = LicenceRow & Pick<LicenceFigures, 'watched'>;

/**
 * Each licence's pool, beside what the rows behind it say.
 * @param history the organisation's, read up to now
 * @param only these licences; null: all
 */
export async function readLicenceFigures(
  trx: Transaction,
  organisationId: OrganisationId,
  history: HistoryReading,
  only: readonly LicenceCode[] | null,
): Promise<LicenceFigures[]> {
  const { rows } = await sql<WatchedRow>`
    with o as (select * from organisation where id = ${organisationId}),
      held as (select licence, count(*) as n from (${holdsImplied(organisationId)}) implied group by 1),
      bought as (
        select p.licence, count(*) as purchases,
          coalesce(sum(base) filter (where in_force), 0) as base,
          coalesce(sum(concurrent) filter (where in_force), 0) as concurrent,
          coalesce(sum(contingency) filter (where in_force), 0) as contingency
        from (select purchase.*, "from" <= o.settled_at and (until is null or until > o.settled_at) as in_force
              from purchase, o where organisation_id = o.id) p group by 1),
      given_away as (
        select licence, count(*) as holders, count(consumed_at) as consumed
        from assignment where organisation_id = ${organisationId} and removed_at is null group by 1),
      based as (
        select licence, count(holder_id) as assigned,
          count(*) filter (where holder_id is null and not reassigned) as reusable,
          count(*) filter (where holder_id is null and reassigned) as locked
        from base_licence where organisation_id = ${organisationId} group by 1),
      codes as (
        select licence from pool where organisation_id = ${organisationId}
        union select licence from held union select licence from bought union select licence from given_away
        union select licence from based union select unnest(${[...history.courses.keys()]}::text[]))
    select codes.licence,
      coalesce(pool.in_use, 0) as in_use, coalesce(held.n, 0) as really_in_use,
      coalesce(pool.base_total, 0) as base_total, coalesce(bought.base, 0)::int8 as really_base_total,
      coalesce(pool.concurrent_total, 0) as concurrent_total,
      coalesce(bought.concurrent, 0)::int8 as really_concurrent_total,
      coalesce(pool.contingency_total, 0) as contingency_total,
      coalesce(bought.contingency, 0)::int8 as really_contingency_total,
      coalesce(pool.purchases, 0) as purchases, coalesce(bought.purchases, 0) as really_purchases,
      coalesce(pool.assigned, 0) as assigned, coalesce(based.assigned, 0) as really_assigned,
      coalesce(pool.reusable, 0) as reusable, coalesce(based.reusable, 0) as really_reusable,
      coalesce(pool.locked, 0) as locked, coalesce(based.locked, 0) as really_locked,
      coalesce(pool.holders, 0) as holders, coalesce(given_away.holders, 0) as really_holders,
      coalesce(pool.assigned, 0) as consumed, coalesce(given_away.consumed, 0) as really_consumed,
      coalesce(pool.max_used, 0) as max_used, pool.max_used_at,
      o.period_from,
      case when w.licence is not null then jsonb_build_object(
        'contingencyCap', ${capOfMonth}, 'thresholds', w.thresholds, 'raised', w.raised) end as watched
    from codes cross join o
    left join pool on pool.organisation_id = o.id and pool.licence = codes.licence
    left join pool_watch w on w.organisation_id = o.id and w.licence = codes.licence
    left join held on held.licence = codes.licence
    left join bought on bought.licence = codes.licence
    left join given_away on given_away.licence = codes.licence
    left join based on based.licence = codes.licence
    where ${only}::text[] is null or codes.licence = any(${only}::text[])
    order by codes.licence`.execute(trx);
  return rows.map(({ watched, ...row }) => ({
    ...toFigures(row, history.courses.get(row.licence)),
    watched,
  }));
}

const kept = [
  'inUse',
  'baseTotal',
  'concurrentTotal',
  'contingencyTotal',
  'purchases',
  'assigned',
  'reusable',
  'locked',
  'consumed',
  'holders',
] as const;

function toFigures(row: LicenceRow, course: Course | undefined): Omit<LicenceFigures, 'watched'> {
  const figure = (name: string) => {
    const value = row[name];
    if (value === undefined || typeof value === 'string') throw new Error(`No figure ${name}`);
    // A sum of numbers is read as text or number by its type: these all fit.
    return value;
  };
  const real = (name: string) => figure(`really${name.charAt(0).toUpperCase()}${name.slice(1)}`);
  const { startUsed = 0, peakUsed = 0, peakAt = null, atEdge = false } = course ?? {};
  const inPeriod = { maxUsed: peakUsed, maxUsedAt: peakUsed === 0 ? null : peakAt };
  const withStart =
    startUsed >= peakUsed && startUsed > 0
      ? { maxUsed: startUsed, maxUsedAt: figure('periodFrom') as Instant }
      : inPeriod;
  return {
    licence: row.licence,
    recorded: {
      ...Object.fromEntries(kept.map((name) => [name, Number(figure(name))])),
      historyInUse: real('inUse'),
      stepsInUse: 0,
      stepsTotals: 0,
      stepsMaxUsed: 0,
      maxUsed: figure('maxUsed'),
      maxUsedAt: figure('maxUsedAt'),
    } as LicenceFigures['recorded'],
    recomputed: {
      ...Object.fromEntries(kept.map((name) => [name, Number(real(name))])),
      historyInUse: course?.inUse ?? 0,
      stepsInUse: course?.wrongInUse ?? 0,
      stepsTotals: course?.wrongTotals ?? 0,
      stepsMaxUsed: course?.wrongMaxUsed ?? 0,
      ...(atEdge ? inPeriod : withStart),
    } as LicenceFigures['recomputed'],
    peakWithStart: withStart,
  };
}

/**
 * Sets the kept figures that were found wrong to what the rows behind them say; the organisation must be locked. Reads
 * nothing of the history. The findings are recorded, those of the history with the last row that they speak of.
 */
export async function mend(
  trx: Transaction,
  organisationId: OrganisationId,
  findings: readonly Finding[],
  licences: readonly LicenceFigures[],
  lastHistoryId: number,
  at: Instant,
): Promise<void> {
  const isCountOfUsers = ({ check }: Finding) => check === 'activeUsers' || check === 'activeInBillingPeriod';
  await sql`delete from hold where organisation_id = ${organisationId}
    and (user_id, licence) not in (${holdsImplied(organisationId)})`.execute(trx);
  await sql`
    insert into hold (organisation_id, user_id, licence, admitted_as, acquired_at)
    select ${organisationId}, implied.user_id, implied.licence, implied.admitted_as, min(implied.started_at)
    from (
      select s.user_id, s.licence, s.admitted_as, s.started_at from session s
      where s.organisation_id = ${organisationId} and s.ended_at is null
      union all
      select s.user_id, f.licence, f.admitted_as, s.started_at from session s
      join session_feature f on f.organisation_id = s.organisation_id and f.session_id = s.id
      where s.organisation_id = ${organisationId} and s.ended_at is null and f.admitted_as is not null) implied
    group by 2, 3, 4
    on conflict do nothing`.execute(trx);
  await sql`
    update allotment a set in_use = (${heldByMembers(sql`(${holdsImplied(organisationId)})`)})
    where a.organisation_id = ${organisationId}`.execute(trx);
  await sql`
    update pool_watch w set contingency_cap = ${capOfMonth} from organisation o
    where o.id = ${organisationId} and w.organisation_id = o.id
      and w.contingency_cap is distinct from ${capOfMonth}`.execute(trx);
  const { rows } = await sql<{ revision: number }>`
    update organisation o set
      ${
        findings.some(isCountOfUsers)
          ? sql`active_users = (select count(*) from "user" u where u.organisation_id = o.id and u.status = 'ACTIVE'),
      active_in_billing_period = (${activeInPeriod}),`
          : sql``
      }
      next_due_at = least(o.next_due_at, o.settled_at),
      revision = revision + 1, rows_revision = revision + 1
    where id = ${organisationId} returning revision`.execute(trx);
  const revision = rows[0]?.revision ?? 0;
  const drifted = new Set(findings.map(({ licence }) => licence));
  for (const drift of licences.filter((each) => drifted.has(each.licence))) {
    const { licence, recomputed: figures } = drift;
    const { inUse, baseTotal, concurrentTotal, contingencyTotal, maxUsed, maxUsedAt } = figures;
    const { assigned, reusable, locked, holders, purchases } = figures;
    await sql`
      insert into pool values (${organisationId}, ${licence}, ${baseTotal}, ${concurrentTotal}, ${contingencyTotal},
        ${inUse}, ${maxUsed}, ${maxUsedAt}, ${assigned}, ${reusable}, ${locked}, ${holders}, ${purchases}, ${revision})
      on conflict (organisation_id, licence) do update set
        base_total = excluded.base_total, concurrent_total = excluded.concurrent_total,
        contingency_total = excluded.contingency_total, in_use = excluded.in_use, max_used = excluded.max_used,
        max_used_at = excluded.max_used_at, assigned = excluded.assigned, reusable = excluded.reusable,
        locked = excluded.locked, holders = excluded.holders, purchases = excluded.purchases,
        revision = excluded.revision`.execute(trx);
    await sql`
      update pool_watch set raised = ${JSON.stringify(standingAlerts(drift))}
      where organisation_id = ${organisationId} and licence = ${licence}`.execute(trx);
  }
  await trx
    .insertInto('repair')
    .values({
      organisationId,
      at,
      findings: JSON.stringify(
        findings.map((finding) => (isOfHistory(finding) ? { ...finding, through: lastHistoryId } : finding)),
      ),
    })
    .execute();
}
