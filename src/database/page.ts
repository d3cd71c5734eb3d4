import { type RawBuilder, sql } from 'kysely';
import type { Instant } from '../kernel/clock.ts';

/** A page of a list that is ordered by a key: never an offset, so that page 1,000 costs what page 1 does. */
export interface PageRequest {
  readonly limit: number;
  /** Counted from the list's other end. */
  readonly backward: boolean;
  /** The key of the row that the page comes after (going backward: before); null: from the end itself. */
  readonly beyond: readonly (string | number | Instant)[] | null;
}

/** `where` and `order by` of a page; rows come in the order they are read: backward, the list's last row is first. */
export function keyset(
  page: PageRequest,
  order: 'asc' | 'desc',
  columns: readonly [string, ...string[]],
): { where: RawBuilder<boolean>; orderBy: RawBuilder<unknown> } {
  const ascending = (order === 'asc') !== page.backward;
  const refs = columns.map((column) => sql.ref(column));
  const direction = ascending ? sql`asc` : sql`desc`;
  return {
    where:
      page.beyond === null
        ? sql<boolean>`true`
        : sql<boolean>`(${sql.join(refs)}) ${ascending ? sql`>` : sql`<`} (${sql.join(page.beyond)})`,
    orderBy: sql.join(refs.map((ref) => sql`${ref} ${direction}`)),
  };
}

/** A `like` pattern for "contains this text, in any case", over a column of lower-case text. */
export function containing(text: string): string {
  return `%${text.toLowerCase().replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
}
