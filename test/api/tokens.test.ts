import { createHmac, createPublicKey, type JsonWebKey } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createOrganisation, createUser, setStatus } from '../setup/given.ts';
import { audience, forge, newKey, type OpenIdProvider, startOpenIdProvider } from '../setup/openid.ts';
import { type GraphqlAnswer, startTestServer, type TestServer } from '../setup/server.ts';
import { bareSocket, subscribeTo } from '../setup/socket.ts';

const cooldownMilliseconds = 400;
let provider: OpenIdProvider;
let server: TestServer;
let mine: string;
let margaret: string;

beforeAll(async () => {
  provider = await startOpenIdProvider();
  server = await startTestServer({ openId: { openId: provider.openId, cooldownMilliseconds } });
  mine = await createOrganisation(server, { name: 'Mine', externalId: 'mine' });
  await createOrganisation(server, { name: 'Other', externalId: 'other' });
  margaret = await createUser(server, mine, 'margaret', []);
  await server.mutate('createUser', {
    organisationId: mine,
    username: 'grace',
    externalId: 'e-42',
    status: 'ACTIVE',
  });
});
afterAll(async () => {
  await server.stop();
  await provider.stop();
});

async function ask(token: string, query = '{ organisations { edges { node { name } } } }', at = server) {
  const response = await fetch(at.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query }),
  });
  return { status: response.status, answer: (await response.json()) as GraphqlAnswer };
}

const supervisor = { role: 'SUPERVISOR', organisation: 'mine' };
/** What the server said about the last token that it refused. */
const lastReason = (at = server) =>
  at.logged.findLast(({ message }) => message === 'refused an access token')?.facts;

describe('a good token', () => {
  test('is who its claims say, found by discovery, over HTTP and WebSocket', async () => {
    const token = await provider.token(supervisor);
    const { status, answer } = await ask(token);
    expect([status, answer.data?.organisations.edges]).toEqual([200, [{ node: { name: 'Mine' } }]]);

    const { send, next, socket } = await bareSocket(server, token);
    expect((await next()).type).toBe('connection_ack');
    send(subscribeTo('1', `subscription { usageChanged(organisationId: "${mine}") { snapshot } }`));
    expect((await next()).payload.data).toEqual({ usageChanged: { snapshot: true } });
    socket.terminate();
  });

  test('names an organisation by its id, and a user by external id or username', async () => {
    const users = async (user: string) => {
      const token = await provider.token({ role: 'AGENT', organisation: mine, user });
      const { answer } = await ask(token, `{ node(id: "${margaret}") { ... on User { username } } }`);
      return answer.data?.node;
    };
    expect(await users('margaret')).toEqual({ username: 'margaret' });
    // Somebody else, who sees only herself.
    expect(await users('e-42')).toBeNull();
    expect(lastReason()).toBeUndefined();
  });

  test('is not asked about with a statement a request', async () => {
    const token = await provider.token(supervisor);
    await ask(token);
    const statements: string[] = [];
    const stop = server.onStatement((text) => statements.push(text));
    for (let index = 0; index < 20; index += 1) await ask(token, '{ __typename }');
    stop();
    // What the server does by itself reads organisations too, but not by their external ids.
    expect(statements.filter((text) => /where.*external_id/s.test(text))).toEqual([]);
  });

  test('lasts until it expires; then its connections are closed, at its instant', async () => {
    const token = await provider.token(supervisor, 3);
    const began = Date.now();
    const { next, closed } = await bareSocket(server, token);
    expect((await next()).type).toBe('connection_ack');
    const stream = await fetch(server.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        authorization: `Bearer ${token}`,
      },
      body: JSON.stringify({
        query: `subscription { usageChanged(organisationId: "${mine}") { snapshot } }`,
      }),
    });
    const cut = stream.text().then(
      () => 'ended',
      () => 'cut',
    );
    expect(await closed).toMatchObject({ code: 4403 });
    expect(await cut).toBe('cut');
    expect(Date.now() - began).toBeLessThan(3500);
    expect((await ask(token)).status).toBe(401);
  });

  test('is worth nothing once its user is suspended: its connections are closed within 5 s', async () => {
    const user = await createUser(server, mine, 'leaving', []);
    const token = await provider.token({ ...supervisor, user: 'leaving' });
    const { next, closed } = await bareSocket(server, token);
    expect((await next()).type).toBe('connection_ack');
    await setStatus(server, user, 'SUSPENDED');
    expect(await Promise.race([closed, sleep(5000)])).toMatchObject({ code: 4403 });
    expect((await ask(token)).status).toBe(401);
    expect(lastReason()).toMatchObject({ reason: 'the user is SUSPENDED' });
  });
});

