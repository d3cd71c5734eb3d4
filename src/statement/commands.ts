import { inTransaction, takeSnapshot, type Transaction } from '../database/transaction.ts';
import type { Of } from '../database/bulk.ts';
import type { Instant } from '../kernel/clock.ts';
import { Unavailable } from '../kernel/failure.ts';
import { encodeStatementId, type OrganisationId } from '../kernel/ids.ts';
import { type InvalidInput, invalidInput, isRefusal, type NotFound, notFound } from '../kernel/refusal.ts';
import { inLedger } from '../ledger/commands.ts';
import { type Catalogue, findLicence } from '../licence/domain.ts';
import type { Services } from '../live/services.ts';
import { type Month, nowOf, type Organisation } from '../organisation/domain.ts';
import { listOrganisations } from '../organisation/store.ts';
import { defaultContractOptions, evidenceOf } from '../peak/domain.ts';
import { findContractOptions, readPeak } from '../peak/store.ts';
import { type BillingTerms, decideKind } from '../price/domain.ts';
import { getTerms, listReachingEntries } from '../price/store.ts';
import { listPurchasesIn } from '../purchase/store.ts';
import { listPools } from '../usage/store.ts';
import {
  billPeak,
  type Corrected,
  draftStatement,
  type Facts,
  maxCorrections,
  type Peak,
  reckonCorrection,
  type StatementNotClosed,
  statementNotClosed,
  type StatementWithLines,
} from './domain.ts';
import {
  getLastNumber,
  insertStatement,
  type IssuedStatement,
  listCorrections,
  listDueAmong,
  listDuePeriods,
  listLines,
  listOrganisationIdsDue,
  listPeaks,
  listStatements,
} from './store.ts';

/** So many months of an organisation are billed in one transaction: a test clock passes a century at once. */
const maxMonths = 24;

/**
 * Writes the statements of the organisation's first months that are over: each once, numbered in their order. All that
 * was due before a month's `until` took effect in the transaction that ended the month.
 * @returns whether there may be more
 */
async function closeStatements(services: Services, organisationId: OrganisationId): Promise<boolean> {
  // What is over does not change, and a month's history takes a while to read: nobody who logs on waits for that.
  const drafts = await draftDue(services, organisationId);
  const closed = await inLedger(services, 'closeStatements', organisationId, async ({ trx, ledger }) => {
    const due = new Set((await listDuePeriods(trx, organisationId, maxMonths)).map(({ month }) => month));
    let number = due.size === 0 ? 0 : await getLastNumber(trx, organisationId);
    for (const draft of drafts.filter(({ month }) => due.has(month))) {
      number += 1;
      await insertStatement(trx, organisationId, { ...draft, number, issuedAt: ledger.now });
    }
    return {};
  });
  return !isRefusal(closed) && drafts.length === maxMonths;
}

/** The statements of the months whose statements are still to be written, the earliest first. */
async function draftDue(
  { db, catalogue }: Services,
  organisationId: OrganisationId,
): Promise<StatementWithLines[]> {
  return inTransaction(db, 'draftStatements', async (trx) => {
    const [organisation] = await listOrganisations(trx, [organisationId]);
    if (organisation === undefined) return [];
    const drafts: StatementWithLines[] = [];
    const due = await listDuePeriods(trx, organisationId, maxMonths);
    for (const { timeZone, activeInBillingPeriod, minimumPeakMinutes, terms, ...period } of due) {
      const peaks = await listPeaks(trx, organisationId, period.month);
      const facts = {
        period,
        timeZone,
        activeInBillingPeriod,
        peaks,
        options: { minimumPeakMinutes },
        terms,
      };
      drafts.push(await draft(trx, organisation, facts, period.until, catalogue));
    }
    return drafts;
  });
}

/** Who reads has so many transactions written, some twenty years, before they are told to come again. */
const maxTurns = 10;

/**
 * Whatever is read of all of an organisation's statements goes through here first: what is due is written before.
 * @throws Unavailable where that takes longer than a reader should be kept waiting
 */
export async function closeDueOf(services: Services, organisationId: OrganisationId): Promise<void> {
  const due = await listDuePeriods(services.db, organisationId, 1);
  let isMore = due.length > 0;
  for (let turn = 0; isMore; turn += 1) {
    if (turn === maxTurns) {
      throw new Unavailable('The statements of so many months are being written; try again in a second.');
    }
    isMore = await closeStatements(services, organisationId);
  }
}

