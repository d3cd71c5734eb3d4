import { useState } from 'react';
import { words } from '../words.ts';
import { useLater } from './later.tsx';

const loadFinder = async () => (await import('./finder.tsx')).Finder;

/** Which organisation is shown; another one is found in the tree, or by name. The finder is loaded when it is wanted. */
export function Picker({
  name,
  onPick,
}: {
  /** Of the one that is shown. */
  readonly name: string;
  readonly onPick: (organisationId: string) => void;
}) {
  const [isWanted, setIsWanted] = useState(false);
  const [isFocused, setIsFocused] = useState(false);
  const [typed, setTyped] = useState<string | null>(null);
  const Finder = useLater(loadFinder, isWanted);
  if (Finder !== null) {
    return <Finder name={name} typed={typed} onType={setTyped} onPick={onPick} isFocused={isFocused} />;
  }
  return (
    <input
      className="picker"
      dir="auto"
      type="search"
      role="combobox"
      aria-label={words.organisation.label}
      aria-haspopup="listbox"
      aria-expanded={false}
      autoComplete="off"
      placeholder={words.organisation.search}
      value={typed ?? name}
      onChange={({ target }) => setTyped(target.value)}
      onPointerEnter={() => setIsWanted(true)}
      onFocus={({ target }) => {
        target.select();
        setIsWanted(true);
        setIsFocused(true);
      }}
      onBlur={() => setIsFocused(false)}
    />
  );
}
