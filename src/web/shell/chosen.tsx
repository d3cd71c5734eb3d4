import type { ReactNode } from 'react';
import { useQuery } from 'urql';
import { words } from '../words.ts';
import { useChoices } from './address.ts';
import { problemOf } from './client.ts';
import { useShell } from './context.ts';
import { OrganisationsDocument } from './documents.ts';
import { toTree } from './tree.ts';

/** Shows what is asked of one organisation: the address’, one’s own, or the first of the tree. */
export function ForOrganisation({ children }: { readonly children: (organisationId: string) => ReactNode }) {
  const { signedIn } = useShell();
  const [choices] = useChoices();
  const chosen = choices.get('organisation') ?? signedIn.organisationId;
  const [{ data, error }] = useQuery({
    query: OrganisationsDocument,
    variables: { search: null },
    pause: chosen !== null,
  });
  const [first] = toTree(data?.organisations?.edges.map(({ node }) => node) ?? []);
  const id = chosen ?? first?.organisation.id;
  if (id !== undefined) return children(id);
  const problem = problemOf(error);
  if (problem !== null) {
    return (
      <p role="alert" className="notice problem">
        {problem}
      </p>
    );
  }
  return <p className="notice">{data === undefined ? words.shell.loading : words.organisation.nobody}</p>;
}