const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('refused', () => {
  const fresh = () => ({
    ...supervisor,
    iss: provider.issuer,
    aud: audience,
    sub: 'tests',
    exp: Math.floor(Date.now() / 1000) + 60,
  });

  /** Signed by HMAC with what everybody can read. */
  function withPublicKey(secretOf: (key: ReturnType<typeof createPublicKey>) => string | Buffer): string {
    const key = createPublicKey({ key: provider.key as JsonWebKey, format: 'jwk' });
    const text = `${base64({ alg: 'HS256', kid: provider.key.kid, typ: 'at+jwt' })}.${base64(fresh())}`;
    return `${text}.${createHmac('sha256', secretOf(key)).update(text).digest('base64url')}`;
  }

  const past = Math.floor(Date.now() / 1000) - 10;
  test.each<[string, () => Promise<string> | string]>([
    ['expired', () => forge(provider, provider.key, { ...supervisor, exp: past })],
    ['not valid yet', () => forge(provider, provider.key, { ...supervisor, nbf: past + 3600 })],
    ['of another issuer', () => forge(provider, provider.key, { ...supervisor, iss: 'http://127.0.0.1:1' })],
    ['for another audience', () => provider.token(supervisor, 60, 'https://elsewhere.test')],
    ['without an end', () => forge(provider, provider.key, { ...supervisor, exp: undefined })],
    ['without a subject', () => forge(provider, provider.key, { ...supervisor, sub: undefined })],
    ['of another type', () => forge(provider, provider.key, supervisor, { typ: 'logout+jwt' })],
    ['bound to a key', () => forge(provider, provider.key, { ...supervisor, cnf: { jkt: 'x' } })],
    ['of another family', () => forge(provider, { ...provider.key, alg: 'PS256' }, supervisor)],
    ['by another key of the same name', async () => forge(provider, await newKey('first'), supervisor)],
    ['by an unknown key', async () => forge(provider, await newKey('unknown'), supervisor)],
    ['not signed', () => `${base64({ alg: 'none', kid: provider.key.kid })}.${base64(fresh())}.`],
    ['not signed, with a signature', () => `${base64({ alg: 'none' })}.${base64(fresh())}.AAAA`],
    [
      'HS256 with the public key',
      () => withPublicKey((key) => key.export({ type: 'spki', format: 'pem' }).toString()),
    ],
    [
      'HS256 with the public key as DER',
      () => withPublicKey((key) => key.export({ type: 'spki', format: 'der' })),
    ],
    [
      'with its own key in it',
      async () => {
        const signer = await newKey('mine');
        const { n, e, kty } = signer;
        return forge(provider, signer, supervisor, { jwk: { n, e, kty } as never });
      },
    ],
  ])('%s', async (_name, make) => {
    // What it is measured by is taken.
    expect((await ask(await forge(provider, provider.key, supervisor))).status).toBe(200);
    const token = await make();
    const { status, answer } = await ask(token);
    expect([status, answer.errors?.[0]?.extensions.code]).toEqual([401, 'UNAUTHENTICATED']);
    expect(JSON.stringify(server.logged)).not.toContain(token);
    const { closed } = await bareSocket(server, token);
    expect(await closed).toMatchObject({ code: 4403 });
  });

  test('by a key that it points to, which nobody fetches', async () => {
    const attacker = await newKey('attacker');
    const { d: _, p: __, q: ___, dp: ____, dq: _____, qi: ______, ...published } = attacker;
    let fetched = 0;
    const host = createServer((_request, response) => {
      fetched += 1;
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [published] }));
    }).listen(0, '127.0.0.1');
    await once(host, 'listening');
    try {
      const url = `http://127.0.0.1:${(host.address() as AddressInfo).port}/jwks`;
      await sleep(cooldownMilliseconds);
      const token = await forge(provider, attacker, supervisor, { jku: url, x5u: url });
      expect((await ask(token)).status).toBe(401);
      expect(fetched).toBe(0);
    } finally {
      host.close();
    }
  });

  test.each<[object, string]>([
    [{ organisation: 'mine' }, 'the claim role names no role'],
    [{ ...supervisor, role: 'KING' }, 'the claim role names no role'],
    [{ ...supervisor, role: 'OPERATOR' }, 'the claim role names no role'],
    [{ ...supervisor, role: ['SUPERVISOR', 'AGENT'] }, 'the claim role names several roles'],
    [{ role: 'SUPERVISOR' }, 'the claim organisation does not name one organisation'],
    [{ ...supervisor, organisation: 'nowhere' }, 'there is no such organisation'],
    [{ ...supervisor, user: 'nobody' }, 'the organisation has no such user'],
    [{ role: 'AGENT', organisation: 'mine' }, 'the claim user names no user'],
    [{ role: 'AGENT', organisation: 'other', user: 'margaret' }, 'the organisation has no such user'],
  ])('%j: %s, which the log tells', async (claims, reason) => {
    const token = await provider.token(claims);
    expect((await ask(token)).status).toBe(401);
    expect(lastReason()).toEqual({ credential: `${provider.issuer}|tests`, reason });
    expect(JSON.stringify(server.logged)).not.toContain(token);
  });
});

