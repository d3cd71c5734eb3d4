import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSchema, parse, validate } from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { documents } from '../../src/cli/simulate/api.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';

const project = join(import.meta.dirname, '..', '..');
const folder = mkdtempSync(join(tmpdir(), 'seatkeeper-simulate-'));
let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs the simulator as `npm run simulate` does, in a process of its own. */
function simulate(...args: string[]): Promise<Run> {
  const command = [join(project, 'src/cli/simulate.ts'), '--url', server.url, '--key', server.key, ...args];
  const child = spawn(process.execPath, command, { cwd: folder });
  const run = { out: '', err: '' };
  child.stdout.on('data', (text) => (run.out += String(text)));
  child.stderr.on('data', (text) => (run.err += String(text)));
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, ...run }));
  });
}

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
  const { code, out, err } = await simulate('--users', '10', '--organisations', '1', '--connections', '8');
  expect(err).toBe('');
  expect(out).toMatch(/^equal +Contact centre 1: \d+ figures at \d+ instants until 2027-03-18T00:00Z/m);
  expect(code).toBe(0);
});

test('a crowd gets every seat there is, in the same way each time', { timeout: 60_000 }, async () => {
  const args = [...crowd(), '--seats', 'INBOUND_AGENT=8+2', '--seats', 'AGENT_CALLS=9+9'];
  const [first, again, racing] = [
    await simulate(...args),
    await simulate(...args),
    await simulate(...args, '--race'),
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
    write('crowd-roster.csv', ['username,licences', ...users]),
    '--trace',
    write('crowd-trace.csv', ['username,device,logon_at,logoff_at', ...stays]),
  ];
}

function write(name: string, lines: readonly string[]): string {
  const file = join(folder, name);
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

test('a figure that somebody else changed is found', { timeout: 60_000 }, async () => {
  const roster = write('roster.csv', ['organisation,username,licences', 'Tampered,ann,SUPERVISOR']);
  const trace = write('trace.csv', [
    'username,logon_at,logoff_at',
    'ann,2027-03-17T09:00:00Z,2027-03-17T11:00:00Z',
  ]);
  const running = simulate('--roster', roster, '--trace', trace, '--speed', '3000');

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
  const wrongKey = await simulate('--key', 'not the operator key');
  expect(wrongKey.err).toMatch(/does not take the operator key\. "npm start" prints it/);
  expect(wrongKey.code).toBe(1);
  const absent = await simulate('--url', 'http://127.0.0.1:1/graphql');
  expect(absent.err).toMatch(
    /No server answers at http:\/\/127\.0\.0\.1:1\/graphql\. Start one with "npm start"/,
  );
  expect(absent.code).toBe(1);
});
