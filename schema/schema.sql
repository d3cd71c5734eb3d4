-- The migrated database; written by `npm run generate`, held by a test.

create extension btree_gin;

create extension pg_trgm;

create type admitted_as as enum ('CONCURRENT', 'CONTINGENCY', 'FIXED');

create type alert_kind as enum ('CONCURRENT_NEARLY_FULL', 'CONTINGENCY_FIRST_SEAT', 'CONTINGENCY_NEW_PEAK', 'CONTINGENCY_NEARLY_FULL', 'BASE_NEARLY_GONE');

create type api_key_role as enum ('PARTNER', 'ADMINISTRATOR', 'SUPERVISOR', 'WALLBOARD', 'AGENT');

create type history_kind as enum ('ACQUIRED', 'RELEASED', 'TOTALS_CHANGED');

create type licence_category as enum ('USER', 'FEATURE', 'PRODUCT');

create type partial_months as enum ('FULL_MONTH', 'BY_DAY');

create type price_kind as enum ('BASE', 'CONCURRENT', 'CONTINGENCY', 'ACTIVE_USER');

create type seat_model as enum ('CONCURRENT', 'FIXED');

create type security_key_algorithm as enum ('ES256', 'RS256');

create type security_key_purpose as enum ('ENROLMENT', 'LOGON', 'CHANGE');

create type session_end_reason as enum ('LOGOFF', 'LEASE_EXPIRED', 'FORCED', 'USER_SUSPENDED', 'USER_DELETED', 'LICENCE_UNASSIGNED');

create type statement_entry as enum ('CHARGE', 'CREDIT');

create type unavailable_reason as enum ('NOT_ASSIGNED', 'NOT_PURCHASED', 'NO_SEAT_AVAILABLE', 'CONTINGENCY_CAPPED', 'ALLOTMENT_FULL');

create type user_status as enum ('PRE_ACTIVE', 'ACTIVE', 'SUSPENDED', 'DELETED');

create table alert (
  organisation_id uuid not null,
  id uuid not null,
  revision bigint not null,
  licence text collate "C" not null,
  kind alert_kind not null,
  at timestamp(3) with time zone not null,
  used integer not null,
  total integer not null,
  previous integer,
  percent integer,
  acknowledged_at timestamp(3) with time zone,
  acknowledged_by uuid
);

alter table alert add constraint alert_check CHECK (((acknowledged_by IS NULL) OR (acknowledged_at IS NOT NULL)));
alter table alert add constraint alert_pkey PRIMARY KEY (organisation_id, id);

CREATE INDEX alert_newest ON public.alert USING btree (organisation_id, at, id);
CREATE INDEX alert_open ON public.alert USING btree (organisation_id, at, id) WHERE (acknowledged_at IS NULL);
CREATE INDEX alert_revision ON public.alert USING btree (organisation_id, revision);

comment on table alert is 'never changed but for who has acknowledged it; dropped when its month is old enough';
comment on column alert.revision is 'the organisation''s, of the change that raised it';

alter table alert enable row level security;
create policy tenant on alert for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = alert.organisation_id)))));

grant insert, select on alert to seatkeeper_runtime;
grant update (acknowledged_at, acknowledged_by) on alert to seatkeeper_runtime;

create table allotment (
  organisation_id uuid not null,
  licence text collate "C" not null,
  department_id uuid not null,
  reserved integer not null,
  maximum integer,
  in_use integer not null
);

alter table allotment add constraint allotment_check CHECK ((maximum >= reserved));
alter table allotment add constraint allotment_check1 CHECK (((reserved > 0) OR (maximum IS NOT NULL)));
alter table allotment add constraint allotment_in_use_check CHECK ((in_use >= 0));
alter table allotment add constraint allotment_reserved_check CHECK ((reserved >= 0));
alter table allotment add constraint allotment_organisation_id_department_id_fkey FOREIGN KEY (organisation_id, department_id) REFERENCES department(organisation_id, id);
alter table allotment add constraint allotment_organisation_id_licence_fkey FOREIGN KEY (organisation_id, licence) REFERENCES pool(organisation_id, licence);
alter table allotment add constraint allotment_pkey PRIMARY KEY (organisation_id, licence, department_id);

comment on column allotment.maximum is 'null: as many as there are';
comment on column allotment.in_use is 'the holds of the department''s members';

alter table allotment enable row level security;
create policy tenant on allotment for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = allotment.organisation_id)))));

grant delete, insert, select, update on allotment to seatkeeper_runtime;

create table api_key (
  organisation_id uuid not null,
  id uuid not null,
  name text not null,
  role api_key_role not null,
  scopes text[],
  user_id uuid,
  prefix text collate "C" not null,
  hash bytea not null,
  created_at timestamp(3) with time zone not null,
  created_by text not null,
  expires_at timestamp(3) with time zone,
  revoked_at timestamp(3) with time zone,
  last_used_at timestamp(3) with time zone
);

alter table api_key add constraint api_key_check CHECK ((expires_at > created_at));
alter table api_key add constraint api_key_check1 CHECK (((role <> 'AGENT'::api_key_role) OR (user_id IS NOT NULL)));
alter table api_key add constraint api_key_check2 CHECK (((role <> ALL (ARRAY['PARTNER'::api_key_role, 'WALLBOARD'::api_key_role])) OR (user_id IS NULL)));
alter table api_key add constraint api_key_hash_check CHECK ((octet_length(hash) = 32));
alter table api_key add constraint api_key_scopes_check CHECK ((cardinality(scopes) > 0));
alter table api_key add constraint api_key_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id);
alter table api_key add constraint api_key_organisation_id_user_id_fkey FOREIGN KEY (organisation_id, user_id) REFERENCES "user"(organisation_id, id);
alter table api_key add constraint api_key_pkey PRIMARY KEY (organisation_id, id);
alter table api_key add constraint api_key_organisation_id_prefix_key UNIQUE (organisation_id, prefix);

CREATE INDEX api_key_newest ON public.api_key USING btree (organisation_id, created_at, id);

comment on column api_key.scopes is 'null: all that the role may do';
comment on column api_key.prefix is 'what the key begins with: shown, and looked up by';
comment on column api_key.hash is 'SHA-256 of the whole key, of which nothing else is kept';
comment on column api_key.created_by is 'the credential that made it';

alter table api_key enable row level security;
create policy tenant on api_key for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = api_key.organisation_id)))));

grant insert, select on api_key to seatkeeper_runtime;
grant update (name, revoked_at, last_used_at) on api_key to seatkeeper_runtime;

create table assignment (
  organisation_id uuid not null,
  id uuid not null,
  user_id uuid not null,
  licence text collate "C" not null,
  assigned_at timestamp(3) with time zone not null,
  consumed_at timestamp(3) with time zone,
  removed_at timestamp(3) with time zone
);

