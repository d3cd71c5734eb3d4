import { setTimeout as delay } from 'node:timers/promises';
import type { OrganisationId, SessionId } from '../kernel/ids.ts';
import type { Log } from '../kernel/log.ts';
import type { Bus } from './bus.ts';

/** What can be watched: an organisation's figures (its revision) or a session (its version). */
export type Topic = `organisation:${string}` | `session:${string}/${string}`;

export function organisationTopic(id: OrganisationId): Topic {
  return `organisation:${id}`;
}

export function sessionTopic(organisationId: OrganisationId, id: SessionId): Topic {
  return `session:${organisationId}/${id}`;
}

export function organisationOf(topic: Topic): OrganisationId {
  return topic.slice(topic.indexOf(':') + 1).split('/', 1)[0] as OrganisationId;
}

/** What a subscriber has seen. Two of one source with the same version have seen the same, and miss the same. */
export interface Position {
  readonly version: number | string;
}

/** What a subscriber has not seen yet. */
export interface News<Value, At extends Position = Position> {
  /** null: nothing that it would show. */
  readonly value: Value | null;
  /** Where one is who has seen it. */
  readonly position: At;
  /** Nothing comes after it. */
  readonly isLast: boolean;
}

/**
 * A source of events that need not be read by each subscriber for itself. As an iterable it is read by one alone: the
 * first read's failure is the caller's; later ones are tried again until the database answers.
 */
export interface Followed<Value> extends AsyncIterableIterator<Value, void, void> {
  /** @param since where the subscriber is; null: nowhere yet, so the answer is everything, never null */
  read(since: Position | null): Promise<News<Value>>;
  /** @param wake called whenever there may be news @returns ends it */
  watch(wake: () => void): () => void;
}

/**
 * From a committed change to a subscriber. What is announced is "this topic is at version N", never a figure: a
 * subscriber always reads the present state, so a lost or repeated announcement cannot show a wrong one for long.
 * The one who missed it learns by asking for versions, on a timer.
 */
export interface Live {
  /**
   * To be called after the commit, never within the transaction.
   * @param version null where it is not known: whoever follows the topic looks
   */
  announce(topic: Topic, version: number | null): void;
  /**
   * What `read` answers now, then again whenever the topic may have changed. Hand the result on as it is: equal
   * subscriptions share it (groups.ts), and a generator around it could not be ended while it waits.
   */
  follow<Value, At extends Position>(
    topic: Topic,
    read: (since: At | null) => Promise<News<Value, At>>,
  ): Followed<Value>;
  /** Ends every follower. */
  close(): void;
}

interface Follower {
  readonly wake: () => void;
}

interface Watched {
  version: number;
  readonly followers: Set<Follower>;
}

export interface LiveOptions {
  /** The present version of each topic that is at another than the one known. */
  readonly poll: (known: ReadonlyMap<Topic, number>) => Promise<ReadonlyMap<Topic, number>>;
  /** Between the nodes; without it a change on another node is found by asking alone. */
  readonly bus?: Bus | undefined;
  readonly log: Log;
  /** How long a missed announcement can go unnoticed; twice as long where a poll hangs. */
  readonly pollMilliseconds?: number;
  /** The least time between two events of one who follows alone. */
  readonly paceMilliseconds?: number;
}

/** One that hangs must not stop the next; all that hang must not take the database's every connection. */
const maxPolls = 3;

export function createLive({
  poll,
  bus,
  log,
  pollMilliseconds = 750,
  paceMilliseconds = 100,
}: LiveOptions): Live {
  const topics = new Map<Topic, Watched>();
  let closed = false;

  function learn(topic: Topic, version: number | null): void {
    const watched = topics.get(topic);
    if (watched === undefined || (version !== null && version <= watched.version)) return;
    watched.version = version ?? watched.version;
    wakeAll(watched);
  }

  function wakeAll({ followers }: Watched): void {
    for (const { wake } of followers) wake();
  }

  let polls = 0;
  let isSilent = false;
  function look(): void {
    if (closed || polls === maxPolls || topics.size === 0) return;
    polls += 1;
    const known = new Map([...topics].map(([topic, { version }]) => [topic, version]));
    poll(known)
      .then((versions) => {
        isSilent = false;
        for (const [topic, version] of versions) {
          const watched = topics.get(topic);
          if (watched === undefined) continue;
          // What the database says counts, also where somebody announced more than there is.
          if (watched.version === known.get(topic)) watched.version = -1;
          learn(topic, version);
        }
      })
      .catch((error: unknown) => {
        if (!isSilent) log.warn({ err: error }, 'could not ask for what changed; asking again');
        isSilent = true;
      })
      .finally(() => {
        polls -= 1;
      });
  }
  const timer = setInterval(look, pollMilliseconds);
  timer.unref();
  bus?.open({ announced: learn, missed: look });

  function watch(topic: Topic, follower: Follower): () => void {
    const watched = topics.get(topic) ?? { version: 0, followers: new Set() };
    if (watched.followers.size === 0) bus?.watch(topic);
    topics.set(topic, watched);
    watched.followers.add(follower);
    return () => {
      watched.followers.delete(follower);
      if (watched.followers.size > 0) return;
      topics.delete(topic);
      bus?.unwatch(topic);
    };
  }

  function follow<Value, At extends Position>(
    topic: Topic,
    read: (since: At | null) => Promise<News<Value, At>>,
  ): Followed<Value> {
    let changed = Promise.withResolvers<void>();
    let stopped = false;
    const wake = () => changed.resolve();

    async function* values(): AsyncGenerator<Value, void, void> {
      // Watched before the first read, so that a change between the two is not missed.
      const unwatch = watch(topic, { wake });
      try {
        let since: At | null = null;
        while (!stopped && !closed) {
          changed = Promise.withResolvers();
          const news: News<Value, At> | null =
            since === null ? await read(null) : await readUntilAnswered(read, since, () => stopped || closed);
          if (news === null) return;
          since = news.position;
          if (news.value !== null) yield news.value;
          if (news.isLast) return;
          await Promise.all([changed.promise, delay(paceMilliseconds, undefined, { ref: false })]);
        }
      } finally {
        unwatch();
      }
    }

    const iterator = values();
    return {
      // Positions come from this reader and go back to it alone.
      read: (since) => read(since as At | null),
      watch: (wake) => watch(topic, { wake }),
      next: () => iterator.next(),
      return: () => {
        // A generator that waits is deaf to `return`: wake it first.
        stopped = true;
        wake();
        return iterator.return();
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  async function readUntilAnswered<Value, At extends Position>(
    read: (since: At | null) => Promise<News<Value, At>>,
    since: At,
    isStopped: () => boolean,
  ): Promise<News<Value, At> | null> {
    while (!isStopped()) {
      try {
        return await read(since);
      } catch (error) {
        log.warn({ err: error }, 'could not read what changed; reading again');
        await delay(pollMilliseconds, undefined, { ref: false });
      }
    }
    return null;
  }

  return {
    announce: (topic, version) => {
      learn(topic, version);
      bus?.publish(topic, version);
    },
    follow,
    close: () => {
      closed = true;
      clearInterval(timer);
      for (const watched of topics.values()) wakeAll(watched);
    },
  };
}
