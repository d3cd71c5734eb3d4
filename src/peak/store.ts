import { sql } from 'kysely';
import { forRows, insertInto, type Of } from '../database/bulk.ts';
import type { Database } from '../database/database.ts';
import { keyset, type PageRequest } from '../database/page.ts';
import { earliest, type Instant } from '../kernel/clock.ts';
import type { LicenceCode, OrganisationId, UserId } from '../kernel/ids.ts';
import type { Period } from '../kernel/interval.ts';
import type { SeatFigures } from '../usage/domain.ts';
import {
  causeOf,
  type ContractOptions,
  type Level,
  levelsOf,
  maxInstants,
  type Moment,
  noSeats,
  openPeriod,
  type Peak,
  type PeakSeat,
  type SeatChange,
  type ToldPeak,
} from './domain.ts';

/** What a pass over some of a period's changes comes to. */
interface Course {
  readonly maxUsed: number;
  /** When use first was another than before them; null: never. */
  readonly firstAt: Instant | null;
  /** For how many milliseconds exactly so many were in use, by the changes; the time before the first is not in it. */
  readonly lasted: readonly (readonly [used: number, milliseconds: number])[];
  /** Of changes that reached the peak, and that left it. */
  readonly reached: number;
  readonly firstId: number | null;
  readonly reachedAt: readonly Instant[];
  readonly leftAt: readonly Instant[];
  /** What was in use after them. */
  readonly closing: number;
}

/** A place in the order of a licence's changes: behind the change that it names. */
interface Place {
  readonly at: Instant;
  readonly id: number;
}

/**
 * So many changes are read by one statement, about half a second's work: of a busy month there are more than a statement has
 * time for.
 */
const maxRead = 500_000;

/**
 * Explains a licence's peak of a billing period from its history, as `explainPeak` of domain.ts does; PostgreSQL reads the
 * period's changes once, and answers levels and episodes only.
 * @param now the organisation's own: where a running period's explanation ends
 * @param readAtOnce how many changes a statement reads
 * @returns null where changes of the period were dropped (HISTORY_MONTHS)
 */
export async function readPeak(
  db: Database,
  organisationId: OrganisationId,
  licence: LicenceCode,
  { from, until: closes }: Period,
  now: Instant,
  readAtOnce = maxRead,
): Promise<Peak | null> {
  const explained = { from, until: earliest(now, closes) };
  const asked = [{ number: 0, organisationId, licence, from, reaching: null }];
  const [[before = noSeats], [first = null]] = await Promise.all([
    selectLastChanges(db, asked),
    selectFirstChanges(db, asked),
  ]);
  const opening = openPeriod(before, first, from);
  const { maxUsed, lasted, ...course } = await readCourses(
    db,
    { organisationId, licence, edgeId: opening.edgeId },
    { from, until: explained.until, closes },
    opening.used,
    readAtOnce,
  );
  // Asked last: what is dropped while this is read is known by then.
  if ((await selectDropped(db, asked)).length > 0) return null;

  const isOpening = opening.used === maxUsed;
  const starts = isOpening ? [from, ...course.reachedAt] : course.reachedAt;
  const peak = {
    licence,
    explained,
    maxUsed,
    levels: levelsOf(lasted),
    instants: starts
      .slice(0, maxInstants)
      .map((start, index) => ({ from: start, until: course.leftAt[index] ?? null })),
    instantCount: course.reached + (isOpening ? 1 : 0),
  };
  if (maxUsed === 0) return { ...peak, ...nothing };
  if (isOpening && opening.edgeId === null) {
    const moment: Moment = { at: from, beforeId: 0 };
    return { ...peak, ...carried, maxUsedAt: from, moment, inUse: before.inUse };
  }
  const causeId = isOpening ? opening.edgeId : course.firstId;
  const maxUsedAt = isOpening ? from : (course.reachedAt[0] ?? from);
  const change = await getChange(db, organisationId, licence, maxUsedAt, causeId);
  const { kind, inUse, beforeId, userId, sessionId } = change;
  const cause = isOpening ? opening.cause : causeOf({ kind });
  const seat: PeakSeat | null =
    cause === 'ACQUIRED' && userId !== null && sessionId !== null ? { userId, sessionId } : null;
  return {
    ...peak,
    ...{ maxUsedAt, cause, inUse, seat },
    causeId: cause === 'CARRIED_OVER' ? null : causeId,
    moment: { at: maxUsedAt, beforeId },
  };
}

