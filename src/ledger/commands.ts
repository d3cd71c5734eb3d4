import { type Alert, watch } from '../alert/domain.ts';
import { insertAlerts } from '../alert/store.ts';
import { saveAllotments } from '../allotment/store.ts';
import { deleteBaseLicences, listDueBaseLicences } from '../assignment/store.ts';
import { type Change, doneBy } from '../audit/domain.ts';
import { chain, saveLinks } from '../audit/store.ts';
import { byOrganisation, type Of, type Span } from '../database/bulk.ts';
import { hastened, inTransaction, type Transaction } from '../database/transaction.ts';
import type { Instant } from '../kernel/clock.ts';
import { failureCode, lockNotAvailable } from '../kernel/failure.ts';
import { Held } from '../kernel/lanes.ts';
import type { LicenceCode, OrganisationId, SessionId, UserId } from '../kernel/ids.ts';
import { type NotFound, notFound, type Refusal } from '../kernel/refusal.ts';
import type { Catalogue } from '../licence/domain.ts';
import { organisationTopic, sessionTopic } from '../live/live.ts';
import type { Services } from '../live/services.ts';
import { type BillingPeriod, nowOf, type Organisation } from '../organisation/domain.ts';
import {
  insertBillingPeriods,
  listDueOrganisationIds,
  lineKeys,
  lockOrganisations,
  updateOrganisations,
} from '../organisation/store.ts';
import { defaultTerms } from '../price/domain.ts';
import { listDuePurchases } from '../purchase/store.ts';
import { type Denial, type Holder, isLive, type Session } from '../session/domain.ts';
import {
  findCrowdedInstants,
  type HolderName,
  type Holders,
  insertDenials,
  listExpiringUsers,
  lockHolders,
  saveHolders,
} from '../session/store.ts';
import type { ClosedPeriod } from '../statement/domain.ts';
import type { ContractOptions } from '../peak/domain.ts';
import { saveContractOptions } from '../peak/store.ts';
import { insertClosedPeriods } from '../statement/store.ts';
import {
  closeStep,
  emptyPool,
  type HistoryEntry,
  openTally,
  type Pool,
  type PoolStep,
  type Tally,
} from '../usage/domain.ts';
import { insertHistory, listPools, savePools, useKeys, watchKeys } from '../usage/store.ts';
import { settle, type Settled } from './domain.ts';

/**
 * One organisation's books while a command works on them: locked, and settled up to `now`. The command replaces what
 * it decides anew; what then differs from what was loaded is written, under the next revision, when it is done.
 */
export interface Ledger {
  readonly now: Instant;
  readonly catalogue: Catalogue;
  organisation: Organisation;
  pools: ReadonlyMap<LicenceCode, Pool>;
  /** The users that were asked for, and those whose leases ended on the way. */
  holders: ReadonlyMap<UserId, Holder>;
  /** Whose the sessions are, live or ended, that were asked for. */
  readonly owners: ReadonlyMap<SessionId, UserId>;
  history: readonly HistoryEntry[];
  /** What each step made of the pools, in order: what alerts are raised by. */
  steps: readonly PoolStep[];
  denials: readonly Denial[];
  /** What the contract says from now on; null: what it said. Months that the ledger closes are of before. */
  contractOptions: ContractOptions | null;
  /** What is to stand in the audit log. */
  changes: readonly Change[];
}

/** A ledger, with what it is compared with when it is saved: what was loaded. */
interface OpenLedger {
  readonly ledger: Ledger;
  readonly organisation: Organisation;
  readonly pools: ReadonlyMap<LicenceCode, Pool>;
  readonly holders: Map<UserId, Holder>;
  readonly periods: readonly BillingPeriod[];
  readonly closed: readonly ClosedPeriod[];
  readonly everyRowChanged: boolean;
  /** false: more is due than this transaction settles. */
  readonly isSettled: boolean;
}

/** A locked organisation's desk: the ledger, and the means to load more into it. */
export interface Desk {
  readonly trx: Transaction;
  readonly organisationId: OrganisationId;
  readonly ledger: Ledger;
  /** Loads users with their live sessions; those that do not exist are missing from the ledger's holders. */
  readonly loadHolders: (userIds: readonly UserId[]) => Promise<void>;
  /** Puts a change into the audit log, by the command's name, with the change or not at all. */
  readonly note: (change: Change) => void;
}

