import { useEffect } from 'react';
import { words } from '../words.ts';

/** What the browser's tab is called: of several, each tells what it shows. */
export function useTitle(page: string, organisation: string | undefined): void {
  useEffect(() => {
    document.title = words.shell.title(organisation, page);
  }, [page, organisation]);
}
