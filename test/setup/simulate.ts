import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestServer } from './server.ts';

const program = join(import.meta.dirname, '../../src/cli/simulate.ts');

export interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Simulator {
  /** Runs the simulator as `npm run simulate` does, in a process of its own. */
  readonly run: (...args: string[]) => Promise<Run>;
  /** A file of lines for it, by its path. */
  readonly write: (name: string, lines: readonly string[]) => string;
  readonly dispose: () => void;
}

export function createSimulator(server: TestServer): Simulator {
  const folder = mkdtempSync(join(tmpdir(), 'seatkeeper-simulate-'));
  return {
    run: (...args) => {
      const command = [program, '--url', server.url, '--key', server.key, ...args];
      const child = spawn(process.execPath, command, { cwd: folder });
      const run = { out: '', err: '' };
      child.stdout.on('data', (text) => (run.out += String(text)));
      child.stderr.on('data', (text) => (run.err += String(text)));
      return new Promise((resolve) => {
        child.on('close', (code) => resolve({ code, ...run }));
      });
    },
    write: (name, lines) => {
      const file = join(folder, name);
      writeFileSync(file, `${lines.join('\n')}\n`);
      return file;
    },
    dispose: () => rmSync(folder, { recursive: true }),
  };
}
