import { words } from '../words.ts';

/** Who is signed in, as the server tells: `may` are the places of its access table where they may anything. */
export interface SignedIn {
  readonly role: 'OPERATOR' | 'PARTNER' | 'ADMINISTRATOR' | 'SUPERVISOR' | 'WALLBOARD' | 'AGENT';
  /** Whose; null: an operator's, of all organisations. */
  readonly organisationId: string | null;
  readonly userId: string | null;
  readonly may: readonly string[];
}

/** Why nobody is signed in, in words. */
export interface NotSignedIn {
  readonly reason: string | null;
}

/** By which the server knows that no other page had the browser send a request. */
export const ownPage = { 'x-requested-with': 'seatkeeper' } as const;

/**
 * Takes what signs in out of the link that led here, and out of the address, the history and whatever is copied from it: a
 * key, or the code that a server prints, which is good once.
 * @returns as an `authorization`; null: the link has none
 */
export function takeFromLink(): string | null {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const [key, code] = ['key', 'code'].map((name) => fragment.get(name));
  if (key == null && code == null) return null;
  fragment.delete('key');
  fragment.delete('code');
  const rest = fragment.toString();
  history.replaceState(null, '', location.pathname + location.search + (rest === '' ? '' : `#${rest}`));
  return key == null ? `Code ${code ?? ''}` : `Bearer ${key}`;
}

/** Signs in by what a link had. One that was used leaves whoever it signed in as they are. */
export async function signInByLink(authorization: string): Promise<SignedIn | NotSignedIn> {
  const answer = await ask('POST', { authorization });
  if (!('reason' in answer) || !authorization.startsWith('Code ')) return answer;
  const found = await whoIsSignedIn();
  return 'reason' in found ? answer : found;
}

/** Exchanges a key, or an access token, for a cookie. */
export async function signIn(key: string): Promise<SignedIn | NotSignedIn> {
  return ask('POST', { authorization: `Bearer ${key}` });
}

/** Who the browser's cookie says is signed in. */
export async function whoIsSignedIn(): Promise<SignedIn | NotSignedIn> {
  return ask('GET', {});
}

export async function signOut(): Promise<void> {
  await ask('DELETE', {});
}

async function ask(
  method: 'GET' | 'POST' | 'DELETE',
  headers: Readonly<Record<string, string>>,
): Promise<SignedIn | NotSignedIn> {
  try {
    const response = await fetch('/sign-in', { method, headers: { ...ownPage, ...headers } });
    if (response.ok) return ((await response.json()) as SignedIn | null) ?? { reason: null };
    if (response.status === 401) {
      const isCode = headers['authorization']?.startsWith('Code ') === true;
      return { reason: isCode ? words.signIn.usedLink : words.signIn.wrong };
    }
    const { errors } = (await response.json()) as {
      readonly errors: readonly { readonly message: string }[];
    };
    return { reason: errors[0]?.message ?? words.link.unreachable };
  } catch {
    return { reason: words.link.unreachable };
  }
}
