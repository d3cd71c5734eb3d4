import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { stringify } from 'csv-stringify';
import type { Context } from '../graphql/context.ts';
import { beginDownload, type Refused } from '../graphql/download.ts';
import { readReference } from '../graphql/node.ts';
import { encodeStatementId } from '../kernel/ids.ts';
import { decimalOf } from '../kernel/money.ts';
import { isRefusal, notFound } from '../kernel/refusal.ts';
import type { Catalogue } from '../licence/domain.ts';
import type { Organisation } from '../organisation/domain.ts';
import { readStatement } from './commands.ts';
import { moneyOf, type StatementLine, type StatementWithLines } from './domain.ts';

const place = 'BillingStatement';

/** `/statements/ID.csv`, and as a page to be printed `/statements/ID.html`. */
const path = /^\/statements\/([\w-]{1,100})\.(csv|html)$/;

/** Whether a path is one of a statement's downloads. */
export function isStatementPath(pathname: string): boolean {
  return path.test(pathname);
}

/**
 * Answers a statement, a correction or an estimate as CSV or as a page.
 * @returns why not, when nothing was answered
 */
export async function downloadStatement(
  context: Context,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Refused | null> {
  const { pathname } = new URL(request.url ?? '', 'http://localhost');
  const [, id = '', form] = path.exec(pathname) ?? [];
  const refused = beginDownload(context, request, place, id);
  if (refused !== null) return refused;
  const reference = await readReference(context, place, id, 'statement');
  if (isRefusal(reference)) return { status: 404, refusal: reference };
  const organisation = await context.findOrganisation(context, reference.organisationId);
  const statement =
    organisation === null ? null : await readStatement(context.services, organisation, reference);
  if (organisation === null || statement === null) {
    return { status: 404, refusal: notFound('statement') };
  }
  const catalogue = await context.services.catalogue();
  if (form === 'csv') await answerCsv(response, id, statement);
  else answerPage(response, organisation, statement, catalogue);
  return null;
}

const columns = [
  'statement',
  'number',
  'from',
  'until',
  'timeZone',
  'entry',
  'licence',
  'kind',
  'quantity',
  'seatDays',
  'days',
  'unitPrice',
  'amount',
  'currency',
  'maxUsed',
  'maxUsedAt',
  'reason',
] as const;

/** A row a line. Amounts are decimals, and of a CREDIT to be taken off. Cells that a spreadsheet would take for a formula begin with an apostrophe. */
async function answerCsv(response: ServerResponse, id: string, statement: StatementWithLines): Promise<void> {
  response.writeHead(200, {
    'content-type': 'text/csv; charset=utf-8; header=present',
    'content-disposition': `attachment; filename="statement-${id}.csv"`,
    'cache-control': 'no-store',
  });
  await pipeline(
    Readable.from(statement.lines.map((line) => toRow(id, statement, line))),
    stringify({ header: true, columns: [...columns], escape_formulas: true, record_delimiter: 'windows' }),
    response,
  );
}

function toRow(
  id: string,
  statement: StatementWithLines,
  { evidence: _, ...line }: StatementLine,
): Readonly<Record<(typeof columns)[number], unknown>> {
  const { number, from, until, timeZone, days, currency, reason } = statement;
  const decimal = (amount: number | null) => (amount === null ? null : decimalOf({ amount, currency }));
  return {
    ...{ statement: id, number, timeZone, days, currency, reason },
    from: from.toISOString(),
    until: until.toISOString(),
    ...line,
    unitPrice: decimal(line.unitPrice),
    amount: decimal(line.amount),
    maxUsedAt: line.maxUsedAt?.toISOString() ?? null,
  };
}

const style = `
body { font: 14px/1.5 system-ui, sans-serif; color: #111; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem; margin: 0 }
table { border-collapse: collapse; width: 100%; margin: 1.5rem 0 }
th, td { text-align: left; padding: .35rem .5rem; border-bottom: 1px solid #bbb; vertical-align: top }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
tfoot td { border-bottom: 0; border-top: 2px solid #111; font-weight: bold }
small { color: #444 }
@media print { body { margin: 0; max-width: none } tr { break-inside: avoid } thead { display: table-header-group } }
`;

/** Nothing is loaded, run, framed or sent: the page’s one style is known by its hash. */
const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
} as const;