/** What is done to several organisations in one transaction. */
interface LedgerWork<Known, Answer> {
  /**
   * What becomes of an organisation that somebody else has for longer than a moment, or in which so much is due that
   * it takes several transactions: it is waited for, or left out.
   */
  readonly patient: boolean;
  /** The work changes nothing but sessions, so that nothing else can come to be due sooner. */
  readonly sessionsOnly?: boolean;
  /**
   * Where an organisation's clock is to move to; asked after the lock was granted, so that time does not run backwards
   * from one command to the next. Real time, or the organisation's own, where it is not said.
   */
  readonly presentOf?: (organisation: Organisation) => Instant;
  /** Whom to load with the locks. */
  readonly holders?: readonly Of<HolderName>[];
  /** What else to read with the locks: its statements are sent before it returns. */
  readonly read: (trx: Transaction) => Promise<Known>;
  readonly decide: (desks: Desks, known: Known) => Promise<Answer>;
  /** What to write beside the ledgers: its statements are sent before it returns. */
  readonly write?: (trx: Transaction, answer: Answer) => Promise<void>;
}

/** The ledgers of several organisations, all locked by one transaction. */
export interface Desks {
  readonly trx: Transaction;
  /** Those that do not exist are missing. */
  readonly ledgers: ReadonlyMap<OrganisationId, Ledger>;
  /** Those that were not waited for; whether they exist is not known. Only where the work is not patient. */
  readonly leftOut: ReadonlySet<OrganisationId>;
  readonly loadHolders: (names: readonly Of<HolderName>[]) => Promise<void>;
}

/** Long enough for what others do to an organisation, short enough for those who wait behind. */
const briefMilliseconds = 100;

/**
 * So many leases end by one transaction, or a few more that end at one instant: after an outage those of a whole
 * organisation may be over, and what does not fit into a statement's time would be tried for ever. Who logs on meanwhile
 * is kept waiting for so many such transactions.
 */
const maxExpiring = 2000;
const maxSteps = 4;

/**
 * The one way in which organisations' figures change: one transaction that locks their rows, lets what is due take
 * effect (T3), does the command's work, writes the difference, and after the commit announces it. The number of its
 * statements does not grow with the organisations, and they are sent in two flights: what is read, and what is written
 * with the commit behind it.
 */
export async function inLedgers<Answer, Known = void>(
  services: Services,
  name: string,
  organisationIds: readonly OrganisationId[],
  work: LedgerWork<Known, Answer>,
): Promise<Answer> {
  const presentOf = work.presentOf ?? ((organisation) => nowOf(organisation, services.clock.now()));
  const names = work.holders ?? [];
  const catalogue = await services.catalogue();

  const attempt = async (wait: 'LONG' | 'BRIEFLY' | 'NEVER') => {
    const { answer, saved } = await inTransaction(
      services.db,
      name,
      async (trx) => {
        // Each statement sees what was committed when it began: what follows the locks, what there is once they are held.
        const locked = lockOrganisations(trx, organisationIds, wait === 'NEVER');
        let mine = names;
        if (wait === 'NEVER') {
          // What somebody else has may not be waited for by way of its sessions either.
          const ids = new Set((await locked).map(({ id }) => id));
          mine = names.filter(({ organisationId }) => ids.has(organisationId));
        }
        const [organisations, pools, loaded, known] = await Promise.all([
          locked,
          listPools(trx, organisationIds),
          lockHolders(trx, mine),
          work.read(trx),
        ]);
        const open = await openLedgers(trx, organisations, { pools, catalogue, loaded }, presentOf);
        const ready = new Map([...open].filter(([, { isSettled }]) => isSettled));
        const isLeftOut = (id: OrganisationId) => (open.has(id) ? !ready.has(id) : wait === 'NEVER');
        const desks: Desks = {
          trx,
          ledgers: new Map([...ready].map(([id, { ledger }]) => [id, ledger])),
          leftOut: new Set(organisationIds.filter(isLeftOut)),
          loadHolders: (users) => loadHolders(trx, ready, users),
        };
        const isToGoOn = work.patient && desks.leftOut.size > 0;
        const answer = isToGoOn ? null : { is: await work.decide(desks, known) };
        return {
          answer,
          links: await chain(trx, notedIn(services, name, ready)),
          saved: [...open.values()].map((each) => changesOf(each, work.sessionsOnly ?? false)),
        };
      },
      {
        settings: wait === 'LONG' ? hastened : { ...hastened, lock_timeout: briefMilliseconds },
        write: (trx, { answer, links, saved }) => [
          ...save(trx, saved),
          ...saveLinks(trx, links),
          answer === null ? null : work.write?.(trx, answer.is),
        ],
      },
    );
    announce(services, saved);
    return answer;
  };

  if (work.patient) {
    for (let attempts = 1; ; attempts += 1) {
      const answer = await attempt('LONG');
      if (answer !== null) return answer.is;
      if (work.sessionsOnly === true && attempts === maxSteps) throw new Held();
    }
  }
  const answer = await attempt('BRIEFLY').catch((error: unknown) => {
    if (failureCode(error) !== lockNotAvailable) throw error;
    return attempt('NEVER');
  });
  if (answer === null) throw new Error('Only who is patient goes on without an answer');
  return answer.is;
}