alter table assignment add constraint assignment_check CHECK ((removed_at >= assigned_at));
alter table assignment add constraint assignment_licence_fkey FOREIGN KEY (licence) REFERENCES licence(code);
alter table assignment add constraint assignment_organisation_id_user_id_fkey FOREIGN KEY (organisation_id, user_id) REFERENCES "user"(organisation_id, id);
alter table assignment add constraint assignment_pkey PRIMARY KEY (organisation_id, id);

CREATE INDEX assignment_licence ON public.assignment USING btree (organisation_id, licence, user_id) WHERE (removed_at IS NULL);
CREATE UNIQUE INDEX assignment_present ON public.assignment USING btree (organisation_id, user_id, licence) WHERE (removed_at IS NULL);

comment on column assignment.consumed_at is 'since when it occupies a base licence or fixed seat; null: planned, or not needed (B6, B7)';

alter table assignment enable row level security;
create policy tenant on assignment for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = assignment.organisation_id)))));

grant insert, select, update on assignment to seatkeeper_runtime;

create table audit_entry (
  organisation_id uuid not null,
  sequence bigint not null,
  version smallint not null,
  at timestamp(3) with time zone not null,
  role text,
  credential text,
  user_id uuid,
  request_id text,
  action text not null,
  outcome text not null,
  subject text,
  before jsonb,
  after jsonb,
  previous_hash bytea not null,
  hash bytea not null
);

alter table audit_entry add constraint audit_entry_hash_check CHECK ((length(hash) = 32));
alter table audit_entry add constraint audit_entry_previous_hash_check CHECK ((length(previous_hash) = 32));
alter table audit_entry add constraint audit_entry_sequence_check CHECK ((sequence > 0));
alter table audit_entry add constraint audit_entry_pkey PRIMARY KEY (organisation_id, sequence);

CREATE INDEX audit_entry_action ON public.audit_entry USING btree (organisation_id, action, at, sequence);
CREATE INDEX audit_entry_credential ON public.audit_entry USING btree (organisation_id, credential, at, sequence);
CREATE INDEX audit_entry_newest ON public.audit_entry USING btree (organisation_id, at, sequence);

comment on table audit_entry is 'append-only; each entry''s hash covers the entry and the hash before it';
comment on column audit_entry.version is 'of the serialisation that is hashed';
comment on column audit_entry.at is 'real time, also in an organisation with a test clock; never before the entry before it';
comment on column audit_entry.role is 'null: nobody''s, by itself';

alter table audit_entry enable row level security;
create policy tenant on audit_entry for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = audit_entry.organisation_id)))));

grant insert, select on audit_entry to seatkeeper_runtime;

create table audit_head (
  organisation_id uuid not null,
  sequence bigint not null,
  at timestamp(3) with time zone not null,
  hash bytea not null
);

alter table audit_head add constraint audit_head_hash_check CHECK ((length(hash) = 32));
alter table audit_head add constraint audit_head_pkey PRIMARY KEY (organisation_id);

comment on table audit_head is 'the last entry of each chain: a tail that was cut off is missed';

alter table audit_head enable row level security;
create policy tenant on audit_head for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = audit_head.organisation_id)))));

grant insert, select, update on audit_head to seatkeeper_runtime;

create table audit_name (
  organisation_id uuid not null,
  digest bytea not null,
  user_id uuid not null,
  salt bytea,
  value text not null
);

alter table audit_name add constraint audit_name_digest_check CHECK ((length(digest) = 32));
alter table audit_name add constraint audit_name_organisation_id_user_id_fkey FOREIGN KEY (organisation_id, user_id) REFERENCES "user"(organisation_id, id);
alter table audit_name add constraint audit_name_pkey PRIMARY KEY (organisation_id, digest);

CREATE INDEX audit_name_user ON public.audit_name USING btree (organisation_id, user_id);

comment on table audit_name is 'what entries say of persons: an entry holds the digest of salt and value, so that both can be erased';
comment on column audit_name.salt is 'null: erased, and the value is a pseudonym';

alter table audit_name enable row level security;
create policy tenant on audit_name for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = audit_name.organisation_id)))));

grant insert, select, update on audit_name to seatkeeper_runtime;

create table base_licence (
  organisation_id uuid not null,
  id uuid not null,
  licence text collate "C" not null,
  holder_id uuid,
  last_holder_id uuid not null,
  period_until timestamp(3) with time zone not null,
  reassigned boolean not null
);

alter table base_licence add constraint base_licence_check CHECK (((holder_id IS NULL) OR (holder_id = last_holder_id)));
alter table base_licence add constraint base_licence_licence_fkey FOREIGN KEY (licence) REFERENCES licence(code);
alter table base_licence add constraint base_licence_organisation_id_last_holder_id_fkey FOREIGN KEY (organisation_id, last_holder_id) REFERENCES "user"(organisation_id, id);
alter table base_licence add constraint base_licence_pkey PRIMARY KEY (organisation_id, id);

CREATE INDEX base_licence_due ON public.base_licence USING btree (organisation_id, period_until) WHERE (holder_id IS NULL);
CREATE UNIQUE INDEX base_licence_holder ON public.base_licence USING btree (organisation_id, holder_id, licence) WHERE (holder_id IS NOT NULL);
CREATE INDEX base_licence_released ON public.base_licence USING btree (organisation_id, licence, reassigned, period_until) WHERE (holder_id IS NULL);
CREATE INDEX base_licence_returning ON public.base_licence USING btree (organisation_id, last_holder_id, licence) WHERE (holder_id IS NULL);

comment on table base_licence is 'one that is held, REUSABLE or LOCKED; a FREE one has no row (B2)';

alter table base_licence enable row level security;
create policy tenant on base_licence for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = base_licence.organisation_id)))));

grant delete, insert, select, update on base_licence to seatkeeper_runtime;

create table billing_period (
  organisation_id uuid not null,
  month integer not null,
  "from" timestamp(3) with time zone not null,
  until timestamp(3) with time zone not null
);

alter table billing_period add constraint billing_period_check CHECK ((until > "from"));
alter table billing_period add constraint billing_period_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id);
alter table billing_period add constraint billing_period_pkey PRIMARY KEY (organisation_id, month);

alter table billing_period enable row level security;
create policy tenant on billing_period for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = billing_period.organisation_id)))));

grant insert, select on billing_period to seatkeeper_runtime;

create table billing_terms (
  organisation_id uuid not null,
  month integer not null,
  currency text not null,
  partial_months partial_months not null
);

alter table billing_terms add constraint billing_terms_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text));
alter table billing_terms add constraint billing_terms_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id);
alter table billing_terms add constraint billing_terms_pkey PRIMARY KEY (organisation_id, month);

comment on column billing_terms.month is 'the first that they hold for: year × 12 + month − 1';

alter table billing_terms enable row level security;
create policy tenant on billing_terms for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = billing_terms.organisation_id)))));

grant insert, select on billing_terms to seatkeeper_runtime;
grant update (currency, partial_months) on billing_terms to seatkeeper_runtime;

