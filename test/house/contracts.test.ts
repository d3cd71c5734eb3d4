import { readFileSync } from 'node:fs';
import { isEnumType, isInputObjectType, isInterfaceType, isIntrospectionType, isObjectType } from 'graphql';
import { afterAll, expect, test } from 'vitest';
import { createDatabase } from '../../src/database/database.ts';
import { dumpSchema } from '../../src/database/schema-dump.ts';
import { printedSchema } from '../../src/schema-text.ts';
import { schema } from '../../src/schema.ts';
import { testDatabase } from '../setup/database.ts';

const { connection, drop } = await testDatabase();
const { db, close } = createDatabase(connection);
afterAll(async () => {
  await close();
  await drop();
});

test('schema/schema.graphql is what the code says (npm run generate)', () => {
  expect(readFileSync('schema/schema.graphql', 'utf8')).toBe(printedSchema());
});

test('schema/schema.sql is what the migrations make (npm run generate)', async () => {
  expect(readFileSync('schema/schema.sql', 'utf8')).toBe(await dumpSchema(db));
});

test('every type, field, argument and enum value is described: the descriptions are the manual', () => {
  const missing: string[] = [];
  const need = (name: string, described: { readonly description?: string | null | undefined }) => {
    if (!described.description) missing.push(name);
  };
  for (const type of Object.values(schema.getTypeMap())) {
    if (isIntrospectionType(type) || ['String', 'Int', 'Boolean', 'ID', 'Float'].includes(type.name))
      continue;
    need(type.name, type);
    if (isEnumType(type)) for (const value of type.getValues()) need(`${type.name}.${value.name}`, value);
    if (isInputObjectType(type)) {
      for (const field of Object.values(type.getFields())) need(`${type.name}.${field.name}`, field);
    }
    if (isObjectType(type) || isInterfaceType(type)) {
      for (const field of Object.values(type.getFields())) {
        need(`${type.name}.${field.name}`, field);
        for (const arg of field.args) need(`${type.name}.${field.name}(${arg.name})`, arg);
      }
    }
  }
  expect(missing).toEqual([]);
});
