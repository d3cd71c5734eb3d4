import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDatabase } from '../../src/database/database.ts';
import { within } from '../../src/database/wall.ts';
import type { Actor } from '../../src/kernel/actor.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { Services } from '../../src/live/services.ts';
import { listOrganisations } from '../../src/organisation/store.ts';
import { readStatement } from '../../src/statement/commands.ts';
import {
  advance,
  buy,
  createOrganisation,
  createUser,
  logon,
  organisationOf,
  setStatus,
  uuidOf,
} from '../setup/given.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

interface Line {
  readonly entry: string;
  readonly licence: { readonly code: string } | null;
  readonly kind: string;
  readonly quantity: number;
  readonly seatDays: number | null;
  readonly unitPrice: { readonly amount: number } | null;
  readonly amount: { readonly amount: number; readonly decimal: string } | null;
  readonly maxUsed: number | null;
  readonly maxUsedAt: string | null;
  readonly minimumPeakMinutes: number | null;
  readonly levels: readonly { readonly seats: number; readonly milliseconds: number }[];
  readonly purchases: readonly { readonly purchaseId: string; readonly quantity: number }[];
}

interface Statement {
  readonly id: string;
  readonly status: string;
  readonly number: number | null;
  readonly period: { readonly from: string; readonly until: string };
  readonly timeZone: string;
  readonly days: number;
  readonly total: { readonly amount: number; readonly currency: string };
  readonly complete: boolean;
  readonly lines: readonly Line[];
}

const fields = `id status number period { from until } timeZone days total { amount currency } complete
  lines { entry licence { code } kind quantity seatDays unitPrice { amount } amount { amount decimal } maxUsed maxUsedAt
    minimumPeakMinutes levels { seats milliseconds } purchases { purchaseId quantity } }`;

async function ask<Answer>(
  id: string,
  selection: string,
  by: Pick<TestServer, 'query'> = server,
): Promise<Answer> {
  const { data, errors } = await by.query(
    `query ($id: ID!) { organisation(id: $id) { answer: ${selection} } }`,
    { id },
  );
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data.organisation.answer;
}

/** The first issued first. */
async function statementsOf(id: string): Promise<Statement[]> {
  const { edges } = await ask<{ edges: { node: Statement }[] }>(
    id,
    `billingStatements(first: 20) { edges { node { ${fields} } } }`,
  );
  return edges.map(({ node }) => node).toReversed();
}

// oxlint-disable-next-line typescript/no-explicit-any -- a test asserts the shape it reads
async function change(name: string, input: Record<string, unknown>, selection = ''): Promise<any> {
  const answer = await server.mutate(name, input, selection);
  if (answer.code !== undefined) throw new Error(`${name}: ${answer.code} ${answer.message}`);
  return answer;
}

const setPrice = (organisationId: string, input: Record<string, unknown>) =>
  change('setPrice', { organisationId, currency: 'GBP', ...input });

const as = (role: Actor['role'], id: string) =>
  server.as({ role, organisationId: organisationOf(id), userId: null } as Actor);

const download = (path: string, key = server.key) =>
  fetch(server.url.replace('/graphql', path), { headers: { authorization: `Bearer ${key}` } });

const hour = 3_600_000;
const time = (text: string) => Date.parse(text);

