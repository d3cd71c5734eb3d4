import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { makeExecutableSchema } from '@graphql-tools/schema';
import { type WebSocket, WebSocketServer } from 'ws';
import { resolversWith, type Source, typeDefs, update } from './schema.ts';

/** `node serve.ts PEER`: the servers that Seatkeeper is measured beside. Prints where it listens, as JSON. */
const peers: Readonly<Record<string, () => Promise<Listening>>> = {
  http: bareHttp,
  'ws-send': async () => bareWebSockets(sendToEach),
  'ws-prepared': async () => bareWebSockets(writePreparedFrame),
  mercurius,
  apollo,
  yoga,
};

interface Listening {
  readonly http: string;
  readonly ws: string;
}

const [wanted = ''] = process.argv.slice(2);
const start = peers[wanted];
if (start === undefined) throw new Error(`There is no peer ${wanted}`);
console.log(JSON.stringify(await start()));

async function listen(server: Server): Promise<Listening> {
  await new Promise<void>((listening) => {
    server.listen(0, '127.0.0.1', listening);
  });
  return addressOf(server.address() as AddressInfo);
}

function addressOf({ port }: AddressInfo): Listening {
  return { http: `http://127.0.0.1:${port}/graphql`, ws: `ws://127.0.0.1:${port}/graphql` };
}

async function readJson(request: IncomingMessage): Promise<{ readonly query: string }> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as { query: string };
}

/** Reads JSON and answers JSON: what no server can go below. */
function answering(onTick: () => void): RequestListener {
  return (request, response) => {
    void readJson(request).then(({ query }) => {
      if (query.includes('tick')) onTick();
      const text = '{"data":{"nothing":true}}';
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': text.length });
      response.end(text);
    });
  };
}

async function bareHttp(): Promise<Listening> {
  return listen(createServer(answering(() => {})));
}

type FanOut = (sockets: ReadonlySet<WebSocket>, text: string) => void;

function sendToEach(sockets: ReadonlySet<WebSocket>, text: string): void {
  for (const socket of sockets) socket.send(text);
}

/** The frame's bytes are made once (an unmasked text frame of 126 to 65,535 bytes), and written to each. */
function writePreparedFrame(sockets: ReadonlySet<WebSocket>, text: string): void {
  const payload = Buffer.from(text);
  const frame = Buffer.concat([
    Buffer.from([0x81, 126, payload.length >> 8, payload.length & 0xff]),
    payload,
  ]);
  for (const socket of sockets) {
    // ws has no such call: what it would cost is measured past it.
    (socket as unknown as { readonly _socket: { write(frame: Buffer): void } })._socket.write(frame);
  }
}

/** Every wallboard calls its subscription `1`, so that one text does for all. */
async function bareWebSockets(fanOut: FanOut): Promise<Listening> {
  const sockets = new Set<WebSocket>();
  let ticks = 0;
  const textOf = () =>
    JSON.stringify({ id: '1', type: 'next', payload: { data: { usageChanged: update(ticks, rowsAsked) } } });
  let rowsAsked = 12;
  const server = createServer(
    answering(() => {
      ticks += 1;
      fanOut(sockets, textOf());
    }),
  );
  new WebSocketServer({ server, perMessageDeflate: false }).on('connection', (socket) => {
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString('utf8')) as {
        type: string;
        payload?: { variables?: { licences?: readonly string[] } };
      };
      if (message.type === 'connection_init') socket.send('{"type":"connection_ack"}');
      if (message.type !== 'subscribe') return;
      rowsAsked = message.payload?.variables?.licences?.length ?? rowsAsked;
      sockets.add(socket);
      socket.send(textOf());
    });
    socket.on('close', () => sockets.delete(socket));
  });
  return listen(server);
}

async function mercurius(): Promise<Listening> {
  const { default: fastify } = await import('fastify');
  const { default: plugin } = await import('mercurius');
  const app = fastify();
  const resolvers = resolversWith({
    publish: async () => {
      app.graphql.pubsub.publish({ topic: 'tick', payload: {} });
    },
    // Mercurius hands its own publisher to the resolver.
    subscribe: (context) =>
      (context as { pubsub: { subscribe(topic: string): Promise<AsyncIterable<unknown>> } }).pubsub.subscribe(
        'tick',
      ),
  });
  await app.register(plugin, {
    schema: typeDefs,
    resolvers: resolvers as never,
    jit: 1,
    subscription: { fullWsTransport: true },
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return addressOf(app.server.address() as AddressInfo);
}

async function apollo(): Promise<Listening> {
  const { ApolloServer } = await import('@apollo/server');
  const { startStandaloneServer } = await import('@apollo/server/standalone');
  const { PubSub } = await import('graphql-subscriptions');
  const { useServer } = await import('graphql-ws/use/ws');
  const pubSub = new PubSub();
  // Hundreds of wallboards listen to one topic.
  (pubSub as unknown as { ee: { setMaxListeners(count: number): void } }).ee.setMaxListeners(0);
  const schema = executable({
    publish: () => pubSub.publish('tick', {}),
    subscribe: () => pubSub.asyncIterableIterator('tick'),
  });
  const { url } = await startStandaloneServer(new ApolloServer({ schema }), {
    listen: { port: 0, host: '127.0.0.1' },
  });
  const server = createServer();
  useServer({ schema }, new WebSocketServer({ server, perMessageDeflate: false }));
  return { http: url, ws: (await listen(server)).ws };
}

async function yoga(): Promise<Listening> {
  const { createPubSub, createYoga } = await import('graphql-yoga');
  const { useServer } = await import('graphql-ws/use/ws');
  const pubSub = createPubSub<{ tick: [object] }>();
  const schema = executable({
    publish: async () => pubSub.publish('tick', {}),
    subscribe: () => pubSub.subscribe('tick'),
  });
  const app = createYoga({ schema, logging: false });
  const server = createServer((request, response) => void app(request, response));
  // As Yoga's manual has it: what Yoga makes of an operation is what runs on the socket too.
  useServer(
    {
      execute: (args) => (args.rootValue as Enveloped).execute(args),
      subscribe: (args) => (args.rootValue as Enveloped).subscribe(args),
      onSubscribe: async (context, _id, params) => {
        const { schema, execute, subscribe, contextFactory, parse, validate } = app.getEnveloped({
          ...context,
          req: context.extra.request,
          socket: context.extra.socket,
          params,
        });
        const args = {
          schema,
          operationName: params.operationName,
          document: parse(params.query),
          variableValues: params.variables,
          contextValue: await contextFactory(),
          rootValue: { execute, subscribe },
        };
        const errors = validate(args.schema, args.document);
        return errors.length > 0 ? errors : args;
      },
    },
    new WebSocketServer({ server, path: app.graphqlEndpoint, perMessageDeflate: false }),
  );
  return listen(server);
}

interface Enveloped {
  readonly execute: (args: unknown) => never;
  readonly subscribe: (args: unknown) => never;
}

function executable(source: Source) {
  return makeExecutableSchema({ typeDefs, resolvers: resolversWith(source) });
}
