import { useLayoutEffect, useRef } from 'react';
import { words } from '../words.ts';
import type { Answer } from './answer.ts';

/** That something could not be read, in the place where it stands or would stand; nothing where it was read. */
export function Failure({
  of: { problem, data, isFetching, read },
  say,
  role = 'status',
}: {
  readonly of: Pick<Answer<unknown>, 'problem' | 'data' | 'isFetching' | 'read'>;
  readonly say: (why: string) => string;
  /** `alert` for what the page is about, so that only that is said aloud. */
  readonly role?: 'alert' | 'status';
}) {
  return (
    problem !== null && (
      <Said role={role} isBusy={isFetching} onRetry={read}>
        {`${say(problem)}${data === undefined ? '' : ` ${words.failure.old}`}`}
      </Said>
    )
  );
}

function Said({
  role,
  isBusy,
  onRetry,
  children,
}: {
  readonly role: 'alert' | 'status';
  readonly isBusy: boolean;
  readonly onRetry: () => void;
  readonly children: string;
}) {
  const place = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const { current } = place;
    return () => {
      // Who pressed the button goes on with what it brought.
      if (current?.contains(document.activeElement) === true) {
        current.parentElement?.closest<HTMLElement>('[tabindex="-1"]')?.focus();
      }
    };
  }, []);
  return (
    <div ref={place} className="failure">
      <p role={role}>{children}</p>
      <button type="button" aria-disabled={isBusy} onClick={isBusy ? undefined : onRetry}>
        {isBusy ? words.failure.busy : words.failure.again}
      </button>
    </div>
  );
}
