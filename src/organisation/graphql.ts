import { builder } from '../graphql/builder.ts';
import { InputError } from '../graphql/errors.ts';
import { connect, connectionType, type Order, pageArguments } from '../graphql/connection.ts';
import type { Context } from '../graphql/context.ts';
import { optionalText, text } from '../graphql/input.ts';
import { createLoader } from '../graphql/loader.ts';
import { IdempotencyKeyReused, mutation } from '../graphql/mutation.ts';
import { readOrganisationId, registerNode } from '../graphql/node.ts';
import { encodeOrganisationId, nowhere, type OrganisationId } from '../kernel/ids.ts';
import type { Period } from '../kernel/interval.ts';
import { invalidInput, isRefusal } from '../kernel/refusal.ts';
import { settleOrganisations } from '../ledger/commands.ts';
import {
  advanceTestClock,
  createOrganisation,
  type ExternalIdTaken,
  type NotATestClock,
  updateOrganisation,
} from './commands.ts';
import { nowOf, type Organisation } from './domain.ts';
import {
  countOrganisations,
  findOrganisationIdByExternalId,
  listBelow,
  listOrganisations,
  pageOrganisations,
} from './store.ts';

declare module '../graphql/builder.ts' {
  interface Objects {
    Organisation: Organisation;
    BillingPeriod: Period;
  }
}

declare module '../graphql/context.ts' {
  interface Context {
    /** An organisation in which all that is due has taken effect: whatever is read of it goes through here first (L8). */
    readonly findOrganisation: (context: Context, id: OrganisationId) => Promise<Organisation | null>;
    /** The same, of one that is known to exist. */
    readonly getOrganisation: (context: Context, id: OrganisationId) => Promise<Organisation>;
  }
}

const loadOrganisation = createLoader<OrganisationId, Organisation>(
  (id) => id,
  async ({ services }, ids) => {
    const organisations = await listOrganisations(services.db, ids);
    const due = organisations.filter(
      (organisation) => organisation.nextDueAt <= nowOf(organisation, services.clock.now()),
    );
    const dueIds = due.map(({ id }) => id);
    if (due.length > 0) await settleOrganisations(services, dueIds);
    const settled = due.length > 0 ? await listOrganisations(services.db, dueIds) : [];
    const found = new Map(
      [...organisations, ...settled].map((organisation) => [organisation.id, organisation]),
    );
    return ids.map((id) => found.get(id) ?? null);
  },
);

const findBelow = createLoader<OrganisationId, OrganisationId>(
  (id) => id,
  async ({ services, actor }, ids) => {
    const below = new Set(
      actor.organisationId === null ? ids : await listBelow(services.db, actor.organisationId, ids),
    );
    return ids.map((id) => (below.has(id) ? id : null));
  },
);

/** Whether an organisation is one of the actor's: all, its own, or a partner's with those below it. */
export function mayReach(context: Context, id: OrganisationId): boolean | Promise<boolean> {
  const { role, organisationId } = context.actor;
  if (organisationId === null || organisationId === id) return true;
  // Not remembered: what is another's, and what is nowhere, are looked up again in the same time.
  return role === 'PARTNER' && findBelow(context, id).then((found) => found !== null);
}

export async function findOrganisation(context: Context, id: OrganisationId): Promise<Organisation | null> {
  return (await context.mayReach(context, id)) ? loadOrganisation(context, id) : null;
}

/** An organisation that is known to exist. */
export async function getOrganisation(context: Context, id: OrganisationId): Promise<Organisation> {
  const organisation = await context.findOrganisation(context, id);
  if (organisation === null) throw new Error(`Organisation ${id} is gone`);
  return organisation;
}

registerNode('Organisation', (context, { organisationId }) =>
  context.findOrganisation(context, organisationId),
);

builder.objectType('BillingPeriod', {
  description: 'A calendar month in the organisation’s zone: at `from` it runs, at `until` no longer.',
  fields: (t) => ({
    from: t.expose('from', { type: 'DateTime', description: 'Its first instant.' }),
    until: t.expose('until', { type: 'DateTime', description: 'The first instant of the next one.' }),
  }),
});

