import type { ComponentType } from 'react';
import { words } from '../words.ts';
import type { SignedIn } from './session.ts';

/**
 * A page is a folder with a `page.tsx`, which exports `Page`. Its address is the folder's name; that of the first is `/`. In the
 * navigation are those that `words.pages` has a title for, for those to whom it is of use.
 */
const pages = import.meta.glob<{ readonly Page: ComponentType }>('../*/page.tsx');
const first = 'mapping';

/** What is at an address; null: nothing. */
export async function loadPage(pathname: string): Promise<ComponentType | null> {
  const load = pages[`../${pathname === '/' ? first : pathname.slice(1)}/page.tsx`];
  return load === undefined ? null : (await load()).Page;
}

type Name = keyof typeof words.pages;

/** To whom a page is of use: who may see what it shows. Everybody who is a user has security keys of their own. */
const isOfUse: Readonly<Record<Name, (signedIn: SignedIn) => boolean>> = {
  mapping: ({ may }) => may.includes('Organisation.licenceMapping'),
  usage: ({ may }) => may.includes('Organisation.usageHistory'),
  wallboard: ({ may }) => may.includes('Subscription.usageChanged'),
  keys: ({ may, userId }) =>
    may.includes('Organisation.apiKeys') || may.includes('User.securityKeys') || userId !== null,
};

/** The pages that are of use to somebody. */
export function navigationOf(
  signedIn: SignedIn,
): readonly { readonly path: string; readonly title: string }[] {
  return (Object.keys(words.pages) as Name[])
    .filter((name) => isOfUse[name](signedIn))
    .map((name) => ({ path: name === first ? '/' : `/${name}`, title: words.pages[name] }));
}
