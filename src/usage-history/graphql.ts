import type { ArgBuilder } from '@pothos/core';
import { builder, type BuilderTypes } from '../graphql/builder.ts';
import { costs } from '../graphql/cost.ts';
import { codedError } from '../graphql/errors.ts';
import { text } from '../graphql/input.ts';
import { createLoader } from '../graphql/loader.ts';
import { earliest, type Instant } from '../kernel/clock.ts';
import type { LicenceCode, OrganisationId } from '../kernel/ids.ts';
import { invalidInput, isRefusal } from '../kernel/refusal.ts';
import { findLicence } from '../licence/domain.ts';
import type { Services } from '../live/services.ts';
import { nowOf, type Organisation } from '../organisation/domain.ts';
import { listBillingPeriods } from '../organisation/store.ts';
import {
  type Bucket,
  type BucketSize,
  countAskedBuckets,
  countBuckets,
  describeDropped,
  type DroppedHistory,
  edgesOf,
  maxBuckets,
  type Seats,
} from './domain.ts';
import { listBucketsOfMany } from './store.ts';

/** The seats of one pool over a bucket. */
interface PoolUsage extends Seats {
  readonly total: number;
}

declare module '../graphql/builder.ts' {
  interface Objects {
    UsageBucket: Bucket;
    PoolUsage: PoolUsage;
    DroppedHistory: DroppedHistory;
  }
  interface Enums {
    UsageBucketSize: BucketSize;
  }
}

builder.enumType('UsageBucketSize', {
  description: 'How long a bucket of a usage history is, by the organisation’s time zone.',
  values: {
    MINUTE_5: { description: 'Five minutes.' },
    HOUR: { description: 'A local hour. One that is put back into is counted twice, a bucket each time.' },
    DAY: { description: 'A local date: 23, 24 or 25 hours.' },
    MONTH: { description: 'A billing period, as it was.' },
  },
});

builder.objectType('PoolUsage', {
  description: 'How many seats of a pool were in use over a bucket.',
  fields: (t) => ({
    minimum: t.exposeInt('minimum', { description: 'The fewest, if only for a moment.' }),
    maximum: t.exposeInt('maximum', { description: 'The most, if only for a moment.' }),
    mean: t.exposeFloat('mean', { description: 'On average over time.' }),
    total: t.exposeInt('total', { description: 'Bought, and in force at its end.' }),
  }),
});

builder.objectType('UsageBucket', {
  description:
    'A licence’s use over a stretch of time: exact, reckoned from every recorded change. Every state counts for minimum and maximum, also one that lasted no time.',
  fields: (t) => ({
    from: t.expose('from', { type: 'DateTime', description: 'Its first instant.' }),
    until: t.expose('until', {
      type: 'DateTime',
      description:
        'Its end, which belongs to the next one. The last of a list may end now: what happens at this very instant is not in it.',
    }),
    concurrent: t.field({
      type: 'PoolUsage',
      description: 'Concurrent seats.',
      resolve: ({ concurrent, concurrentTotal: total }) => ({ ...concurrent, total }),
    }),
    contingency: t.field({
      type: 'PoolUsage',
      description: 'Contingency seats. A freed concurrent seat takes a user over at once.',
      resolve: ({ contingency, contingencyTotal: total }) => ({ ...contingency, total }),
    }),
    denials: t.exposeInt('denials', { description: 'How often the licence was refused.' }),
  }),
});

builder.objectType('DroppedHistory', {
  description:
    'Of a licence old history was dropped, as the server’s HISTORY_MONTHS says. What can only be told from it is null.',
  fields: (t) => ({
    keptSince: t.expose('keptSince', { type: 'DateTime', description: 'From here on all of it is there.' }),
    message: t.string({
      description: 'The same as a sentence, and what can be done.',
      resolve: describeDropped,
    }),
  }),
});

/** What time is asked for, and in what pieces. */
interface Asked {
  readonly from: Instant;
  readonly until: Instant;
  readonly bucket: BucketSize;
}

function timeArguments(arg: ArgBuilder<BuilderTypes>) {
  return {
    from: arg({ type: 'DateTime', required: true, description: 'In the first bucket.' }),
    until: arg({ type: 'DateTime', required: true, description: 'Not in the last bucket any more.' }),
    bucket: arg({
      type: 'UsageBucketSize',
      required: true,
      defaultValue: 'HOUR',
      description: 'How long a bucket is.',
    }),
  };
}

