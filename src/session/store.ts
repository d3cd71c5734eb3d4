import { type Selectable, sql } from 'kysely';
import type { Database } from '../database/database.ts';
import { inChunks, keyset, type PageRequest } from '../database/page.ts';
import type {
  Hold as HoldRow,
  Session as SessionRow,
  SessionFeature as FeatureRow,
} from '../database/tables.ts';
import type { Transaction } from '../database/transaction.ts';
import type { Instant } from '../kernel/clock.ts';
import type { LicenceCode, OrganisationId, SessionId, UserId } from '../kernel/ids.ts';
import { type Denial, type Holder, holdsOf, type Session, type SessionFeature } from './domain.ts';

function toFeature({ licence, admittedAs, unavailableReason }: Selectable<FeatureRow>): SessionFeature {
  if (admittedAs !== null) return { licence, admittedAs, unavailableReason: null };
  // A check constraint: what is not granted has a reason.
  return { licence, admittedAs: null, unavailableReason: unavailableReason ?? 'NOT_ASSIGNED' };
}

async function withFeatures(
  db: Database,
  organisationId: OrganisationId,
  rows: readonly Selectable<SessionRow>[],
): Promise<Session[]> {
  if (rows.length === 0) return [];
  const ids = rows.map(({ id }) => id);
  const features = await db
    .selectFrom('sessionFeature')
    .innerJoin('licence', 'licence.code', 'sessionFeature.licence')
    .selectAll('sessionFeature')
    .where('organisationId', '=', organisationId)
    .where('sessionId', '=', sql<SessionId>`any(${ids}::uuid[])`)
    .orderBy('licence.position')
    .execute();
  const bySession = Map.groupBy(features, ({ sessionId }) => sessionId);
  return rows.map(({ organisationId: _, version: __, ...session }) => ({
    ...session,
    features: (bySession.get(session.id) ?? []).map(toFeature),
  }));
}

/** By id, live or ended; features in catalogue order. */
export async function listSessions(
  db: Database,
  organisationId: OrganisationId,
  ids: readonly SessionId[],
): Promise<Session[]> {
  const rows = await db
    .selectFrom('session')
    .selectAll()
    .where('organisationId', '=', organisationId)
    .where('id', 'in', ids)
    .execute();
  return withFeatures(db, organisationId, rows);
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
    .where('organisationId', '=', organisationId)
    .where('userId', '=', sql<UserId>`any(${userIds}::uuid[])`)
    .where('endedAt', 'is', null)
    .orderBy('startedAt', 'desc')
    .orderBy('id', 'desc')
    .execute();
  return withFeatures(db, organisationId, rows);
}

/** Newest first. @param live null: live and ended */
export async function pageSessions(
  db: Database,
  organisationId: OrganisationId,
  live: boolean | null,
  page: PageRequest,
): Promise<Session[]> {
  const { where, orderBy } = keyset(page, 'desc', ['startedAt', 'id']);
  const rows = await sessionsOf(db, organisationId, live)
    .selectAll()
    .where(where)
    .orderBy(orderBy)
    .limit(page.limit)
    .execute();
  return withFeatures(db, organisationId, rows);
}

export async function countSessions(
  db: Database,
  organisationId: OrganisationId,
  live: boolean | null,
): Promise<number> {
  const { count } = await sessionsOf(db, organisationId, live)
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return count;
}

function sessionsOf(db: Database, organisationId: OrganisationId, live: boolean | null) {
  const sessions = db.selectFrom('session').where('organisationId', '=', organisationId);
  return live === null ? sessions : sessions.where('endedAt', live ? 'is' : 'is not', null);
}

/** Whose sessions these are, live or ended. Ids that name none are missing from the answer. */
export async function listSessionUsers(
  db: Database,
  organisationId: OrganisationId,
  ids: readonly SessionId[],
): Promise<ReadonlyMap<SessionId, UserId>> {
  if (ids.length === 0) return new Map();
  const rows = await db
    .selectFrom('session')
    .select(['id', 'userId'])
    .where('organisationId', '=', organisationId)
    .where('id', '=', sql<SessionId>`any(${ids}::uuid[])`)
    .execute();
  return new Map(rows.map(({ id, userId }) => [id, userId]));
}

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

