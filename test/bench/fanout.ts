import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { encodeOrganisationId, encodeOwnedId } from '../../src/kernel/ids.ts';
import { until } from '../setup/process.ts';
import { httpClient, type Operation } from './client.ts';
import { cpuMicroseconds, percentiles, residentBytes, rounded, untilThen } from './measure.ts';
import { type Figures, progress, section } from './report.ts';
import {
  benchLicences,
  organisationAt,
  seedLicences,
  seedOrganisations,
  seedPools,
  seedUsers,
  userAt,
} from './seed.ts';
import {
  forgetStatements,
  type Peer,
  type Product,
  type ProductOptions,
  type ServerUnderLoad,
  startPeer,
  startProduct,
  statementsOf,
} from './servers.ts';
import { openWallboards } from './wallboards.ts';

/**
 * From a change to many wallboards: one organisation with 12 rows of 11 figures, which all change ten times a second
 * (users become active). The product is seen through its public protocol only.
 */
const updatesPerSecond = 10;
const usersToActivate = 5000;
const usersToLogOn = 20_000;
/** How long a slow server may take until the last change has reached every wallboard. */
const patienceMilliseconds = 60_000;

const quiet = organisationAt(0);
const busy = organisationAt(1);

const parts: Readonly<Record<string, () => Promise<void>>> = { delivery, growth, commit, reconnect, idle };

/** @param part one of the parts; all, if nothing is said */
export async function run(part?: string): Promise<void> {
  if (part !== undefined && parts[part] === undefined) {
    throw new Error(`fanout has no part ${part}; it has ${Object.keys(parts).join(', ')}`);
  }
  for (const [name, runPart] of Object.entries(parts))
    if (part === undefined || part === name) await runPart();
}

const figures = `revision snapshot rows { licence { code } activeUsers activeInBillingPeriod base { total used }
  concurrent { total used available } contingency { total used maxUsed } }`;

/** What the wallboards of group number `group` ask: half of the groups differ by document, half by variables. */
function subscription(organisationId: string, group = 0, rows = benchLicences.length): Operation {
  const turn = Math.floor(group / 2);
  const name = group % 2 === 0 ? `Wallboard${turn}` : `Turned${Math.floor(turn / rows)}`;
  const by = group % 2 === 0 ? 0 : turn % rows;
  const asked = benchLicences.slice(0, rows);
  return {
    query: `subscription ${name}($organisationId: ID!, $licences: [String!]) { usageChanged(organisationId: $organisationId, licences: $licences) { ${figures} } }`,
    variables: { organisationId, licences: [...asked.slice(by), ...asked.slice(0, by)] },
  };
}

function startSeeded(options: Partial<ProductOptions> = {}): Promise<Product> {
  return startProduct({
    ...options,
    seed: async (pool) => {
      await seedLicences(pool);
      await seedOrganisations(pool, { from: 0, until: 0, activeUsers: 0 });
      await seedOrganisations(pool, { from: 1, until: 1, activeUsers: usersToLogOn });
      const suspended = { count: usersToActivate, status: 'SUSPENDED', licence: null } as const;
      await seedUsers(pool, { organisationIds: [quiet], ...suspended });
      const [licence = ''] = benchLicences;
      await seedUsers(pool, { organisationIds: [busy], count: usersToLogOn, licence });
      await seedPools(pool, benchLicences);
    },
  });
}

/** Makes a change that every wallboard sees, and knows the figure that they will then show. */
interface Changes {
  /** `activeUsers`, after all changes so far. */
  readonly value: number;
  next(): Promise<void>;
  close(): void;
}

function changesOf(server: ServerUnderLoad, operationFor: (value: number) => Operation, value = 0): Changes {
  const client = httpClient(server);
  const changes = {
    value,
    close: client.close,
    next: async () => {
      const operation = operationFor(changes.value);
      changes.value += 1;
      const answer = await client.send(operation);
      if (answer.includes('"errors"') || answer.includes('"code"')) throw new Error(answer.slice(0, 500));
    },
  };
  return changes;
}

function activations(server: ServerUnderLoad): Changes {
  const query = `mutation ($input: SetUserStatusInput!) { setUserStatus(input: $input) { ... on UserError { code message } } }`;
  return changesOf(server, (value) => ({
    query,
    variables: { input: { userId: encodeOwnedId('User', quiet, userAt(value)), status: 'ACTIVE' } },
  }));
}

function ticks(server: ServerUnderLoad): Changes {
  return changesOf(server, () => ({ query: 'mutation { tick }' }));
}

