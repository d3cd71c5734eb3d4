import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ExecutionResult, GraphQLError, GraphQLSchema } from 'graphql';
import { createYoga, type Plugin, type YogaServerInstance } from 'graphql-yoga';
import type { Actor } from '../../kernel/actor.ts';
import type { Log } from '../../kernel/log.ts';
import type { Context } from '../context.ts';
import { presentError, type Stage } from '../errors.ts';

/** What a transport knows of a request before the operation is read. */
export interface Arrival {
  readonly actor: Actor;
  readonly requestId: string;
}

export interface GraphqlOptions {
  readonly schema: GraphQLSchema;
  readonly createContext: (arrival: Arrival) => Context;
  readonly log: Log;
}

export type Graphql = YogaServerInstance<Arrival, Context>;

/** Parsing, validation and execution, with the same rules on every transport; over HTTP and SSE also the protocol. */
export function createGraphql({ schema, createContext, log }: GraphqlOptions): Graphql {
  return createYoga<Arrival, Context>({
    schema,
    graphqlEndpoint: '/graphql',
    context: ({ actor, requestId }) => createContext({ actor, requestId }),
    // Every error passes presentError instead.
    maskedErrors: false,
    logging: false,
    landingPage: false,
    graphiql: false,
    batching: false,
    cors: false,
    plugins: [usePresentedErrors(log)],
  });
}

/** Gives every error that leaves over HTTP and SSE its code and request id. */
function usePresentedErrors(log: Log): Plugin<object, Arrival, Context> {
  return {
    onResultProcess: ({ result, setResult, serverContext: { requestId } }) => {
      if (Array.isArray(result)) return;
      if (Symbol.asyncIterator in result) {
        setResult(presentEach(result as AsyncIterable<ExecutionResult>, requestId, log));
      } else if (result.errors !== undefined) {
        setResult(presentResult(result, requestId, log));
      }
    },
  };
}

export function presentResult<Result extends ExecutionResult>(
  result: Result,
  requestId: string,
  log: Log,
): Result {
  if (result.errors === undefined) return result;
  // What has a place in the document was understood that far; what has none was no request.
  const stageOf = (error: GraphQLError): Stage =>
    error.locations === undefined ? 'BAD_REQUEST' : 'INVALID_INPUT';
  return {
    ...result,
    errors: result.errors.map((error) => presentError(error, stageOf(error), requestId, log)),
  };
}

/** An iterator of its own, not a generator: `return` must reach a source that waits. */
export function presentEach(
  results: AsyncIterable<ExecutionResult>,
  requestId: string,
  log: Log,
): AsyncIterableIterator<ExecutionResult> {
  const source = results[Symbol.asyncIterator]();
  return {
    next: async () => {
      try {
        const { done, value } = await source.next();
        return done === true
          ? { done: true, value: undefined }
          : { done: false, value: presentResult(value, requestId, log) };
      } catch (error) {
        // A source that fails ends its operation with an error, as a result that can be understood.
        await source.return?.();
        return { done: false, value: { errors: [presentError(error, 'INVALID_INPUT', requestId, log)] } };
      }
    },
    return: async () => {
      await source.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** Answers a request that may not reach GraphQL at all, in GraphQL's own form. */
export function refuse(
  response: ServerResponse,
  status: number,
  {
    code,
    message,
    requestId,
  }: { readonly code: string; readonly message: string; readonly requestId: string },
): void {
  if (status === 401) response.setHeader('www-authenticate', 'Bearer realm="seatkeeper"');
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'x-request-id': requestId,
  });
  response.end(JSON.stringify({ errors: [{ message, extensions: { code, requestId } }] }));
}

export function wantsPage(request: IncomingMessage): boolean {
  return request.method === 'GET' && (request.headers.accept ?? '').includes('text/html');
}
