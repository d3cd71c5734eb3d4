import { builder } from '../graphql/builder.ts';
import { connect, connectionType, type Order, pageArguments } from '../graphql/connection.ts';
import { optionalText, text } from '../graphql/input.ts';
import { byOrganisation, createLoader } from '../graphql/loader.ts';
import { IdempotencyKeyReused, mutation } from '../graphql/mutation.ts';
import { readId, readOrganisationId, registerNode } from '../graphql/node.ts';
import { encodeOwnedId, type LicenceCode, type OrganisationId, type PurchaseId } from '../kernel/ids.ts';
import { isRefusal } from '../kernel/refusal.ts';
import { endPurchase, recordPurchase } from './commands.ts';
import type { Purchase } from './domain.ts';
import { countPurchases, listPurchases, pagePurchases } from './store.ts';

interface PurchaseRow extends Purchase {
  readonly organisationId: OrganisationId;
}

declare module '../graphql/builder.ts' {
  interface Objects {
    Purchase: PurchaseRow;
  }
}

const findPurchase = createLoader<
  { readonly organisationId: OrganisationId; readonly id: PurchaseId },
  PurchaseRow
>(
  ({ organisationId, id }) => `${organisationId}/${id}`,
  ({ services }, keys) =>
    byOrganisation(keys, (organisationId, ids) => listPurchases(services.db, organisationId, ids)),
);

registerNode('Purchase', (context, { organisationId, id }) =>
  findPurchase(context, { organisationId, id: id as PurchaseId }),
);

builder.objectType('Purchase', {
  interfaces: ['Node'],
  description:
    'A quantity of seats of one licence, in force from `from` until `until`. A total is the sum of what is in force.',
  fields: (t) => ({
    id: t.id({
      description: 'Opaque and globally unique.',
      resolve: ({ organisationId, id }) => encodeOwnedId('Purchase', organisationId, id),
    }),
    organisation: t.field({
      type: 'Organisation',
      description: 'Who bought.',
      resolve: ({ organisationId }, _args, context) => context.getOrganisation(context, organisationId),
    }),
    licence: t.field({
      type: 'Licence',
      description: 'What was bought.',
      resolve: ({ licence }, _args, context) => context.getLicence(context, licence),
    }),
    base: t.exposeInt('base', { description: 'Base licences or fixed seats.' }),
    concurrent: t.exposeInt('concurrent', { description: 'Concurrent seats.' }),
    contingency: t.exposeInt('contingency', { description: 'Contingency seats.' }),
    from: t.expose('from', { type: 'DateTime', description: 'Its first instant in force.' }),
    until: t.expose('until', {
      type: 'DateTime',
      nullable: true,
      description:
        'The first instant it is no longer in force; null: without an end. Equal to `from`: cancelled.',
    }),
    reference: t.exposeString('reference', {
      nullable: true,
      description: 'The buyer’s own, such as an order number.',
    }),
  }),
});

const PurchaseConnection = connectionType('Purchase', 'Purchases, the last recorded first.');

const newestFirst: Order<PurchaseRow> = {
  name: 'purchases',
  parts: ['instant', 'uuid'],
  keyOf: ({ recordedAt, id }) => [recordedAt, id],
};

builder.objectField('Organisation', 'purchases', (t) =>
  t.field({
    type: PurchaseConnection,
    nullable: true,
    description: 'All that was ever bought, the last recorded first.',
    args: {
      ...pageArguments(t.arg),
      licence: t.arg.string({ validate: text.nullish(), description: 'Only of the licence with this code.' }),
    },
    resolve: ({ id: organisationId }, { licence, ...page }, { services }) => {
      const code = (licence ?? null) as LicenceCode | null;
      return connect(
        newestFirst,
        page,
        async (request) =>
          (await pagePurchases(services.db, organisationId, code, request)).map((row) => ({
            ...row,
            organisationId,
          })),
        () => countPurchases(services.db, organisationId, code),
      );
    },
  }),
);

function payload(name: string, description: string) {
  return builder.objectRef<{ readonly purchase: PurchaseRow }>(name).implement({
    description,
    fields: (t) => ({ purchase: t.expose('purchase', { type: 'Purchase', description: 'As it is now.' }) }),
  });
}

const RecordPurchaseInput = builder.inputType('RecordPurchaseInput', {
  description:
    'What was bought, and for when. A FIXED licence is bought as base only, a concurrent feature without base.',
  fields: (t) => ({
    organisationId: t.id({ required: true, description: 'Who bought.' }),
    licence: t.string({
      required: true,
      validate: text,
      description: 'The licence’s code, such as `INBOUND_AGENT`.',
    }),
    base: t.int({ required: true, defaultValue: 0, description: 'Base licences or fixed seats; 0 or more.' }),
    concurrent: t.int({ required: true, defaultValue: 0, description: 'Concurrent seats; 0 or more.' }),
    contingency: t.int({ required: true, defaultValue: 0, description: 'Contingency seats; 0 or more.' }),
    from: t.field({
      type: 'DateTime',
      description: 'Its first instant in force; now if nothing is said. Never in the past.',
    }),
    until: t.field({
      type: 'DateTime',
      description: 'The first instant it is no longer in force; without an end if nothing is said.',
    }),
    reference: t.string({ validate: optionalText, description: 'The buyer’s own, such as an order number.' }),
    idempotencyKey: t.string({
      validate: optionalText,
      description: 'A repeat with the same key records nothing new.',
    }),
  }),
});

mutation({
  name: 'recordPurchase',
  description: 'Records what an organisation bought.',
  input: RecordPurchaseInput,
  payload: payload('RecordPurchasePayload', 'The purchase that was recorded.'),
  errors: [IdempotencyKeyReused],
  resolve: async (input, context) => {
    const { services } = context;
    const reference = await readOrganisationId(context, input.organisationId);
    if (isRefusal(reference)) return reference;
    const { organisationId } = reference;
    const purchase = await recordPurchase(services, {
      organisationId,
      licence: input.licence,
      base: input.base,
      concurrent: input.concurrent,
      contingency: input.contingency,
      from: input.from ?? null,
      until: input.until ?? null,
      reference: input.reference ?? null,
      idempotencyKey: input.idempotencyKey ?? null,
    });
    return isRefusal(purchase) ? purchase : { purchase: { ...purchase, organisationId } };
  },
});

const EndPurchaseInput = builder.inputType('EndPurchaseInput', {
  description: 'When a purchase ends.',
  fields: (t) => ({
    purchaseId: t.id({ required: true, description: 'The purchase.' }),
    until: t.field({
      type: 'DateTime',
      description:
        'The first instant it is no longer in force; now if nothing is said, which cancels one that has not started.',
    }),
  }),
});

mutation({
  name: 'endPurchase',
  description:
    'Ends a purchase. Nobody is logged off: what is used beyond the new total shows as over-allocated.',
  input: EndPurchaseInput,
  payload: payload('EndPurchasePayload', 'The purchase, with its end.'),
  errors: [],
  resolve: async (input, context) => {
    const { services } = context;
    const reference = await readId(context, 'Purchase', input.purchaseId, 'purchase');
    if (isRefusal(reference)) return reference;
    const { organisationId, id: purchaseId } = reference;
    const purchase = await endPurchase(services, { organisationId, purchaseId, until: input.until ?? null });
    return isRefusal(purchase) ? purchase : { purchase: { ...purchase, organisationId } };
  },
});
