import { randomUUID } from 'node:crypto';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { dropAlerts } from './alert/store.ts';
import { createDenials } from './audit/commands.ts';
import { whoOf } from './audit/domain.ts';
import { downloadAudit, isAuditPath } from './audit/download.ts';
import type { Database } from './database/database.ts';
import { isMigrated, MigrationError } from './database/migrate.ts';
import { within } from './database/wall.ts';
import { loadDemonstration } from './demonstration.ts';
import type { Context } from './graphql/context.ts';
import { presentError, wentWrong } from './graphql/errors.ts';
import { defaultDocumentLimits, type DocumentLimits } from './graphql/limits.ts';
import { type BodyLimits, createBodies, defaultBodyLimits, readBody } from './graphql/transports/bodies.ts';
import { graphiqlPage } from './graphql/transports/graphiql.ts';
import {
  answerPlainly,
  type Arrival,
  createGraphql,
  refuse,
  refuseConnection,
  wantsPage,
} from './graphql/transports/http.ts';
import { createConnections, defaultLimits, type LiveLimits } from './graphql/transports/limits.ts';
import { createOrigins, isForgeable } from './graphql/transports/origins.ts';
import {
  addressOf,
  createRates,
  defaultRateLimits,
  type RateLimited,
  type Rates,
} from './graphql/transports/rates.ts';
import { createSharing } from './graphql/transports/sharing.ts';
import { createEventStreams } from './graphql/transports/sse.ts';
import { createTrustedDocuments, type TrustedDocuments } from './graphql/transports/trusted.ts';
import { createWebSockets, refuseUpgrade } from './graphql/transports/websocket.ts';
import { keptHours } from './idempotency/domain.ts';
import { purgeKeys } from './idempotency/store.ts';
import type { Actor } from './kernel/actor.ts';
import { type Clock, earliest, elapsedMilliseconds, plusSeconds } from './kernel/clock.ts';
import { every } from './kernel/every.ts';
import { nowhere, type OrganisationId, type SessionId } from './kernel/ids.ts';
import { createLines } from './kernel/lines.ts';
import type { QueueLimits } from './kernel/lanes.ts';
import type { Log } from './kernel/log.ts';
import type { Proofs } from './kernel/proof.ts';
import { senderOf } from './kernel/sender.ts';
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
import { createSecurityKeys } from './security-key/commands.ts';
import { localTerms, type SecondFactorTerms } from './security-key/domain.ts';
import { purgeChallenges } from './security-key/store.ts';
import { createSessionCommands } from './session/commands.ts';
import { listNewVersions } from './session/store.ts';
import type { Files } from './site/files.ts';
import { finishPath, type OpenIdSignIn, startPath } from './site/openid.ts';
import { describe, isOfScreen, screenPath, type SignIns } from './site/sign-in.ts';
import type { SignInCode } from './site/sign-in-code.ts';
import { closeDueStatements } from './statement/commands.ts';
import { downloadStatement, isStatementPath } from './statement/download.ts';
import { closeDueStatementsOf } from './statement/graphql.ts';
import { keepHistoryMonths, rollUpHistory } from './usage-history/commands.ts';
import { findUser, getUser } from './user/graphql.ts';

