import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBrowser } from '../setup/browser.ts';
import { buy, createKey, createOrganisation, createUser, logon, uuidOf } from '../setup/given.ts';
import { testPages } from '../setup/pages.ts';
import { startProxy } from '../setup/proxy.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';
import { openPage, screenshotOf, violationsOf } from '../setup/sight.ts';

const started = await startBrowser();
const sizes = [
  ['720p', 1280, 720],
  ['1080p', 1920, 1080],
  ['4k', 3840, 2160],
] as const;
const twelve = [
  ...['INBOUND_AGENT', 'OUTBOUND_AGENT', 'SUPERVISOR', 'UC_USER', 'AGENT_CALLS', 'AGENT_SMS'],
  ...['AGENT_EMAIL', 'AGENT_WEB_CHAT', 'AGENT_SOCIAL_MEDIA', 'RECORDING', 'CONFERENCING', 'REPORTING'],
];
const choices = [
  [1, 'INBOUND_AGENT'],
  [4, 'INBOUND_AGENT,OUTBOUND_AGENT,SUPERVISOR,UC_USER'],
  [12, twelve.join(',')],
] as const;

const pages = await testPages();
let server: TestServer;
let organisation: string;
let other: string;
const users = new Map<string, string>();
let page: Page;
let complaints: readonly string[] = [];

beforeAll(async () => {
  if (started !== null) {
    ({ page, complaints } = await openPage(started.browser));
    await page.setViewportSize({ width: 1280, height: 720 });
  }
  server = await startTestServer({ pages });
  organisation = await createOrganisation(server, { name: 'Acme Contact Centre', timeZone: 'Europe/London' });
  other = await createOrganisation(server, { name: 'Beta Bank', timeZone: 'Asia/Tokyo' });
  await buy(server, organisation, 'INBOUND_AGENT', { base: 10, concurrent: 3, contingency: 3 });
  await buy(server, organisation, 'OUTBOUND_AGENT', { base: 300, concurrent: 250, contingency: 50 });
  await buy(server, organisation, 'SUPERVISOR', { base: 4, concurrent: 3 });
  await buy(server, organisation, 'UC_USER', { base: 1250 });
  for (const feature of twelve.slice(4)) {
    await buy(server, organisation, feature, { concurrent: 6, contingency: 2 });
  }
  await buy(server, other, 'SUPERVISOR', { base: 7, concurrent: 7 });
  const features = twelve.slice(4, 8);
  for (const name of ['ada', 'alan', 'barbara', 'edsger', 'grace', 'hedy', 'joan']) {
    users.set(name, await createUser(server, organisation, name, ['INBOUND_AGENT', ...features]));
  }
});
afterAll(async () => {
  await started?.close();
  await server.stop();
});

const origin = () => new URL(server.url).origin;
const screenKey = () =>
  server.as({ role: 'WALLBOARD', organisationId: uuidOf(organisation), userId: null }).key;
const makeKey = () => createKey(server, organisation, 'WALLBOARD');
const tile = (licence: string) => page.locator(`.tile[data-licence="${licence}"]`);
const status = () => page.locator('.board .as-of');
const live = () => status().getByText('Live', { exact: true }).waitFor();
const reconnecting = () =>
  status()
    .getByText(/^Reconnecting – as of \d\d:\d\d:\d\d$/)
    .waitFor();
const seats = async (licence: string) => (await tile(licence).locator('.seats').innerText()).trim();
const show = async (search: string) => {
  await page.goto(`${origin()}/wallboard${search}`);
  await live();
};
const logOn = async (name: string) => {
  const { session } = await logon(server, users.get(name) ?? '');
  if (session === undefined) throw new Error(`${name} was refused`);
  return session.id;
};
const logOff = (sessionId: string) => server.mutate('logoff', { sessionId });

