import { encodeMappingId, type LicenceCode, type OrganisationId } from '../kernel/ids.ts';
import { type InvalidInput, isRefusal, type NotFound } from '../kernel/refusal.ts';
import { inLedger, inStep } from '../ledger/commands.ts';
import { findLicence } from '../licence/domain.ts';
import type { Services } from '../live/services.ts';
import { sumOpenPurchases } from '../purchase/store.ts';
import { changePool } from '../usage/domain.ts';
import { capIn, type ContingencyCaps, decideCap, decideMonth, withCap } from './domain.ts';

export interface SetContingencyCap {
  readonly organisationId: OrganisationId;
  readonly licence: string;
  /** null: none; of a month that is named, none of its own. */
  readonly cap: number | null;
  /** A month, such as `2026-03`; null: every month that is not named. */
  readonly period: string | null;
}

/** A licence's caps as they are now. */
export interface CapsOfLicence {
  readonly licence: LicenceCode;
  /** null: none is left. */
  readonly caps: ContingencyCaps | null;
  /** What holds in the running billing period. */
  readonly contingencyCap: number | null;
}

/** W1. */
export async function setContingencyCap(
  services: Services,
  { organisationId, licence: code, cap, period }: SetContingencyCap,
): Promise<CapsOfLicence | InvalidInput | NotFound> {
  return inLedger(services, 'setContingencyCap', organisationId, async ({ trx, ledger, note }) => {
    const licence = findLicence(ledger.catalogue, code);
    if (isRefusal(licence)) return licence;
    const running = ledger.organisation.period.month;
    const decided = decideMonth(period, running);
    if (isRefusal(decided)) return decided;
    const { month } = decided;
    const { contingency } = await sumOpenPurchases(trx, organisationId, licence.code, ledger.now);
    const invalid = decideCap(licence, cap, contingency);
    if (invalid !== null) return invalid;

    const former = ledger.pools.get(licence.code)?.caps ?? null;
    const caps = withCap(former, { month, cap }, running);
    const contingencyCap = capIn(caps, running);
    const formerCap = (month === null ? former?.everyMonth : former?.months[month]) ?? null;
    if (formerCap !== cap) {
      inStep(ledger, (tally) => changePool(tally, licence.code, { caps, contingencyCap }));
      note({
        subject: encodeMappingId(organisationId, licence.code),
        before: { period, cap: formerCap },
        after: { period, cap },
      });
    }
    return { licence: licence.code, caps, contingencyCap };
  });
}