interface FanOut {
  readonly servers: readonly ServerUnderLoad[];
  readonly sockets: number;
  readonly operationOf: (index: number) => Operation;
  readonly changes: Changes;
  readonly seconds?: number;
}

type Measured = Awaited<ReturnType<typeof measure>>;

/** Latency is from the sending of the change to the wallboard's hearing of it: the change's own time is in it. */
async function measure({ servers, sockets, operationOf, changes, seconds = 8 }: FanOut) {
  const sentAt: number[] = [];
  const latencies: number[] = [];
  const seen = Array.from<number>({ length: sockets }).fill(-1);
  let deliveries = 0;
  const wallboards = await openWallboards({
    ...{ addresses: servers, count: sockets, atOnce: 100, operationOf },
    onEvent: (index, text) => {
      const now = performance.now();
      const value = Number(/"activeUsers":(\d+)/.exec(text)?.[1]);
      deliveries += 1;
      const before = seen[index] ?? -1;
      // The first event is a snapshot. A later one may be of several changes.
      for (let each = before + 1; before >= 0 && each <= value; each += 1) {
        const sent = sentAt[each];
        if (sent !== undefined) latencies.push(now - sent);
      }
      seen[index] = Math.max(before, value);
    },
  });

  async function change(forSeconds: number): Promise<number> {
    const started = performance.now();
    let made = 0;
    while (performance.now() < started + forSeconds * 1000) {
      const due = performance.now() + 1000 / updatesPerSecond;
      sentAt[changes.value + 1] = performance.now();
      await changes.next();
      made += 1;
      await untilThen(due);
    }
    return made;
  }

  try {
    await change(8);
    const cpu = () => servers.reduce((sum, { pid }) => sum + cpuMicroseconds(pid), 0);
    // What the warm-up's changes took is not measured.
    sentAt.length = 0;
    latencies.length = 0;
    deliveries = 0;
    const before = cpu();
    const started = performance.now();
    const made = await change(seconds);
    const [took, used, delivered] = [(performance.now() - started) / 1000, cpu() - before, deliveries];
    const megabytes = servers.reduce((sum, { pid }) => sum + residentBytes(pid), 0) / 2 ** 20;
    const patience = performance.now() + patienceMilliseconds;
    while (seen.some((value) => value < changes.value) && performance.now() < patience) await delay(50);
    if (seen.some((value) => value < changes.value)) throw new Error('A wallboard missed the last change');
    return {
      updatesPerSecond: rounded(made / took, 1),
      deliveriesPerSecond: Math.round(delivered / took),
      serverMicroseconds: delivered === 0 ? null : rounded(used / delivered, 1),
      serverCores: rounded(used / 1e6 / took, 3),
      ...percentiles(latencies),
      megabytes: Math.round(megabytes),
    };
  } finally {
    wallboards.close();
    await delay(500);
  }
}

/** 500 wallboards: the same for all, or 50 kinds of 10; beside a bare socket, and beside other servers. */
async function delivery(): Promise<void> {
  const report = section('fanout delivery');
  const sockets = 500;
  const organisationId = encodeOrganisationId(quiet);
  let base: Figures | null = null;
  /** @param coresAChange what a change a second takes when nobody watches */
  const tell = (name: string, measured: Measured, coresAChange = 0) => {
    base ??= { case: name, ...measured };
    const bare = Number(base['serverMicroseconds']);
    const cores = measured.serverCores - coresAChange * measured.updatesPerSecond;
    const beyondChanges = (cores * 1e6) / measured.deliveriesPerSecond;
    report({
      case: name,
      ...measured,
      times: rounded(Number(measured.serverMicroseconds) / bare),
      beyondChangesMicroseconds: rounded(beyondChanges, 1),
      beyondChangesTimes: rounded(beyondChanges / bare),
      of: base.case,
    });
  };
  const peers: readonly [Peer, string][] = [
    ['ws-send', 'ws, one JSON string, send to each'],
    ['ws-prepared', 'ws, one prepared frame written to each'],
    ['yoga', 'graphql-yoga with graphql-ws'],
    ['apollo', 'Apollo Server with graphql-ws'],
    ['mercurius', 'Mercurius (JIT)'],
  ];
  for (const [peer, name] of peers) {
    progress(name);
    const server = await startPeer(peer);
    const changes = ticks(server);
    try {
      const operationOf = () => subscription(organisationId);
      tell(name, await measure({ servers: [server], sockets, operationOf, changes }));
    } finally {
      changes.close();
      await server.stop();
    }
  }

  const product = await startSeeded();
  const changes = activations(product.nodes[0]);
  const servers = product.nodes;
  try {
    progress('Seatkeeper');
    const equal = { servers, sockets, operationOf: () => subscription(organisationId), changes };
    const operationOf = (index: number) => subscription(organisationId, index % 50);
    // A peer executes 5,000 times a second, and is compiled at once; equal subscriptions are executed ten times.
    await measure({ servers, sockets, operationOf, changes });
    const together = await measure(equal);
    const apart = await measure({ servers, sockets, operationOf, changes });
    // Here a change is a transaction, and the server also looks for what is due: that is no delivery's cost.
    const alone = await measure({ ...equal, sockets: 0 });
    const coresAChange = alone.serverCores / alone.updatesPerSecond;
    tell('Seatkeeper, 500 equal subscriptions', together, coresAChange);
    tell('Seatkeeper, 50 different ones of 10', apart, coresAChange);
    report({ case: 'Seatkeeper, the changes alone, nobody watches', ...alone });
  } finally {
    changes.close();
    await product.stop();
  }
}

