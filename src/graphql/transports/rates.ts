import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';
import { GraphQLError } from 'graphql';
import {
  BurstyRateLimiter,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
  RLWrapperTimeouts,
} from 'rate-limiter-flexible';
import { type Actor, callerOf } from '../../kernel/actor.ts';
import { elapsedMilliseconds } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { RedisClient } from './redis.ts';

/** How much may be asked, in points: one an operation, and one more for each 1,000 that it costs. 0: as much as one likes. */
export interface RateLimits {
  /** A second, of one credential. */
  readonly perKey: number;
  /** A second, of all credentials of one organisation together. */
  readonly perOrganisation: number;
  /** A second, of a credential of the operator’s. */
  readonly perOperatorKey: number;
  /** Wrong keys a minute from one address; then its keys are not looked at for a minute. */
  readonly failuresPerMinute: number;
}

export const defaultRateLimits: RateLimits = {
  perKey: 1_000,
  perOrganisation: 2_000,
  perOperatorKey: 0,
  failuresPerMinute: 30,
};

/** Whoever asks too much, and when it may go on. */
export interface RateLimited {
  readonly code: 'RATE_LIMITED';
  readonly message: string;
  readonly retryAfterSeconds: number;
}

export interface Rates {
  /** Counts an operation before it is read, over HTTP before its body is. @returns null, at once or in time: it may go on */
  admit(actor: Actor): Promise<RateLimited | null> | null;
  /** Counts what an operation costs beyond that, before any resolver runs. */
  charge(actor: Actor, cost: number): Promise<RateLimited | null> | null;
  /** Why nobody at that address is listened to now; null: they are. */
  shutOut(address: string): RateLimited | null;
  /** Somebody at that address showed a key that is none. The same again is one that is out of date, not one that is guessed. */
  failed(address: string, shown: string): void;
  close(): void;
}

export interface RatesOptions {
  readonly limits: RateLimits;
  /** Where all servers count together; null: each counts for itself. It is closed with the rates. */
  readonly redis: RedisClient | null;
  readonly log: Log;
}

/** A crowd may come at once, a few seconds’ worth each minute. */
const burst = { worthSeconds: 5, everySeconds: 60 } as const;
const costOfPoint = 1_000;
/** What Redis has not counted by then is counted here. */
const redisMilliseconds = 200;
const failureSeconds = 60;
/** Wrong keys that are known again; beyond them each counts. */
const maxSeen = 10_000;

export function createRates({ limits, redis, log }: RatesOptions): Rates {
  const limiter = (name: string, perSecond: number) =>
    perSecond === 0 ? null : createLimiter(name, perSecond, redis, log);
  const perKey = limiter('key', limits.perKey);
  const perOperatorKey = limiter('operator', limits.perOperatorKey);
  const perOrganisation = limiter('organisation', limits.perOrganisation);
  const strangers = createStrangers(limits.failuresPerMinute);

  function take(actor: Actor, points: number): Promise<RateLimited | null> | null {
    const ofKey = actor.role === 'OPERATOR' ? perOperatorKey : perKey;
    const ofOrganisation = actor.organisationId === null ? null : perOrganisation;
    return ofKey === null && ofOrganisation === null ? null : consume();

    async function consume(): Promise<RateLimited | null> {
      const keyWaits = (await ofKey?.(callerOf(actor), points)) ?? null;
      if (keyWaits !== null) return rateLimited('This key asks', keyWaits);
      const waits = (await ofOrganisation?.(actor.organisationId ?? '', points)) ?? null;
      return waits === null ? null : rateLimited('The keys of this organisation ask', waits);
    }
  }

  return {
    admit: (actor) => take(actor, 1),
    charge: (actor, cost) => {
      const points = Math.floor(cost / costOfPoint);
      return points === 0 ? null : take(actor, points);
    },
    shutOut: (address) => {
      const seconds = strangers.waits(address);
      return seconds === null
        ? null
        : {
            code: 'RATE_LIMITED',
            message: `Too many wrong keys came from your address; try again in ${seconds} s.`,
            retryAfterSeconds: seconds,
          };
    },
    failed: strangers.failed,
    close: () => {
      if (redis?.isOpen === true) redis.destroy();
    },
  };
}

