import { builder } from '../graphql/builder.ts';
import { connect, connectionType, type Order, pageArguments } from '../graphql/connection.ts';
import type { Context } from '../graphql/context.ts';
import { costs } from '../graphql/cost.ts';
import { codedError } from '../graphql/errors.ts';
import { optionalText, text } from '../graphql/input.ts';
import { createLoader } from '../graphql/loader.ts';
import { mutation } from '../graphql/mutation.ts';
import { readReference, registerNode } from '../graphql/node.ts';
import { encodeOwnedId, encodeStatementId, type OrganisationId } from '../kernel/ids.ts';
import { isRefusal } from '../kernel/refusal.ts';
import { contains } from '../kernel/interval.ts';
import { findBillingPeriod } from '../organisation/store.ts';
import { decideSeller } from '../price/domain.ts';
import { closeDueOf, closeDueOfMany, correctStatement, readStatement } from './commands.ts';
import {
  type CountedPurchase,
  type Entry,
  moneyOf,
  monthNotKept,
  type Statement,
  type StatementLine,
  type StatementNotClosed,
  type StatementWithLines,
} from './domain.ts';
import { countStatements, listCorrections, listLines, pageStatements } from './store.ts';

/** A document, or an estimate with its lines. */
interface StatementRow extends Statement, Partial<Pick<StatementWithLines, 'lines'>> {
  readonly organisationId: OrganisationId;
}

interface LineRow extends StatementLine {
  readonly statement: StatementRow;
}

type StatementStatus = 'ESTIMATE' | 'CLOSED' | 'CORRECTION';

declare module '../graphql/builder.ts' {
  interface Objects {
    BillingStatement: StatementRow;
    StatementLine: LineRow;
    CountedPurchase: CountedPurchase & { readonly organisationId: OrganisationId };
  }
  interface Enums {
    StatementStatus: StatementStatus;
    StatementEntry: Entry;
  }
}

declare module '../graphql/context.ts' {
  interface Context {
    /** Whoever reads the statements of many organisations goes through here first: what is due is written before. */
    readonly closeDueStatementsOf: (context: Context, ids: readonly OrganisationId[]) => Promise<void>;
  }
}

export function closeDueStatementsOf({ services }: Context, ids: readonly OrganisationId[]): Promise<void> {
  return closeDueOfMany(services, ids);
}

/** The lines of documents that were issued. */
const loadLines = createLoader<
  { readonly organisationId: OrganisationId; readonly number: number },
  readonly StatementLine[]
>(
  ({ organisationId, number }) => `${organisationId}/${number}`,
  async ({ services }, keys) => {
    const lines = await listLines(services.db, keys);
    return keys.map((key) =>
      lines.filter(
        ({ organisationId, number }) => organisationId === key.organisationId && number === key.number,
      ),
    );
  },
);

/** A month's statement or one of its corrections; of the running month the estimate. */
async function findStatement(
  context: Context,
  { organisationId, ...key }: Pick<StatementRow, 'organisationId' | 'month' | 'correction'>,
): Promise<StatementRow | null> {
  const organisation = await context.findOrganisation(context, organisationId);
  const statement = organisation === null ? null : await readStatement(context.services, organisation, key);
  return statement === null ? null : { ...statement, organisationId };
}

async function findLines(context: Context, statement: StatementRow): Promise<LineRow[]> {
  const { organisationId, number } = statement;
  // Of an estimate that was read with many others, what it is reckoned from is still to be read.
  const lines =
    statement.lines ??
    (number === null
      ? (await findStatement(context, statement))?.lines
      : await loadLines(context, { organisationId, number }));
  return (lines ?? []).map((line) => ({ ...line, statement }));
}

registerNode('BillingStatement', findStatement);

builder.enumType('StatementStatus', {
  description: 'What a statement is.',
  values: {
    ESTIMATE: { description: 'Of the running month: what it would be if nothing more happened.' },
    CLOSED: { description: 'Of a month that is over. It never changes.' },
    CORRECTION: { description: 'What was wrong with a closed one. It never changes either.' },
  },
});

