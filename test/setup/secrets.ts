import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';

/**
 * What must never stand in a log: the keys, passwords and tokens that a test run uses. Whoever makes or is given one says so
 * here. Each server's log is searched for those of its test file when the server stops, and at the end of the run every log
 * for those of all files.
 */
const secrets = new Set<string>();

/** The least length of a secret: a shorter text would be found everywhere. */
const shortest = 8;

/** Names the folder in which the processes of a run leave their logs and their secrets until its end. */
export const folderVariable = 'SEATKEEPER_TEST_LOGS';

function leave(kind: 'log' | 'secrets', text: string): void {
  const folder = process.env[folderVariable];
  if (folder !== undefined) appendFileSync(join(folder, `${process.pid}.${kind}`), `${text}\n`);
}

/** @returns the text, from now on looked for in every log */
export function secret(text: string): string {
  if (text.length < shortest) throw new Error('A secret so short would be found everywhere');
  if (!secrets.has(text)) leave('secrets', JSON.stringify(text));
  secrets.add(text);
  return text;
}

/** The secrets that are in a log, each with the line that tells it. */
export function findSecrets(log: string, among: Iterable<string> = secrets): string[] {
  // There are thousands, and megabytes of logs: what stands at a place is looked up by how a secret begins.
  const beginnings = new Map<string, (readonly [spelling: string, text: string])[]>();
  for (const text of among) {
    // A key may stand in a URL, where it is spelt otherwise.
    for (const spelling of new Set([text, encodeURIComponent(text), Buffer.from(text).toString('base64')])) {
      const beginning = spelling.slice(0, shortest);
      const others = beginnings.get(beginning);
      if (others === undefined) beginnings.set(beginning, [[spelling, text]]);
      else others.push([spelling, text]);
    }
  }
  const found = new Map<string, string>();
  for (let at = 0; at + shortest <= log.length; at += 1) {
    for (const [spelling, text] of beginnings.get(log.slice(at, at + shortest)) ?? []) {
      if (found.has(text) || !log.startsWith(spelling, at)) continue;
      const end = log.indexOf('\n', at);
      const line = log.slice(log.lastIndexOf('\n', at) + 1, end === -1 ? undefined : end);
      found.set(text, `${text} in: ${line}`);
    }
  }
  return [...found.values()];
}

/** @throws where a secret is in the log */
export function expectNoSecrets(log: string, whose: string): void {
  expectNone(findSecrets(log), whose);
  leave('log', `${whose}\n${log}`);
}

/** @throws where a secret of any process of a run is in the log of any */
export function expectNoSecretsOfRun(folder: string): void {
  const textsOf = (kind: string) =>
    readdirSync(folder)
      .filter((name) => name.endsWith(kind))
      .map((name) => readFileSync(join(folder, name), 'utf8'));
  const all = new Set(
    textsOf('.secrets').flatMap((text) =>
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as string),
    ),
  );
  for (const log of textsOf('.log')) expectNone(findSecrets(log, all), 'the run');
}

function expectNone(found: readonly string[], whose: string): void {
  if (found.length > 0) throw new Error(`The log of ${whose} has a secret:\n${found.join('\n')}`);
}

/** What was logged, as text: all that can be reached from it, the properties of errors and what caused them included. */
export function textOf(facts: object): string {
  return inspect(facts, {
    ...{ depth: 12, maxArrayLength: null, maxStringLength: null, breakLength: Infinity },
    ...{ showHidden: false, getters: false, customInspect: false },
  });
}
