import { builder } from '../graphql/builder.ts';
import { costs } from '../graphql/cost.ts';
import { codedError } from '../graphql/errors.ts';
import { codes } from '../graphql/input.ts';
import type { LicenceCode } from '../kernel/ids.ts';
import type { Period } from '../kernel/interval.ts';
import { nowOf } from '../organisation/domain.ts';
import { listDropped } from '../usage-history/store.ts';
import {
  closeReport,
  decideReport,
  hoursOfWeek,
  type LicenceDenials,
  type ReasonDenials,
  tooManyRefusals,
} from './domain.ts';
import { readReports } from './store.ts';

interface DenialReport extends Period {
  readonly licences: readonly LicenceDenials[];
}

declare module '../graphql/builder.ts' {
  interface Objects {
    DenialReport: DenialReport;
    LicenceDenials: LicenceDenials;
    ReasonDenials: ReasonDenials;
  }
}

builder.objectType('ReasonDenials', {
  description:
    'Refusals of one licence for one reason. `denials` = `gotIn` + `neverGotIn` + `waiting`: by whether the same user acquired the licence within 24 hours of the refusal.',
  fields: (t) => ({
    code: t.exposeString('code', {
      description: 'Why: a logon’s error code, or a feature’s unavailable reason.',
    }),
    denials: t.exposeInt('denials', { description: 'How many refusals.' }),
    users: t.exposeInt('users', { description: 'How many users were refused, each counted once.' }),
    byHourOfWeek: t.intList({
      description:
        'How many in each hour of the week, by the clocks of the organisation’s zone: 168, from Monday’s first to Sunday’s last.',
      extensions: costs({ assumedSize: hoursOfWeek }),
      resolve: ({ byHourOfWeek }) => [...byHourOfWeek],
    }),
    gotIn: t.exposeInt('gotIn', {
      nullable: true,
      description:
        'After how many the user got in within 24 hours. This and what follows is null where `LicenceDenials.dropped` says that it is no longer known.',
    }),
    medianMilliseconds: t.expose('medianMilliseconds', {
      type: 'SafeInt',
      nullable: true,
      description: 'Of those who got in: after what time half of them had. Null where nobody did.',
    }),
    ninetiethPercentileMilliseconds: t.expose('ninetiethPercentileMilliseconds', {
      type: 'SafeInt',
      nullable: true,
      description: 'Of those who got in: after what time nine in ten had. Null where nobody did.',
    }),
    neverGotIn: t.exposeInt('neverGotIn', {
      nullable: true,
      description: 'After how many the user did not get in within 24 hours.',
    }),
    waiting: t.exposeInt('waiting', {
      nullable: true,
      description: 'After how many the user did not get in yet, and 24 hours are not over.',
    }),
  }),
});

builder.objectType('LicenceDenials', {
  description: 'Refusals of one licence.',
  fields: (t) => ({
    licence: t.field({
      type: 'Licence',
      description: 'What was refused.',
      resolve: ({ licence }, _args, context) => context.getLicence(context, licence),
    }),
    denials: t.exposeInt('denials', { description: 'How many refusals, whatever the reason.' }),
    users: t.exposeInt('users', { description: 'How many users were refused, each counted once.' }),
    unmetDemand: t.exposeInt('unmetDemand', {
      nullable: true,
      description:
        'Null where `dropped` says that it is no longer known. The seats that would have been needed beside those in use: the most users that wanted one in vain at one instant. A user who is refused for want of seats (NO_SEAT_AVAILABLE, NO_CHANNEL_AVAILABLE, NOT_PURCHASED, CONTINGENCY_CAPPED) wants a seat until they get in, or for 15 minutes after their last refusal.',
    }),
    unmetDemandAt: t.expose('unmetDemandAt', {
      type: 'DateTime',
      nullable: true,
      description: 'The first instant at which it was so; null while it is 0.',
    }),
    dropped: t.expose('dropped', {
      type: 'DroppedHistory',
      nullable: true,
      description:
        'What of the history is gone that would tell who of those refused got in; null: nothing. Refusals themselves are never dropped.',
    }),
    reasons: t.field({
      type: ['ReasonDenials'],
      description: 'By reason, the most frequent first.',
      extensions: costs({ assumedSize: 5 }),
      resolve: ({ reasons }) => [...reasons],
    }),
  }),
});

builder.objectType('DenialReport', {
  description: 'Refusals as demand: who was refused what, when, and for how long.',
  fields: (t) => ({
    from: t.expose('from', { type: 'DateTime', description: 'Its first instant.' }),
    until: t.expose('until', { type: 'DateTime', description: 'The first instant that is not in it.' }),
    licences: t.field({
      type: ['LicenceDenials'],
      description: 'The licences that were refused to somebody, in catalogue order.',
      resolve: ({ licences }) => [...licences],
    }),
  }),
});

builder.objectField('Organisation', 'denialReport', (t) =>
  t.field({
    type: 'DenialReport',
    nullable: true,
    description:
      'The refusals of a time of at most 366 days and a million refusals: by licence, reason and hour of the week, whether and when those refused got in, and how many seats were wanting.',
    extensions: costs({ weight: 1000 }),
    args: {
      from: t.arg({ type: 'DateTime', required: true, description: 'Its first instant.' }),
      until: t.arg({
        type: 'DateTime',
        required: true,
        description: 'The first instant that is not in it; 366 days later at most.',
      }),
      licences: t.arg.stringList({ validate: codes, description: 'Only the licences with these codes.' }),
    },
    resolve: async (organisation, { from, until, licences }, { services }) => {
      const period = { from, until };
      const refusal = decideReport(period);
      if (refusal !== null) throw codedError(refusal);
      const { db, clock, catalogue } = services;
      const { id, timeZone } = organisation;
      const only = (licences ?? null) as readonly LicenceCode[] | null;
      const [reports, known] = await Promise.all([
        readReports(db, [{ organisationId: id, timeZone }], only, period),
        catalogue(),
      ]);
      const report = reports?.[0];
      if (report === undefined) {
        throw codedError(tooManyRefusals);
      }
      // Asked last: what is dropped while the report is read is known by then.
      const found = closeReport(report, nowOf(organisation, clock.now()), await listDropped(db, id));
      const place = ({ licence }: LicenceDenials) => known.get(licence)?.position ?? Infinity;
      return { ...period, licences: found.toSorted((one, other) => place(one) - place(other)) };
    },
  }),
);
