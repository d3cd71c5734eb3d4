import { availableParallelism } from 'node:os';
import type { Of } from '../database/bulk.ts';
import type { Transaction } from '../database/transaction.ts';
import { within } from '../database/wall.ts';
import {
  canonical,
  type IdempotencyKeyReused,
  idempotencyKeyReused,
  type Outcome,
} from '../idempotency/domain.ts';
import { identityOf, type KeyedRequest, recall, remember } from '../idempotency/store.ts';
import { failureCode, isUnavailable, lockNotAvailable } from '../kernel/failure.ts';
import {
  encodeOrganisationId,
  encodeOwnedId,
  type LicenceCode,
  newId,
  type OrganisationId,
  type SessionId,
  type UserId,
} from '../kernel/ids.ts';
import { createLanes, Held, type QueueLimits } from '../kernel/lanes.ts';
import { type InvalidInput, invalidInput, isRefusal, type NotFound, notFound } from '../kernel/refusal.ts';
import { type Tenants, tenantsOf } from '../kernel/tenants.ts';
import { inLedger, inLedgers, type Ledger } from '../ledger/commands.ts';
import { apply, endLoadedSessions } from '../ledger/desk.ts';
import { type Catalogue, findLicence, findLicences, isFeature } from '../licence/domain.ts';
import { sessionTopic } from '../live/live.ts';
import type { Services } from '../live/services.ts';
import {
  admit,
  type LogonRefusal,
  type Request,
  type Session,
  type SessionEnded,
  type SessionRequest,
} from './domain.ts';
import {
  type HolderName,
  listLiveUserIds,
  listSessionsOfMany,
  listSessionUsers,
  prolongSessions,
} from './store.ts';

export interface Logon {
  readonly organisationId: OrganisationId;
  readonly userId: UserId;
  readonly licence: string;
  readonly device: string;
  /** null: all the user's features (L3). */
  readonly features: readonly string[] | null;
  readonly idempotencyKey: string | null;
  /** Whether a second factor of the user was shown (L1): found out before, so that nobody else waits for it. */
  readonly secondFactorShown: boolean;
}

export interface OfSession {
  readonly organisationId: OrganisationId;
  readonly sessionId: SessionId;
}

export interface OfSessionFeatures extends OfSession {
  readonly features: readonly string[];
}

export type ForceLogoff =
  | { readonly of: 'SESSION'; readonly organisationId: OrganisationId; readonly sessionId: SessionId }
  | { readonly of: 'USER'; readonly organisationId: OrganisationId; readonly userId: UserId }
  | { readonly of: 'ORGANISATION'; readonly organisationId: OrganisationId };

/** A session as a logon answers it. */
export interface LoggedOn extends Session {
  /** Whether the logon opened a newly billed seat, of its licence or of a feature (W2). */
  readonly raisesPeak: boolean;
}

type LogonAnswer = LoggedOn | LogonRefusal | IdempotencyKeyReused | InvalidInput | NotFound;
type Answer =
  Session | LoggedOn | LogonRefusal | SessionEnded | IdempotencyKeyReused | InvalidInput | NotFound;
type SessionAnswer = Session | SessionEnded | InvalidInput | NotFound;

/** What can be asked about sessions. Requests of one organisation that arrive together are decided together. */
export interface SessionCommands {
  /** L1 to L6. */
  logon(request: Logon): Promise<LogonAnswer>;
  /** L7 and L8: the lease starts anew. */
  renewSession(request: OfSession): Promise<SessionAnswer>;
  /** L7. */
  acquireFeatures(request: OfSessionFeatures): Promise<SessionAnswer>;
  /** L7. */
  releaseFeatures(request: OfSessionFeatures): Promise<SessionAnswer>;
  /** L9. */
  logoff(request: OfSession): Promise<SessionAnswer>;
  /** Ends a session, a user's, or all of an organisation's. @returns those that it ended */
  forceLogoff(request: ForceLogoff): Promise<{ readonly sessions: readonly Session[] } | NotFound>;
}

/** What waits in a lane. */
type Asked =
  | { readonly kind: 'LOGON'; readonly logon: Logon }
  | { readonly kind: SessionRequest['kind']; readonly of: OfSessionFeatures };

