import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'graphql-ws';
import { earliest, type Instant } from '../../kernel/clock.ts';
import {
  advanceTestClock,
  perform,
  readDenials,
  readStatement,
  readTotals,
  register,
  type Registration,
} from './api.ts';
import { Audit } from './audit.ts';
import type { Switchboard } from './connections.ts';
import type { Exchange, Request } from './exchange.ts';
import { Failure } from './failure.ts';
import type { Peak } from './figures.ts';
import { Floor } from './floor.ts';
import type { Catalogue, Plan, PlannedEvent, PlannedOrganisation } from './plan.ts';
import type { Progress } from './progress.ts';
import { Reckoning } from './reckoning.ts';
import { Wallboard } from './wallboard.ts';

export interface Drive {
  readonly plan: Plan;
  readonly catalogue: Catalogue;
  readonly switchboard: Switchboard;
  /** Carries the wallboards. */
  readonly subscriber: Client;
  /** Makes the organisations' external ids unique on the server. */
  readonly runId: string;
  /** Simulated seconds in one real second; null: as fast as the server answers. */
  readonly speed: number | null;
  /** Whether requests for the last free seats are sent all at once, too: exact, but no longer reproducible. */
  readonly race: boolean;
  /** Ends the simulation after the phase under way. */
  readonly signal: AbortSignal;
  readonly showProgress: (title: string, total: number) => Progress;
}

export interface Outcome {
  readonly organisations: readonly OrganisationOutcome[];
  /** What ended the simulation early; null when nothing failed. */
  readonly failure: Failure | null;
  /** Whether it was asked to end early. */
  readonly isInterrupted: boolean;
  /** Real time, registration included. */
  readonly seconds: number;
}

export interface OrganisationOutcome {
  readonly name: string;
  readonly externalId: string;
  readonly users: number;
  readonly reachedAt: Instant;
  /** Whether the final check was made: not after a failure, when it is unknown what the server still carried out. */
  readonly isChecked: boolean;
  readonly sessionsStarted: number;
  readonly sessionsExpired: number;
  readonly liveSessions: number;
  readonly requests: number;
  readonly denials: ReadonlyMap<string, number>;
  readonly peaks: readonly Peak[];
  readonly wallboardEvents: number;
  readonly audit: Audit;
}

/** Lives the plan against the server: every organisation at its own pace, all over the same connections. */
export async function drive(options: Drive): Promise<Outcome> {
  const began = performance.now();
  const organisations = options.plan.organisations.map((plan, index) =>
    openOrganisation(plan, index, options),
  );
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  let failure: Failure | null = null;

  /** The first failure stops the others, each at the end of its phase. */
  async function forEach(work: (organisation: SimulatedOrganisation) => Promise<void>): Promise<void> {
    await Promise.all(
      organisations.map(async (organisation) => {
        try {
          await work(organisation);
        } catch (error) {
          if (!(error instanceof Failure)) throw error;
          failure ??= error;
          organisation.failed = true;
          stop.abort();
        }
      }),
    );
  }

  await stage(
    options,
    'Hiring',
    count(organisations, ({ plan }) => plan.users.length),
    (report) => forEach((organisation) => hire(organisation, options, report)),
  );
  const dayBegan = performance.now();
  const firstFrom = earliest(...options.plan.organisations.map(({ from }) => from));
  const pace = async (at: Instant): Promise<void> => {
    if (options.speed === null || firstFrom === null) return;
    const due = dayBegan + (at.getTime() - firstFrom.getTime()) / options.speed;
    await sleep(Math.max(0, due - performance.now()), undefined, { signal }).catch(() => undefined);
  };
  if (!signal.aborted) {
    await stage(
      options,
      'Working',
      count(organisations, ({ plan }) => minutesOf(plan)),
      (report) => forEach((organisation) => work(organisation, options, pace, signal, report)),
    );
  }
  await forEach((organisation) => checkAtTheEnd(organisation, options));
  return {
    organisations: organisations.map(concludeOrganisation),
    failure,
    isInterrupted: options.signal.aborted,
    seconds: (performance.now() - began) / 1000,
  };
}

