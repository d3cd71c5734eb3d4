import { hash, timingSafeEqual } from 'node:crypto';
import DataLoader from 'dataloader';
import type { Of } from '../database/bulk.ts';
import type { Database } from '../database/database.ts';
import { type Actor, operator } from '../kernel/actor.ts';
import { type Clock, elapsedMilliseconds, type Instant, plusSeconds } from '../kernel/clock.ts';
import { every } from '../kernel/every.ts';
import type { ApiKeyId, OrganisationId } from '../kernel/ids.ts';
import type { Log } from '../kernel/log.ts';
import type { Proofs } from '../kernel/proof.ts';
import { becomeActor, credentialOf, isWelcome, keyOf, readKey } from './domain.ts';
import { findKeyFacts, type KeyFacts, updateLastUse } from './store.ts';
import { createWatch } from './watch.ts';

export interface AccessOptions {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  /** The bootstrap key: it works without a database. */
  readonly operatorKey: string;
  /** Who an access token's bearer is; null: none is taken. */
  readonly verifyToken: ((token: string) => Promise<Actor | null>) | null;
}

export interface Access extends Proofs {
  /** Writes down which keys were used. */
  readonly stop: () => Promise<void>;
}

/** What is verified is not verified again for so long; so what is revoked may be taken so much longer. */
const rememberMilliseconds = 2000;
/** What is worth nothing may be worth something soon: a user is reactivated, a provider has new keys. */
const refuseMilliseconds = 1000;
const maxRemembered = 20_000;
/** Anybody can send keys that are none: they must not push out those that are. */
const maxRefused = 2000;
const maxLength = 16_384;
const tokenForm = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** Finds out who asks: by the operator's key, by API keys, and by access tokens. */
export function createAccess({ db, clock, log, operatorKey, verifyToken }: AccessOptions): Access {
  const expected = digestOf(operatorKey);
  const remembered = createMemory<Actor>(maxRemembered);
  const refused = createMemory<null>(maxRefused);
  const underWay = new Map<string, Promise<Actor | null>>();
  const lastUse = createLastUse(db, clock, log);
  const { watch, stop } = createWatch({
    db,
    clock,
    log,
    onHeld: (actor) => lastUse.note(actor),
    // Its clients come back at once, and must not be let in by what is remembered.
    onEnd: ({ credential }) => remembered.forget((actor) => actor.credential === credential),
  });
  const findKey = createKeyFinder(db);

  async function verifyKey(key: string, digest: Buffer): Promise<Actor | null> {
    const place = readKey(key);
    if (place === null) return null;
    const facts = await findKey(place);
    if (facts === null || !timingSafeEqual(digest, facts.hash)) return null;
    const { organisationId, id, role, scopes, userId, expiresAt, revokedAt, status } = facts;
    const credential = credentialOf(organisationId, id);
    const isOver = expiresAt !== null && expiresAt <= clock.now();
    if (revokedAt !== null || isOver || (status !== null && !isWelcome(status))) {
      const reason = revokedAt !== null ? 'revoked' : isOver ? 'expired' : `the user is ${status}`;
      log.info({ credential, reason }, 'refused an API key');
      return null;
    }
    return becomeActor(role, organisationId, userId, { credential, scopes, expiresAt, multiFactorAt: null });
  }

  async function verify(text: string, digest: Buffer, name: string): Promise<Actor | null> {
    const began = elapsedMilliseconds();
    const isToken = verifyToken !== null && tokenForm.test(text);
    const actor = isToken ? await verifyToken(text) : await verifyKey(text, digest);
    if (actor === null) {
      refused.remember(name, null, elapsedMilliseconds() + refuseMilliseconds);
      return null;
    }
    const left = actor.expiresAt === null ? Infinity : actor.expiresAt.getTime() - clock.now().getTime();
    // Counted from before it was looked up: what was revoked since is not overlooked for longer.
    remembered.remember(name, actor, began + Math.min(rememberMilliseconds, left));
    lastUse.note(actor);
    return actor;
  }

  return {
    authenticate: (authorization) => {
      const text = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
      if (text === undefined || text.length > maxLength) return null;
      const digest = digestOf(text);
      if (timingSafeEqual(digest, expected)) return operator;
      const name = digest.toString('latin1');
      const known = remembered.recall(name) ?? refused.recall(name);
      if (known !== undefined) return known;
      let verifying = underWay.get(name);
      if (verifying === undefined) {
        verifying = verify(text, digest, name);
        underWay.set(name, verifying);
        const forget = () => underWay.delete(name);
        verifying.then(forget, forget);
      }
      return verifying;
    },
    watch,
    stop: async () => {
      await stop();
      await lastUse.stop();
    },
  };
}

