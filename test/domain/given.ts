import { type Instant, instant } from '../../src/kernel/clock.ts';
import { type LicenceCode, newId, type UserId } from '../../src/kernel/ids.ts';
import type { Catalogue, Licence } from '../../src/licence/domain.ts';
import { billingPeriodAt, type Organisation } from '../../src/organisation/domain.ts';
import { admit, type Admission, type Books, type Holder, type Request } from '../../src/session/domain.ts';
import { emptyPool, type Pool } from '../../src/usage/domain.ts';

export const code = (text: string) => text as LicenceCode;
export const at = (text: string): Instant => instant(text.length === 10 ? `${text}T00:00:00.000Z` : text);

const base = {
  category: 'USER',
  seatModel: 'CONCURRENT',
  contingencyAllowed: true,
  channel: false,
  channelRequired: false,
  secondFactorRequired: false,
  reassignmentDays: 90,
} as const;
const feature = { ...base, category: 'FEATURE', reassignmentDays: 0 } as const;

const licences: Omit<Licence, 'position' | 'name'>[] = [
  { ...base, code: code('INBOUND_AGENT'), channelRequired: true },
  { ...base, code: code('SUPERVISOR') },
  { ...base, code: code('UC_USER'), seatModel: 'FIXED', contingencyAllowed: false },
  {
    ...base,
    code: code('ADMINISTRATOR'),
    seatModel: 'FIXED',
    contingencyAllowed: false,
    secondFactorRequired: true,
  },
  { ...feature, code: code('AGENT_CALLS'), channel: true },
  { ...feature, code: code('AGENT_EMAIL'), channel: true },
  { ...feature, code: code('RECORDING') },
  { ...feature, code: code('PADLOCK'), seatModel: 'FIXED', contingencyAllowed: false },
];

/** A part of the real catalogue, in its order. */
export const catalogue: Catalogue = new Map(
  licences.map((licence, position) => [licence.code, { ...licence, position, name: licence.code }]),
);

export function licence(name: string): Licence {
  const found = catalogue.get(code(name));
  if (found === undefined) throw new Error(`No licence ${name}`);
  return found;
}

export function pool(name: string, figures: Partial<Pool> = {}): Pool {
  return { ...emptyPool(code(name)), ...figures };
}

export function pools(...list: Pool[]): ReadonlyMap<LicenceCode, Pool> {
  return new Map(list.map((one) => [one.licence, one]));
}

export function holder(assigned: readonly string[], status: Holder['status'] = 'ACTIVE'): Holder {
  return {
    userId: newId<'User'>(),
    status,
    departmentId: null,
    assigned: new Set(assigned.map(code)),
    sessions: [],
  };
}

export function books(seats: ReadonlyMap<LicenceCode, Pool>, ...holders: Holder[]): Books {
  return { pools: seats, holders: new Map(holders.map((one) => [one.userId, one])) };
}

export const terms = { catalogue, leaseSeconds: 90, newDenialId: () => newId<'Denial'>() };

export function decide(given: Books, now: Instant, ...requests: Request[]): Admission {
  return admit(given, requests, terms, now);
}

export function logon(
  user: { readonly userId: UserId },
  name = 'INBOUND_AGENT',
  options: { device?: string; features?: readonly string[] | null; secondFactorShown?: boolean } = {},
): Request {
  return {
    kind: 'LOGON',
    userId: user.userId,
    sessionId: newId(),
    licence: licence(name),
    device: options.device ?? 'desktop',
    features: options.features === undefined || options.features === null ? null : options.features.map(code),
    secondFactorShown: options.secondFactorShown ?? false,
  };
}

export function organisation(start: string, timeZone = 'UTC'): Organisation {
  const now = at(start);
  const period = billingPeriodAt(now, timeZone);
  return {
    id: newId(),
    parentId: null,
    name: 'Given',
    externalId: null,
    timeZone,
    leaseSeconds: 90,
    testClock: true,
    settledAt: now,
    nextDueAt: period.until,
    period,
    activeUsers: 0,
    activeInBillingPeriod: 0,
    revision: 1,
    rowsRevision: 1,
    createdAt: now,
  };
}
