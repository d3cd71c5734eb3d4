import { type Selectable, sql } from 'kysely';
import { forRows, insertInto, type Of } from '../database/bulk.ts';
import type { Database } from '../database/database.ts';
import type { UsageRollup } from '../database/tables.ts';
import { inTransaction, takeSnapshot, type Transaction } from '../database/transaction.ts';
import { earliest, type Instant, latest, plusSeconds } from '../kernel/clock.ts';
import { Unavailable } from '../kernel/failure.ts';
import type { LicenceCode, OrganisationId } from '../kernel/ids.ts';
import type { Period } from '../kernel/interval.ts';
import {
  type Bucket,
  type Change,
  type ChangeOfMany,
  coverWith,
  type Denials,
  type DroppedHistory,
  moveEdges,
  nothing,
  type Part,
  type Piece,
  type Span,
  startOfSpan,
  type State,
  toBuckets,
  type Width,
} from './domain.ts';

// What is kept

type Row = Omit<Selectable<UsageRollup>, 'organisationId' | 'licence'>;

/** A span of a width, as a table's row has it. */
function toSpan({ width, at, denials, ...row }: Row, until?: Instant): Span {
  const { inUse, concurrentTotal, contingencyTotal } = row;
  return {
    from: at,
    until: until ?? new Date(at.getTime() + width * 60_000),
    inUse: {
      minimum: row.inUseMinimum,
      maximum: row.inUseMaximum,
      milliseconds: row.inUseMilliseconds,
    },
    concurrent: {
      minimum: row.concurrentMinimum,
      maximum: row.concurrentMaximum,
      milliseconds: row.concurrentMilliseconds,
    },
    contingency: {
      minimum: row.contingencyMinimum,
      maximum: row.contingencyMaximum,
      milliseconds: row.contingencyMilliseconds,
    },
    closing: { inUse, concurrentTotal, contingencyTotal },
    denials,
    isTouched: true,
  };
}

function toRow({ from, closing, inUse, concurrent, contingency, denials }: Span, width: Width): Row {
  return {
    width,
    at: from,
    inUseMinimum: inUse.minimum,
    inUseMaximum: inUse.maximum,
    inUseMilliseconds: inUse.milliseconds,
    concurrentMinimum: concurrent.minimum,
    concurrentMaximum: concurrent.maximum,
    concurrentMilliseconds: concurrent.milliseconds,
    contingencyMinimum: contingency.minimum,
    contingencyMaximum: contingency.maximum,
    contingencyMilliseconds: contingency.milliseconds,
    ...closing,
    denials,
  };
}

const saveRows = insertInto(
  'usageRollup',
  `on conflict (organisation_id, licence, width, at) do update set
    in_use_minimum = excluded.in_use_minimum,
    in_use_maximum = excluded.in_use_maximum,
    in_use_milliseconds = excluded.in_use_milliseconds,
    concurrent_minimum = excluded.concurrent_minimum,
    concurrent_maximum = excluded.concurrent_maximum,
    concurrent_milliseconds = excluded.concurrent_milliseconds,
    contingency_minimum = excluded.contingency_minimum,
    contingency_maximum = excluded.contingency_maximum,
    contingency_milliseconds = excluded.contingency_milliseconds,
    in_use = excluded.in_use,
    concurrent_total = excluded.concurrent_total,
    contingency_total = excluded.contingency_total,
    denials = excluded.denials`,
)({
  organisationId: 'uuid',
  licence: 'text',
  width: 'integer',
  at: 'timestamptz',
  inUseMinimum: 'integer',
  inUseMaximum: 'integer',
  inUseMilliseconds: 'bigint',
  concurrentMinimum: 'integer',
  concurrentMaximum: 'integer',
  concurrentMilliseconds: 'bigint',
  contingencyMinimum: 'integer',
  contingencyMaximum: 'integer',
  contingencyMilliseconds: 'bigint',
  inUse: 'integer',
  concurrentTotal: 'integer',
  contingencyTotal: 'integer',
  denials: 'integer',
});

/** A kept span, and whose it is. */
export interface KeptSpan {
  readonly organisationId: OrganisationId;
  readonly licence: LicenceCode;
  readonly width: Width;
  readonly span: Span;
}

