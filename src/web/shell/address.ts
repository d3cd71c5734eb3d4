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

/**
 * The address' search, read and written: `null` takes a choice away. Going back undoes what was `pushed`; so does `undo`, and where
 * a link has a choice, it takes it away.
 */
export function useChoices(): readonly [
  URLSearchParams,
  choose: (changes: Choices, how?: 'push' | 'replace') => void,
  undo: (name: string) => void,
] {
  const search = useSyncExternalStore(subscribe, () => location.search);
  return [new URLSearchParams(search), choose, undo];
}

function choose(changes: Choices, how: 'push' | 'replace' = 'replace'): void {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  if (url.href === location.href) return;
  if (how === 'push') history.pushState(Object.keys(changes), '', url);
  else history.replaceState(history.state, '', url);
  for (const listener of listeners) listener();
}

/** Goes back, where that is all that it does: another step in its place would be one that leads nowhere. */
function undo(name: string): void {
  const pushed: unknown = history.state;
  if (Array.isArray(pushed) && pushed.length === 1 && pushed[0] === name) history.back();
  else choose({ [name]: null });
}