const nothing = {
  ...{ maxUsedAt: null, cause: null, causeId: null, moment: null, inUse: 0, seat: null },
  ...{ instants: [], instantCount: 0 },
};
const carried = { cause: 'CARRIED_OVER', causeId: null, seat: null } as const;

/** Whose changes are read. */
interface Whose {
  readonly organisationId: OrganisationId;
  readonly licence: LicenceCode;
  /** The change that is part of the opening, and no turn. */
  readonly edgeId: number | null;
}

/** What is explained of a period: all up to an instant, and nothing of the next period. */
interface Extent extends Period {
  readonly closes: Instant;
}

/** The whole course of use, from what it began with, piece by piece. */
async function readCourses(
  db: Database,
  whose: Whose,
  extent: Extent,
  opening: number,
  readAtOnce: number,
): Promise<
  Omit<Course, 'firstAt' | 'lasted' | 'closing'> & { readonly lasted: ReadonlyMap<number, number> }
> {
  const { from, until } = extent;
  const lasted = new Map<number, number>();
  const last = (used: number, milliseconds: number) =>
    lasted.set(used, (lasted.get(used) ?? 0) + milliseconds);
  let peak: Pick<Course, 'maxUsed' | 'reached' | 'firstId' | 'reachedAt' | 'leftAt'> = {
    ...{ maxUsed: opening, reached: 0, firstId: null, reachedAt: [], leftAt: [] },
  };
  let used = opening;
  for (let start: Place = { at: from, id: 0 }; ;) {
    const next: Place | null = await findPlaceAfter(db, whose, extent, start, readAtOnce);
    const end = next ?? { at: until, id: Number.MAX_SAFE_INTEGER };
    const part = await readCourse(db, whose, extent, used, start, end);
    last(used, (part.firstAt ?? end.at).getTime() - start.at.getTime());
    for (const [level, milliseconds] of part.lasted) last(level, milliseconds);
    if (part.maxUsed > peak.maxUsed) peak = part;
    else if (part.maxUsed === peak.maxUsed) {
      peak = {
        maxUsed: peak.maxUsed,
        reached: peak.reached + part.reached,
        firstId: peak.firstId ?? part.firstId,
        reachedAt: [...peak.reachedAt, ...part.reachedAt].slice(0, maxInstants),
        leftAt: [...peak.leftAt, ...part.leftAt].slice(0, maxInstants),
      };
    }
    if (next === null) return { ...peak, lasted };
    used = part.closing;
    start = next;
  }
}

/** The extent's changes behind a place, as a condition. */
function isBehind({ at, id }: Place, { until, closes }: Extent) {
  // What happens while this is asked is not of what is explained.
  return sql`(at, id) > (${at}, ${id}) and at < ${closes} and at <= ${until}`;
}

/** The place so many changes after another; null: there are no more than that. */
async function findPlaceAfter(
  db: Database,
  { organisationId, licence }: Whose,
  extent: Extent,
  place: Place,
  changes: number,
): Promise<Place | null> {
  const { rows } = await sql<Place>`
    select at, id from history
    where organisation_id = ${organisationId} and licence = ${licence} and ${isBehind(place, extent)}
    order by at, id offset ${changes - 1} limit 1`.execute(db);
  return rows[0] ?? null;
}

/**
 * One pass over the changes between two places in the order of the index keeps the few that changed how many contingency
 * seats are in use; levels and episodes are reckoned from those. It takes a second for a million changes.
 */
