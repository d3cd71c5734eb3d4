import { type Actor, callerOf } from '../../kernel/actor.ts';

/** What a client of WebSocket or SSE may have. */
export interface LiveLimits {
  /** To each subscription; the snapshot is one more. Changes in between arrive merged. */
  readonly maxEventsPerSecond: number;
  /** A connection that has taken nothing for so long, or up to twice that, is closed: its client starts afresh. */
  readonly stalledMilliseconds: number;
  /** On one WebSocket. */
  readonly maxSubscriptions: number;
  /** WebSockets and event streams of this process. */
  readonly maxConnections: number;
  /** Of one caller. */
  readonly maxConnectionsPerKey: number;
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
  maxMessageBytes: 1024 * 1024,
  initMilliseconds: 5_000,
  streamMilliseconds: 15 * 60_000,
};

/** Counts the connections of a process, and of each caller among them. */
export interface Connections {
  /** @returns to be called once, when the connection is gone; null: there are too many */
  enter(): (() => void) | null;
  /** As `enter`, for a connection whose caller is known now. */
  enterAs(actor: Actor): (() => void) | null;
}

export function createConnections({ maxConnections, maxConnectionsPerKey }: LiveLimits): Connections {
  let open = 0;
  const openByCaller = new Map<string, number>();
  return {
    enter: () => {
      if (open >= maxConnections) return null;
      open += 1;
      return () => {
        open -= 1;
      };
    },
    enterAs: (actor) => {
      const caller = callerOf(actor);
      const before = openByCaller.get(caller) ?? 0;
      if (before >= maxConnectionsPerKey) return null;
      openByCaller.set(caller, before + 1);
      return () => {
        const left = (openByCaller.get(caller) ?? 0) - 1;
        if (left > 0) openByCaller.set(caller, left);
        else openByCaller.delete(caller);
      };
    },
  };
}
