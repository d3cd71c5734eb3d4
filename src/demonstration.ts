import { createOrganisation } from './organisation/commands.ts';
import { isRefusal } from './kernel/refusal.ts';
import type { Services } from './live/services.ts';
import { recordPurchase } from './purchase/commands.ts';
import { createUser } from './user/commands.ts';

/** A small contact centre to try things on: two concurrent seats and two in contingency, for five agents. */
export async function loadDemonstration(services: Services): Promise<void> {
  const organisation = expect(
    await createOrganisation(services, {
      name: 'Demonstration Contact Centre',
      externalId: 'demo',
      parentId: null,
      timeZone: 'Europe/London',
      leaseSeconds: 3600,
      testClockAt: null,
      idempotencyKey: null,
    }),
  );
  const organisationId = organisation.id;
  for (const [licence, base, concurrent, contingency] of purchases) {
    expect(
      await recordPurchase(services, {
        organisationId,
        licence,
        base,
        concurrent,
        contingency,
        from: null,
        until: null,
        reference: 'demonstration',
        idempotencyKey: null,
      }),
    );
  }
  for (const [username, displayName, licences] of users) {
    expect(
      await createUser(services, {
        organisationId,
        username,
        displayName,
        email: null,
        externalId: null,
        status: 'ACTIVE',
        licences,
        idempotencyKey: null,
      }),
    );
  }
}

const purchases: readonly (readonly [
  licence: string,
  base: number,
  concurrent: number,
  contingency: number,
])[] = [
  ['INBOUND_AGENT', 10, 2, 2],
  ['SUPERVISOR', 2, 1, 0],
  ['UC_USER', 5, 0, 0],
  ['AGENT_CALLS', 0, 2, 2],
  ['AGENT_EMAIL', 0, 1, 1],
  ['RECORDING', 0, 2, 0],
];

const channels = ['AGENT_CALLS', 'AGENT_EMAIL'];
const users: readonly (readonly [username: string, displayName: string, licences: readonly string[]])[] = [
  ['ada', 'Ada Lovelace', ['INBOUND_AGENT', ...channels, 'RECORDING']],
  ['alan', 'Alan Turing', ['INBOUND_AGENT', ...channels]],
  ['barbara', 'Barbara Liskov', ['INBOUND_AGENT', 'AGENT_CALLS']],
  ['edsger', 'Edsger Dijkstra', ['INBOUND_AGENT', 'AGENT_CALLS']],
  ['hedy', 'Hedy Lamarr', ['INBOUND_AGENT', 'AGENT_EMAIL']],
  ['margaret', 'Margaret Hamilton', ['SUPERVISOR', 'UC_USER']],
];

function expect<Made extends object>(
  made: Made,
): Exclude<Made, { readonly code: string; readonly message: string }> {
  if (isRefusal(made)) throw new Error(`The demonstration could not be loaded: ${JSON.stringify(made)}`);
  return made as Exclude<Made, { readonly code: string; readonly message: string }>;
}