/** @returns the buckets of each of the licences */
async function readHistories(
  services: Services,
  organisation: Organisation,
  licences: readonly LicenceCode[],
  { from, until, bucket }: Asked,
): Promise<(readonly Bucket[])[]> {
  if (until <= from) throw codedError(invalidInput('until', '`until` is after `from`.'));
  const { id, timeZone, nextDueAt } = organisation;
  const now = nowOf(organisation, services.clock.now());
  // What has fallen due since the organisation was read has not taken effect yet.
  const known = earliest(until, now, nextDueAt);
  if (from >= known) return licences.map(() => []);
  if (countBuckets(bucket, from, known) > maxBuckets) throw codedError(tooMany());
  const asked = { from, until: known };
  const periods = bucket === 'MONTH' ? await listBillingPeriods(services.db, id, asked) : [];
  // The last bucket is not over yet, perhaps.
  const edges = edgesOf(bucket, asked, timeZone, periods).map((edge) => earliest(edge, now, nextDueAt));
  if (edges.length > maxBuckets + 1) throw codedError(tooMany());
  const pools = licences.map((licence) => ({ organisationId: id, licence }));
  return [...(await listBucketsOfMany(services.db, pools, edges))];
}

interface AskedOfRow {
  readonly organisationId: OrganisationId;
  readonly licence: LicenceCode;
  readonly asked: Asked;
}

/** What the rows of a Licence Mapping ask for one by one is read together. */
const findHistory = createLoader<AskedOfRow, readonly Bucket[]>(
  ({ organisationId, licence, asked }) => `${organisationId} ${licence} ${periodOf(asked)}`,
  async (context, keys) => {
    const found = new Map<AskedOfRow, readonly Bucket[] | Error>();
    const together = Map.groupBy(keys, ({ organisationId, asked }) => `${organisationId} ${periodOf(asked)}`);
    for (const rows of together.values()) {
      const [first] = rows;
      if (first === undefined) continue;
      const { organisationId, asked } = first;
      try {
        const organisation = await context.getOrganisation(context, organisationId);
        const licences = rows.map(({ licence }) => licence);
        const histories = await readHistories(context.services, organisation, licences, asked);
        for (const [index, row] of rows.entries()) found.set(row, histories[index] ?? []);
      } catch (error) {
        for (const row of rows) found.set(row, error as Error);
      }
    }
    return keys.map((key) => found.get(key) ?? null);
  },
);

function periodOf({ from, until, bucket }: Asked): string {
  return `${from.getTime()} ${until.getTime()} ${bucket}`;
}

const inBuckets = `in the buckets that \`from\` and \`until\` touch: whole ones, by the organisation’s time zone, but none goes on after now. At most ${maxBuckets}.`;

builder.objectField('Organisation', 'usageHistory', (t) =>
  t.field({
    type: ['UsageBucket'],
    nullable: true,
    description: `A licence’s use over time, ${inBuckets}`,
    extensions: costs({ weight: 10, sizedBy: countAskedBuckets }),
    args: {
      licence: t.arg.string({
        required: true,
        validate: text,
        description: 'Of the licence with this code.',
      }),
      ...timeArguments(t.arg),
    },
    resolve: async (organisation, { licence, ...asked }, { services }) => {
      const found = findLicence(await services.catalogue([licence as LicenceCode]), licence);
      if (isRefusal(found)) throw codedError(found);
      const [buckets = []] = await readHistories(services, organisation, [found.code], asked);
      return buckets;
    },
  }),
);

builder.objectField('LicenceMapping', 'usageHistory', (t) =>
  t.field({
    type: ['UsageBucket'],
    description: `The licence’s use over time, ${inBuckets}`,
    extensions: costs({ weight: 10, sizedBy: countAskedBuckets }),
    args: timeArguments(t.arg),
    resolve: async ({ organisationId, licence: { code } }, asked, context) =>
      (await findHistory(context, { organisationId, licence: code, asked })) ?? [],
  }),
);

function tooMany() {
  return invalidInput('until', `At most ${maxBuckets} buckets: ask for less time, or for longer ones.`);
}
