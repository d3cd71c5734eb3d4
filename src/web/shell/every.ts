import { useEffect, useRef } from 'react';

/** Does something after each change of a value, but not more often than that; after the last one always. */
export function useEvery(milliseconds: number, value: unknown, act: () => void): void {
  const latest = useRef({ act, value, timer: undefined as ReturnType<typeof setTimeout> | undefined });
  latest.current.act = act;
  useEffect(() => {
    const { current } = latest;
    if (current.value === value || current.timer !== undefined) return;
    current.value = value;
    current.timer = setTimeout(() => {
      current.timer = undefined;
      current.act();
    }, milliseconds);
  }, [milliseconds, value]);
  useEffect(() => {
    const { current } = latest;
    return () => clearTimeout(current.timer);
  }, []);
}
