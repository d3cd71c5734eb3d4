import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import { ensureBuilt } from '../../src/site/build.ts';
import { readFiles } from '../../src/site/files.ts';
import { createSignIns } from '../../src/site/sign-in.ts';
import { createSignInCode } from '../../src/site/sign-in-code.ts';

/** The real pages, as the product serves them. `npm ci` built them; built anew where a source has changed since. */
export async function testPages(clock: Clock = systemClock) {
  return {
    files: readFiles(await ensureBuilt()),
    signIns: createSignIns('the-secret-of-the-tests', clock),
    code: createSignInCode('Bearer operator-key-of-the-tests'),
    openId: null,
  };
}
