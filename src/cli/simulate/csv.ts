import { CsvError, parse } from 'csv-parse/sync';
import { Failure } from './failure.ts';

/** One row of a CSV file. */
export interface CsvRow<Column extends string> {
  /** Where the row stands in the file, from 1 (the header). */
  readonly line: number;
  /** Trimmed; '' where the file lacks the column. */
  readonly values: Readonly<Record<Column, string>>;
}

/** So many mistakes of a file are shown at once. */
const shownMistakes = 20;

/**
 * Reads a CSV file with a header row.
 * @throws Failure that names the line, when the file is not such a table
 */
export function readTable<Column extends string>(
  file: string,
  text: string,
  required: readonly Column[],
  optional: readonly Column[],
): CsvRow<Column>[] {
  const known: readonly string[] = [...required, ...optional];
  const records = parseRecords(file, text);
  const [header, ...rows] = records;
  if (header === undefined)
    throw new Failure(`${file} is empty. Its first line names the columns: ${known.join(',')}`);

  const columns = header.record.map((name) => name.toLowerCase());
  const missing = required.filter((column) => !columns.includes(column));
  const unknown = columns.filter((column) => !known.includes(column));
  const twice = columns.filter((column, index) => columns.indexOf(column) !== index);
  const mistakes = [
    ...missing.map((column) => `line 1: the column "${column}" is missing`),
    ...unknown.map((column) => `line 1: there is no column "${column}"; the columns are ${known.join(', ')}`),
    ...twice.map((column) => `line 1: the column "${column}" is there twice`),
  ];
  for (const { line, record } of rows) {
    if (record.length === columns.length) continue;
    mistakes.push(`line ${line}: ${record.length} fields instead of ${columns.length}`);
  }
  refuse(file, mistakes);
  if (rows.length === 0) throw new Failure(`${file} has no rows below its header.`);

  return rows.map(({ line, record }) => {
    const values = Object.fromEntries(known.map((column) => [column, record[columns.indexOf(column)] ?? '']));
    return { line, values: values as Record<Column, string> };
  });
}

/** @throws Failure with the mistakes, if there are any */
export function refuse(file: string, mistakes: readonly string[]): void {
  if (mistakes.length === 0) return;
  const shown = mistakes.slice(0, shownMistakes).map((mistake) => `  ${mistake}`);
  const rest = mistakes.length - shown.length;
  throw new Failure(
    [`${file} cannot be used:`, ...shown, ...(rest > 0 ? [`  … and ${rest} more`] : [])].join('\n'),
  );
}

function parseRecords(file: string, text: string): { line: number; record: string[] }[] {
  const records: { line: number; record: string[] }[] = [];
  try {
    parse(text, {
      bom: true,
      trim: true,
      skip_empty_lines: true,
      relax_column_count: true,
      comment: '#',
      comment_no_infix: true,
      on_record: (record: string[], { lines }) => {
        records.push({ line: lines, record });
        return null;
      },
    });
  } catch (error) {
    if (error instanceof CsvError) throw new Failure(`${file} is not a CSV file: ${error.message}`);
    throw error;
  }
  return records;
}
