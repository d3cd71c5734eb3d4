import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase, patient } from '../../src/database/database.ts';
import { surveyOrganisation } from '../../src/verification/commands.ts';
import { buy, createOrganisation, createUser, logon, logonInput, uuidOf } from '../setup/given.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
let database: ReturnType<typeof createDatabase>;
beforeAll(async () => {
  server = await startTestServer();
  database = createDatabase({ connectionString: server.databaseUrl, ...patient, max: 1 });
});
afterAll(async () => {
  await database.close();
  await server.stop();
});

async function department(organisationId: string, name: string): Promise<string> {
  const answer = await server.mutate(
    'createDepartment',
    { organisationId, name },
    '... on CreateDepartmentPayload { department { id } }',
  );
  return answer.department.id;
}

async function allot(departmentId: string, part: object, licence = 'SUPERVISOR') {
  return server.mutate('setAllotment', { departmentId, licence, ...part });
}

async function member(organisationId: string, username: string, departmentId: string | null) {
  const userId = await createUser(server, organisationId, username, ['SUPERVISOR', 'REPORTING']);
  if (departmentId !== null) await server.mutate('setDepartment', { userId, departmentId });
  return userId;
}

async function allotments(id: string): Promise<Record<string, unknown>> {
  const { data } = await server.query(
    `query ($id: ID!) { organisation(id: $id) { departments { name } licenceMapping(licences: ["SUPERVISOR"]) {
      revision concurrent { used } contingency { used maxUsed }
      allotments { department { name } reserved maximum inUse available } } } }`,
    { id },
  );
  const [row] = data.organisation.licenceMapping;
  const parts = row.allotments.map(
    ({ department: { name }, ...part }: { department: { name: string } } & Record<string, number>) => [
      name,
      part,
    ],
  );
  return { ...row, allotments: Object.fromEntries(parts) };
}

async function findings(id: string) {
  return (await surveyOrganisation(database.db, uuidOf(id))).findings;
}

