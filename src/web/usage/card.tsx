import { type ReactNode, useId } from 'react';

/** A part of the page, with its heading. */
export function Card({
  title,
  className = '',
  children,
}: {
  readonly title: string;
  readonly className?: string;
  readonly children: ReactNode;
}) {
  const id = useId();
  return (
    <section aria-labelledby={id} className={`card ${className}`}>
      <h3 id={id}>{title}</h3>
      {children}
    </section>
  );
}
