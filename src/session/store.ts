import { type Selectable, sql } from 'kysely';
import {
  deleteFrom,
  forRows,
  insertInto,
  type Of,
  placed,
  type Span,
  spanColumns,
} from '../database/bulk.ts';
import type { Database } from '../database/database.ts';
import { keyset, type PageRequest } from '../database/page.ts';
import type { Session as SessionRow } from '../database/tables.ts';
import type { Transaction } from '../database/transaction.ts';
import type { Instant } from '../kernel/clock.ts';
import type { DepartmentId, LicenceCode, OrganisationId, SessionId, UserId } from '../kernel/ids.ts';
import type { AdmittedAs } from '../usage/domain.ts';
import type { UserStatus } from '../user/domain.ts';
import { type Denial, type Holder, holdsOf, type Session, type SessionFeature } from './domain.ts';

const sessionKey = { organisationId: 'uuid', id: 'uuid' } as const;
const userKey = { organisationId: 'uuid', userId: 'uuid' } as const;

/** A session's features, in the statement that reads the session; in no order of their own. */
const featuresOfSession = `coalesce((
  select jsonb_agg(jsonb_build_object(
    'licence', f.licence, 'admittedAs', f.admitted_as, 'unavailableReason', f.unavailable_reason))
  from session_feature f
  where f.organisation_id = session.organisation_id and f.session_id = session.id), '[]')`;
const features = sql.raw<readonly SessionFeature[]>(featuresOfSession).as('features');

type Read = Selectable<SessionRow> & { readonly features: readonly SessionFeature[] };

function toSession({ organisationId: _, version: __, dueAt: ___, ...session }: Read): Session {
  return session;
}

/** By id, live or ended. */
export async function listSessions(
  db: Database,
  organisationId: OrganisationId,
  ids: readonly SessionId[],
): Promise<Session[]> {
  const rows = await db
    .selectFrom('session')
    .selectAll()
    .select(features)
    .where('organisationId', '=', organisationId)
    .where('id', '=', sql<SessionId>`any(${ids}::uuid[])`)
    .execute();
  return rows.map(toSession);
}

const selectSessions = forRows<Read>(`
  select session.*, ${featuresOfSession} as features from $given cross join lateral (
    select * from session where organisation_id = given.organisation_id and id = given.id offset 0) session`)(
  sessionKey,
);

/** By id, live or ended, of any organisations. */
export async function listSessionsOfMany(
  db: Database,
  sessions: readonly Of<{ readonly id: SessionId }>[],
): Promise<Of<Session>[]> {
  const rows = await selectSessions(db, sessions);
  return rows.map((row) => ({ organisationId: row.organisationId, ...toSession(row) }));
}

/** The users' live sessions, newest first. */
export async function listLiveSessions(
  db: Database,
  organisationId: OrganisationId,
  userIds: readonly UserId[],
): Promise<Session[]> {
  const rows = await db
    .selectFrom('session')
    .selectAll()
    .select(features)
    .where('organisationId', '=', organisationId)
    .where('userId', '=', sql<UserId>`any(${userIds}::uuid[])`)
    .where('endedAt', 'is', null)
    .orderBy('startedAt', 'desc')
    .orderBy('id', 'desc')
    .execute();
  return rows.map(toSession);
}

/** Newest first. @param live null: live and ended */
/** Which of an organisation's sessions. */
export interface SessionFilter {
  /** null: live ones and ended ones. */
  readonly live: boolean | null;
  /** Those in which it was decided: as their licence type, or as a feature, granted or not. null: any. */
  readonly licence: LicenceCode | null;
}

export async function pageSessions(
  db: Database,
  organisationId: OrganisationId,
  filter: SessionFilter,
  page: PageRequest,
): Promise<Session[]> {
  const { where, orderBy } = keyset(page, 'desc', ['startedAt', 'id']);
  const rows = await sessionsOf(db, organisationId, filter)
    .selectAll()
    .select(features)
    .where(where)
    .orderBy(orderBy)
    .limit(page.limit)
    .execute();
  return rows.map(toSession);
}

