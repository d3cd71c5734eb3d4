import { builder } from '../graphql/builder.ts';
import { connect, connectionType, type Order, pageArguments } from '../graphql/connection.ts';
import { optionalText, text } from '../graphql/input.ts';
import { byOrganisation, createLoader } from '../graphql/loader.ts';
import { IdempotencyKeyReused, mutation } from '../graphql/mutation.ts';
import { readId, readOrganisationId, registerNode } from '../graphql/node.ts';
import type { Scope } from '../kernel/actor.ts';
import { type ApiKeyId, encodeOwnedId, type OrganisationId } from '../kernel/ids.ts';
import { isRefusal, notFound } from '../kernel/refusal.ts';
import { createApiKey, revokeApiKey } from './commands.ts';
import type { ApiKey, KeyRole } from './domain.ts';
import { countApiKeys, listApiKeys, pageApiKeys } from './store.ts';

interface ApiKeyRow extends ApiKey {
  readonly organisationId: OrganisationId;
}

declare module '../graphql/builder.ts' {
  interface Objects {
    ApiKey: ApiKeyRow;
  }
  interface Enums {
    ApiKeyRole: KeyRole;
    Scope: Scope;
  }
}

const findApiKey = createLoader<
  { readonly organisationId: OrganisationId; readonly id: ApiKeyId },
  ApiKeyRow
>(
  ({ organisationId, id }) => `${organisationId}/${id}`,
  ({ services }, keys) =>
    byOrganisation(keys, (organisationId, ids) => listApiKeys(services.db, organisationId, ids)),
);

registerNode('ApiKey', (context, { organisationId, id }) =>
  findApiKey(context, { organisationId, id: id as ApiKeyId }),
);

builder.enumType('ApiKeyRole', {
  description:
    'What a key is, of the roles that keys can have. There is one operator key, which the server keeps.',
  values: {
    PARTNER: { description: 'Sells: its organisation and all below it.' },
    ADMINISTRATOR: {
      description: 'Of one organisation: its users, their assignments and sessions, and its keys.',
    },
    SUPERVISOR: { description: 'Reads one organisation’s figures and sessions, and forces logoffs.' },
    WALLBOARD: { description: 'A screen: reads one organisation’s usage, and nothing that names a person.' },
    AGENT: { description: 'One user: sees itself, and logs itself on.' },
  },
});

builder.enumType('Scope', {
  description: 'What a credential can be narrowed to, within what its role may do.',
  values: {
    READ: { description: 'Whatever can be read or watched.' },
    ORGANISATIONS: { description: 'Creating and changing organisations.' },
    PURCHASES: { description: 'Recording and ending purchases.' },
    USERS: { description: 'Users and what is assigned to them.' },
    SESSIONS: { description: 'Logons, renewals, features and logoffs.' },
    KEYS: { description: 'API keys.' },
  },
});

builder.objectType('ApiKey', {
  interfaces: ['Node'],
  description:
    'What is known of a key by which a program or a screen shows who it is. The key itself was shown once, when it was made.',
  fields: (t) => ({
    id: t.id({
      description: 'Opaque and globally unique.',
      resolve: ({ organisationId, id }) => encodeOwnedId('ApiKey', organisationId, id),
    }),
    organisation: t.field({
      type: 'Organisation',
      description: 'Whose key it is.',
      resolve: ({ organisationId }, _args, context) => context.getOrganisation(context, organisationId),
    }),
    name: t.exposeString('name', { description: 'What it is for, in the words of who made it.' }),
    role: t.expose('role', { type: 'ApiKeyRole', description: 'What it is.' }),
    scopes: t.field({
      type: ['Scope'],
      nullable: true,
      description: 'What it is narrowed to; null: all that its role may do.',
      resolve: ({ scopes }) => scopes,
    }),
    user: t.field({
      type: 'User',
      nullable: true,
      description: 'The user that its bearer is; null: a machine.',
      resolve: ({ organisationId, userId }, _args, context) =>
        userId === null ? null : context.findUser(context, { organisationId, id: userId }),
    }),
    prefix: t.exposeString('prefix', {
      description: 'What the key begins with, to tell one that was found.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    createdBy: t.exposeString('createdBy', {
      description: 'By which credential: `operator`, a key’s id, or an access token’s issuer and subject.',
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'From here on it is worth nothing; null: it has no end.',
    }),
    revokedAt: t.expose('revokedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was revoked; null: it was not.',
    }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was last used, within a minute or two; null: never.',
    }),
  }),
});

const ApiKeyConnection = connectionType('ApiKey', 'API keys, newest first.');

const newestFirst: Order<ApiKeyRow> = {
  name: 'apiKeys',
  parts: ['instant', 'uuid'],
  keyOf: ({ createdAt, id }) => [createdAt, id],
};

