import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { GraphqlAnswer, TestServer } from './server.ts';

export interface Asked {
  readonly query?: string;
  readonly documentId?: string;
  readonly operationName?: string;
  readonly variables?: Record<string, unknown>;
}

/** One answer to an operation, over one of the transports; the first event of a subscription. */
export type Transport = (
  server: Pick<TestServer, 'url' | 'wsUrl' | 'key'>,
  asked: Asked,
  key?: string,
) => Promise<GraphqlAnswer>;

export const overHttp: Transport = async (server, asked, key = server.key) => {
  const response = await post(server, asked, 'application/json', key);
  return (await response.json()) as GraphqlAnswer;
};

const overSse: Transport = async (server, asked, key = server.key) => {
  const response = await post(server, asked, 'text/event-stream', key);
  let text = '';
  if (response.body === null) throw new Error('An answer without a body');
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const data = /^data: ?(.+)\n/m.exec(text)?.[1];
    if (data !== undefined) return JSON.parse(data) as GraphqlAnswer;
  }
  return JSON.parse(text) as GraphqlAnswer;
};

const overWebSocket: Transport = async (server, asked, key = server.key) => {
  const client = createClient({
    url: server.wsUrl,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${key}` },
    retryAttempts: 0,
  });
  try {
    return await new Promise((resolve, reject) => {
      client.subscribe(
        { query: '', ...asked },
        {
          next: (answer) => resolve(answer as GraphqlAnswer),
          error: (errors) =>
            Array.isArray(errors)
              ? resolve({ errors: errors as GraphqlAnswer['errors'] & object })
              : reject(errors),
          complete: () => {},
        },
      );
    });
  } finally {
    await client.dispose();
  }
};

export const transports = [
  ['HTTP', overHttp],
  ['SSE', overSse],
  ['WebSocket', overWebSocket],
] as const satisfies readonly (readonly [string, Transport])[];

function post(
  { url }: Pick<TestServer, 'url'>,
  asked: Asked,
  accept: string,
  key: string,
): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { accept, 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify(asked),
    signal: AbortSignal.timeout(10_000),
  });
}
