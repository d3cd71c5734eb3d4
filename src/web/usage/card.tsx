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

/** A column's name, and whether it is of words, not of figures. */
export type Column = readonly [title: string, kind?: 'text'];

/** A table that scrolls by itself where it is too wide, by keyboard as well. */
export function Lines({
  label,
  columns,
  children,
}: {
  readonly label: string;
  readonly columns: readonly Column[];
  readonly children: ReactNode;
}) {
  return (
    <div className="scroll" role="group" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {columns.map(([title, kind]) => (
              <th key={title} scope="col" className={kind}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
