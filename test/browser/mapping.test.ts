import { readFileSync } from 'node:fs';
import type { Page, Request, WebSocketRoute } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defaultLimits } from '../../src/graphql/transports/limits.ts';
import { decodeId, type UserId } from '../../src/kernel/ids.ts';
import { startBrowser } from '../setup/browser.ts';
import { buy, createOrganisation, createUser, logon, uuidOf } from '../setup/given.ts';
import { testPages } from '../setup/pages.ts';
import { startProxy } from '../setup/proxy.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';
import {
  beyond,
  isFocused,
  linesOf,
  mappingRows,
  openPage,
  ordinary,
  screenshotOf,
  sizes,
  violationsOf,
} from '../setup/sight.ts';

const started = await startBrowser();
const agents = ['ada', 'alan', 'barbara', 'edsger', 'grace', 'hedy'] as const;

const pages = await testPages();
const limits = { ...defaultLimits };
let server: TestServer;
let organisation: string;
let customer: string;
const users = new Map<string, string>();
let page: Page;
let complaints: readonly string[] = [];

beforeAll(async () => {
  if (started !== null) ({ page, complaints } = await openPage(started.browser));
  server = await startTestServer({ pages, limits });
  organisation = await createOrganisation(server, {
    name: '=Acme, "Contact" Centre',
    timeZone: 'Europe/London',
  });
  customer = await createOrganisation(server, { name: 'Beta Bank', parentId: organisation });
  await buy(server, organisation, 'INBOUND_AGENT', { base: 10, concurrent: 2, contingency: 2 });
  await buy(server, organisation, 'SUPERVISOR', { base: 2, concurrent: 3 });
  await buy(server, organisation, 'UC_USER', { base: 1 });
  await buy(server, organisation, 'AGENT_CALLS', { concurrent: 2, contingency: 2 });
  for (const name of agents) {
    users.set(
      name,
      await createUser(server, organisation, name, ['INBOUND_AGENT', 'AGENT_CALLS', 'AGENT_EMAIL']),
    );
  }
});
afterAll(async () => {
  await started?.close();
  await server.stop();
});

const origin = () => new URL(server.url).origin;

/** Opens the page by a link as the server prints it. */
async function enter(key: string, at = origin()): Promise<void> {
  // Whoever is signed in would be asked whether to be somebody else.
  await page.context().clearCookies();
  await page.goto(`${at}/#key=${key}`);
  await page.getByRole('rowheader').first().waitFor();
}

/** Opens the page at an address, as whoever is signed in. */
async function show(search: string): Promise<void> {
  await page.goto(`${origin()}/${search}`);
  await row('INBOUND_AGENT').waitFor();
}

const { row, figures } = mappingRows(() => page);
const licences = () =>
  page.locator('tbody tr').evaluateAll((rows) => rows.map((one) => one.getAttribute('data-licence')));
const status = () => page.locator('.as-of');
/** The step of the history that one is at. */
const place = () => page.evaluate('navigation.currentEntry.index');
const logOn = async (name: string) => {
  const { session } = await logon(server, users.get(name) ?? '');
  if (session === undefined) throw new Error(`${name} was refused`);
  return session.id;
};
const logOff = (sessionId: string) => server.mutate('logoff', { sessionId });

