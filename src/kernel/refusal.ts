/**
 * An expected failure, as a value: what is wrong (`code`) and a sentence that a person can act on. It is returned,
 * never thrown, so that a refusal can be recorded by the transaction that decided it.
 */
export interface Refusal<Code extends string = string> {
  readonly code: Code;
  readonly message: string;
}

/** The thing does not exist, or is not the caller's: the two are never told apart. */
export type NotFound = Refusal<'NOT_FOUND'>;

export interface InvalidInput extends Refusal<'INVALID_INPUT'> {
  /** The input field at fault, as the client spells it. */
  readonly field: string;
}

/** @param what the thing in words, such as "user" */
export function notFound(what: string): NotFound {
  return { code: 'NOT_FOUND', message: `There is no such ${what}.` };
}

export function invalidInput(field: string, message: string): InvalidInput {
  return { code: 'INVALID_INPUT', field, message };
}

/** Tells a refusal from a success: only a refusal has a `code` and a `message`. */
export function isRefusal<Value extends object>(value: Value): value is Extract<Value, Refusal> {
  return 'code' in value && 'message' in value;
}