/** Whose sessions' leases end up to and with `now`. */
export async function listExpiringUserIds(
  trx: Transaction,
  organisationId: OrganisationId,
  now: Instant,
): Promise<UserId[]> {
  const rows = await trx
    .selectFrom('session')
    .select('userId')
    .distinct()
    .where('organisationId', '=', organisationId)
    .where('endedAt', 'is', null)
    .where('expiresAt', '<=', now)
    .execute();
  return rows.map(({ userId }) => userId);
}

/**
 * Users with their live sessions, which stay locked until the transaction ends: a renewal, which takes no other
 * lock, then waits, and finds a session that this transaction ends ended. The organisation must be locked first.
 */
export async function lockHolders(
  trx: Transaction,
  organisationId: OrganisationId,
  userIds: readonly UserId[],
): Promise<ReadonlyMap<UserId, Holder>> {
  if (userIds.length === 0) return new Map();
  const users = await trx
    .selectFrom('user')
    .select(['id', 'status'])
    .where('organisationId', '=', organisationId)
    .where('id', '=', sql<UserId>`any(${userIds}::uuid[])`)
    .execute();
  const assignments = await trx
    .selectFrom('assignment')
    .select(['userId', 'licence'])
    .where('organisationId', '=', organisationId)
    .where('userId', '=', sql<UserId>`any(${userIds}::uuid[])`)
    .where('removedAt', 'is', null)
    .execute();
  const rows = await trx
    .selectFrom('session')
    .selectAll()
    .where('organisationId', '=', organisationId)
    .where('userId', '=', sql<UserId>`any(${userIds}::uuid[])`)
    .where('endedAt', 'is', null)
    .orderBy('id')
    .forUpdate()
    .execute();
  const sessions = await withFeatures(trx, organisationId, rows);

  const assigned = Map.groupBy(assignments, ({ userId }) => userId);
  const live = Map.groupBy(sessions, ({ userId }) => userId);
  return new Map(
    users.map(({ id, status }) => [
      id,
      {
        userId: id,
        status,
        assigned: new Set((assigned.get(id) ?? []).map(({ licence }) => licence)),
        sessions: live.get(id) ?? [],
      },
    ]),
  );
}

/** Writes what differs between the holders as they were loaded and as they were decided: sessions, features, holds. */
export async function saveHolders(
  trx: Transaction,
  organisationId: OrganisationId,
  before: ReadonlyMap<UserId, Holder>,
  after: ReadonlyMap<UserId, Holder>,
  at: Instant,
): Promise<void> {
  const started: Session[] = [];
  const changed: Session[] = [];
  const setFeatures: (SessionFeature & { sessionId: SessionId })[] = [];
  const droppedFeatures: { sessionId: SessionId; licence: LicenceCode }[] = [];
  const acquired: Pick<Selectable<HoldRow>, 'userId' | 'licence' | 'admittedAs'>[] = [];
  const released: { userId: UserId; licence: LicenceCode }[] = [];

  for (const [userId, holder] of after) {
    const former = before.get(userId);
    if (holder === former) continue;
    for (const session of holder.sessions) {
      const old = former?.sessions.find(({ id }) => id === session.id);
      if (old === session) continue;
      (old === undefined ? started : changed).push(session);
      for (const feature of session.features) {
        if (!(old?.features ?? []).includes(feature)) setFeatures.push({ sessionId: session.id, ...feature });
      }
      for (const { licence } of old?.features ?? []) {
        const dropped = !session.features.some((feature) => feature.licence === licence);
        if (dropped) droppedFeatures.push({ sessionId: session.id, licence });
      }
    }
    const holds = holdsOf(holder);
    const formerHolds = former === undefined ? new Map<LicenceCode, never>() : holdsOf(former);
    for (const [licence, admittedAs] of holds) {
      if (!formerHolds.has(licence)) acquired.push({ userId, licence, admittedAs });
    }
    for (const licence of formerHolds.keys()) if (!holds.has(licence)) released.push({ userId, licence });
  }

  // Changed ones first: a device that was logged off is free for the session that starts on it (L6).
  await inChunks([...changed, ...started], (chunk) =>
    trx
      .insertInto('session')
      .values(chunk.map(({ features: _, ...session }) => ({ organisationId, version: 1, ...session })))
      .onConflict((conflict) =>
        conflict.columns(['organisationId', 'id']).doUpdateSet(({ ref }) => ({
          expiresAt: ref('excluded.expiresAt'),
          endedAt: ref('excluded.endedAt'),
          endReason: ref('excluded.endReason'),
          version: sql<number>`session.version + 1`,
        })),
      )
      .execute(),
  );
  await inChunks(setFeatures, (chunk) =>
    trx
      .insertInto('sessionFeature')
      .values(chunk.map((feature) => ({ organisationId, ...feature })))
      .onConflict((conflict) =>
        conflict.columns(['organisationId', 'sessionId', 'licence']).doUpdateSet(({ ref }) => ({
          admittedAs: ref('excluded.admittedAs'),
          unavailableReason: ref('excluded.unavailableReason'),
        })),
      )
      .execute(),
  );
  await inChunks(droppedFeatures, (chunk) =>
    trx
      .deleteFrom('sessionFeature')
      .where('organisationId', '=', organisationId)
      .where(({ eb, refTuple, tuple }) =>
        eb(
          refTuple('sessionId', 'licence'),
          'in',
          chunk.map(({ sessionId, licence }) => tuple(sessionId, licence)),
        ),
      )
      .execute(),
  );
  await inChunks(released, (chunk) =>
    trx
      .deleteFrom('hold')
      .where('organisationId', '=', organisationId)
      .where(({ eb, refTuple, tuple }) =>
        eb(
          refTuple('userId', 'licence'),
          'in',
          chunk.map(({ userId, licence }) => tuple(userId, licence)),
        ),
      )
      .execute(),
  );
  await inChunks(acquired, (chunk) =>
    trx
      .insertInto('hold')
      .values(chunk.map((hold) => ({ organisationId, ...hold, acquiredAt: at })))
      .execute(),
  );
}

