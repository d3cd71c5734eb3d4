import { type Header, type Row as TableRow, type Table as TanstackTable } from '@tanstack/react-table';
import { memo, type RefObject } from 'react';
import { count, type Zone } from '../shell/zone.ts';
import { words } from '../words.ts';
import { type ColumnName, type features, type GroupName, isColumn, type Line, statesOf } from './columns.ts';
import { useAbout, useExplanation } from './explained.tsx';
import type { Row, Spark as Hours } from './figures.ts';
import { Spark } from './spark.tsx';

type Features = typeof features;

/** The page's table, in the markup that screen readers know: headings over groups of headings, and a heading a row. */
export function Table({
  table,
  rows,
  body,
  zone,
  sparks,
  onOpen,
}: {
  readonly table: TanstackTable<Features, Line>;
  /** In the order in which they are shown. */
  readonly rows: readonly TableRow<Features, Line>[];
  readonly body: RefObject<HTMLTableSectionElement | null>;
  readonly zone: Zone;
  readonly sparks: ReadonlyMap<string, Hours>;
  readonly onOpen: (licence: string) => void;
}) {
  const [upper, lower] = table.getHeaderGroups();
  const { explained, explanation } = useExplanation();
  return (
    <section className="table" aria-label={words.mapping.table} tabIndex={0}>
      <table>
        <thead {...explained}>
          <tr>
            {upper?.headers.map((header) =>
              header.isPlaceholder ? (
                header.subHeaders.map((leaf) => <Heading key={leaf.id} header={leaf} rowSpan={2} />)
              ) : (
                <GroupHeading key={header.id} name={header.column.id as GroupName} span={header.colSpan} />
              ),
            )}
          </tr>
          <tr>
            {lower?.headers
              .filter(({ column }) => column.parent !== undefined)
              .map((header) => (
                <Heading key={header.id} header={header} rowSpan={1} />
              ))}
          </tr>
        </thead>
        <tbody ref={body}>
          {rows.map((row) => (
            <Body
              key={row.id}
              cells={row}
              row={row.original.row}
              organisation={row.original.organisation}
              hours={sparks.get(row.original.row.id)}
              zone={zone}
              onOpen={onOpen}
            />
          ))}
        </tbody>
      </table>
      {explanation}
    </section>
  );
}

function GroupHeading({ name, span }: { readonly name: GroupName; readonly span: number }) {
  const { title, about } = words.mapping.groups[name];
  const { described, description } = useAbout(about);
  return (
    <th scope="colgroup" colSpan={span} className="group edge" tabIndex={0} {...described}>
      {title}
      {description}
    </th>
  );
}

const directions = { asc: 'ascending', desc: 'descending' } as const;

function Heading({ header, rowSpan }: { readonly header: Header<Features, Line>; readonly rowSpan: number }) {
  const { column } = header;
  return isColumn(column.id) ? <ColumnHeading name={column.id} column={column} rowSpan={rowSpan} /> : null;
}

function ColumnHeading({
  name,
  column,
  rowSpan,
}: {
  readonly name: ColumnName;
  readonly column: Header<Features, Line>['column'];
  readonly rowSpan: number;
}) {
  const { title, about } = words.mapping.columns[name];
  const { described, description } = useAbout(about);
  const sorted = column.getIsSorted();
  return (
    <th
      scope="col"
      rowSpan={rowSpan}
      className={classOf(name)}
      aria-sort={sorted === false ? 'none' : directions[sorted]}
    >
      <button type="button" className="sort" onClick={column.getToggleSortingHandler()} {...described}>
        {title}
      </button>
      {description}
    </th>
  );
}

const firstOfGroup = new Set<ColumnName>([
  'baseTotal',
  'concurrentTotal',
  'contingencyTotal',
  'activeInPeriod',
]);
const texts = new Set<ColumnName>(['organisation', 'licence', 'today']);

function classOf(column: ColumnName): string {
  return `${texts.has(column) ? 'text' : 'figure'}${firstOfGroup.has(column) ? ' edge' : ''}`;
}

/** Drawn anew only where something of it changed: a busy floor changes ten times a second. */
const Body = memo(
  function Body({
    cells,
    row,
    organisation,
    hours,
    zone,
    onOpen,
  }: {
    readonly cells: TableRow<Features, Line>;
    readonly row: Row;
    readonly organisation: string;
    readonly hours: Hours | undefined;
    readonly zone: Zone;
    readonly onOpen: (licence: string) => void;
  }) {
    const states = statesOf(row);
    return (
      <tr data-licence={row.licence.code}>
        {cells.getAllCells().map((cell) => {
          const { id, column } = cell;
          if (!isColumn(column.id)) return null;
          switch (column.id) {
            case 'organisation':
              return (
                <td key={id} className="text organisation" dir="auto">
                  {organisation}
                </td>
              );
            case 'licence':
              return (
                <th key={id} scope="row" className="text licence">
                  <button
                    type="button"
                    className="open"
                    aria-haspopup="dialog"
                    aria-description={words.mapping.open}
                    onClick={() => onOpen(row.licence.code)}
                  >
                    <bdi>{row.licence.name}</bdi>
                  </button>
                  <span className="states">
                    <span className="quiet">{words.mapping.models[row.licence.seatModel]}</span>
                    {states.map(({ kind, name, by }) => (
                      <span key={name} className={`state ${kind}`}>
                        {name === 'full' ? words.mapping.states.full : words.mapping.states[name](count(by))}
                      </span>
                    ))}
                  </span>
                </th>
              );
            case 'today':
              return (
                <td key={id} className="text">
                  {row.concurrent === null ? (
                    <Figure value={undefined} />
                  ) : (
                    hours !== undefined && <Spark hours={hours} zone={zone} />
                  )}
                </td>
              );
            default: {
              const state = states.find((one) => one.column === column.id);
              return (
                <td
                  key={id}
                  className={`${classOf(column.id)}${state === undefined ? '' : ` ${state.kind}`}`}
                >
                  <Figure value={cell.getValue() as number | undefined} />
                </td>
              );
            }
          }
        })}
      </tr>
    );
  },
  (one, other) =>
    one.row === other.row &&
    one.organisation === other.organisation &&
    one.hours === other.hours &&
    one.zone === other.zone,
);

function Figure({ value }: { readonly value: number | undefined }) {
  if (value !== undefined) return count(value);
  return (
    <>
      <span aria-hidden="true" className="quiet">
        –
      </span>
      <span className="unseen">{words.mapping.notApplicable}</span>
    </>
  );
}
