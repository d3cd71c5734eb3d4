import { type Instant, plusSeconds } from '../../kernel/clock.ts';
import {
  type Answer,
  type Exchange,
  type FeatureAnswer,
  type LogonRequest,
  type Request,
  say,
  type SessionAnswer,
  type SessionRequest,
  type StatusRequest,
} from './exchange.ts';
import type { Peak, Row } from './figures.ts';
import { type Catalogue, type CatalogueLicence, featuresOf, type PlannedOrganisation } from './plan.ts';

interface SessionEntry {
  readonly id: string;
  readonly username: string;
  readonly device: string;
  readonly licence: string;
  expiresAt: Instant;
  readonly features: Map<string, string>;
}

interface UserEntry {
  status: 'ACTIVE' | 'PRE_ACTIVE' | 'DELETED';
  readonly licences: readonly string[];
  /** Live sessions by device. */
  readonly sessions: Map<string, SessionEntry>;
}

interface Pool {
  readonly licence: CatalogueLicence;
  readonly baseTotal: number;
  readonly concurrentTotal: number;
  readonly contingencyTotal: number;
  /** What each holding user's seat was when it was acquired. */
  readonly holds: Map<string, string>;
  holders: number;
  assigned: number;
  reusable: number;
  locked: number;
  /** Users whose base licence was somebody else's before: released again, it is locked. */
  readonly reassigned: Set<string>;
  maxUsed: number;
  maxUsedAt: Instant | null;
  highestInUse: number;
  highestAt: Instant | null;
}

/** A seat that was refused in the phase under way, to be justified when the phase is over. */
interface Refusal {
  readonly username: string;
  readonly licence: string;
}

/**
 * What one organisation's figures must be, reckoned from the plan and the server's answers alone. Requests are applied
 * in *phases*: all requests of a phase are under way together, in an order that only the server knows, and a phase
 * either only gives seats back or only takes them. So the figures after it, and the peak within it, follow from
 * who was answered what; and whether each refusal was right follows from the figures after it.
 *
 * It knows no more than the simulator does: purchases without an end, no suspension, and base licences less than
 * 90 days old.
 */
export class Reckoning {
  readonly #catalogue: Catalogue;
  readonly #leaseSeconds: number;
  readonly #users = new Map<string, UserEntry>();
  readonly #sessions = new Map<string, SessionEntry>();
  readonly #pools = new Map<string, Pool>();
  readonly #denials = new Map<string, number>();
  #now: Instant;
  #monthEdge: Instant;
  #activeUsers = 0;
  #activeInBillingPeriod = 0;
  #started = 0;
  #expired = 0;
  #faults: string[] = [];

  /** The organisation as it is once its purchases are recorded and its users created, before anybody logs on. */
  constructor(organisation: PlannedOrganisation, catalogue: Catalogue) {
    this.#catalogue = catalogue;
    this.#leaseSeconds = organisation.leaseSeconds;
    this.#now = organisation.from;
    this.#monthEdge = nextMonth(organisation.from);
    for (const { licence: code, base, concurrent, contingency } of organisation.purchases) {
      const licence = this.#licence(code);
      this.#pools.set(code, newPool(licence, base, concurrent, contingency));
    }
    for (const { username, status, licences } of organisation.users) {
      for (const code of licences) {
        const pool = this.#pool(code);
        pool.holders += 1;
        this.#pools.set(code, pool);
      }
      this.#users.set(username, { status: 'PRE_ACTIVE', licences, sessions: new Map() });
      if (status === 'ACTIVE') this.#activate(username);
    }
  }

  /** The live session on a device, if there is one. */
  liveSession(username: string, device: string): { readonly id: string; readonly expiresAt: Instant } | null {
    return this.#user(username).sessions.get(device) ?? null;
  }

  isLive(sessionId: string): boolean {
    return this.#sessions.has(sessionId);
  }

  get liveSessions(): number {
    return this.#sessions.size;
  }

  /** Sessions ever started. */
  get sessionsStarted(): number {
    return this.#started;
  }

  /** Sessions that their leases ended. */
  get sessionsExpired(): number {
    return this.#expired;
  }

