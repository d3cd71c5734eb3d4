import type { UserId } from '../kernel/ids.ts';
import type { Refusal } from '../kernel/refusal.ts';
import type { Month } from '../organisation/domain.ts';

export type UserStatus = 'PRE_ACTIVE' | 'ACTIVE' | 'SUSPENDED' | 'DELETED';

/** A named person or device of one organisation. */
export interface User {
  readonly id: UserId;
  readonly username: string;
  readonly displayName: string;
  readonly email: string | null;
  readonly externalId: string | null;
  readonly status: UserStatus;
  /** The last billing period, by its month, in which a user that is not ACTIVE now was ACTIVE; null: never (U2). */
  readonly activeMonth: Month | null;
}

export interface InvalidTransition extends Refusal<'INVALID_TRANSITION'> {
  readonly from: UserStatus;
  readonly to: UserStatus;
}
export type UsernameTaken = Refusal<'USERNAME_TAKEN'>;

export function usernameTaken(username: string): UsernameTaken {
  return { code: 'USERNAME_TAKEN', message: `The username “${username}” is taken; choose another.` };
}

export type UserNotDeleted = Refusal<'USER_NOT_DELETED'>;

export function userNotDeleted(status: UserStatus): UserNotDeleted {
  return {
    code: 'USER_NOT_DELETED',
    message: `Only a deleted user is erased, and this one is ${status}; set its status to DELETED first.`,
  };
}

/** By what a user is known who was erased: unique, and always the same. */
export function pseudonymsOf({
  id,
  email,
  externalId,
}: User): Pick<User, 'username' | 'displayName' | 'email' | 'externalId'> {
  const pseudonym = `erased-${id}`;
  return {
    username: pseudonym,
    displayName: pseudonym,
    email: email === null ? null : pseudonym,
    externalId: externalId === null ? null : pseudonym,
  };
}

/** U1: where a user's life can go from each status. */
const transitions: Readonly<Record<UserStatus, readonly UserStatus[]>> = {
  PRE_ACTIVE: ['ACTIVE', 'DELETED'],
  ACTIVE: ['SUSPENDED', 'DELETED'],
  SUSPENDED: ['ACTIVE', 'DELETED'],
  DELETED: [],
};

/** U1: null when the change is allowed, or is none. */
export function decideTransition(from: UserStatus, to: UserStatus): InvalidTransition | null {
  if (from === to || transitions[from].includes(to)) return null;
  const allowed = transitions[from];
  return {
    code: 'INVALID_TRANSITION',
    message:
      allowed.length === 0
        ? `A user that is ${from} stays so; create a new one.`
        : `A user that is ${from} can become ${allowed.join(' or ')}, not ${to}.`,
    from,
    to,
  };
}

/** The organisation's two counts of users (U2). */
export interface ActiveCounts {
  readonly activeUsers: number;
  readonly activeInBillingPeriod: number;
}

/** U2: a user becomes ACTIVE; one that was so earlier in this period is in its count already. */
export function countActivation(counts: ActiveCounts, activeMonth: Month | null, month: Month): ActiveCounts {
  return {
    activeUsers: counts.activeUsers + 1,
    activeInBillingPeriod: counts.activeInBillingPeriod + (activeMonth === month ? 0 : 1),
  };
}

/** U2: a user ceases to be ACTIVE, and stays in the running period's count. */
export function countDeactivation(counts: ActiveCounts): ActiveCounts {
  return { ...counts, activeUsers: counts.activeUsers - 1 };
}

/** U4: an ACTIVE or SUSPENDED user occupies base licences; a PRE_ACTIVE one only plans to (B6). */
export function consumes(status: UserStatus): boolean {
  return status === 'ACTIVE' || status === 'SUSPENDED';
}
