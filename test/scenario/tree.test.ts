import { afterAll, beforeAll, expect, test } from 'vitest';
import { buy, createOrganisation, createUser, logon, mapping, uuidOf } from '../setup/given.ts';
import { handMovedClock, startTestServer, type TestServer } from '../setup/server.ts';

const clock = handMovedClock('2026-03-20T12:00:00Z');

let server: TestServer;
beforeAll(async () => {
  // Nothing is settled but by who asks.
  server = await startTestServer({ clock, sweepMilliseconds: 3_600_000 });
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

test('L8: an expired lease counts in no tree, before anything has swept it', async () => {
  const partner = await createOrganisation(server, { name: 'Lapsing' });
  const near = await customer(partner, 'Lapsing near', { concurrent: 1, contingency: 2 });
  await customer(near, 'Lapsing far', { concurrent: 9, contingency: 0 });
  const used = async () => {
    const tree = await treeOf(partner);
    return [tree.licences[0].concurrent.used, tree.licences[0].contingency.used];
  };
  expect(await used()).toEqual([4, 2]);
  clock.set('2026-03-20T12:01:29.999Z');
  expect(await used()).toEqual([4, 2]);
  clock.set('2026-03-20T12:01:30Z');
  expect(await used()).toEqual([0, 0]);
  expect((await mapping(server, near, ['SUPERVISOR']))[0]?.concurrent).toMatchObject({ used: 0 });
});

/** @returns what the server sent while it answered, by connection */
async function statementsOf(ask: () => Promise<unknown>): Promise<Map<object, string[]>> {
  const sent: { readonly text: string; readonly connection: object }[] = [];
  const stop = server.onStatement((text, connection) => sent.push({ text, connection }));
  await ask();
  stop();
  return new Map(
    [...Map.groupBy(sent, ({ connection }) => connection)].map(([connection, all]) => [
      connection,
      all.map(({ text }) => text),
    ]),
  );
}

test('a tree is read in one snapshot, by as many statements for 40 organisations as for one', async () => {
  const partner = await createOrganisation(server, { name: 'Broad' });
  const count = async () => {
    const sent = await statementsOf(() => treeOf(partner));
    const ofTree = [...sent.values()].filter((texts) => texts.some((text) => text.includes('recursive')));
    expect(ofTree).toHaveLength(1);
    const [texts = []] = ofTree;
    const reading = texts.slice(texts.findIndex((text) => text.includes('repeatable read')));
    expect(reading.filter((text) => text.includes('recursive'))).toHaveLength(2);
    return [...sent.values()].flat().length;
  };
  const one = await count();
  for (let index = 0; index < 40; index += 1) {
    await createOrganisation(server, { name: `Broad ${index}`, parentId: partner });
  }
  expect(await count()).toBe(one);
});
