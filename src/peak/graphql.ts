import { builder } from '../graphql/builder.ts';
import { connect, connectionType, type Order, pageArguments } from '../graphql/connection.ts';
import { costs } from '../graphql/cost.ts';
import { codedError, InputError } from '../graphql/errors.ts';
import { text } from '../graphql/input.ts';
import { createLoader } from '../graphql/loader.ts';
import { mutation } from '../graphql/mutation.ts';
import { readOrganisationId } from '../graphql/node.ts';
import type { Instant } from '../kernel/clock.ts';
import type { LicenceCode, OrganisationId } from '../kernel/ids.ts';
import { contains, type Period } from '../kernel/interval.ts';
import { isRefusal } from '../kernel/refusal.ts';
import { findLicence } from '../licence/domain.ts';
import type { Services } from '../live/services.ts';
import { type BillingPeriod, nowOf, type Organisation } from '../organisation/domain.ts';
import { findBillingPeriod } from '../organisation/store.ts';
import { decideSeller } from '../price/domain.ts';
import { listPurchasesTurning } from '../purchase/store.ts';
import { listSessions } from '../session/store.ts';
import { findClosedPeak, findPeakLine } from '../statement/store.ts';
import type { DroppedHistory } from '../usage-history/domain.ts';
import { listBuckets, listDropped } from '../usage-history/store.ts';
import { listPools } from '../usage/store.ts';
import { setContractOptions } from './commands.ts';
import {
  billedPeak,
  type ContractOptions,
  defaultContractOptions,
  type Episode,
  noPeak,
  type PeakCause,
  type PeakSeat,
  readEvidence,
  timeAtLevel,
  type ToldPeak,
} from './domain.ts';
import { findContractOptions, findMoment, pagePeakHolders, type PeakHolder, readPeak } from './store.ts';

/** A licence's peak of a billing period. */
interface PeakUsage extends Pick<ToldPeak, 'maxUsed' | 'maxUsedAt'> {
  readonly organisationId: OrganisationId;
  readonly licence: LicenceCode;
  readonly period: Period;
  /** null: that is no longer told. */
  readonly told: ToldPeak | null;
  readonly dropped: DroppedHistory | null;
  /** What the month's statement bills; null: it is not written. */
  readonly billed: number | null;
  /** The contract's when the month ended; null: it runs, or ended before that was kept. */
  readonly options: ContractOptions | null;
}

interface Cause {
  readonly organisationId: OrganisationId;
  readonly licence: LicenceCode;
  readonly cause: PeakCause;
  readonly at: Instant;
  readonly seat: PeakSeat | null;
}

interface PeakLevel {
  readonly seats: number;
  readonly milliseconds: number;
}

type Holder = PeakHolder & { readonly organisationId: OrganisationId };

declare module '../graphql/builder.ts' {
  interface Objects {
    PeakUsage: PeakUsage;
    PeakCause: Cause;
    PeakEpisode: Episode;
    PeakLevel: PeakLevel;
    PeakHolder: Holder;
    ContractOptions: ContractOptions;
  }
  interface Enums {
    PeakCauseKind: PeakCause;
  }
}

const findOptions = createLoader<
  OrganisationId,
  { readonly id: OrganisationId; readonly options: ContractOptions }
>(
  (id) => id,
  async ({ services }, ids) => {
    const found = await findContractOptions(services.db, ids);
    return ids.map((id) => ({ id, options: found.get(id) ?? defaultContractOptions }));
  },
);

builder.objectType('ContractOptions', {
  description: 'What an organisation’s contract says beside its purchases.',
  fields: (t) => ({
    minimumPeakMinutes: t.exposeInt('minimumPeakMinutes', {
      description:
        'Levels of contingency use that lasted less than so many minutes of a month, all together, are not billed. 0: every seat that was used is.',
    }),
  }),
});

builder.objectField('Organisation', 'contractOptions', (t) =>
  t.field({
    type: 'ContractOptions',
    nullable: true,
    description: 'What the contract says beside the purchases.',
    resolve: async ({ id }, _args, context) => (await findOptions(context, id))?.options ?? null,
  }),
);

