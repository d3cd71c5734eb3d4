import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type ExecutionArgs, type ExecutionResult, GraphQLError } from 'graphql';
import { CloseCode, handleProtocols, makeServer } from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Actor } from '../../kernel/actor.ts';
import { earliest } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Proofs, SignIn } from '../../kernel/proof.ts';
import type { SharedEvent } from '../../live/groups.ts';
import { presentError } from '../errors.ts';
import { type Arrival, type Graphql, presentResult } from './http.ts';
import type { Connections, LiveLimits } from './limits.ts';
import { type Operation, type Payload, prepare } from './operation.ts';
import { createOutlet, type Outlet } from './outlet.ts';
import { type RateLimited, rateLimitedError, type Rates } from './rates.ts';
import type { Sharing } from './sharing.ts';

export interface WebSocketOptions {
  readonly graphql: Graphql;
  readonly sharing: Sharing;
  /** Who `connection_init` comes from, and for how long. */
  readonly proofs: Proofs;
  /** What the browser shows by itself, for a `connection_init` that says nothing. */
  readonly signInOf: (request: IncomingMessage) => SignIn | null;
  /** Hears of each connection that nobody is known for. */
  readonly onUnknown: (address: string) => void;
  readonly newRequestId: () => string;
  /** Where a client is, as one party: whose wrong keys are counted together. */
  readonly addressOf: (request: IncomingMessage) => string;
  readonly rates: Rates;
  readonly limits: LiveLimits;
  readonly connections: Connections;
  readonly log: Log;
}

export interface WebSockets {
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void;
  /**
   * Refuses new operations (UNAVAILABLE), answers those that were accepted, and says goodbye to every client (1001), so
   * that it connects elsewhere.
   */
  close(): Promise<void>;
}

