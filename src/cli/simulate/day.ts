import { type Instant, instant, plusSeconds } from '../../kernel/clock.ts';
import {
  type Catalogue,
  inOrderOfTime,
  leaseSeconds,
  type Plan,
  type PlannedEvent,
  type PlannedOrganisation,
  type PlannedUser,
} from './plan.ts';
import { type Random, seededRandom } from './random.ts';
import { planPurchases, type Seats } from './seats.ts';

export interface DayOptions {
  readonly seed: string;
  readonly organisations: number;
  /** In all organisations together. */
  readonly users: number;
  readonly seats: ReadonlyMap<string, Seats>;
}

/** A Wednesday in the middle of a month: the same one every time, so that the same seed gives the same figures. */
export const midnight = instant('2027-03-17T00:00:00.000Z');

export const endOfDay = plusSeconds(midnight, 86_400);

/** The fewest users of one organisation: enough for every kind of work to be done by somebody. */
export const fewestUsers = 10;

/**
 * A day of contact centres: overlapping shifts, breaks, two devices for some, channels by skill, a lunchtime surge
 * beyond the concurrent seats, a few crashes and a few mistakes.
 */
export function planDay(options: DayOptions, catalogue: Catalogue): Plan {
  return {
    organisations: shareOut(options.users, options.organisations).map((users, index) =>
      planOrganisation(index, users, options, catalogue),
    ),
  };
}

/** Unevenly, as customers are: the second organisation is half as large as the first, the third a third. */
export function shareOut(users: number, organisations: number): number[] {
  const weights = Array.from({ length: organisations }, (_, index) => 1 / (index + 1));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const spare = users - organisations * fewestUsers;
  const shares = weights.map((weight) => fewestUsers + Math.floor((spare * weight) / sum));
  const rest = users - shares.reduce((total, share) => total + share, 0);
  return shares.map((share, index) => (index < rest ? share + 1 : share));
}

function planOrganisation(
  index: number,
  size: number,
  { seed, seats }: DayOptions,
  catalogue: Catalogue,
): PlannedOrganisation {
  // One stream of numbers an organisation: more users in one leave the others' day as it was.
  const random = seededRandom(`${seed}/${index}`);
  const staff = Array.from({ length: size }, (_, number) => planMember(number, size, random));
  const users = staff.map(({ user }) => user);
  const events = inOrderOfTime(staff.flatMap((member) => member.events));
  return {
    name: `Contact centre ${index + 1}`,
    from: midnight,
    until: endOfDay,
    leaseSeconds,
    users,
    events,
    purchases: planPurchases(users, events, catalogue, seats, new Set(index % 2 === 1 ? ['VOICEMAIL'] : [])),
  };
}

/** One user and their day. */
export interface Member {
  readonly user: PlannedUser;
  readonly events: readonly PlannedEvent[];
}

/** From and until in minutes of the day. */
type Shift = readonly [from: number, until: number];

export type ShiftName = 'night' | 'early' | 'day' | 'late' | 'lunch';

const hours = (from: number, until: number): Shift => [from * 60, until * 60];

/** Whoever works at night does so at both ends of the day. */
const shifts: Readonly<Record<ShiftName, readonly Shift[]>> = {
  night: [hours(0, 6), hours(22, 24)],
  early: [hours(6, 13.5)],
  day: [hours(9, 17.5)],
  late: [hours(14.25, 22)],
  lunch: [hours(11.5, 14)],
};

export const shiftNames: readonly string[] = Object.keys(shifts);

const officeShift = hours(8.5, 17);

/** In per cent of the agents. */
const shiftWeights: readonly (readonly [weight: number, shift: ShiftName])[] = [
  [4, 'night'],
  [28, 'early'],
  [36, 'day'],
  [24, 'late'],
  [8, 'lunch'],
];

const skills: readonly (readonly [weight: number, channels: readonly string[]])[] = [
  [50, ['AGENT_CALLS']],
  [16, ['AGENT_CALLS', 'AGENT_EMAIL']],
  [14, ['AGENT_CALLS', 'AGENT_EMAIL', 'AGENT_WEB_CHAT']],
  [8, ['AGENT_WEB_CHAT', 'AGENT_SOCIAL_MEDIA']],
  [6, ['AGENT_EMAIL']],
  [6, ['AGENT_SMS', 'AGENT_WEB_CHAT']],
];

function planMember(number: number, size: number, random: Random): Member {
  const place = number / size;
  if (number === 0) return planAdministrator(number, random);
  if (number === 1) return planLeaver(number, random);
  if (number === 2 || place < 0.02) return planNewcomer(number, random);
  if (number === 3 || place < 0.09) return planSupervisor(number, random);
  if (number === 4 || place < 0.11) return planOperator(number, random);
  if (number === 5 || place < 0.2) return planOfficeWorker(number, random);
  return planAgent(number, random);
}

