import type { AllotmentFull } from '../allotment/domain.ts';
import { builder } from '../graphql/builder.ts';
import { connect, connectionType, type Order, pageArguments } from '../graphql/connection.ts';
import type { Context } from '../graphql/context.ts';
import { codedError, InputError } from '../graphql/errors.ts';
import { codes, optionalKeyAnswer, optionalText, text } from '../graphql/input.ts';
import { byOrganisation, createLoader, sharedScope } from '../graphql/loader.ts';
import { IdempotencyKeyReused, mutation } from '../graphql/mutation.ts';
import { readId, readOrganisationId, registerNode } from '../graphql/node.ts';
import {
  type DenialId,
  encodeOwnedId,
  type LicenceCode,
  type OrganisationId,
  type SessionId,
  type UserId,
} from '../kernel/ids.ts';
import { invalidInput, isRefusal, type NotFound, notFound, type Refusal } from '../kernel/refusal.ts';
import { type Grant, grantOf } from '../kernel/access.ts';
import { type News, type Position, sessionTopic } from '../live/live.ts';
import type { ForceLogoff, LoggedOn, SessionCommands } from './commands.ts';
import type {
  ContingencyCapped,
  Denial,
  DeviceInUse,
  LicenceNotAssigned,
  NoChannelAvailable,
  NoSeatAvailable,
  Session,
  SessionEnded,
  SessionEndReason,
  SessionFeature,
  UnavailableReason,
  UserNotActive,
} from './domain.ts';
import {
  countDenials,
  countSessions,
  listDenials,
  listLiveSessions,
  listSessions,
  pageDenials,
  pageSessions,
} from './store.ts';

interface SessionRow extends Session {
  readonly organisationId: OrganisationId;
}

interface DenialRow extends Denial {
  readonly organisationId: OrganisationId;
}

declare module '../graphql/builder.ts' {
  interface Objects {
    Session: SessionRow;
    SessionFeature: SessionFeature;
    Denial: DenialRow;
  }
  interface Enums {
    UnavailableReason: UnavailableReason;
    SessionEndReason: SessionEndReason;
  }
}

declare module '../graphql/context.ts' {
  interface Context {
    readonly sessions: SessionCommands;
  }
}

const findSession = createLoader<
  { readonly organisationId: OrganisationId; readonly id: SessionId },
  SessionRow
>(
  ({ organisationId, id }) => `${organisationId}/${id}`,
  ({ services }, keys) =>
    byOrganisation(keys, (organisationId, ids) => listSessions(services.db, organisationId, ids)),
);

/** A session as it is now: what is due in its organisation has taken effect first (L8). */
async function findPresentSession(
  context: Context,
  key: { readonly organisationId: OrganisationId; readonly id: SessionId },
): Promise<SessionRow | null> {
  if ((await context.findOrganisation(context, key.organisationId)) === null) return null;
  return findSession(context, key);
}

registerNode(
  'Session',
  (context, { organisationId, id }) => findPresentSession(context, { organisationId, id: id as SessionId }),
  async (context, { organisationId, id }) =>
    (await findSession(context, { organisationId, id: id as SessionId }))?.userId ?? null,
);

const findLiveSessions = createLoader<
  { readonly organisationId: OrganisationId; readonly id: UserId },
  { readonly id: UserId; readonly sessions: readonly Session[] }
>(
  ({ organisationId, id }) => `${organisationId}/${id}`,
  ({ services }, keys) =>
    byOrganisation(keys, async (organisationId, ids) => {
      const byUser = Map.groupBy(
        await listLiveSessions(services.db, organisationId, ids),
        ({ userId }) => userId,
      );
      return ids.map((id) => ({ id, sessions: byUser.get(id) ?? [] }));
    }),
);

builder.enumType('UnavailableReason', {
  description: 'Why a session was not granted a feature.',
  values: {
    NOT_ASSIGNED: { description: 'The user does not have it.' },
    NOT_PURCHASED: { description: 'The organisation has no seats of it now.' },
    NO_SEAT_AVAILABLE: { description: 'Every seat is in use, contingency included.' },
    CONTINGENCY_CAPPED: {
      description: 'Only contingency seats are left, and the organisation capped their use.',
    },
    ALLOTMENT_FULL: { description: 'The part of the seats that the user may use is in use.' },
  },
});

