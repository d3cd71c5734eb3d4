import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSchema, parse, validate } from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { documents } from '../../src/cli/simulate/api.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';
import { createSimulator, type Run, type Simulator } from '../setup/simulate.ts';

const project = join(import.meta.dirname, '..', '..');
let server: TestServer;
let simulator: Simulator;

beforeAll(async () => {
  server = await startTestServer();
  simulator = createSimulator(server);
});

afterAll(async () => {
  await server.stop();
  simulator.dispose();
});

/** What a run says of grants, denials and peaks: everything but names and times of its own. */
function figuresOf({ out }: Run): string {
  return out
    .slice(out.indexOf('Organisations'), out.indexOf('Latencies'))
    .replaceAll(/sim-[\w.-]+/g, 'externalId');
}

test('the simulator asks for nothing that the schema does not have', () => {
  const schema = buildSchema(readFileSync(join(project, 'schema/schema.graphql'), 'utf8'));
  for (const document of documents) expect(validate(schema, parse(document))).toEqual([]);
});

test('every figure of a small day agrees', { timeout: 60_000 }, async () => {
  const { code, out, err } = await simulator.run(
    '--users',
    '10',
    '--organisations',
    '1',
    '--connections',
    '8',
  );
  expect(err).toBe('');
  expect(out).toMatch(/^equal +Contact centre 1: \d+ figures at \d+ instants until 2027-03-18T00:00Z/m);
  expect(code).toBe(0);
});

test('a crowd gets every seat there is, in the same way each time', { timeout: 60_000 }, async () => {
  const args = [...crowd(), '--seats', 'INBOUND_AGENT=8+2', '--seats', 'AGENT_CALLS=9+9'];
  const [first, again, racing] = [
    await simulator.run(...args),
    await simulator.run(...args),
    await simulator.run(...args, '--race'),
  ];
  // Ten agents on two devices each: the ten seats are still taken when the second device asks.
  expect(first.out).toMatch(/^Roster +INBOUND_AGENT +NO_SEAT_AVAILABLE +20$/m);
  expect(first.out).toMatch(/^Roster +INBOUND_AGENT +8 +8 +2 +2 +2027-03-17T09:00Z$/m);
  expect(first.out).toMatch(/^equal +Roster/m);
  expect(figuresOf(again)).toBe(figuresOf(first));
  expect([first, again, racing].map(({ code }) => code)).toEqual([0, 0, 0]);
});

/** Twenty agents who log on at one instant, each with two devices; every fourth crashes, the others leave one by one. */
function crowd(): string[] {
  const agents = Array.from({ length: 20 }, (_, number) => `agent-${number}`);
  const users = agents.map((username) => `${username},INBOUND_AGENT AGENT_CALLS`);
  const stays = agents.flatMap((username, number) => {
    const until = number % 4 === 0 ? '' : `2027-03-17T10:${10 + number}:00Z`;
    return [
      `${username},desktop,2027-03-17T09:00:00Z,${until}`,
      `${username},deskphone,2027-03-17T09:05:00Z,${until}`,
    ];
  });
  return [
    '--roster',
    simulator.write('crowd-roster.csv', ['username,licences', ...users]),
    '--trace',
    simulator.write('crowd-trace.csv', ['username,device,logon_at,logoff_at', ...stays]),
  ];
}

test('a figure that somebody else changed is found', { timeout: 60_000 }, async () => {
  const roster = simulator.write('roster.csv', ['organisation,username,licences', 'Tampered,ann,SUPERVISOR']);
  const trace = simulator.write('trace.csv', [
    'username,logon_at,logoff_at',
    'ann,2027-03-17T09:00:00Z,2027-03-17T11:00:00Z',
  ]);
  const running = simulator.run('--roster', roster, '--trace', trace, '--speed', '3000');

  await expect.poll(forceTheOneSession, { timeout: 10_000, interval: 20 }).toBe('ForceLogoffPayload');
  const { code, out } = await running;
  expect(out).toMatch(/^DIFFERENT +Tampered/m);
  expect(out).toMatch(/SUPERVISOR concurrent.used: reckoned 1, the server says 0/);
  expect(code).toBe(1);
});

async function forceTheOneSession(): Promise<string | null> {
  const { data } = await server.query(
    `{ organisations(search: "Tampered") { edges { node { sessions(live: true) { edges { node { id } } } } } } }`,
  );
  const sessionId = data.organisations.edges[0]?.node.sessions.edges[0]?.node.id;
  if (sessionId === undefined) return null;
  return (await server.mutate('forceLogoff', { sessionId })).__typename;
}

test('a wrong key and an absent server are explained', async () => {
  const wrongKey = await simulator.run('--key', 'not the operator key');
  expect(wrongKey.err).toMatch(/does not take the operator key\. "npm start" prints it/);
  expect(wrongKey.code).toBe(1);
  const absent = await simulator.run('--url', 'http://127.0.0.1:1/graphql');
  expect(absent.err).toMatch(
    /No server answers at http:\/\/127\.0\.0\.1:1\/graphql\. Start one with "npm start"/,
  );
  expect(absent.code).toBe(1);
});
