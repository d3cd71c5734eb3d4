import { builder } from '../graphql/builder.ts';
import { keyAnswer, optionalKeyAnswer, text } from '../graphql/input.ts';
import { byOrganisation, createLoader } from '../graphql/loader.ts';
import { mutation } from '../graphql/mutation.ts';
import { readId, registerNode } from '../graphql/node.ts';
import { grantOf } from '../kernel/access.ts';
import { encodeOwnedId, type OrganisationId, type SecurityKeyId, type UserId } from '../kernel/ids.ts';
import { isRefusal } from '../kernel/refusal.ts';
import type { SecurityKeys } from './commands.ts';
import type {
  SecondFactorRequired,
  SecurityKey,
  SecurityKeyAlgorithm,
  SecurityKeyTaken,
  TooManySecurityKeys,
  Whose,
} from './domain.ts';
import { listSecurityKeys, listSecurityKeysById } from './store.ts';

interface SecurityKeyRow extends SecurityKey {
  readonly organisationId: OrganisationId;
}

declare module '../graphql/builder.ts' {
  interface Objects {
    SecurityKey: SecurityKeyRow;
    SecondFactorRequired: SecondFactorRequired;
  }
  interface Enums {
    SecurityKeyAlgorithm: SecurityKeyAlgorithm;
  }
}

declare module '../graphql/context.ts' {
  interface Context {
    readonly securityKeys: SecurityKeys;
  }
}

const findSecurityKey = createLoader<
  { readonly organisationId: OrganisationId; readonly id: SecurityKeyId },
  SecurityKeyRow
>(
  ({ organisationId, id }) => `${organisationId}/${id}`,
  ({ services }, keys) =>
    byOrganisation(keys, (organisationId, ids) => listSecurityKeysById(services.db, organisationId, ids)),
);

registerNode(
  'SecurityKey',
  (context, { organisationId, id }) => findSecurityKey(context, { organisationId, id: id as SecurityKeyId }),
  async (context, { organisationId, id }) =>
    (await findSecurityKey(context, { organisationId, id: id as SecurityKeyId }))?.userId ?? null,
);

const findUserSecurityKeys = createLoader<
  { readonly organisationId: OrganisationId; readonly id: UserId },
  { readonly id: UserId; readonly securityKeys: readonly SecurityKey[] }
>(
  ({ organisationId, id }) => `${organisationId}/${id}`,
  ({ services }, keys) =>
    byOrganisation(keys, async (organisationId, ids) => {
      const byUser = Map.groupBy(
        await listSecurityKeys(services.db, organisationId, ids),
        ({ userId }) => userId,
      );
      return ids.map((id) => ({ id, securityKeys: byUser.get(id) ?? [] }));
    }),
);

builder.enumType('SecurityKeyAlgorithm', {
  description: 'By what a security key signs.',
  values: {
    ES256: { description: 'ECDSA on P-256 with SHA-256.' },
    RS256: { description: 'RSA with SHA-256.' },
  },
});

builder.objectType('SecurityKey', {
  interfaces: ['Node'],
  description: 'A security key (WebAuthn) by which a user shows a second factor.',
  fields: (t) => ({
    id: t.id({
      description: 'Opaque and globally unique.',
      resolve: ({ organisationId, id }) => encodeOwnedId('SecurityKey', organisationId, id),
    }),
    user: t.field({
      type: 'User',
      description: 'Whose it is.',
      resolve: ({ organisationId, userId }, _args, context) =>
        context.getUser(context, { organisationId, id: userId }),
    }),
    name: t.exposeString('name', { description: 'Its owner’s name for it.' }),
    algorithm: t.field({
      type: 'SecurityKeyAlgorithm',
      description: 'By what it signs.',
      resolve: ({ algorithm }) => algorithm,
    }),
    transports: t.stringList({
      description: 'How browsers reach it, such as `usb`, `nfc` or `internal`, by its own word.',
      resolve: ({ transports }) => [...transports],
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was enrolled.' }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it last showed a second factor; null: never.',
    }),
    suspectAt: t.expose('suspectAt', {
      type: 'DateTime',
      nullable: true,
      description:
        'Since when it may have been copied, because its counter did not grow. It is not accepted any more: remove it. null: it is accepted.',
    }),
  }),
});

builder.objectField('User', 'securityKeys', (t) =>
  t.field({
    type: ['SecurityKey'],
    nullable: true,
    description: 'The user’s security keys, oldest first; null where you may see only your own.',
    resolve: async ({ organisationId, id }, _args, context) => {
      const isOwn = id === context.actor.userId;
      if (!isOwn && grantOf(context.actor, 'User.securityKeys') !== 'ANY') return null;
      const found = await findUserSecurityKeys(context, { organisationId, id });
      return (found?.securityKeys ?? []).map((key) => ({ ...key, organisationId }));
    },
  }),
);

