import { hash } from 'node:crypto';
import type { By, Role } from '../kernel/actor.ts';
import { type Instant, latest, plusSeconds } from '../kernel/clock.ts';
import type { OrganisationId, UserId } from '../kernel/ids.ts';

/** What a command says of a change, to be written with it. */
export interface Change {
  /** What was changed, by its id as clients know it. */
  readonly subject: string;
  /** Only what the change is about; null: there was nothing before. */
  readonly before: Facts | null;
  /** null: there is nothing after it. */
  readonly after: Facts | null;
}

export type Facts = Readonly<Record<string, Fact>>;
export type Fact = string | number | boolean | null | Instant | readonly string[] | PersonName;

/** Something by which a person is known. The chain holds its digest only: it can be erased without breaking the chain. */
export interface PersonName {
  readonly ofUser: UserId;
  readonly value: string;
}

/** What the user is known by, as a fact; null where there is nothing to be known by. */
export function nameOf(ofUser: UserId, value: string | null): PersonName | null {
  return value === null ? null : { ofUser, value };
}

/** Of two states those values that differ, before and after. */
export function differing<State extends object>(
  before: State,
  after: State,
  keys: readonly (keyof State & string)[],
): { readonly before: Facts; readonly after: Facts } {
  const changed = keys.filter((key) => before[key]?.valueOf() !== after[key]?.valueOf());
  const pick = (state: State) =>
    Object.fromEntries(changed.map((key) => [key, state[key] as Fact])) satisfies Facts;
  return { before: pick(before), after: pick(after) };
}

/** Who did something: an actor by a credential, in a request; all null of what happens by itself. */
export interface Who {
  readonly role: Role | null;
  readonly credential: string | null;
  readonly userId: UserId | null;
  readonly requestId: string | null;
}

export function whoOf(by: By | null): Who {
  return {
    role: by?.actor.role ?? null,
    credential: by?.actor.credential ?? null,
    userId: by?.actor.userId ?? null,
    requestId: by?.requestId ?? null,
  };
}

/** What an entry says of a change that was made, beside the change. */
export function doneBy(by: By | null, at: Instant, action: string) {
  return { ...whoOf(by), at, action, outcome: 'DONE' };
}

/** JSON as PostgreSQL keeps it: whole numbers, and names by their digests. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** What is to be told; where it stands in its chain is not known yet. */
export interface Event extends Who {
  readonly at: Instant;
  /** The mutation or field that was asked for. */
  readonly action: string;
  /** DONE, or the code of the refusal. */
  readonly outcome: string;
  readonly subject: string | null;
  readonly before: Json;
  readonly after: Json;
}

/** An event in its place in its organisation's chain. */
export interface Entry extends Event {
  /** 1, 2, 3 …, without a gap. */
  readonly sequence: number;
  readonly version: number;
  readonly previousHash: Buffer;
  readonly hash: Buffer;
}

/** Where a chain ends. */
export type Head = Pick<Entry, 'sequence' | 'at' | 'hash'>;

/** Of a chain without entries. */
export const noHead: Head = { sequence: 0, at: new Date(0), hash: Buffer.alloc(32) };

export const serialisationVersion = 1;

/**
 * The bytes that an entry's hash covers, in version 1: UTF-8 of a JSON array without spaces of the version, the
 * organisation's UUID, the sequence, the instant (RFC 3339, UTC, milliseconds), role, credential, user's UUID, request id,
 * action, outcome, subject, before, after, and the previous entry's hash in hexadecimal. What is not there is null; the
 * names in `before` and `after` are sorted by their UTF-16 code units.
 */
function serialise(organisationId: string, entry: Omit<Entry, 'hash'>): string {
  return JSON.stringify([
    entry.version,
    organisationId,
    entry.sequence,
    entry.at.toISOString(),
    entry.role,
    entry.credential,
    entry.userId,
    entry.requestId,
    entry.action,
    entry.outcome,
    entry.subject,
    sorted(entry.before),
    sorted(entry.after),
    entry.previousHash.toString('hex'),
  ]);
}

