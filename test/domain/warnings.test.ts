import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type AlertKind,
  decideThresholds,
  describeAlert,
  type Thresholds,
  usualThresholds,
  watch,
} from '../../src/alert/domain.ts';
import { capIn, decideCap, decideMonth, withCap } from '../../src/contingency-cap/domain.ts';
import { plusSeconds } from '../../src/kernel/clock.ts';
import { settle } from '../../src/ledger/domain.ts';
import { changePool, closeStep, openTally, type Pool, type PoolStep } from '../../src/usage/domain.ts';
import { at, books, code, decide, holder, licence, logon, organisation, pool, pools } from './given.ts';

const now = at('2026-03-02T09:00:00.000Z');
const march = 2026 * 12 + 2;
const nothingDue = { sessions: [], holders: new Map(), purchases: [], baseLicences: [] };

/** What the answers were: a seat, or why not; and which of them raised the peak. */
function logons(seats: Partial<Pool>, count: number) {
  const users = Array.from({ length: count }, () => holder(['SUPERVISOR']));
  const done = decide(
    books(pools(pool('SUPERVISOR', seats)), ...users),
    now,
    ...users.map((user) => logon(user, 'SUPERVISOR')),
  );
  const told = done.answers.map((answer) =>
    answer === null ? null : 'code' in answer ? answer.code : answer.admittedAs,
  );
  return { ...done, told };
}

test('W1: at the cap a logon that would be billed is refused, and recorded', () => {
  const done = logons({ concurrentTotal: 1, contingencyTotal: 3, contingencyCap: 1 }, 3);
  expect(done.told).toEqual(['CONCURRENT', 'CONTINGENCY', 'CONTINGENCY_CAPPED']);
  expect(done.answers[2]).toMatchObject({ licence: 'SUPERVISOR', cap: 1 });
  expect(done.denials.map((denial) => denial.code)).toEqual(['CONTINGENCY_CAPPED']);
  expect(done.pools.get(code('SUPERVISOR'))).toMatchObject({ inUse: 2, maxUsed: 1 });
});

test('W1, C3: a seat that is paid for this month is refused to nobody, however low the cap', () => {
  const paid = { maxUsed: 2, maxUsedAt: now };
  const seats = { concurrentTotal: 1, contingencyTotal: 3, contingencyCap: 0, ...paid };
  const { told, answers } = logons(seats, 4);
  expect(told).toEqual(['CONCURRENT', 'CONTINGENCY', 'CONTINGENCY', 'CONTINGENCY_CAPPED']);
  // The cap that holds is told, not the one that was set.
  expect(answers[3]).toMatchObject({ cap: 2, message: expect.stringContaining('no more than 2 of them') });
});

test('W1: where every seat is in use the cap is not the reason; a cap above the total is none', () => {
  const seats = { concurrentTotal: 1, contingencyTotal: 1 };
  expect(logons({ ...seats, contingencyCap: 1 }, 3).told[2]).toBe('NO_SEAT_AVAILABLE');
  expect(logons({ ...seats, contingencyCap: 9 }, 3).told[2]).toBe('NO_SEAT_AVAILABLE');
});

test('W1, L4: a capped feature is unavailable by itself, and a capped channel denies the logon', () => {
  const seats = pools(
    pool('INBOUND_AGENT', { concurrentTotal: 1 }),
    pool('SUPERVISOR', { concurrentTotal: 1 }),
    pool('AGENT_CALLS', { contingencyTotal: 1, contingencyCap: 0 }),
  );
  const user = holder(['INBOUND_AGENT', 'SUPERVISOR', 'AGENT_CALLS']);
  const done = decide(books(seats, user), now, logon(user), logon(user, 'SUPERVISOR', { device: 'tablet' }));
  expect(done.answers).toMatchObject([
    { code: 'NO_CHANNEL_AVAILABLE', features: [{ unavailableReason: 'CONTINGENCY_CAPPED' }] },
    { features: [{ licence: 'AGENT_CALLS', unavailableReason: 'CONTINGENCY_CAPPED' }] },
  ]);
  expect(done.denials.map((denial) => denial.code)).toEqual([
    'CONTINGENCY_CAPPED',
    'NO_CHANNEL_AVAILABLE',
    'CONTINGENCY_CAPPED',
  ]);
});

