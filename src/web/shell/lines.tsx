import type { ReactNode } from 'react';

/** A column's name; a column of figures, which stand at its end, is said to be one. */
export type Column = string | readonly [title: string, kind: 'figure'];

/**
 * A table under its headings, which scrolls by itself where it is too wide, by keyboard as well. Its children are rows; cells of
 * figures have the class `figure`.
 */
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
    <div className="lines" role="group" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {columns.map((column) => {
              const [title, kind] = typeof column === 'string' ? [column] : column;
              return (
                <th key={title} scope="col" className={kind}>
                  {title}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
