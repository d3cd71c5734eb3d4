import type { Zone } from '../shell/zone.ts';
import { words } from '../words.ts';
import { Card } from './card.tsx';
import { AlertsDocument } from './documents.ts';
import { type Scope, useReading } from './reading.ts';

/** What was told of the licence, and nobody has acknowledged. */
export function Alerts({ scope, zone }: { readonly scope: Scope; readonly zone: Zone }) {
  const { title, none } = words.usage.alerts;
  const { organisation, row } = scope;
  const answer = useReading(scope, AlertsDocument, { organisationId: organisation.id });
  const alerts = answer.data?.organisation?.alerts?.edges
    .map(({ node }) => node)
    .filter(({ licence }) => licence.code === row.licence.code);
  if (alerts === undefined) return <Card title={title} of={answer} />;
  return (
    <Card title={title} of={answer}>
      {alerts.length === 0 ? (
        <p className="quiet">{none}</p>
      ) : (
        <ul className="alerts">
          {alerts.map(({ id, at, message }) => (
            <li key={id}>
              <span className="quiet">{zone.moment(at)}</span> <span>{message}</span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}
