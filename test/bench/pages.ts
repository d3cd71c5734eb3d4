import { setTimeout as delay } from 'node:timers/promises';
import type { CDPSession, Page } from 'playwright-core';
import type pg from 'pg';
import { encodeOrganisationId, encodeOwnedId } from '../../src/kernel/ids.ts';
import { startBrowser } from '../setup/browser.ts';
import { httpClient, type HttpClient } from './client.ts';
import { closedLoop, cpuMicroseconds, postgresMicroseconds, rounded } from './measure.ts';
import { progress, section } from './report.ts';
import { organisationAt, seedLicences, seedOrganisations, seedPools, seedUsers, userAt } from './seed.ts';
import { type Product, startProduct } from './servers.ts';

/**
 * What a browser does with a busy floor: an organisation of 5,000 users and 60 licences, of which each changes ten times a
 * second by logons and logoffs through the API; beside the same page while nothing changes. `npm run bench pages 60`: for
 * a minute instead of ten.
 *
 * Frames are counted as the page gets them; a frame is dropped where the next one comes later than the display's rhythm
 * has it. Memory is what is left after the browser collected its garbage, once a minute, while no frames are counted.
 */
const licences = Array.from({ length: 60 }, (_, index) => `BENCH_PAGE_${String(index + 1).padStart(2, '0')}`);
const users = 5000;
const changesPerSecond = 10 * licences.length;
const idleSeconds = 60;
const organisation = organisationAt(0);

const paths = {
  'Licence Mapping': '/',
} as const;

export async function run(part?: string): Promise<void> {
  const seconds = part === undefined ? 600 : Number(part);
  if (!Number.isInteger(seconds) || seconds < 60)
    throw new Error('`npm run bench pages SECONDS`: 60 at least');
  const report = section('pages');
  const started = await startBrowser();
  if (started === null) throw new Error('Without a browser there is nothing to measure');
  const product = await startProduct({ seed });
  const [server] = product.nodes;
  const client = httpClient(server);
  const browserProcesses = await started.browser.newBrowserCDPSession();
  try {
    for (const [name, path] of Object.entries(paths)) {
      const context = await started.browser.newContext({ viewport: { width: 1920, height: 1080 } });
      const page = await context.newPage();
      const address = new URL(`${path}?organisation=${encodeOrganisationId(organisation)}`, server.http);
      await page.goto(`${address.href}#key=${server.key}`);
      await page.getByText('Live', { exact: true }).first().waitFor();
      const watched = { page, browserProcesses, product, cdp: await context.newCDPSession(page) };

      progress(`${name}: nothing changes, for ${idleSeconds} s`);
      const idle = await watch(watched, idleSeconds);
      report({ case: `${name}, nothing changes`, ...idle });
      progress(`${name}: ${changesPerSecond} changes a second, for ${seconds} s`);
      const load = change(client, seconds + 5);
      await delay(5000);
      const busy = await watch(watched, seconds);
      const { requests, perSecond } = await load.done;
      await agree(page, load.inUse());
      report({
        case: `${name}, ${licences.length} rows change ten times a second`,
        ...busy,
        changes: requests,
        changesPerSecond: perSecond,
      });
      await context.close();
    }
  } finally {
    client.close();
    await started.close();
    await product.stop();
  }
}

/** A page that dropped what it was told would have measured less work. */
async function agree(page: Page, inUse: readonly number[]): Promise<void> {
  await delay(1000);
  for (const [index, licence] of licences.entries()) {
    // Of base four, then concurrent Total and Used.
    const shown = await page.locator(`[data-licence="${licence}"] td.figure`).nth(6).innerText();
    if (Number(shown) !== inUse[index]) {
      throw new Error(`${licence}: the page shows ${shown}, and ${inUse[index]} are in use`);
    }
  }
}

async function seed(pool: pg.Pool): Promise<void> {
  await seedLicences(pool, licences);
  await seedOrganisations(pool, { from: 0, until: 0, activeUsers: users });
  await seedUsers(pool, { organisationIds: [organisation], count: users, licence: null });
  // To each user one of the licences in turn.
  await pool.query(
    `insert into assignment (organisation_id, id, user_id, licence, assigned_at)
     select organisation_id, gen_random_uuid(), id, ($2::text[])[1 + (row_number() over (order by id) - 1) % $3], now()
     from "user" where organisation_id = $1`,
    [organisation, licences, licences.length],
  );
  await seedPools(pool, licences);
}

interface Watched {
  readonly page: Page;
  readonly cdp: CDPSession;
  readonly browserProcesses: CDPSession;
  readonly product: Product;
}

/** What the display's rhythm is, and when frames came; the page is given this once. */
const counter = `globalThis.rhythm ??= (() => {
  const frames = { times: [], isCounting: false };
  const look = (at) => { if (frames.isCounting) frames.times.push(at); requestAnimationFrame(look); };
  requestAnimationFrame(look);
  return frames;
})()`;

