import { lexicographicSortSchema, printSchema } from 'graphql';
import { schema } from './schema.ts';

/** The schema as clients read it, in an order that does not depend on how it was built. */
export function printedSchema(): string {
  return `# The API; written by \`npm run generate\`, held by a test.\n\n${printSchema(lexicographicSortSchema(schema))}\n`;
}
