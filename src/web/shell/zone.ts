import { words } from '../words.ts';

/** Instants, as the API spells them, in the words of one time zone. */
export interface Zone {
  readonly name: string;
  /** `14:05`. */
  readonly minute: (at: string) => string;
  /** `14:05:09`. */
  readonly second: (at: string) => string;
  /** `26 Nov 2026`. */
  readonly day: (at: string) => string;
  /** `26 Nov 2026, 14:05`. */
  readonly moment: (at: string) => string;
  /** The last day that a period has, whose end is the first instant after it. */
  readonly lastDay: (until: string) => string;
  /** The first instant of the day that an instant is in. */
  readonly startOfDay: (at: string) => string;
}

const zones = new Map<string, Zone>();
const hourMilliseconds = 3_600_000;

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
  const day = format({ dateStyle: 'medium' });
  return {
    name: timeZone,
    minute: format({ hour, minute }),
    second: format({ hour, minute, second: '2-digit' }),
    day,
    moment: format({ dateStyle: 'medium', timeStyle: 'short' }),
    lastDay: (until) => day(Date.parse(until) - 1),
    startOfDay: (at) => {
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
    },
  };
}

const number = new Intl.NumberFormat(words.language);

/** `12,345`. */
export function count(value: number): string {
  return number.format(value);
}
