import type { Actor, Credential, Role, Scope } from '../kernel/actor.ts';
import { scopes as allScopes } from '../kernel/actor.ts';
import type { Instant } from '../kernel/clock.ts';
import {
  type ApiKeyId,
  decodeId,
  encodeOrganisationId,
  encodeOwnedId,
  type OrganisationId,
  type UserId,
} from '../kernel/ids.ts';
import { type InvalidInput, invalidInput, type Refusal } from '../kernel/refusal.ts';
import type { UserStatus } from '../user/domain.ts';

/** What a key can be: there is one operator key, and this API makes no second. */
export type KeyRole = Exclude<Role, 'OPERATOR'>;

export const keyRoles = ['PARTNER', 'ADMINISTRATOR', 'SUPERVISOR', 'WALLBOARD', 'AGENT'] as const;

/** What is known of a key: everything but the key. */
export interface ApiKey {
  readonly id: ApiKeyId;
  readonly name: string;
  readonly role: KeyRole;
  /** null: all that the role may do. */
  readonly scopes: readonly Scope[] | null;
  readonly userId: UserId | null;
  /** What the key begins with. */
  readonly prefix: string;
  readonly createdAt: Instant;
  /** The credential that made it. */
  readonly createdBy: string;
  readonly expiresAt: Instant | null;
  readonly revokedAt: Instant | null;
  /** To the minute. */
  readonly lastUsedAt: Instant | null;
}

/** What a key is to be. */
export type WantedKey = Pick<ApiKey, 'role' | 'scopes' | 'userId' | 'expiresAt'>;

const kinds: Readonly<Record<Role, readonly KeyRole[]>> = {
  OPERATOR: keyRoles,
  PARTNER: keyRoles,
  ADMINISTRATOR: ['ADMINISTRATOR', 'SUPERVISOR', 'WALLBOARD', 'AGENT'],
  SUPERVISOR: [],
  WALLBOARD: [],
  AGENT: [],
};

/**
 * Nobody makes a key that can do more than they can, nor takes one away that they could not have made.
 * @returns null where the actor may
 */
export function decideKind(actor: Actor, role: KeyRole): Refusal<'FORBIDDEN'> | null {
  if (kinds[actor.role].includes(role)) return null;
  return {
    code: 'FORBIDDEN',
    message: `A key of the role ${role} can do more than you can; ask your partner or the operator.`,
  };
}

/** The scopes of a new key: those asked for, else all that its maker has. Never one that its maker has not. */
export function decideScopes(
  { scopes: own }: Actor,
  wanted: readonly Scope[] | null,
): { readonly scopes: readonly Scope[] | null } | Refusal<'FORBIDDEN'> {
  if (wanted === null) return { scopes: own };
  const beyond = wanted.filter((scope) => own !== null && !own.includes(scope));
  if (beyond.length === 0) return { scopes: allScopes.filter((scope) => wanted.includes(scope)) };
  return {
    code: 'FORBIDDEN',
    message: `You have not the scopes ${beyond.join(', ')} yourself; leave them out.`,
  };
}

/**
 * The end of a new key: the one asked for, else its maker's, where that is a key; never a later one. Whoever has a key for
 * a day must not have made themselves one for ever by then. An access token's end is none of its keys': administrators sign
 * in for minutes, and make keys for years.
 */
export function decideEnd(
  maker: Actor,
  wanted: Instant | null,
): { readonly expiresAt: Instant | null } | InvalidInput {
  const last = keyOf(maker) === null ? null : maker.expiresAt;
  if (last === null) return { expiresAt: wanted };
  if (wanted === null) return { expiresAt: last };
  return wanted <= last
    ? { expiresAt: wanted }
    : invalidInput(
        'expiresAt',
        `A key ends no later than the key that makes it, at ${last.toISOString()}; name an earlier instant, or use a key that lasts longer.`,
      );
}

