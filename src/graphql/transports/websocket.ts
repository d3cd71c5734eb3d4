import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ExecutionResult, GraphQLError } from 'graphql';
import { CloseCode, handleProtocols, makeServer } from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Actor } from '../../kernel/actor.ts';
import type { Log } from '../../kernel/log.ts';
import type { Membership, SharedEvent } from '../../live/groups.ts';
import { presentError } from '../errors.ts';
import { type Arrival, type Graphql, presentResult } from './http.ts';
import { type Operation, type Payload, prepare } from './operation.ts';
import type { Sharing } from './sharing.ts';

export interface WebSocketOptions {
  readonly graphql: Graphql;
  readonly sharing: Sharing;
  /** Who the key of `connection_init` belongs to; null refuses the connection. */
  readonly authenticate: (authorization: string | null) => Actor | null;
  readonly newRequestId: () => string;
  readonly log: Log;
}

export interface WebSockets {
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /**
   * Refuses new operations (UNAVAILABLE), answers those that were accepted, and says goodbye to every client (1001), so
   * that it connects elsewhere.
   */
  close(): Promise<void>;
}

/** One client. */
interface Connection {
  readonly socket: WebSocket;
  actor: Actor | null;
  /** The operation that the message under way began. */
  begun: Running | null;
}

type Extra = Record<PropertyKey, unknown> & Connection;

/**
 * An operation under way. To graphql-ws it is a source of no events: `return` says that its client completed it, or
 * left; `next` is fulfilled when the subscription ends by itself.
 */
interface Running extends AsyncIterableIterator<never, void, void> {
  /** Nobody waits for it any more. */
  readonly isOver: boolean;
  membership: Membership | null;
  end(): void;
}

/** What travels through graphql-ws from the reading of an operation to its execution. */
interface Prepared {
  readonly operation: Operation;
  readonly connection: Connection;
  readonly arrival: Arrival;
  readonly id: string;
  readonly payload: Payload;
  readonly running: Running;
}

const maxMessageBytes = 1024 * 1024;
/** A client that does not answer a ping until the next one is gone. */
const pingMilliseconds = 12_000;
/** A client that does not answer the goodbye for so long is cut off. */
const goodbyeMilliseconds = 1000;

/**
 * `graphql-transport-ws`: graphql-ws leads the protocol's life, and groups of equal subscriptions write their events
 * straight to the sockets. Whatever is wrong with an operation costs that operation, never the socket it came on.
 */
