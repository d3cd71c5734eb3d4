import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { OrganisationId } from '../kernel/ids.ts';
import type { Log } from '../kernel/log.ts';
import { organisationOf, type Topic } from './live.ts';

/** Who hears what other nodes announce. */
export interface Ear {
  /** May be late, repeated, of nothing that is watched. @param version null where it is not known */
  announced(topic: Topic, version: number | null): void;
  /** Something may have been missed: every watched topic is to be looked at. */
  missed(): void;
}

/**
 * From the nodes to one another: "this topic is at version N". It only hastens what asking for versions finds anyway, so
 * it promises nothing: what is announced while it is down is dropped, and nobody ever waits for it.
 */
export interface Bus {
  /** What it goes through, in words. */
  readonly name: string;
  /** Begins to hear. To be called once, before everything else. */
  open(ear: Ear): void;
  /** Tells the other nodes within milliseconds, together with whatever else changes meanwhile. */
  publish(topic: Topic, version: number | null): void;
  /** From now on this node wants to hear of the topic; each topic is watched once. */
  watch(topic: Topic): void;
  unwatch(topic: Topic): void;
  /** Tells what is still to be told, as far as that takes no time. */
  close(): Promise<void>;
}

/** What is to be told of one topic. */
export interface Line {
  readonly organisationId: OrganisationId;
  readonly text: string;
}

/** One connection to what carries the announcements. Each of its promises fails, or hangs, when it is lost. */
export interface Link {
  send(lines: readonly Line[]): Promise<unknown>;
  /** Organisations of which this node wants to hear from now on, and no more; one may be named again. */
  hear(join: readonly OrganisationId[], leave: readonly OrganisationId[]): Promise<unknown>;
  /** Sends something that every node is to hear, this one too. */
  echo(text: string): Promise<unknown>;
}

export interface LinkOptions {
  /** Its own name among the nodes, which begins each message as a line of its own. */
  readonly node: string;
  readonly heard: (message: string) => void;
  readonly lost: (error: Error) => void;
  /** Aborted when the connection is to end at once, also while it is being made, and whatever hangs. */
  readonly signal: AbortSignal;
}

export interface BusOptions {
  readonly name: string;
  readonly connect: (options: LinkOptions) => Promise<Link>;
  readonly log: Log;
}

/** What changes within so long is announced together. */
const gatherMilliseconds = 10;
/** More topics than this at once are left to be found by asking. */
const maxPending = 10_000;
const probeMilliseconds = 1000;
/** A node that hears no other so long has nobody to tell, and spares itself the work. */
const aloneAfterEchoes = 5;
/** Connections die without a word: one that brings no echo for so long is replaced. */
const silenceMilliseconds = 3000;
/** A server that stops has little time. */
const farewellMilliseconds = 500;
const retryMilliseconds = { first: 100, most: 5000 };

const announcement = /^((?:organisation|session):\S+) (\d{0,15})$/;

