import type { Instant } from '../kernel/clock.ts';
import type { OrganisationId } from '../kernel/ids.ts';
import { encodeArray } from './arrays.ts';
import type { Database } from './database.ts';
import type { DB } from './tables.ts';
import { plannedOnce } from './wall.ts';

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
 * A statement about any number of rows, which stand in it as a table, `$given`: one array parameter a column, so that
 * its text is the same for one row and for a thousand, is put together once, and meets no limit of parameters.
 *
 * What is looked up for each row stands in a `cross join lateral (… offset 0)`: an index look-up a row it stays then,
 * where a planner that thinks a table small would rather read the table and compare each of its rows with each given.
 *
 * @param text SQL, with the database's own names
 * @returns executes it; nothing where there are no rows
 */
export function forRows<Answer = never>(text: string) {
  return <Name extends string>(columns: Columns<Name>) => {
    const names = Object.keys(columns) as Name[];
    const arrays = names.map((name, index) => `$${index + 1}::${columns[name]}[]`);
    const given = `unnest(${arrays.join(', ')}) as given(${names.map(columnOf).join(', ')})`;
    const statement = text.replaceAll('$given', given);
    return async (db: Database, rows: Rows<Name>): Promise<Answer[]> => {
      if (rows.length === 0) return [];
      const parameters = names.map((name) =>
        encodeArray(
          columns[name],
          rows.map((row) => row[name]),
        ),
      );
      return (await db.executeQuery<Answer>(plannedOnce(statement, parameters))).rows;
    };
  };
}

/** Inserts rows. @param onConflict such as `on conflict … do update …` */
export function insertInto(table: keyof DB, onConflict = '') {
  return <Name extends string>(columns: Columns<Name>) => {
    const names = Object.keys(columns).map(columnOf).join(', ');
    return forRows(`insert into ${columnOf(table)} (${names}) select * from $given ${onConflict}`)(columns);
  };
}

/**
 * `$given`, each beside the `place` (ctid) of the row of a table that has its values: `update … from ${placed(…)} where
 * session.ctid = place`. Were the table itself joined by its key, a plan that was made while it was as good as empty, as
 * seats in use are at night, would compare each of its rows with each given in the morning.
 *
 * The transaction has locked the rows, or what everybody locks who changes them: a row that another one is changing would
 * be passed over.
 */
export function placed(table: keyof DB, key: readonly string[]): string {
  const match = key.map((name) => `${columnOf(name)} = given.${columnOf(name)}`).join(' and ');
  return `$given cross join lateral (
    select ctid as place from ${columnOf(table)} where ${match} offset 0) found`;
}

/** Deletes the rows that have these values, which are a key; see `placed`. */
export function deleteFrom(table: keyof DB) {
  return <Name extends string>(columns: Columns<Name>) =>
    forRows(
      `delete from ${columnOf(table)} using ${placed(table, Object.keys(columns))} where ${columnOf(table)}.ctid = place`,
    )(columns);
}

/** As the database spells it: `organisationId` is `"organisation_id"`. */
export function columnOf(name: string): string {
  return `"${name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}"`;
}

/** By organisation. */
export function byOrganisation<Thing>(things: readonly Of<Thing>[]): Map<OrganisationId, Of<Thing>[]> {
  return Map.groupBy(things, ({ organisationId }) => organisationId);
}

/** Those that pass, and those that do not. */
export function parted<Thing>(
  things: readonly Thing[],
  passes: (thing: Thing) => boolean,
): [Thing[], Thing[]] {
  return [things.filter(passes), things.filter((thing) => !passes(thing))];
}
