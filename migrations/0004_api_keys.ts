import { type Kysely, sql } from 'kysely';

/** API keys: of each only its hash, and what it begins with. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `create type api_key_role as enum ('PARTNER', 'ADMINISTRATOR', 'SUPERVISOR', 'WALLBOARD', 'AGENT')`,

  `create table api_key (
     organisation_id uuid not null references organisation,
     id uuid not null,
     name text not null,
     role api_key_role not null,
     scopes text[] check (cardinality(scopes) > 0),
     user_id uuid,
     prefix text collate "C" not null,
     hash bytea not null check (octet_length(hash) = 32),
     created_at timestamptz(3) not null,
     created_by text not null,
     expires_at timestamptz(3) check (expires_at > created_at),
     revoked_at timestamptz(3),
     last_used_at timestamptz(3),
     primary key (organisation_id, id),
     unique (organisation_id, prefix),
     foreign key (organisation_id, user_id) references "user",
     check (role <> 'AGENT' or user_id is not null),
     check (role not in ('PARTNER', 'WALLBOARD') or user_id is null)
   )`,
  `comment on column api_key.scopes is 'null: all that the role may do'`,
  `comment on column api_key.prefix is 'what the key begins with: shown, and looked up by'`,
  `comment on column api_key.hash is 'SHA-256 of the whole key, of which nothing else is kept'`,
  `comment on column api_key.created_by is 'the credential that made it'`,
  `create index api_key_newest on api_key (organisation_id, created_at, id)`,

  // An access token names a user by it.
  `create index user_external_id on "user" (organisation_id, external_id)
     where external_id is not null and status <> 'DELETED'`,
];
