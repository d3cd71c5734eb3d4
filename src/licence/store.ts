import type { Database } from '../database/database.ts';
import type { Catalogue } from './domain.ts';

/** Every licence that can be bought, in catalogue order: a few dozen rows. */
export async function listCatalogue(db: Database): Promise<Catalogue> {
  const licences = await db.selectFrom('licence').selectAll().orderBy('position').execute();
  return new Map(licences.map((licence) => [licence.code, licence]));
}
