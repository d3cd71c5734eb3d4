import { differing, doneBy } from '../audit/domain.ts';
import { note } from '../audit/store.ts';
import { inTransaction } from '../database/transaction.ts';
import { encodeOrganisationId, type OrganisationId } from '../kernel/ids.ts';
import { type InvalidInput, type NotFound, notFound } from '../kernel/refusal.ts';
import type { Services } from '../live/services.ts';
import { lockOrganisations } from '../organisation/store.ts';
import { type ContractOptions, decideContractOptions, defaultContractOptions } from './domain.ts';
import { findContractOptions, saveContractOptions } from './store.ts';

export interface SetContractOptions {
  readonly organisationId: OrganisationId;
  /** null: unchanged. */
  readonly minimumPeakMinutes: number | null;
}

/** Sets what a contract says beside its purchases. It counts for every period that is not closed yet. */
export async function setContractOptions(
  { db, clock, by }: Services,
  { organisationId, minimumPeakMinutes }: SetContractOptions,
): Promise<ContractOptions | InvalidInput | NotFound> {
  return inTransaction(db, 'setContractOptions', async (trx) => {
    const [organisation] = await lockOrganisations(trx, [organisationId], false);
    if (organisation === undefined) return notFound('organisation');
    const known = await findContractOptions(trx, [organisationId]);
    const former = known.get(organisationId) ?? defaultContractOptions;
    const options = { minimumPeakMinutes: minimumPeakMinutes ?? former.minimumPeakMinutes };
    const invalid = decideContractOptions(options);
    if (invalid !== null) return invalid;
    await saveContractOptions(trx, organisationId, options);
    await note(trx, {
      organisationId,
      ...doneBy(by, clock.now(), 'setContractOptions'),
      subject: encodeOrganisationId(organisationId),
      ...differing(former, options, ['minimumPeakMinutes']),
    });
    return options;
  });
}