create table closed_period (
  organisation_id uuid not null,
  month integer not null,
  time_zone text not null,
  active_in_billing_period integer not null,
  minimum_peak_minutes integer not null,
  statement_number integer,
  currency text,
  partial_months partial_months
);

alter table closed_period add constraint closed_period_organisation_id_month_fkey FOREIGN KEY (organisation_id, month) REFERENCES billing_period(organisation_id, month);
alter table closed_period add constraint closed_period_pkey PRIMARY KEY (organisation_id, month);

CREATE INDEX closed_period_due ON public.closed_period USING btree (organisation_id, month) WHERE (statement_number IS NULL);

comment on table closed_period is 'a billing period as it was when it ended, before anything that fell due at that instant';
comment on column closed_period.statement_number is 'null: its statement is still to be written';
comment on column closed_period.currency is 'of the terms that held as it was closed; null: closed before this was kept';

alter table closed_period enable row level security;
create policy tenant on closed_period for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = closed_period.organisation_id)))));

grant insert, select on closed_period to seatkeeper_runtime;
grant update (statement_number) on closed_period to seatkeeper_runtime;

create table contract_option (
  organisation_id uuid not null,
  minimum_peak_minutes integer not null default 0
);

alter table contract_option add constraint contract_option_minimum_peak_minutes_check CHECK (((minimum_peak_minutes >= 0) AND (minimum_peak_minutes <= 10000)));
alter table contract_option add constraint contract_option_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id);
alter table contract_option add constraint contract_option_pkey PRIMARY KEY (organisation_id);

comment on table contract_option is 'no row: the defaults';

alter table contract_option enable row level security;
create policy tenant on contract_option for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = contract_option.organisation_id)))));

grant insert, select, update on contract_option to seatkeeper_runtime;

create table denial (
  organisation_id uuid not null,
  id uuid not null,
  user_id uuid not null,
  licence text collate "C" not null,
  code text not null,
  at timestamp(3) with time zone not null
);

alter table denial add constraint denial_licence_fkey FOREIGN KEY (licence) REFERENCES licence(code);
alter table denial add constraint denial_pkey PRIMARY KEY (organisation_id, id);

CREATE INDEX denial_newest ON public.denial USING btree (organisation_id, at, id);

alter table denial enable row level security;
create policy tenant on denial for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = denial.organisation_id)))));

grant insert, select on denial to seatkeeper_runtime;

create table department (
  organisation_id uuid not null,
  id uuid not null,
  name text not null
);

alter table department add constraint department_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id);
alter table department add constraint department_pkey PRIMARY KEY (organisation_id, id);

CREATE UNIQUE INDEX department_name ON public.department USING btree (organisation_id, lower(name));

alter table department enable row level security;
create policy tenant on department for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = department.organisation_id)))));

grant delete, insert, select, update on department to seatkeeper_runtime;

create table department_member (
  organisation_id uuid not null,
  user_id uuid not null,
  department_id uuid not null
);

alter table department_member add constraint department_member_organisation_id_department_id_fkey FOREIGN KEY (organisation_id, department_id) REFERENCES department(organisation_id, id);
alter table department_member add constraint department_member_organisation_id_user_id_fkey FOREIGN KEY (organisation_id, user_id) REFERENCES "user"(organisation_id, id);
alter table department_member add constraint department_member_pkey PRIMARY KEY (organisation_id, user_id);

CREATE INDEX department_member_department ON public.department_member USING btree (organisation_id, department_id);

comment on table department_member is 'a user is in one department or in none';

alter table department_member enable row level security;
create policy tenant on department_member for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = department_member.organisation_id)))));

grant delete, insert, select, update on department_member to seatkeeper_runtime;

create table erased_user (
  organisation_id uuid not null,
  user_id uuid not null,
  at timestamp(3) with time zone not null
);

alter table erased_user add constraint erased_user_organisation_id_user_id_fkey FOREIGN KEY (organisation_id, user_id) REFERENCES "user"(organisation_id, id);
alter table erased_user add constraint erased_user_pkey PRIMARY KEY (organisation_id, user_id);

comment on table erased_user is 'deleted users whose names are a pseudonym, and since when, in real time';

alter table erased_user enable row level security;
create policy tenant on erased_user for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = erased_user.organisation_id)))));

grant insert, select on erased_user to seatkeeper_runtime;

create table history (
  organisation_id uuid not null,
  id bigint not null default nextval('history_id_seq'::regclass),
  at timestamp(3) with time zone not null,
  kind history_kind not null,
  licence text collate "C" not null,
  user_id uuid,
  session_id uuid,
  admitted_as admitted_as,
  seat_changed boolean not null,
  in_use integer not null,
  concurrent_total integer not null,
  contingency_total integer not null,
  max_used integer not null,
  recorded_at timestamp(3) with time zone not null default clock_timestamp(),
  due boolean not null default false
) partition by RANGE (recorded_at);

alter table history add constraint history_check CHECK (((kind = ANY (ARRAY['ACQUIRED'::history_kind, 'RELEASED'::history_kind])) = ((user_id IS NOT NULL) AND (session_id IS NOT NULL) AND (admitted_as IS NOT NULL))));
alter table history add constraint history_pkey PRIMARY KEY (organisation_id, id, recorded_at);

CREATE INDEX history_time ON ONLY public.history USING btree (organisation_id, licence, at, id);

comment on column history.seat_changed is 'false where the user holds the seat on another device too: counted once (L2)';
comment on column history.recorded_at is 'real time, also of an organisation with a test clock: which partition has the row';
comment on column history.due is 'of a step that time took, not a request (T3); of what was recorded before there was this column, not known: false';

alter table history enable row level security;
create policy tenant on history for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = history.organisation_id)))));

grant insert, select on history to seatkeeper_runtime;

grant usage on sequence history_id_seq to seatkeeper_runtime;

create table history_opening (
  organisation_id uuid not null,
  licence text collate "C" not null,
  id bigint not null,
  at timestamp(3) with time zone not null,
  in_use integer not null,
  concurrent_total integer not null,
  contingency_total integer not null,
  max_used integer not null
);

alter table history_opening add constraint history_opening_pkey PRIMARY KEY (organisation_id, licence);

comment on table history_opening is 'of each licence the last row of the history that was dropped: what the rows that are kept begin with';

alter table history_opening enable row level security;
create policy tenant on history_opening for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = history_opening.organisation_id)))));

grant select on history_opening to seatkeeper_runtime;

create table hold (
  organisation_id uuid not null,
  user_id uuid not null,
  licence text collate "C" not null,
  admitted_as admitted_as not null,
  acquired_at timestamp(3) with time zone not null
);

alter table hold add constraint hold_pkey PRIMARY KEY (organisation_id, user_id, licence);

alter table hold enable row level security;
create policy tenant on hold for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = hold.organisation_id)))));

