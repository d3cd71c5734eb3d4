import { brandWithType } from '@pothos/core';
import { builder } from '../graphql/builder.ts';
import type { Context } from '../graphql/context.ts';
import { costs } from '../graphql/cost.ts';
import { registerNode } from '../graphql/node.ts';
import { encodeLicenceId, type LicenceCode } from '../kernel/ids.ts';
import { isFeature, type Licence, type LicenceCategory, type SeatModel } from './domain.ts';

declare module '../graphql/builder.ts' {
  interface Objects {
    LicenceType: Licence;
    FeatureLicence: Licence;
  }
  interface Interfaces {
    Licence: Licence;
  }
  interface Enums {
    LicenceCategory: LicenceCategory;
    SeatModel: SeatModel;
  }
}

declare module '../graphql/context.ts' {
  interface Context {
    readonly getLicence: (context: Context, code: LicenceCode) => Promise<Licence>;
  }
}

/** A licence that something refers to. */
export async function getLicence(context: Context, code: LicenceCode): Promise<Licence> {
  const licence = (await context.services.catalogue([code])).get(code);
  if (licence === undefined) throw new Error(`Licence ${code} is not in the catalogue`);
  return licence;
}

registerNode('Licence', async (context, { licence: code }) => {
  const licence = (await context.services.catalogue([code])).get(code);
  if (licence === undefined) return null;
  brandWithType(licence, (isFeature(licence) ? 'FeatureLicence' : 'LicenceType') as never);
  return licence;
});

builder.enumType('LicenceCategory', {
  description: 'What kind of thing a licence is.',
  values: {
    USER: { description: 'A licence type of people or devices that log on.' },
    FEATURE: { description: 'A feature or channel, used within a session.' },
    PRODUCT: { description: 'A licence type of another product.' },
  },
});

builder.enumType('SeatModel', {
  description: 'Who may sit on a seat.',
  values: {
    CONCURRENT: { description: 'Seats are shared by all holders: as many at a time as there are seats.' },
    FIXED: { description: 'One seat belongs to one named user.' },
  },
});

builder.interfaceType('Licence', {
  interfaces: ['Node'],
  description: 'Anything that an organisation buys seats of: a licence type or a feature licence.',
  resolveType: (licence) => (isFeature(licence) ? 'FeatureLicence' : 'LicenceType'),
  fields: (t) => ({
    id: t.id({ description: 'Opaque and globally unique.', resolve: ({ code }) => encodeLicenceId(code) }),
    code: t.exposeString('code', { description: 'Its code in the catalogue, such as `INBOUND_AGENT`.' }),
    name: t.exposeString('name', { description: 'As people know it.' }),
    category: t.field({
      type: 'LicenceCategory',
      description: 'What kind of thing it is.',
      resolve: ({ category }) => category,
    }),
    seatModel: t.field({
      type: 'SeatModel',
      description: 'Whether its seats are shared or belong to named users.',
      resolve: ({ seatModel }) => seatModel,
    }),
    contingencyAllowed: t.exposeBoolean('contingencyAllowed', {
      description: 'Whether contingency seats can be bought of it.',
    }),
  }),
});

builder.objectType('LicenceType', {
  interfaces: ['Node', 'Licence'],
  description: 'A licence that a user logs on with. Each holder has a base licence.',
  fields: (t) => ({
    channelRequired: t.exposeBoolean('channelRequired', {
      description: 'Whether a logon needs at least one channel, such as calls or e-mail.',
    }),
    secondFactorRequired: t.exposeBoolean('secondFactorRequired', {
      description: 'Whether a logon needs a second factor.',
    }),
    reassignmentDays: t.exposeInt('reassignmentDays', {
      description: 'Days, of 24 hours, in which a base licence can be reassigned once.',
    }),
  }),
});

builder.objectType('FeatureLicence', {
  interfaces: ['Node', 'Licence'],
  description: 'A feature of a session, such as calls, e-mail or recording.',
  fields: (t) => ({
    channel: t.exposeBoolean('channel', {
      description: 'Whether it is a channel, of which an agent’s logon needs at least one.',
    }),
  }),
});

builder.queryField('licences', (t) =>
  t.field({
    type: ['Licence'],
    description: 'The catalogue: all that can be bought, in its order.',
    extensions: costs({ assumedSize: 30 }),
    args: {
      categories: t.arg({
        type: ['LicenceCategory'],
        description: 'Only these categories; all if nothing is said.',
      }),
    },
    resolve: async (_root, { categories }, context) => {
      const licences = [...(await context.services.catalogue()).values()];
      return categories == null ? licences : licences.filter(({ category }) => categories.includes(category));
    },
  }),
);
