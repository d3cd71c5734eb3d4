import { createClient } from '@redis/client';
import type { OrganisationId } from '../kernel/ids.ts';
import type { Log } from '../kernel/log.ts';
import { type Bus, createBus, type Line, type LinkOptions } from './bus.ts';

/**
 * The nodes hear of one another through Redis (from 6 on) or Valkey: a channel an organisation, subscribed to only while
 * this node has somebody who watches it.
 */
export function createRedisBus(url: string, log: Log): Bus {
  return createBus({ name: 'Redis', connect: (options) => subscribe(url, options), log });
}

const nodes = 'seatkeeper:nodes';
const channelOf = (id: OrganisationId) => `seatkeeper:organisation:${id}`;

async function subscribe(url: string, { node, heard, lost, signal }: LinkOptions) {
  const client = createClient({
    url,
    // Both ways on one connection, which needs this protocol.
    RESP: 3,
    // The bus itself connects again, and knows what to look at then.
    socket: { reconnectStrategy: false },
    disableOfflineQueue: true,
    maintNotifications: 'disabled',
  });
  signal.addEventListener('abort', () => client.isOpen && client.destroy(), { once: true });
  client.on('error', lost);
  await client.connect();
  await client.subscribe(nodes, heard);
  return {
    send: (lines: readonly Line[]) =>
      Promise.all(
        [...Map.groupBy(lines, ({ organisationId }) => organisationId)].map(([id, told]) =>
          client.publish(channelOf(id), [node, ...told.map(({ text }) => text)].join('\n')),
        ),
      ),
    hear: (join: readonly OrganisationId[], leave: readonly OrganisationId[]) =>
      Promise.all([
        join.length > 0 ? client.subscribe(join.map(channelOf), heard) : null,
        leave.length > 0 ? client.unsubscribe(leave.map(channelOf), heard) : null,
      ]),
    echo: (text: string) => client.publish(nodes, `${node}\n${text}`),
  };
}
