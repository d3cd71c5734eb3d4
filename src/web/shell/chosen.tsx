import type { ReactNode } from 'react';
import { useQuery } from 'urql';
import { words } from '../words.ts';
import { useChoices } from './address.ts';
import { useShell } from './context.ts';
import { OrganisationsDocument } from './documents.ts';
import { toTree } from './picker.tsx';

/** Shows what is asked of one organisation: the address’, one’s own, or the first of the tree. */
export function ForOrganisation({ children }: { readonly children: (organisationId: string) => ReactNode }) {
  const { signedIn } = useShell();
  const [choices] = useChoices();
  const chosen = choices.get('organisation') ?? signedIn.organisationId;
  return chosen === null ? <First>{children}</First> : children(chosen);
}

function First({ children }: { readonly children: (organisationId: string) => ReactNode }) {
  const [{ data }] = useQuery({ query: OrganisationsDocument, variables: { search: null } });
  const [first] = toTree(data?.organisations?.edges.map(({ node }) => node) ?? []);
  if (first !== undefined) return children(first.organisation.id);
  return <p className="notice">{data === undefined ? words.shell.loading : words.organisation.nobody}</p>;
}
