import { afterAll, beforeAll, expect, test } from 'vitest';
import { buy, createOrganisation, createUser, logon, mapping, uuidOf } from '../setup/given.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const document = `query ($id: ID!) { organisation(id: $id) { tree {
  organisations activeUsers activeInBillingPeriod licences {
    licence { code } organisations holders
    base { total used reusable available overAllocated }
    concurrent { total used available overAllocated }
    contingency { total used available maxUsed paidHeadroom } } } } }`;

async function treeOf(id: string, by: Pick<TestServer, 'query'> = server) {
  const { data } = await by.query(document, { id });
  return data.organisation.tree;
}

/** A customer whose figures none of the others has. */
async function customer(parentId: string, name: string, sold: { concurrent: number; contingency: number }) {
  const id = await createOrganisation(server, { name, parentId });
  await buy(server, id, 'SUPERVISOR', { base: 4, ...sold });
  await buy(server, id, 'REPORTING', { concurrent: 1 });
  await buy(server, id, 'PADLOCK', { base: 2 });
  for (const username of ['ada', 'grace', 'joan']) {
    const user = await createUser(server, id, username, ['SUPERVISOR', 'REPORTING']);
    await logon(server, user, 'SUPERVISOR');
  }
  return id;
}

test('C1, C2, P2: a tree’s figures are the sums of its organisations’ own rows', async () => {
  const partner = await createOrganisation(server, { name: 'Partner' });
  const near = await customer(partner, 'Near', { concurrent: 1, contingency: 1 });
  const far = await customer(near, 'Far', { concurrent: 9, contingency: 3 });
  const third = await customer(partner, 'Third', { concurrent: 1, contingency: 5 });
  await customer(await createOrganisation(server, { name: 'Stranger' }), 'Strange', {
    concurrent: 2,
    contingency: 2,
  });

  // A purchase that ended leaves more logged on than there are seats: what one lacks is no other's surplus.
  const purchase = await server.query(
    'query ($id: ID!) { organisation(id: $id) { purchases { edges { node { id licence { code } } } } } }',
    { id: near },
  );
  const seats = purchase.data.organisation.purchases.edges.find(
    ({ node }: { node: { licence: { code: string } } }) => node.licence.code === 'SUPERVISOR',
  );
  await server.mutate('endPurchase', { purchaseId: seats.node.id });

  const rows = (await Promise.all([partner, near, far, third].map((id) => mapping(server, id)))).flat();
  const tree = await treeOf(partner);
  expect(tree).toMatchObject({ organisations: 4, activeUsers: 9, activeInBillingPeriod: 9 });
  expect(tree.licences.map(({ licence }: { licence: { code: string } }) => licence.code)).toEqual([
    'SUPERVISOR',
    'REPORTING',
    'PADLOCK',
  ]);
  for (const { licence, organisations, holders, ...pools } of tree.licences) {
    const own = rows.filter((row) => row.licence.code === licence.code);
    expect(organisations).toBe(own.length);
    expect(holders).toBe(own.reduce((sum, row) => sum + row.holders, 0));
    for (const pool of ['base', 'concurrent', 'contingency'] as const) {
      const figures = pools[pool] as Record<string, number> | null;
      expect(figures === null).toBe(own[0]?.[pool] === null);
      for (const [name, sum] of Object.entries(figures ?? {})) {
        expect([pool, name, sum]).toEqual([
          pool,
          name,
          own.reduce((total, row) => total + Number(row[pool]?.[name]), 0),
        ]);
      }
    }
  }
  const supervisors = tree.licences[0];
  expect(supervisors.concurrent).toMatchObject({ overAllocated: 2 });
  expect(supervisors.contingency).toMatchObject({ maxUsed: 3 });

  // A partner sees as much of its own as the operator does, and nothing of another's.
  const asPartner = server.as({ role: 'PARTNER', organisationId: uuidOf(partner), userId: null });
  expect(await treeOf(partner, asPartner)).toEqual(tree);
  expect((await asPartner.query(document, { id: far })).data.organisation.tree.organisations).toBe(1);
});

test('a tree is as many statements for 40 organisations as for one', async () => {
  const partner = await createOrganisation(server, { name: 'Broad' });
  const sent: string[] = [];
  const count = async () => {
    sent.length = 0;
    const stop = server.onStatement((text) => (text.includes('below') ? sent.push(text) : null));
    await treeOf(partner);
    stop();
    return sent.length;
  };
  const one = await count();
  for (let index = 0; index < 40; index += 1) {
    await createOrganisation(server, { name: `Broad ${index}`, parentId: partner });
  }
  expect(one).toBe(2);
  expect(await count()).toBe(one);
});
