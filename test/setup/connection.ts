import diagnostics from 'node:diagnostics_channel';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestServer } from './server.ts';

/** The server's ends of all connections, by the port at the client's end. */
const ends = new Map<number, Socket>();
diagnostics.subscribe('net.server.socket', (message) => {
  const { socket } = message as { readonly socket: Socket };
  const { remotePort = 0 } = socket;
  ends.set(remotePort, socket);
});

export function endOf(client: Socket): Socket {
  const end = ends.get(client.localPort ?? 0);
  if (end === undefined) throw new Error('The server has no such connection');
  return end;
}

/** A connection that speaks HTTP in its bare bytes, and has said so much. */
export async function open(of: Pick<TestServer, 'url'>, text: string): Promise<Socket> {
  const client = connect({ port: Number(new URL(of.url).port), host: '127.0.0.1', allowHalfOpen: true });
  client.on('error', () => {});
  await once(client, 'connect');
  client.write(text);
  return client;
}