const beingWritten = 'The statements of months that ended are being written; try again in a moment.';

/** Of so many organisations statements are written for whoever reads them; more are the job's to write. */
const maxClosedForReader = 100;

/**
 * As `closeDueOf`, of many organisations: found by one statement, written one by one.
 * @throws Unavailable where those of too many are still to be written, as when a month has just ended, or too many of one
 */
export async function closeDueOfMany(
  services: Services,
  organisationIds: readonly OrganisationId[],
): Promise<void> {
  const due = await listDueAmong(
    services.db,
    organisationIds.map((organisationId) => ({ organisationId })),
  );
  if (due.length > maxClosedForReader) throw new Unavailable(beingWritten);
  for (const { organisationId } of due) {
    if (await closeStatements(services, organisationId)) throw new Unavailable(beingWritten);
  }
}

/** So many organisations are looked up at once. */
const pageSize = 100;

/**
 * Writes every statement that is due. An organisation of which that fails does not keep the others waiting, nor does one
 * that has centuries of them: its next months come after everybody's first.
 * @param failing by organisation, why its last try failed, kept from one time to the next: what fails again each second for
 *   the same reason is logged once
 * @param signal stops it after the months under way
 */
export async function closeDueStatements(
  services: Services,
  failing: Map<OrganisationId, string>,
  signal?: AbortSignal,
): Promise<void> {
  for (let isMore = true; isMore;) {
    isMore = false;
    for (let after: OrganisationId | null = null; ;) {
      const due: readonly OrganisationId[] = await listOrganisationIdsDue(services.db, after, pageSize);
      for (const organisationId of due) {
        if (signal?.aborted === true) return;
        try {
          if (await closeStatements(services, organisationId)) isMore = true;
          failing.delete(organisationId);
        } catch (error) {
          const reason = String(error);
          if (failing.get(organisationId) === reason) continue;
          failing.set(organisationId, reason);
          services.log.error({ err: error, organisationId }, 'could not write a statement; trying again');
        }
      }
      after = due.at(-1) ?? null;
      if (after === null || due.length < pageSize) break;
    }
  }
}

/**
 * A month's statement or one of its corrections, as it was issued; of the running month the estimate.
 * @param organisation in which all that is due has taken effect
 * @returns null where there is none
 * @throws Unavailable as `closeDueOf`
 */
export async function readStatement(
  services: Services,
  { id: organisationId, period }: Organisation,
  { month, correction }: Pick<StatementWithLines, 'month' | 'correction'>,
): Promise<StatementWithLines | null> {
  if (month === period.month && correction === 0) {
    const estimate = await estimateStatement(services, organisationId, month);
    // Where the month has ended since the organisation was read, there is a document of it.
    if (estimate !== null) return estimate;
  }
  const find = async () =>
    (await listStatements(services.db, [{ organisationId, month, correction }]))[0] ?? null;
  let statement = await find();
  if (statement === null && correction === 0) {
    await closeDueOf(services, organisationId);
    statement = await find();
  }
  if (statement === null) return null;
  const { number } = statement;
  return { ...statement, lines: await listLines(services.db, [{ organisationId, number }]) };
}

/**
 * The running month's statement as it would be if nothing happened until its end but what is recorded already.
 * @returns null where the month does not run any more
 */
async function estimateStatement(
  { db, catalogue, clock }: Services,
  organisationId: OrganisationId,
  month: Month,
): Promise<StatementWithLines | null> {
  return inTransaction(db, 'estimateStatement', async (trx) => {
    await takeSnapshot(trx);
    const [organisation] = await listOrganisations(trx, [organisationId]);
    if (organisation?.period.month !== month) return null;
    const pools = (await listPools(trx, [organisationId])).get(organisationId);
    const { period, timeZone, activeInBillingPeriod } = organisation;
    const peaks = [...(pools?.values() ?? [])].filter(({ purchases }) => purchases > 0);
    const contracts = await findContractOptions(trx, [organisationId]);
    const options = contracts.get(organisationId) ?? defaultContractOptions;
    const facts = { period, timeZone, activeInBillingPeriod, peaks, options, terms: null };
    return draft(trx, organisation, facts, nowOf(organisation, clock.now()), catalogue);
  });
}

