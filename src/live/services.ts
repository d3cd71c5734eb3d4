import type { Database } from '../database/database.ts';
import type { By } from '../kernel/actor.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LicenceCode, OrganisationId } from '../kernel/ids.ts';
import type { Log } from '../kernel/log.ts';
import type { Lines } from '../kernel/lines.ts';
import type { Catalogue } from '../licence/domain.ts';
import type { Live } from './live.ts';

/** What every command works with. */
export interface Services {
  /** Shows and takes what is `by`’s tenants’ alone, whatever a statement says. */
  readonly db: Database;
  readonly clock: Clock;
  readonly live: Live;
  /** Perhaps a minute old, but with the licences that are wanted, where there are such. */
  readonly catalogue: (wanted?: readonly LicenceCode[]) => Promise<Catalogue>;
  readonly lines: Lines<OrganisationId>;
  readonly log: Log;
  /** On whose behalf; null: of nobody's, by itself. */
  readonly by: By | null;
}
