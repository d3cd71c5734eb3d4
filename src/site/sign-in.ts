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
  /**
   * Gives the browser its cookie, which ends with what was shown at the latest. Refuses what fits into none.
   * @param isSecure whether the browser came over TLS
   */
  begin(
    response: ServerResponse,
    shown: { readonly authorization: string; readonly actor: Actor; readonly isSecure: boolean },
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
/** A neighbour of the domain can make a browser have one of the plain name, and none of the other. */
const [secureName, plainName] = ['__Host-seatkeeper', 'seatkeeper'] as const;
const terms = { sameSite: 'Strict' } as const;

/** @param secret whoever knows it can make cookies; the same on every server of a database */
export function createSignIns(secret: string, clock: Clock): SignIns {
  const seal = createSeal(secret, 'seatkeeper sign-in 1');

  return {
    begin: (response, { authorization, actor, isSecure }) => {
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
      response.appendHeader(
        'set-cookie',
        headerOf({ name: isSecure ? secureName : plainName, value, seconds, ...terms }),
      );
      return null;
    },
    end: (response) => {
      for (const name of [secureName, plainName])
        response.appendHeader('set-cookie', headerOf({ name, value: '', seconds: 0, ...terms }));
    },
    open: (request) => {
      const names = namesFor(request);
      const value = names === null ? null : cookieOf(request, names);
      if (value === null) return null;
      const [, milliseconds, authorization] = /^(\d+) (.+)$/.exec(seal.open(value) ?? '') ?? [];
      if (authorization === undefined) return null;
      const expiresAt = new Date(Number(milliseconds));
      return expiresAt > clock.now() ? { authorization, expiresAt } : null;
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
