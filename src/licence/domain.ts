import type { LicenceCode } from '../kernel/ids.ts';
import { isRefusal, type NotFound, notFound } from '../kernel/refusal.ts';

export type LicenceCategory = 'USER' | 'FEATURE' | 'PRODUCT';
export type SeatModel = 'CONCURRENT' | 'FIXED';

/** Anything that an organisation buys seats of: a licence type (USER or PRODUCT) or a feature licence (FEATURE). */
export interface Licence {
  readonly code: LicenceCode;
  /** Catalogue order. */
  readonly position: number;
  readonly name: string;
  readonly category: LicenceCategory;
  readonly seatModel: SeatModel;
  readonly contingencyAllowed: boolean;
  /** A feature that counts as a channel for L4. */
  readonly channel: boolean;
  /** A licence type whose logon needs at least one channel (L4). */
  readonly channelRequired: boolean;
  readonly secondFactorRequired: boolean;
  /** Length of a base licence's period, in days of 24 h (B1); 0 for features (B7). */
  readonly reassignmentDays: number;
}

/** Every licence that can be bought, in catalogue order. */
export type Catalogue = ReadonlyMap<LicenceCode, Licence>;

/** Whether each holder occupies a base licence or fixed seat: all but concurrent features do (P3, B7). */
export function hasBaseLicences(licence: Licence): boolean {
  return licence.category !== 'FEATURE' || licence.seatModel === 'FIXED';
}

export function isFeature(licence: Licence): boolean {
  return licence.category === 'FEATURE';
}

/** The given codes' licences in catalogue order, each once; codes that the catalogue lacks are left out. */
export function inCatalogueOrder(catalogue: Catalogue, codes: Iterable<LicenceCode>): Licence[] {
  const wanted = new Set(codes);
  return [...catalogue.values()].filter((licence) => wanted.has(licence.code));
}

/** The licence that a client named, or NOT_FOUND. */
export function findLicence(catalogue: Catalogue, code: string): Licence | NotFound {
  return catalogue.get(code as LicenceCode) ?? notFound(`licence as “${code}” in the catalogue`);
}

/** The licences that a client named, in catalogue order; the first that the catalogue lacks is NOT_FOUND. */
export function findLicences(catalogue: Catalogue, codes: readonly string[]): Licence[] | NotFound {
  const found = codes.map((code) => findLicence(catalogue, code));
  return found.find(isRefusal) ?? inCatalogueOrder(catalogue, codes as readonly LicenceCode[]);
}
