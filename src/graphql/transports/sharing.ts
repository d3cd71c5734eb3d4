import { setTimeout as delay } from 'node:timers/promises';
import {
  createSourceEventStream,
  type ExecutionArgs,
  type ExecutionResult,
  executeSubscriptionEvent,
  type ValidatedSubscriptionArgs,
  validateSubscriptionArgs,
} from 'graphql';
import { isUnavailable } from '../../kernel/failure.ts';
import { Held } from '../../kernel/lanes.ts';
import { type Actor, visibilityOf } from '../../kernel/actor.ts';
import type { Log } from '../../kernel/log.ts';
import type { Feed, Groups, Member, Membership } from '../../live/groups.ts';
import type { Followed } from '../../live/live.ts';
import { presentError, rootCause } from '../errors.ts';
import { type Arrival, presentResult } from './http.ts';
import type { Payload } from './operation.ts';

/** Subscriptions, each executed once for all who are answered the same. */
export interface Sharing {
  /** `started` of the membership is rejected with what `explain` makes an answer of. */
  subscribe(payload: Payload, args: ExecutionArgs, arrival: Arrival, member: Member): Membership;
  /** What a client is told of a subscription that could not start. */
  explain(error: unknown, arrival: Arrival): ExecutionResult;
}

/** Why a subscription has no events, as its execution says. */
class NotSubscribed extends Error {
  readonly result: ExecutionResult;

  constructor(result: ExecutionResult) {
    super('The subscription was refused');
    this.result = result;
  }
}

export function createSharing(groups: Groups, log: Log): Sharing {
  return {
    subscribe: (payload, args, arrival, member) => {
      let validated: ValidatedSubscriptionArgs;
      let key: string;
      try {
        validated = validate(args);
        key = groupKey(payload, validated.variableValues.coerced, arrival.actor);
      } catch (error) {
        return { started: Promise.reject(error as Error), resume: () => {}, leave: () => {} };
      }
      return insist(() => groups.join(key, () => openFeed(validated, arrival, log), member));
    },
    explain: (error, { requestId }) =>
      error instanceof NotSubscribed
        ? presentResult(error.result, requestId, log)
        : { errors: [presentError(error, 'INVALID_INPUT', requestId, log)] },
  };
}

function validate(args: ExecutionArgs): ValidatedSubscriptionArgs {
  const validated = validateSubscriptionArgs(args);
  if (!('schema' in validated)) throw new NotSubscribed({ errors: validated });
  return validated;
}

const retryMilliseconds = 1000;

/** Who comes while the database is away waits for it: a wallboard that was told so would not ask again. */
function insist(join: () => Membership): Membership {
  const seat = { membership: join(), left: false };
  return {
    started: start(seat, join),
    resume: () => seat.membership.resume(),
    leave: () => {
      seat.left = true;
      seat.membership.leave();
    },
  };
}

/** By itself, so that what it takes to join is let go of once that is done: a subscription lasts. */
async function start(
  seat: { membership: Membership; readonly left: boolean },
  join: () => Membership,
): Promise<void> {
  for (;;) {
    try {
      return await seat.membership.started;
    } catch (error) {
      if (!isPassing(error)) throw error;
    }
    await delay(retryMilliseconds, undefined, { ref: false });
    if (seat.left) return;
    seat.membership = join();
  }
}

function isPassing(error: unknown): boolean {
  const errors: readonly unknown[] = error instanceof NotSubscribed ? (error.result.errors ?? []) : [error];
  return errors.map(rootCause).some((cause) => cause instanceof Held || isUnavailable(cause));
}

/** The first member's context serves them all: the key says that they may see the same. */
async function openFeed(
  validated: ValidatedSubscriptionArgs,
  { requestId }: Arrival,
  log: Log,
): Promise<Feed> {
  const source = await createSourceEventStream(validated);
  if ('errors' in source) throw new NotSubscribed(source);
  if (!isFollowed(source)) throw new Error('A subscription field whose source is not of live.follow');
  return {
    watch: (wake) => source.watch(wake),
    read: async (since) => {
      const news = await source.read(since);
      if (news.value === null) return { ...news, value: null };
      // A context of the event's own: several may be executed at once.
      // Whose subscription it was first says nothing of who sees it now: what is denied was denied when it began.
      const contextValue = { ...(validated.contextValue as object), denied: () => {} };
      const executed = await executeSubscriptionEvent({ ...validated, rootValue: news.value, contextValue });
      const result = presentResult(executed, requestId, log);
      // The database went away between the two: what was read is not lost, but read again.
      if (isWithout(result)) throw new NotSubscribed(result);
      return { ...news, value: JSON.stringify(result) };
    },
  };
}

function isFollowed(source: object): source is Followed<unknown> {
  return 'watch' in source && 'read' in source;
}

function isWithout({ errors }: ExecutionResult): boolean {
  return errors?.some(({ extensions }) => extensions['code'] === 'UNAVAILABLE') ?? false;
}

/**
 * Whatever may make two subscribers' answers differ is in it.
 * @param variables as the schema read them: no deeper than it lets them be, and without those that are none
 */
export function groupKey(
  { query, operationName }: Pick<Payload, 'query' | 'operationName'>,
  variables: Readonly<Record<string, unknown>>,
  actor: Actor,
): string {
  return [
    JSON.stringify(visibilityOf(actor)),
    JSON.stringify(operationName ?? null),
    canonical(variables),
    query,
  ].join('\n');
}

/** A value as JSON in which no order of keys is left. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null || value instanceof Date) return JSON.stringify(value);
  const entries = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return `{${entries.map(([name, inner]) => `${JSON.stringify(name)}:${canonical(inner)}`).join()}}`;
}