export function createWebSockets({
  graphql,
  sharing,
  authenticate,
  newRequestId,
  log,
}: WebSocketOptions): WebSockets {
  const server = new WebSocketServer({ noServer: true, maxPayload: maxMessageBytes, handleProtocols });
  /** Accepted and not answered yet; a subscription's first event is its answer. */
  const inFlight = new Set<Running>();
  const idle = Promise.withResolvers<void>();
  let isDraining = false;

  function settle(running: Running): void {
    inFlight.delete(running);
    if (isDraining && inFlight.size === 0) idle.resolve();
  }

  const protocol = makeServer<Record<string, unknown>, Extra>({
    connectionInitWaitTimeout: 5_000,
    onConnect: ({ connectionParams, extra }) => {
      const { authorization, Authorization } = connectionParams ?? {};
      const given = authorization ?? Authorization;
      extra.actor = authenticate(typeof given === 'string' ? given : null);
      // false closes with 4403 Forbidden.
      return extra.actor !== null;
    },
    onSubscribe: async ({ extra: connection, subscriptions }, id, payload) => {
      const requestId = newRequestId();
      const { actor } = connection;
      if (actor === null) throw new Error('A socket without an actor');
      if (isDraining) return [goingAway(requestId)];
      const running = createRunning(settle);
      inFlight.add(running);
      connection.begun = running;
      // graphql-ws returns what it finds here when the client completes the operation or leaves, from now on.
      subscriptions[id] = running;
      const arrival = { actor, requestId };
      const operation = await prepare(graphql, arrival, payload, log);
      if (running.isOver) return never();
      if (!('args' in operation)) return operation;
      const rootValue: Prepared = { operation, connection, arrival, id, payload, running };
      return { ...operation.args, rootValue };
    },
    execute: async (args) => {
      const { operation, arrival, running } = args.rootValue as Prepared;
      let result: ExecutionResult;
      try {
        result = presentResult(await operation.execute(operation.args), arrival.requestId, log);
      } catch (error) {
        result = { errors: [presentError(error, 'INVALID_INPUT', arrival.requestId, log)] };
      }
      return running.isOver ? never() : result;
    },
    subscribe: async (args) => {
      const { operation, connection, arrival, id, payload, running } = args.rootValue as Prepared;
      running.membership = sharing.subscribe(payload, operation.args, arrival, {
        isReady: () => true,
        send: createSender(connection.socket, id),
        end: () => running.end(),
      });
      let result: ExecutionResult | Running = running;
      try {
        await running.membership.started;
        settle(running);
      } catch (error) {
        result = sharing.explain(error, arrival);
      }
      return running.isOver ? never() : (result as ExecutionResult);
    },
  });

  function open(socket: WebSocket): void {
    const connection: Connection = { socket, actor: null, begun: null };
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send: (text) => {
          if (socket.readyState === socket.OPEN) socket.send(text);
        },
        close: (code, reason) => socket.close(code, reason),
        onMessage: (handle) => {
          socket.on('message', (data: Buffer) => {
            const handling = handle(data.toString());
            const { begun } = connection;
            connection.begun = null;
            handling
              .catch((error: unknown) => {
                log.error({ err: error }, 'could not handle a message');
                socket.close(CloseCode.InternalServerError, 'Internal server error');
              })
              .finally(() => {
                if (begun !== null) settle(begun);
              });
          });
        },
      },
      connection as Extra,
    );
    // A frame that breaks the protocol is the client's mistake, and ws closes the socket with the right code.
    socket.on('error', (error) => {
      log.debug({ err: error }, 'a WebSocket client broke the protocol');
    });
    socket.once('close', (code, reason) => {
      void closed(code, reason.toString());
    });
  }

  const stopPinging = pingAll(server);

  return {
    upgrade: (request, socket, head) => server.handleUpgrade(request, socket, head, open),
    close: async () => {
      isDraining = true;
      // What was accepted is answered before the goodbye, and before the database is closed under it.
      if (inFlight.size > 0) await idle.promise;
      stopPinging();
      for (const client of server.clients) client.close(1001, 'Going away');
      const cutOff = setTimeout(() => {
        for (const client of server.clients) client.terminate();
      }, goodbyeMilliseconds);
      await new Promise<void>((closed) => {
        server.close(() => closed());
      });
      clearTimeout(cutOff);
    },
  };
}

/** Of an operation that nobody waits for: graphql-ws must not go on with it, as its id may be another's by now. */
function never(): Promise<never> {
  return new Promise(() => {});
}

function createRunning(onOver: (running: Running) => void): Running {
  const ended = Promise.withResolvers<void>();
  let isOver = false;
  const running: Running = {
    get isOver() {
      return isOver;
    },
    membership: null,
    end: () => ended.resolve(),
    next: async () => {
      await ended.promise;
      return isOver ? never() : { done: true, value: undefined };
    },
    return: () => {
      isOver = true;
      running.membership?.leave();
      onOver(running);
      return Promise.resolve({ done: true, value: undefined });
    },
    [Symbol.asyncIterator]: () => running,
  };
  return running;
}

/** Writes an event as the message that it is to one subscription: only the subscription's id is its own. */
function createSender(socket: WebSocket, id: string): (event: SharedEvent) => void {
  const start = `{"id":${JSON.stringify(id)},"type":"next","payload":`;
  const startBytes = Buffer.byteLength(start);
  return ({ bytes }) => {
    if (socket.readyState !== socket.OPEN) return;
    const message = Buffer.allocUnsafe(startBytes + bytes.length + 1);
    message.write(start);
    bytes.copy(message, startBytes);
    message.write('}', startBytes + bytes.length);
    socket.send(message, { binary: false });
  };
}

/** Pings every client, and cuts off those that did not answer the last ping. @returns stops it */
function pingAll(server: WebSocketServer): () => void {
  const silent = new WeakSet<WebSocket>();
  const timer = setInterval(() => {
    for (const client of server.clients) {
      if (silent.has(client)) {
        client.terminate();
        continue;
      }
      silent.add(client);
      client.once('pong', () => silent.delete(client));
      client.ping();
    }
  }, pingMilliseconds);
  timer.unref();
  return () => clearInterval(timer);
}

/** The server stops: another one, or this one in a moment, takes the operation. */
function goingAway(requestId: string): GraphQLError {
  return new GraphQLError('The server is stopping; connect again.', {
    extensions: { code: 'UNAVAILABLE', retryAfterSeconds: 1, requestId },
  });
}
