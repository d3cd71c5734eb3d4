import { sql } from 'kysely';
import type { Database } from '../database/database.ts';
import type { Transaction } from '../database/transaction.ts';
import type { Instant } from '../kernel/clock.ts';
import type { LicenceCode, OrganisationId } from '../kernel/ids.ts';
import type { Finding, LicenceFigures, OrganisationFigures } from './domain.ts';

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

/** Everything that follows sees one moment, and holds nobody up. */
export async function takeSnapshot(trx: Transaction): Promise<void> {
  await sql`set transaction isolation level repeatable read, read only`.execute(trx);
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
    strayRows: number;
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
      (select count(*) from session s where s.organisation_id = o.id and not exists
          (select from "user" u where u.organisation_id = o.id and u.id = s.user_id))
        + (select count(*) from hold h where h.organisation_id = o.id and not exists
          (select from "user" u where u.organisation_id = o.id and u.id = h.user_id))
        + (select count(*) from denial d where d.organisation_id = o.id and not exists
          (select from "user" u where u.organisation_id = o.id and u.id = d.user_id))
        + (select count(*) from history h where h.organisation_id = o.id and h.session_id is not null and not exists
          (select from session s where s.organisation_id = o.id and s.id = h.session_id and s.user_id = h.user_id))
        + (select count(*) from (
            select licence from session where organisation_id = o.id
            union all select licence from session_feature where organisation_id = o.id
            union all select licence from hold where organisation_id = o.id
            union all select licence from history where organisation_id = o.id) named
          where not exists (select from licence l where l.code = named.licence)) as stray_rows
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
      strayRows: 0,
    },
    recomputed: {
      activeUsers: row.reallyActive,
      activeInBillingPeriod: row.reallyActiveInPeriod,
      nextDueAt: row.reallyDueAt,
      missingHolds: row.missingHolds,
      strayHolds: row.strayHolds,
      strayRows: row.strayRows,
    },
  };
}

interface LicenceRow {
  readonly licence: LicenceCode;
  readonly startUsed: number;
  readonly [name: string]: number | Instant | null | LicenceCode;
}

/** Each licence's pool, beside what the rows behind it say. */
export async function readLicenceFigures(
  trx: Transaction,
  organisationId: OrganisationId,
): Promise<LicenceFigures[]> {
  const { rows } = await sql<LicenceRow>`
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
      recorded as (
        select licence,
          sum(case when not seat_changed then 0 when kind = 'ACQUIRED' then 1 when kind = 'RELEASED' then -1 else 0 end) as in_use
        from history where organisation_id = ${organisationId} group by 1),
      used as (
        select h.licence, h.id, h.at, least(greatest(h.in_use - h.concurrent_total, 0), h.contingency_total) as used
        from history h, o where h.organisation_id = o.id and h.at >= o.period_from),
      peak as (select distinct on (licence) licence, used, at from used order by licence, used desc, at, id),
      codes as (
        select licence from pool where organisation_id = ${organisationId}
        union select licence from held union select licence from bought union select licence from given_away
        union select licence from based union select licence from recorded)
    select codes.licence,
      coalesce(pool.in_use, 0) as in_use, coalesce(held.n, 0) as really_in_use,
      coalesce(held.n, 0) as history_in_use, coalesce(recorded.in_use, 0) as really_history_in_use,
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
      coalesce(peak.used, 0) as peak_used, peak.at as peak_at, o.period_from,
      coalesce((
        select least(greatest(h.in_use - h.concurrent_total, 0), h.contingency_total) from history h
        where h.organisation_id = o.id and h.licence = codes.licence and h.at < o.period_from
        order by h.id desc limit 1), 0) as start_used,
      exists (select from history h
        where h.organisation_id = o.id and h.licence = codes.licence and h.at = o.period_from) as at_edge
    from codes cross join o
    left join pool on pool.organisation_id = o.id and pool.licence = codes.licence
    left join held on held.licence = codes.licence
    left join bought on bought.licence = codes.licence
    left join given_away on given_away.licence = codes.licence
    left join based on based.licence = codes.licence
    left join recorded on recorded.licence = codes.licence
    left join peak on peak.licence = codes.licence
    order by codes.licence`.execute(trx);
  return rows.map(toFigures);
}

const kept = [
  'inUse',
  'historyInUse',
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

function toFigures(row: LicenceRow): LicenceFigures {
  const figure = (name: string) => {
    const value = row[name];
    if (value === undefined || typeof value === 'string') throw new Error(`No figure ${name}`);
    // A sum of numbers is read as text or number by its type: these all fit.
    return value;
  };
  const real = (name: string) => figure(`really${name.charAt(0).toUpperCase()}${name.slice(1)}`);
  const peakUsed = Number(row['peakUsed']);
  const inPeriod = { maxUsed: peakUsed, maxUsedAt: peakUsed === 0 ? null : figure('peakAt') };
  const withStart =
    row.startUsed >= peakUsed && row.startUsed > 0
      ? { maxUsed: row.startUsed, maxUsedAt: row['periodFrom'] as Instant }
      : { ...inPeriod, maxUsedAt: inPeriod.maxUsedAt as Instant | null };
  const peak = row['atEdge'] === (true as never) ? inPeriod : withStart;
  return {
    licence: row.licence,
    recorded: {
      ...Object.fromEntries(kept.map((name) => [name, Number(figure(name))])),
      maxUsed: figure('maxUsed'),
      maxUsedAt: figure('maxUsedAt'),
    } as LicenceFigures['recorded'],
    recomputed: {
      ...Object.fromEntries(kept.map((name) => [name, Number(real(name))])),
      ...peak,
    } as LicenceFigures['recomputed'],
    peakWithStart: withStart,
  };
}

/** Sets the kept figures to what the rows behind them say; the organisation must be locked. */
export async function mend(
  trx: Transaction,
  organisationId: OrganisationId,
  findings: readonly Finding[],
  licences: readonly LicenceFigures[],
  at: Instant,
): Promise<void> {
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
  const { rows } = await sql<{ revision: number }>`
    update organisation o set
      active_users = (select count(*) from "user" u where u.organisation_id = o.id and u.status = 'ACTIVE'),
      active_in_billing_period = (${activeInPeriod}),
      next_due_at = least(o.next_due_at, o.settled_at),
      revision = revision + 1, rows_revision = revision + 1
    where id = ${organisationId} returning revision`.execute(trx);
  const revision = rows[0]?.revision ?? 0;
  const drifted = new Set(findings.map(({ licence }) => licence));
  for (const { licence, recomputed: figures } of licences.filter((each) => drifted.has(each.licence))) {
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
  }
  await trx
    .insertInto('repair')
    .values({ organisationId, at, findings: JSON.stringify(findings) })
    .execute();
}
