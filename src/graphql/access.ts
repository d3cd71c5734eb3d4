import {
  defaultFieldResolver,
  type GraphQLField,
  type GraphQLSchema,
  isNonNullType,
  isObjectType,
} from 'graphql';
import { access, grantOf, isPlace, type Place } from '../kernel/access.ts';
import type { Actor } from '../kernel/actor.ts';
import type { Refusal } from '../kernel/refusal.ts';
import type { Context } from './context.ts';
import { codedError } from './errors.ts';

/** The actor is not one who may do this, with whatever it is done to. */
export type Forbidden = Refusal<'FORBIDDEN'>;

export function forbidden({ role, scopes }: Actor): Forbidden {
  return {
    code: 'FORBIDDEN',
    message:
      scopes === null
        ? `As ${role} you may not do this; ask whoever gave you this access.`
        : `As ${role}, with the scopes ${scopes.join(', ')}, you may not do this; ask whoever gave you this access.`,
  };
}

/**
 * Puts the rules of src/kernel/access.ts before the resolvers. What may not be seen is null where the field can be, and
 * else a FORBIDDEN error; a mutation answers it as a member of its union, by itself.
 *
 * @throws where a root field or a Node type has no rule, or a rule no field.
 */
export function guard(schema: GraphQLSchema): GraphQLSchema {
  const unused = new Set<string>(Object.keys(access));
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type)) continue;
    const isNode = type.getInterfaces().some(({ name }) => name === 'Node');
    if (isNode && !isPlace(type.name)) throw new Error(`src/kernel/access.ts has no rule for ${type.name}`);
    unused.delete(type.name);
    const isRoot = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].includes(
      type,
    );
    for (const field of Object.values(type.getFields())) {
      const place = `${type.name}.${field.name}`;
      if (!isPlace(place)) {
        if (isRoot) throw new Error(`src/kernel/access.ts has no rule for ${place}`);
        continue;
      }
      unused.delete(place);
      if (type !== schema.getMutationType()) guardField(field, place, isRoot);
    }
  }
  if (unused.size > 0)
    throw new Error(`src/kernel/access.ts has rules for nothing: ${[...unused].join(', ')}`);
  return schema;
}

type Field = GraphQLField<unknown, Context>;

function guardField(field: Field, place: Place, isRoot: boolean): void {
  const guarded =
    (resolve: NonNullable<Field['resolve']>): NonNullable<Field['resolve']> =>
    (root, args, context, ...rest) => {
      if (isRoot) context.action = place;
      if (grantOf(context.actor, place) !== null) return resolve(root, args, context, ...rest);
      context.denied({ action: place, outcome: 'FORBIDDEN', subject: null });
      if (!isRoot && !isNonNullType(field.type)) return null;
      throw codedError(forbidden(context.actor));
    };
  if (field.subscribe === undefined) field.resolve = guarded(field.resolve ?? defaultFieldResolver);
  else field.subscribe = guarded(field.subscribe);
}
