import { Agent, request } from 'node:http';
import { WebSocket } from 'ws';

/** Where a server under measurement answers. */
export interface Address {
  /** Of GraphQL over HTTP. */
  readonly http: string;
  /** Of `graphql-transport-ws`. */
  readonly ws: string;
  /** The operator's; the peers ask for none. */
  readonly key: string;
}

export interface Operation {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>>;
}

/** As little work as a client can do. */
export interface HttpClient {
  /** @returns the answer's body. */
  send(operation: Operation): Promise<string>;
  close(): void;
}

/** Connections are kept, as many as there are requests at a time, up to 128: a server takes no more anew at once. */
export function httpClient({ http, key }: Address): HttpClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 128 });
  const { hostname, port, pathname } = new URL(http);
  const send = (operation: Operation): Promise<string> =>
    new Promise((answered, failed) => {
      const body = JSON.stringify(operation);
      const headers = {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        authorization: `Bearer ${key}`,
      };
      const sent = request({ agent, hostname, port, path: pathname, method: 'POST', headers }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('end', () => answered(text));
      });
      sent.on('error', (error: NodeJS.ErrnoException) => {
        // A server may close an idle connection just when it is used again.
        if (sent.reusedSocket && error.code === 'ECONNRESET') send(operation).then(answered, failed);
        else failed(error);
      });
      sent.end(body);
    });
  return { send, close: () => agent.destroy() };
}

/** An acknowledged socket. A message is handed on as its text. */
export function connect({ ws, key }: Address, onMessage: (text: string) => void): Promise<WebSocket> {
  return new Promise((acknowledged, failed) => {
    const socket = new WebSocket(ws, 'graphql-transport-ws', {
      perMessageDeflate: false,
      skipUTF8Validation: true,
    });
    const init = { type: 'connection_init', payload: { authorization: `Bearer ${key}` } };
    let isAcknowledged = false;
    socket.on('open', () => socket.send(JSON.stringify(init)));
    socket.on('message', (data: Buffer) => {
      // Figures and names are ASCII, and this decoding is the cheapest.
      const text = data.toString('latin1');
      if (isAcknowledged) return onMessage(text);
      isAcknowledged = true;
      acknowledged(socket);
    });
    socket.on('error', failed);
    socket.on('close', (code) => failed(new Error(`The socket was closed: ${code}`)));
  });
}

/** One operation after another on a socket of its own. @returns sends one, and hands back its result's message */
export async function operationsSocket(
  address: Address,
): Promise<{ send(operation: Operation): Promise<string>; close(): void }> {
  let finished: ((text: string) => void) | null = null;
  let result = '';
  let id = 0;
  const socket = await connect(address, (text) => {
    if (text.includes('"type":"next"')) result = text;
    else if (text.includes('"type":"complete"')) finished?.(result);
    else if (text.includes('"type":"ping"')) socket.send('{"type":"pong"}');
    else finished?.(text);
  });
  return {
    close: () => socket.terminate(),
    send: (payload) =>
      new Promise((answered) => {
        finished = answered;
        id += 1;
        socket.send(JSON.stringify({ id: String(id), type: 'subscribe', payload }));
      }),
  };
}
