import type { Database } from '../database/database.ts';
import { inTransaction, type Transaction } from '../database/transaction.ts';
import type { Clock } from '../kernel/clock.ts';
import type { OrganisationId } from '../kernel/ids.ts';
import { lockOrganisations } from '../organisation/store.ts';
import { compare, type Finding, isMendable } from './domain.ts';
import { mend, readLicenceFigures, readOrganisationFigures, takeSnapshot } from './store.ts';

/**
 * What an organisation keeps that the rows behind it do not say. Reads one snapshot: what is being changed meanwhile is
 * seen either before the change or after it, and nobody waits.
 */
export async function verifyOrganisation(
  db: Database,
  organisationId: OrganisationId,
): Promise<readonly Finding[]> {
  return inTransaction(db, 'verify', async (trx) => {
    await takeSnapshot(trx);
    return (await read(trx, organisationId)).findings;
  });
}

/**
 * Sets right what can be, and records that it did. Whoever asks for this organisation waits meanwhile.
 * @returns what was found, and set right as far as `isMendable`
 */
export async function repairOrganisation(
  db: Database,
  clock: Clock,
  organisationId: OrganisationId,
): Promise<readonly Finding[]> {
  return inTransaction(db, 'repair', async (trx) => {
    await lockOrganisations(trx, [organisationId], false);
    const { findings, licences } = await read(trx, organisationId);
    if (!findings.some(isMendable)) return findings;
    await mend(trx, organisationId, findings, licences, clock.now());
    return findings;
  });
}

async function read(trx: Transaction, organisationId: OrganisationId) {
  const organisation = await readOrganisationFigures(trx, organisationId);
  const licences = await readLicenceFigures(trx, organisationId);
  return { findings: organisation === null ? [] : compare(organisation, licences), licences };
}
