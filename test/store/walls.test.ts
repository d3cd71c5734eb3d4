import { randomBytes } from 'node:crypto';
import { promises } from 'node:fs';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createDatabase, type Database, patient } from '../../src/database/database.ts';
import { isMigrated, MigrationError, migrateToLatest } from '../../src/database/migrate.ts';
import { inTransaction } from '../../src/database/transaction.ts';
import { plannedOnce, within } from '../../src/database/wall.ts';
import { failureCode } from '../../src/kernel/failure.ts';
import { newId, nowhere, type OrganisationId } from '../../src/kernel/ids.ts';
import { listOrganisations } from '../../src/organisation/store.ts';
import { listMappedPools } from '../../src/usage/store.ts';
import { testDatabase } from '../setup/database.ts';

/** A table's column that says whose a row is. */
const ownerOf = (table: string) => (table === 'organisation' ? 'id' : 'organisation_id');

let owner: pg.Pool;
let database: ReturnType<typeof createDatabase>;
let connection: pg.PoolConfig;
let drop: () => Promise<void>;
const [partner, customer, below, stranger] = Array.from({ length: 4 }, () => newId<'Organisation'>()) as [
  OrganisationId,
  OrganisationId,
  OrganisationId,
  OrganisationId,
];

beforeAll(async () => {
  const made = await testDatabase();
  ({ connection, drop } = made);
  owner = new pg.Pool({ ...connection, max: 2 });
  // One connection: whoever comes next borrows it.
  database = createDatabase({ ...made.runtime, max: 1 });
  for (const [id, parentId] of [
    [partner, null],
    [customer, partner],
    [below, customer],
    [stranger, null],
  ] as const) {
    await owner.query(insertOrganisation(id, parentId));
    await owner.query(rowsOfEach, [id]);
  }
});
afterAll(async () => {
  await database.close();
  await owner.end();
  await drop();
});

function insertOrganisation(id: OrganisationId, parentId: OrganisationId | null): string {
  return `insert into organisation (id, parent_id, name, time_zone, lease_seconds, test_clock, settled_at, next_due_at,
      period_month, period_from, period_until, active_users, active_in_billing_period, revision, rows_revision, created_at)
    values ('${id}', ${parentId === null ? 'null' : `'${parentId}'`}, 'Given', 'UTC', 90, true, '2026-01-01', '2026-02-01',
      24312, '2026-01-01', '2026-02-01', 0, 0, 1, 1, now())`;
}

