import { WebSocket } from 'ws';
import type { TestServer } from './server.ts';

export const protocol = 'graphql-transport-ws';

export interface Message {
  readonly type: string;
  readonly id?: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- a test asserts the shape it reads
  readonly payload?: any;
}

export interface BareSocket {
  readonly socket: WebSocket;
  readonly send: (message: object) => void;
  /** The next message, as soon as there is one. */
  readonly next: () => Promise<Message>;
  /** Those that nobody asked for yet. */
  readonly received: readonly Message[];
  readonly closed: Promise<{ code: number; reason: string }>;
}

/** A socket that speaks the protocol in its bare messages. It has said who it is; null: it has not. */
export async function bareSocket(
  server: Pick<TestServer, 'wsUrl' | 'key'>,
  key: string | null = server.key,
): Promise<BareSocket> {
  const socket = new WebSocket(server.wsUrl, protocol);
  const waiting: ((message: Message) => void)[] = [];
  const received: Message[] = [];
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as Message;
    const next = waiting.shift();
    if (next === undefined) received.push(message);
    else next(message);
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  socket.on('error', () => {});
  const send = (message: object) => socket.send(JSON.stringify(message));
  const next = () => {
    const message = received.shift();
    return message === undefined
      ? new Promise<Message>((resolve) => {
          waiting.push(resolve);
        })
      : Promise.resolve(message);
  };
  if (key !== null) send({ type: 'connection_init', payload: { authorization: `Bearer ${key}` } });
  return { socket, send, next, received, closed };
}

export const subscribeTo = (id: string, query: unknown, variables?: object) => ({
  id,
  type: 'subscribe',
  payload: { query, variables },
});
