/** The most licences that are read across a room at one time. */
export const mostAtOnce = 12;
const [defaultSeconds, leastSeconds] = [20, 5];

export interface Choices {
  readonly organisations: readonly string[];
  /** Codes; null: the licence types. */
  readonly licences: readonly string[] | null;
  readonly rotateSeconds: number;
}

/** What a screen shows, as its address says: `organisation` and `licences` may be several, with commas between them. */
export function readChoices(search: URLSearchParams): Choices {
  const listOf = (name: string) => [
    ...new Set(
      search
        .getAll(name)
        .flatMap((text) => text.split(','))
        .map((part) => part.trim())
        .filter((part) => part !== ''),
    ),
  ];
  const licences = listOf('licences');
  const seconds = Number(search.get('rotate') ?? defaultSeconds);
  return {
    organisations: listOf('organisation'),
    licences: licences.length === 0 ? null : licences,
    rotateSeconds: seconds > 0 && seconds < 86_400 ? Math.max(leastSeconds, seconds) : defaultSeconds,
  };
}

/** In pages of equal size, as near as can be: of 13 licences none stands alone. */
export function pagesOf<Row>(rows: readonly Row[]): readonly (readonly Row[])[] {
  const pages = Math.max(1, Math.ceil(rows.length / mostAtOnce));
  const size = Math.ceil(rows.length / pages);
  return Array.from({ length: pages }, (_, index) => rows.slice(index * size, (index + 1) * size));
}

/** Columns and rows that so many tiles fill best on a wide screen. */
export function gridOf(tiles: number): readonly [columns: number, rows: number] {
  if (tiles <= 3) return [Math.max(1, tiles), 1];
  const columns = tiles === 4 ? 2 : tiles <= 6 || tiles === 9 ? 3 : 4;
  return [columns, Math.ceil(tiles / columns)];
}
