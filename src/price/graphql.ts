import { builder } from '../graphql/builder.ts';
import { connect, connectionType, type Order, pageArguments } from '../graphql/connection.ts';
import { costs } from '../graphql/cost.ts';
import { optionalText, text } from '../graphql/input.ts';
import { mutation } from '../graphql/mutation.ts';
import { readOrganisationId } from '../graphql/node.ts';
import { isRefusal } from '../kernel/refusal.ts';
import { billingPeriodAt, nowOf } from '../organisation/domain.ts';
import { setBillingTerms, setPrice } from './commands.ts';
import {
  type BillingTerms,
  decideSeller,
  type PartialMonths,
  type Price,
  type PriceEntry,
  type PriceKind,
  resolvePrices,
} from './domain.ts';
import { type BookEntry, countBook, getTerms, listReachingEntries, pageBook } from './store.ts';

declare module '../graphql/builder.ts' {
  interface Objects {
    Price: Price;
    PriceEntry: PriceEntry;
    BillingTerms: BillingTerms;
  }
  interface Enums {
    PriceKind: PriceKind;
    PartialMonths: PartialMonths;
  }
}

builder.enumType('PriceKind', {
  description: 'What a monthly fee is due for.',
  values: {
    BASE: { description: 'A base licence, or a fixed seat.' },
    CONCURRENT: { description: 'A concurrent seat.' },
    CONTINGENCY: {
      description:
        'A contingency seat that was used in the month. Where it has no price it costs what a concurrent seat does.',
    },
    ACTIVE_USER: {
      description: 'A user that was ACTIVE at any instant of the month: the organisation’s, of no licence.',
    },
  },
});

builder.enumType('PartialMonths', {
  description: 'What purchases that start or end within a month cost.',
  values: {
    FULL_MONTH: { description: 'The highest quantity in force at any instant of the month, for all of it.' },
    BY_DAY: {
      description:
        'Of each day of the month, in the organisation’s zone, the highest quantity in force at any instant of it, each for one day’s part of the monthly fee. A line is rounded once, half to even.',
    },
  },
});

builder.objectType('BillingTerms', {
  description: 'By which an organisation’s running month is billed.',
  fields: (t) => ({
    currency: t.exposeString('currency', {
      description: 'The ISO 4217 code of its statements. Prices in other currencies do not hold for it.',
    }),
    partialMonths: t.field({
      type: 'PartialMonths',
      description: 'What purchases that start or end within a month cost.',
      resolve: ({ partialMonths }) => partialMonths,
    }),
  }),
});

builder.objectType('Price', {
  description: 'A monthly fee that holds for an organisation.',
  fields: (t) => ({
    licence: t.field({
      type: 'Licence',
      nullable: true,
      description: 'Of which licence; null of ACTIVE_USER.',
      resolve: ({ licence }, _args, context) =>
        licence === null ? null : context.getLicence(context, licence),
    }),
    kind: t.field({ type: 'PriceKind', description: 'What it is due for.', resolve: ({ kind }) => kind }),
    unitPrice: t.expose('unitPrice', { type: 'Money', description: 'Of one, a month.' }),
    from: t.expose('from', { type: 'DateTime', description: 'Since when it holds.' }),
    inherited: t.exposeBoolean('inherited', {
      description: 'Whether it was set for an organisation above, or is of the operator’s book.',
    }),
  }),
});

builder.objectType('PriceEntry', {
  description: 'An entry of a price book. It holds until the next of its licence, kind and currency.',
  fields: (t) => ({
    licence: t.field({
      type: 'Licence',
      nullable: true,
      description: 'Of which licence; null of ACTIVE_USER.',
      resolve: ({ licence }, _args, context) =>
        licence === null ? null : context.getLicence(context, licence),
    }),
    kind: t.field({ type: 'PriceKind', description: 'What it is due for.', resolve: ({ kind }) => kind }),
    currency: t.string({ description: 'The ISO 4217 code.', resolve: ({ currency }) => currency }),
    unitPrice: t.field({
      type: 'Money',
      nullable: true,
      description: 'Of one, a month; null: from here on what is set above holds again.',
      resolve: ({ amount, currency }) => (amount === null ? null : { amount, currency }),
    }),
    from: t.expose('from', {
      type: 'DateTime',
      description: 'Since when it holds, or from when on it will.',
    }),
  }),
});

const PriceEntryConnection = connectionType('PriceEntry', 'A price book, the last entry set first.');

const lastSetFirst: Order<BookEntry> = {
  name: 'priceBook',
  parts: ['integer'],
  keyOf: ({ id }) => [id],
};

builder.queryField('priceBook', (t) =>
  t.field({
    type: PriceEntryConnection,
    nullable: true,
    description:
      'The operator’s own price book, the last entry set first: what holds where nothing nearer does.',
    args: pageArguments(t.arg),
    resolve: (_root, page, { services }) =>
      connect(
        lastSetFirst,
        page,
        (request) => pageBook(services.db, request),
        () => countBook(services.db),
      ),
  }),
);

