import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeOrganisationId } from '../../src/kernel/ids.ts';
import { organisationAt } from '../bench/seed.ts';
import { startBrowser } from '../setup/browser.ts';
import { buy, createOrganisation, createUser, logon, uuidOf } from '../setup/given.ts';
import { testPages } from '../setup/pages.ts';
import { handMovedClock, startTestServer, type TestServer } from '../setup/server.ts';
import { beyond, isFocused, openPage, ordinary, screenshotOf, violationsOf } from '../setup/sight.ts';

/** Odd circumstances: many, long and foreign names, odd clocks, other colours, and figures that never stand still. */

const started = await startBrowser();
const clock = handMovedClock('2026-03-31T21:40:00Z'); // In Berlin twenty minutes before midnight, and April.
const pages = await testPages(clock);
let server: TestServer;
let organisation: string;
let page: Page;
let complaints: readonly string[] = [];
const users: string[] = [];

const long = 'Very long name '.repeat(14).trim().slice(0, 200);
const names = [
  long,
  'مركز الاتصال (12)',
  'מוקד שירות – 24/7',
  '<img src=x onerror=alert(1)>',
  '=SUM(A1)',
  '@now',
];
const at = (index: number) => encodeOrganisationId(organisationAt(index));

/** A tree eight deep, of 3,000: each has three below it. */
async function plantTree(): Promise<void> {
  const id = (from: string) => `('00000000-0000-4000-8000-' || lpad(to_hex(${from}), 12, '0'))::uuid`;
  await server.pool.query(
    `insert into organisation (id, parent_id, name, time_zone, lease_seconds, test_clock, settled_at, next_due_at,
       period_month, period_from, period_until, active_users, active_in_billing_period, revision, rows_revision, created_at)
     select ${id('i')}, case when i > 0 then ${id('(i - 1) / 3')} end, 'Branch ' || i, 'UTC', 90, false, '2026-03-31',
       '2027-01-01', 24314, '2026-03-01', '2027-01-01', 0, 0, 1, 0, timestamptz '2026-01-01' + i * interval '1 s'
     from generate_series(0, 2999) i`,
  );
}

/** Another 300 licences, of which the first have odd names. */
async function stockUp(): Promise<void> {
  await server.pool.query(
    `insert into licence (code, position, name, category, seat_model, contingency_allowed, reassignment_days)
     select 'ODD_' || i, 1000 + i, coalesce(($1::text[])[i], 'Odd licence ' || i),
       case when i % 2 = 0 then 'USER' else 'FEATURE' end::licence_category, 'CONCURRENT', true,
       case when i % 2 = 0 then 90 else 0 end
     from generate_series(1, 300) i`,
    [names],
  );
  await server.pool.query(
    `insert into pool (organisation_id, licence, base_total, concurrent_total, contingency_total, in_use, max_used,
       assigned, reusable, locked, holders, purchases, revision)
     select $1, code, position, position, 5, position % 40, 0, 0, 0, 0, 0, 1, 1 from licence where code like 'ODD%'`,
    [uuidOf(organisation)],
  );
}

beforeAll(async () => {
  server = await startTestServer({ pages, clock });
  await plantTree();
  organisation = await createOrganisation(server, {
    name: `${'مركز '.repeat(30).trim()} & Sons`,
    timeZone: 'Europe/Berlin',
    leaseSeconds: 86_400,
    parentId: at(2999),
  });
  await buy(server, organisation, 'INBOUND_AGENT', { base: 20, concurrent: 4, contingency: 4 });
  await buy(server, organisation, 'SUPERVISOR', { base: 20, concurrent: 6 });
  await buy(server, organisation, 'AGENT_CALLS', { concurrent: 8, contingency: 2 });
  for (let index = 0; index < 7; index += 1) {
    users.push(
      await createUser(server, organisation, `user-${index}`, ['INBOUND_AGENT', 'SUPERVISOR', 'AGENT_CALLS']),
    );
  }
  if (started !== null) {
    // Of all zones the farthest from the organisation's: what the browser has does not matter.
    ({ page, complaints } = await openPage(started.browser, { timezoneId: 'Pacific/Kiritimati' }));
    await page.goto(`${origin()}/?organisation=${organisation}#key=${server.key}`);
    await row('INBOUND_AGENT').waitFor();
  }
});
afterAll(async () => {
  await started?.close();
  await server.stop();
});

/** What another file’s tests, beside it, may make wait. */
const patiently = { timeout: 5000 };
const origin = () => new URL(server.url).origin;
const row = (licence: string) => page.locator(`tr[data-licence="${licence}"]`);
const opener = (licence: string) => row(licence).getByRole('button');
const order = () =>
  page.locator('tbody tr').evaluateAll((rows) => rows.map((one) => one.getAttribute('data-licence')));
