import { type Actor, callerOf } from '../../kernel/actor.ts';

/** What a client of WebSocket or SSE may have. */
export interface LiveLimits {
  /** To each subscription; the snapshot is one more. Changes in between arrive merged. */
  readonly maxEventsPerSecond: number;
  /** A connection that has taken nothing for so long, or up to twice that, is closed: its client starts afresh. */
  readonly stalledMilliseconds: number;
  /** On one WebSocket. */
  readonly maxSubscriptions: number;
  /** WebSockets, event streams and downloads of this process. */
  readonly maxConnections: number;
  /** Of one caller. */
  readonly maxConnectionsPerKey: number;
  /** Of all callers of one organisation together. */
  readonly maxConnectionsPerOrganisation: number;
  /** Of one message on a WebSocket. */
  readonly maxMessageBytes: number;
  /** Within which a WebSocket must say who it is. */
  readonly initMilliseconds: number;
  /** After which, or up to a fifth sooner, an event stream is broken off, and begun anew by a client that is there still. */
  readonly streamMilliseconds: number;
}

export const defaultLimits: LiveLimits = {
  maxEventsPerSecond: 10,
  stalledMilliseconds: 20_000,
  maxSubscriptions: 500,
  maxConnections: 20_000,
  maxConnectionsPerKey: 15_000,
  maxConnectionsPerOrganisation: 15_000,
  maxMessageBytes: 1024 * 1024,
  initMilliseconds: 5_000,
  streamMilliseconds: 15 * 60_000,
};

/** To be called once, when what was counted is over. */
export type Leave = () => void;

/**
 * Counts what is under way, of each caller and of each organisation: one that has many keys has no more for it.
 * @returns counts one more; null: there are too many
 */
export function createTally(maxPerKey: number, maxPerOrganisation: number): (actor: Actor) => Leave | null {
  const ofCaller = createCounts(maxPerKey);
  const ofOrganisation = createCounts(maxPerOrganisation);
  return (actor) => {
    const leaveCaller = ofCaller(callerOf(actor));
    if (leaveCaller === null || actor.organisationId === null) return leaveCaller;
    const leaveOrganisation = ofOrganisation(actor.organisationId);
    if (leaveOrganisation === null) {
      leaveCaller();
      return null;
    }
    return () => {
      leaveCaller();
      leaveOrganisation();
    };
  };
}

function createCounts(max: number): (of: string) => Leave | null {
  const counts = new Map<string, number>();
  return (of) => {
    const before = counts.get(of) ?? 0;
    if (before >= max) return null;
    counts.set(of, before + 1);
    return () => {
      const left = (counts.get(of) ?? 0) - 1;
      if (left > 0) counts.set(of, left);
      else counts.delete(of);
    };
  };
}

/** Counts the connections of a process, and those of each caller and organisation among them. */
export interface Connections {
  /** Of one whose caller is not known yet. @returns null: there are too many */
  enter(): Leave | null;
  /** As `enter`, beside it, when the caller is known. */
  enterAs(actor: Actor): Leave | null;
  /** Both, of one whose caller is known from its beginning. */
  enterKnown(actor: Actor): Leave | null;
}

export function createConnections(limits: LiveLimits): Connections {
  let open = 0;
  const enterAs = createTally(limits.maxConnectionsPerKey, limits.maxConnectionsPerOrganisation);
  const enter = () => {
    if (open >= limits.maxConnections) return null;
    open += 1;
    return () => {
      open -= 1;
    };
  };
  return {
    enter,
    enterAs,
    enterKnown: (actor) => {
      const leave = enter();
      const leaveCaller = leave === null ? null : enterAs(actor);
      if (leave === null || leaveCaller === null) {
        leave?.();
        return null;
      }
      return () => {
        leaveCaller();
        leave();
      };
    },
  };
}
