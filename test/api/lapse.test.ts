import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeId } from '../../src/kernel/ids.ts';
import { buy, createOrganisation, createUser, logonInput } from '../setup/given.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const agents = 5000;
const features = ['AGENT_CALLS', 'AGENT_EMAIL', 'RECORDING'];
const licences = ['INBOUND_AGENT', ...features];

/** An organisation of many agents, all logged on, as if each had done so by itself. */
async function crowd(expiry: string, dueAt = 'at') {
  const organisationId = await createOrganisation(server, { leaseSeconds: 3600 });
  await buy(server, organisationId, 'INBOUND_AGENT', { base: agents + 1, concurrent: agents + 1 });
  for (const feature of features) {
    await buy(server, organisationId, feature, { concurrent: agents + 1 });
  }
  const reference = decodeId(organisationId);
  if (reference?.type !== 'Organisation') throw new Error('Not an organisation');
  const { organisationId: id } = reference;
  const late = await createUser(server, organisationId, 'late', ['INBOUND_AGENT', 'AGENT_CALLS']);
  for (const statement of [
    `insert into "user" (organisation_id, id, username, display_name, status, created_at)
     select $1::uuid, gen_random_uuid(), 'agent-' || i, 'Agent', 'ACTIVE', now() from generate_series(1, ${agents}) i`,
    `insert into assignment (organisation_id, id, user_id, licence, assigned_at)
     select organisation_id, gen_random_uuid(), id, code, now() from "user", unnest(array['${licences.join("','")}']) code
     where organisation_id = $1 and username like 'agent%'`,
    `insert into session (organisation_id, id, user_id, licence, device, admitted_as, started_at, expires_at, due_at, version)
     select $1, gen_random_uuid(), id, 'INBOUND_AGENT', 'desktop', 'CONCURRENT', now() - interval '1 hour', at, ${dueAt}, 1
     from (select id, ${expiry} as at from "user" where organisation_id = $1 and username like 'agent%') agent`,
    `insert into session_feature select organisation_id, s.id, code, 'CONCURRENT', null
     from session s, unnest(array['${features.join("','")}']) code where organisation_id = $1`,
    `insert into hold select organisation_id, user_id, code, 'CONCURRENT', started_at
     from session, unnest(array['${licences.join("','")}']) code where organisation_id = $1`,
    `update pool set in_use = ${agents} where organisation_id = $1`,
    `update organisation set settled_at = now() - interval '5 seconds', next_due_at = now() - interval '4 seconds' where id = $1`,
  ]) {
    await server.pool.query(statement.replaceAll('$1', `'${id}'`));
  }
  return { organisationId, id, late };
}

async function count(what: string): Promise<number> {
  const { rows } = await server.pool.query(`select count(*)::int as count from ${what}`);
  return rows[0].count;
}

test('T3: when the leases of a whole organisation are over at once they end at their instants, some thousands a transaction', async () => {
  const { id, late } = await crowd("now() - random() * interval '3 seconds'");
  const revision = async () =>
    (await server.pool.query('select revision::int from organisation where id = $1', [id])).rows[0].revision;
  const revisionBefore = await revision();

  // Whoever logs on meanwhile is told within seconds, one way or the other.
  await logOnInTheEnd(late);

  expect(
    await count(
      `session where organisation_id = '${id}' and end_reason = 'LEASE_EXPIRED' and ended_at = expires_at`,
    ),
  ).toBe(agents);
  expect(await count(`hold where organisation_id = '${id}'`)).toBe(2);
  expect(
    await count(
      `pool where organisation_id = '${id}' and in_use <> (case when licence in ('INBOUND_AGENT', 'AGENT_CALLS') then 1 else 0 end)`,
    ),
  ).toBe(0);
  expect(await count(`history where organisation_id = '${id}' and kind = 'RELEASED'`)).toBe(
    agents * licences.length,
  );
  // Two and a half times what one transaction settles.
  expect((await revision()) - revisionBefore).toBeGreaterThanOrEqual(3);
}, 60_000);

/** Logs on again and again until it is granted. @returns the codes of the refusals on the way */
async function logOnInTheEnd(userId: string): Promise<string[]> {
  const refusals: string[] = [];
  await expect
    .poll(
      async () => {
        const { data, errors } = await server.query(
          'mutation ($input: LogonInput!) { logon(input: $input) { __typename } }',
          { input: logonInput(userId) },
        );
        if (errors !== undefined) refusals.push(String(errors[0]?.extensions.code));
        return data?.logon.__typename;
      },
      { timeout: 20_000 },
    )
    .toBe('LogonPayload');
  return refusals;
}

test('L8: leases of before their due instants were kept end like any others, however many', async () => {
  // As a migration leaves the sessions that lived through it.
  const { id, late } = await crowd("now() - random() * interval '3 seconds'", "'-infinity'");
  const refusals = await logOnInTheEnd(late);
  expect(refusals.filter((code) => code !== 'UNAVAILABLE')).toEqual([]);
  expect(
    await count(
      `session where organisation_id = '${id}' and end_reason = 'LEASE_EXPIRED' and ended_at = expires_at`,
    ),
  ).toBe(agents);
  expect(await count(`organisation where id = '${id}' and next_due_at > settled_at`)).toBe(1);
}, 60_000);

test('L8: renewed sessions that come to be looked at all at once keep nobody from logging on', async () => {
  const { id, late } = await crowd("now() + interval '50 minutes'", "now() - interval '4 seconds'");
  expect(await logOnInTheEnd(late)).toEqual([]);
  // Within a few transactions it is noted until when each lasts, and nothing is due any more.
  await expect
    .poll(
      () => count(`session where organisation_id = '${id}' and end_reason is null and due_at < expires_at`),
      {
        timeout: 10_000,
      },
    )
    .toBe(0);
  expect(await count(`session where organisation_id = '${id}' and end_reason is not null`)).toBe(0);
}, 60_000);

test('L9: everybody of a large organisation is logged off at once', async () => {
  const { organisationId, id } = await crowd("now() + interval '50 minutes'");
  const answer = await server.mutate('forceLogoff', { organisationId });
  expect(answer.__typename).toBe('ForceLogoffPayload');
  expect(await count(`session where organisation_id = '${id}' and end_reason = 'FORCED'`)).toBe(agents);
  expect(await count(`hold where organisation_id = '${id}'`)).toBe(0);
  expect(await count(`pool where organisation_id = '${id}' and in_use > 0`)).toBe(0);
}, 60_000);
