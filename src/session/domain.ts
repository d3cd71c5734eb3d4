import { type AllotmentFull, availableTo, countAllotted } from '../allotment/domain.ts';
import { type Instant, plusSeconds } from '../kernel/clock.ts';
import type { DenialId, DepartmentId, LicenceCode, SessionId, UserId } from '../kernel/ids.ts';
import { type InvalidInput, invalidInput, type Refusal } from '../kernel/refusal.ts';
import { type Catalogue, inCatalogueOrder, isFeature, type Licence } from '../licence/domain.ts';
import {
  type AdmittedAs,
  changePool,
  closeStep,
  contingencyLimit,
  freeSeat,
  type HistoryEntry,
  openTally,
  type Pool,
  poolOf,
  type PoolStep,
  raisesPeak,
  type Tally,
} from '../usage/domain.ts';
import type { UserStatus } from '../user/domain.ts';

export type UnavailableReason =
  'NOT_ASSIGNED' | 'NOT_PURCHASED' | 'NO_SEAT_AVAILABLE' | 'CONTINGENCY_CAPPED' | 'ALLOTMENT_FULL';

export type SessionEndReason =
  'LOGOFF' | 'LEASE_EXPIRED' | 'FORCED' | 'USER_SUSPENDED' | 'USER_DELETED' | 'LICENCE_UNASSIGNED';

/** What a session was answered about one feature: granted (`admittedAs`), or unavailable and why (L3). */
export type SessionFeature =
  | { readonly licence: LicenceCode; readonly admittedAs: AdmittedAs; readonly unavailableReason: null }
  | {
      readonly licence: LicenceCode;
      readonly admittedAs: null;
      readonly unavailableReason: UnavailableReason;
    };

/** One logon of one user on one device. */
export interface Session {
  readonly id: SessionId;
  readonly userId: UserId;
  readonly licence: LicenceCode;
  readonly device: string;
  readonly admittedAs: AdmittedAs;
  readonly startedAt: Instant;
  readonly expiresAt: Instant;
  readonly endedAt: Instant | null;
  readonly endReason: SessionEndReason | null;
  readonly features: readonly SessionFeature[];
}

/** What admission must know of a user: whether they may, what they have, and where they are logged on. */
export interface Holder {
  readonly userId: UserId;
  readonly status: UserStatus;
  readonly assigned: ReadonlySet<LicenceCode>;
  /** null: in none. */
  readonly departmentId: DepartmentId | null;
  /** The live sessions; those that a decision ended stay in the list, with `endedAt`. */
  readonly sessions: readonly Session[];
}

/** A refused logon, or a feature that was refused for want of seats: NOT_PURCHASED, NO_SEAT_AVAILABLE, CONTINGENCY_CAPPED, ALLOTMENT_FULL (L5). */
export interface Denial {
  readonly id: DenialId;
  readonly userId: UserId;
  readonly licence: LicenceCode;
  readonly code: string;
  readonly at: Instant;
}

export type UserNotActive = Refusal<'USER_NOT_ACTIVE'>;
export interface LicenceNotAssigned extends Refusal<'LICENCE_NOT_ASSIGNED'> {
  readonly licence: LicenceCode;
}
export type SecondFactorRequired = Refusal<'SECOND_FACTOR_REQUIRED'>;
export type DeviceInUse = Refusal<'DEVICE_IN_USE'>;
export interface NoSeatAvailable extends Refusal<'NO_SEAT_AVAILABLE'> {
  readonly licence: LicenceCode;
}
export interface ContingencyCapped extends Refusal<'CONTINGENCY_CAPPED'> {
  readonly licence: LicenceCode;
  /** How many contingency seats may come to be billed this month: what is capped, or billed already. */
  readonly cap: number;
}
export interface NoChannelAvailable extends Refusal<'NO_CHANNEL_AVAILABLE'> {
  /** Every feature that was refused, and why. */
  readonly features: readonly SessionFeature[];
}
export type SessionEnded = Refusal<'SESSION_ENDED'>;

export type LogonRefusal =
  | UserNotActive
  | LicenceNotAssigned
  | SecondFactorRequired
  | DeviceInUse
  | NoSeatAvailable
  | ContingencyCapped
  | AllotmentFull
  | NoChannelAvailable
  /** Of `device`: the user has too many. */
  | InvalidInput;

/** On how many devices a user can be logged on at once: seats bound users, not devices, and one user could fill a table. */
export const maxSessionsOfUser = 50;

