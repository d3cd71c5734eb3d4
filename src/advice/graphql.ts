import { type DemandLevel, isKnown, maxChanges, maxRefusals, type MonthlyDemand } from '../demand/domain.ts';
import { getDemand } from '../demand/store.ts';
import { builder } from '../graphql/builder.ts';
import { costs } from '../graphql/cost.ts';
import { codedError } from '../graphql/errors.ts';
import { codes, text } from '../graphql/input.ts';
import type { LicenceCode } from '../kernel/ids.ts';
import { invalidInput, isRefusal } from '../kernel/refusal.ts';
import type { Licence } from '../licence/domain.ts';
import { nowOf } from '../organisation/domain.ts';
import { listClosedBillingPeriods } from '../organisation/store.ts';
import { resolvePrices } from '../price/domain.ts';
import { getTerms, listReachingEntries } from '../price/store.ts';
import type { DroppedHistory } from '../usage-history/domain.ts';
import { listDropped } from '../usage-history/store.ts';
import { emptyPool } from '../usage/domain.ts';
import { listPools } from '../usage/store.ts';
import {
  type Advice,
  advise,
  type Costing,
  decideFees,
  decideProposal,
  entriesOf,
  feesOf,
  maxLicenceMonths,
  maxMonths,
  type ReckonedFees,
} from './domain.ts';

interface RightSizing {
  readonly licence: Licence;
  readonly months: readonly MonthlyDemand[];
  readonly dropped: DroppedHistory | null;
  readonly fees: ReckonedFees;
  /** null: it would rest on no month. */
  readonly advice: Advice | null;
}

declare module '../graphql/builder.ts' {
  interface Objects {
    RightSizing: RightSizing;
    MonthlyDemand: MonthlyDemand;
    DemandLevel: DemandLevel;
    SeatCosting: Costing;
    SeatFees: ReckonedFees;
  }
}

