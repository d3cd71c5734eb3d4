import { type InvalidInput, invalidInput } from '../kernel/refusal.ts';
import type { Licence } from '../licence/domain.ts';
import type { Month } from '../organisation/domain.ts';

/** How many contingency seats of a licence may come to be billed (W1): in every month, and in those that are named. */
export interface ContingencyCaps {
  /** null: as many as there are. */
  readonly everyMonth: number | null;
  /** By `Month`. Where a month is named, what it says holds instead. */
  readonly months: Readonly<Record<string, number>>;
}

/** So many months ahead a cap may be named, the running one included: what is kept of a licence has a bound. */
export const maxMonths = 24;

/** The cap of a month; null: none. */
export function capIn(caps: ContingencyCaps | null, month: Month): number | null {
  return caps === null ? null : (caps.months[month] ?? caps.everyMonth);
}

/**
 * What the caps become.
 * @param month null: of every month that is not named
 * @param cap null: none, which for a named month is that of every month
 * @param running the billing period that runs: what was said of earlier ones is forgotten
 * @returns null where no cap is left
 */
export function withCap(
  caps: ContingencyCaps | null,
  { month, cap }: { readonly month: Month | null; readonly cap: number | null },
  running: Month,
): ContingencyCaps | null {
  const named = Object.entries({ ...caps?.months, ...(month === null ? {} : { [month]: cap }) });
  const set = {
    everyMonth: month === null ? cap : (caps?.everyMonth ?? null),
    months: Object.fromEntries(named.filter((each): each is [string, number] => each[1] !== null)),
  };
  return capsFrom(set, running);
}

/** What is left of the caps once a month runs; the same object where nothing of them is over. */
export function capsFrom(caps: ContingencyCaps | null, running: Month): ContingencyCaps | null {
  if (caps === null) return null;
  const named = Object.entries(caps.months);
  const left = named.filter(([month]) => Number(month) >= running);
  if (left.length === 0 && caps.everyMonth === null) return null;
  return left.length === named.length ? caps : { ...caps, months: Object.fromEntries(left) };
}

/** A month as clients write it: `2026-03`. @returns null for what is none */
export function readMonth(text: string): Month | null {
  const [, year, month] = /^(\d{4})-(0[1-9]|1[0-2])$/.exec(text) ?? [];
  return year === undefined || month === undefined ? null : Number(year) * 12 + Number(month) - 1;
}

export function writeMonth(month: Month): string {
  const ofYear = String((month % 12) + 1).padStart(2, '0');
  return `${String(Math.floor(month / 12)).padStart(4, '0')}-${ofYear}`;
}

/** The month that a client named, or null where none is: the running one, or one of the next. */
export function decideMonth(text: string | null, running: Month): { month: Month | null } | InvalidInput {
  if (text === null) return { month: null };
  const month = readMonth(text);
  if (month === null) return invalidInput('period', 'A period is a month, written like 2026-03.');
  return month >= running && month < running + maxMonths
    ? { month }
    : invalidInput(
        'period',
        `A cap is set for a month from ${writeMonth(running)} to ${writeMonth(running + maxMonths - 1)}.`,
      );
}

/** @param bought contingency seats, now or from a later instant on */
export function decideCap(licence: Licence, cap: number | null, bought: number): InvalidInput | null {
  if (!licence.contingencyAllowed)
    return invalidInput('licence', `${licence.name} has no contingency seats: there is nothing to cap.`);
  return cap === null || (cap >= 0 && cap <= bought)
    ? null
    : invalidInput(
        'cap',
        `A cap is 0 to ${bought}, the contingency seats of ${licence.name} that are bought.`,
      );
}