/** As `inLedgers`, for one organisation. A refusal that the work returns is committed like anything else, so that it can be recorded. */
export async function inLedger<Answer extends object>(
  services: Services,
  name: string,
  organisationId: OrganisationId,
  work: (desk: Desk) => Promise<Answer>,
): Promise<Answer | NotFound> {
  const present = (organisation: Organisation) => ({ to: nowOf(organisation, services.clock.now()) });
  return inLedgerAt<Answer, never>(services, name, organisationId, present, work);
}

/**
 * As `inLedger`, where the command says to which instant the organisation's clock is to move (T2).
 * @param moveClock or why it may not; then nothing is done
 */
export async function inLedgerAt<Answer extends object, Unmoved extends Refusal>(
  services: Services,
  name: string,
  organisationId: OrganisationId,
  moveClock: (organisation: Organisation) => { readonly to: Instant } | Unmoved,
  work: (desk: Desk) => Promise<Answer>,
): Promise<Answer | NotFound | Unmoved> {
  const answer = await services.lines(organisationId, async (patient) => {
    let unmoved: Unmoved | null = null;
    const presentOf = (organisation: Organisation): Instant => {
      const moved = moveClock(organisation);
      unmoved = 'code' in moved ? moved : null;
      return 'code' in moved ? organisation.settledAt : moved.to;
    };
    const decided = await inLedgers<Answer | NotFound | Unmoved | Held>(services, name, [organisationId], {
      ...{ patient, presentOf, read: nothing },
      decide: async ({ trx, ledgers, leftOut, loadHolders }) => {
        if (leftOut.has(organisationId)) return new Held();
        const ledger = ledgers.get(organisationId);
        if (ledger === undefined) return notFound('organisation');
        if (unmoved !== null) return unmoved;
        return work({
          trx,
          organisationId,
          ledger,
          loadHolders: (userIds) =>
            loadHolders(userIds.map((userId) => ({ organisationId, userId, sessionId: null }))),
          note: (change) => {
            ledger.changes = [...ledger.changes, change];
          },
        });
      },
    });
    // Only now, so that what was settled on the way is kept.
    if (decided instanceof Held) throw decided;
    return decided;
  });
  return answer;
}

async function nothing(): Promise<void> {}

/** Changes pools outside of a session's decisions, as one step of the history. */
export function inStep<Answer>(ledger: Ledger, work: (tally: Tally) => Answer): Answer {
  const tally = openTally(ledger.pools);
  const answer = work(tally);
  closeStep(tally, ledger.now);
  ledger.pools = tally.pools;
  ledger.history = [...ledger.history, ...tally.history];
  ledger.steps = [...ledger.steps, ...tally.steps];
  return answer;
}

/** How many organisations one transaction settles. */
const maxSettled = 100;

/**
 * Lets what is due in the organisations take effect. Of many a hundred do so by one transaction; those of them that
 * somebody else has, and those in which too much is due for it, are waited for one by one.
 */
