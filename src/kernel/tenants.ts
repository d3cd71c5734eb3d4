import type { Actor } from './actor.ts';
import type { OrganisationId } from './ids.ts';

/** Whose rows may be seen and written: every organisation's, one's, or one's and those of all below it. */
export type Tenants = 'ALL' | { readonly organisationId: OrganisationId; readonly below: boolean };

/** Whose an actor's are. What the server does by itself (null) is done to all. */
export function tenantsOf(actor: Actor | null): Tenants {
  const { organisationId, role } = actor ?? { organisationId: null, role: 'OPERATOR' };
  return organisationId === null ? 'ALL' : { organisationId, below: role === 'PARTNER' };
}
