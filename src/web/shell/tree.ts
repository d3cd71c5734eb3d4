/** An organisation with those above it, as far as they were asked for. */
export interface Place {
  readonly id: string;
  readonly name: string;
  /** null: it is at the top, or what is above it is not to be seen. */
  readonly parent?: Place | null;
}

interface Branch {
  readonly organisation: Place;
  readonly depth: number;
}

/** Each below the one that it is a customer of; with those above them, which may not have been found themselves. */
export function toTree(found: readonly Place[]): readonly Branch[] {
  const places = new Map<string, Place>();
  for (const place of found) {
    for (const each of [place, ...above(place)]) {
      // What is far above one may be known with what is above it by another.
      if (places.get(each.id)?.parent === undefined) places.set(each.id, each);
    }
  }
  const below = Map.groupBy(places.values(), ({ parent }) => parent?.id ?? null);
  const walk = (id: string | null, depth: number): Branch[] =>
    (below.get(id) ?? []).flatMap((organisation) => [
      { organisation, depth },
      ...walk(organisation.id, depth + 1),
    ]);
  return walk(null, 0);
}

/** Those above an organisation, the nearest first. */
function above({ parent }: Place): readonly Place[] {
  return parent == null ? [] : [parent, ...above(parent)];
}

const separators = /\s*[/›]\s*/;

/** Where an organisation is: those above it, the highest first. */
export function pathOf(place: Place): string {
  return above(place)
    .map(({ name }) => name)
    .toReversed()
    .join(' › ');
}

/** Of `North / Acme` what the API is asked for, which knows names: the last of them. */
export function lastOf(search: string): string {
  return search.split(separators).findLast((part) => part !== '') ?? search;
}

/** Whether an organisation is called what is looked for, or is below what comes before it. */
export function isAt(place: Place, search: string): boolean {
  const isIn = (name: string, part: string) => name.toLowerCase().includes(part.toLowerCase());
  const [, ...parts] = search
    .split(separators)
    .filter((part) => part !== '')
    .toReversed();
  if (parts.length === 0 || isIn(place.name, search)) return true;
  let upwards = above(place);
  return parts.every((part) => {
    const index = upwards.findIndex(({ name }) => isIn(name, part));
    upwards = upwards.slice(index + 1);
    return index !== -1;
  });
}
