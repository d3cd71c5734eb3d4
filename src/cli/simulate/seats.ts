import {
  type Catalogue,
  type CatalogueLicence,
  featuresOf,
  type PlannedEvent,
  type PlannedPurchase,
  type PlannedUser,
} from './plan.ts';

/** Concurrent and contingency seats of one licence. */
export interface Seats {
  readonly concurrent: number;
  readonly contingency: number;
}

/** The part of the highest demand that concurrent seats cover, and the part that contingency adds: a few are refused. */
const concurrentShare = 0.88;
const contingencyShare = 0.07;

/** Bought base licences that nobody is given. */
const spareBaseLicences = 2;

/**
 * What an organisation buys: base licences and fixed seats for all, and rather fewer seats than the day will ask for.
 * @param given seats of those licences that the person running the simulation named
 * @param notBought licences that are assigned, and yet not bought
 */
export function planPurchases(
  users: readonly PlannedUser[],
  events: readonly PlannedEvent[],
  catalogue: Catalogue,
  given: ReadonlyMap<string, Seats>,
  notBought: ReadonlySet<string> = new Set(),
): PlannedPurchase[] {
  const demand = highestDemand(users, events, catalogue);
  return [...catalogue.values()]
    .map((licence): PlannedPurchase => {
      const holders = users.filter(({ licences }) => licences.includes(licence.code)).length;
      const isBought = holders > 0 && !notBought.has(licence.code);
      const hasBase = licence.category !== 'FEATURE' || licence.seatModel === 'FIXED';
      const base = isBought && hasBase ? holders + spareBaseLicences : 0;
      const seats = isBought ? planSeats(licence, demand.get(licence.code) ?? 0, given) : noSeats;
      return { licence: licence.code, base, ...seats };
    })
    .filter(({ base, concurrent, contingency }) => base + concurrent + contingency > 0);
}

const noSeats: Seats = { concurrent: 0, contingency: 0 };

function planSeats(licence: CatalogueLicence, demand: number, given: ReadonlyMap<string, Seats>): Seats {
  if (licence.seatModel === 'FIXED') return noSeats;
  const named = given.get(licence.code);
  if (named !== undefined) return named;
  return {
    concurrent: Math.max(1, Math.round(demand * concurrentShare)),
    contingency: licence.contingencyAllowed ? Math.round(demand * contingencyShare) : 0,
  };
}

/** How many users at once would hold each licence if nobody were ever refused; users are counted, not devices. */
export function highestDemand(
  users: readonly PlannedUser[],
  events: readonly PlannedEvent[],
  catalogue: Catalogue,
): Map<string, number> {
  const licencesOf = new Map(users.map(({ username, licences }) => [username, licences]));
  const devices = new Map<string, readonly string[]>();
  const uses = new Map<string, number>();
  const inUse = new Map<string, number>();
  const highest = new Map<string, number>();

  function use(username: string, licence: string, change: 1 | -1): void {
    const key = `${username} ${licence}`;
    const before = uses.get(key) ?? 0;
    uses.set(key, before + change);
    if (before === 0 || before + change === 0) inUse.set(licence, (inUse.get(licence) ?? 0) + change);
    highest.set(licence, Math.max(highest.get(licence) ?? 0, inUse.get(licence) ?? 0));
  }

  for (const event of events) {
    if (event.kind !== 'LOGON' && event.kind !== 'LOGOFF' && event.kind !== 'CRASH') continue;
    const { username, device } = event;
    const key = `${username} ${device}`;
    const present = devices.get(key);
    if (event.kind !== 'LOGON') {
      for (const licence of present ?? []) use(username, licence, -1);
      devices.delete(key);
    } else if (present === undefined) {
      const assigned = licencesOf.get(username) ?? [];
      const wanted = [event.licence, ...(event.features ?? featuresOf(assigned, catalogue))];
      const held = wanted.filter((licence) => assigned.includes(licence));
      for (const licence of held) use(username, licence, 1);
      devices.set(key, held);
    }
  }
  return highest;
}