type Waiting<Request> = Request & {
  readonly answer: (answer: Answer) => void;
  readonly fail: (error: unknown) => void;
};
/** With whose what is asked for may be. */
type WaitingAsked = Waiting<Asked> & { readonly tenants: Tenants };
type WaitingRenewal = Waiting<OfSession> & { readonly tenants: Tenants };

/** Each keeps about one core of PostgreSQL busy: more of them than cores only get in one another's way. */
const lanes = Math.min(Math.max(availableParallelism(), 2), 8);

/** Each organisation's renewals are spread over all of these. */
const renewalLanes = 2;

/** A transaction stays short; what finds no place is in the next. */
const maxBatch = 1000;

/** A second's work or so. */
const usualLimits: QueueLimits = { maxWaitingOfKey: 10_000, maxWaiting: 50_000 };

/**
 * @param services the server's own: a batch is of many
 * @returns the commands as somebody may give them, by the services that are theirs
 */
export function createSessionCommands(
  services: Services,
  queue: QueueLimits = usualLimits,
): (own: Services) => SessionCommands {
  const admission = createLanes<OrganisationId, WaitingAsked>({
    ...queue,
    work: decide,
    keyOf: organisationOf,
    ...{ lanes, maxPatient: 8, maxBatch, giveUp },
  });
  const renewal = createLanes<OrganisationId, WaitingRenewal>({
    maxWaiting: queue.maxWaiting,
    maxWaitingOfKey: Math.ceil(queue.maxWaitingOfKey / renewalLanes),
    work: prolong,
    keyOf: ({ organisationId }) => organisationId,
    // No two sessions stand in one another's way, be they of one organisation.
    spreadBy: ({ sessionId }) => sessionId,
    // Nothing of theirs is ever held: what cannot be prolonged at once is left to admission.
    ...{ lanes: renewalLanes, maxPatient: 0, maxBatch, giveUp },
  });

  async function decide(batch: readonly WaitingAsked[], patient: boolean): Promise<readonly WaitingAsked[]> {
    const held: WaitingAsked[] = [];
    for (const [tenants, part] of byTenants(batch, organisationOf)) {
      held.push(...(await decidePart({ ...services, db: within(services.db, tenants) }, part, patient)));
    }
    return held;
  }

  async function decidePart(
    own: Services,
    batch: readonly WaitingAsked[],
    patient: boolean,
  ): Promise<readonly WaitingAsked[]> {
    try {
      const answers = await admitBatch(own, batch, patient);
      const held: WaitingAsked[] = [];
      for (const waiting of batch) {
        const answer = answers.get(waiting);
        if (answer === undefined) held.push(waiting);
        else waiting.answer(answer);
      }
      return held;
    } catch (error) {
      // A session that somebody else holds, whose organisation is free: each is to wait by itself.
      if (!patient && failureCode(error) === lockNotAvailable) return batch;
      // One that cannot be done must not fail its neighbours. Where the database itself is the trouble, all are told at
      // once: tried apart, the last would wait as many time-outs as there are requests.
      if (batch.length > 1 && !isUnavailable(error)) {
        const middle = Math.ceil(batch.length / 2);
        const held = await decidePart(own, batch.slice(0, middle), patient);
        return [...held, ...(await decidePart(own, batch.slice(middle), patient))];
      }
      for (const { fail } of batch) fail(error);
      return [];
    }
  }

  async function prolong(batch: readonly WaitingRenewal[]): Promise<readonly WaitingRenewal[]> {
    for (const [tenants, part] of byTenants(batch, ({ organisationId }) => organisationId)) {
      await prolongPart({ ...services, db: within(services.db, tenants) }, part);
    }
    return [];
  }

  async function prolongPart(own: Services, batch: readonly WaitingRenewal[]): Promise<void> {
    try {
      const renewed = await prolongBatch(own, batch);
      for (const waiting of batch) {
        const { organisationId, sessionId, tenants, answer, fail } = waiting;
        const session = renewed.get(`${organisationId}/${sessionId}`);
        if (session !== undefined) answer(session);
        else
          ask(tenants, { kind: 'RENEW', of: { organisationId, sessionId, features: [] } }).then(answer, fail);
      }
    } catch (error) {
      for (const { fail } of batch) fail(error);
    }
  }

  function ask(tenants: Tenants, asked: Asked): Promise<Answer> {
    return new Promise((answer, fail) => {
      admission({ ...asked, tenants, answer, fail });
    });
  }

  return (own) => {
    const tenants = tenantsOf(own.by?.actor ?? null);
    /** Only a logon is ever answered with a logon's refusals. */
    const askSession = async (kind: SessionRequest['kind'], of: OfSessionFeatures): Promise<SessionAnswer> =>
      (await ask(tenants, { kind, of })) as SessionAnswer;
    return {
      logon: async (logon) => (await ask(tenants, { kind: 'LOGON', logon })) as LogonAnswer,
      renewSession: (of) =>
        new Promise((answer, fail) => {
          renewal({ ...of, tenants, answer: answer as (answer: Answer) => void, fail });
        }),
      acquireFeatures: (of) => askSession('ACQUIRE', of),
      releaseFeatures: (of) => askSession('RELEASE', of),
      logoff: (of) => askSession('LOGOFF', { ...of, features: [] }),
      forceLogoff: (request) => forceLogoff(own, request),
    };
  };
}