interface SimulatedOrganisation {
  readonly plan: PlannedOrganisation;
  readonly externalId: string;
  readonly reckoning: Reckoning;
  readonly floor: Floor;
  readonly audit: Audit;
  registration: Registration | null;
  wallboard: Wallboard | null;
  /** Where its test clock stands. */
  at: Instant;
  requests: number;
  failed: boolean;
  isChecked: boolean;
}

function openOrganisation(
  plan: PlannedOrganisation,
  index: number,
  { runId, catalogue }: Drive,
): SimulatedOrganisation {
  const reckoning = new Reckoning(plan, catalogue);
  return {
    plan,
    externalId: `sim-${runId}-${index + 1}`,
    reckoning,
    floor: new Floor(reckoning, plan.leaseSeconds),
    audit: new Audit(),
    registration: null,
    wallboard: null,
    at: plan.from,
    requests: 0,
    failed: false,
    isChecked: false,
  };
}

/** Shows the progress of one stage, which tells how much more of it is done. */
async function stage(
  { showProgress }: Drive,
  title: string,
  total: number,
  run: (report: (more: number, note: string) => void) => Promise<void>,
): Promise<void> {
  const progress = showProgress(title, total);
  let done = 0;
  try {
    await run((more, note) => {
      done += more;
      progress.update(done, note);
    });
  } finally {
    progress.end();
  }
}

type Report = (more: number, note: string) => void;

async function hire(
  organisation: SimulatedOrganisation,
  { switchboard, subscriber }: Drive,
  report: Report,
): Promise<void> {
  const { plan, externalId, reckoning, audit } = organisation;
  const registration = await register(switchboard, plan, externalId, () => report(1, plan.name));
  organisation.registration = registration;
  organisation.wallboard = new Wallboard(subscriber, registration.organisationId);
  audit.compareRows(plan.from, reckoning.rows(), await readStatement(switchboard, registration));
}

async function work(
  organisation: SimulatedOrganisation,
  options: Drive,
  pace: (at: Instant) => Promise<void>,
  signal: AbortSignal,
  report: Report,
): Promise<void> {
  const { plan, floor, reckoning } = organisation;
  let next = 0;
  for (;;) {
    const at = earliest(plan.events[next]?.at ?? null, floor.nextRenewalAt());
    const isOver = at === null || at >= plan.until;
    const to = isOver ? plan.until : at;
    await pace(to);
    if (signal.aborted) return;

    const from = organisation.at;
    await moveTo(organisation, to, options);
    report(minutesBetween(from, to), `${timeOfDay(to)}  ${reckoning.liveSessions} sessions at ${plan.name}`);
    if (isOver) return;
    const events: PlannedEvent[] = [];
    for (let event = plan.events[next]; event?.at.getTime() === to.getTime(); event = plan.events[next]) {
      events.push(event);
      next += 1;
    }
    await live(organisation, events, options);
    await checkNow(organisation, from, options);
  }
}

async function moveTo(
  organisation: SimulatedOrganisation,
  to: Instant,
  { switchboard }: Drive,
): Promise<void> {
  const { registration, reckoning, at } = organisation;
  if (registration === null || to.getTime() === at.getTime()) return;
  await advanceTestClock(switchboard, registration, to);
  reckoning.settle(to);
  organisation.at = to;
}

/** Everything that happens at one instant, phase after phase. */
async function live(
  organisation: SimulatedOrganisation,
  events: readonly PlannedEvent[],
  options: Drive,
): Promise<void> {
  const { floor, at } = organisation;
  const phases = [
    () => floor.changingUsers(events),
    () => floor.givingBack(events, at),
    () => floor.taking(events),
  ];
  for (const requestsOf of phases) {
    const requests = requestsOf();
    if (requests.length > 0) await exchange(organisation, requests, options);
  }
}

