import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBrowser } from '../setup/browser.ts';
import { advance, buy, createOrganisation, createUser, logon, uuidOf } from '../setup/given.ts';
import { testPages } from '../setup/pages.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';
import { beyond, openPage, ordinary, screenshotOf, sizes, violationsOf } from '../setup/sight.ts';

const started = await startBrowser();
const pages = await testPages();
const licence = 'SUPERVISOR';
const names = 'ada alan barbara edsger grace hedy joan katherine ken leslie margaret radia'.split(' ');
let server: TestServer;
let organisation: string;
let page: Page;
let complaints: readonly string[] = [];
const users = new Map<string, string>();
const live = new Map<string, string>();

const at = (moment: string) => advance(server, organisation, `2026-${moment}:00Z`);
const logOn = async (...who: readonly string[]) => {
  for (const [name, { session }] of await Promise.all(
    who.map(async (each) => [each, await logon(server, users.get(each) ?? '', licence)] as const),
  )) {
    if (session !== undefined) live.set(name, session.id);
  }
};
const logOff = async (...who: readonly string[]) => {
  await Promise.all(who.map((name) => server.mutate('logoff', { sessionId: live.get(name) })));
  for (const name of who) live.delete(name);
};

/** A month that is over, with one hour of logons in which the seats ran out, and the day that runs. */
async function live31Days(): Promise<void> {
  organisation = await createOrganisation(server, {
    ...{ name: 'Acme Contact Centre', timeZone: 'Europe/London' },
    ...{ testClockAt: '2026-01-01T00:00:00Z', leaseSeconds: 86_400 },
  });
  await server.mutate('setBillingTerms', { organisationId: organisation, currency: 'GBP' });
  for (const [kind, amount] of [
    ['BASE', 500],
    ['CONCURRENT', 2050],
    ['CONTINGENCY', 3000],
  ] as const) {
    await server.mutate('setPrice', { organisationId: organisation, currency: 'GBP', licence, kind, amount });
  }
  await buy(server, organisation, licence, { base: 14, concurrent: 8, contingency: 3 });
  await buy(server, organisation, 'AGENT_CALLS', { concurrent: 20 });
  for (const name of names) users.set(name, await createUser(server, organisation, name, [licence]));
  for (const [day, count] of [
    ['01-05', 5],
    ['01-06', 7],
    ['01-07', 8],
    ['01-08', 6],
    ['01-09', 4],
    ['01-12', 6],
    ['01-13', 9],
  ] as const) {
    await at(`${day}T09:00`);
    await logOn(...names.slice(0, count));
    await at(`${day}T13:00`);
    await logOff(...names.slice(0, 3));
    await at(`${day}T17:00`);
    await logOff(...names.slice(3, count));
  }
  await at('01-14T08:58');
  await logOn(...names.slice(0, 8));
  await at('01-14T09:31');
  await logOn('leslie');
  await logOn('ken');
  await at('01-14T09:40');
  await logOn('margaret');
  await at('01-14T09:45');
  await logOn('radia');
  await at('01-14T09:52');
  await logOn('radia');
  await at('01-14T10:20');
  await logOff('ada', 'alan', 'barbara');
  await logOn('radia');
  await at('01-14T17:30');
  await logOff(...live.keys());
  await at('02-02T09:10');
  await logOn(...names.slice(0, 8));
  await at('02-02T16:00');
  await logOff(...live.keys());
  await at('02-10T08:55');
  await logOn(...names.slice(0, 6));
  await at('02-10T11:20');
  await logOn(...names.slice(6, 9));
  await at('02-10T14:20');
}

beforeAll(async () => {
  server = await startTestServer({ pages });
  await live31Days();
  if (started !== null) ({ page, complaints } = await openPage(started.browser));
});
afterAll(async () => {
  await started?.close();
  await server.stop();
});

const origin = () => new URL(server.url).origin;
const section = (name: string) => page.getByRole('region', { name });

/** Opens the page at an address, as whoever is signed in. */
async function show(search: string): Promise<void> {
  await page.goto(`${origin()}/usage?organisation=${organisation}&licence=${licence}${search}`);
  await section('Hours of the week').getByRole('cell').first().waitFor();
  await page.locator('.uplot').nth(1).waitFor();
}

describe.skipIf(started === null)('Usage', () => {
  test('looks', async () => {
    await page.goto(`${origin()}/usage#key=${server.key}`);
    await page.getByRole('heading', { name: 'Usage' }).waitFor();
    for (const [view, search] of [
      ['today', ''],
      ['day', '&at=2026-01-14'],
      ['week', '&by=week&at=2026-01-14'],
      ['month', '&by=month&at=2026-01-14'],
    ] as const) {
      await show(search);
      await page.waitForTimeout(900);
      await page.screenshot({ path: screenshotOf(`usage-${view}`), fullPage: true });
    }
    console.log(complaints, uuidOf(organisation), beyond, ordinary, sizes, violationsOf);
  });
});
