import { useEffect, useEffectEvent, useRef, useState } from 'react';
import { useLink, useShell } from '../shell/context.ts';

/** The time in which a screen's timers come late, if it is awake. */
const awakeMilliseconds = 8000;
const tickMilliseconds = 1000;
/** How old a page is at least before it makes way for another version, and how long it waits for one that is not whole. */
const versionMilliseconds = 30_000;
const wakeLockMilliseconds = 60_000;
/** How long the pointer and the buttons stay after the last movement. */
const movementMilliseconds = 4000;

/** After a sleep of the computer, or of a page that was hidden, nothing is called live before it came anew. */
export function useAwakening(): void {
  const { link } = useShell();
  useEffect(() => {
    // Differences only: what the clock says is not used. A monotonic one stands still while a computer sleeps.
    let last = Date.now();
    const look = () => {
      // Browsers call a hidden page seldom, or not at all: for how long counts once it is shown.
      if (document.visibilityState !== 'visible') return;
      const now = Date.now();
      if (now - last > awakeMilliseconds) link.restart();
      last = now;
    };
    const timer = setInterval(look, tickMilliseconds);
    document.addEventListener('visibilitychange', look);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', look);
    };
  }, [link]);
}

/**
 * Loads the page again once the server has another version of it. Looked at whenever the connection was lost and is back: a
 * server does not change under it. Only then: so servers of two versions side by side make no loop.
 */
export function useOwnVersion(): void {
  const { isConnected, connection } = useLink();
  useEffect(() => {
    if (!isConnected || connection === 1) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    const look = async () => {
      const found = await newestVersion();
      if (isOver || found === 'OWN') return;
      if (found === 'ANOTHER' && performance.now() > versionMilliseconds) location.reload();
      else timer = setTimeout(() => void look(), versionMilliseconds);
    };
    void look();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [isConnected, connection]);
}

/**
 * Which version the server has. Another one counts once all of it can be had, and is in the browser's cache: a page that is
 * left for one that does not load has nobody who would load it again. The entry's name changes with whatever it is made of.
 */
async function newestVersion(): Promise<'OWN' | 'ANOTHER' | 'UNKNOWN'> {
  const own = document.querySelector<HTMLScriptElement>('script[type=module]')?.getAttribute('src');
  try {
    const text = await load(location.pathname, 'no-cache');
    if (own == null || text.includes(own)) return 'OWN';
    const parts = [...text.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].flatMap(([, path]) => path ?? []);
    await Promise.all(parts.map((path) => load(path, 'default')));
    // A proxy in the server's place may answer with a page of its own.
    return parts.some((path) => path.endsWith('.js')) ? 'ANOTHER' : 'UNKNOWN';
  } catch {
    return 'UNKNOWN';
  }
}

/** @throws where it is not there, or not in time */
async function load(path: string, cache: RequestCache): Promise<string> {
  const response = await fetch(path, { cache, signal: AbortSignal.timeout(versionMilliseconds) });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.text();
}

/** Keeps the screen from going dark, where the browser lets pages: over TLS, or on the computer itself. */
export function useWakeLock(): void {
  useEffect(() => {
    if (!('wakeLock' in navigator)) return;
    let lock: WakeLockSentinel | undefined;
    const request = () => {
      if (document.visibilityState !== 'visible' || lock?.released === false) return;
      navigator.wakeLock.request('screen').then(
        (given) => {
          lock = given;
        },
        // A browser that saves power may refuse.
        () => {},
      );
    };
    request();
    // A page that is hidden loses it; so may one that is not, when power is short.
    document.addEventListener('visibilitychange', request);
    const timer = setInterval(request, wakeLockMilliseconds);
    return () => {
      document.removeEventListener('visibilitychange', request);
      clearInterval(timer);
      void lock?.release();
    };
  }, []);
}

/** Whether somebody moves the pointer, or touches a key. */
export function useMovement(): boolean {
  const [isMoving, setIsMoving] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    const move = () => {
      setIsMoving(true);
      clearTimeout(timer.current);
      timer.current = setTimeout(() => setIsMoving(false), movementMilliseconds);
    };
    const kinds = ['pointermove', 'pointerdown', 'keydown'] as const;
    for (const kind of kinds) addEventListener(kind, move);
    return () => {
      clearTimeout(timer.current);
      for (const kind of kinds) removeEventListener(kind, move);
    };
  }, []);
  return isMoving;
}

export function useFullScreen(): readonly [boolean, () => void] {
  const [isFull, setIsFull] = useState(document.fullscreenElement !== null);
  useEffect(() => {
    const change = () => setIsFull(document.fullscreenElement !== null);
    document.addEventListener('fullscreenchange', change);
    return () => document.removeEventListener('fullscreenchange', change);
  }, []);
  const toggle = () => {
    const changed = isFull ? document.exitFullscreen() : document.documentElement.requestFullscreen();
    // A browser may refuse; the button stays.
    changed.catch(() => {});
  };
  return [isFull, toggle];
}

/** Counts up each so many seconds while it runs. */
export function useTurns(seconds: number, isRunning: boolean): readonly [number, () => void] {
  const [turn, setTurn] = useState(0);
  const next = useEffectEvent(() => setTurn((before) => before + 1));
  useEffect(() => {
    if (!isRunning) return;
    const timer = setInterval(next, seconds * 1000);
    return () => clearInterval(timer);
  }, [seconds, isRunning, turn]);
  return [turn, () => setTurn((before) => before + 1)];
}