grant delete, insert, select on hold to seatkeeper_runtime;

create table idempotency_key (
  organisation_id uuid not null,
  scope text not null,
  key text not null,
  arguments text not null,
  outcome jsonb not null,
  created_at timestamp(3) with time zone not null
);

alter table idempotency_key add constraint idempotency_key_pkey PRIMARY KEY (organisation_id, scope, key);

CREATE INDEX idempotency_key_age ON public.idempotency_key USING btree (created_at);

comment on column idempotency_key.created_at is 'real time, also in an organisation with a test clock (L6)';

alter table idempotency_key enable row level security;
create policy tenant on idempotency_key for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = idempotency_key.organisation_id)))));

grant delete, insert, select, update on idempotency_key to seatkeeper_runtime;

grant select on kysely_migration to seatkeeper_runtime;

create table licence (
  code text collate "C" not null,
  "position" integer not null,
  name text not null,
  category licence_category not null,
  seat_model seat_model not null,
  contingency_allowed boolean not null,
  channel boolean not null default false,
  channel_required boolean not null default false,
  second_factor_required boolean not null default false,
  reassignment_days integer not null
);

alter table licence add constraint licence_check CHECK (((seat_model = 'CONCURRENT'::seat_model) OR (NOT contingency_allowed)));
alter table licence add constraint licence_check1 CHECK (((category = 'FEATURE'::licence_category) OR (NOT channel)));
alter table licence add constraint licence_check2 CHECK (((category <> 'FEATURE'::licence_category) OR ((NOT channel_required) AND (NOT second_factor_required) AND (reassignment_days = 0))));
alter table licence add constraint licence_code_check CHECK ((code ~ '^[A-Z][A-Z0-9_]{0,63}$'::text));
alter table licence add constraint licence_reassignment_days_check CHECK ((reassignment_days >= 0));
alter table licence add constraint licence_pkey PRIMARY KEY (code);
alter table licence add constraint licence_position_key UNIQUE ("position");

comment on column licence."position" is 'catalogue order';
comment on column licence.reassignment_days is 'length of a base licence''s period (B1); 0: none (B7)';

grant select on licence to seatkeeper_runtime;

create table organisation (
  id uuid not null,
  parent_id uuid,
  name text not null,
  external_id text,
  time_zone text not null,
  lease_seconds integer not null,
  test_clock boolean not null,
  settled_at timestamp(3) with time zone not null,
  next_due_at timestamp(3) with time zone not null,
  period_month integer not null,
  period_from timestamp(3) with time zone not null,
  period_until timestamp(3) with time zone not null,
  active_users integer not null,
  active_in_billing_period integer not null,
  revision bigint not null,
  rows_revision bigint not null,
  created_at timestamp(3) with time zone not null,
  search_text text not null generated always as (lower(((name || ' '::text) || COALESCE(external_id, ''::text)))) stored
);

alter table organisation add constraint organisation_active_users_check CHECK ((active_users >= 0));
alter table organisation add constraint organisation_check CHECK ((id <> parent_id));
alter table organisation add constraint organisation_check1 CHECK (((period_from <= settled_at) AND (settled_at < period_until)));
alter table organisation add constraint organisation_check2 CHECK ((next_due_at <= period_until));
alter table organisation add constraint organisation_check3 CHECK ((active_in_billing_period >= active_users));
alter table organisation add constraint organisation_check4 CHECK ((rows_revision <= revision));
alter table organisation add constraint organisation_lease_seconds_check CHECK (((lease_seconds >= 10) AND (lease_seconds <= 86400)));
alter table organisation add constraint organisation_revision_check CHECK ((revision > 0));
alter table organisation add constraint organisation_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES organisation(id);
alter table organisation add constraint organisation_pkey PRIMARY KEY (id);
alter table organisation add constraint organisation_external_id_key UNIQUE (external_id);

CREATE INDEX organisation_due ON public.organisation USING btree (next_due_at) WHERE (NOT test_clock);
CREATE INDEX organisation_newest ON public.organisation USING btree (created_at, id);
CREATE INDEX organisation_parent ON public.organisation USING btree (parent_id);
CREATE INDEX organisation_search ON public.organisation USING gin (search_text gin_trgm_ops);

comment on column organisation.settled_at is 'all that fell due up to here has taken effect (T3); a test clock stands here (T2)';
comment on column organisation.next_due_at is 'nothing falls due before this instant';
comment on column organisation.period_month is 'the running billing period''s month: year * 12 + month - 1 (T1)';
comment on column organisation.rows_revision is 'when all rows of the organisation last changed together (C5)';

alter table organisation enable row level security;
create policy tenant on organisation for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (id = ( SELECT present_tenant() AS present_tenant)) OR (parent_id = ( SELECT present_partner() AS present_partner)) OR (parent_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = organisation.parent_id)))));

grant insert, select on organisation to seatkeeper_runtime;
grant update (name, time_zone, lease_seconds, settled_at, next_due_at, period_month, period_from, period_until, active_users, active_in_billing_period, revision, rows_revision) on organisation to seatkeeper_runtime;

create table organisation_ancestor (
  organisation_id uuid not null,
  ancestor_id uuid not null
);

alter table organisation_ancestor add constraint organisation_ancestor_ancestor_id_fkey FOREIGN KEY (ancestor_id) REFERENCES organisation(id);
alter table organisation_ancestor add constraint organisation_ancestor_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id);
alter table organisation_ancestor add constraint organisation_ancestor_pkey PRIMARY KEY (organisation_id, ancestor_id);

comment on table organisation_ancestor is 'every organisation above one, at whatever height; an organisation''s place never changes';

alter table organisation_ancestor enable row level security;

create table period_close (
  organisation_id uuid not null,
  month integer not null,
  licence text collate "C" not null,
  base_total integer not null,
  concurrent_total integer not null,
  contingency_total integer not null,
  max_used integer not null,
  max_used_at timestamp(3) with time zone
);

alter table period_close add constraint period_close_licence_fkey FOREIGN KEY (licence) REFERENCES licence(code);
alter table period_close add constraint period_close_organisation_id_month_fkey FOREIGN KEY (organisation_id, month) REFERENCES closed_period(organisation_id, month);
alter table period_close add constraint period_close_pkey PRIMARY KEY (organisation_id, month, licence);

comment on table period_close is 'what each licence that was ever bought was at the end of a billing period';

alter table period_close enable row level security;
create policy tenant on period_close for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = period_close.organisation_id)))));

grant insert, select on period_close to seatkeeper_runtime;

create table pool (
  organisation_id uuid not null,
  licence text collate "C" not null,
  base_total integer not null,
  concurrent_total integer not null,
  contingency_total integer not null,
  in_use integer not null,
  max_used integer not null,
  max_used_at timestamp(3) with time zone,
  assigned integer not null,
  reusable integer not null,
  locked integer not null,
  holders integer not null,
  purchases integer not null,
  revision bigint not null
);

