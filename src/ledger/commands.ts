import { deleteBaseLicences, listDueBaseLicences } from '../assignment/store.ts';
import { inTransaction, type Transaction } from '../database/transaction.ts';
import type { Instant } from '../kernel/clock.ts';
import type { LicenceCode, OrganisationId, SessionId, UserId } from '../kernel/ids.ts';
import { type NotFound, notFound, type Refusal } from '../kernel/refusal.ts';
import type { Catalogue } from '../licence/domain.ts';
import { listCatalogue } from '../licence/store.ts';
import { organisationTopic, sessionTopic } from '../live/live.ts';
import type { Services } from '../live/services.ts';
import { type BillingPeriod, nowOf, type Organisation } from '../organisation/domain.ts';
import {
  insertBillingPeriods,
  listDueOrganisationIds,
  lockOrganisation,
  updateOrganisation,
} from '../organisation/store.ts';
import { listDuePurchases } from '../purchase/store.ts';
import type { Denial, Holder } from '../session/domain.ts';
import { insertDenials, listExpiringUserIds, lockHolders, saveHolders } from '../session/store.ts';
import { closeStep, type HistoryEntry, openTally, type Pool, type Tally } from '../usage/domain.ts';
import { insertHistory, listPools, savePools } from '../usage/store.ts';
import { settle } from './domain.ts';

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

/** As it was loaded, to be compared with. */
interface Loaded {
  readonly organisation: Organisation;
  readonly pools: ReadonlyMap<LicenceCode, Pool>;
  holders: ReadonlyMap<UserId, Holder>;
  periods: readonly BillingPeriod[];
  everyRowChanged: boolean;
}

/** A locked organisation's desk: the ledger, and the means to load more into it. */
export interface Desk {
  readonly trx: Transaction;
  readonly organisationId: OrganisationId;
  readonly ledger: Ledger;
  /** Loads users with their live sessions; those that do not exist are missing from the ledger's holders. */
  readonly loadHolders: (userIds: readonly UserId[]) => Promise<void>;
}

/**
 * The one way in which an organisation's figures change: one transaction that locks its row, lets what is due take
 * effect (T3), does the command's work, writes the difference, and after the commit announces it. A refusal that the
 * work returns is committed like anything else, so that it can be recorded.
 */
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
 * @param moveClock asked after the lock was granted: time does not run backwards from one command to the next
 */
