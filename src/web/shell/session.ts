import { words } from '../words.ts';

/** Who is signed in, as the server tells: `may` are the places of its access table where they may anything. */
export interface SignedIn {
  readonly role: 'OPERATOR' | 'PARTNER' | 'ADMINISTRATOR' | 'SUPERVISOR' | 'WALLBOARD' | 'AGENT';
  /** Whose; null: an operator's, of all organisations. */
  readonly organisationId: string | null;
  readonly userId: string | null;
  readonly may: readonly string[];
}

/** Whether they see the same, and may the same. */
export function isSame(one: SignedIn | null, other: SignedIn | null): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Why nobody is signed in, in words. */
export interface NotSignedIn {
  readonly reason: string | null;
  /** Where people sign in at their organisation’s provider; null: they cannot. */
  readonly openIdUrl: string | null;
  /** The server could not be asked, or could not say: it may be asked again. */
  readonly isAway?: true;
}

/** A link that would have somebody who is signed in become somebody else. */
export interface Asked {
  readonly present: SignedIn;
  readonly wouldBe: SignedIn;
  readonly authorization: string;
}

/** What a page begins with. */
export type Entered = SignedIn | NotSignedIn | Asked;

/** A screen has a cookie of its own, which counts on its page alone: who signs in beside it leaves it as it is. */
const isScreen = location.pathname === '/wallboard';

/** By which the server knows that no other page had the browser send a request, and whose cookie counts. */
export const ownPage = { 'x-requested-with': isScreen ? 'seatkeeper-screen' : 'seatkeeper' } as const;
/** The same of a WebSocket, which can have no header. */
export const ownSearch = isScreen ? '?screen' : '';

/** What a link said in its fragment of signing in. */
export interface FromLink {
  /** A key, or the code that a server prints, which is good once; null: neither. */
  readonly authorization: string | null;
  /** Why the provider, which sent the browser back here, signed nobody in; null: nothing of the kind. */
  readonly problem: string | null;
}

/** Takes it out of the link that led here, and out of the address, the history and whatever is copied from it. */
export function takeFromLink(): FromLink {
  const parts = location.hash.slice(1).split('&');
  const rest = parts.filter((part) => !/^(key|code|sign-in)=/.test(part));
  if (rest.length < parts.length) {
    const fragment = rest.length === 0 ? '' : `#${rest.join('&')}`;
    history.replaceState(null, '', location.pathname + location.search + fragment);
  }
  const taken = new URLSearchParams(parts.filter((part) => !rest.includes(part)).join('&'));
  const [key, code, problem] = ['key', 'code', 'sign-in'].map((name) => taken.get(name));
  const authorization = key == null ? (code == null ? null : `Code ${code}`) : `Bearer ${key}`;
  const { problems } = words.signIn;
  return {
    authorization,
    problem:
      problem == null
        ? null
        : ((Object.hasOwn(problems, problem) ? problems[problem] : problems['refused']) ?? null),
  };
}

/**
 * Who is signed in, now that a link led here. A code that was used, and a key that is worth nothing, leave whoever it is as
 * they are. Nobody becomes somebody else by following a link, which may be anybody's: they are asked; but a screen has nobody
 * to ask.
 */
export async function enter({ authorization, problem }: FromLink): Promise<Entered> {
  if (authorization?.startsWith('Bearer ') === true) {
    const present = await whoIsSignedIn();
    if ('reason' in present && present.isAway === true) return present;
    if (!('reason' in present) && present.role !== 'WALLBOARD') {
      const wouldBe = await ask('GET', { authorization });
      if ('reason' in wouldBe) return wouldBe.isAway === true ? wouldBe : present;
      if (!isSame(present, wouldBe)) return { present, wouldBe, authorization };
    }
    return ask('POST', { authorization });
  }
  const shown = authorization === null ? null : await ask('POST', { authorization });
  if (shown !== null && !('reason' in shown)) return shown;
  const found = await whoIsSignedIn();
  if (!('reason' in found)) return found;
  return shown ?? { ...found, reason: problem ?? found.reason };
}

/** Becomes who a link says, having been asked. */
export async function become({ authorization }: Asked): Promise<SignedIn | NotSignedIn> {
  return ask('POST', { authorization });
}

/** Exchanges a key, or an access token, for a cookie. */
export async function signIn(key: string): Promise<SignedIn | NotSignedIn> {
  return ask('POST', { authorization: `Bearer ${key}` });
}

/** Who the browser's cookie says is signed in. */
export async function whoIsSignedIn(): Promise<SignedIn | NotSignedIn> {
  return ask('GET', {});
}

/** Takes the browser's cookie back. */
export async function signOut(): Promise<NotSignedIn> {
  const answer = await ask('DELETE', {});
  return 'reason' in answer ? answer : { reason: null, openIdUrl: null };
}

const away: NotSignedIn = { reason: words.link.unreachable, openIdUrl: null, isAway: true };

async function ask(
  method: 'GET' | 'POST' | 'DELETE',
  headers: Readonly<Record<string, string>>,
): Promise<SignedIn | NotSignedIn> {
  try {
    const response = await fetch('/sign-in', { method, headers: { ...ownPage, ...headers } });
    const openIdUrl = response.headers.get('x-sign-in');
    if (response.ok) return ((await response.json()) as SignedIn | null) ?? { reason: null, openIdUrl };
    if (response.status === 401) {
      const isCode = headers['authorization']?.startsWith('Code ') === true;
      return { reason: isCode ? words.signIn.usedLink : words.signIn.wrong, openIdUrl };
    }
    if (response.status >= 500) return away;
    const { errors } = (await response.json()) as {
      readonly errors: readonly { readonly message: string }[];
    };
    const reason = errors[0]?.message ?? words.link.unreachable;
    return { reason, openIdUrl, ...(response.status === 429 && { isAway: true }) };
  } catch {
    return away;
  }
}