alter table pool add constraint pool_assigned_check CHECK ((assigned >= 0));
alter table pool add constraint pool_base_total_check CHECK ((base_total >= 0));
alter table pool add constraint pool_check CHECK ((holders >= assigned));
alter table pool add constraint pool_check1 CHECK ((max_used >= LEAST(GREATEST((in_use - concurrent_total), 0), contingency_total)));
alter table pool add constraint pool_check2 CHECK (((max_used = 0) = (max_used_at IS NULL)));
alter table pool add constraint pool_concurrent_total_check CHECK ((concurrent_total >= 0));
alter table pool add constraint pool_contingency_total_check CHECK ((contingency_total >= 0));
alter table pool add constraint pool_in_use_check CHECK ((in_use >= 0));
alter table pool add constraint pool_locked_check CHECK ((locked >= 0));
alter table pool add constraint pool_purchases_check CHECK ((purchases >= 0));
alter table pool add constraint pool_reusable_check CHECK ((reusable >= 0));
alter table pool add constraint pool_licence_fkey FOREIGN KEY (licence) REFERENCES licence(code);
alter table pool add constraint pool_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id);
alter table pool add constraint pool_pkey PRIMARY KEY (organisation_id, licence);

comment on table pool is 'the kept counters of one licence of one organisation: what the Licence Mapping page shows';

alter table pool enable row level security;
create policy tenant on pool for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = pool.organisation_id)))));

grant insert, select, update on pool to seatkeeper_runtime;

create table pool_watch (
  organisation_id uuid not null,
  licence text collate "C" not null,
  contingency_cap integer,
  caps jsonb,
  thresholds jsonb,
  raised jsonb not null
);

alter table pool_watch add constraint pool_watch_check CHECK (((caps IS NOT NULL) OR (contingency_cap IS NULL)));
alter table pool_watch add constraint pool_watch_contingency_cap_check CHECK ((contingency_cap >= 0));
alter table pool_watch add constraint pool_watch_licence_fkey FOREIGN KEY (licence) REFERENCES licence(code);
alter table pool_watch add constraint pool_watch_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id);
alter table pool_watch add constraint pool_watch_pkey PRIMARY KEY (organisation_id, licence);

comment on table pool_watch is 'what is set for a pool, and what has been said of it; no row: nothing';
comment on column pool_watch.contingency_cap is 'of caps, what holds in the organisation''s billing period (W1)';
comment on column pool_watch.caps is '{"everyMonth": 3, "months": {"24312": 0}}; null: none';
comment on column pool_watch.thresholds is 'when to be told (W3); null: as is usual';
comment on column pool_watch.raised is 'the kinds of alerts that were raised and have not cleared';

alter table pool_watch enable row level security;
create policy tenant on pool_watch for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = pool_watch.organisation_id)))));

grant insert, select, update on pool_watch to seatkeeper_runtime;

create table price (
  organisation_id uuid not null,
  id bigint not null generated always as identity,
  licence text collate "C",
  kind price_kind not null,
  currency text not null,
  amount bigint,
  "from" timestamp(3) with time zone not null
);

alter table price add constraint price_amount_check CHECK (((amount >= 0) AND (amount <= 100000000)));
alter table price add constraint price_check CHECK (((licence IS NULL) = (kind = 'ACTIVE_USER'::price_kind)));
alter table price add constraint price_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text));
alter table price add constraint price_licence_fkey FOREIGN KEY (licence) REFERENCES licence(code);
alter table price add constraint price_pkey PRIMARY KEY (organisation_id, id);

CREATE INDEX price_in_force ON public.price USING btree (organisation_id, currency, kind, licence, "from", id);

comment on table price is 'append-only; an entry holds from its instant on until the next of the same licence, kind and currency';
comment on column price.organisation_id is 'of the operator''s book an id that no organisation has';
comment on column price.amount is 'minor units a month; null: from here on what is set above holds again';

alter table price enable row level security;
create policy tenant on price for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = price.organisation_id)))));

grant insert, select on price to seatkeeper_runtime;

create table purchase (
  organisation_id uuid not null,
  id uuid not null,
  licence text collate "C" not null,
  base integer not null,
  concurrent integer not null,
  contingency integer not null,
  "from" timestamp(3) with time zone not null,
  until timestamp(3) with time zone,
  reference text,
  recorded_at timestamp(3) with time zone not null
);

alter table purchase add constraint purchase_base_check CHECK ((base >= 0));
alter table purchase add constraint purchase_check CHECK ((until >= "from"));
alter table purchase add constraint purchase_check1 CHECK (((base > 0) OR (concurrent > 0) OR (contingency > 0)));
alter table purchase add constraint purchase_concurrent_check CHECK ((concurrent >= 0));
alter table purchase add constraint purchase_contingency_check CHECK ((contingency >= 0));
alter table purchase add constraint purchase_licence_fkey FOREIGN KEY (licence) REFERENCES licence(code);
alter table purchase add constraint purchase_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id);
alter table purchase add constraint purchase_pkey PRIMARY KEY (organisation_id, id);

CREATE INDEX purchase_end ON public.purchase USING btree (organisation_id, until) WHERE (until IS NOT NULL);
CREATE INDEX purchase_licence ON public.purchase USING btree (organisation_id, licence, until);
CREATE INDEX purchase_newest ON public.purchase USING btree (organisation_id, recorded_at, id);
CREATE INDEX purchase_start ON public.purchase USING btree (organisation_id, "from");

alter table purchase enable row level security;
create policy tenant on purchase for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = purchase.organisation_id)))));

grant insert, select, update on purchase to seatkeeper_runtime;

create table repair (
  organisation_id uuid not null,
  id bigint not null generated always as identity,
  at timestamp(3) with time zone not null,
  findings jsonb not null
);

alter table repair add constraint repair_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id);
alter table repair add constraint repair_pkey PRIMARY KEY (organisation_id, id);

alter table repair enable row level security;
create policy tenant on repair for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = repair.organisation_id)))));

grant insert, select on repair to seatkeeper_runtime;

create table security_key (
  organisation_id uuid not null,
  id uuid not null,
  user_id uuid not null,
  credential_id text collate "C" not null,
  public_key bytea not null,
  algorithm security_key_algorithm not null,
  counter bigint not null,
  transports text[] not null,
  name text not null,
  created_at timestamp(3) with time zone not null,
  last_used_at timestamp(3) with time zone,
  suspect_at timestamp(3) with time zone
);

alter table security_key add constraint security_key_counter_check CHECK (((counter >= 0) AND (counter <= '4294967295'::bigint)));
alter table security_key add constraint security_key_credential_id_check CHECK (((credential_id ~ '^[A-Za-z0-9_-]+$'::text) AND (length(credential_id) <= 1364)));
alter table security_key add constraint security_key_public_key_check CHECK ((octet_length(public_key) <= 2048));
alter table security_key add constraint security_key_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id);
alter table security_key add constraint security_key_organisation_id_user_id_fkey FOREIGN KEY (organisation_id, user_id) REFERENCES "user"(organisation_id, id);
alter table security_key add constraint security_key_pkey PRIMARY KEY (organisation_id, id);

