import type { ComponentType } from 'react';
import { words } from '../words.ts';

/**
 * A page is a folder with a `page.tsx`, which exports `Page`. Its address is the folder's name; that of the first is `/`. In the
 * navigation are those that `words.pages` has a title for.
 */
const pages = import.meta.glob<{ readonly Page: ComponentType }>('../*/page.tsx');
const first = 'mapping';

/** What is at an address; null: nothing. */
export async function loadPage(pathname: string): Promise<ComponentType | null> {
  const load = pages[`../${pathname === '/' ? first : pathname.slice(1)}/page.tsx`];
  return load === undefined ? null : (await load()).Page;
}

export const navigation = Object.entries(words.pages).map(([name, title]) => ({
  title,
  path: name === first ? '/' : `/${name}`,
}));