describe('a year of an organisation’s life', () => {
  /** The months that are billed: where they begin, and the zone in which each ends. */
  const months = [
    ['2027-08-31T23:00Z', 'Europe/London'],
    // Clocks go back.
    ['2027-09-30T23:00Z', 'Europe/London'],
    ['2027-11-01T00:00Z', 'Europe/London'],
    // It moves to Tokyo within the month, which keeps its end.
    ['2027-12-01T00:00Z', 'Asia/Tokyo'],
    ['2028-01-01T00:00Z', 'Asia/Tokyo'],
    // A leap day.
    ['2028-01-31T15:00Z', 'Asia/Tokyo'],
    ['2028-02-29T15:00Z', 'Asia/Tokyo'],
    // On to New York.
    ['2028-03-31T15:00Z', 'America/New_York'],
    // Of nothing.
    ['2028-04-30T15:00Z', 'America/New_York'],
    ['2028-06-01T04:00Z', 'America/New_York'],
    ['2028-07-01T04:00Z', 'America/New_York'],
    ['2028-08-01T04:00Z', 'America/New_York'],
    ['2028-09-01T04:00Z', ''],
  ] as const;

  /** Purchases of supervisors: base, concurrent, contingency, from, until. */
  const bought = [
    [5, 2, 4, '2027-09-10T09:00Z', '2028-02-11T05:00Z'],
    [3, 0, 0, '2027-10-15T12:00Z', '2027-12-20T10:00Z'],
    // Up and down on one day.
    [0, 3, 0, '2027-11-16T08:00Z', '2027-11-16T20:00Z'],
    // In place of the first, from the instant at which that ends.
    [6, 1, 4, '2028-02-11T05:00Z', '2028-04-20T01:00Z'],
    // From the very edge of a month.
    [4, 1, 0, '2028-06-01T04:00Z', '2028-08-01T04:00Z'],
    [2, 2, 1, '2028-07-19T13:00Z', null],
  ] as const;

  /** Who logs on, when; each for the day that a lease lasts. */
  const logons = [
    [0, '2027-09-20T10:00Z'],
    [1, '2027-09-20T11:00Z'],
    [2, '2027-09-20T12:00Z'],
    // Their use is carried over into November, and falls there.
    [0, '2027-10-31T09:00Z'],
    [1, '2027-10-31T09:00Z'],
    [2, '2027-10-31T10:00Z'],
    [3, '2027-10-31T10:00Z'],
    // When the concurrent total falls, whoever sits on a seat uses the reserve.
    [0, '2028-02-11T01:00Z'],
    [1, '2028-02-11T02:00Z'],
    [0, '2028-03-05T01:00Z'],
    [0, '2028-07-31T22:00Z'],
    [1, '2028-07-31T23:00Z'],
    [2, '2028-07-31T23:00Z'],
  ] as const;

  const prices = { BASE: 1001, CONCURRENT: 2503, CONTINGENCY: 2503, ACTIVE_USER: 31 };
  /** From the first month that begins once it holds. */
  const dearer = { ...prices, CONCURRENT: 2717, CONTINGENCY: 2717 };

  /** More than the eighteen hours that the reserve is used in the last month. */
  const minimumPeakMinutes = 18 * 60 + 1;

  /** What the months cost, by asking every hour of the year what was so. */
  function reckon(users: number) {
    return months.slice(0, -1).map(([start, zone], index) => {
      const [from, until] = [time(start), time(months[index + 1]?.[0] ?? '')];
      const dates = new Intl.DateTimeFormat('en', { timeZone: zone, dateStyle: 'short' });
      const lasted = new Map<number, number>();
      const days = new Map<string, { base: number; concurrent: number }>();
      let [maxUsed, maxUsedAt] = [0, null as string | null];
      for (let now = from; now < until; now += hour) {
        const inForce = bought.filter(
          ([, , , begins, ends]) => time(begins) <= now && (ends === null || time(ends) > now),
        );
        const total = (column: 0 | 1 | 2) => inForce.reduce((sum, row) => sum + row[column], 0);
        const date = dates.format(now);
        const day = days.get(date) ?? { base: 0, concurrent: 0 };
        days.set(date, {
          base: Math.max(day.base, total(0)),
          concurrent: Math.max(day.concurrent, total(1)),
        });
        const inUse = logons.filter(([, at]) => time(at) <= now && now < time(at) + 24 * hour).length;
        const used = Math.min(Math.max(0, inUse - total(1)), total(2));
        if (used > maxUsed) [maxUsed, maxUsedAt] = [used, new Date(now).toISOString()];
        // At or above each level.
        for (let level = 1; level <= used; level += 1) lasted.set(level, (lasted.get(level) ?? 0) + hour);
      }
      const fees = from < time('2028-01-20T00:00Z') ? prices : dearer;
      const lines = (['base', 'concurrent'] as const).flatMap((column) => {
        const all = [...days.values()].map((day) => day[column]);
        const [quantity, seatDays] = [Math.max(...all), all.reduce((sum, each) => sum + each, 0)];
        const kind = column === 'base' ? 'BASE' : 'CONCURRENT';
        return quantity === 0
          ? []
          : [
              {
                kind,
                quantity,
                seatDays,
                amount: halfEven(fees[kind] * seatDays, days.size),
                maxUsedAt: null,
              },
            ];
      });
      const minimum = until > time('2028-08-20T00:00Z') ? minimumPeakMinutes * 60_000 : 0;
      const quantity = Math.max(
        0,
        ...[...lasted].filter(([, each]) => each >= minimum).map(([level]) => level),
      );
      const amount = quantity * fees.CONTINGENCY;
      if (maxUsed > 0) {
        const levels = [...lasted.values()];
        const peak = { quantity, seatDays: null, amount, maxUsed, maxUsedAt, levels };
        lines.push({ kind: 'CONTINGENCY', ...peak } as never);
      }
      // The fee for active users was withdrawn before May.
      if (from < time('2028-04-25T00:00Z')) {
        // The last of the users was suspended in November, and counts in that month still.
        const quantity = from <= time('2027-11-10T00:00Z') ? users : users - 1;
        const line = { quantity, seatDays: null, amount: quantity * fees.ACTIVE_USER, maxUsedAt: null };
        lines.push({ kind: 'ACTIVE_USER', ...line } as never);
      }
      const period = { from: new Date(from).toISOString(), until: new Date(until).toISOString() };
      return { period, timeZone: zone, days: days.size, lines };
    });
  }

  /** Of each level; what was passed over lasted as long as the next one that was not. */
  function timesOf(maxUsed: number, levels: Line['levels']): (number | undefined)[] {
    return Array.from(
      { length: maxUsed },
      (_, index) => levels.find(({ seats }) => seats > index)?.milliseconds,
    );
  }

  function halfEven(numerator: number, denominator: number): number {
    const [whole, rest] = [Math.floor(numerator / denominator), numerator % denominator];
    if (rest * 2 === denominator) return whole + (whole % 2);
    return rest * 2 > denominator ? whole + 1 : whole;
  }

  test('each month is billed, exactly and once, by what was in force in it', async () => {
    const id = await createOrganisation(server, {
      ...{ name: 'A year', testClockAt: '2027-09-10T09:00:00Z', timeZone: 'Europe/London' },
      leaseSeconds: 86_400,
    });
    await change('setBillingTerms', { organisationId: id, currency: 'GBP', partialMonths: 'BY_DAY' });
    for (const [kind, amount] of Object.entries(prices)) {
      // The reserve costs what a concurrent seat does, where nothing else is said.
      if (kind === 'CONTINGENCY') continue;
      await setPrice(id, { kind, amount, ...(kind === 'ACTIVE_USER' ? {} : { licence: 'SUPERVISOR' }) });
    }
    const steps: { readonly at: string; readonly take: () => Promise<unknown> }[] = [];
    const seconds = (at: string) => new Date(at).toISOString();
    for (const [base, concurrent, contingency, from, until] of bought) {
      const quantities = { base, concurrent, contingency, until: until === null ? null : seconds(until) };
      // Recorded a while before, where there is one.
      const recordedAt = time(from) > time('2027-09-20T00:00Z') ? time(from) - 30 * 24 * hour : time(from);
      const at = new Date(Math.max(recordedAt, time('2027-09-10T09:00Z'))).toISOString();
      steps.push({ at, take: () => buy(server, id, 'SUPERVISOR', { ...quantities, from: seconds(from) }) });
    }
    const users: string[] = [];
    for (let index = 0; index < 5; index += 1) {
      users.push(await createUser(server, id, `user ${index}`, []));
    }
    for (const user of users.slice(0, 4)) {
      const licence = 'SUPERVISOR';
      steps.push({
        at: '2027-09-10T10:00Z',
        take: () => change('assignLicence', { userId: user, licence }),
      });
    }
    for (const [user, at] of logons) {
      steps.push({
        at,
        take: async () => {
          expect((await logon(server, users[user] ?? '', 'SUPERVISOR')).__typename).toBe('LogonPayload');
        },
      });
    }
    steps.push(
      { at: '2027-11-10T00:00Z', take: () => setStatus(server, users[4] ?? '', 'SUSPENDED') },
      {
        at: '2027-12-15T06:00Z',
        take: () => change('updateOrganisation', { organisationId: id, timeZone: 'Asia/Tokyo' }),
      },
      {
        at: '2028-01-05T00:00Z',
        take: () =>
          setPrice(id, {
            ...{ licence: 'SUPERVISOR', kind: 'CONCURRENT', amount: dearer.CONCURRENT },
            from: '2028-01-20T00:00:00Z',
          }),
      },
      {
        at: '2028-04-10T00:00Z',
        take: () => change('updateOrganisation', { organisationId: id, timeZone: 'America/New_York' }),
      },
      {
        at: '2028-08-20T00:00Z',
        take: () => change('setContractOptions', { organisationId: id, minimumPeakMinutes }),
      },
      { at: '2028-04-25T00:00Z', take: () => setPrice(id, { kind: 'ACTIVE_USER' }) },
    );
    for (const { at, take } of steps.toSorted((one, other) => time(one.at) - time(other.at))) {
      await advance(server, id, seconds(at));
      await take();
    }
    // Nobody reads them: they are written all the same.
    await advance(server, id, '2028-09-05T00:00:00Z');
    const written = async () => {
      const { rows } = await server.pool.query(
        'select count(*)::int as n from statement where organisation_id = $1',
        [organisationOf(id)],
      );
      return rows[0].n;
    };
    await expect.poll(written, { timeout: 10_000 }).toBe(12);

    const statements = await statementsOf(id);
    expect(statements.map(({ number, status }) => [number, status])).toEqual(
      months.slice(0, -1).map((_, index) => [index + 1, 'CLOSED']),
    );
    const found = statements.map(({ period, timeZone, days, lines }) => ({
      ...{ period, timeZone, days },
      lines: lines.map(({ kind, quantity, seatDays, amount, maxUsed, maxUsedAt, levels }) => ({
        ...{ kind, quantity, seatDays, amount: amount?.amount, maxUsedAt },
        ...(maxUsed === null ? {} : { maxUsed, levels: timesOf(maxUsed, levels) }),
      })),
    }));
    const expected = reckon(users.length);
    expect(found).toEqual(expected);
    expect(statements.map(({ total, complete }) => [total, complete])).toEqual(
      expected.map(({ lines }) => [
        { amount: lines.reduce((sum, { amount }) => sum + amount, 0), currency: 'GBP' },
        true,
      ]),
    );
    // The story has what it was told for.
    expect(found.map(({ days }) => days)).toEqual([30, 31, 30, 32, 31, 29, 31, 31, 32, 30, 31, 31]);
    expect(found[8]?.lines).toEqual([]);
    expect(found[11]?.lines.at(-1)).toMatchObject({
      kind: 'CONTINGENCY',
      quantity: 0,
      maxUsed: 1,
      amount: 0,
    });
    expect(found[2]?.lines.find(({ kind }) => kind === 'CONTINGENCY')?.maxUsedAt).toBe(
      '2027-11-01T00:00:00.000Z',
    );
  });
});

