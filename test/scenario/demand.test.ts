import { afterAll, beforeAll, expect, test } from 'vitest';
import { advance, buy, createOrganisation, createUser, dropHistory, logon, uuidOf } from '../setup/given.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
let organisationId: string;

const minute = 60_000;
const hour = (day: number, ofDay: number) => day * 24 + ofDay;

/** A weekend on which five want three seats, and the clocks go forward; then a month in which nobody comes. */
beforeAll(async () => {
  server = await startTestServer();
  organisationId = await createOrganisation(server, {
    testClockAt: '2026-03-28T09:00:00Z',
    timeZone: 'Europe/London',
    leaseSeconds: 3600,
  });
  await buy(server, organisationId, 'SUPERVISOR', { base: 5, concurrent: 2, contingency: 1 });
  const price = { organisationId, licence: 'SUPERVISOR', currency: 'GBP' };
  await server.mutate('setBillingTerms', { organisationId, currency: 'GBP' });
  await server.mutate('setPrice', { ...price, kind: 'CONCURRENT', amount: 70 });
  await server.mutate('setPrice', { ...price, kind: 'CONTINGENCY', amount: 300 });
  // From the very end of what is looked at on.
  await server.mutate('setPrice', {
    ...{ ...price, kind: 'CONCURRENT', amount: 90, from: '2026-04-30T23:00:00Z' },
  });
  const users: string[] = [];
  for (let index = 0; index < 5; index += 1) {
    users.push(await createUser(server, organisationId, `user-${index}`, ['SUPERVISOR']));
  }
  const come = async (...indexes: number[]) => {
    const answers = [];
    for (const index of indexes) answers.push(await logon(server, users[index] ?? '', 'SUPERVISOR'));
    return answers;
  };
  await advance(server, organisationId, '2026-03-28T10:00:00Z');
  const [first] = await come(0, 1, 2, 3, 4);
  await advance(server, organisationId, '2026-03-28T10:05:00Z');
  await come(3);
  await advance(server, organisationId, '2026-03-28T10:10:00Z');
  await server.mutate('logoff', { sessionId: first?.session?.id });
  await come(3);
  await advance(server, organisationId, '2026-03-29T09:30:00Z');
  await come(0, 1, 2, 4);
  await advance(server, organisationId, '2026-05-02T00:00:00Z');
});
afterAll(() => server.stop());

async function ask(field: string) {
  const { data, errors } = await server.query(
    `query ($id: ID!) { organisation(id: $id) { answer: ${field} } }`,
    { id: organisationId },
  );
  return errors === undefined
    ? data.organisation.answer
    : errors.map(({ message, extensions }) => [extensions.code, message]);
}

const licenceDenials = `licences {
  licence { code } denials users unmetDemand unmetDemandAt
  reasons { code denials users byHourOfWeek gotIn medianMilliseconds ninetiethPercentileMilliseconds neverGotIn waiting }
}`;

test('refusals as demand: who was refused, when by the clocks of the zone, and what became of it', async () => {
  const { licences } = await ask(
    `denialReport(from: "2026-03-01T00:00:00Z", until: "2026-05-01T00:00:00Z") { ${licenceDenials} }`,
  );
  const byHourOfWeek = Array.from({ length: 168 }, () => 0);
  byHourOfWeek[hour(5, 10)] = 3;
  // Half past nine in UTC is half past ten in London, since that night.
  byHourOfWeek[hour(6, 10)] = 1;
  expect(licences).toEqual([
    {
      licence: { code: 'SUPERVISOR' },
      denials: 4,
      users: 2,
      unmetDemand: 2,
      unmetDemandAt: '2026-03-28T10:00:00.000Z',
      reasons: [
        {
          code: 'NO_SEAT_AVAILABLE',
          denials: 4,
          users: 2,
          byHourOfWeek,
          gotIn: 2,
          medianMilliseconds: 5 * minute,
          ninetiethPercentileMilliseconds: 10 * minute,
          neverGotIn: 2,
          waiting: 0,
        },
      ],
    },
  ]);
});

