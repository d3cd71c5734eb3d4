import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { encodeOrganisationId } from '../../src/kernel/ids.ts';
import { httpClient, type Operation } from './client.ts';
import { closedLoop, rounded } from './measure.ts';
import { progress, section } from './report.ts';
import { organisationAt, seedOrganisations, seedPools } from './seed.ts';
import { startProduct } from './servers.ts';

/**
 * What is told of the past, through the server, against how long the history is: organisations with three years of it, in
 * London and in UTC. `npm run bench history-reads 1000000` goes no further than a million rows.
 */
const sizes = [10_000, 100_000, 1_000_000, 10_000_000];
const seconds = 4;
const licence = 'SUPERVISOR';

const query = `query ($id: ID!, $from: DateTime!, $until: DateTime!, $bucket: UsageBucketSize!) {
  organisation(id: $id) { usageHistory(licence: "${licence}", from: $from, until: $until, bucket: $bucket) {
    from until concurrent { minimum maximum mean total } contingency { minimum maximum mean total } denials } } }`;

const asked = [
  { bucket: 'DAY', from: '2023-01-01T00:00:00Z', until: '2026-01-01T00:00:00Z' },
  { bucket: 'MONTH', from: '2023-01-01T00:00:00Z', until: '2026-01-01T00:00:00Z' },
  { bucket: 'HOUR', from: '2025-10-10T00:00:00Z', until: '2026-01-01T00:00:00Z' },
  { bucket: 'MINUTE_5', from: '2025-12-26T00:00:00Z', until: '2026-01-01T00:00:00Z' },
] as const;

/** Of the last of the three years, or of its last month. */
const reports = {
  peakUsage: `peakUsage(licence: "${licence}", period: "2025-12-15T00:00:00Z") { maxUsed levels { seats milliseconds } }`,
  rightSizing: `rightSizing(months: 1, licences: ["${licence}"]) { cheapest { concurrent contingency } }`,
  denialReport: `denialReport(from: "2025-01-01T00:00:00Z", until: "2026-01-01T00:00:00Z") { licences { denials unmetDemand } }`,
};

export async function run(part?: string): Promise<void> {
  const report = section('history-reads');
  const most = part === undefined ? Number.POSITIVE_INFINITY : Number(part);
  const cases = sizes
    .filter((rows) => rows <= most)
    .flatMap((rows) => ['UTC', 'Europe/London'].map((zone) => ({ rows, zone })));
  const product = await startProduct({
    seed: async (pool) => {
      await seedOrganisations(pool, { from: 0, until: cases.length - 1, activeUsers: 1 });
      await seedPools(pool, [licence]);
      for (const [index, { rows, zone }] of cases.entries()) {
        progress(`${rows.toLocaleString('en')} rows of history, ${zone}`);
        await pool.query('update organisation set time_zone = $2 where id = $1', [
          organisationAt(index),
          zone,
        ]);
        await seedHistory(pool, organisationAt(index), rows);
        await seedDenials(pool, organisationAt(index), rows / 100);
        await seedMonths(pool, organisationAt(index), zone);
      }
    },
  });
  const client = httpClient(product.nodes[0]);
  const send = async (operation: Operation) => {
    const answer = await client.send(operation);
    if (answer.includes('"errors"')) throw new Error(answer.slice(0, 500));
    return answer;
  };
  try {
    const took = await untilSummedUp(product.pool);
    report({ case: `all of it summed up, ${cases.reduce((sum, { rows }) => sum + rows, 0)} rows`, ...took });
    for (const [index, { rows, zone }] of cases.entries()) {
      for (const { bucket, ...period } of asked) {
        const variables = { id: encodeOrganisationId(organisationAt(index)), bucket, ...period };
        const operation: Operation = { query, variables };
        const request = () => send(operation);
        const buckets = (JSON.parse(await request()) as Answer).data.organisation.usageHistory.length;
        const loop = { callers: 1, limit: Number.POSITIVE_INFINITY, request };
        await closedLoop({ ...loop, seconds: 1 });
        const { p50Milliseconds, p99Milliseconds } = await closedLoop({ ...loop, seconds });
        const name = `${rows.toLocaleString('en')} rows, ${zone}, ${bucket}`;
        report({ case: name, buckets, p50Milliseconds, p99Milliseconds });
      }
      for (const [name, field] of Object.entries(reports)) {
        const operation: Operation = {
          query: `query ($id: ID!) { organisation(id: $id) { ${field} } }`,
          variables: { id: encodeOrganisationId(organisationAt(index)) },
        };
        const loop = {
          callers: 1,
          limit: Number.POSITIVE_INFINITY,
          request: () => send(operation),
        };
        const { p50Milliseconds, p99Milliseconds } = await closedLoop({ ...loop, seconds });
        report({
          case: `${rows.toLocaleString('en')} rows, ${zone}, ${name}`,
          p50Milliseconds,
          p99Milliseconds,
        });
      }
    }
  } finally {
    client.close();
    await product.stop();
  }
}

interface Answer {
  readonly data: { readonly organisation: { readonly usageHistory: readonly unknown[] } };
}

/** Logons and logoffs over three years, as many by day as by night. */
async function seedHistory(pool: pg.Pool, organisationId: string, rows: number): Promise<void> {
  await pool.query(
    `insert into history (organisation_id, at, kind, licence, seat_changed, in_use, concurrent_total, contingency_total, max_used)
     select $1, timestamptz '2023-01-01T00:00Z' + i * (interval '1096 days' / $2::int), 'TOTALS_CHANGED', '${licence}', false,
       40 + (20 * sin(i::float8))::int, 50, 10, 10
     from generate_series(0, $2::int - 1) i`,
    [organisationId, rows],
  );
}

/** Each of somebody else, spread over the three years. */
async function seedDenials(pool: pg.Pool, organisationId: string, count: number): Promise<void> {
  await pool.query(
    `insert into denial select $1, gen_random_uuid(), gen_random_uuid(), '${licence}', 'NO_SEAT_AVAILABLE',
       timestamptz '2023-01-01T00:00Z' + i * (interval '1096 days' / $2::int) from generate_series(0, $2::int - 1) i`,
    [organisationId, count],
  );
}

async function seedMonths(pool: pg.Pool, organisationId: string, zone: string): Promise<void> {
  await pool.query(
    `insert into billing_period (organisation_id, month, "from", until)
     select $1, 2023 * 12 + i, (date '2023-01-01' + make_interval(months => i)) at time zone $2,
       (date '2023-01-01' + make_interval(months => i + 1)) at time zone $2
     from generate_series(0, 35) i`,
    [organisationId, zone],
  );
}

/** The server's own job does it, as it does after an update. */
async function untilSummedUp(pool: pg.Pool): Promise<{ readonly seconds: number }> {
  progress('waiting until it is summed up');
  const started = performance.now();
  for (;;) {
    const { rows } = await pool.query(`
      select count(*)::int as behind from organisation o left join usage_progress p on p.organisation_id = o.id
      where coalesce(p.history_id, 0) < (select max(id) from history h where h.organisation_id = o.id)`);
    if (rows[0].behind === 0) return { seconds: rounded((performance.now() - started) / 1000, 1) };
    await delay(500);
  }
}
