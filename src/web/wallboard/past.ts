import { useEffect, useMemo, useRef, useState } from 'react';
import { useShell } from '../shell/context.ts';
import type { Zone } from '../shell/zone.ts';
import {
  type LastHourQuery,
  LastHourDocument,
  type LicenceCategory,
  TodayDocument,
  type TodayQuery,
} from './documents.ts';

/** How often the last hour is asked for, and the day so far. */
const [hourMilliseconds, dayMilliseconds] = [15_000, 60_000];
const hour = 3_600_000;

export type Buckets = NonNullable<TodayQuery['organisation']>['licenceMapping'][number]['usageHistory'];

export interface Latest {
  readonly from: string;
  readonly until: string;
  readonly buckets: ReadonlyMap<string, Buckets>;
}

interface Variables {
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
}

const nothing: LastHour = { denials: null, now: null, confirmedAt: null };

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
  useRepeatedly(hourMilliseconds, at !== null, async () => {
    const present =
      before.current === null || (at !== null && at > before.current.now) ? at : before.current.now;
    if (present === null) return;
    const { data } = await uncached.query(LastHourDocument, {
      organisationId,
      licences,
      from: new Date(Date.parse(present) - hour).toISOString(),
      until: new Date(Date.parse(present) + hour).toISOString(),
    });
    const organisation = data?.organisation;
    if (organisation == null) {
      setFound(({ now, confirmedAt }) => ({ denials: null, now, confirmedAt }));
      return;
    }
    // Between two readings the connection was pinged: what came on it was still so at the first of them.
    const earlier = before.current;
    before.current = { now: organisation.now, connection };
    setFound(({ confirmedAt }) => ({
      denials: denialsOf(organisation),
      now: organisation.now,
      confirmedAt:
        earlier !== null && connection !== null && earlier.connection === connection
          ? earlier.now
          : confirmedAt,
    }));
  });
  return found;
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
  const [found, setFound] = useState({ from: '', buckets: new Map<string, Buckets>() });
  useRepeatedly(
    dayMilliseconds,
    from !== '',
    async () => {
      const { data } = await uncached.query(TodayDocument, { ...variables, from, until });
      const rows = data?.organisation?.licenceMapping;
      if (rows !== undefined) {
        setFound({ from, buckets: new Map(rows.map(({ id, usageHistory }) => [id, usageHistory])) });
      }
    },
    from,
  );
  // Yesterday's curve is not today's.
  const buckets = found.from === from ? found.buckets : none;
  return useMemo(() => ({ from, until, buckets }), [from, until, buckets]);
}

const none: ReadonlyMap<string, Buckets> = new Map();

/** Does something now, and again so long after it was done, for as long as it is wanted; at once where the occasion is another. */
function useRepeatedly(
  milliseconds: number,
  isWanted: boolean,
  act: () => Promise<void>,
  occasion?: string,
): void {
  const latest = useRef(act);
  latest.current = act;
  useEffect(() => {
    if (!isWanted) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    const run = async () => {
      await latest.current();
      if (!isOver) timer = setTimeout(() => void run(), milliseconds);
    };
    void run();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [milliseconds, isWanted, occasion]);
}