function rateLimited(who: string, retryAfterSeconds: number): RateLimited {
  return {
    code: 'RATE_LIMITED',
    message: `${who} too much; try again in ${retryAfterSeconds} s.`,
    retryAfterSeconds,
  };
}

/** As an operation’s error. */
export function rateLimitedError({ message, ...extensions }: RateLimited): GraphQLError {
  return new GraphQLError(message, { extensions: { ...extensions } });
}

/** @returns after how many seconds to try again; null: it is within its limit */
type Limiter = (key: string, points: number) => Promise<number | null>;

function createLimiter(name: string, perSecond: number, redis: RedisClient | null, log: Log): Limiter {
  const counter = (kind: string, points: number, duration: number) => {
    const options = { points, duration, keyPrefix: `seatkeeper:rate:${name}:${kind}` };
    const memory = new RateLimiterMemory(options);
    if (redis === null) return memory;
    const limiter = new RateLimiterRedis({
      ...options,
      storeClient: redis,
      useRedisPackage: true,
      rejectIfRedisNotReady: true,
      // Whoever is over it costs Redis nothing until its second is over.
      inMemoryBlockOnConsumed: points + 1,
    });
    return new RLWrapperTimeouts({ limiter, timeoutMs: redisMilliseconds, insuranceLimiter: memory });
  };
  const bursty = new BurstyRateLimiter(
    counter('second', perSecond, 1) as RateLimiterMemory,
    counter('burst', perSecond * burst.worthSeconds, burst.everySeconds) as RateLimiterMemory,
  );
  return async (key, points) => {
    try {
      // What costs more than a second’s worth could never be had otherwise.
      await bursty.consume(key, Math.min(points, perSecond));
      return null;
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) {
        // A count that fails refuses nobody.
        log.error({ err: refusal }, 'could not count a request');
        return null;
      }
      return Math.max(1, Math.ceil(refusal.msBeforeNext / 1000));
    }
  };
}

/** Addresses that try keys. Kept by each server for itself: what they show is nobody’s yet. */
function createStrangers(failuresPerMinute: number) {
  const failures = new RateLimiterMemory({ points: failuresPerMinute, duration: failureSeconds });
  const out = new Map<string, number>();
  const seen = new Set<string>();
  return {
    waits: (address: string): number | null => {
      const until = out.size === 0 ? undefined : out.get(address);
      return until === undefined ? null : Math.max(1, Math.ceil((until - elapsedMilliseconds()) / 1000));
    },
    failed: (address: string, shown: string): void => {
      if (failuresPerMinute === 0 || out.has(address)) return;
      const name = hash('sha256', `${address} ${shown}`);
      if (seen.has(name)) return;
      if (seen.size < maxSeen) {
        seen.add(name);
        setTimeout(() => seen.delete(name), failureSeconds * 1000).unref();
      }
      void failures.penalty(address).then(({ remainingPoints }) => {
        if (remainingPoints > 0) return;
        out.set(address, elapsedMilliseconds() + failureSeconds * 1000);
        setTimeout(() => out.delete(address), failureSeconds * 1000).unref();
      });
    },
  };
}

/**
 * Where a request comes from, as a network that one party has: an IPv4 address, or 64 bits of an IPv6 one.
 * @param proxies how many stand before the server, each of which adds to `x-forwarded-for` whom it heard from
 */
export function addressOf({ headers, socket }: IncomingMessage, proxies: number): string {
  const direct = socket.remoteAddress ?? '';
  if (proxies === 0) return networkOf(direct);
  const passed = [headers['x-forwarded-for'] ?? []].flat().join().split(',');
  return networkOf(passed.map((address) => address.trim()).at(-proxies) || direct);
}

function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address;
  const [, head = '', tail = ''] = /^(.*?)(?:::(.*))?$/.exec(address.split('%', 1)[0] ?? '') ?? [];
  const [left, right] = [head, tail].map((part) => part.split(':').filter((group) => group !== ''));
  const zeros = Array.from({ length: 8 - (left?.length ?? 0) - (right?.length ?? 0) }, () => '0');
  const groups = [...(left ?? []), ...(address.includes('::') ? zeros : []), ...(right ?? [])];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
