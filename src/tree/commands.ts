import { inTransaction, takeSnapshot } from '../database/transaction.ts';
import { Unavailable } from '../kernel/failure.ts';
import type { OrganisationId } from '../kernel/ids.ts';
import { settleOrganisations } from '../ledger/commands.ts';
import type { Services } from '../live/services.ts';
import { nowOf } from '../organisation/domain.ts';
import { listTree } from '../organisation/store.ts';
import { maxOrganisations, type Members, type Tree, type TreeTooLarge, treeTooLarge } from './domain.ts';
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