export async function countSessions(
  db: Database,
  organisationId: OrganisationId,
  filter: SessionFilter,
): Promise<number> {
  const { count } = await sessionsOf(db, organisationId, filter)
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return count;
}

function sessionsOf(db: Database, organisationId: OrganisationId, { live, licence }: SessionFilter) {
  let sessions = db.selectFrom('session').where('session.organisationId', '=', organisationId);
  if (live !== null) sessions = sessions.where('endReason', live ? 'is' : 'is not', null);
  if (licence === null) return sessions;
  return sessions.where(({ eb, exists, selectFrom }) =>
    eb.or([
      eb('session.licence', '=', licence),
      exists(
        selectFrom('sessionFeature')
          .select('sessionFeature.licence')
          .where('sessionFeature.organisationId', '=', organisationId)
          .whereRef('sessionFeature.sessionId', '=', 'session.id')
          .where('sessionFeature.licence', '=', licence),
      ),
    ]),
  );
}

/** Whose sessions these are, live or ended. Ids that name none are missing from the answer. */
export const listSessionUsers = forRows<Of<{ readonly id: SessionId; readonly userId: UserId }>>(`
  select session.* from $given cross join lateral (
    select organisation_id, id, user_id from session
    where organisation_id = given.organisation_id and id = given.id offset 0) session`)(sessionKey);

/** Who is logged on. */
export async function listLiveUserIds(db: Database, organisationId: OrganisationId): Promise<UserId[]> {
  const rows = await db
    .selectFrom('session')
    .select('userId')
    .distinct()
    .where('organisationId', '=', organisationId)
    .where('endedAt', 'is', null)
    .execute();
  return rows.map(({ userId }) => userId);
}

/** So many renewals are noted by one transaction: those of a whole organisation may come to be looked at at once. */
const maxNoted = 2000;

const noteRenewals = forRows(`
  update session set due_at = expires_at
  from $given cross join lateral (
    select ctid as place from session
    where organisation_id = given.organisation_id and end_reason is null
      and due_at <= given.now and expires_at > given.now
    order by due_at limit ${maxNoted}
    for no key update skip locked) renewed
  where session.ctid = renewed.place`)(spanColumns);

const selectDueUsers = forRows<Of<{ readonly userId: UserId }>>(`
  select distinct session.organisation_id, session.user_id from $given cross join lateral (
    select organisation_id, user_id from session
    where organisation_id = given.organisation_id and end_reason is null
      and due_at <= given.now and expires_at <= given.now offset 0
  ) session`)(spanColumns);

const selectCrowded = forRows<Of<{ readonly at: Instant }>>(`
  select given.organisation_id, greatest(crowd.expires_at, given.settled_at) as at from $given cross join lateral (
    select expires_at from session
    where organisation_id = given.organisation_id and end_reason is null
      and due_at <= given.now and expires_at <= given.now
    order by expires_at limit 1 offset given.count) crowd`)({ ...spanColumns, count: 'integer' });

/** Where the leases of more than `count` sessions end: the instant of the one after those. */
export async function findCrowdedInstants(
  trx: Transaction,
  spans: readonly Of<Span>[],
  count: number,
): Promise<ReadonlyMap<OrganisationId, Instant>> {
  const crowded = await selectCrowded(
    trx,
    spans.map((span) => ({ ...span, count })),
  );
  return new Map(crowded.map(({ organisationId, at }) => [organisationId, at]));
}

/**
 * Whose sessions' leases end up to and with `now`. Of those that were renewed since they were last looked at, it is
 * noted until when they last: a renewal itself does not touch the index by which they are found. What is not noted yet
 * is looked at again by the next transaction, and harms nobody: `due_at` is a lower bound.
 */
export async function listExpiringUsers(
  trx: Transaction,
  spans: readonly Of<Span>[],
): Promise<Of<HolderName>[]> {
  const [, users] = await Promise.all([noteRenewals(trx, spans), selectDueUsers(trx, spans)]);
  return users.map((user) => ({ ...user, sessionId: null }));
}