const show = async (search = '', path = '/') => {
  await page.goto(`${origin()}${path}?organisation=${organisation}${search}`);
};
const logOn = async (user: number, licence = 'INBOUND_AGENT') => {
  const { session } = await logon(server, users[user] ?? '', licence, `desk-${licence}`);
  if (session === undefined) throw new Error('refused');
  return session.id;
};
const logOff = (sessionId: string) => server.mutate('logoff', { sessionId });

/** WCAG 1.4.12: what readers may give text, by script, as the policy lets nobody put a style sheet into the page. */
const spaceOut = `document.styleSheets[0].insertRule(
  '* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; }', 0)`;
/** Texts that are cut off without a sign of it, of which nothing tells the rest. */
const clipped = () =>
  page.evaluate(() =>
    [...document.querySelectorAll('body *')]
      .filter((one) => {
        const { overflowX, overflowY, textOverflow, clipPath } = getComputedStyle(one);
        const isCut =
          (overflowX === 'hidden' && one.scrollWidth > one.clientWidth + 1 && textOverflow !== 'ellipsis') ||
          (overflowY === 'hidden' && one.scrollHeight > one.clientHeight + 1);
        return isCut && clipPath === 'none' && one.closest('.uplot') === null;
      })
      .map((one) => `${one.tagName} ${one.className}: ${one.textContent.slice(0, 40)}`),
  );
/** WCAG 2.5.8: what is to be hit is 24 by 24 pixels, but for links in a sentence and boxes whose label is as large. */
const smallTargets = () =>
  page.evaluate(() =>
    [...document.querySelectorAll('a[href], button, input, select, summary, [role=switch]')]
      .map((one) => one.closest('label') ?? one)
      .filter((one) => {
        const { width, height } = one.getBoundingClientRect();
        return width > 0 && !one.matches('.skip') && (width < 24 || height < 24);
      })
      .map((one) => `${one.tagName} ${one.className} ${one.textContent}`),
  );

