import { execFile } from 'node:child_process';
import { hash } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { DocumentNode } from 'graphql';
import { documentIdOf } from '../kernel/manifest.ts';

const project = join(import.meta.dirname, '../..');
const sources = join(project, 'src/web');
/** Where builds are, each in a folder that is named by what it was made of; git ignores it. */
const builds = join(project, 'dist');

/**
 * Has the pages built from the sources as they are, unless they are already: in a process of its own, as a server is to keep nothing
 * of the builder.
 * @returns the folder that has them
 */
export async function ensureBuilt(): Promise<string> {
  const folder = join(builds, digestOfSources());
  if (!existsSync(folder)) await promisify(execFile)(process.execPath, [import.meta.filename]);
  return folder;
}

/** With hashed names, and each file compressed beside itself. */
async function buildPages(target: string): Promise<void> {
  // Two that build at one time each do it for themselves.
  const folder = `${builds}.${process.pid}`;
  // Of everything the version that browsers are to have, whoever asks for the build.
  process.env['NODE_ENV'] = 'production';
  const { build } = await import('vite');
  await build({
    root: sources,
    configFile: false,
    logLevel: 'warn',
    build: {
      outDir: folder,
      emptyOutDir: true,
      target: 'baseline-widely-available',
      // Inlined, an asset would need a hole in the content security policy.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      manifest: true,
      rolldownOptions: {
        onLog: (level, entry, log) => {
          // Of components for servers that render: there is none here.
          if (entry.code !== 'MODULE_LEVEL_DIRECTIVE') log(level, entry);
        },
      },
    },
  });
  await writePages(folder);
  await compress(folder);
  await writeDocuments(folder);
  await mkdir(builds, { recursive: true });
  // Whole or not at all: what is there is read while others build, and is never replaced.
  await rename(folder, target).catch(async (error: unknown) => {
    if (!existsSync(target)) throw error;
    await rm(folder, { recursive: true });
  });
  const older = (await readdir(builds)).map((name) => join(builds, name)).filter((each) => each !== target);
  await Promise.all(older.map((each) => rm(each, { recursive: true, force: true })));
}

/** Whatever a build depends on: its sources, how it is made, and the versions of what is imported. */
function digestOfSources(): string {
  const files = globSync('**/*.{ts,tsx,css,html,svg,json}', { cwd: sources }).sort();
  const paths = [
    ...files.map((file) => join(sources, file)),
    import.meta.filename,
    join(project, 'package-lock.json'),
  ];
  return hash('sha256', JSON.stringify([files, paths.map((path) => readFileSync(path, 'utf8'))]));
}

type Manifest = Readonly<
  Record<string, { readonly file: string; readonly css?: string[]; readonly imports?: string[] }>
>;

/** Each page its own HTML, which says at once what the page is made of: browsers would hear of it file by file. */
async function writePages(folder: string): Promise<void> {
  const manifest = JSON.parse(await readFile(join(folder, '.vite/manifest.json'), 'utf8')) as Manifest;
  const shell = await readFile(join(folder, 'index.html'), 'utf8');
  for (const [name, page] of Object.entries(manifest)) {
    const [, title] = /^(\w+)\/page\.tsx$/.exec(name) ?? [];
    if (title === undefined) continue;
    const parts = [page, ...(page.imports ?? []).flatMap((part) => manifest[part] ?? [])];
    const files = new Set(parts.flatMap(({ file, css = [] }) => [file, ...css]));
    const links = [...files]
      .filter((file) => !shell.includes(file))
      .map((file) => `<link ${relationOf(file)} crossorigin href="/${file}">`);
    await writeFile(join(folder, `${title}.html`), shell.replace('</head>', `${links.join('')}</head>`));
  }
  await rm(join(folder, 'index.html'));
}

/** What the pages ask for, as their client writes it: a server that runs nothing but trusted documents runs these. */
async function writeDocuments(folder: string): Promise<void> {
  const { formatDocument, stringifyDocument } = await import('@urql/core');
  const manifest: Record<string, string> = {};
  for (const file of globSync('*/documents.ts', { cwd: sources })) {
    const documents = (await import(join(sources, file))) as Readonly<Record<string, DocumentNode>>;
    for (const [name, document] of Object.entries(documents)) {
      if (!name.endsWith('Document')) continue;
      const text = stringifyDocument(formatDocument(document));
      manifest[documentIdOf(text)] = text;
    }
  }
  await writeFile(join(folder, 'documents.json'), JSON.stringify(manifest));
}

function relationOf(file: string): string {
  return file.endsWith('.css') ? 'rel="stylesheet"' : 'rel="modulepreload"';
}

async function compress(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  await Promise.all(
    files.map(async (file) => {
      const content = await readFile(file);
      const [br, gz] = await Promise.all([
        promisify(brotliCompress)(content, {
          params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length },
        }),
        promisify(gzip)(content, { level: 9 }),
      ]);
      await Promise.all([writeFile(`${file}.br`, br), writeFile(`${file}.gz`, gz)]);
    }),
  );
}

if (import.meta.main) {
  const target = join(builds, digestOfSources());
  if (!existsSync(target)) await buildPages(target);
}