export interface Logon {
  readonly kind: 'LOGON';
  readonly userId: UserId;
  /** Of the session that the logon starts, if it starts one. */
  readonly sessionId: SessionId;
  readonly licence: Licence;
  readonly device: string;
  /** null: all the user's features (L3). */
  readonly features: readonly LicenceCode[] | null;
  readonly secondFactorShown: boolean;
}

/** What is asked of a live session by its id. */
export interface SessionRequest {
  readonly kind: 'RENEW' | 'ACQUIRE' | 'RELEASE' | 'LOGOFF';
  readonly userId: UserId;
  readonly sessionId: SessionId;
  /** Of ACQUIRE and RELEASE; empty otherwise. */
  readonly features: readonly LicenceCode[];
}

export type Request = Logon | SessionRequest;

/** The session that answers a request, or the refusal. For LOGOFF of an ended session, null: nothing changed (L9). */
export type Answer = Session | LogonRefusal | SessionEnded | null;

/** What admission works on, and what it answers: only what changed differs. */
export interface Books {
  readonly pools: ReadonlyMap<LicenceCode, Pool>;
  readonly holders: ReadonlyMap<UserId, Holder>;
}

/** The books after a decision, and what led there. */
export interface Decided extends Books {
  readonly history: readonly HistoryEntry[];
  readonly steps: readonly PoolStep[];
}

export interface Admission extends Decided {
  /** One for each request, in their order. */
  readonly answers: readonly Answer[];
  /** Of each request, whether it opened a newly billed seat, of its licence or of a feature (W2). */
  readonly raisesPeak: readonly boolean[];
  readonly denials: readonly Denial[];
}

export interface Terms {
  readonly catalogue: Catalogue;
  readonly leaseSeconds: number;
  readonly newDenialId: () => DenialId;
}

/**
 * Decides a whole batch of one organisation's requests, one after the other, all at one instant (L1 … L9, T3). The
 * books must be settled up to `now`, and hold every user that a request names.
 */
export function admit(books: Books, requests: readonly Request[], terms: Terms, now: Instant): Admission {
  const desk = openDesk(books);
  const raised: boolean[] = [];
  const answers = requests.map((request) => {
    const answer = decide(desk, request, terms, now);
    raised.push(closeStep(desk.tally, now).some(raisesPeak));
    return answer;
  });
  return { ...closeDesk(desk), answers, raisesPeak: raised, denials: desk.denials };
}

/** Ends the sessions that `ends` picks, in one step (U3, U5, L8). */
export function endSessions(
  books: Books,
  ends: (session: Session) => boolean,
  reason: SessionEndReason,
  at: Instant,
): Decided {
  const desk = openDesk(books);
  for (const holder of books.holders.values()) {
    for (const session of holder.sessions)
      if (isLive(session) && ends(session)) end(desk, session, reason, at);
  }
  closeStep(desk.tally, at);
  return closeDesk(desk);
}

/** As `endSessions` with LEASE_EXPIRED, but within a step that the caller closes: other things fall due with it (T3). */
export function expireSessions(
  tally: Tally,
  holders: Map<UserId, Holder>,
  expired: readonly Session[],
  at: Instant,
): void {
  const desk: Desk = { tally, holders, denials: [] };
  for (const session of expired) end(desk, session, 'LEASE_EXPIRED', at);
}

/** U5: releases a feature that was unassigned from every session of the user; the sessions live on without it. */
export function loseFeature(books: Books, userId: UserId, licence: LicenceCode, at: Instant): Decided {
  const desk = openDesk(books);
  const lost: SessionFeature = { licence, admittedAs: null, unavailableReason: 'NOT_ASSIGNED' };
  for (const session of holderOf(desk, userId).sessions) {
    const admittedAs = grantOf(session, licence);
    if (!isLive(session) || admittedAs === null) continue;
    replace(desk, { ...session, features: merge(session.features, [lost]) });
    vacate(desk, session, licence, admittedAs);
  }
  closeStep(desk.tally, at);
  return closeDesk(desk);
}

export function isLive(session: Pick<Session, 'endedAt'>): boolean {
  return session.endedAt === null;
}

/** The holds of a user: each licence that a live session uses, with what its seat was when it was acquired. */
export function holdsOf(holder: Holder): Map<LicenceCode, AdmittedAs> {
  const holds = new Map<LicenceCode, AdmittedAs>();
  for (const session of holder.sessions) {
    if (!isLive(session)) continue;
    holds.set(session.licence, session.admittedAs);
    for (const { licence, admittedAs } of session.features)
      if (admittedAs !== null) holds.set(licence, admittedAs);
  }
  return holds;
}

