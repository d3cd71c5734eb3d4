import { useCallback, useEffect, useRef, useSyncExternalStore } from 'react';
import {
  type AnyVariables,
  type CombinedError,
  createRequest,
  useQuery,
  type UseQueryArgs,
  useSubscription,
  type UseSubscriptionArgs,
} from 'urql';
import { backoff, problemOf } from './client.ts';
import { useShell } from './context.ts';

/** What was asked of the API, as far as it is known. */
export interface Answer<Data> {
  /** undefined: not known yet. Where it cannot be read again it stays as it was, and `problem` says why. */
  readonly data: Data | undefined;
  readonly problem: string | null;
  /** The API’s code of the problem, where it has one. */
  readonly code: string | null;
  readonly isFetching: boolean;
  /** Asks the server anew. */
  readonly read: () => void;
}

/**
 * Asks, and keeps what was answered when a later reading fails. What failed for a reason that passes is asked again by itself, at
 * growing intervals, or when the server says.
 */
export function useAnswer<Data, Variables extends AnyVariables>(
  args: UseQueryArgs<Variables, Data>,
): Answer<Data> {
  const { failures } = useShell();
  const [{ data, error: latest, fetching: isFetching, operation }, ask] = useQuery<Data, Variables>(args);
  const { key } = createRequest(args.query, args.variables as Variables);
  const error = useSyncExternalStore(failures.subscribe, () => failures.of(key));
  const known = useRef<{ readonly key: number | undefined; readonly data: Data } | null>(null);
  // What came with an error urql still has when it asks again, and has forgotten the error.
  const failed = useRef<Data>(undefined);
  if (latest !== undefined) failed.current = data;
  else if (error === undefined) failed.current = undefined;
  const isKnown = data != null && data !== failed.current;
  if (isKnown) known.current = { key: operation?.key, data };
  const read = useCallback(() => ask({ requestPolicy: 'network-only' }), [ask]);
  useAgain(error, read);
  return {
    // What other variables were answered is not what these would be. An answer of nothing but errors is null.
    data: (!isKnown && known.current?.key === operation?.key ? known.current?.data : data) ?? undefined,
    problem: problemOf(error),
    code: error?.graphQLErrors.map(({ extensions }) => extensions['code']).find(isText) ?? null,
    isFetching,
    read,
  };
}

/**
 * Subscribes, and once more after the server refused or broke off what it had begun. A lost connection is the link’s to mend.
 * @param map makes what is returned of what was returned before, and of an event
 */
export function useLive<Data, Result, Variables extends AnyVariables>(
  args: UseSubscriptionArgs<Variables, Data>,
  map: (before: Result | undefined, event: Data) => Result,
): {
  readonly data: Result | undefined;
  readonly error: CombinedError | undefined;
  readonly subscribe: () => void;
} {
  const [{ data, error }, subscribe] = useSubscription(args, map);
  useAgain(error, subscribe);
  return { data, error, subscribe };
}

/** Does again what failed, once the time for that has come, or the browser says that it is back on the network. */
function useAgain(error: CombinedError | undefined, act: () => void): void {
  const latest = useRef({ act, failures: 0 });
  latest.current.act = act;
  // Each failure is an error of its own.
  useEffect(() => {
    const { current } = latest;
    if (error === undefined) current.failures = 0;
    const milliseconds = error === undefined ? null : waitOf(error, current.failures);
    if (milliseconds === null) return;
    const again = () => {
      clearTimeout(timer);
      current.failures += 1;
      current.act();
    };
    const timer = setTimeout(again, milliseconds);
    addEventListener('online', again);
    return () => {
      clearTimeout(timer);
      removeEventListener('online', again);
    };
  }, [error]);
}

/** How long to wait before asking again; null: it would fail again. */
function waitOf({ graphQLErrors, networkError, response }: CombinedError, failures: number): number | null {
  const { status, headers } = (response ?? {}) as Partial<Response>;
  const told = graphQLErrors.map(({ extensions }) => extensions['retryAfterSeconds']).find(isNumber);
  const seconds = told ?? Number(headers?.get('retry-after') ?? 0);
  const isUnforeseen = graphQLErrors.some(({ extensions }) => extensions['code'] === 'INTERNAL_SERVER_ERROR');
  const passes =
    networkError !== undefined ||
    told !== undefined ||
    isUnforeseen ||
    status === 429 ||
    (status ?? 0) >= 500;
  if (!passes) return null;
  // Not all at one moment.
  return Math.max((Number.isNaN(seconds) ? 0 : seconds) * (1000 + 200 * Math.random()), backoff(failures));
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}