describe('a statement', () => {
  let id: string;
  let purchaseId: string;
  beforeAll(async () => {
    id = await createOrganisation(server, {
      ...{ name: '<b>=Given & "Sons"</b>', testClockAt: '2026-01-10T00:00:00Z', timeZone: 'Europe/London' },
    });
    await setPrice(id, { currency: 'EUR', licence: 'SUPERVISOR', kind: 'BASE', amount: 1000 });
    purchaseId = await buy(server, id, 'SUPERVISOR', {
      ...{ base: 3, concurrent: 1, reference: '<script>alert(1)</script>' },
    });
  });

  const statementOf = (args = '') => ask<Statement | null>(id, `billingStatement${args} { ${fields} }`);

  test('is an estimate while its month runs, and then, under the same id, a document that nothing changes', async () => {
    const estimate = await statementOf();
    expect(estimate).toMatchObject({
      ...{ status: 'ESTIMATE', number: null, complete: false, total: { amount: 3000, currency: 'EUR' } },
      lines: [
        {
          kind: 'BASE',
          quantity: 3,
          amount: { amount: 3000, decimal: '30.00' },
          purchases: [{ purchaseId, quantity: 3 }],
        },
        // Without a price.
        { kind: 'CONCURRENT', quantity: 1, unitPrice: null, amount: null },
      ],
    });
    expect((await statementsOf(id)).length).toBe(0);
    await advance(server, id, '2026-02-10T00:00:00Z');
    const closed = await statementOf('(period: "2026-01-31T23:59:59.999Z")');
    expect(closed).toEqual({ ...estimate, status: 'CLOSED', number: 1 });
    expect(await statementOf('(period: "2026-02-01T00:00:00Z")')).toMatchObject({ status: 'ESTIMATE' });
    expect(await statementOf('(period: "2025-12-31T00:00:00Z")')).toBeNull();
    expect(await statementOf('(period: "2026-03-01T00:00:00Z")')).toBeNull();

    await setPrice(id, { currency: 'EUR', licence: 'SUPERVISOR', kind: 'BASE', amount: 5 });
    await change('endPurchase', { purchaseId });
    await change('setBillingTerms', { organisationId: id, currency: 'USD' });
    expect(await statementOf('(period: "2026-01-31T23:59:59.999Z")')).toEqual(closed);
    expect((await statementOf())?.total.currency).toBe('USD');
    await change('setBillingTerms', { organisationId: id, currency: 'EUR' });
  });

  test('what was wrong is a document of its own, that refers to it', async () => {
    const [closed] = await statementsOf(id);
    const input = {
      statementId: closed?.id,
      reason: '=1+1',
      lines: [{ licence: 'SUPERVISOR', kind: 'BASE', quantity: 2 }],
    };
    const running = await statementOf();
    expect((await server.mutate('correctStatement', { ...input, statementId: running?.id })).code).toBe(
      'STATEMENT_NOT_CLOSED',
    );
    expect(
      (
        await server.mutate('correctStatement', {
          ...input,
          lines: [{ licence: 'NONE', kind: 'BASE', quantity: 2 }],
        })
      ).code,
    ).toBe('NOT_FOUND');
    expect((await server.mutate('correctStatement', { ...input, statementId: `${closed?.id}-7` })).code).toBe(
      'NOT_FOUND',
    );
    // All at once: each has a number of its own.
    const answers = await Promise.all(
      [2, 1, 0].map((quantity) =>
        change(
          'correctStatement',
          { ...input, lines: [{ licence: 'SUPERVISOR', kind: 'BASE', quantity }] },
          `... on CorrectStatementPayload { statement { ${fields} corrects { id } reason } }`,
        ),
      ),
    );
    const corrections = answers.map(({ statement }) => statement);
    expect(new Set(corrections.map(({ number }) => number))).toEqual(new Set([2, 3, 4]));
    for (const correction of corrections) {
      expect(correction).toMatchObject({
        status: 'CORRECTION',
        corrects: { id: closed?.id },
        reason: '=1+1',
      });
    }
    // Whichever came last is what the month costs now.
    const last = corrections.toSorted((one, other) => other.number - one.number)[0];
    const charged = last.lines.find(({ entry }: Line) => entry === 'CHARGE').amount.amount;
    const sum = corrections.reduce((total, { total: { amount } }) => total + amount, 0);
    expect(3000 + sum).toBe(charged);
    const { data } = await server.query(
      'query ($id: ID!) { node(id: $id) { ... on BillingStatement { total { amount } corrections { id number } } } }',
      { id: closed?.id },
    );
    expect(data.node).toEqual({
      total: { amount: 3000 },
      corrections: [2, 3, 4].map((number) => ({ number, id: `${closed?.id}-${number - 1}` })),
    });
    expect((await statementsOf(id)).map(({ number }) => number)).toEqual([1, 2, 3, 4]);
  });

  test('as CSV no cell is a formula, and a refusal is as the field’s', async () => {
    const [closed, correction] = await statementsOf(id);
    const rowsOf = async (path: string) =>
      parse(await (await download(path)).text(), { columns: true }) as Record<string, string>[];
    expect(await rowsOf(`/statements/${closed?.id}.csv`)).toMatchObject([
      {
        number: '1',
        licence: 'SUPERVISOR',
        kind: 'BASE',
        quantity: '3',
        unitPrice: '10.00',
        amount: '30.00',
        currency: 'EUR',
      },
      { kind: 'CONCURRENT', unitPrice: '', amount: '' },
    ]);
    const rows = await rowsOf(`/statements/${correction?.id}.csv`);
    expect(rows.map(({ entry, reason }) => [entry, reason])).toEqual([
      ['CREDIT', "'=1+1"],
      ['CHARGE', "'=1+1"],
    ]);
    for (const cell of rows.flatMap((row) => Object.values(row))) expect(cell).not.toMatch(/^[=+\-@\t\r]/);

    const other = await createOrganisation(server);
    const stranger = as('ADMINISTRATOR', other).key;
    const statusOf = async (path: string, key?: string) => (await download(path, key)).status;
    expect(await statusOf(`/statements/${closed?.id}.csv`, as('ADMINISTRATOR', id).key)).toBe(200);
    expect(await statusOf(`/statements/${closed?.id}.csv`, stranger)).toBe(404);
    expect(await statusOf(`/statements/${closed?.id}.html`, stranger)).toBe(404);
    expect(await statusOf(`/statements/${closed?.id}.csv`, as('SUPERVISOR', id).key)).toBe(403);
    expect(await statusOf(`/statements/${closed?.id}-9.csv`)).toBe(404);
    expect(await statusOf(`/statements/${id}.csv`)).toBe(404);
    expect(await statusOf(`/statements/${closed?.id}.csv`, 'wrong')).toBe(401);
  });

  test('as a page to be printed it runs and loads nothing, and what people wrote is text', async () => {
    const [closed] = await statementsOf(id);
    const response = await download(`/statements/${closed?.id}.html`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/=]{44}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
    );
    const page = await response.text();
    expect(page).not.toMatch(/<script|<b>|style=|href=|src=/);
    expect(page).toContain('&#60;script&#62;alert(1)');
    expect(page).toContain('&#60;b&#62;=Given &#38; &#34;Sons&#34;&#60;/b&#62;');
    expect(page).toContain('<td class="number">30.00 EUR</td></tr></tfoot>');
  });
});

