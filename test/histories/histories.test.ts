import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Instant, plusSeconds } from '../../src/kernel/clock.ts';
import type { SessionId, UserId } from '../../src/kernel/ids.ts';
import { changeTotals } from '../../src/purchase/domain.ts';
import { type Answer, type Books, endSessions, isLive, type Request } from '../../src/session/domain.ts';
import {
  changePool,
  closeStep,
  concurrentUsage,
  contingencyUsage,
  openTally,
} from '../../src/usage/domain.ts';
import { at, books, code, decide, holder, logon, pool, pools } from '../domain/given.ts';
import { advance, assign, buy, createOrganisation, createUser, mapping, setStatus } from '../setup/given.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';
import { type Event, linearise, type Model } from './linearise.ts';

/**
 * Concurrent clients against the real server; then what they were answered is explained by the pure rules, in an order
 * that fits what each of them saw. `npm run test:histories` tries a thousand; SEED=… replays one.
 */
let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());
afterEach(() => {
  for (const { message, facts } of server.logged) console.log(message, facts);
});

const licences = ['SUPERVISOR', 'INBOUND_AGENT'] as const;
const features = ['AGENT_CALLS', 'AGENT_EMAIL'] as const;
const start = '2026-01-01T00:00:00.000Z';
const users = 5;

/** What a client is to do; `session` is one of those that it was granted. */
type Plan =
  | {
      readonly kind: 'LOGON';
      readonly user: number;
      readonly licence: (typeof licences)[number];
      readonly device: string;
      readonly features: readonly string[] | null;
      readonly again: boolean;
    }
  | {
      readonly kind: 'RENEW' | 'ACQUIRE' | 'RELEASE' | 'LOGOFF';
      readonly session: number;
      readonly features: readonly string[];
    }
  | { readonly kind: 'BUY'; readonly licence: string; readonly concurrent: number }
  | { readonly kind: 'STATUS'; readonly user: number; readonly status: 'ACTIVE' | 'SUSPENDED' }
  | { readonly kind: 'CAP'; readonly licence: (typeof licences)[number]; readonly cap: number | null }
  | { readonly kind: 'WAIT'; readonly seconds: number };