/** What is known of a month before its history, prices and purchases are read. */
interface MonthFacts extends Omit<Facts, 'peaks' | 'purchases'> {
  readonly peaks: readonly Peak[];
  /** Those that held as the month was closed; null: those that hold for it now. */
  readonly terms: BillingTerms | null;
}

/**
 * What a month's statement says, before it has a number.
 * @param now as far as the month has come: its end, where it is over
 */
async function draft(
  trx: Transaction,
  { id: organisationId, name }: Organisation,
  { period, timeZone, activeInBillingPeriod, peaks: kept, options, terms: held }: MonthFacts,
  now: Instant,
  catalogue: Services['catalogue'],
): Promise<StatementWithLines> {
  const { from, until } = period;
  // One that was bought through another server may be newer than what this one knows: its line must not be missing.
  const licences = await catalogue(kept.map(({ licence }) => licence));
  const [purchases, terms, explained] = await Promise.all([
    listPurchasesIn(
      trx,
      kept.map(({ licence }) => ({ organisationId, licence, from, until })),
    ),
    held ?? getTerms(trx, organisationId, period.month),
    Promise.all(
      kept
        .filter(({ maxUsed }) => maxUsed > 0)
        .map(({ licence }) => readPeak(trx, organisationId, licence, period, now)),
    ),
  ]);
  const explanations = new Map(
    explained
      .filter((peak) => peak !== null)
      .map((peak) => [peak.licence, evidenceOf(organisationId, peak)] as const),
  );
  const peaks = kept.map((peak) => billPeak(peak, explanations.get(peak.licence) ?? null, options));
  const entries = await listReachingEntries(trx, organisationId, terms.currency, from, until);
  const facts = { period, timeZone, activeInBillingPeriod, peaks, options, purchases };
  return draftStatement(name, facts, terms, entries, licences);
}

export interface CorrectStatement {
  readonly organisationId: OrganisationId;
  readonly month: Month;
  /** Which of the month's documents the client named: any that there is will do. */
  readonly correction: number;
  readonly reason: string;
  readonly lines: readonly (Omit<Corrected, 'licence'> & { readonly licence: string | null })[];
}

/** A new document with what was wrong with a month's: the old one stays as it is. */
export async function correctStatement(
  services: Services,
  { organisationId, month, correction, reason, lines }: CorrectStatement,
): Promise<Of<IssuedStatement> | StatementNotClosed | InvalidInput | NotFound> {
  return inLedger(services, 'correctStatement', organisationId, async ({ trx, ledger, note }) => {
    const [statement] = await listStatements(trx, [{ organisationId, month, correction: 0 }]);
    if (statement === undefined) {
      return month === ledger.organisation.period.month ? statementNotClosed : notFound('statement');
    }
    const corrections = await listCorrections(trx, organisationId, month);
    if (correction > corrections.length) return notFound('statement');
    if (corrections.length >= maxCorrections) {
      return invalidInput('statementId', `A statement has at most ${maxCorrections} corrections.`);
    }
    const charged = await listLines(
      trx,
      [statement, ...corrections].map(({ number }) => ({ organisationId, number })),
    );
    const corrected = readLines(ledger.catalogue, lines);
    if (isRefusal(corrected)) return corrected;
    const difference = reckonCorrection(statement, charged, corrected);
    if (isRefusal(difference)) return difference;

    const document = {
      ...statement,
      ...difference,
      ...{ correction: corrections.length + 1, reason, issuedAt: ledger.now },
      number: (await getLastNumber(trx, organisationId)) + 1,
    };
    await insertStatement(trx, organisationId, document);
    note({
      subject: encodeStatementId(organisationId, month, document.correction),
      before: null,
      after: { number: document.number, corrects: statement.number, total: document.total, reason },
    });
    return document;
  });
}

function readLines(
  catalogue: Catalogue,
  lines: CorrectStatement['lines'],
): Corrected[] | InvalidInput | NotFound {
  const read: Corrected[] = [];
  for (const line of lines) {
    const licence = line.licence === null ? null : findLicence(catalogue, line.licence);
    if (licence !== null && isRefusal(licence)) return licence;
    const invalid = decideKind(line.kind, licence);
    if (invalid !== null) return invalidInput('lines', invalid.message);
    read.push({ ...line, licence: licence?.code ?? null });
  }
  return read;
}