/** How the cost of a delivery grows with wallboards, kinds of them, rows and servers. */
async function growth(): Promise<void> {
  const report = section('fanout growth');
  const organisationId = encodeOrganisationId(quiet);
  const product = await startSeeded();
  const changes = activations(product.nodes[0]);
  const tell = async (name: string, { sockets = 500, groups = 1, rows = benchLicences.length }) => {
    progress(name);
    const operationOf = (index: number) => subscription(organisationId, index % groups, rows);
    const load = { servers: product.nodes, sockets, operationOf, changes, seconds: 5 };
    try {
      report({ case: name, ...(await measure(load)) });
    } catch (error) {
      // Where it no longer keeps up is what was to be found out.
      report({ case: name, failed: error instanceof Error ? error.message.slice(0, 80) : String(error) });
    }
  };
  try {
    for (const sockets of [100, 500, 1000, 2000]) await tell(`${sockets} wallboards, all equal`, { sockets });
    for (const groups of [10, 50, 250]) await tell(`500 wallboards of ${groups} kinds`, { groups });
    for (const rows of [1, 6]) await tell(`500 wallboards of ${rows} of the 12 rows`, { rows });
    for (const nodes of [2, 3]) {
      await product.addNode();
      await tell(`500 wallboards on ${nodes} servers`, {});
    }
  } finally {
    changes.close();
    await product.stop();
  }
}

