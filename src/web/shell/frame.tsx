import type { ReactNode } from 'react';
import { words } from '../words.ts';
import { useLink, useShell } from './context.ts';
import { navigationOf } from './pages.ts';

/** What pages for people have about them: where one is, where one can go, and who one is. */
export function Frame({ children }: { readonly children: ReactNode }) {
  const { signedIn, signOut } = useShell();
  const { isSlow } = useLink();
  return (
    <>
      <a className="skip" href="#content">
        {words.shell.skip}
      </a>
      <header className="bar">
        <span className="brand">{words.product}</span>
        <nav aria-label={words.shell.navigation}>
          {navigationOf(signedIn).map(({ path, title }) => (
            <a key={path} href={path} aria-current={path === location.pathname ? 'page' : undefined}>
              {title}
            </a>
          ))}
        </nav>
        <span role="status" className="slow">
          {isSlow && words.link.slow}
        </span>
        <span className="quiet who">{words.shell.signedInAs(signedIn.role)}</span>
        <button type="button" className="plain" onClick={signOut}>
          {words.shell.signOut}
        </button>
      </header>
      <main id="content" tabIndex={-1}>
        {children}
      </main>
    </>
  );
}
