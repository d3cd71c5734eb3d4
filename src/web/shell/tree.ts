import type { OrganisationsQuery } from './documents.ts';

type Organisation = NonNullable<OrganisationsQuery['organisations']>['edges'][number]['node'];

interface Branch {
  readonly organisation: Organisation;
  readonly depth: number;
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
