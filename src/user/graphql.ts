import { builder } from '../graphql/builder.ts';
import { connect, connectionType, type Order, pageArguments } from '../graphql/connection.ts';
import type { Context } from '../graphql/context.ts';
import { codes, optionalText, text } from '../graphql/input.ts';
import { byOrganisation, createLoader } from '../graphql/loader.ts';
import { IdempotencyKeyReused, mutation } from '../graphql/mutation.ts';
import { readId, readOrganisationId, registerNode } from '../graphql/node.ts';
import { encodeOwnedId, type LicenceCode, type OrganisationId, type UserId } from '../kernel/ids.ts';
import { isRefusal } from '../kernel/refusal.ts';
import { createUser, eraseUser, setUserStatus } from './commands.ts';
import type { InvalidTransition, User, UsernameTaken, UserNotDeleted, UserStatus } from './domain.ts';
import { countUsers, listUsers, pageUsers } from './store.ts';

/** A user, and whose. */
export interface UserRow extends User {
  readonly organisationId: OrganisationId;
}

interface UserKey {
  readonly organisationId: OrganisationId;
  readonly id: UserId;
}

declare module '../graphql/builder.ts' {
  interface Objects {
    User: UserRow;
  }
  interface Enums {
    UserStatus: UserStatus;
  }
}

declare module '../graphql/context.ts' {
  interface Context {
    readonly findUser: (context: Context, key: UserKey) => Promise<UserRow | null>;
    /** A user that something refers to. */
    readonly getUser: (context: Context, key: UserKey) => Promise<UserRow>;
  }
}

export const findUser = createLoader<UserKey, UserRow>(
  ({ organisationId, id }) => `${organisationId}/${id}`,
  ({ services }, keys) =>
    byOrganisation(keys, (organisationId, ids) => listUsers(services.db, organisationId, ids)),
);

export async function getUser(context: Context, key: UserKey): Promise<UserRow> {
  const user = await context.findUser(context, key);
  if (user === null) throw new Error(`User ${key.id} is gone`);
  return user;
}

registerNode(
  'User',
  async (context, { organisationId, id }) => {
    await context.findOrganisation(context, organisationId);
    return context.findUser(context, { organisationId, id: id as UserId });
  },
  async (_context, { id }) => id as UserId,
);

builder.enumType('UserStatus', {
  description: 'Where a user is in life: PRE_ACTIVE → ACTIVE ⇄ SUSPENDED, and any → DELETED, which is final.',
  values: {
    PRE_ACTIVE: { description: 'Prepared: consumes nothing, counts nowhere, cannot log on.' },
    ACTIVE: { description: 'Can log on.' },
    SUSPENDED: { description: 'Cannot log on, but keeps every licence.' },
    DELETED: { description: 'Gone for good; history remembers.' },
  },
});

builder.objectType('User', {
  interfaces: ['Node'],
  description: 'A named person or device of one organisation.',
  fields: (t) => ({
    id: t.id({
      description: 'Opaque and globally unique.',
      resolve: ({ organisationId, id }) => encodeOwnedId('User', organisationId, id),
    }),
    organisation: t.field({
      type: 'Organisation',
      description: 'Whose user it is.',
      resolve: ({ organisationId }, _args, context) => context.getOrganisation(context, organisationId),
    }),
    username: t.exposeString('username', {
      description: 'Unique in the organisation; a deleted user’s may be taken by a new one.',
    }),
    displayName: t.exposeString('displayName', { description: 'As people know them.' }),
    email: t.exposeString('email', { nullable: true, description: 'Their e-mail address.' }),
    externalId: t.exposeString('externalId', {
      nullable: true,
      description: 'The platform’s own id of the user.',
    }),
    status: t.field({
      type: 'UserStatus',
      description: 'Where they are in life.',
      resolve: ({ status }) => status,
    }),
  }),
});

const UserConnection = connectionType('User', 'Users, by username.');

const byUsername: Order<UserRow> = {
  name: 'users',
  parts: ['text', 'uuid'],
  keyOf: ({ username, id }) => [username, id],
};

builder.objectField('Organisation', 'users', (t) =>
  t.field({
    type: UserConnection,
    nullable: true,
    description: 'The organisation’s users, by username. Deleted ones only when `status` asks for them.',
    args: {
      ...pageArguments(t.arg),
      status: t.arg({ type: ['UserStatus'], description: 'Only in these statuses.' }),
      licence: t.arg.string({
        validate: optionalText,
        description: 'Only with the licence of this code assigned.',
      }),
      search: t.arg.string({
        validate: optionalText,
        description: 'Part of the username, display name or e-mail address, in any case.',
      }),
    },
    resolve: ({ id: organisationId }, { status, licence, search, ...page }, { services }) => {
      const filter = {
        status: status ?? null,
        licence: (licence ?? null) as LicenceCode | null,
        search: search ?? null,
      };
      return connect(
        byUsername,
        page,
        async (request) =>
          (await pageUsers(services.db, organisationId, filter, request)).map((user) => ({
            ...user,
            organisationId,
          })),
        () => countUsers(services.db, organisationId, filter),
      );
    },
  }),
);

