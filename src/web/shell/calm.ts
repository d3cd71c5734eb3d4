import { useEffect, useRef, useState } from 'react';

/** A value that changes at most so often, for what is read aloud; after the last change it is the last value. */
export function useCalm<Value>(milliseconds: number, value: Value): Value {
  const [calm, setCalm] = useState(value);
  const changedAt = useRef(-Infinity);
  useEffect(() => {
    if (value === calm) return;
    const rest = changedAt.current + milliseconds - performance.now();
    const timer = setTimeout(
      () => {
        changedAt.current = performance.now();
        setCalm(value);
      },
      Math.max(0, rest),
    );
    return () => clearTimeout(timer);
  }, [milliseconds, value, calm]);
  return calm;
}