  /** How often each licence was denied for each reason, keyed `LICENCE CODE`. */
  get denials(): ReadonlyMap<string, number> {
    return this.#denials;
  }

  /** Lets time pass: leases that end and months that begin take effect at their own instants, in order. */
  settle(to: Instant): void {
    for (;;) {
      const at = [...this.#sessions.values()].reduce(
        (first, { expiresAt }) => (expiresAt < first ? expiresAt : first),
        this.#monthEdge,
      );
      if (at > to) break;
      for (const session of [...this.#sessions.values()]) {
        if (session.expiresAt.getTime() !== at.getTime()) continue;
        this.#end(session);
        this.#expired += 1;
      }
      if (at.getTime() === this.#monthEdge.getTime()) this.#beginMonth(at);
    }
    this.#now = to;
  }

  /**
   * The licences of which the requests, if decided one after the other, might use up the last seat: who gets it depends
   * on their order.
   */
  contested(requests: readonly Request[]): Set<string> {
    const wanting = new Map<string, Set<string>>();
    for (const request of requests) {
      for (const code of this.seatsWanted(request)) {
        const users = wanting.get(code) ?? new Set();
        wanting.set(code, users.add(request.username));
      }
    }
    return new Set(
      [...wanting].filter(([code, users]) => users.size > free(this.#pool(code))).map(([code]) => code),
    );
  }

  /** The licences of which the request would take a new seat, if there is one. */
  seatsWanted(request: Request): string[] {
    if (request.kind !== 'LOGON' && request.kind !== 'ACQUIRE') return [];
    const { licences } = this.#user(request.username);
    const features = request.features ?? featuresOf(licences, this.#catalogue);
    const codes = request.kind === 'LOGON' ? [request.licence, ...features] : features;
    return codes.filter(
      (code) =>
        licences.includes(code) &&
        this.#licence(code).seatModel === 'CONCURRENT' &&
        !this.#pool(code).holds.has(request.username),
    );
  }

  /**
   * Applies the answers of one phase, all at the instant that `settle` went to.
   * @returns what the server should not have answered, one sentence each
   */
  apply(exchanges: readonly Exchange[]): string[] {
    this.#faults = [];
    const before = new Map([...this.#pools].map(([code, { holds }]) => [code, new Set(holds.keys())]));
    const refusals: Refusal[] = [];
    for (const { request, answer } of exchanges) this.#applyOne(request, answer, refusals);
    for (const [code, pool] of this.#pools) {
      this.#checkPool(pool, before.get(code) ?? new Set());
      this.#raisePeak(pool);
    }
    for (const refusal of refusals) this.#checkRefusal(refusal);
    return this.#faults;
  }

  /** The Licence Mapping page as it must be now, in catalogue order. */
  rows(): Row[] {
    return [...this.#catalogue.keys()].flatMap((code) => {
      const pool = this.#pools.get(code);
      return pool === undefined ? [] : [this.#row(pool)];
    });
  }

  peaks(): Peak[] {
    return [...this.#catalogue.keys()].flatMap((licence) => {
      const pool = this.#pools.get(licence);
      if (pool === undefined || pool.licence.seatModel === 'FIXED') return [];
      const { concurrentTotal, contingencyTotal, highestInUse } = pool;
      return {
        licence,
        concurrentTotal,
        contingencyTotal,
        concurrentUsed: Math.min(highestInUse, concurrentTotal),
        contingencyUsed: contingencyUsed(pool, highestInUse),
        at: pool.highestAt,
      };
    });
  }

  #applyOne(request: Request, answer: Answer, refusals: Refusal[]): void {
    switch (request.kind) {
      case 'ACTIVATE':
      case 'DELETE':
        this.#applyStatus(request, answer);
        return;
      case 'LOGON':
        this.#applyLogon(request, answer, refusals);
        return;
      default:
        this.#applySessionRequest(request, answer, refusals);
    }
  }

  #applyStatus({ kind, username }: StatusRequest, answer: Answer): void {
    const status = kind === 'ACTIVATE' ? 'ACTIVE' : 'DELETED';
    if (answer.kind !== 'USER' || answer.status !== status) {
      this.#fault(`${username} was to become ${status}, and the answer was ${say(answer)}`);
    } else if (kind === 'ACTIVATE') this.#activate(username);
    else this.#delete(username);
  }

  #applySessionRequest(request: SessionRequest, answer: Answer, refusals: Refusal[]): void {
    const { username, kind } = request;
    const session = this.#sessions.get(request.sessionId);
    const what = `${username}, ${request.device}: ${kind}`;
    if (kind !== 'LOGOFF' && session === undefined) {
      if (answer.kind !== 'REFUSED' || answer.code !== 'SESSION_ENDED') {
        this.#fault(`${what} of an ended session was answered ${say(answer)} instead of SESSION_ENDED`);
      }
      return;
    }
    if (answer.kind !== 'SESSION' || answer.session.id !== request.sessionId) {
      this.#fault(`${what} was answered ${say(answer)} instead of the session`);
      return;
    }
    if (kind === 'LOGOFF') {
      if (answer.session.endedAt === null) this.#fault(`${what}: the session is still live`);
      if (session !== undefined) this.#end(session);
      return;
    }
    if (session === undefined) return;
    if (answer.session.endedAt !== null) this.#fault(`${what}: the session has ended at ${say(answer)}`);
    if (kind === 'RENEW') this.#renew(session, answer.session, what);
    else if (request.kind === 'RELEASE')
      this.#releaseFeatures(session, request.features, answer.session, what);
    else if (request.kind === 'ACQUIRE') {
      this.#takeFeatures(session, request.features, answer.session.features, what, refusals);
    }
  }

  #applyLogon(request: LogonRequest, answer: Answer, refusals: Refusal[]): void {
    const { username, device, licence } = request;
    const user = this.#user(username);
    const what = `${username}, ${device}: logon with ${licence}`;
    const asked = request.features ?? featuresOf(user.licences, this.#catalogue);

    const refusal = this.#expectedRefusal(request);
    if (refusal !== null || answer.kind === 'REFUSED') {
      if (answer.kind !== 'REFUSED') {
        this.#fault(`${what} was granted although it had to be refused with ${refusal}`);
        return;
      }
      this.#countDenial(licence, answer.code);
      if (
        refusal !== null
          ? answer.code !== refusal
          : !['NO_SEAT_AVAILABLE', 'NO_CHANNEL_AVAILABLE'].includes(answer.code)
      ) {
        this.#fault(`${what} was refused with ${answer.code} instead of ${refusal ?? 'being granted'}`);
      } else if (answer.code === 'NO_SEAT_AVAILABLE') {
        refusals.push({ username, licence });
      } else if (answer.code === 'NO_CHANNEL_AVAILABLE') {
        this.#checkNoChannel(licence, asked, answer.features, what);
        for (const feature of answer.features) this.#noteUnavailable(username, feature, what, refusals);
      }
      return;
    }
    if (answer.kind !== 'SESSION') {
      this.#fault(`${what} was answered ${say(answer)}`);
      return;
    }

    const present = user.sessions.get(device);
    if (present !== undefined && present.id !== answer.session.id) {
      this.#fault(`${what} started a second session on a device that had one`);
    }
    const session = present ?? this.#start(request, answer.session, what);
    this.#renew(session, answer.session, what);
    this.#takeFeatures(session, asked, answer.session.features, what, refusals);
    const hasChannel = [...session.features.keys()].some((code) => this.#licence(code).channel);
    if (present === undefined && this.#licence(licence).channelRequired && !hasChannel) {
      this.#fault(`${what} was granted without a channel`);
    }
  }

  /** L1, in its order. */
  #expectedRefusal({ username, licence, device }: LogonRequest): string | null {
    const { status, licences, sessions } = this.#user(username);
    if (status !== 'ACTIVE') return 'USER_NOT_ACTIVE';
    if (!licences.includes(licence)) return 'LICENCE_NOT_ASSIGNED';
    if (this.#licence(licence).secondFactorRequired) return 'SECOND_FACTOR_REQUIRED';
    const present = sessions.get(device);
    return present !== undefined && present.licence !== licence ? 'DEVICE_IN_USE' : null;
  }

  #checkNoChannel(
    licence: string,
    asked: readonly string[],
    refused: readonly FeatureAnswer[],
    what: string,
  ): void {
    if (!this.#licence(licence).channelRequired)
      this.#fault(`${what} needs no channel, and was refused for one`);
    for (const code of asked) {
      if (
        this.#licence(code).channel &&
        !refused.some((feature) => feature.code === code && !feature.granted)
      ) {
        this.#fault(`${what} was refused for want of a channel, without a word about ${code}`);
      }
    }
  }

  #start({ username, device, licence }: LogonRequest, answer: SessionAnswer, what: string): SessionEntry {
    if (this.#sessions.has(answer.id)) this.#fault(`${what} was given the session of another device`);
    const session = {
      id: answer.id,
      username,
      device,
      licence,
      expiresAt: answer.expiresAt,
      features: new Map<string, string>(),
    };
    this.#take(username, licence, answer.admittedAs, what);
    this.#sessions.set(session.id, session);
    this.#user(username).sessions.set(device, session);
    this.#started += 1;
    return session;
  }

  #renew(session: SessionEntry, answer: SessionAnswer, what: string): void {
    session.expiresAt = plusSeconds(this.#now, this.#leaseSeconds);
    if (answer.expiresAt.getTime() !== session.expiresAt.getTime()) {
      this.#fault(
        `${what} expires at ${answer.expiresAt.toISOString()} instead of ${session.expiresAt.toISOString()}`,
      );
    }
  }

  /** Each asked feature that the session does not hold is granted, or unavailable for a reason that must hold. */
  #takeFeatures(
    session: SessionEntry,
    asked: readonly string[],
    answers: readonly FeatureAnswer[],
    what: string,
    refusals: Refusal[],
  ): void {
    for (const code of new Set(asked)) {
      const feature = answers.find((answer) => answer.code === code);
      if (feature === undefined) this.#fault(`${what} was not answered about ${code}`);
      else if (session.features.has(code)) {
        if (!feature.granted) this.#fault(`${what} lost ${code}, which the session held`);
      } else if (feature.granted) {
        this.#take(session.username, code, feature.admittedAs, what);
        session.features.set(code, feature.admittedAs ?? '');
      } else this.#noteUnavailable(session.username, feature, what, refusals);
    }
    for (const { code, granted } of answers) {
      if (granted && !session.features.has(code)) this.#fault(`${what} was granted ${code} without asking`);
    }
  }

  #noteUnavailable(username: string, feature: FeatureAnswer, what: string, refusals: Refusal[]): void {
    const { code, unavailableReason } = feature;
    const pool = this.#pool(code);
    const expected = !this.#user(username).licences.includes(code)
      ? 'NOT_ASSIGNED'
      : pool.concurrentTotal + pool.contingencyTotal === 0
        ? 'NOT_PURCHASED'
        : 'NO_SEAT_AVAILABLE';
    if (unavailableReason !== expected || pool.licence.seatModel === 'FIXED') {
      this.#fault(`${what}: ${code} is unavailable for ${unavailableReason}; that reason cannot be`);
    }
    if (expected !== 'NOT_ASSIGNED') this.#countDenial(code, expected);
    if (expected === 'NO_SEAT_AVAILABLE') refusals.push({ username, licence: code });
  }

  #take(username: string, code: string, admittedAs: string | null, what: string): void {
    const { licence, holds } = this.#pool(code);
    const own = holds.get(username);
    if (!this.#user(username).licences.includes(code)) this.#fault(`${what} was granted ${code} unassigned`);
    if (licence.seatModel === 'FIXED' && admittedAs !== 'FIXED') {
      this.#fault(`${what}: a fixed seat of ${code} was given as ${admittedAs}`);
    }
    if (own !== undefined && own !== admittedAs) {
      this.#fault(`${what} joined the user's ${own} hold of ${code} as ${admittedAs}`);
    }
    if (own === undefined) holds.set(username, admittedAs ?? '');
  }

  #releaseFeatures(
    session: SessionEntry,
    released: readonly string[],
    answer: SessionAnswer,
    what: string,
  ): void {
    for (const code of released) if (session.features.delete(code)) this.#vacate(session.username, code);
    const held = [...session.features.keys()].sort().join(' ');
    const answered = answer.features
      .filter(({ granted }) => granted)
      .map(({ code }) => code)
      .sort()
      .join(' ');
    if (held !== answered) this.#fault(`${what} leaves the session with "${answered}" instead of "${held}"`);
  }