builder.objectType('SecondFactorRequired', {
  interfaces: ['UserError'],
  description:
    'A second factor is needed, which was not shown. Nothing was done; send the same again with one.',
  fields: (t) => ({
    challenge: t.exposeString('challenge', {
      nullable: true,
      description:
        'What a security key must sign: JSON for `PublicKeyCredential.parseRequestOptionsFromJSON`. The answer, as JSON, is sent as `secondFactor`, within two minutes, once. null: no key of the user is accepted, and one has to be enrolled first.',
    }),
  }),
});
const TooManySecurityKeysError = builder.objectRef<TooManySecurityKeys>('TooManySecurityKeys').implement({
  interfaces: ['UserError'],
  description: 'The user has as many security keys as a user can have.',
});
const SecurityKeyTakenError = builder.objectRef<SecurityKeyTaken>('SecurityKeyTaken').implement({
  interfaces: ['UserError'],
  description: 'The security key is enrolled already.',
});

const secondFactorDescription =
  'What a security key of your own user answered to the challenge of SECOND_FACTOR_REQUIRED, as JSON. Not needed where your access token shows a second factor, for your own first key, nor with a key of a machine.';

mutation({
  name: 'beginSecurityKeyEnrolment',
  description:
    'Begins to enrol a security key for a user: answers what a browser is to ask of the key. The key’s answer goes to `enrolSecurityKey`, within two minutes.',
  input: builder.inputType('BeginSecurityKeyEnrolmentInput', {
    description: 'Whose key it will be.',
    fields: (t) => ({ userId: t.id({ required: true, description: 'The user.' }) }),
  }),
  payload: builder.objectRef<{ readonly options: string }>('BeginSecurityKeyEnrolmentPayload').implement({
    description: 'What the key is to be asked.',
    fields: (t) => ({
      options: t.exposeString('options', {
        description: 'JSON for `PublicKeyCredential.parseCreationOptionsFromJSON`.',
      }),
    }),
  }),
  errors: ['UserDeleted', TooManySecurityKeysError],
  resolve: async ({ userId }, context, grant) => {
    const reference = await readId(context, 'User', userId, 'user', grant);
    if (isRefusal(reference)) return reference;
    const { organisationId, id } = reference;
    return context.securityKeys.beginEnrolment(context.services, { organisationId, userId: id });
  },
});

mutation({
  name: 'enrolSecurityKey',
  description:
    'Enrols a security key for a user. People show a second factor of their own for it, except for their own first key.',
  input: builder.inputType('EnrolSecurityKeyInput', {
    description: 'A new key, and whose it is.',
    fields: (t) => ({
      userId: t.id({ required: true, description: 'The user that the enrolment was begun for.' }),
      name: t.string({ required: true, validate: text, description: 'A name to tell it from others by.' }),
      response: t.string({
        required: true,
        validate: keyAnswer,
        description: 'What the key answered to the options, as JSON: `JSON.stringify(credential)`.',
      }),
      secondFactor: t.string({ validate: optionalKeyAnswer, description: secondFactorDescription }),
    }),
  }),
  payload: builder.objectRef<{ readonly securityKey: SecurityKeyRow }>('EnrolSecurityKeyPayload').implement({
    description: 'The key that was enrolled.',
    fields: (t) => ({
      securityKey: t.expose('securityKey', { type: 'SecurityKey', description: 'As it is now.' }),
    }),
  }),
  errors: ['SecondFactorRequired', 'UserDeleted', TooManySecurityKeysError, SecurityKeyTakenError],
  resolve: async ({ userId, name, response, secondFactor }, context, grant) => {
    const reference = await readId(context, 'User', userId, 'user', grant);
    if (isRefusal(reference)) return reference;
    const { organisationId, id } = reference;
    const { actor, services, securityKeys } = context;
    const key = await securityKeys.enrol(services, {
      ...{ actor, organisationId, userId: id, name, response },
      secondFactor: secondFactor ?? null,
    });
    return isRefusal(key) ? key : { securityKey: { ...key, organisationId } };
  },
});

mutation({
  name: 'removeSecurityKey',
  description: 'Removes a security key. People show a second factor of their own for it.',
  input: builder.inputType('RemoveSecurityKeyInput', {
    description: 'The key to remove.',
    fields: (t) => ({
      securityKeyId: t.id({ required: true, description: 'The key.' }),
      secondFactor: t.string({ validate: optionalKeyAnswer, description: secondFactorDescription }),
    }),
  }),
  payload: builder.objectRef<Whose>('RemoveSecurityKeyPayload').implement({
    description: 'The key is gone.',
    fields: (t) => ({
      user: t.field({
        type: 'User',
        description: 'Whose it was.',
        resolve: ({ organisationId, userId }, _args, context) =>
          context.getUser(context, { organisationId, id: userId }),
      }),
    }),
  }),
  errors: ['SecondFactorRequired'],
  resolve: async ({ securityKeyId, secondFactor }, context, grant) => {
    const reference = await readId(context, 'SecurityKey', securityKeyId, 'security key', grant);
    if (isRefusal(reference)) return reference;
    const { organisationId, id } = reference;
    const { actor, services, securityKeys } = context;
    const removed = await securityKeys.remove(services, {
      ...{ actor, organisationId, securityKeyId: id },
      secondFactor: secondFactor ?? null,
    });
    return isRefusal(removed) ? removed : { organisationId, userId: removed.userId };
  },
});
