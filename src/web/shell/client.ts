import { cacheExchange } from '@urql/exchange-graphcache';
import { createClient as createLink } from 'graphql-ws';
import {
  Client,
  type CombinedError,
  fetchExchange,
  formatDocument,
  makeOperation,
  mapExchange,
  type OperationResult,
  subscriptionExchange,
} from 'urql';
import { words } from '../words.ts';
import { ownPage, ownSearch } from './session.ts';

/** What is known of the way to the server, and of the connection that live figures come on. */
export interface LinkState {
  readonly isConnected: boolean;
  /** Counts the connections: what came on an earlier one is not live any more. */
  readonly connection: number;
  /** Something that was asked for is waited for longer than usual. */
  readonly isSlow: boolean;
}

/** The way to the server, for `useSyncExternalStore`. */
export interface Link {
  readonly subscribe: (onChange: () => void) => () => void;
  readonly state: () => LinkState;
  /** Connects anew, and has nothing for live until then: for who cannot trust the connection that there is. */
  readonly restart: () => void;
}

/**
 * Why the server’s last answer to a query was none, until it answers. Of the network alone: urql forgets it when it asks again, and
 * when the answer to another query changes something of this one in the cache.
 */
export interface Failures {
  readonly subscribe: (onChange: () => void) => () => void;
  /** @param key of urql’s request */
  readonly of: (key: number) => CombinedError | undefined;
}

export interface Api {
  readonly client: Client;
  /** For what is asked again and again with other instants: it keeps no answer, where the cache would keep each. */
  readonly uncached: Client;
  readonly link: Link;
  readonly failures: Failures;
  readonly close: () => void;
}

/** A connection that says nothing for so long is asked whether it lives, and is given so long to answer. */
const [pingMilliseconds, pongMilliseconds] = [5_000, 4_000];
/** One that is not there by then is given up: whoever is frozen says nothing, and browsers wait for minutes. */
const connectMilliseconds = 10_000;
/** A connection that nothing is asked on any more is kept so long for what is asked instead. */
const idleMilliseconds = 5_000;
const forbidden = 4403;
/** Who waits for longer than that is told that it is slow; the server itself gives up long before the second. */
const [slowMilliseconds, lateMilliseconds] = [5_000, 30_000];

/** What is part of another thing, and is found with it; every other thing has an id. */
const parts = [
  'BaseUsage',
  'BillingPeriod',
  'BillingTerms',
  'ConcurrentUsage',
  'ContingencyUsage',
  'DenialReport',
  'DroppedHistory',
  'LicenceDenials',
  'Money',
  'MonthlyDemand',
  'PeakCause',
  'PeakHolder',
  'PeakLevel',
  'PeakUsage',
  'PoolUsage',
  'ReasonDenials',
  'RightSizing',
  'SeatCosting',
  'SeatFees',
  'SessionFeature',
  'StatementLine',
  'UsageBucket',
  'UsageChanged',
] as const;

/**
 * The way to the API: queries and mutations over HTTP, subscriptions over one WebSocket, and one cache, in which each thing
 * is once: what a subscription brings is at once what every query shows.
 * @param onSignedOut called when the server knows the browser no more
 */
