import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Clock, plusSeconds, systemClock } from '../../src/kernel/clock.ts';
import { startBrowser } from '../setup/browser.ts';
import { buy, createOrganisation, createUser } from '../setup/given.ts';
import { testPages } from '../setup/pages.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';
import { beyond, isFocused, linesOf, openPage, screenshotOf, sizes, violationsOf } from '../setup/sight.ts';

const started = await startBrowser();
/** How many seconds the server’s clock is ahead. */
let ahead = 0;
const clock: Clock = { now: () => plusSeconds(systemClock.now(), ahead) };
const pages = await testPages(clock);
/** Filled in when the port is known: browsers use security keys on a name alone, and not on an address. */
const origins: string[] = [];
let server: TestServer;
let origin: string;
let organisation: string;
let margaret: string;
let page: Page;
let complaints: readonly string[] = [];
/** Whether the person touches the key when it is asked. */
type Touch = (isTouched: boolean) => Promise<unknown>;
let touchBlue: Touch;
let touchGreen: Touch;

beforeAll(async () => {
  server = await startTestServer({
    ...{ pages, clock },
    secondFactor: { rpId: 'localhost', origins, maxAgeSeconds: 900 },
  });
  origin = `http://localhost:${new URL(server.url).port}`;
  origins.push(origin);
  organisation = await createOrganisation(server, { name: 'Acme Contact Centre', timeZone: 'Europe/London' });
  await buy(server, organisation, 'ADMINISTRATOR', { base: 2 });
  margaret = await createUser(server, organisation, 'margaret', ['ADMINISTRATOR']);
  if (started === null) return;
  ({ page, complaints } = await openPage(started.browser));
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  const plugIn = async (transport: 'usb' | 'nfc') => {
    const { authenticatorId } = await devtools.send('WebAuthn.addVirtualAuthenticator', {
      options: { protocol: 'ctap2', transport, automaticPresenceSimulation: true },
    });
    return (enabled: boolean) =>
      devtools.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled });
  };
  [touchBlue, touchGreen] = [await plugIn('usb'), await plugIn('nfc')];
});
afterAll(async () => {
  await started?.close();
  await server.stop();
});

const lines = (part: string) => linesOf(page, part);