/**
 * A batch by whose its requests may be about, each part to be done within those tenants. Nearly all ask for what is
 * their own organisation's: those go together, whatever the organisation. PostgreSQL looks at each row that a batch
 * reads or writes; to compare it with a list of a thousand would take as long as admitting them. Whoever asks for
 * another's has a part of their own, in which it is not there; a partner's requests have one for all its customers.
 */
function byTenants<Item extends { readonly tenants: Tenants }>(
  batch: readonly Item[],
  organisationIdOf: (item: Item) => OrganisationId,
): readonly (readonly [Tenants, readonly Item[]])[] {
  const parts = new Map<string, { readonly tenants: Tenants; readonly items: Item[] }>();
  for (const item of batch) {
    const { tenants } = item;
    const organisationId = organisationIdOf(item);
    const isOwn = tenants === 'ALL' || tenants.organisationId === organisationId;
    const key = isOwn ? '' : JSON.stringify(tenants);
    const part = parts.get(key);
    if (part === undefined) parts.set(key, { tenants, items: [item] });
    else part.items.push(item);
  }
  return [...parts].map(([key, { tenants, items }]) => [
    key === '' ? ofThose(items.map(organisationIdOf)) : tenants,
    items,
  ]);
}

function ofThose(ids: readonly OrganisationId[]): Tenants {
  const [organisationId] = ids;
  return organisationId !== undefined && ids.every((id) => id === organisationId)
    ? { organisationId, below: false }
    : 'ALL';
}

function giveUp(waiting: readonly Waiting<unknown>[]): void {
  for (const { fail } of waiting) fail(new Held());
}

function organisationOf(asked: Asked): OrganisationId {
  return asked.kind === 'LOGON' ? asked.logon.organisationId : asked.of.organisationId;
}

/** @returns the sessions that were prolonged, by `organisation/session` */
async function prolongBatch(
  { db, clock, live }: Services,
  batch: readonly OfSession[],
): Promise<ReadonlyMap<string, Session>> {
  const asked = batch.map(({ organisationId, sessionId }) => ({ organisationId, id: sessionId }));
  const sessions = await prolongSessions(db, asked, clock.now());
  for (const { organisationId, id } of sessions) live.announce(sessionTopic(organisationId, id), null);
  return new Map(
    sessions.map(({ organisationId, ...session }) => [`${organisationId}/${session.id}`, session]),
  );
}

/**
 * Decides a whole batch, of any organisations, in one transaction; the number of its statements does not grow with it.
 * @returns the answers; without those whose organisation somebody else has, where this was not to wait for it
 */
