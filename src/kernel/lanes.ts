import { setImmediate } from 'node:timers/promises';

/** Past a limit of what may wait: to be tried again, a little later. */
export class Overloaded extends Error {
  readonly code = 'OVERLOADED';
  readonly retryAfterSeconds = 1;
}

export interface LaneOptions<Key, Item> {
  /**
   * Does a batch, of any keys. It answers every item itself, and does not throw.
   * @param patient whether to wait for what somebody else holds
   * @returns what it did not do because somebody else holds its key: only where it is not patient
   */
  readonly work: (batch: readonly Item[], patient: boolean) => Promise<readonly Item[]>;
  readonly keyOf: (item: Item) => Key;
  /** How many batches may be under way at once. */
  readonly lanes: number;
  /** What one batch holds at most. */
  readonly maxBatch: number;
  /** How many items of one key may wait, and of all keys. */
  readonly maxWaitingOfKey: number;
  readonly maxWaiting: number;
}

interface Lane<Key, Item> {
  /** What waits, by key: whoever waits longest is first. */
  readonly waiting: Map<Key, Item[]>;
  running: boolean;
}

/**
 * Group commit. Keys are hashed to a few lanes; what arrives in a lane while a batch of it is under way waits, and is
 * done together by the next. Nothing waits when nothing is under way. Every key has a fair share of a batch, so that a
 * crowd of one does not keep another waiting. A key that somebody else holds is set aside: it waits on its own, and
 * the lane goes on without it.
 *
 * @returns puts an item into its lane; throws Overloaded where too many wait
 */
export function createLanes<Key extends string, Item>(options: LaneOptions<Key, Item>): (item: Item) => void {
  const { work, keyOf, maxBatch } = options;
  const lanes = Array.from({ length: options.lanes }, (): Lane<Key, Item> => openLane());
  const aside = openLane<Key, Item>();
  let total = 0;

  async function run(lane: Lane<Key, Item>, take: () => Item[], patient: boolean): Promise<void> {
    lane.running = true;
    for (;;) {
      // What arrives in the same turn of the event loop goes along: callers that were just answered, for one.
      await setImmediate();
      const batch = take();
      if (batch.length === 0) break;
      total -= batch.length;
      setAside(await work(batch, patient));
    }
    lane.running = false;
  }

  function setAside(held: readonly Item[]): void {
    total += held.length;
    for (const item of held) put(aside, keyOf(item), item);
    // Those that came later stay behind those that were set aside.
    for (const key of new Set(held.map(keyOf))) {
      const { waiting } = laneOf(key);
      for (const item of waiting.get(key) ?? []) put(aside, key, item);
      waiting.delete(key);
      void drainAside(key);
    }
  }

  const patientKeys = new Set<Key>();

  /** One key's own line, until nothing of it waits. */
  async function drainAside(key: Key): Promise<void> {
    if (patientKeys.has(key)) return;
    patientKeys.add(key);
    const take = () => takeOf(aside, key, maxBatch);
    await run(openLane(), take, true);
    patientKeys.delete(key);
  }

  function laneOf(key: Key): Lane<Key, Item> {
    const lane = lanes[hash(key) % lanes.length];
    if (lane === undefined) throw new Error('There are no lanes');
    return lane;
  }

  return (item) => {
    const key = keyOf(item);
    const isAside = patientKeys.has(key);
    const lane = isAside ? aside : laneOf(key);
    if (total >= options.maxWaiting || (lane.waiting.get(key)?.length ?? 0) >= options.maxWaitingOfKey) {
      throw new Overloaded('Too many requests are waiting; try again in a second.');
    }
    total += 1;
    put(lane, key, item);
    if (!isAside && !lane.running) void run(lane, () => takeFairly(lane, maxBatch), false);
  };
}

function openLane<Key, Item>(): Lane<Key, Item> {
  return { waiting: new Map(), running: false };
}

function put<Key, Item>({ waiting }: Lane<Key, Item>, key: Key, item: Item): void {
  const items = waiting.get(key);
  if (items === undefined) waiting.set(key, [item]);
  else items.push(item);
}

function takeOf<Key, Item>({ waiting }: Lane<Key, Item>, key: Key, count: number): Item[] {
  const items = waiting.get(key);
  if (items === undefined) return [];
  waiting.delete(key);
  if (items.length <= count) return items;
  // What is left stands behind the other keys.
  waiting.set(key, items.slice(count));
  return items.slice(0, count);
}

/** An equal share of a batch for every key that waits; those that find no place are first in the next. */
function takeFairly<Key, Item>(lane: Lane<Key, Item>, maxBatch: number): Item[] {
  const share = Math.max(1, Math.floor(maxBatch / lane.waiting.size));
  return [...lane.waiting.keys()].slice(0, maxBatch).flatMap((key) => takeOf(lane, key, share));
}

function hash(text: string): number {
  let value = 0;
  for (let index = 0; index < text.length; index += 1) value = (value * 31 + text.charCodeAt(index)) >>> 0;
  return value;
}
