import { type IdempotencyKeyReused, idempotencyKeyReused } from '../idempotency/domain.ts';
import { type KeyedRequest, recall, remember } from '../idempotency/store.ts';
import { failureCode } from '../kernel/failure.ts';
import { type LicenceCode, newId, type OrganisationId, type SessionId, type UserId } from '../kernel/ids.ts';
import { createLanes } from '../kernel/lanes.ts';
import { type InvalidInput, invalidInput, isRefusal, type NotFound, notFound } from '../kernel/refusal.ts';
import { type Desk, inLedger } from '../ledger/commands.ts';
import { apply, endLoadedSessions, findLicences } from '../ledger/desk.ts';
import { type Catalogue, isFeature } from '../licence/domain.ts';
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
import { listLiveUserIds, listSessions, listSessionUsers, prolongSession } from './store.ts';

export interface Logon {
  readonly organisationId: OrganisationId;
  readonly userId: UserId;
  readonly licence: string;
  readonly device: string;
  /** null: all the user's features (L3). */
  readonly features: readonly string[] | null;
  readonly idempotencyKey: string | null;
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

type Answer = Session | LogonRefusal | SessionEnded | IdempotencyKeyReused | InvalidInput | NotFound;
type SessionAnswer = Session | SessionEnded | InvalidInput | NotFound;

/** What can be asked about sessions. Requests of one organisation that arrive together are decided together. */
export interface SessionCommands {
  /** L1 to L6. */
  logon(request: Logon): Promise<Answer>;
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

/** What waits in an organisation's lane. */
type Asked =
  | { readonly kind: 'LOGON'; readonly logon: Logon }
  | { readonly kind: SessionRequest['kind']; readonly of: OfSessionFeatures };

type Waiting = Asked & {
  readonly answer: (answer: Answer) => void;
  readonly fail: (error: unknown) => void;
};

/** More than this wait for the batch after the next: a transaction stays short. */
const maxBatch = 500;

export function createSessionCommands(services: Services): SessionCommands {
  const enqueue = createLanes(work, maxBatch);

  async function work(organisationId: OrganisationId, batch: readonly Waiting[]): Promise<void> {
    try {
      const answers = await admitBatch(services, organisationId, batch);
      for (const [index, waiting] of batch.entries()) {
        const answer = answers[index];
        if (answer === undefined) waiting.fail(new Error('A request was left unanswered'));
        else waiting.answer(answer);
      }
    } catch (error) {
      // One that the database refuses to take must not fail its neighbours. Where the database itself is the trouble,
      // all are told at once: tried one by one, the last would wait as many time-outs as there are requests.
      if (batch.length > 1 && isRefusedData(error)) {
        for (const waiting of batch) await work(organisationId, [waiting]);
      } else {
        for (const waiting of batch) waiting.fail(error);
      }
    }
  }

  function ask(organisationId: OrganisationId, asked: Asked): Promise<Answer> {
    return new Promise((answer, fail) => {
      enqueue(organisationId, { ...asked, answer, fail });
    });
  }

  /** Only a logon is ever answered with a logon's refusals. */
  async function askSession(kind: SessionRequest['kind'], of: OfSessionFeatures): Promise<SessionAnswer> {
    return (await ask(of.organisationId, { kind, of })) as SessionAnswer;
  }

  return {
    logon: (logon) => ask(logon.organisationId, { kind: 'LOGON', logon }),
    renewSession: async (of) => {
      const { organisationId, sessionId } = of;
      if (await prolongSession(services.db, organisationId, sessionId, services.clock.now())) {
        services.live.announce(sessionTopic(organisationId, sessionId), null);
        const [session] = await listSessions(services.db, organisationId, [sessionId]);
        if (session !== undefined) return session;
      }
      return askSession('RENEW', { ...of, features: [] });
    },
    acquireFeatures: (of) => askSession('ACQUIRE', of),
    releaseFeatures: (of) => askSession('RELEASE', of),
    logoff: (of) => askSession('LOGOFF', { ...of, features: [] }),
    forceLogoff: (request) => forceLogoff(services, request),
  };
}

/** SQLSTATE classes 22 (data) and 23 (integrity): what was written is at fault, not the database. */
function isRefusedData(error: unknown): boolean {
  return /^2[23]/.test(failureCode(error) ?? '');
}

/** One transaction for a whole batch. @returns an answer for each, in their order */
async function admitBatch(
  services: Services,
  organisationId: OrganisationId,
  batch: readonly Waiting[],
): Promise<readonly Answer[]> {
  const answers = await inLedger(services, 'admit', organisationId, async (desk) => {
    const { trx } = desk;
    const owners = await listSessionUsers(
      trx,
      organisationId,
      batch.flatMap((asked) => (asked.kind === 'LOGON' ? [] : [asked.of.sessionId])),
    );
    await desk.loadHolders([
      ...new Set([
        ...batch.flatMap((asked) => (asked.kind === 'LOGON' ? [asked.logon.userId] : [])),
        ...owners.values(),
      ]),
    ]);

    const decided: Answer[] = [];
    for (const asked of batch) decided.push(await answerOne(services, desk, asked, owners));
    return decided;
  });
  return isRefusal(answers) ? batch.map(() => answers) : answers;
}

async function answerOne(
  services: Services,
  desk: Desk,
  asked: Asked,
  owners: ReadonlyMap<SessionId, UserId>,
): Promise<Answer> {
  const { catalogue } = desk.ledger;
  if (asked.kind !== 'LOGON') {
    const { sessionId } = asked.of;
    const userId = owners.get(sessionId);
    if (userId === undefined) return notFound('session');
    const features = findFeatures(catalogue, asked.of.features);
    if (isRefusal(features)) return features;
    return decideNow(desk, { kind: asked.kind, userId, sessionId, features });
  }

  const { logon } = asked;
  if (!desk.ledger.holders.has(logon.userId)) return notFound('user');
  const licence = findLicences(catalogue, [logon.licence]);
  if (isRefusal(licence)) return licence;
  const [type] = licence;
  if (type === undefined || isFeature(type)) {
    return invalidInput(
      'licence',
      `${logon.licence} is a feature; log on with a licence type, and ask for features.`,
    );
  }
  const features = logon.features === null ? null : findFeatures(catalogue, logon.features);
  if (features !== null && isRefusal(features)) return features;

  const { trx, organisationId } = desk;
  const keyed: KeyedRequest = {
    scope: `logon:${logon.userId}`,
    key: logon.idempotencyKey,
    arguments: { licence: logon.licence, device: logon.device, features: logon.features },
  };
  const known = await recall(trx, organisationId, keyed);
  if (known !== null && 'code' in known) return idempotencyKeyReused();
  if (known !== null && 'refusal' in known) return known.refusal as LogonRefusal;
  if (known !== null) return getSession(desk, known.id as SessionId);

  const answer = await decideNow(desk, {
    kind: 'LOGON',
    userId: logon.userId,
    sessionId: newId(),
    licence: type,
    device: logon.device,
    features,
    // No proof can be shown yet: a licence that needs one is refused (L1).
    secondFactorShown: false,
  });
  const outcome = isRefusal(answer) ? { refusal: answer } : { id: answer.id };
  await remember(trx, organisationId, keyed, outcome, services.clock.now());
  return answer;
}

async function decideNow(desk: Desk, request: Request): Promise<Answer> {
  const { ledger } = desk;
  const terms = {
    catalogue: ledger.catalogue,
    leaseSeconds: ledger.organisation.leaseSeconds,
    newDenialId: newId<'Denial'>,
  };
  const admission = admit(ledger, [request], terms, ledger.now);
  apply(ledger, admission);
  ledger.denials.push(...admission.denials);
  const [answer] = admission.answers;
  if (answer !== null && answer !== undefined) return answer;
  // L9: the session had ended before, and stays as it is.
  return getSession(desk, request.sessionId);
}

async function forceLogoff(
  services: Services,
  request: ForceLogoff,
): Promise<{ readonly sessions: readonly Session[] } | NotFound> {
  return inLedger(services, 'forceLogoff', request.organisationId, async (desk) => {
    const userIds = await listAffectedUserIds(desk, request);
    await desk.loadHolders(userIds);
    const { holders } = desk.ledger;
    if (request.of !== 'ORGANISATION' && !userIds.some((userId) => holders.has(userId))) {
      return notFound(request.of === 'SESSION' ? 'session' : 'user');
    }
    const sessions = endLoadedSessions(
      desk.ledger,
      ({ id, userId }) =>
        request.of === 'ORGANISATION' ||
        (request.of === 'SESSION' ? id === request.sessionId : userId === request.userId),
      'FORCED',
    );
    return { sessions };
  });
}

async function listAffectedUserIds({ trx, organisationId }: Desk, request: ForceLogoff): Promise<UserId[]> {
  switch (request.of) {
    case 'SESSION':
      return [...(await listSessionUsers(trx, organisationId, [request.sessionId])).values()];
    case 'USER':
      return [request.userId];
    case 'ORGANISATION':
      return listLiveUserIds(trx, organisationId);
  }
}

async function getSession({ trx, organisationId }: Desk, id: SessionId): Promise<Session> {
  const [session] = await listSessions(trx, organisationId, [id]);
  if (session === undefined) throw new Error(`Session ${id} is known and gone`);
  return session;
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
