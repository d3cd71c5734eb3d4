/** `npm run bench [name]`: one line of JSON a case. Figures are compared within one run only. */
const benches = ['admission', 'graphql'];
const [wanted] = process.argv.slice(2);
if (wanted !== undefined && !benches.includes(wanted)) {
  console.error(`There is no bench ${wanted}; there are: ${benches.join(', ')}.`);
  process.exit(1);
}
for (const name of wanted === undefined ? benches : [wanted]) {
  const { run } = (await import(`./${name}.ts`)) as { run: () => Promise<void> };
  await run();
}

export {};