export async function settleOrganisations(
  services: Services,
  organisationIds: readonly OrganisationId[],
): Promise<void> {
  const left = organisationIds.length === 1 ? [...organisationIds] : [];
  for (let next = 0; organisationIds.length > 1 && next < organisationIds.length; next += maxSettled) {
    left.push(...(await settleTogether(services, organisationIds.slice(next, next + maxSettled))));
  }
  await Promise.all(left.map((id) => inLedger(services, 'settle', id, async () => ({}))));
}

/** @returns those that somebody else has, and those in which more is due than one transaction settles */
function settleTogether(
  services: Services,
  organisationIds: readonly OrganisationId[],
): Promise<ReadonlySet<OrganisationId>> {
  return inLedgers(services, 'settle', organisationIds, {
    patient: false,
    read: nothing,
    decide: async ({ leftOut }) => leftOut,
  });
}

/** How often it goes on with those in which more is due than one transaction settles, before it looks at all again. */
const maxRounds = 10;

/**
 * Lets what is due take effect in every organisation of real time: leases, purchases, 90-day periods, months. Those
 * that somebody else has are settled by whoever has them. One that fails does not keep the others waiting.
 * @param signal stops it after the transaction under way
 * @returns how many organisations were due
 */
export async function settleDue(services: Services, signal?: AbortSignal): Promise<number> {
  const due = await listDueOrganisationIds(services.db, services.clock.now(), maxSettled);
  if (due.length === 0) return 0;
  try {
    let left: ReadonlySet<OrganisationId> = new Set(due);
    for (let round = 0; left.size > 0 && round < maxRounds && signal?.aborted !== true; round += 1) {
      left = await settleTogether(services, [...left]);
    }
  } catch (error) {
    services.log.warn({ err: error }, 'could not settle organisations together; trying one by one');
    for (const organisationId of due) {
      if (signal?.aborted === true) break;
      try {
        await settleTogether(services, [organisationId]);
      } catch (failure) {
        services.log.error(
          { err: failure, organisationId },
          'could not settle an organisation; trying again',
        );
      }
    }
  }
  return due.length;
}

/** What was read of the organisations, as it is in the database. */
interface Loaded {
  readonly pools: ReadonlyMap<OrganisationId, ReadonlyMap<LicenceCode, Pool>>;
  readonly catalogue: Catalogue;
  readonly loaded: ReadonlyMap<OrganisationId, Holders>;
}

async function openLedgers(
  trx: Transaction,
  organisations: readonly Organisation[],
  { pools, catalogue, loaded }: Loaded,
  presentOf: (organisation: Organisation) => Instant,
): Promise<Map<OrganisationId, OpenLedger>> {
  const asked = organisations.map((organisation) => ({ organisation, now: presentOf(organisation) }));
  const due = asked.filter(({ organisation, now }) => organisation.nextDueAt <= now);
  const ends = await findCrowdedInstants(trx, due.map(spanOf), maxExpiring);
  const until = ({ organisation, now }: Passed): Passed => ({
    organisation,
    now: ends.get(organisation.id) ?? now,
  });
  const passed = asked.map(until);
  const settled = await settleThose(trx, due.map(until), pools);
  return new Map(
    passed.map(({ organisation, now }) => {
      const { id } = organisation;
      const loadedPools = pools.get(id) ?? new Map<LicenceCode, Pool>();
      const become = settled.get(id);
      const { holders, owners } = loaded.get(id) ?? nobody;
      const ledger: Ledger = {
        now,
        catalogue,
        organisation: become?.organisation ?? { ...organisation, settledAt: now },
        pools: become?.pools ?? loadedPools,
        holders: become === undefined ? holders : new Map([...holders, ...become.holders]),
        owners,
        history: become?.history ?? [],
        steps: become?.steps ?? [],
        denials: [],
        contractOptions: null,
        changes: [],
      };
      return [
        id,
        {
          ledger,
          organisation,
          pools: loadedPools,
          holders: become === undefined ? new Map(holders) : new Map([...holders, ...become.loadedHolders]),
          periods: become?.periods ?? [],
          closed: become?.closed ?? [],
          everyRowChanged: become?.everyRowChanged ?? false,
          isSettled: !ends.has(id),
        },
      ];
    }),
  );
}

const nobody: Holders = { holders: new Map(), owners: new Map() };

/** An organisation, and to where its clock is to move. */
interface Passed {
  readonly organisation: Organisation;
  readonly now: Instant;
}

