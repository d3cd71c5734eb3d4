import type { Instant } from '../../kernel/clock.ts';

/** What the simulator has to know of a licence; read from the server's own catalogue. */
export interface CatalogueLicence {
  readonly code: string;
  readonly category: 'USER' | 'FEATURE' | 'PRODUCT';
  readonly seatModel: 'CONCURRENT' | 'FIXED';
  readonly contingencyAllowed: boolean;
  /** A feature that counts as a channel. */
  readonly channel: boolean;
  /** A licence type whose logon needs a channel. */
  readonly channelRequired: boolean;
  readonly secondFactorRequired: boolean;
}

/** By code, in catalogue order. */
export type Catalogue = ReadonlyMap<string, CatalogueLicence>;

/** What is going to happen in every organisation, before anything was sent: a pure function of the options. */
export interface Plan {
  readonly organisations: readonly PlannedOrganisation[];
}

export interface PlannedOrganisation {
  readonly name: string;
  /** Where its test clock starts. */
  readonly from: Instant;
  /** Where its test clock is left. */
  readonly until: Instant;
  readonly leaseSeconds: number;
  readonly purchases: readonly PlannedPurchase[];
  readonly users: readonly PlannedUser[];
  /** In order of time. */
  readonly events: readonly PlannedEvent[];
}

export interface PlannedPurchase {
  readonly licence: string;
  readonly base: number;
  readonly concurrent: number;
  readonly contingency: number;
}

export interface PlannedUser {
  readonly username: string;
  readonly displayName: string;
  readonly status: 'ACTIVE' | 'PRE_ACTIVE';
  readonly licences: readonly string[];
}

/** Something that a user, a device or an administrator does. */
export type PlannedEvent = { readonly at: Instant; readonly username: string } & (
  | {
      readonly kind: 'LOGON';
      readonly device: string;
      readonly licence: string;
      /** null: all the user's features. */
      readonly features: readonly string[] | null;
      /** Another attempt: made only where the device is not logged on by then. */
      readonly onlyIfLoggedOff: boolean;
    }
  | { readonly kind: 'LOGOFF'; readonly device: string }
  | { readonly kind: 'ACQUIRE' | 'RELEASE'; readonly device: string; readonly features: readonly string[] }
  /** The device crashes: it sends nothing any more, and its session is left to its lease. */
  | { readonly kind: 'CRASH'; readonly device: string }
  /** The device is back and renews the session that it believes to have. */
  | { readonly kind: 'WAKE'; readonly device: string }
  | { readonly kind: 'ACTIVATE' | 'DELETE' }
);

/** Long enough that renewals are not all that is measured, short enough that a crash is felt within the hour. */
export const leaseSeconds = 1800;

/** The earliest first; what happens at one instant keeps its order. */
export function inOrderOfTime(events: readonly PlannedEvent[]): PlannedEvent[] {
  return events.toSorted((one, other) => one.at.getTime() - other.at.getTime());
}

/** The features among a user's licences, in the user's order. */
export function featuresOf(licences: readonly string[], catalogue: Catalogue): string[] {
  return licences.filter((code) => catalogue.get(code)?.category === 'FEATURE');
}
