import { builder } from '../graphql/builder.ts';
import { connect, connectionType, type Order, pageArguments } from '../graphql/connection.ts';
import type { Context } from '../graphql/context.ts';
import { costs } from '../graphql/cost.ts';
import { codedError } from '../graphql/errors.ts';
import { text } from '../graphql/input.ts';
import { createLoader, sharedScope } from '../graphql/loader.ts';
import { mutation } from '../graphql/mutation.ts';
import { readId, readOrganisationId, registerNode } from '../graphql/node.ts';
import { type AlertId, encodeOwnedId, type OrganisationId } from '../kernel/ids.ts';
import { invalidInput, isRefusal, notFound } from '../kernel/refusal.ts';
import { inCatalogueOrder } from '../licence/domain.ts';
import { type News, organisationTopic, type Position } from '../live/live.ts';
import { acknowledgeAlerts, setAlertThresholds, type ThresholdsOfLicence } from './commands.ts';
import { type AlertKind, describeAlert } from './domain.ts';
import {
  countAlerts,
  listAlerts,
  listAlertsSince,
  listThresholds,
  pageAlerts,
  type RecordedAlert,
} from './store.ts';

interface AlertRow extends RecordedAlert {
  readonly organisationId: OrganisationId;
}

type Owned = Pick<AlertRow, 'organisationId' | 'id'>;

interface UsageAlerts {
  readonly organisationId: OrganisationId;
  readonly snapshot: boolean;
  readonly alerts: readonly AlertRow[];
  readonly scope: object;
}

declare module '../graphql/builder.ts' {
  interface Objects {
    Alert: AlertRow;
    AlertThresholds: ThresholdsOfLicence;
    UsageAlerts: UsageAlerts;
  }
  interface Enums {
    AlertKind: AlertKind;
  }
}

/** So many are acknowledged at once, and so many an event has at most. */
const maxAlerts = 100;

const keyOf = ({ organisationId, id }: Owned) => `${organisationId}/${id}`;

const findAlert = createLoader<Owned, AlertRow>(keyOf, async ({ services }, keys) => {
  const found = new Map((await listAlerts(services.db, keys)).map((alert) => [keyOf(alert), alert]));
  return keys.map((key) => found.get(keyOf(key)) ?? null);
});

registerNode('Alert', async (context, { organisationId, id }) => {
  if ((await context.findOrganisation(context, organisationId)) === null) return null;
  return findAlert(context, { organisationId, id: id as AlertId });
});

builder.enumType('AlertKind', {
  description: 'What an alert is about.',
  values: {
    CONCURRENT_NEARLY_FULL: {
      description: 'So many percent of the concurrent seats are in use. Clears 5 points below.',
    },
    CONTINGENCY_FIRST_SEAT: { description: 'The first contingency seats of the month came to be billed.' },
    CONTINGENCY_NEW_PEAK: { description: 'The month’s peak rose: one more seat is billed.' },
    CONTINGENCY_NEARLY_FULL: {
      description:
        'So many percent of the contingency seats that may be used are, a cap considered. Clears 5 points below.',
    },
    BASE_NEARLY_GONE: {
      description:
        'So many percent of the base licences or fixed seats are taken: assigned, or locked. Clears 5 points below.',
    },
  },
});

builder.objectType('Alert', {
  interfaces: ['Node'],
  description:
    'A threshold that was reached. Raised by the very change that reached it, once: again only after it cleared.',
  fields: (t) => ({
    id: t.id({
      description: 'Opaque and globally unique.',
      resolve: ({ organisationId, id }) => encodeOwnedId('Alert', organisationId, id),
    }),
    organisation: t.field({
      type: 'Organisation',
      description: 'Whose it is.',
      resolve: ({ organisationId }, _args, context) => context.getOrganisation(context, organisationId),
    }),
    kind: t.field({ type: 'AlertKind', description: 'What it is about.', resolve: ({ kind }) => kind }),
    licence: t.field({
      type: 'Licence',
      description: 'Of which licence.',
      resolve: ({ licence }, _args, context) => context.getLicence(context, licence),
    }),
    at: t.expose('at', { type: 'DateTime', description: 'When, by the organisation’s clock.' }),
    used: t.exposeInt('used', {
      description: 'Seats in use then, or base licences taken; of the first seat and a new peak, the peak.',
    }),
    total: t.exposeInt('total', { description: 'Of how many.' }),
    previous: t.exposeInt('previous', {
      nullable: true,
      description: 'Of CONTINGENCY_NEW_PEAK: the month’s peak before.',
    }),
    percent: t.exposeInt('percent', {
      nullable: true,
      description: 'The threshold that was reached; null for kinds without one.',
    }),
    message: t.string({
      description: 'What happened and what to do about it, for people.',
      resolve: async (alert, _args, context) =>
        describeAlert(alert, (await context.getLicence(context, alert.licence)).name),
    }),
    acknowledgedAt: t.expose('acknowledgedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When somebody said that they have seen it; null: nobody has.',
    }),
    acknowledgedBy: t.field({
      type: 'User',
      nullable: true,
      description: 'Who; null where nobody has, or no user of the organisation.',
      resolve: ({ organisationId, acknowledgedBy }, _args, context) =>
        acknowledgedBy === null ? null : context.getUser(context, { organisationId, id: acknowledgedBy }),
    }),
  }),
});

