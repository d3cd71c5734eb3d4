import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { defaultBodyLimits } from '../../src/graphql/transports/bodies.ts';
import { defaultLimits } from '../../src/graphql/transports/limits.ts';
import { createRates, defaultRateLimits } from '../../src/graphql/transports/rates.ts';
import { open } from '../setup/connection.ts';
import { createOrganisation, uuidOf } from '../setup/given.ts';
import { type GraphqlAnswer, startTestServer, type TestServer } from '../setup/server.ts';
import { bareSocket } from '../setup/socket.ts';

/** What a tenant may cost before anything that it asks is decided, and what the others feel of it. */

const soon = { timeout: 5_000, interval: 10 };
const log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
const ofOrganisation = { connections: 4, bodies: 5 };
const bodiesOfKey = 3;
const perSecond = 50;

let server: TestServer;
/** Two tenants with two keys each, and a key that has asked too much. */
let flood: { readonly id: string; readonly keys: readonly [Key, Key] };
let calm: typeof flood;
let greedy: Key;
/** One whose requests wait to be admitted, and their queue. */
let patient: Key;
const queue: ((limited: null) => void)[] = [];
type Key = ReturnType<TestServer['as']>;

beforeAll(async () => {
  const rates = createRates({
    limits: { ...defaultRateLimits, perKey: 0, perOrganisation: perSecond },
    redis: null,
    log,
  });
  server = await startTestServer({
    rates: {
      ...rates,
      admit: (actor) => {
        if (actor.credential === 'greedy') {
          return Promise.resolve({ code: 'RATE_LIMITED', message: 'Too much.', retryAfterSeconds: 7 });
        }
        return actor.credential === 'patient'
          ? new Promise((admit) => queue.push(admit))
          : rates.admit(actor);
      },
    },
    limits: { ...defaultLimits, maxConnectionsPerOrganisation: ofOrganisation.connections },
    bodyLimits: {
      ...defaultBodyLimits,
      maxPerKey: bodiesOfKey,
      maxPerOrganisation: ofOrganisation.bodies,
      milliseconds: 900,
    },
  });
  const tenant = async () => {
    const id = await createOrganisation(server);
    const organisationId = uuidOf(id);
    const key = () => server.as({ role: 'ADMINISTRATOR', organisationId, userId: null });
    return { id, keys: [key(), key()] as const };
  };
  flood = await tenant();
  calm = await tenant();
  const organisationId = uuidOf(calm.id);
  greedy = server.as({ role: 'WALLBOARD', organisationId, userId: null, credential: 'greedy' });
  patient = server.as({ role: 'WALLBOARD', organisationId, userId: null, credential: 'patient' });
});
afterAll(() => server.stop());

const small = JSON.stringify({ query: '{ __typename }' });
const headOf = ({ key }: Key, bytes: number) =>
  `POST /graphql HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: ${bytes}\r\n\r\n`;

/** The head of a request whose body does not come. @returns what is answered, so far */
async function begin(key: Key, bytes = small.length) {
  const client = await open(server, headOf(key, bytes));
  const answer = { text: '', client };
  client.on('data', (data: Buffer) => (answer.text += data.toString()));
  return answer;
}

const close = (clients: readonly { readonly client: Socket }[]) => {
  for (const { client } of clients) client.destroy();
};

test('who asks too much is told so before the body is read, and the connection is good for more', async () => {
  const bytes = 500_000;
  const refused = await begin(greedy, bytes);
  await vi.waitFor(() => expect(refused.text).toMatch(/^HTTP\/1\.1 429 /), soon);
  expect(refused.text).toMatch(/retry-after: 7\r\n/i);
  expect(refused.text).toMatch(/"code":"RATE_LIMITED"/);
  refused.text = '';
  refused.client.write(Buffer.alloc(bytes, 'x'));
  refused.client.write(headOf(calm.keys[0], small.length) + small);
  await vi.waitFor(() => expect(refused.text).toMatch(/^HTTP\/1\.1 200 OK[^]*"Query"/), soon);
  close([refused]);
});

