import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { stringify } from 'csv-stringify';
import { GraphQLError } from 'graphql';
import type { Context } from '../graphql/context.ts';
import { beginDownload, type Refused } from '../graphql/download.ts';
import { codedError } from '../graphql/errors.ts';
import { optionalText } from '../graphql/input.ts';
import { readOrganisationId } from '../graphql/node.ts';
import { parseDateTime } from '../graphql/scalars.ts';
import { nowhere, type OrganisationId } from '../kernel/ids.ts';
import { isRefusal, notFound, type Refusal } from '../kernel/refusal.ts';
import type { Entry } from './domain.ts';
import { type EntryFilter, getHead, pageEntries } from './store.ts';

const place = 'Organisation.auditLog';

/** `/audit/ID.csv`; what belongs to no organisation is `/audit/nowhere.csv`. */
const path = /^\/audit\/([\w-]{1,100})\.csv$/;

/** Whether a path is one of a download. */
export function isAuditPath(pathname: string): boolean {
  return path.test(pathname);
}

/** So many entries are in memory at once, and a little of what the client has not taken yet. */
const pageSize = 1000;

/**
 * Streams an organisation's audit log as CSV, oldest first, as far as it goes when the download begins; filtered like the
 * field. Cells that a spreadsheet would take for a formula begin with an apostrophe.
 * @returns why not, when nothing was answered
 */
export async function downloadAudit(
  context: Context,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Refused | null> {
  const url = new URL(request.url ?? '', 'http://localhost');
  const id = path.exec(url.pathname)?.[1] ?? '';
  const refused = beginDownload(context, request, place, id);
  if (refused !== null) return refused;
  const organisationId = await findChain(context, id);
  if (organisationId === null) return { status: 404, refusal: notFound('organisation') };
  const filter = readFilter(url.searchParams);
  if ('code' in filter) return { status: 400, refusal: filter };

  response.writeHead(200, {
    'content-type': 'text/csv; charset=utf-8; header=present',
    'content-disposition': `attachment; filename="audit-${id}.csv"`,
    'cache-control': 'no-store',
  });
  await pipeline(
    Readable.from(rowsOf(context.services, organisationId, filter)),
    stringify({ header: true, columns: [...columns], escape_formulas: true, record_delimiter: 'windows' }),
    response,
  );
  return null;
}

async function findChain(context: Context, id: string): Promise<OrganisationId | null> {
  // Failed authentications, and what an operator was denied.
  if (id === 'nowhere' && context.actor.role === 'OPERATOR') return nowhere;
  const reference = await readOrganisationId(context, id);
  if (isRefusal(reference)) return null;
  const organisation = await context.findOrganisation(context, reference.organisationId);
  return organisation?.id ?? null;
}

const parameters = ['action', 'credential', 'from', 'until'] as const;

function readFilter(query: URLSearchParams): EntryFilter | Refusal {
  const unknown = [...query.keys()].find((name) => !parameters.some((known) => known === name));
  if (unknown !== undefined) {
    return {
      code: 'INVALID_INPUT',
      message: `There is no filter of this name; there are ${parameters.join(', ')}.`,
    };
  }
  try {
    const [from, until] = [query.get('from'), query.get('until')];
    return {
      action: readText(query, 'action'),
      credential: readText(query, 'credential'),
      from: from === null ? null : parseDateTime(from),
      until: until === null ? null : parseDateTime(until),
    };
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    return { code: 'INVALID_INPUT', message: error.message };
  }
}

function readText(query: URLSearchParams, name: string): string | null {
  const parsed = optionalText.safeParse(query.get(name));
  if (parsed.success) return parsed.data ?? null;
  throw codedError({ code: 'INVALID_INPUT', message: `${name}: 1 to 200 characters that can be shown.` });
}

const columns = [
  'sequence',
  'at',
  'role',
  'credential',
  'userId',
  'requestId',
  'action',
  'outcome',
  'subject',
  'before',
  'after',
  'hash',
] as const;

async function* rowsOf(
  { db }: Context['services'],
  organisationId: OrganisationId,
  filter: EntryFilter,
): AsyncGenerator<Readonly<Record<(typeof columns)[number], unknown>>, void, void> {
  const head = await getHead(db, organisationId);
  for (let beyond: readonly [Date, number] | null = null; ;) {
    const request = { limit: pageSize, backward: false, beyond };
    const page: readonly Entry[] = await pageEntries(db, organisationId, filter, request, 'asc');
    for (const entry of page) {
      if (entry.sequence > head.sequence) return;
      yield toRow(entry);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return;
    beyond = [last.at, last.sequence];
  }
}

function toRow({ at, before, after, hash, ...entry }: Entry) {
  return {
    ...entry,
    at: at.toISOString(),
    before: before === null ? null : JSON.stringify(before),
    after: after === null ? null : JSON.stringify(after),
    hash: hash.toString('hex'),
  };
}
