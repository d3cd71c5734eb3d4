import { inTransaction, type Transaction } from '../database/transaction.ts';
import type { Of } from '../database/bulk.ts';
import { encodeStatementId, type OrganisationId } from '../kernel/ids.ts';
import { type InvalidInput, invalidInput, isRefusal, type NotFound, notFound } from '../kernel/refusal.ts';
import { inLedger } from '../ledger/commands.ts';
import { findLicences } from '../ledger/desk.ts';
import type { Catalogue } from '../licence/domain.ts';
import type { Services } from '../live/services.ts';
import type { Month, Organisation } from '../organisation/domain.ts';
import { listOrganisations } from '../organisation/store.ts';
import { decideKind, defaultTerms, resolvePrices } from '../price/domain.ts';
import { findTerms, listReachingEntries } from '../price/store.ts';
import { listPurchasesIn } from '../purchase/store.ts';
import { listPools } from '../usage/store.ts';
import { takeSnapshot } from '../verification/store.ts';
import {
  type Corrected,
  type Facts,
  maxCorrections,
  reckonCorrection,
  reckonStatement,
  type StatementNotClosed,
  statementNotClosed,
  type StatementWithLines,
} from './domain.ts';
import {
  getLastNumber,
  insertStatement,
  type IssuedStatement,
  listCorrections,
  listDuePeriods,
  listLines,
  listOrganisationIdsDue,
  listPeaks,
  listStatements,
} from './store.ts';

/** So many months of an organisation are billed in one transaction: a test clock passes a century at once. */
const maxMonths = 24;

/**
 * Writes the statements of the organisation's months that are over: each once, numbered in their order. All that was due
 * before a month's `until` took effect in the transaction that ended the month.
 */
export async function closeStatements(services: Services, organisationId: OrganisationId): Promise<void> {
  for (let isMore = true; isMore;) {
    const closed = await inLedger(
      services,
      'closeStatements',
      organisationId,
      async ({ trx, ledger: { now, organisation } }) => {
        const due = await listDuePeriods(trx, organisationId, maxMonths);
        let number = due.length === 0 ? 0 : await getLastNumber(trx, organisationId);
        for (const { timeZone, activeInBillingPeriod, ...period } of due) {
          const peaks = await listPeaks(trx, organisationId, period.month);
          const facts = { period, timeZone, activeInBillingPeriod, peaks };
          const statement = await draft(trx, organisation, facts, services.catalogue);
          number += 1;
          await insertStatement(trx, organisationId, { ...statement, number, issuedAt: now });
        }
        return { months: due.length };
      },
    );
    isMore = !isRefusal(closed) && closed.months === maxMonths;
  }
}

/** Whatever is read of an organisation's statements goes through here first: what is due is written before. */
export async function closeDueOf(services: Services, organisationId: OrganisationId): Promise<void> {
  const due = await listDuePeriods(services.db, organisationId, 1);
  if (due.length > 0) await closeStatements(services, organisationId);
}

/** So many organisations are looked up at once. */
const pageSize = 100;

/**
 * Writes every statement that is due. An organisation of which that fails does not keep the others waiting.
 * @param signal stops it after the organisation under way
 */
export async function closeDueStatements(services: Services, signal?: AbortSignal): Promise<void> {
  for (let after: OrganisationId | null = null; ;) {
    const due: readonly OrganisationId[] = await listOrganisationIdsDue(services.db, after, pageSize);
    for (const organisationId of due) {
      if (signal?.aborted === true) return;
      try {
        await closeStatements(services, organisationId);
      } catch (error) {
        services.log.error({ err: error, organisationId }, 'could not write a statement; trying again');
      }
    }
    after = due.at(-1) ?? null;
    if (after === null || due.length < pageSize) return;
  }
}

/**
 * A month's statement or one of its corrections, as it was issued; of the running month the estimate.
 * @param organisation in which all that is due has taken effect
 * @returns null where there is none
 */