function answerPage(
  response: ServerResponse,
  organisation: Organisation,
  statement: StatementWithLines,
  catalogue: Catalogue,
): void {
  response.writeHead(200, pageHeaders).end(pageOf(organisation, statement, catalogue));
}

/** Text as HTML shows it, in an element or between quotes. */
function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function pageOf(
  { id: organisationId }: Organisation,
  statement: StatementWithLines,
  catalogue: Catalogue,
): string {
  const { number, correction, month, currency, timeZone, days, partialMonths, reason, complete } = statement;
  const instant = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeStyle: 'medium', timeZone });
  const money = (amount: number) => `${decimalOf({ amount, currency })} ${currency}`;
  const title =
    number === null ? 'Estimate' : correction === 0 ? `Statement ${number}` : `Correction ${number}`;
  const rows = statement.lines.map((line) => {
    const { licence, kind, quantity, seatDays, unitPrice, maxUsed, maxUsedAt, entry } = line;
    const name = licence === null ? 'Organisation' : (catalogue.get(licence)?.name ?? licence);
    const notes = [
      ...(entry === 'CREDIT' ? ['Credit of what was charged'] : []),
      ...(maxUsedAt === null ? [] : [`Highest use ${maxUsed}, first at ${instant.format(maxUsedAt)}`]),
      ...peakNotes(line),
      ...(line.evidence?.purchases ?? []).map(
        ({ quantity: bought, from, until, reference }) =>
          `${bought} from ${instant.format(from)}${until === null ? '' : ` until ${instant.format(until)}`}${reference === null ? '' : `, ${reference}`}`,
      ),
    ];
    const counted = seatDays === null ? `${quantity}` : `${quantity} (${seatDays} seat-days of ${days})`;
    const signed = moneyOf(line, currency);
    return `<tr><td>${escape(name)}${notes.map((note) => `<br><small>${escape(note)}</small>`).join('')}</td><td>${kindNames[kind]}</td>${[
      counted,
      unitPrice === null ? 'no price' : money(unitPrice),
      signed === null ? '–' : money(signed.amount),
    ]
      .map((cell) => `<td class="number">${escape(cell)}</td>`)
      .join('')}</tr>`;
  });
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(`${title} – ${statement.name}`)}</title><style>${style}</style></head>
<body>
<h1>${escape(title)}</h1>
<p>${escape(statement.name)}<br>
${escape(`${instant.format(statement.from)} until ${instant.format(statement.until)}, ${timeZone}`)}<br>
<small>${escape(encodeStatementId(organisationId, month, correction))}${correction === 0 ? '' : ` corrects ${escape(encodeStatementId(organisationId, month, 0))}`}</small></p>
${reason === null ? '' : `<p>${escape(reason)}</p>\n`}<table>
<thead><tr><th>Licence</th><th>Fee</th><th class="number">Quantity</th><th class="number">Unit price a month</th><th class="number">Amount</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
<tfoot><tr><td colspan="4">Total</td><td class="number">${escape(money(statement.total))}</td></tr></tfoot>
</table>
<p><small>${ruleNames[partialMonths]}${complete ? '' : ' Lines without a price are not in the total.'}</small></p>
</body>
</html>
`;
}

const maxLevels = 10;

/** The highest levels of use, and what the contract lets off. */
function peakNotes({ evidence }: StatementLine): string[] {
  const peak = evidence?.peak ?? null;
  if (peak === null) return [];
  const minutes = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 1 });
  const levels = (peak.explanation?.levels ?? [])
    .slice(-maxLevels)
    .map(
      ({ level, milliseconds }) => `${level} or more for ${minutes.format(milliseconds / 60_000)} minutes`,
    );
  return [
    ...(levels.length === 0 ? [] : [`In use: ${levels.join(', ')}`]),
    ...(peak.minimumPeakMinutes === 0
      ? []
      : [`Levels of less than ${peak.minimumPeakMinutes} minutes in the month are not billed`]),
  ];
}

const kindNames = {
  BASE: 'Base licences and fixed seats',
  CONCURRENT: 'Concurrent seats',
  CONTINGENCY: 'Contingency seats used',
  ACTIVE_USER: 'Active users',
} as const;

const ruleNames = {
  FULL_MONTH: 'Purchases are billed by the highest quantity in force at any instant of the month.',
  BY_DAY:
    'Purchases are billed by the day: of each day the highest quantity in force, for one day’s part of the monthly fee; a line is rounded once, half to even.',
} as const;