function digestOf(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}

interface Memory<Value> {
  /** undefined: it is not known, or no longer. */
  recall(name: string): Value | undefined;
  /** @param until by the clock that never steps */
  remember(name: string, value: Value, until: number): void;
  forget(isMeant: (value: Value) => boolean): void;
}

/** Remembers so many things, for a while. */
function createMemory<Value>(max: number): Memory<Value> {
  const known = new Map<string, { readonly value: Value; readonly until: number }>();
  return {
    recall: (name) => {
      const entry = known.get(name);
      return entry !== undefined && entry.until > elapsedMilliseconds() ? entry.value : undefined;
    },
    remember: (name, value, until) => {
      known.delete(name);
      const [oldest] = known.keys();
      if (known.size >= max && oldest !== undefined) known.delete(oldest);
      known.set(name, { value, until });
    },
    forget: (isMeant) => {
      for (const [name, { value }] of known) if (isMeant(value)) known.delete(name);
    },
  };
}

type Place = NonNullable<ReturnType<typeof readKey>>;

/** One statement at a time, for all that wait: a crowd of keys that are none takes one connection, not all of them. */
function createKeyFinder(db: Database): (place: Place) => Promise<Of<KeyFacts> | null> {
  let underWay: Promise<unknown> = Promise.resolve();
  const loader = new DataLoader<Place, Of<KeyFacts> | null>(
    (places) => {
      const found = findKeyFacts(db, places).then((rows) =>
        places.map(
          ({ organisationId, prefix }) =>
            rows.find((row) => row.organisationId === organisationId && row.prefix === prefix) ?? null,
        ),
      );
      underWay = found.catch(() => {});
      return found;
    },
    {
      cache: false,
      maxBatchSize: 100,
      batchScheduleFn: (dispatch) => {
        void underWay.then(dispatch);
      },
    },
  );
  return (place) => loader.load(place);
}

interface Use {
  readonly organisationId: OrganisationId;
  at: Instant;
  /** null: not by this server. */
  writtenAt: Instant | null;
}

/** How often it is written of a key that it was used. */
const useSeconds = 60;
const flushMilliseconds = 10_000;

/** Keeps when keys were last used, off the way of those who use them. */
function createLastUse(db: Database, clock: Clock, log: Log) {
  const uses = new Map<ApiKeyId, Use>();

  async function flush(seconds: number): Promise<void> {
    const now = clock.now();
    const due = [...uses].filter(
      ([, { at, writtenAt }]) =>
        writtenAt === null || (at > writtenAt && plusSeconds(writtenAt, seconds) <= now),
    );
    await updateLastUse(
      db,
      due.map(([id, { organisationId, at }]) => ({
        organisationId,
        id,
        at,
        since: plusSeconds(at, -seconds),
      })),
    );
    for (const [, use] of due) use.writtenAt = use.at;
    for (const [id, { at }] of uses) if (plusSeconds(at, 2 * useSeconds) < now) uses.delete(id);
  }

  const stopFlushing = every(flushMilliseconds, () => flush(useSeconds), log);
  return {
    note: (actor: Actor) => {
      const id = keyOf(actor);
      if (id === null || actor.organisationId === null) return;
      const use = uses.get(id);
      if (use === undefined)
        uses.set(id, { organisationId: actor.organisationId, at: clock.now(), writtenAt: null });
      else use.at = clock.now();
    },
    stop: async () => {
      await stopFlushing();
      await flush(0).catch((error: unknown) => {
        log.warn({ err: error }, 'could not note which keys were used last');
      });
    },
  };
}