async function readCourse(
  db: Database,
  { organisationId, licence, edgeId }: Whose,
  extent: Extent,
  opening: number,
  start: Place,
  end: Place,
): Promise<Course> {
  const { rows } = await sql<Course>`
    with turn as materialized (
      select at, id, used, before from (
        select at, id, used, lag(used, 1, ${opening}::int) over (order by at, id) as before
        from (
          select at, id, least(greatest(in_use - concurrent_total, 0), contingency_total) as used
          from history
          where organisation_id = ${organisationId} and licence = ${licence}
            and ${isBehind(start, extent)} and (at, id) <= (${end.at}, ${end.id}) and id <> ${edgeId ?? 0}
        ) line
      ) lines
      where used <> before),
    level as (
      select used, min(at) as first_at,
        -- Milliseconds as whole numbers: a difference of instants is an interval, and dear to sum.
        sum(round(date_part('epoch', ends) * 1000) - round(date_part('epoch', at) * 1000))::int8 as lasted
      from (
        select used, at, lead(at, 1, ${end.at}::timestamptz) over (order by at, id) as ends from turn) state
      group by used),
    peak as (
      select greatest(max(used), ${opening}::int) as used from level)
    select peak.used as max_used,
      (select min(first_at) from level) as first_at,
      coalesce((select jsonb_agg(jsonb_build_array(used, lasted)) from level), '[]') as lasted,
      (select count(*) from turn where used = peak.used) as reached,
      (select id from turn where used = peak.used order by at, id limit 1) as first_id,
      array(select at from turn where used = peak.used order by at, id limit ${maxInstants}) as reached_at,
      array(select at from turn where before = peak.used order by at, id limit ${maxInstants}) as left_at,
      coalesce((select used from turn order by at desc, id desc limit 1), ${opening}::int) as closing
    from peak`.execute(db);
  const [course] = rows;
  if (course === undefined) throw new Error('An aggregate answers one row');
  return course;
}

/** A licence's billing period, as far as it has come. */
export interface AskedLevels extends Of<Period> {
  readonly licence: LicenceCode;
  /** The organisation's own present, or the period's end. */
  readonly now: Instant;
}

/**
 * The levels alone of what `readPeak` explains, of many licences and organisations at once: what of a peak is billed.
 * @returns in the order asked; the last level is the highest use that the history tells of. null where changes of the
 *   period were dropped (HISTORY_MONTHS)
 */
export async function listLevels(
  db: Database,
  asked: readonly AskedLevels[],
): Promise<(readonly Level[] | null)[]> {
  const numbered = asked.map((each, number) => ({
    ...each,
    ...{ number, reaching: null, until: earliest(each.now, each.until) },
  }));
  const [befores, firsts] = await Promise.all([
    selectLastChanges(db, numbered),
    selectFirstChanges(db, numbered),
  ]);
  const before = new Map(befores.map((change) => [change.number, change]));
  const first = new Map(firsts.map((change) => [change.number, change]));
  const opened = numbered.map((each) => {
    const { used, edgeId } = openPeriod(
      before.get(each.number) ?? noSeats,
      first.get(each.number) ?? null,
      each.from,
    );
    return { ...each, closes: asked[each.number]?.until ?? each.until, used, edgeId: edgeId ?? 0 };
  });
  const lasted = Map.groupBy(await selectLasted(db, opened), ({ number }) => number);
  // Asked last: what is dropped while this is read is known by then.
  const dropped = new Set((await selectDropped(db, numbered)).map(({ number }) => number));
  return opened.map(({ number, from, until, used }) => {
    if (dropped.has(number)) return null;
    const found = lasted.get(number) ?? [];
    const exactly = new Map(found.map((each) => [each.used, each.lasted]));
    const openingEnd = Math.min(until.getTime(), ...found.map(({ firstAt }) => firstAt.getTime()));
    exactly.set(used, (exactly.get(used) ?? 0) + openingEnd - from.getTime());
    return levelsOf(exactly);
  });
}

const whose = { number: 'integer', organisationId: 'uuid', licence: 'text', from: 'timestamptz' } as const;