CREATE UNIQUE INDEX security_key_credential ON public.security_key USING btree (organisation_id, credential_id);
CREATE INDEX security_key_of_user ON public.security_key USING btree (organisation_id, user_id);

comment on column security_key.credential_id is 'as the key made it: base64url of at most 1023 bytes';
comment on column security_key.public_key is 'in COSE''s form';
comment on column security_key.counter is 'of the signature that was seen last; 0: the key does not count';
comment on column security_key.created_at is 'real time, like its other instants, also in an organisation with a test clock';
comment on column security_key.suspect_at is 'when its counter did not grow: it may have been copied, and is not accepted any more';

alter table security_key enable row level security;
create policy tenant on security_key for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = security_key.organisation_id)))));

grant delete, insert, select, update on security_key to seatkeeper_runtime;

create table security_key_challenge (
  organisation_id uuid not null,
  user_id uuid not null,
  purpose security_key_purpose not null,
  challenge text collate "C" not null,
  expires_at timestamp(3) with time zone not null
);

alter table security_key_challenge add constraint security_key_challenge_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id);
alter table security_key_challenge add constraint security_key_challenge_organisation_id_user_id_fkey FOREIGN KEY (organisation_id, user_id) REFERENCES "user"(organisation_id, id);
alter table security_key_challenge add constraint security_key_challenge_pkey PRIMARY KEY (organisation_id, user_id, purpose, challenge);

CREATE INDEX security_key_challenge_age ON public.security_key_challenge USING btree (expires_at);

comment on table security_key_challenge is 'each is deleted by the answer to it, whatever that is: it is good for one';

alter table security_key_challenge enable row level security;
create policy tenant on security_key_challenge for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = security_key_challenge.organisation_id)))));

grant delete, insert, select, update on security_key_challenge to seatkeeper_runtime;

create table session (
  organisation_id uuid not null,
  id uuid not null,
  user_id uuid not null,
  licence text collate "C" not null,
  device text not null,
  admitted_as admitted_as not null,
  started_at timestamp(3) with time zone not null,
  expires_at timestamp(3) with time zone not null,
  ended_at timestamp(3) with time zone,
  end_reason session_end_reason,
  version integer not null,
  due_at timestamp(3) with time zone not null default '-infinity'::timestamp with time zone
);

alter table session add constraint session_check CHECK ((expires_at > started_at));
alter table session add constraint session_check1 CHECK (((ended_at >= started_at) AND (ended_at <= expires_at)));
alter table session add constraint session_check2 CHECK (((ended_at IS NULL) = (end_reason IS NULL)));
alter table session add constraint session_check3 CHECK ((due_at <= expires_at)) NOT VALID;
alter table session add constraint session_pkey PRIMARY KEY (organisation_id, id);

CREATE INDEX session_due ON public.session USING btree (organisation_id, due_at) WHERE (end_reason IS NULL);
CREATE UNIQUE INDEX session_live_device ON public.session USING btree (organisation_id, user_id, device) WHERE (ended_at IS NULL);
CREATE INDEX session_live_newest ON public.session USING btree (organisation_id, started_at, id) WHERE (end_reason IS NULL);
CREATE INDEX session_newest ON public.session USING btree (organisation_id, started_at, id);

comment on column session.due_at is 'the lease is not over before this instant: at or before expires_at';

alter table session enable row level security;
create policy tenant on session for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = session.organisation_id)))));

grant insert, select, update on session to seatkeeper_runtime;

create table session_feature (
  organisation_id uuid not null,
  session_id uuid not null,
  licence text collate "C" not null,
  admitted_as admitted_as,
  unavailable_reason unavailable_reason
);

alter table session_feature add constraint session_feature_check CHECK (((admitted_as IS NULL) <> (unavailable_reason IS NULL)));
alter table session_feature add constraint session_feature_organisation_id_session_id_fkey FOREIGN KEY (organisation_id, session_id) REFERENCES session(organisation_id, id);
alter table session_feature add constraint session_feature_pkey PRIMARY KEY (organisation_id, session_id, licence);

alter table session_feature enable row level security;
create policy tenant on session_feature for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = session_feature.organisation_id)))));

grant delete, insert, select, update on session_feature to seatkeeper_runtime;

create table statement (
  organisation_id uuid not null,
  number integer not null,
  month integer not null,
  correction integer not null,
  name text not null,
  "from" timestamp(3) with time zone not null,
  until timestamp(3) with time zone not null,
  time_zone text not null,
  currency text not null,
  partial_months partial_months not null,
  days integer not null,
  total bigint not null,
  complete boolean not null,
  reason text,
  issued_at timestamp(3) with time zone not null
);

alter table statement add constraint statement_check CHECK (((reason IS NULL) = (correction = 0)));
alter table statement add constraint statement_correction_check CHECK ((correction >= 0));
alter table statement add constraint statement_number_check CHECK ((number > 0));
alter table statement add constraint statement_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id);
alter table statement add constraint statement_pkey PRIMARY KEY (organisation_id, number);
alter table statement add constraint statement_organisation_id_month_correction_key UNIQUE (organisation_id, month, correction);

comment on table statement is 'append-only; numbered 1, 2, 3 … without a gap, by the organisation''s lock';
comment on column statement.correction is '0: the month''s own; then its corrections, 1, 2, 3 …';
comment on column statement.total is 'minor units; of a correction the difference';

alter table statement enable row level security;
create policy tenant on statement for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = statement.organisation_id)))));

grant insert, select on statement to seatkeeper_runtime;

create table statement_line (
  organisation_id uuid not null,
  number integer not null,
  "position" integer not null,
  entry statement_entry not null,
  licence text collate "C",
  kind price_kind not null,
  quantity integer not null,
  seat_days bigint,
  unit_price bigint,
  amount bigint,
  max_used integer,
  max_used_at timestamp(3) with time zone,
  evidence jsonb
);

alter table statement_line add constraint statement_line_amount_check CHECK ((amount >= 0));
alter table statement_line add constraint statement_line_quantity_check CHECK ((quantity >= 0));
alter table statement_line add constraint statement_line_seat_days_check CHECK ((seat_days >= 0));
alter table statement_line add constraint statement_line_licence_fkey FOREIGN KEY (licence) REFERENCES licence(code);
alter table statement_line add constraint statement_line_organisation_id_number_fkey FOREIGN KEY (organisation_id, number) REFERENCES statement(organisation_id, number);
alter table statement_line add constraint statement_line_pkey PRIMARY KEY (organisation_id, number, "position");

comment on column statement_line.seat_days is 'null: billed by the whole month';
comment on column statement_line.amount is 'minor units, of a CREDIT to be taken off; null: there is no price';

