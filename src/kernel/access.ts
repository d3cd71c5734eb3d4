import type { Actor, Role, Scope } from './actor.ts';

/** ANY: of all that the actor's organisations have. OWN: only what is the actor's own user's. */
export type Grant = 'ANY' | 'OWN';

/** Who may ask for something; a role that is not named may not. */
interface Rule {
  readonly scope: Scope;
  readonly roles: Readonly<Partial<Record<Role, Grant>>>;
}

type Grants = Rule['roles'];

const operating: Grants = { OPERATOR: 'ANY' };
const selling: Grants = { OPERATOR: 'ANY', PARTNER: 'ANY' };
const administration: Grants = { ...selling, ADMINISTRATOR: 'ANY' };
const supervision: Grants = { ...administration, SUPERVISOR: 'ANY' };
const figures: Grants = { ...supervision, WALLBOARD: 'ANY' };
/** An agent sees itself: its user, its sessions. */
const people: Grants = { ...supervision, AGENT: 'OWN' };
/** Who supervises watches others, and logs on as themselves, with keys of their own. */
const attendance: Grants = { ...administration, SUPERVISOR: 'OWN', AGENT: 'OWN' };
const everybody: Grants = { ...figures, AGENT: 'ANY' };

const rule = (scope: Scope) => (roles: Grants) => ({ scope, roles });
const reading = rule('READ');
const organisations = rule('ORGANISATIONS');
const purchases = rule('PURCHASES');
const users = rule('USERS');
const sessions = rule('SESSIONS');
const keys = rule('KEYS');

/**
 * Who may do what, within the organisations that are theirs: every root field, every type that has ids, and those fields
 * of types that not everybody sees who sees the type. A root field or Node type that is missing here keeps the schema
 * from being built. docs/access.md shows it as a table; test/api/access.test.ts tries every cell.
 */
export const access = {
  'Query.node': reading(everybody),
  'Query.nodes': reading(everybody),
  'Query.organisation': reading(everybody),
  'Query.organisations': reading(everybody),
  'Query.licences': reading(everybody),
  'Query.priceBook': reading(operating),

  Organisation: reading(everybody),
  LicenceType: reading(everybody),
  FeatureLicence: reading(everybody),
  LicenceMapping: reading(figures),
  User: reading(people),
  LicenceAssignment: reading(people),
  Session: reading(people),
  Denial: reading(supervision),
  Alert: reading(figures),
  Purchase: reading(supervision),
  BillingStatement: reading(administration),
  ApiKey: keys(administration),
  SecurityKey: reading(attendance),
  Department: reading(figures),
  'LicenceMapping.releasedBases': reading(supervision),

  'Organisation.activeUsers': reading(figures),
  'Organisation.activeInBillingPeriod': reading(figures),
  'Organisation.licenceMapping': reading(figures),
  'Organisation.users': reading(supervision),
  'Organisation.sessions': reading(supervision),
  'Organisation.purchases': reading(supervision),
  'Organisation.denials': reading(supervision),
  'Organisation.history': reading(figures),
  'Organisation.tree': reading(selling),
  'Tree.usageHistory': reading(selling),
  'Tree.statements': reading(selling),
  'Tree.peaks': reading(selling),
  'Tree.denialReport': reading(selling),
  'Tree.alerts': reading(selling),
  'Organisation.departments': reading(figures),
  'Organisation.billingTerms': reading(administration),
  'Organisation.prices': reading(administration),
  'Organisation.billingStatement': reading(administration),
  'Organisation.billingStatements': reading(administration),
  'Organisation.peakUsage': reading(figures),
  'PeakUsage.holders': reading(supervision),
  'PeakUsage.causedBy': reading(supervision),
  'Organisation.contractOptions': reading(administration),
  'Organisation.denialReport': reading(figures),
  'Organisation.rightSizing': reading(administration),
  'Organisation.alerts': reading(figures),
  'Alert.acknowledgedBy': reading(supervision),
  'Organisation.alertThresholds': reading(administration),
  'Organisation.contingencyCaps': reading(administration),
  'Organisation.usageHistory': reading(figures),
  'Organisation.apiKeys': keys(administration),
  'User.securityKeys': reading(attendance),
  'Organisation.auditLog': reading(administration),

  'Mutation.createOrganisation': organisations(selling),
  'Mutation.updateOrganisation': organisations(selling),
  'Mutation.advanceTestClock': organisations(selling),
  'Mutation.recordPurchase': purchases(selling),
  'Mutation.endPurchase': purchases(selling),
  'Mutation.setPrice': purchases(selling),
  'Mutation.setBillingTerms': purchases(selling),
  'Mutation.correctStatement': purchases(selling),
  'Mutation.setContractOptions': purchases(selling),
  'Mutation.setContingencyCap': organisations(administration),
  'Mutation.setAlertThresholds': organisations(administration),
  'Mutation.acknowledgeAlerts': sessions(supervision),
  'Mutation.createUser': users(administration),
  'Mutation.setUserStatus': users(administration),
  'Mutation.eraseUser': users(administration),
  'Mutation.assignLicence': users(administration),
  'Mutation.unassignLicence': users(administration),
  'Mutation.createDepartment': users(administration),
  'Mutation.renameDepartment': users(administration),
  'Mutation.removeDepartment': users(administration),
  'Mutation.setDepartment': users(administration),
  'Mutation.setAllotment': users(administration),
  'Mutation.beginSecurityKeyEnrolment': users(attendance),
  'Mutation.enrolSecurityKey': users(attendance),
  'Mutation.removeSecurityKey': users(attendance),
  'Mutation.logon': sessions(attendance),
  'Mutation.renewSession': sessions(attendance),
  'Mutation.acquireFeatures': sessions(attendance),
  'Mutation.releaseFeatures': sessions(attendance),
  'Mutation.logoff': sessions(attendance),
  'Mutation.forceLogoff': sessions(supervision),
  'Mutation.createApiKey': keys(administration),
  'Mutation.revokeApiKey': keys(administration),

  'Subscription.usageChanged': reading(figures),
  'Subscription.usageAlerts': reading(figures),
  'Subscription.sessionChanged': reading(people),
} as const satisfies Readonly<Record<string, Rule>>;

/** A field as `Type.field`, or a type. */
export type Place = keyof typeof access;

export function isPlace(name: string): name is Place {
  return name in access;
}

/** What an actor may ask for there; null: nothing. */
export function grantOf({ role, scopes }: Actor, place: Place): Grant | null {
  const { scope, roles }: Rule = access[place];
  if (scopes !== null && !scopes.includes(scope)) return null;
  return roles[role] ?? null;
}