/** The last change before an instant, or what the last that was dropped left. */
const selectLastChanges = forRows<SeatFigures & { readonly number: number }>(`
  select given.number, last.in_use, last.concurrent_total, last.contingency_total
  from $given cross join lateral (
    select * from (
      (select at, id, in_use, concurrent_total, contingency_total from history
        where history.organisation_id = given.organisation_id and history.licence = given.licence
          and history.at < given."from"
        order by history.at desc, history.id desc limit 1)
      union all
      (select at, id, in_use, concurrent_total, contingency_total from history_opening
        where history_opening.organisation_id = given.organisation_id and history_opening.licence = given.licence
          and history_opening.at < given."from")) found
    order by at desc, id desc limit 1) last`)(whose);

/** The first change at an instant; where a number is given, the first that left so many contingency seats in use. */
const selectFirstChanges = forRows<SeatChange & { readonly number: number }>(`
  select given.number, h.id, h.at, h.kind, h.in_use, h.concurrent_total, h.contingency_total, h.due
  from $given cross join lateral (
    select * from history
    where history.organisation_id = given.organisation_id and history.licence = given.licence
      and history.at = given."from" and (given.reaching is null
        or least(greatest(history.in_use - history.concurrent_total, 0), history.contingency_total) = given.reaching)
    order by history.id limit 1) h`)({ ...whose, reaching: 'integer' });

/** Those of which changes of an instant or after it were dropped (HISTORY_MONTHS). */
const selectDropped = forRows<{ readonly number: number }>(`
  select given.number from $given cross join lateral (
    select from history_opening
    where history_opening.organisation_id = given.organisation_id and history_opening.licence = given.licence
      and history_opening.at >= given."from" offset 0) gone`)(whose);

/** As in `readCourse`. */
const selectLasted = forRows<{
  readonly number: number;
  readonly used: number;
  readonly firstAt: Instant;
  readonly lasted: number;
}>(`
  select given.number, level.* from $given cross join lateral (
    select used, min(at) as first_at,
      sum(round(date_part('epoch', ends) * 1000) - round(date_part('epoch', at) * 1000))::int8 as lasted
    from (
      select used, at, lead(at, 1, given.until) over (order by at, id) as ends from (
        select at, id, used, lag(used, 1, given.used) over (order by at, id) as before from (
          select at, id, least(greatest(in_use - concurrent_total, 0), contingency_total) as used from history
          where history.organisation_id = given.organisation_id and history.licence = given.licence
            and history.at >= given."from" and history.at < given.closes and history.at <= given.until
            and history.id <> given.edge_id) line
      ) lines where used <> before) state
    group by used) level`)({
  ...whose,
  until: 'timestamptz',
  closes: 'timestamptz',
  used: 'integer',
  edgeId: 'bigint',
});

/** The change with an id, and the first after it at its instant that left other figures behind: there its step ends. */
async function getChange(
  db: Database,
  organisationId: OrganisationId,
  licence: LicenceCode,
  at: Instant,
  id: number | null,
) {
  const { rows } = await sql<{
    readonly kind: SeatChange['kind'];
    readonly inUse: number;
    readonly userId: PeakSeat['userId'] | null;
    readonly sessionId: PeakSeat['sessionId'] | null;
    readonly beforeId: number | null;
  }>`
    select h.kind, h.in_use, h.user_id, h.session_id, (
      select min(other.id) from history other
      where other.organisation_id = h.organisation_id and other.licence = h.licence and other.at = h.at
        and other.id > h.id
        and (other.in_use, other.concurrent_total, other.contingency_total)
          <> (h.in_use, h.concurrent_total, h.contingency_total)) as before_id
    from history h
    where h.organisation_id = ${organisationId} and h.licence = ${licence} and h.at = ${at} and h.id = ${id}`.execute(
    db,
  );
  const [change] = rows;
  if (change === undefined) throw new Error(`Change ${id} of the history is gone`);
  return change;
}

/**
 * The first moment of a peak that was told before.
 * @param from the first instant of its billing period
 * @returns null where there was no peak, or changes of the period were dropped
 */
