import DataLoader from 'dataloader';
import { visibilityOf } from '../kernel/actor.ts';
import type { Context } from './context.ts';

/**
 * A batched, cached read: what an operation's resolvers ask for one by one is read together, and once.
 * @param keyOf the text by which two keys are the same
 * @param load answers in the order of its keys; null where there is nothing, an error where only that key's read failed
 */
export function createLoader<Key, Value>(
  keyOf: (key: Key) => string,
  load: (context: Context, keys: readonly Key[]) => Promise<readonly (Value | Error | null)[]>,
): (context: Context, key: Key) => Promise<Value | null> {
  const scopes = new WeakMap<object, DataLoader<Key, Value | null, string>>();
  return (context, key) => {
    let loader = scopes.get(context.scope);
    if (loader === undefined) {
      loader = new DataLoader((keys) => load(context, keys), { cacheKeyFn: keyOf });
      scopes.set(context.scope, loader);
    }
    return loader.load(key);
  };
}

const shared = new WeakMap<Context['services']['live'], Map<string, object>>();

/**
 * A fresh scope for an event, which those who begin to read in the same moment and may see the same have in common:
 * what changed is then read once for all of them. A loader sends nothing before the moment is over, so whoever shares
 * the scope asked before anything was read.
 */
export function sharedScope({ services: { live }, actor }: Context): object {
  let scopes = shared.get(live);
  if (scopes === undefined) {
    scopes = new Map();
    shared.set(live, scopes);
    process.nextTick(() => shared.delete(live));
  }
  const visibility = visibilityOf(actor);
  const scope = scopes.get(visibility) ?? {};
  scopes.set(visibility, scope);
  return scope;
}

/** A thing of an organisation: stores are always told whose it is. */
export interface Owned<Id> {
  readonly organisationId: string;
  readonly id: Id;
}

/** Answers keys of several organisations with one read an organisation. */
export async function byOrganisation<Key extends Owned<string>, Row extends { readonly id: string }>(
  keys: readonly Key[],
  list: (organisationId: Key['organisationId'], ids: Key['id'][]) => Promise<readonly Row[]>,
): Promise<((Row & { readonly organisationId: Key['organisationId'] }) | null)[]> {
  const found = new Map<string, Row & { readonly organisationId: Key['organisationId'] }>();
  for (const [organisationId, owned] of Map.groupBy(keys, (key) => key.organisationId)) {
    const rows = await list(
      organisationId,
      owned.map(({ id }) => id),
    );
    for (const row of rows) found.set(`${organisationId}/${row.id}`, { ...row, organisationId });
  }
  return keys.map(({ organisationId, id }) => found.get(`${organisationId}/${id}`) ?? null);
}
