import { z } from 'zod';
import type { Actor } from '../kernel/actor.ts';
import type { Instant } from '../kernel/clock.ts';
import type { OrganisationId, SecurityKeyId, UserId } from '../kernel/ids.ts';
import type { Refusal } from '../kernel/refusal.ts';

/** By what a key signs. No other is taken. */
export type SecurityKeyAlgorithm = 'ES256' | 'RS256';

/** A key that a user has in hand, enrolled so that its signatures show a second factor (L1). */
export interface SecurityKey {
  readonly id: SecurityKeyId;
  readonly userId: UserId;
  /** The name that the key gave itself here, in base64url. */
  readonly credentialId: string;
  /** In COSE's form. */
  readonly publicKey: Uint8Array;
  readonly algorithm: SecurityKeyAlgorithm;
  /** Of the signature that was seen last; 0: the key does not count. */
  readonly counter: number;
  /** How browsers reach it, such as `usb` or `nfc`, by its own word. */
  readonly transports: readonly string[];
  /** Its owner's name for it. */
  readonly name: string;
  readonly createdAt: Instant;
  readonly lastUsedAt: Instant | null;
  /** Since when it may have been copied, and is not accepted any more; null: it is. */
  readonly suspectAt: Instant | null;
}

/** What a challenge may be answered for: a new key, a logon, or a change of somebody's keys. */
export type Purpose = 'ENROLMENT' | 'LOGON' | 'CHANGE';

/** By which terms a second factor is taken. */
export interface SecondFactorTerms {
  /** The domain that keys are enrolled for: they sign for no other. */
  readonly rpId: string;
  /** Of the pages on which keys may be used, such as `https://licences.example.com`. */
  readonly origins: readonly string[];
  /** How long ago the sign-in may be by which an access token shows a second factor. */
  readonly maxAgeSeconds: number;
}

export const defaultMaxAgeSeconds = 900;

/** What a server on this machine takes, where nothing is configured. */
export function localTerms(port: number): SecondFactorTerms {
  return { rpId: 'localhost', origins: [`http://localhost:${port}`], maxAgeSeconds: defaultMaxAgeSeconds };
}

export const challengeSeconds = 120;
/** Of one user and purpose; the next one pushes the oldest out. */
export const maxChallenges = 5;
/** Of one user. */
export const maxKeys = 10;
/** 1,023 bytes in base64url, the most that the standard lets a credential's id have. */
export const maxCredentialIdLength = 1364;
/** An RSA key of 8,192 bits has room. */
export const maxPublicKeyBytes = 2048;
/** By so much may the clock of whoever issued a token be ahead. */
const toleranceSeconds = 60;

/** Whose second factor is asked for. */
export interface Whose {
  readonly organisationId: OrganisationId;
  readonly userId: UserId;
}

/** Whether a second factor was shown, and, where one was sent in vain, why it does not count. */
export type Proof = { readonly shown: true } | { readonly shown: false; readonly why: string | null };

export interface SecondFactorRequired extends Refusal<'SECOND_FACTOR_REQUIRED'> {
  /** What a key of the user must sign, as JSON text; null: the user has no key that is accepted. */
  readonly challenge: string | null;
}
export type TooManySecurityKeys = Refusal<'TOO_MANY_SECURITY_KEYS'>;
export type SecurityKeyTaken = Refusal<'SECURITY_KEY_TAKEN'>;

export function tooManySecurityKeys(): TooManySecurityKeys {
  return {
    code: 'TOO_MANY_SECURITY_KEYS',
    message: `The user has ${maxKeys} security keys; remove one first.`,
  };
}

export function securityKeyTaken(): SecurityKeyTaken {
  return { code: 'SECURITY_KEY_TAKEN', message: 'This security key is enrolled already; use another.' };
}

/** L1: whether an actor's own credential shows the second factor of a user. It shows that of nobody but the actor. */
export function isShownByCredential(
  actor: Actor,
  { organisationId, userId }: Whose,
  { maxAgeSeconds }: SecondFactorTerms,
  now: Instant,
): boolean {
  const { multiFactorAt } = actor;
  if (multiFactorAt === null || actor.userId !== userId || actor.organisationId !== organisationId)
    return false;
  const ageSeconds = (now.getTime() - multiFactorAt.getTime()) / 1000;
  return ageSeconds <= maxAgeSeconds && ageSeconds >= -toleranceSeconds;
}

/**
 * Whether who enrols or removes a key of a user must show a second factor of their own first: else whoever stole the
 * first one could make themselves the second. Only a person's own first key is taken on trust. What is no person, such
 * as a platform's key, has no second factor, and may do what its role may.
 * @param keys those that the user has, suspect ones included
 */
export function mustProve(actor: Actor, userId: UserId, keys: readonly SecurityKey[]): boolean {
  return actor.userId !== null && (actor.userId !== userId || keys.length > 0);
}

/** Those that can show a second factor. */
export function accepted(keys: readonly SecurityKey[]): SecurityKey[] {
  return keys.filter(({ suspectAt }) => suspectAt === null);
}

/**
 * What a key is after a signature that is its own: used, or suspect, where its counter did not grow: then there are two
 * of it. Keys that do not count always say 0.
 */
export function useKey(key: SecurityKey, counter: number, now: Instant): SecurityKey {
  const isCopy = (counter > 0 || key.counter > 0) && counter <= key.counter;
  return isCopy ? { ...key, suspectAt: now } : { ...key, counter, lastUsedAt: now };
}

const bytes = z.string().regex(/^[\w-]+$/);
const credential = { id: bytes, rawId: bytes, type: z.literal('public-key') } as const;

const creationAnswer = z.object({
  ...credential,
  response: z.object({
    clientDataJSON: bytes,
    attestationObject: bytes,
    transports: z.array(z.string()).optional(),
  }),
});
const assertionAnswer = z.object({
  ...credential,
  response: z.object({ clientDataJSON: bytes, authenticatorData: bytes, signature: bytes }),
});

/** What a browser made of `navigator.credentials.create`. */
export type CreationAnswer = z.infer<typeof creationAnswer>;
/** What a browser made of `navigator.credentials.get`. */
export type AssertionAnswer = z.infer<typeof assertionAnswer>;

/** Reads what a new key answered; null when it is no such thing. */
export function readCreation(text: string): CreationAnswer | null {
  return creationAnswer.safeParse(parse(text)).data ?? null;
}

/** Reads what an enrolled key answered; null when it is no such thing. */
export function readAssertion(text: string): AssertionAnswer | null {
  return assertionAnswer.safeParse(parse(text)).data ?? null;
}

/** The challenge that an answer says it is to; null when it says none. Whether it is true shows when the answer is verified. */
export function challengeOf({ response }: CreationAnswer | AssertionAnswer): string | null {
  const clientData = parse(Buffer.from(response.clientDataJSON, 'base64url').toString());
  const challenge = z.object({ challenge: bytes }).safeParse(clientData).data?.challenge;
  return challenge ?? null;
}

/** The transports that are kept: a key may say anything. */
export function readTransports(transports: readonly string[] = []): string[] {
  return [...new Set(transports)].filter((transport) => /^[a-z-]{1,20}$/.test(transport)).slice(0, 8);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
