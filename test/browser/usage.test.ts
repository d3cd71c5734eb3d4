import type { Page, Request } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeId, type UserId } from '../../src/kernel/ids.ts';
import { startBrowser } from '../setup/browser.ts';
import { advance, buy, createOrganisation, createUser, dropHistory, logon, uuidOf } from '../setup/given.ts';
import { testPages } from '../setup/pages.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';
import {
  beyond,
  isFocused,
  linesOf,
  openPage,
  ordinary,
  screenshotOf,
  sizes,
  violationsOf,
} from '../setup/sight.ts';

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

/** By the clocks of the organisation, which are an hour before those of the browser. */
const at = (moment: string) => advance(server, organisation, `2026-${moment}:00+01:00`);
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
async function haveAMonth(): Promise<void> {
  organisation = await createOrganisation(server, {
    ...{ name: 'Acme Contact Centre', timeZone: 'Europe/Berlin' },
    ...{ testClockAt: '2025-12-31T23:00:00Z', leaseSeconds: 86_400 },
  });
  await server.mutate('setBillingTerms', { organisationId: organisation, currency: 'EUR' });
  for (const [kind, amount] of [
    ['BASE', 500],
    ['CONCURRENT', 2050],
    ['CONTINGENCY', 3000],
  ] as const) {
    await server.mutate('setPrice', { organisationId: organisation, currency: 'EUR', licence, kind, amount });
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
  await haveAMonth();
  if (started !== null) ({ page, complaints } = await openPage(started.browser));
});
afterAll(async () => {
  await started?.close();
  await server.stop();
});

const origin = () => new URL(server.url).origin;
const section = (name: string) => page.getByRole('region', { name });
/** What is told of the time that is shown, and which that is. */
const told = (text: string) => page.locator('.told').filter({ hasText: text }).waitFor();
const titled = (text: string) => page.getByRole('heading', { level: 2, name: text, exact: true }).waitFor();
const lines = (name: string) => linesOf(page, name);

const broken = { errors: [{ message: 'It is broken.', extensions: { code: 'BROKEN' } }] };
const operationOf = (request: Request) =>
  /^\w+ (\w+)/.exec((request.postDataJSON() as { query: string }).query)?.[1] ?? '';

/** Opens the page at an address, as whoever is signed in. */
async function show(search: string): Promise<void> {
  await page.goto(`${origin()}/usage?organisation=${organisation}&licence=${licence}${search}`);
  await section('Hours of the week').getByRole('cell').first().waitFor();
  await page.locator('.uplot').nth(1).waitFor();
}

async function enter(key: string): Promise<void> {
  // Whoever is signed in would be asked whether to be somebody else.
  await page.context().clearCookies();
  await page.goto(`${origin()}/usage#key=${key}`);
  await page.getByRole('heading', { name: 'Usage' }).or(page.locator('.notice')).first().waitFor();
}

