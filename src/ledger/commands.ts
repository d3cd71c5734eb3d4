import { deleteBaseLicences, listDueBaseLicences } from '../assignment/store.ts';
import { byOrganisation, type Of } from '../database/bulk.ts';
import { inTransaction, hasten, type Transaction } from '../database/transaction.ts';
import type { Instant } from '../kernel/clock.ts';
import { failureCode } from '../kernel/failure.ts';
import type { LicenceCode, OrganisationId, UserId } from '../kernel/ids.ts';
import { type NotFound, notFound, type Refusal } from '../kernel/refusal.ts';
import type { Catalogue } from '../licence/domain.ts';
import { listCatalogue } from '../licence/store.ts';
import { organisationTopic, sessionTopic } from '../live/live.ts';
import type { Services } from '../live/services.ts';
import { type BillingPeriod, nowOf, type Organisation } from '../organisation/domain.ts';
import {
  insertBillingPeriods,
  listDueOrganisationIds,
  lockOrganisations,
  updateOrganisations,
} from '../organisation/store.ts';
import { listDuePurchases } from '../purchase/store.ts';
import { type Denial, type Holder, isLive, type Session } from '../session/domain.ts';
import { insertDenials, listExpiringUsers, lockHolders, saveHolders } from '../session/store.ts';
import { closeStep, type HistoryEntry, openTally, type Pool, type Tally } from '../usage/domain.ts';
import { insertHistory, listPools, savePools } from '../usage/store.ts';
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
  readonly history: HistoryEntry[];
  readonly denials: Denial[];
}

/** A ledger, with what it is compared with when it is saved: what was loaded. */
interface OpenLedger {
  readonly ledger: Ledger;
  readonly organisation: Organisation;
  readonly pools: ReadonlyMap<LicenceCode, Pool>;
  readonly holders: Map<UserId, Holder>;
  readonly periods: readonly BillingPeriod[];
  readonly everyRowChanged: boolean;
}

/** A locked organisation's desk: the ledger, and the means to load more into it. */
export interface Desk {
  readonly trx: Transaction;
  readonly organisationId: OrganisationId;
  readonly ledger: Ledger;
  /** Loads users with their live sessions; those that do not exist are missing from the ledger's holders. */
  readonly loadHolders: (userIds: readonly UserId[]) => Promise<void>;
}

/** The ledgers of several organisations, all locked by one transaction. */
export interface Desks {
  readonly trx: Transaction;
  /** Those that do not exist are missing, and those that somebody else has, where they were not waited for. */
  readonly ledgers: ReadonlyMap<OrganisationId, Ledger>;
  readonly loadHolders: (users: readonly Of<{ readonly userId: UserId }>[]) => Promise<void>;
}

/** Long enough for what others do to an organisation, short enough for those who wait behind. */
const briefMilliseconds = 100;
const lockNotAvailable = '55P03';

/**
 * The one way in which organisations' figures change: one transaction that locks their rows, lets what is due take
 * effect (T3), does the command's work, writes the difference, and after the commit announces it. The number of its
 * statements does not grow with the organisations.
 *
 * @param options.patient false: an organisation that somebody else has for longer than a moment is left out
 * @param options.sessionsOnly the work changes nothing but sessions, so that nothing else can come to be due sooner
 * @param options.presentOf where an organisation's clock is to move to; asked after the lock was granted, so that time
 *   does not run backwards from one command to the next
 */
export async function inLedgers<Answer>(
  services: Services,
  name: string,
  organisationIds: readonly OrganisationId[],
  options: {
    readonly patient: boolean;
    readonly sessionsOnly?: boolean;
    readonly presentOf?: (organisation: Organisation) => Instant;
  },
  work: (desks: Desks) => Promise<Answer>,
): Promise<Answer> {
  const presentOf = options.presentOf ?? ((organisation) => nowOf(organisation, services.clock.now()));

  const attempt = (wait: 'LONG' | 'BRIEFLY' | 'NEVER') =>
    inTransaction(services.db, name, async (trx) => {
      const [, organisations, pools, catalogue] = await Promise.all([
        hasten(trx, wait === 'BRIEFLY' ? briefMilliseconds : null),
        lockOrganisations(trx, organisationIds, wait === 'NEVER'),
        // Each statement sees what was committed when it began: these, what there is once the locks are held.
        listPools(trx, organisationIds),
        listCatalogue(trx),
      ]);
      const open = await openLedgers(trx, organisations, pools, catalogue, presentOf);
      const answer = await work({
        trx,
        ledgers: new Map([...open].map(([id, { ledger }]) => [id, ledger])),
        loadHolders: (users) => loadHolders(trx, open, users),
      });
      return { answer, changes: await save(trx, [...open.values()], options.sessionsOnly ?? false) };
    });

  let done: Awaited<ReturnType<typeof attempt>>;
  try {
    done = await attempt(options.patient ? 'LONG' : 'BRIEFLY');
  } catch (error) {
    if (options.patient || failureCode(error) !== lockNotAvailable) throw error;
    done = await attempt('NEVER');
  }
  announce(services, done.changes);
  return done.answer;
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
  const unmoved: Unmoved[] = [];
  const presentOf = (organisation: Organisation): Instant => {
    const moved = moveClock(organisation);
    if (!('code' in moved)) return moved.to;
    unmoved.push(moved);
    return organisation.settledAt;
  };
  return inLedgers<Answer | NotFound | Unmoved>(
    services,
    name,
    [organisationId],
    { patient: true, presentOf },
    async ({ trx, ledgers, loadHolders }) => {
      const ledger = ledgers.get(organisationId);
      if (ledger === undefined) return notFound('organisation');
      const refusal = unmoved.at(-1);
      if (refusal !== undefined) return refusal;
      return work({
        trx,
        organisationId,
        ledger,
        loadHolders: (userIds) => loadHolders(userIds.map((userId) => ({ organisationId, userId }))),
      });
    },
  );
}

