import type { Actor } from './actor.ts';
import type { Instant } from './clock.ts';

/** A credential that was shown once, and that a browser shows by itself since. */
export interface SignIn {
  readonly authorization: string;
  /** From here on it has to be shown anew. */
  readonly expiresAt: Instant;
}

/** How a server knows who asks, and for how long that holds. */
export interface Proofs {
  /**
   * Who an `authorization` says it comes from; null: nobody that is known. At once where that is known already, so that
   * a busy client's requests wait for nothing; else a promise, rejected where it cannot be found out now.
   */
  authenticate(authorization: string | null): Actor | null | Promise<Actor | null>;
  /**
   * Calls `end`, once, when what an actor showed is worth nothing any more: it expired, was revoked, or its user was
   * suspended or deleted.
   * @returns to be called when nobody waits for that any longer
   */
  watch(actor: Actor, end: () => void): () => void;
}
