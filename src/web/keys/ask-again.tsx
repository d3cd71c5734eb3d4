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
  const [stage, setStage] = useState<'IDLE' | 'ASKING' | 'KEPT'>('IDLE');
  if (stage !== 'ASKING') {
    return (
      <button
        type="button"
        aria-label={`${label}: ${what}`}
        autoFocus={stage === 'KEPT'}
        disabled={isBusy}
        onClick={() => setStage('ASKING')}
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
          setStage('IDLE');
          onConfirm();
        }}
      >
        {confirm}
      </button>
      <button type="button" onClick={() => setStage('KEPT')}>
        {words.keys.keep}
      </button>
    </span>
  );
}