test('a month that ends while its estimate is asked for is answered as what it became', async () => {
  const id = await createOrganisation(server, { testClockAt: '2026-01-10T00:00:00Z' });
  const { db: all, close } = createDatabase(server.runtime);
  const db = within(all, 'ALL');
  const [asked] = await listOrganisations(db, [organisationOf(id)]);
  if (asked === undefined) throw new Error('It was just created');
  await advance(server, id, '2026-02-01T00:00:00Z');
  const [january] = await statementsOf(id);
  const services = { db, clock: systemClock, catalogue: async () => new Map() } as unknown as Services;
  const { month } = asked.period;
  expect(await readStatement(services, asked, { month, correction: 0 })).toMatchObject({
    ...{ month, number: 1, issuedAt: new Date('2026-02-01T00:00:00Z') },
    from: new Date(january?.period.from ?? ''),
  });
  await close();
});

test('who has centuries to be billed keeps nobody waiting, and is told to come again', async () => {
  const clock = { testClockAt: '2026-01-10T00:00:00Z' };
  const [old, young] = [await createOrganisation(server, clock), await createOrganisation(server, clock)];
  await advance(server, old, '2126-01-10T00:00:00Z');
  await advance(server, young, '2026-02-10T00:00:00Z');
  const written = async (id: string) => {
    const { rows } = await server.pool.query<{ months: number }>(
      'select count(*)::int as months from statement where organisation_id = $1',
      [organisationOf(id)],
    );
    return rows[0]?.months ?? 0;
  };
  await expect.poll(() => written(young), { timeout: 10_000, interval: 20 }).toBe(1);
  expect(await written(old)).toBeLessThan(1200);
  const { errors } = await server.query(
    'query ($id: ID!) { organisation(id: $id) { billingStatements(first: 1) { totalCount } } }',
    { id: old },
  );
  expect(errors?.[0]?.extensions).toMatchObject({ code: 'UNAVAILABLE', retryAfterSeconds: 1 });
  // Nor are the months that are not written yet missing from a tree.
  const tree = await server.query(
    `query ($id: ID!) { organisation(id: $id) {
       tree { statements(period: "2125-12-31T00:00:00Z") { statements { edges { node { number } } } } } } }`,
    { id: old },
  );
  expect(tree.errors?.[0]?.extensions).toMatchObject({ code: 'UNAVAILABLE', retryAfterSeconds: 1 });
});

