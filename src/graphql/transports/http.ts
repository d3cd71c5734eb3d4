import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  GraphQLError,
  type GraphQLSchema,
  OperationTypeNode,
} from 'graphql';
import { createYoga, type Plugin, type YogaServerInstance } from 'graphql-yoga';
import type { Actor } from '../../kernel/actor.ts';
import type { Log } from '../../kernel/log.ts';
import type { Context } from '../context.ts';
import { presentError, type Stage } from '../errors.ts';
import { createMeasure, type DocumentLimits, useDocumentLimits } from '../limits.ts';
import { type Admission, useAdmission } from './admission.ts';
import { type Payload, prepare } from './operation.ts';
import type { TrustedDocuments } from './trusted.ts';

/** What a transport knows of a request before the operation is read. */
export interface Arrival {
  readonly actor: Actor;
  readonly requestId: string;
}

export interface GraphqlOptions extends Pick<Admission, 'documents' | 'charge'> {
  readonly limits: DocumentLimits;
  readonly schema: GraphQLSchema;
  readonly createContext: (arrival: Arrival) => Context;
  readonly log: Log;
}

export type Graphql = YogaServerInstance<Arrival, Context> &
  Admission & {
    /** The document of this text, where it was parsed and found valid lately: what may run for one may run for all. */
    readonly knownDocument: (query: string) => DocumentNode | undefined;
    readonly schema: GraphQLSchema;
    readonly createContext: (arrival: Arrival) => Context;
    readonly execute: (args: ExecutionArgs) => ExecutionResult | Promise<ExecutionResult>;
  };

/** Parsing, validation and execution, with the same rules on every transport; over HTTP and SSE also the protocol. */
export function createGraphql({
  schema,
  createContext,
  limits,
  documents,
  charge,
  log,
}: GraphqlOptions): Graphql {
  const admission: Admission = { measure: createMeasure(schema, limits), documents, charge };
  const known = new Map<string, DocumentNode>();
  const yoga = createYoga<Arrival, Context>({
    schema,
    graphqlEndpoint: '/graphql',
    context: createContext,
    // Every error passes presentError instead.
    maskedErrors: false,
    logging: false,
    landingPage: false,
    graphiql: false,
    batching: false,
    // The documents that are known are enough, and are kept within bounds.
    parserAndValidationCache: false,
    cors: false,
    plugins: [
      useDocumentLimits(admission.measure),
      useAdmission(admission),
      usePresentedErrors(log),
      useKnownDocuments(known),
      useOwnSubscriptions(),
    ],
  });
  const { execute } = yoga.getEnveloped();
  return Object.assign(yoga, {
    knownDocument: (query: string) => known.get(query),
    ...{ schema, createContext },
    ...admission,
    execute: execute as Graphql['execute'],
  });
}

/** The documents of some hundred pages and wallboards; parsed, each takes some tens of times as much. */
const maxKnownCharacters = 2_000_000;
/** What is longer is parsed again each time. */
const maxKnownLength = 20_000;

/** Keeps the documents that may run; the oldest are forgotten first. */
function useKnownDocuments(known: Map<string, DocumentNode>): Plugin<object, Arrival, Context> {
  let characters = 0;
  return {
    onValidate:
      ({ context, params: { documentAST } }) =>
      ({ valid }: { readonly valid: boolean }) => {
        const { query } = (context as { readonly params: { readonly query?: unknown } }).params;
        if (!valid || typeof query !== 'string' || query.length > maxKnownLength || known.has(query)) return;
        known.set(query, documentAST as DocumentNode);
        characters += query.length;
        for (const oldest of known.keys()) {
          if (characters <= maxKnownCharacters) break;
          known.delete(oldest);
          characters -= oldest.length;
        }
      },
  };
}

/** Yoga would execute a subscription for each subscriber anew, and by none of the limits: sse.ts alone does it. */
function useOwnSubscriptions(): Plugin<object, Arrival, Context> {
  return {
    onSubscribe: ({ setResultAndStopExecution }) => {
      const message =
        'Ask for a subscription by POST, as application/json, with `accept: text/event-stream`; by an EventSource; or over WebSocket.';
      setResultAndStopExecution({
        errors: [new GraphQLError(message, { extensions: { code: 'BAD_REQUEST', http: { status: 406 } } })],
      });
    },
  };
}

