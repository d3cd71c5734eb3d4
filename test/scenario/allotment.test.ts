import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase, patient } from '../../src/database/database.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { repairOrganisation, surveyOrganisation } from '../../src/verification/commands.ts';
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

test('D2, D3: a department’s seats are kept for it, up to its maximum, and every change of them is noted', async () => {
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
  const survey = await surveyOrganisation(database.db, uuidOf(id));
  expect(await repairOrganisation(database.db, systemClock, survey)).toEqual(survey.findings);
  expect(await findings(id)).toEqual([]);

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

test('D1, L8: a lease that is over by the time a department is given its part counts no more', async () => {
  const id = await createOrganisation(server, {});
  await buy(server, id, 'SUPERVISOR', { base: 9, concurrent: 3, contingency: 2 });
  await buy(server, id, 'REPORTING', { concurrent: 9 });
  const sales = await department(id, 'Sales');
  const [ada, joan] = [await member(id, 'ada', sales), await member(id, 'joan', sales)];
  for (const userId of [ada, joan]) await logon(server, userId, 'SUPERVISOR');
  await server.pool.query(
    `with over as (
       update session set expires_at = now(), due_at = now() where organisation_id = $1 and ended_at is null
         and user_id = (select id from "user" where organisation_id = $1 and username = 'ada'))
     update organisation set next_due_at = settled_at + interval '1 millisecond' where id = $1`,
    [uuidOf(id)],
  );
  await allot(sales, { reserved: 3, maximum: 3 });
  expect(await findings(id)).toEqual([]);
  expect(await allotments(id)).toMatchObject({ allotments: { Sales: { inUse: 1, available: 2 } } });

  // W1: under a cap there are 3 seats, all of them Sales'.
  await server.mutate('setContingencyCap', { organisationId: id, licence: 'SUPERVISOR', cap: 0 });
  const grace = await member(id, 'grace', null);
  expect(await logon(server, grace, 'SUPERVISOR')).toMatchObject({ code: 'ALLOTMENT_FULL' });
  expect(await allotments(id)).toMatchObject({ allotments: { Sales: { inUse: 1, available: 2 } } });

  // A wrong count keeps nobody from freeing a seat, and is found.
  await server.pool.query('update allotment set in_use = 0 where organisation_id = $1', [uuidOf(id)]);
  expect(await server.mutate('forceLogoff', { userId: joan })).toMatchObject({
    __typename: 'ForceLogoffPayload',
  });
  expect(await findings(id)).toEqual([]);

  await server.mutate('setUserStatus', { userId: joan, status: 'DELETED' });
  expect(await server.mutate('setDepartment', { userId: joan, departmentId: null })).toMatchObject({
    code: 'USER_DELETED',
  });
});

test('a setting that changes nothing is no entry of the log, and a removed department’s tells all that it was', async () => {
  const id = await createOrganisation(server);
  await buy(server, id, 'SUPERVISOR', { base: 9, concurrent: 3, contingency: 2 });
  const sales = await department(id, 'Sales');
  await member(id, 'ada', sales);
  for (let time = 0; time < 2; time += 1) {
    await allot(sales, { reserved: 2 });
    await server.mutate('renameDepartment', { departmentId: sales, name: 'Trade' });
    await server.mutate('setContingencyCap', { organisationId: id, licence: 'SUPERVISOR', cap: 1 });
    await server.mutate('setAlertThresholds', {
      ...{ organisationId: id, licence: 'SUPERVISOR', concurrentPercent: 70 },
    });
  }
  await server.mutate('removeDepartment', { departmentId: sales });
  const { data } = await server.query(
    'query ($id: ID!) { organisation(id: $id) { auditLog(first: 100) { edges { node { action before } } } } }',
    { id },
  );
  const entries: { action: string; before: unknown }[] = data.organisation.auditLog.edges.map(
    ({ node }: { node: object }) => node,
  );
  for (const action of ['setAllotment', 'renameDepartment', 'setContingencyCap', 'setAlertThresholds']) {
    expect(entries.filter((entry) => entry.action === action)).toHaveLength(1);
  }
  const removed = entries.find(({ action }) => action === 'removeDepartment');
  expect(JSON.stringify(removed?.before)).toContain('SUPERVISOR: 2 reserved, at most all');
  expect(JSON.stringify(removed?.before)).toContain('"members":1');
});

test('D2: logons at once over two departments take what each may, exactly', async () => {
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
