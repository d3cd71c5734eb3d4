import { Lines } from '../shell/lines.tsx';
import { count, duration, type Zone } from '../shell/zone.ts';
import { words } from '../words.ts';
import { Card } from './card.tsx';
import { RefusalsDocument } from './documents.ts';
import { type Scope, useReading } from './reading.ts';

/** Refusals of the time that is shown, as demand: why, of how many, and whether they got in. */
export function Refusals({ scope, zone }: { readonly scope: Scope; readonly zone: Zone }) {
  const { title, none, summary, unmet, noUnmet, columns } = words.usage.refusals;
  const { organisation, row, span } = scope;
  const answer = useReading(scope, RefusalsDocument, {
    ...{ organisationId: organisation.id, licence: row.licence.code },
    ...{ from: span.from, until: span.until },
  });
  const report = answer.data?.organisation?.denialReport;
  if (report == null) return <Card title={title} of={answer} />;
  const [of] = report.licences;
  if (of === undefined) {
    return (
      <Card title={title} of={answer}>
        <p className="quiet">{none}</p>
      </Card>
    );
  }
  const known = (value: number | null) => (value === null ? '–' : count(value));
  const time = (value: number | null) => (value === null ? '–' : duration(value));
  const codes = words.detail.denials.codes;
  return (
    <Card title={title} of={answer}>
      <p>
        <strong>{summary(count(of.denials), count(of.users))}</strong> {of.unmetDemand === 0 && noUnmet}
        {of.unmetDemand !== null &&
          of.unmetDemandAt !== null &&
          unmet(count(of.unmetDemand), (span.by === 'day' ? zone.minute : zone.moment)(of.unmetDemandAt))}
      </p>
      {of.dropped !== null && <p className="dropped">{of.dropped.message}</p>}
      <Lines
        label={title}
        columns={Object.entries(columns).map(([name, column]) =>
          name === 'reason' ? column : [column, 'figure'],
        )}
      >
        {of.reasons.map((reason) => (
          <tr key={reason.code}>
            <th scope="row">{codes[reason.code] ?? reason.code}</th>
            <td className="figure">{count(reason.denials)}</td>
            <td className="figure">{count(reason.users)}</td>
            <td className="figure">{known(reason.gotIn)}</td>
            <td className="figure">{time(reason.medianMilliseconds)}</td>
            <td className="figure">{time(reason.ninetiethPercentileMilliseconds)}</td>
            <td className="figure">{known(reason.neverGotIn)}</td>
            <td className="figure">{known(reason.waiting)}</td>
          </tr>
        ))}
      </Lines>
    </Card>
  );
}