test('an operator, and scopes, are taken from a token only where they are configured', async () => {
  const openId = {
    ...provider.openId,
    operatorRole: 'seatkeeper-operator',
    scopesClaim: 'rights.seatkeeper',
  };
  const configured = await startTestServer({ openId: { openId }, beside: server });
  try {
    const claims = { role: ['seatkeeper-operator', 'offline_access'] };
    const token = await provider.token({ ...claims, rights: { seatkeeper: 'READ openid' } });
    const { answer } = await ask(token, undefined, configured);
    expect(answer.data.organisations.edges).toHaveLength(2);
    const create = 'mutation { createOrganisation(input: { name: "No" }) { ... on UserError { code } } }';
    expect((await ask(token, create, configured)).answer.data.createOrganisation.code).toBe('FORBIDDEN');
    expect((await ask(await provider.token(claims), undefined, configured)).status).toBe(401);
    expect(lastReason(configured)).toMatchObject({ reason: 'the claim rights.seatkeeper names no scope' });
    expect((await ask(token)).status).toBe(401);
  } finally {
    await configured.stop();
  }
});

describe('the provider', () => {
  test('changes its keys: the new one is taken once the cooldown is over, the old one still', async () => {
    const before = await provider.token(supervisor);
    expect((await ask(before)).status).toBe(200);
    await provider.rotate();
    const after = await provider.token(supervisor);
    await vi.waitFor(async () => expect((await ask(after)).status).toBe(200), {
      timeout: 5000,
      interval: 100,
    });
    expect((await ask(await forge(provider, provider.key, supervisor))).status).toBe(200);
    expect((await ask(before)).status).toBe(200);
  });

  test('is not asked by every token of an unknown key', async () => {
    let fetched = 0;
    const front = createServer((request, response) => {
      if (request.url === '/jwks') fetched += 1;
      void fetch(`${provider.issuer}${request.url}`).then(async (answer) =>
        response
          .setHeader('content-type', 'application/json')
          .end((await answer.text()).replaceAll(provider.issuer, url)),
      );
    }).listen(0, '127.0.0.1');
    await once(front, 'listening');
    const url = `http://127.0.0.1:${(front.address() as AddressInfo).port}`;
    const behind = await startTestServer({
      openId: { openId: { ...provider.openId, issuer: url }, cooldownMilliseconds: 60_000 },
      beside: server,
    });
    try {
      const unknown = await newKey('unknown');
      for (let index = 0; index < 10; index += 1) {
        const token = await forge({ issuer: url }, unknown, { ...supervisor, jti: String(index) });
        expect((await ask(token, undefined, behind)).status).toBe(401);
      }
      expect(fetched).toBe(1);
    } finally {
      await behind.stop();
      front.close();
    }
  });

  test('is down: its known keys verify still, and who cannot be verified is told to come again', async () => {
    expect((await ask(await provider.token(supervisor))).status).toBe(200);
    const fresh = await startTestServer({
      openId: { openId: provider.openId, cooldownMilliseconds },
      beside: server,
    });
    try {
      const token = await provider.token(supervisor);
      await provider.stop();
      expect((await ask(token)).status).toBe(200);
      const { status, answer } = await ask(token, undefined, fresh);
      expect([status, answer.errors?.[0]?.extensions]).toEqual([
        503,
        expect.objectContaining({ code: 'UNAVAILABLE', retryAfterSeconds: 1 }),
      ]);
      expect(await (await bareSocket(fresh, token)).closed).toMatchObject({ code: 1013 });
      await provider.start();
      expect((await ask(token, undefined, fresh)).status).toBe(200);
    } finally {
      await fresh.stop();
    }
  });
});

test.each(['ES256', 'PS256', 'EdDSA'])(
  '%s: tokens of another family are taken where it is pinned',
  async (alg) => {
    const other = await startOpenIdProvider(alg);
    const pinned = await startTestServer({ openId: { openId: other.openId }, beside: server });
    try {
      expect((await ask(await other.token(supervisor), undefined, pinned)).status).toBe(200);
      const foreign = await forge(other, await newKey('first', 'RS256'), supervisor);
      expect((await ask(foreign, undefined, pinned)).status).toBe(401);
    } finally {
      await pinned.stop();
      await other.stop();
    }
  },
);
