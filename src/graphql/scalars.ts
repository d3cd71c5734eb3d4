import { GraphQLError, Kind, type ValueNode } from 'graphql';
import type { Instant } from '../kernel/clock.ts';

const dateTime =
  /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** RFC 3339 with an offset, in the years 1970…9999 of UTC; parts of a millisecond are cut off. */
export function parseDateTime(value: unknown): Instant {
  const [, year, month, day, hour, minute, second, fraction = '', offset] =
    (typeof value === 'string' ? dateTime.exec(value) : null) ?? [];
  if (offset === undefined)
    throw refused(`DateTime is RFC 3339 with an offset, such as "2026-03-01T09:00:00Z".`);
  const milliseconds = fraction.padEnd(3, '0').slice(0, 3);
  const wall = `${year}-${month}-${day}T${hour}:${minute}:${second}.${milliseconds}`;
  const local = new Date(`${wall}Z`);
  // Date takes 30 February for 2 March, and 24:00 for the next midnight: a real date reads back as it was written.
  if (Number.isNaN(local.getTime()) || local.toISOString() !== `${wall}Z`) {
    throw refused('DateTime names a date or time that does not exist.');
  }
  const at = new Date(`${wall}${offset.toUpperCase()}`);
  if (at.getUTCFullYear() < 1970 || at.getUTCFullYear() > 9999)
    throw refused('DateTime is in the years 1970 to 9999.');
  return at;
}

/** An IANA time zone that this system's zone data knows, in its usual spelling. */
export function parseTimeZone(value: unknown): string {
  const refusal = refused('TimeZone is an IANA name, such as "Europe/London".');
  if (typeof value !== 'string' || !/^[A-Za-z][\w+-]*(?:\/[\w+-]+)*$/.test(value) || value.length > 64)
    throw refusal;
  try {
    new Intl.DateTimeFormat('en', { timeZone: value }).format();
  } catch {
    throw refusal;
  }
  return zonesBySpelling.get(value.toLowerCase()) ?? value;
}

const zonesBySpelling = new Map(
  [...Intl.supportedValuesOf('timeZone'), 'UTC'].map((zone) => [zone.toLowerCase(), zone]),
);

export function parseSafeInt(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw refused('SafeInt is a whole number from 0 to 9,007,199,254,740,991.');
  }
  return value;
}

/** A literal in a document, for scalars that are written as strings. */
export function textOf(node: ValueNode): unknown {
  return node.kind === Kind.STRING ? node.value : undefined;
}

function refused(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'INVALID_INPUT' } });
}