test('a department’s seats are kept for it, up to its maximum, and every change of them is noted', async () => {
  const id = await createOrganisation(server);
  await buy(server, id, 'SUPERVISOR', { base: 9, concurrent: 2, contingency: 1 });
  await buy(server, id, 'REPORTING', { concurrent: 9 });
  const [sales, service] = [await department(id, 'Sales'), await department(id, 'Service')];
  expect(await allot(sales, { reserved: 2 })).toMatchObject({ __typename: 'SetAllotmentPayload' });
  expect(await allot(service, { maximum: 1 })).toMatchObject({ __typename: 'SetAllotmentPayload' });
  expect(await allot(service, { reserved: 2 })).toMatchObject({ code: 'INVALID_INPUT', field: 'reserved' });
  expect(await allot(service, { reserved: 1 }, 'PADLOCK')).toMatchObject({ field: 'licence' });
  expect(await server.mutate('createDepartment', { organisationId: id, name: 'SALES' })).toMatchObject({
    code: 'INVALID_INPUT',
    field: 'name',
  });

  const ada = await member(id, 'ada', service);
  const joan = await member(id, 'joan', service);
  const grace = await member(id, 'grace', null);
  const anita = await member(id, 'anita', sales);
  expect((await logon(server, ada, 'SUPERVISOR')).session).toMatchObject({ admittedAs: 'CONCURRENT' });
  // Service is at its maximum; for Grace, whatever is free is reserved.
  for (const refused of [joan, grace]) {
    expect(
      await server.mutate(
        'logon',
        logonInput(refused, 'SUPERVISOR'),
        '... on AllotmentFull { code licence { code } }',
      ),
    ).toMatchObject({ code: 'ALLOTMENT_FULL', licence: { code: 'SUPERVISOR' } });
  }
  // Another device joins, whatever is left.
  expect((await logon(server, ada, 'SUPERVISOR', 'phone')).session).toBeDefined();
  expect((await logon(server, anita, 'SUPERVISOR')).session).toMatchObject({ admittedAs: 'CONCURRENT' });
  expect(await allotments(id)).toMatchObject({
    concurrent: { used: 2 },
    contingency: { used: 0, maxUsed: 0 },
    allotments: {
      Sales: { reserved: 2, maximum: null, inUse: 1, available: 1 },
      Service: { reserved: 0, maximum: 1, inUse: 1, available: 0 },
    },
  });

  // Who moves takes their seats along.
  await server.mutate('setDepartment', { userId: ada, departmentId: sales });
  expect(await allotments(id)).toMatchObject({
    allotments: { Sales: { inUse: 2, available: 1 }, Service: { inUse: 0, available: 1 } },
  });
  expect((await logon(server, joan, 'SUPERVISOR')).session).toMatchObject({ admittedAs: 'CONTINGENCY' });
  expect(await findings(id)).toEqual([]);

  const { data } = await server.query(
    'query ($id: ID!) { organisation(id: $id) { denials { edges { node { code } } } auditLog { edges { node { action } } } } }',
    { id },
  );
  const codesOf = data.organisation.denials.edges.map(({ node }: { node: { code: string } }) => node.code);
  expect(codesOf).toEqual(['ALLOTMENT_FULL', 'ALLOTMENT_FULL']);

  // Suspended, and gone: seats are freed in the department, and without one.
  await server.mutate('setUserStatus', { userId: joan, status: 'SUSPENDED' });
  await server.mutate('renameDepartment', { departmentId: service, name: 'Care' });
  expect(await allotments(id)).toMatchObject({ allotments: { Care: { inUse: 0 } } });
  await server.mutate('removeDepartment', { departmentId: sales });
  expect(Object.keys((await allotments(id))['allotments'] as object)).toEqual(['Care']);
  expect((await logon(server, grace, 'SUPERVISOR')).session).toBeDefined();
  expect(await findings(id)).toEqual([]);

  await server.pool.query('update allotment set in_use = 5');
  expect(await findings(id)).toMatchObject([{ check: 'wrongAllotments', recomputed: 1 }]);
  await server.pool.query('update allotment set in_use = 0');

  const log = await server.query(
    'query ($id: ID!) { organisation(id: $id) { auditLog(first: 100) { edges { node { action before after } } } } }',
    { id },
  );
  const entries = log.data.organisation.auditLog.edges.map(({ node }: { node: { action: string } }) => node);
  const actions = new Set(entries.map(({ action }: { action: string }) => action));
  for (const action of [
    'createDepartment',
    'renameDepartment',
    'removeDepartment',
    'setDepartment',
    'setAllotment',
  ]) {
    expect(actions).toContain(action);
  }
});

test('L2: logons at once over two departments take what each may, exactly', async () => {
  const id = await createOrganisation(server);
  await buy(server, id, 'SUPERVISOR', { base: 40, concurrent: 10, contingency: 2 });
  await buy(server, id, 'REPORTING', { concurrent: 40 });
  const [sales, service] = [await department(id, 'Sales'), await department(id, 'Service')];
  await allot(sales, { reserved: 4, maximum: 5 });
  await allot(service, { reserved: 3 });
  const crowd = await Promise.all(
    Array.from({ length: 36 }, (_, index) =>
      member(id, `user-${index}`, [sales, service, null][index % 3] ?? null),
    ),
  );
  const answers = await Promise.all(crowd.map((userId) => logon(server, userId, 'SUPERVISOR')));
  const granted = (which: number) =>
    answers.filter((answer, index) => index % 3 === which && answer.session !== undefined).length;
  expect(granted(0) + granted(1) + granted(2)).toBe(12);
  expect(granted(0)).toBeGreaterThanOrEqual(4);
  expect(granted(0)).toBeLessThanOrEqual(5);
  expect(granted(1)).toBeGreaterThanOrEqual(3);
  expect(granted(2)).toBeLessThanOrEqual(5);
  expect(await allotments(id)).toMatchObject({
    allotments: { Sales: { inUse: granted(0) }, Service: { inUse: granted(1) } },
  });
  expect(await findings(id)).toEqual([]);
});
