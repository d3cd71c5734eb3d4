import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, importJWK, type JWK, type JWTHeaderParameters, SignJWT } from 'jose';
import type { OpenId } from '../../src/access/tokens.ts';
import { freePort } from './port.ts';

export const audience = 'https://seatkeeper.test';

export interface OpenIdProvider {
  readonly issuer: string;
  /** As a server is configured for it. */
  readonly openId: OpenId;
  /** The key that it signs with. */
  readonly key: JWK;
  /** From the provider itself. @param seconds for how long */
  token(claims: object, seconds?: number, resource?: string): Promise<string>;
  /** It signs with a new key from now on, and publishes the old one as well. */
  rotate(): Promise<void>;
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** A key pair as JWK. */
export async function newKey(kid: string, alg = 'RS256'): Promise<JWK> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return { ...(await exportJWK(privateKey)), kid, alg, use: 'sig' };
}

/** A token that somebody made themselves, with what a good one has but for what is given. */
export async function forge(
  { issuer }: Pick<OpenIdProvider, 'issuer'>,
  signer: JWK,
  claims: object,
  header: Partial<JWTHeaderParameters> = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const all = { iss: issuer, aud: audience, sub: 'tests', iat: now, exp: now + 60, ...claims };
  const given = { alg: signer.alg ?? 'RS256', typ: 'at+jwt', kid: signer.kid, ...header };
  return new SignJWT(all)
    .setProtectedHeader(given as JWTHeaderParameters)
    .sign(await importJWK(signer, given.alg));
}

/**
 * A provider of the caller's own.
 * @param redirectUrl where it sends browsers back to, of its clients `pages` and `confidential-pages`
 */
export async function startOpenIdProvider(
  alg = 'RS256',
  redirectUrl = 'http://127.0.0.1:1/sign-in/openid/callback',
): Promise<OpenIdProvider> {
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  let keys = [await newKey('first', alg)];
  let child: ChildProcess | null = null;

  const provider: OpenIdProvider = {
    issuer,
    openId: {
      issuer,
      audience,
      jwksUrl: null,
      algorithms: [alg],
      clockToleranceSeconds: 0,
      roleClaim: 'role',
      organisationClaim: 'organisation',
      userClaim: 'user',
      scopesClaim: null,
      operatorRole: null,
      multiFactorValues: ['mfa', 'hwk'],
    },
    get key() {
      const [key] = keys;
      if (key === undefined) throw new Error('A provider without a key');
      return key;
    },
    token: async (claims, seconds = 60, resource = audience) => {
      const response = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${Buffer.from('tests:secret-of-the-tests').toString('base64')}`,
          'x-claims': JSON.stringify(claims),
          'x-seconds': String(seconds),
        },
        body: new URLSearchParams({ grant_type: 'client_credentials', resource }),
      });
      const answer = (await response.json()) as { readonly access_token?: string };
      if (answer.access_token === undefined) throw new Error(`No token: ${JSON.stringify(answer)}`);
      return answer.access_token;
    },
    rotate: async () => {
      keys = [await newKey(`rotated-${keys.length}`, alg), ...keys];
      await provider.stop();
      await provider.start();
    },
    stop: async () => {
      if (child === null) return;
      const gone = once(child, 'close');
      child.kill('SIGKILL');
      child = null;
      await gone;
    },
    start: async () => {
      const file = join(import.meta.dirname, 'openid-provider.ts');
      child = spawn(process.execPath, [file, JSON.stringify({ port, keys, redirectUrl })], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      if (child.stdout === null) throw new Error('A provider without output');
      for await (const text of child.stdout.iterator({ destroyOnReturn: false }))
        if (String(text).includes('ready')) return;
      throw new Error('The provider did not start');
    },
  };
  await provider.start();
  return provider;
}