builder.enumType('StatementEntry', {
  description: 'Which way a line counts.',
  values: {
    CHARGE: { description: 'It is due.' },
    CREDIT: { description: 'It was charged before, and is taken off.' },
  },
});

builder.objectType('CountedPurchase', {
  description: 'A purchase that a line counts, as it was when the line was written.',
  fields: (t) => ({
    purchaseId: t.id({
      description: 'The purchase’s id.',
      resolve: ({ organisationId, id }) => encodeOwnedId('Purchase', organisationId, id),
    }),
    quantity: t.exposeInt('quantity', { description: 'Its seats of the line’s kind.' }),
    from: t.expose('from', { type: 'DateTime', description: 'Its first instant in force.' }),
    until: t.expose('until', {
      type: 'DateTime',
      nullable: true,
      description: 'The first instant it was no longer in force; null: without an end.',
    }),
    reference: t.exposeString('reference', {
      nullable: true,
      description: 'The buyer’s own, such as an order number.',
    }),
  }),
});

builder.objectType('StatementLine', {
  description: 'One line of a statement: a quantity of one licence and kind, times its price.',
  fields: (t) => ({
    entry: t.field({
      type: 'StatementEntry',
      description: 'Which way it counts.',
      resolve: ({ entry }) => entry,
    }),
    licence: t.field({
      type: 'Licence',
      nullable: true,
      description: 'Of which licence; null of ACTIVE_USER.',
      resolve: ({ licence }, _args, context) =>
        licence === null ? null : context.getLicence(context, licence),
    }),
    kind: t.field({
      type: 'PriceKind',
      description: 'What the fee is due for.',
      resolve: ({ kind }) => kind,
    }),
    quantity: t.exposeInt('quantity', {
      description:
        'Of BASE and CONCURRENT the highest in force at any instant of the month; of CONTINGENCY the seats that are billed; of ACTIVE_USER the users.',
    }),
    seatDays: t.expose('seatDays', {
      type: 'SafeInt',
      nullable: true,
      description:
        'Where it is billed by the day: of every day of the month the highest quantity in force, summed; the amount is the unit price times this, divided by the statement’s days. Else null.',
    }),
    unitPrice: t.field({
      type: 'Money',
      nullable: true,
      description: 'Of one, a month; null: there was no price.',
      resolve: ({ unitPrice, statement: { currency } }) =>
        unitPrice === null ? null : { amount: unitPrice, currency },
    }),
    amount: t.field({
      type: 'Money',
      nullable: true,
      description: 'What it comes to; below zero of a CREDIT. Null: there was no price.',
      resolve: (line) => moneyOf(line, line.statement.currency),
    }),
    maxUsed: t.exposeInt('maxUsed', {
      nullable: true,
      description: 'Of CONTINGENCY: the highest use of the month, exactly.',
    }),
    maxUsedAt: t.expose('maxUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Of CONTINGENCY: the first instant of that highest use.',
    }),
    minimumPeakMinutes: t.int({
      nullable: true,
      description:
        'Of CONTINGENCY: levels of use that lasted less than so many minutes of the month, all together, were not billed.',
      resolve: ({ evidence }) => evidence?.peak?.minimumPeakMinutes ?? null,
    }),
    levels: t.field({
      type: ['PeakLevel'],
      description:
        'Of CONTINGENCY: for how long use stayed at or above each level that was reached. Empty where the history does not tell any more.',
      extensions: costs({ assumedSize: 10 }),
      resolve: ({ evidence }) =>
        (evidence?.peak?.explanation?.levels ?? []).map(({ level, milliseconds }) => ({
          seats: level,
          milliseconds,
        })),
    }),
    peak: t.field({
      type: 'JSON',
      nullable: true,
      description:
        'Of CONTINGENCY: why the peak was what it was, as it was explained when the line was written; users and sessions are named by their ids.',
      resolve: ({ evidence }) => evidence?.peak?.explanation ?? null,
    }),
    purchases: t.field({
      type: ['CountedPurchase'],
      description: 'The purchases that it counts, or whose reserve was used: the first 100, by their start.',
      extensions: costs({ assumedSize: 5 }),
      resolve: ({ evidence, statement: { organisationId } }) =>
        (evidence?.purchases ?? []).map((purchase) => ({ ...purchase, organisationId })),
    }),
    purchaseCount: t.int({
      description: 'How many purchases it counts.',
      resolve: ({ evidence }) => evidence?.purchaseCount ?? 0,
    }),
  }),
});

