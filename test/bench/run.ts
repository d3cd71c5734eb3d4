import { run as admission } from './admission.ts';
import { run as fanout } from './fanout.ts';
import { run as graphql } from './graphql.ts';
import { run as historyReads } from './history-reads.ts';
import { run as historyWrites } from './history-writes.ts';
import { run as mapping } from './mapping.ts';
import { run as pages } from './pages.ts';
import { finish } from './report.ts';

/**
 * `npm run bench [name [part]]`: one line of JSON a case, a table at the end, and the table in RESULTS.md. Figures are compared
 * within one run only.
 */
const benches: Readonly<Record<string, (part?: string) => Promise<void>>> = {
  admission,
  graphql,
  mapping,
  fanout,
  'history-writes': historyWrites,
  'history-reads': historyReads,
  pages,
};

const [wanted, part] = process.argv.slice(2);
if (wanted !== undefined && benches[wanted] === undefined) {
  console.error(`There is no bench ${wanted}; there are: ${Object.keys(benches).join(', ')}.`);
  process.exit(1);
}
for (const [name, run] of Object.entries(benches)) {
  if (wanted !== undefined && wanted !== name) continue;
  try {
    await run(part);
  } catch (error) {
    // What was measured is worth keeping.
    console.error(error);
    process.exitCode = 1;
  }
}
await finish();