/**
 * A person shows a second factor to change security keys. A key that is nobody's does without, and another's user is
 * trusted with their first: so a person makes neither, where it could be used for that.
 */
export function decideBearer(
  { userId: own }: Actor,
  { role, scopes, userId }: Pick<WantedKey, 'role' | 'scopes' | 'userId'>,
): Refusal<'FORBIDDEN'> | null {
  const changesUsers = role !== 'WALLBOARD' && (scopes === null || scopes.includes('USERS'));
  if (own === null || own === userId || !changesUsers) return null;
  return {
    code: 'FORBIDDEN',
    message:
      'A person makes a key of another, or of nobody, without the scope USERS only; name other scopes, or ask your platform.',
  };
}

/** What else a new key must be. */
export function decideKey({ role, scopes, userId, expiresAt }: WantedKey, now: Instant): InvalidInput | null {
  if (scopes?.length === 0) {
    return invalidInput('scopes', 'A key has a scope at least; leave `scopes` out for all of yours.');
  }
  if (role === 'AGENT' && userId === null) {
    return invalidInput('userId', 'Say whose key it is: an agent is a user.');
  }
  if ((role === 'PARTNER' || role === 'WALLBOARD') && userId !== null) {
    return invalidInput('userId', `A key of the role ${role} is nobody’s; leave \`userId\` out.`);
  }
  return expiresAt !== null && expiresAt <= now
    ? invalidInput('expiresAt', 'A key expires later than now.')
    : null;
}

const [start, organisationPrefix] = ['sk_', 'org_'];
const keyForm = /^(sk_[\w-]{12})([\w-]{22})_[\w-]{43}$/;

/** How many random bytes the two parts of a key have: the one it is looked up by, and the one that proves it. */
export const [lookUpBytes, secretBytes] = [9, 32];

/**
 * A key's text: a part to look it up by, whose it is, and the secret. Knowing the organisation from the key alone is
 * what lets its look-up begin with it, as every other does.
 */
export function writeKey(
  organisationId: OrganisationId,
  lookUp: Buffer,
  secret: Buffer,
): { readonly prefix: string; readonly key: string } {
  const prefix = `${start}${lookUp.toString('base64url')}`;
  const packed = encodeOrganisationId(organisationId).slice(organisationPrefix.length);
  return { prefix, key: `${prefix}${packed}_${secret.toString('base64url')}` };
}

/** Where a key is to be looked for; null: no such key could ever have been given out. */
export function readKey(
  key: string,
): { readonly organisationId: OrganisationId; readonly prefix: string } | null {
  const [, prefix, packed] = keyForm.exec(key) ?? [];
  const reference = packed === undefined ? null : decodeId(`${organisationPrefix}${packed}`);
  return prefix === undefined || reference?.type !== 'Organisation'
    ? null
    : { organisationId: reference.organisationId, prefix };
}

/** Names a key as a credential: by its id. */
export function credentialOf(organisationId: OrganisationId, id: ApiKeyId): string {
  return encodeOwnedId('ApiKey', organisationId, id);
}

/** The key that an actor showed; null: something else. */
export function keyOf({ credential }: Actor): ApiKeyId | null {
  const reference = decodeId(credential);
  return reference?.type === 'ApiKey' ? (reference.id as ApiKeyId) : null;
}

/** Whether a user is one who may show who they are. */
export function isWelcome(status: UserStatus): boolean {
  return status === 'PRE_ACTIVE' || status === 'ACTIVE';
}

/** Puts an actor together; null: nobody can be that. */
export function becomeActor(
  role: Role,
  organisationId: OrganisationId | null,
  userId: UserId | null,
  credential: Credential,
): Actor | null {
  if (role === 'OPERATOR') return { ...credential, role, organisationId: null, userId: null };
  if (organisationId === null) return null;
  switch (role) {
    case 'PARTNER':
    case 'WALLBOARD':
      return { ...credential, role, organisationId, userId: null };
    case 'ADMINISTRATOR':
    case 'SUPERVISOR':
      return { ...credential, role, organisationId, userId };
    case 'AGENT':
      return userId === null ? null : { ...credential, role, organisationId, userId };
  }
}

