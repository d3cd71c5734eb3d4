import {
  type DemandLevel,
  firstLookedAt,
  maxChanges,
  maxRefusals,
  type MonthlyDemand,
} from '../demand/domain.ts';
import { getDemand } from '../demand/store.ts';
import { builder } from '../graphql/builder.ts';
import { costs } from '../graphql/cost.ts';
import { codedError } from '../graphql/errors.ts';
import { codes, text } from '../graphql/input.ts';
import type { Period } from '../kernel/interval.ts';
import { type InvalidInput, invalidInput, isRefusal } from '../kernel/refusal.ts';
import type { Licence } from '../licence/domain.ts';
import { nowOf } from '../organisation/domain.ts';
import { listClosedBillingPeriods } from '../organisation/store.ts';
import { defaultTerms, resolvePrices } from '../price/domain.ts';
import { findTerms, listReachingEntries } from '../price/store.ts';
import { emptyPool } from '../usage/domain.ts';
import { listPools } from '../usage/store.ts';
import { decideKept } from '../usage-history/domain.ts';
import { findGoneUntil } from '../usage-history/store.ts';
import {
  type Advice,
  advise,
  type Costing,
  decideFees,
  decideProposal,
  feesOf,
  maxLicenceMonths,
  maxMonths,
  type SourcedFees,
} from './domain.ts';

interface RightSizing extends Advice {
  readonly licence: Licence;
  readonly fees: SourcedFees;
  readonly months: readonly MonthlyDemand[];
}

declare module '../graphql/builder.ts' {
  interface Objects {
    RightSizing: RightSizing;
    MonthlyDemand: MonthlyDemand;
    DemandLevel: DemandLevel;
    SeatCosting: Costing;
    SeatFees: SourcedFees;
  }
  interface Enums {
    SeatFeesSource: SourcedFees['source'];
  }
}

builder.enumType('SeatFeesSource', {
  description: 'Where the fees are from by which costs are reckoned.',
  values: {
    GIVEN: { description: 'The `fees` of the question.' },
    PRICE_BOOK: { description: 'The prices that hold for the organisation in the running month.' },
    NONE: { description: 'There is no price of a concurrent seat: each seat counts 1 a month.' },
  },
});

builder.objectType('SeatFees', {
  description: 'What one seat costs for one month, in minor units such as cents.',
  fields: (t) => ({
    concurrent: t.expose('concurrent', {
      type: 'SafeInt',
      description: 'A concurrent seat, whether used or not.',
    }),
    contingency: t.expose('contingency', {
      type: 'SafeInt',
      description: 'A contingency seat, in a month in which it was used.',
    }),
    source: t.expose('source', { type: 'SeatFeesSource', description: 'Where they are from.' }),
    currency: t.exposeString('currency', {
      nullable: true,
      description: 'ISO 4217 code; null unless they are of the price book.',
    }),
  }),
});

builder.objectType('DemandLevel', {
  description: 'A number of seats, and what a month had of it.',
  fields: (t) => ({
    seats: t.exposeInt('seats', { description: 'So many were in use or wanted in vain, together.' }),
    milliseconds: t.expose('milliseconds', { type: 'SafeInt', description: 'For how long, in all.' }),
    arrivals: t.exposeInt('arrivals', {
      description: 'How many users came with whom it was so many: with fewer seats they are refused.',
    }),
  }),
});

builder.objectType('MonthlyDemand', {
  description: 'The seats of a licence that were wanted in a billing period, exactly, from history.',
  fields: (t) => ({
    from: t.expose('from', { type: 'DateTime', description: 'Its first instant.' }),
    until: t.expose('until', { type: 'DateTime', description: 'The first instant of the next one.' }),
    maxInUse: t.exposeInt('maxInUse', { description: 'The most seats in use at one instant.' }),
    maxUnmet: t.exposeInt('maxUnmet', {
      description:
        'The most users that wanted one in vain at one instant, as `LicenceDenials.unmetDemand` has it.',
    }),
    maxWanted: t.exposeInt('maxWanted', {
      description: 'The most of both together at one instant: with so many seats nobody is refused.',
    }),
    levels: t.field({
      type: ['DemandLevel'],
      description: 'How long how many were wanted, the most first.',
      args: {
        first: t.arg.int({ required: true, defaultValue: 20, description: 'How many levels; 1 to 1,000.' }),
      },
      extensions: costs({ assumedSize: 20 }),
      resolve: ({ levels }, { first }) => {
        if (first < 1 || first > 1000) throw codedError(invalidInput('first', 'Ask for 1 to 1,000 levels.'));
        return levels.toReversed().slice(0, first);
      },
    }),
  }),
});

