import { readFileSync } from 'node:fs';
import { parse, validate } from 'graphql';
import { documentIdOf } from '../kernel/manifest.ts';
import { schema } from '../schema.ts';

/**
 * `npm run documents -- FILES…`: a manifest of trusted documents on the standard output, from `.graphql` files. A file is
 * one document, to the byte, as its client sends it. What the schema refuses is told, and no manifest written.
 */
function writeManifest(files: readonly string[]): void {
  const wrong: string[] = [];
  const manifest: Record<string, string> = {};
  for (const file of files) {
    try {
      const text = readFileSync(file, 'utf8');
      for (const { message } of validate(schema, parse(text))) wrong.push(`${file}: ${message}`);
      manifest[documentIdOf(text)] = text;
    } catch (error) {
      wrong.push(`${file}: ${(error as Error).message}`);
    }
  }
  if (files.length === 0) wrong.push('Name the files: npm run --silent documents -- FILES… > documents.json');
  if (wrong.length > 0) {
    console.error(wrong.join('\n'));
    process.exitCode = 1;
    return;
  }
  console.log(JSON.stringify(manifest, null, 2));
}

writeManifest(process.argv.slice(2));
