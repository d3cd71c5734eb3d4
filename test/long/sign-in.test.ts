import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { createOpenIdSignIn } from '../../src/site/openid.ts';
import { startBrowser } from '../setup/browser.ts';
import { buy, createKey, createOrganisation, createUser } from '../setup/given.ts';
import { audience, type OpenIdProvider, startOpenIdProvider } from '../setup/openid.ts';
import { testPages } from '../setup/pages.ts';
import { type Proxy, startProxy } from '../setup/proxy.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';
import { beyond, openPage, ordinary, screenshotOf, sizes, violationsOf } from '../setup/sight.ts';

const started = await startBrowser();
/** The server's port is known later than the address that browsers have it by. */
const behind = { host: '127.0.0.1', port: 0 };
let proxy: Proxy;
let provider: OpenIdProvider;
let server: TestServer;
/** A name, and so another site than the provider's. */
let origin: string;
let organisation: string;
let page: Page;
let complaints: readonly string[] = [];

beforeAll(async () => {
  proxy = await startProxy(behind);
  origin = `http://localhost:${proxy.port}`;
  const redirectUrl = `${origin}/sign-in/openid/callback`;
  provider = await startOpenIdProvider('RS256', redirectUrl);
  const log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
  const client = {
    ...{ issuer: provider.issuer, clientId: 'pages', clientSecret: null, scope: 'openid', redirectUrl },
    ...{ audience, audienceParameter: 'resource' as const },
  };
  server = await startTestServer({
    pages: {
      ...(await testPages()),
      openId: createOpenIdSignIn({ client, secret: 'the-secret-of-the-tests', clock: systemClock, log }),
    },
    openId: { openId: provider.openId },
  });
  behind.port = Number(new URL(server.url).port);
  organisation = await createOrganisation(server, {
    ...{ name: 'Acme Contact Centre', externalId: 'acme', timeZone: 'Europe/London' },
  });
  await server.mutate('setBillingTerms', { organisationId: organisation, currency: 'EUR' });
  await buy(server, organisation, 'SUPERVISOR', { base: 2, concurrent: 3 });
  await buy(server, organisation, 'ADMINISTRATOR', { base: 1 });
  await createUser(server, organisation, 'margaret', ['ADMINISTRATOR']);
  if (started !== null) ({ page, complaints } = await openPage(started.browser));
});
afterAll(async () => {
  await started?.close();
  await server.stop();
  await provider.stop();
  await proxy.close();
});

const makeKey = (role = 'ADMINISTRATOR') => createKey(server, organisation, role);
const keyCount = async () => {
  const document =
    'query ($id: ID!) { organisation(id: $id) { apiKeys(first: 100) { edges { node { id } } } } }';
  return (await server.query(document, { id: organisation })).data.organisation.apiKeys.edges
    .length as number;
};
const openTab = (context: BrowserContext, path: string) =>
  context.newPage().then(async (tab) => {
    await tab.goto(`${origin}${path}`);
    return tab;
  });
const asked = (of: Page) => of.getByRole('heading', { name: 'Sign in', exact: true }).waitFor();
const shown = (of: Page) => of.getByRole('button', { name: 'Sign out' }).waitFor();
const toProvider = (of: Page) => of.getByRole('link', { name: 'Sign in with your organisation’s account' });
const answerProvider = async (of: Page, hint: string) => {
  await of.getByLabel('Who are you?').fill(hint);
  await of.getByRole('button', { name: 'Go on' }).click();
};
const supervisor = JSON.stringify({ role: 'SUPERVISOR', organisation: 'acme' });

