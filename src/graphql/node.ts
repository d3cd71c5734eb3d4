import { brandWithType } from '@pothos/core';
import { decodeId, type Id, type OrganisationId, type OwnedType, type Reference } from '../kernel/ids.ts';
import { type NotFound, notFound } from '../kernel/refusal.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { InputError } from './errors.ts';

type Find = (context: Context, reference: never) => Promise<object | null>;

const finders = new Map<Reference['type'], Find>();

/** Tells how a noun's Node type is found again by its id; null where it is missing. */
export function registerNode<Type extends Reference['type']>(
  type: Type,
  find: (context: Context, reference: Extract<Reference, { type: Type }>) => Promise<object | null>,
): void {
  finders.set(type, find);
}

const maxNodes = 100;

async function findNode(context: Context, id: string): Promise<object | null> {
  const reference = decodeId(id);
  if (reference === null) return null;
  const row = await finders.get(reference.type)?.(context, reference as never);
  if (row === null || row === undefined) return null;
  // A licence is one of two types, and its finder says which.
  if (reference.type !== 'Licence') brandWithType(row, reference.type as never);
  return row;
}

builder.queryFields((t) => ({
  node: t.field({
    type: 'Node',
    nullable: true,
    description: 'Anything by its id; null where there is no such thing.',
    args: { id: t.arg.id({ required: true, description: 'An id that this API gave out.' }) },
    resolve: (_root, { id }, context) => findNode(context, id),
  }),
  nodes: t.field({
    type: ['Node'],
    nullable: { list: false, items: true },
    description:
      'Several things by their ids, at most 100, in the order of the ids; null for each that does not exist.',
    args: { ids: t.arg.idList({ required: true, description: 'Ids that this API gave out.' }) },
    resolve: (_root, { ids }, context) => {
      if (ids.length > maxNodes) throw new InputError('ids', `At most ${maxNodes} ids at once.`);
      return Promise.all(ids.map((id) => findNode(context, id)));
    },
  }),
}));

/** What an id of a thing of an organisation names, or NOT_FOUND: forged, malformed and of another type alike. */
export function readId<Type extends OwnedType>(
  type: Type,
  id: string,
  what: string,
): { readonly organisationId: OrganisationId; readonly id: Id<Type> } | NotFound {
  const reference = decodeId(id);
  return reference?.type === type && 'id' in reference
    ? { organisationId: reference.organisationId, id: reference.id as Id<Type> }
    : notFound(what);
}

/** What an organisation's id names, or NOT_FOUND. */
export function readOrganisationId(
  id: string,
  what = 'organisation',
): { readonly organisationId: OrganisationId } | NotFound {
  const reference = decodeId(id);
  return reference?.type === 'Organisation' ? { organisationId: reference.organisationId } : notFound(what);
}
