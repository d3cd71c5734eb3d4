import { useState } from 'react';
import { words } from '../words.ts';

/** A button for what cannot be undone, which asks again. */
export function AskAgain({
  label,
  what,
  confirm,
  isBusy,
  onConfirm,
}: {
  readonly label: string;
  /** What it is done to, for those who do not see the row. */
  readonly what: string;
  readonly confirm: string;
  readonly isBusy: boolean;
  readonly onConfirm: () => void;
}) {
  const [isAsking, setIsAsking] = useState(false);
  if (!isAsking) {
    return (
      <button
        type="button"
        aria-label={`${label}: ${what}`}
        disabled={isBusy}
        onClick={() => setIsAsking(true)}
      >
        {label}
      </button>
    );
  }
  return (
    <span className="asking">
      <button
        type="button"
        className="danger"
        aria-label={`${confirm}: ${what}`}
        autoFocus
        disabled={isBusy}
        onClick={() => {
          setIsAsking(false);
          onConfirm();
        }}
      >
        {confirm}
      </button>
      <button type="button" onClick={() => setIsAsking(false)}>
        {words.keys.keep}
      </button>
    </span>
  );
}
