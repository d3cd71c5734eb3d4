import type { Database } from '../database/database.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LicenceCode } from '../kernel/ids.ts';
import type { Catalogue } from './domain.ts';

/** Every licence that can be bought, in catalogue order: a few dozen rows. */
async function listCatalogue(db: Database): Promise<Catalogue> {
  const licences = await db.selectFrom('licence').selectAll().orderBy('position').execute();
  return new Map(licences.map((licence) => [licence.code, licence]));
}

const keptMilliseconds = 60_000;

/**
 * Reads the catalogue once a minute at most: only a migration changes it.
 * @returns the catalogue; read anew where it lacks a licence that is looked for
 */
export function createCatalogue(
  db: Database,
  clock: Clock,
): (wanted?: readonly LicenceCode[]) => Promise<Catalogue> {
  let kept: { readonly catalogue: Promise<Catalogue>; readonly until: number } | null = null;

  function read(): Promise<Catalogue> {
    const catalogue = listCatalogue(db);
    const reading = { catalogue, until: clock.now().getTime() + keptMilliseconds };
    kept = reading;
    catalogue.catch(() => {
      if (kept === reading) kept = null;
    });
    return catalogue;
  }

  return async (wanted = []) => {
    if (kept === null || clock.now().getTime() >= kept.until) return read();
    const catalogue = await kept.catalogue;
    return wanted.every((code) => catalogue.has(code)) ? catalogue : read();
  };
}
