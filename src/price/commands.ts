import { differing, doneBy } from '../audit/domain.ts';
import { lockNowhere, note } from '../audit/store.ts';
import { inTransaction } from '../database/transaction.ts';
import type { Instant } from '../kernel/clock.ts';
import { encodeOrganisationId, type LicenceCode, nowhere, type OrganisationId } from '../kernel/ids.ts';
import { type InvalidInput, isRefusal, type NotFound } from '../kernel/refusal.ts';
import { inLedger } from '../ledger/commands.ts';
import { type Catalogue, findLicence } from '../licence/domain.ts';
import type { Services } from '../live/services.ts';
import {
  type BillingTerms,
  decideCurrency,
  decidePrice,
  type PartialMonths,
  type PriceEntry,
  type PriceKind,
} from './domain.ts';
import { getTerms, insertPrice, saveTerms } from './store.ts';

export interface SetPrice {
  /** null: of the operator's own book. */
  readonly organisationId: OrganisationId | null;
  readonly licence: string | null;
  readonly kind: PriceKind;
  readonly currency: string;
  /** Minor units a month; null: what is set above holds again. */
  readonly amount: number | null;
  /** null: now. */
  readonly from: Instant | null;
}

/** Puts an entry into a price book. None is ever rewritten: of two for the same instant the later one holds. */
export async function setPrice(
  services: Services,
  { organisationId, ...input }: SetPrice,
): Promise<PriceEntry | InvalidInput | NotFound> {
  if (organisationId === null) return setBookPrice(services, input);
  return inLedger(services, 'setPrice', organisationId, async ({ trx, ledger, note }) => {
    const entry = decide(input, ledger.catalogue, ledger.now);
    if (isRefusal(entry)) return entry;
    await insertPrice(trx, organisationId, entry);
    note({ subject: encodeOrganisationId(organisationId), before: null, after: { ...entry } });
    return entry;
  });
}

async function setBookPrice(
  { db, by, clock, catalogue }: Services,
  input: Omit<SetPrice, 'organisationId'>,
): Promise<PriceEntry | InvalidInput | NotFound> {
  const licences = await catalogue(input.licence === null ? [] : [input.licence as LicenceCode]);
  return inTransaction(db, 'setPrice', async (trx) => {
    // Before the clock is read: entries are written in the order in which they come to hold.
    await lockNowhere(trx);
    const entry = decide(input, licences, clock.now());
    if (isRefusal(entry)) return entry;
    await insertPrice(trx, nowhere, entry);
    const change = { subject: 'priceBook', before: null, after: { ...entry } };
    await note(trx, { organisationId: nowhere, ...change, ...doneBy(by, clock.now(), 'setPrice') });
    return entry;
  });
}

function decide(
  { licence: code, kind, amount, ...input }: Omit<SetPrice, 'organisationId'>,
  catalogue: Catalogue,
  now: Instant,
): PriceEntry | InvalidInput | NotFound {
  const licence = code === null ? null : findLicence(catalogue, code);
  if (licence !== null && isRefusal(licence)) return licence;
  const currency = decideCurrency('currency', input.currency);
  if (typeof currency === 'object') return currency;
  const entry = { licence: licence?.code ?? null, kind, currency, amount, from: input.from ?? now };
  return decidePrice(entry, licence, now) ?? entry;
}

export interface SetBillingTerms {
  readonly organisationId: OrganisationId;
  /** null: unchanged; so with the other. */
  readonly currency: string | null;
  readonly partialMonths: PartialMonths | null;
}

/** By which the organisation's running month is billed, and those after it; what ended before was billed by what held then. */
export async function setBillingTerms(
  services: Services,
  { organisationId, ...input }: SetBillingTerms,
): Promise<BillingTerms | InvalidInput | NotFound> {
  const wanted = input.currency === null ? null : decideCurrency('currency', input.currency);
  if (wanted !== null && typeof wanted === 'object') return wanted;
  return inLedger(services, 'setBillingTerms', organisationId, async ({ trx, ledger, note }) => {
    const { month } = ledger.organisation.period;
    const former = await getTerms(trx, organisationId, month);
    const terms = {
      currency: wanted ?? former.currency,
      partialMonths: input.partialMonths ?? former.partialMonths,
    };
    await saveTerms(trx, organisationId, month, terms);
    note({
      subject: encodeOrganisationId(organisationId),
      ...differing(former, terms, ['currency', 'partialMonths']),
    });
    return terms;
  });
}
