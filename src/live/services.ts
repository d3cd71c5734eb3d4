import type { Database } from '../database/database.ts';
import type { Clock } from '../kernel/clock.ts';
import type { OrganisationId } from '../kernel/ids.ts';
import type { Log } from '../kernel/log.ts';
import type { Lines } from '../kernel/lines.ts';
import type { Live } from './live.ts';

/** What every command works with. */
export interface Services {
  readonly db: Database;
  readonly clock: Clock;
  readonly live: Live;
  readonly lines: Lines<OrganisationId>;
  readonly log: Log;
}