const AlertConnection = connectionType('Alert', 'Alerts, newest first.');
const newestFirst: Order<AlertRow> = {
  name: 'alerts',
  parts: ['instant', 'uuid'],
  keyOf: ({ at, id }) => [at, id],
};

builder.objectField('Organisation', 'alerts', (t) =>
  t.field({
    type: AlertConnection,
    nullable: true,
    description: 'Thresholds that were reached, newest first.',
    args: {
      ...pageArguments(t.arg),
      acknowledged: t.arg.boolean({
        description: 'true: only acknowledged ones; false: only the others; both if nothing is said.',
      }),
    },
    resolve: ({ id }, { acknowledged, ...page }, { services }) =>
      connect(
        newestFirst,
        page,
        (request) => pageAlerts(services.db, [id], acknowledged ?? null, request),
        () => countAlerts(services.db, [id], acknowledged ?? null),
      ),
  }),
);

builder.objectType('AlertThresholds', {
  description: 'When an organisation is told of a licence.',
  fields: (t) => ({
    licence: t.field({
      type: 'Licence',
      description: 'Of which licence.',
      resolve: ({ licence }, _args, context) => context.getLicence(context, licence),
    }),
    concurrentPercent: t.int({
      description: 'Of the concurrent seats in use; 0: never.',
      resolve: ({ thresholds }) => thresholds.concurrentPercent,
    }),
    contingencyPercent: t.int({
      description: 'Of the contingency seats in use, of those that may be; 0: never.',
      resolve: ({ thresholds }) => thresholds.contingencyPercent,
    }),
    basePercent: t.int({
      description: 'Of the base licences or fixed seats that are taken; 0: never.',
      resolve: ({ thresholds }) => thresholds.basePercent,
    }),
    firstContingencySeat: t.boolean({
      description: 'Whether of a month’s first contingency seats.',
      resolve: ({ thresholds }) => thresholds.firstContingencySeat,
    }),
    newPeak: t.boolean({
      description: 'Whether of each further seat by which the month’s peak rises.',
      resolve: ({ thresholds }) => thresholds.newPeak,
    }),
  }),
});

builder.objectField('Organisation', 'alertThresholds', (t) =>
  t.field({
    type: ['AlertThresholds'],
    nullable: true,
    description:
      'The thresholds that were set, in catalogue order. Any other licence has 90 % of concurrent seats, 90 % of contingency seats, 95 % of base licences, the month’s first contingency seat, and each new peak.',
    extensions: costs({ weight: 10, assumedSize: 30 }),
    resolve: async ({ id }, _args, { services }) => {
      const set = new Map((await listThresholds(services.db, id)).map((each) => [each.licence, each]));
      const catalogue = await services.catalogue([...set.keys()]);
      return inCatalogueOrder(catalogue, set.keys()).flatMap(({ code }) => set.get(code) ?? []);
    },
  }),
);

const SetAlertThresholdsInput = builder.inputType('SetAlertThresholdsInput', {
  description: 'What changes; what is left out, or null, stays as it is.',
  fields: (t) => ({
    organisationId: t.id({ required: true, description: 'Who is told.' }),
    licence: t.string({
      required: true,
      validate: text,
      description: 'The licence’s code, such as `INBOUND_AGENT`.',
    }),
    concurrentPercent: t.int({ description: 'Of the concurrent seats in use: 10 to 100; 0: never.' }),
    contingencyPercent: t.int({
      description: 'Of the contingency seats in use, of those that may be: 10 to 100; 0: never.',
    }),
    basePercent: t.int({
      description: 'Of the base licences or fixed seats that are taken: 10 to 100; 0: never.',
    }),
    firstContingencySeat: t.boolean({ description: 'Whether of a month’s first contingency seats.' }),
    newPeak: t.boolean({ description: 'Whether of each further seat by which the month’s peak rises.' }),
  }),
});

mutation({
  name: 'setAlertThresholds',
  description:
    'Says when an organisation is told of a licence. What the new thresholds find reached is told at once.',
  input: SetAlertThresholdsInput,
  payload: builder
    .objectRef<{ readonly alertThresholds: ThresholdsOfLicence }>('SetAlertThresholdsPayload')
    .implement({
      description: 'What was set.',
      fields: (t) => ({
        alertThresholds: t.expose('alertThresholds', {
          type: 'AlertThresholds',
          description: 'As they are now.',
        }),
      }),
    }),
  errors: [],
  resolve: async (input, context) => {
    const reference = await readOrganisationId(context, input.organisationId);
    if (isRefusal(reference)) return reference;
    const alertThresholds = await setAlertThresholds(context.services, {
      ...reference,
      licence: input.licence,
      change: {
        concurrentPercent: input.concurrentPercent ?? null,
        contingencyPercent: input.contingencyPercent ?? null,
        basePercent: input.basePercent ?? null,
        firstContingencySeat: input.firstContingencySeat ?? null,
        newPeak: input.newPeak ?? null,
      },
    });
    return isRefusal(alertThresholds) ? alertThresholds : { alertThresholds };
  },
});

