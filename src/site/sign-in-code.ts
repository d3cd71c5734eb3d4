import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

/** What a link carries in place of a credential: worth it once, to whoever opens the link first. */
export interface SignInCode {
  readonly code: string;
  /**
   * What an `authorization` stands for: the credential where it shows the code, for the first time; null where it shows
   * another, or one that was used. What shows no code stands for itself.
   */
  exchange(authorization: string): string | null;
}

/** @param authorization what the code is exchanged for; in this process’ memory alone, as is whether it was */
export function createSignInCode(authorization: string): SignInCode {
  const code = randomBytes(24).toString('base64url');
  const expected = digestOf(code);
  let isUsed = false;
  return {
    code,
    exchange: (shown) => {
      const given = readCode(shown);
      if (given === null) return shown;
      if (!timingSafeEqual(digestOf(given), expected) || isUsed) return null;
      isUsed = true;
      return authorization;
    },
  };
}

/** The code that is shown as `Code CODE`; null: something else is. */
function readCode(authorization: string): string | null {
  return /^Code +(\S+)$/i.exec(authorization)?.[1] ?? null;
}

function digestOf(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
