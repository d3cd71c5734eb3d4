import type { Database } from '../database/database.ts';
import { inTransaction, takeSnapshot } from '../database/transaction.ts';
import { type Clock, type Instant, isSameInstant } from '../kernel/clock.ts';
import type { OrganisationId } from '../kernel/ids.ts';
import { listOrganisations, lockOrganisations } from '../organisation/store.ts';
import { compare, type Finding, isMendable } from './domain.ts';
import {
  countStrayRows,
  findWrongRollUps,
  type HistoryReading,
  mend,
  readHistory,
  readLicenceFigures,
  readOrganisationFigures,
} from './store.ts';

/** What was found in an organisation at one moment, and how far its history was read then. */
export interface Survey {
  readonly organisationId: OrganisationId;
  /** What it keeps that the rows behind it do not say. */
  readonly findings: readonly Finding[];
  readonly history: HistoryReading;
  /** The running billing period's first instant; null where there is no such organisation. */
  readonly periodFrom: Instant | null;
}

/**
 * Compares all that an organisation keeps with the rows behind it. Reads one snapshot: what is being changed meanwhile is
 * seen either before the change or after it, and nobody waits.
 */
export async function surveyOrganisation(db: Database, organisationId: OrganisationId): Promise<Survey> {
  return inTransaction(db, 'verify', async (trx) => {
    await takeSnapshot(trx);
    const [organisation] = await listOrganisations(trx, [organisationId]);
    const figures = await readOrganisationFigures(trx, organisationId);
    const history = await readHistory(trx, organisationId, null);
    const licences = await readLicenceFigures(trx, organisationId, history, null);
    const strayRows = await countStrayRows(trx, organisationId);
    const rollUps = await findWrongRollUps(trx, organisationId);
    return {
      organisationId,
      findings: figures === null ? [] : [...compare(figures, strayRows, licences), ...rollUps],
      history,
      periodFrom: organisation?.period.from ?? null,
    };
  });
}

/**
 * Sets right what a survey found, as far as it can be, and records it. Whoever asks for this organisation waits meanwhile,
 * but not for long: of the history only what came after the survey is read, and of the licences only those found wrong.
 * @returns what was wrong, and is set right or noted as far as `isMendable`
 */
export async function repairOrganisation(
  db: Database,
  clock: Clock,
  survey: Survey,
): Promise<readonly Finding[]> {
  const { organisationId } = survey;
  const findings = await inTransaction(db, 'repair', async (trx) => {
    const [organisation] = await lockOrganisations(trx, [organisationId], false);
    if (organisation === undefined) return [];
    // A month began since: its peaks are others.
    if (!isSameInstant(organisation.period.from, survey.periodFrom)) return null;

    const wrong = survey.findings.flatMap(({ licence }) => licence ?? []);
    const history = await readHistory(trx, organisationId, survey.history);
    const licences = await readLicenceFigures(trx, organisationId, history, [...new Set(wrong)]);
    const found = [
      ...survey.findings.filter(({ licence, check }) => licence === null || check === 'rollUps'),
      ...compare(null, 0, licences),
    ];
    if (found.some(isMendable)) {
      await mend(trx, organisationId, found, licences, history.lastId, clock.now());
    }
    return found;
  });
  return findings ?? repairOrganisation(db, clock, await surveyOrganisation(db, organisationId));
}
