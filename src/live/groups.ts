import { elapsedMilliseconds } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { News, Position } from './live.ts';

/** An event as every member of a group gets it, byte by byte. */
export interface SharedEvent {
  readonly text: string;
  readonly bytes: Buffer;
}

/** What a group is about: read and executed for all of its members together. */
export interface Feed {
  /** @param since null: nothing was seen yet, so the answer is everything */
  read(since: Position | null): Promise<News<string>>;
  /** @param wake called whenever there may be news @returns ends it */
  watch(wake: () => void): () => void;
}

/** One subscription of one client. */
export interface Member {
  /** False while what was sent before has not left: it gets nothing then, and later all of it as one event. */
  isReady(): boolean;
  send(event: SharedEvent): void;
  /** The feed has ended by itself: the last event was sent. */
  end(): void;
}

export interface Membership {
  /** Fulfilled when the first event was sent, or the member has left; rejected with what kept the group from it. */
  readonly started: Promise<void>;
  /** To be called when a member that was not ready is so again. */
  resume(): void;
  leave(): void;
}

/** Equal subscriptions, executed once. */
export interface Groups {
  /**
   * Sends a snapshot, then what changed since, at most so many events a second, the last change always.
   * @param key equal for those that are answered the same, byte by byte: the operation, and what its caller may see
   * @param open makes the feed for the first who joins; its failure is that of all who wait for it
   */
  join(key: string, open: () => Promise<Feed>, member: Member): Membership;
}

export interface GroupsOptions {
  readonly log: Log;
  /** To each member; a snapshot is one more. */
  readonly maxEventsPerSecond: number;
  /** After a read that failed. */
  readonly retryMilliseconds?: number;
}

/** So many reads of one group may be under way, so that those who fell behind cannot hold up the rest. */
const maxReads = 2;

interface Seat {
  readonly member: Member;
  /** null before the first event, and after the last. */
  cohort: Cohort | null;
  left: boolean;
  /** Ends its wait for room for its first event. */
  wake: () => void;
}

/** Members of a group that have seen the same. As long as all keep up there is one. */
interface Cohort {
  position: Position;
  readonly seats: Set<Seat>;
  /** Whether there may be news. */
  isBehind: boolean;
  isReading: boolean;
  /** Above zero: its last read was a moment ago, or failed. */
  rests: number;
}