/** 1,000 wallboards, and 500 logons a second. */
async function commit(): Promise<void> {
  const report = section('fanout commit');
  const [sockets, logonsPerSecond, seconds, warmUpSeconds] = [1000, 500, 10, 3];
  /** Every tenth wallboard's latencies are kept: there are millions. */
  const sampled = 10;
  const [licence = ''] = benchLicences;
  const product = await startSeeded();
  const [server] = product.nodes;
  const client = httpClient(server);
  const query = `mutation ($input: LogonInput!) { logon(input: $input) { __typename } }`;
  const sentAt: number[] = [];
  const answeredAt: number[] = [];
  const [fromRequest, fromAnswer]: [number[], number[]] = [[], []];
  const seen = Array.from<number>({ length: sockets }).fill(0);
  const measuredFrom = warmUpSeconds * logonsPerSecond;
  let deliveries = 0;
  try {
    const wallboards = await openWallboards({
      ...{ addresses: [server], count: sockets, atOnce: 100 },
      operationOf: () => subscription(encodeOrganisationId(busy)),
      onEvent: (index, text) => {
        const now = performance.now();
        deliveries += 1;
        const value = Number(/"concurrent":\{"total":\d+,"used":(\d+)/.exec(text)?.[1]);
        const before = seen[index] ?? 0;
        seen[index] = Math.max(before, value);
        if (index % sampled !== 0) return;
        for (let each = Math.max(before, measuredFrom); each < value; each += 1) {
          fromRequest.push(now - (sentAt[each] ?? now));
          fromAnswer.push(Math.max(0, now - (answeredAt[each] ?? now)));
        }
      },
    });
    const logons: Promise<void>[] = [];
    const started = performance.now();
    let cpu = 0;
    for (let index = 0; index < (seconds + warmUpSeconds) * logonsPerSecond; index += 1) {
      await untilThen(started + (index * 1000) / logonsPerSecond);
      if (index === measuredFrom) [cpu, deliveries] = [cpuMicroseconds(server.pid), 0];
      const userId = encodeOwnedId('User', busy, userAt(index));
      sentAt.push(performance.now());
      const variables = { input: { userId, licence, device: 'desktop', features: [] } };
      logons.push(
        client.send({ query, variables }).then((answer) => {
          if (!answer.includes('LogonPayload')) throw new Error(answer.slice(0, 500));
          answeredAt.push(performance.now());
        }),
      );
    }
    const took = (performance.now() - started) / 1000 - warmUpSeconds;
    const [used, delivered] = [cpuMicroseconds(server.pid) - cpu, deliveries];
    await Promise.all(logons);
    const patience = performance.now() + patienceMilliseconds;
    while (seen.some((value) => value < logons.length) && performance.now() < patience) await delay(50);
    if (seen.some((value) => value < logons.length)) throw new Error('A wallboard missed the last logon');
    const common = {
      logonsPerSecond: Math.round((seconds * logonsPerSecond) / took),
      deliveriesPerSecond: Math.round(delivered / took),
      serverCores: rounded(used / 1e6 / took),
    };
    const name = `${sockets} wallboards, ${logonsPerSecond} logons/s`;
    report({ case: `${name}: from the logon's sending`, ...percentiles(fromRequest), ...common });
    // The k-th answer comes after the k-th commit: this is a little less than from the commit on, that a little more.
    report({ case: `${name}: from the logon's answer`, ...percentiles(fromAnswer), ...common });
    wallboards.close();
  } finally {
    client.close();
    await product.stop();
  }
}

/** 1,000 wallboards connect at once, as after a deploy. */
async function reconnect(): Promise<void> {
  const report = section('fanout reconnect');
  const product = await startSeeded({ countStatements: true });
  const tell = async (name: string, count: number) => {
    await forgetStatements(product.pool);
    const started = performance.now();
    const wallboards = await openWallboards({
      ...{ addresses: product.nodes, count, atOnce: count },
      operationOf: () => subscription(encodeOrganisationId(quiet)),
      onEvent: () => {},
    });
    const milliseconds = Math.round(performance.now() - started);
    const statements = await statementsOf(product.pool);
    const each = percentiles([...wallboards.milliseconds]);
    report({ case: name, untilAllAreLiveMilliseconds: milliseconds, ...each, statements });
    wallboards.close();
    await delay(1500);
  };
  try {
    await tell('1,000 wallboards, the server just started', 1000);
    await tell('1,000 wallboards, once more', 1000);
    await tell('one wallboard', 1);
  } finally {
    await product.stop();
  }
}

/** 10,000 wallboards on which nothing happens. */
async function idle(): Promise<void> {
  const report = section('fanout idle');
  const count = 10_000;
  const preload = join(import.meta.dirname, 'collect.ts');
  const product = await startSeeded({ nodeOptions: ['--expose-gc', '--import', preload] });
  const [server] = product.nodes;
  const open = (count: number) =>
    openWallboards({
      ...{ addresses: [server], count, atOnce: 100 },
      operationOf: () => subscription(encodeOrganisationId(quiet)),
      onEvent: () => {},
    });
  const collect = async (): Promise<NodeJS.MemoryUsage> => {
    const { output, child } = server.process;
    const before = output.err.length;
    child.kill('SIGUSR2');
    await until(() => output.err.slice(before).endsWith('}\n'), 20_000);
    const line = output.err.trimEnd().split('\n').at(-1) ?? '';
    return JSON.parse(line) as NodeJS.MemoryUsage;
  };
  try {
    // What the first ones cost is the code's, not theirs.
    (await open(200)).close();
    await delay(2000);
    const before = await collect();
    progress(`${count.toLocaleString('en')} wallboards connect`);
    const started = performance.now();
    const wallboards = await open(count);
    const seconds = rounded((performance.now() - started) / 1000, 1);
    await delay(5000);
    const resident = residentBytes(server.pid);
    const cpu = cpuMicroseconds(server.pid);
    await delay(5000);
    const serverCores = rounded((cpuMicroseconds(server.pid) - cpu) / 5e6, 3);
    const after = await collect();
    const each = (bytes: number) => rounded(bytes / count / 1024, 1);
    report({
      case: `${count.toLocaleString('en')} idle wallboards`,
      kilobytesEachAsItIs: each(resident - before.rss),
      kilobytesEachAfterCollection: each(after.rss - before.rss),
      kilobytesEachOfHeap: each(after.heapUsed - before.heapUsed),
      megabytesWithout: Math.round(before.rss / 2 ** 20),
      megabytesWith: Math.round(resident / 2 ** 20),
      serverCores,
      secondsToConnectAll: seconds,
    });
    wallboards.close();
  } finally {
    await product.stop();
  }
}
