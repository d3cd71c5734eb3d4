import { type ReactNode, useId } from 'react';
import type { Answer } from '../shell/answer.ts';
import { Failure } from '../shell/failure.tsx';
import { words } from '../words.ts';

/** A part of the page, with its heading, and why it could not be read; nothing while it is neither known nor failed. */
export function Card({
  title,
  of,
  className = '',
  children,
}: {
  readonly title: string;
  readonly of?: Answer<unknown>;
  readonly className?: string;
  readonly children?: ReactNode;
}) {
  const id = useId();
  if (children === undefined && of?.problem === null) return null;
  return (
    <section aria-labelledby={id} className={`card ${className}`} tabIndex={-1}>
      <h3 id={id}>{title}</h3>
      {of !== undefined && <Failure of={of} say={words.failure.part} />}
      {children}
    </section>
  );
}