export function createGroups({ log, maxEventsPerSecond, retryMilliseconds = 1000 }: GroupsOptions): Groups {
  const paceMilliseconds = Math.ceil(1000 / maxEventsPerSecond);
  const rest = createRests(paceMilliseconds / 4);
  const groups = new Map<string, Group>();

  interface Group {
    join(member: Member): Membership;
  }

  function createGroup(open: () => Promise<Feed>, onEmpty: () => void): Group {
    const cohorts = new Map<Position['version'], Cohort>();
    let size = 0;
    /** Counts what may have been news. */
    let changes = 0;
    let reads = 0;
    let unwatch: (() => void) | null = null;

    const opened = (async () => {
      const feed = await open();
      // Nobody may be left to watch it for.
      if (size > 0) {
        unwatch = feed.watch(() => {
          changes += 1;
          for (const cohort of cohorts.values()) cohort.isBehind = true;
          pump();
        });
      }
      return feed;
    })();

    /** All that there is, read once for all who come before anything changes, and within the pace. */
    interface Snapshot {
      readonly changes: number;
      readonly news: Promise<{ readonly event: SharedEvent; readonly news: News<string> }>;
    }
    let snapshot: Snapshot | null = null;
    let reading: Promise<unknown> | null = null;

    async function takeSnapshot(feed: Feed): Promise<Snapshot> {
      // One at a time: whoever comes while one is read that is out of date already waits for the next.
      while (reading !== null && snapshot?.changes !== changes) await reading;
      if (snapshot?.changes === changes) return snapshot;
      const taken: Snapshot = {
        changes,
        news: feed.read(null).then((news) => {
          if (news.value === null) throw new Error('A snapshot with nothing in it');
          return { event: shared(news.value), news };
        }),
      };
      const forget = () => {
        if (snapshot === taken) snapshot = null;
      };
      const done = taken.news.then(() => rest(paceMilliseconds, forget), forget);
      snapshot = taken;
      reading = done;
      void done.then(() => {
        if (reading === done) reading = null;
      });
      return taken;
    }

    async function start(seat: Seat): Promise<void> {
      const feed = await opened;
      while (!seat.left) {
        if (!seat.member.isReady()) {
          await roomFor(seat);
          continue;
        }
        const { changes: changesBefore, news: taking } = await takeSnapshot(feed);
        const { event, news } = await taking;
        // It may have left; or others took the room meanwhile, and it starts from what is so when there is room again.
        if (seat.left || !seat.member.isReady()) continue;
        deliver(seat, event);
        if (news.isLast) end(seat);
        else place(seat, news.position, changesBefore !== changes);
        return;
      }
    }

    function place(seat: Seat, position: Position, isBehind: boolean): void {
      let cohort = cohorts.get(position.version);
      if (cohort === undefined) {
        cohort = { position, seats: new Set(), isBehind: false, isReading: false, rests: 0 };
        cohorts.set(position.version, cohort);
      }
      seat.cohort = cohort;
      cohort.seats.add(seat);
      cohort.isBehind ||= isBehind;
      pump();
    }

    /** Reads for every cohort that may have news and somebody to send it to; first where most wait. */
    function pump(): void {
      while (reads < maxReads) {
        let next: Cohort | null = null;
        for (const cohort of cohorts.values()) {
          const { isBehind, isReading, rests, seats } = cohort;
          if (!isBehind || isReading || rests > 0 || (next !== null && seats.size <= next.seats.size))
            continue;
          if (hasReady(seats)) next = cohort;
        }
        if (next === null) return;
        void advance(next);
      }
    }

    async function advance(cohort: Cohort): Promise<void> {
      reads += 1;
      cohort.isReading = true;
      cohort.isBehind = false;
      restFor(cohort, paceMilliseconds);
      try {
        const news = await (await opened).read(cohort.position);
        cohort.isReading = false;
        const { position } = cohort;
        const blocked = news.value === null ? [] : send(cohort, shared(news.value));
        if (news.isLast) for (const seat of cohort.seats) end(seat);
        moveOn(cohort, news.position);
        for (const seat of blocked) place(seat, position, true);
      } catch (error) {
        log.warn({ err: error }, 'could not read what changed; reading again');
        cohort.isReading = false;
        cohort.isBehind = true;
        restFor(cohort, retryMilliseconds);
      }
      reads -= 1;
      dropIfEmpty(cohort);
      pump();
    }

    /** Sends to all who are ready. @returns the others, who stay where they are until they can be sent what they missed */
    function send(cohort: Cohort, event: SharedEvent): readonly Seat[] {
      const blocked: Seat[] = [];
      for (const seat of cohort.seats) {
        if (seat.member.isReady()) deliver(seat, event);
        else blocked.push(seat);
      }
      for (const seat of blocked) cohort.seats.delete(seat);
      return blocked;
    }

    function dropIfEmpty(cohort: Cohort): void {
      const { position, seats, isReading } = cohort;
      if (seats.size === 0 && !isReading && cohorts.get(position.version) === cohort) {
        cohorts.delete(position.version);
      }
    }

    function moveOn(cohort: Cohort, position: Position): void {
      if (cohort.position.version === position.version) return;
      if (cohorts.get(cohort.position.version) === cohort) cohorts.delete(cohort.position.version);
      cohort.position = position;
      const other = cohorts.get(position.version);
      if (other === undefined) {
        cohorts.set(position.version, cohort);
        return;
      }
      // The larger one keeps its pace: who comes back from behind must not slow it down.
      const [larger, smaller] = other.seats.size > cohort.seats.size ? [other, cohort] : [cohort, other];
      for (const seat of smaller.seats) {
        seat.cohort = larger;
        larger.seats.add(seat);
      }
      smaller.seats.clear();
      larger.isBehind ||= smaller.isBehind || smaller.isReading;
      cohorts.set(position.version, larger);
    }

    /** Where a read fails, a second rest begins within the first; the later one ends it. */
    function restFor(cohort: Cohort, milliseconds: number): void {
      cohort.rests += 1;
      rest(milliseconds, () => {
        cohort.rests -= 1;
        pump();
      });
    }

    /** One member's failure is its own. */
    function deliver(seat: Seat, event: SharedEvent): void {
      try {
        seat.member.send(event);
      } catch (error) {
        log.warn({ err: error }, 'could not send an event');
        leave(seat);
      }
    }

    function end(seat: Seat): void {
      if (seat.left) return;
      leave(seat);
      seat.member.end();
    }

    function leave(seat: Seat): void {
      if (seat.left) return;
      seat.left = true;
      seat.wake();
      const { cohort } = seat;
      if (cohort !== null) {
        cohort.seats.delete(seat);
        dropIfEmpty(cohort);
      }
      size -= 1;
      if (size > 0) return;
      unwatch?.();
      onEmpty();
    }

    return {
      join: (member) => {
        const seat: Seat = { member, cohort: null, left: false, wake: () => {} };
        size += 1;
        const started = start(seat).catch((error: unknown) => {
          if (seat.left) return;
          leave(seat);
          throw error;
        });
        return {
          started,
          resume: () => {
            seat.wake();
            if (seat.cohort?.isBehind === true) pump();
          },
          leave: () => leave(seat),
        };
      },
    };
  }

  return {
    join: (key, open, member) => {
      let group = groups.get(key);
      if (group === undefined) {
        const created = createGroup(open, () => {
          if (groups.get(key) === created) groups.delete(key);
        });
        groups.set(key, created);
        group = created;
      }
      return group.join(member);
    },
  };
}

/** Fulfilled when it may be ready again, or has left. */
function roomFor(seat: Seat): Promise<void> {
  return new Promise((wake) => {
    seat.wake = wake;
  });
}

function hasReady(seats: ReadonlySet<Seat>): boolean {
  for (const { member } of seats) if (member.isReady()) return true;
  return false;
}

function shared(text: string): SharedEvent {
  return { text, bytes: Buffer.from(text) };
}

/**
 * Lets things rest until a common moment at least so much later. Groups that rest to the same moment begin to read
 * together, so what they read of one organisation is read once for all of them.
 */
function createRests(gridMilliseconds: number): (milliseconds: number, wake: () => void) => void {
  const resting = new Map<number, (() => void)[]>();
  /** While those who rested to it are woken: a late timer does not slow down who rests again at once. */
  let moment: number | null = null;

  return (milliseconds, wake) => {
    const now = elapsedMilliseconds();
    const until = Math.ceil(((moment ?? now) + milliseconds) / gridMilliseconds);
    const others = resting.get(until);
    if (others !== undefined) {
      others.push(wake);
      return;
    }
    const wakes = [wake];
    resting.set(until, wakes);
    const timer = setTimeout(
      () => {
        resting.delete(until);
        moment = until * gridMilliseconds;
        for (const wake of wakes) wake();
        moment = null;
      },
      Math.max(0, until * gridMilliseconds - now),
    );
    timer.unref();
  };
}