export interface AppOptions {
  readonly db: Database;
  /** Who a request comes from, and for how long. */
  readonly proofs: Proofs;
  readonly log: Log;
  readonly clock: Clock;
  /** Through which other servers on the database are heard of; without it by asking alone. */
  readonly bus?: Bus;
  /** How often what is due is looked for; leases end at their instant all the same (L8). */
  readonly sweepMilliseconds?: number;
  /** How many whole months the history is kept, beside what it is summed up in, and alerts; without it for ever. */
  readonly historyMonths?: number | null;
  /** How many logons, renewals and the like may wait to be decided. */
  readonly queue?: QueueLimits;
  /** What clients of WebSocket and SSE may have. */
  readonly limits?: LiveLimits;
  /** How long, deep, wide and costly an operation may be. */
  readonly documentLimits?: DocumentLimits;
  /** Which documents may run at all; without it any. */
  readonly documents?: TrustedDocuments;
  /** Who may ask how much; without it by each server’s own count. The app closes it. */
  readonly rates?: Rates;
  /** What a request over HTTP may cost before it is read. */
  readonly bodyLimits?: BodyLimits;
  /** Of pages from elsewhere that may use the API, as browsers write them. */
  readonly allowedOrigins?: readonly string[];
  /** Makes the page that browsers are shown at /graphql; null: they are shown none. */
  readonly graphiql?: (() => Promise<string>) | null;
  /** What browsers are shown, and sign in to; without it there are no pages. */
  readonly pages?: Pages | null;
  /** How many proxies stand before the server, whose `x-forwarded-for` is believed. */
  readonly proxies?: number;
  /** What counts as a second factor (L1). */
  readonly secondFactor?: SecondFactorTerms;
  /** The first wall between tenants; only a test that is about the second has another. */
  readonly mayReach?: Context['mayReach'];
}

/** What browsers are shown, and how they sign in. */
export interface Pages {
  readonly files: Files;
  readonly signIns: SignIns;
  /** In the link that the process printed. */
  readonly code: SignInCode;
  /** null: no provider is configured for that. */
  readonly openId: OpenIdSignIn | null;
}

export interface App {
  /** Answers every path; to be listened with. */
  readonly server: Server;
  /** Puts the demonstration organisation into an empty database. */
  readonly loadDemonstration: () => Promise<void>;
  /** From now on not ready; all else goes on. */
  readonly refuse: () => void;
  /** Ends subscriptions and background work. */
  readonly stop: () => Promise<void>;
}

/** Within which the head of a request is there: nobody is known before. */
const headMilliseconds = 10_000;
/** Whose body was on its way for longer is asked again who they are. */
const promptMilliseconds = 1000;
/** No page of somebody else's shows this one in a frame, or learns of its address. */
const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;
/** A database that says nothing for so long is as good as gone: a load balancer asks often. */
const readyMilliseconds = 1000;
/** How often the history is summed up: what came since is read row by row. */
const rollUpMilliseconds = 10_000;
/** How often it is looked for months that are over; whoever reads a statement does not wait for that. */
const statementMilliseconds = 1000;
/** How long a denied attempt waits to be written: so much of the audit log is lost in a crash. */
const denialMilliseconds = 1000;
/** How often the history’s months are made, and what is kept no longer is dropped. */
const hour = 60 * 60 * 1000;

