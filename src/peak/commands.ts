import { differing } from '../audit/domain.ts';
import { encodeOrganisationId, type OrganisationId } from '../kernel/ids.ts';
import type { InvalidInput, NotFound } from '../kernel/refusal.ts';
import { inLedger } from '../ledger/commands.ts';
import type { Services } from '../live/services.ts';
import { type ContractOptions, decideContractOptions, defaultContractOptions } from './domain.ts';
import { findContractOptions } from './store.ts';

export interface SetContractOptions {
  readonly organisationId: OrganisationId;
  /** null: unchanged. */
  readonly minimumPeakMinutes: number | null;
}

/** Sets what a contract says beside its purchases. It counts for the running billing period and those after it. */
export async function setContractOptions(
  services: Services,
  { organisationId, minimumPeakMinutes }: SetContractOptions,
): Promise<ContractOptions | InvalidInput | NotFound> {
  return inLedger(services, 'setContractOptions', organisationId, async ({ trx, ledger, note }) => {
    const known = await findContractOptions(trx, [organisationId]);
    const former = known.get(organisationId) ?? defaultContractOptions;
    const options = { minimumPeakMinutes: minimumPeakMinutes ?? former.minimumPeakMinutes };
    const invalid = decideContractOptions(options);
    if (invalid !== null) return invalid;
    ledger.contractOptions = options;
    note({
      subject: encodeOrganisationId(organisationId),
      ...differing(former, options, ['minimumPeakMinutes']),
    });
    return options;
  });
}