/** Writes spans as they are now, new ones and others. */
export async function saveSpans(trx: Transaction, spans: readonly KeptSpan[]): Promise<void> {
  await saveRows(
    trx,
    spans.map(({ organisationId, licence, width, span }) => ({
      organisationId,
      licence,
      ...toRow(span, width),
    })),
  );
}

const selectLast = forRows<Selectable<UsageRollup>>(`
  select last.* from $given cross join lateral (
    select * from usage_rollup r
    where r.organisation_id = given.organisation_id and r.licence = given.licence and r.width = given.width
    order by r.at desc limit 1) last`)({ organisationId: 'uuid', licence: 'text', width: 'integer' });

/** The last kept span of each licence and width; those that have none are missing. */
export async function listLastSpans(
  trx: Transaction,
  of: readonly Omit<KeptSpan, 'span'>[],
): Promise<KeptSpan[]> {
  const rows = await selectLast(trx, of);
  return rows.map(({ organisationId, licence, ...row }) => ({
    organisationId,
    licence,
    width: row.width as Width,
    span: toSpan(row),
  }));
}

// How far it is

/** How far an organisation's history is summed up. */
export interface Progress {
  readonly organisationId: OrganisationId;
  /** The last row of the history that is; 0: none. */
  readonly historyId: number;
  /** Denials of before this instant are. */
  readonly denialsUntil: Instant;
}

/** Organisations of which something may have happened since they were summed up, the longest ago first. */
export async function listBehind(db: Database, limit: number): Promise<OrganisationId[]> {
  const { rows } = await sql<{ id: OrganisationId }>`
    select o.id from organisation o left join usage_progress p on p.organisation_id = o.id
    where p.organisation_id is null or o.settled_at > p.denials_until
    order by o.test_clock, p.denials_until nulls first limit ${limit}`.execute(db);
  return rows.map(({ id }) => id);
}

/** Organisations with rows of the history of before an instant of real time that are not summed up. */
export async function listBehindIn(db: Database, before: Instant, limit: number): Promise<OrganisationId[]> {
  const { rows } = await sql<{ id: OrganisationId }>`
    select o.id from organisation o
    cross join lateral (
      select id from history h where h.organisation_id = o.id and h.recorded_at < ${before}
      order by id desc limit 1) newest
    left join usage_progress p on p.organisation_id = o.id
    where newest.id > coalesce(p.history_id, 0) limit ${limit}`.execute(db);
  return rows.map(({ id }) => id);
}

const insertProgress = forRows(`
  insert into usage_progress (organisation_id, history_id, denials_until)
  select organisation_id, 0, to_timestamp(0) from $given on conflict do nothing`)({ organisationId: 'uuid' });

const lockRows = forRows<Progress & { readonly settledAt: Instant }>(`
  select p.*, organisation.settled_at from $given
  cross join lateral (
    select * from usage_progress where usage_progress.organisation_id = given.organisation_id offset 0
    for update skip locked) p
  join organisation on organisation.id = p.organisation_id`)({ organisationId: 'uuid' });

/**
 * Whoever sums up an organisation's history holds this lock. No request waits for it.
 * @returns of those that nobody else has, how far they are, and up to where they are settled: what happens from now on
 *   does not happen before that
 */
export async function lockProgress(
  trx: Transaction,
  organisationIds: readonly OrganisationId[],
): Promise<readonly (Progress & { readonly settledAt: Instant })[]> {
  const given = organisationIds.toSorted().map((organisationId) => ({ organisationId }));
  await insertProgress(trx, given);
  return lockRows(trx, given);
}

export const updateProgress = forRows(`
  update usage_progress p set history_id = given.history_id, denials_until = given.denials_until
  from $given where p.organisation_id = given.organisation_id`)({
  organisationId: 'uuid',
  historyId: 'bigint',
  denialsUntil: 'timestamptz',
});

// What happened

/** A row of the history, as far as it tells what is in use. */
export interface Happened extends Of<Change> {
  readonly id: number;
  readonly licence: LicenceCode;
}

const happened = 'id, organisation_id, licence, at, due, in_use, concurrent_total, contingency_total';

