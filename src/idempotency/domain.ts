import type { Refusal } from '../kernel/refusal.ts';

export type IdempotencyKeyReused = Refusal<'IDEMPOTENCY_KEY_REUSED'>;

export function idempotencyKeyReused(): IdempotencyKeyReused {
  return {
    code: 'IDEMPOTENCY_KEY_REUSED',
    message: 'This idempotency key was used with other arguments; use a new key for a new request.',
  };
}

/** What a request with a key came to: the id of what it made or answered, or the refusal. */
export type Outcome =
  | {
      readonly id: string;
      /** Of a logon that opened a newly billed seat (W2). */
      readonly raisesPeak?: true;
    }
  | { readonly refusal: Refusal };

/** Arguments in one spelling, so that equal ones compare equal: keys sorted, lists that are sets sorted, each once. */
export function canonical(args: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(
    Object.entries(args)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [
        name,
        Array.isArray(value) ? [...new Set(value.map(String))].sort(compare) : value,
      ])
      .sort(([one], [other]) => compare(String(one), String(other))),
  );
}

function compare(one: string, other: string): number {
  return one < other ? -1 : 1;
}

/**
 * Only what the rules decided is kept: a request that named nothing, or was malformed, may be mended and sent again, and
 * so may one that lacked a second factor, which is none of its arguments.
 */
export function isDecided({ code }: Refusal): boolean {
  return code !== 'NOT_FOUND' && code !== 'INVALID_INPUT' && code !== 'SECOND_FACTOR_REQUIRED';
}

/** Keys are kept at least this long, in real time (L6). */
export const keptHours = 24;