describe.skipIf(started === null)('Signing in', () => {
  test('is by the provider’s button or a key, to be used by everybody, in both themes and at every size', async () => {
    await page.goto(`${origin}/usage`);
    await asked(page);
    for (const [name, width, height, colorScheme] of sizes) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height });
      expect(await beyond(page, 'html'), name).toBe(0);
      expect(await violationsOf(page), colorScheme).toEqual([]);
      await page.screenshot({ path: screenshotOf(`sign-in-${name}`), fullPage: true });
    }
    await page.setViewportSize(ordinary.viewport);
  });

  test('at the provider leads to just the page that was asked for, until one signs out', async () => {
    const wanted = `${origin}/usage?organisation=${organisation}&licence=SUPERVISOR&by=week#content`;
    await page.goto(wanted);
    await toProvider(page).press('Enter');
    await answerProvider(page, supervisor);
    await page.getByText('Signed in as supervisor').waitFor();
    await page.getByText('No seat was in use.').first().waitFor();
    expect(page.url()).toBe(wanted);
    expect(await page.evaluate('document.cookie')).toBe('');
    await page.reload();
    await shown(page);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await asked(page);
    expect(page.url()).toBe(wanted);
    await page.reload();
    await asked(page);
  });

  test('that the provider refuses, or that is nobody’s here, is told on the page, which can be signed in to', async () => {
    const context = (await started?.browser.newContext(ordinary)) as BrowserContext;
    const tab = await openTab(context, '/keys?organisation=x#content');
    await toProvider(tab).click();
    await answerProvider(tab, 'deny');
    await tab.getByRole('alert').getByText('Your organisation’s sign-in service refused.').waitFor();
    expect(tab.url()).toBe(`${origin}/keys?organisation=x#content`);
    expect(await violationsOf(tab)).toEqual([]);
    await toProvider(tab).click();
    await answerProvider(tab, JSON.stringify({ role: 'gardener' }));
    await tab.getByRole('alert').getByText('but not here').waitFor();
    await provider.stop();
    await toProvider(tab).click();
    await expect.poll(() => tab.url()).not.toContain(origin);
    await provider.start();
    await context.close();
  });
});

describe.skipIf(started === null)('Tabs of one browser', () => {
  let context: BrowserContext;
  let first: Page;
  let second: Page;

  test('are signed in together, and out', async () => {
    context = (await started?.browser.newContext(ordinary)) as BrowserContext;
    [first, second] = [await openTab(context, '/keys'), await openTab(context, '/usage')];
    await Promise.all([asked(first), asked(second)]);
    await first.getByLabel('Key or access token').fill((await makeKey()).key);
    await first.getByRole('button', { name: 'Sign in' }).click();
    await Promise.all([shown(first), shown(second)]);
    await first.getByRole('button', { name: 'Sign out' }).click();
    await second.getByRole('alert').getByText('This browser was signed out.').waitFor({ timeout: 3000 });
    expect(await second.getByText('Signed in as').count()).toBe(0);
    expect(new URL(second.url()).pathname).toBe('/usage');
    expect(await second.evaluate('document.activeElement.className')).toBe('sign-in');
  });

  test('show the same person after one of them signs in as another', async () => {
    await second.goto('about:blank');
    await second.goto(`${origin}/usage#key=${(await makeKey()).key}`);
    await first.getByText('Signed in as administrator').waitFor();
    await second.getByRole('button', { name: 'Sign out' }).click();
    await asked(first);
    await second.getByLabel('Key or access token').fill((await makeKey('SUPERVISOR')).key);
    await second.getByRole('button', { name: 'Sign in' }).click();
    await first.getByText('Signed in as supervisor').waitFor();
    await first.getByText('Keys are for administrators').waitFor();
  });

  test('do not become somebody else’s by a link that anybody can have made, unasked', async () => {
    const follow = async (key: string) => {
      await second.goto('about:blank');
      await second.goto(`${origin}/usage?by=week#key=${key}`);
    };
    const { key } = await makeKey();
    await follow(key);
    await second.getByRole('heading', { name: 'Sign in as somebody else?' }).waitFor();
    expect(second.url()).toBe(`${origin}/usage?by=week`);
    expect(await violationsOf(second)).toEqual([]);
    await second.screenshot({ path: screenshotOf('sign-in-asked') });
    await second.getByRole('button', { name: 'Stay signed in as supervisor' }).click();
    await second.getByText('Signed in as supervisor').waitFor();
    await follow(key);
    await second.getByRole('button', { name: 'Sign in as administrator by the link' }).click();
    await first.getByText('Signed in as administrator').waitFor();
    await follow('of-nobody');
    await second.getByText('Signed in as administrator').waitFor();
    // Who they are already nobody is asked.
    await follow(key);
    await second.getByText('Signed in as administrator').waitFor();
  });

  test('are asked to sign in again at the next action after a key ended, on the same page', async () => {
    const { key, id } = await makeKey();
    await first.goto('about:blank');
    await context.clearCookies();
    await first.goto(`${origin}/keys?organisation=${organisation}#key=${key}`);
    await first.getByLabel('Name', { exact: true }).waitFor();
    await server.mutate('revokeApiKey', { keyId: id });
    // The other tab’s live figures may have ended, and it said so, before anything is done here.
    const ended = first.getByRole('alert').getByText('Sign in again.');
    await expect
      .poll(
        async () => {
          // What is under the hand may be gone at any moment.
          const act = async () => {
            await first.getByLabel('Name', { exact: true }).fill('One more', { timeout: 500 });
            await first.getByRole('button', { name: 'Make a key' }).click({ timeout: 500 });
          };
          await act().catch(() => {});
          return ended.count();
        },
        { timeout: 8000, interval: 300 },
      )
      .toBe(1);
    expect(first.url()).toBe(`${origin}/keys?organisation=${organisation}`);
    // Whoever tried too many is told so, and not that there is no server.
    const message = 'Too many wrong keys came from your address; try again in 7 s.';
    await context.route('**/sign-in', (route) =>
      route.fulfill({ status: 429, json: { errors: [{ message }] } }),
    );
    await first.getByLabel('Key or access token').fill('of-nobody');
    await first.keyboard.press('Enter');
    await first.getByRole('alert').getByText(message).waitFor({ timeout: 3000 });
    await context.unroute('**/sign-in');
    await first.getByLabel('Key or access token').fill((await makeKey()).key);
    await first.keyboard.press('Enter');
    await first.getByRole('heading', { name: 'API keys' }).waitFor();
  });

  test('leave a screen beside them as it is, whoever signs in and out', async () => {
    const screen = await makeKey('WALLBOARD');
    const wall = await openTab(context, `/wallboard#key=${screen.key}`);
    await wall.getByRole('button', { name: 'Sign in as wallboard by the link' }).click();
    const live = wall.getByRole('status').filter({ hasText: /^Live$/ });
    await live.waitFor();
    await first.getByText('Signed in as administrator').waitFor();
    await first.getByRole('button', { name: 'Sign out' }).click();
    await asked(second);
    await wall.reload();
    await live.waitFor();
    await first.getByLabel('Key or access token').fill((await makeKey()).key);
    await first.keyboard.press('Enter');
    await shown(second);
    expect(await live.count()).toBe(1);
    // A link that anybody can have made would take the place of the person beside the screen.
    const { key: another } = await makeKey('SUPERVISOR');
    for (const stay of ['Stay signed in as wallboard', 'Stay signed in as administrator']) {
      await wall.goto('about:blank');
      await wall.goto(`${origin}/wallboard#key=${another}`);
      await wall.getByRole('button', { name: stay }).click();
      await first.reload();
      await first.getByText('Signed in as administrator').waitFor();
      await server.mutate('revokeApiKey', { keyId: screen.id });
      await wall.getByRole('alert').getByText('Your sign-in has ended.').waitFor();
    }
    await wall.close();
  });

  test('stay signed out where the server was away when one signed out', async () => {
    await context.route('**/sign-in', (route) => route.abort());
    await first.getByRole('button', { name: 'Sign out' }).click();
    await first.getByText('The server cannot be reached. Trying again…').waitFor();
    await context.unroute('**/sign-in');
    await asked(first);
    await second.getByRole('alert').waitFor();
    await context.close();
  });
});

