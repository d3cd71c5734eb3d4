import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { operator } from '../../src/kernel/actor.ts';
import { type LicenceCode, newId } from '../../src/kernel/ids.ts';
import { type Currency, decimalOf, feeOf, maxAmount, readCurrency, sumOf } from '../../src/kernel/money.ts';
import { isRefusal } from '../../src/kernel/refusal.ts';
import { settle } from '../../src/ledger/domain.ts';
import { billingPeriodAt } from '../../src/organisation/domain.ts';
import type { PeakEvidence } from '../../src/peak/domain.ts';
import {
  decidePrice,
  decideSeller,
  defaultTerms,
  type Price,
  type PriceKind,
  type ReachingEntry,
  resolvePrices,
} from '../../src/price/domain.ts';
import type { Purchase } from '../../src/purchase/domain.ts';
import {
  billPeak,
  type BilledPeak,
  daysOf,
  type Facts,
  reckonCorrection,
  reckonStatement,
  type Statement,
  type StatementLine,
} from '../../src/statement/domain.ts';
import { at, catalogue, code, licence, organisation, pool, pools } from './given.ts';

const eur = 'EUR' as Currency;
const euros = (amount: number) => ({ amount, currency: eur });

function purchase(from: string | Date, until: string | Date | null, quantities: Partial<Purchase>): Purchase {
  const read = (text: string | Date) => (typeof text === 'string' ? at(text) : text);
  return {
    ...{ id: newId<'Purchase'>(), licence: code('SUPERVISOR'), base: 0, concurrent: 0, contingency: 0 },
    ...quantities,
    from: read(from),
    until: until === null ? null : read(until),
    ...{ reference: null, recordedAt: at('2020-01-01') },
  };
}

function price(kind: PriceKind, amount: number, name: string | null = 'SUPERVISOR'): Price {
  const licenceCode = name === null ? null : code(name);
  return {
    ...{ licence: licenceCode, kind, unitPrice: euros(amount) },
    ...{ from: at('2026-01-01'), inherited: false },
  };
}

const none = { minimumPeakMinutes: 0 };

function facts(given: Partial<Facts> = {}, day = '2026-01-15', timeZone = 'UTC'): Facts {
  const period = billingPeriodAt(at(day), timeZone);
  return { period, timeZone, activeInBillingPeriod: 0, options: none, peaks: [], purchases: [], ...given };
}

const byDay = { ...defaultTerms, partialMonths: 'BY_DAY' } as const;

describe('money', () => {
  test.each([
    ['EUR', -1250, '-12.50'],
    ['JPY', 7, '7'],
    ['KWD', 12_345, '12.345'],
  ])('%s %i is %s', (currency, amount, text) => {
    expect(decimalOf({ amount, currency: currency as Currency })).toBe(text);
  });

  test('a currency is an ISO 4217 code with decimal minor units', () => {
    expect(['EUR', 'eur', 'ZZZ', 'MGA', 'constructor'].map(readCurrency)).toEqual([
      'EUR',
      null,
      null,
      null,
      null,
    ]);
  });

  test('a part of a fee is rounded once, half to even, and one that is no bill is none', () => {
    // 0.5, 1.5, 2.5 and 3.5 minor units.
    expect([1, 3, 5, 7].map((parts) => feeOf(euros(1), parts, 2)?.amount)).toEqual([0, 2, 2, 4]);
    expect(feeOf(euros(1000), 10, 31)?.amount).toBe(323);
    expect(feeOf(euros(2 ** 26), 2 ** 20)?.amount).toBe(maxAmount);
    expect(feeOf(euros(2 ** 26), 2 ** 20 + 1)).toBeNull();
  });

  test('amounts of two currencies are not summed', () => {
    expect(sumOf(eur, [euros(1), euros(-3)])).toEqual(euros(-2));
    expect(() => sumOf(eur, [{ amount: 1, currency: 'USD' as Currency }])).toThrow(/same currency/);
  });
});