builder.objectField('Organisation', 'apiKeys', (t) =>
  t.field({
    type: ApiKeyConnection,
    nullable: true,
    description: 'Its API keys, newest first; those that are revoked or expired as well.',
    args: pageArguments(t.arg),
    resolve: ({ id: organisationId }, page, { services }) =>
      connect(
        newestFirst,
        page,
        async (request) =>
          (await pageApiKeys(services.db, organisationId, request)).map((row) => ({
            ...row,
            organisationId,
          })),
        () => countApiKeys(services.db, organisationId),
      ),
  }),
);

const CreateApiKeyPayload = builder
  .objectRef<{ readonly apiKey: ApiKeyRow; readonly key: string | null }>('CreateApiKeyPayload')
  .implement({
    description: 'The key that was made.',
    fields: (t) => ({
      apiKey: t.expose('apiKey', { type: 'ApiKey', description: 'What will be known of it.' }),
      key: t.exposeString('key', {
        nullable: true,
        description:
          'The key itself, to be sent as `Authorization: Bearer KEY`. Keep it now: nobody can see it again. null where an earlier call with the same `idempotencyKey` showed it.',
      }),
    }),
  });

const CreateApiKeyInput = builder.inputType('CreateApiKeyInput', {
  description: 'A new key. It can do no more than whoever makes it.',
  fields: (t) => ({
    organisationId: t.id({ required: true, description: 'Whose it is to be.' }),
    name: t.string({ required: true, validate: text, description: 'What it is for.' }),
    role: t.field({ type: 'ApiKeyRole', required: true, description: 'What it is to be.' }),
    scopes: t.field({
      type: ['Scope'],
      description: 'What it is narrowed to; if nothing is said, what you are narrowed to yourself.',
    }),
    expiresAt: t.field({
      type: 'DateTime',
      description:
        'From when on it is worth nothing; without an end if nothing is said. Made by a key that has an end, it has that one, or an earlier one that is said.',
    }),
    userId: t.id({
      description:
        'The user that its bearer is: needed for AGENT, and possible for ADMINISTRATOR and SUPERVISOR.',
    }),
    idempotencyKey: t.string({
      validate: optionalText,
      description: 'A repeat with the same key makes nothing new, and shows no key.',
    }),
  }),
});

mutation({
  name: 'createApiKey',
  description: 'Makes an API key, and shows it: once.',
  input: CreateApiKeyInput,
  payload: CreateApiKeyPayload,
  errors: [IdempotencyKeyReused],
  resolve: async (input, context) => {
    const { services, actor } = context;
    const reference = await readOrganisationId(context, input.organisationId);
    if (isRefusal(reference)) return reference;
    const { organisationId } = reference;
    const user = input.userId == null ? null : await readId(context, 'User', input.userId, 'user');
    if (user !== null && isRefusal(user)) return user;
    // Another organisation's user is none of this one's.
    if (user !== null && user.organisationId !== organisationId) return notFound('user');
    const created = await createApiKey(services, actor, {
      organisationId,
      name: input.name,
      role: input.role,
      scopes: input.scopes ?? null,
      userId: user?.id ?? null,
      expiresAt: input.expiresAt ?? null,
      idempotencyKey: input.idempotencyKey ?? null,
    });
    return isRefusal(created) ? created : { ...created, apiKey: { ...created.apiKey, organisationId } };
  },
});

const RevokeApiKeyPayload = builder
  .objectRef<{ readonly apiKey: ApiKeyRow }>('RevokeApiKeyPayload')
  .implement({
    description: 'The key that was revoked.',
    fields: (t) => ({ apiKey: t.expose('apiKey', { type: 'ApiKey', description: 'As it is now.' }) }),
  });

const RevokeApiKeyInput = builder.inputType('RevokeApiKeyInput', {
  description: 'Which key is worth nothing from now on.',
  fields: (t) => ({ keyId: t.id({ required: true, description: 'The key’s id, not the key.' }) }),
});

mutation({
  name: 'revokeApiKey',
  description:
    'Revokes a key for good: within 5 seconds no server takes it any more, and its live connections are closed. Revoking it again changes nothing.',
  input: RevokeApiKeyInput,
  payload: RevokeApiKeyPayload,
  errors: [],
  resolve: async (input, context) => {
    const { services, actor } = context;
    const reference = await readId(context, 'ApiKey', input.keyId, 'API key');
    if (isRefusal(reference)) return reference;
    const { organisationId, id } = reference;
    const apiKey = await revokeApiKey(services, actor, organisationId, id);
    return isRefusal(apiKey) ? apiKey : { apiKey: { ...apiKey, organisationId } };
  },
});
