import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMeasure, defaultDocumentLimits } from '../../src/graphql/limits.ts';
import { createRates, defaultRateLimits, type RateLimits } from '../../src/graphql/transports/rates.ts';
import { connectRedis } from '../../src/graphql/transports/redis.ts';
import { type Actor, operator } from '../../src/kernel/actor.ts';
import { elapsedMilliseconds } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';
import { schema } from '../../src/schema.ts';
import { createOrganisation, uuidOf } from '../setup/given.ts';
import { redisBinary, startRedis } from '../setup/redis.ts';
import { type GraphqlAnswer, startTestServer, type TestServer } from '../setup/server.ts';
import { bareSocket, subscribeTo } from '../setup/socket.ts';
import { overHttp, transports } from '../setup/transports.ts';

const log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
const ratesOf = (limits: Partial<RateLimits>, redisUrl: string | null = null) =>
  createRates({
    limits: { ...defaultRateLimits, ...limits },
    redis: redisUrl === null ? null : connectRedis(redisUrl, log),
    log,
  });

const organisationId = newId<'Organisation'>();
const wallboard = (credential: string, of = organisationId): Actor => ({
  ...operator,
  role: 'WALLBOARD',
  organisationId: of,
  credential,
});

/** How many of so many at once are let through. */
async function admitted(rates: ReturnType<typeof createRates>, actor: Actor, times: number): Promise<number> {
  const answers = await Promise.all(Array.from({ length: times }, async () => rates.admit(actor)));
  return answers.filter((answer) => answer === null).length;
}

/** Beside what a second lets through, what a minute does. */
const withBurst = (perSecond: number) => perSecond * 6;

describe('a rate', () => {
  it('is that of a key, with a few seconds’ worth at once each minute', async () => {
    const rates = ratesOf({ perKey: 10 });
    expect(await admitted(rates, wallboard('a'), 100)).toBe(withBurst(10));
    expect(await admitted(rates, wallboard('b'), 1)).toBe(1);
    const refusal = await rates.admit(wallboard('a'));
    expect(refusal).toEqual({
      code: 'RATE_LIMITED',
      message: 'This key asks too much; try again in 1 s.',
      retryAfterSeconds: 1,
    });
    await sleep(1_050);
    expect(await admitted(rates, wallboard('a'), 100)).toBe(10);
  });

  it('is that of an organisation, of all its keys together', async () => {
    const rates = ratesOf({ perKey: 0, perOrganisation: 10 });
    expect(await admitted(rates, wallboard('a'), 30)).toBe(30);
    expect(await admitted(rates, wallboard('b'), 40)).toBe(withBurst(10) - 30);
    expect(await admitted(rates, wallboard('c', newId<'Organisation'>()), 1)).toBe(1);
    expect(await rates.admit(wallboard('b'))).toMatchObject({
      message: expect.stringMatching(/^The keys of this organisation ask too much/) as string,
    });
  });

  it('is none for the operator, unless it is configured', async () => {
    expect(ratesOf({ perKey: 1, perOrganisation: 1 }).admit(operator)).toBeNull();
    expect(await admitted(ratesOf({ perOperatorKey: 2 }), operator, 100)).toBe(withBurst(2));
  });

  it('counts a point more for each 1,000 of cost, and what costs more than a second’s worth as that', async () => {
    const rates = ratesOf({ perKey: 10 });
    expect(rates.charge(wallboard('a'), 999)).toBeNull();
    expect(await rates.charge(wallboard('a'), 9_000)).toBeNull();
    expect(await admitted(rates, wallboard('a'), 100)).toBe(withBurst(10) - 9);
    expect(await rates.charge(wallboard('b'), 250_000)).toBeNull();
  });

  it('counts about a point for each mutation of a document, and one for a mutation by itself', async () => {
    const logoffs = (count: number) =>
      Array.from({ length: count }, (_, n) => `a${n}: logoff(input: { sessionId: "x" }) { __typename }`);
    const measure = createMeasure(schema, defaultDocumentLimits);
    const costOf = (count: number) =>
      measure.costOf(parse(`mutation { ${logoffs(count).join(' ')} }`), null, null).requested;
    const rates = ratesOf({ perKey: 1_000 });
    expect(rates.charge(wallboard('a'), costOf(1))).toBeNull();
    await rates.charge(wallboard('a'), costOf(200));
    expect(await admitted(rates, wallboard('a'), 6_000)).toBe(withBurst(1_000) - 180);
  });

  describe.skipIf(redisBinary === null)('in Redis', () => {
    it('is counted by all servers together, and by each for itself while Redis is down', async () => {
      const redis = await startRedis();
      const [one, other] = [ratesOf({ perKey: 10 }, redis.url), ratesOf({ perKey: 10 }, redis.url)];
      try {
        // Until both are connected, each counts for itself.
        const deadline = elapsedMilliseconds() + 5_000;
        for (let index = 0; ; index += 1) {
          const counted =
            (await admitted(one, wallboard(`try-${index}`), 50)) +
            (await admitted(other, wallboard(`try-${index}`), 50));
          // A second may end between the two.
          if (counted <= withBurst(10) + 10) break;
          expect(elapsedMilliseconds()).toBeLessThan(deadline);
          await sleep(50);
        }
        await redis.kill();
        const started = elapsedMilliseconds();
        expect(await admitted(one, wallboard('alone'), 100)).toBe(withBurst(10));
        expect(await admitted(other, wallboard('alone'), 100)).toBe(withBurst(10));
        expect(elapsedMilliseconds() - started).toBeLessThan(1_500);
      } finally {
        one.close();
        other.close();
        await redis.kill();
      }
    });
  });
});

