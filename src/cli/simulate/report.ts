import type { OrganisationOutcome, Outcome } from './driver.ts';

/** Everything that a simulation has to say at its end, as lines of text. */
export function report(outcome: Outcome, latencies: ReadonlyMap<string, readonly number[]>): string {
  const sections = [
    section('Organisations', reportOrganisations(outcome)),
    section('Denials by reason', reportDenials(outcome)),
    section('Peaks', reportPeaks(outcome)),
    section('Latencies in milliseconds', reportLatencies(latencies)),
    section('Check', reportCheck(outcome)),
  ];
  return `\n${sections.join('\n\n')}\n`;
}

/** Whether the simulation was carried out as far as asked, and every figure agreed. */
export function isInAgreement({ organisations, failure }: Outcome): boolean {
  return failure === null && organisations.every(({ audit }) => audit.faultCount === 0);
}

/**
 * The value that `part` (0 … 1) of the sorted values do not exceed, by the nearest rank.
 * @param sorted ascending, not empty
 */
export function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN;
}

function reportOrganisations({ organisations }: Outcome): string {
  return table(
    [
      'organisation',
      'externalId',
      'users',
      'requests',
      'sessions granted',
      'expired',
      'live at the end',
      'denials',
    ],
    organisations.map((organisation) => [
      organisation.name,
      organisation.externalId,
      organisation.users,
      organisation.requests,
      organisation.sessionsStarted,
      organisation.sessionsExpired,
      organisation.liveSessions,
      sum(organisation.denials.values()),
    ]),
  );
}

function reportDenials({ organisations }: Outcome): string {
  const rows = organisations.flatMap(({ name, denials }) =>
    [...denials].sort(byText).map(([key, times]) => {
      const [licence = '', code = ''] = key.split(' ');
      return [name, licence, code, times];
    }),
  );
  return rows.length === 0 ? 'none' : table(['organisation', 'licence', 'reason', 'denials'], rows);
}

function reportPeaks({ organisations }: Outcome): string {
  const rows = organisations.flatMap(({ name, peaks }) =>
    peaks.map((peak) => [
      name,
      peak.licence,
      peak.concurrentTotal,
      peak.concurrentUsed,
      peak.contingencyTotal,
      peak.contingencyUsed,
      peak.at === null ? '' : `${peak.at.toISOString().slice(0, 16)}Z`,
    ]),
  );
  return table(
    ['organisation', 'licence', 'concurrent', 'used', 'contingency', 'max used', 'first at'],
    rows,
  );
}

function reportLatencies(latencies: ReadonlyMap<string, readonly number[]>): string {
  const rows = [...latencies].sort(byText).map(([name, taken]) => {
    const sorted = [...taken].sort((one, other) => one - other);
    const figures = [0.5, 0.95, 0.99, 1].map((part) => percentile(sorted, part).toFixed(1));
    return [name, taken.length, ...figures.map(right)];
  });
  return table(['operation', 'calls', 'p50', 'p95', 'p99', 'max'], rows);
}

function reportCheck({ organisations, failure, isInterrupted, seconds }: Outcome): string {
  const requests = sum(organisations.map((organisation) => organisation.requests));
  const lines = [
    `${requests} requests in ${seconds.toFixed(1)} s${isInterrupted ? ', then interrupted' : ''}.`,
    ...organisations.flatMap(checkOf),
    ...(failure === null ? [] : [`The simulation ended early: ${failure.message}`]),
  ];
  return lines.join('\n');
}

function checkOf({ name, audit, isChecked, reachedAt, wallboardEvents }: OrganisationOutcome): string[] {
  const { faults, faultCount, figuresCompared, comparisons } = audit;
  const until = `${reachedAt.toISOString().slice(0, 16)}Z`;
  const extent = `${figuresCompared} figures at ${comparisons} instants until ${until}, ${wallboardEvents} wallboard events`;
  if (faultCount > 0) {
    const rest = faultCount - faults.length;
    return [
      `DIFFERENT  ${name}: ${faultCount} differences in ${extent}`,
      ...faults.map((fault) => `           ${fault}`),
      ...(rest > 0 ? [`           … and ${rest} more`] : []),
    ];
  }
  return [`${isChecked ? 'equal    ' : 'UNCHECKED'}  ${name}: ${extent}`];
}

type Cell = string | number | { readonly right: string };

/** A figure that is no whole number: aligned like one. */
function right(text: string): Cell {
  return { right: text };
}

function table(headers: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const isRight = headers.map((_, column) => rows.some((row) => typeof row[column] !== 'string'));
  const lines = [headers, ...rows.map((row) => row.map(textOf))];
  const widths = headers.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((text, column) =>
          isRight[column] ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function textOf(cell: Cell): string {
  return typeof cell === 'object' ? cell.right : String(cell);
}

function section(title: string, text: string): string {
  return `${title}\n${'─'.repeat(title.length)}\n${text}`;
}

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((total, number) => total + number, 0);
}

function byText([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