/** The rows that come after, of each organisation at most so many, in the order in which they were recorded. */
export const listHappened = forRows<Happened>(`
  select h.* from $given cross join lateral (
    select ${happened} from history
    where history.organisation_id = given.organisation_id and history.id > given.history_id
    order by history.id limit given.most) h`)({
  organisationId: 'uuid',
  historyId: 'bigint',
  most: 'integer',
});

/** Denials in `[from, until)`, counted by licence and narrowest span, in order of time. */
export const listDenied = forRows<Of<Denials> & { readonly licence: LicenceCode }>(`
  select given.organisation_id, d.* from $given cross join lateral (
    select licence, max(at) as at, count(*) as denials from denial
    where denial.organisation_id = given.organisation_id and denial.at >= given."from" and denial.at < given.until
    group by licence, date_bin('5 minutes', at, to_timestamp(0))) d
  order by d.at`)({ organisationId: 'uuid', from: 'timestamptz', until: 'timestamptz' });

// What is answered

/** So many rows that are not summed up yet are still read for an answer. */
const maxTail = 200_000;

/**
 * What a licence's use was between each two edges, exactly: of what is summed up, and of what is not summed up yet. All
 * of one moment. What happens at an edge belongs to the bucket that begins there.
 *
 * Where the history's rows are dropped, an edge is at a multiple of 5 minutes; else it is moved to the one before it.
 *
 * @param edges in order, none after the organisation's present: what is to come is not known
 * @returns one bucket fewer than there are edges, once they are moved
 * @throws Unavailable where too much of the history is not summed up yet
 */
export async function listBuckets(
  db: Database,
  organisationId: OrganisationId,
  licence: LicenceCode,
  edges: readonly Instant[],
): Promise<readonly Bucket[]> {
  const [buckets = []] = await listBucketsOfMany(db, [{ organisationId, licence }], edges);
  return buckets;
}

/** A licence of an organisation. */
interface Pool {
  readonly organisationId: OrganisationId;
  readonly licence: LicenceCode;
}

/**
 * As `listBuckets`, of many licences or organisations at once: all of one moment, and as many statements for a thousand as
 * for one. Where one has rows that are dropped, an edge among them is moved for all.
 *
 * @returns the buckets of each, in the order in which they are given; put together only when it is their turn
 * @throws Unavailable where too much of their histories is not summed up yet
 */
export async function listBucketsOfMany(
  db: Database,
  pools: readonly Pool[],
  edges: readonly Instant[],
): Promise<Iterable<readonly Bucket[]>> {
  if (edges.length < 2) return [];
  return inTransaction(db, 'usageHistories', async (trx) => {
    await takeSnapshot(trx);
    const many = pools.map((pool, number) => ({ ...pool, number }));
    const [progresses, [gone]] = await Promise.all([selectProgresses(trx, many), selectGone(trx, many)]);
    const progress = new Map(progresses.map(({ number, ...rest }) => [number, rest]));
    const moved = moveEdges(edges, gone?.at ?? null);
    const [first, last] = [moved[0] ?? new Date(0), moved.at(-1) ?? new Date(0)];
    const count = moved.length - 1;
    const pieces = moved.slice(1).map((until, index) => coverWith(moved[index] ?? until, until));
    const start = startOfSpan(first);

    const summed = many.map((each) => ({ ...each, historyId: progress.get(each.number)?.historyId ?? 0 }));
    const isNotEmpty = ({ from, until }: Period) => from < until;
    const raw = [{ from: start, until: first }, ...pieces.flat().filter(isRaw)].filter(isNotEmpty);
    const since = ({ number }: { readonly number: number }) =>
      progress.get(number)?.denialsUntil ?? new Date(0);
    const [closings, changes, spans, tail, denials] = await Promise.all([
      selectClosings(
        trx,
        many.map((each) => ({ ...each, start })),
      ),
      selectChanges(
        trx,
        summed.flatMap((each) => raw.map((period) => ({ ...each, ...period }))),
      ),
      // A bucket's number among those of all organisations.
      listMerged(
        trx,
        many.flatMap((each) =>
          pieces.flatMap((cover, index) =>
            cover
              .filter((piece) => !isRaw(piece))
              .map((piece) => ({ ...each, ...piece, bucket: each.number * count + index })),
          ),
        ),
      ),
      listTails(
        trx,
        summed.map((each) => ({ ...each, until: last })),
      ),
      selectDenials(
        trx,
        many.flatMap((each) =>
          pieces.flatMap((cover, index) => {
            const [from, until] = [moved[index] ?? last, moved[index + 1] ?? last];
            return [
              ...cover.filter(isRaw).map((part) => ({ ...part, until: earliest(part.until, since(each)) })),
              { from: latest(from, since(each)), until },
            ]
              .filter(isNotEmpty)
              .map((period) => ({ ...each, ...period, bucket: each.number * count + index }));
          }),
        ),
      ),
    ]);
    const opening = new Map(closings.map(({ number, ...state }) => [number, state]));
    const changesOf = Map.groupBy(changes, ({ number }) => number);
    const tailOf = Map.groupBy(tail, ({ number }) => number);
    const denied = new Map(denials.map(({ bucket, denials: counted }) => [bucket, counted]));
    return (function* () {
      for (const { number } of many) {
        const [early, late] = [changesOf.get(number) ?? [], tailOf.get(number) ?? []];
        const [raws, lates] = [distribute(early, moved), distribute(late, moved)];
        const partsOf = (index: number): Part[] => {
          const span = spans.get(number * count + index);
          const rows = raws[index] ?? [];
          const rolled: Part[] =
            span === undefined
              ? rows
              : [
                  ...rows.filter(({ at }) => at < span.from),
                  span,
                  ...rows.filter(({ at }) => at >= span.from),
                ];
          return [...rolled, ...(lates[index] ?? [])];
        };
        const before = [...early, ...late].findLast(({ at }) => at < first);
        const known = before ?? opening.get(number) ?? nothing;
        yield toBuckets(moved, known, partsOf, (index) => denied.get(number * count + index) ?? 0);
      }
    })();
  });
}