/**
 * Prolongs a live session without any other lock (L7, L8). Only ever later: one that a shortened lease would end
 * sooner is left to admission, which knows what then falls due earlier.
 * @returns whether it was prolonged
 */
export async function prolongSession(
  db: Database,
  organisationId: OrganisationId,
  id: SessionId,
  real: Instant,
): Promise<boolean> {
  const now = sql<Instant>`case when test_clock then settled_at else greatest(settled_at, ${real}::timestamptz) end`;
  const { numUpdatedRows } = await db
    .with('present', (cte) =>
      cte
        .selectFrom('organisation')
        .select([now.as('at'), sql<Instant>`(${now}) + lease_seconds * interval '1 second'`.as('expiry')])
        .where('id', '=', organisationId),
    )
    .updateTable('session')
    .from('present')
    .set(({ ref }) => ({ expiresAt: ref('present.expiry'), version: sql<number>`session.version + 1` }))
    .where('session.organisationId', '=', organisationId)
    .where('session.id', '=', id)
    .where('session.endedAt', 'is', null)
    .whereRef('session.expiresAt', '>', 'present.at')
    .whereRef('session.expiresAt', '<=', 'present.expiry')
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** The present version of each, for those who watch. */
export async function listVersions(
  db: Database,
  sessions: readonly { readonly organisationId: OrganisationId; readonly id: SessionId }[],
): Promise<{ readonly organisationId: OrganisationId; readonly id: SessionId; readonly version: number }[]> {
  return db
    .selectFrom('session')
    .select(['organisationId', 'id', 'version'])
    .where(({ eb, refTuple, tuple }) =>
      eb(
        refTuple('organisationId', 'id'),
        'in',
        sessions.map(({ organisationId, id }) => tuple(organisationId, id)),
      ),
    )
    .execute();
}

export async function insertDenials(
  trx: Transaction,
  organisationId: OrganisationId,
  denials: readonly Denial[],
): Promise<void> {
  await inChunks(denials, (chunk) =>
    trx
      .insertInto('denial')
      .values(chunk.map((denial) => ({ organisationId, ...denial })))
      .execute(),
  );
}

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
export async function pageDenials(
  db: Database,
  organisationId: OrganisationId,
  page: PageRequest,
): Promise<Denial[]> {
  const { where, orderBy } = keyset(page, 'desc', ['at', 'id']);
  const rows = await db
    .selectFrom('denial')
    .selectAll()
    .where('organisationId', '=', organisationId)
    .where(where)
    .orderBy(orderBy)
    .limit(page.limit)
    .execute();
  return rows.map(({ organisationId: _, ...denial }) => denial);
}

export async function countDenials(db: Database, organisationId: OrganisationId): Promise<number> {
  const { count } = await db
    .selectFrom('denial')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('organisationId', '=', organisationId)
    .executeTakeFirstOrThrow();
  return count;
}
