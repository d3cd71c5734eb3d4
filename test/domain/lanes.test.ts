import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createLanes, Overloaded } from '../../src/kernel/lanes.ts';

interface Item {
  readonly key: string;
  readonly index: number;
}

/** Lanes whose batches take a moment, and what they were. */
function lanes(
  options: { maxBatch?: number; maxWaitingOfKey?: number; maxWaiting?: number; held?: Set<string> } = {},
) {
  const givenUp: Item[] = [];
  const batches: Item[][] = [];
  const done: Item[] = [];
  const enqueue = createLanes<string, Item>({
    keyOf: ({ key }) => key,
    lanes: 1,
    maxBatch: 100,
    maxWaitingOfKey: 1000,
    maxWaiting: 1000,
    maxPatient: 8,
    giveUp: (items) => {
      givenUp.push(...items);
    },
    ...options,
    work: async (batch, patient) => {
      batches.push([...batch]);
      await delay(5);
      const left = patient ? [] : batch.filter(({ key }) => options.held?.has(key) === true);
      // Whoever waits patiently waits until it is let go.
      while (patient && batch.some(({ key }) => options.held?.has(key) === true)) await delay(1);
      done.push(...batch.filter((item) => !left.includes(item)));
      return left;
    },
  });
  return { enqueue, batches, done, givenUp };
}

const item = (key: string, index: number): Item => ({ key, index });

test('what arrives together is one batch, and what arrives meanwhile the next', async () => {
  const { enqueue, batches } = lanes();
  for (let index = 0; index < 3; index += 1) enqueue(item('a', index));
  await delay(3);
  for (let index = 3; index < 8; index += 1) enqueue(item(index % 2 === 0 ? 'a' : 'b', index));
  await delay(30);
  expect(batches.map((batch) => batch.length)).toEqual([3, 5]);
});

test('a crowd of one key takes no more than its share of a batch', async () => {
  const { enqueue, batches, done } = lanes({ maxBatch: 10 });
  for (let index = 0; index < 40; index += 1) enqueue(item('crowd', index));
  enqueue(item('guest', 0));
  await expect.poll(() => done.length).toBe(41);
  expect(batches[0]).toContainEqual(item('guest', 0));
  const crowd = done.filter(({ key }) => key === 'crowd').map(({ index }) => index);
  expect(crowd).toEqual(Array.from({ length: 40 }, (_, index) => index));
});

test('a key that is held is set aside, in its order, and the others go on', async () => {
  const held = new Set(['held']);
  const { enqueue, done } = lanes({ held });
  enqueue(item('held', 0));
  enqueue(item('free', 0));
  await delay(8);
  enqueue(item('held', 1));
  enqueue(item('free', 1));
  await expect.poll(() => done).toEqual([item('free', 0), item('free', 1)]);
  held.clear();
  await expect.poll(() => done.length).toBe(4);
  expect(done.slice(2)).toEqual([item('held', 0), item('held', 1)]);
});

test('many held keys wait for one another, and none is forgotten', async () => {
  const keys = Array.from({ length: 20 }, (_, index) => `held-${index}`);
  const held = new Set(keys);
  const { enqueue, done } = lanes({ held });
  for (const key of keys) enqueue(item(key, 0));
  await delay(20);
  for (const key of keys) enqueue(item(key, 1));
  held.clear();
  await expect.poll(() => done.length).toBe(40);
  for (const key of keys) {
    expect(done.filter((each) => each.key === key)).toEqual([item(key, 0), item(key, 1)]);
  }
  // And whoever comes when all is over finds the lane at work again.
  enqueue(item('held-0', 2));
  await expect.poll(() => done.length).toBe(41);
});

test('past a limit of a key, or of all, the next is refused at once', async () => {
  const ofKey = lanes({ maxWaitingOfKey: 2 });
  ofKey.enqueue(item('a', 0));
  ofKey.enqueue(item('a', 1));
  expect(() => ofKey.enqueue(item('a', 2))).toThrow(Overloaded);
  ofKey.enqueue(item('b', 0));

  const ofAll = lanes({ maxWaiting: 2 });
  ofAll.enqueue(item('a', 0));
  ofAll.enqueue(item('b', 0));
  expect(() => ofAll.enqueue(item('c', 0))).toThrow(Overloaded);
  await expect.poll(() => ofAll.done.length).toBe(2);
  ofAll.enqueue(item('c', 0));
  await expect.poll(() => ofAll.done.length).toBe(3);
});

test('keys that are busy without end take turns with the others that wait', async () => {
  const busy = Array.from({ length: 8 }, (_, index) => `busy-${index}`);
  const held = new Set([...busy, 'ninth']);
  const { enqueue, done } = lanes({ maxBatch: 2, held });
  for (const key of [...busy, 'ninth']) enqueue(item(key, 0));
  await delay(20);
  for (const key of busy) for (let index = 1; index < 60; index += 1) enqueue(item(key, index));
  held.clear();
  await expect.poll(() => done.length).toBe(8 * 60 + 1);
  expect(done.findIndex(({ key }) => key === 'ninth')).toBeLessThan(50);
});

test('whose turn does not come, because others are held for long, is given up in time', async () => {
  const stuck = Array.from({ length: 8 }, (_, index) => `stuck-${index}`);
  const held = new Set([...stuck, 'ninth']);
  const { enqueue, givenUp, done } = lanes({ held });
  for (const key of [...stuck, 'ninth']) enqueue(item(key, 0));
  await expect.poll(() => givenUp, { timeout: 4000 }).toEqual([item('ninth', 0)]);
  held.clear();
  enqueue(item('ninth', 1));
  await expect.poll(() => done).toContainEqual(item('ninth', 1));
});

test('keys keep to their lanes, each of which works by itself; items that are spread do not wait for their key', async () => {
  for (const spread of [false, true]) {
    let [underWay, most] = [0, 0];
    const underWayOf = new Map<string, number>();
    let mostOfKey = 0;
    let done = 0;
    const enqueue = createLanes<string, Item>({
      keyOf: ({ key }) => key,
      ...(spread ? { spreadBy: ({ index }: Item) => String(index) } : {}),
      ...{ lanes: 4, maxBatch: 5, maxWaitingOfKey: 1000, maxWaiting: 1000, maxPatient: 0, giveUp: () => {} },
      work: async (batch) => {
        const keys = new Set(batch.map(({ key }) => key));
        underWay += 1;
        most = Math.max(most, underWay);
        for (const key of keys) {
          underWayOf.set(key, (underWayOf.get(key) ?? 0) + 1);
          mostOfKey = Math.max(mostOfKey, underWayOf.get(key) ?? 0);
        }
        await delay(2);
        underWay -= 1;
        for (const key of keys) underWayOf.set(key, (underWayOf.get(key) ?? 0) - 1);
        done += batch.length;
        return [];
      },
    });
    for (let index = 0; index < 200; index += 1) enqueue(item(`key ${index % 16}`, index));
    await expect.poll(() => done).toBe(200);
    expect(most).toBe(4);
    expect(mostOfKey > 1).toBe(spread);
  }
});
