import { brandWithType } from '@pothos/core';
import { type Grant, grantOf, isPlace } from '../kernel/access.ts';
import {
  decodeId,
  type Id,
  type OrganisationId,
  type OwnedType,
  type Reference,
  type UserId,
} from '../kernel/ids.ts';
import { type NotFound, notFound } from '../kernel/refusal.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { costs } from './cost.ts';
import { InputError } from './errors.ts';

interface Finding {
  readonly find: (context: Context, reference: never) => Promise<object | null>;
  readonly userOf: ((context: Context, reference: never) => Promise<UserId | null>) | null;
}

const findings = new Map<Reference['type'], Finding>();

/**
 * Tells how a noun's Node type is found again by its id; null where it is missing.
 * @param userOf whose it is, for those who see only their own; null where it is missing
 */
export function registerNode<Type extends Reference['type']>(
  type: Type,
  find: (context: Context, reference: Extract<Reference, { type: Type }>) => Promise<object | null>,
  userOf:
    | ((context: Context, reference: Extract<Reference, { type: Type }>) => Promise<UserId | null>)
    | null = null,
): void {
  findings.set(type, { find, userOf });
}

/**
 * Whether what an id names is the actor's to ask for. Of what is not, it never becomes known whether it exists: who asks
 * for it is told, and recorded, in the same way.
 */
async function mayAskFor(context: Context, id: string, reference: Reference, grant: Grant): Promise<boolean> {
  // Other root fields of the operation may begin while this one waits.
  const { action } = context;
  const may = await isTheirs(context, reference, grant);
  if (!may) context.denied({ action, outcome: 'NOT_FOUND', subject: id });
  return may;
}

async function isTheirs(context: Context, reference: Reference, grant: Grant): Promise<boolean> {
  if (reference.type === 'Licence') return true;
  if (!(await context.mayReach(context, reference.organisationId))) return false;
  if (grant === 'ANY') return true;
  const userOf = findings.get(reference.type)?.userOf ?? null;
  return userOf !== null && (await userOf(context, reference as never)) === context.actor.userId;
}

const maxNodes = 100;

async function findNode(context: Context, id: string): Promise<object | null> {
  const reference = decodeId(id);
  if (reference === null) return null;
  // A licence is one of two types, and its finder says which; both are everybody's.
  const grant = isPlace(reference.type) ? grantOf(context.actor, reference.type) : 'ANY';
  if (grant === null) {
    context.denied({ action: context.action, outcome: 'FORBIDDEN', subject: id });
    return null;
  }
  if (!(await mayAskFor(context, id, reference, grant))) return null;
  const row = await findings.get(reference.type)?.find(context, reference as never);
  if (row === null || row === undefined) return null;
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
    extensions: costs({ sizedBy: 'ids' }),
    args: { ids: t.arg.idList({ required: true, description: 'Ids that this API gave out.' }) },
    resolve: (_root, { ids }, context) => {
      if (ids.length > maxNodes) throw new InputError('ids', `At most ${maxNodes} ids at once.`);
      return Promise.all(ids.map((id) => findNode(context, id)));
    },
  }),
}));

/**
 * What an id of a thing of an organisation names, or NOT_FOUND: forged, malformed, of another type, and another's alike.
 * @param grant OWN: only what is the actor's own user's
 */
export async function readId<Type extends OwnedType>(
  context: Context,
  type: Type,
  id: string,
  what: string,
  grant: Grant = 'ANY',
): Promise<{ readonly organisationId: OrganisationId; readonly id: Id<Type> } | NotFound> {
  const reference = decodeId(id);
  return reference?.type === type && 'id' in reference && (await mayAskFor(context, id, reference, grant))
    ? { organisationId: reference.organisationId, id: reference.id as Id<Type> }
    : notFound(what);
}

/** What an organisation's id names, or NOT_FOUND. */
export async function readOrganisationId(
  context: Context,
  id: string,
  what = 'organisation',
): Promise<{ readonly organisationId: OrganisationId } | NotFound> {
  return readReference(context, 'Organisation', id, what);
}

/** What an id of one type names, or NOT_FOUND: forged, malformed, of another type, and another's alike. */
export async function readReference<Type extends Reference['type']>(
  context: Context,
  type: Type,
  id: string,
  what: string,
): Promise<Extract<Reference, { type: Type }> | NotFound> {
  const reference = decodeId(id);
  return reference?.type === type && (await mayAskFor(context, id, reference, 'ANY'))
    ? (reference as Extract<Reference, { type: Type }>)
    : notFound(what);
}
