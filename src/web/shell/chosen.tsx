import type { ReactNode } from 'react';
import { words } from '../words.ts';
import { useChoices } from './address.ts';
import { useAnswer } from './answer.ts';
import { useShell } from './context.ts';
import { OrganisationsDocument } from './documents.ts';
import { Failure } from './failure.tsx';
import { toTree } from './tree.ts';

/** Shows what is asked of one organisation: the address’, one’s own, or the first of the tree. */
export function ForOrganisation({ children }: { readonly children: (organisationId: string) => ReactNode }) {
  const { signedIn } = useShell();
  const [choices] = useChoices();
  const chosen = choices.get('organisation') ?? signedIn.organisationId;
  const answer = useAnswer({
    query: OrganisationsDocument,
    variables: { search: null },
    pause: chosen !== null,
  });
  const [first] = toTree(answer.data?.organisations?.edges.map(({ node }) => node) ?? []);
  const id = chosen ?? first?.organisation.id;
  if (id !== undefined) return children(id);
  if (answer.problem !== null) {
    return (
      <div className="notice">
        <Failure of={answer} say={words.organisation.failed} role="alert" />
      </div>
    );
  }
  const { loading } = words.shell;
  return <p className="notice">{answer.data === undefined ? loading : words.organisation.nobody}</p>;
}
