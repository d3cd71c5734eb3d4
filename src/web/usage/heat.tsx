import { useMemo } from 'react';
import { Lines } from '../shell/lines.tsx';
import { count, type Zone } from '../shell/zone.ts';
import { words } from '../words.ts';
import { type Bucket, inUse } from './buckets.ts';
import { Card } from './card.tsx';
import { WeeksDocument } from './documents.ts';
import { type Scope, useReading } from './reading.ts';

/** Four weeks: each hour four times. Clocks that were put on meanwhile made them shorter, by less than this. */
const [milliseconds, leeway] = [28 * 24 * 3_600_000, 2 * 3_600_000];
/** How dark a cell may be; 0 is none. */
const levels = 4;

interface Cell {
  readonly seats: number;
  readonly contingency: number;
}

/** When seats are in use: the most of each hour of the week, over the weeks before the end of what is shown. */
export function Heat({ scope, zone }: { readonly scope: Scope; readonly zone: Zone }) {
  const { title, about, corner, days, hour, onContingency, unknown } = words.usage.heat;
  const { organisation, row, span } = scope;
  const until = span.isRunning ? zone.nextDay(organisation.now) : span.until;
  const from = zone.startOfDay(new Date(Date.parse(until) - milliseconds + leeway).toISOString());
  const answer = useReading(scope, WeeksDocument, {
    ...{ organisationId: organisation.id, licence: row.licence.code },
    ...{ from, until },
  });
  const hours = answer.data?.organisation?.usageHistory;
  const cells = useMemo(() => cellsOf(hours ?? [], zone), [hours, zone]);
  const most = Math.max(1, ...[...cells.values()].map(({ seats }) => seats));
  if (hours == null) return <Card title={title} of={answer} />;
  return (
    <Card title={title} of={answer} className="heat">
      <p className="quiet">{about(zone.day(from), zone.lastDay(until), zone.name)}</p>
      <Lines label={title} columns={[corner, ...Array.from({ length: 24 }, (_, index) => hour(index))]}>
        {days.map((day, index) => (
          <tr key={day}>
            <th scope="row">{day}</th>
            {Array.from({ length: 24 }, (_, at) => {
              const cell = cells.get(24 * index + at);
              if (cell === undefined) {
                return (
                  <td key={at}>
                    <span className="unseen">{unknown}</span>
                  </td>
                );
              }
              const isReserve = cell.contingency > 0;
              return (
                <td
                  key={at}
                  className={isReserve ? 'contingency' : `heat${Math.ceil((levels * cell.seats) / most)}`}
                >
                  {count(cell.seats)}
                  {isReserve && <span className="unseen">{onContingency}</span>}
                </td>
              );
            })}
          </tr>
        ))}
      </Lines>
    </Card>
  );
}

function cellsOf(hours: readonly Bucket[], zone: Zone): ReadonlyMap<number, Cell> {
  const byHour = Map.groupBy(hours, ({ from }) => zone.hourOfWeek(from));
  return new Map(
    [...byHour].map(([hour, buckets]) => [
      hour,
      {
        seats: Math.max(...buckets.map(inUse)),
        contingency: Math.max(...buckets.map(({ contingency }) => contingency.maximum)),
      },
    ]),
  );
}