describe.skipIf(started === null)('Keys', () => {
  test('the printed link signs in once; opened again it just shows the page to the browser that it signed in', async () => {
    const link = `${origin}/keys#code=${pages.code.code}`;
    for (const _ of ['first', 'again']) {
      await page.goto('about:blank');
      await page.goto(link);
      await page.getByRole('heading', { name: 'API keys' }).waitFor();
      expect(page.url()).toBe(`${origin}/keys`);
    }
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.goto('about:blank');
    await page.goto(link);
    await page.getByText('This link was used already').waitFor();
    // What a provider’s answer has the page say.
    await page.goto('about:blank');
    await page.goto(`${origin}/keys#sign-in=unknown`);
    await page.getByText('but not here').waitFor();
    expect(page.url()).toBe(`${origin}/keys`);
    await page.goto(`${origin}/keys#key=${server.key}`);
    await page.getByRole('heading', { name: 'API keys' }).waitFor();
  });

  test('makes a key that is shown once, and works until it is revoked', async () => {
    await page.getByLabel('Name', { exact: true }).fill('Wall of the floor');
    await page.getByLabel('Expires').selectOption('In 90 days');
    await page.getByLabel('Read').check();
    await page.getByRole('button', { name: 'Make a key' }).click();
    const shown = page.getByLabel('This is the key.');
    const key = await shown.inputValue();
    const ask = async () => {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
      return (await fetch(server.url, { method: 'POST', headers, body: '{"query":"{ __typename }"}' }))
        .status;
    };
    expect(await ask()).toBe(200);
    const line = /^Wall of the floor sk_[\w-]{12}… Wallboard Read \d+ \w+ \d{4} .* Revoke$/;
    await expect.poll(() => lines('API keys')).toEqual([expect.stringMatching(line)]);
    for (const [name, width, height, colorScheme] of sizes) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height });
      expect(await beyond(page, 'html'), name).toBe(0);
      // The key is no longer worth anything when somebody looks at this.
      await page.screenshot({ path: screenshotOf(`keys-${name}`), fullPage: true });
      expect(await violationsOf(page), colorScheme).toEqual([]);
    }
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.getByRole('button', { name: 'I have it' }).click();
    expect(await page.content()).not.toContain(key);
    expect(await isFocused(page.getByLabel('Name', { exact: true }))).toBe(true);
    await page.getByRole('button', { name: 'Revoke: Wall of the floor' }).click();
    await page.keyboard.press('Enter'); // The focus is on the question.
    await expect.poll(() => lines('API keys')).toEqual([expect.stringMatching(/Revoked \d+ \w+ \d{4}$/)]);
    // Both buttons are gone: it goes on from what was done.
    const done = page.getByRole('status').filter({ hasText: 'Wall of the floor is revoked' });
    await expect.poll(() => isFocused(done)).toBe(true);
    await expect.poll(ask, { timeout: 5000 }).toBe(401);
  });

  test('L1: an administrator enrols a first key by trust, and another or none but with that one', async () => {
    const { key } = await server.mutate(
      'createApiKey',
      { organisationId: organisation, name: 'Margaret', role: 'ADMINISTRATOR', userId: margaret },
      '... on CreateApiKeyPayload { key }',
    );
    await page.goto('about:blank');
    await page.context().clearCookies();
    await page.goto(`${origin}/keys#key=${key}`);
    await page.getByRole('heading', { name: 'Security keys' }).waitFor();
    const status = page.getByRole('region', { name: 'Security keys' }).getByRole('status').first();
    const enrol = async (name: string) => {
      await page.getByLabel('Name of a new key').fill(name);
      await page.getByRole('button', { name: 'Enrol a key for margaret' }).click();
    };
    await touchGreen(false);
    await enrol('Blue');
    await expect.poll(() => status.innerText(), { timeout: 5000 }).toBe('Blue is enrolled for margaret.');
    await touchBlue(false);
    await touchGreen(true);
    // The old key would say at once that it is enrolled already: it is touched after the new one.
    let asked = 0;
    await page.route('**/graphql', async (route) => {
      if (route.request().postData()?.includes('mutation Enrol(') === true) {
        asked += 1;
        await touchBlue(true);
      }
      await route.continue();
    });
    await enrol('Green');
    await expect.poll(() => status.innerText(), { timeout: 5000 }).toBe('Green is enrolled for margaret.');
    await page.unroute('**/graphql');
    expect(asked).toBe(2);
    const part = 'Security keys of margaret';
    await expect
      .poll(() => lines(part))
      .toEqual([
        // It was asked for when the second was enrolled.
        expect.stringMatching(/^Blue \d+ \w+ \d{4} \d+ \w+ \d{4}, \d\d:\d\d Remove$/),
        expect.stringMatching(/^Green \d+ \w+ \d{4} Never Remove$/),
      ]);
    for (const [name, width, height, colorScheme] of sizes) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height });
      await page.screenshot({ path: screenshotOf(`keys-security-${name}`), fullPage: true });
      expect(await violationsOf(page), colorScheme).toEqual([]);
    }
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.getByRole('button', { name: 'Remove: Green' }).click();
    await page.getByRole('button', { name: 'Remove for good: Green' }).click();
    await status.getByText('Green is removed.').waitFor();
    await expect.poll(() => isFocused(status)).toBe(true);
    await expect.poll(async () => (await lines(part)).length).toBe(1);
  });

  test('tells how many there are, and shows more where they begin', async () => {
    const large = await createOrganisation(server, { name: 'Large', timeZone: 'Europe/London' });
    await buy(server, large, 'ADMINISTRATOR', { base: 51 });
    const names = (count: number) =>
      Array.from({ length: count }, (_, index) => String(index).padStart(3, '0'));
    for (const name of names(101)) {
      await server.mutate('createApiKey', { organisationId: large, name: `Key ${name}`, role: 'WALLBOARD' });
    }
    await Promise.all(names(51).map((name) => createUser(server, large, `admin ${name}`, ['ADMINISTRATOR'])));
    await page.goto('about:blank');
    await page.context().clearCookies();
    await page.goto(`${origin}/keys?organisation=${large}#key=${server.key}`);
    const apiKeys = page.getByRole('region', { name: 'API keys' });
    await apiKeys.getByText('100 of 101 are shown.').waitFor();
    // The second page fails first.
    let asked = 0;
    await page.route('**/graphql', (route) => {
      asked += 1;
      return asked === 1 ? route.abort() : route.fallback();
    });
    await apiKeys.getByRole('button', { name: 'Show more' }).press('Enter');
    await apiKeys.getByText('This could not be read: The server cannot be reached.').waitFor();
    await apiKeys.getByRole('status').getByText('101 of 101 are shown.').waitFor();
    await page.unroute('**/graphql');
    expect((await lines('API keys')).at(-1)).toMatch(/^Key 000 /);
    // One more is made: none falls out between the pages.
    await page.getByLabel('Name', { exact: true }).fill('Key 101');
    await page.getByRole('button', { name: 'Make a key' }).click();
    await expect
      .poll(async () => (await lines('API keys')).map((line) => line.slice(4, 7)))
      .toEqual(names(102).toReversed());
    const people = page.getByRole('region', { name: 'Security keys' });
    const persons = people.getByRole('heading', { level: 3 });
    await people.getByText('50 of 51 are shown.').waitFor();
    await people.getByRole('button', { name: 'Show more' }).press('Enter');
    await people.getByRole('status').getByText('51 of 51 are shown.').waitFor();
    expect(await persons.count()).toBe(51);
    const last = page.getByRole('region', { name: await persons.last().innerText() });
    await expect.poll(() => isFocused(last)).toBe(true);
  });

  test('says that the server cannot be reached, and comes back by itself', async () => {
    await page.route('**/graphql', (route) => route.abort());
    await page.goto(`${origin}/keys?organisation=${organisation}`);
    const alert = page
      .getByRole('alert')
      .filter({ hasText: 'The keys could not be read: The server cannot be reached.' });
    await alert.waitFor();
    expect(await violationsOf(page)).toEqual([]);
    await page.unrouteAll({ behavior: 'wait' });
    await page.getByRole('group', { name: 'API keys' }).getByText('Wall of the floor').waitFor();
    await alert.waitFor({ state: 'detached' });
    // What cannot be done now is said as well, and what was typed stays.
    await page.route('**/graphql', (route) => route.abort());
    await page.getByLabel('Name', { exact: true }).fill('Wall of the hall');
    const make = page.getByRole('button', { name: 'Make a key' });
    await make.press('Enter');
    await page.getByRole('alert').getByText('The server cannot be reached.').waitFor();
    expect(await isFocused(make)).toBe(true);
    expect(await page.getByLabel('Name', { exact: true }).inputValue()).toBe('Wall of the hall');
    await page.unrouteAll({ behavior: 'wait' });
  });

  test('says when the working day of a sign-in is over, and goes on where one was after another', async () => {
    const place = `${origin}/?organisation=${organisation}&live=off&feature=on`;
    await page.goto(place);
    const row = page.getByRole('rowheader', { name: 'Administrator' });
    await row.waitFor();
    ahead = 12 * 3600;
    await page.getByRole('button', { name: 'Refresh' }).press('Enter');
    await page.getByRole('alert').getByText('Your sign-in has ended. Sign in again.').waitFor();
    expect(await row.count()).toBe(0);
    await page.getByLabel('Key or access token').fill(server.key);
    await page.keyboard.press('Enter');
    await row.waitFor();
    expect(page.url()).toBe(place);
  });

  test('gave the browser nothing to complain of, but the used link and a lost request', () => {
    expect(complaints.filter((complaint) => !/status of 401|ERR_FAILED/.test(complaint))).toEqual([]);
  });
});