builder.enumType('SessionEndReason', {
  description: 'Why a session ended.',
  values: {
    LOGOFF: { description: 'The user logged off.' },
    LEASE_EXPIRED: { description: 'It was not renewed in time.' },
    FORCED: { description: 'Somebody ended it by `forceLogoff`.' },
    USER_SUSPENDED: { description: 'The user was suspended.' },
    USER_DELETED: { description: 'The user was deleted.' },
    LICENCE_UNASSIGNED: { description: 'The user lost the licence.' },
  },
});

builder.objectType('SessionFeature', {
  description: 'What a session was answered about one feature.',
  fields: (t) => ({
    feature: t.field({
      type: 'FeatureLicence',
      description: 'The feature.',
      resolve: ({ licence }, _args, context) => context.getLicence(context, licence),
    }),
    granted: t.boolean({
      description: 'Whether the session may use it.',
      resolve: ({ admittedAs }) => admittedAs !== null,
    }),
    admittedAs: t.field({
      type: 'AdmittedAs',
      nullable: true,
      description: 'What the seat was when the user’s hold of it was acquired; null when it was not granted.',
      resolve: ({ admittedAs }) => admittedAs,
    }),
    unavailableReason: t.field({
      type: 'UnavailableReason',
      nullable: true,
      description: 'Why it was not granted; null when it was.',
      resolve: ({ unavailableReason }) => unavailableReason,
    }),
  }),
});

builder.objectType('Session', {
  interfaces: ['Node'],
  description: 'One logon of one user on one device. It lives until `expiresAt`, unless it is renewed.',
  fields: (t) => ({
    id: t.id({
      description: 'Opaque and globally unique.',
      resolve: ({ organisationId, id }) => encodeOwnedId('Session', organisationId, id),
    }),
    user: t.field({
      type: 'User',
      description: 'Who is logged on.',
      resolve: ({ organisationId, userId }, _args, context) =>
        context.getUser(context, { organisationId, id: userId }),
    }),
    licenceType: t.field({
      type: 'LicenceType',
      description: 'With which licence.',
      resolve: ({ licence }, _args, context) => context.getLicence(context, licence),
    }),
    device: t.exposeString('device', { description: 'On what; a user has one live session on each device.' }),
    admittedAs: t.field({
      type: 'AdmittedAs',
      description: 'What the seat was when the user’s hold of it was acquired.',
      resolve: ({ admittedAs }) => admittedAs,
    }),
    startedAt: t.expose('startedAt', { type: 'DateTime', description: 'When the user logged on.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      description: 'When it ends, unless it is renewed before.',
    }),
    endedAt: t.expose('endedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it ended; null while it lives.',
    }),
    endReason: t.field({
      type: 'SessionEndReason',
      nullable: true,
      description: 'Why it ended; null while it lives.',
      resolve: ({ endReason }) => endReason,
    }),
    features: t.field({
      type: ['SessionFeature'],
      description: 'Every feature that was decided, granted and unavailable alike, in catalogue order.',
      resolve: async ({ features }, _args, context) => inOrder(context, features),
    }),
  }),
});

async function inOrder(context: Context, features: readonly SessionFeature[]): Promise<SessionFeature[]> {
  const placed = await Promise.all(
    features.map(async (feature) => ({ feature, ...(await context.getLicence(context, feature.licence)) })),
  );
  return placed.sort((one, other) => one.position - other.position).map(({ feature }) => feature);
}

builder.objectType('Denial', {
  interfaces: ['Node'],
  description: 'A refused logon, or a feature that was refused for want of seats.',
  fields: (t) => ({
    id: t.id({
      description: 'Opaque and globally unique.',
      resolve: ({ organisationId, id }) => encodeOwnedId('Denial', organisationId, id),
    }),
    user: t.field({
      type: 'User',
      description: 'Who was refused.',
      resolve: ({ organisationId, userId }, _args, context) =>
        context.getUser(context, { organisationId, id: userId }),
    }),
    licence: t.field({
      type: 'Licence',
      description: 'What was refused.',
      resolve: ({ licence }, _args, context) => context.getLicence(context, licence),
    }),
    code: t.exposeString('code', {
      description: 'Why: a logon’s error code, or a feature’s unavailable reason.',
    }),
    at: t.expose('at', { type: 'DateTime', description: 'When.' }),
  }),
});

