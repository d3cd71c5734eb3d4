import type { Zone } from '../shell/zone.ts';
import type { BucketFragment } from './documents.ts';
import type { Span } from './span.ts';

export type Bucket = BucketFragment;

/** Where use was highest first. */
export interface Peak {
  readonly seats: number;
  readonly total: number;
  readonly from: string;
  /** The same as `from` where the instant is known. */
  readonly until: string;
}

/** The most seats in use at one time, contingency included. */
export function inUse({ concurrent, contingency }: Bucket): number {
  return concurrent.maximum + contingency.maximum;
}

export function totalOf({ concurrent, contingency }: Bucket): number {
  return concurrent.total + contingency.total;
}

/** The first of those in which most seats were in use; undefined: none were. */
export function busiest(buckets: readonly Bucket[]): Bucket | undefined {
  const most = Math.max(0, ...buckets.map(inUse));
  return most === 0 ? undefined : buckets.find((bucket) => inUse(bucket) === most);
}

/** A line of the table that has what the chart shows: an hour of a day, or a day. */
export interface Stretch {
  readonly from: string;
  readonly label: string;
  readonly peak: Bucket;
  readonly contingency: number;
  readonly denials: number;
}

export function stretches(buckets: readonly Bucket[], { by }: Span, zone: Zone): readonly Stretch[] {
  const parts: Iterable<readonly Bucket[]> =
    by === 'day' ? hoursOf(buckets, zone) : Map.groupBy(buckets, ({ from }) => zone.date(from)).values();
  return [...parts].flatMap((together) => {
    const [first] = together;
    if (first === undefined) return [];
    return {
      from: first.from,
      label: (by === 'day' ? zone.minute : zone.weekday)(first.from),
      peak: busiest(together) ?? first,
      contingency: Math.max(...together.map(({ contingency }) => contingency.maximum)),
      denials: together.reduce((sum, { denials }) => sum + denials, 0),
    };
  });
}

/**
 * By the hours of the zone’s clocks, which need not begin with those of UTC. An hour that comes twice is two; one of which a
 * part comes twice goes on.
 */
function hoursOf(buckets: readonly Bucket[], zone: Zone): readonly (readonly Bucket[])[] {
  const hours: Bucket[][] = [];
  let before: string | undefined;
  for (const bucket of buckets) {
    const [, hour, minute] = /^(\d+):(\d+)/.exec(zone.minute(bucket.from)) ?? [];
    const present = hours.at(-1);
    if (present === undefined || minute === '00' || hour !== before) hours.push([bucket]);
    else present.push(bucket);
    before = hour;
  }
  return hours;
}