/** A user, by id or as the one whose session, live or ended, is named. */
export type HolderName =
  | { readonly userId: UserId; readonly sessionId: null }
  | { readonly userId: null; readonly sessionId: SessionId };

const nameColumns = { organisationId: 'uuid', userId: 'uuid', sessionId: 'uuid' } as const;

const named = `$given cross join lateral (
    select coalesce(given.user_id, (
      select user_id from session
      where organisation_id = given.organisation_id and id = given.session_id)) as user_id offset 0) named`;

const selectUsers = forRows<
  Of<{
    id: UserId;
    status: UserStatus;
    assigned: string;
    departmentId: DepartmentId | null;
    sessionId: SessionId | null;
  }>
>(`
  select u.*, given.session_id, coalesce((
    select string_agg(a.licence, ' ') from assignment a
    where a.organisation_id = u.organisation_id and a.user_id = u.id and a.removed_at is null), '') as assigned, (
    select m.department_id from department_member m
    where m.organisation_id = u.organisation_id and m.user_id = u.id) as department_id
  from ${named} cross join lateral (
    select organisation_id, id, status from "user"
    where organisation_id = given.organisation_id and id = named.user_id offset 0) u`)(nameColumns);

const lockLiveSessions = forRows<Read>(`
  select session.*, ${featuresOfSession} as features from ${named} cross join lateral (
    select * from session s
    where s.organisation_id = given.organisation_id and s.user_id = named.user_id and s.ended_at is null
    for update) session`)(nameColumns);

/** An organisation's users, and whose the sessions are by which they were named. */
export interface Holders {
  readonly holders: ReadonlyMap<UserId, Holder>;
  readonly owners: ReadonlyMap<SessionId, UserId>;
}

/**
 * Users with their live sessions, which stay locked until the transaction ends: a renewal, which takes no other lock,
 * then finds a session that this transaction ends ended. The organisations must be locked first. Names that name
 * nobody are missing from the answer.
 */
export async function lockHolders(
  trx: Transaction,
  names: readonly Of<HolderName>[],
): Promise<ReadonlyMap<OrganisationId, Holders>> {
  const [users, sessions] = await Promise.all([selectUsers(trx, names), lockLiveSessions(trx, names)]);
  // Somebody who was named twice is there once, and so is each session.
  const sessionsOf = new Map<string, Map<SessionId, Session>>();
  for (const row of sessions) {
    const user = `${row.organisationId}/${row.userId}`;
    const known = sessionsOf.get(user);
    if (known === undefined) sessionsOf.set(user, new Map([[row.id, toSession(row)]]));
    else known.set(row.id, toSession(row));
  }
  const answer = new Map<
    OrganisationId,
    { readonly holders: Map<UserId, Holder>; readonly owners: Map<SessionId, UserId> }
  >();
  for (const { organisationId, id, status, assigned, departmentId, sessionId } of users) {
    let own = answer.get(organisationId);
    if (own === undefined) answer.set(organisationId, (own = { holders: new Map(), owners: new Map() }));
    if (sessionId !== null) own.owners.set(sessionId, id);
    if (own.holders.has(id)) continue;
    own.holders.set(id, {
      userId: id,
      status,
      departmentId,
      assigned: new Set((assigned === '' ? [] : assigned.split(' ')) as LicenceCode[]),
      sessions: [...(sessionsOf.get(`${organisationId}/${id}`)?.values() ?? [])],
    });
  }
  return answer;
}

/** An organisation's holders as they were loaded, and as they were decided. */
export interface HoldersChange {
  readonly organisationId: OrganisationId;
  readonly before: ReadonlyMap<UserId, Holder>;
  readonly after: ReadonlyMap<UserId, Holder>;
  readonly at: Instant;
}

