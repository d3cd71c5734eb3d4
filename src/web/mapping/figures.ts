import { useEffect, useEffectEvent, useMemo, useRef } from 'react';
import { type Answer, type Followed, useAnswer, useLatest, useLive } from '../shell/answer.ts';
import { problemOf } from '../shell/client.ts';
import { latest, type Zone, zoneOf } from '../shell/zone.ts';
import {
  type LicenceCategory,
  MappingDocument,
  type MappingQuery,
  type RowFragment,
  SparksDocument,
  type SparksQuery,
  UsageChangedDocument,
  type UsageChangedSubscription,
} from './documents.ts';

export type Organisation = NonNullable<MappingQuery['organisation']>;
export type Row = RowFragment;
export type Spark = NonNullable<SparksQuery['organisation']>['licenceMapping'][number]['usageHistory'];

/** The page's figures, and how far they are to be believed. */
export interface Figures {
  /** undefined: not known yet; null: there is none. */
  readonly organisation: Organisation | null | undefined;
  readonly zone: Zone;
  /** When, by the organisation's clock, the figures were so; null: there are none yet. */
  readonly asOf: string | null;
  /** Whether every change is shown as it happens. */
  readonly live: Followed<unknown>['live'];
  /** Today's use by the hour, by the rows' ids. */
  readonly sparks: ReadonlyMap<string, Spark>;
  /** The day that the organisation has, for whatever is of today. */
  readonly today: Day | null;
  /** How the figures were read, or why not; it reads all of them anew. */
  readonly reading: Pick<Answer<unknown>, 'data' | 'problem' | 'isFetching' | 'read'>;
  readonly readingSparks: Answer<unknown>;
}

export interface Day {
  readonly from: string;
  readonly until: string;
}

/** How often what no event tells is read anew: the hours so far, and that another day began. Not sooner than the least. */
const [againMilliseconds, leastMilliseconds] = [5 * 60_000, 5000];

/** @param isWanted whether the figures are to follow every change, or stay as they were read */
export function useFigures(
  organisationId: string,
  categories: readonly LicenceCategory[],
  isWanted: boolean,
): Figures {
  const variables = { organisationId, categories };
  const { data, isCurrent, problem, isFetching, read } = useAnswer({ query: MappingDocument, variables });
  const {
    data: event,
    error: refused,
    live,
    subscribe,
  } = useLive(
    { query: UsageChangedDocument, variables, pause: !isWanted },
    (before: LiveEvent | undefined, { usageChanged }: UsageChangedSubscription): LiveEvent => ({
      ...usageChanged,
      told: new Map([...(before?.told ?? []), ...usageChanged.rows.map((row) => [row.id, row] as const)]),
    }),
  );
  const found = data?.organisation;
  // Another organisation’s figures are shown until those that were asked for come: nothing tells of them any more.
  const seen = event?.organisation.id === found?.id ? event : undefined;
  const organisation = useMemo(() => withTold(found, seen?.told), [found, seen]);
  const zone = zoneOf(organisation?.timeZone ?? 'UTC');
  const asOf = organisation == null ? null : latest(organisation.now, seen?.at);
  const today = useDay(zone, asOf);
  const readingSparks = useSparks(variables, today);
  const rows = readingSparks.data?.organisation?.licenceMapping;
  const sparks = useMemo(() => new Map(rows?.map(({ id, usageHistory }) => [id, usageHistory])), [rows]);
  const readAll = () => {
    read();
    if (refused !== undefined) subscribe();
    if (today !== null) readingSparks.read();
  };
  // A licence that was bought for the first time is a row that no event can put into the list.
  const isMissing =
    !isFetching &&
    problem === null &&
    seen?.rows.some(({ id }) => !organisation?.licenceMapping.some((row) => row.id === id));
  const answered = useRef<LiveEvent>(undefined);
  const onMissing = useEffectEvent(readAll);
  useEffect(() => {
    // Once for each event: one of before the check boxes changed has rows that no answer will have.
    if (isMissing !== true || answered.current === seen) return;
    answered.current = seen;
    onMissing();
  }, [isMissing, seen]);
  useRereading(isWanted ? today : null, organisation?.now ?? null, readAll);
  return {
    organisation,
    zone,
    asOf,
    live: isCurrent && seen !== undefined ? live : 'OFF',
    sparks,
    today,
    reading: {
      data,
      // Of an organisation that there is not, its having no live figures says nothing more.
      problem: problem ?? problemOf(organisation === null ? undefined : refused),
      isFetching,
      read: readAll,
    },
    readingSparks,
  };
}

type LiveEvent = UsageChangedSubscription['usageChanged'] & {
  /** Each row as an event told it last, by its id. */
  readonly told: ReadonlyMap<string, Row>;
};

/** The cache has an answer that was on its way go before what was told meanwhile, which is later. */
function withTold(
  organisation: Organisation | null | undefined,
  told: LiveEvent['told'] | undefined,
): Organisation | null | undefined {
  if (organisation == null || told === undefined) return organisation;
  const later = (row: Row) => {
    const other = told.get(row.id);
    return other !== undefined && other.revision > row.revision ? other : row;
  };
  return { ...organisation, licenceMapping: organisation.licenceMapping.map(later) };
}

function useDay(zone: Zone, asOf: string | null): Day | null {
  const name = asOf === null ? null : zone.day(asOf);
  return useMemo(() => {
    if (asOf === null) return null;
    return { from: zone.startOfDay(asOf), until: zone.nextDay(asOf) };
    // The same for every instant of a day.
  }, [zone, name]);
}

function useSparks(
  {
    organisationId,
    categories,
  }: { readonly organisationId: string; readonly categories: readonly LicenceCategory[] },
  day: Day | null,
): Answer<SparksQuery> {
  return useLatest({
    query: SparksDocument,
    variables: { organisationId, categories, from: day?.from ?? '', until: day?.until ?? '' },
    pause: day === null,
  });
}

/**
 * Reads anew from time to time, and when the day is over: a quiet night has no event that would tell of midnight.
 * @param day null: figures stay as they were read
 * @param now the instant of the last reading
 */
function useRereading(day: Day | null, now: string | null, read: () => void): void {
  const act = useEffectEvent(read);
  useEffect(() => {
    if (day === null || now === null) return;
    const left = Date.parse(day.until) - Date.parse(now);
    const timer = setInterval(act, Math.min(againMilliseconds, Math.max(leastMilliseconds, left)));
    return () => clearInterval(timer);
  }, [day, now]);
}
