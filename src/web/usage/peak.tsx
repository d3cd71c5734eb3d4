import { useMay } from '../shell/context.ts';
import { Lines } from '../shell/lines.tsx';
import { count, duration, type Zone } from '../shell/zone.ts';
import { words } from '../words.ts';
import { Card } from './card.tsx';
import { PeakDocument, type PeakQuery } from './documents.ts';
import { type Scope, useReading } from './reading.ts';

type Explained = NonNullable<NonNullable<PeakQuery['organisation']>['peakUsage']>;

/** Why the month's contingency peak is what it is, and who held seats then. */
export function Peak({ scope, zone }: { readonly scope: Scope; readonly zone: Zone }) {
  const { title, period, none, billed, episodes } = words.usage.peak;
  const { organisation, row, span } = scope;
  const answer = useReading(scope, PeakDocument, {
    ...{ organisationId: organisation.id, licence: row.licence.code, period: span.period },
    people: useMay('PeakUsage.holders'),
  });
  const peak = answer.data?.organisation?.peakUsage;
  if (peak == null) return <Card title={title} of={answer} />;
  return (
    <Card title={title} of={answer}>
      <p className="quiet">{period(zone.day(peak.period.from), zone.lastDay(peak.period.until))}</p>
      <p>
        {peak.maxUsed === 0 ? none : <strong>{summaryOf(peak, zone)}</strong>}{' '}
        {peak.causedBy != null && causeOf(peak.causedBy)}
      </p>
      {peak.maxUsed > 0 && (
        <p>
          {peak.billed !== null && billed(count(peak.billed))}{' '}
          {peak.episodeCount !== null && episodes(count(peak.episodeCount))}
        </p>
      )}
      {peak.dropped !== null && <p className="dropped">{peak.dropped.message}</p>}
      {peak.levels !== null && peak.levels.length > 0 && <Levels levels={peak.levels} />}
      {peak.holders != null && peak.holders.edges.length > 0 && (
        <Holders holders={peak.holders} zone={zone} since={peak.maxUsedAt ?? ''} />
      )}
    </Card>
  );
}

function summaryOf({ maxUsed, maxUsedAt }: Explained, zone: Zone): string {
  const { summary, most } = words.usage.peak;
  return maxUsedAt === null ? most(count(maxUsed)) : summary(count(maxUsed), zone.moment(maxUsedAt));
}

function causeOf({ kind, user, session }: NonNullable<Explained['causedBy']>): string | null {
  const { causes } = words.usage.peak;
  if (kind !== 'ACQUIRED') return causes[kind];
  return user === null || session === null ? null : causes.ACQUIRED(user.displayName, session.device);
}

function Levels({ levels }: { readonly levels: NonNullable<Explained['levels']> }) {
  const { levels: label, level, lasted } = words.usage.peak;
  return (
    <Lines label={label} columns={[level, [lasted, 'figure']]}>
      {levels.map(({ seats, milliseconds }) => (
        <tr key={seats}>
          <th scope="row">{count(seats)}</th>
          <td className="figure">{duration(milliseconds)}</td>
        </tr>
      ))}
    </Lines>
  );
}

function Holders({
  holders: { edges, totalCount },
  zone,
  since: at,
}: {
  readonly holders: NonNullable<Explained['holders']>;
  readonly zone: Zone;
  /** When the peak was: what is of the same day is told without it. */
  readonly since: string;
}) {
  const { holders, who, since, sinceBefore } = words.usage.peak;
  return (
    <details>
      <summary>
        {holders} <span className="quiet">{count(totalCount ?? edges.length)}</span>
      </summary>
      <Lines label={holders} columns={[who, [since, 'figure']]}>
        {edges.map(({ node }) => (
          <tr key={node.user.id}>
            <th scope="row">{node.user.displayName}</th>
            <td className="figure">
              {node.since === null
                ? sinceBefore
                : (zone.date(node.since) === zone.date(at) ? zone.minute : zone.moment)(node.since)}
            </td>
          </tr>
        ))}
      </Lines>
      {totalCount !== null && totalCount > edges.length && (
        <p className="quiet">{words.lines.shown(count(edges.length), count(totalCount))}</p>
      )}
    </details>
  );
}
