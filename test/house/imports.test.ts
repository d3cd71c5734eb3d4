import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';

const infrastructure = ['kernel', 'database', 'live', 'graphql', 'site'];
const root = ['app', 'main', 'schema', 'schema-text', 'config', 'log', 'demonstration'];

/** Where a file stands in the house: its room, and in a noun's room its layer. */
function place(file: string): { room: string; layer: string } {
  const [room = '', ...rest] = file.replace(/^src\//, '').split('/');
  return { room: rest.length === 0 ? 'root' : room, layer: (rest[0] ?? room).replace(/\.tsx?$/, '') };
}

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typesOnly: boolean;
}

function importsOf(file: string): Import[] {
  const source = readFileSync(file, 'utf8');
  const found = source.matchAll(/^(?:import|export)\s(?<type>type\s)?[^;]*?['"](?<path>\.[^'"]+)['"];/gms);
  return [...found].map(({ groups }) => ({
    from: file,
    to: normalize(join(dirname(file), groups?.['path'] ?? '')),
    typesOnly: groups?.['type'] !== undefined,
  }));
}

/** Whether the house's rules let one file import another. */
function isAllowed({ from, to, typesOnly }: Import): boolean {
  const importer = place(from);
  const imported = place(to);
  // The pages run in browsers, and know the server by its API alone. A page knows the shell, and no other page.
  if (importer.room === 'web' || imported.room === 'web') {
    return (
      importer.room === imported.room &&
      [importer.layer, 'shell', 'words'].includes(imported.layer) &&
      (importer.layer !== 'words' || imported.layer === 'words')
    );
  }
  if (importer.room === 'root') return true;
  if (importer.room === imported.room && infrastructure.includes(importer.room)) return true;
  const isNoun =
    imported.room !== 'root' && imported.room !== 'cli' && !infrastructure.includes(imported.room);

  switch (importer.room) {
    case 'cli':
      // A command that works on the database puts itself together; the simulator is a client, and sees no noun.
      return (
        ['kernel', 'database', 'cli', 'root'].includes(imported.room) ||
        (!from.startsWith('src/cli/simulate') &&
          isNoun &&
          ['domain', 'store', 'commands'].includes(imported.layer))
      );
    case 'kernel':
      return false;
    case 'database':
    case 'site':
      return imported.room === 'kernel';
    case 'live':
      // What every command works with has the catalogue in it.
      return ['kernel', 'database'].includes(imported.room) || (typesOnly && imported.layer === 'domain');
    case 'graphql':
      // The Context carries the database and the live services, which graphql does not call.
      return imported.room === 'kernel' || (typesOnly && ['database', 'live'].includes(imported.room));
  }
  if (imported.room === 'kernel') return true;
  // How it is found out who asks is no transaction, and is put together of three.
  if (importer.layer === 'authenticate' && importer.room === imported.room)
    return imported.layer !== 'graphql';
  switch (importer.layer) {
    case 'domain':
      return isNoun && imported.layer === 'domain';
    case 'store':
      return (
        imported.room === 'database' ||
        (isNoun && imported.layer === 'domain' && (importer.room === imported.room || typesOnly))
      );
    case 'commands':
    case 'desk':
    case 'authenticate':
    case 'tokens':
    case 'watch':
      return (
        ['database', 'live'].includes(imported.room) ||
        (isNoun && ['domain', 'store'].includes(imported.layer)) ||
        imported.room === 'ledger'
      );
    // What answers beside GraphQL, by the same rules.
    case 'download':
    case 'graphql':
      return (
        ['graphql', 'live', 'ledger'].includes(imported.room) ||
        (isNoun && ['domain', 'store'].includes(imported.layer)) ||
        (importer.room === imported.room && imported.layer === 'commands')
      );
    default:
      return false;
  }
}

const files = globSync('src/**/*.{ts,tsx}');

test('every file imports only what its place in the house allows', () => {
  const broken = files
    .flatMap(importsOf)
    .filter((one) => !isAllowed(one))
    .map(({ from, to }) => `${from} → ${to}`);
  expect(files.length).toBeGreaterThan(50);
  expect(broken).toEqual([]);
});

test('the rule would see a breach', () => {
  expect(isAllowed({ from: 'src/kernel/ids.ts', to: 'src/user/domain.ts', typesOnly: false })).toBe(false);
  expect(isAllowed({ from: 'src/user/domain.ts', to: 'src/user/store.ts', typesOnly: true })).toBe(false);
  expect(isAllowed({ from: 'src/user/commands.ts', to: 'src/session/commands.ts', typesOnly: true })).toBe(
    false,
  );
  expect(isAllowed({ from: 'src/user/graphql.ts', to: 'src/session/graphql.ts', typesOnly: false })).toBe(
    false,
  );
  expect(
    isAllowed({ from: 'src/graphql/builder.ts', to: 'src/database/database.ts', typesOnly: false }),
  ).toBe(false);
  expect(isAllowed({ from: 'src/web/mapping/page.tsx', to: 'src/kernel/ids.ts', typesOnly: true })).toBe(
    false,
  );
  expect(
    isAllowed({ from: 'src/web/mapping/page.tsx', to: 'src/web/usage/page.tsx', typesOnly: false }),
  ).toBe(false);
  expect(isAllowed({ from: 'src/app.ts', to: 'src/web/words.ts', typesOnly: false })).toBe(false);
});

test('only the known files stand outside a room, and no file re-exports a room', () => {
  const outside = files.filter((file) => place(file).room === 'root').map((file) => place(file).layer);
  expect(outside.filter((name) => !root.includes(name))).toEqual([]);
  expect(files.filter((file) => file.endsWith('/index.ts'))).toEqual([]);
});

test('nothing reads the wall clock but kernel/clock', () => {
  const readers = files.filter(
    (file) =>
      !file.startsWith('src/cli/') &&
      file !== 'src/kernel/clock.ts' &&
      // By how far the browser's clock leapt it knows that its computer slept; it takes no time from it.
      file !== 'src/web/wallboard/screen.ts' &&
      /new Date\(\)|Date\.now\(\)|performance\.now\(\)/.test(readFileSync(file, 'utf8')),
  );
  expect(readers).toEqual([]);
});

test('migrations import nothing from src', () => {
  const importing = globSync('migrations/*.ts').filter((file) => importsOf(file).length > 0);
  expect(importing).toEqual([]);
});
