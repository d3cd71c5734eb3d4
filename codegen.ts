import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { codegen } from '@graphql-codegen/core';
import * as typedDocumentNode from '@graphql-codegen/typed-document-node';
import * as typescriptOperations from '@graphql-codegen/typescript-operations';
import { buildSchema, parse } from 'graphql';
import { Kysely, PostgresDialect } from 'kysely';
import { generate, IdentifierNode, PostgresDialect as CodegenDialect } from 'kysely-codegen';
import type pg from 'pg';
import prettier from 'prettier';
import { createDatabase } from './src/database/database.ts';
import { startEmbedded } from './src/database/embedded.ts';
import { migrateToLatest } from './src/database/migrate.ts';
import { dumpSchema } from './src/database/schema-dump.ts';
import { printedSchema } from './src/schema-text.ts';

/**
 * Writes what is generated: the table types and schema/schema.sql from a freshly migrated database, and
 * schema/schema.graphql from the code. `npm run check` fails when they differ from what is committed.
 */
async function main(): Promise<void> {
  const silent = { error() {}, warn() {}, info() {}, debug() {} };
  const dataFolder = mkdtempSync(join(tmpdir(), 'seatkeeper-codegen-'));
  const postgres = await startEmbedded({ dataFolder, log: silent, durable: false });
  const { db, pool, close } = createDatabase(postgres.owner);
  try {
    await migrateToLatest(db);
    const options = { ...(await prettier.resolveConfig('codegen.ts')), parser: 'typescript' };
    writeFileSync('src/database/tables.ts', await prettier.format(await tableTypes(pool), options));
    writeFileSync('schema/schema.sql', await dumpSchema(db));
    const schema = printedSchema();
    writeFileSync('schema/schema.graphql', schema);
    for (const file of globSync('src/web/*/documents.graphql')) {
      const text = await typedDocuments(schema, readFileSync(file, 'utf8'));
      writeFileSync(file.replace(/\.graphql$/, '.ts'), await prettier.format(text, options));
    }
  } finally {
    await close();
    await postgres.stop();
    rmSync(dataFolder, { recursive: true, force: true });
  }
  console.log(
    'Wrote src/database/tables.ts, schema/schema.sql, schema/schema.graphql and src/web/*/documents.ts.',
  );
}

/** The operations of a page, as values that know the types of their variables and answers. */
async function typedDocuments(schema: string, documents: string): Promise<string> {
  const text = await codegen({
    filename: 'documents.ts',
    schema: parse(schema),
    schemaAst: buildSchema(schema),
    documents: [{ document: parse(documents) }],
    config: {
      scalars: { ID: 'string', DateTime: 'string', JSON: 'unknown', SafeInt: 'number', TimeZone: 'string' },
      defaultScalarType: 'unknown',
      enumType: 'string-literal',
      immutableTypes: true,
      mergeFragmentTypes: true,
      useTypeImports: true,
    },
    plugins: [{ typescriptOperations: {} }, { typedDocumentNode: {} }],
    pluginMap: { typescriptOperations, typedDocumentNode },
  });
  return `// Written by \`npm run generate\` from documents.graphql.\n\n${text}`;
}

async function tableTypes(pool: pg.Pool): Promise<string> {
  const brands = new Set(Object.values(ids));
  return generate({
    camelCase: true,
    customImports: Object.fromEntries([...brands].map((brand) => [brand, `../kernel/ids.ts#${brand}`])),
    // Without the plugin that the product's own queries go through: the catalogue is read as it is.
    db: new Kysely({ dialect: new PostgresDialect({ pool }) }),
    dialect: new CodegenDialect(),
    // Views repeat tables.
    excludePattern: '{kysely_*,searchable_*,below_present_partner}',
    outFile: null,
    overrides: {
      columns: Object.fromEntries(
        Object.entries(ids).map(([column, brand]) => [column, new IdentifierNode(brand)]),
      ),
    },
    typeMapping: { int8: 'number' },
  });
}

/** The columns that hold ids, and what each names. */
const ids: Readonly<Record<string, string>> = {
  ...columns('organisation_id', 'OrganisationId', [
    'allotment',
    'alert',
    'api_key',
    'assignment',
    'audit_entry',
    'audit_head',
    'audit_name',
    'base_licence',
    'billing_period',
    'billing_terms',
    'closed_period',
    'contract_option',
    'denial',
    'department',
    'department_member',
    'erased_user',
    'history',
    'history_opening',
    'hold',
    'idempotency_key',
    'organisation_ancestor',
    'period_close',
    'pool',
    'pool_watch',
    'price',
    'purchase',
    'security_key',
    'security_key_challenge',
    'session',
    'session_feature',
    'usage_progress',
    'usage_rollup',
    'statement',
    'statement_line',
    'user',
    'user_status_interval',
  ]),
  ...columns('licence', 'LicenceCode', [
    'allotment',
    'alert',
    'assignment',
    'base_licence',
    'denial',
    'history',
    'history_opening',
    'hold',
    'period_close',
    'pool',
    'pool_watch',
    'price',
    'purchase',
    'session',
    'session_feature',
    'statement_line',
    'usage_rollup',
  ]),
  ...columns('user_id', 'UserId', [
    'api_key',
    'assignment',
    'audit_entry',
    'audit_name',
    'denial',
    'department_member',
    'erased_user',
    'history',
    'hold',
    'security_key',
    'security_key_challenge',
    'session',
    'user_status_interval',
  ]),
  ...columns('department_id', 'DepartmentId', ['allotment', 'department_member']),
  ...columns('session_id', 'SessionId', ['history', 'session_feature']),
  'licence.code': 'LicenceCode',
  'organisation.id': 'OrganisationId',
  'organisation.parent_id': 'OrganisationId',
  'organisation_ancestor.ancestor_id': 'OrganisationId',
  'user.id': 'UserId',
  'purchase.id': 'PurchaseId',
  'assignment.id': 'AssignmentId',
  'base_licence.id': 'BaseLicenceId',
  'base_licence.holder_id': 'UserId',
  'base_licence.last_holder_id': 'UserId',
  'session.id': 'SessionId',
  'denial.id': 'DenialId',
  'alert.id': 'AlertId',
  'alert.acknowledged_by': 'UserId',
  'api_key.id': 'ApiKeyId',
  'security_key.id': 'SecurityKeyId',
  'department.id': 'DepartmentId',
};

function columns(column: string, brand: string, tables: readonly string[]): Record<string, string> {
  return Object.fromEntries(tables.map((table) => [`${table}.${column}`, brand]));
}

await main();