registerNode('Denial', async (context, { organisationId, id }) => {
  const [denial] = await listDenials(context.services.db, organisationId, [id as DenialId]);
  return denial === undefined ? null : { ...denial, organisationId };
});

builder.objectField('User', 'sessions', (t) =>
  t.field({
    type: ['Session'],
    description: 'The user’s live sessions, newest first.',
    resolve: async ({ organisationId, id }, _args, context) => {
      // The user may have been reached without its organisation: what is due there comes first.
      await context.findOrganisation(context, organisationId);
      const found = await findLiveSessions(context, { organisationId, id });
      return (found?.sessions ?? []).map((session) => ({ ...session, organisationId }));
    },
  }),
);

const SessionConnection = connectionType('Session', 'Sessions, newest first.');
const sessionsNewestFirst: Order<SessionRow> = {
  name: 'sessions',
  parts: ['instant', 'uuid'],
  keyOf: ({ startedAt, id }) => [startedAt, id],
};

builder.objectField('Organisation', 'sessions', (t) =>
  t.field({
    type: SessionConnection,
    nullable: true,
    description: 'The organisation’s sessions, newest first.',
    args: {
      ...pageArguments(t.arg),
      live: t.arg.boolean({
        description: 'true: only live ones; false: only ended ones; both if nothing is said.',
      }),
      licence: t.arg.string({
        validate: text.nullish(),
        description:
          'With `live: true`: only those in which the licence with this code was decided, as their licence type or as a feature, granted or not.',
      }),
    },
    resolve: ({ id: organisationId }, { live = null, licence = null, ...page }, { services }) => {
      // Of a licence that is seldom used, all that ever ended would be gone through.
      if (licence !== null && live !== true)
        throw new InputError('licence', '`licence` goes with `live: true`.');
      const filter = { live, licence: licence as LicenceCode | null };
      return connect(
        sessionsNewestFirst,
        page,
        async (request) =>
          (await pageSessions(services.db, organisationId, filter, request)).map((row) => ({
            ...row,
            organisationId,
          })),
        () => countSessions(services.db, organisationId, filter),
      );
    },
  }),
);

const DenialConnection = connectionType('Denial', 'Denials, newest first.');
const denialsNewestFirst: Order<DenialRow> = {
  name: 'denials',
  parts: ['instant', 'uuid'],
  keyOf: ({ at, id }) => [at, id],
};

builder.objectField('Organisation', 'denials', (t) =>
  t.field({
    type: DenialConnection,
    nullable: true,
    description: 'Refused logons and features, newest first.',
    args: {
      ...pageArguments(t.arg),
      from: t.arg({ type: 'DateTime', description: 'Only those of then and later.' }),
      licence: t.arg.string({
        validate: text.nullish(),
        description: 'With `from`: only of the licence with this code.',
      }),
    },
    resolve: ({ id: organisationId }, { from = null, licence = null, ...page }, { services }) => {
      if (licence !== null && from === null)
        throw new InputError('licence', '`licence` goes with `from`: say since when.');
      const filter = { from, licence: licence as LicenceCode | null };
      return connect(
        denialsNewestFirst,
        page,
        async (request) =>
          (await pageDenials(services.db, organisationId, filter, request)).map((row) => ({
            ...row,
            organisationId,
          })),
        () => countDenials(services.db, organisationId, filter),
      );
    },
  }),
);

