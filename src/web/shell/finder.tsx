import {
  Combobox,
  ComboboxItem,
  ComboboxLabel,
  ComboboxPopover,
  ComboboxProvider,
} from '@ariakit/react/combobox';
import { useDeferredValue } from 'react';
import { words } from '../words.ts';
import { useAnswer } from './answer.ts';
import { OrganisationsDocument } from './documents.ts';
import { toTree } from './tree.ts';

/** Finds an organisation, in the tree or by name. */
export function Finder({
  name,
  typed,
  onType,
  onPick,
  isFocused,
}: {
  /** Of the one that is shown. */
  readonly name: string;
  /** What is looked for; null: nothing yet. */
  readonly typed: string | null;
  readonly onType: (typed: string | null) => void;
  readonly onPick: (organisationId: string) => void;
  /** Whether it takes the place of what has the focus, and shows what there is at once. */
  readonly isFocused: boolean;
}) {
  const search = useDeferredValue(typed?.trim() === '' ? null : typed);
  const { data, problem, isFetching } = useAnswer({
    query: OrganisationsDocument,
    variables: { search },
  });
  const found = data?.organisations;
  const branches = toTree(found?.edges.map(({ node }) => node) ?? []);
  return (
    <ComboboxProvider
      resetValueOnHide
      defaultOpen={isFocused}
      value={typed ?? name}
      setValue={(value) => onType(value === name ? null : value)}
      setOpen={(open) => {
        if (!open) onType(null);
      }}
    >
      <ComboboxLabel className="unseen">{words.organisation.label}</ComboboxLabel>
      <Combobox
        className="picker"
        type="search"
        placeholder={words.organisation.search}
        showOnClick
        autoFocus={isFocused}
        onFocus={({ target }) => {
          if (typed === null) target.select();
        }}
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
        {problem !== null && <p className="problem item">{words.organisation.failed(problem)}</p>}
        {branches.length === 0 && problem === null && !isFetching && (
          <p className="quiet item">{words.organisation.none}</p>
        )}
        {found?.pageInfo.hasNextPage === true && <p className="quiet item">{words.organisation.more}</p>}
      </ComboboxPopover>
    </ComboboxProvider>
  );
}