const isRaw = ({ width }: Piece) => width === null;

/** By bucket, what happened in it; what happened before the first is left out. Both are in order of time. */
function distribute(changes: readonly Change[], edges: readonly Instant[]): Change[][] {
  const buckets = edges.slice(1).map((): Change[] => []);
  let index = 0;
  for (const change of changes) {
    if (edges[0] !== undefined && change.at < edges[0]) continue;
    for (let until = edges[index + 1]; until !== undefined && change.at >= until; until = edges[index + 1]) {
      index += 1;
    }
    buckets[index]?.push(change);
  }
  return buckets;
}

/** Up to when rows of the history were dropped, of any of the organisations; null: none was. */
export async function findGoneUntilOfMany(
  db: Database,
  organisationIds: readonly OrganisationId[],
): Promise<Instant | null> {
  const [gone] = await selectGone(
    db,
    organisationIds.map((organisationId) => ({ organisationId, licence: null })),
  );
  return gone?.at ?? null;
}

/** Whose history. */
interface Whose {
  readonly organisationId: OrganisationId;
  readonly licence: LicenceCode;
}

/** Of an organisation's licences those of whose history rows were dropped, and since when all are there. */
export async function listDropped(
  db: Database,
  organisationId: OrganisationId,
): Promise<ReadonlyMap<LicenceCode, DroppedHistory>> {
  const rows = await db
    .selectFrom('historyOpening')
    .select(['licence', 'at'])
    .where('organisationId', '=', organisationId)
    .execute();
  // Of the instant of the last dropped row others may be there still.
  return new Map(rows.map(({ licence, at }) => [licence, { keptSince: plusSeconds(at, 0.001) }]));
}

/**
 * The kept spans of each bucket as one. Between two of them nothing happened: all stayed as the first left it. Years of
 * spans are many rows, and this is what takes time in an answer: PostgreSQL adds them up.
 */
