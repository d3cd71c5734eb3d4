import type { IncomingMessage } from 'node:http';

/** What a browser says of who had it send a request. No script can have it say otherwise. */
export interface Sender {
  /** NOBODY: it does not say, or it is no browser. */
  readonly who: 'OWN_PAGE' | 'OTHER_PAGE' | 'PERSON' | 'NOBODY';
  /** Whether it came over TLS, to the proxy that ends it; null: it does not say. */
  readonly isSecure: boolean | null;
}

/**
 * Who had a browser send a request: a page of this very origin, another, or the person by the address or a bookmark. The
 * address of the page is told wherever it may be: by `Origin` of whatever is not read alone and of every WebSocket, else by
 * `Referer`. `Sec-Fetch-Site` is told by TLS, and on one’s own machine, alone.
 */
export function senderOf({ headers }: IncomingMessage): Sender {
  const { origin, referer, host = '', 'sec-fetch-site': site } = headers;
  const isElsewhere = site !== undefined && site !== 'same-origin' && site !== 'none';
  const address = origin ?? referer;
  if (address !== undefined) {
    const page = URL.canParse(address) ? new URL(address) : null;
    const isOwn = page?.host === host && !isElsewhere;
    return { who: isOwn ? 'OWN_PAGE' : 'OTHER_PAGE', isSecure: page?.protocol === 'https:' };
  }
  if (site === undefined) return { who: 'NOBODY', isSecure: null };
  return {
    who: isElsewhere ? 'OTHER_PAGE' : site === 'none' ? 'PERSON' : 'OWN_PAGE',
    isSecure: isOwnMachine(host) ? null : true,
  };
}

/** Whether browsers trust a host over plain HTTP. */
function isOwnMachine(host: string): boolean {
  return /^(127\.\d+\.\d+\.\d+|\[::1\]|([\w-]+\.)*localhost)(:\d+)?$/.test(host);
}
