import { readFileSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBrowser } from '../setup/browser.ts';
import { buy, createOrganisation, createUser, logon } from '../setup/given.ts';
import { testPages } from '../setup/pages.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';

const started = await startBrowser();
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** Of every page at three sizes, to be looked at; git ignores them. */
const shots = join(import.meta.dirname, '../../dist.screenshots');
const agents = ['ada', 'alan', 'barbara', 'edsger', 'grace', 'hedy'] as const;

let server: TestServer;
let organisation: string;
let customer: string;
const users = new Map<string, string>();

beforeAll(async () => {
  mkdirSync(shots, { recursive: true });
  server = await startTestServer({ pages: await testPages() });
  organisation = await createOrganisation(server, { name: 'Acme Contact Centre', timeZone: 'Europe/London' });
  customer = await createOrganisation(server, { name: 'Beta Bank', parentId: organisation });
  await buy(server, organisation, 'INBOUND_AGENT', { base: 10, concurrent: 2, contingency: 2 });
  await buy(server, organisation, 'SUPERVISOR', { base: 2, concurrent: 3 });
  await buy(server, organisation, 'UC_USER', { base: 1 });
  await buy(server, organisation, 'AGENT_CALLS', { concurrent: 2, contingency: 1, reference: '=1+1' });
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

const inBrowser = describe.skipIf(started === null);
const origin = () => new URL(server.url).origin;

/** A browser of its own, signed in by the link that the server prints. */
async function open(
  search = '',
  options: Parameters<NonNullable<typeof started>['browser']['newContext']>[0] = {},
) {
  if (started === null) throw new Error('No browser');
  const context = await started.browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(error.message));
  await page.goto(`${origin()}/${search}#key=${server.key}`);
  await page.locator('tbody tr').first().waitFor();
  return {
    page,
    close: async () => {
      // What the browser complains of (a policy that was broken, a script that failed) is the page's fault.
      expect(problems).toEqual([]);
      await context.close();
    },
  };
}

const row = (page: Page, licence: string) => page.locator(`tr[data-licence="${licence}"]`);
const cells = (page: Page, licence: string) => row(page, licence).locator('td.figure').allInnerTexts();
const logOn = (name: string) => logon(server, users.get(name) ?? '');

inBrowser('Licence Mapping', () => {
  test('looks', async () => {
    await logOn('ada');
    await logOn('alan');
    await logOn('barbara');
    for (const [name, width, height, scheme] of [
      ['wide', 1920, 1080, 'light'],
      ['middle', 1366, 768, 'dark'],
      ['narrow', 390, 844, 'light'],
    ] as const) {
      const { page, close } = await open('?feature=on', { viewport: { width, height }, colorScheme: scheme });
      await page.locator('.spark').first().waitFor();
      await page.screenshot({ path: join(shots, `mapping-${name}.png`) });
      await row(page, 'INBOUND_AGENT').getByRole('button').click();
      await page.locator('.uplot').waitFor();
      await page.screenshot({ path: join(shots, `mapping-open-${name}.png`) });
      await close();
    }
  });
});
