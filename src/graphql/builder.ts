import SchemaBuilder from '@pothos/core';
import ErrorsPlugin from '@pothos/plugin-errors';
import RelayPlugin from '@pothos/plugin-relay';
import ValidationPlugin from '@pothos/plugin-validation';
import { Kind } from 'graphql';
import type { Instant } from '../kernel/clock.ts';
import type { Context } from './context.ts';
import { InputError } from './errors.ts';
import { parseDateTime, parseSafeInt, parseTimeZone, textOf } from './scalars.ts';

/**
 * The types that nouns share by name. A noun declares its own and can then name another's without importing it:
 *
 *     declare module '../graphql/builder.ts' {
 *       interface Objects { User: UserRow }
 *     }
 *     builder.objectType('User', { … });
 */
// oxlint-disable-next-line typescript/no-empty-object-type -- nouns merge theirs into it
export interface Objects {}

/** Interfaces, shared likewise. */
export interface Interfaces {
  Node: object;
  UserError: { readonly code: string; readonly message: string };
}

/** Enums, shared likewise: the name, and its values. */
// oxlint-disable-next-line typescript/no-empty-object-type -- nouns merge theirs into it
export interface Enums {}

interface SchemaTypes {
  Context: Context;
  Objects: Objects;
  Interfaces: Interfaces;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: { list: false; items: false };
  DefaultNodeNullability: false;
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Instant; Output: Instant };
    TimeZone: { Input: string; Output: string };
    SafeInt: { Input: number; Output: number };
    JSON: { Input: never; Output: unknown };
  } & { [Name in keyof Enums]: { Input: Enums[Name]; Output: Enums[Name] } };
}

export type BuilderTypes = PothosSchemaTypes.ExtendDefaultTypes<SchemaTypes>;

export const builder = new SchemaBuilder<SchemaTypes>({
  plugins: [ErrorsPlugin, RelayPlugin, ValidationPlugin],
  defaultFieldNullability: false,
  errors: { defaultTypes: [], unsafelyHandleInputErrors: true },
  relay: {
    nodeQueryOptions: false,
    nodesQueryOptions: false,
    edgesFieldOptions: {
      nullable: { list: false, items: false },
      description: 'The page’s things, each with its cursor.',
    },
    nodeFieldOptions: { nullable: false, description: 'The thing itself.' },
    cursorFieldOptions: { description: 'Where it stands: for `after` and `before`.' },
    pageInfoFieldOptions: { description: 'Where the page stands in the whole.' },
    pageInfoTypeOptions: { description: 'Where a page of a connection stands in the whole.' },
    hasNextPageFieldOptions: { description: 'Whether more come after the page.' },
    hasPreviousPageFieldOptions: { description: 'Whether more come before the page.' },
    startCursorFieldOptions: { description: 'The cursor of the page’s first thing; null where it is empty.' },
    endCursorFieldOptions: { description: 'The cursor of the page’s last thing; null where it is empty.' },
  },
  validation: {
    validationError: ({ issues }) => {
      const [issue] = issues;
      const path = (issue?.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part));
      return new InputError(
        path.filter((part) => part !== 'input').join('.'),
        issue?.message ?? 'Invalid input.',
      );
    },
  },
});

builder.queryType({ description: 'What can be read.' });
builder.mutationType({
  description:
    'What can be changed. Every mutation takes one `input` and answers a union: its payload, or the reason why not. Ask for `... on UserError { code message }`, so that an error you do not know yet still tells you something.',
});
builder.subscriptionType({ description: 'What can be watched, over WebSocket or SSE.' });

builder.scalarType('DateTime', {
  description:
    'RFC 3339, such as `2026-03-01T09:00:00.000Z`; answered in UTC with milliseconds. Years 1970…9999.',
  serialize: (value) => value.toISOString() as never,
  parseValue: parseDateTime,
  parseLiteral: (node) => parseDateTime(textOf(node)),
});
builder.scalarType('TimeZone', {
  description: 'An IANA time zone name, such as `Europe/London`.',
  serialize: (value) => value,
  parseValue: parseTimeZone,
  parseLiteral: (node) => parseTimeZone(textOf(node)),
});
builder.scalarType('SafeInt', {
  description: 'A whole number below 2^53, answered as a JSON number.',
  serialize: (value) => value,
  parseValue: parseSafeInt,
  parseLiteral: (node) => parseSafeInt(node.kind === Kind.INT ? Number(node.value) : undefined),
});

builder.scalarType('JSON', {
  description: 'Any JSON. Only answered, never taken.',
  serialize: (value) => value,
  parseValue: () => {
    throw new TypeError('JSON is only answered');
  },
});

builder.interfaceType('Node', {
  description: 'Anything with an id of its own, to be had again by `node`.',
  fields: (t) => ({
    id: t.id({
      description: 'Opaque and globally unique.',
      // Every type that implements this answers its own.
      resolve: () => {
        throw new Error('A Node without an id of its own');
      },
    }),
  }),
});