/** One client. */
interface Connection {
  readonly socket: WebSocket;
  /** What the socket is a protocol on. */
  readonly stream: Socket;
  readonly outlet: Outlet;
  readonly address: string;
  readonly signIn: SignIn | null;
  actor: Actor | null;
  /** Takes it off its caller's count. */
  leaveCaller: (() => void) | null;
  /** Nobody waits for the end of its proof any more. */
  unwatch: (() => void) | null;
  subscriptions: number;
  /** Operations that were accepted and not answered yet. */
  unanswered: number;
  /** It has not answered the last ping yet. */
  isSilent: boolean;
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
  /** Lets go of what the operation holds, when it is over: at once where it is already. */
  onOver(release: () => void): void;
  /** The subscription has ended by itself. */
  end(): void;
  /** It was answered to its end, or its client left it. */
  finish(): void;
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

/** Holds it for as long as it travels only: graphql-ws keeps what it was handed until the subscription ends. */
interface Parcel {
  content: Prepared | null;
}

/** So many operations of one client are under way; what it asks beyond waits in the network. */
const maxUnanswered = 100;
/** What was accepted is waited for so long when the server stops: what has no answer by then has no database. */
const answersMilliseconds = 3000;
/** Who has not said who they are has little to say. */
const maxEarlyBytes = 64 * 1024;
/** Far beyond any that a client makes up; each subscription keeps its own. */
const maxIdLength = 256;
/** A client that does not answer a ping until the next one is gone. */
const pingMilliseconds = 12_000;
/** A client that does not answer the goodbye for so long is cut off. */
const goodbyeMilliseconds = 1000;
/** What a stalled client has not taken by then, its goodbye included, is let go. */
const stalledGoodbyeMilliseconds = 10_000;
/** A close code after which clients of graphql-ws connect again, later. */
const tryAgainLater = 1013;

/**
 * `graphql-transport-ws`: graphql-ws leads the protocol's life, and groups of equal subscriptions write their events
 * straight to the sockets. Whatever is wrong with an operation costs that operation, never the socket it came on.
 */
export function createWebSockets({
  graphql,
  sharing,
  proofs,
  signInOf,
  onUnknown,
  newRequestId,
  addressOf,
  rates,
  limits,
  connections,
  log,
}: WebSocketOptions): WebSockets {
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: limits.maxMessageBytes,
    handleProtocols,
    // Not in its types yet. Without it whoever is told goodbye and says nothing stays for 30 s, with all they sent.
    ...{ closeTimeout: stalledGoodbyeMilliseconds },
  });
  const open = new Set<Connection>();
  /** Accepted and not answered yet; a subscription's first event is its answer. */
  const inFlight = new Set<Running>();
  const idle = Promise.withResolvers<void>();
  let isDraining = false;

  function settle(running: Running, connection: Connection): void {
    if (!inFlight.delete(running)) return;
    connection.unanswered -= 1;
    listen(connection);
    if (isDraining && inFlight.size === 0) idle.resolve();
  }

  const protocol = makeServer<Record<string, unknown>, Extra>({
    connectionInitWaitTimeout: limits.initMilliseconds,
    onConnect: async ({ connectionParams, extra }) => {
      const { authorization, Authorization } = connectionParams ?? {};
      const said = authorization ?? Authorization;
      const given = typeof said === 'string' ? said : null;
      // What a client says counts, also where it is wrong: it would not learn that it is.
      const signIn = said === undefined ? extra.signIn : null;
      if (rates.shutOut(extra.address) !== null) {
        extra.socket.close(tryAgainLater, 'Too many wrong keys');
        return false;
      }
      try {
        extra.actor = await proofs.authenticate(given ?? signIn?.authorization ?? null);
      } catch (error) {
        const { message } = presentError(error, 'BAD_REQUEST', newRequestId(), log);
        extra.socket.close(tryAgainLater, message);
        return true;
      }
      if (extra.actor === null) {
        if (given !== null) rates.failed(extra.address, given);
        onUnknown(extra.address);
        // false closes with 4403 Forbidden.
        return false;
      }
      // Nobody would tell of its end: it was closed while it was found out who it is.
      if (extra.socket.readyState !== extra.socket.OPEN) return true;
      const expiresAt = earliest(extra.actor.expiresAt, signIn?.expiresAt ?? null);
      extra.unwatch = proofs.watch({ ...extra.actor, expiresAt }, () => dismiss(extra.socket));
      extra.leaveCaller = connections.enterAs(extra.actor);
      if (extra.leaveCaller === null) extra.socket.close(tryAgainLater, 'Too many connections');
      return true;
    },
    onSubscribe: async ({ extra: connection, subscriptions }, id, payload) => {
      const requestId = newRequestId();
      const { actor } = connection;
      if (actor === null) throw new Error('A socket without an actor');
      if (isDraining) return [goingAway(requestId)];
      const running = createRunning();
      inFlight.add(running);
      connection.unanswered += 1;
      listen(connection);
      running.onOver(() => settle(running, connection));
      connection.begun = running;
      // graphql-ws returns what it finds here when the client completes the operation or leaves, from now on.
      subscriptions[id] = running;
      const arrival = { actor, requestId };
      const refusal = async (limited: Promise<RateLimited | null> | null) => {
        const told = await limited;
        return told === null ? null : [presentError(rateLimitedError(told), 'BAD_REQUEST', requestId, log)];
      };
      const refused = id.length > maxIdLength ? [longId(requestId)] : await refusal(rates.admit(actor));
      // Its client may have completed it in the same breath, and given its id to another.
      await Promise.resolve();
      if (running.isOver) return never();
      if (refused !== null) return refused;
      const expanded = graphql.documents.expand(payload);
      if (expanded instanceof GraphQLError) return [presentError(expanded, 'BAD_REQUEST', requestId, log)];
      const operation = prepare(graphql, arrival, expanded, log);
      if (!('args' in operation)) return operation;
      const overdrawn = await refusal(graphql.charge(actor, operation.cost.requested));
      if (running.isOver) return never();
      if (overdrawn !== null) return overdrawn;
      const { schema, document, operationName } = operation.args;
      const content: Prepared = { operation, connection, arrival, id, payload: expanded, running };
      const rootValue: Parcel = { content };
      return { schema, document, operationName, rootValue, contextValue: null };
    },
    execute: async (args) => {
      const { operation, arrival, running } = unpack(args);
      let result: ExecutionResult;
      try {
        const { cost } = operation;
        result = presentResult(await graphql.execute(operation.args), arrival.requestId, log);
        if ('data' in result) result = { ...result, extensions: { cost } };
      } catch (error) {
        result = { errors: [presentError(error, 'INVALID_INPUT', arrival.requestId, log)] };
      }
      return running.isOver ? never() : result;
    },
    subscribe: async (args) => {
      const { operation, connection, arrival, id, payload, running } = unpack(args);
      if (running.isOver) return never();
      if (connection.subscriptions >= limits.maxSubscriptions) {
        return { errors: [tooManySubscriptions(limits.maxSubscriptions, arrival.requestId)] };
      }
      const { outlet } = connection;
      const membership = sharing.subscribe(payload, operation.args, arrival, {
        isReady: outlet.isReady,
        send: createSender(connection, id),
        end: () => running.end(),
      });
      connection.subscriptions += 1;
      outlet.memberships.add(membership);
      running.onOver(() => {
        connection.subscriptions -= 1;
        outlet.memberships.delete(membership);
        membership.leave();
      });
      let result: ExecutionResult | Running = running;
      try {
        await membership.started;
        settle(running, connection);
      } catch (error) {
        result = sharing.explain(error, arrival);
      }
      return running.isOver ? never() : (result as ExecutionResult);
    },
  });

  function welcome(socket: WebSocket, stream: Socket, address: string, signIn: SignIn | null): void {
    const outlet = createOutlet({
      ...{ stream, socket: stream },
      stalledMilliseconds: limits.stalledMilliseconds,
      // Who does not take answers may not ask for more.
      onBlocked: () => listen(connection),
      onReady: () => listen(connection),
      onStalled: () => {
        socket.resume();
        socket.close(tryAgainLater, 'Too slow');
        setTimeout(() => socket.terminate(), stalledGoodbyeMilliseconds).unref();
      },
    });
    const connection: Connection = {
      socket,
      stream,
      outlet,
      address,
      signIn,
      actor: null,
      leaveCaller: null,
      unwatch: null,
      subscriptions: 0,
      unanswered: 0,
      isSilent: false,
      begun: null,
    };
    open.add(connection);
    const begun = stream.bytesRead;
    const onEarly = () => {
      if (connection.actor !== null) stream.off('data', onEarly);
      else if (stream.bytesRead - begun > maxEarlyBytes) socket.terminate();
    };
    stream.on('data', onEarly);
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send: (text) => send(connection, text),
        close: (code, reason) => socket.close(code, shortened(reason)),
        onMessage: (handle) => {
          socket.on('message', (data: Buffer) => {
            // Who was told goodbye is not served any more, whatever else they sent.
            if (socket.readyState !== socket.OPEN) return;
            const handling = handle(data.toString());
            const { begun } = connection;
            connection.begun = null;
            handling
              .catch((error: unknown) => {
                if (isUnexpectedMessage(error)) {
                  socket.close(CloseCode.BadRequest, 'Unexpected message');
                  return;
                }
                log.error({ err: error }, 'could not handle a message');
                socket.close(CloseCode.InternalServerError, 'Internal server error');
              })
              .finally(() => begun?.finish());
          });
        },
      },
      connection as Extra,
    );
    // A frame that breaks the protocol is the client's mistake, and ws closes the socket with the right code.
    socket.on('error', (error) => {
      log.debug({ err: error }, 'a WebSocket client broke the protocol');
    });
    socket.on('pong', () => {
      connection.isSilent = false;
    });
    socket.once('close', (code, reason) => {
      open.delete(connection);
      outlet.close();
      connection.leaveCaller?.();
      connection.unwatch?.();
      void closed(code, reason.toString());
    });
  }

  const pings = setInterval(() => {
    for (const connection of open) {
      const { socket, outlet, isSilent } = connection;
      // One that takes nothing has a limit of its own.
      if (!outlet.isReady()) continue;
      if (isSilent) {
        socket.terminate();
      } else {
        connection.isSilent = true;
        socket.ping();
      }
    }
  }, pingMilliseconds);
  pings.unref();

  return {
    upgrade: (request, socket, head) => {
      const leave = isDraining ? null : connections.enter();
      if (leave === null) {
        refuseUpgrade(socket, '503 Service Unavailable\r\nretry-after: 1');
        return;
      }
      socket.once('close', leave);
      // Asked while the connection is known to be there.
      const address = addressOf(request);
      const signIn = signInOf(request);
      server.handleUpgrade(request, socket, head, (client) => welcome(client, socket, address, signIn));
    },
    close: async () => {
      isDraining = true;
      // What was accepted is answered before the goodbye, and before the database is closed under it.
      if (inFlight.size > 0) {
        await Promise.race([idle.promise, delay(answersMilliseconds, undefined, { ref: false })]);
      }
      clearInterval(pings);
      for (const { socket } of open) socket.close(1001, 'Going away');
      const cutOff = setTimeout(() => {
        for (const { socket } of open) socket.terminate();
      }, goodbyeMilliseconds);
      await new Promise<void>((closed) => {
        server.close(() => closed());
      });
      clearTimeout(cutOff);
    },
  };
}

