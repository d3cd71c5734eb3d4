import type { Zone } from '../shell/zone.ts';
import { Heat } from './heat.tsx';
import type { Scope } from './reading.ts';

/** What stands below the chart, and is loaded after it. */
export function Sections({ scope, zone }: { readonly scope: Scope; readonly zone: Zone }) {
  return <Heat scope={scope} zone={zone} />;
}