/** PostgreSQL keeps the names of an object in an order of its own. */
function sorted(json: Json): Json {
  if (typeof json !== 'object' || json === null) return json;
  if (isList(json)) return json.map(sorted);
  const names = Object.keys(json).sort();
  return Object.fromEntries(names.map((name) => [name, sorted(json[name] ?? null)]));
}

function isList(json: Json): json is readonly Json[] {
  return Array.isArray(json);
}

export function hashOf(organisationId: string, entry: Omit<Entry, 'hash'>): Buffer {
  return hash('sha256', serialise(organisationId, entry), 'buffer');
}

/** Puts events behind a chain's head. No entry is earlier than the one before it, whatever the clocks of servers say. */
export function link(organisationId: string, head: Head, events: readonly Event[]): Entry[] {
  let last = head;
  return events.map((event) => {
    const unsealed = {
      ...event,
      at: latest(event.at, last.at),
      sequence: last.sequence + 1,
      version: serialisationVersion,
      previousHash: last.hash,
    };
    const entry = { ...unsealed, hash: hashOf(organisationId, unsealed) };
    last = entry;
    return entry;
  });
}

/** A name as it is kept beside the chain. */
export interface KeptName {
  readonly digest: Buffer;
  readonly userId: UserId;
  readonly salt: Buffer;
  readonly value: string;
}

/** In `before` and `after` a name is `{ "name": digest }`, in hexadecimal. */
export function digestOf(salt: Buffer, value: string): Buffer {
  return hash('sha256', Buffer.concat([salt, Buffer.from(value)]), 'buffer');
}

/** Takes the names out of facts. @param newSalt 16 random bytes: nobody can try out what a digest stands for */
export function withoutNames(
  facts: Facts | null,
  newSalt: () => Buffer,
): { readonly json: Json; readonly names: readonly KeptName[] } {
  if (facts === null) return { json: null, names: [] };
  const names: KeptName[] = [];
  const toJson = (fact: Fact): Json => {
    if (fact instanceof Date) return fact.toISOString();
    if (typeof fact !== 'object' || fact === null || !('ofUser' in fact)) return fact;
    const salt = newSalt();
    const digest = digestOf(salt, fact.value);
    names.push({ digest, userId: fact.ofUser, salt, value: fact.value });
    return { name: digest.toString('hex') };
  };
  const json = Object.fromEntries(Object.entries(facts).map(([name, fact]) => [name, toJson(fact)]));
  return { json, names };
}

/** The digests of the names in an entry. */
export function digestsIn({ before, after }: Pick<Event, 'before' | 'after'>): string[] {
  return [before, after].flatMap((json) => Object.values(json ?? {}).flatMap((value) => nameIn(value) ?? []));
}

/** Puts names in again: those that were erased are pseudonyms. */
export function withNames(json: Json, names: ReadonlyMap<string, { readonly value: string }>): Json {
  if (typeof json !== 'object' || json === null || isList(json)) return json;
  return Object.fromEntries(
    Object.entries(json).map(([key, value]) => {
      const digest = nameIn(value);
      return [key, digest === null ? value : (names.get(digest)?.value ?? null)];
    }),
  );
}

function nameIn(json: Json): string | null {
  if (typeof json !== 'object' || json === null || isList(json)) return null;
  const { name } = json;
  return typeof name === 'string' && Object.keys(json).length === 1 ? name : null;
}

/** What is wrong with a chain, and where first. */
export interface Flaw {
  readonly kind: 'EDITED' | 'REMOVED' | 'MOVED' | 'FORGED' | 'CUT_OFF' | 'NAME_EDITED';
  readonly sequence: number;
  /** Of what was removed or cut off the last; of what was moved, where it had stood. */
  readonly other: number | null;
}

