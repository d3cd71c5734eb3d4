import type { InputRef, ObjectParam, ObjectRef } from '@pothos/core';
import { type Grant, grantOf, isPlace } from '../kernel/access.ts';
import { decodeId } from '../kernel/ids.ts';
import { isRefusal, type Refusal } from '../kernel/refusal.ts';
import { type Forbidden, forbidden } from './access.ts';
import { builder, type BuilderTypes } from './builder.ts';
import type { Context } from './context.ts';
import { InputError } from './errors.ts';

builder.interfaceType('UserError', {
  description:
    'An expected failure of a mutation. Anything else is a bug, and reaches you masked, with a request id.',
  fields: (t) => ({
    code: t.exposeString('code', { description: 'What is wrong, for programs. New codes may be added.' }),
    message: t.exposeString('message', { description: 'What is wrong and what to do about it, for people.' }),
  }),
});

/** Every result union has these three. */
const NotFound = builder.objectRef<Refusal<'NOT_FOUND'>>('NotFound').implement({
  interfaces: ['UserError'],
  description: 'What an id or a code names does not exist, or is not yours.',
});
const ForbiddenError = builder.objectRef<Forbidden>('Forbidden').implement({
  interfaces: ['UserError'],
  description: 'You are not one who may do this, whatever it is done to.',
});
builder.objectType(InputError, {
  name: 'InvalidInput',
  interfaces: ['UserError'],
  description: 'The input breaks a rule; nothing was written.',
  fields: (t) => ({ field: t.exposeString('field', { description: 'The input field at fault.' }) }),
});

export const IdempotencyKeyReused = builder
  .objectRef<Refusal<'IDEMPOTENCY_KEY_REUSED'>>('IdempotencyKeyReused')
  .implement({
    interfaces: ['UserError'],
    description: 'The idempotency key was used with other arguments.',
  });

/**
 * Declares a mutation: one `input`, and a union `<Name>Result` of the payload and the errors. What the command
 * returns is told apart by being a refusal; a refusal's type is named as its code: NO_SEAT_AVAILABLE, NoSeatAvailable.
 */
export function mutation<Input, Payload extends object>(options: {
  readonly name: string;
  readonly description: string;
  readonly input: InputRef<Input>;
  readonly payload: ObjectRef<BuilderTypes, Payload>;
  /** Besides NotFound, InvalidInput and Forbidden. */
  readonly errors: readonly ObjectParam<BuilderTypes>[];
  /** @param grant OWN: of nobody but the actor's own user */
  readonly resolve: (input: Input, context: Context, grant: Grant) => Promise<Payload | Refusal>;
}): void {
  const { name, description, input, payload, errors, resolve } = options;
  const title = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  const result = builder.errorUnion(`${title}Result`, {
    description: `What \`${name}\` answers: its payload, or why not.`,
    types: [payload, NotFound, InputError, ForbiddenError, ...errors] as never[],
    resolveType: (value: object) => (isRefusal(value) ? typeNameOf(value) : `${title}Payload`) as never,
  });
  const place = `Mutation.${name}`;
  if (!isPlace(place)) throw new Error(`src/kernel/access.ts has no rule for ${place}`);
  builder.mutationField(name, (t) =>
    t.field({
      type: result as never,
      // One mutation that fails unexpectedly must not take its neighbours' answers with it.
      nullable: true,
      description,
      args: { input: t.arg({ type: input as never, required: true, description: 'All arguments.' }) },
      resolve: async (_root, args, context) => {
        const { input } = args as { input: Input };
        const grant = grantOf(context.actor, place);
        context.action = name;
        if (grant === null) {
          context.denied({ action: name, outcome: 'FORBIDDEN', subject: subjectOf(input as object) });
          return forbidden(context.actor) as never;
        }
        const answer = await resolve(input, context, grant);
        if (isRefusal(answer) && answer.code === 'FORBIDDEN') {
          context.denied({ action: name, outcome: 'FORBIDDEN', subject: subjectOf(input as object) });
        }
        // What was read before the change is not answered after it.
        context.scope = {};
        return toResult(answer) as never;
      },
    }),
  );
}

/** What a mutation was to be done to: the first of its arguments that is an id of this API. */
function subjectOf(input: object): string | null {
  const isId = (value: unknown): value is string => typeof value === 'string' && decodeId(value) !== null;
  return Object.values(input).find(isId) ?? null;
}

function toResult(answer: object): object {
  if (!isRefusal(answer)) return answer;
  const refusal: Refusal & { field?: unknown } = answer;
  return refusal.code === 'INVALID_INPUT' ? new InputError(String(refusal.field), refusal.message) : answer;
}

function typeNameOf({ code }: Refusal): string {
  return code
    .toLowerCase()
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}
