import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBrowser } from '../setup/browser.ts';
import { testPages } from '../setup/pages.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';
import { mappingRows } from '../setup/sight.ts';
import { createSimulator, type Simulator } from '../setup/simulate.ts';

const started = await startBrowser();
let server: TestServer;
let simulator: Simulator;
let page: Page;

beforeAll(async () => {
  server = await startTestServer({ pages: await testPages() });
  simulator = createSimulator(server);
  await server.loadDemonstration();
  if (started !== null) page = await started.browser.newPage({ locale: 'en-GB' });
});
afterAll(async () => {
  await started?.close();
  simulator.dispose();
  await server.stop();
});

const { row, figures } = mappingRows(() => page);

describe.skipIf(started === null)('Licence Mapping', () => {
  test('opens with the demonstration organisation', async () => {
    const { origin } = new URL(server.url);
    await page.goto(`${origin}/?feature=on#key=${server.key}`);
    await row('INBOUND_AGENT').waitFor();
    expect(await page.getByRole('combobox').inputValue()).toBe('Demonstration Contact Centre');
    expect(await figures('INBOUND_AGENT')).toBe('10 5 0 5 2 0 2 2 0 0 2');
    expect(await figures('SUPERVISOR')).toBe('2 1 0 1 1 0 1 0 0 0 0');
  });

  test(
    'follows a scripted hour of logons, seat by seat, and agrees with the server after it',
    { timeout: 60_000 },
    async () => {
      const agents = Array.from({ length: 12 }, (_, number) => `agent-${number}`);
      const roster = simulator.write('roster.csv', [
        'organisation,username,licences',
        ...agents.map((username) => `Scripted Hour,${username},INBOUND_AGENT AGENT_CALLS`),
      ]);
      // The first is there when the page opens; the others come one a minute, and leave in the same order. Two find no seat.
      const at = (minute: number) => `2027-03-17T09:${String(minute).padStart(2, '0')}:00Z`;
      const trace = simulator.write('trace.csv', [
        'organisation,username,device,logon_at,logoff_at',
        ...agents.map(
          (username, number) =>
            `Scripted Hour,${username},desktop,${at(number === 0 ? 0 : 24 + number)},${at(42 + number)}`,
        ),
      ]);
      const seats = ['--seats', 'INBOUND_AGENT=8+2', '--seats', 'AGENT_CALLS=8+2'];
      const running = simulator.run('--roster', roster, '--trace', trace, '--speed', '300', ...seats);
      const picker = page.getByRole('combobox', { name: 'Organisation' });
      await expect
        .poll(
          async () => {
            await picker.fill('');
            await picker.fill('Scripted');
            return page.getByRole('option', { name: 'Scripted Hour' }).count();
          },
          { timeout: 10_000, interval: 500 },
        )
        .toBe(1);
      await page.getByRole('option', { name: 'Scripted Hour' }).click();
      await row('INBOUND_AGENT').waitFor();
      // Every state of the row that the browser draws, by the words that it has.
      await page.evaluate(`{
      globalThis.seen = [];
      const look = () => {
        const cells = document.querySelectorAll('tr[data-licence="INBOUND_AGENT"] td.figure');
        const shown = [...cells].map((cell) => cell.innerText).slice(5, 12).join(' ');
        if (globalThis.seen.at(-1) !== shown) globalThis.seen.push(shown);
      };
      look();
      new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
    }`);
      const { code, out } = await running;
      expect(out).toMatch(/^equal +Scripted Hour/m);
      expect(out).toMatch(/^Scripted Hour +INBOUND_AGENT +NO_SEAT_AVAILABLE +2$/m);
      expect(code).toBe(0);

      await expect.poll(() => figures('INBOUND_AGENT')).toMatch(/ 8 0 8 2 0 2 2$/);
      expect(await page.locator('.as-of').innerText()).toBe('Live');
      // Total, Used and Available of both pools, and Max Used, of each logon and logoff. A busy machine draws two changes at
      // once; it shows nothing that never was, and nothing in another order.
      const up = Array.from({ length: 8 }, (_, index) => `8 ${index + 1} ${7 - index} 2 0 0 2`);
      const reserve = ['8 8 0 2 1 1 1', '8 8 0 2 2 2 0'];
      const down = [
        '8 8 0 2 1 2 1',
        ...Array.from({ length: 9 }, (_, index) => `8 ${8 - index} ${index} 2 0 2 2`),
      ];
      const states = [...up, ...reserve, ...down];
      const seen = (await page.evaluate('globalThis.seen')) as string[];
      expect(states.filter((state) => seen.includes(state))).toEqual(seen.slice(seen.indexOf(up[0] ?? '')));
      expect(seen.length).toBeGreaterThan(states.length / 2);
    },
  );
});