describe.skipIf(started === null)('Over plain HTTP, from another machine', () => {
  let context: BrowserContext;
  let tab: Page;
  let plain: string;
  beforeAll(async () => {
    plain = `http://seatkeeper.test:${proxy.port}`;
    context = (await started?.browser.newContext(ordinary)) as BrowserContext;
    tab = await context.newPage();
  });

  test('a statement is saved and shown, and keys are made, by the cookie', async () => {
    await tab.goto(
      `${plain}/usage?organisation=${organisation}&licence=SUPERVISOR#key=${(await makeKey()).key}`,
    );
    await shown(tab);
    expect(await tab.evaluate('isSecureContext')).toBe(false);
    const saving = tab.waitForEvent('download');
    await tab.getByRole('link', { name: 'Download CSV' }).click();
    expect(await (await saving).failure()).toBeNull();
    await tab.getByRole('link', { name: 'To print' }).click();
    await tab.getByRole('heading', { name: /^Estimate/ }).waitFor();
    await tab.goto(`${plain}/keys`);
    await tab.getByLabel('Name', { exact: true }).fill('Over plain HTTP');
    await tab.getByRole('button', { name: 'Make a key' }).click();
    await tab.getByLabel('This is the key.').waitFor();
    expect(
      await tab.evaluate(`new Promise((resolve) => {
        const stream = new EventSource('/graphql?query=' + encodeURIComponent(
          'subscription { usageChanged(organisationId: "${organisation}") { revision } }'));
        stream.addEventListener('next', () => { stream.close(); resolve('next'); });
        stream.addEventListener('error', () => resolve('error'));
      })`),
    ).toBe('next');
  });

  test('what browsers do not let such a page do is told', async () => {
    const security = tab.getByRole('region', { name: 'Security keys' });
    await security.getByText('Browsers let a page use security keys only where it came over TLS').waitFor();
    expect(await security.getByRole('button', { name: /Enrol/ }).count()).toBe(0);
    expect(await violationsOf(tab)).toEqual([]);
    await tab.goto(`${plain}/wallboard?theme=dark`);
    await tab.getByText('This browser does not let the page keep the screen awake').waitFor();
    await tab.mouse.move(200, 200);
    await tab.mouse.move(300, 300);
    await tab.locator('.wallboard:not(.still)').waitFor();
    await tab.screenshot({ path: screenshotOf('wallboard-plain-http') });
    expect(await violationsOf(tab)).toEqual([]);
  });

  test('a neighbour’s page, from which browsers send the cookie, gets nothing done and reads nothing', async () => {
    const evil = `http://evil.seatkeeper.test:${proxy.port}`;
    await context.route(`${evil}/**`, (route) =>
      route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>Evil</title>' }),
    );
    const keysBefore = await keyCount();
    const mutation = JSON.stringify({
      query: `mutation { createApiKey(input: { organisationId: "${organisation}", name: "=", role: WALLBOARD }) { __typename } }`,
    });
    const [before, after] = mutation.split('=');
    const submit = `{
      const form = document.createElement('form');
      Object.assign(form, { method: 'POST', enctype: 'text/plain', action: '${plain}/graphql' });
      const input = document.createElement('input');
      Object.assign(input, { name: ${JSON.stringify(before)}, value: ${JSON.stringify(after)} });
      form.append(input);
      document.body.append(form);
      form.submit();
    }`;
    const attacker = await context.newPage();
    // A link to a file leads to the page that has it, for the person there.
    const led = `location = '${plain}/audit/${organisation}.csv'`;
    for (const [script, status] of [[submit, 403] as const, [led, 303] as const]) {
      await attacker.goto(`${evil}/`);
      const answering = attacker.waitForResponse((response) => response.url().startsWith(plain));
      await attacker.evaluate(script);
      const answer = await answering;
      const { cookie } = await answer.request().allHeaders();
      expect([answer.status(), cookie !== undefined], script).toEqual([status, true]);
      await attacker.waitForURL(`${plain}/**`);
    }
    await attacker.goto(`${evil}/`);
    const outcomes = await attacker.evaluate(`(async () => {
      const told = (target, good) => new Promise((resolve) => {
        target.addEventListener(good, () => resolve(good));
        target.addEventListener('error', () => resolve('error'));
      });
      const send = (as, init) => fetch('${plain}/' + as, { credentials: 'include', ...init })
        .then(({ type }) => type, () => 'error');
      const script = document.createElement('script');
      script.src = '${plain}/sign-in?script';
      const scriptTold = told(script, 'load');
      document.body.append(script);
      return {
        socket: await told(new WebSocket('${plain.replace('http', 'ws')}/graphql', 'graphql-transport-ws'), 'open'),
        stream: await told(new EventSource('${plain}/graphql?stream&query={__typename}', { withCredentials: true }), 'open'),
        json: await send('graphql?json', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }),
        read: await send('graphql?read&query={__typename}', { mode: 'no-cors' }),
        plain: await send('graphql?plain', { method: 'POST', mode: 'no-cors', body: ${JSON.stringify(mutation)} }),
        signIn: await send('sign-in?in', { method: 'POST', mode: 'no-cors' }),
        who: await send('sign-in?who', {}),
        signOut: await send('sign-in?out', { method: 'DELETE' }),
        script: await scriptTold,
      };
    })()`);
    expect(new Set(Object.values(outcomes as object))).toEqual(new Set(['error']));
    // In a frame it stands no more than it is read.
    await attacker.evaluate(`{
      const frame = document.createElement('iframe');
      frame.src = '${plain}/keys';
      document.body.append(frame);
    }`);
    await expect.poll(() => attacker.frames().at(1)?.url()).toBe('chrome-error://chromewebdata/');
    expect(await keyCount()).toBe(keysBefore);
    await tab.goto(`${plain}/keys`);
    await shown(tab);
    await context.close();
  });
});

test.skipIf(started === null)('gave the browser nothing to complain of', () => {
  // What was asked when one signed out may come too late.
  expect(complaints.filter((complaint) => !complaint.includes('status of 401'))).toEqual([]);
});