function spanOf({ organisation, now }: Passed): Of<Span> {
  return { organisationId: organisation.id, settledAt: organisation.settledAt, now };
}

/** Lets time pass in those organisations where something falls due on the way. */
async function settleThose(
  trx: Transaction,
  passed: readonly Passed[],
  pools: ReadonlyMap<OrganisationId, ReadonlyMap<LicenceCode, Pool>>,
): Promise<Map<OrganisationId, Settled & { readonly loadedHolders: ReadonlyMap<UserId, Holder> }>> {
  if (passed.length === 0) return new Map();
  const spans = passed.map(spanOf);
  const [expiring, dueBaseLicences, duePurchases] = await Promise.all([
    listExpiringUsers(trx, spans),
    listDueBaseLicences(trx, spans),
    listDuePurchases(trx, spans),
  ]);
  const [locked] = await Promise.all([lockHolders(trx, expiring), deleteBaseLicences(trx, dueBaseLicences)]);
  const baseLicences = byOrganisation(dueBaseLicences);
  const purchases = byOrganisation(duePurchases);

  return new Map(
    passed.map(({ organisation, now }) => {
      const { id } = organisation;
      const { holders: loadedHolders } = locked.get(id) ?? nobody;
      const due = {
        sessions: [...loadedHolders.values()].flatMap(({ sessions }) =>
          sessions.filter(({ expiresAt }) => expiresAt <= now),
        ),
        holders: loadedHolders,
        purchases: purchases.get(id) ?? [],
        baseLicences: baseLicences.get(id) ?? [],
      };
      const settled = settle(organisation, pools.get(id) ?? new Map<LicenceCode, Pool>(), due, now);
      return [id, { ...settled, loadedHolders }];
    }),
  );
}

async function loadHolders(
  trx: Transaction,
  open: ReadonlyMap<OrganisationId, OpenLedger>,
  names: readonly Of<HolderName>[],
): Promise<void> {
  const missing = names.filter(
    ({ organisationId, userId }) =>
      userId === null || open.get(organisationId)?.ledger.holders.has(userId) === false,
  );
  for (const [organisationId, { holders }] of await lockHolders(trx, missing)) {
    const opened = open.get(organisationId);
    if (opened === undefined) continue;
    const known = opened.ledger.holders;
    for (const [userId, holder] of holders) if (!known.has(userId)) opened.holders.set(userId, holder);
    opened.ledger.holders = new Map([...holders, ...known]);
  }
}

/** What commands noted, and who asked for it. */
function notedIn({ by, clock }: Services, name: string, open: ReadonlyMap<OrganisationId, OpenLedger>) {
  return [...open].flatMap(([organisationId, { ledger }]) =>
    ledger.changes.map((change) => ({
      ...change,
      ...doneBy(by, clock.now(), name),
      organisationId,
    })),
  );
}

/** What there is to write of an organisation, and to announce once that is committed. */
type Changes = ReturnType<typeof changesOf>;

