import { type Kysely, sql } from 'kysely';

/** Security keys, by which users show a second factor (L1), and the challenges that the keys sign. */
export async function up(db: Kysely<never>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `create type security_key_algorithm as enum ('ES256', 'RS256')`,
  `create type security_key_purpose as enum ('ENROLMENT', 'LOGON', 'CHANGE')`,

  `create table security_key (
     organisation_id uuid not null references organisation,
     id uuid not null,
     user_id uuid not null,
     credential_id text collate "C" not null check (credential_id ~ '^[A-Za-z0-9_-]+$' and length(credential_id) <= 1364),
     public_key bytea not null check (octet_length(public_key) <= 2048),
     algorithm security_key_algorithm not null,
     counter bigint not null check (counter between 0 and 4294967295),
     transports text[] not null,
     name text not null,
     created_at timestamptz(3) not null,
     last_used_at timestamptz(3),
     suspect_at timestamptz(3),
     primary key (organisation_id, id),
     foreign key (organisation_id, user_id) references "user"
   )`,
  `comment on column security_key.credential_id is 'as the key made it: base64url of at most 1023 bytes'`,
  `comment on column security_key.public_key is 'in COSE''s form'`,
  `comment on column security_key.counter is 'of the signature that was seen last; 0: the key does not count'`,
  `comment on column security_key.suspect_at is 'when its counter did not grow: it may have been copied, and is not accepted any more'`,
  `comment on column security_key.created_at is 'real time, like its other instants, also in an organisation with a test clock'`,
  `create unique index security_key_credential on security_key (organisation_id, credential_id)`,
  `create index security_key_of_user on security_key (organisation_id, user_id)`,

  `create table security_key_challenge (
     organisation_id uuid not null references organisation,
     user_id uuid not null,
     purpose security_key_purpose not null,
     challenge text collate "C" not null,
     expires_at timestamptz(3) not null,
     primary key (organisation_id, user_id, purpose, challenge),
     foreign key (organisation_id, user_id) references "user"
   )`,
  `comment on table security_key_challenge is 'each is deleted by the answer to it, whatever that is: it is good for one'`,
  `create index security_key_challenge_age on security_key_challenge (expires_at)`,
];
