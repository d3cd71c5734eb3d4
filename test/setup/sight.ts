import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';

/** How pages are looked at: at three sizes, by their tables, by a program for accessibility, and for what the browser complains of. */

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** Of every page at three sizes, to be looked at; git ignores them. */
const screenshots = join(import.meta.dirname, '../../dist.screenshots');

export const sizes = [
  ['wide', 1920, 1080, 'light'],
  ['middle', 1366, 768, 'dark'],
  // Of a window that is 1280 wide, at 400 %.
  ['narrow', 320, 640, 'light'],
] as const;

export const ordinary = {
  viewport: { width: 1440, height: 900 },
  locale: 'en-GB',
  reducedMotion: 'reduce',
} as const;

/** @returns a page, and what the browser complains of from here on: a policy that was broken, a script that failed */
export async function openPage(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<{ readonly page: Page; readonly complaints: readonly string[] }> {
  const page = await (await browser.newContext({ ...ordinary, ...options })).newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  return { page, complaints };
}

/** The path of a screenshot. */
export function screenshotOf(name: string): string {
  mkdirSync(screenshots, { recursive: true });
  return join(screenshots, `${name}.png`);
}

/** What of WCAG 2.2 AA a program can find broken. */
export async function violationsOf(page: Page): Promise<string[]> {
  // By the developer tools’ way in, which the page’s policy does not stand against.
  await page.evaluate(axe);
  return page.evaluate(`axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
    .then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ': ' + html)))`);
}

/** By how many pixels what is in an element is wider than it. */
export async function beyond(page: Page, selector: string): Promise<number> {
  return page.locator(selector).evaluate((one) => one.scrollWidth - one.clientWidth);
}

/** Whether an element has the focus. */
export async function isFocused(one: Locator): Promise<boolean> {
  return one.evaluate((element) => element === document.activeElement);
}

/** The lines of a table, each as its cells with a space between. */
export async function linesOf(place: Page | Locator, name: string): Promise<string[]> {
  const texts = await place.getByRole('group', { name, exact: true }).locator('tbody tr').allInnerTexts();
  return texts.map((text) => text.replaceAll(/\s+/g, ' ').trim());
}

/** The rows of Licence Mapping, and a row’s figures from Base Total to Contingency Available. @param page that which is open */
export function mappingRows(page: () => Page) {
  const row = (licence: string) => page().locator(`tr[data-licence="${licence}"]`);
  const figures = async (licence: string) =>
    (await row(licence).locator('td.figure').allInnerTexts()).slice(1, -1).join(' ');
  return { row, figures };
}