/** The working copies behind one decision. */
interface Desk {
  readonly tally: Tally;
  readonly holders: Map<UserId, Holder>;
  readonly denials: Denial[];
}

function openDesk({ pools, holders }: Books): Desk {
  return { tally: openTally(pools), holders: new Map(holders), denials: [] };
}

function closeDesk({ tally, holders }: Desk): Decided {
  return { pools: tally.pools, holders, history: tally.history, steps: tally.steps };
}

function decide(desk: Desk, request: Request, terms: Terms, now: Instant): Answer {
  if (request.kind === 'LOGON') return decideLogon(desk, request, terms, now);

  const session = holderOf(desk, request.userId).sessions.find(({ id }) => id === request.sessionId);
  if (session === undefined || !isLive(session)) {
    return request.kind === 'LOGOFF' ? null : sessionEnded();
  }
  switch (request.kind) {
    case 'RENEW':
      return replace(desk, renewed(session, terms, now));
    case 'ACQUIRE':
      return acquire(desk, session, request.features, terms, now);
    case 'RELEASE':
      return release(desk, session, request.features);
    case 'LOGOFF':
      return end(desk, session, 'LOGOFF', now);
  }
}

function decideLogon(desk: Desk, logon: Logon, terms: Terms, now: Instant): Answer {
  const { userId, licence, device } = logon;
  const holder = holderOf(desk, userId);
  const present = holder.sessions.find((session) => isLive(session) && session.device === device);

  const refusal = checkLogon(holder, logon, present);
  if (refusal !== null) {
    deny(desk, userId, licence.code, refusal.code, terms, now);
    return refusal;
  }

  if (present !== undefined) {
    // L6: nothing is released and L4 is not asked.
    return acquire(desk, renewed(present, terms, now), logon.features ?? [...holder.assigned], terms, now);
  }

  const seat = decideSeat(desk, holder, licence);
  if (typeof seat !== 'string') {
    deny(desk, userId, licence.code, seat.code, terms, now);
    return seat;
  }

  const decisions = decideFeatures(desk, holder, logon.features ?? [...holder.assigned], terms);
  recordUnavailable(desk, userId, decisions, terms, now);
  const hasChannel = decisions.some(
    ({ licence: code, admittedAs }) => admittedAs !== null && terms.catalogue.get(code)?.channel === true,
  );
  if (licence.channelRequired && !hasChannel) {
    deny(desk, userId, licence.code, 'NO_CHANNEL_AVAILABLE', terms, now);
    return noChannelAvailable(licence, decisions);
  }

  const session: Session = {
    id: logon.sessionId,
    userId,
    licence: licence.code,
    device,
    admittedAs: seat,
    startedAt: now,
    expiresAt: plusSeconds(now, terms.leaseSeconds),
    endedAt: null,
    endReason: null,
    features: decisions,
  };
  occupy(desk, session, licence.code, seat);
  occupyFeatures(desk, session, decisions);
  desk.holders.set(userId, { ...holder, sessions: [...holder.sessions, session] });
  return session;
}

/** L1, in its order, and last the limit of devices: before any seat is touched. */
function checkLogon(
  holder: Holder,
  { licence, secondFactorShown }: Logon,
  present?: Session,
): LogonRefusal | null {
  if (holder.status !== 'ACTIVE') {
    return {
      code: 'USER_NOT_ACTIVE',
      message: `The user is ${holder.status}, and only an ACTIVE user can log on.`,
    };
  }
  if (!holder.assigned.has(licence.code)) {
    return {
      code: 'LICENCE_NOT_ASSIGNED',
      message: `The user does not have ${licence.name}; assign it first.`,
      licence: licence.code,
    };
  }
  if (licence.secondFactorRequired && !secondFactorShown) {
    return {
      code: 'SECOND_FACTOR_REQUIRED',
      message: `A logon as ${licence.name} needs a second factor, which was not shown.`,
    };
  }
  if (present !== undefined && present.licence !== licence.code) {
    return {
      code: 'DEVICE_IN_USE',
      message: `The device is logged on with ${present.licence}; log that off, or use another device.`,
    };
  }
  if (present === undefined && holder.sessions.filter(isLive).length >= maxSessionsOfUser) {
    return invalidInput(
      'device',
      `The user is logged on with ${maxSessionsOfUser} devices, and no more are possible; log one off, or use one of them.`,
    );
  }
  return null;
}

