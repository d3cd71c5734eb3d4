import { GraphQLError } from 'graphql';
import { isUnavailable, Unavailable } from '../kernel/failure.ts';
import { Held, Overloaded } from '../kernel/lanes.ts';
import type { Refusal } from '../kernel/refusal.ts';
import type { Log } from '../kernel/log.ts';

/** Input that a rule of the schema refuses: INVALID_INPUT, in a mutation's union or as a GraphQL error. */
export class InputError extends Error {
  readonly code = 'INVALID_INPUT';
  readonly field: string;

  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}

/** An expected failure of a query or subscription. */
export function codedError({ code, message }: Refusal): GraphQLError {
  return new GraphQLError(message, { extensions: { code } });
}

/** What goes wrong before any resolver runs, where nothing else says what it was. */
export type Stage = 'GRAPHQL_PARSE_FAILED' | 'GRAPHQL_VALIDATION_FAILED' | 'INVALID_INPUT' | 'BAD_REQUEST';

/**
 * The one gate through which every error leaves, on every transport: with a code and the request's id. What nobody
 * expected is logged, once, and answered without its text.
 */
export function presentError(error: unknown, stage: Stage, requestId: string, log: Log): GraphQLError {
  if (error instanceof GraphQLError && error.extensions['requestId'] !== undefined) return error;
  const cause = rootCause(error);

  if (cause instanceof GraphQLError) {
    const shown = error instanceof GraphQLError ? error : cause;
    const code = codeOf(cause) ?? stage;
    const { cost, retryAfterSeconds } = cause.extensions;
    return copy(shown, shown.message, {
      code,
      ...(cost === undefined ? {} : { cost }),
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
      requestId,
      ...httpOf(shown, code),
    });
  }
  if (cause instanceof InputError) {
    return copy(error, cause.message, { code: cause.code, field: cause.field, requestId });
  }
  if (cause instanceof Overloaded || cause instanceof Held || cause instanceof Unavailable) {
    const { code, message, retryAfterSeconds } = cause;
    return copy(error, message, { code, retryAfterSeconds, requestId });
  }
  if (cause instanceof Error && isUnavailable(cause)) {
    log.warn({ err: cause, requestId }, 'the database did not answer');
    return copy(error, 'The service cannot reach its database; try again shortly.', {
      code: 'UNAVAILABLE',
      retryAfterSeconds: 1,
      requestId,
    });
  }
  log.error({ err: cause, requestId }, 'unexpected error');
  return copy(error, wentWrong(requestId), {
    code: 'INTERNAL_SERVER_ERROR',
    requestId,
  });
}

/** Of what nobody expected. */
export function wentWrong(requestId: string): string {
  return `Something went wrong on our side. Tell us this request id: ${requestId}.`;
}

/** What it was that went wrong, behind what GraphQL made of it. */
export function rootCause(error: unknown): unknown {
  let cause = error;
  while (cause instanceof GraphQLError && cause.originalError !== undefined) cause = cause.originalError;
  return cause;
}

function codeOf(error: GraphQLError): string | null {
  const { code } = error.extensions;
  // Yoga's own for a refused variable; ours has a name in the contract.
  if (code === 'BAD_USER_INPUT') return 'INVALID_INPUT';
  return typeof code === 'string' ? code : null;
}

/** What a request that is no request at all answers with, in every media type: its status. */
function httpOf({ extensions: { http } }: GraphQLError, code: string): { readonly http?: object } {
  if (typeof http !== 'object' || http === null) return {};
  return { http: code === 'BAD_REQUEST' ? { ...http, spec: false } : http };
}

function copy(error: unknown, message: string, extensions: Record<string, unknown>): GraphQLError {
  const located = error instanceof GraphQLError ? error : null;
  return new GraphQLError(message, {
    extensions,
    nodes: located?.nodes ?? null,
    source: located?.source ?? null,
    positions: located?.positions ?? null,
    path: located?.path ?? null,
  });
}