describe.skipIf(started === null)('The wallboard', () => {
  test('is signed in by its link, which keeps no key, and shows the licence types of the key’s organisation', async () => {
    await page.goto(`${origin()}/wallboard?theme=dark#key=${screenKey()}`);
    await live();
    expect(page.url()).toBe(`${origin()}/wallboard?theme=dark`);
    expect(await page.evaluate('history.length')).toBe(2); // about:blank, and the page
    expect(
      await page.evaluate('document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage })'),
    ).toBe('{}');
    expect(await page.title()).toBe('Acme Contact Centre – Wallboard');
    expect(
      await page
        .locator('.tile')
        .evaluateAll((tiles) => tiles.map((one) => one.getAttribute('data-licence'))),
    ).toEqual(['INBOUND_AGENT', 'OUTBOUND_AGENT', 'SUPERVISOR', 'UC_USER']);
    expect(await seats('UC_USER')).toBe('0 of 1,250');
    // The link is not needed again.
    await page.reload();
    await live();
  });

  test('moves within a second of a logon, and says in words what it colours', async () => {
    await show('');
    const sessions = [await logOn('ada')];
    await expect.poll(() => seats('INBOUND_AGENT'), { timeout: 1000, interval: 20 }).toBe('1 of 3');
    for (const name of ['alan', 'barbara', 'edsger', 'grace']) sessions.push(await logOn(name));
    await tile('INBOUND_AGENT').getByText('2 on contingency').waitFor({ timeout: 1000 });
    await tile('INBOUND_AGENT').getByText('Contingency 2 of 3').waitFor();
    await logOff(sessions.pop() ?? '');
    await tile('INBOUND_AGENT').getByText('Month’s max 2').waitFor({ timeout: 1000 });
    await tile('INBOUND_AGENT').getByText('1 more paid for').waitFor({ timeout: 1000 });
    for (const session of sessions) await logOff(session);
    await expect.poll(() => seats('INBOUND_AGENT'), { timeout: 1000, interval: 20 }).toBe('0 of 3');
  });

  test('fits every screen without scrolling, with 1, 4 and 12 licences', async () => {
    const sessions: string[] = [];
    for (const name of ['ada', 'alan', 'barbara', 'edsger', 'grace', 'hedy'])
      sessions.push(await logOn(name));
    await expect(logOn('joan')).rejects.toThrow('refused');
    for (const [tiles, licences] of choices) {
      await show(`?licences=${licences}&theme=${tiles === 4 ? 'light' : 'dark'}`);
      await tile('INBOUND_AGENT').getByText('1 refused in the last hour').waitFor();
      await tile('INBOUND_AGENT').getByText('Most 6 at').waitFor();
      await tile('INBOUND_AGENT').getByText('Full').waitFor();
      expect(await page.locator('.tile').count()).toBe(tiles);
      for (const [name, width, height] of sizes) {
        await page.setViewportSize({ width, height });
        expect
          .soft(
            await page.evaluate(() => {
              const beyond = ({ scrollWidth, clientWidth, scrollHeight, clientHeight }: Element) =>
                scrollWidth > clientWidth + 1 || scrollHeight > clientHeight + 1;
              const found = [
                document.documentElement,
                ...document.querySelectorAll(
                  '.board, .tile, .inner, .inner > :is(h2, p:not(.seats)), figcaption',
                ),
              ];
              return found.filter(beyond).map(({ className, textContent }) => `${className}: ${textContent}`);
            }),
            `${tiles} at ${name}`,
          )
          .toEqual([]);
        await page.screenshot({ path: screenshotOf(`wallboard-${tiles}-${name}`) });
      }
    }
    await page.setViewportSize({ width: 1280, height: 720 });
    for (const session of sessions) await logOff(session);
  });

  test(
    'outlives a server, a frozen connection and a sleep, and calls nothing live meanwhile',
    { timeout: 90_000 },
    async () => {
      const first = await startTestServer({ pages, beside: server });
      const network = { host: '127.0.0.1', port: Number(new URL(first.url).port) };
      const proxy = await startProxy(network);
      await page.goto(`http://127.0.0.1:${proxy.port}/wallboard#key=${(await makeKey()).key}`);
      await live();
      await page.evaluate('window.isTheSame = true');

      await first.stop();
      await reconnecting();
      expect(await page.locator('.board.stale .tile').count()).toBeGreaterThan(0);
      expect(await violationsOf(page)).toEqual([]);
      await page.screenshot({ path: screenshotOf('wallboard-lost') });
      const second = await startTestServer({ pages, beside: server });
      network.port = Number(new URL(second.url).port);
      await live();
      expect(await page.evaluate('window.isTheSame')).toBe(true);

      // Nothing is closed, and nothing comes any more: the page asks, and gets no answer.
      proxy.freeze();
      await reconnecting();
      const session = await logOn('joan');
      proxy.thaw();
      await live();
      expect(await seats('INBOUND_AGENT')).toBe('1 of 3');
      await logOff(session);

      await page.evaluate('(() => { const now = Date.now; Date.now = () => now() + 3_600_000; })()');
      await reconnecting();
      await live();
      await second.stop();
      await proxy.close();
    },
  );

  test('loads itself again for a newer build, once all of that can be had, and once', async () => {
    const proxy = await startProxy({ host: '127.0.0.1', port: Number(new URL(server.url).port) });
    await page.goto(`http://127.0.0.1:${proxy.port}/wallboard#key=${(await makeKey()).key}`);
    await live();
    await page.evaluate('window.isTheSame = true');
    let refused = 0;
    await page.route('**/assets/page-*.js', (route) => {
      refused += 1;
      return route.abort();
    });
    await page.evaluate(
      `document.querySelector('script[type=module]').setAttribute('src', '/assets/of-an-older-build.js');
       (() => { const now = performance.now.bind(performance); performance.now = () => now() + 60_000; })();
       (() => { const set = setTimeout; setTimeout = (act, wait) => set(act, wait === 30_000 ? 100 : wait); })()`,
    );
    proxy.cut();
    await expect.poll(() => refused).toBeGreaterThan(1);
    expect(await page.evaluate('window.isTheSame')).toBe(true);
    await page.unroute('**/assets/page-*.js');
    await expect.poll(() => page.evaluate('window.isTheSame === undefined').catch(() => false)).toBe(true);
    await live();
    await page.evaluate('window.isTheSame = true');
    proxy.cut();
    await reconnecting();
    await live();
    expect(await page.evaluate('window.isTheSame')).toBe(true);
    await proxy.close();
  });

  test('asks again for a server that is away when it is loaded', async () => {
    await page.route('**/sign-in', (route) => route.abort());
    await page.goto(`${origin()}/wallboard#key=${screenKey()}`);
    await page.getByRole('status').getByText('The server cannot be reached. Trying again…').waitFor();
    await page.unroute('**/sign-in');
    await live();
    expect(page.url()).toBe(`${origin()}/wallboard`);
  });

  test('says when its access ends', async () => {
    const { key, id } = await makeKey();
    await page.goto(`${origin()}/wallboard#key=${key}`);
    await live();
    await server.mutate('revokeApiKey', { keyId: id });
    await page.getByRole('alert').getByText('Your sign-in has ended.').waitFor();
    expect(await page.locator('.tile').count()).toBe(0);
  });

  test(
    'takes turns between organisations, and pages of licences, until it is paused',
    { timeout: 60_000 },
    async () => {
      await page.goto(`${origin()}/wallboard?theme=light#key=${server.key}`);
      await live();
      await buy(server, organisation, 'VOICEMAIL', { concurrent: 1 });
      const licences = [...twelve, 'VOICEMAIL'].join(',');
      await show(`?organisation=${organisation},${other}&licences=${licences}&rotate=5`);
      const name = page.getByRole('heading', { level: 1 });
      await page.getByText('1 of 2', { exact: true }).waitFor();
      await page.getByText('2 of 2', { exact: true }).waitFor();
      expect(await page.locator('.tile').count()).toBe(6);
      expect(await page.evaluate(`getComputedStyle(document.querySelector('.wallboard')).cursor`)).toBe(
        'none',
      );
      await page.mouse.move(200, 200);
      await page.getByRole('button', { name: 'Pause rotation' }).click();
      await page.getByRole('button', { name: 'Next' }).click();
      await expect.poll(() => name.innerText()).toBe('Beta Bank');
      expect(await page.title()).toBe('Beta Bank – Wallboard');
      expect(await seats('SUPERVISOR')).toBe('0 of 7');
      await page.getByText('(Asia/Tokyo)').waitFor();
      await page.getByRole('button', { name: 'Next' }).click();
      await expect.poll(() => name.innerText()).toBe('Acme Contact Centre');
      await page.getByRole('button', { name: 'Resume rotation' }).waitFor();
    },
  );

  test('says that its key may not see an organisation, and asks again later', async () => {
    await page.context().clearCookies();
    const asked: unknown[] = [];
    page.on('websocket', (socket) =>
      socket.on('framesent', ({ payload }) => {
        if (String(payload).includes('"subscribe"')) asked.push(payload);
      }),
    );
    await page.goto(`${origin()}/wallboard?organisation=${other}#key=${screenKey()}`);
    await page.getByRole('alert').getByText('this key may not see it').waitFor();
    expect(await violationsOf(page)).toEqual([]);
    // What it waits for within minutes it does at once when the network is back.
    expect(asked).toHaveLength(1);
    await page.evaluate(`dispatchEvent(new Event('online'))`);
    await expect.poll(() => asked.length).toBe(2);
  });

  test('is accessible in both themes, and loses nothing at 400 %', async () => {
    await page.goto(`${origin()}/wallboard#key=${screenKey()}`);
    await logOn('joan');
    for (const theme of ['light', 'dark']) {
      await show(`?theme=${theme}&licences=${twelve.join(',')}`);
      await tile('INBOUND_AGENT').getByText('Most 6 at').waitFor();
      expect(await violationsOf(page), theme).toEqual([]);
    }
    await page.setViewportSize({ width: 320, height: 180 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(320);
    expect(await page.evaluate('document.documentElement.scrollHeight')).toBeGreaterThan(1000);
    await page.screenshot({ path: screenshotOf('wallboard-narrow'), fullPage: true });
  });

  test('gave the browser nothing to complain of, but the connections that were cut', () => {
    const known =
      /ERR_CONNECTION_|ERR_FAILED|ERR_EMPTY_RESPONSE|ERR_SOCKET_NOT_CONNECTED|WebSocket connection to/;
    expect(complaints.filter((complaint) => !known.test(complaint))).toEqual([]);
  });
});
