import { hash, randomUUID, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, RequestListener } from 'node:http';
import { type Duplex, Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from './database/database.ts';
import { isMigrated } from './database/migrate.ts';
import { within } from './database/wall.ts';
import { loadDemonstration } from './demonstration.ts';
import type { Context } from './graphql/context.ts';
import { graphiqlPage } from './graphql/transports/graphiql.ts';
import { answerPlainly, type Arrival, createGraphql, refuse, wantsPage } from './graphql/transports/http.ts';
import { createConnections, defaultLimits, type LiveLimits } from './graphql/transports/limits.ts';
import { createSharing } from './graphql/transports/sharing.ts';
import { createEventStreams } from './graphql/transports/sse.ts';
import { createWebSockets } from './graphql/transports/websocket.ts';
import { keptHours } from './idempotency/domain.ts';
import { purgeKeys } from './idempotency/store.ts';
import { type Actor, operator } from './kernel/actor.ts';
import { type Clock, plusSeconds } from './kernel/clock.ts';
import type { OrganisationId, SessionId } from './kernel/ids.ts';
import { createLines } from './kernel/lines.ts';
import type { QueueLimits } from './kernel/lanes.ts';
import type { Log } from './kernel/log.ts';
import { tenantsOf } from './kernel/tenants.ts';
import { settleDue } from './ledger/commands.ts';
import { getLicence } from './licence/graphql.ts';
import { createCatalogue } from './licence/store.ts';
import type { Bus } from './live/bus.ts';
import { createGroups } from './live/groups.ts';
import { createLive, organisationOf, organisationTopic, sessionTopic, type Topic } from './live/live.ts';
import type { Services } from './live/services.ts';
import { findOrganisation, getOrganisation, mayReach as reaches } from './organisation/graphql.ts';
import { listNewRevisions } from './organisation/store.ts';
import { schema } from './schema.ts';
import { createSessionCommands } from './session/commands.ts';
import { listNewVersions } from './session/store.ts';
import { findUser, getUser } from './user/graphql.ts';

export interface AppOptions {
  readonly db: Database;
  /** Who a request's `authorization` says it comes from; null: nobody that is known. */
  readonly authenticate: (authorization: string | null) => Actor | null;
  readonly log: Log;
  readonly clock: Clock;
  /** Through which other servers on the database are heard of; without it by asking alone. */
  readonly bus?: Bus;
  /** How often what is due is looked for; leases end at their instant all the same (L8). */
  readonly sweepMilliseconds?: number;
  /** How many logons, renewals and the like may wait to be decided. */
  readonly queue?: QueueLimits;
  /** What clients of WebSocket and SSE may have. */
  readonly limits?: LiveLimits;
  /** The first wall between tenants; only a test that is about the second has another. */
  readonly mayReach?: Context['mayReach'];
}

export interface App {
  /** Answers every path. */
  readonly listener: RequestListener;
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Puts the demonstration organisation into an empty database. */
  readonly loadDemonstration: () => Promise<void>;
  /** From now on not ready; all else goes on. */
  readonly refuse: () => void;
  /** Ends subscriptions and background work. */
  readonly stop: () => Promise<void>;
}

const maxBodyBytes = 1024 * 1024;
/** A database that says nothing for so long is as good as gone: a load balancer asks often. */
const readyMilliseconds = 1000;

/** The composition root: the only place that sees everything. */
export function createApp({
  db,
  authenticate,
  log,
  clock,
  bus,
  sweepMilliseconds = 250,
  queue,
  limits = defaultLimits,
  mayReach = reaches,
}: AppOptions): App {
  // What the server does by itself concerns every tenant; what is asked of it, those of whoever asks.
  const system = within(db, 'ALL');
  const live = createLive({
    poll: (known) => pollVersions(system, known),
    bus,
    log,
    paceMilliseconds: 1000 / limits.maxEventsPerSecond,
  });
  const lines = createLines<OrganisationId>({ maxWaitingOfKey: 1_000, maxWaiting: 10_000 });
  const catalogue = createCatalogue(db, clock);
  const services: Services = { db: system, clock, live, catalogue, lines, log, by: null };
  const sessionsOf = createSessionCommands(services, queue);

  const createContext = ({ actor, requestId }: Arrival): Context => {
    const own = { ...services, db: within(db, tenantsOf(actor)), by: { actor, requestId } };
    return {
      actor,
      requestId,
      services: own,
      scope: {},
      sessions: sessionsOf(own),
      mayReach,
      findOrganisation,
      getOrganisation,
      getLicence,
      findUser,
      getUser,
    };
  };
  const graphql = createGraphql({ schema, createContext, log });
  const sharing = createSharing(createGroups({ log, maxEventsPerSecond: limits.maxEventsPerSecond }), log);
  const connections = createConnections(limits);
  const webSockets = createWebSockets({
    graphql,
    sharing,
    authenticate,
    newRequestId: randomUUID,
    limits,
    connections,
    log,
  });
  const eventStreams = createEventStreams({ graphql, sharing, limits, connections, log });
  const page = graphiqlPage();

  const stopSweeping = every(sweepMilliseconds, (signal) => settleDue(services, signal), log);
  const stopPurging = every(
    60 * 60 * 1000,
    (signal) => purgeKeys(system, plusSeconds(clock.now(), -2 * keptHours * 3600), { signal }),
    log,
  );
  let draining = false;

  const listener: RequestListener = (request, response) => {
    const requestId = requestIdOf(request);
    const pathname = pathOf(request);
    if (pathname === '/healthz') {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"status":"ok"}');
      return;
    }
    if (pathname === '/readyz') {
      void readiness(db, draining).then((reason) => {
        response
          .writeHead(reason === null ? 200 : 503, { 'content-type': 'application/json' })
          .end(JSON.stringify(reason === null ? { status: 'ready' } : { status: 'not ready', reason }));
      });
      return;
    }
    if (pathname !== '/graphql') {
      refuse(response, 404, { code: 'NOT_FOUND', message: 'The API is at /graphql.', requestId });
      return;
    }
    if (wantsPage(request)) {
      response
        .writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'x-request-id': requestId })
        .end(page);
      return;
    }
    const actor = authenticate(request.headers.authorization ?? null);
    if (actor === null) {
      refuse(response, 401, {
        code: 'UNAUTHENTICATED',
        message: 'Send the operator key as `Authorization: Bearer KEY`; the server prints it when it starts.',
        requestId,
      });
      return;
    }
    const arrival = { actor, requestId };
    const answer = async (body: Buffer) => {
      if (await answerPlainly(graphql, request, body, response, arrival, log)) return;
      if (await eventStreams.answer(request, body, response, arrival)) return;
      void graphql(Object.assign(request, { body: Readable.from([body]) }), response, arrival);
    };
    response.setHeader('x-request-id', requestId);
    // Else a client that keeps its connection busy would be cut off in the middle of a request in the end.
    if (draining) response.setHeader('connection', 'close');
    const started = clock.now();
    response.once('finish', () => {
      const milliseconds = clock.now().getTime() - started.getTime();
      log.debug({ requestId, status: response.statusCode, milliseconds }, 'answered');
    });
    readBody(request, maxBodyBytes).then(
      (body) => {
        if (body === null) {
          response.setHeader('connection', 'close');
          refuse(response, 413, { code: 'BAD_REQUEST', message: 'A request is at most 1 MiB.', requestId });
          return;
        }
        void answer(body);
      },
      // The client went away in the middle of its request.
      () => response.destroy(),
    );
  };

  return {
    listener: (request, response) => {
      listener(request, response);
    },
    upgrade: (request, socket, head) => {
      // A client may be gone before it is answered; nobody else listens to this socket.
      socket.on('error', () => socket.destroy());
      if (pathOf(request) === '/graphql') webSockets.upgrade(request, socket, head);
      else socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n');
    },
    loadDemonstration: () => loadDemonstration(services),
    refuse: () => {
      draining = true;
    },
    stop: async () => {
      draining = true;
      eventStreams.close();
      await Promise.all([stopSweeping(), stopPurging(), webSockets.close()]);
      live.close();
    },
  };
}

