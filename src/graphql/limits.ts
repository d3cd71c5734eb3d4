import {
  type ConstValueNode,
  type DocumentNode,
  type FragmentDefinitionNode,
  getNamedType,
  GraphQLError,
  type GraphQLNamedType,
  type GraphQLSchema,
  isCompositeType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  valueFromASTUntyped,
  visit,
} from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { type Formula, lengthOf, pageOf, sum, times, type Variables, weightOf } from './cost.ts';

/** How long, deep and wide a document may be, and what an operation may cost. */
export interface DocumentLimits {
  /** Names, numbers and punctuation; comments are free. */
  readonly tokens: number;
  /** Fields within fields, fragments included. */
  readonly depth: number;
  /** Fields and aliases as they are written, each fragment counted wherever it is spread. */
  readonly fields: number;
  /** Aliases as they are written, each fragment counted once. */
  readonly aliases: number;
  /** Directives of the whole document. */
  readonly directives: number;
  /** Directives in one place. */
  readonly directivesInOnePlace: number;
  /** About what it is answered with, were every page as full as it may be. */
  readonly cost: number;
}

/** Far beyond what a page or an export asks, far below what hurts others. */
export const defaultDocumentLimits: DocumentLimits = {
  tokens: 5_000,
  /** GraphiQL’s introspection has 15. */
  depth: 30,
  fields: 2_000,
  aliases: 200,
  directives: 100,
  directivesInOnePlace: 4,
  /** 100 users of 100 organisations, with 20 fields each. */
  cost: 250_000,
};

/** What an operation costs, and what it may. */
export interface Cost {
  readonly requested: number;
  readonly limit: number;
}

export interface Measure {
  readonly limits: DocumentLimits;
  /** An error for each limit that the document breaks, whatever its variables are; none where it keeps them all. */
  check(document: DocumentNode): readonly GraphQLError[];
  /** What one of a valid document’s operations costs with these variables; 0 of one that is not there. */
  costOf(document: DocumentNode, operationName: unknown, variables: unknown): Cost;
}

/** Measures documents, each once: what is left for each request is to put its variables in, where a size is one of them. */
export function createMeasure(schema: GraphQLSchema, limits: DocumentLimits): Measure {
  const measured = new WeakMap<DocumentNode, readonly MeasuredOperation[]>();
  const operationsOf = (document: DocumentNode) => {
    let operations = measured.get(document);
    if (operations === undefined) {
      operations = measureOperations(schema, document);
      measured.set(document, operations);
    }
    return operations;
  };

  return {
    limits,
    check: (document) => checkDocument(document, operationsOf(document), limits),
    costOf: (document, operationName, variables) => {
      const operations = operationsOf(document);
      const operation =
        operationName === null || operationName === undefined
          ? operations[0]
          : operations.find(({ node }) => node.name?.value === operationName);
      if (operation === undefined) return { requested: 0, limit: limits.cost };
      const { cost, defaults } = operation;
      const requested =
        typeof cost === 'number'
          ? cost
          : cost({ ...defaults, ...(variables as Variables | null | undefined) });
      return { requested: Math.min(requested, Number.MAX_SAFE_INTEGER), limit: limits.cost };
    },
  };
}

/** Refuses documents that are too long, too deep or too wide before any resolver runs, on every transport. */
export function useDocumentLimits(measure: Measure): Plugin {
  return {
    onParse: ({ parseFn, setParseFn }) => {
      setParseFn((source: string, options: object) =>
        onStack(
          () => parseFn(source, { ...options, maxLexicalTokens: measure.limits.tokens }),
          () => {
            throw refuse('GRAPHQL_PARSE_FAILED', tooNested);
          },
        ),
      );
    },
    onValidate: ({ validateFn, setValidationFn }) => {
      // Before all other rules: some of them go as deep as the document does, and none looks for circles first.
      setValidationFn((schema: unknown, document: DocumentNode, ...rest: readonly unknown[]) =>
        onStack(
          () => {
            const broken = measure.check(document);
            return broken.length === 0 ? validateFn(schema, document, ...rest) : broken;
          },
          () => [refuse('GRAPHQL_VALIDATION_FAILED', tooNested)],
        ),
      );
    },
  };
}

/** Why an operation that costs so much may not run; null where it may. */
export function tooCostly(
  { requested, limit }: Cost,
  operation?: OperationDefinitionNode,
): GraphQLError | null {
  if (requested <= limit) return null;
  return new GraphQLError(`This operation costs ${requested}; at most ${limit}: ask for smaller pages.`, {
    nodes: operation,
    extensions: { code: 'GRAPHQL_VALIDATION_FAILED', cost: { requested, limit } },
  });
}

const tooNested = 'This document is too deep, or its fragments spread one another in too many ways.';

/** Parser and rules call themselves: what exhausts the stack is the document’s fault, and nothing is left half done. */
function onStack<Answer>(work: () => Answer, exhausted: () => Answer): Answer {
  try {
    return work();
  } catch (error) {
    if (error instanceof RangeError) return exhausted();
    throw error;
  }
}