const UserNotActiveError = builder.objectRef<UserNotActive>('UserNotActive').implement({
  interfaces: ['UserError'],
  description: 'Only an ACTIVE user can log on.',
});
const LicenceNotAssignedError = builder.objectRef<LicenceNotAssigned>('LicenceNotAssigned').implement({
  interfaces: ['UserError'],
  description: 'The user does not have the licence.',
});
const DeviceInUseError = builder.objectRef<DeviceInUse>('DeviceInUse').implement({
  interfaces: ['UserError'],
  description: 'The device has a live session with another licence.',
});
const NoSeatAvailableError = builder.objectRef<NoSeatAvailable>('NoSeatAvailable').implement({
  interfaces: ['UserError'],
  description: 'Every seat is in use, contingency included.',
  fields: (t) => ({
    licence: t.field({
      type: 'Licence',
      description: 'Of which licence.',
      resolve: ({ licence }, _args, context) => context.getLicence(context, licence),
    }),
  }),
});
const AllotmentFullError = builder.objectRef<AllotmentFull>('AllotmentFull').implement({
  interfaces: ['UserError'],
  description:
    'A seat is free, but not for this user: the department is at its maximum, or the free ones are reserved for others.',
  fields: (t) => ({
    licence: t.field({
      type: 'Licence',
      description: 'Of which licence.',
      resolve: ({ licence }, _args, context) => context.getLicence(context, licence),
    }),
  }),
});
const ContingencyCappedError = builder.objectRef<ContingencyCapped>('ContingencyCapped').implement({
  interfaces: ['UserError'],
  description:
    'Only contingency seats are left, and the organisation capped how many of them may come to be billed this month.',
  fields: (t) => ({
    licence: t.field({
      type: 'Licence',
      description: 'Of which licence.',
      resolve: ({ licence }, _args, context) => context.getLicence(context, licence),
    }),
    cap: t.exposeInt('cap', { description: 'How many may.' }),
  }),
});
const NoChannelAvailableError = builder.objectRef<NoChannelAvailable>('NoChannelAvailable').implement({
  interfaces: ['UserError'],
  description: 'The licence needs at least one channel, and this logon was granted none.',
  fields: (t) => ({
    features: t.field({
      type: ['SessionFeature'],
      description: 'The features that were refused, and why.',
      resolve: ({ features }) => [...features],
    }),
  }),
});
const SessionEndedError = builder.objectRef<SessionEnded>('SessionEnded').implement({
  interfaces: ['UserError'],
  description: 'The session has ended.',
});

function payload(name: string, description: string) {
  return builder.objectRef<{ readonly session: SessionRow }>(name).implement({
    description,
    fields: (t) => ({ session: t.expose('session', { type: 'Session', description: 'As it is now.' }) }),
  });
}

function toPayload<Found extends Session, Refused extends Refusal>(
  organisationId: OrganisationId,
  answer: Found | Refused,
): { readonly session: Found & SessionRow } | Refused {
  return 'device' in answer ? { session: { ...answer, organisationId } } : answer;
}

const LogonPayload = builder
  .objectRef<{ readonly session: SessionRow & LoggedOn }>('LogonPayload')
  .implement({
    description: 'The session that was started, or found.',
    fields: (t) => ({
      session: t.expose('session', { type: 'Session', description: 'As it is now.' }),
      raisesPeak: t.boolean({
        description:
          'Whether this logon opened a contingency seat, of its licence or of a feature, that is billed for the month and was not before. A repeat with the same `idempotencyKey` answers the same.',
        resolve: ({ session }) => session.raisesPeak,
      }),
    }),
  });

const LogonInput = builder.inputType('LogonInput', {
  description: 'Who logs on, with what, where.',
  fields: (t) => ({
    userId: t.id({ required: true, description: 'The user.' }),
    licence: t.string({
      required: true,
      validate: text,
      description: 'The code of a licence type the user has.',
    }),
    device: t.string({
      required: true,
      validate: text,
      description:
        'A name of the device. Logging on again from it returns the same session. A user is logged on with 50 at most.',
    }),
    features: t.stringList({
      validate: codes,
      description: 'Codes of the features wanted; all the user’s if nothing is said; `[]`: none.',
    }),
    idempotencyKey: t.string({
      validate: optionalText,
      description:
        'A repeat with the same key, within 24 hours, answers the same and takes nothing. Kept per user.',
    }),
    secondFactor: t.string({
      validate: optionalKeyAnswer,
      description:
        'What a security key of the user answered to the challenge of SECOND_FACTOR_REQUIRED, as JSON: `JSON.stringify(credential)`. Good for one logon. Not needed where your access token shows a second factor of the user. No part of what an `idempotencyKey` stands for.',
    }),
  }),
});

