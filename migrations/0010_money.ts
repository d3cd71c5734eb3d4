import { type Kysely, sql } from 'kysely';

/** Prices, and what is billed by them: what each month was when it ended, and the statements made of that. Every statement is instant. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

/** What is recorded is never changed; of a month that ended only that its statement was written. */
const grants: Readonly<Record<string, string>> = {
  price: 'select, insert',
  billing_terms: 'select, insert, update (currency, partial_months)',
  closed_period: 'select, insert, update (statement_number)',
  period_close: 'select, insert',
  statement: 'select, insert',
  statement_line: 'select, insert',
};

const isVisible = (table: string) => `
  (select sees_every_tenant()) or organisation_id = (select present_tenant())
  or organisation_id = (select below.id from below_present_partner below where below.id = ${table}.organisation_id)`;

const statements = [
  `create type price_kind as enum ('BASE', 'CONCURRENT', 'CONTINGENCY', 'ACTIVE_USER')`,
  `create type partial_months as enum ('FULL_MONTH', 'BY_DAY')`,
  `create type statement_entry as enum ('CHARGE', 'CREDIT')`,

  // No foreign key: the operator's own book is nobody's organisation's.
  `create table price (
     organisation_id uuid not null,
     id bigint not null generated always as identity,
     licence text collate "C" references licence,
     kind price_kind not null,
     currency text not null check (currency ~ '^[A-Z]{3}$'),
     amount bigint check (amount between 0 and 100000000),
     "from" timestamptz(3) not null,
     primary key (organisation_id, id),
     check ((licence is null) = (kind = 'ACTIVE_USER'))
   )`,
  `comment on table price is 'append-only; an entry holds from its instant on until the next of the same licence, kind and currency'`,
  `comment on column price.organisation_id is 'of the operator''s book an id that no organisation has'`,
  `comment on column price.amount is 'minor units a month; null: from here on what is set above holds again'`,
  `create index price_in_force on price (organisation_id, currency, kind, licence, "from", id)`,

  `create table billing_terms (
     organisation_id uuid not null references organisation,
     month integer not null,
     currency text not null check (currency ~ '^[A-Z]{3}$'),
     partial_months partial_months not null,
     primary key (organisation_id, month)
   )`,
  `comment on column billing_terms.month is 'the first that they hold for: year × 12 + month − 1'`,

  `create table closed_period (
     organisation_id uuid not null,
     month integer not null,
     time_zone text not null,
     active_in_billing_period integer not null,
     minimum_peak_minutes integer not null,
     statement_number integer,
     primary key (organisation_id, month),
     foreign key (organisation_id, month) references billing_period
   )`,
  `comment on table closed_period is 'a billing period as it was when it ended, before anything that fell due at that instant'`,
  `comment on column closed_period.statement_number is 'null: its statement is still to be written'`,
  `create index closed_period_due on closed_period (organisation_id, month) where statement_number is null`,

  `create table period_close (
     organisation_id uuid not null,
     month integer not null,
     licence text collate "C" not null references licence,
     base_total integer not null,
     concurrent_total integer not null,
     contingency_total integer not null,
     max_used integer not null,
     max_used_at timestamptz(3),
     primary key (organisation_id, month, licence),
     foreign key (organisation_id, month) references closed_period
   )`,
  `comment on table period_close is 'what each licence that was ever bought was at the end of a billing period'`,

  `create table statement (
     organisation_id uuid not null references organisation,
     number integer not null check (number > 0),
     month integer not null,
     correction integer not null check (correction >= 0),
     name text not null,
     "from" timestamptz(3) not null,
     until timestamptz(3) not null,
     time_zone text not null,
     currency text not null,
     partial_months partial_months not null,
     days integer not null,
     total bigint not null,
     complete boolean not null,
     reason text check ((reason is null) = (correction = 0)),
     issued_at timestamptz(3) not null,
     primary key (organisation_id, number),
     unique (organisation_id, month, correction)
   )`,
  `comment on table statement is 'append-only; numbered 1, 2, 3 … without a gap, by the organisation''s lock'`,
  `comment on column statement.correction is '0: the month''s own; then its corrections, 1, 2, 3 …'`,
  `comment on column statement.total is 'minor units; of a correction the difference'`,

  `create table statement_line (
     organisation_id uuid not null,
     number integer not null,
     position integer not null,
     entry statement_entry not null,
     licence text collate "C" references licence,
     kind price_kind not null,
     quantity integer not null check (quantity >= 0),
     seat_days bigint check (seat_days >= 0),
     unit_price bigint,
     amount bigint check (amount >= 0),
     max_used integer,
     max_used_at timestamptz(3),
     evidence jsonb,
     primary key (organisation_id, number, position),
     foreign key (organisation_id, number) references statement
   )`,
  `comment on column statement_line.seat_days is 'null: billed by the whole month'`,
  `comment on column statement_line.amount is 'minor units, of a CREDIT to be taken off; null: there is no price'`,

  ...Object.entries(grants).flatMap(([table, granted]) => [
    `alter table ${table} enable row level security`,
    `create policy tenant on ${table} using (${isVisible(table)})`,
    `grant ${granted} on ${table} to seatkeeper_runtime`,
  ]),

  // What is set above an organisation is none of its rows, and holds for it all the same. These functions see over the
  // wall: for an organisation that the caller may see, and only what of others holds for it.
  `create function organisations_over(asked uuid) returns table (id uuid, height integer)
    language sql stable security definer set search_path = public, pg_temp
    begin atomic
      with recursive up as (
        select o.id, o.parent_id, 0 as height from organisation o
        where o.id = asked and (
          sees_every_tenant() or asked = present_tenant()
          or exists (select from organisation_ancestor a where a.organisation_id = asked and a.ancestor_id = present_partner()))
        union all
        select o.id, o.parent_id, up.height + 1 from up join organisation o on o.id = up.parent_id
      ) select up.id, up.height from up;
    end`,
  `comment on function organisations_over(uuid) is 'an organisation and all above it, nearest first by height; nothing where the caller may not see it'`,
  `revoke execute on function organisations_over(uuid) from public`,

  `create function prices_over(asked uuid, wanted_currency text, at timestamptz, until timestamptz)
    returns table (height integer, id bigint, kind price_kind, licence text, amount bigint, "from" timestamptz)
    language sql stable security definer set search_path = public, pg_temp
    begin atomic
      with up as materialized (
        select id, height from organisations_over(asked)
      ), over as (
        select id, height from up
        union all
        select '00000000-0000-0000-0000-000000000000', 2147483647 where exists (select from up)
      )
      (
        select distinct on (over.height, p.kind, p.licence) over.height, p.id, p.kind, p.licence, p.amount, p."from"
        from over join price p on p.organisation_id = over.id
        where p.currency = wanted_currency and p."from" <= at
        order by over.height, p.kind, p.licence, p."from" desc, p.id desc
      )
      union all
      select over.height, p.id, p.kind, p.licence, p.amount, p."from"
      from over join price p on p.organisation_id = over.id
      where p.currency = wanted_currency and p."from" > at and p."from" < until;
    end`,
  `comment on function prices_over(uuid, text, timestamptz, timestamptz) is 'the entries that hold at an instant, of an organisation and of all above it, and those that come to hold before another'`,
  `revoke execute on function prices_over(uuid, text, timestamptz, timestamptz) from public`,

  `create function terms_over(asked uuid, for_month integer)
    returns table (currency text, partial_months partial_months)
    language sql stable security definer set search_path = public, pg_temp
    begin atomic
      select t.currency, t.partial_months
      from organisations_over(asked) o join billing_terms t on t.organisation_id = o.id
      where t.month <= for_month
      order by o.height, t.month desc limit 1;
    end`,
  `comment on function terms_over(uuid, integer) is 'the terms that hold for an organisation''s month: its own, or those of the nearest above it'`,
  `revoke execute on function terms_over(uuid, integer) from public`,
  `grant execute on function prices_over(uuid, text, timestamptz, timestamptz), terms_over(uuid, integer) to seatkeeper_runtime`,
];