/** Where an access token's claims say what its bearer may do. */
export interface ClaimMapping {
  readonly roleClaim: string;
  /** An organisation's id here, or its external id. */
  readonly organisationClaim: string;
  /** A user's external id, or its username. */
  readonly userClaim: string;
  /** null: a token is not narrowed to scopes. */
  readonly scopesClaim: string | null;
  /** The value of the role's claim that makes an operator; null: no token does. */
  readonly operatorRole: string | null;
  /** Which of the values of `amr` and `acr` tell of a second factor. */
  readonly multiFactorValues: readonly string[];
}

/** What an access token says of its bearer. */
export interface Claimed {
  readonly role: Role;
  readonly organisation: string | null;
  readonly user: string | null;
  readonly scopes: readonly Scope[] | null;
  readonly multiFactorAt: Instant | null;
}

type Claims = Readonly<Record<string, unknown>>;

/** @returns what the claims say, or why they say nothing */
export function readClaims(claims: Claims, mapping: ClaimMapping): Claimed | { readonly reason: string } {
  const roles = new Set(
    textsOf(claims, mapping.roleClaim).flatMap((value): Role[] => {
      if (value === mapping.operatorRole) return ['OPERATOR'];
      const role = keyRoles.find((known) => known === value);
      return role === undefined ? [] : [role];
    }),
  );
  const [role] = roles;
  if (role === undefined) return { reason: `the claim ${mapping.roleClaim} names no role` };
  if (roles.size > 1) return { reason: `the claim ${mapping.roleClaim} names several roles` };

  const isOperator = role === 'OPERATOR';
  const [organisation = null, ...others] = isOperator ? [] : textsOf(claims, mapping.organisationClaim);
  if (!isOperator && (organisation === null || others.length > 0)) {
    return { reason: `the claim ${mapping.organisationClaim} does not name one organisation` };
  }
  const isPerson = role === 'ADMINISTRATOR' || role === 'SUPERVISOR' || role === 'AGENT';
  const [user = null] = isPerson ? textsOf(claims, mapping.userClaim) : [];
  if (role === 'AGENT' && user === null) return { reason: `the claim ${mapping.userClaim} names no user` };

  const named = mapping.scopesClaim === null ? null : textsOf(claims, mapping.scopesClaim);
  const scopes =
    named === null
      ? null
      : allScopes.filter((scope) => named.some((text) => text.split(' ').includes(scope)));
  if (scopes?.length === 0) return { reason: `the claim ${mapping.scopesClaim} names no scope` };
  return { role, organisation, user, scopes, multiFactorAt: multiFactorAt(claims, mapping) };
}

/** When the bearer signed in, where that was with a second factor. Without `auth_time` nobody knows how long ago. */
function multiFactorAt(claims: Claims, { multiFactorValues }: ClaimMapping): Instant | null {
  const shown = [...textsOf(claims, 'amr'), ...textsOf(claims, 'acr')];
  const seconds = claims['auth_time'];
  if (typeof seconds !== 'number' || !shown.some((value) => multiFactorValues.includes(value))) return null;
  const at = new Date(seconds * 1000);
  return Number.isNaN(at.getTime()) ? null : at;
}

/** The texts of a claim: of its own name, or by a path of names with dots between, as in `realm_access.roles`. */
function textsOf(claims: Claims, name: string): readonly string[] {
  let value: unknown = claims;
  for (const part of Object.hasOwn(claims, name) ? [name] : name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return [];
    value = (value as Claims)[part];
  }
  return (Array.isArray(value) ? value : [value]).filter(
    (text): text is string => typeof text === 'string' && text !== '',
  );
}

/** Keys that came over plain HTTP could be anybody's, except from this machine. */
export function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return (
    protocol === 'https:' ||
    (protocol === 'http:' && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname))
  );
}