const flaws: Readonly<Record<Flaw['kind'], (flaw: Flaw) => string>> = {
  EDITED: ({ sequence }) => `entry ${sequence} was edited`,
  REMOVED: ({ sequence, other }) => `${spanOf(sequence, other)} removed`,
  MOVED: ({ sequence, other }) => `entry ${sequence} was moved: it was written as entry ${other}`,
  FORGED: ({ sequence }) => `entry ${sequence} was not written by the service`,
  CUT_OFF: ({ sequence, other }) => `${spanOf(sequence, other)} cut off from the end`,
  NAME_EDITED: ({ sequence }) => `entry ${sequence}: a name that it refers to was edited or removed`,
};

export function describeFlaw(flaw: Flaw): string {
  return flaws[flaw.kind](flaw);
}

function spanOf(first: number, last: number | null): string {
  return last === null || last === first ? `entry ${first} was` : `entries ${first} to ${last} were`;
}

/** How far around its place an entry that was moved is looked for. */
const maxMoved = 10_000;

/** Walks a chain, entry by entry in the order of their sequences, as far as the first flaw. */
export function createWalk(
  organisationId: string,
  head: Head,
): {
  /** @returns the flaw at this entry, or right before it */
  readonly step: (entry: Entry) => Flaw | null;
  /** @returns the flaw at the chain's end */
  readonly end: () => Flaw | null;
} {
  let last = noHead;
  const flaw = (kind: Flaw['kind'], sequence: number, other: number | null = null) => ({
    ...{ kind, sequence, other },
  });
  return {
    step: (entry) => {
      const { sequence } = entry;
      const expected = last.sequence + 1;
      if (!hashOf(organisationId, entry).equals(entry.hash)) {
        if (sequence !== expected) return flaw('REMOVED', expected, sequence - 1);
        const origin = originOf(organisationId, entry);
        return origin === null ? flaw('EDITED', sequence) : flaw('MOVED', sequence, origin);
      }
      if (sequence !== expected) return flaw('REMOVED', expected, sequence - 1);
      // It is whole, but follows another entry than the one before it: whoever wrote either reckoned its hash anew.
      if (!entry.previousHash.equals(last.hash)) {
        return last.sequence === 0 ? flaw('FORGED', sequence) : flaw('EDITED', last.sequence);
      }
      if (sequence > head.sequence) return flaw('FORGED', sequence);
      last = entry;
      return null;
    },
    end: () => {
      if (last.sequence < head.sequence) return flaw('CUT_OFF', last.sequence + 1, head.sequence);
      return last.hash.equals(head.hash) ? null : flaw('EDITED', last.sequence);
    },
  };
}

/** Under which sequence an entry's hash holds; null: under none nearby. */
function originOf(organisationId: string, entry: Entry): number | null {
  for (let distance = 1; distance <= maxMoved; distance += 1) {
    for (const sequence of [entry.sequence - distance, entry.sequence + distance]) {
      if (sequence > 0 && hashOf(organisationId, { ...entry, sequence }).equals(entry.hash)) return sequence;
    }
  }
  return null;
}

/** An attempt that was denied. */
export interface Attempt extends Who {
  /** The actor's own: what is a stranger's must not be told of it either. `nowhere` where it has none, or is unknown. */
  readonly organisationId: OrganisationId;
  readonly action: string;
  readonly outcome: string;
  readonly subject: string | null;
  /** Of whom nobody knows; null of an actor. */
  readonly remoteAddress: string | null;
}

/** Equal attempts, as one: the last of them, and how many they are. */
export interface Attempts extends Attempt {
  readonly at: Instant;
  readonly attempts: number;
}

/** How much of an attempt is told apart. */
export interface AttemptLimits {
  /** Attempts that are equal to one written so short a time ago are counted, and written together when it is over. */
  readonly quietSeconds: number;
  /** So many different attempts of one credential; further ones are counted without what they were made on. */
  readonly maxOfCredential: number;
  /** So many of one organisation's credentials together; further ones are counted without who made them. */
  readonly maxOfOrganisation: number;
  /** So many in all, before organisations are kept to `sureOfOrganisation`. */
  readonly max: number;
  /** So many of an organisation, whatever all the others do. */
  readonly sureOfOrganisation: number;
}