export function createApi(onSignedOut: () => void): Api {
  const listeners = new Set<() => void>();
  let state: LinkState = { isConnected: false, connection: 0, isSlow: false };
  let [pong, deadline]: (ReturnType<typeof setTimeout> | undefined)[] = [];
  let retries = 0;
  const change = (to: LinkState) => {
    state = to;
    for (const listener of listeners) listener();
  };
  const ws = createLink({
    url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/graphql${ownSearch}`,
    lazy: true,
    lazyCloseTimeout: idleMilliseconds,
    // For ever: a page that was left open over night is live in the morning.
    retryAttempts: Infinity,
    shouldRetry: () => true,
    retryWait: () => {
      const milliseconds = backoff(retries);
      retries += 1;
      return delay(milliseconds);
    },
    keepAlive: pingMilliseconds,
    on: {
      connecting: () => {
        deadline = setTimeout(() => ws.terminate(), connectMilliseconds);
      },
      connected: () => {
        clearTimeout(deadline);
        change({ ...state, isConnected: true, connection: state.connection + 1 });
      },
      closed: (event) => {
        clearTimeout(deadline);
        clearTimeout(pong);
        change({ ...state, isConnected: false });
        if ((event as CloseEvent).code === forbidden) onSignedOut();
      },
      ping: (received) => {
        if (!received) pong = setTimeout(() => ws.terminate(), pongMilliseconds);
      },
      pong: (received) => {
        if (!received) return;
        clearTimeout(pong);
        // Only now: a server that takes connections and drops them at once is not to be hammered.
        retries = 0;
      },
    },
  });

  let slow = 0;
  const patiently: typeof fetch = async (address, init) => {
    let isSlow = false;
    const timer = setTimeout(() => {
      isSlow = true;
      slow += 1;
      change({ ...state, isSlow: true });
    }, slowMilliseconds);
    try {
      return await fetchWithin(lateMilliseconds)(address, init);
    } finally {
      clearTimeout(timer);
      if (isSlow) {
        slow -= 1;
        change({ ...state, isSlow: slow > 0 });
      }
    }
  };
  const options = {
    url: '/graphql',
    fetch: patiently,
    preferGetMethod: false,
    fetchOptions: {
      credentials: 'same-origin',
      headers: { ...ownPage, accept: 'application/graphql-response+json, application/json' },
    },
  } as const;
  const failed = new Map<number, CombinedError>();
  const failureListeners = new Set<() => void>();
  const onResult = ({ operation: { kind, key }, error }: OperationResult) => {
    if (kind !== 'query' || failed.get(key) === error) return;
    if (error === undefined) failed.delete(key);
    else failed.set(key, error);
    for (const listener of failureListeners) listener();
  };
  const onError = (error: CombinedError) => {
    if (error.graphQLErrors.some(({ extensions }) => extensions['code'] === 'UNAUTHENTICATED')) onSignedOut();
  };
  const client = new Client({
    ...options,
    requestPolicy: 'cache-and-network',
    exchanges: [
      mapExchange({ onError }),
      cacheExchange({ keys: Object.fromEntries(parts.map((name) => [name, () => null])) }),
      mapExchange({ onResult }),
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query = '', variables }) => ({
          subscribe: (sink) => ({
            unsubscribe: ws.subscribe(
              { query, variables: variables ?? null },
              {
                ...sink,
                next: ({ data = null, errors }) => sink.next({ data, ...(errors && { errors }) }),
                complete: () => {
                  // Whose first event never came would end without a word.
                  sink.next({ data: null, hasNext: false });
                  sink.complete();
                },
              },
            ),
          }),
        }),
      }),
    ],
  });
  const uncached = new Client({
    ...options,
    exchanges: [
      mapExchange({
        onError,
        // As the cache would have it, and the server that runs nothing but trusted documents.
        onOperation: (operation) =>
          makeOperation(
            operation.kind,
            { ...operation, query: formatDocument(operation.query) },
            operation.context,
          ),
      }),
      fetchExchange,
    ],
  });
  return {
    client,
    uncached,
    link: {
      subscribe: (onChange) => {
        listeners.add(onChange);
        return () => listeners.delete(onChange);
      },
      state: () => state,
      restart: () => ws.terminate(),
    },
    failures: {
      subscribe: (onChange) => {
        failureListeners.add(onChange);
        return () => failureListeners.delete(onChange);
      },
      of: (key) => failed.get(key),
    },
    close: () => {
      // Rejected where it is just connecting anew: there is nothing to close then.
      Promise.resolve(ws.dispose()).catch(() => {});
    },
  };
}

/** Why an answer is none, in the server's own words where it has some. */
export function problemOf(error: CombinedError | undefined): string | null {
  if (error === undefined) return null;
  const [refusal] = error.graphQLErrors;
  if (refusal !== undefined) return refusal.message;
  if (error.response !== undefined) return words.link.failed((error.response as Response).status);
  return error.networkError?.name === 'TimeoutError' ? words.link.late : words.link.unreachable;
}

/** A `fetch` that gives up an answer which is not there in time: a server that is frozen says nothing. */
export function fetchWithin(milliseconds: number): typeof fetch {
  return (address, init) => {
    const signals = [AbortSignal.timeout(milliseconds), ...(init?.signal == null ? [] : [init.signal])];
    return fetch(address, { ...init, signal: AbortSignal.any(signals) });
  };
}

/** How long to wait before trying again, in milliseconds: longer each time, and not for all at one moment. */
export function backoff(failures: number): number {
  return Math.min(500 * 2 ** failures, 10_000) * (0.5 + Math.random());
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
