import type { Log } from './log.ts';

/** Does the work again and again, never twice at once. @returns tells what is under way to stop, and waits for it */
export function every(
  milliseconds: number,
  work: (signal: AbortSignal) => Promise<unknown>,
  log: Log,
): () => Promise<void> {
  const stopping = new AbortController();
  let current: Promise<unknown> | null = null;
  const timer = setInterval(() => {
    current ??= work(stopping.signal)
      .catch((error: unknown) => {
        log.warn({ err: error }, 'background work failed; trying again');
      })
      .finally(() => {
        current = null;
      });
  }, milliseconds);
  return async () => {
    clearInterval(timer);
    stopping.abort();
    await current;
  };
}