/** Administrators need a second factor, which the simulator cannot show: each is refused once. */
function planAdministrator(number: number, random: Random): Member {
  const user = planUser('admin', number, ['ADMINISTRATOR']);
  return { user, events: [logon(user, at(8 * 60 + random.between(0, 90)), 'desktop', 'ADMINISTRATOR')] };
}

/** Works the early shift for the last time: deleted in the evening, and the base licence can be reassigned. */
function planLeaver(number: number, random: Random): Member {
  const user = planUser('agent', number, ['INBOUND_AGENT', 'AGENT_CALLS']);
  const shift = planShift(user, 'INBOUND_AGENT', hours(6, 13.5), random);
  return { user, events: [...shift, { kind: 'DELETE', at: at(18 * 60), username: user.username }] };
}

/** Tries to log on before an administrator has activated the account. */
function planNewcomer(number: number, random: Random): Member {
  const user = planUser('agent', number, ['INBOUND_AGENT', 'AGENT_CALLS'], 'PRE_ACTIVE');
  const activated = 9 * 60 + 10;
  return {
    user,
    events: [
      logon(user, at(9 * 60 + random.between(0, 5)), 'desktop', 'INBOUND_AGENT'),
      { kind: 'ACTIVATE', at: at(activated), username: user.username },
      ...planShift(user, 'INBOUND_AGENT', [activated + 15, 17.5 * 60], random),
    ],
  };
}

/**
 * Most of the supervisors who are there at noon take calls themselves in the lunchtime surge instead of having lunch;
 * some first try it from the wrong device.
 */
function planSupervisor(number: number, random: Random): Member {
  const licences = ['SUPERVISOR', 'CONFERENCING', 'REPORTING'];
  const features = ['CONFERENCING', 'REPORTING'];
  const shift = random.chance(0.6) ? officeShift : hours(13, 21.5);
  const helps = shift === officeShift && random.chance(0.8);
  const user = planUser(
    'supervisor',
    number,
    helps ? [...licences, 'INBOUND_AGENT', 'AGENT_CALLS'] : licences,
  );
  if (!helps) return { user, events: planShift(user, 'SUPERVISOR', shift, random, features) };

  const events = planStretch(user, 'desktop', 'SUPERVISOR', jitter(shift, random), features);
  const from = 12 * 60 + random.between(10, 30);
  const surge = planStretch(
    user,
    'deskphone',
    'INBOUND_AGENT',
    [from, from + random.between(30, 60)],
    ['AGENT_CALLS'],
  );
  const mistake = random.chance(0.3) ? [logon(user, at(from - 1), 'desktop', 'INBOUND_AGENT')] : [];
  return { user, events: [...events, ...mistake, ...surge] };
}

function planOperator(number: number, random: Random): Member {
  const user = planUser('operator', number, ['CONTACT_SWITCHBOARD_OPERATOR', 'CONFERENCING']);
  const shift = random.chance(0.5) ? hours(7, 15) : hours(12, 20);
  return { user, events: planShift(user, 'CONTACT_SWITCHBOARD_OPERATOR', shift, random) };
}

function planOfficeWorker(number: number, random: Random): Member {
  const user = planUser('office', number, random.chance(0.3) ? ['UC_USER', 'VOICEMAIL'] : ['UC_USER']);
  return { user, events: planShift(user, 'UC_USER', officeShift, random) };
}

function planAgent(number: number, random: Random): Member {
  const licence = random.chance(0.1) ? 'OUTBOUND_AGENT' : 'INBOUND_AGENT';
  const channels = random.weighted(skills);
  const extras = [
    ...(random.chance(0.5) ? ['RECORDING'] : []),
    ...(random.chance(0.1) ? ['VOICEMAIL'] : []),
    ...(random.chance(0.15) ? ['PADLOCK'] : []),
    ...(random.chance(0.25) ? ['CTI'] : []),
  ];
  const user = planUser('agent', number, [licence, ...channels, ...extras]);
  const worked = shifts[random.weighted(shiftWeights)];

  const [firstShift] = worked;
  const mistakes: PlannedEvent[] = [];
  if (firstShift !== undefined && firstShift[0] > 0 && random.chance(0.01)) {
    mistakes.push(logon(user, at(firstShift[0] - 20), 'desktop', 'SUPERVISOR'));
  }
  const asksForTooMuch = random.chance(0.02);
  const features = asksForTooMuch ? [...channels, 'CONFERENCING'] : null;
  const hasDeskphone = channels.length > 1 && channels.includes('AGENT_CALLS') && random.chance(0.6);
  const events = worked.flatMap((shift) =>
    hasDeskphone
      ? planTwoDevices(user, licence, shift, channels, random)
      : planShift(user, licence, shift, random, features),
  );
  return { user, events: [...mistakes, ...events] };
}

/**
 * The day of a user who is known: as any agent's, on the given shift or one that the seed decides, with the first of
 * their licence types that needs no second factor. Whoever has none does not log on.
 */
