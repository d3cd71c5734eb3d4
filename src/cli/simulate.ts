import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { ConfigError, readConfig } from '../config.ts';
import { readCatalogue } from './simulate/api.ts';
import { closeClient, openSubscriber, Switchboard, type Target } from './simulate/connections.ts';
import { planDay } from './simulate/day.ts';
import { drive } from './simulate/driver.ts';
import { Failure } from './simulate/failure.ts';
import { help, type Options, readOptions } from './simulate/options.ts';
import type { Catalogue, Plan } from './simulate/plan.ts';
import { showProgress } from './simulate/progress.ts';
import { isInAgreement, report } from './simulate/report.ts';
import { planRoster, readRoster } from './simulate/roster.ts';
import { readTrace } from './simulate/trace.ts';

/** What a program exits with that was ended by SIGINT. */
const interrupted = 130;
/** Ctrl-C under npm arrives twice: from the terminal, and passed on by npm. */
const sameSignalMilliseconds = 500;

/** `npm run simulate`: see `help`. */
async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === null) {
    process.stdout.write(help);
    return 0;
  }
  const { seed, speed, race, connections } = options;
  const signal = interruptible();
  const target = await findTarget(options);
  const switchboard = new Switchboard(target, connections);
  const subscriber = openSubscriber(target);
  try {
    const catalogue = await readCatalogue(switchboard);
    const plan = await makePlan(options, catalogue);
    const runId = `${seed}-${randomBytes(4).toString('hex')}`;
    const outcome = await drive({
      plan,
      catalogue,
      switchboard,
      subscriber,
      runId,
      speed,
      race,
      signal,
      showProgress: (title, total) => showProgress(title, total, process.stdout),
    });
    process.stdout.write(report(outcome, switchboard.latencies));
    if (!isInAgreement(outcome)) return 1;
    return outcome.isInterrupted ? interrupted : 0;
  } finally {
    await Promise.all([switchboard.close(), closeClient(subscriber)]);
  }
}

/** Aborts at the first Ctrl-C; the next ends the process at once. */
function interruptible(): AbortSignal {
  const interruption = new AbortController();
  let since: number | null = null;
  process.on('SIGINT', () => {
    if (since !== null && performance.now() - since > sameSignalMilliseconds) process.exit(interrupted);
    since ??= performance.now();
    interruption.abort();
  });
  return interruption.signal;
}

async function makePlan(options: Options, catalogue: Catalogue): Promise<Plan> {
  const { seed, seats } = options;
  for (const licence of seats.keys()) checkSeats(licence, catalogue);
  if (options.roster === null) return planDay(options, catalogue);
  const roster = readRoster(options.roster, await readInput(options.roster), catalogue);
  if (options.trace === null) return planRoster(roster, seed, seats, catalogue);
  return readTrace(options.trace, await readInput(options.trace), roster, seats, catalogue);
}

function checkSeats(code: string, catalogue: Catalogue): void {
  if (catalogue.get(code)?.seatModel !== 'CONCURRENT') {
    const codes = [...catalogue.values()].filter(({ seatModel }) => seatModel === 'CONCURRENT');
    throw new Failure(
      `--seats ${code}: seats are bought of ${codes.map((licence) => licence.code).join(', ')}.`,
    );
  }
}

async function readInput(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new Failure(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The URL and the key as given; else as the server of the same configuration on this machine has them. */
async function findTarget({ url, key }: Options): Promise<Target> {
  const config = readConfig(process.env);
  const file = join(config.dataFolder, 'operator-key');
  const target = {
    url: url ?? new URL(`http://127.0.0.1:${config.port}/graphql`),
    keyAdvice: `"npm start" prints it: pass it as --key or SEATKEEPER_OPERATOR_KEY, or put it into ${file}.`,
  };
  const given = key ?? config.operatorKey;
  if (given !== null) return { ...target, key: given };
  try {
    return { ...target, key: (await readFile(file, 'utf8')).trim() };
  } catch {
    throw new Failure(`There is no operator key. ${target.keyAdvice}`);
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof Failure || error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
