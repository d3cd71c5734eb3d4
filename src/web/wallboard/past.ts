import { useEffect, useMemo, useRef, useState } from 'react';
import { fetchWithin } from '../shell/client.ts';
import { useShell } from '../shell/context.ts';
import { latest, type Zone } from '../shell/zone.ts';
import {
  type LastHourQuery,
  LastHourDocument,
  type LicenceCategory,
  TodayDocument,
  type TodayQuery,
} from './documents.ts';

/** How often the last hour is asked for, and the day so far; and either where it was not answered. */
const [hourMilliseconds, dayMilliseconds, againMilliseconds] = [15_000, 60_000, 3_000];
const hour = 3_600_000;
/** How far the present may be beyond what was read of the last hour, and of the day, before that is none any more. */
const [hourLeap, dayLeap] = [60_000, 300_000];
/** A reading that waits for a frozen server keeps the next one from being made. */
const context = { fetch: fetchWithin(10_000) };

export type Buckets = NonNullable<TodayQuery['organisation']>['licenceMapping'][number]['usageHistory'];

export interface Latest {
  readonly from: string;
  readonly until: string;
  readonly buckets: ReadonlyMap<string, Buckets>;
}

export interface Variables {
  readonly organisationId: string;
  readonly licences: readonly string[] | null;
  readonly categories: readonly LicenceCategory[] | null;
}

interface LastHour {
  readonly denials: ReadonlyMap<string, number> | null;
  /** The organisation's present, as it was read last. */
  readonly now: string | null;
  /** An instant since which the connection has shown that it lives: figures that came on it were so then. */
  readonly confirmedAt: string | null;
  /** Whether the server could answer when it was asked last. */
  readonly isAnswered: boolean;
}

const nothing: LastHour = { denials: null, now: null, confirmedAt: null, isAnswered: true };

/**
 * @param at an instant of the organisation's present, not long ago
 * @param connection on which the figures are live; null: on none
 */
export function useLastHour(
  { organisationId, licences }: Variables,
  at: string | null,
  connection: number | null,
): LastHour {
  const { uncached } = useShell();
  const [found, setFound] = useState(nothing);
  const before = useRef<{ readonly now: string; readonly connection: number | null } | null>(null);
  const isBehind = isBeyond(found.now, at, hourLeap);
  useRepeatedly({ milliseconds: hourMilliseconds, isWanted: at !== null, occasion: isBehind }, async () => {
    const present = latest(before.current?.now ?? null, at) ?? '';
    const read = async (until: string) => {
      const { data } = await uncached.query(
        LastHourDocument,
        {
          organisationId,
          licences,
          from: new Date(Date.parse(until) - hour).toISOString(),
          until: new Date(Date.parse(until) + hour).toISOString(),
        },
        context,
      );
      return data?.organisation ?? null;
    };
    let organisation = await read(present);
    // After a night without the server it was yesterday's hour that was asked for.
    if (organisation !== null && isBeyond(present, organisation.now, hourLeap)) {
      organisation = await read(organisation.now);
    }
    if (organisation === null) {
      return {
        isAnswered: false,
        show: () => setFound((last) => ({ ...last, denials: null, isAnswered: false })),
      };
    }
    const { now } = organisation;
    const denials = denialsOf(organisation);
    return {
      isAnswered: true,
      show: () => {
        // Between two readings the connection was pinged: what came on it was still so at the first of them.
        const earlier = before.current;
        before.current = { now, connection };
        const isConfirmed = earlier !== null && connection !== null && earlier.connection === connection;
        setFound(({ confirmedAt }) => ({
          denials,
          now,
          confirmedAt: isConfirmed ? earlier.now : confirmedAt,
          isAnswered: true,
        }));
      },
    };
  });
  // An earlier hour's are not the last one's.
  return isBehind ? { ...found, denials: null } : found;
}

function denialsOf({
  denialReport,
}: NonNullable<LastHourQuery['organisation']>): ReadonlyMap<string, number> | null {
  if (denialReport === null) return null;
  return new Map(denialReport.licences.map(({ licence, denials }) => [licence.id, denials]));
}

/** @param now of the organisation; null: not known yet */
export function useToday(variables: Variables, zone: Zone, now: string | null): Latest {
  const { uncached } = useShell();
  const name = now === null ? '' : zone.day(now);
  // The same for every instant of a day.
  const [from, until] = useMemo(
    () => (now === null ? ['', ''] : [zone.startOfDay(now), zone.nextDay(now)]),
    [zone, name],
  );
  const [found, setFound] = useState({ at: '', from: '', buckets: none });
  const isBehind = isBeyond(found.at, now, dayLeap);
  useRepeatedly(
    { milliseconds: dayMilliseconds, isWanted: from !== '', occasion: `${from} ${isBehind}` },
    async () => {
      const at = now ?? '';
      const { data } = await uncached.query(TodayDocument, { ...variables, from, until }, context);
      const rows = data?.organisation?.licenceMapping;
      return {
        isAnswered: rows !== undefined,
        show: () => {
          if (rows === undefined) return;
          setFound({ at, from, buckets: new Map(rows.map(({ id, usageHistory }) => [id, usageHistory])) });
        },
      };
    },
  );
  // Yesterday's curve is not today's, and one that went no further is no curve of now.
  const buckets = found.from === from && !isBehind ? found.buckets : none;
  return useMemo(() => ({ from, until, buckets }), [from, until, buckets]);
}

const none: ReadonlyMap<string, Buckets> = new Map();

/** Whether the other one is so much later. */
function isBeyond(one: string | null, other: string | null, milliseconds: number): boolean {
  return one !== null && other !== null && Date.parse(other) - Date.parse(one) > milliseconds;
}

interface Reading {
  readonly isAnswered: boolean;
  readonly show: () => void;
}

/**
 * Reads something now, and again so long after it was read, for as long as it is wanted; at once where the occasion is
 * another: what was read for an earlier one is not shown.
 */
function useRepeatedly(
  {
    milliseconds,
    isWanted,
    occasion,
  }: {
    readonly milliseconds: number;
    readonly isWanted: boolean;
    readonly occasion: string | boolean;
  },
  read: () => Promise<Reading>,
): void {
  const latest = useRef(read);
  latest.current = read;
  useEffect(() => {
    if (!isWanted) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    const run = async () => {
      const { isAnswered, show } = await latest.current();
      if (isOver) return;
      show();
      timer = setTimeout(() => void run(), isAnswered ? milliseconds : againMilliseconds);
    };
    void run();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [milliseconds, isWanted, occasion]);
}
