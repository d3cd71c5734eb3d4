import { useEffect, useEffectEvent, useRef, useState } from 'react';
import { useLink, useShell } from '../shell/context.ts';

/** The time in which a screen's timers come late, if it is awake. */
const awakeMilliseconds = 8000;
const tickMilliseconds = 1000;
/** How long the pointer and the buttons stay after the last movement. */
const movementMilliseconds = 4000;

/** After a sleep of the computer nothing is called live before it came anew. */
export function useAwakening(): void {
  const { link } = useShell();
  useEffect(() => {
    // Differences only: what the clock says is not used. A monotonic one stands still while a computer sleeps.
    let last = Date.now();
    const timer = setInterval(() => {
      const now = Date.now();
      if (now - last > awakeMilliseconds && document.visibilityState === 'visible') link.restart();
      last = now;
    }, tickMilliseconds);
    return () => clearInterval(timer);
  }, [link]);
}

/**
 * Loads the page again once the server has another version of it. Looked at whenever the connection was lost and is back: a
 * server does not change under it. Only then: so servers of two versions side by side make no loop.
 */
export function useOwnVersion(): void {
  const { isConnected, connection } = useLink();
  useEffect(() => {
    if (isConnected && connection > 1) void reloadIfAnother();
  }, [isConnected, connection]);
}

/** The entry's name changes with whatever it is made of. */
async function reloadIfAnother(): Promise<void> {
  const own = document.querySelector<HTMLScriptElement>('script[type=module]')?.getAttribute('src');
  if (own == null) return;
  try {
    const response = await fetch(location.pathname, { cache: 'no-cache' });
    if (response.ok && !(await response.text()).includes(own)) location.reload();
  } catch {
    // The server is away again: the next connection asks.
  }
}

/** Keeps the screen from going dark, where the browser lets pages: over TLS, or on the computer itself. */
export function useWakeLock(): void {
  useEffect(() => {
    const request = () => {
      if (document.visibilityState !== 'visible' || !('wakeLock' in navigator)) return;
      // A browser that saves power may refuse.
      navigator.wakeLock.request('screen').catch(() => {});
    };
    request();
    // A page that is hidden loses it.
    document.addEventListener('visibilitychange', request);
    return () => document.removeEventListener('visibilitychange', request);
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