alter table statement_line enable row level security;
create policy tenant on statement_line for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = statement_line.organisation_id)))));

grant insert, select on statement_line to seatkeeper_runtime;

create table usage_progress (
  organisation_id uuid not null,
  history_id bigint not null,
  denials_until timestamp(3) with time zone not null
);

alter table usage_progress add constraint usage_progress_pkey PRIMARY KEY (organisation_id);

comment on table usage_progress is 'how far an organisation''s history is in usage_rollup';
comment on column usage_progress.history_id is 'the last row of the history that is';
comment on column usage_progress.denials_until is 'denials of before this instant are';

alter table usage_progress enable row level security;
create policy tenant on usage_progress for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = usage_progress.organisation_id)))));

grant insert, select, update on usage_progress to seatkeeper_runtime;

create table usage_rollup (
  organisation_id uuid not null,
  licence text collate "C" not null,
  width smallint not null,
  at timestamp(3) with time zone not null,
  in_use_minimum integer not null,
  in_use_maximum integer not null,
  in_use_milliseconds bigint not null,
  concurrent_minimum integer not null,
  concurrent_maximum integer not null,
  concurrent_milliseconds bigint not null,
  contingency_minimum integer not null,
  contingency_maximum integer not null,
  contingency_milliseconds bigint not null,
  in_use integer not null,
  concurrent_total integer not null,
  contingency_total integer not null,
  denials integer not null
);

alter table usage_rollup add constraint usage_rollup_width_check CHECK ((width = ANY (ARRAY[5, 60, 1440])));
alter table usage_rollup add constraint usage_rollup_pkey PRIMARY KEY (organisation_id, licence, width, at);

comment on table usage_rollup is 'what was in use in a span of time; only spans in which something happened: in a gap all stays as the last one left it';
comment on column usage_rollup.width is 'minutes, from "at" on; spans of a width begin at its multiples since 1970, in UTC';
comment on column usage_rollup.in_use_milliseconds is 'the sum of seats times how long, up to the span''s end, as if nothing more happened in it';
comment on column usage_rollup.in_use is 'after the last change; the totals too';

alter table usage_rollup enable row level security;
create policy tenant on usage_rollup for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = usage_rollup.organisation_id)))));

grant insert, select, update on usage_rollup to seatkeeper_runtime;

create table "user" (
  organisation_id uuid not null,
  id uuid not null,
  username text collate "C" not null,
  display_name text not null,
  email text,
  external_id text,
  status user_status not null,
  active_month integer,
  created_at timestamp(3) with time zone not null,
  search_text text not null generated always as (lower(((((username || ' '::text) || display_name) || ' '::text) || COALESCE(email, ''::text)))) stored
);

alter table "user" add constraint user_organisation_id_fkey FOREIGN KEY (organisation_id) REFERENCES organisation(id);
alter table "user" add constraint user_pkey PRIMARY KEY (organisation_id, id);

CREATE INDEX user_by_username ON public."user" USING btree (organisation_id, username, id);
CREATE INDEX user_external_id ON public."user" USING btree (organisation_id, external_id) WHERE ((external_id IS NOT NULL) AND (status <> 'DELETED'::user_status));
CREATE INDEX user_search ON public."user" USING gin (organisation_id, search_text gin_trgm_ops);
CREATE UNIQUE INDEX user_username ON public."user" USING btree (organisation_id, username) WHERE (status <> 'DELETED'::user_status);

comment on column "user".active_month is 'the last billing period (its month) in which an inactive user was ACTIVE (U2)';

alter table "user" enable row level security;
create policy tenant on "user" for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = "user".organisation_id)))));

grant insert, select, update on "user" to seatkeeper_runtime;

create table user_status_interval (
  organisation_id uuid not null,
  id bigint not null generated always as identity,
  user_id uuid not null,
  status user_status not null,
  "from" timestamp(3) with time zone not null,
  until timestamp(3) with time zone
);

alter table user_status_interval add constraint user_status_interval_check CHECK ((until >= "from"));
alter table user_status_interval add constraint user_status_interval_organisation_id_user_id_fkey FOREIGN KEY (organisation_id, user_id) REFERENCES "user"(organisation_id, id);
alter table user_status_interval add constraint user_status_interval_pkey PRIMARY KEY (organisation_id, id);

CREATE UNIQUE INDEX user_status_interval_present ON public.user_status_interval USING btree (organisation_id, user_id) WHERE (until IS NULL);

alter table user_status_interval enable row level security;
create policy tenant on user_status_interval for all using ((( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
   FROM below_present_partner below
  WHERE (below.id = user_status_interval.organisation_id)))));

grant insert, select, update on user_status_interval to seatkeeper_runtime;

CREATE OR REPLACE FUNCTION public.drop_alerts(kept integer, most integer)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
 SET "TimeZone" TO 'UTC'
AS $function$
  declare
    dropped integer;
  begin
    delete from alert where (organisation_id, id) in (
      select old.organisation_id, old.id from organisation o
      cross join lateral (
        select organisation_id, id from alert
        where organisation_id = o.id and at < o.period_from - make_interval(months => greatest(kept, 2))
        order by at, id limit most for update skip locked) old
      limit most);
    get diagnostics dropped = row_count;
    return dropped;
  end $function$
;

CREATE OR REPLACE FUNCTION public.drop_history_months(kept integer)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
 SET lock_timeout TO '500ms'