export async function readStatement(
  services: Services,
  { id: organisationId, period }: Organisation,
  { month, correction }: Pick<StatementWithLines, 'month' | 'correction'>,
): Promise<StatementWithLines | null> {
  if (month === period.month) {
    return correction === 0 ? estimateStatement(services, organisationId) : null;
  }
  await closeDueOf(services, organisationId);
  const [statement] = await listStatements(services.db, [{ organisationId, month, correction }]);
  if (statement === undefined) return null;
  const { number } = statement;
  return { ...statement, lines: await listLines(services.db, [{ organisationId, number }]) };
}

/** The running month's statement as it would be if nothing happened until its end but what is recorded already. */
async function estimateStatement(
  { db, catalogue }: Pick<Services, 'db' | 'catalogue'>,
  organisationId: OrganisationId,
): Promise<StatementWithLines | null> {
  return inTransaction(db, 'estimateStatement', async (trx) => {
    await takeSnapshot(trx);
    const [organisation] = await listOrganisations(trx, [organisationId]);
    if (organisation === undefined) return null;
    const pools = (await listPools(trx, [organisationId])).get(organisationId);
    const { period, timeZone, activeInBillingPeriod } = organisation;
    const peaks = [...(pools?.values() ?? [])].filter(({ purchases }) => purchases > 0);
    return draft(trx, organisation, { period, timeZone, activeInBillingPeriod, peaks }, catalogue);
  });
}

/** What a month's statement says, before it has a number. */
async function draft(
  trx: Transaction,
  { id: organisationId, name }: Organisation,
  facts: Omit<Facts, 'purchases'>,
  catalogue: Services['catalogue'],
): Promise<StatementWithLines> {
  const { period, timeZone, peaks } = facts;
  const { month, from, until } = period;
  let licences = await catalogue();
  // One that was bought through another server may be newer than what this one knows: its line must not be missing.
  const missing = peaks.find(({ licence }) => !licences.has(licence));
  if (missing !== undefined) licences = await catalogue(missing.licence);
  const [purchases, terms] = await Promise.all([
    listPurchasesIn(
      trx,
      peaks.map(({ licence }) => ({ organisationId, licence, from, until })),
    ),
    findTerms(trx, organisationId, month).then((found) => found ?? defaultTerms),
  ]);
  const entries = await listReachingEntries(trx, organisationId, terms.currency, from, until);
  const prices = resolvePrices(entries, terms.currency, from);
  return {
    ...{ month, from, until, correction: 0, number: null, name, timeZone, reason: null, issuedAt: null },
    ...terms,
    ...reckonStatement({ ...facts, purchases }, terms, prices, licences),
  };
}

export interface CorrectStatement {
  readonly organisationId: OrganisationId;
  readonly month: Month;
  readonly reason: string;
  readonly lines: readonly (Omit<Corrected, 'licence'> & { readonly licence: string | null })[];
}

/** A new document with what was wrong with a month's: the old one stays as it is. */
export async function correctStatement(
  services: Services,
  { organisationId, month, reason, lines }: CorrectStatement,
): Promise<Of<IssuedStatement> | StatementNotClosed | InvalidInput | NotFound> {
  return inLedger(services, 'correctStatement', organisationId, async ({ trx, ledger, note }) => {
    const [statement] = await listStatements(trx, [{ organisationId, month, correction: 0 }]);
    if (statement === undefined) {
      return month === ledger.organisation.period.month ? statementNotClosed : notFound('statement');
    }
    const corrections = await listCorrections(trx, organisationId, month);
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
    const licences = findLicences(catalogue, line.licence === null ? [] : [line.licence]);
    if (isRefusal(licences)) return licences;
    const [licence = null] = licences;
    const invalid = decideKind(line.kind, licence);
    if (invalid !== null) return invalidInput('lines', invalid.message);
    read.push({ ...line, licence: licence?.code ?? null });
  }
  return read;
}
