import { CompiledQuery } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { forRows } from '../../src/database/bulk.ts';
import { type Transaction, inTransaction } from '../../src/database/transaction.ts';
import { failureCode } from '../../src/kernel/failure.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';
import { createDatabase } from '../../src/database/database.ts';

let server: TestServer;
let database: ReturnType<typeof createDatabase>;
beforeAll(async () => {
  server = await startTestServer();
  database = createDatabase({ connectionString: server.databaseUrl });
  await server.pool.query('create table noted (what text not null check (length(what) < 10))');
});
afterAll(async () => {
  await database.close();
  await server.stop();
});

const note = (trx: Transaction, what: unknown) =>
  trx.executeQuery(CompiledQuery.raw('insert into noted values ($1)', [what]));

async function noted(): Promise<string[]> {
  const { rows } = await server.pool.query('select what from noted order by what');
  await server.pool.query('truncate noted');
  return rows.map(({ what }) => what);
}

const noteInstants = forRows('insert into noted select at::date from $given')({ at: 'timestamptz' });

test('the last writes and the commit are sent together, and all is there', async () => {
  await inTransaction(database.db, 'test', (trx) => note(trx, 'first'), {
    write: (trx) => [note(trx, 'second'), note(trx, 'third')],
  });
  expect(await noted()).toEqual(['first', 'second', 'third']);
});

test('where a last write is refused nothing is committed, and its error is told', async () => {
  const failed = inTransaction(database.db, 'test', (trx) => note(trx, 'first'), {
    write: (trx) => [note(trx, 'second'), note(trx, 'much too long'), note(trx, 'third')],
  });
  await expect(failed.catch(failureCode)).resolves.toBe('23514');
  expect(await noted()).toEqual([]);
});

test('where a last write cannot even be sent nothing is committed', async () => {
  const failed = inTransaction(database.db, 'test', (trx) => note(trx, 'first'), {
    write: (trx) => [
      note(trx, 'second'),
      noteInstants(trx, [{ at: new Date(Number.NaN) }]),
      note(trx, 'third'),
    ],
  });
  await expect(failed).rejects.toThrow('cannot be converted');
  expect(await noted()).toEqual([]);
});

test('a connection whose transaction failed works on', async () => {
  const work = Array.from({ length: 60 }, (_, index) =>
    inTransaction(database.db, 'test', (trx) => note(trx, `a${index}`), {
      write: (trx) => [note(trx, index % 2 === 0 ? `b${index}` : 'much too long')],
    }).catch(() => null),
  );
  await Promise.all(work);
  expect((await noted()).length).toBe(60);
});