describe.skipIf(started === null)('Licence Mapping', () => {
  test('signs in by the link, which keeps no key, and loads at most 150 kB, all of it from here', async () => {
    const asked: unknown[] = [];
    page.on('request', (request) => {
      if (request.url().endsWith('/graphql')) asked.push((request.postDataJSON() as { query: string }).query);
    });
    page.on('websocket', (socket) =>
      socket.on('framesent', ({ payload }) => {
        const message = JSON.parse(String(payload)) as { payload?: { query: string } };
        if (message.payload !== undefined) asked.push(message.payload.query);
      }),
    );
    const loaded: { readonly url: string; readonly bytes: number }[] = [];
    page.on('response', (response) => {
      const { pathname } = new URL(response.url());
      const bytes = Number(response.headers()['content-length']);
      if (pathname === '/' || pathname.startsWith('/assets/')) loaded.push({ url: response.url(), bytes });
      else if (!response.url().startsWith(origin())) loaded.push({ url: response.url(), bytes: Infinity });
    });
    await page.goto(`${origin()}/#key=${server.key}`);
    await row('INBOUND_AGENT').locator('.spark').waitFor();
    expect(page.url()).toBe(`${origin()}/`);
    expect(await page.evaluate('history.length')).toBe(2); // about:blank, and the page
    expect(
      await page.evaluate('document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage })'),
    ).toBe('{}');
    expect(loaded.length).toBeGreaterThan(3);
    expect(loaded.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(150_000);
    // Over plain HTTP, but to their own machine, browsers do not take brotli.
    const zipped = await Promise.all(
      loaded.map(({ url }) => fetch(url, { method: 'HEAD', headers: { 'accept-encoding': 'gzip' } })),
    );
    expect(new Set(zipped.map(({ headers }) => headers.get('content-encoding')))).toEqual(new Set(['gzip']));
    expect(zipped.reduce((sum, { headers }) => sum + Number(headers.get('content-length')), 0)).toBeLessThan(
      150_000,
    );
    // What is asked for are the documents that a server runs which runs nothing else.
    await status().getByText('Live', { exact: true }).waitFor();
    expect(new Set(asked).size).toBeGreaterThan(3);
    expect([...pages.files.documents.values()]).toEqual(expect.arrayContaining(asked));
    // The link is not needed again.
    await page.reload();
    await row('INBOUND_AGENT').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await page.reload();
    await page.getByLabel('Key or access token').fill('wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').getByText('This key is wrong').waitFor();
    expect(await violationsOf(page)).toEqual([]);
    await enter(server.key);
  });

  test('has the source’s columns, in its order and words', async () => {
    await show('');
    expect(await page.locator('thead th').allInnerTexts()).toEqual([
      ...['Organisation', 'Active Users', 'Licence Type', 'Base', 'Concurrent Logons', 'Contingency Logons'],
      ...['Active – Billing Period', 'Today'],
      ...['Total', 'Used', 'Reusable', 'Available', 'Total', 'Used', 'Available'],
      ...['Total', 'Used', 'Max Used', 'Available'],
    ]);
    expect(await licences()).toEqual(['INBOUND_AGENT', 'SUPERVISOR', 'UC_USER']);
    expect(await figures('INBOUND_AGENT')).toBe('10 6 0 4 2 0 2 2 0 0 2');
    // The name of a row is read with each of its figures; and what a licence does not have is told.
    const read = await row('UC_USER').ariaSnapshot();
    expect(read).toContain('- rowheader "UC User Fixed seats":');
    expect(read.split('\n').at(-1)).toBe('  - cell "not applicable"');
    // Explained on hover, on focus, and to who cannot see.
    const explanation = 'Base licences given back within their 90 days that can still be reassigned, once.';
    const heading = page.getByRole('columnheader', { name: 'Reusable' }).getByRole('button');
    await heading.hover();
    await page.getByRole('tooltip').getByText(explanation).waitFor();
    await page.mouse.move(0, 0);
    await page.getByRole('tooltip').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Used' }).first().focus();
    await page.keyboard.press('Tab');
    await page.getByRole('tooltip').getByText(explanation).waitFor();
    expect(await heading.evaluate((one) => one.ariaDescribedByElements?.[0]?.textContent)).toBe(explanation);
  });

  test('shows feature and product licences by check box and Refresh, and figures as they were until then', async () => {
    await show('?live=off');
    const before = await figures('SUPERVISOR');
    await page.getByLabel('Feature licences').check();
    expect(await licences()).not.toContain('AGENT_CALLS');
    await page.getByText('Press Refresh to show what you selected.').waitFor();
    await buy(server, organisation, 'SUPERVISOR', { concurrent: 1 });
    expect(await figures('SUPERVISOR')).toBe(before);
    const asOf = await status().innerText();
    expect(asOf).toMatch(/^As of \d\d:\d\d:\d\d$/);

    await page.getByRole('button', { name: 'Refresh' }).click();
    await row('AGENT_CALLS').waitFor();
    await expect.poll(() => figures('SUPERVISOR')).toBe('2 0 0 2 4 0 4 0 0 0 0');
    // Without base licences: nothing, not none.
    expect(await figures('AGENT_CALLS')).toMatch(/^(–\s+not applicable ){4}2 0 2 2 0 0 2$/);
    await page.getByLabel('Feature licences').uncheck();
    await page.getByRole('button', { name: 'Refresh' }).click();
    await row('AGENT_CALLS').waitFor({ state: 'detached' });
  });

  test('moves within a second of a logon, and says in words what it colours', async () => {
    await show('');
    await status().getByText('Live', { exact: true }).waitFor();
    const sessions = [await logOn('ada'), await logOn('alan')];
    await expect
      .poll(() => figures('INBOUND_AGENT'), { timeout: 1000, interval: 20 })
      .toBe('10 6 0 4 2 2 0 2 0 0 2');
    sessions.push(await logOn('barbara'), await logOn('edsger'));
    await row('INBOUND_AGENT').getByText('2 on contingency').waitFor({ timeout: 1000 });
    await row('INBOUND_AGENT').getByText('Full').waitFor();
    await page.getByText('1 full · 1 on contingency').first().waitFor({ timeout: 1000 });
    expect(await page.locator('td.contingency').innerText()).toBe('2');
    for (const session of sessions) await logOff(session);
    await expect
      .poll(() => figures('INBOUND_AGENT'), { timeout: 1000, interval: 20 })
      .toBe('10 6 0 4 2 0 2 2 0 2 2');
  });

  test('never calls live what is not, and comes back by itself', async () => {
    const { port } = new URL(server.url);
    const proxy = await startProxy({ host: '127.0.0.1', port: Number(port) });
    await page.addInitScript(`globalThis.tries = [];
      globalThis.WebSocket = class extends WebSocket {
        constructor(...given) {
          super(...given);
          tries.push(performance.now());
        }
      };`);
    await enter(server.key, `http://127.0.0.1:${proxy.port}`);
    await status().getByText('Live', { exact: true }).waitFor();
    // Every connection is refused: it is tried again, after a longer time each. That is a fifth here of what it is on average.
    await page.evaluate('Math.random = () => -0.3');
    limits.maxConnections = 0;
    proxy.cut();
    await status()
      .getByText(/^Reconnecting – as of \d\d:\d\d:\d\d$/)
      .waitFor();
    const session = await logOn('ada');
    await expect.poll(() => page.evaluate('tries.length')).toBeGreaterThan(3);
    limits.maxConnections = defaultLimits.maxConnections;
    await status().getByText('Live', { exact: true }).waitFor();
    expect(await figures('INBOUND_AGENT')).toBe('10 6 0 4 2 1 1 2 0 2 2');
    const [, first = NaN, second = NaN, third = NaN] = await page.evaluate<number[]>('tries');
    expect(second - first).toBeGreaterThanOrEqual(195);
    expect(third - second).toBeGreaterThanOrEqual(395);
    await logOff(session);
    await proxy.close();
  });

  test('shows each change while an answer is on its way, and that one does not take it back', async () => {
    await show('');
    await status().getByText('Live', { exact: true }).waitFor();
    const before = await figures('INBOUND_AGENT');
    const held = Promise.withResolvers<void>();
    const taken = Promise.withResolvers<void>();
    await page.route('**/graphql', async (route) => {
      if (!(route.request().postData() ?? '').includes('query Mapping(')) return route.fallback();
      const response = await route.fetch();
      taken.resolve();
      await held.promise;
      return route.fulfill({ response });
    });
    await page.getByRole('button', { name: 'Refresh' }).click();
    await taken.promise;
    const session = await logOn('ada');
    await expect.poll(() => figures('INBOUND_AGENT')).not.toBe(before);
    const after = await figures('INBOUND_AGENT');
    held.resolve();
    await page.unrouteAll({ behavior: 'wait' });
    expect(await figures('INBOUND_AGENT')).toBe(after);
    await logOff(session);
  });

  test('is sorted by any column, by keyboard, and saved as it is shown', async () => {
    await show('?feature=on');
    const heading = page.getByRole('columnheader', { name: 'Total' }).nth(1);
    await heading.getByRole('button').focus();
    await page.keyboard.press('Enter');
    await expect.poll(() => heading.getAttribute('aria-sort')).toBe('descending');
    expect((await licences()).slice(0, 2)).toEqual(['SUPERVISOR', 'INBOUND_AGENT']);
    // What a licence has not comes last, however it is sorted.
    expect((await licences()).at(-1)).toBe('UC_USER');
    await page.keyboard.press('Enter');
    await expect.poll(() => heading.getAttribute('aria-sort')).toBe('ascending');
    expect((await licences()).at(-1)).toBe('UC_USER');
    expect(page.url()).toContain('sort=concurrentTotal.asc');
    const saving = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download CSV' }).click();
    const saved = readFileSync(await (await saving).path(), 'utf8').split('\r\n');
    expect(saved[0]).toBe(
      '\uFEFFOrganisation,Active Users,Licence Type,Base – Total,Base – Used,Base – Reusable,Base – Available,Concurrent Logons – Total,Concurrent Logons – Used,Concurrent Logons – Available,Contingency Logons – Total,Contingency Logons – Used,Contingency Logons – Max Used,Contingency Logons – Available,Active – Billing Period,Today',
    );
    const line = saved.find((text) => text.includes('Inbound Agent'));
    expect(line).toMatch(/^"'=Acme, ""Contact"" Centre",6,Inbound Agent,10,6,0,4,2,0,2,2,0,2,2,6,\d*$/);
    expect(saved).toHaveLength(1 + (await licences()).length + 1);
  });

  test('finds an organisation in the tree, by name and keyboard', async () => {
    await show('');
    const picker = page.getByRole('combobox', { name: 'Organisation' });
    await picker.click();
    const options = page.getByRole('option');
    await expect.poll(() => options.allInnerTexts()).toEqual(['=Acme, "Contact" Centre', 'Beta Bank']);
    await picker.fill('bet');
    await expect.poll(() => options.allInnerTexts()).toEqual(['Beta Bank · =Acme, "Contact" Centre']);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await expect.poll(() => picker.inputValue()).toBe('Beta Bank');
    expect(await isFocused(picker)).toBe(true);
    expect(page.url()).toContain(`organisation=${customer}`);
    await page.getByText('No licences of these kinds.').waitFor();
    await page.goBack();
    await row('INBOUND_AGENT').waitFor();
  });

  test('opens a row: who is on, who was refused, what comes back, what was bought; and logs off', async () => {
    for (const name of ['ada', 'alan', 'barbara', 'edsger']) await logOn(name);
    await expect(logOn('grace')).rejects.toThrow('refused');
    await server.mutate('unassignLicence', { userId: users.get('hedy'), licence: 'INBOUND_AGENT' });
    await show('');
    const opener = row('INBOUND_AGENT').getByRole('button');
    const closed = await place();
    await opener.focus();
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Inbound Agent' });
    await dialog.locator('.uplot').waitFor();
    expect(await isFocused(dialog.getByRole('button', { name: 'Close' }))).toBe(true);
    expect(await dialog.getByRole('region').count()).toBe(6);
    const lines = (part: string) => linesOf(dialog, part);
    const calls = 'Agent Calls Agent E-mail: refused, not bought';
    expect(await lines('Live sessions')).toEqual([
      expect.stringMatching(`^edsger desktop \\d\\d:\\d\\d Contingency ${calls} Log off$`),
      expect.stringMatching(`^barbara desktop \\d\\d:\\d\\d Contingency ${calls} Log off$`),
      expect.stringMatching(`^alan desktop \\d\\d:\\d\\d Concurrent ${calls} Log off$`),
      expect.stringMatching(`^ada desktop \\d\\d:\\d\\d Concurrent ${calls} Log off$`),
    ]);
    expect(await lines('Denials today')).toEqual([
      expect.stringMatching(/^[\d:]{8} grace Every seat was in use$/),
    ]);
    expect(await lines('Base licences given back')).toEqual([
      expect.stringMatching(/^hedy Yes \d+ \w+ \d{4}, /),
    ]);
    expect(await lines('Holders')).toHaveLength(5);
    expect(await lines('Purchases')).toEqual([expect.stringMatching(/ open 10 2 2 –$/)]);

    const logOffAlan = dialog.getByRole('button', { name: 'Log off alan on desktop', exact: true });
    await logOffAlan.click();
    await dialog.getByRole('button', { name: 'Keep' }).click();
    expect(await isFocused(logOffAlan)).toBe(true);
    await logOffAlan.click();
    await page.keyboard.press('Enter'); // The focus is on the question.
    await dialog.getByRole('status').getByText('alan was logged off.').waitFor();
    await expect.poll(() => lines('Live sessions')).toHaveLength(3);
    // Its row is gone; the focus is not.
    expect(await page.evaluate('document.activeElement?.textContent')).toBe('alan was logged off.');
    // A freed concurrent seat takes a user over, behind the dialog too.
    await row('INBOUND_AGENT').getByText('1 on contingency').waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    expect(await isFocused(opener)).toBe(true);
    // Going back leads to what was before the sheet, however that was closed, and going forward to the sheet.
    await expect.poll(place).toBe(closed);
    await page.goForward();
    await dialog.getByRole('button', { name: 'Close' }).click();
    await dialog.waitFor({ state: 'detached' });
    await expect.poll(place).toBe(closed);
  });

  test('is accessible in both themes, closed and open', async () => {
    await show('?feature=on');
    await row('INBOUND_AGENT').locator('.spark').waitFor();
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await violationsOf(page), colorScheme).toEqual([]);
    }
    await row('INBOUND_AGENT').getByRole('button').click();
    await page.locator('.uplot').waitFor();
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await violationsOf(page), colorScheme).toEqual([]);
    }
  });

  test('fits every window, but for the table, which scrolls by itself', async () => {
    await show('?feature=on');
    await row('INBOUND_AGENT').locator('.spark').waitFor();
    for (const [name, width, height, colorScheme] of sizes) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height });
      expect(await beyond(page, 'html'), name).toBe(0);
      await page.screenshot({ path: screenshotOf(`mapping-${name}`), fullPage: true });
    }
    // On A4 across, within its margins; figures on paper are not live.
    await page.emulateMedia({ media: 'print' });
    await page.setViewportSize({ width: 1031, height: 700 });
    expect(await beyond(page, 'html'), 'paper').toBe(0);
    expect(await status().isVisible()).toBe(false);
    await page.getByText(/^As of \d+ \w+ \d{4}, \d\d:\d\d$/).waitFor();
    await page.screenshot({ path: screenshotOf('mapping-paper'), fullPage: true });
    await page.emulateMedia({ media: 'screen' });
    await row('INBOUND_AGENT').getByRole('button').click();
    await page.locator('.uplot').waitFor();
    for (const [name, width, height, colorScheme] of sizes) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height });
      expect(await beyond(page, 'dialog'), name).toBe(0);
      await page.screenshot({ path: screenshotOf(`mapping-open-${name}`) });
    }
    await page.setViewportSize(ordinary.viewport);
  });

  test('shows a screen’s key no person, and no action', async () => {
    const { key } = server.as({ role: 'WALLBOARD', organisationId: uuidOf(organisation), userId: null });
    await enter(key);
    await show('?licence=INBOUND_AGENT');
    const dialog = page.getByRole('dialog', { name: 'Inbound Agent' });
    await dialog.locator('.uplot').waitFor();
    expect(await dialog.getByRole('heading').allInnerTexts()).toEqual(['Inbound Agent', 'Today']);
    expect(await page.getByRole('navigation').locator('a').allInnerTexts()).toEqual([
      ...['Licence Mapping', 'Usage', 'Wallboard'],
    ]);
  });

  test('tells an agent once that this is not for them, and what is', async () => {
    const user = decodeId(users.get('ada') ?? '');
    if (user?.type !== 'User') throw new Error('No user');
    const agent = { role: 'AGENT', organisationId: uuidOf(organisation), userId: user.id as UserId } as const;
    await page.context().clearCookies();
    await page.goto(`${origin()}/#key=${server.as(agent).key}`);
    const content = page.getByRole('main');
    await content.getByText('Licence Mapping is for those who may see').waitFor();
    expect(await content.locator('p').count()).toBe(2);
    expect(await page.getByRole('navigation').locator('a').allInnerTexts()).toEqual(['Keys']);
    await content.getByRole('link', { name: 'Keys' }).click();
    await page.getByRole('region', { name: 'ada', exact: true }).waitFor();
    expect(await page.getByRole('heading', { name: 'API keys' }).count()).toBe(0);
    // Nothing was asked for that they may not see.
    const { data } = await server.query(
      'query ($id: ID!) { organisation(id: $id) { auditLog(first: 100) { edges { node { action outcome } } } } }',
      { id: organisation },
    );
    const outcomes = data.organisation.auditLog.edges.map(
      ({ node }: { readonly node: { readonly outcome: string } }) => node.outcome,
    );
    expect(new Set(outcomes)).toEqual(new Set(['DONE']));
  });

  test('says what of it could not be loaded, and leaves the rest', async () => {
    await enter(server.key);
    await page.route('**/assets/detail-*.js', (route) => route.abort());
    await row('INBOUND_AGENT').getByRole('button').click();
    await page.getByText('A part of this page could not be loaded.').waitFor();
    expect(await figures('INBOUND_AGENT')).not.toBe('');
    await page.unroute('**/assets/detail-*.js');
    await page.getByRole('button', { name: 'Load again' }).click();
    await page.getByRole('dialog', { name: 'Inbound Agent' }).waitFor();
  });

  test('says that it may not ask so often, calls figures old, and asks again when the server said', async () => {
    await show('?live=off');
    const before = await figures('INBOUND_AGENT');
    const message = 'This key asks too much; try again in 2 s.';
    const asked: number[] = [];
    await page.route('**/graphql', (route) => {
      if (!(route.request().postData() ?? '').includes('query Mapping(')) return route.fallback();
      asked.push(performance.now());
      if (asked.length > 1) return route.fallback();
      return route.fulfill({
        ...{ status: 429, headers: { 'retry-after': '2' } },
        json: { errors: [{ message, extensions: { code: 'RATE_LIMITED', retryAfterSeconds: 2 } }] },
      });
    });
    await page.getByRole('button', { name: 'Refresh' }).click();
    await page.getByRole('alert').getByText(`The figures could not be read: ${message}`).waitFor();
    await status()
      .getByText(/^Not read again – as of \d\d:\d\d:\d\d$/)
      .waitFor();
    expect(await figures('INBOUND_AGENT')).toBe(before);
    expect(await violationsOf(page)).toEqual([]);
    await status()
      .getByText(/^As of/)
      .waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);
    await page.unrouteAll({ behavior: 'wait' });
    expect(asked).toHaveLength(2);
    expect((asked[1] ?? 0) - (asked[0] ?? 0)).toBeGreaterThan(1950);
  });

  test('says that the server is slow, and gives up in the end', async () => {
    const other = await page.context().newPage();
    await other.clock.install();
    await other.goto(`${origin()}/?live=off`);
    await other.getByRole('rowheader').first().waitFor();
    const held: (() => void)[] = [];
    await other.route(
      '**/graphql',
      (route) => new Promise<void>((go) => held.push(() => go(route.fallback()))),
    );
    await other.getByRole('button', { name: 'Refresh' }).click();
    await expect.poll(() => held.length).toBeGreaterThan(0);
    const slow = other.getByText('The server is slow to answer. Waiting…');
    expect(await slow.count()).toBe(0);
    await other.clock.fastForward(6000);
    await slow.waitFor();
    for (const go of held) go();
    await slow.waitFor({ state: 'detached' });
    await other.close();
  });

  /** What the page says on its WebSockets, from the next that it opens on; what it subscribes to waits to be let through. */
  async function holdSubscriptions() {
    const sockets: WebSocketRoute[] = [];
    const said: Message[] = [];
    const heard: Message[] = [];
    const held: { readonly tell: (answer: object) => void; readonly pass: () => void }[] = [];
    await page.routeWebSocket('**/graphql', (socket) => {
      sockets.push(socket);
      const way = socket.connectToServer();
      way.onMessage((text) => {
        heard.push(JSON.parse(String(text)) as Message);
        socket.send(text);
      });
      socket.onMessage((text) => {
        const message = JSON.parse(String(text)) as Message;
        said.push(message);
        if (message.type !== 'subscribe') {
          way.send(text);
          return;
        }
        const { id } = message;
        held.push({
          tell: (answer) => socket.send(JSON.stringify({ id, ...answer })),
          pass: () => way.send(text),
        });
      });
    });
    const next = async () => {
      await expect.poll(() => held.length).toBe(1);
      return held.pop() ?? expect.fail();
    };
    return { sockets, said, heard, next };
  }
  interface Message {
    readonly type: string;
    readonly id: string;
    readonly payload?: { readonly variables: { readonly organisationId: string } };
  }

  test('is live again after the server refused to tell it what changes, or ended that, and not before', async () => {
    const { next } = await holdSubscriptions();
    await show('');
    const extensions = { code: 'RATE_LIMITED', retryAfterSeconds: 1 };
    (await next()).tell({ type: 'error', payload: [{ message: 'Too much.', extensions }] });
    await page.getByRole('alert').getByText('The figures could not be read: Too much.').waitFor();
    const subscription = await next();
    subscription.pass();
    await status().getByText('Live', { exact: true }).waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);

    await page.evaluate('Math.random = () => 0');
    subscription.tell({ type: 'complete' });
    const second = await next();
    await status()
      .getByText(/^Reconnecting – as of/)
      .waitFor();
    // Before its first event; and what was live for a moment has not begun anew.
    const endedAt = performance.now();
    second.tell({ type: 'complete' });
    const third = await next();
    expect(performance.now() - endedAt).toBeGreaterThanOrEqual(990);
    expect(await status().innerText()).toMatch(/^Reconnecting/);
    third.pass();
    await status().getByText('Live', { exact: true }).waitFor();
  });

  test('has no more to do with an organisation once another was picked, whose figures are live when they are', async () => {
    const { sockets, said, heard, next } = await holdSubscriptions();
    await show('');
    (await next()).pass();
    await status().getByText('Live', { exact: true }).waitFor();
    const picker = page.getByRole('combobox', { name: 'Organisation' });
    await picker.fill('bet');
    await page.getByRole('option', { name: 'Beta Bank' }).waitFor();
    await page.evaluate(`globalThis.texts = [];
      new MutationObserver(() => texts.push(document.querySelector('.as-of')?.textContent))
        .observe(document.querySelector('.head'), { subtree: true, childList: true, characterData: true });`);
    const asked: unknown[] = [];
    const note = (request: Request) => {
      const { variables } = (request.postDataJSON() ?? {}) as Partial<NonNullable<Message['payload']>>;
      if (variables?.organisationId !== undefined) asked.push(variables.organisationId);
    };
    page.on('request', note);
    const before = sockets.length;
    const [former] = said.splice(0).filter(({ type }) => type === 'subscribe');
    await page.getByRole('option', { name: 'Beta Bank' }).click();
    const subscription = await next();
    expect(sockets).toHaveLength(before);
    await page.getByText('No licences of these kinds.').waitFor();
    await status()
      .getByText(/^As of/)
      .waitFor();
    for (const text of await page.evaluate<string[]>('texts')) expect(text).toMatch(/^As of/);
    subscription.pass();
    await status().getByText('Live', { exact: true }).waitFor();
    await logOff(await logOn('ada'));
    await buy(server, customer, 'SUPERVISOR', { base: 1, concurrent: 1 });
    await row('SUPERVISOR').locator('.spark').waitFor();
    await page.getByRole('button', { name: 'Refresh' }).click();
    await expect.poll(() => asked.length).toBeGreaterThan(3);
    page.off('request', note);
    expect(new Set(asked)).toEqual(new Set([customer]));
    expect(said.filter(({ type }) => type === 'complete').map(({ id }) => id)).toEqual([former?.id]);
    const sinceThen = said.filter(({ type }) => type === 'subscribe').map(({ payload }) => payload);
    expect(new Set(sinceThen.map((payload) => payload?.variables.organisationId))).toEqual(
      new Set([customer]),
    );

    // Nor are figures live that were asked for before the check boxes changed, once what was asked for since is followed.
    const answer = Promise.withResolvers<void>();
    await page.route('**/graphql', async (route) => {
      if ((route.request().postData() ?? '').includes('query Mapping(')) await answer.promise;
      return route.fallback();
    });
    await page.getByLabel('Feature licences').check();
    const followed = await next();
    heard.length = 0;
    followed.pass();
    await expect.poll(() => heard.some(({ type }) => type === 'next')).toBe(true);
    await page.evaluate('new Promise((done) => setTimeout(done, 50))');
    expect(await status().innerText()).toMatch(/^As of/);
    answer.resolve();
    await status().getByText('Live', { exact: true }).waitFor();
    await page.unrouteAll({ behavior: 'wait' });
  });

  test('gave the browser nothing to complain of, but a wrong key, and failures that were made', () => {
    const known = /status of (401|429|500)|ERR_CONNECTION_RESET|ERR_FAILED|WebSocket connection to .* 503/;
    expect(complaints.filter((complaint) => !known.test(complaint))).toEqual([]);
  });
});
