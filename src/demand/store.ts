import { sql } from 'kysely';
import type { Database } from '../database/database.ts';
import { type Instant, plusDays, plusSeconds } from '../kernel/clock.ts';
import type { LicenceCode, OrganisationId, UserId } from '../kernel/ids.ts';
import type { Period } from '../kernel/interval.ts';
import {
  type Acquired,
  addToReport,
  demandIn,
  firstLookedAt,
  maxChanges,
  maxRefusals,
  type Moment,
  type MonthlyDemand,
  openReport,
  type Refused,
  type Report,
  returnMilliseconds,
  type SeatChange,
  wantsOfSeats,
} from './domain.ts';

/** Read at a time, so that neither the database nor this process is busy with one report for long. */
const stretchDays = 7;

const milliseconds = sql`(date_part('epoch', at) * 1000)::bigint`;
/** A column of many rows, as one value: a tenth of what as many rows cost to read. */
const column = (values: ReturnType<typeof sql>, order = sql`at, id`) =>
  sql`coalesce(array_to_json(array_agg(${values} order by ${order})), '[]')`;

interface Stretch {
  /** Columns of equal length. Of each who was refused something: which organisation, which licence, and who. */
  readonly numbers: readonly number[];
  readonly licences: readonly LicenceCode[];
  readonly users: readonly UserId[];
  readonly codes: readonly string[];
  /** Columns of equal length. `who` is a place in `numbers`, `licences` and `users`, `why` one in `codes`. */
  readonly refusals: {
    readonly at: readonly number[];
    readonly who: readonly number[];
    readonly why: readonly number[];
  };
  readonly acquisitions: { readonly at: readonly number[]; readonly who: readonly number[] };
}

function toMoments({ licences, users, codes, refusals, acquisitions }: Stretch): [Refused[], Acquired[]] {
  const toMoment = (at: number, who = 0) => ({
    at,
    licence: licences[who] as LicenceCode,
    userId: users[who] as UserId,
  });
  return [
    refusals.at.map((at, index) => ({
      ...toMoment(at, refusals.who[index]),
      code: codes[refusals.why[index] ?? 0] ?? '',
    })),
    acquisitions.at.map((at, index) => toMoment(at, acquisitions.who[index])),
  ];
}

/** @param first before it no refusals are asked for, and from `end` on none either */
async function readStretch(
  db: Database,
  organisationIds: readonly OrganisationId[],
  licences: readonly LicenceCode[] | null,
  { from, until, first, end }: Period & { readonly first: Instant; readonly end: Instant },
): Promise<Stretch> {
  const { rows } = await sql<Stretch>`
    with whose as materialized (
      select organisation_id, number - 1 as number
      from unnest(${organisationIds}::uuid[]) with ordinality as given(organisation_id, number)
    ), refusal as materialized (
      select found.*, whose.organisation_id, whose.number from whose cross join lateral (
        select licence, user_id, code, at, id from denial
        where denial.organisation_id = whose.organisation_id
          -- Who was refused the day before may get in now.
          and at >= greatest(${from}::timestamptz - interval '24 hours', ${first}) and at < least(${until}::timestamptz, ${end})
          and (${licences}::text[] is null or licence = any (${licences}::text[]))
        offset 0) as found
      limit ${maxRefusals + 1}
    ), someone as materialized (
      select organisation_id, number, licence, user_id, row_number() over () - 1 as who
      from (select distinct organisation_id, number, licence, user_id from refusal) as refused
    ), reason as materialized (
      select code, row_number() over () - 1 as why from (select distinct code from refusal) as refused
    ), day as (
      select distinct organisation_id, licence, "from" + later * interval '24 hours' as "from"
      from (select distinct organisation_id, licence, date_bin('24 hours', at, 'epoch') as "from" from refusal) as refused
      cross join generate_series(0, 1) as later
    ), acquisition as (
      select history.at, history.id, someone.who
      from day cross join lateral (
        select user_id, at, id from history
        where history.organisation_id = day.organisation_id and licence = day.licence and kind = 'ACQUIRED'
          and at >= greatest(day."from", ${from}) and at < least(day."from" + interval '24 hours', ${until})
        offset 0) as history
      join someone on someone.organisation_id = day.organisation_id and someone.licence = day.licence
        and someone.user_id = history.user_id
    )
    select
      (select ${column(sql`number`, sql`who`)} from someone) as numbers,
      (select ${column(sql`licence`, sql`who`)} from someone) as licences,
      (select ${column(sql`user_id`, sql`who`)} from someone) as users,
      (select ${column(sql`code`, sql`why`)} from reason) as codes,
      (select json_build_object('at', ${column(milliseconds)}, 'who', ${column(sql`who`)}, 'why', ${column(sql`why`)})
        from refusal join someone using (organisation_id, licence, user_id) join reason using (code)
        where at >= ${from}) as refusals,
      (select json_build_object('at', ${column(milliseconds)}, 'who', ${column(sql`who`)}) from acquisition) as acquisitions`.execute(
    db,
  );
  return rows[0] as Stretch;
}

/** Whose refusals are told, and by which zone's clocks hours are. */
export interface Reported {
  readonly organisationId: OrganisationId;
  readonly timeZone: string;
}

/**
 * The refusals of a period, by licence code and reason, of each organisation: as many statements for a thousand as for
 * one. Refusals are a range of `denial_newest`. Of the history it reads the days of a refusal, and those that follow them:
 * most licences refuse nobody on most days.
 *
 * @param licences null: all that refused somebody
 * @returns a report of each, in their order; null where all of them together have more than `maxRefusals`
 */
