import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Allotment, availableTo, decideAllotment } from '../../src/allotment/domain.ts';
import { type DepartmentId, newId } from '../../src/kernel/ids.ts';
import { plusSeconds } from '../../src/kernel/clock.ts';
import { type Books, holdsOf } from '../../src/session/domain.ts';
import { contingencyUsed, freeSeat } from '../../src/usage/domain.ts';
import { at, books, code, decide, holder, logon, pool, pools } from './given.ts';

const [sales, service] = [newId<'Department'>(), newId<'Department'>()];

function allotment(departmentId: DepartmentId, figures: Partial<Allotment>): Allotment {
  return { departmentId, reserved: 0, maximum: null, inUse: 0, ...figures };
}

test('D2: what others have reserved and not taken is not available', () => {
  const seats = pool('SUPERVISOR', {
    concurrentTotal: 4,
    contingencyTotal: 1,
    inUse: 1,
    allotments: [allotment(sales, { reserved: 3, inUse: 1 }), allotment(service, { maximum: 2 })],
  });
  expect(availableTo(seats, sales)).toBe(4);
  expect(availableTo(seats, service)).toBe(2);
  expect(availableTo(seats, null)).toBe(2);
});

test('D2: where fewer seats are left than are reserved, only those who have not taken theirs take what there is', () => {
  const seats = pool('SUPERVISOR', {
    concurrentTotal: 2,
    inUse: 1,
    allotments: [allotment(sales, { reserved: 3, inUse: 1 }), allotment(service, { reserved: 2 })],
  });
  expect([sales, service, null].map((department) => availableTo(seats, department))).toEqual([1, 1, 0]);
});

test('D1: no more can be reserved than there are seats, and a maximum is no less than what is reserved', () => {
  const seats = pool('SUPERVISOR', {
    concurrentTotal: 4,
    contingencyTotal: 1,
    allotments: [allotment(sales, { reserved: 3 })],
  });
  const decided = (reserved: number, maximum: number | null = null, departmentId = service) =>
    decideAllotment(seats, { departmentId, reserved, maximum })?.field ?? null;
  expect(decided(2)).toBeNull();
  expect(decided(3)).toBe('reserved');
  expect(decided(5, null, sales)).toBeNull();
  expect(decided(-1)).toBe('reserved');
  expect(decided(2, 1)).toBe('maximum');
  expect(decided(0, 0)).toBeNull();
});

test('D1: where more is reserved than there is, a reservation can be lowered step by step, and not raised', () => {
  const seats = pool('SUPERVISOR', {
    concurrentTotal: 2,
    allotments: [allotment(sales, { reserved: 6 }), allotment(service, { reserved: 3 })],
  });
  const decided = (reserved: number) =>
    decideAllotment(seats, { departmentId: sales, reserved, maximum: null })?.field ?? null;
  expect([7, 6, 5, 0].map(decided)).toEqual(['reserved', null, null, null]);
});

const departments = [sales, service, null];
const users = Array.from({ length: 9 }, (_, index) => ({
  ...holder(['SUPERVISOR']),
  departmentId: departments[index % 3] ?? null,
}));

const part = fc.record({ reserved: fc.nat(3), extra: fc.option(fc.nat(3)) });
const step = fc.record({ user: fc.nat(8), kind: fc.constantFrom('ON' as const, 'OFF' as const) });

