import { type RawBuilder, sql } from 'kysely';
import type { Instant } from '../kernel/clock.ts';
import type { OrganisationId } from '../kernel/ids.ts';
import type { DB } from './tables.ts';
import type { Transaction } from './transaction.ts';

/** Something of an organisation, where things of several are handled together. */
export type Of<Thing> = Thing & { readonly organisationId: OrganisationId };

/** What an organisation's clock passes over: from what was settled, up to and with now. */
export interface Span {
  readonly settledAt: Instant;
  readonly now: Instant;
}

export const spanColumns = {
  organisationId: 'uuid',
  settledAt: 'timestamptz',
  now: 'timestamptz',
} as const satisfies Columns;

/** The columns of a row, each with its SQL type. */
export type Columns<Name extends string = string> = Readonly<Record<Name, string>>;

/** Rows that have the columns, and perhaps more. */
type Rows<Name extends string> = readonly Readonly<Record<Name, unknown>>[];

/**
 * Rows as a table within a statement, called `given`: one array parameter a column, so that the statement's text is
 * the same for one row and for a thousand, and no limit of parameters is ever met.
 *
 * What is looked up for each row stands in a `cross join lateral (… offset 0)`: an index look-up a row it stays then,
 * where a planner that thinks a table small would rather read the table and compare each of its rows with each given.
 */
export function given<Name extends string>(
  rows: Rows<NoInfer<Name>>,
  columns: Columns<Name>,
): RawBuilder<unknown> {
  const names = Object.keys(columns) as Name[];
  const arrays = names.map(
    (name) => sql`${rows.map((row) => literal(row[name]))}::${sql.raw(`${columns[name]}[]`)}`,
  );
  return sql`unnest(${sql.join(arrays)}) as given(${sql.join(names.map((name) => sql.ref(name)))})`;
}

/** Inserts rows by one statement; nothing where there are none. @param onConflict such as `on conflict … do update …` */
export async function insertRows<Name extends string>(
  trx: Transaction,
  table: keyof DB,
  columns: Columns<Name>,
  rows: Rows<NoInfer<Name>>,
  onConflict: RawBuilder<unknown> = sql``,
): Promise<void> {
  if (rows.length === 0) return;
  const names = sql.join(Object.keys(columns).map((name) => sql.ref(name)));
  await sql`insert into ${sql.table(table)} (${names}) select * from ${given(rows, columns)} ${onConflict}`.execute(
    trx,
  );
}

/** Deletes the rows that have these values, by one statement; nothing where there are none. */
export async function deleteRows<Name extends string>(
  trx: Transaction,
  table: keyof DB,
  columns: Columns<Name>,
  rows: Rows<NoInfer<Name>>,
): Promise<void> {
  if (rows.length === 0) return;
  const match = sql.join(
    Object.keys(columns).map((name) => sql`${sql.ref(`${table}.${name}`)} = ${sql.ref(`given.${name}`)}`),
    sql` and `,
  );
  await sql`delete from ${sql.table(table)} using ${given(rows, columns)} where ${match}`.execute(trx);
}

/** As the elements of an array are written: instants in UTC, whatever the process's zone. */
function literal(value: unknown): unknown {
  return value instanceof Date ? value.toISOString() : value;
}

/** By organisation. */
export function byOrganisation<Thing>(things: readonly Of<Thing>[]): Map<OrganisationId, Of<Thing>[]> {
  return Map.groupBy(things, ({ organisationId }) => organisationId);
}
