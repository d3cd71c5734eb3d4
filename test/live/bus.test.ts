import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '@redis/client';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { newId, type OrganisationId } from '../../src/kernel/ids.ts';
import { type Bus, createBus, type Ear, type Line, type LinkOptions } from '../../src/live/bus.ts';
import { createLive, organisationTopic, sessionTopic, type Topic } from '../../src/live/live.ts';
import { createPostgresBus } from '../../src/live/postgres-bus.ts';
import { createRedisBus } from '../../src/live/redis-bus.ts';
import { testDatabase } from '../setup/database.ts';
import { redisBinary, startRedis } from '../setup/redis.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

const soon = { timeout: 5000, interval: 10 };
const one = organisationTopic('one' as OrganisationId);

function recordedLog() {
  const messages: string[] = [];
  const write = (_facts: object, message: string) => {
    messages.push(message);
  };
  return { messages, log: { error: write, warn: write, info: write, debug: () => {} } };
}

describe('what a node makes of announcements and of what it asks for', () => {
  /** A follower of one topic, and how often it looked. */
  function given(
    poll: (known: ReadonlyMap<Topic, number>) => Promise<ReadonlyMap<Topic, number>>,
    pollMilliseconds = 60_000,
  ) {
    let ear: Ear | null = null;
    const bus: Bus = {
      name: 'a test',
      open: (listener) => {
        ear = listener;
      },
      publish: () => {},
      watch: () => {},
      unwatch: () => {},
      close: async () => {},
    };
    const { log, messages } = recordedLog();
    const live = createLive({ poll, bus, log, pollMilliseconds, paceMilliseconds: 1 });
    closing.push(() => live.close());
    let reads = 0;
    const following = live.follow(one, async () => ({
      value: ++reads,
      position: { version: reads },
      isLast: false,
    }));
    void (async () => {
      for await (const _ of following);
    })();
    return { reads: () => reads, ear: () => ear as unknown as Ear, messages };
  }
  const settled = () => delay(20);

  test('C5: a repeated or an older one is passed over; a newer one, or one without a version, is looked at', async () => {
    const { reads, ear } = given(async () => new Map());
    await settled();
    const after: number[] = [];
    for (const version of [3, 3, 2, 4, null, null]) {
      ear().announced(one, version);
      await settled();
      after.push(reads());
    }
    expect(after).toEqual([2, 2, 2, 3, 4, 5]);
  });

  test('C5: one of a version that never was does not hide those that are', async () => {
    let present = 7;
    const { reads, ear } = given(
      async (known) =>
        new Map([...known].flatMap(([topic, at]) => (at === present ? [] : [[topic, present]]))),
      20,
    );
    await vi.waitFor(() => expect(reads()).toBe(2), soon);
    ear().announced(one, 1_000_000);
    await delay(60);
    const before = reads();
    present = 8;
    ear().announced(one, 8);
    await settled();
    expect(reads()).toBe(before + 1);
  });

  test('C5: a poll that hangs does not stop the next', async () => {
    let polls = 0;
    const { reads } = given(async (known) => {
      polls += 1;
      if (polls === 1) await new Promise(() => {});
      return new Map([...known.keys()].map((topic) => [topic, 5]));
    }, 20);
    await vi.waitFor(() => expect(reads()).toBe(2), soon);
  });

  test('a database that does not answer is told of once, not at every poll', async () => {
    let polls = 0;
    const { messages } = given(async () => {
      polls += 1;
      throw new Error('gone');
    }, 5);
    await vi.waitFor(() => expect(polls).toBeGreaterThan(5), soon);
    expect(messages).toEqual(['could not ask for what changed; asking again']);
  });
});