export const attemptLimits: AttemptLimits = {
  quietSeconds: 600,
  maxOfCredential: 100,
  maxOfOrganisation: 1000,
  max: 10_000,
  sureOfOrganisation: 100,
};

interface Counted {
  last: Attempts;
  writtenAt: Instant | null;
  /** What it takes room of; none: it is the sum of what found no room. */
  readonly rooms: readonly string[];
}

/**
 * Counts denied attempts, so that a flood of them is a few entries. None is lost: what finds no room is summed under its
 * credential, else under its organisation, by action and outcome. Of those sums there are no more than the API has
 * fields, so an organisation takes no more memory than its limits say, and nothing of another's.
 */
export function createAttemptCounter(limits: AttemptLimits = attemptLimits): {
  readonly count: (attempt: Attempt, at: Instant) => void;
  /** What is to be written now; ALL: also what would be counted on, where there is no later. */
  readonly due: (now: Instant, which?: 'DUE' | 'ALL') => readonly Attempts[];
  /** These were written. */
  readonly written: (attempts: readonly Attempts[], now: Instant) => void;
} {
  const known = new Map<string, Counted>();
  /** How many of those that are known are a credential's, and an organisation's. */
  const taken = new Map<string, number>();
  const takenOf = (room: string) => taken.get(room) ?? 0;

  /** As what an attempt is counted. */
  function find(attempt: Attempt): { readonly told: Attempt; readonly rooms: readonly string[] } {
    const { organisationId } = attempt;
    const ofCredential = JSON.stringify([organisationId, attempt.credential]);
    const rooms = [ofCredential, organisationId];
    const room = known.size < limits.max ? limits.maxOfOrganisation : limits.sureOfOrganisation;
    const hasRoom = takenOf(organisationId) < room;
    if (known.has(keyOf(attempt)) || (hasRoom && takenOf(ofCredential) < limits.maxOfCredential)) {
      return { told: attempt, rooms };
    }
    const unspecific = { ...attempt, subject: null, remoteAddress: null };
    if (known.has(keyOf(unspecific)) || hasRoom) return { told: unspecific, rooms };
    return { told: { ...unspecific, ...whoOf(null) }, rooms: [] };
  }

  return {
    count: (attempt, at) => {
      const { told, rooms } = find(attempt);
      const key = keyOf(told);
      const counted = known.get(key);
      if (counted === undefined) {
        known.set(key, { last: { ...told, at, attempts: 1 }, writtenAt: null, rooms });
        for (const room of rooms) taken.set(room, takenOf(room) + 1);
      } else {
        counted.last = { ...told, at, attempts: counted.last.attempts + 1 };
      }
    },
    due: (now, which = 'DUE') => {
      const due: Attempts[] = [];
      for (const [key, { last, writtenAt, rooms }] of known) {
        const isQuiet = writtenAt !== null && plusSeconds(writtenAt, limits.quietSeconds) > now;
        if (isQuiet && (which === 'DUE' || last.attempts === 0)) continue;
        if (last.attempts > 0) {
          due.push(last);
          continue;
        }
        known.delete(key);
        for (const room of rooms) {
          if (takenOf(room) > 1) taken.set(room, takenOf(room) - 1);
          else taken.delete(room);
        }
      }
      return due;
    },
    written: (attempts, now) => {
      for (const one of attempts) {
        const counted = known.get(keyOf(one));
        if (counted === undefined) continue;
        counted.last = { ...counted.last, attempts: counted.last.attempts - one.attempts };
        counted.writtenAt = now;
      }
    },
  };
}

function keyOf({ organisationId, credential, action, outcome, subject, remoteAddress }: Attempt): string {
  return JSON.stringify([organisationId, credential, action, outcome, subject, remoteAddress]);
}