describe('an operation that is one too many', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ rates: ratesOf({ perKey: 2 }) });
  });
  afterAll(() => server.stop());
  const asked = { query: '{ __typename }' };
  const actor = { role: 'WALLBOARD', organisationId, userId: null } as const;

  it.for(transports)('is RATE_LIMITED over %s, and says when to come back', async ([, send]) => {
    const { key } = server.as(actor);
    const answers: GraphqlAnswer[] = [];
    for (let times = 0; times < 20; times += 1) answers.push(await send(server, asked, key));
    const refused = answers.filter(({ errors }) => errors !== undefined);
    expect(answers[0]).toMatchObject({ data: { __typename: 'Query' } });
    expect(refused.length).toBeGreaterThan(0);
    for (const { data, errors } of refused) {
      expect(data).toBeUndefined();
      expect(errors).toMatchObject([
        {
          message: 'This key asks too much; try again in 1 s.',
          extensions: {
            code: 'RATE_LIMITED',
            retryAfterSeconds: 1,
            requestId: expect.any(String) as string,
          },
        },
      ]);
    }
  });

  it('is 429 with Retry-After over HTTP', async () => {
    const { key } = server.as(actor);
    let response: Response;
    let times = 0;
    do {
      response = await fetch(server.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
        body: JSON.stringify(asked),
      });
      times += 1;
    } while (response.status === 200 && times < 50);
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '1']);
  });

  it('costs a WebSocket that operation alone', async () => {
    const { key } = server.as(actor);
    const { send, next, socket } = await bareSocket(server, key);
    expect((await next()).type).toBe('connection_ack');
    const types: string[] = [];
    for (let times = 0; times < 20; times += 1) {
      send(subscribeTo(String(times), asked.query));
      const { type } = await next();
      types.push(type);
      if (type === 'next') expect((await next()).type).toBe('complete');
    }
    expect(types).toContain('next');
    expect(types).toContain('error');
    await sleep(1_050);
    send(subscribeTo('later', asked.query));
    expect(await next()).toMatchObject({ type: 'next', id: 'later' });
    socket.terminate();
  });

  it.for(transports)('may be so by its cost: over %s', async ([, send]) => {
    const { key } = server.as({ role: 'OPERATOR', organisationId: null, userId: null });
    const limited = await startTestServer({ rates: ratesOf({ perOperatorKey: 2 }) });
    const costly =
      '{ organisations(first: 100) { edges { node { users(first: 50) { edges { node { id } } } } } } }';
    try {
      const answers: GraphqlAnswer[] = [];
      for (let times = 0; times < 10; times += 1) {
        answers.push(await send(limited, { query: costly }));
      }
      const refused = answers.flatMap(({ errors }) => errors ?? []);
      expect(answers[0]).toMatchObject({ data: { organisations: { edges: [] } } });
      expect(refused.length).toBeGreaterThan(0);
      for (const { extensions } of refused) expect(extensions.code).toBe('RATE_LIMITED');
    } finally {
      await limited.stop();
    }
    expect((await overHttp(server, asked, key)).errors).toBeUndefined();
  });
});

it('the flood of one organisation leaves another’s latency alone', async () => {
  const server = await startTestServer({ rates: ratesOf({ perKey: 100, perOrganisation: 100 }) });
  try {
    const ids = [await createOrganisation(server, {}), await createOrganisation(server, {})];
    const [flood, calm] = ids.map((id) =>
      server.as({ role: 'WALLBOARD', organisationId: uuidOf(id), userId: null }),
    );
    if (flood === undefined || calm === undefined) throw new Error('No keys');
    const query = `{ organisation(id: "${ids[1]}") { id name } }`;
    const measure = async () => {
      const times: number[] = [];
      for (let count = 0; count < 40; count += 1) {
        const started = elapsedMilliseconds();
        const { data, errors } = await calm.query(query);
        times.push(elapsedMilliseconds() - started);
        expect(errors).toBeUndefined();
        expect(data).toMatchObject({ organisation: { id: ids[1] } });
        await sleep(15);
      }
      return times.sort((one, other) => one - other);
    };
    const quiet = await measure();

    const sockets = await Promise.all(Array.from({ length: 20 }, () => bareSocket(server, flood.key)));
    let refused = 0;
    let isOver = false;
    const flooding = sockets.map(async ({ send, next, socket }) => {
      await next();
      for (let count = 0; !isOver; count += 1) {
        send(subscribeTo(String(count), `{ organisation(id: "${ids[0]}") { id name } }`));
        const { type } = await next();
        if (type === 'error') refused += 1;
        else await next();
        // As fast as a far away client can.
        await sleep(1);
      }
      socket.terminate();
    });
    const flooded = await measure();
    isOver = true;
    await Promise.all(flooding);

    expect(refused).toBeGreaterThan(500);
    const median = (times: readonly number[]) => times[Math.floor(times.length / 2)] ?? 0;
    expect(median(flooded)).toBeLessThan(10 * median(quiet) + 50);
  } finally {
    await server.stop();
  }
});
