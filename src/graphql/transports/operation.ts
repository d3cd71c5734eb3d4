import type { DocumentNode, ExecutionArgs, ExecutionResult, GraphQLError } from 'graphql';
import type { Log } from '../../kernel/log.ts';
import { presentError } from '../errors.ts';
import type { Arrival, Graphql } from './http.ts';

/** An operation as a client sends it, in a body or in a message. */
export interface Payload {
  readonly query: string;
  readonly operationName?: string | null | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | null | undefined;
}

/** An operation that may run: parsed, and valid. */
export interface Operation {
  readonly document: DocumentNode;
  readonly args: ExecutionArgs;
  readonly execute: (args: ExecutionArgs) => ExecutionResult | Promise<ExecutionResult>;
  readonly subscribe: (args: ExecutionArgs) => unknown;
}

/** Reads an operation by the same rules, whatever it came over. @returns why it may not run, as a client is told */
export async function prepare(
  graphql: Graphql,
  arrival: Arrival,
  payload: Payload,
  log: Log,
): Promise<Operation | readonly GraphQLError[]> {
  const { requestId } = arrival;
  try {
    const { schema, parse, validate, contextFactory, execute, subscribe } = graphql.getEnveloped({
      ...arrival,
      params: payload,
    } as never);
    let document: DocumentNode;
    try {
      document = parse(payload.query);
    } catch (error) {
      return [presentError(error, 'GRAPHQL_PARSE_FAILED', requestId, log)];
    }
    const errors = validate(schema, document) as readonly GraphQLError[];
    if (errors.length > 0) {
      return errors.map((error) => presentError(error, 'GRAPHQL_VALIDATION_FAILED', requestId, log));
    }
    const args = {
      schema,
      document,
      operationName: payload.operationName,
      variableValues: payload.variables,
      contextValue: await contextFactory(),
    } as ExecutionArgs;
    return { document, args, execute: execute as Operation['execute'], subscribe };
  } catch (error) {
    return [presentError(error, 'BAD_REQUEST', requestId, log)];
  }
}