/** One key, one actor; compared in constant time. */
export function createAuthenticate(operatorKey: string): (authorization: string | null) => Actor | null {
  const digest = (text: string) => hash('sha256', text, 'buffer');
  const expected = digest(operatorKey);
  return (authorization) => {
    const key = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
    return key !== undefined && timingSafeEqual(digest(key), expected) ? operator : null;
  };
}

/** A caller's own request id, where it is a sane one, so that both sides' logs tell the same story. */
function requestIdOf({ headers }: IncomingMessage): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && /^[\w-]{1,64}$/.test(given) ? given : randomUUID();
}

/** As it was sent: no client's address is worth a thrown URL error. */
function pathOf({ url = '/' }: IncomingMessage): string {
  return url.split('?', 1)[0] ?? url;
}

/** A request's body, whole; null when it is larger than the limit. */
function readBody(request: IncomingMessage, limit: number): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > limit) {
        request.pause();
        resolve(null);
      } else {
        chunks.push(chunk);
      }
    });
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.once('error', reject);
    request.once('close', () => reject(new Error('The client went away')));
  });
}

/** Why the process cannot serve; null when it can. */
async function readiness(db: Database, draining: boolean): Promise<string | null> {
  if (draining) return 'The server is stopping.';
  try {
    const silent = delay(readyMilliseconds, 'silent' as const, { ref: false });
    const answer = await Promise.race([isMigrated(db), silent]);
    if (answer === 'silent') return 'The database does not answer.';
    return answer ? null : 'The database is not migrated.';
  } catch {
    return 'The database does not answer.';
  }
}

async function pollVersions(
  db: Database,
  known: ReadonlyMap<Topic, number>,
): Promise<ReadonlyMap<Topic, number>> {
  const organisations: { id: OrganisationId; revision: number }[] = [];
  const sessions: { organisationId: OrganisationId; id: SessionId; version: number }[] = [];
  for (const [topic, version] of known) {
    const organisationId = organisationOf(topic);
    const [, id] = topic.split('/');
    if (id === undefined) organisations.push({ id: organisationId, revision: version });
    else sessions.push({ organisationId, id: id as SessionId, version });
  }
  const [revisions, versions] = await Promise.all([
    listNewRevisions(db, organisations),
    listNewVersions(db, sessions),
  ]);
  return new Map([
    ...revisions.map(({ id, revision }) => [organisationTopic(id), revision] as const),
    ...versions.map(
      ({ organisationId, id, version }) => [sessionTopic(organisationId, id), version] as const,
    ),
  ]);
}

/** Does the work again and again, never twice at once. @returns tells what is under way to stop, and waits for it */
function every(
  milliseconds: number,
  work: (signal: AbortSignal) => Promise<unknown>,
  log: Log,
): () => Promise<void> {
  const stopping = new AbortController();
  let current: Promise<unknown> | null = null;
  const timer = setInterval(() => {
    current ??= work(stopping.signal)
      .catch((error: unknown) => {
        log.warn({ err: error }, 'background work failed; trying again');
      })
      .finally(() => {
        current = null;
      });
  }, milliseconds);
  return async () => {
    clearInterval(timer);
    stopping.abort();
    await current;
  };
}
