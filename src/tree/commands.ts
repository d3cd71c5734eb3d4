import { setImmediate } from 'node:timers/promises';
import { byOrganisation, type Of, parted } from '../database/bulk.ts';
import { inTransaction, takeSnapshot, type Transaction } from '../database/transaction.ts';
import { Unavailable } from '../kernel/failure.ts';
import type { OrganisationId } from '../kernel/ids.ts';
import { settleOrganisations } from '../ledger/commands.ts';
import type { Services } from '../live/services.ts';
import { type Month, nowOf, type Organisation } from '../organisation/domain.ts';
import { listOrganisations, listTree } from '../organisation/store.ts';
import { defaultContractOptions } from '../peak/domain.ts';
import { findContractOptions, listLevels } from '../peak/store.ts';
import { defaultTerms } from '../price/domain.ts';
import { listReachingEntriesOfMany, listTermsOfMany } from '../price/store.ts';
import { listPurchasesIn } from '../purchase/store.ts';
import { billPeak, draftStatement } from '../statement/domain.ts';
import { countLines, listBilledPeaks, listStatements, sumCorrections } from '../statement/store.ts';
import { listPools } from '../usage/store.ts';
import {
  maxOrganisations,
  type Members,
  type MemberStatement,
  type Tree,
  type TreeTooLarge,
  treeTooLarge,
} from './domain.ts';
import { listTrees } from './store.ts';

/** So often is read anew what something fell due in, and of so many organisations it takes effect in between. */
const maxReads = 4;
const maxSettled = 1000;

/**
 * Reads what is of several organisations, at one moment at which nothing that is due has yet to take effect in any of
 * them (L8): what falls due while it is read takes effect first, and it is read again.
 * @throws Unavailable where something falls due in one or another all the time
 */
async function readSettled<Found>(
  services: Services,
  read: () => Promise<{ readonly found: Found; readonly due: readonly OrganisationId[] }>,
): Promise<Found> {
  for (let reads = 1; ; reads += 1) {
    const { found, due } = await read();
    if (due.length === 0) return found;
    if (reads === maxReads) {
      throw new Unavailable('More falls due below this organisation than takes effect meanwhile; try again.');
    }
    await settleOrganisations(services, due.slice(0, maxSettled));
  }
}

/** The trees of these organisations, those that exist: the sums of what their organisations' own rows show, at one moment. */
export async function readTrees(
  services: Services,
  ids: readonly OrganisationId[],
): Promise<ReadonlyMap<OrganisationId, Tree>> {
  const { db, clock } = services;
  return readSettled(services, async () => {
    const found = await inTransaction(db, 'readTrees', async (trx) => {
      const [, trees] = await Promise.all([takeSnapshot(trx), listTrees(trx, ids, clock.now())]);
      return trees;
    });
    return { found, due: [...new Set([...found.values()].flatMap(({ due }) => due))] };
  });
}

/** All organisations of a tree, for what is reported of them together. */
export async function readMembers(
  services: Services,
  organisationId: OrganisationId,
): Promise<Members | TreeTooLarge> {
  const { db, clock } = services;
  return readSettled<Members | TreeTooLarge>(services, async () => {
    const at = clock.now();
    const organisations = await listTree(db, organisationId, maxOrganisations + 1);
    if (organisations.length > maxOrganisations) return { found: treeTooLarge, due: [] };
    const due = organisations.filter((organisation) => organisation.nextDueAt <= nowOf(organisation, at));
    return { found: { organisations, at }, due: due.map(({ id }) => id) };
  });
}

/**
 * What a month costs each of these organisations, by its own zone: what its statement says, or of the month that runs in
 * it what it would say now; all of one moment. Those that have none of that month are missing.
 * @param organisations whose statements of months that are over are written
 */
export async function readStatements(
  services: Services,
  organisations: readonly Organisation[],
  month: Month,
): Promise<readonly MemberStatement[]> {
  return inTransaction(services.db, 'readStatements', async (trx) => {
    const ids = organisations.map(({ id }) => id);
    const [, present] = await Promise.all([takeSnapshot(trx), listOrganisations(trx, ids)]);
    const [over, others] = parted(present, ({ period }) => period.month > month);
    const running = others.filter(({ period }) => period.month === month);
    const [issued, estimates] = await Promise.all([
      listIssued(trx, over, month),
      estimateThose(trx, services, running),
    ]);
    return [...issued, ...estimates].toSorted((one, other) =>
      one.organisation.id < other.organisation.id ? -1 : 1,
    );
  });
}

