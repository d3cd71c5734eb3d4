import type { Instant } from '../../kernel/clock.ts';
import type { Statement } from './api.ts';
import { differences, type Row } from './figures.ts';

/** So many faults are kept word for word; one mistake of the server's is often seen at every instant after it. */
const keptFaults = 20;

/** Holds what the server answers against the reckoning, and keeps what was found. */
export class Audit {
  readonly #faults: string[] = [];
  #faultCount = 0;
  #figuresCompared = 0;
  #comparisons = 0;
  #last: Statement | null = null;

  get faults(): readonly string[] {
    return this.#faults;
  }

  get faultCount(): number {
    return this.#faultCount;
  }

  get figuresCompared(): number {
    return this.#figuresCompared;
  }

  /** At how many instants the whole page was compared. */
  get comparisons(): number {
    return this.#comparisons;
  }

  note(at: Instant, faults: readonly string[]): void {
    this.#faultCount += faults.length;
    const room = Math.max(0, keptFaults - this.#faults.length);
    this.#faults.push(...faults.slice(0, room).map((fault) => `${at.toISOString()}  ${fault}`));
  }

  compareRows(at: Instant, expected: readonly Row[], statement: Statement): void {
    this.#comparisons += 1;
    this.#figuresCompared += expected.reduce((sum, row) => sum + countFigures(row), 0);
    this.note(at, differences(expected, statement.rows));
    if (this.#last !== null) this.note(at, checkRevisions(this.#last, statement));
    this.#last = statement;
  }

  compareNumber(at: Instant, what: string, expected: number, actual: number | null): void {
    this.#figuresCompared += 1;
    if (actual !== expected) this.note(at, [`${what}: reckoned ${expected}, the server says ${actual}`]);
  }

  compareCounts(
    at: Instant,
    what: string,
    expected: ReadonlyMap<string, number>,
    actual: ReadonlyMap<string, number>,
  ): void {
    for (const key of new Set([...expected.keys(), ...actual.keys()])) {
      this.compareNumber(at, `${what} ${key}`, expected.get(key) ?? 0, actual.get(key) ?? 0);
    }
  }
}

/** C5: a row's revision never falls, and a changed figure raises it. */
function checkRevisions(before: Statement, after: Statement): string[] {
  return after.rows.flatMap((row) => {
    const { licence } = row;
    const last = before.revisions.get(licence) ?? 0;
    const revision = after.revisions.get(licence) ?? 0;
    const lastRow = before.rows.find((other) => other.licence === licence);
    const isChanged = lastRow !== undefined && differences([lastRow], [row]).length > 0;
    if (revision > last || (revision === last && !isChanged)) return [];
    return [
      `${licence} revision: ${revision} after ${last}, and the row ${isChanged ? 'changed' : 'is the same'}`,
    ];
  });
}

function countFigures({ base, concurrent, contingency }: Row): number {
  return 3 + [base, concurrent, contingency].reduce((sum, group) => sum + Object.keys(group ?? {}).length, 0);
}
