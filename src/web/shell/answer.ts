import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import {
  type AnyVariables,
  type CombinedError,
  createRequest,
  type DocumentInput,
  type GraphQLRequest,
  useClient,
  useQuery,
  type UseQueryArgs,
} from 'urql';
import { backoff, problemOf } from './client.ts';
import { useLink, useShell } from './context.ts';

/** What was asked of the API, as far as it is known. */
export interface Answer<Data> {
  /** undefined: not known yet. Where it cannot be read again it stays as it was, and `problem` says why. */
  readonly data: Data | undefined;
  /** Whether `data` is of what is asked for now; what was asked for before is shown until then. */
  readonly isCurrent: boolean;
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
  useRetry(error, (failures) => waitOf(error, failures), read);
  return {
    // What other variables were answered is not what these would be. An answer of nothing but errors is null.
    data: (!isKnown && known.current?.key === operation?.key ? known.current?.data : data) ?? undefined,
    isCurrent: operation?.key === key,
    problem: problemOf(error),
    code: codeOf(error),
    isFetching,
    read,
  };
}

/**
 * As `useAnswer`, of what is asked with other instants every day: the cache would keep each day’s, and this keeps the last answer.
 */
export function useLatest<Data, Variables extends AnyVariables>(args: Asked<Data, Variables>): Answer<Data> {
  const { uncached } = useShell();
  const request = useAsked(args);
  const [found, setFound] = useState<Found<Data>>(nothing);
  useEffect(() => {
    if (request === null) return;
    setFound((before) => ({ ...before, isFetching: true, isOld: false }));
    const { unsubscribe } = uncached
      .executeQuery<Data, Variables>(request)
      .subscribe(({ data, error }) =>
        setFound((before) => answered(before, { request, data: data ?? undefined, error })),
      );
    return unsubscribe;
  }, [uncached, request, found.reading]);
  const read = useCallback(
    () => setFound((before) => (before.isFetching ? { ...before, isOld: true } : next(before))),
    [],
  );
  const { data, isFetching } = found;
  const isCurrent = found.request === request;
  const error = isCurrent ? found.error : undefined;
  useRetry(error, (failures) => waitOf(error, failures), read);
  return { data, isCurrent, problem: problemOf(error), code: codeOf(error), isFetching, read };
}

interface Found<Data> {
  /** What was answered last; null: nothing yet. */
  readonly request: object | null;
  /** Of another request, until this one is answered. */
  readonly data: Data | undefined;
  readonly error: CombinedError | undefined;
  /** Counts the readings. */
  readonly reading: number;
  readonly isFetching: boolean;
  /** What is being read was to be read anew meanwhile. Not at once: a slow server would never be heard to the end. */
  readonly isOld: boolean;
}

const nothing = {
  ...{ request: null, data: undefined, error: undefined },
  ...{ reading: 0, isFetching: false, isOld: false },
};

function next<Data>(before: Found<Data>): Found<Data> {
  return { ...before, reading: before.reading + 1 };
}

function answered<Data>(
  before: Found<Data>,
  { request, data, error }: Pick<Found<Data>, 'request' | 'data' | 'error'>,
): Found<Data> {
  const isKept = error !== undefined && before.request === request;
  const after = { ...before, request, data: isKept ? before.data : data, error, isFetching: false };
  return before.isOld ? next(after) : after;
}

/** What is followed, and how far it is to be believed. */
export interface Followed<Result> {
  /** What the events so far come to; it stays when they end, and until others are told that were asked for since. */
  readonly data: Result | undefined;
  /** Why no event comes; undefined: nothing is wrong, or the connection is away. */
  readonly error: CombinedError | undefined;
  /**
   * LIVE: `data` is of what is asked for now, and has every change. LOST: it was so, and is to be again by itself. OFF: not yet,
   * not wanted, or refused, as `error` says.
   */
  readonly live: 'LIVE' | 'LOST' | 'OFF';
  /** Subscribes anew. */
  readonly subscribe: () => void;
}

/** What has been live for so long ended for a reason of its own, and not for that for which it ended before. */
const steadyMilliseconds = 30_000;
/** About how often nobody asks again for what was refused for a reason that does not pass by itself. */
const refusedMilliseconds = 60_000;

/**
 * Subscribes, and once more after the server refused or ended it: at growing intervals, or when the server says. A lost
 * connection is the link’s to mend.
 * @param isUnattended nobody is there who would ask again: what was refused may be allowed later
 * @param map makes what is returned of what was returned before, and of an event
 */
