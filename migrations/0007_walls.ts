import { type Kysely, sql } from 'kysely';

/**
 * The second wall between tenants: the program works as a role that owns nothing, and PostgreSQL shows that role the rows
 * of the tenants that the transaction began with, and takes no others. Instant, but for the tables' exclusive locks.
 */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

/** What the program does, and no more. What is recorded is never changed; an organisation's place in the tree neither. */
const grants: Readonly<Record<string, string>> = {
  // In the order in which admission takes its locks, so that who is in the middle of it is waited for.
  organisation: `select, insert, update (name, time_zone, lease_seconds, settled_at, next_due_at, period_month,
    period_from, period_until, active_users, active_in_billing_period, revision, rows_revision)`,
  pool: 'select, insert, update',
  session: 'select, insert, update',
  '"user"': 'select, insert, update',
  assignment: 'select, insert, update',
  session_feature: 'select, insert, update, delete',
  idempotency_key: 'select, insert, update, delete',
  hold: 'select, insert, delete',
  history: 'select, insert',
  denial: 'select, insert',
  billing_period: 'select, insert',
  base_licence: 'select, insert, update, delete',
  purchase: 'select, insert, update',
  user_status_interval: 'select, insert, update',
  repair: 'select, insert',
  api_key: 'select, insert, update (name, revoked_at, last_used_at)',
  security_key: 'select, insert, update, delete',
  security_key_challenge: 'select, insert, update, delete',
  audit_entry: 'select, insert',
  audit_head: 'select, insert, update',
  audit_name: 'select, insert, update',
  erased_user: 'select, insert',
};

const tables = Object.keys(grants);

/**
 * `(select …)` is reckoned once a statement, and first what is cheap to compare: the rows of one organisation cost
 * next to nothing, each row that is seen from above one look-up.
 */
const isVisible = (table: string) => `
  (select sees_every_tenant()) or organisation_id = (select present_tenant())
  or organisation_id = (select below.id from below_present_partner below where below.id = ${table}.organisation_id)`;

/** By its parent, so that one that is about to be inserted has its place as well. */
const isVisibleOrganisation = `
  (select sees_every_tenant()) or id = (select present_tenant()) or parent_id = (select present_partner())
  or parent_id = (select below.id from below_present_partner below where below.id = parent_id)`;

const statements = [
  // Roles are the whole server's: another database's migration may be making it, or have made it.
  `do $$
  begin
    if not exists (select from pg_roles where rolname = 'seatkeeper_runtime') then
      begin
        create role seatkeeper_runtime nologin;
      exception when duplicate_object or unique_violation then null;
      end;
    end if;
    if not pg_has_role(current_user, 'seatkeeper_runtime',
      case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end)
    then
      execute format('grant seatkeeper_runtime to %I', current_user);
    end if;
  exception when insufficient_privilege then
    raise exception using errcode = 'insufficient_privilege', message = format(
      '%I may make no roles: have an administrator run "create role seatkeeper_runtime nologin; grant seatkeeper_runtime to %I;", then start again',
      current_user, current_user);
  end $$`,

  // The tables at once, so that nothing is half walled in and nobody is met half way.
  `lock table ${tables.join(', ')} in access exclusive mode`,

  `create function sees_every_tenant() returns boolean language sql stable parallel safe
    return current_setting('seatkeeper.tenants', true) = '*'`,
  `comment on function sees_every_tenant() is 'seatkeeper.tenants is *'`,
  `create function present_tenant() returns uuid language sql stable parallel safe
    return nullif(nullif(left(current_setting('seatkeeper.tenants', true), 36), '*'), '')::uuid`,
  `comment on function present_tenant() is 'seatkeeper.tenants is its id; null: none is set, or every one is seen'`,
  `create function present_partner() returns uuid language sql stable parallel safe
    return case when current_setting('seatkeeper.tenants', true) like '%/*' then present_tenant() end`,
  `comment on function present_partner() is 'the present tenant, where seatkeeper.tenants is its id followed by /*: all below it are seen too'`,

  // Who is above whom. A wall must not be moved by whoever stands before it: the owner writes this, by the trigger, and
  // the program sees of it what is below the present partner.
  `create table organisation_ancestor (
    organisation_id uuid not null references organisation,
    ancestor_id uuid not null references organisation,
    primary key (organisation_id, ancestor_id)
  )`,
  `comment on table organisation_ancestor is 'every organisation above one, at whatever height; an organisation''s place never changes'`,
  `insert into organisation_ancestor
    with recursive above as (
      select id, parent_id from organisation where parent_id is not null
      union all
      select above.id, organisation.parent_id from above join organisation on organisation.id = above.parent_id
      where organisation.parent_id is not null
    ) select * from above`,
  `create function place_organisation() returns trigger language plpgsql security definer
    set search_path = public, pg_temp as $$
  begin
    insert into organisation_ancestor
    select new.id, new.parent_id
    union all
    select new.id, ancestor_id from organisation_ancestor where organisation_id = new.parent_id;
    return null;
  end $$`,
  `revoke execute on function place_organisation() from public`,
  `create view below_present_partner as
    select organisation_id as id from organisation_ancestor where ancestor_id = (select present_partner())`,
  `create trigger place_organisation after insert on organisation
    for each row when (new.parent_id is not null) execute function place_organisation()`,

  // A condition such as `like` might tell of rows that it is not to see, so PostgreSQL asks it after the policy, and
  // reads every row of the table for it. Through a view, which shows its owner's rows, the trigram indexes serve as
  // before; the wall is the view's own condition.
  `create view searchable_user as
    select * from "user" where (${isVisible('"user"')})`,
  `create view searchable_organisation as
    select * from organisation where (${isVisibleOrganisation})`,

  ...tables.flatMap((table) => [
    `alter table ${table} enable row level security`,
    `create policy tenant on ${table}
      using (${table === 'organisation' ? isVisibleOrganisation : isVisible(table)})`,
    `grant ${grants[table]} on ${table} to seatkeeper_runtime`,
  ]),
  `alter table organisation_ancestor enable row level security`,
  `grant select on below_present_partner, searchable_user, searchable_organisation, licence, kysely_migration
    to seatkeeper_runtime`,

  // A partner's keys were kept where those of nobody's organisation are, which the partner no longer sees.
  `update idempotency_key set organisation_id = substring(scope from 20)::uuid
    where organisation_id = '00000000-0000-0000-0000-000000000000' and scope like 'createOrganisation:%'`,
];
