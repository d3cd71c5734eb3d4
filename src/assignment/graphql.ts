import { builder } from '../graphql/builder.ts';
import { connect, connectionType, type Order, pageArguments } from '../graphql/connection.ts';
import { text } from '../graphql/input.ts';
import { byOrganisation, createLoader } from '../graphql/loader.ts';
import { mutation } from '../graphql/mutation.ts';
import { readId, registerNode } from '../graphql/node.ts';
import { type AssignmentId, encodeOwnedId, type OrganisationId, type UserId } from '../kernel/ids.ts';
import { isRefusal } from '../kernel/refusal.ts';
import { assignLicence, unassignLicence } from './commands.ts';
import type {
  AlreadyAssigned,
  Assignment,
  BaseLicence,
  NoBaseLicenceAvailable,
  NotAssigned,
  UserDeleted,
} from './domain.ts';
import {
  countReleasedBaseLicences,
  listAssignments,
  listAssignmentsById,
  pageReleasedBaseLicences,
} from './store.ts';

interface AssignmentRow extends Assignment {
  readonly organisationId: OrganisationId;
}

interface ReleasedRow extends BaseLicence {
  readonly organisationId: OrganisationId;
}

declare module '../graphql/builder.ts' {
  interface Objects {
    LicenceAssignment: AssignmentRow;
    ReleasedBaseLicence: ReleasedRow;
    NoBaseLicenceAvailable: NoBaseLicenceAvailable;
    UserDeleted: UserDeleted;
  }
}

const findAssignment = createLoader<
  { readonly organisationId: OrganisationId; readonly id: AssignmentId },
  AssignmentRow
>(
  ({ organisationId, id }) => `${organisationId}/${id}`,
  ({ services }, keys) =>
    byOrganisation(keys, (organisationId, ids) => listAssignmentsById(services.db, organisationId, ids)),
);

registerNode(
  'LicenceAssignment',
  (context, { organisationId, id }) => findAssignment(context, { organisationId, id: id as AssignmentId }),
  async (context, { organisationId, id }) =>
    (await findAssignment(context, { organisationId, id: id as AssignmentId }))?.userId ?? null,
);

const findUserAssignments = createLoader<
  { readonly organisationId: OrganisationId; readonly id: UserId },
  { readonly id: UserId; readonly assignments: readonly Assignment[] }
>(
  ({ organisationId, id }) => `${organisationId}/${id}`,
  ({ services }, keys) =>
    byOrganisation(keys, async (organisationId, ids) => {
      const byUser = Map.groupBy(
        await listAssignments(services.db, organisationId, ids),
        ({ userId }) => userId,
      );
      return ids.map((id) => ({ id, assignments: byUser.get(id) ?? [] }));
    }),
);

builder.objectType('LicenceAssignment', {
  interfaces: ['Node'],
  description: 'A licence given to a user.',
  fields: (t) => ({
    id: t.id({
      description: 'Opaque and globally unique.',
      resolve: ({ organisationId, id }) => encodeOwnedId('LicenceAssignment', organisationId, id),
    }),
    licence: t.field({
      type: 'Licence',
      description: 'What was given.',
      resolve: ({ licence }, _args, context) => context.getLicence(context, licence),
    }),
    user: t.field({
      type: 'User',
      description: 'To whom.',
      resolve: ({ organisationId, userId }, _args, context) =>
        context.getUser(context, { organisationId, id: userId }),
    }),
    assignedAt: t.expose('assignedAt', { type: 'DateTime', description: 'When.' }),
    consumed: t.boolean({
      description:
        'Whether it occupies a base licence or fixed seat now: not while the user is PRE_ACTIVE, and never of a concurrent feature.',
      resolve: ({ consumedAt }) => consumedAt !== null,
    }),
  }),
});

builder.objectField('User', 'assignments', (t) =>
  t.field({
    type: ['LicenceAssignment'],
    description: 'The licences that the user has, in catalogue order.',
    resolve: async ({ organisationId, id }, _args, context) => {
      const found = await findUserAssignments(context, { organisationId, id });
      return (found?.assignments ?? []).map((assignment) => ({ ...assignment, organisationId }));
    },
  }),
);

builder.objectType('ReleasedBaseLicence', {
  description: 'A base licence that was given back within its 90 days (B2).',
  fields: (t) => ({
    reusable: t.boolean({
      description:
        'Whether it can still be reassigned; else its one reassignment is used, and it is locked: only who held it last can have it back.',
      resolve: ({ reassigned }) => !reassigned,
    }),
    freeAt: t.expose('periodUntil', {
      type: 'DateTime',
      description: 'When its 90 days are over, and it is free like one that was never given.',
    }),
    lastHolder: t.field({
      type: 'User',
      description: 'Who held it last.',
      resolve: ({ organisationId, lastHolderId }, _args, context) =>
        context.getUser(context, { organisationId, id: lastHolderId }),
    }),
  }),
});

