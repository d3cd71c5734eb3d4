import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { access, grantOf, isPlace } from '../kernel/access.ts';
import type { Actor } from '../kernel/actor.ts';
import { type Clock, plusSeconds } from '../kernel/clock.ts';
import { encodeOrganisationId, encodeOwnedId } from '../kernel/ids.ts';
import type { SignIn } from '../kernel/proof.ts';
import { invalidInput, type Refusal } from '../kernel/refusal.ts';

/**
 * Signs browsers in: what somebody showed once comes back as a cookie that no script can read. The cookie holds the
 * credential itself, sealed by the server: nothing of it is kept here, any server with the same secret knows it, and
 * whatever ends the credential ends the cookie within the same seconds.
 */
export interface SignIns {
  /** Gives the browser its cookie. Refuses what fits into none. */
  begin(
    request: IncomingMessage,
    response: ServerResponse,
    authorization: string,
    actor: Actor,
  ): Refusal | null;
  /** Takes the cookie back from the browser. */
  end(response: ServerResponse): void;
  /** What the cookie of a request stands for; null where there is none, and where another origin’s page had it sent. */
  open(request: IncomingMessage): SignIn | null;
}

/** Who is signed in, as pages are told: `may` are the places of src/kernel/access.ts where they may anything. */
export interface SignedIn {
  readonly role: Actor['role'];
  readonly organisationId: string | null;
  readonly userId: string | null;
  readonly may: readonly string[];
}

export function describe(actor: Actor): SignedIn {
  const { role, organisationId, userId } = actor;
  return {
    role,
    organisationId: organisationId === null ? null : encodeOrganisationId(organisationId),
    userId: userId === null ? null : encodeOwnedId('User', organisationId, userId),
    may: Object.keys(access).filter((place) => isPlace(place) && grantOf(actor, place) === 'ANY'),
  };
}

/** A working day. */
const personSeconds = 12 * 3600;
/** A screen on a wall is signed in once; browsers keep no cookie for longer. */
const screenSeconds = 400 * 86_400;
/** Browsers keep no larger one. */
const maxLength = 4000;
const names = ['__Host-seatkeeper', 'seatkeeper'] as const;
const attributes = 'Path=/; HttpOnly; SameSite=Strict';
const [algorithm, ivBytes, tagBytes] = ['aes-256-gcm', 12, 16] as const;

/** @param secret whoever knows it can make cookies; the same on every server of a database */
export function createSignIns(secret: string, clock: Clock): SignIns {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'seatkeeper sign-in 1', 32));

  function seal(text: string): string {
    const iv = randomBytes(ivBytes);
    const cipher = createCipheriv(algorithm, key, iv);
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url');
  }

  function unseal(value: string): string | null {
    const bytes = Buffer.from(value, 'base64url');
    if (bytes.length <= ivBytes + tagBytes) return null;
    const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, ivBytes), {
      authTagLength: tagBytes,
    });
    decipher.setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes));
    try {
      const opened = [decipher.update(bytes.subarray(ivBytes + tagBytes)), decipher.final()];
      return Buffer.concat(opened).toString('utf8');
    } catch {
      return null;
    }
  }

  return {
    begin: ({ headers: { origin } }, response, authorization, { role }) => {
      const seconds = role === 'WALLBOARD' ? screenSeconds : personSeconds;
      const value = seal(`${plusSeconds(clock.now(), seconds).getTime()} ${authorization}`);
      if (value.length > maxLength) {
        return invalidInput(
          'authorization',
          'This access token is too long for a cookie; sign in with a key.',
        );
      }
      // The proxy that ends TLS is not to be believed without more ado; the browser is, about itself.
      const [name, secure] =
        origin?.startsWith('https://') === true ? [names[0], '; Secure'] : [names[1], ''];
      response.appendHeader('set-cookie', `${name}=${value}; Max-Age=${seconds}; ${attributes}${secure}`);
      return null;
    },
    end: (response) => {
      response.appendHeader('set-cookie', `${names[0]}=; Max-Age=0; ${attributes}; Secure`);
      response.appendHeader('set-cookie', `${names[1]}=; Max-Age=0; ${attributes}`);
    },
    open: (request) => {
      const value = cookieOf(request);
      if (value === null || !isOfOwnPage(request)) return null;
      const [, milliseconds, authorization] = /^(\d+) (.+)$/.exec(unseal(value) ?? '') ?? [];
      if (authorization === undefined) return null;
      const expiresAt = new Date(Number(milliseconds));
      return expiresAt > clock.now() ? { authorization, expiresAt } : null;
    },
  };
}

function cookieOf({ headers: { cookie } }: IncomingMessage): string | null {
  if (cookie === undefined) return null;
  const given = new Map(
    cookie.split(';').map((pair) => {
      const [name = '', value = ''] = pair.split('=', 2);
      return [name.trim(), value.trim()] as const;
    }),
  );
  return given.get(names[0]) ?? given.get(names[1]) ?? null;
}

/**
 * Whether it was a page of this origin that had the browser send it, or the person. `SameSite` alone lets in every port and
 * every neighbour of the domain.
 */
function isOfOwnPage({ method, headers }: IncomingMessage): boolean {
  const { origin, host, 'sec-fetch-site': site } = headers;
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false;
  if (origin !== undefined) return URL.canParse(origin) && new URL(origin).host === host;
  // Browsers name the origin of whatever is not read alone, and of every WebSocket.
  return site !== undefined || ((method === 'GET' || method === 'HEAD') && headers.upgrade === undefined);
}
