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
  readonly stalledMilliseconds: number;
  readonly onBlocked?: () => void;
  readonly onReady?: () => void;
  /** Nothing has left for so long. */
  readonly onStalled: () => void;
}

/** Nothing is queued behind what does not leave: subscriptions wait, and send one event with all that they missed. */
export function createOutlet({
  stream,
  stalledMilliseconds,
  onBlocked,
  onReady,
  onStalled,
}: OutletOptions): Outlet {
  const memberships = new Set<Membership>();
  let stalled: NodeJS.Timeout | null = null;
  let isBlocked = false;

  const flow = () => {
    isBlocked = false;
    if (stalled !== null) clearTimeout(stalled);
    onReady?.();
    for (const membership of memberships) membership.resume();
  };

  return {
    isReady: () => !isBlocked,
    written: () => {
      if (isBlocked || !stream.writableNeedDrain) return;
      isBlocked = true;
      onBlocked?.();
      stalled = setTimeout(onStalled, stalledMilliseconds);
      stalled.unref();
      stream.once('drain', flow);
    },
    memberships,
    close: () => {
      isBlocked = true;
      stream.off('drain', flow);
      if (stalled !== null) clearTimeout(stalled);
    },
  };
}
