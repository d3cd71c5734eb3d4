import { useEffect, useEffectEvent, useMemo, useRef } from 'react';
import { useQuery, useSubscription } from 'urql';
import { problemOf } from '../shell/client.ts';
import { useLink, useShell } from '../shell/context.ts';
import { type Zone, zoneOf } from '../shell/zone.ts';
import {
  type LicenceCategory,
  MappingDocument,
  type MappingQuery,
  type RowFragment,
  SparksDocument,
  type SparksQuery,
  UsageChangedDocument,
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
  /** Whether every change is shown as it happens. LOST: it was, and is to be again. */
  readonly live: 'LIVE' | 'LOST' | 'OFF';
  /** Today's use by the hour, by the rows' ids. */
  readonly sparks: ReadonlyMap<string, Spark>;
  /** The day that the organisation has, for whatever is of today. */
  readonly today: Day | null;
  readonly isFetching: boolean;
  readonly problem: string | null;
  readonly refresh: () => void;
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
  const shell = useShell();
  const link = useLink();
  const variables = { organisationId, categories };
  const [{ data, fetching: isFetching, error }, read] = useQuery({ query: MappingDocument, variables });
  const [{ data: event, error: lost }] = useSubscription(
    { query: UsageChangedDocument, variables, pause: !isWanted },
    (_, { usageChanged }): LiveEvent => ({
      ...usageChanged,
      organisationId,
      connection: shell.link.state().connection,
    }),
  );
  const organisation = data?.organisation;
  const seen = event?.organisationId === organisationId ? event : undefined;

  // A licence that was bought for the first time is a row that no event can put into the list.
  const isMissing =
    !isFetching && seen?.rows.some(({ id }) => !organisation?.licenceMapping.some((row) => row.id === id));
  const readAgain = () => read({ requestPolicy: 'network-only' });
  const answered = useRef<LiveEvent>(undefined);
  useEffect(() => {
    // Once for each event: one of before the check boxes changed has rows that no answer will have.
    if (isMissing !== true || answered.current === seen) return;
    answered.current = seen;
    read({ requestPolicy: 'network-only' });
  }, [isMissing, seen, read]);

  const isLive = link.isConnected && seen?.connection === link.connection && lost === undefined;
  const zone = zoneOf(organisation?.timeZone ?? 'UTC');
  const asOf = latest(organisation?.now ?? null, seen?.at ?? null);
  const today = useDay(zone, asOf);
  const [sparks, readSparks] = useSparks(variables, today);
  const readAll = () => {
    readAgain();
    readSparks();
  };
  useAgain(isWanted ? today : null, organisation?.now ?? null, readAll);
  return {
    organisation,
    zone,
    asOf,
    live: !isWanted || link.connection === 0 ? 'OFF' : isLive ? 'LIVE' : 'LOST',
    sparks,
    today,
    isFetching,
    // Of an organisation that there is not, its having no live figures says nothing more.
    problem: problemOf(error ?? (organisation === null ? undefined : lost)),
    refresh: readAll,
  };
}

interface LiveEvent {
  readonly organisationId: string;
  readonly at: string;
  readonly rows: readonly Row[];
  readonly connection: number;
}

/** Both are of one clock, and spelled alike. */
function latest(one: string | null, other: string | null): string | null {
  return one === null || (other !== null && other > one) ? other : one;
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
): readonly [ReadonlyMap<string, Spark>, () => void] {
  const [{ data }, read] = useQuery({
    query: SparksDocument,
    variables: { organisationId, categories, from: day?.from ?? '', until: day?.until ?? '' },
    pause: day === null,
  });
  const readAgain = () => {
    if (day !== null) read({ requestPolicy: 'network-only' });
  };
  const rows = data?.organisation?.licenceMapping;
  const sparks = useMemo(() => new Map(rows?.map(({ id, usageHistory }) => [id, usageHistory])), [rows]);
  return [sparks, readAgain];
}

/**
 * Reads anew from time to time, and when the day is over: a quiet night has no event that would tell of midnight.
 * @param day null: figures stay as they were read
 * @param now the instant of the last reading
 */
function useAgain(day: Day | null, now: string | null, read: () => void): void {
  const act = useEffectEvent(read);
  useEffect(() => {
    if (day === null || now === null) return;
    const left = Date.parse(day.until) - Date.parse(now);
    const timer = setInterval(act, Math.min(againMilliseconds, Math.max(leastMilliseconds, left)));
    return () => clearInterval(timer);
  }, [day, now]);
}