builder.objectType('SeatCosting', {
  description: 'What the months would have cost with some quantities, if what was wanted had been the same.',
  fields: (t) => ({
    concurrent: t.exposeInt('concurrent', { description: 'Concurrent seats.' }),
    contingency: t.exposeInt('contingency', { description: 'Contingency seats.' }),
    cost: t.expose('cost', {
      type: 'SafeInt',
      description:
        'Months × `concurrent` × its fee, and the fee of each of `contingencyBilled`: in minor units, or where there are no fees in seats × months.',
    }),
    saving: t.expose('saving', {
      type: 'SafeInt',
      description: 'How much less than with today’s quantities; below zero: how much more.',
    }),
    contingencyBilled: t.intList({
      description: 'The contingency seats that were billed, month by month as in `months`.',
      resolve: ({ contingencyBilled }) => [...contingencyBilled],
    }),
    refusedArrivals: t.exposeInt('refusedArrivals', {
      description: 'How many times a user would have come and found every seat taken.',
    }),
    shortMilliseconds: t.expose('shortMilliseconds', {
      type: 'SafeInt',
      description: 'For how long more seats were wanted than these.',
    }),
    maxShort: t.exposeInt('maxShort', { description: 'How many more at most.' }),
  }),
});

builder.objectType('RightSizing', {
  description: 'What to buy of a licence, by what was wanted of it: with every figure that it rests on.',
  fields: (t) => ({
    licence: t.field({
      type: 'Licence',
      description: 'Of which licence.',
      resolve: ({ licence }) => licence,
    }),
    fees: t.expose('fees', {
      type: 'SeatFees',
      description: 'What the costs are reckoned by.',
    }),
    months: t.field({
      type: ['MonthlyDemand'],
      description:
        'The billing periods that it rests on, the first first. Those of which changes were dropped (HISTORY_MONTHS) are left out.',
      extensions: costs({ assumedSize: 3 }),
      resolve: ({ months }) => [...months],
    }),
    present: t.expose('present', {
      type: 'SeatCosting',
      description: 'With the quantities that are in force today, all the months through.',
    }),
    cheapest: t.expose('cheapest', {
      type: 'SeatCosting',
      description:
        'With the quantities that would have cost least and refused nobody; of several, those with the most concurrent seats.',
    }),
    proposals: t.field({
      type: ['SeatCosting'],
      description: 'With those that were proposed, in their order.',
      resolve: ({ proposals }) => [...proposals],
    }),
    tradeOff: t.field({
      type: ['SeatCosting'],
      description:
        'With a few more and fewer concurrent seats than the cheapest, beside as much contingency.',
      resolve: ({ tradeOff }) => [...tradeOff],
    }),
  }),
});

const SeatProposalInput = builder.inputType('SeatProposalInput', {
  description: 'Quantities to be tried.',
  fields: (t) => ({
    licence: t.string({ required: true, validate: text, description: 'The code of a CONCURRENT licence.' }),
    concurrent: t.int({ required: true, description: 'Concurrent seats; 0 to 1,000,000.' }),
    contingency: t.int({
      required: true,
      defaultValue: 0,
      description: 'Contingency seats; 0 to 1,000,000, and none where the licence is sold without.',
    }),
  }),
});

const SeatFeesInput = builder.inputType('SeatFeesInput', {
  description: 'What one seat of a licence costs for one month.',
  fields: (t) => ({
    licence: t.string({ required: true, validate: text, description: 'The code of a CONCURRENT licence.' }),
    concurrent: t.field({
      type: 'SafeInt',
      required: true,
      description: 'A concurrent seat, in minor units; 0 to 100,000,000.',
    }),
    contingency: t.field({
      type: 'SafeInt',
      description: 'A contingency seat; as much as a concurrent one if nothing is said.',
    }),
  }),
});

/** Throws unless every entry is of a licence whose seats are shared, and passes. */
function check<Entry extends { readonly licence: string }>(
  field: string,
  entries: readonly Entry[],
  licences: ReadonlyMap<string, Licence>,
  decide: (entry: Entry, licence: Licence) => ReturnType<typeof decideFees>,
): void {
  if (entries.length > 100) throw codedError(invalidInput(field, 'At most 100 at once.'));
  for (const entry of entries) {
    const licence = licences.get(entry.licence);
    const refusal =
      licence === undefined
        ? invalidInput(field, `There is no licence ${entry.licence} with concurrent seats.`)
        : decide(entry, licence);
    if (refusal !== null) throw codedError(refusal);
  }
}

