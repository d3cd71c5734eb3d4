import { useEffect, useState } from 'react';

/** A value that changes at most so often, for what is read aloud; after the last change it is the last value. */
export function useCalm<Value>(milliseconds: number, value: Value): Value {
  const [calm, setCalm] = useState(value);
  const [isResting, setIsResting] = useState(false);
  useEffect(() => {
    if (isResting || value === calm) return;
    setCalm(value);
    setIsResting(true);
  }, [isResting, value, calm]);
  // Apart from the values, which would begin the rest anew.
  useEffect(() => {
    if (!isResting) return;
    const timer = setTimeout(() => setIsResting(false), milliseconds);
    return () => clearTimeout(timer);
  }, [isResting, milliseconds]);
  return calm;
}