async function watch({ page, cdp, browserProcesses, product }: Watched, seconds: number) {
  const [server] = product.nodes;
  await cdp.send('Performance.enable');
  const memory = async () => {
    await cdp.send('HeapProfiler.collectGarbage');
    const { metrics } = await cdp.send('Performance.getMetrics');
    const of = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? NaN;
    return { heap: of('JSHeapUsedSize') / 2 ** 20, nodes: of('Nodes') };
  };
  const processor = async () => {
    const { processInfo } = await browserProcesses.send('SystemInfo.getProcessInfo');
    return {
      browser: processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0),
      server: cpuMicroseconds(server.pid) / 1e6,
      database: postgresMicroseconds(product.postmaster) / 1e6,
      at: performance.now() / 1000,
    };
  };
  await page.evaluate(counter);
  const memories = [await memory()];
  const gaps: number[] = [];
  const before = await processor();
  for (let left = seconds; left > 0; left -= 60) {
    await page.evaluate('rhythm.times = []; rhythm.isCounting = true;');
    await delay(Math.min(left, 60) * 1000);
    const times = (await page.evaluate('rhythm.isCounting = false, rhythm.times')) as number[];
    gaps.push(...times.slice(1).map((at, index) => at - (times[index] ?? at)));
    memories.push(await memory());
  }
  const after = await processor();
  const share = (name: 'browser' | 'server' | 'database') =>
    rounded(((after[name] - before[name]) / (after.at - before.at)) * 100, 1);
  return {
    seconds,
    ...framesOf(gaps),
    ...growth(memories),
    browserPercentOfACore: share('browser'),
    serverPercentOfACore: share('server'),
    databasePercentOfACore: share('database'),
  };
}

/** The rhythm is 60 a second. */
const frameMilliseconds = 1000 / 60;

function framesOf(gaps: number[]) {
  const due = gaps.reduce((sum, gap) => sum + Math.max(1, Math.round(gap / frameMilliseconds)), 0);
  gaps.sort((one, other) => one - other);
  return {
    framesDue: due,
    framesDroppedPercent: rounded((1 - gaps.length / due) * 100),
    longestFrameMilliseconds: rounded(gaps.at(-1) ?? NaN, 0),
  };
}

/** From the first minute on, in which pages still load what they need. */
function growth(memories: readonly { readonly heap: number; readonly nodes: number }[]) {
  const settled = memories.slice(1);
  const [first, last] = [settled[0], settled.at(-1)];
  if (first === undefined || last === undefined) throw new Error('Nothing was measured');
  const minutes = settled.length - 1;
  return {
    heapMegabytes: rounded(first.heap),
    heapMegabytesAtTheEnd: rounded(last.heap),
    // Of the line that fits best: a minute's figure alone is chance.
    heapKilobytesAMinute: minutes < 2 ? null : rounded(slope(settled.map(({ heap }) => heap)) * 1024, 1),
    nodes: first.nodes,
    nodesAtTheEnd: last.nodes,
  };
}

function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const [rise, run] = values.reduce(
    ([up, along], value, index) => [up + (index - middle) * (value - mean), along + (index - middle) ** 2],
    [0, 0],
  );
  return rise / run;
}

const logonQuery = `mutation ($input: LogonInput!) { logon(input: $input) { ... on LogonPayload { session { id } } } }`;
const logoffQuery = `mutation ($input: LogoffInput!) { logoff(input: $input) { __typename } }`;

/** Of each licence in turn somebody logs on or off, so that each changes ten times a second. */
function change(client: HttpClient, seconds: number) {
  /** By licence, the sessions that are on, the first logged on first. */
  const on = licences.map((): string[] => []);
  const held = 20;
  const request = async (index: number) => {
    const licence = index % licences.length;
    const turn = Math.floor(index / licences.length);
    const sessions = on[licence] ?? [];
    // The floor fills first; then one comes for each one who goes.
    const leaver = turn >= held && turn % 2 === 0 ? sessions.shift() : undefined;
    if (leaver !== undefined) {
      const answer = await client.send({ query: logoffQuery, variables: { input: { sessionId: leaver } } });
      if (!answer.includes('LogoffPayload')) throw new Error(answer.slice(0, 500));
      return;
    }
    const user = licence + licences.length * (turn % Math.floor(users / licences.length));
    const input = {
      userId: encodeOwnedId('User', organisation, userAt(user)),
      device: `desktop-${turn}`,
      licence: licences[licence],
    };
    const answer = await client.send({ query: logonQuery, variables: { input } });
    const id = (JSON.parse(answer) as { data?: { logon: { session?: { id: string } } } }).data?.logon.session
      ?.id;
    if (id === undefined) throw new Error(answer.slice(0, 500));
    sessions.push(id);
  };
  const load = { callers: 32, seconds, limit: Infinity, rate: changesPerSecond, request };
  return { done: closedLoop(load), inUse: () => on.map((sessions) => sessions.length) };
}