/** Takes what a client says where there is room for the answers, and few enough are still to come. */
function listen({ socket, outlet, unanswered }: Connection): void {
  if (outlet.isReady() && unanswered < maxUnanswered) socket.resume();
  else socket.pause();
}

/** Refuses a socket that was to become a WebSocket, in the words of HTTP; its client may keep its own end open. */
export function refuseUpgrade(socket: Socket, status: string): void {
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\n\r\n`);
}

/** A close frame holds 123 bytes of reason, in which an id of the client's may stand. */
function shortened(reason: string | undefined): string | undefined {
  return reason?.slice(0, 41);
}

/** A message of the protocol that only a server sends. */
function isUnexpectedMessage(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('Unexpected message of type');
}

function send({ socket, outlet }: Connection, message: string): void {
  if (socket.readyState !== socket.OPEN) return;
  socket.send(message);
  outlet.written();
}

/** What its client showed is worth nothing any more: it gets nothing from now on, and is cut off where it does not go. */
function dismiss(socket: WebSocket): void {
  socket.close(CloseCode.Forbidden, 'Forbidden');
  setTimeout(() => socket.terminate(), goodbyeMilliseconds).unref();
}

function unpack({ rootValue }: ExecutionArgs): Prepared {
  const parcel = rootValue as Parcel;
  const { content } = parcel;
  if (content === null) throw new Error('An operation is executed once');
  parcel.content = null;
  return content;
}

/** Of an operation that nobody waits for: graphql-ws must not go on with it, as its id may be another's by now. */
function never(): Promise<never> {
  return new Promise(() => {});
}

function createRunning(): Running {
  const ended = Promise.withResolvers<void>();
  const releases: (() => void)[] = [];
  let isOver = false;
  const running: Running = {
    get isOver() {
      return isOver;
    },
    onOver: (release) => {
      if (isOver) release();
      else releases.push(release);
    },
    end: () => ended.resolve(),
    finish: () => {
      isOver = true;
      for (const release of releases.splice(0)) release();
    },
    next: async () => {
      await ended.promise;
      return isOver ? never() : { done: true, value: undefined };
    },
    return: () => {
      running.finish();
      return Promise.resolve({ done: true, value: undefined });
    },
    [Symbol.asyncIterator]: () => running,
  };
  return running;
}

/** Of a message in one text frame, not masked: as servers send. */
const textFrame = 0x81;
const [extended16, extended64] = [126, 127];
const closingBrace = '}'.charCodeAt(0);

const scratchBytes = 64 * 1024;
/**
 * Where frames are put together, one after the other. A buffer for each would have the garbage collector go over the whole
 * heap all the time, for the sake of memory that is free again before the next one is written.
 */
let scratch = Buffer.allocUnsafeSlow(scratchBytes);

/**
 * Writes an event as the message that it is to one subscription: only the subscription's id is its own. The frame goes to
 * the stream in one piece, and not by way of ws, which writes a header and a payload side by side; ws itself, without
 * compression, keeps nothing back that could come in between.
 */
function createSender({ socket, stream, outlet }: Connection, id: string): (event: SharedEvent) => void {
  const start = Buffer.from(`{"id":${JSON.stringify(id)},"type":"next","payload":`);
  return ({ bytes }) => {
    if (socket.readyState !== socket.OPEN) return;
    const length = start.length + bytes.length + 1;
    const headerBytes = length < extended16 ? 2 : length < 2 ** 16 ? 4 : 10;
    // What cannot leave at once keeps its memory: it gets its own, and no more than it needs.
    const isShared = headerBytes + length <= scratchBytes && stream.writableLength === 0;
    const frame = isShared ? scratch : Buffer.allocUnsafeSlow(headerBytes + length);
    frame[0] = textFrame;
    if (headerBytes === 2) {
      frame[1] = length;
    } else if (headerBytes === 4) {
      frame[1] = extended16;
      frame.writeUInt16BE(length, 2);
    } else {
      frame[1] = extended64;
      frame.writeBigUInt64BE(BigInt(length), 2);
    }
    start.copy(frame, headerBytes);
    bytes.copy(frame, headerBytes + start.length);
    frame[headerBytes + length - 1] = closingBrace;
    stream.write(frame.subarray(0, headerBytes + length));
    // What the system has not taken at once is the stream's, for as long as it takes.
    if (isShared && stream.writableLength > 0) scratch = Buffer.allocUnsafeSlow(scratchBytes);
    outlet.written();
  };
}

/** The server stops: another one, or this one in a moment, takes the operation. */
function goingAway(requestId: string): GraphQLError {
  return new GraphQLError('The server is stopping; connect again.', {
    extensions: { code: 'UNAVAILABLE', retryAfterSeconds: 1, requestId },
  });
}

function longId(requestId: string): GraphQLError {
  return new GraphQLError(`An operation's id has at most ${maxIdLength} characters.`, {
    extensions: { code: 'BAD_REQUEST', requestId },
  });
}

function tooManySubscriptions(limit: number, requestId: string): GraphQLError {
  return new GraphQLError(`A connection has at most ${limit} subscriptions; open another.`, {
    extensions: { code: 'TOO_MANY_SUBSCRIPTIONS', requestId },
  });
}
