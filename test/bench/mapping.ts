import pg from 'pg';
import { encodeOrganisationId } from '../../src/kernel/ids.ts';
import { httpClient, type HttpClient, type Operation } from './client.ts';
import { closedLoop, rounded } from './measure.ts';
import { type Figures, progress, section } from './report.ts';
import {
  benchLicences,
  organisationAt,
  seedLicences,
  seedOrganisations,
  seedPools,
  seedUsers,
} from './seed.ts';
import { forgetStatements, startPeer, startProduct, statementsOf } from './servers.ts';

/**
 * The Licence Mapping page through the server, beside the statement that it needs and the least that a GraphQL request
 * costs: at 100 to 1,000,000 users, and asked for 1 to 10,000 organisations. One request after another, so that what is
 * compared is latency.
 */
const sizes = [100, 10_000, 1_000_000];
const organisations = 10_000;
const pageLength = 100;
const seconds = 4;

const fields = `licence { code name } activeUsers activeInBillingPeriod holders revision
  base { total used reusable available assigned locked overAllocated }
  concurrent { total used available overAllocated }
  contingency { total used maxUsed maxUsedAt available paidHeadroom }`;
const page = `query ($id: ID!) { organisation(id: $id) { name licenceMapping { ${fields} } } }`;
const pages = `query ($first: Int!, $after: String) { organisations(first: $first, after: $after) {
  edges { node { name licenceMapping { ${fields} } } } pageInfo { endCursor hasNextPage } } }`;
/** What the page shows, and nothing else. */
const bare = `select p.*, l.name, o.name, o.active_users, o.active_in_billing_period, o.rows_revision
  from organisation o join pool p on p.organisation_id = o.id join licence l on l.code = p.licence
  where o.id = any($1) order by o.id, l.position`;

export async function run(): Promise<void> {
  const report = section('mapping');
  const yoga = await startPeer('yoga');
  const floorOfYoga = await latencyOf(httpClient(yoga), { query: '{ __typename }' });
  await yoga.stop();
  report({ case: 'graphql-yoga alone, { __typename }', ...floorOfYoga });

  const product = await startProduct({
    countStatements: true,
    seed: async (pool) => {
      await seedLicences(pool);
      await seedOrganisations(pool, { from: 0, until: organisations - 1, activeUsers: 1 });
      for (const [index, count] of sizes.entries()) {
        progress(`${count.toLocaleString('en')} users move in`);
        const [licence = ''] = benchLicences;
        await seedUsers(pool, { organisationIds: [organisationAt(index)], count, licence });
      }
      await seedPools(pool, benchLicences);
    },
  });
  /** Milliseconds of the statement, by the number of organisations, and of the least requests. */
  const needed = new Map<number, number>();
  const floors = { own: 0, yoga: Number(floorOfYoga.p50Milliseconds) };
  const timesNeeded = ({ p50Milliseconds }: { readonly p50Milliseconds: number | null }, count: number) => {
    const times = (floor: number) => rounded(Number(p50Milliseconds) / ((needed.get(count) ?? 0) + floor));
    return { timesSqlAndTypename: times(floors.own), timesSqlAndYogasTypename: times(floors.yoga) };
  };
  const [server] = product.nodes;
  const client = httpClient(server);
  const database = new pg.Client(product.pool.options);
  try {
    await database.connect();
    const floor = await latencyOf(client, { query: '{ __typename }' });
    report({ case: 'Seatkeeper, { __typename }', ...floor });
    floors.own = Number(floor.p50Milliseconds);

    for (const [count, name] of [
      [1, 'of one organisation'],
      [pageLength, `of ${pageLength} organisations`],
    ] as const) {
      const ids = Array.from({ length: count }, (_, index) => organisationAt(index));
      // By name, as the product's statements are: parsed and planned once.
      const statement = { name: `bare-${count}`, text: bare, values: [ids] };
      const measured = await latency(() => database.query(statement));
      report({ case: `bare SQL, the rows ${name}`, ...measured });
      needed.set(count, Number(measured.p50Milliseconds));
    }

    let smallest: number | null = null;
    for (const [index, count] of sizes.entries()) {
      const operation = { query: page, variables: { id: encodeOrganisationId(organisationAt(index)) } };
      const measured = await latencyOf(client, operation);
      smallest ??= Number(measured.p50Milliseconds);
      report({
        case: `Seatkeeper, the page of an organisation of ${count.toLocaleString('en')} users`,
        ...measured,
        ...(await statementsAnswer(() => client.send(operation), 20)),
        timesSmallest: rounded(Number(measured.p50Milliseconds) / smallest),
        ...timesNeeded(measured, 1),
      });
    }
    const first = { query: pages, variables: { first: pageLength } };
    const hundred = await latencyOf(client, first);
    report({
      case: `Seatkeeper, the pages of ${pageLength} organisations`,
      ...hundred,
      ...(await statementsAnswer(() => client.send(first), 20)),
      ...timesNeeded(hundred, pageLength),
    });
    report(await walk(client));
  } finally {
    await database.end();
    client.close();
    await product.stop();
  }

  /** The statements that an answer takes, on average: a whole number, unless they vary. */
  async function statementsAnswer(
    ask: () => Promise<unknown>,
    times: number,
  ): Promise<{ statements: number }> {
    await forgetStatements(product.pool);
    for (let time = 0; time < times; time += 1) await ask();
    return { statements: rounded((await statementsOf(product.pool)) / times) };
  }

  /** All organisations, page after page, as far as the API hands them out at once. */
  async function walk(client: HttpClient): Promise<Figures> {
    let after: string | null = null;
    let asked = 0;
    await forgetStatements(product.pool);
    const started = performance.now();
    const measured = await closedLoop({
      callers: 1,
      seconds: 600,
      limit: organisations / pageLength,
      request: async () => {
        const answer = await client.send({ query: pages, variables: { first: pageLength, after } });
        const { data } = JSON.parse(answer) as {
          data: { organisations: { edges: unknown[]; pageInfo: { endCursor: string } } };
        };
        asked += data.organisations.edges.length;
        after = data.organisations.pageInfo.endCursor;
      },
    });
    if (asked !== organisations) throw new Error(`${asked} organisations were answered`);
    return {
      case: `Seatkeeper, the pages of ${organisations.toLocaleString('en')} organisations, ${pageLength} a request`,
      ...measured,
      statements: rounded((await statementsOf(product.pool)) / measured.requests),
      ...timesNeeded(measured, pageLength),
      milliseconds: Math.round(performance.now() - started),
    };
  }
}

function latencyOf(client: HttpClient, operation: Operation) {
  return latency(async () => {
    const answer = await client.send(operation);
    if (answer.includes('"errors"')) throw new Error(answer.slice(0, 500));
  });
}

async function latency(request: () => Promise<unknown>) {
  const loop = { callers: 1, limit: Number.POSITIVE_INFINITY, request };
  await closedLoop({ ...loop, seconds: 1 });
  const { requests, p50Milliseconds, p99Milliseconds } = await closedLoop({ ...loop, seconds });
  return { requests, p50Milliseconds, p99Milliseconds };
}
