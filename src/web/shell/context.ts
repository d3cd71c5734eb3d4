import { createContext, use, useSyncExternalStore } from 'react';
import type { Api, Failures, Link, LinkState } from './client.ts';
import type { SignedIn } from './session.ts';

export interface Shell {
  readonly signedIn: SignedIn;
  readonly link: Link;
  readonly failures: Failures;
  readonly uncached: Api['uncached'];
  /** Takes the browser's cookie back, and asks for a key. */
  readonly signOut: () => void;
}

export const ShellContext = createContext<Shell | null>(null);

export function useShell(): Shell {
  const shell = use(ShellContext);
  if (shell === null) throw new Error('Outside of the shell');
  return shell;
}

/** Whether whoever is signed in may ask for a place of the server's access table, such as `Mutation.forceLogoff`. */
export function useMay(place: string): boolean {
  return useShell().signedIn.may.includes(place);
}

/** The connection that live figures come on, as it is. */
export function useLink(): LinkState {
  const { link } = useShell();
  return useSyncExternalStore(link.subscribe, link.state);
}
