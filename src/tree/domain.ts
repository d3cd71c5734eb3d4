import type { LicenceCode } from '../kernel/ids.ts';

/** An organisation and all below it. */
export interface Tree {
  /** How many they are, itself included. */
  readonly organisations: number;
  readonly activeUsers: number;
  readonly activeInBillingPeriod: number;
  /** Of each licence that any of them has a row of (C6), in catalogue order. */
  readonly licences: readonly TreeLicence[];
}

/** Sums over the organisations' pools of one licence, each as its own row shows it (B5, C1, C2, C3, P2). */
export interface TreeLicence {
  readonly licence: LicenceCode;
  /** How many have a row of it. */
  readonly organisations: number;
  readonly holders: number;
  readonly baseTotal: number;
  readonly baseUsed: number;
  readonly baseReusable: number;
  readonly baseAvailable: number;
  readonly baseOverAllocated: number;
  readonly concurrentTotal: number;
  readonly concurrentUsed: number;
  readonly concurrentAvailable: number;
  readonly concurrentOverAllocated: number;
  readonly contingencyTotal: number;
  readonly contingencyUsed: number;
  readonly contingencyAvailable: number;
  readonly maxUsed: number;
  readonly paidHeadroom: number;
}
