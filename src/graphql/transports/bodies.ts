import type { IncomingMessage } from 'node:http';
import type { Actor } from '../../kernel/actor.ts';
import { createTally, type Leave } from './limits.ts';

/** What a request over HTTP may cost before it is read. */
export interface BodyLimits {
  /** Of one request. */
  readonly maxBytes: number;
  /** On their way at one time, of one caller. */
  readonly maxPerKey: number;
  /** Of all callers of one organisation together. */
  readonly maxPerOrganisation: number;
  /** Within which a request is there, head and body; it is looked at every fifteenth part of it. */
  readonly milliseconds: number;
}

export const defaultBodyLimits: BodyLimits = {
  maxBytes: 1024 * 1024,
  maxPerKey: 100,
  maxPerOrganisation: 200,
  milliseconds: 15_000,
};

/**
 * Counts the bodies that are on their way, of each caller and organisation. One that is there already is none: when many
 * requests waited together to be admitted, none of them is held up by the others.
 * @returns counts one more; null: there are too many
 */
export function createBodies(limits: BodyLimits): (request: IncomingMessage, actor: Actor) => Leave | null {
  const tally = createTally(limits.maxPerKey, limits.maxPerOrganisation);
  return (request, actor) => (request.complete ? () => {} : tally(actor));
}

/** A request's body, whole. GONE: its client left in the middle of it, or took too long. */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | 'TOO_LARGE' | 'GONE'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBytes) {
        request.pause();
        resolve('TOO_LARGE');
      } else {
        chunks.push(chunk);
      }
    });
    request.once('end', () => resolve(Buffer.concat(chunks)));
    const gone = () => resolve('GONE');
    request.once('error', gone);
    request.once('close', gone);
    // While it was found out who asks, nobody listened.
    if (request.destroyed) gone();
  });
}
