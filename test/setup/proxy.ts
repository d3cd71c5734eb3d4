import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A network between a client and a server that a test can break. */
export interface Proxy {
  readonly port: number;
  /** How many connections go through it now. */
  readonly connections: number;
  /** Ends every connection now, with a reset; new ones are taken. */
  cut(): void;
  /**
   * Nothing passes any more, either way, on old connections and on new ones, and nobody is told.
   * @param greeting only on those now there whose client's first words contained it
   */
  freeze(greeting?: string): void;
  /** What was held passes again. */
  thaw(): void;
  /** What arrives from now on passes so much later, in its order. */
  delay(milliseconds: number): void;
  close(): Promise<void>;
}

/**
 * @param target a TCP address, or a folder as PostgreSQL names a Unix socket's host
 * @param alter what it makes of a piece that the target sent
 */
export async function startProxy(
  target: { readonly host: string; readonly port: number },
  alter: (data: Buffer) => Buffer = (data) => data,
): Promise<Proxy> {
  const sockets = new Map<Socket, { readonly client: Socket; greeting: string }>();
  let thawed = Promise.withResolvers<void>();
  thawed.resolve();
  let isFrozen = false;
  let delayMilliseconds = 0;

  function pass(from: Socket, to: Socket, made: (data: Buffer) => Buffer): void {
    let passed = Promise.resolve();
    const inOrder = (step: () => unknown) => {
      passed = passed.then(async () => {
        await thawed.promise;
        await step();
      });
      passed.catch(() => from.destroy());
    };
    from.on('data', (data: Buffer) => {
      const due = performance.now() + delayMilliseconds;
      inOrder(async () => {
        if (due > performance.now()) await sleep(due - performance.now());
        await thawed.promise;
        if (to.writable && !to.write(made(data))) await Promise.race([once(to, 'drain'), once(to, 'close')]);
      });
    });
    from.on('end', () => inOrder(() => to.end()));
    from.on('error', () => inOrder(() => to.destroy()));
    from.on('close', () => sockets.delete(from));
  }

  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({
      allowHalfOpen: true,
      ...(target.host.startsWith('/')
        ? { path: `${target.host}/.s.PGSQL.${target.port}` }
        : { host: target.host, port: target.port }),
    });
    const connection = { client, greeting: '' };
    client.once('data', (data) => {
      connection.greeting = data.toString('latin1');
    });
    for (const socket of [client, upstream]) {
      sockets.set(socket, connection);
      // What a frozen network holds is held by the kernels at its ends, not here.
      if (isFrozen) socket.pause();
    }
    pass(client, upstream, (data) => data);
    pass(upstream, client, alter);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const thaw = () => {
    isFrozen = false;
    thawed.resolve();
    for (const socket of sockets.keys()) socket.resume();
  };
  const cut = () => {
    for (const [socket, { client }] of sockets) {
      if (socket === client) socket.resetAndDestroy();
      else socket.destroy();
    }
  };
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return sockets.size / 2;
    },
    cut,
    freeze: (greeting) => {
      if (greeting === undefined && !isFrozen) {
        isFrozen = true;
        thawed = Promise.withResolvers();
      }
      for (const [socket, connection] of sockets) {
        if (greeting === undefined || connection.greeting.includes(greeting)) socket.pause();
      }
    },
    thaw,
    delay: (milliseconds) => {
      delayMilliseconds = milliseconds;
    },
    close: async () => {
      thaw();
      for (const socket of sockets.keys()) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
