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
function failureSays(error: unknown, what: RegExp): boolean {
  for (const cause of chain(error)) if (what.test(cause.message)) return true;
  return false;
}

/** What is needed to answer does not answer itself, and may again soon. Its message is for the client. */
export class Unavailable extends Error {
  readonly code = 'UNAVAILABLE';
  readonly retryAfterSeconds = 1;
}

/** PostgreSQL's code where a lock was waited for as long as it may be. */
export const lockNotAvailable = '55P03';

/** Codes of sockets and of PostgreSQL that say: it cannot be reached, or cannot do it now, and may again soon. */
const unavailable = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOENT', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'],
  // Connections: broken, too many, idle for too long in a transaction.
  ...['08000', '08001', '08003', '08006', '53300', '25P03'],
  // It starts, stops, crashed, has no disk, no memory, or became a standby.
  ...['57P01', '57P02', '57P03', '57P05', '53100', '53200', '58030', '25006'],
  // Statements that took too long, waited too long, or were given up for another's sake once too often.
  ...['57014', lockNotAvailable, '40001', '40P01'],
]);

/** Whether the database is the trouble, and not what was asked of it: the same may succeed in a moment. */
export function isUnavailable(error: unknown): boolean {
  const code = failureCode(error);
  return (
    (code !== null && unavailable.has(code)) ||
    failureSays(
      error,
      /Connection terminated|timeout exceeded when trying to connect|not queryable|was rolled back/,
    )
  );
}
