import { differing } from '../audit/domain.ts';
import { byOrganisation, type Of } from '../database/bulk.ts';
import {
  type AlertId,
  encodeMappingId,
  encodeOwnedId,
  type LicenceCode,
  type OrganisationId,
} from '../kernel/ids.ts';
import { type InvalidInput, isRefusal, type NotFound, notFound } from '../kernel/refusal.ts';
import { inLedger, inStep } from '../ledger/commands.ts';
import { findLicence } from '../licence/domain.ts';
import type { Services } from '../live/services.ts';
import { changePool } from '../usage/domain.ts';
import { decideThresholds, type ThresholdChange, type Thresholds, usualThresholds } from './domain.ts';
import { acknowledge, listAlerts, type RecordedAlert } from './store.ts';

export interface SetAlertThresholds {
  readonly organisationId: OrganisationId;
  readonly licence: string;
  readonly change: ThresholdChange;
}

export interface ThresholdsOfLicence {
  readonly licence: LicenceCode;
  readonly thresholds: Thresholds;
}

/** W3: what is reached already, by the new thresholds, is told at once. */
export async function setAlertThresholds(
  services: Services,
  { organisationId, licence: code, change }: SetAlertThresholds,
): Promise<ThresholdsOfLicence | InvalidInput | NotFound> {
  return inLedger(services, 'setAlertThresholds', organisationId, async ({ ledger, note }) => {
    const licence = findLicence(ledger.catalogue, code);
    if (isRefusal(licence)) return licence;
    const former = ledger.pools.get(licence.code)?.thresholds ?? usualThresholds;
    const thresholds = decideThresholds(former, change);
    if (isRefusal(thresholds)) return thresholds;
    const keys = Object.keys(usualThresholds) as (keyof Thresholds)[];
    if (keys.every((key) => thresholds[key] === former[key])) return { licence: licence.code, thresholds };
    inStep(ledger, (tally) => changePool(tally, licence.code, { thresholds }));
    note({
      subject: encodeMappingId(organisationId, licence.code),
      ...differing(former, thresholds, keys),
    });
    return { licence: licence.code, thresholds };
  });
}

/**
 * Says that somebody has seen the alerts: none of them where one does not exist. The first to say so stands. Of several
 * organisations it is said one after the other: where that fails on the way, saying it again says the rest.
 * @returns the alerts, as they are now, in the order given
 */
export async function acknowledgeAlerts(
  services: Services,
  named: readonly Of<{ readonly id: AlertId }>[],
): Promise<{ readonly alerts: readonly Of<RecordedAlert>[] } | NotFound> {
  // No alert is ever removed: what exists now is there when its organisation's turn comes.
  if ((await listAlerts(services.db, named)).length < named.length) return notFound('alert');
  const seen = new Map<AlertId, Of<RecordedAlert>>();
  for (const [organisationId, ofOne] of byOrganisation(named)) {
    const ids = ofOne.map(({ id }) => id);
    const acknowledged = await acknowledgeThose(services, organisationId, ids);
    if (isRefusal(acknowledged)) return acknowledged;
    for (const alert of acknowledged.alerts) seen.set(alert.id, alert);
  }
  return { alerts: named.flatMap(({ id }) => seen.get(id) ?? []) };
}

async function acknowledgeThose(
  services: Services,
  organisationId: OrganisationId,
  ids: readonly AlertId[],
): Promise<{ readonly alerts: readonly Of<RecordedAlert>[] } | NotFound> {
  return inLedger(services, 'acknowledgeAlerts', organisationId, async ({ trx, ledger, note }) => {
    const asked = ids.map((id) => ({ organisationId, id }));
    const known = new Map((await listAlerts(trx, asked)).map((alert) => [alert.id, alert]));
    if (ids.some((id) => !known.has(id))) return notFound('alert');
    const actor = services.by?.actor ?? null;
    const by = actor !== null && actor.organisationId === organisationId ? actor.userId : null;
    const seen = { acknowledgedAt: ledger.now, acknowledgedBy: by };
    for (const alert of known.values()) {
      if (alert.acknowledgedAt !== null) continue;
      known.set(alert.id, { ...alert, ...seen });
      const subject = encodeOwnedId('Alert', organisationId, alert.id);
      note({ subject, before: { acknowledgedAt: null }, after: { acknowledgedAt: ledger.now } });
    }
    await acknowledge(trx, organisationId, ids, { at: ledger.now, by });
    return { alerts: ids.flatMap((id) => known.get(id) ?? []) };
  });
}