/** A bus over a connection that is probed, and replaced when it is lost. */
export function createBus({ name, connect, log }: BusOptions): Bus {
  const node = randomUUID();
  const closing = new AbortController();
  let ear: Ear | null = null;
  let link: Link | null = null;
  let working: Promise<void> = Promise.resolve();

  /** How many topics of each organisation are watched, and of which organisations that began or ended. */
  const watched = new Map<OrganisationId, number>();
  const rewatched = new Set<OrganisationId>();
  const pending = new Map<Topic, number | null>();

  /** Ends the present connection. */
  let lose: (error: Error) => void = () => {};
  /** What this node is waiting to hear of itself. */
  let echoes: { readonly text: string; readonly heard: () => void } | null = null;
  /** How many echoes of its own it heard since another node's. */
  let echoesAlone = Infinity;

  function heard(message: string): void {
    const [from, ...lines] = message.split('\n');
    if (from === node) {
      echoesAlone += 1;
      if (lines[0] === echoes?.text) echoes?.heard();
      return;
    }
    echoesAlone = 0;
    for (const line of lines) {
      // Another node's echo is nobody's news.
      const [, topic, version] = announcement.exec(line) ?? [];
      if (topic !== undefined) ear?.announced(topic as Topic, version ? Number(version) : null);
    }
  }

  /** Sends what waits, and again what came meanwhile: never twice at once, so that what waits is bounded. */
  let isFlushing = false;
  function flushSoon(): void {
    const current = link;
    if (current === null || isFlushing) return;
    isFlushing = true;
    delay(gatherMilliseconds, undefined, { ref: false })
      .then(() => withinSilence(flush(current), 'takes nothing'))
      .catch((error: Error) => {
        if (link === current) lose(error);
      })
      .finally(() => {
        isFlushing = false;
        if (pending.size > 0 || rewatched.size > 0) flushSoon();
      });
  }

  async function flush(current: Link): Promise<void> {
    const lines = [...pending].map(([topic, version]) => ({
      organisationId: organisationOf(topic),
      text: `${topic} ${version ?? ''}`,
    }));
    const [join = [], leave = []] = [true, false].map((is) =>
      [...rewatched].filter((id) => watched.has(id) === is),
    );
    pending.clear();
    rewatched.clear();
    await Promise.all([
      join.length + leave.length > 0 ? current.hear(join, leave) : null,
      lines.length > 0 ? current.send(lines) : null,
    ]);
  }

  async function probe(current: Link): Promise<void> {
    const text = randomUUID();
    const echo = Promise.withResolvers<void>();
    echoes = { text, heard: echo.resolve };
    await withinSilence(Promise.all([current.echo(text), echo.promise]), 'brings no echo');
  }

  async function withinSilence<Value>(work: Promise<Value>, otherwise: string): Promise<Value> {
    const silence = delay(silenceMilliseconds, undefined, { ref: false }).then(() => {
      throw new Error(`${name} ${otherwise}`);
    });
    return Promise.race([work, silence]);
  }

  /** One connection, until it is lost: then it throws why. @param isUp called once it is known to bring what is sent */
  async function serve(isUp: () => void): Promise<void> {
    const over = new AbortController();
    const { signal } = over;
    const lost = Promise.withResolvers<never>();
    lose = lost.reject;
    const serving = async () => {
      const current = await withinSilence(connect({ node, heard, lost: lose, signal }), 'does not answer');
      // From here on only what changes meanwhile is to be told.
      rewatched.clear();
      await withinSilence(current.hear([...watched.keys()], []), 'does not answer');
      await probe(current);
      signal.throwIfAborted();
      link = current;
      isUp();
      flushSoon();
      for (;;) {
        await delay(probeMilliseconds, undefined, { ref: false, signal });
        await probe(current);
      }
    };
    try {
      await Promise.race([serving(), lost.promise]);
    } finally {
      link = null;
      pending.clear();
      rewatched.clear();
      over.abort();
    }
  }

  async function keepServing(): Promise<void> {
    let isOut = false;
    for (let retry = retryMilliseconds.first; !closing.signal.aborted;) {
      try {
        await serve(() => {
          if (isOut) log.info({ bus: name }, 'the bus is back');
          isOut = false;
          retry = retryMilliseconds.first;
          ear?.missed();
        });
      } catch (error) {
        if (closing.signal.aborted) return;
        if (!isOut) {
          log.warn(
            { err: error, bus: name },
            'the bus is gone; until it is back, changes of other servers are found by asking for them',
          );
        }
        isOut = true;
      }
      // Not all nodes at once.
      const pause = retry * (0.5 + Math.random());
      await delay(pause, undefined, { ref: false, signal: closing.signal }).catch(() => {});
      retry = Math.min(retry * 2, retryMilliseconds.most);
    }
  }

  return {
    name,
    open: (listener) => {
      ear = listener;
      working = keepServing();
    },
    publish: (topic, version) => {
      if (link === null || echoesAlone > aloneAfterEchoes) return;
      const other = pending.get(topic);
      if (other === undefined && pending.size >= maxPending) return;
      pending.set(topic, version === null || other === null ? null : Math.max(version, other ?? 0));
      flushSoon();
    },
    watch: (topic) => {
      const id = organisationOf(topic);
      const others = watched.get(id) ?? 0;
      watched.set(id, others + 1);
      if (others > 0) return;
      rewatched.add(id);
      flushSoon();
    },
    unwatch: (topic) => {
      const id = organisationOf(topic);
      const others = (watched.get(id) ?? 0) - 1;
      if (others > 0) {
        watched.set(id, others);
        return;
      }
      watched.delete(id);
      rewatched.add(id);
      flushSoon();
    },
    close: async () => {
      if (link !== null) {
        await Promise.race([flush(link), delay(farewellMilliseconds, undefined, { ref: false })]).catch(
          () => {},
        );
      }
      closing.abort();
      lose(new Error('closed'));
      await working;
    },
  };
}
