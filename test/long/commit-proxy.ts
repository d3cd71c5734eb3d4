import { createServer, connect, type AddressInfo, type Socket } from 'node:net';

/** CommandComplete of a COMMIT, as PostgreSQL sends it. */
const committed = Buffer.from([0x43, 0, 0, 0, 11, ...Buffer.from('COMMIT\0')]);
/** Begins that of an INSERT: every read is a transaction as well, and is not meant. */
const inserted = Buffer.from('INSERT 0 ');

export interface CommitProxy {
  readonly port: number;
  /** The answer to the next commit of something new does not arrive; `then` is called instead. */
  arm(then: () => void): void;
  close(): void;
}

/** Between a server and PostgreSQL: passes everything on, until it is armed. */
export async function startCommitProxy(target: { host: string; port: number }): Promise<CommitProxy> {
  let onCommit: (() => void) | null = null;
  const sockets = new Set<Socket>();
  const proxy = createServer((client) => {
    const path = target.host.startsWith('/') ? `${target.host}/.s.PGSQL.${target.port}` : null;
    const database = path === null ? connect(target.port, target.host) : connect(path);
    for (const socket of [client, database]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        client.destroy();
        database.destroy();
      });
    }
    client.pipe(database);
    let isNew = false;
    database.on('data', (data) => {
      isNew ||= data.includes(inserted);
      const isCommitted = data.includes(committed);
      if (onCommit !== null && isNew && isCommitted) {
        const then = onCommit;
        onCommit = null;
        then();
        client.destroy();
        return;
      }
      if (isCommitted) isNew = false;
      client.write(data);
    });
  });
  await new Promise<void>((listening) => {
    proxy.listen(0, '127.0.0.1', listening);
  });
  return {
    port: (proxy.address() as AddressInfo).port,
    arm: (then) => {
      onCommit = then;
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      proxy.close();
    },
  };
}