test('W1: a named month’s cap holds instead of every month’s, and those that are over are forgotten', () => {
  const every = withCap(null, { month: null, cap: 3 }, march);
  const named = withCap(every, { month: march + 1, cap: 0 }, march);
  expect([march, march + 1, march + 2].map((month) => capIn(named, month))).toEqual([3, 0, 3]);
  expect(withCap(named, { month: march + 1, cap: null }, march)).toEqual(every);
  expect(withCap(named, { month: null, cap: null }, march + 2)).toBeNull();
  expect(decideMonth('2028-02', march)).toEqual({ month: march + 23 });
  for (const text of ['2026-02', '2028-03', '2026-13', 'March'])
    expect(decideMonth(text, march)).toMatchObject({ code: 'INVALID_INPUT', field: 'period' });
  expect(decideCap(licence('SUPERVISOR'), 4, 4)).toBeNull();
  expect(decideCap(licence('SUPERVISOR'), 5, 4)).toMatchObject({ field: 'cap' });
  expect(decideCap(licence('UC_USER'), 0, 0)).toMatchObject({ field: 'licence' });
});

test('W1, C2: with a new month its cap comes into force, and counts in full', () => {
  const caps = { everyMonth: 2, months: { [march + 1]: 1 } };
  const used = { concurrentTotal: 0, contingencyTotal: 9, inUse: 1, maxUsed: 4, maxUsedAt: now };
  const start = pools(pool('SUPERVISOR', { ...used, contingencyCap: 2, caps }));
  const after = (until: string) =>
    settle(organisation('2026-03-02'), start, nothingDue, at(until)).pools.get(code('SUPERVISOR'));
  expect(after('2026-03-31')).toMatchObject({ contingencyCap: 2, maxUsed: 4, caps });
  expect(after('2026-04-01')).toMatchObject({ contingencyCap: 1, maxUsed: 1, caps });
  // A month that is over is no longer among the caps that are set.
  const left = { everyMonth: 2, months: {} };
  expect(after('2026-05-01')).toMatchObject({ contingencyCap: 2, maxUsed: 1, caps: left });
});

test('W2: only a logon that opens a newly billed seat, of its licence or of a feature, raises the peak', () => {
  const done = logons({ concurrentTotal: 1, contingencyTotal: 3, maxUsed: 1, maxUsedAt: now }, 5);
  expect(done.raisesPeak).toEqual([false, false, true, true, false]);
  const seats = pools(
    pool('SUPERVISOR', { concurrentTotal: 2 }),
    pool('RECORDING', { concurrentTotal: 0, contingencyTotal: 1 }),
  );
  const user = holder(['SUPERVISOR', 'RECORDING']);
  const twice = [logon(user, 'SUPERVISOR'), logon(user, 'SUPERVISOR', { device: 'tablet' })];
  expect(decide(books(seats, user), now, ...twice).raisesPeak).toEqual([true, false]);
});

/** The steps by which a pool comes to be in use so much, one after the other. */
function stepsOf(given: Pool, uses: readonly number[]): readonly PoolStep[] {
  const tally = openTally(pools(given));
  for (const [index, inUse] of uses.entries()) {
    changePool(tally, given.licence, { inUse });
    closeStep(tally, plusSeconds(now, index));
  }
  return tally.steps;
}

const percents: Thresholds = { ...usualThresholds, firstContingencySeat: false, newPeak: false };

test('W3: an alert about a percentage is raised once, and again only after use was 5 points below it', () => {
  const seats = pool('SUPERVISOR', { concurrentTotal: 100, thresholds: percents });
  const { alerts, raised } = watch(stepsOf(seats, [89, 90, 95, 90, 89, 85, 90, 84, 89, 90]), []);
  expect(
    alerts.map(({ kind, at: when, used, total, percent }) => [kind, when, used, total, percent]),
  ).toEqual([
    ['CONCURRENT_NEARLY_FULL', plusSeconds(now, 1), 90, 100, 90],
    ['CONCURRENT_NEARLY_FULL', plusSeconds(now, 9), 90, 100, 90],
  ]);
  expect(raised).toEqual(['CONCURRENT_NEARLY_FULL']);
});

test('W3: the first contingency seat, each new peak and the end of the reserve are told, with what is to be done', () => {
  const seats = pool('SUPERVISOR', { concurrentTotal: 10, contingencyTotal: 9, contingencyCap: 3 });
  const { alerts } = watch(stepsOf(seats, [8, 11, 10, 11, 13]), []);
  const told = alerts.map(({ kind, used, total, previous }) => [kind, used, total, previous]);
  expect(told).toEqual([
    ['CONTINGENCY_FIRST_SEAT', 1, 9, null],
    ['CONCURRENT_NEARLY_FULL', 10, 10, null],
    ['CONTINGENCY_NEW_PEAK', 3, 9, 1],
    // Of the seats that the cap leaves.
    ['CONTINGENCY_NEARLY_FULL', 3, 3, null],
  ]);
  for (const alert of alerts)
    expect(describeAlert(alert, 'Supervisor')).toMatch(/Supervisor.*[;,] (a|buy|have|keep)/);
});

