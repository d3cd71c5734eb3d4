import { setImmediate } from 'node:timers/promises';

/** Somebody else holds what this was about, for longer than a caller should be kept waiting: to be tried again. */
export class Held extends Error {
  readonly code = 'UNAVAILABLE';
  readonly retryAfterSeconds = 1;

  constructor() {
    super('Others are busy with this organisation for longer than usual; try again in a second.');
  }
}

/** Past a limit of what may wait: to be tried again, a little later. */
export class Overloaded extends Error {
  readonly code = 'OVERLOADED';
  readonly retryAfterSeconds = 1;
}

/** How much may wait: of one key, and of all. Who comes then is told at once (Overloaded). */
export interface QueueLimits {
  readonly maxWaitingOfKey: number;
  readonly maxWaiting: number;
}

export interface LaneOptions<Key, Item> extends QueueLimits {
  /**
   * Does a batch, of any keys. It answers every item itself, and does not throw.
   * @param patient whether to wait for what somebody else holds
   * @returns what it did not do because somebody else holds its key: only where it is not patient
   */
  readonly work: (batch: readonly Item[], patient: boolean) => Promise<readonly Item[]>;
  readonly keyOf: (item: Item) => Key;
  /** What tells an item's lane; its key where it is not said. Only for work that never leaves an item undone. */
  readonly spreadBy?: (item: Item) => string;
  /** How many batches may be under way at once. */
  readonly lanes: number;
  /** What one batch holds at most. */
  readonly maxBatch: number;
  /** How many keys that somebody else holds are waited for at once, by turns; the others wait for theirs. */
  readonly maxPatient: number;
  /** Answers items whose turn did not come: somebody else holds their key, and others' keys as well. */
  readonly giveUp: (items: readonly Item[]) => void;
}

/** As long as an item waits for the turn of a key that was set aside. */
const patienceMilliseconds = 3000;

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
  const { work, keyOf, spreadBy = keyOf, maxBatch } = options;
  const lanes = Array.from({ length: options.lanes }, (): Lane<Key, Item> => openLane());
  const aside = openLane<Key, Item>();
  let total = 0;

  async function run(lane: Lane<Key, Item>): Promise<void> {
    for (;;) {
      // What arrives in the same turn of the event loop goes along: callers that were just answered, for one.
      await setImmediate();
      const batch = takeFairly(lane, maxBatch);
      if (batch.length === 0) {
        lane.running = false;
        return;
      }
      total -= batch.length;
      setAside(await work(batch, false));
    }
  }

  function setAside(held: readonly Item[]): void {
    total += held.length;
    for (const item of held) put(aside, keyOf(item), item);
    for (const key of new Set(held.map(keyOf))) {
      // Those that came later stay behind those that were set aside.
      for (const { waiting } of lanes) {
        for (const item of waiting.get(key) ?? []) put(aside, key, item);
        waiting.delete(key);
      }
      keysAside.add(key);
      awaitTurn(key);
    }
    drainAside();
  }

  /** Keys that have a line of their own, until nothing of theirs waits; and those of them that are being worked on. */
  const keysAside = new Set<Key>();
  const patientKeys = new Set<Key>();
  const patience = new Map<Key, NodeJS.Timeout>();

  /** One batch of a key, then another key's turn: who holds eight of them for long must not hold up the ninth. */
  function drainAside(): void {
    for (const key of keysAside) {
      if (patientKeys.size >= options.maxPatient) return;
      if (patientKeys.has(key)) continue;
      patientKeys.add(key);
      clearTimeout(patience.get(key));
      void takeTurn(key);
    }
  }

  async function takeTurn(key: Key): Promise<void> {
    await setImmediate();
    const batch = takeOf(aside, key, maxBatch);
    total -= batch.length;
    await work(batch, true);
    patientKeys.delete(key);
    keysAside.delete(key);
    if (aside.waiting.has(key)) {
      keysAside.add(key);
      awaitTurn(key);
    }
    drainAside();
  }

  function awaitTurn(key: Key): void {
    clearTimeout(patience.get(key));
    const timer = setTimeout(() => {
      patience.delete(key);
      const items = takeOf(aside, key, Number.POSITIVE_INFINITY);
      total -= items.length;
      keysAside.delete(key);
      options.giveUp(items);
    }, patienceMilliseconds);
    patience.set(key, timer);
  }

  function laneOf(item: Item): Lane<Key, Item> {
    const lane = lanes[hash(spreadBy(item)) % lanes.length];
    if (lane === undefined) throw new Error('There are no lanes');
    return lane;
  }

  return (item) => {
    const key = keyOf(item);
    const isAside = keysAside.has(key);
    const lane = isAside ? aside : laneOf(item);
    if (total >= options.maxWaiting || (lane.waiting.get(key)?.length ?? 0) >= options.maxWaitingOfKey) {
      throw new Overloaded('Too many requests are waiting; try again in a second.');
    }
    total += 1;
    put(lane, key, item);
    if (isAside || lane.running) return;
    lane.running = true;
    void run(lane);
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