mutation({
  name: 'logon',
  description:
    'Logs a user on: decides a seat, and each feature by itself. Grants are answered with what was not granted, and why.',
  input: LogonInput,
  payload: LogonPayload,
  errors: [
    UserNotActiveError,
    LicenceNotAssignedError,
    'SecondFactorRequired',
    DeviceInUseError,
    NoSeatAvailableError,
    AllotmentFullError,
    ContingencyCappedError,
    NoChannelAvailableError,
    IdempotencyKeyReused,
  ],
  resolve: async (input, context, grant) => {
    const reference = await readId(context, 'User', input.userId, 'user', grant);
    if (isRefusal(reference)) return reference;
    const { organisationId, id: userId } = reference;
    const { actor, services, securityKeys } = context;
    const whose = { organisationId, userId };
    const secondFactor = input.secondFactor ?? null;
    const proof = await securityKeys.show(services, { actor, ...whose, purpose: 'LOGON', secondFactor });
    if (isRefusal(proof)) return proof;
    const answer = await context.sessions.logon({
      organisationId,
      userId,
      licence: input.licence,
      device: input.device,
      features: input.features ?? null,
      idempotencyKey: input.idempotencyKey ?? null,
      secondFactorShown: proof.shown,
    });
    if (isRefusal(answer) && answer.code === 'SECOND_FACTOR_REQUIRED') {
      const { message } = answer;
      return securityKeys.require(services, whose, 'LOGON', { message, proof });
    }
    return toPayload<LoggedOn, Refusal>(organisationId, answer);
  },
});

function sessionInput(name: string, description: string) {
  return builder.inputType(name, {
    description,
    fields: (t) => ({ sessionId: t.id({ required: true, description: 'The session.' }) }),
  });
}

function featuresInput(name: string, description: string) {
  return builder.inputType(name, {
    description,
    fields: (t) => ({
      sessionId: t.id({ required: true, description: 'The session.' }),
      features: t.stringList({ required: true, validate: codes, description: 'Codes of features.' }),
    }),
  });
}

mutation({
  name: 'renewSession',
  description: 'Keeps a session alive: it now lives for the organisation’s lease from here on.',
  input: sessionInput('RenewSessionInput', 'The session to renew.'),
  payload: payload('RenewSessionPayload', 'The session that was renewed.'),
  errors: [SessionEndedError],
  resolve: (input, context, grant) =>
    onSession(context, input.sessionId, grant, context.sessions.renewSession),
});

mutation({
  name: 'acquireFeatures',
  description:
    'Asks for more features during a session. Each is decided by itself. Does not renew the session.',
  input: featuresInput('AcquireFeaturesInput', 'The session, and the features it wants.'),
  payload: payload('AcquireFeaturesPayload', 'The session, with what was granted and what was not.'),
  errors: [SessionEndedError],
  resolve: (input, context, grant) =>
    onSession(context, input.sessionId, grant, (of) =>
      context.sessions.acquireFeatures({ ...of, features: input.features }),
    ),
});

mutation({
  name: 'releaseFeatures',
  description:
    'Gives features of a session back. One that it does not have changes nothing. Does not renew the session.',
  input: featuresInput('ReleaseFeaturesInput', 'The session, and the features it no longer wants.'),
  payload: payload('ReleaseFeaturesPayload', 'The session, without the features.'),
  errors: [SessionEndedError],
  resolve: (input, context, grant) =>
    onSession(context, input.sessionId, grant, (of) =>
      context.sessions.releaseFeatures({ ...of, features: input.features }),
    ),
});

mutation({
  name: 'logoff',
  description:
    'Ends a session and frees what no other device of the user uses. Of an ended session: changes nothing.',
  input: sessionInput('LogoffInput', 'The session to end.'),
  payload: payload('LogoffPayload', 'The session, ended.'),
  errors: [],
  resolve: (input, context, grant) => onSession(context, input.sessionId, grant, context.sessions.logoff),
});

async function onSession<Refused extends Refusal>(
  context: Context,
  sessionId: string,
  grant: Grant,
  command: (of: { organisationId: OrganisationId; sessionId: SessionId }) => Promise<Session | Refused>,
): Promise<{ readonly session: SessionRow } | Refused | NotFound> {
  const reference = await readId(context, 'Session', sessionId, 'session', grant);
  if (isRefusal(reference)) return reference;
  const { organisationId, id } = reference;
  return toPayload<Session, Refused>(organisationId, await command({ organisationId, sessionId: id }));
}

