import { parseArgs } from 'node:util';
import { fewestUsers } from './day.ts';
import { Failure } from './failure.ts';
import type { Seats } from './seats.ts';

export interface Options {
  /** null: where the server of the same configuration listens. */
  readonly url: URL | null;
  /** null: to be found where the server keeps it. */
  readonly key: string | null;
  readonly seed: string;
  /** Simulated seconds in one real second; null: as fast as the server answers. */
  readonly speed: number | null;
  readonly organisations: number;
  readonly users: number;
  readonly connections: number;
  readonly race: boolean;
  readonly seats: ReadonlyMap<string, Seats>;
  /** File names; a trace comes with a roster only. */
  readonly roster: string | null;
  readonly trace: string | null;
}

export const help = `Drives a running Seatkeeper with a day of contact centres, and checks every figure that it answers.

Usage: npm run simulate -- [options]

  --url URL               where GraphQL is served            (http://127.0.0.1:4000/graphql; PORT for another port)
  --key KEY               the operator key                   (SEATKEEPER_OPERATOR_KEY, or the one that the server keeps
                                                             in its data folder)
  --seed TEXT             the same seed, the same day        (1)
  --speed max|NUMBER      60: a day in 24 minutes            (max)
  --organisations NUMBER                                     (3)
  --users NUMBER          in all of them together            (1200)
  --connections NUMBER    a fourth of them are WebSockets    (32)
  --seats LICENCE=C+X     buy C concurrent and X contingency seats of a licence in every organisation; may be repeated
                                                             (a little less than the day asks for)
  --race                  send logons that compete for the last seats at once as well: the check stays exact, but the
                          same seed no longer gives the same figures
  --roster FILE.csv       real users and licences
  --trace FILE.csv        real logon and logoff times; needs --roster
  --help

Examples:
  npm run simulate
  npm run simulate -- --speed 60 --seed monday
  npm run simulate -- --organisations 1 --users 300 --seats INBOUND_AGENT=120+15 --seats AGENT_CALLS=110+10
  npm run simulate -- --roster src/cli/simulate/samples/roster.csv --trace src/cli/simulate/samples/trace.csv

The roster is a CSV file with the columns username and licences (codes, with spaces between them) and, if wanted,
organisation, display_name and shift (night, early, day, late, lunch; empty: the seed decides). The trace has a row for
each logon with the columns username, logon_at and logoff_at (RFC 3339 with an offset; an empty logoff_at: the device
was never heard of again) and, if wanted, organisation, licence (empty: the first of the user's), device (empty:
desktop) and features (empty: all the user's; none: none).

Every run creates organisations of its own on test clocks: nothing else on the server is touched, and the same day can be
run again and again. Exit code 0: all figures agree; 1: some differ, or the simulation could not be carried out; 130:
ended by Ctrl-C, and what was done until then agrees.
`;

/**
 * @param args what follows the command
 * @returns null when help is asked for
 * @throws Failure that names the option at fault
 */
export function readOptions(args: readonly string[]): Options | null {
  const values = parse(args);
  if (values.help === true) return null;
  const { roster = null, trace = null } = values;
  if (trace !== null && roster === null) {
    throw new Failure('--trace needs --roster: the roster says who the users are and what they have.');
  }
  if (roster !== null && (values.users !== undefined || values.organisations !== undefined)) {
    throw new Failure('--users and --organisations do not go with --roster, which names them.');
  }
  const organisations = readNumber('organisations', values.organisations ?? '3', 1, 100);
  const users = readNumber('users', values.users ?? '1200', organisations * fewestUsers, 100_000);
  return {
    url: values.url === undefined ? null : readUrl(values.url),
    key: values.key ?? null,
    seed: readSeed(values.seed ?? '1'),
    speed: readSpeed(values.speed ?? 'max'),
    organisations,
    users,
    connections: readNumber('connections', values.connections ?? '32', 1, 1000),
    race: values.race ?? false,
    seats: new Map((values.seats ?? []).map(readSeats)),
    roster,
    trace,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        url: { type: 'string' },
        key: { type: 'string' },
        seed: { type: 'string' },
        speed: { type: 'string' },
        organisations: { type: 'string' },
        users: { type: 'string' },
        connections: { type: 'string' },
        seats: { type: 'string', multiple: true },
        race: { type: 'boolean' },
        roster: { type: 'string' },
        trace: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Failure(`${reason}\nSee npm run simulate -- --help`);
  }
}

function readUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new Failure(
      `--url "${text}" is not an http or https address such as http://127.0.0.1:4000/graphql.`,
    );
  }
  return url;
}

function readSeed(text: string): string {
  if (!/^[\w.-]{1,40}$/.test(text)) {
    throw new Failure(`--seed "${text}" is not 1 to 40 letters, digits, dots, dashes or underscores.`);
  }
  return text;
}

function readSpeed(text: string): number | null {
  if (text === 'max') return null;
  const speed = Number(text);
  if (!(speed > 0 && speed <= 86_400)) {
    throw new Failure(`--speed "${text}" is neither "max" nor a number above 0 and up to 86400.`);
  }
  return speed;
}

function readNumber(option: string, text: string, lowest: number, highest: number): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < lowest || number > highest) {
    throw new Failure(`--${option} "${text}" is not a whole number from ${lowest} to ${highest}.`);
  }
  return number;
}

function readSeats(text: string): [string, Seats] {
  const [, licence, concurrent, contingency] =
    /^([A-Z][A-Z0-9_]*)=(\d{1,6})(?:\+(\d{1,6}))?$/.exec(text) ?? [];
  if (licence === undefined) {
    throw new Failure(`--seats "${text}" is not a licence and its seats, such as INBOUND_AGENT=120+15.`);
  }
  return [licence, { concurrent: Number(concurrent), contingency: Number(contingency ?? 0) }];
}
