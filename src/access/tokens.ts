import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import type { Actor } from '../kernel/actor.ts';
import { type Clock, plusSeconds } from '../kernel/clock.ts';
import { Unavailable } from '../kernel/failure.ts';
import { decodeId } from '../kernel/ids.ts';
import type { Log } from '../kernel/log.ts';
import { becomeActor, type ClaimMapping, isSafeUrl, isWelcome, readClaims } from './domain.ts';
import { findNamed } from './store.ts';

/** An OpenID provider whose access tokens are taken, and what they say. */
export interface OpenId extends ClaimMapping {
  /** As its tokens and its discovery document spell it. */
  readonly issuer: string;
  readonly audience: string;
  /** Where its public keys are; null: where its discovery document says. */
  readonly jwksUrl: string | null;
  /** Of one asymmetric family. */
  readonly algorithms: readonly string[];
  /** By how much the provider's clock may differ. */
  readonly clockToleranceSeconds: number;
}

export interface TokenOptions {
  readonly openId: OpenId;
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  /** After the keys were fetched, an unknown one is not asked for again within so long. */
  readonly cooldownMilliseconds?: number;
  /** Keys that the provider withdrew are taken for so long at most. */
  readonly cacheMilliseconds?: number;
}

const answerMilliseconds = 5000;
/** What access tokens call themselves (RFC 9068, and those from before it); others are not for this, logout tokens for one. */
const types = new Set([undefined, 'jwt', 'at+jwt', 'application/at+jwt']);
/** What the key set says of a token's key; all else says that the provider does not answer. */
const keyProblems = [errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys, errors.JOSENotSupported];

/**
 * Verifies access tokens (JWT) by the provider's own keys: never by one that a token brings or points to.
 * @returns who a token's bearer is; null: nobody that is known. Throws Unavailable where the provider is needed, and
 * does not answer
 */
export function createTokens({
  openId,
  db,
  clock,
  log,
  cooldownMilliseconds = 5000,
  cacheMilliseconds = 10 * 60 * 1000,
}: TokenOptions): (token: string) => Promise<Actor | null> {
  const { issuer, audience, clockToleranceSeconds } = openId;
  let finding: Promise<JWTVerifyGetKey> | null = null;

  async function open(): Promise<JWTVerifyGetKey> {
    const url = openId.jwksUrl ?? (await discover(issuer));
    return createRemoteJWKSet(new URL(url), {
      timeoutDuration: answerMilliseconds,
      cooldownDuration: cooldownMilliseconds,
      cacheMaxAge: cacheMilliseconds,
    });
  }

  const findKey: JWTVerifyGetKey = async (header, token) => {
    try {
      finding ??= open();
      const opened = await finding.catch((error: unknown) => {
        finding = null;
        throw error;
      });
      return await opened(header, token);
    } catch (error) {
      if (keyProblems.some((known) => error instanceof known)) throw error;
      log.warn({ err: error }, 'the OpenID provider does not answer');
      throw new Unavailable('The sign-in service does not answer; try again shortly.', { cause: error });
    }
  };

  async function read(token: string): Promise<JWTPayload | null> {
    try {
      const { payload, protectedHeader } = await jwtVerify(token, findKey, {
        issuer,
        audience,
        algorithms: [...openId.algorithms],
        requiredClaims: ['sub', 'exp'],
        clockTolerance: clockToleranceSeconds,
        currentDate: clock.now(),
      });
      if (!types.has(protectedHeader.typ?.toLowerCase()))
        throw new errors.JWTInvalid('Another type of token');
      // Bound to a key that its sender must prove to have, which nobody asks for here.
      if (payload['cnf'] !== undefined) throw new errors.JWTInvalid('A token that is bound to a key');
      if (typeof payload.sub !== 'string' || payload.sub === '') throw new errors.JWTInvalid('No subject');
      return payload;
    } catch (error) {
      if (error instanceof Unavailable) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      log.info({ reason }, 'refused an access token');
      return null;
    }
  }

  return async (token) => {
    const payload = await read(token);
    if (payload === null) return null;
    const credential = `${issuer}|${payload.sub}`;
    const refuse = (reason: string) => {
      log.info({ credential, reason }, 'refused an access token');
      return null;
    };
    const claimed = readClaims(payload, openId);
    if ('reason' in claimed) return refuse(claimed.reason);
    const { role, organisation, user, scopes, multiFactorAt } = claimed;
    const proof = {
      credential,
      scopes,
      multiFactorAt,
      // As long as it is taken.
      expiresAt: plusSeconds(new Date((payload.exp ?? 0) * 1000), clockToleranceSeconds),
    };
    if (organisation === null) return becomeActor(role, null, null, proof);

    const reference = decodeId(organisation);
    const named = await findNamed(
      db,
      reference?.type === 'Organisation'
        ? { organisationId: reference.organisationId }
        : { externalId: organisation },
      user,
    );
    if (named === null) return refuse('there is no such organisation');
    const [person, ...others] = named.users;
    if (user !== null && person === undefined) return refuse('the organisation has no such user');
    if (others.length > 0) return refuse('several users have the external id');
    if (person !== undefined && !isWelcome(person.status)) return refuse(`the user is ${person.status}`);
    return becomeActor(role, named.organisationId, person?.id ?? null, proof);
  };
}

const discovery = z.object({ issuer: z.string(), jwks_uri: z.string() });

/** Where a provider says that its public keys are. */
async function discover(issuer: string): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(answerMilliseconds) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  const document = discovery.parse(await response.json());
  if (document.issuer !== issuer) throw new Error(`${url} is of the issuer ${document.issuer}`);
  if (!isSafeUrl(document.jwks_uri)) throw new Error(`${url} names keys at a URL that is not https`);
  return document.jwks_uri;
}
