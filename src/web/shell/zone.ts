import { words } from '../words.ts';

/** Instants, as the API spells them, in the words of one time zone. A time that comes twice is told with its offset’s name. */
export interface Zone {
  readonly name: string;
  /** `14:05`; `02:30 CEST` where clocks are put back. */
  readonly minute: (at: string) => string;
  /** `14:05:09`. */
  readonly second: (at: string) => string;
  /** `26 Nov 2026`. */
  readonly day: (at: string) => string;
  /** `26 Nov 2026, 14:05`. */
  readonly moment: (at: string) => string;
  /** `Thu, 26 Nov 2026`. */
  readonly weekday: (at: string) => string;
  /** `26 Nov`. */
  readonly dayOfMonth: (at: string) => string;
  /** `2026-11-26`, as addresses and date fields spell it. */
  readonly date: (at: string) => string;
  /** 0 to 167, from Monday’s first hour to Sunday’s last. */
  readonly hourOfWeek: (at: string) => number;
  /** The last day that a period has, whose end is the first instant after it. */
  readonly lastDay: (until: string) => string;
  /** The first instant of the day that an instant is in. */
  readonly startOfDay: (at: string) => string;
  /** The first instant of the day after it. */
  readonly nextDay: (at: string) => string;
  /** The first instant of a date as `date` spells it; null where it is none, or one that the zone left out. */
  readonly startOfDate: (date: string) => string | null;
}

const zones = new Map<string, Zone>();
const hourMilliseconds = 3_600_000;
/** By how much clocks are put back: an hour, and on Lord Howe Island half of one. */
const putBackMilliseconds = [-1, -0.5, 0.5, 1].map((hours) => hours * hourMilliseconds);
const weekdays = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

/** @param name as IANA has it */
export function zoneOf(name: string): Zone {
  let zone = zones.get(name);
  if (zone === undefined) {
    zone = createZone(name);
    zones.set(name, zone);
  }
  return zone;
}

function createZone(timeZone: string): Zone {
  const format = (options: Intl.DateTimeFormatOptions) => {
    const formatter = new Intl.DateTimeFormat(words.language, { timeZone, ...options });
    return (at: string | number) => formatter.format(new Date(at));
  };
  const [hour, minute] = ['2-digit', '2-digit'] as const;
  const wall = format({ dateStyle: 'short', timeStyle: 'medium' });
  const offset = new Intl.DateTimeFormat(words.language, { timeZone, timeZoneName: 'short' });
  const clock = (options: Intl.DateTimeFormatOptions) => {
    const plain = format(options);
    return (at: string) => {
      const since = Date.parse(at);
      if (!putBackMilliseconds.some((by) => wall(since + by) === wall(since))) return plain(since);
      const named = offset.formatToParts(since).find(({ type }) => type === 'timeZoneName');
      return `${plain(since)} ${named?.value ?? ''}`;
    };
  };
  const day = format({ dateStyle: 'medium' });
  // By the parts, as no language spells dates as addresses do.
  const parts = new Intl.DateTimeFormat('en', {
    ...{ timeZone, hourCycle: 'h23', weekday: 'short' },
    ...{ year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit' },
  });
  const partsOf = (at: string | number) =>
    Object.fromEntries(parts.formatToParts(new Date(at)).map(({ type, value }) => [type, value]));
  const date = (at: string | number) => {
    const of = partsOf(at);
    return `${of['year']}-${of['month']}-${of['day']}`;
  };
  const startOfDay = (at: string) => {
    // Midnight may not be there, or come twice: so it is looked for, and not reckoned.
    const today = day(at);
    let after = Date.parse(at);
    let before = after - 26 * hourMilliseconds;
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2);
      if (day(middle) === today) after = middle;
      else before = middle;
    }
    return new Date(after).toISOString();
  };
  return {
    name: timeZone,
    minute: clock({ hour, minute }),
    second: clock({ hour, minute, second: '2-digit' }),
    day,
    moment: clock({ dateStyle: 'medium', timeStyle: 'short' }),
    lastDay: (until) => day(Date.parse(until) - 1),
    weekday: format({ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' }),
    dayOfMonth: format({ day: 'numeric', month: 'short' }),
    date,
    hourOfWeek: (at) => {
      const of = partsOf(at);
      return 24 * weekdays.indexOf(of['weekday'] ?? '') + Number(of['hour']);
    },
    startOfDay,
    // No day is longer than 25 hours, and none is over half an hour later.
    nextDay: (at) => startOfDay(new Date(Date.parse(startOfDay(at)) + 25.5 * hourMilliseconds).toISOString()),
    startOfDate: (wanted) => {
      const noon = Date.parse(`${wanted}T12:00:00Z`);
      if (Number.isNaN(noon)) return null;
      // Clocks are at most 14 hours from UTC.
      const within = [0, -12, 12].map((hours) => noon + hours * hourMilliseconds);
      const found = within.find((at) => date(at) === wanted);
      return found === undefined ? null : startOfDay(new Date(found).toISOString());
    },
  };
}

/** The later of two instants of one clock, spelled alike. */
export function latest<One extends string | null>(one: One, other: string | null | undefined): One | string {
  return other == null || (one !== null && one >= other) ? one : other;
}

const number = new Intl.NumberFormat(words.language);

/** `12,345`. */
export function count(value: number): string {
  return number.format(value);
}

/** `1 d 2 h`, `2 h 5 min`, `40 s`: the two greatest units, and no part of a second. */
export function duration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  const amounts = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
    seconds % 60,
  ];
  const first = amounts.findIndex((amount) => amount > 0);
  if (first === -1) return words.duration(0, 3);
  return amounts
    .slice(first, first + 2)
    .flatMap((amount, index) => (amount === 0 ? [] : [words.duration(amount, first + index)]))
    .join(' ');
}

/** `€1,234.50`. @param decimal as the API spells amounts, exactly */
export function money(decimal: string, currency: string): string {
  return currencyOf(currency).format(decimal as Intl.StringNumericLiteral);
}

/** The same of whole minor units, such as cents. */
export function moneyOfMinor(amount: number, currency: string): string {
  const { maximumFractionDigits: digits = 0 } = currencyOf(currency).resolvedOptions();
  return currencyOf(currency).format(amount / 10 ** digits);
}

function currencyOf(currency: string): Intl.NumberFormat {
  return new Intl.NumberFormat(words.language, { style: 'currency', currency });
}
