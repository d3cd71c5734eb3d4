import { builder } from '../graphql/builder.ts';
import { costs } from '../graphql/cost.ts';
import { optionalText, text } from '../graphql/input.ts';
import { mutation } from '../graphql/mutation.ts';
import { readOrganisationId } from '../graphql/node.ts';
import { isRefusal } from '../kernel/refusal.ts';
import { inCatalogueOrder } from '../licence/domain.ts';
import { type CapsOfLicence, setContingencyCap } from './commands.ts';
import { writeMonth } from './domain.ts';
import { listCaps } from './store.ts';

interface CapOfMonth {
  readonly period: string;
  readonly cap: number;
}

declare module '../graphql/builder.ts' {
  interface Objects {
    ContingencyCap: CapsOfLicence;
    ContingencyCapOfMonth: CapOfMonth;
  }
}

builder.objectType('ContingencyCapOfMonth', {
  description: 'A cap of one month, which holds there instead of that of every month.',
  fields: (t) => ({
    period: t.exposeString('period', { description: 'The month, such as `2026-03`.' }),
    cap: t.exposeInt('cap', { description: 'How many contingency seats may come to be billed in it.' }),
  }),
});

builder.objectType('ContingencyCap', {
  description:
    'How many contingency seats of a licence may come to be billed: what would be more is refused, CONTINGENCY_CAPPED.',
  fields: (t) => ({
    licence: t.field({
      type: 'Licence',
      description: 'Of which licence.',
      resolve: ({ licence }, _args, context) => context.getLicence(context, licence),
    }),
    inForce: t.exposeInt('contingencyCap', {
      nullable: true,
      description: 'What holds in the running billing period; null: no cap.',
    }),
    everyMonth: t.int({
      nullable: true,
      description: 'What holds in months that are not named; null: no cap.',
      resolve: ({ caps }) => caps?.everyMonth ?? null,
    }),
    months: t.field({
      type: ['ContingencyCapOfMonth'],
      description: 'Months with a cap of their own, in order.',
      extensions: costs({ assumedSize: 24 }),
      resolve: ({ caps }) =>
        Object.entries(caps?.months ?? {})
          .map(([month, cap]) => ({ period: writeMonth(Number(month)), cap }))
          .sort((one, other) => (one.period < other.period ? -1 : 1)),
    }),
  }),
});

builder.objectField('Organisation', 'contingencyCaps', (t) =>
  t.field({
    type: ['ContingencyCap'],
    nullable: true,
    description: 'The caps that are set, in catalogue order.',
    extensions: costs({ weight: 10, assumedSize: 30 }),
    resolve: async ({ id }, _args, { services }) => {
      const set = new Map((await listCaps(services.db, id)).map((caps) => [caps.licence, caps]));
      const catalogue = await services.catalogue([...set.keys()]);
      return inCatalogueOrder(catalogue, set.keys()).flatMap(({ code }) => set.get(code) ?? []);
    },
  }),
);

const SetContingencyCapInput = builder.inputType('SetContingencyCapInput', {
  description: 'A cap on the contingency seats of one licence.',
  fields: (t) => ({
    organisationId: t.id({ required: true, description: 'Whose bill it is.' }),
    licence: t.string({
      required: true,
      validate: text,
      description: 'The licence’s code, such as `INBOUND_AGENT`.',
    }),
    cap: t.int({
      description:
        'How many contingency seats may come to be billed: 0 to all that are bought. null, or nothing said, removes the cap; of a named month, its own.',
    }),
    period: t.string({
      validate: optionalText,
      description:
        'A month, such as `2026-03`: the running one or one of the next 23. If nothing is said, every month that is not named.',
    }),
  }),
});

mutation({
  name: 'setContingencyCap',
  description:
    'Caps the contingency seats of a licence that may come to be billed. Nobody is logged off, and seats that are paid for this month stay usable.',
  input: SetContingencyCapInput,
  payload: builder
    .objectRef<{ readonly contingencyCap: CapsOfLicence }>('SetContingencyCapPayload')
    .implement({
      description: 'What was set.',
      fields: (t) => ({
        contingencyCap: t.expose('contingencyCap', { type: 'ContingencyCap', description: 'As it is now.' }),
      }),
    }),
  errors: [],
  resolve: async (input, context) => {
    const reference = await readOrganisationId(context, input.organisationId);
    if (isRefusal(reference)) return reference;
    const contingencyCap = await setContingencyCap(context.services, {
      ...reference,
      licence: input.licence,
      cap: input.cap ?? null,
      period: input.period ?? null,
    });
    return isRefusal(contingencyCap) ? contingencyCap : { contingencyCap };
  },
});
