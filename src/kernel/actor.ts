import type { Instant } from './clock.ts';
import type { OrganisationId, UserId } from './ids.ts';

/** What an actor is; src/kernel/access.ts says what each may do. */
export type Role = Actor['role'];

/** What a credential can be narrowed to: groups of fields, named in src/kernel/access.ts. */
export type Scope = (typeof scopes)[number];

export const scopes = ['READ', 'ORGANISATIONS', 'PURCHASES', 'USERS', 'SESSIONS', 'KEYS'] as const;

/** By what somebody showed who they are. */
export interface Credential {
  /** Names it, never shows it: `operator`, a key's id, an access token's issuer and subject. */
  readonly credential: string;
  /** null: all that the role may do. */
  readonly scopes: readonly Scope[] | null;
  /** From here on it is worth nothing; null: it has no end. */
  readonly expiresAt: Instant | null;
  /** When its bearer last showed a second factor, by this credential's own word; null: never. */
  readonly multiFactorAt: Instant | null;
}

/**
 * Who asks. `organisationId`: whose figures they are concerned with, a PARTNER also with those of all organisations below.
 * `userId`: the user that a person is; null of a machine.
 */
export type Actor = Credential &
  (
    | { readonly role: 'OPERATOR'; readonly organisationId: null; readonly userId: null }
    | {
        readonly role: 'PARTNER' | 'WALLBOARD';
        readonly organisationId: OrganisationId;
        readonly userId: null;
      }
    | {
        readonly role: 'ADMINISTRATOR' | 'SUPERVISOR';
        readonly organisationId: OrganisationId;
        readonly userId: UserId | null;
      }
    | { readonly role: 'AGENT'; readonly organisationId: OrganisationId; readonly userId: UserId }
  );

/** Whose the bootstrap key is. */
export const operator = {
  role: 'OPERATOR',
  organisationId: null,
  userId: null,
  credential: 'operator',
  scopes: null,
  expiresAt: null,
  multiFactorAt: null,
} as const satisfies Actor;

/**
 * What an actor may see, as text: two actors with the same text are answered the same, to the last byte, so what was
 * read or executed for one may be given to the other.
 */
export function visibilityOf({ role, organisationId, userId, scopes: given }: Actor): string {
  return JSON.stringify([role, organisationId, userId, given?.toSorted() ?? null]);
}

/** On whose behalf something is done: what stands in the audit log. */
export interface By {
  readonly actor: Actor;
  readonly requestId: string;
}

/** Whose connections are counted together. */
export function callerOf({ credential }: Actor): string {
  return credential;
}
