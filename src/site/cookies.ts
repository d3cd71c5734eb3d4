import type { IncomingMessage } from 'node:http';

/** A cookie of this host: no script reads it, and with a `__Host-` name it goes by TLS alone. */
export interface Cookie {
  readonly name: string;
  readonly value: string;
  /** 0: the browser is to forget it. */
  readonly seconds: number;
  readonly sameSite: 'Strict' | 'Lax';
}

/** What a cookie is set by. */
export function headerOf({ name, value, seconds, sameSite }: Cookie): string {
  const secure = name.startsWith('__Host-') ? '; Secure' : '';
  return `${name}=${value}; Max-Age=${seconds}; Path=/; HttpOnly; SameSite=${sameSite}${secure}`;
}

/** The value of the first of these names that a request has a cookie of. */
export function cookieOf(
  { headers: { cookie = '' } }: IncomingMessage,
  names: readonly string[],
): string | null {
  const given = new Map(
    cookie.split(';').map((pair) => {
      const [name = '', value = ''] = pair.split('=', 2);
      // Not by `trim`: a name that begins with another kind of blank has no prefix for browsers, and is anybody's to set.
      return [name.replace(/^[ \t]+/, ''), value.trim()] as const;
    }),
  );
  return names.map((name) => given.get(name)).find((value) => value !== undefined) ?? null;
}