/** L2: what a seat of the licence would be for this user, or why there is none; joining one's own hold is always possible. */
function decideSeat(
  desk: Desk,
  holder: Holder,
  licence: Licence,
): AdmittedAs | NoSeatAvailable | ContingencyCapped | AllotmentFull {
  const own = holdsOf(holder).get(licence.code);
  if (own !== undefined) return own;
  if (licence.seatModel === 'FIXED') return 'FIXED';
  const pool = poolOf(desk.tally, licence.code);
  const seat = freeSeat(pool);
  if (seat === null) return noSeat(licence, pool);
  if (pool.allotments.length === 0) return seat;
  return availableTo(pool, holder.departmentId) > 0 ? seat : allotmentFull(licence, holder);
}

/** L3: each feature by itself, in catalogue order. Codes of other categories are left out: the user has licence types too. */
function decideFeatures(
  desk: Desk,
  holder: Holder,
  codes: Iterable<LicenceCode>,
  { catalogue }: Terms,
): SessionFeature[] {
  return inCatalogueOrder(catalogue, codes)
    .filter(isFeature)
    .map((feature): SessionFeature => {
      const unavailable = (unavailableReason: UnavailableReason): SessionFeature => ({
        licence: feature.code,
        admittedAs: null,
        unavailableReason,
      });
      if (!holder.assigned.has(feature.code)) return unavailable('NOT_ASSIGNED');
      const seat = decideSeat(desk, holder, feature);
      if (typeof seat === 'string')
        return { licence: feature.code, admittedAs: seat, unavailableReason: null };
      const { concurrentTotal, contingencyTotal } = poolOf(desk.tally, feature.code);
      return unavailable(concurrentTotal + contingencyTotal === 0 ? 'NOT_PURCHASED' : seat.code);
    });
}

/** Decides every asked feature that the session does not hold (L6, L7). */
function acquire(
  desk: Desk,
  session: Session,
  codes: readonly LicenceCode[],
  terms: Terms,
  now: Instant,
): Session {
  const asked = codes.filter((code) => grantOf(session, code) === null);
  const decisions = decideFeatures(desk, holderOf(desk, session.userId), asked, terms);
  recordUnavailable(desk, session.userId, decisions, terms, now);
  occupyFeatures(desk, session, decisions);
  return replace(desk, { ...session, features: merge(session.features, decisions) });
}

/** L7: releases what the session holds of the given features, and forgets those that it was refused. */
function release(desk: Desk, session: Session, codes: readonly LicenceCode[]): Session {
  const released = session.features.filter(({ licence }) => codes.includes(licence));
  const rest = replace(desk, {
    ...session,
    features: session.features.filter((feature) => !released.includes(feature)),
  });
  for (const { licence, admittedAs } of released)
    if (admittedAs !== null) vacate(desk, session, licence, admittedAs);
  return rest;
}

function end(desk: Desk, session: Session, reason: SessionEndReason, at: Instant): Session {
  const ended = replace(desk, { ...session, endedAt: at, endReason: reason });
  vacate(desk, session, session.licence, session.admittedAs);
  for (const { licence, admittedAs } of session.features) {
    if (admittedAs !== null) vacate(desk, session, licence, admittedAs);
  }
  return ended;
}

function renewed(session: Session, { leaseSeconds }: Terms, now: Instant): Session {
  return { ...session, expiresAt: plusSeconds(now, leaseSeconds) };
}

function occupyFeatures(desk: Desk, session: Session, decisions: readonly SessionFeature[]): void {
  for (const { licence, admittedAs } of decisions)
    if (admittedAs !== null) occupy(desk, session, licence, admittedAs);
}

/** Takes a seat, or joins the user's own hold. To be called before the session that uses it stands among the holder's. */
function occupy(desk: Desk, session: Session, licence: LicenceCode, admittedAs: AdmittedAs): void {
  const holder = holderOf(desk, session.userId);
  const joins = holdsOf(holder).has(licence);
  if (!joins) countSeat(desk, holder, licence, 1);
  recordSeat(desk, 'ACQUIRED', session, licence, admittedAs, !joins);
}

/** Frees a seat unless another session of the user uses it (L9). To be called after the session ceased to use it. */
function vacate(desk: Desk, session: Session, licence: LicenceCode, admittedAs: AdmittedAs): void {
  const holder = holderOf(desk, session.userId);
  const remains = holdsOf(holder).has(licence);
  if (!remains) countSeat(desk, holder, licence, -1);
  recordSeat(desk, 'RELEASED', session, licence, admittedAs, !remains);
}