/** The composition root: the only place that sees everything. */
export function createApp({
  db,
  proofs,
  log,
  clock,
  bus,
  sweepMilliseconds = 250,
  historyMonths = null,
  queue,
  limits = defaultLimits,
  documentLimits = defaultDocumentLimits,
  documents = createTrustedDocuments('off', new Map()),
  rates = createRates({ limits: defaultRateLimits, redis: null, log }),
  bodyLimits = defaultBodyLimits,
  allowedOrigins = [],
  graphiql = graphiqlPage,
  pages = null,
  proxies = 0,
  secondFactor = localTerms(4000),
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
  const securityKeys = createSecurityKeys(secondFactor);
  const denials = createDenials(services);

  /** Made once for each who asks, not for each request. */
  const databases = new WeakMap<Actor, Database>();
  const databaseOf = (actor: Actor): Database => {
    let own = databases.get(actor);
    if (own === undefined) {
      own = within(db, tenantsOf(actor));
      databases.set(actor, own);
    }
    return own;
  };

  const createContext = ({ actor, requestId }: Arrival): Context => {
    const own = { ...services, db: databaseOf(actor), by: { actor, requestId } };
    return {
      actor,
      requestId,
      services: own,
      scope: {},
      denied: (denial) =>
        denials.record({
          ...denial,
          ...whoOf({ actor, requestId }),
          organisationId: actor.organisationId ?? nowhere,
          remoteAddress: null,
        }),
      action: '',
      sessions: sessionsOf(own),
      securityKeys,
      mayReach,
      findOrganisation,
      getOrganisation,
      getLicence,
      closeDueStatementsOf,
      findUser,
      getUser,
    };
  };
  /** Somebody came without a credential that is known: which one it was is never told. */
  const onUnknown = (address: string) =>
    denials.record({
      ...whoOf(null),
      organisationId: nowhere,
      action: 'authenticate',
      outcome: 'UNAUTHENTICATED',
      subject: null,
      remoteAddress: address,
    });
  const graphql = createGraphql({
    schema,
    createContext,
    limits: documentLimits,
    documents,
    charge: rates.charge,
    log,
  });
  const sharing = createSharing(createGroups({ log, maxEventsPerSecond: limits.maxEventsPerSecond }), log);
  const connections = createConnections(limits);
  const enterBody = createBodies(bodyLimits);
  const webSockets = createWebSockets({
    graphql,
    sharing,
    proofs,
    signInOf: (request) => pages?.signIns.open(request) ?? null,
    onUnknown,
    newRequestId: randomUUID,
    addressOf: (request) => addressOf(request, proxies),
    rates,
    limits,
    connections,
    log,
  });
  const eventStreams = createEventStreams({ graphql, sharing, limits, connections, log });
  const origins = createOrigins(allowedOrigins);

  const unwritten = new Map<OrganisationId, string>();
  const jobs: [milliseconds: number, work: (signal: AbortSignal) => Promise<unknown>][] = [
    [sweepMilliseconds, (signal) => settleDue(services, signal)],
    [statementMilliseconds, (signal) => closeDueStatements(services, unwritten, signal)],
    [rollUpMilliseconds, (signal) => rollUpHistory(services, signal)],
    [denialMilliseconds, () => denials.flush('DUE')],
    [hour, (signal) => keepHistoryMonths(services, historyMonths, signal)],
    [hour, async (signal) => (historyMonths === null ? 0 : dropAlerts(system, historyMonths, { signal }))],
    [hour, (signal) => purgeKeys(system, plusSeconds(clock.now(), -2 * keptHours * 3600), { signal })],
    [hour, () => purgeChallenges(system, clock.now())],
  ];
  const running = jobs.map(([milliseconds, work]) => every(milliseconds, work, log));
  let draining = false;
  const migrated = sharedFor(readyMilliseconds, () => isMigrated(db));

  /** How many answers each socket waits for. */
  const open = new WeakMap<Socket, number>();
  const listener: RequestListener = (request, response) => {
    const { socket } = request;
    open.set(socket, (open.get(socket) ?? 0) + 1);
    response.once('close', () => open.set(socket, (open.get(socket) ?? 1) - 1));
    const requestId = requestIdOf(request);
    const pathname = pathOf(request);
    if (pathname === '/healthz') {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"status":"ok"}');
      return;
    }
    if (pathname === '/readyz') {
      void readiness(migrated, draining).then((reason) => {
        response
          .writeHead(reason === null ? 200 : 503, { 'content-type': 'application/json' })
          .end(JSON.stringify(reason === null ? { status: 'ready' } : { status: 'not ready', reason }));
      });
      return;
    }
    if (pages !== null && pages.files.answer(request, response, pathname)) return;
    const isDownload = isDownloadPath(pathname);
    const isSignIn = pages !== null && pathname === '/sign-in';
    const openId = pathname === startPath || pathname === finishPath ? (pages?.openId ?? null) : null;
    if (pathname !== '/graphql' && !isDownload && !isSignIn && openId === null) {
      refuse(response, 404, { code: 'NOT_FOUND', message: 'The API is at /graphql.', requestId });
      return;
    }
    if (origins.greet(request, response)) return;
    if (graphiql !== null && pathname === '/graphql' && wantsPage(request)) {
      graphiql().then(
        (page) => {
          if (!response.destroyed)
            response.writeHead(200, { ...pageHeaders, 'x-request-id': requestId }).end(page);
        },
        (error: unknown) => refuseFailed(response, requestId, error, log),
      );
      return;
    }
    const { who } = senderOf(request);
    // A file that is read changes nothing, and what a person opened by its address no page reads.
    const isPersons = isDownload && who === 'PERSON' && request.method === 'GET';
    // The provider’s page sends browsers back here, and `state` says that it was this one that was sent there.
    if (isForgeable(request) && openId === null && !isPersons) {
      if (who === 'NOBODY' && leadToPage(request, response, requestId)) return;
      const message =
        'Send a header that no other page can, like `graphql-require-preflight: 1`, or a JSON body.';
      refuse(response, 403, { code: 'PREFLIGHT_REQUIRED', message, requestId });
      return;
    }
    const shutOut = rates.shutOut(addressOf(request, proxies));
    if (shutOut !== null) {
      refuseForNow(response, shutOut, requestId);
      return;
    }
    if (openId !== null) {
      if (request.method !== 'GET')
        refuse(response, 405, { code: 'BAD_REQUEST', message: 'Ask by GET.', requestId });
      else if (pathname === startPath) void openId.start(request, response);
      else void signInByOpenId(request, response, openId);
      return;
    }
    if (isSignIn) {
      signIn(request, response, requestId, pages);
      return;
    }
    identify(request, response, requestId, (actor) => void serve(request, response, requestId, actor));
  };

  /** GET: who is signed in, or who shows an `authorization`; null: nobody. POST: signs in with the `authorization` that is sent. DELETE: signs out. */
  function signIn(
    request: IncomingMessage,
    response: ServerResponse,
    requestId: string,
    { signIns, code, openId }: Pages,
  ): void {
    const {
      method,
      headers: { authorization },
    } = request;
    const sender = senderOf(request);
    response.setHeader('cache-control', 'no-store');
    response.setHeader('x-request-id', requestId);
    // Whom a browser is signed in as is no other page’s to say, not even of an origin that may use the API.
    if (sender.who === 'OTHER_PAGE' && method !== 'GET') {
      const message = 'Only pages of this server sign in and out here; others send a key with each request.';
      refuse(response, 403, { code: 'FORBIDDEN', message, requestId });
      return;
    }
    if (openId !== null) response.setHeader('x-sign-in', openId.startUrl);
    const tell = (actor: Actor | null) => {
      if (response.destroyed) return;
      response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
      response.end(JSON.stringify(actor === null ? null : describe(actor)));
    };
    switch (method) {
      case 'GET': {
        const opened = signIns.open(request);
        // Who somebody would be by the key of a link, before they are.
        if (authorization !== undefined) identify(request, response, requestId, tell);
        else if (opened === null) tell(null);
        else findWhoShows(opened.authorization, response, requestId, tell);
        return;
      }
      case 'POST': {
        const shown = authorization === undefined ? null : code.exchange(authorization);
        const goOn = (actor: Actor) => {
          // The proxy that ends TLS is not to be believed without more ado; the browser is, about itself.
          const isSecure = sender.isSecure === true;
          // Whoever is signed in by cookie has it for as long as it was given for.
          const refused =
            shown === null
              ? null
              : signIns.begin(response, {
                  authorization: shown,
                  actor,
                  isSecure,
                  isScreen: isOfScreen(request),
                });
          if (refused === null) tell(actor);
          else refuse(response, 400, { code: refused.code, message: refused.message, requestId });
        };
        if (authorization === undefined) identify(request, response, requestId, goOn);
        else if (shown === null) refuseUnknown(request, response, requestId, wrongCode);
        else identify(request, response, requestId, goOn, shown);
        return;
      }
      case 'DELETE':
        signIns.end(response);
        tell(null);
        return;
      default:
        refuse(response, 405, { code: 'BAD_REQUEST', message: 'Ask by GET, POST or DELETE.', requestId });
    }
  }

  /** Whoever comes back from the OpenID provider has their access token as a cookie from now on. */
  async function signInByOpenId(
    request: IncomingMessage,
    response: ServerResponse,
    openId: OpenIdSignIn,
  ): Promise<void> {
    const finished = await openId.finish(request, response);
    const { returnUrl } = finished;
    if (!('token' in finished)) {
      const { wrongCode: shown } = finished;
      // Each costs the provider a request of ours: whoever makes codes up is shut out as with keys.
      if (shown !== null) rates.failed(addressOf(request, proxies), shown);
      openId.leave(response, returnUrl, finished.problem);
      return;
    }
    try {
      const authorization = `Bearer ${finished.token}`;
      const actor = await proofs.authenticate(authorization);
      if (actor === null) onUnknown(addressOf(request, proxies));
      const { isSecure } = openId;
      const isScreen = new URL(returnUrl).pathname === screenPath;
      const refused =
        actor === null ? null : pages?.signIns.begin(response, { authorization, actor, isSecure, isScreen });
      openId.leave(response, returnUrl, actor === null ? 'unknown' : refused == null ? null : 'too-long');
    } catch (error) {
      log.warn({ err: error }, 'could not find out who signed in');
      openId.leave(response, returnUrl, 'unavailable');
    }
  }

  /** Goes on with who shows this; where it cannot be found out now, the request is answered. */
  function findWhoShows(
    authorization: string | null,
    response: ServerResponse,
    requestId: string,
    goOn: (actor: Actor | null) => void,
  ): void {
    const actor = proofs.authenticate(authorization);
    if (!(actor instanceof Promise)) goOn(actor);
    else actor.then(goOn, (error: unknown) => refuseFailed(response, requestId, error, log));
  }

  /** Goes on with who asks; where that is nobody, or cannot be found out now, the request is answered. */
  function identify(
    request: IncomingMessage,
    response: ServerResponse,
    requestId: string,
    goOn: (actor: Actor) => void,
    shown = request.headers.authorization ?? pages?.signIns.open(request)?.authorization ?? null,
  ): void {
    findWhoShows(shown, response, requestId, (actor) => {
      if (actor === null) refuseUnknown(request, response, requestId, wrongKey);
      else goOn(actor);
    });
  }

  /** To nobody who is known: whoever tries one thing after the other is shut out for a while. */
  function refuseUnknown(
    request: IncomingMessage,
    response: ServerResponse,
    requestId: string,
    message: string,
  ): void {
    const address = addressOf(request, proxies);
    const { authorization } = request.headers;
    if (authorization !== undefined) rates.failed(address, authorization);
    onUnknown(address);
    if (leadToPage(request, response, requestId)) return;
    refuse(response, 401, { code: 'UNAUTHENTICATED', message, requestId });
  }

  /**
   * A person who followed a link to a file, and does not get it, is led to the page that signs them in and has the link.
   * @returns whether that answered it
   */
  function leadToPage(request: IncomingMessage, response: ServerResponse, requestId: string): boolean {
    const isShown = request.headers.authorization !== undefined;
    if (pages === null || isShown || !isDownloadPath(pathOf(request)) || !wantsPage(request)) return false;
    const location = `/download?${new URLSearchParams({ of: request.url ?? '' })}`;
    response.writeHead(303, { location, 'cache-control': 'no-store', 'x-request-id': requestId }).end();
    return true;
  }

  /** What takes long does not outlive what its client showed. */
  function endWithProof(request: IncomingMessage, response: ServerResponse, actor: Actor): void {
    // Whoever shows nothing came by cookie, which ends before the credential in it does.
    const isByCookie = request.headers.authorization === undefined;
    const cookieEnd = isByCookie ? (pages?.signIns.open(request)?.expiresAt ?? clock.now()) : null;
    const expiresAt = earliest(actor.expiresAt, cookieEnd);
    const unwatch = proofs.watch({ ...actor, expiresAt }, () => response.destroy());
    response.once('close', unwatch);
  }

  /** Admits a request by its head, and only then reads its body: what is refused costs no more than that. */
  async function serve(
    request: IncomingMessage,
    response: ServerResponse,
    requestId: string,
    asker: Actor,
  ): Promise<void> {
    if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') {
      const message = 'Send the request as it is: compressed bodies are not read.';
      refuse(response, 415, { code: 'BAD_REQUEST', message, requestId });
      return;
    }
    response.setHeader('x-request-id', requestId);
    // Else a client that keeps its connection busy would be cut off in the middle of a request in the end.
    if (draining) response.setHeader('connection', 'close');
    const started = clock.now();
    const began = elapsedMilliseconds();
    response.once('finish', () => {
      const milliseconds = clock.now().getTime() - started.getTime();
      log.debug({ requestId, status: response.statusCode, milliseconds }, 'answered');
    });
    const admitted = rates.admit(asker);
    const limited = admitted === null ? null : await admitted;
    if (limited !== null) {
      refuseForNow(response, limited, requestId);
      return;
    }
    // The client left meanwhile.
    if (response.destroyed) return;
    if (pathOf(request) !== '/graphql') {
      await download(request, response, { actor: asker, requestId });
      return;
    }
    const leave = enterBody(request, asker);
    if (leave === null) {
      refuseForNow(response, tooManyBodies, requestId);
      return;
    }
    const body = await readBody(request, bodyLimits.maxBytes);
    leave();
    if (body === 'GONE') {
      response.destroy();
      return;
    }
    if (body === 'TOO_LARGE') {
      response.setHeader('connection', 'close');
      const message = `A request is at most ${bodyLimits.maxBytes} bytes.`;
      refuse(response, 413, { code: 'BAD_REQUEST', message, requestId });
      return;
    }
    const goOn = (actor: Actor) => void answer(request, body, response, { actor, requestId });
    // What was shown at the head of a request may be worth nothing when its end arrives.
    if (elapsedMilliseconds() - began < promptMilliseconds) goOn(asker);
    else identify(request, response, requestId, goOn);
  }

  async function answer(
    request: IncomingMessage,
    body: Buffer,
    response: ServerResponse,
    arrival: Arrival,
  ): Promise<void> {
    const { requestId } = arrival;
    try {
      if (await answerPlainly(graphql, request, body, response, arrival, log)) return;
      // The client left while its request was read.
      if (response.destroyed) return;
      // Whatever else it is may be a stream.
      endWithProof(request, response, arrival.actor);
      if (await eventStreams.answer(request, body, response, arrival)) return;
      await graphql(Object.assign(request, { body: Readable.from([body]) }), response, arrival);
    } catch (error) {
      log.error({ err: error, requestId }, 'could not answer');
      const failure = { code: 'INTERNAL_SERVER_ERROR', message: wentWrong(requestId), requestId };
      if (response.headersSent) response.destroy();
      else refuse(response, 500, failure);
    }
  }

  /** Streams a file, as one of its caller’s connections. */
  async function download(
    request: IncomingMessage,
    response: ServerResponse,
    arrival: Arrival,
  ): Promise<void> {
    const { actor, requestId } = arrival;
    const leave = connections.enterKnown(actor);
    if (leave === null) {
      refuseConnection(response, requestId);
      return;
    }
    response.once('close', leave);
    endWithProof(request, response, actor);
    // A socket’s own watch looks at how much the system holds still; a database that is slow is not the client’s fault.
    response.setTimeout(limits.stalledMilliseconds, () => {
      if (response.writableLength > 0) response.destroy();
    });
    try {
      const answerFile = isAuditPath(pathOf(request)) ? downloadAudit : downloadStatement;
      const refused = await answerFile(createContext(arrival), request, response);
      if (refused !== null) refuse(response, refused.status, { ...refused.refusal, requestId });
    } catch (error) {
      // Half a file must not look like a whole one.
      if (!response.headersSent) {
        refuseFailed(response, requestId, error, log);
        return;
      }
      response.destroy();
      if (!isClientGone(error)) log.error({ err: error, requestId }, 'a download broke off');
    }
  }

  const server = createServer(
    {
      // Node looks for those who let it wait twice a minute, unless it is told how often.
      requestTimeout: bodyLimits.milliseconds,
      headersTimeout: Math.min(headMilliseconds, bodyLimits.milliseconds),
      connectionsCheckingInterval: bodyLimits.milliseconds / 15,
      // An offer of another protocol, such as h2c, may be left alone, and the request is answered. So is an upgrade behind
      // answers that are not given yet: Node would forget them, and with them what they count for would never be given back.
      shouldUpgradeCallback: ({ headers, socket }) =>
        headers.upgrade?.toLowerCase() === 'websocket' && (open.get(socket) ?? 0) === 0,
    },
    listener,
  );
  server.on('upgrade', (request, stream, head) => {
    const socket = stream as Socket;
    // A client may be gone before it is answered; nobody else listens to this socket.
    socket.on('error', () => socket.destroy());
    const refusal =
      pathOf(request) !== '/graphql'
        ? '404 Not Found'
        : !origins.mayConnect(request)
          ? '403 Forbidden'
          : rates.shutOut(addressOf(request, proxies)) !== null
            ? '429 Too Many Requests'
            : null;
    if (refusal === null) webSockets.upgrade(request, socket, head);
    else refuseUpgrade(socket, refusal);
  });

  return {
    server,
    loadDemonstration: () => loadDemonstration(services),
    refuse: () => {
      draining = true;
    },
    stop: async () => {
      draining = true;
      eventStreams.close();
      await Promise.all([...running.map((end) => end()), webSockets.close()]);
      await denials.flush('ALL');
      live.close();
      rates.close();
    },
  };
}

