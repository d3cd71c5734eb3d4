import { memo } from 'react';
import { count, type Zone } from '../shell/zone.ts';
import { words } from '../words.ts';
import type { Buckets } from './past.ts';

const [width, height] = [1000, 100];

/** Today, from midnight to midnight: plain paths, which are laid out anew with the screen and keep nothing. */
export const Curve = memo(function Curve({
  buckets: known,
  from,
  until,
  zone,
}: {
  /** undefined: not read yet. */
  readonly buckets: Buckets | undefined;
  readonly from: string;
  readonly until: string;
  readonly zone: Zone;
}) {
  const buckets = known ?? [];
  const inUse = buckets.map(({ concurrent, contingency }) => concurrent.maximum + contingency.maximum);
  const totals = buckets.map(({ concurrent }) => concurrent.total);
  const most = Math.max(0, ...inUse);
  const peak = buckets[inUse.indexOf(most)];
  const label =
    known === undefined
      ? words.wallboard.curveUnknown
      : peak === undefined || most === 0
        ? words.wallboard.curveNone
        : words.wallboard.curve(count(most), zone.minute(peak.from));
  const [start, span] = [Date.parse(from), Date.parse(until) - Date.parse(from)];
  const top = Math.max(1, most, ...totals);
  const x = (at: string) => (width * (Date.parse(at) - start)) / span;
  const y = (seats: number) => height - (height * seats) / top;
  const steps = (values: readonly number[]) => {
    const ends = [...buckets.slice(1).map((bucket) => x(bucket.from)), x(buckets.at(-1)?.until ?? from)];
    return values.map((value, index) => `V${y(value).toFixed(1)}H${(ends[index] ?? 0).toFixed(1)}`).join('');
  };
  const begin = `M${x(buckets[0]?.from ?? from).toFixed(1)} ${height}`;
  const line = begin + steps(inUse);
  return (
    <figure className="curve">
      <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
        {buckets.length > 0 && (
          <>
            <path className="area" d={`${line}V${height}Z`} />
            <path className="total" d={`M0 ${y(totals[0] ?? 0)}${steps(totals)}`} />
            <path className="line" d={line} />
          </>
        )}
        <path className="floor" d={`M0 ${height}H${width}`} />
      </svg>
      <figcaption>{label}</figcaption>
    </figure>
  );
});
