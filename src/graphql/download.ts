import type { IncomingMessage } from 'node:http';
import { grantOf, type Place } from '../kernel/access.ts';
import type { Refusal } from '../kernel/refusal.ts';
import { forbidden } from './access.ts';
import type { Context } from './context.ts';

/** What a download answers that is none. */
export interface Refused {
  readonly status: 400 | 403 | 404 | 405;
  readonly refusal: Refusal;
}

/**
 * Begins a download, by the rules of the place that shows the same over GraphQL.
 * @param id of what is asked for, as the client spells it
 * @returns why not
 */
export function beginDownload(
  context: Context,
  request: IncomingMessage,
  place: Place,
  id: string,
): Refused | null {
  context.action = place;
  if (request.method !== 'GET') {
    const message = 'A download is asked for by GET.';
    return { status: 405, refusal: { code: 'BAD_REQUEST', message } };
  }
  if (grantOf(context.actor, place) !== null) return null;
  context.denied({ action: place, outcome: 'FORBIDDEN', subject: id });
  return { status: 403, refusal: forbidden(context.actor) };
}
