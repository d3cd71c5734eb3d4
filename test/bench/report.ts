import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { format } from 'prettier';

/** What a case came to: units are in the names. `null` where it could not be told. */
export interface Figures {
  readonly case: string;
  readonly [figure: string]: string | number | null | undefined;
}

interface Section {
  readonly title: string;
  /** When and in which company: figures are compared within a section only. */
  readonly circumstances: string;
  readonly rows: Figures[];
}

const resultsName = 'RESULTS.md';
const file = join(import.meta.dirname, resultsName);
const sections: Section[] = [];

/** Begins a table. @returns takes a case's figures: they are printed as a line of JSON, and kept for the table */
export function section(title: string): (figures: Figures) => void {
  const [processor] = cpus();
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  const load = (loadavg()[0] ?? 0).toFixed(2);
  const circumstances =
    `${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC; ${cpus().length} × ${processor?.model ?? '?'}, ` +
    `${gigabytes} GB; ${process.platform} ${process.arch}, Node ${process.versions.node}; ` +
    `commit ${commit()}; load average at the start ${load}${Number(load) > 1 ? ' (others used the machine)' : ''}`;
  const rows: Figures[] = [];
  sections.push({ title, circumstances, rows });
  return (figures) => {
    rows.push(figures);
    console.log(JSON.stringify(figures));
  };
}

/** What was measured; with a `*` where it was not all committed. */
function commit(): string {
  const git = (...args: string[]) =>
    spawnSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).stdout;
  const changes = git('status', '--porcelain')
    .split('\n')
    .filter((line) => line !== '' && !line.endsWith(resultsName));
  return `${git('rev-parse', '--short', 'HEAD').trim()}${changes.length > 0 ? '*' : ''}`;
}

/** Says what goes on; to standard error, so that the output stays JSON. */
export function progress(text: string): void {
  console.error(`… ${text}`);
}

/** Prints the run's tables, and puts each in the place of its former one in RESULTS.md. */
export async function finish(): Promise<void> {
  const fresh = sections.filter(({ rows }) => rows.length > 0);
  const bodies = new Map(readSections());
  for (const { title, circumstances, rows } of fresh) bodies.set(title, `${circumstances}\n\n${table(rows)}`);
  const text = [
    '# Results',
    'Written by `npm run bench`; not to be edited. Figures are comparable within a table only.',
    ...[...bodies].map(([title, body]) => `## ${title}\n\n${body}`),
  ].join('\n\n');
  writeFileSync(file, await format(text, { parser: 'markdown', printWidth: 110 }));
  for (const { title, rows } of fresh) {
    console.error(`\n${title}\n\n${await format(table(rows), { parser: 'markdown' })}`);
  }
}

function readSections(): [title: string, body: string][] {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  return text
    .split(/^## /m)
    .slice(1)
    .map((part) => {
      const end = part.indexOf('\n');
      return [part.slice(0, end).trim(), part.slice(end).trim()];
    });
}

function table(rows: readonly Figures[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const cell = (value: Figures[string]) => (typeof value === 'number' ? String(value) : (value ?? ''));
  const aligned = columns.map((column) =>
    rows.every((row) => typeof (row[column] ?? 0) === 'number') ? '--:' : '---',
  );
  const head = columns.map((column) => column.replaceAll(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`));
  return [line(head), line(aligned), ...rows.map((row) => line(columns.map((name) => cell(row[name]))))].join(
    '\n',
  );
}
