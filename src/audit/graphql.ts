import { builder } from '../graphql/builder.ts';
import { connect, connectionType, type Order, pageArguments } from '../graphql/connection.ts';
import { optionalText } from '../graphql/input.ts';
import type { Role } from '../kernel/actor.ts';
import type { Entry, Who } from './domain.ts';
import { countEntries, pageEntries } from './store.ts';

type AuditActor = Who & { readonly role: Role };

declare module '../graphql/builder.ts' {
  interface Objects {
    AuditEntry: Entry;
    AuditActor: AuditActor;
  }
  interface Enums {
    Role: Role;
  }
}

builder.enumType('Role', {
  description: 'What an actor is, and may therefore do.',
  values: {
    OPERATOR: { description: 'Runs the service: all organisations.' },
    PARTNER: { description: 'Sells it: its organisation and all below.' },
    ADMINISTRATOR: { description: 'Of one organisation: its users, their assignments and sessions.' },
    SUPERVISOR: { description: 'Of one organisation: reads its figures and sessions, and forces logoffs.' },
    WALLBOARD: { description: 'A screen: one organisation’s usage.' },
    AGENT: { description: 'One user.' },
  },
});

builder.objectType('AuditActor', {
  description: 'Who did something, or tried to.',
  fields: (t) => ({
    role: t.field({ type: 'Role', description: 'As what.', resolve: ({ role }) => role }),
    credential: t.string({
      description: 'By which credential: its name, never the secret itself.',
      resolve: ({ credential }) => credential ?? '',
    }),
    userId: t.id({
      nullable: true,
      description:
        'The user that the actor is, as a UUID: it may be of another organisation. Null: a machine.',
      resolve: ({ userId }) => userId,
    }),
  }),
});

builder.objectType('AuditEntry', {
  description:
    'One entry of an organisation’s audit log: a change, or an attempt that was denied. Entries are never changed.',
  fields: (t) => ({
    sequence: t.field({
      type: 'SafeInt',
      description: 'Its place in the organisation’s chain: 1, 2, 3 …, without a gap.',
      resolve: ({ sequence }) => sequence,
    }),
    at: t.expose('at', {
      type: 'DateTime',
      description: 'When, in real time, also of an organisation with a test clock.',
    }),
    actor: t.field({
      type: 'AuditActor',
      nullable: true,
      description: 'Who; null of what the service did by itself, and of those whom it does not know.',
      resolve: (entry) => (entry.role === null ? null : { ...entry, role: entry.role }),
    }),
    requestId: t.exposeString('requestId', {
      nullable: true,
      description: 'The request’s id, which its answer and the service’s own logs carry too.',
    }),
    action: t.exposeString('action', {
      description: 'The mutation, such as `createUser`; of a denied read the field, such as `Query.node`.',
    }),
    outcome: t.exposeString('outcome', {
      description: 'DONE, or why it was denied: FORBIDDEN, NOT_FOUND, UNAUTHENTICATED. More may be added.',
    }),
    subject: t.exposeString('subject', { nullable: true, description: 'The id of what it was done to.' }),
    before: t.expose('before', {
      type: 'JSON',
      nullable: true,
      description: 'What it changed, as it was. The names of a user who was erased are a pseudonym.',
    }),
    after: t.expose('after', {
      type: 'JSON',
      nullable: true,
      description:
        'What it changed, as it is since. Of denied attempts: how many equal ones the entry stands for.',
    }),
    hash: t.string({
      description: 'SHA-256 of the entry and of the hash before it, in hexadecimal.',
      resolve: ({ hash }) => hash.toString('hex'),
    }),
  }),
});

const AuditEntryConnection = connectionType('AuditEntry', 'An organisation’s audit log, newest first.');

const newestFirst: Order<Entry> = {
  name: 'audit',
  parts: ['instant', 'integer'],
  keyOf: ({ at, sequence }) => [at, sequence],
};

builder.objectField('Organisation', 'auditLog', (t) =>
  t.field({
    type: AuditEntryConnection,
    nullable: true,
    description:
      'Every administrative change, and every denied attempt of the organisation’s own actors, newest first. Logons and the like have a history of their own.',
    args: {
      ...pageArguments(t.arg),
      action: t.arg.string({ validate: optionalText, description: 'Only of this action.' }),
      from: t.arg({ type: 'DateTime', description: 'Only from this instant on.' }),
      until: t.arg({ type: 'DateTime', description: 'Only before this instant.' }),
      credential: t.arg.string({ validate: optionalText, description: 'Only by this credential.' }),
    },
    resolve: ({ id: organisationId }, { action, from, until, credential, ...page }, { services }) => {
      const filter = {
        action: action ?? null,
        from: from ?? null,
        until: until ?? null,
        credential: credential ?? null,
      };
      return connect(
        newestFirst,
        page,
        (request) => pageEntries(services.db, organisationId, filter, request),
        () => countEntries(services.db, organisationId, filter),
      );
    },
  }),
);