test('bodies on their way are counted, by key and by organisation, and do not stay for ever', async () => {
  const [one, other] = flood.keys;
  const held = await Promise.all(Array.from({ length: bodiesOfKey }, () => begin(one)));
  const beyond = await begin(one);
  await vi.waitFor(() => expect(beyond.text).toMatch(/^HTTP\/1\.1 429 [^]*retry-after: 1\r\n/i), soon);
  expect(beyond.text).toMatch(/"code":"RATE_LIMITED"/);
  held.push(...(await Promise.all(Array.from({ length: 2 }, () => begin(other)))));
  const beyondToo = await begin(other);
  await vi.waitFor(() => expect(beyondToo.text).toMatch(/^HTTP\/1\.1 429 /), soon);
  // Whose are few is read, and one that comes to its end is answered.
  expect((await calm.keys[0].query('{ __typename }')).data).toEqual({ __typename: 'Query' });
  const [first] = held;
  first?.client.write(small);
  await vi.waitFor(() => expect(first?.text).toMatch(/^HTTP\/1\.1 200 OK/), soon);

  // One byte after the other does not keep them.
  const trickling = setInterval(() => {
    for (const { client } of held) client.write(' ');
  }, 50);
  const dead = held.slice(1);
  await vi.waitFor(() => {
    for (const { text } of dead) expect(text).toMatch(/^HTTP\/1\.1 408 /);
  }, soon);
  clearInterval(trickling);
  expect((await one.query('{ __typename }')).data).toEqual({ __typename: 'Query' });
  close([...held, beyond, beyondToo]);
});

test('who waited to be admitted has many bodies at once, and none on its way', async () => {
  const waiting = Array.from({ length: 20 }, () => patient.query('{ __typename }'));
  await vi.waitFor(() => expect(queue).toHaveLength(20), soon);
  for (const admit of queue.splice(0)) admit(null);
  for (const { data } of await Promise.all(waiting)) expect(data).toEqual({ __typename: 'Query' });
});

test('a tenant with many keys floods itself, and no other', async () => {
  const costly =
    '{ organisations(first: 100) { edges { node { users(first: 50) { edges { node { id } } } } } } }';
  const mutations = Array.from(
    { length: 200 },
    (_, index) => `a${index}: logoff(input: { sessionId: "x" }) { __typename }`,
  );
  const isRefused = ({ errors }: GraphqlAnswer) => errors?.[0]?.extensions.code === 'RATE_LIMITED';
  const [one, other] = flood.keys;
  const many = (times: number, query: string) =>
    Array.from({ length: times }, (_, index) => (index % 2 === 0 ? one : other).query(query));
  const sockets = Array.from({ length: 10 }, async (_, index) => {
    const bare = await bareSocket(server, (index % 2 === 0 ? one : other).key);
    const taken = await Promise.race([bare.next().then(() => true), bare.closed.then(({ code }) => code)]);
    return { ...bare, taken };
  });
  const others = async () => {
    for (let times = 0; times < 10; times += 1) {
      const { data } = await calm.keys[times % 2 === 0 ? 0 : 1].query(
        `{ organisation(id: "${calm.id}") { id } }`,
      );
      expect(data).toEqual({ organisation: { id: calm.id } });
    }
  };
  const mutated = Promise.all(many(20, `mutation { ${mutations.join(' ')} }`));
  await others();
  // Each draws a second’s worth, of which a crowd has six.
  expect((await mutated).filter((answer) => !isRefused(answer)).length).toBeLessThan(10);
  const halves = Array.from({ length: 10 }, (_, index) => begin(index % 2 === 0 ? one : other));
  const read = Promise.all(many(50, costly));
  await others();
  expect((await read).filter((answer) => !isRefused(answer)).length).toBeLessThan(25);
  const watching = await bareSocket(server, calm.keys[0].key);
  expect((await watching.next()).type).toBe('connection_ack');

  const taken = (await Promise.all(sockets)).map((socket) => socket.taken);
  expect(taken.filter((answer) => answer === true)).toHaveLength(ofOrganisation.connections);
  expect(taken.filter((answer) => answer === 1013)).toHaveLength(10 - ofOrganisation.connections);

  // It has no connection left for a stream or a download either.
  await vi.waitFor(async () => expect((await one.query('{ __typename }')).errors).toBeUndefined(), soon);
  const download = await fetch(server.url.replace('/graphql', `/audit/${flood.id}.csv`), {
    headers: { authorization: `Bearer ${one.key}` },
  });
  expect([download.status, await download.text()]).toEqual([
    503,
    expect.stringContaining('TOO_MANY_CONNECTIONS'),
  ]);
  close(await Promise.all(halves));
  for (const { socket } of [watching, ...(await Promise.all(sockets))]) socket.terminate();
  await once(watching.socket, 'close');
});