async function admitBatch(
  services: Services,
  batch: readonly WaitingAsked[],
  patient: boolean,
): Promise<ReadonlyMap<Asked, Answer>> {
  const organisations = Map.groupBy(batch, organisationOf);
  const logons = batch.flatMap((asked) => (asked.kind === 'LOGON' ? [asked.logon] : []));
  const keyed = new Map(logons.map((logon) => [logon, keyedRequest(logon)]));
  const { answers } = await inLedgers(services, 'admit', [...organisations.keys()], {
    ...{ patient, sessionsOnly: true },
    holders: holdersOf(batch),
    read: (trx) => recall(trx, [...keyed.values()]),
    decide: async ({ trx, ledgers, leftOut }, known) => {
      const decisions = [...organisations].flatMap(([organisationId, asked]) => {
        const ledger = ledgers.get(organisationId);
        if (ledger !== undefined) return decideOrganisation(ledger, asked, { keyed, known });
        return leftOut.has(organisationId)
          ? []
          : asked.map((each): Decision => ({ asked: each, answer: notFound('organisation') }));
      });
      return { decisions, answers: await showSessions(trx, ledgers, decisions) };
    },
    write: (trx, { decisions }) =>
      remember(
        trx,
        decisions.flatMap(({ remembered }) => remembered ?? []),
        services.clock.now(),
      ),
  });
  return answers;
}

/** Each once, however often a batch names them. */
function holdersOf(batch: readonly Asked[]): Of<HolderName>[] {
  const names = new Map<string, Of<HolderName>>();
  for (const asked of batch) {
    const organisationId = organisationOf(asked);
    const name =
      asked.kind === 'LOGON'
        ? { userId: asked.logon.userId, sessionId: null }
        : { userId: null, sessionId: asked.of.sessionId };
    names.set(`${organisationId}/${name.userId ?? name.sessionId}`, { organisationId, ...name });
  }
  return [...names.values()];
}

/** What was read for a batch. */
interface Facts {
  readonly keyed: ReadonlyMap<Logon, Of<KeyedRequest>>;
  readonly known: ReadonlyMap<Of<KeyedRequest>, Outcome | IdempotencyKeyReused>;
}

/** An answer; `null` stands for the session `shows`, as it is once all is decided (L6, L9). */
interface Decision {
  readonly asked: Asked;
  readonly answer: Answer | null;
  readonly shows?: SessionId;
  /** Of a logon that opened a newly billed seat, and of its repeats (W2). */
  readonly raisesPeak?: boolean;
  readonly remembered?: { readonly request: Of<KeyedRequest>; readonly outcome: Outcome };
}

function keyedRequest(logon: Logon): Of<KeyedRequest> {
  const { organisationId, userId, licence, device, features } = logon;
  const args = { licence, device, features };
  return { organisationId, scope: `logon:${userId}`, key: logon.idempotencyKey, arguments: args };
}

