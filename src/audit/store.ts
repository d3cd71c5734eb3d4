import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { byOrganisation, type Of } from '../database/bulk.ts';
import type { Database } from '../database/database.ts';
import { keyset, type PageRequest } from '../database/page.ts';
import type { Transaction } from '../database/transaction.ts';
import type { Role } from '../kernel/actor.ts';
import type { Instant } from '../kernel/clock.ts';
import { nowhere, type OrganisationId, type UserId } from '../kernel/ids.ts';
import {
  type Change,
  digestsIn,
  type Entry,
  type Head,
  type Json,
  type KeptName,
  link,
  noHead,
  type Who,
  withNames,
  withoutNames,
} from './domain.ts';

/** What an entry is to say, its names still in it. */
export interface Noted extends Omit<Change, 'subject'>, Who {
  readonly subject: string | null;
  readonly at: Instant;
  readonly action: string;
  readonly outcome: string;
}

/** What is to be written of some organisations' chains. */
export interface Links {
  readonly entries: readonly Of<Entry>[];
  readonly names: readonly Of<KeptName>[];
}

const saltBytes = 16;
const newSalt = () => randomBytes(saltBytes);

/**
 * Puts what was noted behind the heads of its organisations' chains. The caller holds the organisations' locks, so that
 * nobody else does so meanwhile; the table's key refuses whoever does not.
 */
export async function chain(trx: Transaction, noted: readonly Of<Noted>[]): Promise<Links> {
  if (noted.length === 0) return { entries: [], names: [] };
  const names: Of<KeptName>[] = [];
  const toJson = ({ organisationId }: Of<Noted>, facts: Change['before']): Json => {
    const taken = withoutNames(facts, newSalt);
    for (const name of taken.names) names.push({ organisationId, ...name });
    return taken.json;
  };
  const grouped = byOrganisation(noted);
  const heads = await listHeads(trx, [...grouped.keys()]);
  const entries = [...grouped].flatMap(([organisationId, changes]) => {
    const events = changes.map((change) => ({
      ...change,
      before: toJson(change, change.before),
      after: toJson(change, change.after),
    }));
    return link(organisationId, heads.get(organisationId) ?? noHead, events).map((entry) => ({
      ...entry,
      organisationId,
    }));
  });
  return { entries, names };
}

/** Notes one change beside a ledger, in the change's own transaction. The caller holds the organisation's lock. */
export async function note(trx: Transaction, noted: Of<Noted>): Promise<void> {
  await Promise.all(saveLinks(trx, await chain(trx, [noted])));
}

/** Writes links: the statements are sent before it returns. */
export function saveLinks(trx: Transaction, { entries, names }: Links): Promise<unknown>[] {
  const saving: Promise<unknown>[] = [];
  if (entries.length > 0) saving.push(insertEntries(trx, entries), saveHeads(trx, entries));
  if (names.length > 0) saving.push(trx.insertInto('auditName').values(names).execute());
  return saving;
}

function insertEntries(trx: Transaction, entries: readonly Of<Entry>[]): Promise<unknown> {
  return trx
    .insertInto('auditEntry')
    .values(
      entries.map((entry) => ({
        organisationId: entry.organisationId,
        sequence: entry.sequence,
        version: entry.version,
        at: entry.at,
        role: entry.role,
        credential: entry.credential,
        userId: entry.userId,
        requestId: entry.requestId,
        action: entry.action,
        outcome: entry.outcome,
        subject: entry.subject,
        before: entry.before === null ? null : JSON.stringify(entry.before),
        after: entry.after === null ? null : JSON.stringify(entry.after),
        previousHash: entry.previousHash,
        hash: entry.hash,
      })),
    )
    .execute();
}

function saveHeads(trx: Transaction, entries: readonly Of<Entry>[]): Promise<unknown> {
  const last = new Map(entries.map((entry) => [entry.organisationId, entry]));
  return trx
    .insertInto('auditHead')
    .values(
      [...last].map(([organisationId, { sequence, at, hash }]) => ({ organisationId, sequence, at, hash })),
    )
    .onConflict((conflict) =>
      conflict.column('organisationId').doUpdateSet(({ ref }) => ({
        sequence: ref('excluded.sequence'),
        at: ref('excluded.at'),
        hash: ref('excluded.hash'),
      })),
    )
    .execute();
}

/** Those that have none are missing. */
async function listHeads(
  db: Database,
  organisationIds: readonly OrganisationId[],
): Promise<ReadonlyMap<OrganisationId, Head>> {
  const rows = await db
    .selectFrom('auditHead')
    .select(['organisationId', 'sequence', 'at', 'hash'])
    .where('organisationId', 'in', organisationIds)
    .execute();
  return new Map(rows.map(({ organisationId, ...head }) => [organisationId, head]));
}

/** A chain's end; of a chain without entries, `noHead`. */
export async function getHead(db: Database, organisationId: OrganisationId): Promise<Head> {
  return (await listHeads(db, [organisationId])).get(organisationId) ?? noHead;
}

/** What belongs to no organisation has no organisation's row to be locked by. */
export async function lockNowhere(trx: Transaction): Promise<Head> {
  return trx
    .selectFrom('auditHead')
    .select(['sequence', 'at', 'hash'])
    .where('organisationId', '=', nowhere)
    .forUpdate()
    .executeTakeFirstOrThrow();
}