export function planKnownUser(
  user: PlannedUser,
  shift: ShiftName | null,
  catalogue: Catalogue,
  random: Random,
): Member {
  const licence = user.licences
    .map((code) => catalogue.get(code))
    .find((type) => type !== undefined && type.category === 'USER' && !type.secondFactorRequired);
  const worked = shifts[shift ?? random.weighted(shiftWeights)];
  const events =
    licence === undefined ? [] : worked.flatMap((part) => planShift(user, licence.code, part, random));
  return { user, events };
}

/** The published example: the desktop asks for the written channels, the deskphone for calls. */
function planTwoDevices(
  user: PlannedUser,
  licence: string,
  shift: Shift,
  channels: readonly string[],
  random: Random,
): PlannedEvent[] {
  const [start, end] = jitter(shift, random);
  const written = channels.filter((channel) => channel !== 'AGENT_CALLS');
  return [
    ...planStretch(user, 'desktop', licence, [start, end], written),
    ...planStretch(user, 'deskphone', licence, [start + random.between(0, 4), end], ['AGENT_CALLS']),
  ];
}

/** One shift on a desktop, with its meal break, and for a few a crash. */
function planShift(
  user: PlannedUser,
  licence: string,
  shift: Shift,
  random: Random,
  features: readonly string[] | null = null,
): PlannedEvent[] {
  const device = 'desktop';
  const [start, end] = jitter(shift, random);
  if (end - start < 5 * 60) return planStretch(user, device, licence, [start, end], features);

  const meal = Math.round((start + end) / 2) + random.between(-60, 60);
  const back = meal + random.between(30, 45);
  if (random.chance(0.4)) {
    return [
      ...planStretch(user, device, licence, [start, meal], features),
      ...planStretch(user, device, licence, [back, end], features),
    ];
  }
  const stretch = planStretch(user, device, licence, [start, end], features);
  if (random.chance(0.03)) return [...stretch, ...planCrash(user, device, licence, meal, features, random)];
  const pauses = user.licences.includes('AGENT_CALLS') && licence !== 'SUPERVISOR' && random.chance(0.5);
  if (!pauses) return stretch;
  const pause = { username: user.username, device, features: ['AGENT_CALLS'] };
  return [
    ...stretch,
    { kind: 'RELEASE', at: at(meal), ...pause },
    { kind: 'ACQUIRE', at: at(back), ...pause },
  ];
}

/** Some never come back, some renew what they had, some just log on again: within the lease or after it. */
function planCrash(
  user: PlannedUser,
  device: string,
  licence: string,
  crashed: number,
  features: readonly string[] | null,
  random: Random,
): PlannedEvent[] {
  const { username } = user;
  const crash: PlannedEvent = { kind: 'CRASH', at: at(crashed), username, device };
  const back = at(crashed + random.between(3, 45));
  return random.weighted<PlannedEvent[]>([
    [1, [crash]],
    [
      2,
      [
        crash,
        { kind: 'WAKE', at: back, username, device },
        { ...logon(user, back, device, licence, features), onlyIfLoggedOff: true },
      ],
    ],
    [2, [crash, logon(user, back, device, licence, features)]],
  ]);
}

/** Nobody comes and goes on the stroke of the clock. */
function jitter([from, until]: Shift, random: Random): Shift {
  return [from + random.between(0, 12), until + random.between(-4, 10)];
}

/** From a logon to its logoff, if that is today's. Who is refused tries again a few times. */
function planStretch(
  user: PlannedUser,
  device: string,
  licence: string,
  [from, until]: Shift,
  features: readonly string[] | null,
): PlannedEvent[] {
  const retries = [from + 6, from + 15, from + 30].filter((minute) => minute < Math.min(until, minutesOfDay));
  const logoff: PlannedEvent = { kind: 'LOGOFF', at: at(until), username: user.username, device };
  return [
    logon(user, at(from), device, licence, features),
    ...retries.map((minute) => ({
      ...logon(user, at(minute), device, licence, features),
      onlyIfLoggedOff: true,
    })),
    ...(until < minutesOfDay ? [logoff] : []),
  ];
}

const minutesOfDay = 24 * 60;

/** @param minute of the day */
function at(minute: number): Instant {
  return plusSeconds(midnight, minute * 60);
}

function logon(
  { username }: PlannedUser,
  instantOfLogon: Instant,
  device: string,
  licence: string,
  features: readonly string[] | null = null,
): PlannedEvent & { readonly kind: 'LOGON' } {
  return {
    kind: 'LOGON',
    at: instantOfLogon,
    username,
    device,
    licence,
    features,
    onlyIfLoggedOff: false,
  };
}

function planUser(
  role: string,
  number: number,
  licences: readonly string[],
  status: PlannedUser['status'] = 'ACTIVE',
): PlannedUser {
  const digits = String(number + 1).padStart(4, '0');
  const title = role.charAt(0).toUpperCase() + role.slice(1);
  return { username: `${role}-${digits}`, displayName: `${title} ${digits}`, status, licences };
}
