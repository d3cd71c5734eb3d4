import type { Actor } from '../kernel/actor.ts';
import { type Instant, latest } from '../kernel/clock.ts';
import type { LicenceCode, OrganisationId } from '../kernel/ids.ts';
import { type Currency, type Money, readCurrency } from '../kernel/money.ts';
import { type InvalidInput, invalidInput, type Refusal } from '../kernel/refusal.ts';
import { hasBaseLicences, type Licence } from '../licence/domain.ts';

/** What a monthly fee is due for. ACTIVE_USER is the organisation's, the others a licence's. */
export type PriceKind = 'BASE' | 'CONCURRENT' | 'CONTINGENCY' | 'ACTIVE_USER';

/** One entry of a price book. It holds from `from` on, until the next of its licence, kind and currency. It is never rewritten. */
export interface PriceEntry {
  /** null: of ACTIVE_USER. */
  readonly licence: LicenceCode | null;
  readonly kind: PriceKind;
  readonly currency: Currency;
  /** Minor units a month; null: from here on what is set above holds again. */
  readonly amount: number | null;
  readonly from: Instant;
}

/** An entry that holds for an organisation, in the currency of its terms. */
export interface ReachingEntry extends Omit<PriceEntry, 'currency'> {
  /** How far above the organisation it was set: 0 by its own entry, the operator's book above all. */
  readonly height: number;
}

/** A price that holds for an organisation. */
export interface Price {
  readonly licence: LicenceCode | null;
  readonly kind: PriceKind;
  readonly unitPrice: Money;
  readonly from: Instant;
  /** Whether it was set for an organisation above, or is of the operator's book. */
  readonly inherited: boolean;
}

/** What mid-month purchases and endings cost. */
export type PartialMonths = 'FULL_MONTH' | 'BY_DAY';

/** By which an organisation's months are billed. */
export interface BillingTerms {
  readonly currency: Currency;
  readonly partialMonths: PartialMonths;
}

/** Where neither the organisation nor any above it has terms. */
export const defaultTerms: BillingTerms = { currency: 'EUR' as Currency, partialMonths: 'FULL_MONTH' };

/** A million of most currencies: no monthly fee of one seat. */
const maxUnitPrice = 100_000_000;

/**
 * Whether a fee of the kind can be due.
 * @param licence null: none was named
 */
export function decideKind(kind: PriceKind, licence: Licence | null): InvalidInput | null {
  if (kind === 'ACTIVE_USER') {
    return licence === null
      ? null
      : invalidInput('licence', 'Active users are the organisation’s, not a licence’s: leave it out.');
  }
  if (licence === null) return invalidInput('licence', 'Say of which licence.');
  if (kind === 'BASE' && !hasBaseLicences(licence)) {
    return invalidInput('kind', `${licence.name} is a concurrent feature: it has no base licences.`);
  }
  if (kind !== 'BASE' && licence.seatModel === 'FIXED') {
    return invalidInput('kind', `${licence.name} has fixed seats: its price is that of BASE.`);
  }
  return kind === 'CONTINGENCY' && !licence.contingencyAllowed
    ? invalidInput('kind', `${licence.name} is not sold with contingency seats.`)
    : null;
}

/**
 * Whether an entry may be set.
 * @param now the present of whoever it is set for; of the operator's book the real one
 */
export function decidePrice(
  { kind, amount, from }: Pick<PriceEntry, 'kind' | 'amount' | 'from'>,
  licence: Licence | null,
  now: Instant,
): InvalidInput | null {
  const invalid = decideKind(kind, licence);
  if (invalid !== null) return invalid;
  if (amount !== null && amount > maxUnitPrice) {
    return invalidInput('amount', `A price is at most ${maxUnitPrice} minor units.`);
  }
  return from < now
    ? invalidInput('from', 'A price holds from now on or later: what was billed by the one before it stays.')
    : null;
}

/** @param field as the client spells it */
export function decideCurrency(field: string, code: string): Currency | InvalidInput {
  return (
    readCurrency(code) ??
    invalidInput(field, 'A currency is an ISO 4217 code with decimal minor units, such as `EUR`.')
  );
}

/** Nobody sets what they pay themselves: a partner's prices and terms are set by whoever sells to it. */
export function decideSeller(
  { role, organisationId }: Actor,
  buyer: OrganisationId | null,
): Refusal<'FORBIDDEN'> | null {
  if (role === 'OPERATOR' || (buyer !== null && buyer !== organisationId)) return null;
  return {
    code: 'FORBIDDEN',
    message: 'What your own organisation pays is set by whoever sells to it; ask them.',
  };
}

/**
 * The prices of a billing period, of each licence and kind one: that which holds at the period's first instant, or where
 * none does, the first that comes to hold in it. Of several organisations' the nearest one's counts. A contingency seat
 * costs what a concurrent one does until it has a price of its own.
 *
 * @param entries those that hold at `from`, and those that come to hold later in the period, in that order
 * @param from the period's first instant
 */
export function resolvePrices(entries: readonly ReachingEntry[], currency: Currency, from: Instant): Price[] {
  const found = new Map<string, Price>();
  const superseded = new Set<string>();
  // Whatever held before the period holds at its first instant. Of entries that are equal here the last written counts.
  const since = (entry: Pick<ReachingEntry, 'from'>) => latest(entry.from, from).getTime();
  const inOrder = entries
    .toReversed()
    .toSorted((one, other) => since(one) - since(other) || one.height - other.height);
  for (const entry of inOrder) {
    const { licence, kind, amount, height } = entry;
    const key = keyOf(kind, licence);
    // One that was withdrawn before it came to hold is behind its withdrawal, which has no amount.
    const place = `${key} ${height} ${since(entry)}`;
    if (superseded.has(place)) continue;
    superseded.add(place);
    if (amount === null || found.has(key)) continue;
    found.set(key, {
      ...{ licence, kind, from: entry.from, inherited: height > 0 },
      unitPrice: { amount, currency },
    });
  }
  for (const price of [...found.values()]) {
    if (price.kind !== 'CONCURRENT') continue;
    const key = keyOf('CONTINGENCY', price.licence);
    const own = found.get(key);
    if (own === undefined || since(price) < since(own)) found.set(key, { ...price, kind: 'CONTINGENCY' });
  }
  return [...found.values()];
}

/** A price's place in a book. */
export function keyOf(kind: PriceKind, licence: LicenceCode | null): string {
  return `${kind} ${licence ?? ''}`;
}
