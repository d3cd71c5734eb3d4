import {
  type DocumentNode,
  type ExecutionArgs,
  getOperationAST,
  GraphQLError,
  type OperationTypeNode,
} from 'graphql';
import type { Log } from '../../kernel/log.ts';
import { presentError } from '../errors.ts';
import { type Cost, tooCostly } from '../limits.ts';
import type { Arrival, Graphql } from './http.ts';

/** An operation as a client sends it, in a body or in a message. */
export interface Payload {
  readonly query: string;
  readonly operationName?: string | null | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | null | undefined;
}

/** An operation that may run: parsed, valid, and one of its document's. */
export interface Operation {
  readonly kind: OperationTypeNode;
  readonly args: ExecutionArgs;
  readonly cost: Cost;
}

/** Reads an operation by the same rules, whatever it came over. @returns why it may not run, as a client is told */
export function prepare(
  graphql: Graphql,
  arrival: Arrival,
  payload: Payload,
  log: Log,
): Operation | readonly GraphQLError[] {
  try {
    const document = graphql.knownDocument(payload.query) ?? readDocument(graphql, arrival, payload, log);
    if (!('kind' in document)) return document;
    const definition = getOperationAST(document, payload.operationName);
    if (definition == null) return [presentError(unnamed(), 'BAD_REQUEST', arrival.requestId, log)];
    const cost = graphql.measure.costOf(document, payload.operationName, payload.variables);
    const costly = tooCostly(cost);
    if (costly !== null) return [presentError(costly, 'GRAPHQL_VALIDATION_FAILED', arrival.requestId, log)];
    const args = {
      schema: graphql.schema,
      document,
      operationName: payload.operationName,
      variableValues: payload.variables,
      contextValue: graphql.createContext(arrival),
    } as ExecutionArgs;
    return { kind: definition.operation, args, cost };
  } catch (error) {
    return [presentError(error, 'BAD_REQUEST', arrival.requestId, log)];
  }
}

function unnamed(): GraphQLError {
  return new GraphQLError('Say with `operationName` which operation of the document is meant.');
}

function readDocument(
  graphql: Graphql,
  arrival: Arrival,
  payload: Payload,
  log: Log,
): DocumentNode | readonly GraphQLError[] {
  const { requestId } = arrival;
  const { schema, parse, validate } = graphql.getEnveloped({ ...arrival, params: payload } as never);
  let document: DocumentNode;
  try {
    document = parse(payload.query) as DocumentNode;
  } catch (error) {
    return [presentError(error, 'GRAPHQL_PARSE_FAILED', requestId, log)];
  }
  const errors = validate(schema, document) as readonly GraphQLError[];
  return errors.length === 0
    ? document
    : errors.map((error) => presentError(error, 'GRAPHQL_VALIDATION_FAILED', requestId, log));
}