describe.skipIf(started === null)('In odd circumstances the pages', () => {
  test('find one of 3,000 organisations by its place, its name and its path', async () => {
    await show();
    const picker = page.getByRole('combobox', { name: 'Organisation' });
    const options = page.getByRole('option');
    await picker.click();
    await expect.poll(() => options.count(), patiently).toBeGreaterThan(100);
    expect(await options.count()).toBeLessThan(300);
    const current = page.getByRole('listbox').locator('[aria-current="true"]');
    expect(await current.innerText()).toMatch(/^مركز .* Sons$/);
    await expect.poll(() => current.isVisible()).toBe(true);
    await expect
      .poll(
        () =>
          current.evaluate((one) => {
            const [own, list] = [
              one.getBoundingClientRect(),
              one.closest('[role=listbox]')?.getBoundingClientRect(),
            ];
            return list !== undefined && own.top >= list.top && own.bottom <= list.bottom;
          }),
        patiently,
      )
      .toBe(true);
    // Below its eight, and they are there.
    expect(
      await current.evaluate((one) => parseFloat(getComputedStyle(one).paddingInlineStart)),
    ).toBeGreaterThan(100);
    expect(await options.first().innerText()).toBe('Branch 0');
    await page.screenshot({ path: screenshotOf('breadth-tree') });
    await picker.fill('branch 2998');
    await expect
      .poll(() => options.allInnerTexts())
      .toEqual([
        'Branch 2998 · Branch 0 › Branch 3 › Branch 11 › Branch 36 › Branch 110 › Branch 332 › Branch 999',
      ]);
    await picker.fill('Branch 332 / 2998');
    await expect.poll(() => options.count(), patiently).toBe(1);
    await picker.fill('Branch 333 / 2998');
    await page.getByText('No organisation is called that.').waitFor();
    await picker.fill('332 › 2998');
    await expect.poll(() => options.count(), patiently).toBe(1);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.title(), patiently).toBe('Branch 2998 – Licence Mapping – Seatkeeper');
    await page.goBack();
    await row('INBOUND_AGENT').waitFor();
  });

  test('say in words what an address asks for in vain', async () => {
    await page.goto(`${origin()}/?organisation=nobody`);
    await page.getByText('There is no such organisation, or it is not yours.').waitFor();
    expect(await page.getByRole('alert').allInnerTexts()).toEqual([]);
    await show('&licence=AGENT_CALLS&sort=nonsense.asc');
    await page.getByText('There is no AGENT_CALLS among these licences.').waitFor();
    expect(await order()).toEqual(['INBOUND_AGENT', 'SUPERVISOR']);
    await show('&licence=NO_SUCH', '/usage');
    await page.getByText('This organisation has no licence NO_SUCH').waitFor();
    for (const path of ['/usage', '/keys']) {
      await page.goto(`${origin()}${path}?organisation=nobody`);
      await page.getByText('There is no such organisation, or it is not yours.').waitFor();
    }
  });

  test('lead back from a sheet to where it was opened, however it is closed', async () => {
    await show('&licence=SUPERVISOR');
    await page.getByRole('dialog').waitFor();
    const linked = await page.evaluate('navigation.currentEntry.index');
    await page.keyboard.press('Escape');
    await expect.poll(() => isFocused(opener('SUPERVISOR'))).toBe(true);
    expect(await page.evaluate('navigation.currentEntry.index')).toBe(linked);
    expect(page.url()).not.toContain('licence=');
    await opener('INBOUND_AGENT').focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.goBack();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await expect.poll(() => isFocused(opener('INBOUND_AGENT'))).toBe(true);
    await page.goForward();
    await page.getByRole('dialog', { name: 'Inbound Agent' }).waitFor();
    await page.reload();
    await page.getByRole('dialog', { name: 'Inbound Agent' }).waitFor();
  });

  test('keep a tab’s choices apart from another’s, and a wish to the address that it was made at', async () => {
    const other = await page.context().newPage();
    await other.goto(`${origin()}/?organisation=${at(5)}&live=off&feature=on`);
    await other.getByText('No licences of these kinds.').waitFor();
    await show('&live=off');
    await row('INBOUND_AGENT').waitFor();
    expect(await page.getByLabel('Feature licences').isChecked()).toBe(false);
    expect(await other.getByLabel('Feature licences').isChecked()).toBe(true);
    expect(await other.title()).toBe('Branch 5 – Licence Mapping – Seatkeeper');
    await other.close();
    await page.getByRole('combobox').fill('branch 7');
    await page.getByRole('option').first().click();
    await page.getByText('No licences of these kinds.').waitFor();
    await page.getByLabel('Feature licences').check();
    await page.getByText('Press Refresh to show').waitFor();
    await page.goBack();
    await row('INBOUND_AGENT').waitFor();
    expect(await page.getByLabel('Feature licences').isChecked()).toBe(false);
    expect(await page.getByText('Press Refresh to show').isVisible()).toBe(false);
  });

  test('stand still in the hand while ten changes a second come, and are not read aloud at each', async () => {
    await page.clock.install();
    await show('&sort=concurrentUsed.desc');
    await page.locator('.as-of').getByText('Live', { exact: true }).waitFor();
    await page.locator('.as-of').hover();
    await logOn(0, 'SUPERVISOR');
    const second = await logOn(1, 'SUPERVISOR');
    await expect.poll(() => row('SUPERVISOR').locator('td').nth(7).innerText()).toBe('2');
    await page.clock.fastForward(5100);
    await expect.poll(async () => (await order())[0]).toBe('SUPERVISOR');
    await page.getByText('Sorted by Concurrent Logons – Used: anew every 5 seconds').waitFor();
    await opener('SUPERVISOR').focus();
    await page.evaluate(`
      window.said = 0;
      for (const live of document.querySelectorAll('[role=status], [role=alert], [aria-live]')) {
        new MutationObserver((changes) => (window.said += changes.length))
          .observe(live, { subtree: true, childList: true, characterData: true });
      }`);
    const place = () =>
      page.locator('th[aria-sort]').evaluateAll((cells) => cells.map((one) => one.getBoundingClientRect().x));
    const before = await place();
    await logOn(0);
    await logOn(1);
    await logOn(2);
    for (let turn = 0; turn < 20; turn += 1) {
      // On contingency, and full, and neither.
      const sessions = await Promise.all([3, 4].map((user) => logOn(user)));
      if (turn % 5 === 0) expect(await place()).toEqual(before);
      await Promise.all(sessions.map(logOff));
    }
    await page.clock.fastForward(5100);
    expect(await isFocused(opener('SUPERVISOR'))).toBe(true);
    expect(await order()).toEqual(['SUPERVISOR', 'INBOUND_AGENT']);
    expect(await page.evaluate('window.said')).toBeLessThan(4);
    await page.getByRole('button', { name: 'Refresh' }).focus();
    await page.clock.fastForward(5100);
    await expect.poll(async () => (await order())[0]).toBe('INBOUND_AGENT');
    await logOff(second);
  });

  test('turn to another day and another month by themselves', async () => {
    clock.set('2026-03-31T21:50:00Z');
    await show();
    await page.locator('.as-of').getByText('Live', { exact: true }).waitFor();
    await page.getByText('Billing period 1 Mar 2026 to 31 Mar 2026 (Europe/Berlin)').waitFor();
    await row('INBOUND_AGENT').getByRole('img', { name: 'first at 23:00' }).waitFor();
    clock.set('2026-03-31T22:30:00Z');
    await logOn(5);
    clock.set('2026-03-31T22:35:00Z');
    await page.getByRole('button', { name: 'Refresh' }).click();
    await page.getByText('Billing period 1 Apr 2026 to 30 Apr 2026 (Europe/Berlin)').waitFor();
    await row('INBOUND_AGENT').getByRole('img', { name: 'first at 00:00' }).waitFor();
    // A night without an event: the month is over all the same.
    const quiet = await createOrganisation(server, { name: 'Quiet', timeZone: 'America/St_Johns' });
    await page.goto(`${origin()}/?organisation=${quiet}`);
    await page.getByText('Billing period 1 Mar 2026 to 31 Mar 2026 (America/St_Johns)').waitFor();
    clock.set('2026-04-01T02:31:00Z');
    await page.clock.fastForward('05:10');
    await page.getByText('Billing period 1 Apr 2026 to 30 Apr 2026 (America/St_Johns)').waitFor();
  });

  test('are told from one another without the page’s colours, with room between letters, and on paper', async () => {
    for (const [path, search, ready] of [
      ['/', '', '.spark'],
      ['/usage', '&licence=INBOUND_AGENT', '.heat td.contingency'],
      ['/wallboard', '', '.tile .area'],
      ['/keys', '', '.create'],
    ] as const) {
      const file = screenshotOf(`breadth-forced${path.replace('/', '-')}`);
      await page.emulateMedia({ forcedColors: 'active' });
      await show(search, path);
      await page.locator(ready).first().waitFor();
      await page.screenshot({ path: file, fullPage: true });
      const inks = await page
        .locator('.scale > span > span, .pieces [aria-pressed=true], [role=switch]')
        .evaluateAll((all) => all.map((one) => getComputedStyle(one).backgroundColor));
      expect(inks).not.toContain('rgb(255, 255, 255)');
      expect(await smallTargets()).toEqual([]);
      await page.emulateMedia({ forcedColors: 'none', contrast: 'more', colorScheme: 'dark' });
      if (path === '/') expect(await violationsOf(page)).toEqual([]);
      await page.evaluate(spaceOut);
      await expect.poll(() => beyond(page, 'html')).toBe(0);
      // A tile of the wallboard is as large as it is, whatever is in it.
      if (path !== '/wallboard') expect(await clipped(), path).toEqual([]);
      await page.evaluate('document.styleSheets[0].deleteRule(0)');
      await page.emulateMedia({ media: 'print', contrast: null });
      await page.setViewportSize({ width: 1031, height: 700 });
      await expect.poll(() => beyond(page, 'html')).toBe(0);
      expect(await page.evaluate('getComputedStyle(document.documentElement).colorScheme')).toBe('light');
      await page.emulateMedia({ media: 'screen', colorScheme: 'light' });
      await page.setViewportSize(ordinary.viewport);
    }
  });

  test('have 300 licences with any name: sorted, live, open, and saved', async () => {
    await stockUp();
    await show('&feature=on&product=on');
    await row('ODD_300').waitFor();
    expect(await order()).toHaveLength(303);
    expect(await beyond(page, 'html')).toBe(0);
    expect(await row('ODD_4').getByRole('button').innerText()).toBe(names[3]);
    expect(
      await row('ODD_1')
        .getByRole('button')
        .evaluate((one) => one.getBoundingClientRect().width),
    ).toBeLessThan(400);
    await page.screenshot({ path: screenshotOf('breadth-names') });
    const saving = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download CSV' }).click();
    const saved = readFileSync(await (await saving).path(), 'utf8').split('\r\n');
    expect(saved).toHaveLength(305);
    expect(saved.find((line) => line.includes('SUM'))).toContain(",'=SUM(A1),");
    expect(saved.find((line) => line.includes('@now'))).toContain(",'@now,");
    await opener('ODD_300').click();
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    // Back to the top by keyboard: what has the focus is not under the headings.
    await opener('ODD_300').focus();
    await page.locator('section.table').evaluate((one) => one.scrollTo(0, 3000));
    const hidden = await page.locator('section.table').evaluate((one) => {
      const bottom = one.querySelector('thead')?.getBoundingClientRect().bottom ?? 0;
      const above = [...one.querySelectorAll<HTMLElement>('.open')].findLast(
        (each) => each.getBoundingClientRect().bottom < bottom,
      );
      above?.focus();
      return (above?.getBoundingClientRect().top ?? 0) < bottom;
    });
    expect(hidden).toBe(false);
    for (const path of ['/usage', '/wallboard']) {
      await show('&licence=ODD_1&licences=ODD_1,ODD_2', path);
      await page.getByText(long.slice(0, 50)).first().waitFor({ state: 'attached' });
      expect(await beyond(page, 'html'), path).toBe(0);
    }
  });

  test('gave the browser nothing to complain of', () => {
    expect(complaints).toEqual([]);
  });
});