builder.enumType('PeakCauseKind', {
  description: 'What brought use to a peak.',
  values: {
    ACQUIRED: { description: 'A session acquired a seat.' },
    TOTALS_CHANGED: {
      description: 'A purchase of concurrent seats ended, or one of contingency seats began.',
    },
    CARRIED_OVER: { description: 'The period began with it: it was in use at the end of the one before.' },
  },
});

builder.objectType('PeakCause', {
  description: 'What brought use to a peak first.',
  fields: (t) => ({
    kind: t.field({ type: 'PeakCauseKind', description: 'What it was.', resolve: ({ cause }) => cause }),
    at: t.expose('at', { type: 'DateTime', description: 'When: the peak’s `maxUsedAt`.' }),
    user: t.field({
      type: 'User',
      nullable: true,
      description: 'Who acquired the seat; null where nobody did.',
      resolve: ({ organisationId, seat }, _args, context) =>
        seat === null ? null : context.getUser(context, { organisationId, id: seat.userId }),
    }),
    session: t.field({
      type: 'Session',
      nullable: true,
      description: 'The session, which says on which device; null where none acquired a seat.',
      resolve: async ({ organisationId, seat }, _args, { services }) => {
        if (seat === null) return null;
        const [session] = await listSessions(services.db, organisationId, [seat.sessionId]);
        return session === undefined ? null : { ...session, organisationId };
      },
    }),
    purchases: t.field({
      type: ['Purchase'],
      description:
        'The purchases of the licence’s shared seats that began or ended at that instant; empty unless totals changed.',
      extensions: costs({ weight: 10 }),
      resolve: async ({ organisationId, licence, cause, at }, _args, { services }) => {
        if (cause !== 'TOTALS_CHANGED') return [];
        const purchases = await listPurchasesTurning(services.db, organisationId, licence, at);
        return purchases.map((purchase) => ({ ...purchase, organisationId }));
      },
    }),
  }),
});

builder.objectType('PeakEpisode', {
  description: 'An unbroken stretch of time at the peak.',
  fields: (t) => ({
    from: t.expose('from', { type: 'DateTime', description: 'When use came to it.' }),
    until: t.expose('until', {
      type: 'DateTime',
      nullable: true,
      description:
        'When use left it, perhaps at the same instant; null: it lasts, or lasted to the end of the period.',
    }),
  }),
});

builder.objectType('PeakLevel', {
  description: 'For how long at least so many contingency seats were in use.',
  fields: (t) => ({
    seats: t.exposeInt('seats', { description: 'So many, or more.' }),
    milliseconds: t.expose('milliseconds', {
      type: 'SafeInt',
      description: 'All stretches of the period together. 0: only between two changes at one instant.',
    }),
  }),
});

builder.objectType('PeakHolder', {
  description: 'A user who held a seat at the first moment of a peak.',
  fields: (t) => ({
    user: t.field({
      type: 'User',
      description: 'Who held it.',
      resolve: ({ organisationId, userId }, _args, context) =>
        context.getUser(context, { organisationId, id: userId }),
    }),
    since: t.expose('since', {
      type: 'DateTime',
      nullable: true,
      description: 'Since when; null: since before the period.',
    }),
  }),
});

const PeakHolderConnection = connectionType('PeakHolder', 'Who held a seat, in the order of their ids.');

const byUserId: Order<Holder> = { name: 'peakHolders', parts: ['uuid'], keyOf: ({ userId }) => [userId] };

const maxLevels = 1000;