export function useLive<Data, Result, Variables extends AnyVariables>(
  { isUnattended = false, ...args }: Asked<Data, Variables> & { readonly isUnattended?: boolean },
  map: (before: Result | undefined, event: Data) => Result,
): Followed<Result> {
  const client = useClient();
  const { link } = useShell();
  const { isConnected, connection } = useLink();
  const request = useAsked(args);
  const [attempt, setAttempt] = useState(0);
  const [events, setEvents] = useState<Events<Result>>(noEvents);
  const latestMap = useRef(map);
  latestMap.current = map;
  // Not by urql’s own hook, which cannot tell a subscription that is over from one that is under way.
  useEffect(() => {
    if (request === null) return;
    const { unsubscribe } = client
      .executeSubscription<Data, Variables>(request)
      .subscribe(({ data, error, hasNext }) => {
        const { connection: cameOn } = link.state();
        setEvents((latest) => {
          const before = latest.request === request ? latest : { ...noEvents, request, data: latest.data };
          if (!hasNext || error !== undefined) return { ...before, error, isOver: true, end: {} };
          if (data == null) return before;
          const known = before.connection === null ? undefined : before.data;
          const mapped = latestMap.current(known, data);
          return { ...before, data: mapped, connection: cameOn, error: undefined, isOver: false };
        });
      });
    return unsubscribe;
  }, [client, link, request, attempt]);

  const asked = request !== null && events.request === request ? events : noEvents;
  const isLive = isConnected && asked.connection === connection && !asked.isOver;
  useEffect(() => {
    if (!isLive) return;
    const timer = setTimeout(
      () => setEvents((before) => ({ ...before, end: undefined })),
      steadyMilliseconds,
    );
    return () => clearTimeout(timer);
  }, [isLive]);
  const subscribe = useCallback(() => setAttempt((before) => before + 1), []);
  useRetry(
    asked.end,
    (failures) =>
      waitOf(asked.error, failures) ?? (isUnattended ? refusedMilliseconds * (0.5 + Math.random()) : null),
    subscribe,
  );
  return {
    data: events.data,
    error: asked.error,
    live: isLive ? 'LIVE' : asked.connection !== null && asked.error === undefined ? 'LOST' : 'OFF',
    subscribe: useCallback(() => {
      setEvents((before) => ({ ...before, end: undefined }));
      subscribe();
    }, [subscribe]),
  };
}

interface Events<Result> {
  /** null: none that was made. */
  readonly request: object | null;
  readonly data: Result | undefined;
  /** On which the last event came; null: none came yet, and `data` is of another request. */
  readonly connection: number | null;
  /** Until an event comes. */
  readonly error: CombinedError | undefined;
  /** No event comes any more, until it is subscribed again. */
  readonly isOver: boolean;
  /** The last end, each of which is another, until it is forgotten. */
  readonly end: object | undefined;
}

const noEvents = {
  ...{ request: null, data: undefined, connection: null },
  ...{ error: undefined, isOver: false, end: undefined },
};

interface Asked<Data, Variables> {
  readonly query: DocumentInput<Data, Variables>;
  readonly variables: Variables;
  /** It is not wanted now. */
  readonly pause?: boolean;
}

/** The same for as long as the same is asked for; null: nothing is. */
function useAsked<Data, Variables extends AnyVariables>({
  query,
  variables,
  pause = false,
}: Asked<Data, Variables>): GraphQLRequest<Data, Variables> | null {
  const request = createRequest(query, variables);
  return useMemo(() => (pause ? null : request), [pause, request.key]);
}

/**
 * Does again what failed, once the time for that has come, or the browser says that it is back on the network.
 * @param failure each is another; undefined: there is none, and what failed before is forgotten
 * @param wait for how long after so many others, in milliseconds; null: for ever
 */
function useRetry(
  failure: object | undefined,
  wait: (failures: number) => number | null,
  act: () => void,
): void {
  const latest = useRef({ wait, act, failures: 0 });
  latest.current.wait = wait;
  latest.current.act = act;
  useEffect(() => {
    const { current } = latest;
    if (failure === undefined) current.failures = 0;
    const milliseconds = failure === undefined ? null : current.wait(current.failures);
    if (milliseconds === null) return;
    const again = () => {
      clearTimeout(timer);
      current.failures += 1;
      current.act();
    };
    const timer = setTimeout(again, milliseconds);
    addEventListener('online', again, { once: true });
    return () => {
      clearTimeout(timer);
      removeEventListener('online', again);
    };
  }, [failure]);
}

/** How long to wait before asking again; null: it would fail again. @param error undefined: it ended without a word */
function waitOf(error: CombinedError | undefined, failures: number): number | null {
  if (error === undefined) return backoff(failures);
  const { graphQLErrors, networkError, response } = error;
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

function codeOf(error: CombinedError | undefined): string | null {
  return error?.graphQLErrors.map(({ extensions }) => extensions['code']).find(isText) ?? null;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}
