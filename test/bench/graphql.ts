import { setTimeout as delay } from 'node:timers/promises';
import { encodeOwnedId } from '../../src/kernel/ids.ts';
import { httpClient, type Operation, operationsSocket } from './client.ts';
import { closedLoop, cpuMicroseconds, postgresMicroseconds, rounded } from './measure.ts';
import { type Figures, progress, section } from './report.ts';
import {
  organisationAt,
  resetSessions,
  seedOrganisations,
  seedPools,
  seedUsers,
  sessionAt,
  userAt,
} from './seed.ts';
import { type Peer, type Product, type ServerUnderLoad, startPeer, startProduct } from './servers.ts';

/**
 * What an operation costs the server's process: durable logons, renewals and logoffs of the product, beside the *empty*
 * mutation of other servers. The load comes from this process, the cost is read from the server's. Each is measured as
 * fast as it goes, and at one rate for all: a server that is busy finds several requests at each turn of its event loop,
 * which makes the cheapest of them cheaper still.
 */
const users = 200_000;
const rates = [null, 1000] as const;
const connections = 64;
const warmUpSeconds = 2;
const seconds = 6;

type Transport = 'HTTP' | 'WebSocket';

const input = (name: string, selection: string) =>
  `mutation ($input: ${name.charAt(0).toUpperCase()}${name.slice(1)}Input!) { ${name}(input: $input) { __typename ${selection} } }`;
const logonDocument = input('logon', '... on LogonPayload { session { id } }');
const renewDocument = input('renewSession', '... on RenewSessionPayload { session { expiresAt } }');
const logoffDocument = input('logoff', '');

const first = organisationAt(0);
const sessionId = (index: number) => encodeOwnedId('Session', first, sessionAt(index));

const operations = {
  logon: (index: number) => ({
    query: logonDocument,
    variables: {
      input: {
        userId: encodeOwnedId('User', first, userAt(index)),
        licence: 'SUPERVISOR',
        device: 'desktop',
        features: [],
      },
    },
  }),
  renew: (index: number) => ({
    query: renewDocument,
    variables: { input: { sessionId: sessionId(index % users) } },
  }),
  logoff: (index: number) => ({
    query: logoffDocument,
    variables: { input: { sessionId: sessionId(index) } },
  }),
} satisfies Record<string, (index: number) => Operation>;

export async function run(): Promise<void> {
  const report = section('graphql');
  const emptyMutation = () => ({ query: 'mutation { nothing }' });
  const peers: readonly [Peer, string][] = [
    ['mercurius', 'Mercurius (JIT), an empty mutation'],
    ['http', 'bare node:http, JSON in and out'],
    ['yoga', 'graphql-yoga, an empty mutation'],
    ['apollo', 'Apollo Server, an empty mutation'],
  ];
  /** By rate: the first case measured at it. */
  const bases = new Map<number | null, Figures>();
  const tell = (name: string, rate: number | null, figures: Measured) => {
    const row = { case: `${name}${rate === null ? '' : `, ${rate}/s`}`, ...figures };
    const base: Figures = bases.get(rate) ?? row;
    bases.set(rate, base);
    const times = rounded(figures.serverMicroseconds / Number(base['serverMicroseconds']));
    report({ ...row, times, of: base.case });
  };
  for (const [peer, name] of peers) {
    const server = await startPeer(peer);
    try {
      for (const rate of rates) {
        const load = {
          transport: 'HTTP',
          rate,
          operation: emptyMutation,
          expected: '"nothing":true',
        } as const;
        tell(`${name}, HTTP`, rate, await measure(server, null, load));
      }
    } finally {
      await server.stop();
    }
  }

  const product = await startProduct({
    seed: async (pool) => {
      await seedOrganisations(pool, { from: 0, until: 0, activeUsers: users });
      await seedUsers(pool, { organisationIds: [first], count: users, licence: 'SUPERVISOR' });
      await seedPools(pool, ['SUPERVISOR']);
    },
  });
  try {
    const [server] = product.nodes;
    for (const [name, live, payload] of [
      ['logon', 0, 'LogonPayload'],
      ['renew', users, 'RenewSessionPayload'],
      ['logoff', users, 'LogoffPayload'],
    ] as const) {
      for (const transport of ['HTTP', 'WebSocket'] as const) {
        for (const rate of rates) {
          progress(`${name} over ${transport}`);
          await resetSessions(product.pool, live);
          const load = { transport, rate, operation: operations[name], expected: payload };
          tell(`Seatkeeper, ${name}, ${transport}`, rate, await measure(server, product, load));
        }
      }
    }
  } finally {
    await product.stop();
  }
}

type Measured = Awaited<ReturnType<typeof measure>>;

interface Load {
  readonly transport: Transport;
  /** A second; null: as fast as it goes. */
  readonly rate: number | null;
  readonly operation: (index: number) => Operation;
  /** What every answer holds. */
  readonly expected: string;
}

async function measure(
  server: ServerUnderLoad,
  product: Product | null,
  { transport, rate, operation, expected }: Load,
) {
  const { send, close } = await open(server, transport);
  const request = async (index: number, caller: number) => {
    const answer = await send(caller, operation(index));
    if (!answer.includes(expected)) throw new Error(`Not what was expected: ${answer.slice(0, 500)}`);
  };
  try {
    const warmUp = await closedLoop({ callers: connections, seconds: warmUpSeconds, limit: users, request });
    const databaseCpu = () => (product === null ? 0 : postgresMicroseconds(product.postmaster));
    const before = { server: cpuMicroseconds(server.pid), database: databaseCpu() };
    const measured = await closedLoop({
      callers: connections,
      seconds,
      limit: users,
      request,
      from: warmUp.requests,
      rate,
    });
    const { requests } = measured;
    const serverMicroseconds = rounded((cpuMicroseconds(server.pid) - before.server) / requests, 1);
    const databaseMicroseconds =
      product === null ? null : rounded((databaseCpu() - before.database) / requests, 1);
    return { ...measured, serverMicroseconds, databaseMicroseconds };
  } finally {
    close();
    await delay(200);
  }
}

/** As many connections as callers, one request at a time on each. */
async function open(
  server: ServerUnderLoad,
  transport: Transport,
): Promise<{ send(caller: number, operation: Operation): Promise<string>; close(): void }> {
  if (transport === 'HTTP') {
    const client = httpClient(server);
    return { send: (_caller, operation) => client.send(operation), close: client.close };
  }
  const sockets = await Promise.all(Array.from({ length: connections }, () => operationsSocket(server)));
  return {
    send: async (caller, operation) => {
      const socket = sockets[caller];
      if (socket === undefined) throw new Error('More callers than sockets');
      return socket.send(operation);
    },
    close: () => {
      for (const { close } of sockets) close();
    },
  };
}
