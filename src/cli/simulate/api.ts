import { type Instant, instant } from '../../kernel/clock.ts';
import type { Operation, Switchboard } from './connections.ts';
import type { Answer, Request, SessionAnswer } from './exchange.ts';
import { Failure } from './failure.ts';
import type { Row } from './figures.ts';
import type {
  Catalogue,
  CatalogueLicence,
  PlannedOrganisation,
  PlannedPurchase,
  PlannedUser,
} from './plan.ts';

/** The names that the server gave to a simulated organisation and its users. */
export interface Registration {
  readonly organisationId: string;
  readonly userIds: ReadonlyMap<string, string>;
}

/** What the server says of an organisation at one instant. */
export interface Statement {
  readonly rows: readonly Row[];
  /** By licence. */
  readonly revisions: ReadonlyMap<string, number>;
}

export interface Totals {
  readonly liveSessions: number | null;
  readonly sessionsStarted: number | null;
}

/** The licences of the server's catalogue, by code, in its order. */
export async function readCatalogue(switchboard: Switchboard): Promise<Catalogue> {
  const { licences } = await switchboard.ask(catalogueQuery);
  return new Map(
    licences.map((licence) => [
      licence.code,
      { channel: false, channelRequired: false, secondFactorRequired: false, ...licence },
    ]),
  );
}

/**
 * Creates the organisation on a test clock, with its purchases and users.
 * @param externalId unique on the server
 * @param progress called once for each user
 */
export async function register(
  switchboard: Switchboard,
  plan: PlannedOrganisation,
  externalId: string,
  progress: () => void,
): Promise<Registration> {
  const { name, leaseSeconds, from } = plan;
  const { createOrganisation } = await switchboard.ask(createOrganisationMutation, {
    input: { name, externalId, leaseSeconds, testClockAt: from.toISOString(), idempotencyKey: externalId },
  });
  const organisationId = granted(createOrganisation, 'createOrganisation').organisation.id;

  await Promise.all(plan.purchases.map((purchase) => recordPurchase(switchboard, organisationId, purchase)));
  const userIds = await Promise.all(
    plan.users.map(async (user): Promise<[string, string]> => {
      const userId = await createUser(switchboard, organisationId, user);
      progress();
      return [user.username, userId];
    }),
  );
  return { organisationId, userIds: new Map(userIds) };
}

async function recordPurchase(
  switchboard: Switchboard,
  organisationId: string,
  purchase: PlannedPurchase,
): Promise<void> {
  const { recordPurchase: result } = await switchboard.ask(recordPurchaseMutation, {
    input: {
      organisationId,
      ...purchase,
      reference: 'simulated',
      idempotencyKey: `${organisationId} ${purchase.licence}`,
    },
  });
  granted(result, `recordPurchase of ${purchase.licence}`);
}

async function createUser(
  switchboard: Switchboard,
  organisationId: string,
  user: PlannedUser,
): Promise<string> {
  const { createUser: result } = await switchboard.ask(createUserMutation, {
    input: { organisationId, ...user, idempotencyKey: `${organisationId} ${user.username}` },
  });
  return granted(result, `createUser ${user.username}`).user.id;
}

/** Sends one request of a user, and reads the answer whatever it is. */
export async function perform(
  switchboard: Switchboard,
  { userIds }: Registration,
  request: Request,
  idempotencyKey: string,
): Promise<Answer> {
  const userId = userIds.get(request.username);
  switch (request.kind) {
    case 'LOGON': {
      const { device, licence, features } = request;
      const input = { userId, device, licence, features, idempotencyKey };
      return readAnswer((await switchboard.ask(logonMutation, { input })).logon);
    }
    case 'RENEW': {
      const input = { sessionId: request.sessionId };
      return readAnswer((await switchboard.ask(renewSessionMutation, { input })).renewSession);
    }
    case 'LOGOFF': {
      const input = { sessionId: request.sessionId };
      return readAnswer((await switchboard.ask(logoffMutation, { input })).logoff);
    }
    case 'ACQUIRE': {
      const input = { sessionId: request.sessionId, features: request.features };
      return readAnswer((await switchboard.ask(acquireFeaturesMutation, { input })).acquireFeatures);
    }
    case 'RELEASE': {
      const input = { sessionId: request.sessionId, features: request.features };
      return readAnswer((await switchboard.ask(releaseFeaturesMutation, { input })).releaseFeatures);
    }
    case 'ACTIVATE':
    case 'DELETE': {
      const input = { userId, status: request.kind === 'ACTIVATE' ? 'ACTIVE' : 'DELETED' };
      return readAnswer((await switchboard.ask(setUserStatusMutation, { input })).setUserStatus);
    }
  }
}