const selectMerged = forRows<Row & { readonly bucket: number; readonly until: Instant }>(`
  with spans as (
    select given.bucket, r.*,
      r.at + make_interval(mins => r.width) as until,
      lead(r.at) over (partition by given.bucket order by r.at) as next_at
    from $given cross join lateral (
      select * from usage_rollup
      where usage_rollup.organisation_id = given.organisation_id and usage_rollup.licence = given.licence
        and usage_rollup.width = given.width and usage_rollup.at >= given."from" and usage_rollup.at < given.until
      offset 0) r),
  gaps as (
    select *, coalesce(extract(epoch from next_at - until) * 1000, 0)::int8 as gap from spans)
  select bucket, 5 as width, min(at) as at, max(until) as until,
    min(in_use_minimum) as in_use_minimum, max(in_use_maximum) as in_use_maximum,
    sum(in_use_milliseconds + gap * in_use)::int8 as in_use_milliseconds,
    min(concurrent_minimum) as concurrent_minimum, max(concurrent_maximum) as concurrent_maximum,
    sum(concurrent_milliseconds + gap * least(in_use, concurrent_total))::int8 as concurrent_milliseconds,
    min(contingency_minimum) as contingency_minimum, max(contingency_maximum) as contingency_maximum,
    sum(contingency_milliseconds
      + gap * least(greatest(in_use - concurrent_total, 0), contingency_total))::int8 as contingency_milliseconds,
    max(in_use) filter (where next_at is null) as in_use,
    max(concurrent_total) filter (where next_at is null) as concurrent_total,
    max(contingency_total) filter (where next_at is null) as contingency_total,
    sum(denials)::int8 as denials
  from gaps group by bucket`)({
  bucket: 'integer',
  organisationId: 'uuid',
  licence: 'text',
  width: 'integer',
  from: 'timestamptz',
  until: 'timestamptz',
});

/** By bucket. */
async function listMerged(
  trx: Transaction,
  asked: readonly (Whose & Piece & { readonly bucket: number })[],
): Promise<ReadonlyMap<number, Span>> {
  const rows = await selectMerged(trx, asked);
  return new Map(rows.map(({ bucket, until, ...row }) => [bucket, toSpan(row, until)]));
}

/** Something of the organisation with this number among those that are asked for. */
interface Numbered {
  readonly number: number;
}

const numbered = { number: 'integer', organisationId: 'uuid', licence: 'text' } as const;

const selectProgresses = forRows<Numbered & Omit<Progress, 'organisationId'>>(`
  select given.number, p.history_id, p.denials_until from $given cross join lateral (
    select * from usage_progress where usage_progress.organisation_id = given.organisation_id offset 0) p`)({
  number: 'integer',
  organisationId: 'uuid',
});

/** Of a licence, or of any where none is given. */
const selectGone = forRows<{ readonly at: Instant }>(`
  select max(gone.at) as at from $given cross join lateral (
    select at from history_opening where history_opening.organisation_id = given.organisation_id
      and (given.licence is null or history_opening.licence = given.licence) offset 0) gone
  having max(gone.at) is not null`)({ organisationId: 'uuid', licence: 'text' });

const selectClosings = forRows<Numbered & State>(`
  select given.number, r.in_use, r.concurrent_total, r.contingency_total from $given cross join lateral (
    select * from usage_rollup
    where usage_rollup.organisation_id = given.organisation_id and usage_rollup.licence = given.licence
      and usage_rollup.width = 5 and usage_rollup.at < given.start
    order by usage_rollup.at desc limit 1) r`)({ ...numbered, start: 'timestamptz' });

const selectChanges = forRows<Numbered & Change>(`
  select given.number, h.at, h.due, h.in_use, h.concurrent_total, h.contingency_total
  from $given cross join lateral (
    select * from history
    where history.organisation_id = given.organisation_id and history.licence = given.licence
      and history.at >= given."from" and history.at < given.until and history.id <= given.history_id
    order by at, id offset 0) h
  order by h.at, h.id`)({ ...numbered, historyId: 'bigint', from: 'timestamptz', until: 'timestamptz' });

const selectTails = forRows<Numbered & Change & { readonly nth: number }>(`
  select * from (
    select given.number, h.id, h.at, h.due, h.in_use, h.concurrent_total, h.contingency_total, h.nth
    from $given cross join lateral (
      select *, row_number() over (order by id) as nth from (
        select * from history
        where history.organisation_id = given.organisation_id and history.id > given.history_id
        order by id limit ${maxTail + 1}) tail) h
    where h.licence = given.licence and h.at < given.until or h.nth > ${maxTail}
    limit ${maxTail + 1}) tail
  order by id`)({ ...numbered, historyId: 'bigint', until: 'timestamptz' });

