import { memo } from 'react';
import { count, type Zone } from '../shell/zone.ts';
import { words } from '../words.ts';
import type { Spark as Hours } from './figures.ts';

const [barWidth, gap, height] = [3, 1, 22] as const;
/** The day on which clocks are put back by an hour. */
const longestDay = 25;
const width = longestDay * (barWidth + gap);

/** The most seats in use at one time in each hour. */
export function inUse({ concurrent, contingency }: Hours[number]): number {
  return concurrent.maximum + contingency.maximum;
}

/** A day, a bar an hour: concurrent seats, and contingency on top of them, of all that were bought. */
export const Spark = memo(function Spark({ hours, zone }: { readonly hours: Hours; readonly zone: Zone }) {
  const most = Math.max(...hours.map(inUse));
  const total = Math.max(...hours.map(({ concurrent, contingency }) => concurrent.total + contingency.total));
  const scale = (height - 1) / Math.max(most, total, 1);
  const peak = hours.find((hour) => inUse(hour) === most);
  const label =
    peak === undefined || most === 0
      ? words.mapping.sparkNone
      : words.mapping.spark(count(most), count(total), zone.minute(peak.from));
  return (
    <svg
      className="spark"
      role="img"
      aria-label={label}
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
    >
      <title>{label}</title>
      <path className="floor" d={`M0 ${height - 0.5}H${width}`} />
      {hours.map((hour, index) => {
        const [low, high] = [hour.concurrent.maximum * scale, hour.contingency.maximum * scale];
        const x = index * (barWidth + gap);
        return (
          <g key={hour.from}>
            <rect className="concurrent" x={x} y={height - low} width={barWidth} height={low} />
            <rect className="contingency" x={x} y={height - low - high} width={barWidth} height={high} />
          </g>
        );
      })}
    </svg>
  );
});