describe('a bus that is silent', () => {
  test('passes on nothing twice, and what waits for it is bounded', async () => {
    const sent: (readonly Line[])[] = [];
    const stuck = Promise.withResolvers<void>();
    const bus = createBus({
      name: 'a test',
      log: recordedLog().log,
      connect: async ({ node, heard }: LinkOptions) => ({
        hear: async () => {},
        echo: async (text) => {
          heard(`another\n${text}`);
          heard(`${node}\n${text}`);
        },
        send: async (lines) => {
          sent.push(lines);
          await stuck.promise;
        },
      }),
    });
    closing.push(() => bus.close());
    let isUp = false;
    bus.open({ announced: () => {}, missed: () => (isUp = true) });
    bus.publish(one, 1);
    await vi.waitFor(() => expect(isUp).toBe(true), soon);
    // What was announced before it was there is left to the poll.
    for (let version = 2; version <= 5; version += 1) bus.publish(one, version);
    await vi.waitFor(() => expect(sent).toHaveLength(1), soon);
    expect(sent[0]?.map(({ text }) => text)).toEqual([`${one} 5`]);
    for (let index = 0; index < 50_000; index += 1) {
      bus.publish(organisationTopic(`of-${index}` as OrganisationId), 1);
    }
    stuck.resolve();
    await vi.waitFor(() => expect(sent).toHaveLength(2), soon);
    expect(sent[1]).toHaveLength(10_000);
  });

  test('of a node that is alone tells nobody, until another is heard', async () => {
    const sent: (readonly Line[])[] = [];
    let hear: (message: string) => void = () => {};
    const bus = createBus({
      name: 'a test',
      log: recordedLog().log,
      connect: async ({ node, heard }: LinkOptions) => {
        hear = heard;
        return {
          hear: async () => {},
          echo: async (text) => heard(`${node}\n${text}`),
          send: async (lines) => sent.push(lines),
        };
      },
    });
    await node(bus);
    bus.publish(one, 1);
    await delay(50);
    expect(sent).toEqual([]);
    hear('another\nechoes');
    bus.publish(one, 2);
    await vi.waitFor(() => expect(sent).toHaveLength(1), soon);
  });

  test('as one behind a pooler that passes no notification on, it is given up, and told of once', async () => {
    const { log, messages } = recordedLog();
    let connections = 0;
    const bus = createBus({
      name: 'a test',
      log,
      connect: async () => {
        connections += 1;
        return { hear: async () => {}, echo: async () => {}, send: async () => {} };
      },
    });
    closing.push(() => bus.close());
    bus.open({ announced: () => {}, missed: () => {} });
    await vi.waitFor(() => expect(connections).toBeGreaterThan(2), { timeout: 15_000 });
    expect(messages).toHaveLength(1);
    expect(messages[0]).toMatch(/^the bus is gone/);
  });
});

/** A node's end of a bus, and what it heard. */
async function node(bus: Bus) {
  const heard = new Map<Topic, number | null>();
  const up = Promise.withResolvers<void>();
  closing.push(() => bus.close());
  bus.open({ announced: (topic, version) => heard.set(topic, version), missed: up.resolve });
  await up.promise;
  return { bus, heard };
}

describe('between two nodes', () => {
  const { log } = recordedLog();

  test('through PostgreSQL: ten thousand changes at once arrive; one’s own are not heard again', async () => {
    const { connection, drop } = await testDatabase();
    closing.push(drop);
    const here = await node(createPostgresBus(connection, log));
    const there = await node(createPostgresBus(connection, log));
    const session = sessionTopic(newId<'Organisation'>(), newId<'Session'>());
    there.bus.watch(session);
    // Once it has heard of the other node.
    await vi.waitFor(() => {
      here.bus.publish(session, null);
      expect(there.heard.size).toBe(1);
    }, soon);
    const topics = Array.from({ length: 9999 }, () => organisationTopic(newId<'Organisation'>()));
    for (const [index, topic] of topics.entries()) here.bus.publish(topic, index);
    await vi.waitFor(() => expect(there.heard.size).toBe(10_000), soon);
    expect(there.heard.get(session)).toBeNull();
    expect(topics.map((topic) => there.heard.get(topic))).toEqual(topics.map((_, index) => index));
    expect(here.heard.size).toBe(0);
  });

  test.skipIf(redisBinary === null)(
    'through Redis: a node hears only of organisations that somebody watches there',
    async () => {
      const redis = await startRedis();
      closing.push(() => redis.kill());
      const here = await node(createRedisBus(redis.url, log));
      const there = await node(createRedisBus(redis.url, log));
      const client = await createClient({ url: redis.url }).connect();
      closing.push(() => client.destroy());
      const channels = () => client.pubSubChannels('seatkeeper:organisation:*');
      const [watched, other] = [newId<'Organisation'>(), newId<'Organisation'>()];
      const session = sessionTopic(watched, newId<'Session'>());

      expect(await channels()).toEqual([]);
      there.bus.watch(organisationTopic(watched));
      there.bus.watch(session);
      await vi.waitFor(
        async () => expect(await channels()).toEqual([`seatkeeper:organisation:${watched}`]),
        soon,
      );
      await vi.waitFor(() => {
        here.bus.publish(organisationTopic(other), 1);
        here.bus.publish(organisationTopic(watched), 2);
        here.bus.publish(session, null);
        expect(there.heard.size).toBe(2);
      }, soon);
      expect(there.heard).toEqual(
        new Map<Topic, number | null>([
          [organisationTopic(watched), 2],
          [session, null],
        ]),
      );

      there.bus.unwatch(session);
      await delay(50);
      expect(await channels()).toHaveLength(1);
      there.bus.unwatch(organisationTopic(watched));
      await vi.waitFor(async () => expect(await channels()).toEqual([]), soon);
    },
  );
});