export interface EntryFilter {
  readonly action: string | null;
  readonly credential: string | null;
  /** `[from, until)`, real time. */
  readonly from: Instant | null;
  readonly until: Instant | null;
}

const columns = [
  'sequence',
  'version',
  'at',
  'credential',
  'userId',
  'requestId',
  'action',
  'outcome',
  'subject',
  'previousHash',
  'hash',
] as const;

/** As they were hashed: the plugin that turns columns' names around does so within JSON as well. */
const hashed = [
  ...columns,
  sql<Role | null>`role`.as('role'),
  sql<string | null>`before::text`.as('before'),
  sql<string | null>`after::text`.as('after'),
] as const;

function toEntry<Row extends { readonly before: string | null; readonly after: string | null }>(row: Row) {
  const parse = (text: string | null) => (text === null ? null : (JSON.parse(text) as Json));
  return { ...row, before: parse(row.before), after: parse(row.after) };
}

function found(
  db: Database,
  organisationId: OrganisationId,
  { action, credential, from, until }: EntryFilter,
) {
  return db
    .selectFrom('auditEntry')
    .where('organisationId', '=', organisationId)
    .$if(action !== null, (query) => query.where('action', '=', action ?? ''))
    .$if(credential !== null, (query) => query.where('credential', '=', credential))
    .$if(from !== null, (query) => query.where('at', '>=', from ?? noHead.at))
    .$if(until !== null, (query) => query.where('at', '<', until ?? noHead.at));
}

/** In the order of sequences (`at` never falls along it), with the names that are not erased. */
export async function pageEntries(
  db: Database,
  organisationId: OrganisationId,
  filter: EntryFilter,
  page: PageRequest,
  order: 'asc' | 'desc' = 'desc',
): Promise<Entry[]> {
  const { where, orderBy } = keyset(page, order, ['at', 'sequence']);
  const rows = await found(db, organisationId, filter)
    .select(hashed)
    .where(where)
    .orderBy(orderBy)
    .limit(page.limit)
    .execute();
  const entries = rows.map(toEntry);
  const names = await listNames(db, organisationId, entries.flatMap(digestsIn));
  return entries.map((entry) => ({
    ...entry,
    before: withNames(entry.before, names),
    after: withNames(entry.after, names),
  }));
}

export async function countEntries(
  db: Database,
  organisationId: OrganisationId,
  filter: EntryFilter,
): Promise<number> {
  const { count } = await found(db, organisationId, filter)
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return count;
}

/** As they stand in the chain, from a sequence on. */
export async function listEntriesAfter(
  db: Database,
  organisationId: OrganisationId,
  sequence: number,
  limit: number,
): Promise<Entry[]> {
  const rows = await db
    .selectFrom('auditEntry')
    .select(hashed)
    .where('organisationId', '=', organisationId)
    .where('sequence', '>', sequence)
    .orderBy('sequence')
    .limit(limit)
    .execute();
  return rows.map(toEntry);
}

/** A name beside the chain, and whether its user's names may be gone. */
export interface FoundName {
  readonly salt: Buffer | null;
  readonly value: string;
  readonly isErased: boolean;
}

/** By their digests, in hexadecimal. */
export async function listNames(
  db: Database,
  organisationId: OrganisationId,
  digests: readonly string[],
): Promise<ReadonlyMap<string, FoundName>> {
  if (digests.length === 0) return new Map();
  const rows = await db
    .selectFrom('auditName')
    .leftJoin('erasedUser', (join) =>
      join
        .onRef('erasedUser.organisationId', '=', 'auditName.organisationId')
        .onRef('erasedUser.userId', '=', 'auditName.userId'),
    )
    .select(['digest', 'salt', 'value', 'erasedUser.at as erasedAt'])
    .where('auditName.organisationId', '=', organisationId)
    .where(
      'digest',
      'in',
      digests.map((digest) => Buffer.from(digest, 'hex')),
    )
    .execute();
  return new Map(
    rows.map(({ digest, salt, value, erasedAt }) => [
      digest.toString('hex'),
      { salt, value, isErased: erasedAt !== null },
    ]),
  );
}

/** What entries say of a user becomes a pseudonym; without its salt nobody can tell any more what a digest stood for. */
export async function eraseNames(
  trx: Transaction,
  organisationId: OrganisationId,
  userId: UserId,
  pseudonym: string,
): Promise<void> {
  await trx
    .updateTable('auditName')
    .set({ salt: null, value: pseudonym })
    .where('organisationId', '=', organisationId)
    .where('userId', '=', userId)
    .execute();
}

/** The chains one after the other, each by one step down three indexes; null after the last. Also those of organisations that nobody knows. */
export async function findNextChain(
  db: Database,
  after: OrganisationId | null,
): Promise<{ readonly organisationId: OrganisationId; readonly name: string | null } | null> {
  const beyond = after === null ? sql`true` : sql`id > ${after}`;
  const { rows } = await sql<{ readonly organisationId: OrganisationId; readonly name: string | null }>`
    select chain.id as organisation_id, organisation.name from (
      (select id from organisation where ${beyond} order by id limit 1)
      union all
      (select id from (select organisation_id as id from audit_entry) entry where ${beyond} order by id limit 1)
      union all
      (select id from (select organisation_id as id from audit_head) head where ${beyond} order by id limit 1)
    ) chain left join organisation on organisation.id = chain.id
    order by chain.id limit 1`.execute(db);
  return rows[0] ?? null;
}
