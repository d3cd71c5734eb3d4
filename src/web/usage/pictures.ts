import type { Picture } from '../shell/chart.tsx';
import { count } from '../shell/zone.ts';
import { words } from '../words.ts';
import { type Bucket, inUse, type Peak, totalOf } from './buckets.ts';
import type { Span } from './span.ts';

/** Seats in use, contingency on top of concurrent ones, under what there was of both. */
export function seatsPicture(buckets: readonly Bucket[], { from, until }: Span, peak: Peak | null): Picture {
  const { concurrent, contingency, totals, all } = words.usage.chart;
  const hasContingency = buckets.some((bucket) => bucket.contingency.total + bucket.contingency.maximum > 0);
  const values = (read: (bucket: Bucket) => number) => buckets.map(read);
  return {
    times: timesOf(buckets),
    series: [
      ...(hasContingency
        ? [{ label: contingency, values: values(inUse), colour: 'warn', look: 'above' as const }]
        : []),
      {
        label: concurrent,
        values: values((bucket) => bucket.concurrent.maximum),
        colour: 'accent',
        look: 'filled',
      },
      { label: totals, values: values((bucket) => bucket.concurrent.total), colour: 'good', look: 'dashed' },
      ...(hasContingency
        ? [{ label: all, values: values(totalOf), colour: 'warn', look: 'dashed' as const }]
        : []),
    ],
    span: { from, until },
    mark:
      peak === null
        ? null
        : {
            at: peak.from,
            value: peak.seats,
            label: words.usage.chart.peak(count(peak.seats)),
            colour: 'bad',
          },
  };
}

/** Refusals, on the same axis of time. */
export function denialsPicture(buckets: readonly Bucket[], { from, until }: Span): Picture {
  return {
    times: timesOf(buckets),
    series: [
      {
        label: words.usage.chart.denials,
        values: buckets.map(({ denials }) => denials),
        colour: 'bad',
        look: 'filled',
      },
    ],
    span: { from, until },
  };
}

function timesOf(buckets: readonly Bucket[]): readonly string[] {
  return [...buckets.map(({ from }) => from), ...buckets.slice(-1).map(({ until }) => until)];
}
