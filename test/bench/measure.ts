import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Clock ticks are 10 ms wherever Linux runs Node (`getconf CLK_TCK`). */
const microsecondsATick = 10_000;

interface Stat {
  readonly parent: number;
  readonly own: number;
  /** Of its children that are gone. */
  readonly reaped: number;
}

function stat(pid: number | string): Stat {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the command in parentheses, which may hold anything.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [parent = 0, user = 0, system = 0, reapedUser = 0, reapedSystem = 0] = [1, 11, 12, 13, 14].map(
    (index) => fields[index],
  );
  return { parent, own: user + system, reaped: reapedUser + reapedSystem };
}

/** What a process has used, user and system together. Linux only. */
export function cpuMicroseconds(pid: number): number {
  return stat(pid).own * microsecondsATick;
}

export function parentOf(pid: number): number {
  return stat(pid).parent;
}

/** What PostgreSQL has used, all of its processes. */
export function postgresMicroseconds(postmaster: number): number {
  const { own, reaped } = stat(postmaster);
  let ticks = own + reaped;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const child = stat(pid);
      if (child.parent === postmaster) ticks += child.own;
    } catch {
      // gone while we looked
    }
  }
  return ticks * microsecondsATick;
}

export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}

export function rounded(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}

/** Sorts what it is given. */
export function percentiles(milliseconds: number[]): {
  readonly p50Milliseconds: number | null;
  readonly p99Milliseconds: number | null;
} {
  milliseconds.sort((one, other) => one - other);
  const at = (part: number) => {
    const value = milliseconds[Math.floor(milliseconds.length * part)];
    return value === undefined ? null : rounded(value);
  };
  return { p50Milliseconds: at(0.5), p99Milliseconds: at(0.99) };
}

/** Waits until `performance.now()` is that, where it is not yet. */
export async function untilThen(due: number): Promise<void> {
  const wait = due - performance.now();
  if (wait > 0) await delay(wait);
}

export interface Loop {
  readonly callers: number;
  readonly seconds: number;
  /** How many requests there can be. */
  readonly limit: number;
  readonly request: (index: number, caller: number) => Promise<unknown>;
  /** Which request is the first. */
  readonly from?: number;
  /** At most so many a second, by all callers together, evenly; else as many as they can. */
  readonly rate?: number | null;
}

/** Closed loop: each caller asks again as soon as it is answered, until time or requests run out. */
export async function closedLoop({ callers, seconds, limit, request, from = 0, rate = null }: Loop) {
  const latencies: number[] = [];
  let next = from;
  const started = performance.now();
  const end = started + seconds * 1000;
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      while (performance.now() < end && next < limit) {
        const index = next++;
        if (rate !== null) await untilThen(started + ((index - from) * 1000) / rate);
        const asked = performance.now();
        await request(index, caller);
        latencies.push(performance.now() - asked);
      }
    }),
  );
  const took = (performance.now() - started) / 1000;
  return {
    requests: next - from,
    perSecond: Math.round((next - from) / took),
    ...percentiles(latencies),
  };
}
