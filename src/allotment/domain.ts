import type { DepartmentId, LicenceCode } from '../kernel/ids.ts';
import { type InvalidInput, invalidInput, type Refusal } from '../kernel/refusal.ts';
import { contingencyLimit, type Counters } from '../usage/domain.ts';

/** Some of an organisation's users. A user is in one department or in none. */
export interface Department {
  readonly id: DepartmentId;
  /** Unique in the organisation, in whatever case. */
  readonly name: string;
}

/** A department's part of its organisation's shared seats of one licence, concurrent and contingency alike. */
export interface Allotment {
  readonly departmentId: DepartmentId;
  /** So many seats nobody else takes the last of. */
  readonly reserved: number;
  /** null: as many as there are. */
  readonly maximum: number | null;
  /** Holds of its members. */
  readonly inUse: number;
}

/** What is looked at of a pool. */
type Seats = Pick<
  Counters,
  'concurrentTotal' | 'contingencyTotal' | 'contingencyCap' | 'maxUsed' | 'inUse' | 'allotments'
>;

export interface AllotmentFull extends Refusal<'ALLOTMENT_FULL'> {
  readonly licence: LicenceCode;
}

export const maxDepartments = 100;

/**
 * How many more seats the members of a department can take; of users without one (`null`) the same. What others have
 * reserved and not taken is not theirs to take, nor are contingency seats that a cap closes anybody's (W1). Where purchases
 * ended, or are capped, and fewer seats are left than are reserved, the departments that have not taken theirs take what
 * there is in the order in which they come.
 */
export function availableTo(pool: Seats, departmentId: DepartmentId | null): number {
  const { concurrentTotal, inUse, allotments } = pool;
  const free = Math.max(0, concurrentTotal + contingencyLimit(pool) - inUse);
  const own = allotments.find((allotment) => allotment.departmentId === departmentId);
  let reservedForOthers = 0;
  for (const allotment of allotments) if (allotment !== own) reservedForOthers += stillReserved(allotment);
  const unreserved = free - reservedForOthers;
  if (own === undefined) return Math.max(0, unreserved);
  const available = Math.max(unreserved, Math.min(free, stillReserved(own)));
  return own.maximum === null ? available : Math.max(0, Math.min(available, own.maximum - own.inUse));
}

function stillReserved({ reserved, inUse }: Allotment): number {
  return Math.max(0, reserved - inUse);
}

/**
 * What changes of a pool's allotments when a member of the department takes (1) or frees (−1) a seat. A count that is
 * wrong, which `verify` finds, keeps nobody from freeing one.
 */
export function countAllotted(
  { allotments }: Pick<Counters, 'allotments'>,
  departmentId: DepartmentId | null,
  change: 1 | -1,
): Partial<Pick<Counters, 'allotments'>> {
  if (!allotments.some((allotment) => allotment.departmentId === departmentId)) return {};
  return {
    allotments: allotments.map((allotment) =>
      allotment.departmentId === departmentId
        ? { ...allotment, inUse: Math.max(0, allotment.inUse + change) }
        : allotment,
    ),
  };
}

/**
 * Whether a department can be allotted so much. Like a smaller purchase (P2), a maximum below what is in use is accepted,
 * and nobody is logged off. Where purchases ended and more is reserved than there is, less can be, step by step.
 */
export function decideAllotment(
  pool: Seats,
  { departmentId, reserved, maximum }: Omit<Allotment, 'inUse'>,
): InvalidInput | null {
  if (reserved < 0) return invalidInput('reserved', `A reservation is 0 or more seats, not ${reserved}.`);
  if (maximum !== null && maximum < reserved) {
    return invalidInput('maximum', `A maximum is at least what is reserved, here ${reserved}.`);
  }
  const total = pool.concurrentTotal + pool.contingencyTotal;
  let [own, others] = [0, 0];
  for (const allotment of pool.allotments) {
    if (allotment.departmentId === departmentId) own = allotment.reserved;
    else others += allotment.reserved;
  }
  return reserved > own && others + reserved > total
    ? invalidInput(
        'reserved',
        `Of the ${total} seats ${others} are reserved for other departments: at most ${Math.max(0, total - others)} can be for this one.`,
      )
    : null;
}
