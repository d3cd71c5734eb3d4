import { Temporal } from 'temporal-polyfill';
import { type Instant, plusSeconds } from '../../kernel/clock.ts';
import { type CsvRow, readTable, refuse } from './csv.ts';
import { type Catalogue, inOrderOfTime, leaseSeconds, type Plan, type PlannedEvent } from './plan.ts';
import { readCodes, type Roster } from './roster.ts';
import { planPurchases, type Seats } from './seats.ts';

type Column = 'organisation' | 'username' | 'licence' | 'device' | 'features' | 'logon_at' | 'logoff_at';

/** One real logon, and its logoff where there was one. */
interface Stay {
  readonly line: number;
  readonly organisation: string;
  readonly username: string;
  readonly licence: string;
  readonly device: string;
  /** null: all the user's features. */
  readonly features: readonly string[] | null;
  readonly logonAt: Instant;
  /** null: the device was never heard of again. */
  readonly logoffAt: Instant | null;
}

const longestDevice = 100;
const namelessDevice = 'desktop';
const hour = 3_600_000;

/**
 * Reads a trace of who logged on and off when, one row a logon: `username,logon_at,logoff_at` and, if wanted,
 * `organisation,licence,device,features`. Instants are RFC 3339 with an offset. The users are those of the roster.
 * @throws Failure that names every bad line
 */
export function readTrace(
  file: string,
  text: string,
  roster: Roster,
  seats: ReadonlyMap<string, Seats>,
  catalogue: Catalogue,
): Plan {
  const rows = readTable<Column>(
    file,
    text,
    ['username', 'logon_at', 'logoff_at'],
    ['organisation', 'licence', 'device', 'features'],
  );
  const mistakes: string[] = [];
  const stays: Stay[] = [];
  for (const row of rows) {
    const { stay, wrong } = readStay(row, roster, catalogue);
    if (stay !== null) stays.push(stay);
    mistakes.push(...wrong.map((mistake) => `line ${row.line}: ${mistake}`));
  }
  refuse(file, mistakes.length > 0 ? mistakes : findOverlaps(stays));
  return planStays(stays, roster, seats, catalogue);
}

function planStays(
  stays: readonly Stay[],
  roster: Roster,
  seats: ReadonlyMap<string, Seats>,
  catalogue: Catalogue,
): Plan {
  const instants = stays.flatMap(({ logonAt, logoffAt }) => [logonAt, logoffAt ?? logonAt]);
  const times = instants.map((at) => at.getTime());
  const from = new Date(Math.floor(Math.min(...times) / hour) * hour);
  // Long enough for every lease to run out.
  const until = new Date((Math.floor(Math.max(...times) / hour) + 2) * hour);
  return {
    organisations: [...roster].map(([name, entries]) => {
      const users = entries.map(({ user }) => user);
      const own = stays.filter(({ organisation }) => organisation === name);
      const events = inOrderOfTime(own.flatMap(eventsOf));
      const purchases = planPurchases(users, events, catalogue, seats);
      return { name, from, until, leaseSeconds, users, events, purchases };
    }),
  };
}

function eventsOf({
  username,
  device,
  licence,
  features,
  logonAt,
  logoffAt,
}: Stay): [PlannedEvent, PlannedEvent] {
  const logon: PlannedEvent = {
    kind: 'LOGON',
    at: logonAt,
    username,
    device,
    licence,
    features,
    onlyIfLoggedOff: false,
  };
  return logoffAt === null
    ? [logon, { kind: 'CRASH', at: plusSeconds(logonAt, 1), username, device }]
    : [logon, { kind: 'LOGOFF', at: logoffAt, username, device }];
}

function readStay(
  { line, values }: CsvRow<Column>,
  roster: Roster,
  catalogue: Catalogue,
): { readonly stay: Stay | null; readonly wrong: string[] } {
  const { username } = values;
  const device = values.device || namelessDevice;
  const [onlyOrganisation] = roster.size === 1 ? roster.keys() : [];
  const organisation = values.organisation || onlyOrganisation;
  const user = roster.get(organisation ?? '')?.find((entry) => entry.user.username === username)?.user;
  const licence =
    values.licence || user?.licences.find((code) => catalogue.get(code)?.category === 'USER') || null;
  const features = readFeatures(values.features);
  const logonAt = readInstant(values.logon_at);
  const logoffAt = values.logoff_at === '' ? null : readInstant(values.logoff_at);

  const wrong = [
    ...(organisation === undefined ? ['the organisation is empty, and the roster has more than one'] : []),
    ...(user === undefined && organisation !== undefined
      ? [`the roster has no user "${username}" in "${organisation}"`]
      : []),
    ...(user !== undefined && licence === null ? [`the licence is empty, and the user has none`] : []),
    ...(licence !== null && isFeature(catalogue, licence) !== false
      ? [`"${licence}" is not a licence type of the server's catalogue`]
      : []),
    ...(features ?? [])
      .filter((code) => isFeature(catalogue, code) !== true)
      .map((code) => `"${code}" is not a feature of the server's catalogue`),
    ...(device.length > longestDevice ? [`the device is longer than ${longestDevice} characters`] : []),
    ...(logonAt === null ? [badInstant('logon_at', values.logon_at)] : []),
    ...(logoffAt === null && values.logoff_at !== '' ? [badInstant('logoff_at', values.logoff_at)] : []),
    ...(logonAt !== null && logoffAt !== null && logoffAt <= logonAt
      ? ['the logoff_at is not after the logon_at']
      : []),
  ];
  const isComplete = wrong.length === 0 && organisation !== undefined && licence !== null && logonAt !== null;
  return {
    stay: isComplete ? { line, organisation, username, licence, device, features, logonAt, logoffAt } : null,
    wrong,
  };
}

/** One device is logged on once at a time; a logon without a logoff may be followed by another. */
function findOverlaps(stays: readonly Stay[]): string[] {
  const mistakes: string[] = [];
  const latest = new Map<string, Stay>();
  for (const stay of stays.toSorted((one, other) => one.logonAt.getTime() - other.logonAt.getTime())) {
    const key = `${stay.organisation} ${stay.username} ${stay.device}`;
    const before = latest.get(key);
    const beforeUntil = before === undefined ? null : (before.logoffAt ?? plusSeconds(before.logonAt, 2));
    if (before !== undefined && beforeUntil !== null && stay.logonAt < beforeUntil) {
      mistakes.push(
        `line ${stay.line}: ${stay.username} is logged on with this device since line ${before.line}`,
      );
    }
    latest.set(key, stay);
  }
  return mistakes;
}

/** Empty: null, all the user's; `none`: none. */
function readFeatures(text: string): string[] | null {
  if (text === '') return null;
  return text === 'none' ? [] : readCodes(text);
}

/** undefined: the catalogue has no such licence. */
function isFeature(catalogue: Catalogue, code: string): boolean | undefined {
  const licence = catalogue.get(code);
  return licence === undefined ? undefined : licence.category === 'FEATURE';
}

function readInstant(text: string): Instant | null {
  if (!/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/.test(text)) return null;
  try {
    return new Date(Temporal.Instant.from(text).epochMilliseconds);
  } catch {
    // Such as the 30th of February, which Date would take for the 2nd of March.
    return null;
  }
}

function badInstant(column: string, text: string): string {
  return `the ${column} "${text}" is not an instant such as 2027-03-17T08:59:30Z or 2027-03-17T09:59:30+01:00`;
}
