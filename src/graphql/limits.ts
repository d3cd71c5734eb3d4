import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { defaultPage, maxPage } from './connection.ts';

/** How long, deep and wide a document may be: far beyond what a page or an export asks, far below what hurts others. */
export const limits = {
  /** Names, numbers and punctuation; comments are free. */
  tokens: 5_000,
  /** Fields within fields, fragments included. GraphiQL’s introspection has 15. */
  depth: 30,
  /** Fields and aliases as they are written, each fragment counted wherever it is spread. */
  fields: 2_000,
  /** Fields answered at most, were every page as full as it may be: 100 users of 100 organisations, with 20 fields each. */
  answer: 250_000,
} as const;

/** Refuses documents that are too long, too deep or too wide before any resolver runs, on every transport. */
export function useDocumentLimits(): Plugin {
  return {
    onParse: ({ parseFn, setParseFn }) => {
      setParseFn((source: string, options: object) =>
        onStack(
          () => parseFn(source, { ...options, maxLexicalTokens: limits.tokens }),
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
            const broken = checkDocument(document);
            return broken === null ? validateFn(schema, document, ...rest) : [broken];
          },
          () => [refuse('GRAPHQL_VALIDATION_FAILED', tooNested)],
        ),
      );
    },
  };
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

/** The first limit that the document breaks, in words; null where it keeps them all. */
function checkDocument(document: DocumentNode): GraphQLError | null {
  for (const { operation, depth, fields, answer } of extentOf(document)) {
    const broken =
      depth > limits.depth
        ? `is ${depth} fields deep; at most ${limits.depth}.`
        : fields > limits.fields
          ? `asks for ${fields} fields; at most ${limits.fields}.`
          : answer > limits.answer
            ? `may be answered with ${answer} fields; at most ${limits.answer}: ask for smaller pages.`
            : null;
    if (broken !== null) return refuse('GRAPHQL_VALIDATION_FAILED', `This document ${broken}`, operation);
  }
  return null;
}

/** What each operation of a document comes to, in the units of `limits`. */
export function extentOf(document: DocumentNode) {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const measured = new Map<string, Extent>();
  return document.definitions
    .filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
    .map((operation) => ({ operation, ...measure(operation.selectionSet, fragments, measured) }));
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
  readonly answer: number;
  /** What each edge of a page is answered with, where this is selected of a connection. */
  readonly edge: number;
}

const nothing: Extent = { depth: 0, fields: 0, answer: 0, edge: 0 };

/** Each fragment is measured once, so that the work is as long as the document, whatever it amounts to. */
function measure(
  { selections }: SelectionSetNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  measured: Map<string, Extent>,
): Extent {
  const extents = selections.map((selection): Extent => {
    switch (selection.kind) {
      case Kind.FIELD: {
        if (selection.selectionSet === undefined) return { depth: 1, fields: 1, answer: 1, edge: 0 };
        const inner = measure(selection.selectionSet, fragments, measured);
        const answer = inner.answer + inner.edge * pageOf(selection);
        const outer = { depth: inner.depth + 1, fields: inner.fields + 1 };
        return selection.name.value === 'edges'
          ? { ...outer, answer: 1, edge: answer }
          : { ...outer, answer: answer + 1, edge: 0 };
      }
      case Kind.INLINE_FRAGMENT:
        return measure(selection.selectionSet, fragments, measured);
      case Kind.FRAGMENT_SPREAD: {
        const name = selection.name.value;
        const known = measured.get(name);
        const fragment = fragments.get(name);
        if (known !== undefined || fragment === undefined) return known ?? nothing;
        // A fragment that spreads itself is another rule’s to refuse.
        measured.set(name, nothing);
        const extent = measure(fragment.selectionSet, fragments, measured);
        measured.set(name, extent);
        return extent;
      }
    }
  });
  return extents.reduce(
    (sum, each) => ({
      depth: Math.max(sum.depth, each.depth),
      fields: sum.fields + each.fields,
      answer: sum.answer + each.answer,
      edge: sum.edge + each.edge,
    }),
    nothing,
  );
}

/** How many edges a field is answered with at most; where a variable says it, as many as may be. */
function pageOf({ arguments: given = [] }: FieldNode): number {
  const sizes = given.flatMap(({ name, value }) => {
    if (name.value !== 'first' && name.value !== 'last') return [];
    return value.kind === Kind.INT ? [Math.min(Number(value.value), maxPage)] : [maxPage];
  });
  return sizes.length === 0 ? defaultPage : Math.max(...sizes, 1);
}