export async function inLedgerAt<Answer extends object, Unmoved extends Refusal>(
  services: Services,
  name: string,
  organisationId: OrganisationId,
  moveClock: (organisation: Organisation) => { readonly to: Instant } | Unmoved,
  work: (desk: Desk) => Promise<Answer>,
): Promise<Answer | NotFound | Unmoved> {
  const done = await inTransaction(services.db, name, async (trx) => {
    const organisation = await lockOrganisation(trx, organisationId);
    if (organisation === null) return { answer: notFound('organisation'), changes: null };
    const moved = moveClock(organisation);
    if ('code' in moved) return { answer: moved, changes: null };

    const { ledger, loaded } = await open(trx, organisation, moved.to);
    const answer = await work({
      trx,
      organisationId,
      ledger,
      loadHolders: async (userIds) => {
        const missing = userIds.filter((userId) => !ledger.holders.has(userId));
        const holders = await lockHolders(trx, organisationId, missing);
        loaded.holders = new Map([...loaded.holders, ...holders]);
        ledger.holders = new Map([...ledger.holders, ...holders]);
      },
    });
    return { answer, changes: await save(trx, ledger, loaded) };
  });
  if (done.changes !== null) announce(services, organisationId, done.changes);
  return done.answer;
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

/** Lets what is due in one organisation take effect. */
export async function settleOrganisation(services: Services, organisationId: OrganisationId): Promise<void> {
  await inLedger(services, 'settle', organisationId, async () => ({}));
}

/**
 * Lets what is due take effect in every organisation of real time: leases, purchases, 90-day periods, months. One
 * that fails does not keep the others waiting.
 * @returns how many organisations were due
 */
export async function settleDue(services: Services): Promise<number> {
  const due = await listDueOrganisationIds(services.db, services.clock.now(), 100);
  for (const organisationId of due) {
    try {
      await settleOrganisation(services, organisationId);
    } catch (error) {
      services.log.error({ err: error, organisationId }, 'could not settle an organisation; trying again');
    }
  }
  return due.length;
}

async function open(
  trx: Transaction,
  organisation: Organisation,
  now: Instant,
): Promise<{ ledger: Ledger; loaded: Loaded }> {
  const { id, settledAt } = organisation;
  const pools = await listPools(trx, id);
  const ledger: Ledger = {
    now,
    catalogue: await listCatalogue(trx),
    organisation: { ...organisation, settledAt: now },
    pools,
    holders: new Map(),
    history: [],
    denials: [],
  };
  const loaded: Loaded = { organisation, pools, holders: new Map(), periods: [], everyRowChanged: false };
  if (organisation.nextDueAt > now) return { ledger, loaded };

  const holders = await lockHolders(trx, id, await listExpiringUserIds(trx, id, now));
  const baseLicences = await listDueBaseLicences(trx, id, now);
  const settled = settle(
    organisation,
    pools,
    {
      sessions: [...holders.values()].flatMap(({ sessions }) =>
        sessions.filter(({ expiresAt }) => expiresAt <= now),
      ),
      holders,
      purchases: await listDuePurchases(trx, id, settledAt, now),
      baseLicences,
    },
    now,
  );
  await deleteBaseLicences(
    trx,
    id,
    baseLicences.map((base) => base.id),
  );
  ledger.organisation = settled.organisation;
  ledger.pools = settled.pools;
  ledger.holders = settled.holders;
  ledger.history.push(...settled.history);
  loaded.holders = holders;
  loaded.periods = settled.periods;
  loaded.everyRowChanged = settled.everyRowChanged;
  return { ledger, loaded };
}

/** What there is to announce once the transaction is committed. */
interface Changes {
  /** null: no figure changed. */
  readonly revision: number | null;
  readonly sessions: readonly SessionId[];
}

async function save(trx: Transaction, ledger: Ledger, loaded: Loaded): Promise<Changes> {
  const { id } = ledger.organisation;
  const pools = [...ledger.pools.values()].filter((pool) => isChanged(loaded.pools.get(pool.licence), pool));
  const countsChanged =
    ledger.organisation.activeUsers !== loaded.organisation.activeUsers ||
    ledger.organisation.activeInBillingPeriod !== loaded.organisation.activeInBillingPeriod;
  const everyRowChanged = countsChanged || loaded.everyRowChanged;

  const figuresChanged = everyRowChanged || pools.length > 0;
  const revision = loaded.organisation.revision + (figuresChanged ? 1 : 0);

  await savePools(trx, id, pools, revision);
  await saveHolders(trx, id, loaded.holders, ledger.holders, ledger.now);
  await insertHistory(trx, id, ledger.history);
  await insertDenials(trx, id, ledger.denials);
  await insertBillingPeriods(trx, id, loaded.periods);
  await updateOrganisation(trx, {
    ...ledger.organisation,
    revision,
    rowsRevision: everyRowChanged ? revision : loaded.organisation.rowsRevision,
  });
  return {
    revision: figuresChanged ? revision : null,
    sessions: changedSessions(loaded.holders, ledger.holders),
  };
}

function isChanged(before: Pool | undefined, after: Pool): boolean {
  if (before === undefined || before === after) return before === undefined;
  return (Object.keys(after) as (keyof Pool)[]).some(
    (key) => before[key]?.valueOf() !== after[key]?.valueOf(),
  );
}

function changedSessions(
  before: ReadonlyMap<UserId, Holder>,
  after: ReadonlyMap<UserId, Holder>,
): SessionId[] {
  return [...after].flatMap(([userId, { sessions }]) => {
    const former = new Set(before.get(userId)?.sessions);
    return sessions.filter((session) => !former.has(session)).map(({ id }) => id);
  });
}

function announce({ live }: Services, organisationId: OrganisationId, { revision, sessions }: Changes): void {
  if (revision !== null) live.announce(organisationTopic(organisationId), revision);
  for (const id of sessions) live.announce(sessionTopic(organisationId, id), null);
}