const ForceLogoffInput = builder.inputType('ForceLogoffInput', {
  description: 'Whom to log off: exactly one of the three.',
  fields: (t) => ({
    sessionId: t.id({ description: 'One session.' }),
    userId: t.id({ description: 'Every session of a user.' }),
    organisationId: t.id({ description: 'Every session of an organisation.' }),
  }),
});

mutation({
  name: 'forceLogoff',
  description: 'Ends a session, every session of a user, or all of an organisation’s.',
  input: ForceLogoffInput,
  payload: builder.objectRef<{ readonly sessions: readonly SessionRow[] }>('ForceLogoffPayload').implement({
    description: 'What was ended.',
    fields: (t) => ({
      sessions: t.field({
        type: ['Session'],
        description: 'The sessions that this ended.',
        resolve: ({ sessions }) => [...sessions],
      }),
    }),
  }),
  errors: [],
  resolve: async ({ sessionId, userId, organisationId }, context) => {
    if ([sessionId, userId, organisationId].filter((id) => id != null).length !== 1) {
      return invalidInput('sessionId', 'Name a session, a user or an organisation: exactly one of them.');
    }
    const request = await readForceLogoff(context, sessionId ?? null, userId ?? null, organisationId ?? '');
    if (isRefusal(request)) return request;
    const ended = await context.sessions.forceLogoff(request);
    if (isRefusal(ended)) return ended;
    return {
      sessions: ended.sessions.map((session) => ({ ...session, organisationId: request.organisationId })),
    };
  },
});

async function readForceLogoff(
  context: Context,
  sessionId: string | null,
  userId: string | null,
  organisationId: string,
): Promise<ForceLogoff | NotFound> {
  if (sessionId !== null) {
    const reference = await readId(context, 'Session', sessionId, 'session');
    if (isRefusal(reference)) return reference;
    return { of: 'SESSION', organisationId: reference.organisationId, sessionId: reference.id };
  }
  if (userId !== null) {
    const reference = await readId(context, 'User', userId, 'user');
    if (isRefusal(reference)) return reference;
    return { of: 'USER', organisationId: reference.organisationId, userId: reference.id };
  }
  const reference = await readOrganisationId(context, organisationId);
  return isRefusal(reference) ? reference : { of: 'ORGANISATION', ...reference };
}

builder.subscriptionField('sessionChanged', (t) =>
  t.field({
    type: 'Session',
    description:
      'One session’s own news: renewed, a feature granted or lost, ended. First its present state; completes after the event that has `endedAt`.',
    args: { sessionId: t.arg.id({ required: true, description: 'The session.' }) },
    subscribe: async (_root, { sessionId }, context) => {
      const grant = grantOf(context.actor, 'Subscription.sessionChanged') ?? 'OWN';
      const reference = await readId(context, 'Session', sessionId, 'session', grant);
      if (isRefusal(reference)) throw codedError(reference);
      if ((await findPresentSession(context, reference)) === null) throw codedError(notFound('session'));
      return context.services.live.follow(
        sessionTopic(reference.organisationId, reference.id),
        createSessionReader(context, reference),
      );
    },
    resolve: ({ session, scope }, _args, context) => {
      context.scope = scope;
      return session;
    },
  }),
);

interface SessionChanged {
  readonly session: SessionRow;
  readonly scope: object;
}

/** What a subscriber has seen of a session: all of it, as text. */
interface SeenSession extends Position {
  readonly version: string;
}

/** Reads a session; no event when it is as it was seen. */
function createSessionReader(
  context: Context,
  key: { readonly organisationId: OrganisationId; readonly id: SessionId },
): (since: SeenSession | null) => Promise<News<SessionChanged, SeenSession>> {
  return async (since) => {
    const fresh = { ...context, scope: sharedScope(context) };
    const session = await findPresentSession(fresh, key);
    if (session === null) throw new Error(`Session ${key.id} is gone`);
    const version = JSON.stringify(session);
    const value = version === since?.version ? null : { session, scope: fresh.scope };
    return { value, position: { version }, isLast: session.endedAt !== null };
  };
}
