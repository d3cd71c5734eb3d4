import { decodeId, type OrganisationId } from '../../src/kernel/ids.ts';
import type { TestServer } from './server.ts';

/** The start of a story: what an API's client would do first. Each fails loudly when the server refuses. */

export interface LogonAnswer {
  readonly __typename: string;
  readonly code?: string;
  readonly session?: {
    readonly id: string;
    readonly admittedAs: string;
    readonly expiresAt: string;
    readonly features: readonly {
      readonly feature: { readonly code: string };
      readonly granted: boolean;
      readonly admittedAs: string | null;
      readonly unavailableReason: string | null;
    }[];
  };
}

export interface MappingRow {
  readonly licence: { readonly code: string };
  readonly activeUsers: number;
  readonly activeInBillingPeriod: number;
  readonly holders: number;
  readonly revision: number;
  readonly base: Readonly<Record<string, number>> | null;
  readonly concurrent: Readonly<Record<string, number>> | null;
  readonly contingency: (Readonly<Record<string, number>> & { readonly maxUsedAt: string | null }) | null;
}

export const mappingFields = `
  licence { code } activeUsers activeInBillingPeriod holders revision
  base { total used reusable available assigned locked overAllocated }
  concurrent { total used available overAllocated }
  contingency { total used maxUsed maxUsedAt available paidHeadroom }`;

export async function createOrganisation(
  server: TestServer,
  input: Record<string, unknown> = { testClockAt: '2026-01-01T00:00:00Z' },
): Promise<string> {
  const answer = await server.mutate(
    'createOrganisation',
    { name: 'Given', ...input },
    '... on CreateOrganisationPayload { organisation { id } }',
  );
  return expectId(answer, answer.organisation);
}

/** @returns the purchase's id */
export async function buy(
  server: TestServer,
  organisationId: string,
  licence: string,
  quantities: Record<string, unknown>,
): Promise<string> {
  const answer = await server.mutate(
    'recordPurchase',
    { organisationId, licence, ...quantities },
    '... on RecordPurchasePayload { purchase { id } }',
  );
  return expectId(answer, answer.purchase);
}

/** @returns the id of an ACTIVE user with the licences */
export async function createUser(
  server: TestServer,
  organisationId: string,
  username: string,
  licences: readonly string[],
  status = 'ACTIVE',
): Promise<string> {
  const answer = await server.mutate(
    'createUser',
    { organisationId, username, licences, status },
    '... on CreateUserPayload { user { id } }',
  );
  return expectId(answer, answer.user);
}

/** @returns a key of the organisation's own, and its id, by which it is revoked */
export async function createKey(
  server: TestServer,
  organisationId: string,
  role: string,
): Promise<{ readonly key: string; readonly id: string }> {
  const answer = await server.mutate(
    'createApiKey',
    { organisationId, name: `Of a ${role}`, role },
    '... on CreateApiKeyPayload { key apiKey { id } }',
  );
  return { key: answer.key, id: expectId(answer, answer.apiKey) };
}

/** @returns the name of the answer's type */
export async function assign(server: TestServer, userId: string, licence: string): Promise<string> {
  return (await server.mutate('assignLicence', { userId, licence })).__typename;
}

export async function setStatus(server: TestServer, userId: string, status: string): Promise<string> {
  return (await server.mutate('setUserStatus', { userId, status })).__typename;
}

export async function advance(server: TestServer, organisationId: string, to: string): Promise<void> {
  const { __typename } = await server.mutate('advanceTestClock', { organisationId, to });
  if (__typename !== 'AdvanceTestClockPayload') throw new Error(`advanceTestClock answered ${__typename}`);
}

export function logonInput(
  userId: string,
  licence = 'INBOUND_AGENT',
  device = 'desktop',
  features?: readonly string[],
) {
  return { userId, licence, device, ...(features === undefined ? {} : { features }) };
}

export async function logon(
  server: TestServer,
  userId: string,
  licence = 'INBOUND_AGENT',
  device = 'desktop',
  features?: readonly string[],
): Promise<LogonAnswer> {
  return server.mutate(
    'logon',
    logonInput(userId, licence, device, features),
    '... on LogonPayload { session { id admittedAs expiresAt features { feature { code } granted admittedAs unavailableReason } } }',
  );
}

/** The rows of the Licence Mapping page; of every category unless licences are named. */
export async function mapping(
  server: TestServer,
  organisationId: string,
  licences: readonly string[] | null = null,
): Promise<readonly MappingRow[]> {
  const { data, errors } = await server.query(
    `query ($id: ID!, $licences: [String!]) {
       organisation(id: $id) { licenceMapping(categories: [USER, PRODUCT, FEATURE], licences: $licences) { ${mappingFields} } }
     }`,
    { id: organisationId, licences },
  );
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data.organisation.licenceMapping;
}

function expectId(
  answer: { readonly __typename: string },
  made: { readonly id: string } | undefined,
): string {
  if (made === undefined) throw new Error(`Not made: ${JSON.stringify(answer)}`);
  return made.id;
}

/** Whose a thing is, by its id as clients know it; an organisation is its own. */
export function organisationOf(id: string): OrganisationId {
  const reference = decodeId(id);
  if (reference === null || reference.type === 'Licence') throw new Error(`${id} is of no organisation`);
  return reference.organisationId;
}

/** An organisation's own UUID, by its id as clients know it. */
export function uuidOf(organisation: string): OrganisationId {
  const reference = decodeId(organisation);
  if (reference?.type !== 'Organisation') throw new Error(`${organisation} is no organisation`);
  return reference.organisationId;
}

/** Drops an organisation's history of before an instant, as HISTORY_MONTHS has it done to all. */
export async function dropHistory(
  { pool }: Pick<TestServer, 'pool'>,
  organisationId: OrganisationId,
  before: string,
): Promise<void> {
  await pool.query(
    `with gone as (delete from history where organisation_id = $1 and at < $2 returning *)
     insert into history_opening
     select distinct on (licence) organisation_id, licence, id, at, in_use, concurrent_total, contingency_total, max_used
     from gone order by licence, at desc, id desc
     on conflict (organisation_id, licence) do update set id = excluded.id, at = excluded.at, in_use = excluded.in_use,
       concurrent_total = excluded.concurrent_total, contingency_total = excluded.contingency_total`,
    [organisationId, before],
  );
}
