import type { IncomingMessage, ServerResponse } from 'node:http';
import { senderOf } from '../../kernel/sender.ts';

/** Which pages’ scripts may speak to the server. */
export interface Origins {
  /**
   * Lets scripts of the allowed origins read the answer to come; of others none can.
   * @returns whether it was a preflight, which is answered by that
   */
  greet(request: IncomingMessage, response: ServerResponse): boolean;
  /**
   * Whether the WebSocket may be opened: not by a page of another origin that is not allowed. Who sends no origin is no
   * browser.
   */
  mayConnect(request: IncomingMessage): boolean;
}

const preflightSeconds = 600;
const methods = 'GET, POST';
/** None of them can be sent from elsewhere without a preflight. */
const proofs = ['x-requested-with', 'graphql-require-preflight', 'apollo-require-preflight'] as const;
const sentHeaders = ['authorization', 'content-type', 'x-request-id', ...proofs].join(', ');
const readHeaders = 'x-request-id, retry-after';

/** @param allowed origins as browsers write them, like `https://wall.example`; none: CORS is closed */
export function createOrigins(allowed: readonly string[]): Origins {
  const known = new Set(allowed);
  return {
    greet: (request, response) => {
      const { origin } = request.headers;
      const isKnown = origin !== undefined && known.has(origin);
      if (known.size > 0) response.setHeader('vary', 'Origin');
      // Never with credentials: what a browser sends by itself is for pages of this origin.
      if (isKnown) {
        response.setHeader('access-control-allow-origin', origin);
        response.setHeader('access-control-expose-headers', readHeaders);
      }
      if (request.method !== 'OPTIONS') return false;
      if (isKnown) {
        response.setHeader('access-control-allow-methods', methods);
        response.setHeader('access-control-allow-headers', sentHeaders);
        response.setHeader('access-control-max-age', preflightSeconds);
      }
      response.writeHead(204, { allow: `${methods}, OPTIONS` }).end();
      return true;
    },
    mayConnect: ({ headers: { origin, host } }) => {
      if (origin === undefined || known.has(origin)) return true;
      return URL.canParse(origin) && new URL(origin).host === host;
    },
  };
}

/**
 * Whether a page of anybody’s could have had a browser send this request: with the credentials that a browser adds by
 * itself, cookies, and in a form that it asks nobody’s leave for. Whoever shows a key in `authorization` is safe, as no
 * other page knows it. What can set no header, EventSource and links, is told apart by what the browser says of it.
 */
export function isForgeable(request: IncomingMessage): boolean {
  const { method, headers } = request;
  if (headers.cookie === undefined || headers.authorization !== undefined) return false;
  if (senderOf(request).who === 'OWN_PAGE') return false;
  if (proofs.some((name) => headers[name] !== undefined)) return false;
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  const isPreflighted =
    type === 'application/json' || type === 'application/graphql' || type === 'application/graphql+json';
  return method === 'GET' || !isPreflighted;
}
