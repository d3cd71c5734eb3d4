import { words } from '../words.ts';
import { useShell } from './context.ts';

/** That a page is not for whoever is signed in, and what they may do instead. */
export function MayNot({ why }: { readonly why: string }) {
  const { userId } = useShell().signedIn;
  return (
    <div className="notice">
      <p>{why}</p>
      {userId !== null && (
        <p>
          {words.shell.ownKeys} <a href="/keys">{words.pages.keys}</a>
        </p>
      )}
    </div>
  );
}
