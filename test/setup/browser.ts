import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflate } from '@sparticuz/chromium';
import { type Browser, chromium } from 'playwright-core';

const archives = join(import.meta.dirname, '../../node_modules/@sparticuz/chromium/bin');
const installed = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export interface TestBrowser {
  readonly browser: Browser;
  readonly close: () => Promise<void>;
}

/**
 * A headless Chromium of the caller's own: the packaged one on Linux on x86-64, else one that is installed.
 * @returns null where none can be run; why is told on the console
 */
export async function startBrowser(): Promise<TestBrowser | null> {
  // The package unpacks into the temporary folder, and takes for its own whatever of that name it finds there.
  const folder = mkdtempSync(join(tmpdir(), 'seatkeeper-chromium-'));
  const failures: unknown[] = [];
  const launch = async (executablePath: string, env: NodeJS.ProcessEnv = {}): Promise<TestBrowser | null> => {
    try {
      const browser = await chromium.launch({
        executablePath,
        args: [
          ...['--no-sandbox', '--no-zygote', '--disable-gpu'],
          // Another machine's name, over plain HTTP: browsers trust no such page with all that they trust this machine's.
          '--host-resolver-rules=MAP *.test 127.0.0.1',
        ],
        env: { ...process.env, TMPDIR: folder, ...env } as Record<string, string>,
      });
      const close = async () => {
        await browser.close();
        rmSync(folder, { recursive: true, force: true });
      };
      return { browser, close };
    } catch (error) {
      failures.push(error);
      return null;
    }
  };

  const path = installed.find((each) => existsSync(each));
  const started =
    process.platform === 'linux' && process.arch === 'x64'
      ? await launchPackaged(folder, launch)
      : path === undefined
        ? null
        : await launch(path);
  if (started === null) {
    rmSync(folder, { recursive: true, force: true });
    console.error(
      '\n*** NO BROWSER CAN BE RUN HERE: what needs one is skipped, not passed. ***\n',
      ...failures,
    );
  }
  return started;
}

async function launchPackaged(
  folder: string,
  launch: (executablePath: string, env?: NodeJS.ProcessEnv) => Promise<TestBrowser | null>,
): Promise<TestBrowser | null> {
  const { TMPDIR } = process.env;
  process.env['TMPDIR'] = folder;
  try {
    const executable = await inflate(join(archives, 'chromium.br'));
    const started = await launch(executable);
    if (started !== null) return started;
    // The libraries that a bare system lacks come with it.
    const libraries = await inflate(join(archives, 'al2023.tar.br'));
    return await launch(executable, { LD_LIBRARY_PATH: join(libraries, 'lib') });
  } finally {
    if (TMPDIR === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = TMPDIR;
  }
}