test('who was refused shortly before a report begins wants a seat in it still', async () => {
  const report = async (from: string) =>
    ask(
      `denialReport(from: "${from}", until: "2026-03-28T11:00:00Z") { licences { denials unmetDemand unmetDemandAt } }`,
    );
  expect(await report('2026-03-28T10:12:00Z')).toEqual({
    licences: [{ denials: 0, unmetDemand: 1, unmetDemandAt: '2026-03-28T10:12:00.000Z' }],
  });
  expect(await report('2026-03-28T10:15:00Z')).toEqual({ licences: [] });
});

const costing =
  'concurrent contingency cost saving contingencyBilled refusedArrivals shortMilliseconds maxShort';

test('what to buy: what today’s quantities cost and refused, the cheapest that refuse nobody, and what is proposed', async () => {
  const [advice, ...others] = await ask(`rightSizing(
      proposal: [{ licence: "SUPERVISOR", concurrent: 3, contingency: 1 }]
      fees: [{ licence: "SUPERVISOR", concurrent: 100 }]
    ) {
      licence { code } fees { concurrent contingency currency missing } dropped { keptSince }
      months { from maxInUse maxUnmet maxWanted levels(first: 2) { seats milliseconds arrivals } }
      present { ${costing} } cheapest { ${costing} } proposals { ${costing} } tradeOff { concurrent cost maxShort }
    }`);
  expect(others).toEqual([]);
  expect(advice.licence).toEqual({ code: 'SUPERVISOR' });
  expect(advice.dropped).toBeNull();
  expect(advice.fees).toEqual({ concurrent: 100, contingency: 300, currency: 'GBP', missing: [] });
  // April begins with British summer time: at 23:00 in UTC.
  expect(advice.months).toEqual([
    {
      from: '2026-03-01T00:00:00.000Z',
      maxInUse: 3,
      maxUnmet: 2,
      maxWanted: 5,
      levels: [
        { seats: 5, milliseconds: 10 * minute, arrivals: 1 },
        // For five minutes after user 3 got in, and for user 4's patience on Sunday.
        { seats: 4, milliseconds: 20 * minute, arrivals: 2 },
      ],
    },
    {
      from: '2026-03-31T23:00:00.000Z',
      maxInUse: 0,
      maxUnmet: 0,
      maxWanted: 0,
      levels: [{ seats: 0, milliseconds: 30 * 24 * 60 * minute, arrivals: 0 }],
    },
  ]);
  expect(advice.present).toEqual({
    concurrent: 2,
    contingency: 1,
    cost: 2 * 200 + 300,
    saving: 0,
    contingencyBilled: [1, 0],
    refusedArrivals: 3,
    shortMilliseconds: 30 * minute,
    maxShort: 2,
  });
  expect(advice.cheapest).toEqual({
    concurrent: 5,
    contingency: 0,
    cost: 2 * 500,
    saving: -300,
    contingencyBilled: [0, 0],
    refusedArrivals: 0,
    shortMilliseconds: 0,
    maxShort: 0,
  });
  expect(advice.proposals).toMatchObject([{ cost: 2 * 300 + 300, refusedArrivals: 1, maxShort: 1 }]);
  expect(advice.tradeOff[3]).toEqual({ concurrent: 4, cost: 800, maxShort: 1 });

  // With equal fees what is wanted in one month of two is cheapest in reserve.
  const [equal] = await ask(
    'rightSizing(fees: [{ licence: "SUPERVISOR", concurrent: 1, contingency: 1 }]) { cheapest { concurrent contingency cost } }',
  );
  expect(equal.cheapest).toEqual({ concurrent: 0, contingency: 5, cost: 5 });
  expect(
    await ask(
      'rightSizing(fees: [{ licence: "SUPERVISOR", concurrent: 1 }, { licence: "SUPERVISOR", concurrent: 2 }]) { fees { concurrent } }',
    ),
  ).toEqual([['INVALID_INPUT', 'The fees of SUPERVISOR are given twice.']]);
});

