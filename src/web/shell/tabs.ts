import type { SignedIn } from './session.ts';

/**
 * The tabs of one browser have one cookie: each tells the others what it knows of who is signed in by it. What one hears is
 * a reason to ask the server, and nothing more.
 */
const tabs = new BroadcastChannel('seatkeeper sign-in');

/** @param who null: nobody */
export function tellTabs(who: SignedIn | null): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel is of one origin
  tabs.postMessage(JSON.stringify(who));
}

/** @returns stops listening */
export function hearTabs(onHeard: (who: SignedIn | null) => void): () => void {
  const hear = ({ data }: MessageEvent<string>) => onHeard(JSON.parse(data) as SignedIn | null);
  tabs.addEventListener('message', hear);
  return () => tabs.removeEventListener('message', hear);
}
