import { type CsvRow, readTable, refuse } from './csv.ts';
import { endOfDay, type Member, midnight, planKnownUser, type ShiftName, shiftNames } from './day.ts';
import { type Catalogue, inOrderOfTime, leaseSeconds, type Plan, type PlannedUser } from './plan.ts';
import { seededRandom } from './random.ts';
import { planPurchases, type Seats } from './seats.ts';

/** Real users, by the organisation that a roster puts them in. */
export type Roster = ReadonlyMap<string, readonly RosterEntry[]>;

export interface RosterEntry {
  readonly user: PlannedUser;
  /** null: the seed decides. */
  readonly shift: ShiftName | null;
}

type Column = 'organisation' | 'username' | 'display_name' | 'licences' | 'shift';

/** The server takes names of up to 200 characters; room is left for what the simulator adds. */
const longestName = 100;
const namelessOrganisation = 'Roster';

/**
 * Reads a roster: `username,licences` and, if wanted, `organisation,display_name,shift`. Licences are codes, with
 * spaces or semicolons between them.
 * @throws Failure that names every bad line
 */
export function readRoster(file: string, text: string, catalogue: Catalogue): Roster {
  const rows = readTable<Column>(
    file,
    text,
    ['username', 'licences'],
    ['organisation', 'display_name', 'shift'],
  );
  const mistakes: string[] = [];
  const roster = new Map<string, RosterEntry[]>();
  const lines = new Map<string, number>();
  for (const row of rows) {
    const { line, values } = row;
    const organisation = values.organisation || namelessOrganisation;
    const { entry, wrong } = readEntry(row, catalogue);
    const key = `${organisation} ${values.username}`;
    const earlier = lines.get(key);
    if (earlier !== undefined) wrong.push(`${values.username} is on line ${earlier} already`);
    if (organisation.length > longestName)
      wrong.push(`the organisation is longer than ${longestName} characters`);
    lines.set(key, line);
    mistakes.push(...wrong.map((mistake) => `line ${line}: ${mistake}`));
    roster.set(organisation, [...(roster.get(organisation) ?? []), entry]);
  }
  refuse(file, mistakes);
  return roster;
}

/** A day in which the users of a roster work the shifts that it, or else the seed, gives them. */
export function planRoster(
  roster: Roster,
  seed: string,
  seats: ReadonlyMap<string, Seats>,
  catalogue: Catalogue,
): Plan {
  return {
    organisations: [...roster].map(([name, entries]) => {
      const random = seededRandom(`${seed}/${name}`);
      const staff: Member[] = entries.map(({ user, shift }) => planKnownUser(user, shift, catalogue, random));
      const users = staff.map(({ user }) => user);
      const events = inOrderOfTime(staff.flatMap((member) => member.events));
      const purchases = planPurchases(users, events, catalogue, seats);
      return { name, from: midnight, until: endOfDay, leaseSeconds, users, events, purchases };
    }),
  };
}

function readEntry(
  { values }: CsvRow<Column>,
  catalogue: Catalogue,
): { readonly entry: RosterEntry; readonly wrong: string[] } {
  const { username, display_name: displayName, shift } = values;
  const licences = readCodes(values.licences);
  const wrong = [
    ...(username === '' ? ['the username is empty'] : []),
    ...(username.length > longestName ? [`the username is longer than ${longestName} characters`] : []),
    ...(displayName.length > longestName
      ? [`the display_name is longer than ${longestName} characters`]
      : []),
    ...licences
      .filter((code) => !catalogue.has(code))
      .map(
        (code) =>
          `the server's catalogue has no licence "${code}"; it has ${[...catalogue.keys()].join(', ')}`,
      ),
    ...(shift === '' || isShiftName(shift)
      ? []
      : [`the shift "${shift}" is none of ${shiftNames.join(', ')}`]),
  ];
  const user: PlannedUser = { username, displayName: displayName || username, status: 'ACTIVE', licences };
  return { entry: { user, shift: isShiftName(shift) ? shift : null }, wrong };
}

/** Licence codes with spaces or semicolons between them, each once. */
export function readCodes(text: string): string[] {
  return [...new Set(text.split(/[\s;]+/).filter((code) => code !== ''))];
}

function isShiftName(text: string): text is ShiftName {
  return shiftNames.includes(text);
}
