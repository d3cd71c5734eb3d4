import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeArray } from '../../src/database/arrays.ts';
import { createDatabase } from '../../src/database/database.ts';
import { testDatabase } from '../setup/database.ts';

let database: ReturnType<typeof createDatabase>;
let stop: () => Promise<void>;
beforeAll(async () => {
  const { connection, drop } = await testDatabase();
  database = createDatabase(connection);
  stop = async () => {
    await database.close();
    await drop();
  };
});
afterAll(() => stop());

/** As PostgreSQL understands it, element by element, as text. */
async function understood(type: string, values: readonly unknown[]): Promise<(string | null)[]> {
  const array = sql`${encodeArray(type, values)}::${sql.raw(type)}[]`;
  const { rows } = await sql<{ element: string | null }>`
    select element::text as element from unnest(${array}) with ordinality as u(element, position) order by position`.execute(
    database.db,
  );
  return rows.map(({ element }) => element);
}

test('PostgreSQL understands every type’s values as what they are', async () => {
  const uuids = ['00000000-0000-0000-0000-000000000000', '0123abcd-ef01-7fff-8000-0123456789ab'];
  expect(await understood('uuid', [...uuids, null])).toEqual([...uuids, null]);
  expect(await understood('uuid', ['0123ABCD-EF01-7FFF-8000-0123456789AB'])).toEqual([uuids[1]]);

  expect(await understood('integer', [0, -1, 2_147_483_647, -2_147_483_648, null])).toEqual([
    ...['0', '-1', '2147483647', '-2147483648'],
    null,
  ]);
  expect(await understood('bigint', [Number.MAX_SAFE_INTEGER, -1, null])).toEqual([
    '9007199254740991',
    '-1',
    null,
  ]);
  expect(await understood('boolean', [true, false, null])).toEqual(['true', 'false', null]);

  const texts = [
    '',
    'NULL',
    'a,b',
    '{}',
    '"quoted"',
    String.raw`back\slash`,
    'Zoë 漢字 😀',
    ' edges ',
    'line\nline',
  ];
  expect(await understood('text', [null, ...texts])).toEqual([null, ...texts]);
  const json = texts.map((text) => JSON.stringify({ text }));
  expect((await understood('jsonb', json)).map((text) => JSON.parse(text ?? 'null'))).toEqual(
    texts.map((text) => ({ text })),
  );
  expect(await understood('session_end_reason', ['LOGOFF', null, 'FORCED'])).toEqual([
    'LOGOFF',
    null,
    'FORCED',
  ]);
});

test('instants are exact to the millisecond, from 1970 to 9999, whatever the connection’s time zone', async () => {
  const instants = [
    '1970-01-01T00:00:00.000Z',
    '1999-12-31T23:59:59.999Z',
    '2000-01-01T00:00:00.000Z',
    '2026-11-25T12:00:00.001Z',
    '9998-12-31T23:59:59.999Z',
  ].map((text) => new Date(text));
  const { rows } = await sql<{ at: Date }>`
    select unnest(${encodeArray('timestamptz', [...instants, ...instants])}::timestamptz[]) as at`.execute(
    database.db,
  );
  expect(rows.map(({ at }) => at)).toEqual([...instants, ...instants]);
});

test('a value that its type cannot hold is refused before anything is sent', () => {
  expect(() => encodeArray('timestamptz', [new Date(Number.NaN)])).toThrow(RangeError);
  expect(() => encodeArray('integer', [2 ** 31])).toThrow(RangeError);
  expect(() => encodeArray('bigint', [0.5])).toThrow(RangeError);
});