describe('prices', () => {
  const entry = (height: number, from: string, amount: number | null, kind: PriceKind = 'BASE') => ({
    ...{ height, kind, amount, licence: code('SUPERVISOR'), from: at(from) },
  });
  const january = at('2026-01-01');
  const resolved = (...entries: ReachingEntry[]) =>
    Object.fromEntries(
      resolvePrices(entries, eur, january).map(({ kind, unitPrice }) => [kind, unitPrice.amount]),
    );

  test('the nearest that holds counts, however new those above are; one that is withdrawn holds no more', () => {
    expect(
      resolved(entry(9, '2025-12-01', 30), entry(1, '2025-11-01', 20), entry(0, '2025-10-01', 10)),
    ).toEqual({
      BASE: 10,
    });
    expect(
      resolved(entry(9, '2025-12-01', 30), entry(1, '2025-11-01', 20), entry(0, '2025-10-01', null)),
    ).toEqual({
      BASE: 20,
    });
  });

  test('what comes to hold in the month counts only where nothing held at its first instant', () => {
    expect(resolved(entry(9, '2026-01-01', 30), entry(0, '2026-01-02', 10))).toEqual({ BASE: 30 });
    expect(
      resolved(
        entry(9, '2026-01-03', 30),
        entry(0, '2026-01-04', 10),
        entry(1, '2026-01-03', 20),
        // Of two of one organisation for one instant the last that was written.
        entry(1, '2026-01-03', 21),
      ),
    ).toEqual({ BASE: 21 });
  });

  test('one that is withdrawn before it comes to hold never holds', () => {
    expect(resolved(entry(0, '2026-01-03', 10), entry(0, '2026-01-03', null))).toEqual({});
    expect(
      resolved(entry(9, '2026-01-04', 30), entry(0, '2026-01-03', 10), entry(0, '2026-01-03', null)),
    ).toEqual({ BASE: 30 });
    // And the other way round.
    expect(resolved(entry(0, '2026-01-03', null), entry(0, '2026-01-03', 10))).toEqual({ BASE: 10 });
  });

  test('a contingency seat without a price costs what a concurrent one does', () => {
    expect(resolved(entry(0, '2026-01-01', 10, 'CONCURRENT'))).toEqual({ CONCURRENT: 10, CONTINGENCY: 10 });
    expect(
      resolved(entry(0, '2026-01-01', 10, 'CONCURRENT'), entry(9, '2026-01-01', 15, 'CONTINGENCY')),
    ).toEqual({ CONCURRENT: 10, CONTINGENCY: 15 });
  });

  test('what a contingency seat costs at the month’s first instant is not changed by a price of its own later in it', () => {
    const later = entry(0, '2026-01-20', 15, 'CONTINGENCY');
    expect(resolved(entry(9, '2026-01-01', 10, 'CONCURRENT'), later)).toEqual({
      CONCURRENT: 10,
      CONTINGENCY: 10,
    });
    expect(resolved(entry(9, '2026-01-20', 10, 'CONCURRENT'), later)).toEqual({
      CONCURRENT: 10,
      CONTINGENCY: 15,
    });
  });

  test('of a licence only what it is sold as has a price, never from the past on', () => {
    const fieldAt = (kind: PriceKind, name: string | null, amount = 1, from = january) =>
      decidePrice({ kind, amount, from }, name === null ? null : licence(name), january)?.field;
    expect(fieldAt('BASE', 'SUPERVISOR')).toBeUndefined();
    expect(fieldAt('BASE', 'PADLOCK')).toBeUndefined();
    expect(fieldAt('ACTIVE_USER', null)).toBeUndefined();
    expect(fieldAt('BASE', 'RECORDING')).toBe('kind');
    expect(fieldAt('CONCURRENT', 'UC_USER')).toBe('kind');
    expect(fieldAt('CONTINGENCY', 'PADLOCK')).toBe('kind');
    expect(fieldAt('ACTIVE_USER', 'SUPERVISOR')).toBe('licence');
    expect(fieldAt('BASE', null)).toBe('licence');
    expect(fieldAt('BASE', 'SUPERVISOR', 100_000_001)).toBe('amount');
    expect(fieldAt('BASE', 'SUPERVISOR', 1, at('2025-12-31T23:59:59.999Z'))).toBe('from');
  });

  test('nobody sets what they pay themselves', () => {
    const [own, below] = [newId<'Organisation'>(), newId<'Organisation'>()];
    const partner = { ...operator, role: 'PARTNER', organisationId: own } as const;
    expect(decideSeller(operator, null)).toBeNull();
    expect(decideSeller(partner, below)).toBeNull();
    expect([decideSeller(partner, own)?.code, decideSeller(partner, null)?.code]).toEqual([
      'FORBIDDEN',
      'FORBIDDEN',
    ]);
  });
});