/** A row in every table. */
const rowsOfEach = `
  with o as (select $1::uuid as organisation_id, gen_random_uuid() as id, gen_random_uuid() as thing),
    u as (insert into "user" select organisation_id, id, 'ada', 'Ada', null, null, 'ACTIVE', null, now() from o returning organisation_id),
    s as (insert into session select organisation_id, thing, id, 'SUPERVISOR', 'd', 'CONCURRENT', now(), now() + interval '1 h',
      null, null, 1, now() from o returning organisation_id),
    f as (insert into session_feature select organisation_id, thing, 'RECORDING', 'CONCURRENT', null from o),
    i as (insert into user_status_interval (organisation_id, user_id, status, "from") select organisation_id, id, 'ACTIVE', now() from o),
    a as (insert into assignment select organisation_id, thing, id, 'SUPERVISOR', now(), null, null from o),
    b as (insert into base_licence select organisation_id, thing, 'SUPERVISOR', id, id, now(), false from o),
    p as (insert into billing_period select organisation_id, 24312, '2026-01-01', '2026-02-01' from o),
    d as (insert into denial select organisation_id, thing, id, 'SUPERVISOR', 'NO_SEAT_AVAILABLE', now() from o),
    h as (insert into history (organisation_id, at, kind, licence, seat_changed, in_use, concurrent_total, contingency_total, max_used)
      select organisation_id, now(), 'TOTALS_CHANGED', 'SUPERVISOR', false, 0, 0, 0, 0 from o),
    ho as (insert into history_opening select organisation_id, 'SUPERVISOR', 1, now(), 0, 0, 0, 0 from o),
    up as (insert into usage_progress select organisation_id, 0, now() from o),
    ur as (insert into usage_rollup select organisation_id, 'SUPERVISOR', 5, now(), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 from o),
    l as (insert into hold select organisation_id, id, 'SUPERVISOR', 'CONCURRENT', now() from o),
    k as (insert into idempotency_key select organisation_id, 'test', 'key', '{}', '{}', now() from o),
    ak as (insert into api_key select organisation_id, thing, 'wall', 'WALLBOARD', null, null, 'sk_' || left(thing::text, 12),
      sha256(thing::text::bytea), now(), 'operator', null, null, null from o),
    sk as (insert into security_key select organisation_id, thing, id, 'credential', '\\x00', 'ES256', 0, '{}', 'key', now(), null, null from o),
    sc as (insert into security_key_challenge select organisation_id, id, 'LOGON', 'challenge', now() from o),
    ae as (insert into audit_entry select organisation_id, 1, 1, now(), null, null, null, null, 'test', 'DONE', null, null, null,
      sha256('0'), sha256('1') from o),
    ah as (insert into audit_head select organisation_id, 1, now(), sha256('1') from o),
    an as (insert into audit_name select organisation_id, sha256('2'), id, null, 'Ada' from o),
    eu as (insert into erased_user select organisation_id, id, now() from o),
    co as (insert into contract_option select organisation_id, 5 from o),
    c as (insert into pool select organisation_id, 'SUPERVISOR', 0, 0, 0, 0, 0, null, 0, 0, 0, 0, 0, 1 from o),
    dp as (insert into department select organisation_id, thing, 'Sales' from o),
    dm as (insert into department_member select organisation_id, id, thing from o),
    al as (insert into allotment select organisation_id, 'SUPERVISOR', thing, 1, null, 0 from o),
    w as (insert into pool_watch select organisation_id, 'SUPERVISOR', null, null, null, '[]' from o),
    rt as (insert into alert select organisation_id, thing, 1, 'SUPERVISOR', 'CONCURRENT_NEARLY_FULL', now(), 9, 10, null, 90, null, null from o),
    pr as (insert into price (organisation_id, licence, kind, currency, amount, "from")
      select organisation_id, 'SUPERVISOR', 'BASE', 'EUR', 100, now() from o),
    bt as (insert into billing_terms select organisation_id, 24312, 'EUR', 'BY_DAY' from o),
    cp as (insert into closed_period select organisation_id, 24312, 'UTC', 0, 0, 1 from o),
    pc as (insert into period_close select organisation_id, 24312, 'SUPERVISOR', 0, 0, 0, 0, null from o),
    st as (insert into statement select organisation_id, 1, 24312, 0, 'Given', '2026-01-01', '2026-02-01', 'UTC', 'EUR',
      'BY_DAY', 31, 0, true, null, now() from o),
    sl as (insert into statement_line select organisation_id, 1, 1, 'CHARGE', 'SUPERVISOR', 'BASE', 1, null, null, null,
      null, null, null from o),
    q as (insert into purchase select organisation_id, thing, 'SUPERVISOR', 1, 0, 0, now(), null, null, now() from o)
  insert into repair (organisation_id, at, findings) select organisation_id, now(), '[]' from o`;

async function tablesOfTenants(): Promise<string[]> {
  const { rows } = await owner.query<{ name: string }>(`
    select c.relname as name from pg_class c
    where c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace = 'public'::regnamespace and (c.relname = 'organisation' or exists (
      select from pg_attribute a where a.attrelid = c.oid and a.attname = 'organisation_id' and not a.attisdropped))
    order by 1`);
  return rows.map(({ name }) => name);
}

/** Those of which the program sees anything at all. */
async function visibleTables(): Promise<string[]> {
  return (await tablesOfTenants()).filter((name) => name !== 'organisation_ancestor');
}

