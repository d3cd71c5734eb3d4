import type { Answer, FeatureAnswer, LogonRequest } from '../../src/cli/simulate/exchange.ts';
import type { Catalogue, CatalogueLicence, PlannedOrganisation } from '../../src/cli/simulate/plan.ts';
import { type Instant, instant, plusSeconds } from '../../src/kernel/clock.ts';

const concurrent = {
  category: 'USER',
  seatModel: 'CONCURRENT',
  contingencyAllowed: true,
  channel: false,
  channelRequired: false,
  secondFactorRequired: false,
} as const;
const feature = { ...concurrent, category: 'FEATURE' } as const;
const fixed = { seatModel: 'FIXED', contingencyAllowed: false } as const;

const licences: CatalogueLicence[] = [
  { ...concurrent, code: 'INBOUND_AGENT', channelRequired: true },
  { ...concurrent, code: 'OUTBOUND_AGENT', channelRequired: true },
  { ...concurrent, code: 'SUPERVISOR' },
  { ...concurrent, code: 'CONTACT_SWITCHBOARD_OPERATOR' },
  { ...concurrent, ...fixed, code: 'UC_USER' },
  { ...concurrent, ...fixed, code: 'ADMINISTRATOR', secondFactorRequired: true },
  { ...feature, code: 'AGENT_CALLS', channel: true },
  { ...feature, code: 'AGENT_SMS', channel: true },
  { ...feature, code: 'AGENT_EMAIL', channel: true },
  { ...feature, code: 'AGENT_WEB_CHAT', channel: true },
  { ...feature, code: 'AGENT_SOCIAL_MEDIA', channel: true },
  { ...feature, code: 'RECORDING' },
  { ...feature, code: 'CONFERENCING' },
  { ...feature, code: 'REPORTING' },
  { ...feature, code: 'VOICEMAIL' },
  { ...feature, ...fixed, code: 'PADLOCK' },
  { ...feature, ...fixed, code: 'CTI' },
];

/** The licences of the real catalogue that a simulated day uses. */
export const catalogue: Catalogue = new Map(licences.map((licence) => [licence.code, licence]));

export const nine: Instant = instant('2027-03-17T09:00:00.000Z');
export const leaseSeconds = 1800;

/** Three agents for one concurrent and one contingency seat; enough seats to take calls. */
export const organisation: PlannedOrganisation = {
  name: 'Given',
  from: nine,
  until: plusSeconds(nine, 86_400),
  leaseSeconds,
  purchases: [
    { licence: 'INBOUND_AGENT', base: 4, concurrent: 1, contingency: 1 },
    { licence: 'AGENT_CALLS', base: 0, concurrent: 3, contingency: 0 },
  ],
  users: ['ann', 'bob', 'cat'].map((username) => ({
    username,
    displayName: username,
    status: 'ACTIVE',
    licences: ['INBOUND_AGENT', 'AGENT_CALLS'],
  })),
  events: [],
};

export function logon(username: string, device = 'desktop'): LogonRequest {
  return { kind: 'LOGON', username, device, licence: 'INBOUND_AGENT', features: null };
}

export const calls: FeatureAnswer = {
  code: 'AGENT_CALLS',
  granted: true,
  admittedAs: 'CONCURRENT',
  unavailableReason: null,
};

/** @param at when the session was started or renewed */
export function granted(
  id: string,
  admittedAs: string,
  at: Instant = nine,
  features: readonly FeatureAnswer[] = [calls],
): Answer {
  const expiresAt = plusSeconds(at, leaseSeconds);
  return { kind: 'SESSION', session: { id, admittedAs, expiresAt, endedAt: null, features } };
}

export function refused(code: string, features: readonly FeatureAnswer[] = []): Answer {
  return { kind: 'REFUSED', code, message: 'No.', features };
}
