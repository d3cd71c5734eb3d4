import pg from 'pg';
import pino from 'pino';
import { expect, test } from 'vitest';
import { createDatabase } from '../../src/database/database.ts';
import { inTransaction } from '../../src/database/transaction.ts';
import { describeError } from '../../src/log.ts';
import { testDatabase } from '../setup/database.ts';
import { expectNoSecrets, findSecrets, secret, textOf } from '../setup/secrets.ts';

/** What the product's log says of an error. */
function logged(error: unknown): string {
  const lines: string[] = [];
  const log = pino({ serializers: { err: describeError } }, { write: (line) => lines.push(line) });
  log.error({ err: error }, 'failed');
  return lines.join('');
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('It did not fail');
}

test('the log tells what PostgreSQL refused, and none of the values that it was sent', async () => {
  const { connection, drop } = await testDatabase();
  const { db, pool, close } = createDatabase(connection);
  try {
    await pool.query('create table known (name text primary key)');
    await pool.query("insert into known values ('grace@example.com')");
    const insert = () => pool.query('insert into known values ($1)', ['grace@example.com']);
    const error = await failureOf(inTransaction(db, 'createKnown', insert));
    // The driver's error has it.
    expect(textOf(error as object)).toContain('grace@example.com');
    const line = logged(error);
    expect(line).not.toContain('grace');
    expect(JSON.parse(line).err).toMatchObject({
      type: 'TransactionError',
      transaction: 'createKnown',
      message: expect.stringContaining('duplicate key'),
      cause: { code: '23505', table: 'known', constraint: 'known_pkey' },
    });
  } finally {
    await close();
    await drop();
  }
});

test('the log tells that a database cannot be entered, and not by which password', async () => {
  const password = secret('a-password-that-is-wrong');
  const { connection, drop } = await testDatabase();
  const client = new pg.Client({ ...connection, password });
  try {
    const error = await failureOf(client.connect());
    for (const one of [error, Object.assign(new Error('lost'), { client: { password }, cause: error })]) {
      expectNoSecrets(logged(one), 'pg');
      expect(JSON.parse(logged(one)).err.message).toMatch(/password authentication failed|lost/);
    }
  } finally {
    await client.end();
    await drop();
  }
});

test('a secret is found in a log, however it is spelt and wherever it hangs', () => {
  const key = secret('sk_planted/in=the test');
  const error = Object.assign(
    new Error('failed', { cause: { headers: { authorization: `Bearer ${key}` } } }),
    {},
  );
  expect(findSecrets(textOf({ err: error }))).toHaveLength(1);
  expect(findSecrets(`a\nGET /graphql#key=${encodeURIComponent(key)}\nb`)).toEqual([
    expect.stringContaining('in: GET /graphql'),
  ]);
  expect(findSecrets(Buffer.from(key).toString('base64'))).toHaveLength(1);
  expect(findSecrets('nothing')).toEqual([]);
  expect(() => expectNoSecrets(key, 'a server')).toThrow('The log of a server has a secret');
});