builder.objectType('BillingStatement', {
  interfaces: ['Node'],
  description:
    'What a billing period costs: an estimate while it runs, then a numbered document that never changes; or a correction of one.',
  fields: (t) => ({
    id: t.id({
      description: 'Opaque and globally unique. An estimate keeps it when it becomes the statement.',
      resolve: ({ organisationId, month, correction }) =>
        encodeStatementId(organisationId, month, correction),
    }),
    organisation: t.field({
      type: 'Organisation',
      description: 'Whose it is.',
      resolve: ({ organisationId }, _args, context) => context.getOrganisation(context, organisationId),
    }),
    status: t.field({
      type: 'StatementStatus',
      description: 'What it is.',
      resolve: ({ number, correction }): StatementStatus =>
        number === null ? 'ESTIMATE' : correction === 0 ? 'CLOSED' : 'CORRECTION',
    }),
    number: t.exposeInt('number', {
      nullable: true,
      description: '1, 2, 3 … of the organisation’s documents, without a gap; null of an estimate.',
    }),
    period: t.field({
      type: 'BillingPeriod',
      description: 'The billing period that it is of.',
      resolve: ({ from, until }) => ({ from, until }),
    }),
    timeZone: t.expose('timeZone', {
      type: 'TimeZone',
      description: 'The organisation’s when the period ended; of an estimate now.',
    }),
    days: t.exposeInt('days', {
      description: 'Days of the period in that zone, those that begin or end outside of it included.',
    }),
    terms: t.field({
      type: 'BillingTerms',
      description: 'By which it was reckoned.',
      resolve: ({ currency, partialMonths }) => ({ currency, partialMonths }),
    }),
    total: t.field({
      type: 'Money',
      description: 'What is due; of a correction the difference. Lines without a price are not in it.',
      resolve: ({ total: amount, currency }) => ({ amount, currency }),
    }),
    complete: t.exposeBoolean('complete', { description: 'Whether every line has a price.' }),
    reason: t.exposeString('reason', {
      nullable: true,
      description: 'Why a correction was made; else null.',
    }),
    issuedAt: t.expose('issuedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When, by the organisation’s clock; null of an estimate.',
    }),
    lines: t.field({
      type: ['StatementLine'],
      description: 'Its lines: the licences in catalogue order, then active users.',
      extensions: costs({ weight: 10, assumedSize: 30 }),
      resolve: (statement, _args, context) => findLines(context, statement),
    }),
    corrects: t.field({
      type: 'BillingStatement',
      nullable: true,
      description: 'The statement that a correction refers to; else null.',
      resolve: ({ organisationId, month, correction }, _args, context) =>
        correction === 0 ? null : findStatement(context, { organisationId, month, correction: 0 }),
    }),
    corrections: t.field({
      type: ['BillingStatement'],
      description: 'Its corrections, the earliest first: at most 100. A correction has none of its own.',
      extensions: costs({ weight: 10, assumedSize: 5 }),
      resolve: async ({ organisationId, month, number, correction }, _args, { services }) =>
        number === null || correction > 0
          ? []
          : (await listCorrections(services.db, organisationId, month)).map((row) => ({
              ...row,
              organisationId,
            })),
    }),
  }),
});

builder.objectField('Organisation', 'billingStatement', (t) =>
  t.field({
    type: 'BillingStatement',
    nullable: true,
    description:
      'The statement of the billing period that an instant falls in: an estimate of the one that runs, a document of one that is over. Null before the first one, and after the running one; MONTH_NOT_KEPT of one that ended before the server kept what statements are made of.',
    extensions: costs({ weight: 20 }),
    args: { period: t.arg({ type: 'DateTime', description: 'An instant of it; now if nothing is said.' }) },
    resolve: async (organisation, { period: at }, context) => {
      const { id: organisationId, period } = organisation;
      const month =
        at == null || contains(period, at)
          ? period.month
          : (await findBillingPeriod(context.services.db, organisationId, at))?.month;
      if (month === undefined) return null;
      const statement = await findStatement(context, { organisationId, month, correction: 0 });
      if (statement === null && month < period.month) throw codedError(monthNotKept);
      return statement;
    },
  }),
);

