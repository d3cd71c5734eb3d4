import { expect, test } from 'vitest';
import { instant } from '../../src/kernel/clock.ts';
import { togetherIn } from '../../src/tree/domain.ts';

const at = (minutes: number) => instant(`2026-03-01T10:${String(minutes).padStart(2, '0')}:00.000Z`);
const seats = (inUse: number) => ({ inUse, concurrentTotal: 2, contingencyTotal: 2 });
const change = (minutes: number, number: number, inUse: number, due = false) => ({
  ...{ at: at(minutes), number, due },
  ...seats(inUse),
});
const extent = (minimum: number, maximum: number) => ({ minimum, maximum });

test('C2, T3: what was in use together is of one instant, what time took is taken everywhere at once', () => {
  const buckets = [
    { from: at(0), until: at(10) },
    { from: at(10), until: at(20) },
    { from: at(20), until: at(30) },
  ];
  const changes = [
    // One’s three and the other’s two: never both.
    change(1, 0, 3),
    change(5, 0, 0),
    change(5, 1, 2),
    // Time ends both at an edge: what was before it is no more, and no state with one of them was.
    change(10, 0, 1, true),
    change(10, 1, 0, true),
    // A request at an edge: what was just before it counts.
    change(20, 1, 1),
  ];
  expect(togetherIn(buckets, [seats(0), seats(1)], changes)).toEqual([
    { concurrent: extent(1, 3), contingency: extent(0, 1) },
    { concurrent: extent(1, 1), contingency: extent(0, 0) },
    { concurrent: extent(1, 2), contingency: extent(0, 0) },
  ]);
});
