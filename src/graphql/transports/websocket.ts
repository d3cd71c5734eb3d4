import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ExecutionResult } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import type { Actor } from '../../kernel/actor.ts';
import type { Log } from '../../kernel/log.ts';
import { presentError } from '../errors.ts';
import { type Graphql, presentEach, presentResult } from './http.ts';
import { prepare } from './operation.ts';

export interface WebSocketOptions {
  readonly graphql: Graphql;
  /** Who the key of `connection_init` belongs to; null refuses the connection. */
  readonly authenticate: (authorization: string | null) => Actor | null;
  readonly newRequestId: () => string;
  readonly log: Log;
}

export interface WebSockets {
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Says goodbye to every client (1001), so that it connects elsewhere. */
  close(): Promise<void>;
}

type Extra = Record<PropertyKey, unknown> & { actor?: Actor };

const maxMessageBytes = 1024 * 1024;

/** `graphql-transport-ws`. Whatever is wrong with an operation costs that operation, never the socket it came on. */
export function createWebSockets({ graphql, authenticate, newRequestId, log }: WebSocketOptions): WebSockets {
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: maxMessageBytes,
    handleProtocols: (protocols) => (protocols.has('graphql-transport-ws') ? 'graphql-transport-ws' : false),
  });

  const inFlight = new Set<Promise<unknown>>();
  const cleanup = useServer<Record<string, unknown>, Extra>(
    {
      connectionInitWaitTimeout: 5_000,
      // What goes wrong inside is not told in a close reason.
      isProd: true,
      onConnect: ({ connectionParams, extra }) => {
        const { authorization, Authorization } = connectionParams ?? {};
        const given = authorization ?? Authorization;
        const actor = authenticate(typeof given === 'string' ? given : null);
        // false closes with 4403 Forbidden.
        if (actor === null) return false;
        extra.actor = actor;
        return true;
      },
      onSubscribe: async ({ extra }, _id, payload) => {
        const requestId = newRequestId();
        const { actor } = extra;
        if (actor === undefined) throw new Error('A socket without an actor');
        const operation = await prepare(graphql, { actor, requestId }, payload, log);
        if (!('args' in operation)) return operation;
        const { args, execute, subscribe } = operation;
        return { ...args, rootValue: { execute, subscribe, requestId } } as never;
      },
      execute: async (args) => {
        const { execute, requestId } = args.rootValue as Enveloped;
        const execution = (async () => execute({ ...args, rootValue: undefined }))();
        inFlight.add(execution);
        try {
          const result = (await execution) as ExecutionResult;
          return presentResult(result, requestId, log);
        } catch (error) {
          return { errors: [presentError(error, 'INVALID_INPUT', requestId, log)] };
        } finally {
          inFlight.delete(execution);
        }
      },
      subscribe: async (args) => {
        const { subscribe, requestId } = args.rootValue as Enveloped;
        try {
          const result = await subscribe({ ...args, rootValue: undefined });
          return Symbol.asyncIterator in (result as object)
            ? (presentEach(result as AsyncIterable<ExecutionResult>, requestId, log) as never)
            : presentResult(result as ExecutionResult, requestId, log);
        } catch (error) {
          return { errors: [presentError(error, 'INVALID_INPUT', requestId, log)] };
        }
      },
    },
    server,
  );

  return {
    upgrade: (request, socket, head) => {
      server.handleUpgrade(request, socket, head, (client) => {
        server.emit('connection', client, request);
        // A frame that breaks the protocol is the client's mistake, and ws closes the socket with the right code. The
        // listener that graphql-ws adds prints to the console, and is gone after the first error.
        client.removeAllListeners('error');
        client.on('error', (error) => {
          log.debug({ err: error }, 'a WebSocket client broke the protocol');
        });
      });
    },
    close: async () => {
      // What was accepted is answered before the goodbye, and before the database is closed under it.
      await Promise.allSettled(inFlight);
      await cleanup.dispose();
    },
  };
}

interface Enveloped {
  readonly execute: (args: object) => unknown;
  readonly subscribe: (args: object) => unknown;
  readonly requestId: string;
}