/** Writes what differs: sessions, features, holds. The number of statements does not grow with the changes. */
export async function saveHolders(trx: Transaction, changes: readonly HoldersChange[]): Promise<void> {
  const { started, changed, setFeatures, droppedFeatures, acquired, released } = differences(changes);

  // In this order: a device that was logged off is free for the session that starts on it (L6), and that session is
  // there before its features. Sent together, statements are done one after the other.
  await Promise.all([
    updateSessions(trx, changed),
    deleteFeatures(trx, droppedFeatures),
    deleteHolds(trx, released),
    insertSessions(trx, started),
    insertHolds(trx, acquired),
    saveFeatures(trx, setFeatures),
  ]);
}

const updateSessions = forRows(`
  update session set
    expires_at = given.expires_at,
    due_at = least(session.due_at, given.expires_at),
    ended_at = given.ended_at,
    end_reason = given.end_reason,
    version = session.version + 1
  from ${placed('session', ['organisationId', 'id'])}
  where session.ctid = place`)({
  ...sessionKey,
  expiresAt: 'timestamptz',
  endedAt: 'timestamptz',
  endReason: 'session_end_reason',
});

const insertSessions = forRows(`
  insert into session
    (organisation_id, id, user_id, licence, device, admitted_as, started_at, expires_at, due_at,
     ended_at, end_reason, version)
  select organisation_id, id, user_id, licence, device, admitted_as, started_at, expires_at, expires_at,
     ended_at, end_reason, 1
  from $given`)({
  ...sessionKey,
  userId: 'uuid',
  licence: 'text',
  device: 'text',
  admittedAs: 'admitted_as',
  startedAt: 'timestamptz',
  expiresAt: 'timestamptz',
  endedAt: 'timestamptz',
  endReason: 'session_end_reason',
});

const deleteFeatures = deleteFrom('sessionFeature')({
  organisationId: 'uuid',
  sessionId: 'uuid',
  licence: 'text',
});

const saveFeatures = insertInto(
  'sessionFeature',
  `on conflict (organisation_id, session_id, licence) do update set
    admitted_as = excluded.admitted_as, unavailable_reason = excluded.unavailable_reason`,
)({
  organisationId: 'uuid',
  sessionId: 'uuid',
  licence: 'text',
  admittedAs: 'admitted_as',
  unavailableReason: 'unavailable_reason',
});

const insertHolds = insertInto('hold')({
  ...userKey,
  licence: 'text',
  admittedAs: 'admitted_as',
  acquiredAt: 'timestamptz',
});

const deleteHolds = deleteFrom('hold')({ ...userKey, licence: 'text' });

function differences(changes: readonly HoldersChange[]) {
  const started: Of<Session>[] = [];
  const changed: Of<Session>[] = [];
  const setFeatures: Of<SessionFeature & { sessionId: SessionId }>[] = [];
  const droppedFeatures: Of<{ sessionId: SessionId; licence: LicenceCode }>[] = [];
  const acquired: Of<{
    userId: UserId;
    licence: LicenceCode;
    admittedAs: AdmittedAs;
    acquiredAt: Instant;
  }>[] = [];
  const released: Of<{ userId: UserId; licence: LicenceCode }>[] = [];

  for (const { organisationId, before, after, at } of changes) {
    for (const [userId, holder] of after) {
      const former = before.get(userId);
      if (holder === former) continue;
      for (const session of holder.sessions) {
        const old = former?.sessions.find(({ id }) => id === session.id);
        if (old === session) continue;
        if (old !== undefined) changed.push({ organisationId, ...session });
        else started.push({ organisationId, ...session });
        for (const feature of session.features) {
          if (old?.features.includes(feature) !== true)
            setFeatures.push({ organisationId, sessionId: session.id, ...feature });
        }
        for (const { licence } of old?.features ?? []) {
          const dropped = !session.features.some((feature) => feature.licence === licence);
          if (dropped) droppedFeatures.push({ organisationId, sessionId: session.id, licence });
        }
      }
      const holds = holdsOf(holder);
      const formerHolds = former === undefined ? new Map<LicenceCode, never>() : holdsOf(former);
      for (const [licence, admittedAs] of holds) {
        if (!formerHolds.has(licence))
          acquired.push({ organisationId, userId, licence, admittedAs, acquiredAt: at });
      }
      for (const licence of formerHolds.keys()) {
        if (!holds.has(licence)) released.push({ organisationId, userId, licence });
      }
    }
  }
  return { started, changed, setFeatures, droppedFeatures, acquired, released };
}