export async function advanceTestClock(
  switchboard: Switchboard,
  { organisationId }: Registration,
  to: Instant,
): Promise<void> {
  const input = { organisationId, to: to.toISOString() };
  const { advanceTestClock: result } = await switchboard.ask(advanceTestClockMutation, { input });
  granted(result, `advanceTestClock to ${input.to}`);
}

/** The whole Licence Mapping page. */
export async function readStatement(
  switchboard: Switchboard,
  { organisationId }: Registration,
): Promise<Statement> {
  const { organisation } = await switchboard.ask(licenceMappingQuery, { id: organisationId });
  return stateRows(present(organisation).licenceMapping);
}

export async function readTotals(
  switchboard: Switchboard,
  { organisationId }: Registration,
): Promise<Totals> {
  const { organisation } = await switchboard.ask(totalsQuery, { id: organisationId });
  const { all, live } = present(organisation);
  return {
    liveSessions: live?.totalCount ?? null,
    sessionsStarted: all?.totalCount ?? null,
  };
}

/** How often each licence was denied for each reason, keyed `LICENCE CODE`: counted over every page. */
export async function readDenials(
  switchboard: Switchboard,
  { organisationId }: Registration,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (let after: string | null = null; ;) {
    const page: DenialsAnswer = await switchboard.ask(denialsQuery, { id: organisationId, after });
    const { edges, pageInfo } = present(present(page.organisation).denials);
    for (const { node } of edges) {
      const key = `${node.licence.code} ${node.code}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    if (!pageInfo.hasNextPage) return counts;
    after = pageInfo.endCursor;
  }
}

/** Rows as the API answers them, in the reckoning's shape. */
export function stateRows(rows: readonly RowAnswer[]): Statement {
  return {
    rows: rows.map(({ licence, revision: _, ...figures }) => ({ licence: licence.code, ...figures })),
    revisions: new Map(rows.map(({ licence, revision }) => [licence.code, revision])),
  };
}

/** A licence type says nothing of being a channel, a feature nothing of what a licence type needs. */
type CatalogueAnswer = Pick<CatalogueLicence, 'code' | 'category' | 'seatModel' | 'contingencyAllowed'> &
  Partial<CatalogueLicence>;

/** A union's answer: the payload's fields, or an error's. */
type Result<Payload> = (Payload & { readonly code?: undefined }) | RefusalAnswer | null;

interface RefusalAnswer {
  readonly code: string;
  readonly message: string;
  readonly features?: readonly FeatureFields[];
}

interface FeatureFields {
  readonly feature: { readonly code: string };
  readonly granted: boolean;
  readonly admittedAs: string | null;
  readonly unavailableReason: string | null;
}

interface SessionFields {
  readonly id: string;
  readonly admittedAs: string;
  readonly expiresAt: string;
  readonly endedAt: string | null;
  readonly features: readonly FeatureFields[];
}

type SessionResult = Result<{ readonly session: SessionFields }>;
type UserResult = Result<{ readonly user: { readonly id: string; readonly status: string } }>;
type OrganisationResult = Result<{ readonly organisation: { readonly id: string } }>;

export type RowAnswer = Omit<Row, 'licence'> & {
  readonly licence: { readonly code: string };
  readonly revision: number;
};

interface DenialsAnswer {
  readonly organisation: {
    readonly denials: {
      readonly edges: readonly {
        readonly node: { readonly code: string; readonly licence: { readonly code: string } };
      }[];
      readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
    } | null;
  } | null;
}

function readAnswer(result: SessionResult | UserResult): Answer {
  if (result === null) return { kind: 'REFUSED', code: 'null', message: 'no answer', features: [] };
  if (result.code !== undefined) {
    const { code, message, features = [] } = result;
    return { kind: 'REFUSED', code, message, features: readFeatures(features) };
  }
  if ('user' in result) return { kind: 'USER', status: result.user.status };
  return { kind: 'SESSION', session: readSession(result.session) };
}

function readSession({ id, admittedAs, expiresAt, endedAt, features }: SessionFields): SessionAnswer {
  return {
    id,
    admittedAs,
    expiresAt: instant(expiresAt),
    endedAt: endedAt === null ? null : instant(endedAt),
    features: readFeatures(features),
  };
}

function readFeatures(features: readonly FeatureFields[]): SessionAnswer['features'] {
  return features.map(({ feature, ...decision }) => ({ code: feature.code, ...decision }));
}

function granted<Payload extends object>(result: Result<Payload>, what: string): Payload {
  if (result === null) throw new Failure(`${what} was not answered.`);
  if (isRefused(result)) throw new Failure(`${what} was refused: ${result.message} (${result.code})`);
  return result;
}

function isRefused<Payload extends object>(
  result: (Payload & { readonly code?: undefined }) | RefusalAnswer,
): result is RefusalAnswer {
  return result.code !== undefined;
}

function present<Value>(value: Value | null): Value {
  if (value === null) throw new Failure('The server does not show what the simulator has just created.');
  return value;
}

const refusal = '... on UserError { code message }';

const sessionFeature = `
  fragment SessionFeatureFields on SessionFeature {
    feature { code }
    granted
    admittedAs
    unavailableReason
  }`;

const session = `
  fragment SessionFields on Session {
    id
    admittedAs
    expiresAt
    endedAt
    features { ...SessionFeatureFields }
  }
  ${sessionFeature}`;

const row = `
  fragment RowFields on LicenceMapping {
    licence { code }
    revision
    activeUsers
    activeInBillingPeriod
    holders
    base { total used reusable available assigned locked overAllocated }
    concurrent { total used available overAllocated }
    contingency { total used maxUsed maxUsedAt available paidHeadroom }
  }`;

const catalogueQuery: Operation<{ readonly licences: readonly CatalogueAnswer[] }> = {
  name: 'Catalogue',
  document: `
    query Catalogue {
      licences {
        code
        category
        seatModel
        contingencyAllowed
        ... on LicenceType { channelRequired secondFactorRequired }
        ... on FeatureLicence { channel }
      }
    }`,
};

const createOrganisationMutation: Operation<{ readonly createOrganisation: OrganisationResult }> = {
  name: 'CreateOrganisation',
  document: `
    mutation CreateOrganisation($input: CreateOrganisationInput!) {
      createOrganisation(input: $input) {
        ... on CreateOrganisationPayload { organisation { id } }
        ${refusal}
      }
    }`,
};

const recordPurchaseMutation: Operation<{
  readonly recordPurchase: Result<{ readonly purchase: { readonly id: string } }>;
}> = {
  name: 'RecordPurchase',
  document: `
    mutation RecordPurchase($input: RecordPurchaseInput!) {
      recordPurchase(input: $input) {
        ... on RecordPurchasePayload { purchase { id } }
        ${refusal}
      }
    }`,
};

const createUserMutation: Operation<{ readonly createUser: UserResult }> = {
  name: 'CreateUser',
  document: `
    mutation CreateUser($input: CreateUserInput!) {
      createUser(input: $input) {
        ... on CreateUserPayload { user { id status } }
        ${refusal}
      }
    }`,
};

const setUserStatusMutation: Operation<{ readonly setUserStatus: UserResult }> = {
  name: 'SetUserStatus',
  document: `
    mutation SetUserStatus($input: SetUserStatusInput!) {
      setUserStatus(input: $input) {
        ... on SetUserStatusPayload { user { id status } }
        ${refusal}
      }
    }`,
};

const logonMutation: Operation<{ readonly logon: SessionResult }> = {
  name: 'Logon',
  document: `
    mutation Logon($input: LogonInput!) {
      logon(input: $input) {
        ... on LogonPayload { session { ...SessionFields } }
        ${refusal}
        ... on NoChannelAvailable { features { ...SessionFeatureFields } }
      }
    }
    ${session}`,
};

const renewSessionMutation: Operation<{ readonly renewSession: SessionResult }> = {
  name: 'RenewSession',
  document: `
    mutation RenewSession($input: RenewSessionInput!) {
      renewSession(input: $input) {
        ... on RenewSessionPayload { session { ...SessionFields } }
        ${refusal}
      }
    }
    ${session}`,
};

const logoffMutation: Operation<{ readonly logoff: SessionResult }> = {
  name: 'Logoff',
  document: `
    mutation Logoff($input: LogoffInput!) {
      logoff(input: $input) {
        ... on LogoffPayload { session { ...SessionFields } }
        ${refusal}
      }
    }
    ${session}`,
};

const acquireFeaturesMutation: Operation<{ readonly acquireFeatures: SessionResult }> = {
  name: 'AcquireFeatures',
  document: `
    mutation AcquireFeatures($input: AcquireFeaturesInput!) {
      acquireFeatures(input: $input) {
        ... on AcquireFeaturesPayload { session { ...SessionFields } }
        ${refusal}
      }
    }
    ${session}`,
};

const releaseFeaturesMutation: Operation<{ readonly releaseFeatures: SessionResult }> = {
  name: 'ReleaseFeatures',
  document: `
    mutation ReleaseFeatures($input: ReleaseFeaturesInput!) {
      releaseFeatures(input: $input) {
        ... on ReleaseFeaturesPayload { session { ...SessionFields } }
        ${refusal}
      }
    }
    ${session}`,
};

const advanceTestClockMutation: Operation<{ readonly advanceTestClock: OrganisationResult }> = {
  name: 'AdvanceTestClock',
  document: `
    mutation AdvanceTestClock($input: AdvanceTestClockInput!) {
      advanceTestClock(input: $input) {
        ... on AdvanceTestClockPayload { organisation { id } }
        ${refusal}
      }
    }`,
};

const licenceMappingQuery: Operation<{
  readonly organisation: { readonly licenceMapping: readonly RowAnswer[] } | null;
}> = {
  name: 'LicenceMapping',
  document: `
    query LicenceMapping($id: ID!) {
      organisation(id: $id) {
        licenceMapping(categories: [USER, FEATURE, PRODUCT]) { ...RowFields }
      }
    }
    ${row}`,
};

const totalsQuery: Operation<{
  readonly organisation: {
    readonly all: { readonly totalCount: number | null } | null;
    readonly live: { readonly totalCount: number | null } | null;
  } | null;
}> = {
  name: 'Totals',
  document: `
    query Totals($id: ID!) {
      organisation(id: $id) {
        all: sessions(first: 1) { totalCount }
        live: sessions(first: 1, live: true) { totalCount }
      }
    }`,
};

const denialsQuery: Operation<DenialsAnswer> = {
  name: 'Denials',
  document: `
    query Denials($id: ID!, $after: String) {
      organisation(id: $id) {
        denials(first: 100, after: $after) {
          edges { node { code licence { code } } }
          pageInfo { hasNextPage endCursor }
        }
      }
    }`,
};

export const usageChangedSubscription: Operation<{
  readonly usageChanged: {
    readonly revision: number;
    readonly snapshot: boolean;
    readonly rows: readonly RowAnswer[];
  };
}> = {
  name: 'Wallboard',
  document: `
    subscription Wallboard($organisationId: ID!) {
      usageChanged(organisationId: $organisationId) {
        revision
        snapshot
        rows { ...RowFields }
      }
    }
    ${row}`,
};

/** Every document that the simulator sends: a test holds them against the schema. */
export const documents: readonly string[] = [
  catalogueQuery,
  createOrganisationMutation,
  recordPurchaseMutation,
  createUserMutation,
  setUserStatusMutation,
  logonMutation,
  renewSessionMutation,
  logoffMutation,
  acquireFeaturesMutation,
  releaseFeaturesMutation,
  advanceTestClockMutation,
  licenceMappingQuery,
  totalsQuery,
  denialsQuery,
  usageChangedSubscription,
].map(({ document }) => document);
