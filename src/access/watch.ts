import type { Database } from '../database/database.ts';
import type { Actor } from '../kernel/actor.ts';
import type { Clock, Instant } from '../kernel/clock.ts';
import { every } from '../kernel/every.ts';
import type { Log } from '../kernel/log.ts';
import type { Proofs } from '../kernel/proof.ts';
import { keyOf } from './domain.ts';
import { listEnded, type Shown } from './store.ts';

/** How often those who are connected are looked at: what is revoked anywhere ends here so much later at most. */
const watchMilliseconds = 2000;
/** A timer that ran for longer would go wrong by more, and overflow in the end. */
const maxTimerMilliseconds = 60 * 60 * 1000;

export interface WatchOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  /** Told of every actor who is connected still: a screen uses its key for months, and shows it once. */
  readonly onHeld: (actor: Actor) => void;
  /** Told before the connections of one whose proof has ended are closed. */
  readonly onEnd: (actor: Actor) => void;
}

export interface Watch {
  readonly watch: Proofs['watch'];
  readonly stop: () => Promise<void>;
}

/** Connections that were opened by the same proof: they end together. */
interface Watched {
  readonly actor: Actor;
  readonly ends: Set<() => void>;
  expiry: NodeJS.Timeout | null;
}

/** Ends connections whose proof has ended: at its instant where that is known, else by asking, for all in one statement. */
export function createWatch({ db, clock, log, onHeld, onEnd }: WatchOptions): Watch {
  const watched = new Map<string, Watched>();

  function end(name: string, { actor, ends, expiry }: Watched, why: string): void {
    watched.delete(name);
    if (expiry !== null) clearTimeout(expiry);
    onEnd(actor);
    log.info({ credential: actor.credential, connections: ends.size }, `closed connections: ${why}`);
    for (const close of ends) close();
  }

  /** Ends it at its instant, whatever the database does. */
  function arm(name: string, entry: Watched, expiresAt: Instant): void {
    const milliseconds = expiresAt.getTime() - clock.now().getTime();
    const isNear = milliseconds <= maxTimerMilliseconds;
    entry.expiry = setTimeout(
      () => (isNear ? end(name, entry, 'what they showed has expired') : arm(name, entry, expiresAt)),
      isNear ? milliseconds : maxTimerMilliseconds,
    );
    entry.expiry.unref();
  }

  async function lookAround(): Promise<void> {
    const entries = [...watched];
    const shown = entries.flatMap(([, { actor }], position) => shownBy(actor, position));
    const ended = new Set((await listEnded(db, shown)).map(({ position }) => position));
    for (const [position, [name, entry]] of entries.entries()) {
      // It may be gone by now, and another may be there under its name.
      if (watched.get(name) !== entry) continue;
      if (ended.has(position)) end(name, entry, 'the key was revoked, or the user suspended or deleted');
      else onHeld(entry.actor);
    }
  }

  const stopLooking = every(watchMilliseconds, lookAround, log);

  return {
    watch: (actor, close) => {
      if (!canEnd(actor)) return () => {};
      const name = nameOf(actor);
      let entry = watched.get(name);
      if (entry === undefined) {
        entry = { actor, ends: new Set(), expiry: null };
        watched.set(name, entry);
        if (actor.expiresAt !== null) arm(name, entry, actor.expiresAt);
      }
      const { ends } = entry;
      // Two that wait may do the same.
      const waiting = () => close();
      ends.add(waiting);
      const present = entry;
      return () => {
        ends.delete(waiting);
        if (ends.size > 0 || watched.get(name) !== present) return;
        watched.delete(name);
        if (present.expiry !== null) clearTimeout(present.expiry);
      };
    },
    stop: async () => {
      await stopLooking();
      for (const { expiry } of watched.values()) if (expiry !== null) clearTimeout(expiry);
    },
  };
}

function canEnd(actor: Actor): boolean {
  return actor.expiresAt !== null || actor.userId !== null || keyOf(actor) !== null;
}

function shownBy(actor: Actor, position: number): readonly Shown[] {
  const { organisationId, userId } = actor;
  const keyId = keyOf(actor);
  return organisationId === null || (keyId === null && userId === null)
    ? []
    : [{ organisationId, keyId, userId, position }];
}

function nameOf({ credential, organisationId, userId, expiresAt }: Actor): string {
  return JSON.stringify([credential, organisationId, userId, expiresAt]);
}