describe.skipIf(started === null)('Usage', () => {
  test('begins with at most 150 kB, and asks for trusted documents alone', async () => {
    const asked = new Set<string>();
    page.on('request', (request) => {
      if (request.url().endsWith('/graphql')) asked.add((request.postDataJSON() as { query: string }).query);
    });
    await enter(server.key);
    await show('');
    expect(asked.size).toBeGreaterThan(7);
    expect([...pages.files.documents.values()]).toEqual(expect.arrayContaining([...asked]));
    const html = await (await fetch(`${origin()}/usage`)).text();
    const files = new Set(
      [...html.matchAll(/(?:href|src)="(\/assets\/[^"]+\.(?:js|css))"/g)].map(([, file]) => file),
    );
    expect(files.size).toBeGreaterThan(4);
    const sizesOf = [...files].map(async (file) => {
      const response = await fetch(`${origin()}${file}`, { headers: { 'accept-encoding': 'gzip' } });
      await response.arrayBuffer();
      expect(response.headers.get('content-encoding')).toBe('gzip');
      return Number(response.headers.get('content-length'));
    });
    const total = (await Promise.all(sizesOf)).reduce((sum, bytes) => sum + bytes, 0);
    expect(total).toBeLessThan(150_000);
  });

  test('shows a day, a week or a billing period, as the address says, by keyboard', async () => {
    await show('');
    await titled('Tue, 10 Feb 2026');
    await told('The most in use: 9 of 11, first at 11:20:00. Refusals: 0.');
    expect(await page.getByRole('button', { name: 'Next day' }).isDisabled()).toBe(true);
    await page.getByRole('button', { name: 'Previous day' }).focus();
    await page.keyboard.press('Enter');
    await titled('Mon, 9 Feb 2026');
    expect(page.url()).toContain('&at=2026-02-09');
    await told('No seat was in use. Refusals: 0.');
    await page.getByRole('group', { name: 'Show by' }).getByRole('button', { name: 'Week' }).press('Enter');
    await titled('9 Feb 2026 to 15 Feb 2026');
    await page.getByRole('button', { name: 'Month' }).press('Enter');
    await titled('1 Feb 2026 to 28 Feb 2026');
    await page.getByRole('button', { name: 'Previous month' }).press('Enter');
    await titled('1 Jan 2026 to 31 Jan 2026');
    await told('The most in use: 11 of 11, first at 14 Jan 2026, 09:40. Refusals: 2.');
    await page.goBack();
    await titled('1 Feb 2026 to 28 Feb 2026');
    await page.getByLabel('Date').fill('2026-01-13');
    await page.getByRole('button', { name: 'Day', exact: true }).click();
    await titled('Tue, 13 Jan 2026');
    // The month’s peak was another: by five minutes.
    await told('The most in use: 9 of 11, first between 09:00 and 09:05. Refusals: 0.');
    await page.getByRole('button', { name: 'Today' }).click();
    await titled('Tue, 10 Feb 2026');
  });

  test('tells in a table what the chart shows, why the peak was and who was refused', async () => {
    await show('&at=2026-01-14');
    await told('The most in use: 11 of 11, first at 09:40:00. Refusals: 2.');
    await page.getByText('The same as a table').press('Enter');
    const hours = await lines('The same as a table');
    expect(hours).toHaveLength(24);
    expect(hours.slice(8, 11)).toEqual([
      '08:00 8 08:55 11 0 0',
      '09:00 11 09:40 11 3 2',
      '10:00 11 10:00 11 3 0',
    ]);
    const peak = section('Contingency peak of the month');
    await peak
      .getByText('3 at one time, first at 14 Jan 2026, 09:40. Raised by margaret on desktop.')
      .waitFor();
    expect(await lines('For how long contingency was in use')).toEqual([
      '1 11 h 59 min',
      '2 49 min',
      '3 40 min',
    ]);
    await peak.getByText('Who held a seat then').press('Enter');
    expect((await lines('Who held a seat then')).toSorted().slice(-3)).toEqual([
      'ken 09:31',
      'leslie 09:31',
      'margaret 09:40',
    ]);
    await section('Refusals by reason')
      .getByText('Refusals: 2. Users refused: 1. Seats wanted in vain at one time: 1, first at 09:45.')
      .waitFor();
    expect(await lines('Refusals by reason')).toEqual(['Every seat was in use 2 1 2 28 min 35 min 0 0']);
  });

  test('has the hours of the week by the organisation’s clocks, in colour and in figures', async () => {
    await show('&at=2026-01-14');
    const cells = section('Hours of the week').locator('tbody tr').nth(2).getByRole('cell');
    const texts = await cells.allTextContents();
    expect(texts.slice(7, 12)).toEqual(['0', '8', '11, contingency', '11, contingency', '9, contingency']);
    expect(await cells.nth(9).getAttribute('class')).toBe('contingency');
    expect(await cells.nth(8).getAttribute('class')).toBe('heat3');
  });

  test('has the month’s statement as the API has it, to be saved as well', async () => {
    await show('&by=month&at=2026-01-20');
    const { data } = await server.query(
      'query ($id: ID!) { organisation(id: $id) { billingStatement(period: "2026-01-20T00:00:00Z") { number total { decimal } } } }',
      { id: organisation },
    );
    const { number, total } = data.organisation.billingStatement;
    await section('Statement of the month').getByText(`Statement ${number}, closed`).waitFor();
    const statement = await lines('Statement of the month');
    expect(statement).toContain('Supervisor, contingency 3 €30.00 €90.00');
    expect(statement.at(-1)).toBe(`Sum €${total.decimal}`);
    expect(total.decimal).toBe('324.00');
    const saving = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Download CSV' }).click();
    expect(await (await saving).failure()).toBeNull();
    const link = await page
      .getByRole('link', { name: 'To print' })
      .evaluate((one) => one.getAttribute('href'));
    await page.getByRole('button', { name: 'Next month' }).click();
    await section('Statement of the month').getByText('Estimate: the month still runs').waitFor();
    // By its address; and to whom the browser signs in nobody, once it does.
    await page.goto(`${origin()}${link}`);
    await page.getByRole('heading', { name: `Statement ${number}` }).waitFor();
    await page.context().clearCookies();
    await page.reload();
    await page.getByLabel('Key or access token').fill(server.key);
    await page.keyboard.press('Enter');
    const file = page.getByRole('link', { name: /^stm_.*\.html$/ });
    await file.waitFor();
    expect(await violationsOf(page)).toEqual([]);
    await page.screenshot({ path: screenshotOf('download') });
    await page.setViewportSize({ width: 320, height: 640 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(320);
    await page.setViewportSize({ width: 1440, height: 900 });
    await file.press('Enter');
    await page.getByRole('heading', { name: `Statement ${number}` }).waitFor();
    expect(new URL(page.url()).pathname).toBe(link);
  });

  test('reckons what other quantities would have cost and refused', async () => {
    await show('');
    const tries = () => lines('What if');
    await expect.poll(async () => (await tries())[0]).toBe('Your try 8 3 €254.00 €0.00 1 22 min');
    expect((await tries()).slice(1, 3)).toEqual([
      'As bought 8 3 €254.00 €0.00 1 22 min',
      'Recommended 12 0 €246.00 €8.00 0 –',
    ]);
    await page.getByLabel('Concurrent seats').fill('9');
    await expect.poll(async () => (await tries())[0]).toBe('Your try 9 3 €274.50 -€20.50 0 –');
    expect(page.url()).toContain('try=9.3');
    await page.getByRole('button', { name: 'Recommended' }).press('Enter');
    await expect.poll(async () => (await tries())[0]).toBe('Your try 12 0 €246.00 €8.00 0 –');
    // Where it cannot be reckoned the fields stay, with what was typed, and what was known; and so does half a number.
    await page.route('**/graphql', (route) =>
      operationOf(route.request()) === 'WhatIf' ? route.fulfill({ json: broken }) : route.fallback(),
    );
    const seats = page.getByLabel('Concurrent seats');
    await seats.fill('');
    const wrong = 'A whole number of seats, 0 to 1,000,000.';
    await section('What if').getByRole('alert').getByText(wrong).waitFor();
    await seats.fill('9');
    await section('What if')
      .getByText('This could not be read: It is broken. What is shown is as it was before.')
      .waitFor();
    expect([await seats.inputValue(), await isFocused(seats)]).toEqual(['9', true]);
    expect((await tries())[0]).toBe('Your try 12 0 €246.00 €8.00 0 –');
    await page.unrouteAll({ behavior: 'wait' });
    await section('What if').getByRole('button', { name: 'Try again' }).press('Enter');
    await expect.poll(async () => (await tries())[0]).toBe('Your try 9 0 €184.50 €69.50 3 49 min');
    // Who types into one and at once into the other tries both.
    await seats.fill('11');
    await page.getByLabel('Contingency seats').fill('1');
    await expect.poll(() => page.url()).toContain('try=11.1');
  });

  test('follows a day that runs, some seconds after its seats at the latest', async () => {
    await show('');
    await at('02-10T14:30');
    await logOn('leslie');
    await at('02-10T14:31');
    await told('The most in use: 10 of 11, first at 14:30:00. Refusals: 0.');
    await at('02-10T14:35');
    await logOn('ken', 'margaret');
    // What happens at this very instant is in no bucket yet.
    await at('02-10T14:36');
    await page.getByRole('button', { name: 'Refresh' }).click();
    await told('The most in use: 11 of 11, first at 14:35:00.');
  });

  test('asks for nothing while nothing happens, though time goes on', async () => {
    const idle = await createOrganisation(server, { name: 'Idle', testClockAt: null });
    await buy(server, idle, licence, { base: 1, concurrent: 1 });
    await enter(server.key);
    await page.goto(`${origin()}/usage?organisation=${idle}&licence=${licence}`);
    await page.locator('.uplot').first().waitFor();
    await page.waitForLoadState('networkidle');
    const asked: string[] = [];
    const count = (request: Request) => {
      if (request.url().endsWith('/graphql')) asked.push(request.postData() ?? '');
    };
    page.on('request', count);
    await page.waitForTimeout(4000);
    page.off('request', count);
    expect(asked).toEqual([]);
  });

  test('shows nothing of one organisation under the name of another', async () => {
    const other = await createOrganisation(server, { name: 'Other', testClockAt: '2026-02-10T12:00:00Z' });
    await buy(server, other, licence, { base: 1, concurrent: 1 });
    await show('');
    const held = Promise.withResolvers<void>();
    await page.route('**/graphql', async (route) => {
      if (operationOf(route.request()) === 'Usage') await held.promise;
      await route.fallback();
    });
    const picker = page.getByRole('combobox', { name: 'Organisation' });
    await picker.fill('other');
    await page.getByRole('option', { name: 'Other' }).waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.title()).toBe('Other – Usage – Seatkeeper');
    expect(await page.locator('.told').allInnerTexts()).toEqual([]);
    held.resolve();
    await told('No seat was in use.');
    expect(await isFocused(picker)).toBe(true);
    await page.unrouteAll({ behavior: 'wait' });
  });

  test('reads a day that runs again once it is over, and not before', async () => {
    const { now } = (
      await server.query('query ($id: ID!) { organisation(id: $id) { now } }', { id: organisation })
    ).data.organisation;
    const hours = (Date.parse('2026-02-10T23:00:00Z') - Date.parse(now)) / 3_600_000;
    const idle = await page.context().newPage();
    await idle.clock.install();
    await idle.goto(`${origin()}/usage?organisation=${organisation}&licence=${licence}`);
    await idle.locator('.uplot').nth(1).waitFor();
    await idle.waitForLoadState('networkidle');
    const asked: string[] = [];
    idle.on('request', (request) => {
      if (request.url().endsWith('/graphql')) asked.push(operationOf(request));
    });
    await idle.clock.fastForward((hours - 1) * 3_600_000);
    await idle.waitForTimeout(500);
    expect(asked).toEqual([]);
    await idle.clock.fastForward(2 * 3_600_000);
    await expect.poll(() => asked).toEqual(expect.arrayContaining(['Licences', 'Usage', 'Refusals']));
    await idle.close();
  });

  test('says in its place what could not be read, and reads it when it is asked to', async () => {
    const parts = {
      Refusals: 'Refusals by reason',
      Peak: 'Contingency peak of the month',
      Weeks: 'Hours of the week',
      Statement: 'Statement of the month',
      WhatIf: 'What if',
      Alerts: 'Alerts standing',
    };
    await page.route('**/graphql', (route) =>
      operationOf(route.request()) in parts ? route.fulfill({ json: broken }) : route.fallback(),
    );
    await page.goto(`${origin()}/usage?organisation=${organisation}&licence=${licence}&at=2026-01-14`);
    for (const name of Object.values(parts)) {
      await section(name).getByText('This could not be read: It is broken.').waitFor();
    }
    expect(await violationsOf(page)).toEqual([]);
    await page.screenshot({ path: screenshotOf('usage-failed'), fullPage: true });
    const seats = page.getByLabel('Concurrent seats');
    await seats.fill('7');
    await expect.poll(() => page.url()).toContain('try=7.3');
    await section('What if').getByText('This could not be read: It is broken.').waitFor();
    expect(await isFocused(seats)).toBe(true);
    await page.unrouteAll({ behavior: 'wait' });
    for (const name of Object.values(parts)) {
      await section(name).getByRole('button', { name: 'Try again' }).press('Enter');
      await section(name).getByText('It is broken.').waitFor({ state: 'detached' });
      // The focus stays where it was.
      expect(await isFocused(section(name))).toBe(true);
    }
    expect(await lines('Refusals by reason')).toHaveLength(1);
  });

  test('keeps figures that could not be read again, calls them old, and reads them by itself', async () => {
    await show('');
    await page.route('**/graphql', (route) => route.fulfill({ status: 500, body: 'Broken' }));
    await page.getByRole('button', { name: 'Refresh' }).click();
    const old = page.getByText(/^Not read again – as of \d\d:\d\d:\d\d$/);
    await old.waitFor();
    const alerts = page.getByRole('alert').filter({ hasText: 'The server failed (500).' });
    await section('Hours of the week').getByText('What is shown is as it was before.').waitFor();
    // Once, though the chart could not be read again either.
    await expect.poll(() => alerts.count()).toBe(1);
    await told('The most in use: 11 of 11, first at 14:35:00.');
    expect(await section('Hours of the week').getByRole('cell').count()).toBe(168);
    await page.unrouteAll({ behavior: 'wait' });
    // The API itself may fail, time and again.
    const asked = new Map<string, number>();
    const brokenData = {
      data: { organisation: null },
      errors: [{ message: 'It is broken.', path: ['organisation'] }],
    };
    await page.route('**/graphql', (route) => {
      const operation = operationOf(route.request());
      asked.set(operation, (asked.get(operation) ?? 0) + 1);
      return route.fulfill({ json: brokenData });
    });
    await page.getByRole('button', { name: 'Refresh' }).click();
    await page.getByRole('button', { name: 'Refresh' }).click();
    await expect.poll(() => asked.get('Usage') ?? 0).toBeGreaterThan(1);
    await section('Hours of the week').getByText('It is broken. What is shown').waitFor();
    await told('The most in use: 11 of 11, first at 14:35:00.');
    await page.unrouteAll({ behavior: 'wait' });
    await page.getByRole('button', { name: 'Refresh' }).click();
    await old.waitFor({ state: 'detached' });
    await page.locator('.failure').first().waitFor({ state: 'detached' });
  });

  test('is accessible in both themes, with everything open', async () => {
    await show('&at=2026-01-14');
    for (const summary of await page.locator('summary').all()) await summary.click();
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await violationsOf(page), colorScheme).toEqual([]);
    }
  });

  test('fits every window, but for tables, which scroll by themselves', async () => {
    const widthsOf = (selector: string) =>
      page.locator(selector).evaluateAll((all) => all.map(({ clientWidth }) => clientWidth));
    for (const [view, search] of [
      ['day', '&at=2026-01-14'],
      ['week', '&by=week&at=2026-01-14'],
      ['month', '&by=month'],
    ] as const) {
      await show(search);
      await section('Alerts standing').waitFor();
      for (const [name, width, height, colorScheme] of sizes) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height });
        expect(await beyond(page, 'html'), `${view}, ${name}`).toBe(0);
        // Of the seats, and of the refusals.
        const places = await widthsOf('.chart');
        expect(places).toHaveLength(2);
        await expect.poll(() => widthsOf('.uplot'), { message: `${view}, ${name}` }).toEqual(places);
        // Of the whole page, which takes a second each: the other views differ in their first picture.
        if (view === 'day')
          await page.screenshot({ path: screenshotOf(`usage-${view}-${name}`), fullPage: true });
      }
      await page.setViewportSize(ordinary.viewport);
    }
  });

  test('says what was dropped, instead of drawing nothing', async () => {
    await dropHistory(server, uuidOf(organisation), '2026-02-01T00:00:00Z');
    await show('&at=2026-01-14');
    const gone = /HISTORY_MONTHS/;
    for (const name of ['Refusals by reason', 'Contingency peak of the month', 'What if']) {
      await section(name).getByText(gone).waitFor();
    }
    // The figures by time are kept.
    await told('The most in use: 11 of 11, first at 09:40:00. Refusals: 2.');
    expect(await lines('Refusals by reason')).toEqual(['Every seat was in use 2 1 – – – – –']);
  });

  test('asks a screen’s key for no person and no money, and nothing of who may see no figure', async () => {
    const organisationId = uuidOf(organisation);
    await enter(server.as({ role: 'WALLBOARD', organisationId, userId: null }).key);
    await show('');
    await section('Alerts standing').waitFor();
    expect(await page.getByRole('heading', { level: 3 }).allInnerTexts()).toEqual([
      ...['Seats in use', 'Refusals by reason', 'Contingency peak of the month'],
      ...['Hours of the week', 'Alerts standing'],
    ]);
    expect(await page.getByText('Who held a seat then').count()).toBe(0);
    const user = decodeId(users.get('ada') ?? '');
    if (user?.type !== 'User') throw new Error('No user');
    await enter(server.as({ role: 'AGENT', organisationId, userId: user.id as UserId }).key);
    await page.getByText('Usage is for those who may see an organisation’s figures.').waitFor();
    const { data } = await server.query(
      'query ($id: ID!) { organisation(id: $id) { auditLog(first: 100) { edges { node { action outcome } } } } }',
      { id: organisation },
    );
    const denied = data.organisation.auditLog.edges.filter(
      ({ node }: { readonly node: { readonly outcome: string } }) => node.outcome !== 'DONE',
    );
    expect(denied).toEqual([]);
  });

  test('gave the browser nothing to complain of, but a server that failed', () => {
    expect(complaints.filter((complaint) => !complaint.includes('status of 500'))).toEqual([]);
  });
});