async function tenantsSeen(db: Database, table: string): Promise<OrganisationId[]> {
  const { rows } = await sql<{ id: OrganisationId }>`
    select distinct ${sql.ref(ownerOf(table))} as id from ${sql.table(table)} order by 1`.execute(db);
  return rows.map(({ id }) => id);
}

describe('the role as which the program works', () => {
  test('is nobody: it owns nothing, makes nothing, and goes round nothing', async () => {
    const { rows } = await owner.query(`
      select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication,
        (select count(*)::int from pg_auth_members where member = r.oid) as memberships,
        (select count(*)::int from pg_class where relowner = r.oid) as owned,
        (select count(*)::int from pg_proc where proowner = r.oid) as functions,
        has_schema_privilege(r.oid, 'public', 'create') as makes,
        has_database_privilege(r.oid, current_database(), 'create') as schemas
      from pg_roles r where rolname = 'seatkeeper_runtime'`);
    expect(rows).toEqual([
      {
        ...{ rolsuper: false, rolbypassrls: false, rolcreaterole: false, rolcreatedb: false },
        ...{ rolcanlogin: false, rolreplication: false, memberships: 0, owned: 0, functions: 0 },
        ...{ makes: false, schemas: false },
      },
    ]);
  });

  test('and its login is a member of it, and of nothing else', async () => {
    const { rows } = await database.pool.query(`
      select current_user as name, rolsuper, rolbypassrls, rolcreaterole,
        array(select g.rolname::text from pg_auth_members m join pg_roles g on g.oid = m.roleid where m.member = r.oid) as groups
      from pg_roles r where rolname = current_user`);
    expect(rows).toEqual([
      {
        ...{ name: 'seatkeeper_server', rolsuper: false, rolbypassrls: false, rolcreaterole: false },
        groups: ['seatkeeper_runtime'],
      },
    ]);
  });

  test('changes nothing that is recorded for good, nor who is above whom', async () => {
    for (const [table, wanted] of [
      ['history', 'update, delete, truncate'],
      ['history_opening', 'insert, update, delete, truncate'],
      ['usage_rollup', 'delete, truncate'],
      ['denial', 'update, delete, truncate'],
      ['repair', 'update, delete, truncate'],
      ['audit_entry', 'update, delete, truncate'],
      ['audit_head', 'delete, truncate'],
      ['price', 'update, delete, truncate'],
      ['billing_terms', 'delete, truncate'],
      ['closed_period', 'delete, truncate'],
      ['period_close', 'update, delete, truncate'],
      ['statement', 'update, delete, truncate'],
      ['statement_line', 'update, delete, truncate'],
      ['api_key', 'delete, truncate'],
      ['erased_user', 'update, delete, truncate'],
      ['organisation', 'delete, truncate'],
      ['alert', 'delete, truncate'],
      ['pool_watch', 'delete, truncate'],
      ['organisation_ancestor', 'select, insert, update, delete, truncate'],
      ['licence', 'insert, update, delete, truncate'],
      ['kysely_migration', 'insert, update, delete, truncate'],
    ] as const) {
      const { rows } = await owner.query(
        `select p as may from unnest($2::text[]) p where has_table_privilege('seatkeeper_runtime', $1, p)`,
        [table, wanted.split(', ')],
      );
      expect([table, rows]).toEqual([table, []]);
    }
    const { rows } = await owner.query(
      `select has_column_privilege('seatkeeper_runtime', 'organisation', 'parent_id', 'update') as may`,
    );
    expect(rows).toEqual([{ may: false }]);
  });
});

test('every table that has an organisation’s rows is walled in: a new one needs its policy', async () => {
  const { rows } = await owner.query<{ name: string; enabled: boolean; policies: number }>(
    `select relname as name, relrowsecurity as enabled,
       (select count(*)::int from pg_policy where polrelid = c.oid) as policies
     from pg_class c where oid = any ($1::regclass[]::oid[])`,
    [(await tablesOfTenants()).map((name) => `"${name}"`)],
  );
  expect(rows.length).toBeGreaterThan(14);
  const open = rows.filter(
    ({ name, enabled, policies }) => !enabled || (policies !== 1 && name !== 'organisation_ancestor'),
  );
  expect(open).toEqual([]);
});

