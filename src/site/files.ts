import { hash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import { readManifest } from '../kernel/manifest.ts';

/** The built pages, in memory: nothing else of the disk can be asked for. */
export interface Files {
  /**
   * Answers a GET or HEAD of a page, or of a file that pages load.
   * @returns whether it was one
   */
  answer(request: IncomingMessage, response: ServerResponse, pathname: string): boolean;
  /** The operations that the pages ask for, by their ids. */
  readonly documents: ReadonlyMap<string, string>;
}

interface File {
  readonly headers: Readonly<Record<string, string>>;
  readonly etag: string;
  readonly contents: Readonly<Record<'br' | 'gzip' | 'identity', Buffer>>;
}

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** A page loads, sends and shows what is of this server, and nothing else; no script or style stands in its text. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const pageHeaders = {
  'cache-control': 'no-cache',
  'content-security-policy': policy,
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy':
    'camera=(), geolocation=(), microphone=(), payment=(), usb=(), publickey-credentials-create=(self), publickey-credentials-get=(self)',
  // Where a browser says nothing else of whose page a link is on, over plain HTTP, it says this; to others nothing.
  'referrer-policy': 'same-origin',
} as const;
/** Its name changes with its content. */
const assetHeaders = { 'cache-control': 'public, max-age=31536000, immutable' } as const;

/** @param folder what `ensureBuilt` made */
export function readFiles(folder: string): Files {
  const files = new Map(
    globSync('{*.html,assets/*}', { cwd: folder, exclude: ['**/*.br', '**/*.gz'] }).map((name) => [
      addressOf(name),
      readFile(folder, name),
    ]),
  );
  return {
    documents: readManifest(readFileSync(join(folder, 'documents.json'), 'utf8')),
    answer: (request, response, pathname) => {
      const file = files.get(pathname);
      if (file === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) return false;
      response.setHeaders(new Map(Object.entries(file.headers)));
      response.setHeader('etag', file.etag);
      if (request.headers['if-none-match'] === file.etag) {
        response.writeHead(304).end();
        return true;
      }
      const encoding = bestOf(request.headers['accept-encoding']);
      const content = file.contents[encoding];
      if (encoding !== 'identity') response.setHeader('content-encoding', encoding);
      response.writeHead(200, { 'content-length': content.length });
      response.end(request.method === 'HEAD' ? undefined : content);
      return true;
    },
  };
}

/** The Licence Mapping page is the first; every other has its own name. */
function addressOf(name: string): string {
  return name === 'mapping.html' ? '/' : `/${name.replace(/\.html$/, '')}`;
}

function readFile(folder: string, name: string): File {
  const path = join(folder, name);
  const identity = readFileSync(path);
  const extension = extname(name);
  return {
    headers: {
      ...(extension === '.html' ? pageHeaders : assetHeaders),
      'content-type': types[extension] ?? 'application/octet-stream',
      'cross-origin-resource-policy': 'same-origin',
      vary: 'Accept-Encoding',
      'x-content-type-options': 'nosniff',
    },
    etag: `"${hash('sha256', identity, 'base64url')}"`,
    contents: { identity, br: readFileSync(`${path}.br`), gzip: readFileSync(`${path}.gz`) },
  };
}

function bestOf(accepted: string | undefined): 'br' | 'gzip' | 'identity' {
  const takes = (name: string) =>
    new RegExp(`(^|,) *${name} *(;(?! *q=0(\\.0*)? *(,|$))|,|$)`).test(accepted ?? '');
  return takes('br') ? 'br' : takes('gzip') ? 'gzip' : 'identity';
}