export async function readReports(
  db: Database,
  organisations: readonly Reported[],
  licences: readonly LicenceCode[] | null,
  period: Period,
): Promise<Report[] | null> {
  const reports = organisations.map(({ timeZone }) => openReport(period, timeZone));
  const ids = organisations.map(({ organisationId }) => organisationId);
  const first = firstLookedAt(period);
  const last = plusSeconds(period.until, returnMilliseconds / 1000);
  let count = 0;
  for (let from = first; from < last; from = plusDays(from, stretchDays)) {
    const stretch = { from, until: plusDays(from, stretchDays), first, end: period.until };
    const read = await readStretch(db, ids, licences, stretch);
    count += read.refusals.at.length;
    if (count > maxRefusals) return null;
    const [refusals, acquisitions] = toMoments(read);
    const numberOf = (who = 0) => read.numbers[who] ?? 0;
    const refused = Map.groupBy(refusals, (_, index) => numberOf(read.refusals.who[index]));
    const acquired = Map.groupBy(acquisitions, (_, index) => numberOf(read.acquisitions.who[index]));
    for (const [number, report] of reports.entries()) {
      addToReport(report, refused.get(number) ?? [], acquired.get(number) ?? []);
    }
  }
  return reports;
}

interface MonthStretch {
  readonly users: readonly UserId[];
  /** Columns of equal length; `who` is a place in `users`. */
  readonly refusals: { readonly at: readonly number[]; readonly who: readonly number[] };
  readonly changes: {
    readonly at: readonly number[];
    readonly inUse: readonly number[];
    readonly who: readonly (number | null)[];
  };
}

/**
 * The seats of one licence that were wanted in a billing period, in use or in vain: from the licence's history of that
 * time, which is a range of `history_time`.
 *
 * @param most refusals that are still reckoned
 * @returns null where there are more, or more than `maxChanges`
 */
export async function getDemand(
  db: Database,
  organisationId: OrganisationId,
  licence: LicenceCode,
  period: Period,
  most: number,
): Promise<MonthlyDemand | null> {
  const refusals: Moment[][] = [];
  const changes: SeatChange[][] = [];
  let [refusalCount, changeCount] = [0, 0];
  for (let from = firstLookedAt(period); from < period.until; from = plusDays(from, stretchDays)) {
    const end = plusDays(from, stretchDays);
    const stretch = { from, until: end < period.until ? end : period.until };
    const read = await readMonthStretch(db, organisationId, licence, period, stretch, most);
    refusalCount += read.refusals.at.length;
    changeCount += read.changes.at.length;
    if (refusalCount > most || changeCount > maxChanges) return null;
    refusals.push(
      read.refusals.at.map((at, index) => ({
        at,
        userId: read.users[read.refusals.who[index] ?? 0] as UserId,
      })),
    );
    changes.push(
      read.changes.at.map((at, index) => {
        const who = read.changes.who[index] ?? null;
        const takerId = who === null ? null : (read.users[who] ?? null);
        return { at, inUse: read.changes.inUse[index] ?? 0, takerId };
      }),
    );
  }
  const opening = await findOpening(db, organisationId, licence, period.from);
  return demandIn(period, opening, refusals.flat(), changes.flat());
}

/** Of what is before the period only those matter who wanted a seat, and got in. */
async function readMonthStretch(
  db: Database,
  organisationId: OrganisationId,
  licence: LicenceCode,
  period: Period,
  stretch: Period,
  most: number,
): Promise<MonthStretch> {
  const { from } = period;
  const ofLicence = sql`organisation_id = ${organisationId} and licence = ${licence}`;
  const { rows } = await sql<MonthStretch>`
    with refusal as materialized (
      select user_id, at, id from denial
      where ${ofLicence} and code = any (${wantsOfSeats}::text[])
        -- Whose patience lasts may get in now.
        and at >= greatest(${firstLookedAt(stretch)}::timestamptz, ${firstLookedAt(period)}) and at < ${stretch.until}
      limit ${most + 1}
    ), someone as materialized (
      select user_id, row_number() over () - 1 as who from (select distinct user_id from refusal) as refused
    ), change as (
      select at, id, in_use, who
      from history left join someone on someone.user_id = history.user_id and kind = 'ACQUIRED'
      where ${ofLicence} and at >= ${stretch.from} and at < ${stretch.until}
        -- What falls due at the period's edge took effect before the period began (T3).
        and (who is not null or (seat_changed and at >= ${from} and not (at = ${from} and due)))
      limit ${maxChanges + 1}
    )
    select
      (select ${column(sql`user_id`, sql`who`)} from someone) as users,
      (select json_build_object('at', ${column(milliseconds)}, 'who', ${column(sql`who`)})
        from refusal join someone using (user_id) where at >= ${stretch.from}) as refusals,
      (select json_build_object('at', ${column(milliseconds)}, 'inUse', ${column(sql`in_use`)}, 'who', ${column(sql`who`)})
        from change) as changes`.execute(db);
  return rows[0] as MonthStretch;
}

/** What was in use when a period began, once all that fell due at its edge had taken effect (T3). */
async function findOpening(
  db: Database,
  organisationId: OrganisationId,
  licence: LicenceCode,
  from: Instant,
): Promise<number> {
  const ofLicence = sql`organisation_id = ${organisationId} and licence = ${licence}`;
  const { rows } = await sql<{ inUse: number }>`
    select coalesce((
      select in_use from history where ${ofLicence} and at <= ${from} and (at < ${from} or due)
      order by at desc, id desc limit 1), (select in_use from history_opening where ${ofLicence}), 0) as in_use`.execute(
    db,
  );
  return rows[0]?.inUse ?? 0;
}