function checkDocument(
  document: DocumentNode,
  operations: readonly MeasuredOperation[],
  limits: DocumentLimits,
): readonly GraphQLError[] {
  const { aliases, directives, directivesInOnePlace } = countDecorations(document);
  const broken = [
    aliases > limits.aliases && `has ${aliases} aliases; at most ${limits.aliases}.`,
    directives > limits.directives && `has ${directives} directives; at most ${limits.directives}.`,
    directivesInOnePlace > limits.directivesInOnePlace &&
      `has ${directivesInOnePlace} directives in one place; at most ${limits.directivesInOnePlace}.`,
  ].flatMap((message) =>
    message === false ? [] : [refuse('GRAPHQL_VALIDATION_FAILED', `This document ${message}`)],
  );
  for (const { node, depth, fields } of operations) {
    if (depth > limits.depth) broken.push(tooMuch(`is ${depth} fields deep; at most ${limits.depth}.`, node));
    if (fields > limits.fields)
      broken.push(tooMuch(`asks for ${fields} fields; at most ${limits.fields}.`, node));
  }
  if (broken.length > 0) return broken;
  return operations.flatMap(({ node, cost }) => {
    const error = typeof cost === 'number' ? tooCostly({ requested: cost, limit: limits.cost }, node) : null;
    return error === null ? [] : [error];
  });
}

function countDecorations(document: DocumentNode) {
  const counts = { aliases: 0, directives: 0, directivesInOnePlace: 0 };
  visit(document, {
    enter: (node) => {
      if (node.kind === Kind.FIELD && node.alias !== undefined) counts.aliases += 1;
      if (!('directives' in node) || node.directives === undefined) return;
      counts.directives += node.directives.length;
      counts.directivesInOnePlace = Math.max(counts.directivesInOnePlace, node.directives.length);
    },
  });
  return counts;
}

function tooMuch(what: string, operation: OperationDefinitionNode): GraphQLError {
  return refuse('GRAPHQL_VALIDATION_FAILED', `This document ${what}`, operation);
}

function refuse(
  code: 'GRAPHQL_PARSE_FAILED' | 'GRAPHQL_VALIDATION_FAILED',
  message: string,
  operation?: OperationDefinitionNode,
): GraphQLError {
  return new GraphQLError(message, { nodes: operation, extensions: { code } });
}

interface Extent {
  readonly depth: number;
  readonly fields: number;
  readonly cost: Formula;
  /** What each edge of a page costs, where this is selected of a connection. */
  readonly edge: Formula;
}

interface MeasuredOperation extends Extent {
  readonly node: OperationDefinitionNode;
  /** What its variables are where nothing is given. */
  readonly defaults: Variables;
}

const nothing: Extent = { depth: 0, fields: 0, cost: 0, edge: 0 };

function measureOperations(schema: GraphQLSchema, document: DocumentNode): readonly MeasuredOperation[] {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const measured = new Map<string, Extent>();
  return document.definitions
    .filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
    .map((node) => ({
      node,
      defaults: defaultsOf(node),
      ...measure(node.selectionSet, schema.getRootType(node.operation) ?? undefined),
    }));

  /** Each fragment is measured once, so that the work is as long as the document, whatever it amounts to. */
  function measure({ selections }: SelectionSetNode, parent: GraphQLNamedType | undefined): Extent {
    const extents = selections.map((selection): Extent => {
      switch (selection.kind) {
        case Kind.FIELD: {
          const name = selection.name.value;
          const field = isCompositeType(parent) ? schema.getField(parent, name) : undefined;
          const weight = weightOf(field, parent !== undefined && parent === schema.getMutationType());
          if (selection.selectionSet === undefined) return { depth: 1, fields: 1, cost: weight, edge: 0 };
          const type = field === undefined ? undefined : getNamedType(field.type);
          const inner = measure(selection.selectionSet, type);
          const each = sum([inner.cost, times(pageOf(selection), inner.edge)]);
          const outer = { depth: inner.depth + 1, fields: inner.fields + 1 };
          return name === 'edges'
            ? { ...outer, cost: weight, edge: each }
            : { ...outer, cost: sum([weight, times(lengthOf(field, selection), each)]), edge: 0 };
        }
        case Kind.INLINE_FRAGMENT: {
          const named = selection.typeCondition?.name.value;
          return measure(selection.selectionSet, named === undefined ? parent : schema.getType(named));
        }
        case Kind.FRAGMENT_SPREAD: {
          const name = selection.name.value;
          const known = measured.get(name);
          const fragment = fragments.get(name);
          if (known !== undefined || fragment === undefined) return known ?? nothing;
          // A fragment that spreads itself is another rule’s to refuse.
          measured.set(name, nothing);
          const extent = measure(fragment.selectionSet, schema.getType(fragment.typeCondition.name.value));
          measured.set(name, extent);
          return extent;
        }
      }
    });
    return {
      depth: Math.max(0, ...extents.map(({ depth }) => depth)),
      fields: extents.reduce((total, { fields }) => total + fields, 0),
      cost: sum(extents.map(({ cost }) => cost)),
      edge: sum(extents.map(({ edge }) => edge)),
    };
  }
}

function defaultsOf({ variableDefinitions = [] }: OperationDefinitionNode): Variables {
  return Object.fromEntries(
    variableDefinitions.flatMap(({ variable, defaultValue }) =>
      defaultValue === undefined
        ? []
        : [[variable.name.value, valueFromASTUntyped(defaultValue satisfies ConstValueNode)]],
    ),
  );
}