const plan: fc.Arbitrary<Plan> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('LOGON' as const),
      user: fc.nat(users - 1),
      licence: fc.constantFrom(...licences),
      device: fc.constantFrom('a', 'b'),
      features: fc.option(fc.subarray([...features])),
      again: fc.boolean(),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('RENEW' as const, 'ACQUIRE' as const, 'RELEASE' as const, 'LOGOFF' as const),
      session: fc.nat(3),
      features: fc.subarray([...features], { minLength: 1 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('BUY' as const),
      licence: fc.constantFrom(...licences, ...features),
      concurrent: fc.integer({ min: 1, max: 2 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('STATUS' as const),
      user: fc.nat(users - 1),
      status: fc.constantFrom('ACTIVE' as const, 'SUSPENDED' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('CAP' as const),
      licence: fc.constantFrom(...licences),
      cap: fc.option(fc.nat(1)),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('WAIT' as const),
      seconds: fc.integer({ min: 1, max: 60 }),
    }),
  },
);

/** What was asked in the end, in the rules' own words. */
type Operation =
  | { readonly kind: 'REQUEST'; readonly request: Request }
  | Extract<Plan, { readonly kind: 'BUY' | 'CAP' }>
  | { readonly kind: 'STATUS'; readonly userId: UserId; readonly status: 'ACTIVE' | 'SUSPENDED' }
  | { readonly kind: 'MOVED'; readonly to: Instant }
  | { readonly kind: 'LOOKED' };

/** An answer, as far as clients see it. */
interface Shown {
  readonly type: string;
  readonly id?: string;
  readonly admittedAs?: string;
  /** Of a logon (W2). */
  readonly raisesPeak?: boolean | undefined;
  readonly expiresAt?: string;
  readonly ended?: boolean;
  readonly features?: readonly string[];
  readonly figures?: readonly string[];
}

interface State {
  readonly books: Books;
  readonly now: Instant;
}

const selection = (
  payload: string,
) => `... on ${payload} { ${payload === 'LogonPayload' ? 'raisesPeak' : ''} session {
  id admittedAs expiresAt endedAt features { feature { code } admittedAs unavailableReason } } }`;

interface Drawn {
  readonly id: string;
  readonly admittedAs: string;
  readonly expiresAt: string;
  readonly endedAt: string | null;
  readonly features: readonly {
    readonly feature: { readonly code: string };
    readonly admittedAs: string | null;
    readonly unavailableReason: string | null;
  }[];
}

function shown({
  __typename,
  session,
  raisesPeak,
}: {
  readonly __typename: string;
  readonly session?: Drawn;
  readonly raisesPeak?: boolean;
}): Shown {
  if (session === undefined) return { type: __typename };
  return {
    type: 'session',
    id: session.id,
    admittedAs: session.admittedAs,
    raisesPeak,
    expiresAt: session.expiresAt,
    ended: session.endedAt !== null,
    features: session.features
      .map((each) => `${each.feature.code}:${each.admittedAs ?? each.unavailableReason}`)
      .sort(),
  };
}

/** What the rules answered, as a client would see it. */
function drawn(answer: Answer, raisesPeak?: boolean): Shown {
  if (answer === null) return { type: 'nothing' };
  if ('code' in answer) {
    const type = answer.code
      .toLowerCase()
      .replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
    return { type };
  }
  return {
    type: 'session',
    id: answer.id,
    admittedAs: answer.admittedAs,
    raisesPeak,
    expiresAt: answer.expiresAt.toISOString(),
    ended: !isLive(answer),
    features: answer.features
      .map((each) => `${each.licence}:${each.admittedAs ?? each.unavailableReason}`)
      .sort(),
  };
}

function apply(state: State, operation: Operation, answer: Shown): State | null {
  switch (operation.kind) {
    case 'REQUEST': {
      const admission = decide(state.books, state.now, operation.request);
      const [given] = admission.answers;
      // A logoff of an ended session shows it as it is (L9): that it has ended is all that is compared.
      const raisesPeak = operation.request.kind === 'LOGON' ? admission.raisesPeak[0] : undefined;
      const isSame =
        given === null || given === undefined
          ? answer.type === 'session' && answer.ended === true
          : JSON.stringify(drawn(given, raisesPeak)) === JSON.stringify(answer);
      return isSame ? { ...state, books: admission } : null;
    }
    case 'LOOKED': {
      const figures = licences.map((licence) => {
        const kept = state.books.pools.get(code(licence)) ?? pool(licence);
        const { used, maxUsed } = contingencyUsage(kept);
        return `${licence}: ${concurrentUsage(kept).used} ${used} ${maxUsed}`;
      });
      return JSON.stringify(figures.sort()) === JSON.stringify(answer.figures) ? state : null;
    }
    case 'BUY': {
      const tally = openTally(state.books.pools);
      const bought = { base: 0, contingency: 0, concurrent: operation.concurrent };
      changeTotals(tally, code(operation.licence), bought, 1);
      closeStep(tally, state.now);
      return { ...state, books: { ...state.books, pools: tally.pools } };
    }
    case 'CAP': {
      const tally = openTally(state.books.pools);
      changePool(tally, code(operation.licence), { contingencyCap: operation.cap });
      closeStep(tally, state.now);
      return { ...state, books: { ...state.books, pools: tally.pools } };
    }
    case 'STATUS': {
      const { userId, status } = operation;
      const ended =
        status === 'SUSPENDED'
          ? endSessions(state.books, (session) => session.userId === userId, 'USER_SUSPENDED', state.now)
          : state.books;
      const present = ended.holders.get(userId);
      if (present === undefined) return null;
      return {
        ...state,
        books: { pools: ended.pools, holders: new Map([...ended.holders, [userId, { ...present, status }]]) },
      };
    }
    case 'MOVED': {
      const { to } = operation;
      if (to < state.now) return null;
      let moved = state.books;
      const expiries = [...moved.holders.values()]
        .flatMap(({ sessions }) => sessions)
        .filter((session) => isLive(session) && session.expiresAt <= to)
        .map(({ expiresAt }) => expiresAt);
      for (const expiry of expiries.sort((one, other) => one.getTime() - other.getTime())) {
        moved = endSessions(moved, ({ expiresAt }) => expiresAt <= expiry, 'LEASE_EXPIRED', expiry);
      }
      return { books: moved, now: to };
    }
  }
}

function keyOf({ books: { pools: seats, holders }, now }: State): string {
  const sessions = [...holders.values()].flatMap((each) => [
    each.status,
    ...each.sessions
      .filter(isLive)
      .map((session) => [session.id, session.expiresAt, drawn(session).features]),
  ]);
  return JSON.stringify([now, [...seats.values()], sessions]);
}

/** Does what is planned, each client one thing after the other, all clients at once. */
async function play(scripts: readonly (readonly Plan[])[], seats: number) {
  const organisationId = await createOrganisation(server, { testClockAt: start });
  for (const licence of licences) {
    await buy(server, organisationId, licence, { base: users, concurrent: seats, contingency: 2 });
  }
  await buy(server, organisationId, 'AGENT_CALLS', { concurrent: 2 });
  const ids: string[] = [];
  for (let user = 0; user < users; user += 1) {
    const id = await createUser(server, organisationId, `user-${user}`, [...licences]);
    await assign(server, id, 'AGENT_CALLS');
    if (user % 2 === 0) await assign(server, id, 'AGENT_EMAIL');
    ids.push(id);
  }
  const holders = ids.map((id, user) => ({
    ...holder([...licences, 'AGENT_CALLS', ...(user % 2 === 0 ? ['AGENT_EMAIL'] : [])]),
    userId: id as UserId,
  }));
  const bought = licences.map((licence) => pool(licence, { concurrentTotal: seats, contingencyTotal: 2 }));
  const model: Model<State, Operation, Shown> = {
    start: {
      books: books(pools(...bought, pool('AGENT_CALLS', { concurrentTotal: 2 })), ...holders),
      now: at(start),
    },
    apply,
    keyOf,
  };

  const events: Event<Operation, Shown>[] = [];
  const owners = new Map<string, UserId>();
  let tick = 0;
  let clock = at(start);

  async function perform(
    client: number,
    turn: number,
    step: Plan,
    mine: string[],
  ): Promise<{ operation: Operation; answer: Shown } | null> {
    switch (step.kind) {
      case 'LOGON': {
        const userId = ids[step.user] ?? '';
        const input = { userId, licence: step.licence, device: step.device, features: step.features };
        const keyed = { ...input, idempotencyKey: `${client}-${turn}` };
        const asked = () => server.mutate('logon', keyed, selection('LogonPayload'));
        const sentAt = tick++;
        // The same, sent twice at once, is one logon (L6).
        const [first, again] = await Promise.all([asked(), step.again ? asked() : null]);
        const answer = shown(first);
        if (again !== null) {
          const { type, id, raisesPeak } = shown(again);
          expect({ type, id, raisesPeak }).toEqual({
            type: answer.type,
            id: answer.id,
            raisesPeak: answer.raisesPeak,
          });
        }
        if (answer.id !== undefined) {
          mine.push(answer.id);
          owners.set(answer.id, userId as UserId);
        }
        const request = logon({ userId: userId as UserId }, step.licence, step);
        const sessionId = (answer.id ?? request.sessionId) as SessionId;
        events.push({
          client,
          operation: { kind: 'REQUEST', request: { ...request, sessionId } },
          answer,
          sentAt,
          answeredAt: tick++,
        });
        return null;
      }
      case 'RENEW':
      case 'ACQUIRE':
      case 'RELEASE':
      case 'LOGOFF': {
        const sessionId = mine[step.session % Math.max(1, mine.length)];
        const userId = sessionId === undefined ? undefined : owners.get(sessionId);
        if (sessionId === undefined || userId === undefined) return null;
        const name = {
          RENEW: 'renewSession',
          ACQUIRE: 'acquireFeatures',
          RELEASE: 'releaseFeatures',
          LOGOFF: 'logoff',
        }[step.kind];
        const takesFeatures = step.kind === 'ACQUIRE' || step.kind === 'RELEASE';
        const answer = await server.mutate(
          name,
          takesFeatures ? { sessionId, features: step.features } : { sessionId },
          selection(`${name.charAt(0).toUpperCase()}${name.slice(1)}Payload`),
        );
        const request: Request = {
          kind: step.kind,
          userId,
          sessionId: sessionId as SessionId,
          features: takesFeatures ? step.features.map(code) : [],
        };
        return { operation: { kind: 'REQUEST', request }, answer: shown(answer) };
      }
      case 'BUY':
        await buy(server, organisationId, step.licence, { concurrent: step.concurrent });
        return { operation: step, answer: { type: 'bought' } };
      case 'CAP':
        await server.mutate('setContingencyCap', { organisationId, licence: step.licence, cap: step.cap });
        return { operation: step, answer: { type: 'capped' } };
      case 'STATUS': {
        const userId = ids[step.user] ?? '';
        await setStatus(server, userId, step.status);
        const operation = { kind: 'STATUS', userId: userId as UserId, status: step.status } as const;
        return { operation, answer: { type: 'set' } };
      }
      case 'WAIT': {
        // One client alone moves the clock: it never runs backwards.
        if (client !== 0) return null;
        clock = plusSeconds(clock, step.seconds);
        await advance(server, organisationId, clock.toISOString());
        return { operation: { kind: 'MOVED', to: clock }, answer: { type: 'moved' } };
      }
    }
  }

  await Promise.all(
    scripts.map(async (script, client) => {
      const mine: string[] = [];
      for (const [turn, step] of script.entries()) {
        const sentAt = tick++;
        const done = await perform(client, turn, step, mine);
        if (done !== null) events.push({ client, ...done, sentAt, answeredAt: tick++ });
      }
    }),
  );
  // What everybody sees in the end belongs to the history: of several orders it may fit one only (C1, C2).
  const rows = await mapping(server, organisationId, licences);
  const figures = rows.map(
    ({ licence, concurrent, contingency }) =>
      `${licence.code}: ${concurrent?.['used']} ${contingency?.['used']} ${contingency?.['maxUsed']}`,
  );
  events.push({
    client: -1,
    operation: { kind: 'LOOKED' },
    answer: { type: 'figures', figures: figures.sort() },
    sentAt: tick++,
    answeredAt: tick++,
  });
  return { events, model };
}

function told(events: readonly Event<Operation, Shown>[]): string {
  return events
    .map(
      ({ client, sentAt, answeredAt, operation, answer }) =>
        `${sentAt}–${answeredAt} client ${client}: ${JSON.stringify(operation)} → ${JSON.stringify(answer)}`,
    )
    .join('\n');
}

const runs = Number(process.env['HISTORIES'] ?? 12);
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const script = fc.array(plan, { minLength: 6, maxLength: 10 });

test(
  'L1–L9, C1, C2, P1, U3: whatever concurrent clients are answered, some order of their requests explains it by the rules',
  { timeout: 3_600_000 },
  async () => {
    console.log(
      `${runs} histories; to do the same again: SEED=${seed} HISTORIES=${runs} npm run test:histories`,
    );
    let answers = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(script, script, script, script),
        fc.integer({ min: 1, max: 3 }),
        async (scripts, seats) => {
          const { events, model } = await play(scripts, seats);
          answers += events.length;
          const found = linearise(events, model);
          if ('explained' in found) {
            throw new Error(
              `No order explains this:\n${told(events)}\n\nexplained as far as\n${told(found.explained)}`,
            );
          }
          // At every instant: never more in use than there is.
          for (const { books: present } of found.states) {
            for (const { inUse, concurrentTotal, contingencyTotal } of present.pools.values()) {
              expect(inUse).toBeLessThanOrEqual(concurrentTotal + contingencyTotal);
            }
          }
        },
      ),
      { numRuns: runs, seed, endOnFailure: true },
    );
    console.log(`${answers} answers explained`);
  },
);

test('a history with one answer too many has no order', async () => {
  const [ada, ben] = [holder(['SUPERVISOR']), holder(['SUPERVISOR'])];
  const model = {
    start: { books: books(pools(pool('SUPERVISOR', { concurrentTotal: 1 })), ada, ben), now: at(start) },
    apply,
    keyOf,
  };
  const granted = (who: typeof ada, sentAt: number): Event<Operation, Shown> => {
    const request = logon(who, 'SUPERVISOR', { features: [] });
    const [answer] = decide(model.start.books, model.start.now, request).answers;
    return {
      client: sentAt,
      operation: { kind: 'REQUEST', request },
      answer: drawn(answer ?? null, false),
      sentAt,
      answeredAt: sentAt + 10,
    };
  };
  expect(linearise([granted(ada, 0)], model)).toHaveProperty('states');
  expect(linearise([granted(ada, 0), granted(ben, 1)], model)).toHaveProperty('explained');
});