builder.objectType('SeatFees', {
  description:
    'What one seat costs for one month, in minor units such as cents: as given, or by the price book at the end of the last of the months.',
  fields: (t) => ({
    concurrent: t.expose('concurrent', {
      type: 'SafeInt',
      description: 'A concurrent seat, whether used or not.',
    }),
    contingency: t.expose('contingency', {
      type: 'SafeInt',
      description: 'A contingency seat, in a month in which it was used.',
    }),
    currency: t.string({
      nullable: true,
      description:
        'That of the organisation’s billing terms, as an ISO 4217 code; null where a price is missing: then each seat costs 1, and costs are in seats × months.',
      resolve: ({ currency }) => currency,
    }),
    missing: t.field({
      type: ['PriceKind'],
      description: 'The prices that neither the price book has nor were given.',
      extensions: costs({ assumedSize: 2 }),
      resolve: ({ missing }) => [...missing],
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
        'Months × `concurrent` × its fee, and the fee of each of `contingencyBilled`: in minor units, or where a price is missing in seats × months.',
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
      description: 'What the costs are reckoned by; 1 and 1 where a price is missing.',
    }),
    months: t.field({
      type: ['MonthlyDemand'],
      description:
        'The billing periods that it rests on, the first first. Those of which changes were dropped (HISTORY_MONTHS) are left out.',
      extensions: costs({ assumedSize: 3 }),
      resolve: ({ months }) => [...months],
    }),
    dropped: t.expose('dropped', {
      type: 'DroppedHistory',
      nullable: true,
      description:
        'Why a month that was asked for is not among `months`: of what was before it the history is gone. Null: none is missing.',
    }),
    present: t.field({
      type: 'SeatCosting',
      nullable: true,
      description:
        'With the quantities that are in force today, all the months through. Null where `dropped` leaves no month, as with what follows.',
      resolve: ({ advice }) => advice?.present,
    }),
    cheapest: t.field({
      type: 'SeatCosting',
      nullable: true,
      description:
        'With the quantities that would have cost least and refused nobody; of several, those with the most concurrent seats.',
      resolve: ({ advice }) => advice?.cheapest,
    }),
    proposals: t.field({
      type: ['SeatCosting'],
      nullable: true,
      description: 'With those that were proposed, in their order.',
      resolve: ({ advice }) => advice?.proposals.slice(),
    }),
    tradeOff: t.field({
      type: ['SeatCosting'],
      nullable: true,
      description:
        'With a few more and fewer concurrent seats than the cheapest, beside as much contingency.',
      resolve: ({ advice }) => advice?.tradeOff.slice(),
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
      description:
        'A concurrent seat, in minor units; 0 to 100,000,000. What the price book says if nothing is said.',
    }),
    contingency: t.field({
      type: 'SafeInt',
      description:
        'A contingency seat. What the price book says if nothing is said, or as much as a concurrent one.',
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

builder.objectField('Organisation', 'rightSizing', (t) =>
  t.field({
    type: ['RightSizing'],
    nullable: true,
    description:
      'What to buy, by what was wanted in the last billing periods that are over: of each licence with concurrent seats that was ever bought, assigned or is proposed, in catalogue order. Empty while no period is over.',
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
          'By what to reckon, in the currency of the organisation’s terms, whatever the price book says; at most 100, each licence once.',
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
        licence: licence as LicenceCode,
        concurrent: concurrent ?? null,
        contingency: contingency ?? null,
      }));
      check('fees', priced, shared, (fee) => decideFees('fees', fee));
      const twice = priced.find(({ licence }, index) =>
        priced.slice(0, index).some((other) => other.licence === licence),
      );
      if (twice !== undefined) {
        throw codedError(invalidInput('fees', `The fees of ${twice.licence} are given twice.`));
      }
      const [last] = periods;
      if (last === undefined) return [];
      const terms = await getTerms(db, organisation.id, last.month + 1);
      const entries = await listReachingEntries(db, organisation.id, terms.currency, last.until, last.until);
      const prices = resolvePrices(
        [...entries, ...entriesOf(priced, last.until)],
        terms.currency,
        last.until,
      );

      const own = pools.get(organisation.id);
      const wanted = [...shared.values()].filter(({ code }) => {
        const { purchases, holders } = own?.get(code) ?? emptyPool(code);
        const isKnown = purchases > 0 || holders > 0 || proposed.some((seats) => seats.licence === code);
        return isKnown && (licences?.includes(code) ?? true);
      });
      if (wanted.length * periods.length > maxLicenceMonths) {
        const message = `Advice rests on ${maxLicenceMonths} months of all licences together at most; ask for fewer months, or name fewer licences.`;
        throw codedError(invalidInput('months', message));
      }

      let most = maxRefusals;
      const demands = new Map<LicenceCode, MonthlyDemand[]>();
      for (const { code } of wanted) {
        const months: MonthlyDemand[] = [];
        // One after the other: whoever asks keeps one of the database's processes busy, not all.
        for (const period of periods.toReversed()) {
          const demand = await getDemand(db, organisation.id, code, period, most);
          if (demand === null) {
            const message = `Advice rests on ${maxRefusals} refusals in all, and ${maxChanges} changes of a licence’s use in a month, at most; ask for fewer months, or name fewer licences.`;
            throw codedError(invalidInput('months', message));
          }
          months.push(demand);
          most -= demand.refusals;
        }
        demands.set(code, months);
      }

      // Asked last: what is dropped while the months are read is known by then.
      const dropped = await listDropped(db, organisation.id);
      return wanted.map((licence): RightSizing => {
        const { code, contingencyAllowed } = licence;
        const pool = own?.get(code) ?? emptyPool(code);
        const gone = dropped.get(code) ?? null;
        const months = (demands.get(code) ?? []).filter((month) => isKnown(month, gone));
        const fees = feesOf(licence, prices, terms.currency);
        const told = { licence, months, fees, dropped: months.length < periods.length ? gone : null };
        if (months.length === 0) return { ...told, advice: null };
        const advice = advise(months, {
          fees,
          contingencyAllowed,
          present: { concurrent: pool.concurrentTotal, contingency: pool.contingencyTotal },
          proposals: proposed.filter((seats) => seats.licence === code),
        });
        if (isRefusal(advice)) throw codedError(advice);
        return { ...told, advice };
      });
    },
  }),
);
