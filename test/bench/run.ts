import { run as admission } from './admission.ts';

/** `npm run bench [name]`: one line of JSON a case. Figures are compared within one run only. */
const benches: Readonly<Record<string, () => Promise<void>>> = { admission };

const [wanted] = process.argv.slice(2);
if (wanted !== undefined && benches[wanted] === undefined) {
  console.error(`There is no bench ${wanted}; there are: ${Object.keys(benches).join(', ')}.`);
  process.exit(1);
}
for (const [name, run] of Object.entries(benches)) if (wanted === undefined || wanted === name) await run();