const ReleasedConnection = connectionType(
  'ReleasedBaseLicence',
  'Base licences that were given back, the one that is free next first.',
);
const nextFreeFirst: Order<ReleasedRow> = {
  name: 'releasedBases',
  parts: ['instant', 'uuid'],
  keyOf: ({ periodUntil, id }) => [periodUntil, id],
};

builder.objectField('LicenceMapping', 'releasedBases', (t) =>
  t.field({
    type: ReleasedConnection,
    nullable: true,
    description:
      'The base licences that are reusable or locked, and when each is free: as many as `base.reusable` and `base.locked` together.',
    args: pageArguments(t.arg),
    resolve: ({ organisationId, licence: { code } }, page, { services }) =>
      connect(
        nextFreeFirst,
        page,
        async (request) =>
          (await pageReleasedBaseLicences(services.db, organisationId, code, request)).map((row) => ({
            ...row,
            organisationId,
          })),
        () => countReleasedBaseLicences(services.db, organisationId, code),
      ),
  }),
);

builder.objectType('NoBaseLicenceAvailable', {
  interfaces: ['UserError'],
  description: 'Every base licence, or fixed seat, is assigned or locked.',
  fields: (t) => ({
    licence: t.field({
      type: 'Licence',
      description: 'The first that is missing, in catalogue order.',
      resolve: ({ licence }, _args, context) => context.getLicence(context, licence),
    }),
    availableAt: t.expose('availableAt', {
      type: 'DateTime',
      nullable: true,
      description:
        'When one becomes available by itself, as periods run and recorded purchases start; null: never.',
    }),
  }),
});
const AlreadyAssignedError = builder.objectRef<AlreadyAssigned>('AlreadyAssigned').implement({
  interfaces: ['UserError'],
  description: 'The user has the licence already.',
});
const NotAssignedError = builder.objectRef<NotAssigned>('NotAssigned').implement({
  interfaces: ['UserError'],
  description: 'The user does not have the licence.',
});
builder.objectType('UserDeleted', {
  interfaces: ['UserError'],
  description: 'The user was deleted, which is final.',
});

const AssignLicenceInput = builder.inputType('AssignLicenceInput', {
  description: 'A licence, and who is to have it.',
  fields: (t) => ({
    userId: t.id({ required: true, description: 'The user.' }),
    licence: t.string({ required: true, validate: text, description: 'The licence’s code.' }),
  }),
});

mutation({
  name: 'assignLicence',
  description:
    'Gives a user a licence. It takes a base licence or fixed seat, where there are such, once the user is active.',
  input: AssignLicenceInput,
  payload: builder.objectRef<{ readonly assignment: AssignmentRow }>('AssignLicencePayload').implement({
    description: 'The assignment that was made.',
    fields: (t) => ({
      assignment: t.expose('assignment', { type: 'LicenceAssignment', description: 'As it is now.' }),
    }),
  }),
  errors: ['NoBaseLicenceAvailable', AlreadyAssignedError, 'UserDeleted'],
  resolve: async ({ userId, licence }, context) => {
    const { services } = context;
    const reference = await readId(context, 'User', userId, 'user');
    if (isRefusal(reference)) return reference;
    const { organisationId, id } = reference;
    const assignment = await assignLicence(services, { organisationId, userId: id, licence });
    return isRefusal(assignment) ? assignment : { assignment: { ...assignment, organisationId } };
  },
});

const UnassignLicenceInput = builder.inputType('UnassignLicenceInput', {
  description: 'A licence, and who is to lose it.',
  fields: (t) => ({
    userId: t.id({ required: true, description: 'The user.' }),
    licence: t.string({ required: true, validate: text, description: 'The licence’s code.' }),
  }),
});

mutation({
  name: 'unassignLicence',
  description:
    'Takes a licence from a user. A licence type’s sessions end; a feature is released from every session.',
  input: UnassignLicenceInput,
  payload: builder
    .objectRef<{ readonly organisationId: OrganisationId; readonly userId: UserId }>('UnassignLicencePayload')
    .implement({
      description: 'The user, without the licence.',
      fields: (t) => ({
        user: t.field({
          type: 'User',
          description: 'As it is now.',
          resolve: ({ organisationId, userId }, _args, context) =>
            context.getUser(context, { organisationId, id: userId }),
        }),
      }),
    }),
  errors: [NotAssignedError],
  resolve: async ({ userId, licence }, context) => {
    const { services } = context;
    const reference = await readId(context, 'User', userId, 'user');
    if (isRefusal(reference)) return reference;
    const { organisationId, id } = reference;
    const unassigned = await unassignLicence(services, { organisationId, userId: id, licence });
    return isRefusal(unassigned) ? unassigned : { organisationId, userId: unassigned.userId };
  },
});
