import type { IncomingMessage, ServerResponse } from 'node:http';
import { access, grantOf, isPlace } from '../kernel/access.ts';
import type { Actor } from '../kernel/actor.ts';
import { type Clock, plusSeconds } from '../kernel/clock.ts';
import { encodeOrganisationId, encodeOwnedId } from '../kernel/ids.ts';
import type { SignIn } from '../kernel/proof.ts';
import { invalidInput, type Refusal } from '../kernel/refusal.ts';
import { senderOf } from '../kernel/sender.ts';
import { cookieOf, headerOf } from './cookies.ts';
import { createSeal } from './seal.ts';

/**
 * Signs browsers in: what somebody showed once comes back as a cookie that no script can read. The cookie holds the
 * credential itself, sealed by the server: nothing of it is kept here, any server with the same secret knows it, and
 * whatever ends the credential ends the cookie within the same seconds.
 */
export interface SignIns {
  /** Gives the browser its cookie, which ends with what was shown at the latest. Refuses what fits into none. */
  begin(response: ServerResponse, shown: Shown): Refusal | null;
  /** Takes the cookie back from the browser, but for a screen’s. */
  end(response: ServerResponse): void;
  /** What the cookie of a request stands for; null where there is none, and where another origin’s page had it sent. */
  open(request: IncomingMessage): SignIn | null;
}

interface Shown {
  readonly authorization: string;
  readonly actor: Actor;
  /** Whether the browser came over TLS. */
  readonly isSecure: boolean;
  /** Whether it was shown at a screen’s page. */
  readonly isScreen: boolean;
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
/** A neighbour of the domain can make a browser have one of the plain name, and none of the other. */
const names = ['__Host-seatkeeper', 'seatkeeper'] as const;
const [secureName, plainName] = names;
const terms = { sameSite: 'Strict' } as const;

/** Where the page for screens is. */
export const screenPath = '/wallboard';
/** A screen’s, which counts on its page alone: who signs in beside it, and out, leaves the wall as it is. */
const screenNameOf = (name: string) => `${name}-screen`;

/** Whether a screen’s page asks: it says so by a header, and where a WebSocket can have none by its address. */
export function isOfScreen({ url = '', headers }: IncomingMessage): boolean {
  return (
    headers['x-requested-with'] === 'seatkeeper-screen' ||
    (headers.upgrade !== undefined && url.endsWith('?screen'))
  );
}

/** @param secret whoever knows it can make cookies; the same on every server of a database */
export function createSignIns(secret: string, clock: Clock): SignIns {
  const seal = createSeal(secret, 'seatkeeper sign-in 1');

  function read(request: IncomingMessage, called: readonly string[]): SignIn | null {
    const value = cookieOf(request, called);
    const [, milliseconds, authorization] =
      value === null ? [] : (/^(\d+) (.+)$/.exec(seal.open(value) ?? '') ?? []);
    if (authorization === undefined) return null;
    const expiresAt = new Date(Number(milliseconds));
    return expiresAt > clock.now() ? { authorization, expiresAt } : null;
  }

  function forget(response: ServerResponse, called: readonly string[]): void {
    for (const name of called)
      response.appendHeader('set-cookie', headerOf({ name, value: '', seconds: 0, ...terms }));
  }

  return {
    begin: (response, { authorization, actor, isSecure, isScreen }) => {
      const now = clock.now();
      const left = Math.floor(((actor.expiresAt?.getTime() ?? Infinity) - now.getTime()) / 1000);
      const seconds = Math.min(actor.role === 'WALLBOARD' ? screenSeconds : personSeconds, left);
      const value = seal.close(`${plusSeconds(now, seconds).getTime()} ${authorization}`);
      if (value.length > maxLength) {
        return invalidInput(
          'authorization',
          'This access token is too long for a cookie; sign in with a key.',
        );
      }
      const own = isSecure ? secureName : plainName;
      const isOfWall = isScreen && actor.role === 'WALLBOARD';
      const name = isOfWall ? screenNameOf(own) : own;
      response.appendHeader('set-cookie', headerOf({ name, value, seconds, ...terms }));
      // Who signs in as somebody on the screen’s page itself is shown there.
      if (isScreen && !isOfWall) forget(response, names.map(screenNameOf));
      return null;
    },
    end: (response) => forget(response, names),
    open: (request) => {
      const counting = namesFor(request);
      if (counting === null) return null;
      const ofScreen = isOfScreen(request) ? read(request, counting.map(screenNameOf)) : null;
      return ofScreen ?? read(request, counting);
    },
  };
}

/**
 * The names by which a cookie counts; null: by none, as it was no page of this origin that had the browser send it, nor the
 * person. `SameSite` alone lets in every port and every neighbour of the domain. What comes over TLS has the name that goes
 * by TLS alone.
 */
function namesFor(request: IncomingMessage): readonly string[] | null {
  const { method, headers } = request;
  const { who, isSecure } = senderOf(request);
  const isMereRead = (method === 'GET' || method === 'HEAD') && headers.upgrade === undefined;
  if (who === 'OTHER_PAGE' || (who === 'NOBODY' && !isMereRead)) return null;
  return isSecure === null ? [secureName, plainName] : [isSecure ? secureName : plainName];
}