const UsernameTakenError = builder.objectRef<UsernameTaken>('UsernameTaken').implement({
  interfaces: ['UserError'],
  description: 'A user of the organisation has the username.',
});
const InvalidTransitionError = builder.objectRef<InvalidTransition>('InvalidTransition').implement({
  interfaces: ['UserError'],
  description: 'A user’s life does not go that way.',
  fields: (t) => ({
    from: t.field({ type: 'UserStatus', description: 'The present status.', resolve: ({ from }) => from }),
    to: t.field({
      type: 'UserStatus',
      description: 'The status that was asked for.',
      resolve: ({ to }) => to,
    }),
  }),
});

const UserNotDeletedError = builder.objectRef<UserNotDeleted>('UserNotDeleted').implement({
  interfaces: ['UserError'],
  description: 'Only a deleted user’s names can be erased.',
});

function payload(name: string, description: string) {
  return builder.objectRef<{ readonly user: UserRow }>(name).implement({
    description,
    fields: (t) => ({ user: t.expose('user', { type: 'User', description: 'As it is now.' }) }),
  });
}

const CreateUserInput = builder.inputType('CreateUserInput', {
  description: 'A new user.',
  fields: (t) => ({
    organisationId: t.id({ required: true, description: 'Whose user it will be.' }),
    username: t.string({ required: true, validate: text, description: 'Unique in the organisation.' }),
    displayName: t.string({
      validate: optionalText,
      description: 'As people know them; the username if nothing is said.',
    }),
    email: t.string({ validate: optionalText, description: 'Their e-mail address.' }),
    externalId: t.string({ validate: optionalText, description: 'The platform’s own id of the user.' }),
    status: t.field({
      type: 'UserStatus',
      required: true,
      defaultValue: 'PRE_ACTIVE',
      description: 'PRE_ACTIVE or ACTIVE.',
    }),
    licences: t.stringList({ validate: codes, description: 'Codes of licences to assign at once.' }),
    idempotencyKey: t.string({
      validate: optionalText,
      description: 'A repeat with the same key makes nothing new.',
    }),
  }),
});

mutation({
  name: 'createUser',
  description:
    'Creates a user, with licences. As ACTIVE it needs every base licence at once, or nobody is created.',
  input: CreateUserInput,
  payload: payload('CreateUserPayload', 'The user that was created.'),
  errors: [UsernameTakenError, 'NoBaseLicenceAvailable', IdempotencyKeyReused],
  resolve: async (input, context) => {
    const { services } = context;
    const reference = await readOrganisationId(context, input.organisationId);
    if (isRefusal(reference)) return reference;
    const { organisationId } = reference;
    const user = await createUser(services, {
      organisationId,
      username: input.username,
      displayName: input.displayName ?? null,
      email: input.email ?? null,
      externalId: input.externalId ?? null,
      status: input.status,
      licences: input.licences ?? [],
      idempotencyKey: input.idempotencyKey ?? null,
    });
    return isRefusal(user) ? user : { user: { ...user, organisationId } };
  },
});

const SetUserStatusInput = builder.inputType('SetUserStatusInput', {
  description: 'A change of status.',
  fields: (t) => ({
    userId: t.id({ required: true, description: 'The user.' }),
    status: t.field({ type: 'UserStatus', required: true, description: 'The new status.' }),
  }),
});

mutation({
  name: 'setUserStatus',
  description:
    'Moves a user on in life. Activation takes every planned licence or none; suspension and deletion end the sessions; deletion gives everything back.',
  input: SetUserStatusInput,
  payload: payload('SetUserStatusPayload', 'The user, in its new status.'),
  errors: [InvalidTransitionError, 'NoBaseLicenceAvailable'],
  resolve: async (input, context) => {
    const { services } = context;
    const reference = await readId(context, 'User', input.userId, 'user');
    if (isRefusal(reference)) return reference;
    const { organisationId, id: userId } = reference;
    const user = await setUserStatus(services, { organisationId, userId, status: input.status });
    return isRefusal(user) ? user : { user: { ...user, organisationId } };
  },
});

const EraseUserInput = builder.inputType('EraseUserInput', {
  description: 'A user whose names are to be erased.',
  fields: (t) => ({ userId: t.id({ required: true, description: 'The user, DELETED.' }) }),
});

mutation({
  name: 'eraseUser',
  description:
    'For a data-protection request: replaces a deleted user’s username, display name, e-mail address and external id by a pseudonym, in the audit log too, for good. What was counted stays; erasing again changes nothing.',
  input: EraseUserInput,
  payload: payload('EraseUserPayload', 'The user, under its pseudonym.'),
  errors: [UserNotDeletedError],
  resolve: async (input, context) => {
    const reference = await readId(context, 'User', input.userId, 'user');
    if (isRefusal(reference)) return reference;
    const { organisationId, id: userId } = reference;
    const user = await eraseUser(context.services, { organisationId, userId });
    return isRefusal(user) ? user : { user: { ...user, organisationId } };
  },
});