/**
 * Sends the requests of a phase, all at once; but those that compete for the last seats one after the other, because
 * their order decides who is refused, and the same seed is to give the same figures. `race` sends those at once as well.
 */
async function exchange(
  organisation: SimulatedOrganisation,
  requests: readonly Request[],
  { switchboard, race }: Drive,
): Promise<void> {
  const { registration, reckoning, floor, audit, at } = organisation;
  if (registration === null) return;

  const send = async (request: Request): Promise<Exchange> => {
    const key = `${'device' in request ? request.device : ''} ${at.toISOString()}`;
    return { request, answer: await perform(switchboard, registration, request, key) };
  };
  const contested = race ? new Set<string>() : reckoning.contested(requests);
  const competes = (request: Request): boolean =>
    reckoning.seatsWanted(request).some((licence) => contested.has(licence));

  const inTurn = async (): Promise<Exchange[]> => {
    const answered: Exchange[] = [];
    for (const request of requests.filter(competes)) answered.push(await send(request));
    return answered;
  };
  const [competing, others] = await Promise.all([
    inTurn(),
    Promise.all(requests.filter((request) => !competes(request)).map(send)),
  ]);
  const exchanges = [...competing, ...others];
  organisation.requests += exchanges.length;
  audit.note(at, reckoning.apply(exchanges));
  floor.note(exchanges, at);
}

/** The page after every instant; the wallboard, which may lag a little, once an hour. */
async function checkNow(
  { registration, reckoning, audit, wallboard, at }: SimulatedOrganisation,
  last: Instant,
  { switchboard }: Drive,
): Promise<void> {
  if (registration === null) return;
  audit.compareRows(at, reckoning.rows(), await readStatement(switchboard, registration));
  const isNewHour = Math.floor(at.getTime() / 3_600_000) > Math.floor(last.getTime() / 3_600_000);
  if (isNewHour && wallboard !== null) audit.note(at, await wallboard.check(reckoning.rows()));
}

async function checkAtTheEnd(organisation: SimulatedOrganisation, { switchboard }: Drive): Promise<void> {
  const { registration, reckoning, audit, wallboard, at, failed } = organisation;
  if (registration === null || failed) return;
  const rows = reckoning.rows();
  audit.compareRows(at, rows, await readStatement(switchboard, registration));
  if (wallboard !== null) audit.note(at, await wallboard.check(rows));
  wallboard?.close();

  const totals = await readTotals(switchboard, registration);
  audit.compareNumber(at, 'live sessions', reckoning.liveSessions, totals.liveSessions);
  audit.compareNumber(at, 'sessions started', reckoning.sessionsStarted, totals.sessionsStarted);
  audit.compareCounts(at, 'denials of', reckoning.denials, await readDenials(switchboard, registration));
  organisation.isChecked = true;
}

function concludeOrganisation(organisation: SimulatedOrganisation): OrganisationOutcome {
  const { plan, externalId, reckoning, audit, wallboard, at, requests, isChecked } = organisation;
  return {
    name: plan.name,
    externalId,
    users: plan.users.length,
    reachedAt: at,
    isChecked,
    sessionsStarted: reckoning.sessionsStarted,
    sessionsExpired: reckoning.sessionsExpired,
    liveSessions: reckoning.liveSessions,
    requests,
    denials: reckoning.denials,
    peaks: reckoning.peaks(),
    wallboardEvents: wallboard?.events ?? 0,
    audit,
  };
}

function count<Item>(items: readonly Item[], number: (item: Item) => number): number {
  return items.reduce((sum, item) => sum + number(item), 0);
}

function minutesOf({ from, until }: PlannedOrganisation): number {
  return minutesBetween(from, until);
}

function minutesBetween(from: Instant, until: Instant): number {
  return (until.getTime() - from.getTime()) / 60_000;
}

function timeOfDay(at: Instant): string {
  return at.toISOString().slice(11, 16);
}
