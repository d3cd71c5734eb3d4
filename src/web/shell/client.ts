import { cacheExchange } from '@urql/exchange-graphcache';
import { createClient as createLink } from 'graphql-ws';
import {
  Client,
  type CombinedError,
  fetchExchange,
  formatDocument,
  makeOperation,
  mapExchange,
  subscriptionExchange,
} from 'urql';
import { words } from '../words.ts';
import { ownPage } from './session.ts';

/** What is known of the connection that live figures come on. */
export interface LinkState {
  readonly isConnected: boolean;
  /** Counts the connections: what came on an earlier one is not live any more. */
  readonly connection: number;
}

/** The connection that live figures come on, for `useSyncExternalStore`. */
export interface Link {
  readonly subscribe: (onChange: () => void) => () => void;
  readonly state: () => LinkState;
  /** Connects anew, and has nothing for live until then: for who cannot trust the connection that there is. */
  readonly restart: () => void;
}

export interface Api {
  readonly client: Client;
  /** For what is asked again and again with other instants: it keeps no answer, where the cache would keep each. */
  readonly uncached: Client;
  readonly link: Link;
  readonly close: () => void;
}

/** A connection that says nothing for so long is asked whether it lives, and is given so long to answer. */
const [pingMilliseconds, pongMilliseconds] = [5_000, 4_000];
/** One that is not there by then is given up: whoever is frozen says nothing, and browsers wait for minutes. */
const connectMilliseconds = 10_000;
const forbidden = 4403;

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
  let state: LinkState = { isConnected: false, connection: 0 };
  let [pong, deadline]: (ReturnType<typeof setTimeout> | undefined)[] = [];
  let retries = 0;
  const change = (to: LinkState) => {
    state = to;
    for (const listener of listeners) listener();
  };
  const ws = createLink({
    url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/graphql`,
    lazy: true,
    // For ever: a page that was left open over night is live in the morning.
    retryAttempts: Infinity,
    shouldRetry: () => true,
    retryWait: () => {
      const milliseconds = Math.min(500 * 2 ** retries, 10_000);
      retries += 1;
      return delay(milliseconds * (0.5 + Math.random()));
    },
    keepAlive: pingMilliseconds,
    on: {
      connecting: () => {
        deadline = setTimeout(() => ws.terminate(), connectMilliseconds);
      },
      connected: () => {
        clearTimeout(deadline);
        change({ isConnected: true, connection: state.connection + 1 });
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

  const options = {
    url: '/graphql',
    preferGetMethod: false,
    fetchOptions: {
      credentials: 'same-origin',
      headers: { ...ownPage, accept: 'application/graphql-response+json, application/json' },
    },
  } as const;
  const onError = (error: CombinedError) => {
    if (error.graphQLErrors.some(({ extensions }) => extensions['code'] === 'UNAUTHENTICATED')) onSignedOut();
  };
  const client = new Client({
    ...options,
    requestPolicy: 'cache-and-network',
    exchanges: [
      mapExchange({ onError }),
      cacheExchange({ keys: Object.fromEntries(parts.map((name) => [name, () => null])) }),
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query = '', variables }) => ({
          subscribe: (sink) => ({
            unsubscribe: ws.subscribe(
              { query, variables: variables ?? null },
              { ...sink, next: ({ data = null, errors }) => sink.next({ data, ...(errors && { errors }) }) },
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
    close: () => {
      // Rejected where it is just connecting anew: there is nothing to close then.
      Promise.resolve(ws.dispose()).catch(() => {});
    },
  };
}

/** Why an answer is none, in the server's own words. */
export function problemOf(error: CombinedError | undefined): string | null {
  if (error === undefined) return null;
  return error.graphQLErrors[0]?.message ?? words.link.unreachable;
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