function tooBusy({ name }: Licence, { from }: Period): InvalidInput {
  return invalidInput(
    'months',
    `${name} had more than ${maxChanges} changes of its use or ${maxRefusals} refusals in the month from ${from.toISOString()} on; ask for fewer months.`,
  );
}

builder.objectField('Organisation', 'rightSizing', (t) =>
  t.field({
    type: ['RightSizing'],
    nullable: true,
    description:
      'What to buy, by what was wanted in the last billing periods that are over: of each licence with concurrent seats that was ever bought, assigned or is proposed, in catalogue order. Empty while no period is over; HISTORY_DROPPED where of none that are the changes are kept.',
    extensions: costs({ weight: 5000 }),
    args: {
      months: t.arg.int({
        required: true,
        defaultValue: 3,
        description: 'How many billing periods; 1 to 24, and of all licences together 96 at most.',
      }),
      licences: t.arg.stringList({ validate: codes, description: 'Only the licences with these codes.' }),
      proposal: t.arg({ type: [SeatProposalInput], description: 'Quantities to be tried, at most 100.' }),
      fees: t.arg({
        type: [SeatFeesInput],
        description:
          'By what to reckon, instead of the prices that hold in the running month. What has neither costs 1 a seat and month.',
      }),
    },
    resolve: async (organisation, { months: count, licences, proposal, fees }, { services }) => {
      if (count < 1 || count > maxMonths) {
        throw codedError(invalidInput('months', `Advice rests on 1 to ${maxMonths} months.`));
      }
      const { db } = services;
      const [catalogue, pools, periods] = await Promise.all([
        services.catalogue(),
        listPools(db, [organisation.id]),
        listClosedBillingPeriods(db, organisation.id, nowOf(organisation, services.clock.now()), count),
      ]);
      const shared = new Map([...catalogue].filter(([, { seatModel }]) => seatModel === 'CONCURRENT'));
      const proposed = proposal ?? [];
      check('proposal', proposed, shared, (seats, { name, contingencyAllowed }) =>
        contingencyAllowed || seats.contingency === 0
          ? decideProposal('proposal', seats)
          : invalidInput('proposal', `${name} is sold without contingency.`),
      );
      const priced = (fees ?? []).map(({ licence, concurrent, contingency }) => ({
        licence,
        concurrent,
        contingency: contingency ?? concurrent,
      }));
      check('fees', priced, shared, (fee) => decideFees('fees', fee));
      if (periods.length === 0) return [];
      const goneUntil = await findGoneUntil(db, [organisation.id]);
      const kept = periods.filter((period) => decideKept(goneUntil, firstLookedAt(period)) === null);
      const [newest] = periods;
      const dropped = newest === undefined ? null : decideKept(goneUntil, firstLookedAt(newest));
      if (dropped !== null) throw codedError(dropped);

      const own = pools.get(organisation.id);
      const wanted = [...shared.values()].filter(({ code }) => {
        const { purchases, holders } = own?.get(code) ?? emptyPool(code);
        const isKnown = purchases > 0 || holders > 0 || proposed.some((seats) => seats.licence === code);
        return isKnown && (licences?.includes(code) ?? true);
      });
      if (wanted.length * kept.length > maxLicenceMonths) {
        const message = `Advice rests on ${maxLicenceMonths} months of all licences together at most; ask for fewer months, or name fewer licences.`;
        throw codedError(invalidInput('months', message));
      }

      const { id, period: running } = organisation;
      const { currency } = (await findTerms(db, id, running.month)) ?? defaultTerms;
      const entries = await listReachingEntries(db, id, currency, running.from, running.until);
      const prices = resolvePrices(entries, currency, running.from);
      const advices: RightSizing[] = [];
      for (const licence of wanted) {
        const { code, contingencyAllowed } = licence;
        const pool = own?.get(code) ?? emptyPool(code);
        // One after the other: whoever asks keeps one of the database's processes busy, not all.
        const months: MonthlyDemand[] = [];
        for (const period of kept.toReversed()) {
          const month = await getDemand(db, id, code, period);
          if (month === null) throw codedError(tooBusy(licence, period));
          months.push(month);
        }
        const given = priced.find((fee) => fee.licence === code);
        const fees = feesOf(code, given, prices);
        const advice = advise(months, {
          fees,
          contingencyAllowed,
          present: { concurrent: pool.concurrentTotal, contingency: pool.contingencyTotal },
          proposals: proposed.filter((seats) => seats.licence === code),
        });
        if (isRefusal(advice)) throw codedError(advice);
        advices.push({ licence, months, ...advice, fees });
      }
      return advices;
    },
  }),
);
