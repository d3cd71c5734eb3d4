import { type Kysely, sql } from 'kysely';

/** The audit log: who changed or was denied what, chained by hashes organisation by organisation. Every statement is instant. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  // No foreign key: what belongs to no organisation has a chain too, under an id that none has.
  `create table audit_entry (
     organisation_id uuid not null,
     sequence bigint not null check (sequence > 0),
     version smallint not null,
     at timestamptz(3) not null,
     role text,
     credential text,
     user_id uuid,
     request_id text,
     action text not null,
     outcome text not null,
     subject text,
     before jsonb,
     after jsonb,
     previous_hash bytea not null check (length(previous_hash) = 32),
     hash bytea not null check (length(hash) = 32),
     primary key (organisation_id, sequence)
   )`,
  `comment on table audit_entry is 'append-only; each entry''s hash covers the entry and the hash before it'`,
  `comment on column audit_entry.version is 'of the serialisation that is hashed'`,
  `comment on column audit_entry.at is 'real time, also in an organisation with a test clock; never before the entry before it'`,
  `comment on column audit_entry.role is 'null: nobody''s, by itself'`,
  `create index audit_entry_newest on audit_entry (organisation_id, at, sequence)`,
  `create index audit_entry_action on audit_entry (organisation_id, action, at, sequence)`,
  `create index audit_entry_credential on audit_entry (organisation_id, credential, at, sequence)`,

  `create table audit_head (
     organisation_id uuid primary key,
     sequence bigint not null,
     at timestamptz(3) not null,
     hash bytea not null check (length(hash) = 32)
   )`,
  `comment on table audit_head is 'the last entry of each chain: a tail that was cut off is missed'`,
  // The chain of what belongs to no organisation has no organisation's row to be locked by: it is locked by its head.
  `insert into audit_head values
     ('00000000-0000-0000-0000-000000000000', 0, '1970-01-01T00:00:00Z', decode(repeat('00', 32), 'hex'))`,

  `create table audit_name (
     organisation_id uuid not null,
     digest bytea not null check (length(digest) = 32),
     user_id uuid not null,
     salt bytea,
     value text not null,
     primary key (organisation_id, digest),
     foreign key (organisation_id, user_id) references "user"
   )`,
  `comment on table audit_name is 'what entries say of persons: an entry holds the digest of salt and value, so that both can be erased'`,
  `comment on column audit_name.salt is 'null: erased, and the value is a pseudonym'`,
  `create index audit_name_user on audit_name (organisation_id, user_id)`,

  // Not a column of "user": a server of the version before has statements prepared that read all of its columns.
  `create table erased_user (
     organisation_id uuid not null,
     user_id uuid not null,
     at timestamptz(3) not null,
     primary key (organisation_id, user_id),
     foreign key (organisation_id, user_id) references "user"
   )`,
  `comment on table erased_user is 'deleted users whose names are a pseudonym, and since when, in real time'`,

  // The owner too: whoever runs as it would have to grant itself these rights again first. A role of the runtime's own is
  // given select and insert on the entries, and no more.
  `revoke update, delete, truncate on audit_entry from public, current_user`,
  `revoke delete, truncate on audit_head from public, current_user`,
];
