import {
  type FieldNode,
  getNamedType,
  getNullableType,
  type GraphQLField,
  isListType,
  Kind,
  type ValueNode,
  valueFromASTUntyped,
} from 'graphql';
import { defaultPage, maxPage } from './page.ts';

/**
 * What it takes to answer a field, beside what is selected of it; in units of a plain column, of which nothing need be
 * said. A page counts as a query (10), a mutation as a transaction (900).
 */
export interface FieldCost {
  readonly weight?: number;
  /** How long a list without pages is taken to be; 10 where nothing is said. */
  readonly assumedSize?: number;
  /** The argument, a list itself, that the list is as long as; or how long it is by its arguments, as a client writes them. */
  readonly sizedBy?: string | ((args: Variables) => number);
}

/** Declares a field’s cost, where the field is declared: `extensions: costs({ weight: 100 })`. */
export function costs(cost: FieldCost): { readonly cost: FieldCost } {
  return { cost };
}

export type Variables = Readonly<Record<string, unknown>>;

/** A number of cost, or of a list’s members; a function where variables say it. */
export type Formula = number | ((variables: Variables) => number);

/**
 * Each mutation of a document is a transaction of its own: with what it selects it draws about the point of the rates
 * (1,000) that it would draw by itself. Alone it stays below that, so that it is not counted twice.
 */
const weights = { column: 1, page: 10, mutation: 900 } as const;
const assumedSize = 10;

export function sum(formulas: readonly Formula[]): Formula {
  const known = formulas.filter((each) => typeof each === 'number').reduce((total, each) => total + each, 0);
  const open = formulas.filter((each) => typeof each === 'function');
  if (open.length === 0) return known;
  return (variables) => open.reduce((total, each) => total + each(variables), known);
}

export function times(one: Formula, other: Formula): Formula {
  if (one === 0 || other === 0) return 0;
  if (one === 1) return other;
  if (typeof one === 'number' && typeof other === 'number') return one * other;
  return (variables) => evaluate(one, variables) * evaluate(other, variables);
}

export function evaluate(formula: Formula, variables: Variables): number {
  return typeof formula === 'number' ? formula : formula(variables);
}

/** A field’s own cost. @param field undefined: one that the schema does not know */
export function weightOf(field: GraphQLField<unknown, unknown> | undefined, isMutation: boolean): number {
  const declared = declaredBy(field)?.weight;
  if (declared !== undefined) return declared;
  return isMutation ? weights.mutation : isPaged(field) ? weights.page : weights.column;
}

/** How many a field is answered with, where it is not a page. */
export function lengthOf(
  field: GraphQLField<unknown, unknown> | undefined,
  { arguments: given = [] }: FieldNode,
): Formula {
  if (field === undefined || !isListType(getNullableType(field.type))) return 1;
  const declared = declaredBy(field);
  const size = declared?.sizedBy;
  if (typeof size === 'function') {
    return (variables) =>
      size(
        Object.fromEntries(
          given.map(({ name, value }) => [name.value, valueFromASTUntyped(value, variables)]),
        ),
      );
  }
  const sizing = given.find(({ name }) => name.value === size)?.value;
  if (sizing === undefined) return declared?.assumedSize ?? assumedSize;
  return lengthOfList(sizing);
}

/** How many edges a field is answered with at most. */
export function pageOf({ arguments: given = [] }: FieldNode): Formula {
  const [one, other] = given
    .filter(({ name }) => name.value === 'first' || name.value === 'last')
    .map(({ value }) => pageSize(value));
  if (one === undefined) return defaultPage;
  return other === undefined
    ? one
    : (variables) => Math.max(evaluate(one, variables), evaluate(other, variables));
}

/** Also what has no such cost is reckoned: whoever checks the field refuses it. */
function pageSize(value: ValueNode): Formula {
  if (value.kind === Kind.VARIABLE) {
    const name = value.name.value;
    return (variables) => clampPage(variables[name]);
  }
  return clampPage(value.kind === Kind.INT ? Number(value.value) : value.kind === Kind.NULL ? null : maxPage);
}

function clampPage(size: unknown): number {
  if (size === null || size === undefined) return defaultPage;
  return typeof size === 'number' ? Math.min(Math.max(size, 1), maxPage) : maxPage;
}

function lengthOfList(value: ValueNode): Formula {
  if (value.kind === Kind.LIST) return value.values.length;
  if (value.kind !== Kind.VARIABLE) return 1;
  const name = value.name.value;
  return (variables) => {
    const list = variables[name];
    return Array.isArray(list) ? list.length : 1;
  };
}

function isPaged(field: GraphQLField<unknown, unknown> | undefined): boolean {
  return (
    field !== undefined &&
    getNamedType(field.type).name.endsWith('Connection') &&
    field.args.some(({ name }) => name === 'first')
  );
}

function declaredBy(field: GraphQLField<unknown, unknown> | undefined): FieldCost | undefined {
  return field?.extensions['cost'] as FieldCost | undefined;
}
