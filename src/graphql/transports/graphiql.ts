let page: Promise<string> | null = null;

/**
 * GraphiQL, whole: nothing of it comes from elsewhere. A key in the link's fragment (`#key=…`, which a browser never
 * sends) is moved into GraphiQL's headers and out of the address before it starts. It is made when it is first wanted: a
 * server that loaded its 9 MB as it starts would start a quarter of a second later.
 */
export function graphiqlPage(): Promise<string> {
  page ??= makePage().catch((error: unknown) => {
    page = null;
    throw error;
  });
  return page;
}

async function makePage(): Promise<string> {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const page = renderGraphiQL({
    title: 'Seatkeeper · GraphiQL',
    endpoint: '/graphql',
    subscriptionsProtocol: 'SSE',
    headers: JSON.stringify({ authorization: 'Bearer PASTE-YOUR-KEY-HERE' }, null, 2),
    shouldPersistHeaders: true,
    defaultQuery: examples[0],
    defaultTabs: examples.map((query) => ({ query })),
  } as never);
  return page.replace('<head>', `<head><script>${takeKeyFromFragment}</script>`);
}

const takeKeyFromFragment = `
  const key = new URLSearchParams(location.hash.slice(1)).get('key');
  if (key) {
    localStorage.setItem('graphiql:headers', JSON.stringify({ authorization: 'Bearer ' + key }, null, 2));
    localStorage.setItem('graphiql:shouldPersistHeaders', 'true');
    localStorage.removeItem('graphiql:tabState');
    history.replaceState(null, '', location.pathname + location.search);
  }
`;

/** The tour of the README, a tab each: ready to run against the demonstration organisation. */
const examples = [
  `# 1. The Licence Mapping page of the demonstration organisation. Press ▶.
query LicenceMapping {
  organisation(externalId: "demo") {
    id
    name
    now
    billingPeriod { from until }
    licenceMapping(categories: [USER, FEATURE]) {
      licence { code name }
      base { total used reusable available }
      concurrent { total used available }
      contingency { total used maxUsed available paidHeadroom }
    }
    users(first: 10) { edges { node { id username status } } }
  }
}
`,
  `# 2. Watch it live: put the organisation's id (from tab 1) below, press ▶, and log somebody on in tab 3.
subscription Live {
  usageChanged(organisationId: "PASTE-ORGANISATION-ID") {
    revision
    at
    snapshot
    rows {
      licence { code }
      concurrent { used available }
      contingency { used maxUsed }
    }
  }
}
`,
  `# 3. Log a user on: put a user's id (from tab 1) below. Log on three users to see contingency used.
mutation Logon {
  logon(input: { userId: "PASTE-USER-ID", licence: "INBOUND_AGENT", device: "desktop" }) {
    __typename
    ... on LogonPayload {
      session {
        id
        admittedAs
        expiresAt
        features { feature { code } granted admittedAs unavailableReason }
      }
    }
    ... on UserError { code message }
  }
}
`,
  `# 4. Buy more seats, from now on.
mutation Buy {
  recordPurchase(input: { organisationId: "PASTE-ORGANISATION-ID", licence: "INBOUND_AGENT", base: 5, concurrent: 2 }) {
    ... on RecordPurchasePayload { purchase { id from base concurrent contingency } }
    ... on UserError { code message }
  }
}
`,
  `# 5. Create a user who can log on at once.
mutation Create {
  createUser(
    input: {
      organisationId: "PASTE-ORGANISATION-ID"
      username: "grace"
      status: ACTIVE
      licences: ["INBOUND_AGENT", "AGENT_CALLS", "AGENT_EMAIL"]
    }
  ) {
    ... on CreateUserPayload { user { id assignments { licence { code } consumed } } }
    ... on NoBaseLicenceAvailable { availableAt }
    ... on UserError { code message }
  }
}
`,
] as const;
