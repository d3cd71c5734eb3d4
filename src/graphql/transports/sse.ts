import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ExecutionResult, OperationTypeNode } from 'graphql';
import type { Log } from '../../kernel/log.ts';
import type { SharedEvent } from '../../live/groups.ts';
import { type Arrival, asPayload, type Graphql, readPayload, refuse, refuseConnection } from './http.ts';
import type { Connections, LiveLimits } from './limits.ts';
import { type Payload, prepare } from './operation.ts';
import { createOutlet } from './outlet.ts';
import type { Sharing } from './sharing.ts';
import type { TrustedDocuments } from './trusted.ts';

export interface EventStreamOptions {
  readonly graphql: Graphql;
  readonly sharing: Sharing;
  readonly limits: LiveLimits;
  readonly connections: Connections;
  readonly log: Log;
}

export interface EventStreams {
  /**
   * A subscription over SSE, in the protocol of graphql-sse with a connection each. Whatever is not quite that, and
   * whatever may not run, is left to Yoga, which has the same protocol.
   * @returns whether the request was answered
   */
  answer(
    request: IncomingMessage,
    body: Buffer,
    response: ServerResponse,
    arrival: Arrival,
  ): Promise<boolean>;
  /** Breaks every stream off without saying that it is complete, so that its client comes back; takes no more. */
  close(): void;
}

/** What is between has time to live: some proxies cut a silent connection after half a minute. */
const pingMilliseconds = 12_000;
const ping = ':\n\n';

export function createEventStreams({
  graphql,
  sharing,
  limits,
  connections,
  log,
}: EventStreamOptions): EventStreams {
  const open = new Map<ServerResponse, () => void>();
  let isDraining = false;
  const pings = setInterval(() => {
    for (const keepAlive of open.values()) keepAlive();
  }, pingMilliseconds);
  pings.unref();

  return {
    answer: async (request, body, response, arrival) => {
      const payload = readSubscription(request, body, graphql.documents);
      if (payload === null) return false;
      const operation = prepare(graphql, arrival, payload, log);
      if (!('args' in operation) || operation.kind !== OperationTypeNode.SUBSCRIPTION) return false;
      const charged = graphql.charge(arrival.actor, operation.cost.requested);
      if (charged !== null && (await charged) !== null) return false;
      // The client left while its request was read.
      if (response.destroyed) return true;

      const { requestId, actor } = arrival;
      if (isDraining) {
        const message = 'The server is stopping; connect again.';
        response.setHeader('retry-after', '1');
        refuse(response, 503, { code: 'UNAVAILABLE', message, requestId, retryAfterSeconds: 1 });
        return true;
      }
      const leave = connections.enterKnown(actor);
      if (leave === null) {
        refuseConnection(response, requestId);
        return true;
      }

      const outlet = createOutlet({
        stream: response,
        socket: request.socket,
        stalledMilliseconds: limits.stalledMilliseconds,
        onStalled: () => response.destroy(),
      });
      const write = (chunk: string | Buffer) => {
        if (response.destroyed || response.writableEnded) return;
        if (!response.headersSent) {
          response.writeHead(200, {
            'content-type': 'text/event-stream',
            connection: 'keep-alive',
            'cache-control': 'no-cache',
            'content-encoding': 'none',
          });
          // Some browsers show the headers to nobody until something follows them.
          response.write(`${retry()}${ping}`);
        }
        response.write(chunk);
        outlet.written();
      };
      const complete = () => {
        write('event: complete\ndata:\n\n');
        response.end();
      };
      const membership = sharing.subscribe(payload, operation.args, arrival, {
        isReady: outlet.isReady,
        send: (event) => write(frameOf(event)),
        end: complete,
      });
      outlet.memberships.add(membership);
      // Nobody can ask a client of an event stream whether it is there still: one that is comes back.
      const life = setTimeout(
        () => response.destroy(),
        limits.streamMilliseconds * (0.8 + Math.random() / 5),
      );
      life.unref();
      open.set(response, () => {
        if (outlet.isReady()) write(ping);
      });
      response.once('close', () => {
        clearTimeout(life);
        open.delete(response);
        membership.leave();
        outlet.close();
        leave();
      });
      try {
        await membership.started;
      } catch (error) {
        write(frame(JSON.stringify(sharing.explain(error, arrival) satisfies ExecutionResult)));
        complete();
      }
      return true;
    },
    close: () => {
      isDraining = true;
      clearInterval(pings);
      for (const response of open.keys()) response.destroy();
    },
  };
}

const frames = new WeakMap<SharedEvent, Buffer>();

/** An event as its bytes on every stream. */
function frameOf(event: SharedEvent): Buffer {
  let bytes = frames.get(event);
  if (bytes === undefined) {
    bytes = Buffer.from(frame(event.text));
    frames.set(event, bytes);
  }
  return bytes;
}

/** When a client that lost its stream comes back; not the same for all of them, whom a deploy cuts off at one time. */
function retry(): string {
  return `retry: ${Math.round(1000 + Math.random() * 2000)}\n`;
}

function frame(text: string): string {
  return `event: next\ndata: ${text}\n\n`;
}

function readSubscription(
  request: IncomingMessage,
  body: Buffer,
  documents: TrustedDocuments,
): Payload | null {
  const accepted = (request.headers.accept ?? '').split(',').map((type) => type.split(';', 1)[0]?.trim());
  if (!accepted.includes('text/event-stream') || accepted.includes('multipart/mixed')) return null;
  return request.method === 'GET'
    ? readQuery(request.url ?? '', documents)
    : readPayload(request, body, documents);
}

/** As a browser's EventSource asks. */
function readQuery(url: string, documents: TrustedDocuments): Payload | null {
  const parameters = new URLSearchParams(url.slice(url.indexOf('?') + 1));
  try {
    const payload: Record<string, unknown> = {};
    for (const [name, value] of parameters) {
      if (name in payload) return null;
      payload[name] = name === 'variables' || name === 'extensions' ? JSON.parse(value) : value;
    }
    return asPayload(payload, documents);
  } catch {
    return null;
  }
}
