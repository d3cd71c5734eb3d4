import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { expect } from 'vitest';

/** The same numbers for the same seed: what a failed run did can be done again (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** SEED=… replays a run. */
export function chooseSeed(): number {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`seed ${seed}; to do the same again: SEED=${seed} npm run test:long`);
  return seed;
}

export interface Address {
  readonly url: string;
  readonly key: string;
}

interface Answer {
  // oxlint-disable-next-line typescript/no-explicit-any -- a test asserts the shape it reads
  readonly data?: any;
  readonly errors?: readonly { readonly message: string; readonly extensions: Record<string, unknown> }[];
}

export async function ask(
  { url, key }: Address,
  query: string,
  variables: Record<string, unknown> = {},
): Promise<Answer> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ query, variables }),
    signal: AbortSignal.timeout(20_000),
  });
  return (await response.json()) as Answer;
}

export interface Floor {
  readonly organisationId: string;
  readonly users: readonly string[];
  readonly seats: number;
}

/** An organisation with more users than seats. */
export async function openFloor(
  address: Address,
  users: number,
  seats: { readonly concurrent: number; readonly contingency: number },
  leaseSeconds = 3600,
): Promise<Floor> {
  const { data } = await ask(
    address,
    'mutation ($input: CreateOrganisationInput!) { createOrganisation(input: $input) { ... on CreateOrganisationPayload { organisation { id } } } }',
    { input: { name: 'Floor', leaseSeconds } },
  );
  const organisationId: string = data.createOrganisation.organisation.id;
  await ask(
    address,
    'mutation ($input: RecordPurchaseInput!) { recordPurchase(input: $input) { __typename } }',
    {
      input: { organisationId, licence: 'SUPERVISOR', base: users, ...seats },
    },
  );
  const made: string[] = [];
  for (let index = 0; index < users; index += 1) {
    const answer = await ask(
      address,
      'mutation ($input: CreateUserInput!) { createUser(input: $input) { ... on CreateUserPayload { user { id } } } }',
      { input: { organisationId, username: `user-${index}`, licences: ['SUPERVISOR'], status: 'ACTIVE' } },
    );
    made.push(answer.data.createUser.user.id);
  }
  return { organisationId, users: made, seats: seats.concurrent + seats.contingency };
}

/** What the clients of a floor saw. */
export interface Report {
  /** Sessions that a client was told it has, and has not ended. */
  readonly granted: Map<string, string>;
  readonly codes: Map<string, number>;
  slowestMilliseconds: number;
  answers: number;
}

const logonDocument = `mutation ($input: LogonInput!) { logon(input: $input) {
  __typename ... on LogonPayload { session { id endedAt } } } }`;
const sessionDocument = (name: string) =>
  `mutation ($input: ${name.charAt(0).toUpperCase()}${name.slice(1)}Input!) { ${name}(input: $input) { __typename } }`;

/**
 * Agents who log on, renew and log off until `isOver`. A request that was not answered is sent again, a logon with its
 * key, until it is: so in the end every client knows what it has.
 */
export async function drive(
  address: () => Address,
  floor: Floor,
  seed: number,
  isOver: () => boolean,
): Promise<Report> {
  const report: Report = { granted: new Map(), codes: new Map(), slowestMilliseconds: 0, answers: 0 };

  async function insist(document: string, input: Record<string, unknown>): Promise<Answer['data']> {
    const deadline = performance.now() + 60_000;
    for (;;) {
      const sent = performance.now();
      let code = 'NETWORK';
      try {
        const { data, errors } = await ask(address(), document, { input });
        report.slowestMilliseconds = Math.max(report.slowestMilliseconds, performance.now() - sent);
        if (errors === undefined) {
          report.answers += 1;
          return data;
        }
        code = String(errors[0]?.extensions['code']);
        if (code === 'UNAVAILABLE') expect(errors[0]?.extensions['retryAfterSeconds']).toBeGreaterThan(0);
      } catch (error) {
        // The server is gone for a moment; a request that hangs is not that.
        if (error instanceof Error && error.name === 'TimeoutError') throw error;
        if (error instanceof Error && error.name === 'AssertionError') throw error;
      }
      report.codes.set(code, (report.codes.get(code) ?? 0) + 1);
      if (performance.now() > deadline) throw new Error(`Not answered within a minute; last: ${code}`);
      await delay(50);
    }
  }

  await Promise.all(
    floor.users.map(async (userId, index) => {
      const next = random(seed + index);
      let sessionId: string | null = null;
      for (let turn = 0; !isOver(); turn += 1) {
        if (sessionId === null) {
          const { logon } = await insist(logonDocument, {
            userId,
            licence: 'SUPERVISOR',
            device: 'desktop',
            idempotencyKey: `${seed}-${turn}`,
          });
          if (logon.__typename === 'LogonPayload') {
            sessionId = logon.session.id as string;
            report.granted.set(userId, sessionId);
          }
        } else if (next() < 0.6) {
          const { renewSession } = await insist(sessionDocument('renewSession'), { sessionId });
          expect(renewSession.__typename).toBe('RenewSessionPayload');
        } else {
          await insist(sessionDocument('logoff'), { sessionId });
          report.granted.delete(userId);
          sessionId = null;
        }
        await delay(next() * 20);
      }
    }),
  );
  return report;
}

/** Every session that a client has is there and lives; every counter is what its rows say; no seat is sold twice. */
export async function expectNoDrift(pool: pg.Pool, floor: Floor, report: Report): Promise<void> {
  const { rows } = await pool.query(`
    select
      (select coalesce(sum(in_use), 0)::int from pool) as in_use,
      (select count(*)::int from hold) as holds,
      (select count(distinct (organisation_id, user_id, licence))::int from session where ended_at is null) as live,
      (select count(*)::int from history where in_use > concurrent_total + contingency_total) as oversold,
      (select count(*) filter (where kind = 'ACQUIRED')::int - count(*) filter (where kind = 'RELEASED')::int
         from history where seat_changed) as recorded`);
  const { in_use: inUse, holds, live, oversold, recorded } = rows[0];
  expect({ inUse, live, oversold, recorded }).toEqual({
    inUse: holds,
    live: holds,
    oversold: 0,
    recorded: holds,
  });
  expect(holds).toBe(report.granted.size);
  expect(holds).toBeLessThanOrEqual(floor.seats);
}
