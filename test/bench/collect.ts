/** Preloaded into a server: at SIGUSR2 it collects its garbage, and tells on standard error what is left. */
process.on('SIGUSR2', () => {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('Node is to be started with --expose-gc');
  gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  process.stderr.write(`${JSON.stringify(process.memoryUsage())}\n`);
});
