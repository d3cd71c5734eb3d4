import { Lines } from '../shell/lines.tsx';
import { count, money, type Zone } from '../shell/zone.ts';
import { words } from '../words.ts';
import { Card } from './card.tsx';
import { StatementDocument, type StatementQuery } from './documents.ts';
import { type Scope, useReading } from './reading.ts';

type Found = NonNullable<NonNullable<StatementQuery['organisation']>['billingStatement']>;
type Line = Found['lines'][number];

/** What the month costs: of all licences, the one that is shown marked. */
export function Statement({ scope, zone }: { readonly scope: Scope; readonly zone: Zone }) {
  const { title, none, statuses, incomplete, columns, sum, correction, csv, print } = words.usage.statement;
  const { organisation, row, span } = scope;
  const answer = useReading(scope, StatementDocument, {
    organisationId: organisation.id,
    period: span.period,
  });
  const statement = answer.data?.organisation?.billingStatement;
  if (statement == null) {
    // A month of before statements were kept has none, and the server says so.
    const isNotKept = answer.code === 'MONTH_NOT_KEPT';
    if (!isNotKept && (answer.data === undefined || answer.problem !== null)) {
      return <Card title={title} of={answer} />;
    }
    return (
      <Card title={title}>
        <p className="quiet">{isNotKept ? answer.problem : none}</p>
      </Card>
    );
  }
  const { period, status, number, total } = statement;
  return (
    <Card title={title} of={answer}>
      <p>
        <strong>{statuses[status](count(number ?? 0))}</strong>{' '}
        <span className="quiet">
          {words.usage.tools.range(zone.day(period.from), zone.lastDay(period.until))}
        </span>
      </p>
      <Lines
        label={title}
        columns={[
          columns.line,
          [columns.quantity, 'figure'],
          [columns.unit, 'figure'],
          [columns.amount, 'figure'],
        ]}
      >
        {statement.lines.map((line) => (
          <tr
            key={`${line.entry} ${line.licence?.code} ${line.kind}`}
            className={line.licence?.code === row.licence.code ? 'own' : ''}
          >
            <th scope="row">{nameOf(line)}</th>
            <td className="figure">{count(line.quantity)}</td>
            <td className="figure">{moneyOrNone(line.unitPrice)}</td>
            <td className="figure">{moneyOrNone(line.amount)}</td>
          </tr>
        ))}
        <tr className="sum">
          <th scope="row" colSpan={3}>
            {sum}
          </th>
          <td className="figure">{money(total.decimal, total.currency)}</td>
        </tr>
      </Lines>
      {!statement.complete && <p className="quiet">{incomplete}</p>}
      {statement.corrections.map((each) => (
        <p key={each.id}>
          {correction(count(each.number ?? 0), each.reason ?? '')}{' '}
          {money(each.total.decimal, each.total.currency)}
        </p>
      ))}
      <p className="links">
        <a href={`/statements/${statement.id}.csv`}>{csv}</a>
        <a href={`/statements/${statement.id}.html`}>{print}</a>
      </p>
    </Card>
  );
}

function nameOf({ licence, kind }: Line): string {
  const { line, users, kinds } = words.usage.statement;
  return line(licence?.name ?? users, kinds[kind]);
}

function moneyOrNone(amount: Line['amount']): string {
  return amount === null ? words.usage.statement.noPrice : money(amount.decimal, amount.currency);
}