const BillingStatementConnection = connectionType(
  'BillingStatement',
  'An organisation’s statements and their corrections, the last issued first.',
);

const lastIssuedFirst: Order<StatementRow> = {
  name: 'statements',
  parts: ['integer'],
  keyOf: ({ number }) => [number ?? 0],
};

builder.objectField('Organisation', 'billingStatements', (t) =>
  t.field({
    type: BillingStatementConnection,
    nullable: true,
    description:
      'Every statement that was issued, and every correction, the last issued first. The running month’s estimate is `billingStatement`.',
    args: pageArguments(t.arg),
    resolve: async ({ id: organisationId }, page, context) => {
      const { db } = context.services;
      await closeDueOf(context.services, organisationId);
      return connect(
        lastIssuedFirst,
        page,
        async (request) =>
          (await pageStatements(db, organisationId, request)).map((row) => ({ ...row, organisationId })),
        () => countStatements(db, organisationId),
      );
    },
  }),
);

const StatementNotClosedError = builder.objectRef<StatementNotClosed>('StatementNotClosed').implement({
  interfaces: ['UserError'],
  description: 'The month still runs: its statement is an estimate.',
});

const CorrectedLineInput = builder.inputType('CorrectedLineInput', {
  description: 'What a line should have been. One that should not have been there has the quantity 0.',
  fields: (t) => ({
    licence: t.string({
      validate: optionalText,
      description: 'The licence’s code; nothing for ACTIVE_USER.',
    }),
    kind: t.field({ type: 'PriceKind', required: true, description: 'What the fee is due for.' }),
    quantity: t.int({ required: true, description: 'The right quantity; 0 or more.' }),
    seatDays: t.field({
      type: 'SafeInt',
      description:
        'Where it is billed by the day: the right seat-days, at least the quantity, which some day had. All days of the month if nothing is said.',
    }),
    unitPrice: t.field({
      type: 'SafeInt',
      description: 'The right price of one, a month, in minor units; as it was if nothing is said.',
    }),
  }),
});

const CorrectStatementInput = builder.inputType('CorrectStatementInput', {
  description: 'What was wrong with a statement.',
  fields: (t) => ({
    statementId: t.id({ required: true, description: 'The statement, or any correction of it.' }),
    reason: t.string({ required: true, validate: text, description: 'Why, as the customer is to read it.' }),
    lines: t.field({
      type: [CorrectedLineInput],
      required: true,
      description: 'What was wrong, as it should have been; what is not named stays. 1 to 100.',
    }),
  }),
});

mutation({
  name: 'correctStatement',
  description:
    'Corrects a statement by a new document, which credits what was charged and charges what should have been. The old one stays as it is.',
  input: CorrectStatementInput,
  payload: builder.objectRef<{ readonly statement: StatementRow }>('CorrectStatementPayload').implement({
    description: 'The correction.',
    fields: (t) => ({
      statement: t.expose('statement', { type: 'BillingStatement', description: 'As it was issued.' }),
    }),
  }),
  errors: [StatementNotClosedError],
  resolve: async (input, context) => {
    const { actor, services } = context;
    const reference = await readReference(context, 'BillingStatement', input.statementId, 'statement');
    if (isRefusal(reference)) return reference;
    const { organisationId, month, correction } = reference;
    const refused = decideSeller(actor, organisationId);
    if (refused !== null) return refused;
    await closeDueOf(services, organisationId);
    const statement = await correctStatement(services, {
      ...{ organisationId, month, correction },
      reason: input.reason,
      lines: input.lines.map(({ licence, kind, quantity, seatDays, unitPrice }) => ({
        ...{ licence: licence ?? null, kind, quantity },
        seatDays: seatDays ?? null,
        unitPrice: unitPrice ?? null,
      })),
    });
    return isRefusal(statement) ? statement : { statement: { ...statement, organisationId } };
  },
});
