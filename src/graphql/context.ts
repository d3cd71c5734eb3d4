import type { Actor } from '../kernel/actor.ts';
import type { OrganisationId } from '../kernel/ids.ts';
import type { Services } from '../live/services.ts';

/** An attempt that was denied. */
export interface Denial {
  readonly action: string;
  readonly outcome: 'FORBIDDEN' | 'NOT_FOUND';
  /** The id that it was made on. */
  readonly subject: string | null;
}

/** What a resolver works with. Nouns add what is theirs by declaring it: `interface Context { … }`. */
export interface Context {
  readonly actor: Actor;
  /** Stands in every log line and every masked error of the request. */
  readonly requestId: string;
  readonly services: Services;
  /** Tells the audit log that the actor was denied something; returns at once. */
  readonly denied: (denial: Denial) => void;
  /** The mutation, or the field of another root type, that is being resolved: what a denied attempt was made by. */
  action: string;
  /** Whether an organisation is one of the actor's. What is not answers as if it did not exist. */
  readonly mayReach: (context: Context, organisationId: OrganisationId) => boolean | Promise<boolean>;
  /**
   * What the loaders' caches hang on: replaced after every mutation and before every event of a subscription, so that
   * nothing that was read before a change is answered after it.
   */
  scope: object;
}
