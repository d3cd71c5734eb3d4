/** An error, then what caused it, then what caused that. */
function* chain(error: unknown): Generator<Error, void, void> {
  for (let cause = error; cause instanceof Error; cause = cause.cause) yield cause;
}

/** The SQLSTATE or system code (such as ECONNRESET) of an unexpected error, or of what caused it. */
export function failureCode(error: unknown): string | null {
  for (const cause of chain(error)) if ('code' in cause && typeof cause.code === 'string') return cause.code;
  return null;
}

/** Whether an error, or what caused it, says something. */
export function failureSays(error: unknown, what: RegExp): boolean {
  for (const cause of chain(error)) if (what.test(cause.message)) return true;
  return false;
}
