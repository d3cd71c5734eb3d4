import { type Instant, plusSeconds } from '../../kernel/clock.ts';
import type { Exchange, Request } from './exchange.ts';
import type { PlannedEvent } from './plan.ts';
import type { Reckoning } from './reckoning.ts';

/** A device and the session that it believes to have. */
interface Device {
  readonly username: string;
  readonly device: string;
  readonly sessionId: string;
  renewAt: Instant;
  crashed: boolean;
}

/**
 * The devices on the floor: turns what is planned into requests, which needs the answers to earlier ones (the id of a
 * session, whether a logon was refused). What happens at one instant is asked in three phases, each answered before
 * the next: changes of users, then whatever gives seats back or keeps them, then whatever takes them.
 */
export class Floor {
  readonly #reckoning: Reckoning;
  readonly #leaseSeconds: number;
  readonly #devices = new Map<string, Device>();

  constructor(reckoning: Reckoning, leaseSeconds: number) {
    this.#reckoning = reckoning;
    this.#leaseSeconds = leaseSeconds;
  }

  /** When a device next renews its session; null when none has one. */
  nextRenewalAt(): Instant | null {
    let next: Instant | null = null;
    for (const { renewAt, crashed } of this.#devices.values()) {
      if (!crashed && (next === null || renewAt < next)) next = renewAt;
    }
    return next;
  }

  changingUsers(events: readonly PlannedEvent[]): Request[] {
    return events.flatMap(({ kind, username }): Request[] =>
      kind === 'ACTIVATE' || kind === 'DELETE' ? [{ kind, username }] : [],
    );
  }

  givingBack(events: readonly PlannedEvent[], at: Instant): Request[] {
    const requests = events.flatMap((event): Request[] => {
      if (event.kind === 'CRASH' || event.kind === 'WAKE') return this.#crashOrWake(event, at);
      if (event.kind !== 'LOGOFF' && event.kind !== 'RELEASE') return [];
      const { username, device, kind } = event;
      const present = this.#devices.get(keyOf(event));
      if (present === undefined) return [];
      const { sessionId } = present;
      if (kind === 'LOGOFF') return [{ kind, username, device, sessionId }];
      if (present.crashed || !this.#reckoning.isLive(sessionId)) return [];
      return [{ kind, username, device, sessionId, features: event.features }];
    });
    const leaving = new Set(requests.filter(({ kind }) => kind === 'LOGOFF').map(keyOf));
    return [...requests, ...this.#renewals(at, leaving)];
  }

  taking(events: readonly PlannedEvent[]): Request[] {
    return events.flatMap((event): Request[] => {
      const { kind, username } = event;
      if (kind === 'LOGON') {
        const { device, licence, features } = event;
        const isLoggedOn = this.#reckoning.liveSession(username, device) !== null;
        return isLoggedOn && event.onlyIfLoggedOff ? [] : [{ kind, username, device, licence, features }];
      }
      if (kind !== 'ACQUIRE') return [];
      const present = this.#devices.get(keyOf(event));
      if (present === undefined || present.crashed || !this.#reckoning.isLive(present.sessionId)) return [];
      return [
        { kind, username, device: event.device, sessionId: present.sessionId, features: event.features },
      ];
    });
  }

  /** What the devices learn from the answers of a phase. */
  note(exchanges: readonly Exchange[], at: Instant): void {
    for (const { request, answer } of exchanges) {
      const key = keyOf(request);
      if (request.kind === 'LOGON' && answer.kind === 'SESSION') {
        const { username, device } = request;
        const sessionId = answer.session.id;
        this.#devices.set(key, { username, device, sessionId, renewAt: this.#renewAt(at), crashed: false });
      } else if (request.kind === 'RENEW' && answer.kind === 'SESSION') {
        const present = this.#devices.get(key);
        if (present !== undefined) present.renewAt = this.#renewAt(at);
      } else if (request.kind === 'RENEW' || request.kind === 'LOGOFF') this.#devices.delete(key);
      else if (request.kind === 'DELETE') this.#forget(request.username);
    }
  }

  #crashOrWake(event: PlannedEvent & { readonly kind: 'CRASH' | 'WAKE' }, at: Instant): Request[] {
    const present = this.#devices.get(keyOf(event));
    if (present === undefined) return [];
    present.crashed = event.kind === 'CRASH';
    if (!present.crashed) present.renewAt = at;
    return [];
  }

  #renewals(at: Instant, leaving: ReadonlySet<string>): Request[] {
    return [...this.#devices]
      .filter(([key, { renewAt, crashed }]) => !crashed && renewAt <= at && !leaving.has(key))
      .map(([, { username, device, sessionId }]) => ({ kind: 'RENEW', username, device, sessionId }));
  }

  #forget(username: string): void {
    for (const [key, device] of this.#devices) if (device.username === username) this.#devices.delete(key);
  }

  /** At half the lease, on the minute where that is possible: so that many devices renew at one instant. */
  #renewAt(at: Instant): Instant {
    const half = plusSeconds(at, this.#leaseSeconds / 2);
    const onTheMinute = new Date(Math.floor(half.getTime() / 60_000) * 60_000);
    return onTheMinute > at ? onTheMinute : half;
  }
}

function keyOf(owner: { readonly username: string; readonly device?: string }): string {
  return `${owner.username} ${owner.device ?? ''}`;
}