function changesOf(open: OpenLedger, sessionsOnly: boolean) {
  const { ledger } = open;
  const organisationId = ledger.organisation.id;
  const steps = Map.groupBy(ledger.steps, ({ after }) => after.licence);
  const alerts: Alert[] = [];
  const pools = [...ledger.pools.values()].flatMap((present) => {
    const watched = watch(steps.get(present.licence) ?? [], present.raised);
    alerts.push(...watched.alerts);
    const pool = watched.raised === present.raised ? present : { ...present, raised: watched.raised };
    const before = open.pools.get(pool.licence);
    const changed = changedKeys(before, pool);
    if (changed.length === 0) return [];
    const known = before ?? emptyPool(pool.licence);
    const isWatchChanged = watchKeys.some((key) => known[key] !== pool[key]);
    const isUseOnly = isWithin(changed, [...useKeys, ...watchKeys]);
    return [{ organisationId, ...pool, isUseOnly, isWatchChanged }];
  });
  const everyRowChanged =
    open.everyRowChanged ||
    ledger.organisation.activeUsers !== open.organisation.activeUsers ||
    ledger.organisation.activeInBillingPeriod !== open.organisation.activeInBillingPeriod;
  // Of a batch in which seats were taken and given back, the alerts may be all that changed.
  const figuresChanged = everyRowChanged || pools.length > 0 || alerts.length > 0;
  const revision = open.organisation.revision + (figuresChanged ? 1 : 0);
  const sessions = changedSessions(open.holders, ledger.holders);
  return {
    organisationId,
    figuresChanged,
    sessions,
    pools: pools.map((pool) => ({ ...pool, revision })),
    allotments: pools.flatMap(({ licence, allotments }) => {
      const known = open.pools.get(licence)?.allotments;
      return allotments
        .filter((allotment) => known?.includes(allotment) !== true)
        .map((allotment) => ({ organisationId, licence, ...allotment }));
    }),
    holders: { organisationId, before: open.holders, after: ledger.holders, at: ledger.now },
    history: ledger.history.map((entry) => ({ organisationId, ...entry })),
    denials: ledger.denials.map((denial) => ({ organisationId, ...denial })),
    alerts: alerts.map((alert) => ({ organisationId, ...alert, revision })),
    periods: open.periods.map((period) => ({ organisationId, ...period })),
    closed: open.closed.map((period) => ({ organisationId, ...period })),
    contractOptions: ledger.contractOptions === null ? [] : [{ organisationId, ...ledger.contractOptions }],
    organisation: {
      ...ledger.organisation,
      revision,
      rowsRevision: everyRowChanged ? revision : open.organisation.rowsRevision,
      nextDueAt: nextDueAt(open.organisation.nextDueAt, sessions),
      isLineOnly:
        sessionsOnly &&
        open.organisation.nextDueAt > ledger.now &&
        isWithin(changedKeys(open.organisation, ledger.organisation), lineKeys),
    },
  };
}

/**
 * In this order: what falls due next is sought among the sessions as they are then, and a month that is closed is of the
 * contract as it was.
 */
function save(trx: Transaction, saved: readonly Changes[]): Promise<unknown>[] {
  return [
    saveHolders(
      trx,
      saved.map(({ holders }) => holders),
    ),
    savePools(
      trx,
      saved.flatMap(({ pools }) => pools),
    ),
    saveAllotments(
      trx,
      saved.flatMap(({ allotments }) => allotments),
    ),
    insertHistory(
      trx,
      saved.flatMap(({ history }) => history),
    ),
    insertDenials(
      trx,
      saved.flatMap(({ denials }) => denials),
    ),
    insertAlerts(
      trx,
      saved.flatMap(({ alerts }) => alerts),
    ),
    insertBillingPeriods(
      trx,
      saved.flatMap(({ periods }) => periods),
    ),
    insertClosedPeriods(
      trx,
      saved.flatMap(({ closed }) => closed),
      defaultTerms,
    ),
    saveContractOptions(
      trx,
      saved.flatMap(({ contractOptions }) => contractOptions),
    ),
    updateOrganisations(
      trx,
      saved.map(({ organisation }) => organisation),
    ),
  ];
}

function nextDueAt(known: Instant, changed: readonly Session[]): Instant {
  let at = known;
  for (const session of changed) if (isLive(session) && session.expiresAt < at) at = session.expiresAt;
  return at;
}

/** Which of its values are others than before: all, where there was none before. */
function changedKeys<Thing extends object>(before: Thing | undefined, after: Thing): (keyof Thing)[] {
  if (before === after) return [];
  const keys = Object.keys(after) as (keyof Thing)[];
  return keys.filter((key) => before?.[key]?.valueOf() !== after[key]?.valueOf());
}

function isWithin<Key>(keys: readonly Key[], some: readonly Key[]): boolean {
  return keys.every((key) => some.includes(key));
}

function changedSessions(before: ReadonlyMap<UserId, Holder>, after: ReadonlyMap<UserId, Holder>): Session[] {
  return [...after].flatMap(([userId, holder]) => {
    const former = before.get(userId);
    return holder === former
      ? []
      : holder.sessions.filter((session) => former?.sessions.includes(session) !== true);
  });
}

function announce({ live }: Services, saved: readonly Changes[]): void {
  for (const { organisationId, figuresChanged, organisation, sessions } of saved) {
    if (figuresChanged) live.announce(organisationTopic(organisationId), organisation.revision);
    for (const { id } of sessions) live.announce(sessionTopic(organisationId, id), null);
  }
}
