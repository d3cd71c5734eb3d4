/**
 * Group commit: what arrives for a key while its work is under way waits, and is done together by the next. Nothing
 * waits when nothing is under way.
 * @param work must answer or refuse every item itself; it does not throw
 */
export function createLanes<Key, Item>(
  work: (key: Key, batch: readonly Item[]) => Promise<void>,
  maxBatch: number,
): (key: Key, item: Item) => void {
  const waiting = new Map<Key, Item[]>();

  async function drain(key: Key, queue: Item[]): Promise<void> {
    while (queue.length > 0) await work(key, queue.splice(0, maxBatch));
    waiting.delete(key);
  }

  return (key, item) => {
    const queue = waiting.get(key);
    if (queue !== undefined) {
      queue.push(item);
      return;
    }
    const fresh = [item];
    waiting.set(key, fresh);
    void drain(key, fresh);
  };
}
