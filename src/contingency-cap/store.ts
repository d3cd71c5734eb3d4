import { sql } from 'kysely';
import type { Database } from '../database/database.ts';
import type { LicenceCode, OrganisationId } from '../kernel/ids.ts';
import type { ContingencyCaps } from './domain.ts';

/** The caps that are set, of every licence that has any. */
export async function listCaps(
  db: Database,
  organisationId: OrganisationId,
): Promise<
  {
    readonly licence: LicenceCode;
    readonly contingencyCap: number | null;
    readonly caps: ContingencyCaps;
  }[]
> {
  return db
    .selectFrom('poolWatch')
    .select(['licence', 'contingencyCap', sql<ContingencyCaps>`caps`.as('caps')])
    .where('organisationId', '=', organisationId)
    .where('caps', 'is not', null)
    .execute();
}