function countSeat(desk: Desk, { departmentId }: Holder, licence: LicenceCode, change: 1 | -1): void {
  const pool = poolOf(desk.tally, licence);
  changePool(desk.tally, licence, {
    // A count that is wrong, which `verify` finds, keeps nobody from leaving.
    inUse: Math.max(0, pool.inUse + change),
    ...countAllotted(pool, departmentId, change),
  });
}

function recordSeat(
  desk: Desk,
  kind: 'ACQUIRED' | 'RELEASED',
  { id, userId }: Session,
  licence: LicenceCode,
  admittedAs: AdmittedAs,
  seatChanged: boolean,
): void {
  desk.tally.events.push({ kind, licence, seat: { userId, sessionId: id, admittedAs }, seatChanged });
}

/** L5: of what a feature can be answered, only a want of seats is a denial. */
function recordUnavailable(
  desk: Desk,
  userId: UserId,
  decisions: readonly SessionFeature[],
  terms: Terms,
  now: Instant,
): void {
  for (const { licence, unavailableReason } of decisions) {
    if (unavailableReason !== null && unavailableReason !== 'NOT_ASSIGNED') {
      deny(desk, userId, licence, unavailableReason, terms, now);
    }
  }
}

function deny(
  desk: Desk,
  userId: UserId,
  licence: LicenceCode,
  code: string,
  terms: Terms,
  at: Instant,
): void {
  desk.denials.push({ id: terms.newDenialId(), userId, licence, code, at });
}

function holderOf(desk: Desk, userId: UserId): Holder {
  const holder = desk.holders.get(userId);
  if (holder === undefined) throw new Error(`The books were opened without user ${userId}`);
  return holder;
}

function replace(desk: Desk, session: Session): Session {
  const holder = holderOf(desk, session.userId);
  desk.holders.set(session.userId, {
    ...holder,
    sessions: holder.sessions.map((other) => (other.id === session.id ? session : other)),
  });
  return session;
}

/** What the session's seat of a feature is; null when it holds none. */
function grantOf(session: Session, feature: LicenceCode): AdmittedAs | null {
  return session.features.find(({ licence }) => licence === feature)?.admittedAs ?? null;
}

/** Later decisions replace earlier ones about the same feature. */
function merge(features: readonly SessionFeature[], decisions: readonly SessionFeature[]): SessionFeature[] {
  return [
    ...features.filter(({ licence }) => !decisions.some((decision) => decision.licence === licence)),
    ...decisions,
  ];
}

/** Why there is no seat, where `freeSeat` has none: what the cap keeps would be a seat else (W1). */
function noSeat({ code, name }: Licence, pool: Pool): NoSeatAvailable | ContingencyCapped {
  const { concurrentTotal, contingencyTotal, inUse } = pool;
  if (inUse < concurrentTotal + contingencyTotal) {
    const cap = contingencyLimit(pool);
    return {
      code: 'CONTINGENCY_CAPPED',
      message: `Only contingency seats of ${name} are left, and no more than ${cap} of them may come to be billed this month; raise the cap with setContingencyCap, or try again when someone has logged off.`,
      licence: code,
      cap,
    };
  }
  return {
    code: 'NO_SEAT_AVAILABLE',
    message: `Every seat of ${name} is in use, contingency included; try again when someone has logged off.`,
    licence: code,
  };
}

function allotmentFull({ code, name }: Licence, { departmentId }: Holder): AllotmentFull {
  const whose = departmentId === null ? 'users without a department' : 'the user’s department';
  return {
    code: 'ALLOTMENT_FULL',
    message: `No seat of ${name} is left for ${whose}: its maximum is reached, or the free ones are reserved for others. Try again when someone has logged off, or change the allotments.`,
    licence: code,
  };
}

function noChannelAvailable({ name }: Licence, decisions: readonly SessionFeature[]): NoChannelAvailable {
  const features = decisions.filter(({ unavailableReason }) => unavailableReason !== null);
  const reasons = features
    .map(({ licence, unavailableReason }) => `${licence}: ${unavailableReason}`)
    .join(', ');
  return {
    code: 'NO_CHANNEL_AVAILABLE',
    message: `${name} needs at least one channel, and none was granted (${reasons || 'none was asked for, or assigned'}).`,
    features,
  };
}

export function sessionEnded(): SessionEnded {
  return { code: 'SESSION_ENDED', message: 'The session has ended; log on again.' };
}