test('D2, W1: never above a maximum; what is reserved is there, also under a cap; nothing is refused that a free seat does not explain', () => {
  fc.assert(
    fc.property(
      fc.nat(6),
      fc.nat(3),
      fc.option(fc.nat(3)),
      part,
      part,
      fc.array(step, { maxLength: 40 }),
      (most, reserve, cap, one, two, steps) => {
        const total = most + Math.min(reserve, cap ?? reserve);
        const reserved = [
          Math.min(one.reserved, total),
          Math.min(two.reserved, total - Math.min(one.reserved, total)),
        ];
        const parts = [one, two].map(({ extra }, index) =>
          allotment(departments[index] as DepartmentId, {
            reserved: reserved[index] ?? 0,
            maximum: extra === null ? null : (reserved[index] ?? 0) + extra,
          }),
        );
        let state: Books = books(
          pools(
            pool('SUPERVISOR', {
              ...{ concurrentTotal: most, contingencyTotal: reserve, contingencyCap: cap, allotments: parts },
            }),
          ),
          ...users,
        );
        const supervisors = () => state.pools.get(code('SUPERVISOR')) ?? pool('SUPERVISOR');
        for (const [index, { user, kind }] of steps.entries()) {
          const who = users[user] ?? holder([]);
          const before = supervisors();
          const held = state.holders.get(who.userId);
          const session = held?.sessions.find(({ endedAt }) => endedAt === null);
          const now = plusSeconds(at('2026-01-01'), index);
          if (kind === 'OFF') {
            if (session !== undefined) {
              state = decide(state, now, {
                kind: 'LOGOFF',
                userId: who.userId,
                sessionId: session.id,
                features: [],
              });
            }
          } else {
            const available = availableTo(before, who.departmentId);
            const done = decide(state, now, logon(who, 'SUPERVISOR'));
            const [answer] = done.answers;
            const refusal = answer !== null && answer !== undefined && 'code' in answer ? answer.code : null;
            if (session !== undefined) expect(refusal).toBeNull();
            else if (freeSeat(before) === null) {
              expect(refusal).toBe(
                before.inUse < most + reserve ? 'CONTINGENCY_CAPPED' : 'NO_SEAT_AVAILABLE',
              );
            } else expect(refusal).toBe(available === 0 ? 'ALLOTMENT_FULL' : null);
            state = done;
          }
          const after = supervisors();
          for (const { departmentId, maximum, inUse, reserved: kept } of after.allotments) {
            const members = [...state.holders.values()].filter(
              (member) => member.departmentId === departmentId && holdsOf(member).size > 0,
            );
            expect(inUse).toBe(members.length);
            expect(inUse).toBeLessThanOrEqual(maximum ?? inUse);
            expect(availableTo(after, departmentId)).toBeGreaterThanOrEqual(kept - inUse);
          }
          const untaken = after.allotments.map((each) => Math.max(0, each.reserved - each.inUse));
          expect(untaken.reduce((sum, seats) => sum + seats, 0)).toBeLessThanOrEqual(total - after.inUse);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('D2, W1: with caps, reservations and maxima, what is told as available is exactly how many logons are granted', () => {
  const givenPart = fc.record({ reserved: fc.nat(4), extra: fc.option(fc.nat(3)), inUse: fc.nat(4) });
  const givenSeats = fc.record({
    concurrentTotal: fc.nat(6),
    contingencyTotal: fc.nat(6),
    contingencyCap: fc.option(fc.nat(7)),
    paid: fc.nat(3),
    withoutDepartment: fc.nat(3),
    parts: fc.tuple(givenPart, givenPart),
  });
  fc.assert(
    fc.property(
      givenSeats,
      fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
      ({ paid, withoutDepartment, parts, ...totals }, order) => {
        const allotments = parts.map(({ reserved, extra, inUse }, index) =>
          allotment(departments[index] as DepartmentId, {
            ...{ reserved, inUse, maximum: extra === null ? null : reserved + extra },
          }),
        );
        const inUse = allotments.reduce((sum, each) => sum + each.inUse, withoutDepartment);
        const maxUsed = Math.min(totals.contingencyTotal, contingencyUsed({ ...totals, inUse }) + paid);
        const maxUsedAt = maxUsed === 0 ? null : at('2026-01-01');
        let seats = pool('SUPERVISOR', { ...totals, inUse, maxUsed, maxUsedAt, allotments });
        const kept = allotments.map((each) => Math.max(0, each.reserved - each.inUse));
        const isKept =
          kept.reduce((sum, each) => sum + each, 0) <= availableTo({ ...seats, allotments: [] }, null);

        for (const which of order) {
          const departmentId = departments[which] ?? null;
          const available = availableTo(seats, departmentId);
          const crowd = Array.from({ length: 16 }, () => ({ ...holder(['SUPERVISOR']), departmentId }));
          const done = decide(
            books(pools(seats), ...crowd),
            at('2026-01-02'),
            ...crowd.map((each) => logon(each, 'SUPERVISOR')),
          );
          const granted = done.answers.filter((answer) => answer !== null && 'startedAt' in answer).length;
          expect(granted).toBe(available);
          // Whoever came first, what was reserved is there.
          if (isKept) expect(granted).toBeGreaterThanOrEqual(kept[which] ?? 0);
          seats = done.pools.get(code('SUPERVISOR')) ?? seats;
        }
      },
    ),
    { numRuns: 500 },
  );
});
