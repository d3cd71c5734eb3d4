import type { WebSocket } from 'ws';
import { type Address, connect, type Operation } from './client.ts';

export interface Wallboards {
  /** From its connecting to its first event, of each. */
  readonly milliseconds: readonly number[];
  close(): void;
}

/**
 * Opens wallboards, `atOnce` at a time, and waits until each has its first event.
 * @param onEvent is told of every event, the first included
 */
export async function openWallboards({
  addresses,
  count,
  atOnce,
  operationOf,
  onEvent,
}: {
  /** Wallboards are dealt out to these in turn. */
  readonly addresses: readonly Address[];
  readonly count: number;
  readonly atOnce: number;
  readonly operationOf: (index: number) => Operation;
  readonly onEvent: (index: number, text: string) => void;
}): Promise<Wallboards> {
  const sockets: WebSocket[] = [];
  const milliseconds: number[] = [];

  async function open(index: number): Promise<void> {
    const address = addresses[index % addresses.length];
    if (address === undefined) throw new Error('Nowhere to connect to');
    const started = performance.now();
    const live = Promise.withResolvers<void>();
    let isLive = false;
    const socket = await connect(address, (text) => {
      if (text.includes('"type":"ping"')) return socket.send('{"type":"pong"}');
      if (!text.includes('"type":"next"') || text.includes('"errors"')) {
        live.reject(new Error(`A wallboard was told ${text.slice(0, 300)}`));
        return;
      }
      onEvent(index, text);
      if (isLive) return;
      isLive = true;
      milliseconds.push(performance.now() - started);
      live.resolve();
    });
    sockets.push(socket);
    socket.on('close', (code) => live.reject(new Error(`A wallboard was closed: ${code}`)));
    // All have this id, and one text does for all where the server knows how.
    socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: operationOf(index) }));
    await live.promise;
  }

  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(atOnce, count) }, async () => {
      while (next < count) await open(next++);
    }),
  );
  return {
    milliseconds,
    close: () => {
      for (const socket of sockets) socket.terminate();
    },
  };
}