builder.objectType('PeakUsage', {
  description:
    'Why a licence’s contingency peak of a billing period is what it is: exact, from the history of its seats.',
  fields: (t) => ({
    licence: t.field({
      type: 'Licence',
      description: 'Of which licence.',
      resolve: ({ licence }, _args, context) => context.getLicence(context, licence),
    }),
    period: t.expose('period', { type: 'BillingPeriod', description: 'Of which billing period.' }),
    maxUsed: t.exposeInt('maxUsed', {
      description: 'The highest contingency use of the period so far; also one that lasted no time at all.',
    }),
    maxUsedAt: t.expose('maxUsedAt', {
      type: 'DateTime',
      nullable: true,
      description:
        'The first instant of that highest use; null while it is 0, or where `dropped` says that it is no longer known.',
    }),
    dropped: t.expose('dropped', {
      type: 'DroppedHistory',
      nullable: true,
      description:
        'What of the period’s history is gone; null: nothing. The statement of a month that was closed before keeps all but `holders`; where there is none, all is null but `maxUsed`, and `maxUsedAt` where it was kept.',
    }),
    billed: t.int({
      nullable: true,
      description:
        'The highest use that lasted the contract’s `minimumPeakMinutes`, all stretches together; with 0 minutes it is `maxUsed`. Of a month that is over what its statement bills; else by the contract as it is now. Null where `dropped` says so, as with what follows.',
      resolve: async ({ organisationId, maxUsed, told, billed, options }, _args, context) => {
        if (billed !== null) return billed;
        const { minimumPeakMinutes } =
          options ?? (await findOptions(context, organisationId))?.options ?? defaultContractOptions;
        if (minimumPeakMinutes === 0) return maxUsed;
        return told === null ? null : billedPeak(told.levels, minimumPeakMinutes);
      },
    }),
    inUse: t.int({
      nullable: true,
      description: 'Users who held a seat at `maxUsedAt`, concurrent seats included; 0 while `maxUsed` is 0.',
      resolve: ({ told }) => told?.inUse,
    }),
    episodes: t.field({
      type: ['PeakEpisode'],
      nullable: true,
      description: 'The first 100 stretches of time at the peak.',
      extensions: costs({ assumedSize: 100 }),
      resolve: ({ told }) => told?.instants.slice(),
    }),
    episodeCount: t.int({
      nullable: true,
      description: 'How many such stretches there were.',
      resolve: ({ told }) => told?.instantCount,
    }),
    levels: t.field({
      type: ['PeakLevel'],
      nullable: true,
      description: 'How long use stayed at or above each number of contingency seats, up to `maxUsed`.',
      extensions: costs({ assumedSize: 100 }),
      args: {
        from: t.arg.int({ description: 'The lowest level; 1 if nothing is said.' }),
        first: t.arg.int({ description: 'How many levels: 1 to 1,000; 100 if nothing is said.' }),
      },
      resolve: ({ maxUsed, told }, { from, first }) => {
        const lowest = from ?? 1;
        const count = first ?? 100;
        if (lowest < 1) throw new InputError('from', 'A level is 1 or more.');
        if (count < 1 || count > maxLevels) {
          throw new InputError('first', `Levels are shown 1 to ${maxLevels} at once.`);
        }
        if (told === null) return null;
        const length = Math.max(0, Math.min(count, maxUsed - lowest + 1));
        return Array.from({ length }, (_, index) => ({
          seats: lowest + index,
          milliseconds: timeAtLevel(told.levels, lowest + index),
        }));
      },
    }),
    holders: t.field({
      type: PeakHolderConnection,
      nullable: true,
      description:
        'The users who held a seat at the first moment of the peak; null where history of the period was dropped.',
      extensions: costs({ weight: 100 }),
      args: pageArguments(t.arg),
      resolve: async ({ organisationId, licence, period, told, dropped }, page, { services: { db } }) => {
        if (told === null || dropped !== null) return null;
        const { from } = period;
        const moment = await findMoment(db, organisationId, licence, from, told);
        const peak = { licence, from, moment, inUse: told.inUse };
        return connect(
          byUserId,
          page,
          async (request) =>
            (await pagePeakHolders(db, organisationId, peak, request)).map((holder) => ({
              ...holder,
              organisationId,
            })),
          () => Promise.resolve(told.inUse),
        );
      },
    }),
    causedBy: t.field({
      type: 'PeakCause',
      nullable: true,
      description: 'What brought use to the peak first; null while `maxUsed` is 0.',
      resolve: ({ organisationId, licence, maxUsedAt, told }) =>
        told === null || told.cause === null || maxUsedAt === null
          ? null
          : { organisationId, licence, cause: told.cause, at: maxUsedAt, seat: told.seat },
    }),
  }),
});