/** Changes pools outside of a session's decisions, as one step of the history. */
export function inStep<Answer>(ledger: Ledger, work: (tally: Tally) => Answer): Answer {
  const tally = openTally(ledger.pools);
  const answer = work(tally);
  closeStep(tally, ledger.now);
  ledger.pools = tally.pools;
  ledger.history.push(...tally.history);
  return answer;
}

/** Lets what is due in the organisations take effect. */
export async function settleOrganisations(
  services: Services,
  organisationIds: readonly OrganisationId[],
): Promise<void> {
  await inLedgers(services, 'settle', organisationIds, { patient: true }, async () => {});
}

/** How many organisations one transaction of the sweeper settles. */
const maxSettled = 100;

/**
 * Lets what is due take effect in every organisation of real time: leases, purchases, 90-day periods, months. Those
 * that somebody else has are settled by whoever has them. One that fails does not keep the others waiting.
 * @returns how many organisations were due
 */
export async function settleDue(services: Services): Promise<number> {
  const due = await listDueOrganisationIds(services.db, services.clock.now(), maxSettled);
  if (due.length === 0) return 0;
  const settleThese = (ids: readonly OrganisationId[]) =>
    inLedgers(services, 'settle', ids, { patient: false }, async () => {});
  try {
    await settleThese(due);
  } catch (error) {
    services.log.warn({ err: error }, 'could not settle organisations together; trying one by one');
    for (const organisationId of due) {
      try {
        await settleThese([organisationId]);
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

async function openLedgers(
  trx: Transaction,
  organisations: readonly Organisation[],
  pools: ReadonlyMap<OrganisationId, ReadonlyMap<LicenceCode, Pool>>,
  catalogue: Catalogue,
  presentOf: (organisation: Organisation) => Instant,
): Promise<Map<OrganisationId, OpenLedger>> {
  const passed = organisations.map((organisation) => ({ organisation, now: presentOf(organisation) }));
  const settled = await settleThose(
    trx,
    passed.filter(({ organisation, now }) => organisation.nextDueAt <= now),
    pools,
  );
  return new Map(
    passed.map(({ organisation, now }) => {
      const { id } = organisation;
      const loadedPools = pools.get(id) ?? new Map<LicenceCode, Pool>();
      const due = settled.get(id);
      const ledger: Ledger = {
        now,
        catalogue,
        organisation: due?.organisation ?? { ...organisation, settledAt: now },
        pools: due?.pools ?? loadedPools,
        holders: due?.holders ?? new Map(),
        history: [...(due?.history ?? [])],
        denials: [],
      };
      return [
        id,
        {
          ledger,
          organisation,
          pools: loadedPools,
          holders: new Map(due?.loadedHolders),
          periods: due?.periods ?? [],
          everyRowChanged: due?.everyRowChanged ?? false,
        },
      ];
    }),
  );
}

/** Lets time pass in those organisations where something falls due on the way. */
async function settleThose(
  trx: Transaction,
  passed: readonly { readonly organisation: Organisation; readonly now: Instant }[],
  pools: ReadonlyMap<OrganisationId, ReadonlyMap<LicenceCode, Pool>>,
): Promise<Map<OrganisationId, Settled & { readonly loadedHolders: ReadonlyMap<UserId, Holder> }>> {
  if (passed.length === 0) return new Map();
  const spans = passed.map(({ organisation, now }) => ({
    organisationId: organisation.id,
    settledAt: organisation.settledAt,
    now,
  }));
  const [expiring, dueBaseLicences, duePurchases] = await Promise.all([
    listExpiringUsers(trx, spans),
    listDueBaseLicences(trx, spans),
    listDuePurchases(trx, spans),
  ]);
  const [locked] = await Promise.all([lockHolders(trx, expiring), deleteBaseLicences(trx, dueBaseLicences)]);
  const holders = byOrganisation(locked);
  const baseLicences = byOrganisation(dueBaseLicences);
  const purchases = byOrganisation(duePurchases);

  return new Map(
    passed.map(({ organisation, now }) => {
      const { id } = organisation;
      const loadedHolders = toMap(holders.get(id) ?? []);
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
  users: readonly Of<{ readonly userId: UserId }>[],
): Promise<void> {
  // Each once, however often a batch names them: a user's sessions must not be there twice.
  const missing = new Map(
    users
      .filter(({ organisationId, userId }) => open.get(organisationId)?.ledger.holders.has(userId) === false)
      .map(({ organisationId, userId }) => [`${organisationId}/${userId}`, { organisationId, userId }]),
  );
  for (const [organisationId, holders] of byOrganisation(await lockHolders(trx, [...missing.values()]))) {
    const loaded = open.get(organisationId);
    if (loaded === undefined) continue;
    for (const [userId, holder] of toMap(holders)) loaded.holders.set(userId, holder);
    loaded.ledger.holders = new Map([...loaded.ledger.holders, ...toMap(holders)]);
  }
}

function toMap(holders: readonly Of<Holder>[]): Map<UserId, Holder> {
  return new Map(holders.map(({ organisationId: _, ...holder }) => [holder.userId, holder]));
}

/** What there is to announce once the transaction is committed. */
interface Changes {
  readonly organisationId: OrganisationId;
  /** null: no figure changed. */
  readonly revision: number | null;
  readonly sessions: readonly Session[];
}

async function save(
  trx: Transaction,
  open: readonly OpenLedger[],
  sessionsOnly: boolean,
): Promise<Changes[]> {
  const saved = open.map((loaded) => {
    const { ledger } = loaded;
    const organisationId = ledger.organisation.id;
    const pools = [...ledger.pools.values()].filter((pool) =>
      isChanged(loaded.pools.get(pool.licence), pool),
    );
    const everyRowChanged =
      loaded.everyRowChanged ||
      ledger.organisation.activeUsers !== loaded.organisation.activeUsers ||
      ledger.organisation.activeInBillingPeriod !== loaded.organisation.activeInBillingPeriod;
    const figuresChanged = everyRowChanged || pools.length > 0;
    const revision = loaded.organisation.revision + (figuresChanged ? 1 : 0);
    const sessions = changedSessions(loaded.holders, ledger.holders);
    return {
      changes: { organisationId, revision: figuresChanged ? revision : null, sessions },
      pools: pools.map((pool) => ({ organisationId, revision, ...pool })),
      holders: { organisationId, before: loaded.holders, after: ledger.holders, at: ledger.now },
      history: ledger.history.map((entry) => ({ organisationId, ...entry })),
      denials: ledger.denials.map((denial) => ({ organisationId, ...denial })),
      periods: loaded.periods.map((period) => ({ organisationId, ...period })),
      organisation: {
        ...ledger.organisation,
        revision,
        rowsRevision: everyRowChanged ? revision : loaded.organisation.rowsRevision,
        nextDueAt: nextDueAt(loaded.organisation.nextDueAt, sessions),
        seekDue: !sessionsOnly || loaded.organisation.nextDueAt <= ledger.now,
      },
    };
  });

  const savedHolders = saveHolders(
    trx,
    saved.map(({ holders }) => holders),
  );
  // What falls due next is sought among the sessions as they are then.
  if (saved.some(({ organisation }) => organisation.seekDue)) await savedHolders;
  await Promise.all([
    savedHolders,
    savePools(
      trx,
      saved.flatMap(({ pools }) => pools),
    ),
    insertHistory(
      trx,
      saved.flatMap(({ history }) => history),
    ),
    insertDenials(
      trx,
      saved.flatMap(({ denials }) => denials),
    ),
    insertBillingPeriods(
      trx,
      saved.flatMap(({ periods }) => periods),
    ),
    updateOrganisations(
      trx,
      saved.map(({ organisation }) => organisation),
    ),
  ]);
  return saved.map(({ changes }) => changes);
}

function nextDueAt(known: Instant, changed: readonly Session[]): Instant {
  let at = known;
  for (const session of changed) if (isLive(session) && session.expiresAt < at) at = session.expiresAt;
  return at;
}

function isChanged(before: Pool | undefined, after: Pool): boolean {
  if (before === undefined || before === after) return before === undefined;
  return (Object.keys(after) as (keyof Pool)[]).some(
    (key) => before[key]?.valueOf() !== after[key]?.valueOf(),
  );
}

function changedSessions(before: ReadonlyMap<UserId, Holder>, after: ReadonlyMap<UserId, Holder>): Session[] {
  return [...after].flatMap(([userId, holder]) => {
    const former = before.get(userId);
    return holder === former
      ? []
      : holder.sessions.filter((session) => former?.sessions.includes(session) !== true);
  });
}

function announce({ live }: Services, changes: readonly Changes[]): void {
  for (const { organisationId, revision, sessions } of changes) {
    if (revision !== null) live.announce(organisationTopic(organisationId), revision);
    for (const { id } of sessions) live.announce(sessionTopic(organisationId, id), null);
  }
}