test('a month that ended before months were kept has no statement, and is told so; the next one has', async () => {
  const id = await createOrganisation(server, { testClockAt: '2026-01-10T00:00:00Z' });
  await advance(server, id, '2026-03-01T00:00:00Z');
  await statementsOf(id);
  // As an organisation of before migrations/0010_money.ts is: its months are known, and of January nothing else.
  const january = `organisation_id = '${organisationOf(id)}' and month = ${2026 * 12}`;
  await server.pool.query(
    `delete from statement where ${january}; delete from period_close where ${january};
     delete from closed_period where ${january}`,
  );
  const codeOf = async (period: string) => {
    const { data, errors } = await server.query(
      'query ($id: ID!, $period: DateTime) { organisation(id: $id) { billingStatement(period: $period) { status } } }',
      { id, period },
    );
    return errors?.[0]?.extensions.code ?? data.organisation.billingStatement?.status ?? null;
  };
  expect(await codeOf('2026-01-31T23:59:59Z')).toBe('MONTH_NOT_KEPT');
  expect(await codeOf('2026-02-01T00:00:00Z')).toBe('CLOSED');
  expect(await codeOf('2025-12-31T23:59:59Z')).toBeNull();
});

describe('prices and terms', () => {
  const pricesOf = async (id: string, by: Pick<TestServer, 'query'>, args = '') => {
    const list = await ask<
      { licence: { code: string }; unitPrice: { amount: number }; inherited: boolean }[]
    >(id, `prices${args} { licence { code } kind unitPrice { amount } inherited }`, by);
    return list.map(({ licence, unitPrice, inherited }) => [licence.code, unitPrice.amount, inherited]);
  };

  test('are those of the nearest above, which the customer sees, and nothing else of them', async () => {
    const clock = { testClockAt: '2090-01-01T00:00:00Z' };
    const partner = await createOrganisation(server, { name: 'Partner', ...clock });
    const customer = await createOrganisation(server, { name: 'Customer', parentId: partner, ...clock });
    const stranger = await createOrganisation(server, { name: 'Stranger', ...clock });
    const seller = as('PARTNER', partner);
    const buyer = as('ADMINISTRATOR', customer);
    const base = { licence: 'VIEW', kind: 'BASE', currency: 'CHF' };
    const set = async (by: Pick<TestServer, 'query'>, input: object) =>
      (
        await by.query(
          'mutation ($input: SetPriceInput!) { setPrice(input: $input) { __typename ... on UserError { code } } }',
          {
            input: { ...base, ...input },
          },
        )
      ).data.setPrice;
    for (const organisationId of [partner, stranger]) {
      await change('setBillingTerms', { organisationId, currency: 'CHF' });
    }
    expect(await pricesOf(customer, buyer)).toEqual([]);
    await set(server, { amount: 900 });
    // In another currency: it does not hold for them.
    await set(server, { amount: 1, currency: 'SEK' });
    expect(await pricesOf(customer, buyer)).toEqual([['VIEW', 900, true]]);
    await set(server, { organisationId: partner, amount: 800 });
    expect(await pricesOf(customer, buyer)).toEqual([['VIEW', 800, true]]);
    await set(seller, { organisationId: customer, amount: 700, from: '2090-02-01T00:00:00Z' });
    expect(await pricesOf(customer, buyer)).toEqual([['VIEW', 800, true]]);
    expect(await pricesOf(customer, buyer, '(at: "2090-02-01T00:00:00Z")')).toEqual([['VIEW', 700, false]]);
    expect(await pricesOf(stranger, server)).toEqual([['VIEW', 900, true]]);
    expect(await ask(customer, 'billingTerms { currency partialMonths }', buyer)).toEqual({
      ...{ currency: 'CHF', partialMonths: 'FULL_MONTH' },
    });

    expect(await set(seller, { organisationId: partner, amount: 0 })).toMatchObject({ code: 'FORBIDDEN' });
    expect(await set(seller, { amount: 0 })).toMatchObject({ code: 'FORBIDDEN' });
    const contract = (organisationId: string) =>
      seller
        .query(
          `mutation ($input: SetContractOptionsInput!) {
             setContractOptions(input: $input) { __typename ... on UserError { code } } }`,
          { input: { organisationId, minimumPeakMinutes: 10_000 } },
        )
        .then(({ data }) => data.setContractOptions.code ?? data.setContractOptions.__typename);
    expect(await contract(customer)).toBe('SetContractOptionsPayload');
    expect(await contract(partner)).toBe('FORBIDDEN');
    // What it buys it says itself.
    const { data: bought } = await seller.query(
      'mutation ($input: RecordPurchaseInput!) { recordPurchase(input: $input) { __typename } }',
      { input: { organisationId: partner, licence: 'VIEW', base: 1 } },
    );
    expect(bought.recordPurchase.__typename).toBe('RecordPurchasePayload');
    expect(await set(seller, { organisationId: stranger, amount: 0 })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await set(server, { amount: 1, from: '2020-01-01T00:00:00Z' })).toMatchObject({
      code: 'INVALID_INPUT',
    });
    const { data } = await server.query(
      '{ priceBook(first: 2) { totalCount edges { node { currency unitPrice { decimal } licence { code } } } } }',
    );
    expect(data.priceBook).toEqual({
      totalCount: 2,
      edges: [
        ['SEK', '0.01'],
        ['CHF', '9.00'],
      ].map(([currency, decimal]) => ({
        node: { currency, unitPrice: { decimal }, licence: { code: 'VIEW' } },
      })),
    });
  });
});