builder.objectField('Organisation', 'peakUsage', (t) =>
  t.field({
    type: 'PeakUsage',
    nullable: true,
    description:
      'The contingency peak of a licence in a billing period, explained. null where the licence is sold without contingency, and where no billing period has begun that has the instant. `dropped` says where the period’s changes are kept no more.',
    extensions: costs({ weight: 500 }),
    args: {
      licence: t.arg.string({ required: true, validate: text, description: 'The licence’s code.' }),
      period: t.arg({
        type: 'DateTime',
        description: 'Any instant of the billing period; now if nothing is said.',
      }),
    },
    resolve: async (organisation, { licence: code, period: at }, { services }) => {
      const { id } = organisation;
      const licence = findLicence(await services.catalogue([code as LicenceCode]), code);
      if (isRefusal(licence)) throw codedError(licence);
      if (!licence.contingencyAllowed) return null;
      const now = nowOf(organisation, services.clock.now());
      const period = await periodAt(organisation, at ?? now, (instant) =>
        findBillingPeriod(services.db, id, instant),
      );
      return period === null ? null : tellPeak(services, organisation, licence.code, period, now);
    },
  }),
);

/**
 * Of a month that is over what its statement keeps of the peak, which is no work at all; else what the history tells; and
 * where that is dropped, the figures alone.
 */
async function tellPeak(
  { db }: Pick<Services, 'db'>,
  { id, period: running }: Organisation,
  licence: LicenceCode,
  period: BillingPeriod,
  now: Instant,
): Promise<PeakUsage> {
  const { month, from, until } = period;
  const isOver = until <= now;
  const [closed, line] = isOver
    ? await Promise.all([findClosedPeak(db, id, month, licence), findPeakLine(db, id, month, licence)])
    : [null, null];
  const evidence = line?.explanation ?? null;
  const told =
    closed?.maxUsed === 0
      ? noPeak
      : evidence === null
        ? await readPeak(db, id, licence, period, now)
        : readEvidence(evidence);
  const dropped = (await listDropped(db, id)).get(licence) ?? null;
  const of = {
    ...{ organisationId: id, licence, period, told, billed: line?.billed ?? null, options: closed },
    dropped: dropped !== null && dropped.keptSince > from ? dropped : null,
  };
  if (told !== null) return { ...of, maxUsed: told.maxUsed, maxUsedAt: told.maxUsedAt };
  const pool = month === running.month ? (await listPools(db, [id])).get(id)?.get(licence) : undefined;
  const figures = closed ?? pool;
  if (figures !== undefined) return { ...of, maxUsed: figures.maxUsed, maxUsedAt: figures.maxUsedAt };
  // Closed before closes were kept: what is summed up has the peak, and not its instant.
  const [bucket] = await listBuckets(db, id, licence, [from, until]);
  return { ...of, maxUsed: bucket?.contingency.maximum ?? 0, maxUsedAt: null };
}

/** The running period is at hand. */
async function periodAt(
  { period }: Organisation,
  at: Instant,
  find: (at: Instant) => Promise<BillingPeriod | null>,
): Promise<BillingPeriod | null> {
  return contains(period, at) ? period : find(at);
}

const SetContractOptionsPayload = builder
  .objectRef<{ readonly contractOptions: ContractOptions }>('SetContractOptionsPayload')
  .implement({
    description: 'The contract’s options.',
    fields: (t) => ({
      contractOptions: t.expose('contractOptions', {
        type: 'ContractOptions',
        description: 'As they are now.',
      }),
    }),
  });

const SetContractOptionsInput = builder.inputType('SetContractOptionsInput', {
  description: 'What changes; what is left out, or null, stays as it is.',
  fields: (t) => ({
    organisationId: t.id({ required: true, description: 'Whose contract.' }),
    minimumPeakMinutes: t.int({
      description:
        'For how long a level of contingency use must have lasted to be billed: 0 to 10,000 minutes.',
    }),
  }),
});

mutation({
  name: 'setContractOptions',
  description:
    'Sets what an organisation’s contract says beside its purchases. It counts for the running billing period and those after it. A partner sets it for the organisations below its own.',
  input: SetContractOptionsInput,
  payload: SetContractOptionsPayload,
  errors: [],
  resolve: async (input, context) => {
    const reference = await readOrganisationId(context, input.organisationId);
    if (isRefusal(reference)) return reference;
    const { organisationId } = reference;
    const contractOptions =
      decideSeller(context.actor, organisationId) ??
      (await setContractOptions(context.services, {
        organisationId,
        minimumPeakMinutes: input.minimumPeakMinutes ?? null,
      }));
    return isRefusal(contractOptions) ? contractOptions : { contractOptions };
  },
});
