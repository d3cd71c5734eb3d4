import { words } from '../words.ts';
import { type ColumnName, groupOf, isColumn } from './columns.ts';

type Cell = string | number | null | undefined;

/** What a column is called where there are no groups above it. */
export function fullTitle(column: ColumnName): string {
  const group = groupOf[column];
  const { title } = words.mapping.columns[column];
  return group === undefined ? title : `${words.mapping.groups[group].title} – ${title}`;
}

/** RFC 4180, with the mark by which spreadsheets know UTF-8. */
export function toCsv(ids: readonly string[], lines: readonly (readonly Cell[])[]): string {
  const header = ids.map((id) => (isColumn(id) ? fullTitle(id) : id));
  return `\uFEFF${[header, ...lines].map((cells) => `${cells.map(toField).join(',')}\r\n`).join('')}`;
}

function toField(cell: Cell): string {
  if (cell === null || cell === undefined) return '';
  // A spreadsheet would take such a text for a formula, and run it.
  const text = typeof cell === 'string' && /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Has the browser save a text as a file. */
export function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