test('what is set above while its own month runs still changes no month that is over below', async () => {
  const clock = { testClockAt: '2026-01-10T00:00:00Z' };
  const partner = await createOrganisation(server, { ...clock, timeZone: 'America/New_York' });
  const customer = await createOrganisation(server, { ...clock, timeZone: 'Asia/Tokyo', parentId: partner });
  const unbilled = await createOrganisation(server, { ...clock, timeZone: 'Asia/Tokyo', parentId: partner });
  const currencyOf = async (id: string, args = '') =>
    (await ask<Statement>(id, `billingStatement${args} { ${fields} }`)).total.currency;
  const evening = '2026-01-31T20:00:00Z';
  await advance(server, unbilled, evening);
  await change('setBillingTerms', { organisationId: partner, currency: 'USD' });
  for (const id of [partner, customer]) await advance(server, id, evening);
  // January is over in Tokyo, and its statement is not written yet.
  await change('setBillingTerms', { organisationId: partner, currency: 'CHF' });
  const january = '(period: "2026-01-20T00:00:00Z")';
  expect(await currencyOf(customer, january)).toBe('USD');
  expect(await currencyOf(unbilled, january)).toBe('EUR');
  expect([await currencyOf(customer), await currencyOf(partner)]).toEqual(['CHF', 'CHF']);
});