/** One organisation's part of a batch, in the order of arrival. */
function decideOrganisation(ledger: Ledger, batch: readonly Asked[], facts: Facts): Decision[] {
  const admitted: { readonly asked: Asked; readonly request: Request }[] = [];
  const decided = new Map<Asked, Decision>();
  const firstOfKey = new Map<string, { readonly asked: Asked; readonly request: Of<KeyedRequest> }>();
  const repeats: { readonly asked: Asked; readonly of: Asked }[] = [];
  const answer = (asked: Asked, given: Answer) => decided.set(asked, { asked, answer: given });
  const shown = listShown(batch, facts);

  for (const asked of batch) {
    const keyed = asked.kind === 'LOGON' ? facts.keyed.get(asked.logon) : undefined;
    // A key is looked at before what is asked with it: other arguments are a mistake whatever they say (L6).
    const known = keyed === undefined ? undefined : facts.known.get(keyed);
    if (known !== undefined) {
      if ('code' in known) answer(asked, known);
      else if ('refusal' in known) answer(asked, known.refusal as LogonRefusal);
      else {
        const { id, raisesPeak = false } = known;
        decided.set(asked, { asked, answer: null, shows: id as SessionId, raisesPeak });
      }
      continue;
    }
    const identity = keyed === undefined || keyed.key === null ? null : identityOf(keyed);
    const first = identity === null ? undefined : firstOfKey.get(identity);
    if (keyed !== undefined && first !== undefined) {
      const isSame = canonical(first.request.arguments) === canonical(keyed.arguments);
      if (isSame) repeats.push({ asked, of: first.asked });
      else answer(asked, idempotencyKeyReused());
      continue;
    }
    const secondFactorShown =
      asked.kind === 'LOGON' &&
      (asked.logon.secondFactorShown ||
        (shown.size > 0 && keyed !== undefined && keyed.key !== null && shown.has(sameness(keyed))));
    const request = toRequest(ledger, asked, secondFactorShown);
    if (isRefusal(request)) {
      answer(asked, request);
      continue;
    }
    if (keyed !== undefined && identity !== null) firstOfKey.set(identity, { asked, request: keyed });
    admitted.push({ asked, request });
  }

  const terms = {
    catalogue: ledger.catalogue,
    leaseSeconds: ledger.organisation.leaseSeconds,
    newDenialId: newId<'Denial'>,
  };
  const admission = admit(
    ledger,
    admitted.map(({ request }) => request),
    terms,
    ledger.now,
  );
  apply(ledger, admission);
  ledger.denials = [...ledger.denials, ...admission.denials];
  for (const [index, { asked, request }] of admitted.entries()) {
    const given = admission.answers[index] ?? null;
    const raisesPeak = admission.raisesPeak[index] ?? false;
    const keyed = asked.kind === 'LOGON' ? facts.keyed.get(asked.logon) : undefined;
    decided.set(asked, {
      asked,
      answer: given,
      shows: request.sessionId,
      raisesPeak,
      ...(keyed === undefined || given === null
        ? {}
        : { remembered: { request: keyed, outcome: outcomeOf(given, raisesPeak) } }),
    });
  }
  for (const { asked, of } of repeats) {
    const { answer: first = null, raisesPeak = false } = decided.get(of) ?? {};
    if (first === null || isRefusal(first)) answer(asked, first ?? notFound('session'));
    else decided.set(asked, { asked, answer: null, shows: first.id, raisesPeak });
  }
  return [...decided.values()];
}

function outcomeOf(given: Session | LogonRefusal | SessionEnded, raisesPeak: boolean): Outcome {
  if (isRefusal(given)) return { refusal: given };
  return raisesPeak ? { id: given.id, raisesPeak } : { id: given.id };
}

/**
 * The logons that are repeated within a batch, and of which one shows a second factor. It is not one of a request's
 * arguments: the one that is decided for all of them has it, whichever brought it (L6).
 */
function listShown(batch: readonly Asked[], { keyed }: Facts): ReadonlySet<string> {
  const shown = new Set<string>();
  for (const asked of batch) {
    if (asked.kind !== 'LOGON' || !asked.logon.secondFactorShown) continue;
    const request = keyed.get(asked.logon);
    if (request !== undefined && request.key !== null) shown.add(sameness(request));
  }
  return shown;
}

/** What repeats of a request have in common. */
function sameness(request: Of<KeyedRequest>): string {
  return identityOf(request) + canonical(request.arguments);
}

/** A request that the rules can decide, or why it names nothing that they know. */
function toRequest(
  ledger: Ledger,
  asked: Asked,
  secondFactorShown: boolean,
): Request | InvalidInput | NotFound {
  const { catalogue } = ledger;
  if (asked.kind !== 'LOGON') {
    const { sessionId } = asked.of;
    const userId = ledger.owners.get(sessionId);
    if (userId === undefined) return notFound('session');
    const features = findFeatures(catalogue, asked.of.features);
    return isRefusal(features) ? features : { kind: asked.kind, userId, sessionId, features };
  }

  const { userId, device } = asked.logon;
  if (!ledger.holders.has(userId)) return notFound('user');
  const licence = findLicence(catalogue, asked.logon.licence);
  if (isRefusal(licence)) return licence;
  if (isFeature(licence)) {
    return invalidInput(
      'licence',
      `${asked.logon.licence} is a feature; log on with a licence type, and ask for features.`,
    );
  }
  const features = asked.logon.features === null ? null : findFeatures(catalogue, asked.logon.features);
  if (features !== null && isRefusal(features)) return features;
  return { kind: 'LOGON', userId, sessionId: newId(), licence, device, features, secondFactorShown };
}

