import { useSyncExternalStore } from 'react';

/** What a page shows is chosen by its address, so that a link leads to just that. */
export type Choices = Readonly<Record<string, string | null>>;

const listeners = new Set<() => void>();

function subscribe(onChange: () => void): () => void {
  listeners.add(onChange);
  addEventListener('popstate', onChange);
  return () => {
    listeners.delete(onChange);
    removeEventListener('popstate', onChange);
  };
}

/** The address' search, read and written: `null` takes a choice away. Going back undoes what was `pushed`. */
export function useChoices(): readonly [
  URLSearchParams,
  (changes: Choices, how?: 'push' | 'replace') => void,
] {
  const search = useSyncExternalStore(subscribe, () => location.search);
  return [new URLSearchParams(search), choose];
}

function choose(changes: Choices, how: 'push' | 'replace' = 'replace'): void {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  if (url.href === location.href) return;
  if (how === 'push') history.pushState(null, '', url);
  else history.replaceState(null, '', url);
  for (const listener of listeners) listener();
}
