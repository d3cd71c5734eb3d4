import type { IncomingMessage, ServerResponse } from 'node:http';
import type * as openidClient from 'openid-client';
import { z } from 'zod';
import { type Clock, plusSeconds } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { cookieOf, headerOf } from './cookies.ts';
import { createSeal } from './seal.ts';

/** What the pages are to an OpenID provider: one of its clients. */
export interface OpenIdClient {
  readonly issuer: string;
  readonly clientId: string;
  /** null: a public client, by PKCE alone. */
  readonly clientSecret: string | null;
  readonly scope: string;
  /** Where the provider sends browsers back to, as it is registered there: `finishPath` of the pages’ own origin. */
  readonly redirectUrl: string;
  /** Of the access tokens that are wanted. */
  readonly audience: string;
  /** How the provider is told the audience; null: not at all, it knows by the client or the scope. */
  readonly audienceParameter: 'resource' | 'audience' | null;
}

/** Why nobody was signed in. The pages have the words. */
export type OpenIdProblem = 'refused' | 'expired' | 'unavailable' | 'unknown' | 'too-long';

/** Signs people in at an OpenID provider: by the code flow, with PKCE. */
export interface OpenIdSignIn {
  /** Where browsers begin, in full. */
  readonly startUrl: string;
  /** Whether browsers come by TLS. */
  readonly isSecure: boolean;
  /** Sends the browser to the provider; `return` of the address says to which page it comes back. */
  start(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /**
   * Takes what the provider sent the browser back with, once.
   * @returns the access token, or why there is none; and the page to go to, in full
   */
  finish(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<
    { readonly returnUrl: string } & (
      | { readonly token: string }
      | {
          readonly problem: OpenIdProblem;
          /** What the provider was asked about in vain; null: it was not asked, or did not say. */
          readonly wrongCode: string | null;
        }
    )
  >;
  /** Sends the browser to a page, which says what the problem was, where there was one. */
  leave(response: ServerResponse, returnUrl: string, problem: OpenIdProblem | null): void;
}

export const startPath = '/sign-in/openid';
export const finishPath = '/sign-in/openid/callback';

/** Somebody may have to find their telephone. */
const flowSeconds = 600;
const answerSeconds = 5;
/** What a provider says that may answer another time. */
const passing: ReadonlySet<string> = new Set(['server_error', 'temporarily_unavailable']);
/** Browsers keep no cookie of more than 4096 bytes: sealed, with the rest of what is kept, this is below. */
const maxReturnLength = 2500;

/** What a browser keeps while its person is at the provider. */
const flowSchema = z.object({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  returnUrl: z.string(),
  until: z.number(),
});

/** @param secret by which what browsers keep is sealed; the same on every server of a database */
export function createOpenIdSignIn({
  client,
  secret,
  clock,
  log,
}: {
  readonly client: OpenIdClient;
  readonly secret: string;
  readonly clock: Clock;
  readonly log: Log;
}): OpenIdSignIn {
  const { origin, protocol } = new URL(client.redirectUrl);
  const isSecure = protocol === 'https:';
  const seal = createSeal(secret, 'seatkeeper openid 1');
  // Lax: the provider’s page is what sends the browser back.
  const cookie = {
    name: isSecure ? '__Host-seatkeeper-openid' : 'seatkeeper-openid',
    sameSite: 'Lax',
  } as const;
  let finding: Promise<Provider> | null = null;

  /** Loaded, and asked what it says of itself, when the first person signs in. */
  function find(): Promise<Provider> {
    finding ??= discover(client).catch((error: unknown) => {
      finding = null;
      throw error;
    });
    return finding;
  }

  function leave(response: ServerResponse, returnUrl: string, problem: OpenIdProblem | null): void {
    const fragment = problem === null ? '' : `${returnUrl.includes('#') ? '&' : '#'}sign-in=${problem}`;
    send(response, `${returnUrl}${fragment}`);
  }

  return {
    startUrl: `${origin}${startPath}`,
    isSecure,
    leave,
    start: async (request, response) => {
      const returnUrl = localUrl(new URL(request.url ?? '', origin).searchParams.get('return'), origin);
      try {
        const { openid, configuration } = await find();
        const flow = {
          state: openid.randomState(),
          nonce: openid.randomNonce(),
          verifier: openid.randomPKCECodeVerifier(),
        };
        const url = openid.buildAuthorizationUrl(configuration, {
          redirect_uri: client.redirectUrl,
          scope: client.scope,
          state: flow.state,
          nonce: flow.nonce,
          code_challenge: await openid.calculatePKCECodeChallenge(flow.verifier),
          code_challenge_method: 'S256',
          ...audienceOf(client),
        });
        const until = plusSeconds(clock.now(), flowSeconds).getTime();
        const value = seal.close(JSON.stringify({ ...flow, returnUrl, until }));
        response.appendHeader('set-cookie', headerOf({ ...cookie, value, seconds: flowSeconds }));
        send(response, url.href);
      } catch (error) {
        log.warn({ err: error }, 'the OpenID provider does not answer');
        leave(response, returnUrl, 'unavailable');
      }
    },
    finish: async (request, response) => {
      const kept = cookieOf(request, [cookie.name]);
      const flow = readFlow(kept === null ? null : seal.open(kept));
      const current = new URL(client.redirectUrl);
      current.search = new URL(request.url ?? '', origin).search;
      const returnUrl = flow?.returnUrl ?? `${origin}/`;
      const isOther = flow !== null && flow.state !== current.searchParams.get('state');
      // What comes back is taken once, whatever it is; but another tab may wait for its own still.
      if (!isOther) response.appendHeader('set-cookie', headerOf({ ...cookie, value: '', seconds: 0 }));
      if (flow === null || isOther || flow.until <= clock.now().getTime()) {
        log.info({}, 'somebody came back from the OpenID provider who was not sent there, or too late');
        return { returnUrl, problem: 'expired', wrongCode: null };
      }
      let provider: Provider;
      try {
        provider = await find();
      } catch (error) {
        log.warn({ err: error }, 'the OpenID provider does not answer');
        return { returnUrl, problem: 'unavailable', wrongCode: null };
      }
      const { openid, configuration } = provider;
      try {
        const checks = {
          expectedState: flow.state,
          expectedNonce: flow.nonce,
          pkceCodeVerifier: flow.verifier,
          idTokenExpected: true,
        };
        const answer = await openid.authorizationCodeGrant(
          configuration,
          current,
          checks,
          audienceOf(client),
        );
        return { returnUrl, token: answer.access_token };
      } catch (error) {
        log.warn({ err: error }, 'the OpenID provider signed nobody in');
        const isAnswer =
          error instanceof openid.AuthorizationResponseError || error instanceof openid.ResponseBodyError;
        const said = isAnswer
          ? error.error
          : error instanceof openid.WWWAuthenticateChallengeError
            ? ''
            : null;
        // A code that was used, waited for too long, or was made up.
        const isWrong = said === 'invalid_grant';
        return {
          returnUrl,
          problem: isWrong ? 'expired' : said === null || passing.has(said) ? 'unavailable' : 'refused',
          wrongCode: isWrong ? current.searchParams.get('code') : null,
        };
      }
    },
  };
}

/** A provider, and what speaks to it. */
interface Provider {
  readonly openid: typeof openidClient;
  readonly configuration: openidClient.Configuration;
}

async function discover({ issuer, clientId, clientSecret }: OpenIdClient): Promise<Provider> {
  const openid = await import('openid-client');
  const isPlain = issuer.startsWith('http:'); // On this machine alone, by the configuration.
  const configuration = await openid.discovery(
    new URL(issuer),
    clientId,
    clientSecret ?? undefined,
    clientSecret === null ? openid.None() : undefined,
    { timeout: answerSeconds, execute: isPlain ? [openid.allowInsecureRequests] : [] },
  );
  return { openid, configuration };
}

function audienceOf({ audience, audienceParameter }: OpenIdClient): Record<string, string> {
  return audienceParameter === null ? {} : { [audienceParameter]: audience };
}

function readFlow(text: string | null) {
  return text === null ? null : flowSchema.parse(JSON.parse(text));
}

/** A page of this origin: nobody is sent elsewhere by a link that begins here. */
function localUrl(path: string | null, origin: string): string {
  const url = path?.startsWith('/') === true && URL.canParse(path, origin) ? new URL(path, origin) : null;
  if (url?.origin !== origin) return `${origin}/`;
  const page = `${origin}${url.pathname}`;
  const pages = [`${page}${url.search}${url.hash}`, `${page}${url.search}`, page];
  return pages.find(({ length }) => length <= maxReturnLength) ?? `${origin}/`;
}

function send(response: ServerResponse, location: string): void {
  response.writeHead(302, { location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' }).end();
}
