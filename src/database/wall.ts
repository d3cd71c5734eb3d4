import { CompiledQuery, type DatabaseConnection, Kysely, PostgresDialect, type QueryResult } from 'kysely';
import type { Tenants } from '../kernel/tenants.ts';
import type { Database } from './database.ts';
import type { DB } from './tables.ts';

/** As what the program works: it owns nothing, and PostgreSQL shows it the rows of the present tenants alone. */
export const runtimeRole = 'seatkeeper_runtime';

/**
 * The same database, of which no statement sees or writes anything but the rows of these tenants: PostgreSQL's policies
 * see to it, whatever the statement says. Every statement is in a transaction, its own where it is in no other, because
 * who the tenants are ends with a transaction; the connection's next borrower finds none.
 */
export function within(db: Database, tenants: Tenants): Database {
  const begin = beginning(tenants);
  const executor = db.getExecutor().withConnectionProvider({
    provideConnection: (use) =>
      db
        .getExecutor()
        .provideConnection((connection) =>
          use(
            new WalledConnection(
              connection instanceof WalledConnection ? connection.inner : connection,
              begin,
            ),
          ),
        ),
  });
  return new Kysely<DB>({ config: { dialect }, dialect, driver: dialect.createDriver(), executor });
}

/** Only asked for what goes round the wall: a transaction that does not begin with its tenants. */
const dialect = new PostgresDialect({
  pool: () => Promise.reject(new Error('A transaction of tenants is begun by inTransaction')),
});

/** What a transaction begins with. The role as well, so that it holds behind a login that is more. */
function beginning(tenants: Tenants): string {
  return `begin; set local role ${runtimeRole}; set local seatkeeper.tenants = '${textOf(tenants)}'`;
}

/** As the policies read it (migrations/0007_walls.ts): every, one, or one and all below. */
function textOf(tenants: Tenants): string {
  if (tenants === 'ALL') return '*';
  const { organisationId, below } = tenants;
  // Ids are read from clients' ids and keys by way of types alone; a setting takes no parameter.
  if (!/^[\da-f-]{36}$/.test(organisationId)) throw new Error('A tenant is named by its id');
  return below ? `${organisationId}/*` : organisationId;
}

/** A statement whose one plan is good for whatever it is given. */
interface PlannedOnce extends CompiledQuery {
  readonly isPlannedOnce: true;
}

/**
 * A statement that PostgreSQL is to plan once a connection, also where it stands by itself: among policies a plan costs more
 * than what it plans, and by its own reckoning PostgreSQL would make another each time.
 * @param text looks everything up by index, however much is given; no plan may be better for some values than for others
 */
export function plannedOnce(text: string, parameters: readonly unknown[]): PlannedOnce {
  return { ...CompiledQuery.raw(text, [...parameters]), isPlannedOnce: true };
}

/** A plan that was made while a table was empty would stay in use while it grows: it is to use the index all the same. */
const planOnce = '; set local plan_cache_mode = force_generic_plan; set local enable_seqscan = off';

/** A connection on which a statement by itself is a transaction of its own, sent in one flight. */
export class WalledConnection implements DatabaseConnection {
  readonly inner: DatabaseConnection;
  readonly begin: string;

  constructor(inner: DatabaseConnection, begin: string) {
    this.inner = inner;
    this.begin = begin;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const { inner } = this;
    const begin = 'isPlannedOnce' in query ? `${this.begin}${planOnce}` : this.begin;
    const [begun, answered, committed] = await Promise.allSettled([
      inner.executeQuery(CompiledQuery.raw(begin)),
      inner.executeQuery<Row>(query),
      inner.executeQuery(CompiledQuery.raw('commit')),
    ]);
    // Where the transaction could not begin, that says why.
    for (const outcome of [begun, answered, committed]) {
      if (outcome.status === 'rejected') throw outcome.reason;
    }
    return (answered as PromiseFulfilledResult<QueryResult<Row>>).value;
  }

  // oxlint-disable-next-line require-yield -- nothing is streamed
  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new Error('Nothing is streamed from behind the wall');
  }
}