builder.objectField('Organisation', 'billingTerms', (t) =>
  t.field({
    type: 'BillingTerms',
    nullable: true,
    description: 'By which its running month is billed: its own terms, or those of the nearest above it.',
    extensions: costs({ weight: 10 }),
    resolve: ({ id, period }, _args, { services }) => getTerms(services.db, id, period.month),
  }),
);

builder.objectField('Organisation', 'prices', (t) =>
  t.field({
    type: ['Price'],
    nullable: true,
    description:
      'The prices that hold for it at an instant, in the currency of its terms: the nearest organisation’s, its own first, or the operator’s.',
    extensions: costs({ weight: 10, assumedSize: 50 }),
    args: { at: t.arg({ type: 'DateTime', description: 'When; now if nothing is said.' }) },
    resolve: async (organisation, { at: asked }, { services }) => {
      const { id, timeZone, period } = organisation;
      const at = asked ?? nowOf(organisation, services.clock.now());
      const month = asked == null ? period.month : billingPeriodAt(at, timeZone).month;
      const { currency } = await getTerms(services.db, id, month);
      // Those that hold at the instant, and none that come after it.
      const entries = await listReachingEntries(services.db, id, currency, at, at);
      return resolvePrices(entries, currency, at);
    },
  }),
);

const SetPriceInput = builder.inputType('SetPriceInput', {
  description: 'A new entry of a price book.',
  fields: (t) => ({
    organisationId: t.id({
      description:
        'Whose: it holds for the organisation and all below it that have none nearer. The operator’s own book if nothing is said.',
    }),
    licence: t.string({
      validate: optionalText,
      description: 'The licence’s code, such as `INBOUND_AGENT`; nothing for ACTIVE_USER.',
    }),
    kind: t.field({ type: 'PriceKind', required: true, description: 'What the fee is due for.' }),
    currency: t.string({ required: true, validate: text, description: 'The ISO 4217 code, such as `EUR`.' }),
    amount: t.field({
      type: 'SafeInt',
      description:
        'The fee of one, a month, in minor units; at most 100,000,000. Nothing: from then on what is set above holds again.',
    }),
    from: t.field({
      type: 'DateTime',
      description:
        'From when on it holds: now if nothing is said. Never in the past: a correction is a new entry from now on.',
    }),
  }),
});

mutation({
  name: 'setPrice',
  description:
    'Sets a price from an instant on. A month is billed by the price that holds at its first instant, or where there is none by the first that comes to hold in it.',
  input: SetPriceInput,
  payload: builder.objectRef<{ readonly entry: PriceEntry }>('SetPricePayload').implement({
    description: 'The entry that was set.',
    fields: (t) => ({ entry: t.expose('entry', { type: 'PriceEntry', description: 'As it stands.' }) }),
  }),
  errors: [],
  resolve: async (input, context) => {
    const { actor, services } = context;
    const reference =
      input.organisationId == null
        ? { organisationId: null }
        : await readOrganisationId(context, input.organisationId);
    if (isRefusal(reference)) return reference;
    const { organisationId } = reference;
    const entry =
      decideSeller(actor, organisationId) ??
      (await setPrice(services, {
        organisationId,
        licence: input.licence ?? null,
        kind: input.kind,
        currency: input.currency,
        amount: input.amount ?? null,
        from: input.from ?? null,
      }));
    return isRefusal(entry) ? entry : { entry };
  },
});

const SetBillingTermsInput = builder.inputType('SetBillingTermsInput', {
  description: 'By which an organisation is billed; what is left out, or null, stays as it is.',
  fields: (t) => ({
    organisationId: t.id({
      required: true,
      description: 'Whose: they hold for the organisation and all below it that have none nearer.',
    }),
    currency: t.string({ validate: optionalText, description: 'The ISO 4217 code of its statements.' }),
    partialMonths: t.field({
      type: 'PartialMonths',
      description: 'What purchases that start or end within a month cost.',
    }),
  }),
});

mutation({
  name: 'setBillingTerms',
  description:
    'Sets by which an organisation’s running month is billed, and those after it. What ended before is billed by what held then.',
  input: SetBillingTermsInput,
  payload: builder.objectRef<{ readonly terms: BillingTerms }>('SetBillingTermsPayload').implement({
    description: 'The terms that were set.',
    fields: (t) => ({
      terms: t.expose('terms', {
        type: 'BillingTerms',
        description: 'As they are from the running month on.',
      }),
    }),
  }),
  errors: [],
  resolve: async (input, context) => {
    const { actor, services } = context;
    const reference = await readOrganisationId(context, input.organisationId);
    if (isRefusal(reference)) return reference;
    const { organisationId } = reference;
    const terms =
      decideSeller(actor, organisationId) ??
      (await setBillingTerms(services, {
        organisationId,
        currency: input.currency ?? null,
        partialMonths: input.partialMonths ?? null,
      }));
    return isRefusal(terms) ? terms : { terms };
  },
});
