import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createDatabase, patient } from '../../src/database/database.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { decodeId } from '../../src/kernel/ids.ts';
import { repairOrganisation, surveyOrganisation } from '../../src/verification/commands.ts';
import { advance, buy, createOrganisation, createUser, logon, logonInput, uuidOf } from '../setup/given.ts';
import { handMovedClock, startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
let database: ReturnType<typeof createDatabase>;
/** Nothing is swept: what is due takes effect with the command that comes next. */
const clock = handMovedClock('2026-03-02T09:00:00Z');
beforeAll(async () => {
  server = await startTestServer({ clock, sweepMilliseconds: 3_600_000 });
  database = createDatabase({ connectionString: server.databaseUrl, ...patient, max: 1 });
});

const soon = { timeout: 5_000, interval: 20 };
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
    `query ($id: ID!) { organisation(id: $id) { licenceMapping(licences: ["SUPERVISOR"]) {
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

test('D1, L8: leases that end with the command itself are not counted by it, and those that live are', async () => {
  clock.set('2026-03-02T09:00:00Z');
  const id = await createOrganisation(server, { leaseSeconds: 60 });
  await buy(server, id, 'SUPERVISOR', { base: 9, concurrent: 3 });
  const [sales, service] = [await department(id, 'Sales'), await department(id, 'Service')];
  const [ada, joan, grace] = [
    await member(id, 'ada', sales),
    await member(id, 'joan', sales),
    await member(id, 'grace', sales),
  ];
  await logon(server, ada, 'SUPERVISOR');
  clock.set('2026-03-02T09:00:30Z');
  await logon(server, joan, 'SUPERVISOR');
  clock.set('2026-03-02T09:01:00Z');
  await allot(sales, { maximum: 2 });
  expect(await allotments(id)).toMatchObject({ allotments: { Sales: { inUse: 1, available: 1 } } });
  expect(await findings(id)).toEqual([]);
  expect((await logon(server, grace, 'SUPERVISOR')).session).toBeDefined();

  // Who moves as their lease ends brings no seat along.
  await allot(service, { maximum: 1 });
  clock.set('2026-03-02T09:01:30Z');
  await server.mutate('setDepartment', { userId: joan, departmentId: service });
  expect(await allotments(id)).toMatchObject({
    allotments: { Sales: { inUse: 1 }, Service: { inUse: 0, available: 1 } },
  });
  clock.set('2026-03-02T09:02:00Z');
  await server.mutate('removeDepartment', { departmentId: sales });
  expect(await allotments(id)).toMatchObject({
    concurrent: { used: 0 },
    allotments: { Service: { inUse: 0 } },
  });
  expect(await findings(id)).toEqual([]);
});

test('D2, W1: a department is told of no seat that a cap keeps, and gets every other', async () => {
  const id = await createOrganisation(server);
  await buy(server, id, 'SUPERVISOR', { base: 9, concurrent: 1, contingency: 3 });
  const sales = await department(id, 'Sales');
  await allot(sales, { reserved: 2 });
  await server.mutate('setContingencyCap', { organisationId: id, licence: 'SUPERVISOR', cap: 1 });
  expect(await allotments(id)).toMatchObject({ allotments: { Sales: { inUse: 0, available: 2 } } });
  const stranger = await member(id, 'ada', null);
  expect((await server.mutate('logon', logonInput(stranger, 'SUPERVISOR'))).code).toBe('ALLOTMENT_FULL');
  for (const username of ['joan', 'grace']) {
    expect((await logon(server, await member(id, username, sales), 'SUPERVISOR')).session).toBeDefined();
  }
  expect(await allotments(id)).toMatchObject({ allotments: { Sales: { inUse: 2, available: 0 } } });
  const last = await member(id, 'anita', sales);
  expect((await server.mutate('logon', logonInput(last, 'SUPERVISOR'))).code).toBe('CONTINGENCY_CAPPED');
});

test('L9: figures that are too low stop no release, those that are too high refuse at most, and both are told', async () => {
  const id = await createOrganisation(server);
  await buy(server, id, 'SUPERVISOR', { base: 9, concurrent: 5 });
  const sales = await department(id, 'Sales');
  await allot(sales, { maximum: 3 });
  const [ada, joan, grace] = [
    await member(id, 'ada', sales),
    await member(id, 'joan', sales),
    await member(id, 'grace', sales),
  ];
  const damage = async (figure: 'pool' | 'allotment', inUse: number) => {
    const where = "organisation_id = $1 and licence = 'SUPERVISOR'";
    await server.pool.query(`update ${figure} set in_use = ${inUse} where ${where}`, [uuidOf(id)]);
  };
  const first = await logon(server, ada, 'SUPERVISOR');
  await logon(server, joan, 'SUPERVISOR');
  await logon(server, grace, 'SUPERVISOR');
  await damage('allotment', 0);
  await damage('pool', 0);
  expect((await server.mutate('logoff', { sessionId: first.session?.id })).__typename).toBe('LogoffPayload');
  expect((await server.mutate('setDepartment', { userId: joan })).__typename).toBe('SetDepartmentPayload');
  expect(await findings(id)).toContainEqual(expect.objectContaining({ check: 'wrongAllotments' }));
  // What time brings is let in too: nothing locks the organisation.
  await advance(server, id, '2026-01-01T01:00:00Z');
  expect(await allotments(id)).toMatchObject({
    concurrent: { used: 0 },
    allotments: { Sales: { inUse: 0 } },
  });

  await damage('allotment', 9);
  expect((await server.mutate('logon', logonInput(ada, 'SUPERVISOR'))).code).toBe('ALLOTMENT_FULL');
  expect((await logon(server, joan, 'SUPERVISOR')).session).toBeDefined();
  expect(await allotments(id)).toMatchObject({ allotments: { Sales: { inUse: 9, available: 0 } } });
  expect(await findings(id)).toContainEqual(expect.objectContaining({ check: 'wrongAllotments' }));
});

test('U4: a deleted user is moved to no department', async () => {
  const id = await createOrganisation(server);
  const sales = await department(id, 'Sales');
  const ada = await createUser(server, id, 'ada', []);
  await server.mutate('setUserStatus', { userId: ada, status: 'DELETED' });
  for (const departmentId of [sales, null]) {
    expect((await server.mutate('setDepartment', { userId: ada, departmentId })).code).toBe('USER_DELETED');
  }
});

test('a department that is removed while the page is read is missing from it, and nothing else', async () => {
  const id = await createOrganisation(server);
  await buy(server, id, 'SUPERVISOR', { base: 9, concurrent: 5 });
  const [sales, service] = [await department(id, 'Sales'), await department(id, 'Service')];
  for (const each of [sales, service]) await allot(each, { reserved: 1 });
  const reference = decodeId(sales);
  if (reference?.type !== 'Department') throw new Error('No department');
  const client = await server.pool.connect();
  try {
    await client.query('begin');
    await client.query('lock table department in access exclusive mode');
    const page = allotments(id);
    // The pools are read, and the departments waited for.
    await vi.waitFor(async () => {
      const { rows } = await client.query(
        "select from pg_locks where relation = 'department'::regclass and not granted",
      );
      expect(rows).toHaveLength(1);
    }, soon);
    const ofSales = [reference.organisationId, reference.id];
    await client.query('delete from allotment where organisation_id = $1 and department_id = $2', ofSales);
    await client.query('delete from department where organisation_id = $1 and id = $2', ofSales);
    await client.query('commit');
    expect(await page).toMatchObject({ concurrent: { used: 0 }, allotments: { Service: { reserved: 1 } } });
    expect(Object.keys((await page)['allotments'] as object)).toEqual(['Service']);
    const { data } = await server.query(
      'query ($id: ID!) { organisation(id: $id) { departments { name } } }',
      { id },
    );
    expect(data.organisation.departments).toEqual([{ name: 'Service' }]);
  } finally {
    client.release(true);
  }
});
