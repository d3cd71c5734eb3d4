import { Socket } from 'node:net';
import pg from 'pg';
import type { Log } from '../kernel/log.ts';
import { type Bus, createBus, type Line, type LinkOptions } from './bus.ts';

const channel = 'seatkeeper';
/** PostgreSQL takes payloads of less than 8,000 bytes; ours are ASCII. */
const maxPayload = 7900;

/**
 * Never part of a transaction that admits: a `NOTIFY` takes one lock for the whole server while its transaction commits.
 * This one writes nothing, so that there is nothing to wait for on the disk; the setting ends with the statement, since
 * a pooler may lend the connection to somebody else right after.
 */
const notify = `select set_config('synchronous_commit', 'off', true), pg_notify('${channel}', payload)
  from unnest($1::text[]) as payload`;

/**
 * The nodes on one database hear of one another through it, on a connection of each node's own. Behind a pooler it counts
 * as down: then asking for versions must do.
 */
export function createPostgresBus(connection: pg.PoolConfig, log: Log): Bus {
  return createBus({ name: 'PostgreSQL', connect: (options) => listen(connection, options), log });
}

async function listen(connection: pg.PoolConfig, { node, heard, lost, signal }: LinkOptions) {
  const socket = new Socket();
  signal.addEventListener('abort', () => socket.destroy(), { once: true });
  const client = new pg.Client({
    application_name: 'seatkeeper bus',
    ...connection,
    keepAlive: true,
    stream: () => socket,
  });
  client.on('error', lost);
  client.on('end', () => lost(new Error('PostgreSQL ended the connection')));
  client.on('notification', ({ payload }) => heard(payload ?? ''));
  const send = (payloads: readonly string[]) => client.query(notify, [payloads]);
  await client.connect();
  if (await isPooled(client)) {
    throw new Error(
      'A pooler stands between, which may pass no notification on: name PostgreSQL itself in DATABASE_URL, or set REDIS_URL',
    );
  }
  await client.query(`listen ${channel}`);
  return {
    send: (lines: readonly Line[]) => send([...pack(node, lines)]),
    // Each node hears of everything: a channel an organisation would have PostgreSQL look through a list at each notice.
    hear: async () => {},
    echo: (text: string) => send([`${node}\n${text}`]),
  };
}

/**
 * Whether the connection may be lent to somebody else between two statements. The `listen` would stay behind there, and
 * what comes of it be nobody's; now and then it would work, so that an echo proves nothing.
 */
async function isPooled(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  // pg declares no such property: what the connection said at its start about who is at the other end.
  return rows[0]?.pid !== (client as unknown as { readonly processID: number }).processID;
}

/** As few payloads as hold them all. */
function* pack(node: string, lines: readonly Line[]): Generator<string, void, void> {
  let payload = node;
  for (const { text } of lines) {
    if (payload.length + 1 + text.length > maxPayload) {
      yield payload;
      payload = node;
    }
    payload += `\n${text}`;
  }
  yield payload;
}