test('W3: base licences that are nearly gone are told, and what nobody bought or wants to hear of is not', () => {
  const base = pool('UC_USER', { baseTotal: 20, assigned: 18, locked: 1 });
  const step = (given: Pool) =>
    watch([{ at: now, before: given, after: given, opensPeriod: false }], []).alerts;
  expect(step(base)).toMatchObject([{ kind: 'BASE_NEARLY_GONE', used: 19, total: 20, percent: 95 }]);
  expect(step({ ...base, thresholds: { ...usualThresholds, basePercent: 0 } })).toEqual([]);
  expect(step({ ...base, assigned: 17 })).toEqual([]);
  expect(step(pool('UC_USER', { inUse: 3 }))).toEqual([]);
});

test('W3, T3: months that pass in one transaction each tell of their first contingency seat', () => {
  const used = { contingencyTotal: 9, inUse: 2, maxUsed: 5, maxUsedAt: now };
  const quiet = { ...usualThresholds, contingencyPercent: 0 };
  const start = pools(
    pool('SUPERVISOR', { ...used, thresholds: quiet }),
    pool('RECORDING', { concurrentTotal: 1 }),
  );
  const { steps } = settle(organisation('2026-03-02'), start, nothingDue, at('2026-06-15'));
  const { alerts } = watch(
    steps.filter(({ after }) => after.licence === 'SUPERVISOR'),
    [],
  );
  expect(alerts.map(({ kind, at: when, used: seats, previous }) => [kind, when, seats, previous])).toEqual(
    ['2026-04-01', '2026-05-01', '2026-06-01'].map((day) => ['CONTINGENCY_FIRST_SEAT', at(day), 2, null]),
  );
});

test('W3: in however many transactions the steps are made, the same alerts are raised, each once a crossing', () => {
  const uses = fc.array(fc.nat(12), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(uses, fc.nat(39), fc.integer({ min: 10, max: 100 }), (list, cut, concurrentPercent) => {
      const thresholds = { ...usualThresholds, concurrentPercent };
      const steps = stepsOf(
        pool('SUPERVISOR', { concurrentTotal: 10, contingencyTotal: 2, thresholds }),
        list,
      );
      const whole = watch(steps, []);
      const first = watch(steps.slice(0, cut), []);
      const second = watch(steps.slice(cut), first.raised);
      const shown = (alerts: typeof whole.alerts) => alerts.map(({ id: _, ...alert }) => alert);
      expect(shown([...first.alerts, ...second.alerts])).toEqual(shown(whole.alerts));
      expect(second.raised).toEqual(whole.raised);

      // Reckoned naively: what is at or above the threshold and was, since the last alert, 5 points below it.
      let isArmed = true;
      const naive: Date[] = [];
      for (const [index, inUse] of list.entries()) {
        const percent = Math.min(inUse, 10) * 10;
        if (percent < concurrentPercent - 5) isArmed = true;
        if (isArmed && percent >= concurrentPercent) {
          naive.push(plusSeconds(now, index));
          isArmed = false;
        }
      }
      const isOf = (kind: AlertKind) => whole.alerts.filter((alert) => alert.kind === kind);
      expect(isOf('CONCURRENT_NEARLY_FULL').map((alert) => alert.at)).toEqual(naive);
      const billed = Math.max(0, Math.min(2, Math.max(...list) - 10));
      expect([...isOf('CONTINGENCY_FIRST_SEAT'), ...isOf('CONTINGENCY_NEW_PEAK')].at(-1)?.used ?? 0).toBe(
        billed,
      );
    }),
    { numRuns: 300 },
  );
});

test('W3: a threshold is 10 to 100 percent or none, and what is not named stays', () => {
  const unsaid = {
    ...{ concurrentPercent: null, contingencyPercent: null, basePercent: null },
    ...{ firstContingencySeat: null, newPeak: null },
  };
  expect(decideThresholds(usualThresholds, { ...unsaid, basePercent: 0, newPeak: false })).toEqual({
    ...usualThresholds,
    ...{ basePercent: 0, newPeak: false },
  });
  for (const percent of [-1, 9, 101])
    expect(decideThresholds(usualThresholds, { ...unsaid, contingencyPercent: percent })).toMatchObject({
      ...{ code: 'INVALID_INPUT', field: 'contingencyPercent' },
    });
});