async function listIssued(
  trx: Transaction,
  organisations: readonly Organisation[],
  month: Month,
): Promise<MemberStatement[]> {
  const asked = organisations.map(({ id: organisationId }) => ({ organisationId, month, correction: 0 }));
  const [statements, corrections] = await Promise.all([
    listStatements(trx, asked),
    sumCorrections(trx, asked),
  ]);
  const [counts, billed] = await Promise.all([countLines(trx, statements), listBilledPeaks(trx, statements)]);
  const statementOf = byId(statements);
  const countOf = byId(counts);
  const correctionOf = byId(corrections);
  const peaksOf = byOrganisation(billed);
  return organisations.flatMap((organisation) => {
    const { id } = organisation;
    const statement = statementOf.get(id);
    if (statement === undefined) return [];
    const { lines = 0, priced = 0 } = countOf.get(id) ?? {};
    const peaks = (peaksOf.get(id) ?? []).map(({ quantity, ...peak }) => ({ ...peak, billed: quantity }));
    return [{ organisation, statement, lines, priced, corrections: correctionOf.get(id)?.total ?? 0, peaks }];
  });
}

const reckonedAtOnce = 50;

/** As each one's own estimate is reckoned, but for the explanations of its peaks. */
async function estimateThose(
  trx: Transaction,
  { clock, catalogue }: Services,
  organisations: readonly Organisation[],
): Promise<MemberStatement[]> {
  if (organisations.length === 0) return [];
  const ids = organisations.map(({ id }) => id);
  const [pools, contracts, terms] = await Promise.all([
    listPools(trx, ids),
    findContractOptions(trx, ids),
    listTermsOfMany(
      trx,
      organisations.map(({ id: organisationId, period: { month } }) => ({ organisationId, month })),
    ),
  ]);
  const termsOf = byId(terms);
  const real = clock.now();
  const drafts = organisations.map((organisation) => ({
    organisation,
    terms: termsOf.get(organisation.id) ?? defaultTerms,
    options: contracts.get(organisation.id) ?? defaultContractOptions,
    pools: [...(pools.get(organisation.id)?.values() ?? [])].filter(({ purchases }) => purchases > 0),
  }));
  const sold = drafts.flatMap(({ organisation, pools: own }) =>
    own.map(({ licence }) => ({ organisationId: organisation.id, licence, ...organisation.period })),
  );
  // Where every peak is billed, however short it was, the history has nothing to add.
  const asked = drafts.flatMap(({ organisation, options, pools: own }) =>
    options.minimumPeakMinutes === 0
      ? []
      : own
          .filter(({ maxUsed }) => maxUsed > 0)
          .map(({ licence }) => ({
            ...{ organisationId: organisation.id, licence, now: nowOf(organisation, real) },
            ...organisation.period,
          })),
  );
  const [licences, purchases, entries, levels] = await Promise.all([
    catalogue([...new Set(sold.map(({ licence }) => licence))]),
    listPurchasesIn(trx, sold),
    listReachingEntriesOfMany(
      trx,
      drafts.map(({ organisation: { id: organisationId, period }, terms: { currency } }) => ({
        ...{ organisationId, currency, from: period.from, until: period.until },
      })),
    ),
    listLevels(trx, asked),
  ]);
  const purchasesOf = byOrganisation(purchases);
  const entriesOf = byOrganisation(entries);
  const levelsOf = new Map(
    asked.map(({ organisationId, licence }, index) => [`${organisationId}/${licence}`, levels[index] ?? []]),
  );

  const statements: MemberStatement[] = [];
  for (const [index, { organisation, terms: own, options, pools: kept }] of drafts.entries()) {
    // A thousand take half a second to reckon: other requests get their turn in between.
    if (index % reckonedAtOnce === 0) await setImmediate();
    const { id, name, timeZone, period, activeInBillingPeriod } = organisation;
    const peaks = kept.map(({ licence, maxUsed, maxUsedAt }) => {
      const levels = levelsOf.get(`${id}/${licence}`) ?? [];
      const told = { levels: [...levels], maxUsed: levels.at(-1)?.level ?? 0 };
      return { ...billPeak({ licence, maxUsed, maxUsedAt }, told, options), explanation: null };
    });
    const bought = purchasesOf.get(id) ?? [];
    const facts = { period, timeZone, activeInBillingPeriod, peaks, options, purchases: bought };
    const { lines, ...statement } = draftStatement(name, facts, own, entriesOf.get(id) ?? [], licences);
    statements.push({
      ...{ organisation, statement, lines: lines.length, corrections: 0 },
      priced: lines.filter(({ amount }) => amount !== null).length,
      peaks: peaks.filter(({ maxUsed }) => maxUsed > 0),
    });
  }
  return statements;
}

function byId<Thing>(things: readonly Of<Thing>[]): Map<OrganisationId, Of<Thing>> {
  return new Map(things.map((thing) => [thing.organisationId, thing]));
}