test('a partition shows and takes nothing by itself: the wall stands before the whole', async () => {
  const { rows } = await owner.query<{ walled: boolean; granted: boolean }>(`
    select c.relrowsecurity as walled, has_any_column_privilege('seatkeeper_runtime', c.oid, 'select, insert, update')
      or has_table_privilege('seatkeeper_runtime', c.oid, 'delete, truncate') as granted
    from pg_class c where c.relispartition and c.relkind = 'r'`);
  expect(rows.length).toBeGreaterThan(12);
  expect(rows.filter(({ walled, granted }) => !walled || granted)).toEqual([]);
});

test('with no tenant set nothing is seen, and nothing is written', async () => {
  for (const table of await visibleTables()) {
    expect([table, await tenantsSeen(database.db, table)]).toEqual([table, []]);
  }
  await expect(insertKey(database.db, customer).catch(failureCode)).resolves.toBe('42501');
  const { numAffectedRows } = await sql`update pool set in_use = 7`.execute(database.db);
  expect(numAffectedRows).toBe(0n);
  const { numAffectedRows: deleted } = await sql`delete from hold`.execute(database.db);
  expect(deleted).toBe(0n);
});

const insertKey = (db: Database, organisationId: OrganisationId) =>
  sql`insert into idempotency_key values (${organisationId}, 'test', ${newId()}, '{}', '{}', now())`.execute(
    db,
  );

test('within a tenant its rows are seen and written, and no others', async () => {
  const db = within(database.db, { organisationId: customer, below: false });
  for (const table of await visibleTables()) {
    expect([table, await tenantsSeen(db, table)]).toEqual([table, [customer]]);
  }
  for (const view of ['searchable_user', 'searchable_organisation']) {
    const column = view === 'searchable_user' ? 'organisation_id' : 'id';
    const { rows } = await sql`select distinct ${sql.ref(column)} as id from ${sql.table(view)}`.execute(db);
    expect(rows).toEqual([{ id: customer }]);
  }
  await insertKey(db, customer);
  for (const other of [partner, below, stranger]) {
    await expect(insertKey(db, other).catch(failureCode)).resolves.toBe('42501');
    const moved = sql`update pool set organisation_id = ${other}`.execute(db);
    await expect(moved.catch(failureCode)).resolves.toBe('42501');
    const changed = await sql`update pool set in_use = 7 where organisation_id = ${other}`.execute(db);
    expect(changed.numAffectedRows).toBe(0n);
  }
});

test('within a partner its own are seen and those of all below it; within everyone, all', async () => {
  const db = within(database.db, { organisationId: partner, below: true });
  for (const table of await visibleTables()) {
    expect([table, await tenantsSeen(db, table)]).toEqual([table, [partner, customer, below].toSorted()]);
  }
  await insertKey(db, below);
  await expect(insertKey(db, stranger).catch(failureCode)).resolves.toBe('42501');
  const everyone = within(database.db, 'ALL');
  expect(await tenantsSeen(everyone, 'pool')).toEqual([partner, customer, below, stranger].toSorted());
});

