import {
  Combobox,
  ComboboxItem,
  ComboboxLabel,
  ComboboxPopover,
  ComboboxProvider,
} from '@ariakit/react/combobox';
import { useDeferredValue, useEffect, useRef, useState } from 'react';
import { words } from '../words.ts';
import { useChoices } from './address.ts';
import { useAnswer } from './answer.ts';
import { useShell } from './context.ts';
import { OrganisationsDocument, PlaceDocument } from './documents.ts';
import { isAt, lastOf, pathOf, type Place, toTree } from './tree.ts';

/** Finds an organisation: in the tree, in which the one that is shown is marked, or by its name or path. */
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
    variables: { search: search === null ? null : lastOf(search) },
  });
  const { signedIn } = useShell();
  const shownId = useChoices()[0].get('organisation') ?? signedIn.organisationId;
  const { data: own } = useAnswer({
    query: PlaceDocument,
    variables: { organisationId: shownId ?? '' },
    pause: shownId === null,
  });
  const organisations = data?.organisations;
  const found = organisations?.edges.map(({ node }) => node) ?? [];
  const branches =
    search === null
      ? toTree([...(own?.organisation == null ? [] : [own.organisation]), ...found])
      : found.filter((place) => isAt(place, search)).map((organisation) => ({ organisation, depth: 0 }));
  const isShown = ({ id, name: called }: Place) => called === name && (shownId ?? id) === id;
  const [isOpen, setIsOpen] = useState(isFocused);
  const list = useRef<HTMLDivElement>(null);
  const isKnown = search === null && branches.some(({ organisation }) => isShown(organisation));
  useEffect(() => {
    const { current } = list;
    if (!isOpen || !isKnown || current === null) return;
    // It has its size when it is there to be seen; as much as fits is soon found, and more may come before it.
    const sizes = new ResizeObserver(() => bringIntoSight(current));
    sizes.observe(current);
    return () => sizes.disconnect();
  }, [isOpen, isKnown, branches.length]);
  return (
    <ComboboxProvider
      resetValueOnHide
      defaultOpen={isFocused}
      value={typed ?? name}
      setValue={(value) => onType(value === name ? null : value)}
      setOpen={(open) => {
        setIsOpen(open);
        if (!open) onType(null);
      }}
    >
      <ComboboxLabel className="unseen">{words.organisation.label}</ComboboxLabel>
      <Combobox
        className="picker"
        dir="auto"
        type="search"
        placeholder={words.organisation.search}
        showOnClick
        autoFocus={isFocused}
        onFocus={({ target }) => {
          if (typed === null) target.select();
        }}
      />
      <ComboboxPopover ref={list} gutter={4} sameWidth={false} portal className="popover">
        {branches.map(({ organisation, depth }) => (
          <ComboboxItem
            key={organisation.id}
            value={organisation.id}
            setValueOnClick={false}
            className="item"
            aria-current={isShown(organisation)}
            style={{ paddingInlineStart: `${0.75 + depth}rem` }}
            onClick={() => onPick(organisation.id)}
          >
            <bdi>{organisation.name}</bdi>
            {search !== null && organisation.parent != null && (
              <span className="quiet">
                {' '}
                · <bdi>{pathOf(organisation)}</bdi>
              </span>
            )}
          </ComboboxItem>
        ))}
        {problem !== null && <p className="problem item">{words.organisation.failed(problem)}</p>}
        {branches.length === 0 && problem === null && !isFetching && (
          <p className="quiet item">{words.organisation.none}</p>
        )}
        {organisations?.pageInfo.hasNextPage === true && (
          <p className="quiet item">{words.organisation.more}</p>
        )}
      </ComboboxPopover>
    </ComboboxProvider>
  );
}

/** Scrolls the list alone, to the one that is shown. */
function bringIntoSight(list: HTMLElement): void {
  const shown = list.querySelector('[aria-current="true"]')?.getBoundingClientRect();
  if (shown === undefined) return;
  list.scrollTop += shown.top - list.getBoundingClientRect().top - (list.clientHeight - shown.height) / 2;
}
