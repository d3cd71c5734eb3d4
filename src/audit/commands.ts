import { inTransaction, takeSnapshot, type Transaction } from '../database/transaction.ts';
import { nowhere, type OrganisationId } from '../kernel/ids.ts';
import type { Services } from '../live/services.ts';
import { lockOrganisations } from '../organisation/store.ts';
import type { Database } from '../database/database.ts';
import {
  type Attempt,
  type Attempts,
  createAttemptCounter,
  createWalk,
  digestOf,
  digestsIn,
  type Entry,
  type Flaw,
  type Head,
} from './domain.ts';
import { chain, getHead, listEntriesAfter, listNames, lockNowhere, type Noted, saveLinks } from './store.ts';

/** What keeps denied attempts until they are written: nobody who is denied waits for that. */
export interface Denials {
  /** Returns at once. */
  readonly record: (attempt: Attempt) => void;
  /** Writes what is to be written by now; what could not be is kept for the next time. What is not written yet is lost in a crash. */
  readonly flush: (which: 'DUE' | 'ALL') => Promise<void>;
}

/** An organisation that somebody holds for longer has its turn the next time. */
const lockMilliseconds = 1000;

export function createDenials({ db, clock, log }: Pick<Services, 'db' | 'clock' | 'log'>): Denials {
  const counter = createAttemptCounter();
  return {
    record: (attempt) => counter.count(attempt, clock.now()),
    flush: async (which) => {
      const now = clock.now();
      const due = Map.groupBy(counter.due(now, which), ({ organisationId }) => organisationId);
      for (const [organisationId, attempts] of due) {
        try {
          await writeAttempts(db, organisationId, attempts);
          counter.written(attempts, now);
        } catch (error) {
          log.warn({ err: error, organisationId }, 'could not write denied attempts; trying again');
        }
      }
    },
  };
}

async function writeAttempts(
  db: Database,
  organisationId: OrganisationId,
  attempts: readonly Attempts[],
): Promise<void> {
  await inTransaction(
    db,
    'writeDenials',
    async (trx) => {
      const owner = await lockChain(trx, organisationId);
      return chain(
        trx,
        attempts.map((attempt) => ({ ...toNoted(attempt), organisationId: owner })),
      );
    },
    { settings: { lock_timeout: lockMilliseconds }, write: saveLinks },
  );
}

/** @returns whose chain it is: nobody's, where there is no such organisation */
async function lockChain(trx: Transaction, organisationId: OrganisationId): Promise<OrganisationId> {
  const locked = organisationId === nowhere ? [] : await lockOrganisations(trx, [organisationId], false);
  if (locked.length > 0) return organisationId;
  await lockNowhere(trx);
  return nowhere;
}

function toNoted({ attempts, remoteAddress, organisationId: _, ...attempt }: Attempts): Noted {
  return {
    ...attempt,
    before: null,
    after: { attempts, ...(remoteAddress === null ? {} : { remoteAddress }) },
  };
}

/** What was found of a chain. */
export interface ChainReport {
  readonly head: Head;
  /** The first, in the order of the chain; null: the chain is whole. */
  readonly flaw: Flaw | null;
}

/** So many entries are in memory at once. */
const pageSize = 1000;

/** Walks a chain from its first entry to its head. It sees one moment, and holds nobody up. */
export async function verifyChain(db: Database, organisationId: OrganisationId): Promise<ChainReport> {
  return inTransaction(db, 'verifyAudit', async (trx) => {
    await takeSnapshot(trx);
    const head = await getHead(trx, organisationId);
    const walk = createWalk(organisationId, head);
    for (let after = 0; ;) {
      const page = await listEntriesAfter(trx, organisationId, after, pageSize);
      const edited = await findEditedName(trx, organisationId, page);
      for (const entry of page) {
        const flaw = walk.step(entry);
        if (flaw !== null) return { head, flaw };
        if (entry.sequence === edited) {
          return { head, flaw: { kind: 'NAME_EDITED', sequence: edited, other: null } };
        }
      }
      const last = page.at(-1);
      if (last === undefined) return { head, flaw: walk.end() };
      after = last.sequence;
    }
  });
}

/** @returns the sequence of the first entry of which a name is another, or is gone without having been erased */
async function findEditedName(
  trx: Transaction,
  organisationId: OrganisationId,
  entries: readonly Entry[],
): Promise<number | null> {
  const names = await listNames(trx, organisationId, entries.flatMap(digestsIn));
  const isWhole = (digest: string): boolean => {
    const name = names.get(digest);
    if (name === undefined) return false;
    return name.salt === null ? name.isErased : digestOf(name.salt, name.value).toString('hex') === digest;
  };
  return entries.find((entry) => !digestsIn(entry).every(isWhole))?.sequence ?? null;
}