/** The media type that a plain answer has, for what a client accepts; null: Yoga decides. */
function plainMediaType(accept: string | undefined): string | null {
  switch (accept) {
    case undefined:
    case '*/*':
    case 'application/json':
      return 'application/json; charset=utf-8';
    case 'application/graphql-response+json':
    case 'application/graphql-response+json, application/json':
      return 'application/graphql-response+json; charset=utf-8';
    default:
      return null;
  }
}

/**
 * The usual request, without Yoga's passage through the Fetch API, which costs three times what the operation does: a
 * query or a mutation as JSON, answered as JSON, of a document that was valid before. Whatever is not quite that, and
 * whatever may not run, is left to Yoga, so that there is one set of rules, and one wording.
 * @returns whether the request was answered
 */
export async function answerPlainly(
  graphql: Graphql,
  request: IncomingMessage,
  body: Buffer,
  response: ServerResponse,
  arrival: Arrival,
  log: Log,
): Promise<boolean> {
  const mediaType = plainMediaType(request.headers.accept);
  const payload = mediaType === null ? null : readPayload(request, body, graphql.documents);
  if (mediaType === null || payload === null || graphql.knownDocument(payload.query) === undefined)
    return false;
  const operation = prepare(graphql, arrival, payload, log);
  if (!('args' in operation)) return false;
  const { kind } = operation;
  if (kind !== OperationTypeNode.QUERY && kind !== OperationTypeNode.MUTATION) return false;
  const charged = graphql.charge(arrival.actor, operation.cost.requested);
  if (charged !== null && (await charged) !== null) return false;

  const result = await graphql.execute(operation.args);
  // Without data nothing was executed: the variables were refused, say.
  if (!('data' in result)) return false;
  const { cost } = operation;
  const text = JSON.stringify({ ...presentResult(result, arrival.requestId, log), extensions: { cost } });
  response.writeHead(200, { 'content-type': mediaType, 'content-length': Buffer.byteLength(text) });
  response.end(text);
  return true;
}

/** A body that is just what it should be; null where it is not, or where another transport was meant. */
export function readPayload(
  request: IncomingMessage,
  body: Buffer,
  documents: TrustedDocuments,
): Payload | null {
  const { 'content-type': contentType, 'content-encoding': encoding } = request.headers;
  const isJson = contentType !== undefined && /^application\/json *(;|$)/i.test(contentType);
  if (request.method !== 'POST' || !isJson || encoding !== undefined) return null;
  try {
    return asPayload(JSON.parse(body.toString('utf8')), documents);
  } catch {
    return null;
  }
}

/** A payload as it should be, with its document’s text; null where it is not. */
export function asPayload(value: unknown, documents: TrustedDocuments): Payload | null {
  if (!isObject(value)) return null;
  const payload = documents.expand(value);
  return !(payload instanceof GraphQLError) && isPayload(payload) ? payload : null;
}

const parts = new Set(['query', 'documentId', 'operationName', 'variables', 'extensions']);

function isPayload(value: unknown): value is Payload {
  if (!isObject(value) || Object.keys(value).some((name) => !parts.has(name))) return false;
  const { query, operationName, variables, extensions } = value;
  return (
    typeof query === 'string' &&
    (operationName == null || typeof operationName === 'string') &&
    (variables == null || isObject(variables)) &&
    (extensions == null || isObject(extensions))
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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
    message,
    ...extensions
  }: {
    readonly code: string;
    readonly message: string;
    readonly requestId: string;
    readonly retryAfterSeconds?: number;
  },
): void {
  if (status === 401) response.setHeader('www-authenticate', 'Bearer realm="seatkeeper"');
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'x-request-id': extensions.requestId,
  });
  response.end(JSON.stringify({ errors: [{ message, extensions }] }));
}

/** Of what takes long, there are as many as there may be. */
export function refuseConnection(response: ServerResponse, requestId: string): void {
  const message = 'There are too many connections; try again later.';
  response.setHeader('retry-after', '5');
  refuse(response, 503, { code: 'TOO_MANY_CONNECTIONS', message, requestId, retryAfterSeconds: 5 });
}

export function wantsPage(request: IncomingMessage): boolean {
  return request.method === 'GET' && (request.headers.accept ?? '').includes('text/html');
}