test('prices and terms from above hold over the wall: of an organisation that is seen, and no other’s', async () => {
  await owner.query(
    `insert into price (organisation_id, kind, currency, amount, "from") values ($1, 'ACTIVE_USER', 'EUR', 7, now())`,
    [nowhere],
  );
  const seen = async (db: Database, of: OrganisationId) => {
    const { rows } = await sql<{ height: number; amount: number }>`
      select height, amount from prices_over(${of}, 'EUR', now(), now()) order by height`.execute(db);
    const { rows: terms } = await sql`select * from terms_over(${of}, 24312)`.execute(db);
    expect(terms).toHaveLength(rows.length > 0 ? 1 : 0);
    return rows.map(({ height, amount }) => [height, amount]);
  };
  const book = [2_147_483_647, 7];
  const db = within(database.db, { organisationId: customer, below: false });
  expect(await seen(db, customer)).toEqual([[0, 100], [1, 100], book]);
  const partners = within(database.db, { organisationId: partner, below: true });
  expect(await seen(partners, below)).toEqual([[0, 100], [1, 100], [2, 100], book]);
  for (const other of [partner, below, stranger]) expect(await seen(db, other)).toEqual([]);
  expect(await seen(partners, stranger)).toEqual([]);
  await expect(seen(database.db, customer)).resolves.toEqual([]);
  // What there is above is nobody's to ask for.
  const above = sql`select * from organisations_over(${customer})`.execute(db);
  await expect(above.catch(failureCode)).resolves.toBe('42501');
});

test('who the tenants were ends with the transaction, whatever became of it', async () => {
  const db = within(database.db, 'ALL');
  const left = async () => {
    const { rows } = await database.pool.query(
      `select current_user, nullif(current_setting('seatkeeper.tenants', true), '') as tenants, (select count(*)::int from pool) as pools`,
    );
    return rows;
  };
  const nothing = [{ current_user: 'seatkeeper_server', tenants: null, pools: 0 }];
  expect(await tenantsSeen(db, 'pool')).toHaveLength(4);
  expect(await left()).toEqual(nothing);
  await inTransaction(db, 'test', (trx) => tenantsSeen(trx, 'pool'));
  expect(await left()).toEqual(nothing);
  await expect(sql`select 1 / 0`.execute(db).catch(failureCode)).resolves.toBe('22012');
  expect(await left()).toEqual(nothing);
  const failed = inTransaction(db, 'test', async (trx) => {
    await tenantsSeen(trx, 'pool');
    throw new Error('given up');
  });
  await expect(failed).rejects.toThrow('given up');
  expect(await left()).toEqual(nothing);
});

test('it holds behind a login that is more: each transaction becomes the runtime role', async () => {
  const { db, close } = createDatabase(connection);
  try {
    const alone = within(db, { organisationId: customer, below: false });
    expect(await tenantsSeen(alone, 'pool')).toEqual([customer]);
    expect(await inTransaction(alone, 'test', (trx) => tenantsSeen(trx, 'session'))).toEqual([customer]);
  } finally {
    await close();
  }
});

test('who works needs not be who migrates: what is migrated is worked with', async () => {
  expect(await migrateToLatest(database.db)).toEqual([]);
});

test('a login that may read nothing is told what the owner has to run', async () => {
  const name = `outsider_${randomBytes(6).toString('hex')}`;
  await owner.query(`create role ${name} login password 'of-the-test'`);
  const outside = createDatabase({ ...connection, ...patient, user: name, password: 'of-the-test' });
  try {
    const refused = await migrateToLatest(outside.db).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(MigrationError);
    expect((refused as Error).message).toContain(`grant seatkeeper_runtime to ${name}`);
  } finally {
    await outside.close();
    await owner.query(`drop role ${name}`);
  }
});

test('what else lies beside the migrations is no migration that is missing', async () => {
  const { readdir } = promises;
  const beside = vi
    .spyOn(promises, 'readdir')
    .mockImplementation(async (folder) => [...(await readdir(folder)), '.DS_Store', 'notes.md'] as never);
  try {
    expect(await isMigrated(database.db)).toBe(true);
    expect(beside).toHaveBeenCalled();
  } finally {
    beside.mockRestore();
  }
});

