import { useMay } from '../shell/context.ts';
import type { Zone } from '../shell/zone.ts';
import { Alerts } from './alerts.tsx';
import { Heat } from './heat.tsx';
import { Peak } from './peak.tsx';
import type { Scope } from './reading.ts';
import { Refusals } from './refusals.tsx';
import { Statement } from './statement.tsx';
import { WhatIf } from './what-if.tsx';

/** What stands below the chart, and is loaded after it: each part where one may see it. */
export function Sections({ scope, zone }: { readonly scope: Scope; readonly zone: Zone }) {
  const hasPeak = useMay('Organisation.peakUsage') && scope.row.contingency !== null;
  const mayRefusals = useMay('Organisation.denialReport');
  const mayStatement = useMay('Organisation.billingStatement');
  const mayWhatIf = useMay('Organisation.rightSizing');
  const mayAlerts = useMay('Organisation.alerts');
  return (
    <>
      <div className="pair">
        {mayRefusals && <Refusals scope={scope} zone={zone} />}
        {hasPeak && <Peak scope={scope} zone={zone} />}
      </div>
      <Heat scope={scope} zone={zone} />
      <div className="pair">
        {mayStatement && <Statement scope={scope} zone={zone} />}
        {mayWhatIf && <WhatIf scope={scope} zone={zone} />}
      </div>
      {mayAlerts && <Alerts scope={scope} zone={zone} />}
    </>
  );
}