/** Puts in the sessions that are answered as they are now: most are at hand, the others had ended before. */
async function showSessions(
  trx: Transaction,
  ledgers: ReadonlyMap<OrganisationId, Ledger>,
  decisions: readonly Decision[],
): Promise<ReadonlyMap<Asked, Answer>> {
  const answers = new Map<Asked, Answer>();
  const missing: {
    readonly asked: Asked;
    readonly organisationId: OrganisationId;
    readonly id: SessionId;
    readonly raisesPeak: boolean;
  }[] = [];
  for (const { asked, answer, shows, raisesPeak = false } of decisions) {
    if (answer !== null) answers.set(asked, isRefusal(answer) ? answer : { ...answer, raisesPeak });
    else if (shows !== undefined)
      missing.push({ asked, organisationId: organisationOf(asked), id: shows, raisesPeak });
  }
  if (missing.length === 0) return answers;

  const stored = await listSessionsOfMany(trx, missing);
  const shown = new Map(
    stored.map(({ organisationId, ...session }) => [`${organisationId}/${session.id}`, session]),
  );
  for (const [organisationId, { holders }] of ledgers) {
    for (const { sessions } of holders.values()) {
      for (const session of sessions) shown.set(`${organisationId}/${session.id}`, session);
    }
  }
  for (const { asked, organisationId, id, raisesPeak } of missing) {
    const session = shown.get(`${organisationId}/${id}`);
    if (session === undefined) throw new Error(`Session ${id} is known and gone`);
    answers.set(asked, { ...session, raisesPeak });
  }
  return answers;
}

/** So many users are logged off by one transaction. */
const maxLoggedOff = 1000;

async function forceLogoff(
  services: Services,
  request: ForceLogoff,
): Promise<{ readonly sessions: readonly Session[] } | NotFound> {
  const { organisationId } = request;
  const userIds = await listAffectedUserIds(services, request);
  const sessions: Session[] = [];
  // Once also where nobody is affected: whether the organisation exists is to be found out.
  for (let first = 0; first === 0 || first < userIds.length; first += maxLoggedOff) {
    const some = userIds.slice(first, first + maxLoggedOff);
    const ended = await inLedger(
      services,
      'forceLogoff',
      organisationId,
      async ({ ledger, loadHolders, note }) => {
        await loadHolders(some);
        if (request.of !== 'ORGANISATION' && !some.some((userId) => ledger.holders.has(userId))) {
          return notFound(request.of === 'SESSION' ? 'session' : 'user');
        }
        const isMeant = ({ id, userId }: Session) =>
          request.of === 'SESSION' ? id === request.sessionId : some.includes(userId);
        const sessions = endLoadedSessions(ledger, isMeant, 'FORCED');
        note({
          subject: subjectOf(request),
          before: null,
          after: { sessionsEnded: sessions.length },
        });
        return { sessions };
      },
    );
    if (isRefusal(ended)) return ended;
    for (const session of ended.sessions) sessions.push(session);
  }
  return { sessions };
}

function subjectOf(request: ForceLogoff): string {
  const { organisationId } = request;
  switch (request.of) {
    case 'SESSION':
      return encodeOwnedId('Session', organisationId, request.sessionId);
    case 'USER':
      return encodeOwnedId('User', organisationId, request.userId);
    case 'ORGANISATION':
      return encodeOrganisationId(organisationId);
  }
}

async function listAffectedUserIds({ db }: Services, request: ForceLogoff): Promise<UserId[]> {
  switch (request.of) {
    case 'SESSION':
      return (
        await listSessionUsers(db, [{ organisationId: request.organisationId, id: request.sessionId }])
      ).map(({ userId }) => userId);
    case 'USER':
      return [request.userId];
    case 'ORGANISATION':
      return listLiveUserIds(db, request.organisationId);
  }
}

/** The features that a client named; a code of another category is INVALID_INPUT (L3). */
function findFeatures(
  catalogue: Catalogue,
  codes: readonly string[],
): LicenceCode[] | InvalidInput | NotFound {
  const licences = findLicences(catalogue, codes);
  if (isRefusal(licences)) return licences;
  const other = licences.find((licence) => !isFeature(licence));
  return other === undefined
    ? licences.map(({ code }) => code)
    : invalidInput('features', `${other.code} is not a feature.`);
}