async function listTails(
  trx: Transaction,
  asked: readonly (Numbered & Whose & { readonly historyId: number; readonly until: Instant })[],
): Promise<readonly (Numbered & Change)[]> {
  const tail = await selectTails(trx, asked);
  if (tail.length > maxTail || tail.some(({ nth }) => nth > maxTail)) {
    throw new Unavailable('This history is being summed up; try again later.');
  }
  return tail;
}

const selectDenials = forRows<{ readonly bucket: number; readonly denials: number }>(`
  select given.bucket, sum(d.denials)::int8 as denials from $given cross join lateral (
    select count(*) as denials from denial
    where denial.organisation_id = given.organisation_id and denial.licence = given.licence
      and denial.at >= given."from" and denial.at < given.until offset 0) d
  where d.denials > 0
  group by given.bucket`)({
  bucket: 'integer',
  organisationId: 'uuid',
  licence: 'text',
  from: 'timestamptz',
  until: 'timestamptz',
});

/**
 * What a licence's use was in each of many organisations just before a period, and all that was recorded in it.
 * @param limit so many changes are read at most
 * @returns changes by instant, at an instant those that time took first (T3), then as they were recorded; null where there
 *   are more, and where some of them are dropped
 */
export async function listChangesOfMany(
  db: Database,
  organisationIds: readonly OrganisationId[],
  licence: LicenceCode,
  { from, until }: Period,
  limit: number,
): Promise<{ readonly openings: readonly State[]; readonly changes: readonly ChangeOfMany[] } | null> {
  return inTransaction(db, 'changesOfMany', async (trx) => {
    await takeSnapshot(trx);
    const many = organisationIds.map((organisationId, number) => ({
      organisationId,
      licence,
      number,
      from,
      until,
    }));
    const [known, changes] = await Promise.all([
      selectOpenings(trx, many),
      sql<ChangeOfMany>`
        select * from (
          select whose.number - 1 as number, h.id, h.at, h.due, h.in_use, h.concurrent_total, h.contingency_total
          from unnest(${organisationIds}::uuid[]) with ordinality as whose(organisation_id, number)
          cross join lateral (
            select * from history
            where history.organisation_id = whose.organisation_id and history.licence = ${licence}
              and history.at >= ${from} and history.at < ${until}
            offset 0) h
          limit ${limit + 1}) found
        order by at, due desc, id`.execute(trx),
    ]);
    if (changes.rows.length > limit || known.some(({ goneUntil }) => goneUntil !== null && goneUntil >= from))
      return null;
    const opening = new Map(known.map((each) => [each.number, each]));
    return { openings: many.map(({ number }) => opening.get(number) ?? nothing), changes: changes.rows };
  });
}

/** The last change before an instant, or what the last that was dropped left. */
const selectOpenings = forRows<Numbered & State & { readonly goneUntil: Instant | null }>(`
  select given.number, gone.at as gone_until, coalesce(h.in_use, gone.in_use) as in_use,
    coalesce(h.concurrent_total, gone.concurrent_total) as concurrent_total,
    coalesce(h.contingency_total, gone.contingency_total) as contingency_total
  from $given
  left join lateral (
    select * from history_opening where history_opening.organisation_id = given.organisation_id
      and history_opening.licence = given.licence offset 0) gone on true
  left join lateral (
    select * from history where history.organisation_id = given.organisation_id and history.licence = given.licence
      and history.at < given."from"
    order by history.at desc, history.id desc limit 1) h on true
  where (h.id is not null or gone.id is not null)`)({ ...numbered, from: 'timestamptz' });

/** Makes the partitions of the history for the year to come. @returns how many were missing */
export async function makeHistoryMonths(db: Database): Promise<number> {
  const { rows } = await sql<{ made: number }>`select make_history_months() as made`.execute(db);
  return rows[0]?.made ?? 0;
}

/** Drops what is older than so many whole months and is summed up. @returns how many months were dropped */
export async function dropHistoryMonths(db: Database, months: number): Promise<number> {
  const { rows } = await sql<{ dropped: number }>`select drop_history_months(${months}) as dropped`.execute(
    db,
  );
  return rows[0]?.dropped ?? 0;
}
