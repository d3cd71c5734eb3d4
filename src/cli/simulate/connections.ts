import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { Failure } from './failure.ts';

/** A GraphQL operation and, for the type checker only, the shape of its answer. */
export interface Operation<Data> {
  readonly name: string;
  readonly document: string;
  readonly data?: Data;
}

interface GraphQLAnswer<Data> {
  readonly data?: Data | null | undefined;
  readonly errors?:
    | readonly {
        readonly message: string;
        readonly extensions?: { readonly code?: unknown } | null | undefined;
      }[]
    | undefined;
}

type Variables = Readonly<Record<string, unknown>>;

/** One connection to the server, asked one thing at a time. */
interface Connection {
  ask<Data>(operation: Operation<Data>, variables: Variables): Promise<GraphQLAnswer<Data>>;
  close(): Promise<void>;
}

export interface Target {
  readonly url: URL;
  readonly key: string;
  /** What to do about a refused key, as a sentence. */
  readonly keyAdvice: string;
}

/** Many connections, most of them HTTP with keep-alive and every fourth a WebSocket; each request takes a free one. */
export class Switchboard {
  readonly #target: Target;
  readonly #connections: readonly Connection[];
  readonly #idle: Connection[];
  readonly #waiting: ((connection: Connection) => void)[] = [];
  readonly #latencies = new Map<string, number[]>();

  constructor(target: Target, connections: number) {
    this.#target = target;
    this.#connections = Array.from({ length: connections }, (_, index) =>
      index % 4 === 3 ? openWebSocket(target) : openHttp(target),
    );
    this.#idle = [...this.#connections];
  }

  /** How long each operation took, in milliseconds, by its name; waiting for a free connection is not counted. */
  get latencies(): ReadonlyMap<string, readonly number[]> {
    return this.#latencies;
  }

  /** @throws Failure when the server cannot be reached, refuses the key, or answers a GraphQL error */
  async ask<Data>(operation: Operation<Data>, variables: Variables = {}): Promise<Data> {
    const connection = await this.#take();
    const began = performance.now();
    try {
      const { data, errors = [] } = await connection.ask(operation, variables);
      this.#note(operation.name, performance.now() - began);
      const [error] = errors;
      if (error !== undefined)
        throw this.#explainError(operation.name, error.message, error.extensions?.code);
      if (data === undefined || data === null)
        throw new Failure(`${operation.name} was answered without data.`);
      return data;
    } catch (error) {
      throw explain(error, this.#target);
    } finally {
      this.#giveBack(connection);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection.close()));
  }

  #take(): Promise<Connection> {
    const connection = this.#idle.shift();
    if (connection !== undefined) return Promise.resolve(connection);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #giveBack(connection: Connection): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(connection);
    else next(connection);
  }

  #note(name: string, milliseconds: number): void {
    const taken = this.#latencies.get(name);
    if (taken === undefined) this.#latencies.set(name, [milliseconds]);
    else taken.push(milliseconds);
  }

  #explainError(name: string, message: string, code: unknown): Failure {
    if (isKeyRefused(code)) return new Failure(keyRefused(this.#target));
    return new Failure(`${name} failed: ${message}${typeof code === 'string' ? ` (${code})` : ''}`);
  }
}

/** Ends a client, also one whose connection broke: that is no mistake any more. */
export async function closeClient(client: Client): Promise<void> {
  try {
    await client.dispose();
  } catch {
    // It was broken before.
  }
}