builder.objectType('Organisation', {
  interfaces: ['Node'],
  description: 'A customer. Organisations form a tree: a partner has customers below it.',
  fields: (t) => ({
    id: t.id({ description: 'Opaque and globally unique.', resolve: ({ id }) => encodeOrganisationId(id) }),
    name: t.exposeString('name', { description: 'As people know it.' }),
    externalId: t.exposeString('externalId', {
      nullable: true,
      description: 'The platform’s own id of it, unique.',
    }),
    parent: t.field({
      type: 'Organisation',
      nullable: true,
      description: 'The organisation above it in the tree.',
      resolve: ({ parentId }, _args, context) =>
        parentId === null ? null : context.findOrganisation(context, parentId),
    }),
    timeZone: t.expose('timeZone', {
      type: 'TimeZone',
      description: 'Where its months begin. After a change the running period keeps its end.',
    }),
    leaseSeconds: t.exposeInt('leaseSeconds', {
      description: 'How long a session lives after its last renewal, in seconds: 10 to 86,400.',
    }),
    testClock: t.exposeBoolean('testClock', {
      description:
        'Whether it lives by a clock of its own, which `advanceTestClock` moves, instead of in real time.',
    }),
    now: t.field({
      type: 'DateTime',
      description: 'The organisation’s present: real, or where its test clock stands.',
      resolve: (organisation, _args, { services }) => nowOf(organisation, services.clock.now()),
    }),
    billingPeriod: t.field({
      type: 'BillingPeriod',
      description: 'The billing period that runs now.',
      resolve: ({ period }) => period,
    }),
    activeUsers: t.exposeInt('activeUsers', { description: 'Users that are ACTIVE now.' }),
    activeInBillingPeriod: t.exposeInt('activeInBillingPeriod', {
      description:
        'Users that were ACTIVE at any instant of the billing period so far, deleted ones included.',
    }),
  }),
});

const OrganisationConnection = connectionType('Organisation', 'Organisations, newest first.');

const newestFirst: Order<Organisation> = {
  name: 'organisations',
  parts: ['instant', 'uuid'],
  keyOf: ({ createdAt, id }) => [createdAt, id],
};

builder.queryFields((t) => ({
  organisation: t.field({
    type: 'Organisation',
    nullable: true,
    description: 'One organisation, by exactly one of its two ids; null where there is none.',
    args: {
      id: t.arg.id({ description: 'Its id here.' }),
      externalId: t.arg.string({ description: 'The platform’s own id of it.' }),
    },
    resolve: async (_root, { id, externalId }, context) => {
      if ((id == null) === (externalId == null)) {
        throw new InputError('id', 'Ask by `id` or by `externalId`: by exactly one.');
      }
      if (id != null) {
        const reference = await readOrganisationId(context, id);
        return isRefusal(reference) ? null : context.findOrganisation(context, reference.organisationId);
      }
      const named = text.safeParse(externalId);
      const found = named.success
        ? await findOrganisationIdByExternalId(context.services.db, named.data)
        : null;
      // What is nowhere is looked for among the actor's own as well: it takes as long as what is another's.
      return context.findOrganisation(context, found ?? nowhere);
    },
  }),
  organisations: t.field({
    type: OrganisationConnection,
    nullable: true,
    description: 'Every organisation that you may see, newest first.',
    args: {
      ...pageArguments(t.arg),
      search: t.arg.string({
        validate: optionalText,
        description: 'Part of the name or external id, in any case.',
      }),
    },
    resolve: async (_root, { search, ...page }, context) => {
      const { db } = context.services;
      const { role, organisationId } = context.actor;
      const filter = {
        search: search ?? null,
        within: organisationId === null ? null : { organisationId, below: role === 'PARTNER' },
      };
      const list = await connect(
        newestFirst,
        page,
        (request) => pageOrganisations(db, filter, request),
        () => countOrganisations(db, filter),
      );
      const edges = list.edges.map(async ({ node, cursor }) => ({
        cursor,
        node: await getOrganisation(context, node.id),
      }));
      return { ...list, edges: await Promise.all(edges) };
    },
  }),
}));

interface OrganisationPayload {
  readonly organisation: Organisation;
}

const ExternalIdTakenError = builder.objectRef<ExternalIdTaken>('ExternalIdTaken').implement({
  interfaces: ['UserError'],
  description: 'Another organisation has the external id.',
});
const NotATestClockError = builder.objectRef<NotATestClock>('NotATestClock').implement({
  interfaces: ['UserError'],
  description: 'The organisation lives in real time, which nobody can move.',
});

function payload(name: string, description: string) {
  return builder.objectRef<OrganisationPayload>(name).implement({
    description,
    fields: (t) => ({
      organisation: t.expose('organisation', { type: 'Organisation', description: 'As it is now.' }),
    }),
  });
}

