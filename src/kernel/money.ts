import {
  add,
  calculator,
  dinero,
  type Dinero,
  halfEven,
  multiply,
  toDecimal,
  toSnapshot,
} from 'dinero.js/bigint';
import * as iso4217 from 'dinero.js/bigint/currencies';

declare const brand: unique symbol;

/** An ISO 4217 code whose minor units are decimal, such as `EUR`. */
export type Currency = string & { readonly [brand]: 'Currency' };

/** Money in whole minor units: cents, yen, fils. Below zero where it is given back. */
export interface Money {
  readonly amount: number;
  readonly currency: Currency;
}

const currencies = new Map(
  Object.values(iso4217)
    // Ariary and ouguiya are divided by five: they have no decimal form to be printed in.
    .filter(({ base }) => base === 10n)
    .map((currency) => [currency.code, currency]),
);

/** @returns null where there is no such currency */
export function readCurrency(code: string): Currency | null {
  return currencies.has(code) ? (code as Currency) : null;
}

function exact({ amount, currency }: Money): Dinero<bigint> {
  const known = currencies.get(currency);
  if (known === undefined) throw new Error(`No currency ${currency}`);
  return dinero({ amount: BigInt(amount), currency: known });
}

function toMoney(value: Dinero<bigint>, currency: Currency): Money {
  return { amount: Number(toSnapshot(value).amount), currency };
}

/** More than this is no bill: a hundred of such amounts can be summed and are whole numbers still. */
export const maxAmount = 2 ** 46;

/**
 * What a quantity costs: exactly, or of a part of the price that is no whole number of minor units the nearest, and of two
 * that are as near the even one. It is rounded this once.
 *
 * @param ofEach into how many parts the unit price is divided, of which `quantity` counts: the days of a month
 * @returns null where it is more than `maxAmount`
 */
export function feeOf(unitPrice: Money, quantity: number, ofEach = 1): Money | null {
  const whole = toSnapshot(multiply(exact(unitPrice), BigInt(quantity))).amount;
  const fee = halfEven(whole, BigInt(ofEach), calculator);
  return fee > BigInt(maxAmount) ? null : { amount: Number(fee), currency: unitPrice.currency };
}

/** @throws where one is of another currency */
export function sumOf(currency: Currency, parts: readonly Money[]): Money {
  const none = exact({ amount: 0, currency });
  return toMoney(
    parts.reduce((sum, part) => add(sum, exact(part)), none),
    currency,
  );
}

/** The same, to be taken off. */
export function negated({ amount, currency }: Money): Money {
  // Not −0, which is printed otherwise than 0.
  return { amount: amount === 0 ? 0 : -amount, currency };
}

/** As a decimal with the currency's own number of places, such as `12.50`. */
export function decimalOf(money: Money): string {
  return toDecimal(exact(money));
}
