import {
  Combobox,
  ComboboxItem,
  ComboboxLabel,
  ComboboxPopover,
  ComboboxProvider,
} from '@ariakit/react/combobox';
import { useDeferredValue, useState } from 'react';
import { useQuery } from 'urql';
import { words } from '../words.ts';
import { OrganisationsDocument, type OrganisationsQuery } from './documents.ts';

type Organisation = NonNullable<OrganisationsQuery['organisations']>['edges'][number]['node'];

interface Branch {
  readonly organisation: Organisation;
  readonly depth: number;
}

/** Which organisation is shown: of the tree, or found by name. */
export function Picker({
  name,
  onPick,
}: {
  /** Of the one that is shown. */
  readonly name: string;
  readonly onPick: (organisationId: string) => void;
}) {
  const [typed, setTyped] = useState<string | null>(null);
  const search = useDeferredValue(typed?.trim() === '' ? null : typed);
  const [{ data, fetching }] = useQuery({
    query: OrganisationsDocument,
    variables: { search },
  });
  const found = data?.organisations;
  const branches = toTree(found?.edges.map(({ node }) => node) ?? []);
  return (
    <ComboboxProvider
      resetValueOnHide
      value={typed ?? name}
      setValue={(value) => setTyped(value === name ? null : value)}
      setOpen={(open) => {
        if (!open) setTyped(null);
      }}
    >
      <ComboboxLabel className="unseen">{words.organisation.label}</ComboboxLabel>
      <Combobox
        className="picker"
        type="search"
        placeholder={words.organisation.search}
        showOnClick
        onFocus={({ target }) => target.select()}
      />
      <ComboboxPopover gutter={4} sameWidth={false} portal className="popover">
        {branches.map(({ organisation, depth }) => (
          <ComboboxItem
            key={organisation.id}
            value={organisation.id}
            setValueOnClick={false}
            className="item"
            style={{ paddingInlineStart: `${0.75 + depth}rem` }}
            onClick={() => onPick(organisation.id)}
          >
            {organisation.name}
            {search !== null && organisation.parent !== null && (
              <span className="quiet"> · {organisation.parent.name}</span>
            )}
          </ComboboxItem>
        ))}
        {branches.length === 0 && !fetching && <p className="quiet item">{words.organisation.none}</p>}
        {found?.pageInfo.hasNextPage === true && <p className="quiet item">{words.organisation.more}</p>}
      </ComboboxPopover>
    </ComboboxProvider>
  );
}

/** Each below the one that it is a customer of, where that was found too. */
export function toTree(organisations: readonly Organisation[]): readonly Branch[] {
  const ids = new Set(organisations.map(({ id }) => id));
  const below = Map.groupBy(organisations, ({ parent }) =>
    parent !== null && ids.has(parent.id) ? parent.id : null,
  );
  const walk = (id: string | null, depth: number): Branch[] =>
    (below.get(id) ?? []).flatMap((organisation) => [
      { organisation, depth },
      ...walk(organisation.id, depth + 1),
    ]);
  return walk(null, 0);
}
