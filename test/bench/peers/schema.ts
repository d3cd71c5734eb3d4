/** The wallboard's part of Seatkeeper's schema, and an empty mutation. */
export const typeDefs = `
  type Query { ready: Boolean! }
  type Mutation {
    nothing: Boolean!
    tick: Boolean!
  }
  type Subscription { usageChanged(organisationId: ID!, licences: [String!]): UsageChanged! }
  type UsageChanged { revision: Int! snapshot: Boolean! rows: [LicenceMapping!]! }
  type LicenceMapping {
    licence: Licence!
    activeUsers: Int!
    activeInBillingPeriod: Int!
    base: BaseUsage
    concurrent: ConcurrentUsage
    contingency: ContingencyUsage
  }
  type Licence { code: String! }
  type BaseUsage { total: Int! used: Int! }
  type ConcurrentUsage { total: Int! used: Int! available: Int! }
  type ContingencyUsage { total: Int! used: Int! maxUsed: Int! }
`;

let last = { ticks: -1, rows: 0, update: {} as object };

/**
 * What a wallboard is told after `ticks` updates: rows as Seatkeeper answers them for the bench's organisation. Made once
 * an update, whoever asks.
 */
export function update(ticks: number, rows: number): object {
  if (last.ticks !== ticks || last.rows !== rows) last = { ticks, rows, update: make(ticks, rows) };
  return last.update;
}

function make(ticks: number, rows: number): object {
  return {
    revision: ticks,
    snapshot: ticks === 0,
    rows: Array.from({ length: rows }, (_, index) => ({
      licence: { code: `BENCH_LICENCE_${String(index + 1).padStart(2, '0')}` },
      activeUsers: ticks,
      activeInBillingPeriod: ticks,
      base: { total: 50_000, used: 20_000 },
      concurrent: { total: 50_000, used: 0, available: 50_000 },
      contingency: { total: 20, used: 0, maxUsed: 0 },
    })),
  };
}

export interface Source {
  publish(): Promise<void>;
  /** Says that there was a tick, to whoever asks next. */
  subscribe(context: unknown): AsyncIterable<unknown> | Promise<AsyncIterable<unknown>>;
}

/** The figures are there for the taking: no peer reads a database. */
export function resolversWith({ publish, subscribe }: Source) {
  let ticks = 0;
  return {
    Query: { ready: () => true },
    Mutation: {
      nothing: () => true,
      tick: async () => {
        ticks += 1;
        await publish();
        return true;
      },
    },
    Subscription: {
      usageChanged: {
        // The first event is a snapshot, as Seatkeeper's is.
        subscribe: async function* (_root: unknown, _args: unknown, context: unknown) {
          const later = await subscribe(context);
          yield {};
          yield* later;
        },
        resolve: (_event: unknown, { licences }: { readonly licences?: readonly string[] | null }) =>
          update(ticks, licences?.length ?? 12),
      },
    },
  };
}
