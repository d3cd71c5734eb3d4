import { useState } from 'react';
import { useLive } from '../shell/answer.ts';
import { problemOf } from '../shell/client.ts';
import { useLink } from '../shell/context.ts';
import { latest, type Zone, zoneOf } from '../shell/zone.ts';
import {
  BoardDocument,
  type BoardSubscription,
  type LicenceCategory,
  type TileFragment,
} from './documents.ts';
import { type Latest, useLastHour, useToday } from './past.ts';

export type Row = TileFragment;
export type Organisation = BoardSubscription['usageChanged']['organisation'];

/** What a screen shows of one organisation, and how far it is to be believed. */
export interface Board {
  /** null: not known yet. */
  readonly organisation: Organisation | null;
  readonly rows: readonly Row[];
  readonly zone: Zone;
  /** The latest instant, by the organisation's clock, at which the figures are known to have been so. */
  readonly asOf: string | null;
  /** LOST: they were live, and are to be again by themselves. OFF: not yet, or the server refuses them; `problem` says why. */
  readonly live: 'LIVE' | 'LOST' | 'OFF';
  readonly problem: string | null;
  readonly isMissing: boolean;
  /** Refusals of the last hour, by the licences' ids; null: not known now. */
  readonly denials: ReadonlyMap<string, number> | null;
  /** Today's use, by the rows' ids. */
  readonly today: Latest;
}

interface Seen {
  readonly organisation: Organisation;
  readonly rows: readonly Row[];
  readonly at: string;
}

/** Licence types: what people know an organisation by. */
const types: readonly LicenceCategory[] = ['USER', 'PRODUCT'];

/** @param licences codes; null: the licence types */
export function useBoard(organisationId: string, licences: readonly string[] | null): Board {
  const { connection } = useLink();
  const [variables] = useState({ organisationId, licences, categories: licences === null ? types : null });
  const { data: seen, error, live } = useLive({ query: BoardDocument, variables, isUnattended: true }, after);
  const zone = zoneOf(seen?.organisation.timeZone ?? 'UTC');
  const hour = useLastHour(variables, seen?.at ?? null, live === 'LIVE' ? connection : null);
  const today = useToday(variables, zone, latest(seen?.at ?? null, hour.now));
  return {
    organisation: seen?.organisation ?? null,
    rows: seen?.rows ?? [],
    zone,
    asOf: latest(seen?.at ?? null, hour.confirmedAt),
    // A server whose database is away keeps its connections, and has nothing to tell on them.
    live: live === 'LIVE' && !hour.isAnswered ? 'LOST' : live,
    problem: problemOf(error),
    isMissing: error?.graphQLErrors.some(({ extensions }) => extensions['code'] === 'NOT_FOUND') === true,
    denials: hour.denials,
    today,
  };
}

function after(before: Seen | undefined, { usageChanged }: BoardSubscription): Seen {
  const { organisation, at, snapshot, rows } = usageChanged;
  return { organisation, at, rows: snapshot ? rows : merged(before?.rows ?? [], rows) };
}

/** Rows come in catalogue order, and keep their places; one that is new is told whole by the next snapshot's order. */
function merged(before: readonly Row[], changed: readonly Row[]): readonly Row[] {
  const rows = new Map(before.map((row) => [row.id, row]));
  for (const row of changed) rows.set(row.id, row);
  return [...rows.values()];
}

/** What is to be noticed of a licence. */
export interface State {
  readonly kind: 'over' | 'full' | 'contingency';
  readonly name: 'overBase' | 'overSeats' | 'full' | 'contingency';
  readonly by: number;
}

/** The gravest first. */
export function statesOf({ base, concurrent, contingency }: Row): readonly State[] {
  const states: State[] = [];
  if (base !== null && base.overAllocated > 0) {
    states.push({ kind: 'over', name: 'overBase', by: base.overAllocated });
  }
  if (concurrent !== null && concurrent.overAllocated > 0) {
    states.push({ kind: 'over', name: 'overSeats', by: concurrent.overAllocated });
  } else if (
    concurrent !== null &&
    concurrent.used > 0 &&
    concurrent.available + (contingency?.available ?? 0) === 0
  ) {
    states.push({ kind: 'full', name: 'full', by: concurrent.used });
  }
  if (contingency !== null && contingency.used > 0) {
    states.push({ kind: 'contingency', name: 'contingency', by: contingency.used });
  }
  return states;
}