const AcknowledgeAlertsInput = builder.inputType('AcknowledgeAlertsInput', {
  description: 'What somebody has seen.',
  fields: (t) => ({
    alertIds: t.idList({
      required: true,
      description: '1 to 100 alerts, of one organisation or of several.',
    }),
  }),
});

mutation({
  name: 'acknowledgeAlerts',
  description: 'Says that alerts have been seen. The first to say so stands; a second time changes nothing.',
  input: AcknowledgeAlertsInput,
  payload: builder.objectRef<{ readonly alerts: readonly AlertRow[] }>('AcknowledgeAlertsPayload').implement({
    description: 'What was acknowledged.',
    fields: (t) => ({
      alerts: t.field({
        type: ['Alert'],
        description: 'The alerts, as they are now, in the order of the ids.',
        resolve: ({ alerts }) => [...alerts],
      }),
    }),
  }),
  errors: [],
  resolve: async ({ alertIds }, context) => {
    const [first] = alertIds;
    if (first === undefined || alertIds.length > maxAlerts)
      return invalidInput('alertIds', `Name 1 to ${maxAlerts} alerts at once.`);
    const references = await Promise.all(
      [...new Set(alertIds)].map((id) => readId(context, 'Alert', id, 'alert')),
    );
    const named: Owned[] = [];
    for (const reference of references) {
      if (isRefusal(reference)) return reference;
      named.push(reference);
    }
    return acknowledgeAlerts(context.services, named);
  },
});

builder.objectType('UsageAlerts', {
  description: 'An event of `usageAlerts`: first all that nobody has acknowledged, then what is raised.',
  fields: (t) => ({
    organisation: t.field({
      type: 'Organisation',
      description: 'Whose alerts they are.',
      resolve: ({ organisationId }, _args, context) => context.getOrganisation(context, organisationId),
    }),
    snapshot: t.exposeBoolean('snapshot', {
      description: 'Whether these are the alerts that nobody has acknowledged, not only new ones.',
    }),
    alerts: t.field({
      type: ['Alert'],
      description: 'Newest first: the newest 100, where there are more. `Organisation.alerts` has all.',
      extensions: costs({ assumedSize: maxAlerts }),
      resolve: ({ alerts }) => [...alerts],
    }),
  }),
});

/** Read once for all the groups of subscribers that have seen the same. @param since null: whoever has seen nothing */
const findNews = createLoader<
  { readonly organisationId: OrganisationId; readonly since: number | null },
  readonly AlertRow[]
>(
  ({ organisationId, since }) => `${organisationId}/${since ?? ''}`,
  ({ services: { db } }, keys) =>
    Promise.all(
      keys.map(({ organisationId, since }) =>
        since === null
          ? pageAlerts(db, [organisationId], false, { limit: maxAlerts, backward: false, beyond: null })
          : listAlertsSince(db, organisationId, since, maxAlerts),
      ),
    ),
);

/** What a subscriber of `usageAlerts` has seen: all up to a revision of the organisation. */
interface SeenAlerts extends Position {
  readonly version: number;
}

builder.subscriptionField('usageAlerts', (t) =>
  t.field({
    type: 'UsageAlerts',
    description:
      'Thresholds as they are reached. The first event is a snapshot of the alerts that nobody has acknowledged; each later one holds what was raised since. Several in quick succession may arrive as one event; the last always arrives.',
    args: { organisationId: t.arg.id({ required: true, description: 'Whose alerts.' }) },
    subscribe: async (_root, { organisationId }, context) => {
      const reference = await readOrganisationId(context, organisationId);
      if (isRefusal(reference)) throw codedError(reference);
      const id = reference.organisationId;
      if ((await context.findOrganisation(context, id)) === null) throw codedError(notFound('organisation'));
      return context.services.live.follow(organisationTopic(id), createAlertReader(context, id));
    },
    resolve: (event, _args, context) => {
      context.scope = event.scope;
      return event;
    },
  }),
);

/** Reads what was raised since a subscriber last saw it; no event where nothing was. */
function createAlertReader(
  context: Context,
  organisationId: OrganisationId,
): (since: SeenAlerts | null) => Promise<News<UsageAlerts, SeenAlerts>> {
  return async (since) => {
    const fresh = { ...context, scope: sharedScope(context) };
    const { revision } = await fresh.getOrganisation(fresh, organisationId);
    if (since !== null && revision <= since.version) return { value: null, position: since, isLast: false };
    const alerts = (await findNews(fresh, { organisationId, since: since?.version ?? null })) ?? [];
    // Alerts may be newer than the organisation that was read before them: they are not to be sent again.
    const position = { version: Math.max(revision, ...alerts.map((alert) => alert.revision)) };
    if (since !== null && alerts.length === 0) return { value: null, position, isLast: false };
    return {
      value: { organisationId, snapshot: since === null, alerts, scope: fresh.scope },
      position,
      isLast: false,
    };
  };
}
