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

interface Watchable {
  readonly name: string;
  readonly path: string;
  /** Where, of a licence's row or tile, stands how many concurrent seats are in use. */
  readonly used: string;
}

const pages: readonly Watchable[] = [
  // Of base four, then concurrent Total and Used.
  { name: 'Licence Mapping', path: '/', used: 'td.figure >> nth=6' },
  // Twelve licences at a time, which take turns; all are told to it.
  { name: 'Wallboard', path: '/wallboard', used: '.seats strong' },
];

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
  const floor: Floor = { sessions: licences.map(() => []), requests: 0 };
  try {
    for (const watchable of pages) {
      const { name, path } = watchable;
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
      const load = change(client, floor, seconds + 5);
      await delay(5000);
      const busy = await watch(watched, seconds);
      const { requests, perSecond } = await load;
      await agree(page, watchable, floor);
      report({
        case: `${name}, ${licences.length} rows change ten times a second`,
        ...busy,
        changes: requests,
        changesPerSecond: perSecond,
        timesTheBrowserOfIdle: rounded(busy.browserPercentOfACore / idle.browserPercentOfACore, 1),
        timesTheHeapOfIdle: rounded(busy.heapMegabytesAtTheEnd / idle.heapMegabytesAtTheEnd),
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
async function agree(page: Page, { name, used }: Watchable, { sessions }: Floor): Promise<void> {
  await delay(1000);
  let compared = 0;
  for (const [index, licence] of licences.entries()) {
    const place = page.locator(`[data-licence="${licence}"]`);
    if ((await place.count()) === 0) continue;
    const shown = await place.locator(used).innerText();
    const inUse = sessions[index]?.length;
    if (Number(shown) !== inUse)
      throw new Error(`${licence}: ${name} shows ${shown}, and ${inUse} are in use`);
    compared += 1;
  }
  if (compared === 0) throw new Error(`${name} shows none of the licences`);
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
    heapMegabytesByMinute: settled.map(({ heap }) => heap.toFixed(1)).join(' '),
    heapKilobytesAMinute: minutes < 2 ? null : rounded(slope(settled.map(({ heap }) => heap)) * 1024, 1),
    nodes: first.nodes,
    nodesAtTheEnd: last.nodes,
    nodesByMinute: settled.map(({ nodes }) => nodes).join(' '),
    nodesAMinute: minutes < 2 ? null : rounded(slope(settled.map(({ nodes }) => nodes)), 1),
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

/** Who is logged on: the next page finds the floor as the one before left it. */
interface Floor {
  /** By licence, the first logged on first. */
  readonly sessions: readonly string[][];
  /** Logons and logoffs so far. */
  requests: number;
}

/** How many are on at each licence, one more or less. */
const held = 20;

/** Of each licence in turn somebody logs on or off, so that each changes ten times a second. */
async function change(client: HttpClient, floor: Floor, seconds: number) {
  const request = async (index: number) => {
    const licence = index % licences.length;
    const turn = Math.floor(index / licences.length);
    const sessions = floor.sessions[licence] ?? [];
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
  const done = await closedLoop({ ...load, from: floor.requests });
  floor.requests += done.requests;
  return done;
}