/** Too many requests, or wrong keys: the answer says when to come back. */
function refuseForNow(response: ServerResponse, limited: RateLimited, requestId: string): void {
  response.setHeader('retry-after', String(limited.retryAfterSeconds));
  refuse(response, 429, { ...limited, requestId });
}

const wrongKey =
  'Send a key or an access token as `Authorization: Bearer KEY`. One that was sent is wrong, has expired or was revoked.';
const wrongCode =
  'This link was used already, or another start of the server printed it. Sign in with the operator key, or start the server again for a new link.';

const tooManyBodies: RateLimited = {
  code: 'RATE_LIMITED',
  message: 'Too many requests of this key, or of its organisation, are on their way; try again in 1 s.',
  retryAfterSeconds: 1,
};

/** What failed while it was answered, of which who asked is not the cause: it says nothing about whether they may. */
function refuseFailed(response: ServerResponse, requestId: string, error: unknown, log: Log): void {
  const { message, extensions } = presentError(error, 'BAD_REQUEST', requestId, log);
  const { code, retryAfterSeconds } = extensions;
  if (code !== 'UNAVAILABLE') {
    refuse(response, 500, { code: String(code), message, requestId });
    return;
  }
  response.setHeader('retry-after', String(retryAfterSeconds));
  refuse(response, 503, { code, message, requestId, retryAfterSeconds: Number(retryAfterSeconds) });
}

function isClientGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE';
}

/** A caller's own request id, where it is a sane one, so that both sides' logs tell the same story. */
function requestIdOf({ headers }: IncomingMessage): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && /^[\w-]{1,64}$/.test(given) ? given : randomUUID();
}

function isDownloadPath(pathname: string): boolean {
  return isAuditPath(pathname) || isStatementPath(pathname);
}

/** As it was sent: no client's address is worth a thrown URL error. */
function pathOf({ url = '/' }: IncomingMessage): string {
  return url.split('?', 1)[0] ?? url;
}

/** Asks once for all who ask within so long, be it anybody: without a key nobody is to keep the database busy. */
function sharedFor<Answer>(milliseconds: number, ask: () => Promise<Answer>): () => Promise<Answer> {
  let asked: Promise<Answer> | null = null;
  return () => {
    if (asked === null) {
      asked = ask();
      const forget = () => {
        setTimeout(() => {
          asked = null;
        }, milliseconds).unref();
      };
      asked.then(forget, forget);
    }
    return asked;
  };
}

/** Why the process cannot serve; null when it can. */
async function readiness(migrated: () => Promise<boolean>, draining: boolean): Promise<string | null> {
  if (draining) return 'The server is stopping.';
  try {
    const silent = delay(readyMilliseconds, 'silent' as const, { ref: false });
    const answer = await Promise.race([migrated(), silent]);
    if (answer === 'silent') return 'The database does not answer.';
    return answer ? null : 'The database is not migrated.';
  } catch (error) {
    return error instanceof MigrationError
      ? 'The login of the server may not read the database.'
      : 'The database does not answer.';
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