describe('an owner that is no superuser', () => {
  const [name, password] = [`owner_${randomBytes(6).toString('hex')}`, 'of-the-test'];
  let plain: ReturnType<typeof createDatabase>;
  beforeAll(async () => {
    await owner.query(`create role ${name} login password '${password}'`);
    await owner.query(`create database ${name} owner ${name}`);
    plain = createDatabase({ ...connection, ...patient, user: name, password, database: name });
  });
  afterAll(async () => {
    await plain.close();
    await owner.query(`drop database ${name} with (force)`);
    await owner.query(`drop role ${name}`);
  });

  test('is told what an administrator has to run; then it migrates, and is walled in as any', async () => {
    const statement = `grant seatkeeper_runtime to ${name}`;
    await expect(migrateToLatest(plain.db)).rejects.toThrow(statement);
    await owner.query(statement);
    expect(await migrateToLatest(plain.db)).toContain('0007_walls');

    const insert = async (db: Database, id: OrganisationId, parentId: OrganisationId | null) =>
      sql.raw(insertOrganisation(id, parentId)).execute(db);
    await insert(within(plain.db, 'ALL'), partner, null);
    const db = within(plain.db, { organisationId: partner, below: true });
    await insert(db, customer, partner);
    await insert(db, below, customer);
    expect(await tenantsSeen(db, 'organisation')).toEqual([partner, customer, below].toSorted());
    await expect(insert(db, stranger, null).catch(failureCode)).resolves.toBe('42501');
    const alone = within(plain.db, { organisationId: customer, below: false });
    expect(await tenantsSeen(alone, 'organisation')).toEqual([customer]);
    // Neither is a place in the tree to be had by being somebody's only administrator.
    await expect(insert(alone, stranger, customer).catch(failureCode)).resolves.toBe('42501');
  });
});

test('a statement about many rows is planned once a connection, and looks up by index though tables are small', async () => {
  // Known to be of one page: else PostgreSQL expects more.
  await owner.query('vacuum analyze organisation, pool, licence');
  const db = within(database.db, { organisationId: partner, below: true });
  for (let time = 0; time < 20; time += 1) {
    expect(await listOrganisations(db, [customer, stranger])).toHaveLength(1);
    expect(await listMappedPools(db, [customer, stranger], 0)).toHaveLength(1);
  }
  const { rows } = await database.pool.query<{ name: string; statement: string; custom_plans: string }>(
    `select name, statement, custom_plans from pg_prepared_statements where statement like '%unnest(%'`,
  );
  expect(rows).toHaveLength(2);
  for (const { name, statement, custom_plans } of rows) {
    expect([statement, Number(custom_plans)]).toEqual([statement, 0]);
    const values = statement.includes('bigint') ? `'{}', '{}'` : `'{}'`;
    const plan = await plannedOnceOn(db, `explain execute "${name}"(${values})`);
    expect(plan).toMatch(/Index Scan[^]*InitPlan/);
    expect(plan).not.toMatch(/Seq Scan/);
  }
});

async function plannedOnceOn(db: Database, text: string): Promise<string> {
  const { rows } = await db.executeQuery<object>(plannedOnce(text, []));
  return rows.map((row) => Object.values(row).join()).join('\n');
}

test('what is searched for is found by the index of the searched text', async () => {
  await owner.query(
    `insert into "user" (organisation_id, id, username, display_name, status, created_at)
     select $1, gen_random_uuid(), 'user-' || i, md5(i::text), 'ACTIVE', now() from generate_series(1, 20000) i`,
    [stranger],
  );
  await owner.query('vacuum analyze "user"');
  const plan = (table: string) =>
    sql<{
      'QUERY PLAN': string;
    }>`explain select * from ${sql.table(table)} where organisation_id = ${stranger}
      and search_text like ${'%c4ca42%'}`.execute(
      within(database.db, { organisationId: stranger, below: false }),
    );
  const planOf = async (table: string) =>
    JSON.stringify((await plan(table)).rows.map((row) => row['QUERY PLAN' as keyof typeof row]));
  expect(await planOf('searchable_user')).toMatch(/user_search.*search_text ~~/);
  // What the view is for: a policy is asked before `like` is.
  expect(await planOf('user')).not.toMatch(/Index Cond[^"]*search_text/);
});