const CreateOrganisationInput = builder.inputType('CreateOrganisationInput', {
  description: 'A new organisation.',
  fields: (t) => ({
    name: t.string({ required: true, validate: text, description: 'As people know it.' }),
    externalId: t.string({ validate: optionalText, description: 'The platform’s own id of it; unique.' }),
    parentId: t.id({ description: 'The organisation above it in the tree.' }),
    timeZone: t.field({
      type: 'TimeZone',
      required: true,
      defaultValue: 'UTC',
      description: 'Where its months begin.',
    }),
    leaseSeconds: t.int({
      required: true,
      defaultValue: 90,
      description: 'How long a session lives after its last renewal: 10 to 86,400 seconds.',
    }),
    testClockAt: t.field({
      type: 'DateTime',
      description: 'Gives it a clock of its own, which stands here until `advanceTestClock` moves it.',
    }),
    idempotencyKey: t.string({
      validate: optionalText,
      description: 'A repeat with the same key makes nothing new.',
    }),
  }),
});

mutation({
  name: 'createOrganisation',
  description: 'Creates an organisation: in real time, or with a test clock to try its rules with.',
  input: CreateOrganisationInput,
  payload: payload('CreateOrganisationPayload', 'The organisation that was created.'),
  errors: [ExternalIdTakenError, IdempotencyKeyReused],
  resolve: async (input, context) => {
    const { actor, services } = context;
    if (input.parentId == null && actor.organisationId !== null) {
      return invalidInput('parentId', 'Say below which of your organisations it is to be.');
    }
    const parent =
      input.parentId == null
        ? { organisationId: null }
        : await readOrganisationId(context, input.parentId, 'parent organisation');
    if (isRefusal(parent)) return parent;
    const organisation = await createOrganisation(services, {
      name: input.name,
      externalId: input.externalId ?? null,
      parentId: parent.organisationId,
      timeZone: input.timeZone,
      leaseSeconds: input.leaseSeconds,
      testClockAt: input.testClockAt ?? null,
      idempotencyKey: input.idempotencyKey ?? null,
    });
    return isRefusal(organisation) ? organisation : { organisation };
  },
});

const UpdateOrganisationInput = builder.inputType('UpdateOrganisationInput', {
  description: 'What changes; what is left out, or null, stays as it is.',
  fields: (t) => ({
    organisationId: t.id({ required: true, description: 'The organisation.' }),
    name: t.string({ validate: optionalText, description: 'Its new name.' }),
    timeZone: t.field({ type: 'TimeZone', description: 'Where its months begin from the next one on.' }),
    leaseSeconds: t.int({ description: 'The new lease, from each session’s next renewal on.' }),
  }),
});

mutation({
  name: 'updateOrganisation',
  description: 'Changes an organisation’s name, zone or lease. The running billing period keeps its end.',
  input: UpdateOrganisationInput,
  payload: payload('UpdateOrganisationPayload', 'The organisation that was changed.'),
  errors: [],
  resolve: async (input, context) => {
    const { services } = context;
    const reference = await readOrganisationId(context, input.organisationId);
    if (isRefusal(reference)) return reference;
    const organisation = await updateOrganisation(services, {
      organisationId: reference.organisationId,
      name: input.name ?? null,
      timeZone: input.timeZone ?? null,
      leaseSeconds: input.leaseSeconds ?? null,
    });
    return isRefusal(organisation) ? organisation : { organisation };
  },
});

const AdvanceTestClockInput = builder.inputType('AdvanceTestClockInput', {
  description: 'Where a test clock is to stand.',
  fields: (t) => ({
    organisationId: t.id({ required: true, description: 'An organisation with a test clock.' }),
    to: t.field({
      type: 'DateTime',
      required: true,
      description: 'Its new present; not before the old one.',
    }),
  }),
});

mutation({
  name: 'advanceTestClock',
  description:
    'Moves a test clock forwards. Leases, purchases, 90-day periods and months that fall due on the way take effect at their own instants, in order.',
  input: AdvanceTestClockInput,
  payload: payload('AdvanceTestClockPayload', 'The organisation, at its new present.'),
  errors: [NotATestClockError],
  resolve: async (input, context) => {
    const { services } = context;
    const reference = await readOrganisationId(context, input.organisationId);
    if (isRefusal(reference)) return reference;
    const organisation = await advanceTestClock(services, reference.organisationId, input.to);
    return isRefusal(organisation) ? organisation : { organisation };
  },
});