describe('a statement', () => {
  test('FULL_MONTH: the highest quantity in force at any instant, for all of the month', () => {
    const purchases = [
      purchase('2025-01-01', '2026-01-10', { base: 4 }),
      // In force from the very instant at which the other ended: never together.
      purchase('2026-01-10', null, { base: 6, concurrent: 2 }),
      purchase('2026-01-20', '2026-01-21', { base: 1 }),
      // Over before the month, after it, and never.
      purchase('2025-01-01', '2026-01-01', { base: 100 }),
      purchase('2026-02-01', null, { base: 100 }),
      purchase('2026-01-05', '2026-01-05', { base: 100 }),
    ];
    const prices = [price('BASE', 1000), price('CONCURRENT', 500)];
    const { lines, total, complete } = reckonStatement(facts({ purchases }), defaultTerms, prices, catalogue);
    expect(lines.map(({ kind, quantity, seatDays, amount }) => [kind, quantity, seatDays, amount])).toEqual([
      ['BASE', 7, null, 7000],
      ['CONCURRENT', 2, null, 1000],
    ]);
    expect([total, complete]).toEqual([8000, true]);
    expect(lines[0]?.evidence?.purchases.map(({ quantity }) => quantity)).toEqual([4, 6, 1]);
    expect(lines[1]?.evidence?.purchaseCount).toBe(1);
  });

  test('BY_DAY: of each day the highest quantity, for a day’s part of the fee', () => {
    const purchases = [
      purchase('2025-01-01', '2026-01-10T12:00:00.000Z', { base: 4 }),
      // On the 10th both were in force, one after the other: the day costs what the larger does.
      purchase('2026-01-10T12:00:00.000Z', null, { base: 6 }),
    ];
    const { lines } = reckonStatement(facts({ purchases }), byDay, [price('BASE', 1000)], catalogue);
    const seatDays = 9 * 4 + 22 * 6;
    expect(lines[0]).toMatchObject({ quantity: 6, seatDays, amount: Math.round((1000 * seatDays) / 31) });
  });

  test('C4: a full fee for each seat of the peak, and for each user active in the month', () => {
    const peaks = [
      billPeak({ licence: code('SUPERVISOR'), maxUsed: 3, maxUsedAt: at('2026-01-07') }, null, none),
      billPeak({ licence: code('RECORDING'), maxUsed: 0, maxUsedAt: null }, null, none),
    ];
    const given = facts({ peaks, activeInBillingPeriod: 5 });
    const prices = [price('CONTINGENCY', 700), price('ACTIVE_USER', 20, null)];
    const { lines, total } = reckonStatement(given, byDay, prices, catalogue);
    expect(lines.map(({ kind, licence: of, quantity, amount }) => [kind, of, quantity, amount])).toEqual([
      ['CONTINGENCY', 'SUPERVISOR', 3, 2100],
      ['ACTIVE_USER', null, 5, 100],
    ]);
    expect(lines[0]).toMatchObject({ maxUsed: 3, maxUsedAt: at('2026-01-07') });
    expect(total).toBe(2200);
    // Who is not billed by active users has no line of them; what has no price is shown, and is in no total.
    expect(reckonStatement(given, byDay, [], catalogue)).toMatchObject({
      lines: [{ kind: 'CONTINGENCY', unitPrice: null, amount: null }],
      ...{ total: 0, complete: false },
    });
  });

  test('levels that did not last as long as the contract wants are let off, and both figures are shown', () => {
    const kept = { licence: code('SUPERVISOR'), maxUsed: 3, maxUsedAt: at('2026-01-07') };
    const options = { minimumPeakMinutes: 30 };
    const levels = [
      { level: 1, milliseconds: 3_600_000 },
      { level: 2, milliseconds: 1_800_000 },
      { level: 3, milliseconds: 1_799_999 },
    ];
    const explanation = { maxUsed: 3, levels } as unknown as PeakEvidence;
    const lineOf = (peak: BilledPeak) =>
      reckonStatement(facts({ peaks: [peak], options }), byDay, [price('CONTINGENCY', 700)], catalogue)
        .lines[0];
    expect(lineOf(billPeak(kept, explanation, options))).toMatchObject({
      ...{ quantity: 2, maxUsed: 3, amount: 1400 },
      evidence: { peak: { minimumPeakMinutes: 30, explanation } },
    });
    expect(lineOf(billPeak(kept, explanation, none))?.quantity).toBe(3);
    expect(lineOf(billPeak(kept, explanation, { minimumPeakMinutes: 61 }))).toMatchObject({
      ...{ quantity: 0, maxUsed: 3, amount: 0 },
    });
    // What the history does not tell any more lets nobody off.
    const other = { ...explanation, maxUsed: 2 };
    expect(lineOf(billPeak(kept, other, options))).toMatchObject({
      ...{ quantity: 3, evidence: { peak: { explanation: null } } },
    });
  });

  test('its days are the zone’s: with DST, a leap day, and what a change of zone leaves at the edges', () => {
    const days = (day: string, zone: string) => daysOf(billingPeriodAt(at(day), zone), zone);
    expect(days('2028-02-10', 'Europe/London')).toHaveLength(29);
    const march = days('2026-03-10', 'Europe/London');
    const hours = march.map(({ from, until }) => (until.getTime() - from.getTime()) / 3_600_000);
    expect(hours.filter((length) => length !== 24)).toEqual([23]);
    // Samoa left out the 30th of December 2011.
    expect(days('2011-12-10', 'Pacific/Apia')).toHaveLength(30);
    // London's January as Tokyo has it: it begins and ends at nine in the morning.
    expect(daysOf(billingPeriodAt(at('2026-01-10'), 'Europe/London'), 'Asia/Tokyo')).toHaveLength(32);
  });

  const hour = 3_600_000;
  const months = [
    ['2026-03-15', 'Europe/London'],
    ['2026-11-15', 'America/New_York'],
    ['2028-02-15', 'Asia/Tokyo'],
    ['2026-07-15', 'UTC'],
  ] as const;

  test('property: it is what is found by asking every hour of the month how many were in force', () => {
    const bought = fc.record({
      start: fc.integer({ min: -100, max: 800 }),
      length: fc.option(fc.integer({ min: 0, max: 800 })),
      base: fc.integer({ min: 0, max: 5 }),
    });
    fc.assert(
      fc.property(
        fc.constantFrom(...months),
        fc.array(bought, { maxLength: 6 }),
        fc.integer({ min: 0, max: 100_000 }),
        ([day, zone], list, unitPrice) => {
          const given = facts({}, day, zone);
          const { from, until } = given.period;
          const hourAt = (index: number) => new Date(from.getTime() + index * hour);
          const purchases = list.map(({ start, length, base }) =>
            purchase(hourAt(start), length === null ? null : hourAt(start + length), { base }),
          );
          const reckoned = (terms: typeof byDay | typeof defaultTerms) =>
            reckonStatement({ ...given, purchases }, terms, [price('BASE', unitPrice)], catalogue).lines[0];

          const local = new Intl.DateTimeFormat('en', { timeZone: zone, dateStyle: 'short' });
          const highest = new Map<string, number>();
          for (let now = from; now < until; now = new Date(now.getTime() + hour)) {
            const inForce = purchases
              .filter((one) => one.from <= now && (one.until === null || one.until > now))
              .reduce((sum, { base }) => sum + base, 0);
            const date = local.format(now);
            highest.set(date, Math.max(highest.get(date) ?? 0, inForce));
          }
          const quantity = Math.max(...highest.values());
          const seatDays = [...highest.values()].reduce((sum, each) => sum + each, 0);
          expect(reckoned(defaultTerms)?.amount ?? 0).toBe(quantity * unitPrice);
          const line = reckoned(byDay);
          expect([line?.quantity ?? 0, line?.seatDays ?? 0]).toEqual([quantity, seatDays]);
          // Exact to half a minor unit.
          const error = (line?.amount ?? 0) * highest.size - seatDays * unitPrice;
          expect(Math.abs(error) * 2).toBeLessThanOrEqual(highest.size);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('a month that ends', () => {
  test('C2, T3: is kept as it was before all that fell due at that instant', () => {
    const supervisors = pool('SUPERVISOR', {
      ...{ concurrentTotal: 1, contingencyTotal: 5, inUse: 3, purchases: 2 },
      ...{ maxUsed: 4, maxUsedAt: at('2026-01-10') },
    });
    const before = { ...organisation('2026-01-15'), activeUsers: 3, activeInBillingPeriod: 7 };
    const ends = purchase('2025-01-01', '2026-02-01', { contingency: 5 });
    const due = { sessions: [], holders: new Map(), purchases: [ends], baseLicences: [] };
    const { closed } = settle(before, pools(supervisors, pool('RECORDING')), due, at('2026-03-02'));
    const closes = closed.map(({ month, activeInBillingPeriod, pools: kept }) => [
      ...[month - 2026 * 12, activeInBillingPeriod],
      ...kept.map(({ licence: of, contingencyTotal, maxUsed }) => [of, contingencyTotal, maxUsed]),
    ]);
    expect(closes).toEqual([
      [0, 7, ['SUPERVISOR', 5, 4]],
      // Nobody's status changed: those who are ACTIVE were so in February. The reserve was gone from its first instant on.
      [1, 3, ['SUPERVISOR', 0, 0]],
    ]);
  });
});

describe('a correction', () => {
  const statement: Statement = {
    ...{ month: 24_312, from: at('2026-01-01'), until: at('2026-02-01'), correction: 0, number: 1 },
    ...{ name: 'Given', timeZone: 'UTC', days: 31, total: 7000, complete: true, reason: null },
    ...{ issuedAt: at('2026-02-01'), ...byDay },
  };
  const purchases = [purchase('2026-01-01', null, { base: 7 })];
  const { lines: charged } = reckonStatement(facts({ purchases }), byDay, [price('BASE', 1000)], catalogue);
  const wanted = (given: object = {}) => ({
    ...{ licence: code('SUPERVISOR') as LicenceCode | null, kind: 'BASE' as PriceKind, quantity: 5 },
    ...{ seatDays: null, unitPrice: null, ...given },
  });
  const correct = (before: readonly StatementLine[], ...lines: ReturnType<typeof wanted>[]) =>
    reckonCorrection(statement, before, lines);

  test('credits what was charged and charges what should have been; a second one begins where the first ended', () => {
    const first = correct(charged, wanted());
    if (isRefusal(first)) throw new Error(first.message);
    expect(
      first.lines.map(({ entry, quantity, seatDays, amount }) => [entry, quantity, seatDays, amount]),
    ).toEqual([
      ['CREDIT', 7, 217, 7000],
      ['CHARGE', 5, 155, 5000],
    ]);
    expect(first.total).toBe(-2000);
    const second = correct([...charged, ...first.lines], wanted({ unitPrice: 1100 }));
    if (isRefusal(second)) throw new Error(second.message);
    expect(second.total).toBe(500);
    const third = correct([...charged, ...first.lines, ...second.lines], wanted({ quantity: 0 }));
    expect(isRefusal(third) ? third.message : third.total).toBe(-5500);
  });

  test('what was never charged, for it had no price, is not credited: with its price the month is complete', () => {
    const { lines: unpriced } = reckonStatement(facts({ purchases }), byDay, [], catalogue);
    expect(correct(unpriced, wanted({ quantity: 7, unitPrice: 1000 }))).toMatchObject({
      ...{ total: 7000, complete: true },
      lines: [{ entry: 'CHARGE', quantity: 7, amount: 7000 }],
    });
  });

  test.each([
    ['nothing', [], /1 to 100/],
    ['what is not billed, to nothing', [wanted({ kind: 'CONCURRENT', quantity: 0 })], /not billed/],
    ['what is billed so already', [wanted({ quantity: 7 })], /already/],
    ['a line twice', [wanted(), wanted({ quantity: 6 })], /twice/],
    ['less than none', [wanted({ quantity: -1 })], /0 or more/],
    ['more days than there are', [wanted({ seatDays: 156 })], /at most 155/],
    ['seats of no day', [wanted({ seatDays: 0 })], /at least 5/],
    ['fewer days than one of all seats', [wanted({ seatDays: 4 })], /at least 5/],
    [
      'days of what is billed by the month',
      [wanted({ kind: 'CONTINGENCY', seatDays: 1, unitPrice: 1 })],
      /leave/,
    ],
    ['what had no price', [wanted({ kind: 'CONCURRENT' })], /say `unitPrice`/],
    ['what is no bill', [wanted({ quantity: 2 ** 31 - 1, unitPrice: 2 ** 30 })], /more than can be/],
  ])('of %s is refused', (_what, lines, message) => {
    expect(correct(charged, ...lines)).toMatchObject({
      ...{ code: 'INVALID_INPUT', field: 'lines' },
      message: expect.stringMatching(message),
    });
  });
});
