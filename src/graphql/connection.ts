import type { ArgBuilder } from '@pothos/core';
import { z } from 'zod';
import type { Instant } from '../kernel/clock.ts';
import type { PageRequest } from '../database/page.ts';
import { builder, type BuilderTypes, type Objects } from './builder.ts';
import { costs } from './cost.ts';
import { InputError } from './errors.ts';
import { defaultPage, maxPage } from './page.ts';

/** What a client asks of a connection. */
export interface PageArguments {
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
  readonly last?: number | null | undefined;
  readonly before?: string | null | undefined;
}

/** A connection's order: its name, which its cursors carry, and the parts of its key. */
export interface Order<Row> {
  readonly name: string;
  readonly parts: readonly ('text' | 'uuid' | 'instant' | 'integer')[];
  readonly keyOf: (row: Row) => readonly (string | number | Instant)[];
}

export interface Connection<Row> {
  readonly edges: readonly { readonly node: Row; readonly cursor: string }[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
  /** Counted only when it is asked for. */
  readonly count: () => Promise<number>;
}

/**
 * One page. `first` walks the list forwards from `after`, `last` backwards from `before`; a wrong argument or a
 * forged cursor is INVALID_INPUT.
 */
export async function connect<Row>(
  order: Order<Row>,
  args: PageArguments,
  list: (page: PageRequest) => Promise<readonly Row[]>,
  count: () => Promise<number>,
): Promise<Connection<Row>> {
  const page = readArguments(order, args);
  // One more than asked for tells whether there are more.
  const found = await list({ ...page, limit: page.limit + 1 });
  const hasMore = found.length > page.limit;
  const rows = found.slice(0, page.limit);
  if (page.backward) rows.reverse();

  const edges = rows.map((node) => ({ node, cursor: encodeCursor(order, node) }));
  return {
    edges,
    pageInfo: {
      hasNextPage: page.backward ? page.beyond !== null : hasMore,
      hasPreviousPage: page.backward ? hasMore : page.beyond !== null,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
    count,
  };
}

function readArguments<Row>(order: Order<Row>, { first, after, last, before }: PageArguments): PageRequest {
  if (first != null && last != null)
    throw new InputError('last', 'Ask for `first` or for `last`, not for both.');
  for (const [field, size] of [['first', first] as const, ['last', last] as const]) {
    if (size != null && (size < 1 || size > maxPage))
      throw new InputError(field, `A page is 1 to ${maxPage} long.`);
  }
  const backward = last != null;
  if (backward && after != null)
    throw new InputError('after', '`after` goes with `first`; with `last` use `before`.');
  if (!backward && before != null)
    throw new InputError('before', '`before` goes with `last`; with `first` use `after`.');
  return {
    limit: first ?? last ?? defaultPage,
    backward,
    beyond:
      after != null
        ? decodeCursor(order, 'after', after)
        : before != null
          ? decodeCursor(order, 'before', before)
          : null,
  };
}

function encodeCursor<Row>(order: Order<Row>, row: Row): string {
  return Buffer.from(JSON.stringify([order.name, ...order.keyOf(row)])).toString('base64url');
}

const parts = {
  // eslint: the control characters are what PostgreSQL could not take
  text: z.string().refine((value) => !/\p{Cc}|\p{Cs}/u.test(value)),
  uuid: z.guid(),
  instant: z.iso.datetime({ precision: 3 }).transform((value) => new Date(value)),
  integer: z.int().min(0),
} as const;

function decodeCursor<Row>(
  order: Order<Row>,
  field: string,
  cursor: string,
): readonly (string | number | Instant)[] {
  const refusal = new InputError(
    field,
    'This is not a cursor of this list; take one from `cursor` or `pageInfo`.',
  );
  let values: unknown;
  try {
    values = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    throw refusal;
  }
  if (!Array.isArray(values) || values[0] !== order.name || values.length !== order.parts.length + 1)
    throw refusal;
  return order.parts.map((part, index) => {
    const parsed = parts[part].safeParse(values[index + 1]);
    if (!parsed.success) throw refusal;
    return parsed.data;
  });
}

/** The arguments of every connection, to be spread among a field's. */
export function pageArguments(t: ArgBuilder<BuilderTypes>) {
  return {
    first: t.int({
      description: 'How many from the beginning, or after `after`: 1 to 100; 50 if nothing is said.',
    }),
    after: t.string({ description: 'The `cursor` that the page comes after.' }),
    last: t.int({ description: 'How many from the end, or before `before`: 1 to 100.' }),
    before: t.string({ description: 'The `cursor` that the page comes before.' }),
  };
}

/** The types `<Type>Connection` and `<Type>Edge`. */
export function connectionType(type: keyof Objects, description: string) {
  return builder.connectionObject(
    {
      type,
      name: `${type}Connection`,
      description,
      fields: (t) => ({
        totalCount: t.int({
          nullable: true,
          description:
            'How many there are in all pages together. Counted when you ask, so ask only if you need it.',
          extensions: costs({ weight: 50 }),
          resolve: (connection) => (connection as unknown as Connection<unknown>).count(),
        }),
      }),
    },
    { name: `${type}Edge`, description: 'One of a connection, and where it stands.' },
  );
}
