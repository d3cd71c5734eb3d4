import { inspect } from 'node:util';

/**
 * What must never stand in a log: the keys, passwords and tokens that a test run uses. Whoever makes or is given one says so
 * here, and each server's log is searched for all of them when the server stops.
 */
const secrets = new Set<string>();

/** @returns the text, from now on looked for in every log */
export function secret(text: string): string {
  if (text.length < 8) throw new Error('A secret so short would be found everywhere');
  secrets.add(text);
  return text;
}

/** The secrets that are in a log, each with the line that tells it. */
export function findSecrets(log: string): string[] {
  const lines = log.split('\n');
  return [...secrets].flatMap((text) => {
    // A key may stand in a URL, where it is spelt otherwise.
    const spellings = [text, encodeURIComponent(text), Buffer.from(text).toString('base64')];
    const line = lines.find((each) => spellings.some((spelling) => each.includes(spelling)));
    return line === undefined ? [] : [`${text} in: ${line}`];
  });
}

/** @throws where a secret is in the log */
export function expectNoSecrets(log: string, whose: string): void {
  const found = findSecrets(log);
  if (found.length > 0) throw new Error(`The log of ${whose} has a secret:\n${found.join('\n')}`);
}

/** What was logged, as text: all that can be reached from it, the properties of errors and what caused them included. */
export function textOf(facts: object): string {
  return inspect(facts, {
    ...{ depth: 12, maxArrayLength: null, maxStringLength: null, breakLength: Infinity },
    ...{ showHidden: false, getters: false, customInspect: false },
  });
}