test('a statement that cannot be written is tried again, and logged once for each reason', async () => {
  const id = await createOrganisation(server, { testClockAt: '2026-01-10T00:00:00Z' });
  const { pool } = server;
  await pool.query(`
    create sequence tries;
    grant usage on sequence tries to public;
    create function refuse_statement() returns trigger language plpgsql as $$ begin
      if nextval('tries') < 3 then raise exception 'no room'; end if;
      raise exception 'no paper'; end $$;
    create trigger refuse before insert on statement for each row
      when (new.organisation_id = '${uuidOf(id)}') execute function refuse_statement()`);
  await advance(server, id, '2026-02-10T00:00:00Z');
  const tries = async () => Number((await pool.query('select last_value from tries')).rows[0].last_value);
  await expect.poll(tries, { timeout: 15_000, interval: 100 }).toBeGreaterThan(4);
  const reasons = server.logged
    .filter(({ message }) => message.startsWith('could not write a statement'))
    .map(({ facts }) => (facts as { err: Error }).err.message);
  expect(reasons).toEqual(['closeStatements: no room', 'closeStatements: no paper']);

  await pool.query('drop trigger refuse on statement; drop function refuse_statement; drop sequence tries');
  const { number } = await ask<Statement>(
    id,
    `billingStatement(period: "2026-01-20T00:00:00Z") { ${fields} }`,
  );
  expect(number).toBe(1);
});
