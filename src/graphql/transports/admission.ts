import { type DocumentNode, GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Actor } from '../../kernel/actor.ts';
import type { Context } from '../context.ts';
import { type Cost, type Measure, tooCostly } from '../limits.ts';
import type { Arrival } from './http.ts';
import { type RateLimited, rateLimitedError } from './rates.ts';
import type { TrustedDocuments } from './trusted.ts';

/** What stands before an operation on every transport. */
export interface Admission {
  readonly measure: Measure;
  readonly documents: TrustedDocuments;
  /** Counts what an operation costs, before any resolver runs. */
  readonly charge: (actor: Actor, cost: number) => Promise<RateLimited | null> | null;
}

/** The same for what Yoga answers: its own statuses, the same rules and words. */
export function useAdmission({ measure, documents, charge }: Admission): Plugin<object, Arrival, Context> {
  const asked = new WeakMap<object, DocumentNode>();
  const costs = new WeakMap<object, Cost>();
  return {
    onParams: ({ request, params, setParams }) => {
      // What is no object at all is refused in its own words.
      if (typeof params !== 'object' || params === null || Array.isArray(params)) return;
      // Of an address Yoga reads the parts that it knows.
      const named =
        request.method === 'GET'
          ? { ...params, documentId: new URL(request.url).searchParams.get('documentId') ?? undefined }
          : params;
      const expanded = documents.expand(named);
      if (expanded instanceof GraphQLError) throw withHttp(expanded, { status: 400 });
      if (expanded !== params) setParams(expanded);
    },
    onValidate: ({ context, params: { documentAST } }) => {
      asked.set(context, documentAST as DocumentNode);
    },
    // Here the document is known to be valid, and what is thrown is answered.
    onContextBuilding: async ({ context }) => {
      const document = asked.get(context);
      if (document === undefined) return;
      const { params, actor } = context as unknown as Arrival & { readonly params: Asked };
      const cost = measure.costOf(document, params.operationName, params.variables);
      const costly = tooCostly(cost);
      if (costly !== null) throw withHttp(costly, { status: 400, spec: true });
      costs.set(context, cost);
      const limited = await charge(actor, cost.requested);
      if (limited === null) return;
      const headers = { 'retry-after': String(limited.retryAfterSeconds) };
      throw withHttp(rateLimitedError(limited), { status: 429, headers });
    },
    onResultProcess: ({ result, setResult, serverContext }) => {
      const cost = costs.get(serverContext);
      if (cost !== undefined && 'data' in result) setResult({ ...result, extensions: { cost } });
    },
  };
}

interface Asked {
  readonly operationName?: unknown;
  readonly variables?: unknown;
}

function withHttp({ message, nodes, extensions }: GraphQLError, http: object): GraphQLError {
  return new GraphQLError(message, { nodes: nodes ?? null, extensions: { ...extensions, http } });
}