/** A WebSocket client of its own, for a subscription that lasts the whole simulation. It reconnects by itself. */
export function openSubscriber({ url, key }: Target): Client {
  return createClient({
    url: webSocketUrl(url),
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${key}` },
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => true,
    retryWait: () => sleep(500),
  });
}

function openHttp({ url, key }: Target): Connection {
  const [request, agent] =
    url.protocol === 'https:'
      ? [requestHttps, new HttpsAgent({ keepAlive: true, maxSockets: 1 })]
      : [requestHttp, new HttpAgent({ keepAlive: true, maxSockets: 1 })];
  const headers = {
    authorization: `Bearer ${key}`,
    'content-type': 'application/json',
    accept: 'application/graphql-response+json',
  };

  function post(body: string): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const outgoing = request(
        url,
        { method: 'POST', agent, headers: { ...headers, 'content-length': Buffer.byteLength(body) } },
        (response) => {
          readText(response).then(
            (text) => resolve({ status: response.statusCode ?? 0, text }),
            (error: unknown) => reject(error),
          );
        },
      );
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        // The server closed an idle connection just as it was to be used again; it has not seen the request.
        if (outgoing.reusedSocket && error.code === 'ECONNRESET') post(body).then(resolve, reject);
        else reject(error);
      });
      outgoing.end(body);
    });
  }

  return {
    async ask<Data>({ name, document }: Operation<Data>, variables: Variables) {
      const { status, text } = await post(
        JSON.stringify({ query: document, variables, operationName: name }),
      );
      if (status === 401 || status === 403) throw new KeyRefused();
      if (status === 404) throw new Failure(`There is no GraphQL at ${url.href}: check --url.`);
      return readAnswer<Data>(text, status);
    },
    close: async () => agent.destroy(),
  };
}

async function readText(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8');
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return text;
}

function readAnswer<Data>(text: string, status: number): GraphQLAnswer<Data> {
  try {
    return JSON.parse(text) as GraphQLAnswer<Data>;
  } catch {
    const beginning = text.slice(0, 80).replaceAll(/\s+/g, ' ');
    throw new Failure(`What answered is not a GraphQL server: HTTP ${status}, "${beginning}". Check --url.`);
  }
}

function openWebSocket({ url, key }: Target): Connection {
  const client = createClient({
    url: webSocketUrl(url),
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${key}` },
    lazy: false,
    // Whoever asks next over it is told.
    onNonLazyError: () => undefined,
    // A mutation whose connection broke may have been carried out: it is never sent again.
    retryAttempts: 0,
  });
  return {
    ask: <Data>({ name, document }: Operation<Data>, variables: Variables) =>
      new Promise<GraphQLAnswer<Data>>((resolve, reject) => {
        let answer: GraphQLAnswer<Data> | null = null;
        client.subscribe<Data>(
          { query: document, variables: { ...variables }, operationName: name },
          {
            next: (value) => {
              answer = value as GraphQLAnswer<Data>;
            },
            error: (error) =>
              Array.isArray(error)
                ? resolve({ errors: error as GraphQLAnswer<Data>['errors'] })
                : reject(error),
            complete: () =>
              answer === null ? reject(new Failure(`${name} was not answered.`)) : resolve(answer),
          },
        );
      }),
    close: () => closeClient(client),
  };
}

function webSocketUrl(url: URL): string {
  return url.href.replace(/^http/, 'ws');
}

class KeyRefused extends Error {}

/** The server's codes for a key that it does not take, as HTTP answers and as WebSocket close codes. */
function isKeyRefused(code: unknown): boolean {
  return ['UNAUTHENTICATED', 'UNAUTHORIZED', 'FORBIDDEN', 4401, 4403].includes(code as string | number);
}

function keyRefused({ url, keyAdvice }: Target): string {
  return `The server at ${url.href} does not take the operator key. ${keyAdvice}`;
}

const unreachable = ['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ETIMEDOUT', 'EAI_AGAIN'];

function explain(error: unknown, target: Target): unknown {
  if (error instanceof Failure) return error;
  if (error instanceof KeyRefused) return new Failure(keyRefused(target));
  const { code, message } = describe(error);
  if (isKeyRefused(code)) return new Failure(keyRefused(target));
  if (unreachable.includes(String(code)) || unreachable.some((word) => message.includes(word))) {
    return new Failure(
      `No server answers at ${target.url.href}. Start one with "npm start" in another terminal, or name another with --url.`,
    );
  }
  return new Failure(`The connection to ${target.url.href} broke: ${message || String(code)}`);
}

/** Of an Error, or of the close and error events that a WebSocket gives. */
function describe(error: unknown): { readonly code: unknown; readonly message: string } {
  if (typeof error !== 'object' || error === null) return { code: null, message: String(error) };
  const { code, message, reason } = error as { code?: unknown; message?: unknown; reason?: unknown };
  return { code, message: [message, reason].filter((text) => typeof text === 'string').join(' ') };
}