const prolong = forRows<Read>(`
  with mine as (
    select mine.* from $given cross join lateral (
      select session.ctid as place, present.at + lease_seconds * interval '1 second' as expiry
      from organisation
      cross join lateral (
        select case when test_clock then settled_at else greatest(settled_at, given.real) end as at) present
      join session on session.organisation_id = organisation.id
      where organisation.id = given.organisation_id and session.organisation_id = given.organisation_id
        and session.id = given.id and session.ended_at is null
        and session.expires_at > present.at
        and session.expires_at <= present.at + lease_seconds * interval '1 second'
      for no key update of session skip locked) mine)
  update session set expires_at = mine.expiry, version = version + 1
  from mine
  where session.ctid = mine.place
  returning session.*, ${featuresOfSession} as features`)({ ...sessionKey, real: 'timestamptz' });

/**
 * Prolongs live sessions, whatever their organisations, by one statement and without any lock but theirs (L7, L8).
 * Only ever later: one that a shortened lease would end sooner is left to admission, which knows what then falls due
 * earlier; and so is one that a transaction under way holds, or has changed since the statement began. A row that is
 * locked stays in its place, so that it need not be looked up twice.
 * @returns those that were prolonged
 */
export async function prolongSessions(
  db: Database,
  sessions: readonly Of<{ readonly id: SessionId }>[],
  real: Instant,
): Promise<Of<Session>[]> {
  const rows = await prolong(
    db,
    sessions.map((session) => ({ ...session, real })),
  );
  return rows.map((row) => ({ organisationId: row.organisationId, ...toSession(row) }));
}

/** Of sessions at known versions, those that are at another now: for who watches many, of which few change. */
export const listNewVersions = forRows<Of<{ readonly id: SessionId; readonly version: number }>>(`
  select given.organisation_id as "organisationId", given.id, present.version from $given
  cross join lateral (
    select session.version from session
    where session.organisation_id = given.organisation_id and session.id = given.id offset 0
  ) as present
  where present.version <> given.version`)({ organisationId: 'uuid', id: 'uuid', version: 'bigint' });

export const insertDenials = insertInto('denial')({
  organisationId: 'uuid',
  id: 'uuid',
  userId: 'uuid',
  licence: 'text',
  code: 'text',
  at: 'timestamptz',
});

export async function listDenials(
  db: Database,
  organisationId: OrganisationId,
  ids: readonly Denial['id'][],
): Promise<Denial[]> {
  const rows = await db
    .selectFrom('denial')
    .selectAll()
    .where('organisationId', '=', organisationId)
    .where('id', 'in', ids)
    .execute();
  return rows.map(({ organisationId: _, ...denial }) => denial);
}

/** Newest first. */
/** Which of an organisation's denials; null: any. */
export interface DenialFilter {
  readonly licence: LicenceCode | null;
  readonly from: Instant | null;
}

export async function pageDenials(
  db: Database,
  organisationId: OrganisationId,
  filter: DenialFilter,
  page: PageRequest,
): Promise<Denial[]> {
  const { where, orderBy } = keyset(page, 'desc', ['at', 'id']);
  const rows = await denialsOf(db, organisationId, filter)
    .selectAll()
    .where(where)
    .orderBy(orderBy)
    .limit(page.limit)
    .execute();
  return rows.map(({ organisationId: _, ...denial }) => denial);
}

export async function countDenials(
  db: Database,
  organisationId: OrganisationId,
  filter: DenialFilter,
): Promise<number> {
  const { count } = await denialsOf(db, organisationId, filter)
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return count;
}

function denialsOf(db: Database, organisationId: OrganisationId, { licence, from }: DenialFilter) {
  let denials = db.selectFrom('denial').where('organisationId', '=', organisationId);
  if (licence !== null) denials = denials.where('licence', '=', licence);
  if (from !== null) denials = denials.where('at', '>=', from);
  return denials;
}
