import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import type { Membership } from '../../live/groups.ts';

/** The way to one client, and whether it takes what it is sent. */
export interface Outlet {
  /** False from when what was written no longer fits the buffers until all of it has left. */
  isReady(): boolean;
  /** To be called after every write. */
  written(): void;
  /** The subscriptions that wait for it to be ready. */
  readonly memberships: Set<Membership>;
  /** The client is gone. */
  close(): void;
}

export interface OutletOptions {
  readonly stream: Writable;
  /** What the stream writes to in the end. */
  readonly socket: Socket;
  readonly stalledMilliseconds: number;
  readonly onBlocked?: () => void;
  readonly onReady?: () => void;
  /** Nothing at all has left for so long. */
  readonly onStalled: () => void;
}

/** Nothing is queued behind what does not leave: subscriptions wait, and send one event with all that they missed. */
export function createOutlet({
  stream,
  socket,
  stalledMilliseconds,
  onBlocked,
  onReady,
  onStalled,
}: OutletOptions): Outlet {
  const memberships = new Set<Membership>();
  let isBlocked = false;

  const unwatch = () => {
    socket.setTimeout(0);
    socket.off('timeout', onStalled);
  };
  const flow = () => {
    isBlocked = false;
    unwatch();
    onReady?.();
    for (const membership of memberships) membership.resume();
  };

  return {
    isReady: () => !isBlocked,
    written: () => {
      if (isBlocked || !stream.writableNeedDrain) return;
      isBlocked = true;
      onBlocked?.();
      // Of one large event some may leave all the time, long before a stream says that all has: a socket's own watch
      // looks at how much the system holds still.
      socket.setTimeout(stalledMilliseconds);
      socket.once('timeout', onStalled);
      stream.once('drain', flow);
    },
    memberships,
    close: () => {
      isBlocked = true;
      stream.off('drain', flow);
      unwatch();
    },
  };
}
