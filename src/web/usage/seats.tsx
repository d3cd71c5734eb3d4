import { useMemo } from 'react';
import { useLater } from '../shell/later.tsx';
import { Lines } from '../shell/lines.tsx';
import { count, type Zone } from '../shell/zone.ts';
import { words } from '../words.ts';
import { type Bucket, busiest, inUse, type Peak, stretches, totalOf } from './buckets.ts';
import { Card } from './card.tsx';
import { CloserDocument, type UsageQuery } from './documents.ts';
import { denialsPicture, seatsPicture } from './pictures.ts';
import { type Scope, useReading } from './reading.ts';

type PeakUsage = NonNullable<NonNullable<UsageQuery['organisation']>['peakUsage']>;

const loadChart = async () => (await import('../shell/chart.tsx')).Chart;
/** In pixels, without the legends. */
const [seatsHeight, denialsHeight] = [260, 110];

/** Seats in use over the time that is shown, refusals below them, and both as a table. */
export function Seats({
  scope,
  buckets,
  peakUsage,
  zone,
}: {
  readonly scope: Scope;
  readonly buckets: readonly Bucket[];
  readonly peakUsage: PeakUsage | null;
  readonly zone: Zone;
}) {
  const { title, none, nothing, refused } = words.usage.chart;
  const { span } = scope;
  const Chart = useLater(loadChart, true);
  const peak = usePeak(scope, buckets, peakUsage);
  const seats = useMemo(
    () => seatsPicture(buckets, span, peak),
    [buckets, span.from, span.until, peak?.seats, peak?.from],
  );
  const denials = useMemo(() => denialsPicture(buckets, span), [buckets, span.from, span.until]);
  const denialCount = buckets.reduce((sum, bucket) => sum + bucket.denials, 0);
  return (
    <Card title={title}>
      <p className="told">
        {buckets.length === 0 ? nothing : peak === null ? none : sentenceOf(peak, scope, zone)}{' '}
        {buckets.length > 0 && refused(count(denialCount))}
      </p>
      {buckets.length > 0 && (
        <>
          <div className="plot large">
            {Chart !== null && <Chart picture={seats} zone={zone} height={seatsHeight} />}
          </div>
          <div className="plot small">
            {Chart !== null && <Chart picture={denials} zone={zone} height={denialsHeight} />}
          </div>
          <Table scope={scope} buckets={buckets} zone={zone} />
        </>
      )}
    </Card>
  );
}

/** Where use was highest first: by the instant where the month's peak is the same, or else by five minutes. */
function usePeak(scope: Scope, buckets: readonly Bucket[], peakUsage: PeakUsage | null): Peak | null {
  const { organisation, row, span } = scope;
  const found = busiest(buckets);
  const isExact =
    found !== undefined &&
    peakUsage !== null &&
    peakUsage.maxUsedAt !== null &&
    found.from <= peakUsage.maxUsedAt &&
    peakUsage.maxUsedAt < found.until &&
    peakUsage.inUse === inUse(found);
  const { data } = useReading(
    scope,
    CloserDocument,
    {
      ...{ organisationId: organisation.id, licence: row.licence.code },
      ...{ from: found?.from ?? '', until: found?.until ?? '' },
    },
    found !== undefined && !isExact && span.bucket !== 'MINUTE_5',
  );
  if (found === undefined) return null;
  const [seats, total] = [inUse(found), totalOf(found)];
  if (isExact && peakUsage.maxUsedAt !== null) {
    return { seats, total, from: peakUsage.maxUsedAt, until: peakUsage.maxUsedAt };
  }
  const closer = data?.organisation?.usageHistory?.find(
    (bucket) => found.from <= bucket.from && bucket.until <= found.until && inUse(bucket) === seats,
  );
  const { from, until } = closer ?? found;
  return { seats, total, from, until };
}

function sentenceOf({ seats, total, from, until }: Peak, { span }: Scope, zone: Zone): string {
  const { exactly, between } = words.usage.chart;
  const moment = span.by === 'day' ? zone.minute : zone.moment;
  return from === until
    ? exactly(count(seats), count(total), span.by === 'day' ? zone.second(from) : zone.moment(from))
    : between(count(seats), count(total), moment(from), zone.minute(until));
}

function Table({
  scope: { span },
  buckets,
  zone,
}: {
  readonly scope: Scope;
  readonly buckets: readonly Bucket[];
  readonly zone: Zone;
}) {
  const { table, columns } = words.usage.chart;
  const moment = span.by === 'day' ? zone.minute : zone.moment;
  return (
    <details>
      <summary>{table}</summary>
      <Lines
        label={table}
        columns={Object.entries(columns).map(([name, column]) =>
          name === 'when' ? column : [column, 'figure'],
        )}
      >
        {stretches(buckets, span, zone).map(({ from, label, peak, contingency, denials }) => (
          <tr key={from}>
            <th scope="row">{label}</th>
            <td className="figure">{count(inUse(peak))}</td>
            <td className="figure">{inUse(peak) === 0 ? '–' : moment(peak.from)}</td>
            <td className="figure">{count(totalOf(peak))}</td>
            <td className={contingency > 0 ? 'figure contingency' : 'figure'}>{count(contingency)}</td>
            <td className={denials > 0 ? 'figure refused' : 'figure'}>{count(denials)}</td>
          </tr>
        ))}
      </Lines>
    </details>
  );
}