export async function findMoment(
  db: Database,
  organisationId: OrganisationId,
  licence: LicenceCode,
  from: Instant,
  { maxUsed, maxUsedAt, cause }: Pick<ToldPeak, 'maxUsed' | 'maxUsedAt' | 'cause'>,
): Promise<Moment | null> {
  if (maxUsedAt === null) return null;
  const isCarried = cause === 'CARRIED_OVER';
  const asked = { number: 0, organisationId, licence, from, reaching: null };
  const [first = null] = await selectFirstChanges(db, [
    isCarried ? asked : { ...asked, from: maxUsedAt, reaching: maxUsed },
  ]);
  const opensIt = isCarried && first?.due !== true;
  const change =
    first === null || opensIt ? null : await getChange(db, organisationId, licence, maxUsedAt, first.id);
  if ((await selectDropped(db, [asked])).length > 0) return null;
  if (opensIt) return { at: from, beforeId: 0 };
  return change === null ? null : { at: maxUsedAt, beforeId: change.beforeId };
}

/** A user who held a seat at a moment. */
export interface PeakHolder {
  readonly userId: UserId;
  /** When the seat was taken; null: before the period began. */
  readonly since: Instant | null;
}

/**
 * Who held a seat at the first moment of a peak, in the order of users' ids. Each user's last change in the period up to
 * the moment says whether they did. Only where these are not all that were in use, somebody has held a seat since before
 * the period: then the next change of each user after the moment, or their present hold, says so. Nothing older than the
 * period is read.
 */
export async function pagePeakHolders(
  db: Database,
  organisationId: OrganisationId,
  { licence, from, moment, inUse }: Pick<Peak, 'licence' | 'moment' | 'inUse'> & Pick<Period, 'from'>,
  page: PageRequest,
): Promise<PeakHolder[]> {
  if (moment === null) return [];
  const { where, orderBy } = keyset(page, 'asc', ['userId']);
  const { at, beforeId } = moment;
  const isBefore =
    beforeId === null ? sql`at <= ${at}` : sql`at <= ${at} and (at < ${at} or id < ${beforeId})`;
  const isAfter =
    beforeId === null ? sql`at > ${at}` : sql`at >= ${at} and (at > ${at} or id >= ${beforeId})`;
  const lines = sql`history where organisation_id = ${organisationId} and licence = ${licence} and seat_changed`;
  const { rows } = await sql<PeakHolder>`
    with seen as materialized (
      select user_id, max(at) filter (where kind = 'ACQUIRED') as since,
        coalesce(max(id) filter (where kind = 'ACQUIRED') > max(id) filter (where kind = 'RELEASED'),
          bool_and(kind = 'ACQUIRED')) as holds
      from ${lines} and at >= ${from} and ${isBefore}
      group by user_id),
    later as materialized (
      select user_id, coalesce(min(id) filter (where kind = 'RELEASED') < min(id) filter (where kind = 'ACQUIRED'),
          bool_and(kind = 'RELEASED')) as held
      from ${lines} and ${isAfter} and (select count(*) from seen where holds) < ${inUse}
      group by user_id),
    holder as (
      select user_id, since from seen where holds
      union all
      select user_id, null from later where held and user_id not in (select user_id from seen)
      union all
      select user_id, null from hold
      where organisation_id = ${organisationId} and licence = ${licence}
        and (select count(*) from seen where holds) < ${inUse}
        and user_id not in (select user_id from seen) and user_id not in (select user_id from later))
    select user_id, since from holder where ${where} order by ${orderBy} limit ${page.limit}`.execute(db);
  return rows;
}

export async function findContractOptions(
  db: Database,
  organisationIds: readonly OrganisationId[],
): Promise<ReadonlyMap<OrganisationId, ContractOptions>> {
  const rows = await db
    .selectFrom('contractOption')
    .select(['organisationId', 'minimumPeakMinutes'])
    .where('organisationId', 'in', organisationIds)
    .execute();
  return new Map(rows.map(({ organisationId, ...options }) => [organisationId, options]));
}

/** Sent after the months that the same transaction closes: they are of the contract as it was. */
export const saveContractOptions = insertInto(
  'contractOption',
  'on conflict (organisation_id) do update set minimum_peak_minutes = excluded.minimum_peak_minutes',
)({ organisationId: 'uuid', minimumPeakMinutes: 'integer' });
