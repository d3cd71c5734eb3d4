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
  /** The server could not be asked, or could not say: it may be asked again. */
  readonly isAway?: true;
}

/** By which the server knows that no other page had the browser send a request. */
export const ownPage = { 'x-requested-with': 'seatkeeper' } as const;

/** Takes the key out of the link that led here, and out of the address, the history and whatever is copied from it. */
export function takeKey(): string | null {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const key = fragment.get('key');
  if (key !== null) {
    fragment.delete('key');
    const rest = fragment.toString();
    history.replaceState(null, '', location.pathname + location.search + (rest === '' ? '' : `#${rest}`));
  }
  return key;
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
    if (response.status === 429 || response.status >= 500)
      return { reason: words.link.unreachable, isAway: true };
    if (response.status === 401) return { reason: words.signIn.wrong };
    const { errors } = (await response.json()) as {
      readonly errors: readonly { readonly message: string }[];
    };
    return { reason: errors[0]?.message ?? words.link.unreachable };
  } catch {
    return { reason: words.link.unreachable, isAway: true };
  }
}