AS $function$
  declare
    part name;
    is_needed boolean;
    dropped integer := 0;
  begin
    if not pg_try_advisory_xact_lock(hashtext('history_months')) then return 0; end if;
    for part in
      select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'history'::regclass and c.relname ~ '^history_\d{4}_\d\d$'
        and to_date(right(c.relname, 7), 'YYYY_MM')
          < date_trunc('month', now() at time zone 'UTC') - make_interval(months => greatest(kept, 2))
      order by 1
    loop
      -- An index look-up an organisation, however many rows there are.
      execute format('select exists (
        select from organisation o
        cross join lateral (select id from %I p where p.organisation_id = o.id order by id desc limit 1) newest
        left join usage_progress u on u.organisation_id = o.id
        where newest.id > coalesce(u.history_id, 0))', part) into is_needed;
      exit when is_needed;
      execute format('insert into history_opening
        select pool.organisation_id, pool.licence, newest.* from pool cross join lateral (
          select id, at, in_use, concurrent_total, contingency_total, max_used from %I p
          where p.organisation_id = pool.organisation_id and p.licence = pool.licence order by at desc, id desc limit 1) newest
        on conflict (organisation_id, licence) do update set id = excluded.id, at = excluded.at, in_use = excluded.in_use,
          concurrent_total = excluded.concurrent_total, contingency_total = excluded.contingency_total,
          max_used = excluded.max_used', part);
      execute format('drop table %I', part);
      dropped := dropped + 1;
    end loop;
    return dropped;
  end $function$
;

CREATE OR REPLACE FUNCTION public.make_history_months()
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
 SET lock_timeout TO '500ms'
AS $function$
  declare
    month timestamp;
    name text;
    made integer := 0;
  begin
    -- Several servers ask at once: one is enough.
    if not pg_try_advisory_xact_lock(hashtext('history_months')) then return 0; end if;
    select to_date(max(right(c.relname, 7)), 'YYYY_MM') into month
      from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'history'::regclass and c.relname ~ '^history_\d{4}_\d\d$';
    loop
      month := month + interval '1 month';
      exit when month > (now() at time zone 'UTC') + interval '1 year';
      -- A month of which rows stand among those of no month keeps standing there.
      continue when exists (select from history_default
        where recorded_at >= month at time zone 'UTC' and recorded_at < (month + interval '1 month') at time zone 'UTC');
      name := 'history_' || to_char(month, 'YYYY_MM');
      -- Attached, not made as a partition: that would lock out whoever writes the history.
      execute format('create table %I (like history including defaults including constraints)', name);
      execute format('alter table %I enable row level security', name);
      execute format('alter table history attach partition %I for values from (%L) to (%L)',
        name, month at time zone 'UTC', (month + interval '1 month') at time zone 'UTC');
      made := made + 1;
    end loop;
    return made;
  end $function$
;

CREATE OR REPLACE FUNCTION public.organisations_over(asked uuid)
 RETURNS TABLE(id uuid, height integer)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
BEGIN ATOMIC
 WITH RECURSIVE up AS (
          SELECT o.id,
             o.parent_id,
             0 AS height
            FROM organisation o
           WHERE ((o.id = organisations_over.asked) AND (sees_every_tenant() OR (organisations_over.asked = present_tenant()) OR (EXISTS ( SELECT
                    FROM organisation_ancestor a
                   WHERE ((a.organisation_id = organisations_over.asked) AND (a.ancestor_id = present_partner()))))))
         UNION ALL
          SELECT o.id,
             o.parent_id,
             (up_1.height + 1)
            FROM (up up_1
              JOIN organisation o ON ((o.id = up_1.parent_id)))
         )
  SELECT up.id,
     up.height
    FROM up;
END
;

CREATE OR REPLACE FUNCTION public.place_organisation()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
  begin
    insert into organisation_ancestor
    select new.id, new.parent_id
    union all
    select new.id, ancestor_id from organisation_ancestor where organisation_id = new.parent_id;
    return null;
  end $function$
;

CREATE OR REPLACE FUNCTION public.present_partner()
 RETURNS uuid
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN CASE WHEN (current_setting('seatkeeper.tenants'::text, true) ~~ '%/*'::text) THEN present_tenant() ELSE NULL::uuid END
;

CREATE OR REPLACE FUNCTION public.present_tenant()
 RETURNS uuid
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN (NULLIF(NULLIF("left"(current_setting('seatkeeper.tenants'::text, true), 36), '*'::text), ''::text))::uuid
;

CREATE OR REPLACE FUNCTION public.prices_over(asked uuid, wanted_currency text, at timestamp with time zone, until timestamp with time zone)
 RETURNS TABLE(height integer, id bigint, kind price_kind, licence text, amount bigint, "from" timestamp with time zone)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
BEGIN ATOMIC
 WITH up AS MATERIALIZED (
          SELECT organisations_over.id,
             organisations_over.height
            FROM organisations_over(prices_over.asked) organisations_over(id, height)
         ), over AS (
          SELECT up.id,
             up.height
            FROM up
         UNION ALL
          SELECT '00000000-0000-0000-0000-000000000000'::uuid,
             2147483647
           WHERE (EXISTS ( SELECT
                    FROM up))
         )
 ( SELECT DISTINCT ON (over.height, p.kind, p.licence) over.height,
     p.id,
     p.kind,
     p.licence,
     p.amount,
     p."from"
    FROM (over
      JOIN price p ON ((p.organisation_id = over.id)))
   WHERE ((p.currency = prices_over.wanted_currency) AND (p."from" <= prices_over.at))
   ORDER BY over.height, p.kind, p.licence, p."from" DESC, p.id DESC)
 UNION ALL
  SELECT over.height,
     p.id,
     p.kind,
     p.licence,
     p.amount,
     p."from"
    FROM (over
      JOIN price p ON ((p.organisation_id = over.id)))
   WHERE ((p.currency = prices_over.wanted_currency) AND (p."from" > prices_over.at) AND (p."from" < prices_over.until));
END
;

CREATE OR REPLACE FUNCTION public.sees_every_tenant()
 RETURNS boolean
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN (current_setting('seatkeeper.tenants'::text, true) = '*'::text)
;

CREATE OR REPLACE FUNCTION public.terms_over(asked uuid, for_month integer)
 RETURNS TABLE(currency text, partial_months partial_months)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
BEGIN ATOMIC
 SELECT t.currency,
     t.partial_months
    FROM (organisations_over(terms_over.asked) o(id, height)
      JOIN billing_terms t ON ((t.organisation_id = o.id)))
   WHERE (t.month <= terms_over.for_month)
   ORDER BY o.height, t.month DESC
  LIMIT 1;
END
;

CREATE TRIGGER place_organisation AFTER INSERT ON public.organisation FOR EACH ROW WHEN ((new.parent_id IS NOT NULL)) EXECUTE FUNCTION place_organisation();

create view below_present_partner as
 SELECT organisation_id AS id
   FROM organisation_ancestor
  WHERE (ancestor_id = ( SELECT present_partner() AS present_partner));

grant select on below_present_partner to seatkeeper_runtime;

create view searchable_organisation as
 SELECT id,
    parent_id,
    name,
    external_id,
    time_zone,
    lease_seconds,
    test_clock,
    settled_at,
    next_due_at,
    period_month,
    period_from,
    period_until,
    active_users,
    active_in_billing_period,
    revision,
    rows_revision,
    created_at,
    search_text
   FROM organisation
  WHERE (( SELECT sees_every_tenant() AS sees_every_tenant) OR (id = ( SELECT present_tenant() AS present_tenant)) OR (parent_id = ( SELECT present_partner() AS present_partner)) OR (parent_id = ( SELECT below.id
           FROM below_present_partner below
          WHERE (below.id = organisation.parent_id))));

grant select on searchable_organisation to seatkeeper_runtime;

create view searchable_user as
 SELECT organisation_id,
    id,
    username,
    display_name,
    email,
    external_id,
    status,
    active_month,
    created_at,
    search_text
   FROM "user"
  WHERE (( SELECT sees_every_tenant() AS sees_every_tenant) OR (organisation_id = ( SELECT present_tenant() AS present_tenant)) OR (organisation_id = ( SELECT below.id
           FROM below_present_partner below
          WHERE (below.id = "user".organisation_id))));

grant select on searchable_user to seatkeeper_runtime;