test('where no fee is given the price book says it, at the end of the months; a price that is missing is named', async () => {
  const selection = `{
    licence { code } fees { concurrent contingency currency missing } present { cost } }`;
  const [booked] = await ask(`rightSizing ${selection}`);
  expect(booked).toEqual({
    licence: { code: 'SUPERVISOR' },
    fees: { concurrent: 90, contingency: 300, currency: 'GBP', missing: [] },
    present: { cost: 2 * 180 + 300 },
  });
  const unpriced = (given: string) =>
    ask(
      `rightSizing(proposal: [{ licence: "INBOUND_AGENT", concurrent: 1 }], licences: ["INBOUND_AGENT"]${given}) ${selection}`,
    );
  const nothing = { concurrent: 1, contingency: 1, currency: null };
  expect(await unpriced('')).toMatchObject([
    { fees: { ...nothing, missing: ['CONCURRENT', 'CONTINGENCY'] } },
  ]);
  const half = ', fees: [{ licence: "INBOUND_AGENT", contingency: 5 }]';
  expect(await unpriced(half)).toMatchObject([{ fees: { ...nothing, missing: ['CONCURRENT'] } }]);
  const given = ', fees: [{ licence: "INBOUND_AGENT", concurrent: 5 }]';
  expect(await unpriced(given)).toMatchObject([
    { fees: { concurrent: 5, contingency: 5, currency: 'GBP', missing: [] } },
  ]);
});

test.each([
  ['denialReport(from: "2026-03-01T00:00:00Z", until: "2027-03-03T00:00:00Z") { from }', '366 days'],
  ['denialReport(from: "2026-03-01T00:00:00Z", until: "2026-03-01T00:00:00Z") { from }', 'after it begins'],
  ['rightSizing(months: 0) { present { cost } }', '1 to 24'],
  ['rightSizing(months: 25) { present { cost } }', '1 to 24'],
  ['rightSizing(proposal: [{ licence: "UC_USER", concurrent: 1 }]) { present { cost } }', 'UC_USER'],
  ['rightSizing(proposal: [{ licence: "SUPERVISOR", concurrent: -1 }]) { present { cost } }', '0 to 1000000'],
  [
    'rightSizing(fees: [{ licence: "SUPERVISOR", concurrent: 100000001 }]) { present { cost } }',
    'minor units',
  ],
  ['rightSizing { months { levels(first: 0) { seats } } }', '1 to 1,000'],
])('what is out of bounds is refused, and the bound is told: %s', async (field, told) => {
  expect(await ask(field)).toContainEqual(['INVALID_INPUT', expect.stringContaining(told)]);
});

test('who got in is not told where the history of it was dropped, and advice rests on the months that are there', async () => {
  await dropHistory(server, uuidOf(organisationId), '2026-03-28T10:05:00Z');
  const dropped = {
    keptSince: '2026-03-28T10:00:00.001Z',
    message: expect.stringContaining('HISTORY_MONTHS') as string,
  };
  const report = (from: string) =>
    ask(`denialReport(from: "${from}", until: "2026-05-01T00:00:00Z") {
      licences { denials users unmetDemand unmetDemandAt dropped { keptSince message }
        reasons { code denials users gotIn medianMilliseconds ninetiethPercentileMilliseconds neverGotIn waiting } } }`);
  expect(await report('2026-03-01T00:00:00Z')).toEqual({
    licences: [
      {
        ...{ denials: 4, users: 2, unmetDemand: null, unmetDemandAt: null, dropped },
        reasons: [
          {
            ...{
              code: 'NO_SEAT_AVAILABLE',
              denials: 4,
              users: 2,
              gotIn: null,
              neverGotIn: null,
              waiting: null,
            },
            ...{ medianMilliseconds: null, ninetiethPercentileMilliseconds: null },
          },
        ],
      },
    ],
  });
  expect(await report('2026-03-29T00:00:00Z')).toMatchObject({
    licences: [{ denials: 1, unmetDemand: 1, dropped: null, reasons: [{ gotIn: 0, neverGotIn: 1 }] }],
  });

  const advise = (months: number) =>
    ask(`rightSizing(months: ${months}) {
      months { from maxInUse } dropped { keptSince message } present { cost } cheapest { cost } proposals { cost } tradeOff { cost } }`);
  expect(await advise(2)).toMatchObject([
    { months: [{ from: '2026-03-31T23:00:00.000Z', maxInUse: 0 }], dropped, present: { cost: 180 } },
  ]);
  expect(await advise(1)).toMatchObject([{ months: [{}], dropped: null }]);
  await server.pool.query("update history_opening set at = '2026-04-15T00:00:00Z'");
  expect(await advise(2)).toMatchObject([
    { months: [], dropped: {}, present: null, cheapest: null, proposals: null, tradeOff: null },
  ]);
});