  #end(session: SessionEntry): void {
    this.#sessions.delete(session.id);
    this.#user(session.username).sessions.delete(session.device);
    for (const code of [session.licence, ...session.features.keys()]) this.#vacate(session.username, code);
  }

  /** Frees the user's seat unless another of their sessions uses it. */
  #vacate(username: string, code: string): void {
    const sessions = [...this.#user(username).sessions.values()];
    const remains = sessions.some(({ licence, features }) => licence === code || features.has(code));
    if (!remains) this.#pool(code).holds.delete(username);
  }

  #activate(username: string): void {
    const user = this.#user(username);
    user.status = 'ACTIVE';
    this.#activeUsers += 1;
    this.#activeInBillingPeriod += 1;
    for (const pool of this.#basePools(user)) {
      pool.assigned += 1;
      if (pool.reusable > 0) {
        pool.reusable -= 1;
        pool.reassigned.add(username);
      }
    }
  }

  #delete(username: string): void {
    const user = this.#user(username);
    for (const session of [...user.sessions.values()]) this.#end(session);
    user.status = 'DELETED';
    this.#activeUsers -= 1;
    for (const code of user.licences) this.#pool(code).holders -= 1;
    for (const pool of this.#basePools(user)) {
      pool.assigned -= 1;
      // A fixed feature's seat is free at once; a base licence waits for the end of its period.
      if (pool.licence.category === 'FEATURE') continue;
      if (pool.reassigned.has(username)) pool.locked += 1;
      else pool.reusable += 1;
    }
  }

  #basePools({ licences }: UserEntry): Pool[] {
    return licences.map((code) => this.#pool(code)).filter(({ licence }) => hasBase(licence));
  }

  #beginMonth(at: Instant): void {
    this.#monthEdge = nextMonth(at);
    this.#activeInBillingPeriod = this.#activeUsers;
    for (const pool of this.#pools.values()) {
      pool.maxUsed = contingencyUsed(pool);
      pool.maxUsedAt = pool.maxUsed > 0 ? at : null;
    }
  }

  #raisePeak(pool: Pool): void {
    const used = contingencyUsed(pool);
    if (used > pool.maxUsed) {
      pool.maxUsed = used;
      pool.maxUsedAt = this.#now;
    }
    if (pool.holds.size > pool.highestInUse) {
      pool.highestInUse = pool.holds.size;
      pool.highestAt = this.#now;
    }
  }

  /** No seat is sold twice, and those that were free became concurrent seats first. */
  #checkPool(pool: Pool, before: ReadonlySet<string>): void {
    const { licence, holds, concurrentTotal, contingencyTotal } = pool;
    if (licence.seatModel === 'FIXED') return;
    const taken = [...holds]
      .filter(([username]) => !before.has(username))
      .map(([, admittedAs]) => admittedAs);
    if (taken.length === 0) return;
    const most = concurrentTotal + contingencyTotal;
    if (holds.size > most)
      this.#fault(`${holds.size} seats of ${licence.code} are in use, and there are ${most}`);
    const freeBefore = Math.max(0, concurrentTotal - (holds.size - taken.length));
    const expected = Math.min(taken.length, freeBefore);
    const concurrent = taken.filter((admittedAs) => admittedAs === 'CONCURRENT').length;
    const contingency = taken.filter((admittedAs) => admittedAs === 'CONTINGENCY').length;
    if (concurrent !== expected || contingency !== taken.length - expected) {
      this.#fault(
        `of ${taken.length} new seats of ${licence.code}, ${concurrent} were concurrent and ${contingency} contingency; ` +
          `${expected} concurrent seats were free`,
      );
    }
  }

  /** In a phase nothing is given back: a seat refused within it is refused rightly only if none is free after it. */
  #checkRefusal({ username, licence }: Refusal): void {
    const pool = this.#pool(licence);
    if (pool.holds.has(username)) {
      this.#fault(`${username} was refused a seat of ${licence}, and holds one`);
    } else if (free(pool) > 0) {
      this.#fault(`${username} was refused a seat of ${licence}, of which ${free(pool)} were free`);
    }
  }

  #row(pool: Pool): Row {
    const { licence, baseTotal, concurrentTotal, contingencyTotal, assigned, reusable, locked, holds } = pool;
    const inUse = holds.size;
    const isConcurrent = licence.seatModel === 'CONCURRENT';
    const used = contingencyUsed(pool);
    return {
      licence: licence.code,
      activeUsers: this.#activeUsers,
      activeInBillingPeriod: this.#activeInBillingPeriod,
      holders: pool.holders,
      base: hasBase(licence)
        ? {
            total: baseTotal,
            used: assigned + reusable + locked,
            reusable,
            available: Math.max(0, baseTotal - assigned - locked),
            assigned,
            locked,
            overAllocated: Math.max(0, assigned + locked - baseTotal),
          }
        : null,
      concurrent: isConcurrent
        ? {
            total: concurrentTotal,
            used: Math.min(inUse, concurrentTotal),
            available: Math.max(0, concurrentTotal - inUse),
            overAllocated: Math.max(0, inUse - concurrentTotal - contingencyTotal),
          }
        : null,
      contingency:
        isConcurrent && licence.contingencyAllowed
          ? {
              total: contingencyTotal,
              used,
              maxUsed: pool.maxUsed,
              maxUsedAt: pool.maxUsedAt?.toISOString() ?? null,
              available: contingencyTotal - used,
              paidHeadroom: Math.max(0, pool.maxUsed - used),
            }
          : null,
    };
  }

  #countDenial(licence: string, code: string): void {
    const key = `${licence} ${code}`;
    this.#denials.set(key, (this.#denials.get(key) ?? 0) + 1);
  }

  #fault(sentence: string): void {
    this.#faults.push(sentence);
  }

  #licence(code: string): CatalogueLicence {
    const licence = this.#catalogue.get(code);
    if (licence === undefined) throw new Error(`The catalogue has no licence ${code}`);
    return licence;
  }

  /** A licence that nobody bought or was assigned has no row, but it can still be asked for. */
  #pool(code: string): Pool {
    return this.#pools.get(code) ?? newPool(this.#licence(code), 0, 0, 0);
  }

  #user(username: string): UserEntry {
    const user = this.#users.get(username);
    if (user === undefined) throw new Error(`There is no user ${username}`);
    return user;
  }
}

function newPool(
  licence: CatalogueLicence,
  baseTotal: number,
  concurrentTotal: number,
  contingencyTotal: number,
): Pool {
  return {
    licence,
    baseTotal,
    concurrentTotal,
    contingencyTotal,
    holds: new Map(),
    holders: 0,
    assigned: 0,
    reusable: 0,
    locked: 0,
    reassigned: new Set(),
    maxUsed: 0,
    maxUsedAt: null,
    highestInUse: 0,
    highestAt: null,
  };
}

function hasBase({ category, seatModel }: CatalogueLicence): boolean {
  return category !== 'FEATURE' || seatModel === 'FIXED';
}

function free({ concurrentTotal, contingencyTotal, holds }: Pool): number {
  return Math.max(0, concurrentTotal + contingencyTotal - holds.size);
}

function contingencyUsed({ concurrentTotal, contingencyTotal, holds }: Pool, inUse = holds.size): number {
  return Math.min(Math.max(0, inUse - concurrentTotal), contingencyTotal);
}

/** Simulated organisations live in UTC, so their billing periods are UTC's months. */
function nextMonth(at: Instant): Instant {
  return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 1));
}
