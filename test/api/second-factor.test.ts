import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { challengeSeconds, maxChallenges, maxKeys } from '../../src/security-key/domain.ts';
import { decodeId, type OrganisationId, type UserId } from '../../src/kernel/ids.ts';
import type { Actor } from '../../src/kernel/actor.ts';
import { type Authenticator, createAuthenticator, type Lies } from '../setup/authenticator.ts';
import { buy, createOrganisation, createUser, mapping, setStatus } from '../setup/given.ts';
import { secret } from '../setup/secrets.ts';
import { type GraphqlAnswer, handMovedClock, startTestServer, type TestServer } from '../setup/server.ts';

const start = '2026-06-01T09:00:00.000Z';
const clock = handMovedClock(start);
const later = (seconds: number) => new Date(clock.now().getTime() + seconds * 1000).toISOString();

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ clock });
});
afterAll(() => server.stop());

type Ask = Pick<TestServer, 'query'>;

const selections = {
  logon: '... on LogonPayload { session { id expiresAt } } ... on SecondFactorRequired { challenge }',
  beginSecurityKeyEnrolment: '... on BeginSecurityKeyEnrolmentPayload { options }',
  enrolSecurityKey:
    '... on EnrolSecurityKeyPayload { securityKey { id name algorithm transports createdAt lastUsedAt suspectAt user { id } } } ... on SecondFactorRequired { challenge }',
  removeSecurityKey:
    '... on RemoveSecurityKeyPayload { user { id } } ... on SecondFactorRequired { challenge }',
  renewSession: '... on RenewSessionPayload { session { id } }',
} as const;

async function change(as: Ask, name: keyof typeof selections, input: object) {
  const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}Input`;
  const { data, errors } = await as.query(
    `mutation ($input: ${type}!) { ${name}(input: $input) { __typename ... on UserError { code message } ... on InvalidInput { field } ${selections[name]} } }`,
    { input },
  );
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data[name];
}

function idsOf(userId: string): { readonly organisationId: OrganisationId; readonly userId: UserId } {
  const reference = decodeId(userId);
  if (reference?.type !== 'User') throw new Error(`${userId} is no user`);
  return { organisationId: reference.organisationId, userId: reference.id as UserId };
}

/** The person that a user is, asking for themselves. */
function person(userId: string, given: Partial<Pick<Actor, 'role' | 'userId' | 'multiFactorAt'>> = {}): Ask {
  return server.as({ role: 'AGENT', ...idsOf(userId), ...given } as Actor);
}

/** Whoever has an API key. */
function holding(key: string): Ask {
  secret(key);
  return {
    query: async (query, variables = {}) => {
      const response = await fetch(server.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
        body: JSON.stringify({ query, variables }),
      });
      return (await response.json()) as GraphqlAnswer;
    },
  };
}

async function firm(...names: readonly string[]) {
  const organisationId = await createOrganisation(server);
  await buy(server, organisationId, 'ADMINISTRATOR', { base: 9 });
  await buy(server, organisationId, 'SUPERVISOR', { base: 9, concurrent: 9 });
  const users = await Promise.all(
    names.map((name) => createUser(server, organisationId, name, ['ADMINISTRATOR', 'SUPERVISOR'])),
  );
  return { organisationId, users };
}

/** Enrols a key, by the operator's key unless somebody is named. */
async function enrol(userId: string, key: Authenticator, as: Ask = server, more: object = {}, lies?: Lies) {
  const { options } = await change(as, 'beginSecurityKeyEnrolment', { userId });
  return change(as, 'enrolSecurityKey', {
    userId,
    name: 'Key',
    response: key.create(options, lies),
    ...more,
  });
}

async function enrolled(algorithm?: 'ES256' | 'RS256') {
  const { organisationId, users } = await firm('margaret');
  const [userId = ''] = users;
  const key = createAuthenticator(algorithm);
  const { securityKey } = await enrol(userId, key);
  return { organisationId, userId, key, securityKeyId: securityKey.id as string };
}

const logon = (userId: string, more: object = {}, as: Ask = server) =>
  change(as, 'logon', { userId, licence: 'ADMINISTRATOR', device: 'desktop', ...more });

async function challenge(userId: string): Promise<string> {
  const answer = await logon(userId);
  expect(answer.code).toBe('SECOND_FACTOR_REQUIRED');
  return answer.challenge;
}

async function denials(organisationId: string): Promise<string[]> {
  const { data } = await server.query(
    'query ($id: ID!) { organisation(id: $id) { denials { edges { node { code } } } } }',
    { id: organisationId },
  );
  return data.organisation.denials.edges.map(({ node }: { node: { code: string } }) => node.code);
}

async function sessions(organisationId: string): Promise<number> {
  const { data } = await server.query(
    'query ($id: ID!) { organisation(id: $id) { sessions { totalCount } } }',
    { id: organisationId },
  );
  return data.organisation.sessions.totalCount;
}

async function keysOf(userId: string, as: Ask = server) {
  const { data } = await as.query(
    'query ($id: ID!) { node(id: $id) { ... on User { securityKeys { id name lastUsedAt suspectAt } } } }',
    { id: userId },
  );
  return data.node.securityKeys;
}

describe('a logon', () => {
  test('L1: without a key is refused, and says that one is to be enrolled', async () => {
    const { organisationId, users } = await firm('margaret');
    const answer = await logon(users[0] ?? '');
    expect(answer).toEqual({
      __typename: 'SecondFactorRequired',
      code: 'SECOND_FACTOR_REQUIRED',
      message:
        'A logon as Administrator needs a second factor, which was not shown. No security key of the user is accepted: enrol one first, by beginSecurityKeyEnrolment.',
      challenge: null,
    });
    expect(await denials(organisationId)).toEqual(['SECOND_FACTOR_REQUIRED']);
  });

  test.each(['ES256', 'RS256'] as const)(
    'L1: succeeds with what a key of the user signed (%s)',
    async (algorithm) => {
      const { organisationId, userId, key } = await enrolled(algorithm);
      const asked = await challenge(userId);
      expect(JSON.parse(asked)).toMatchObject({
        rpId: 'localhost',
        userVerification: 'preferred',
        allowCredentials: [{ id: key.credentialId, type: 'public-key', transports: ['usb'] }],
      });
      const before = await mapping(server, organisationId);
      const answer = await logon(userId, { secondFactor: key.get(asked) });
      expect(answer.__typename).toBe('LogonPayload');
      expect(before.map(({ concurrent }) => concurrent?.['used'] ?? 0)).not.toContain(1);
      expect((await keysOf(userId))[0]).toMatchObject({ lastUsedAt: start, suspectAt: null });
      expect(await denials(organisationId)).toEqual(['SECOND_FACTOR_REQUIRED']);
      expect((await change(server, 'renewSession', { sessionId: answer.session.id })).__typename).toBe(
        'RenewSessionPayload',
      );
    },
  );

  const lies: readonly (readonly [string, Lies])[] = [
    ['another origin', { origin: 'http://localhost:4001' }],
    ['an address as its origin', { origin: 'http://127.0.0.1:4000' }],
    ['another domain', { rpId: 'example.com' }],
    ['an enrolment’s type', { type: 'webauthn.create' }],
    ['a challenge that nobody made', { challenge: 'A'.repeat(43) }],
    ['a challenge that is no text', { challenge: '..' }],
    ['a key that nobody enrolled', { credentialId: 'A'.repeat(43) }],
    ['nobody there', { flags: 0 }],
    [
      'a signature with a bit turned',
      { signature: (signed) => Buffer.from(signed.with(signed.length - 1, (signed.at(-1) ?? 0) ^ 1)) },
    ],
    ['a signature that is none', { signature: () => Buffer.from('signature') }],
  ];
  test.each(['ES256', 'RS256'] as const)('L1: is refused with what does not hold (%s)', async (algorithm) => {
    const { organisationId, userId, key } = await enrolled(algorithm);
    for (const [what, lie] of lies) {
      const answer = await logon(userId, { secondFactor: key.get(await challenge(userId), lie) });
      expect([what, answer.code]).toEqual([what, 'SECOND_FACTOR_REQUIRED']);
      expect(answer.message).toContain('What was sent');
    }
    expect(await denials(organisationId)).toHaveLength(lies.length * 2);
    expect(await sessions(organisationId)).toBe(0);
    // None of it made the key suspect.
    expect((await logon(userId, { secondFactor: key.get(await challenge(userId)) })).__typename).toBe(
      'LogonPayload',
    );
  });

  test.each(['ES256', 'RS256'] as const)(
    'L1: is refused with another key’s signature (%s)',
    async (algorithm) => {
      const { userId, key } = await enrolled(algorithm);
      const copy = createAuthenticator(algorithm);
      const forged = copy.get(await challenge(userId), { credentialId: key.credentialId });
      expect((await logon(userId, { secondFactor: forged })).code).toBe('SECOND_FACTOR_REQUIRED');
    },
  );

  test('L1: an answer is good once, also where the first was refused', async () => {
    const { userId, key } = await enrolled();
    const secondFactor = key.get(await challenge(userId));
    expect((await logon(userId, { secondFactor })).__typename).toBe('LogonPayload');
    expect((await logon(userId, { secondFactor })).code).toBe('SECOND_FACTOR_REQUIRED');
    expect((await logon(userId, { secondFactor, device: 'tablet' })).code).toBe('SECOND_FACTOR_REQUIRED');

    const asked = await challenge(userId);
    await logon(userId, { secondFactor: key.get(asked, { origin: 'https://evil.example' }) });
    expect((await logon(userId, { secondFactor: key.get(asked) })).code).toBe('SECOND_FACTOR_REQUIRED');
  });

  test('L1: of 20 at once with one answer, one succeeds', async () => {
    const { organisationId, users } = await firm('margaret');
    const [userId = ''] = users;
    // It does not count, so that nothing but the challenge tells its answers apart.
    const key = createAuthenticator();
    await enrol(userId, key, server, {}, { counter: 0 });
    const secondFactor = key.get(await challenge(userId), { counter: 0 });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => logon(userId, { secondFactor, device: `device-${index}` })),
    );
    expect(answers.filter(({ __typename }) => __typename === 'LogonPayload')).toHaveLength(1);
    expect(await sessions(organisationId)).toBe(1);
  });

  test('L1: a challenge is one user’s, and so is a key', async () => {
    const { users } = await firm('margaret', 'grace');
    const [margaret = '', grace = ''] = users;
    const [hers, another] = [createAuthenticator(), createAuthenticator()];
    await enrol(margaret, hers);
    await enrol(grace, another);
    const stranger = await enrolled();
    const refused = async (userId: string, secondFactor: string) =>
      expect((await logon(userId, { secondFactor })).code).toBe('SECOND_FACTOR_REQUIRED');
    await refused(margaret, hers.get(await challenge(grace)));
    await refused(margaret, hers.get(await challenge(stranger.userId)));
    await refused(margaret, another.get(await challenge(margaret)));
    await refused(margaret, stranger.key.get(await challenge(margaret)));
    await refused(stranger.userId, hers.get(await challenge(stranger.userId)));
  });

  test('L1: a challenge is over after two minutes', async () => {
    const { userId, key } = await enrolled();
    const [last, over] = [await challenge(userId), await challenge(userId)];
    clock.set(later(challengeSeconds - 0.001));
    expect((await logon(userId, { secondFactor: key.get(last) })).__typename).toBe('LogonPayload');
    clock.set(later(0.001));
    expect((await logon(userId, { secondFactor: key.get(over) })).code).toBe('SECOND_FACTOR_REQUIRED');
  });

  test('L1: a challenge to change keys is none for a logon, nor the other way round', async () => {
    const { userId, key, securityKeyId } = await enrolled();
    const remove = (more = {}) => change(person(userId), 'removeSecurityKey', { securityKeyId, ...more });
    const toChange = (await remove()).challenge;
    expect((await logon(userId, { secondFactor: key.get(toChange) })).code).toBe('SECOND_FACTOR_REQUIRED');
    expect((await remove({ secondFactor: key.get(await challenge(userId)) })).code).toBe(
      'SECOND_FACTOR_REQUIRED',
    );
    const { options } = await change(server, 'beginSecurityKeyEnrolment', { userId });
    const toEnrol = JSON.stringify({ ...JSON.parse(options), rpId: 'localhost' });
    expect((await logon(userId, { secondFactor: key.get(toEnrol) })).code).toBe('SECOND_FACTOR_REQUIRED');
  });

  test.each([3, 2])(
    'L1: a counter that does not grow (3, then %i) makes a key suspect, for good',
    async (counter) => {
      const { userId, key, securityKeyId } = await enrolled();
      const sign = async (lie: Lies) =>
        logon(userId, { secondFactor: key.get(await challenge(userId), lie) });
      expect((await sign({ counter: 3 })).__typename).toBe('LogonPayload');
      // Whoever has not the key cannot make it suspect.
      expect((await sign({ counter, signature: () => Buffer.from('none') })).message).toContain(
        'does not hold',
      );
      const other = createAuthenticator();
      const [open, spare] = [await challenge(userId), await challenge(userId)];
      const refused = await logon(userId, { secondFactor: key.get(open, { counter }) });
      expect(refused).toMatchObject({ code: 'SECOND_FACTOR_REQUIRED', challenge: null });
      expect(refused.message).toContain('may have been copied');
      expect(await keysOf(userId)).toMatchObject([
        { id: securityKeyId, suspectAt: clock.now().toISOString() },
      ]);
      expect(server.logged).toContainEqual({
        level: 'warn',
        message: 'a security key may have been copied: it is not accepted',
        facts: expect.objectContaining({ counter, known: 3 }),
      });
      expect((await logon(userId, { secondFactor: key.get(spare, { counter: 9 }) })).code).toBe(
        'SECOND_FACTOR_REQUIRED',
      );
      expect((await enrol(userId, other)).__typename).toBe('EnrolSecurityKeyPayload');
      const offered = JSON.parse(await challenge(userId)).allowCredentials;
      expect(offered.map(({ id }: { id: string }) => id)).toEqual([other.credentialId]);
    },
  );

  test('L1: a key that does not count is accepted again and again', async () => {
    const { users } = await firm('margaret');
    const [userId = ''] = users;
    const key = createAuthenticator();
    await enrol(userId, key, server, {}, { counter: 0 });
    for (const device of ['one', 'two']) {
      const secondFactor = key.get(await challenge(userId), { counter: 0 });
      expect((await logon(userId, { device, secondFactor })).__typename).toBe('LogonPayload');
    }
  });

  test('L1: an access token shows the second factor of whoever it is, while it is fresh', async () => {
    const { users } = await firm('margaret', 'grace');
    const [margaret = '', grace = ''] = users;
    const since = (seconds: number) => ({ multiFactorAt: new Date(clock.now().getTime() - seconds * 1000) });
    const answered = async (userId: string, as: Ask) => (await logon(userId, {}, as)).__typename;
    expect(await answered(margaret, person(margaret, since(900)))).toBe('LogonPayload');
    expect(await answered(margaret, person(margaret, since(-60)))).toBe('LogonPayload');
    expect(await answered(margaret, person(margaret, since(901)))).toBe('SecondFactorRequired');
    expect(await answered(margaret, person(margaret, since(-61)))).toBe('SecondFactorRequired');
    expect(await answered(grace, person(margaret, { role: 'ADMINISTRATOR', ...since(1) }))).toBe(
      'SecondFactorRequired',
    );
    expect(
      await answered(grace, server.as({ role: 'OPERATOR', organisationId: null, userId: null, ...since(1) })),
    ).toBe('SecondFactorRequired');
  });

  test('L1: asks for the second factor after the licence, and before the device', async () => {
    const { organisationId, userId, key } = await enrolled();
    await logon(userId, { licence: 'SUPERVISOR' });
    const inUse = await logon(userId, { secondFactor: key.get(await challenge(userId)) });
    expect(inUse.code).toBe('DEVICE_IN_USE');
    const bare = await createUser(server, organisationId, 'bare', []);
    expect((await logon(bare)).code).toBe('LICENCE_NOT_ASSIGNED');
    const secondFactor = key.get(await challenge(userId));
    await setStatus(server, userId, 'SUSPENDED');
    expect((await logon(userId, { secondFactor })).code).toBe('USER_NOT_ACTIVE');
  });

  test('L1: what is no answer of a key is INVALID_INPUT', async () => {
    const { userId, key } = await enrolled();
    const { response: _, ...rest } = JSON.parse(key.get(await challenge(userId)));
    const wrong = [
      '',
      '1',
      'null',
      '[]',
      '{"id":',
      JSON.stringify(rest),
      JSON.stringify({ ...rest, response: {} }),
    ];
    for (const secondFactor of [...wrong, ' '.repeat(16_385)]) {
      expect(await logon(userId, { secondFactor })).toMatchObject({
        code: 'INVALID_INPUT',
        field: 'secondFactor',
      });
    }
  });

  test('L1: a key that a person made without a second factor is none, and leads to none', async () => {
    const { organisationId, users } = await firm('margaret', 'grace');
    const [margaret = '', grace = ''] = users;
    await enrol(margaret, createAuthenticator());
    const administrator = person(margaret, { role: 'ADMINISTRATOR' });
    const mint = async (as: Ask, input: object) => {
      const { data } = await as.query(
        `mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) {
          ... on UserError { code } ... on CreateApiKeyPayload { key } } }`,
        { input: { organisationId, name: 'Key', ...input } },
      );
      return data.createApiKey;
    };
    const scopes = ['KEYS', 'SESSIONS'];
    const minted = [
      await mint(administrator, { role: 'ADMINISTRATOR', userId: margaret }),
      await mint(administrator, { role: 'AGENT', userId: margaret }),
      await mint(administrator, { role: 'AGENT', userId: grace, scopes: ['SESSIONS'] }),
      await mint(administrator, { role: 'ADMINISTRATOR', scopes }),
    ].map(({ key }) => holding(key));
    for (const [index, as] of minted.entries()) {
      for (const userId of [margaret, grace]) {
        // An agent's key is of one user.
        const isStrange = (index === 1 && userId === grace) || (index === 2 && userId === margaret);
        expect([index, userId, (await logon(userId, {}, as)).code]).toEqual([
          ...[index, userId, isStrange ? 'NOT_FOUND' : 'SECOND_FACTOR_REQUIRED'],
        ]);
      }
    }
    // Nor is one enrolled by it, which would then vouch; nor a key made that enrols one.
    const [own, , , machine] = minted;
    if (own === undefined || machine === undefined) throw new Error('There is none');
    expect((await enrol(margaret, createAuthenticator(), own)).code).toBe('SECOND_FACTOR_REQUIRED');
    expect((await enrol(grace, createAuthenticator(), own)).code).toBe('SECOND_FACTOR_REQUIRED');
    expect(await mint(machine, { role: 'ADMINISTRATOR', scopes: ['USERS'] })).toEqual({ code: 'FORBIDDEN' });
    expect(await mint(own, { role: 'ADMINISTRATOR', scopes: ['USERS'] })).toEqual({ code: 'FORBIDDEN' });
    expect(await sessions(organisationId)).toBe(0);
  });

  test('L1, L6: a logon again from its device shows a second factor again', async () => {
    const { userId, key } = await enrolled();
    const first = await logon(userId, { secondFactor: key.get(await challenge(userId)) });
    expect((await logon(userId)).code).toBe('SECOND_FACTOR_REQUIRED');
    const again = await logon(userId, { secondFactor: key.get(await challenge(userId)) });
    expect(again.session.id).toBe(first.session.id);
  });

  test('L6: a key whose logon lacked a second factor is not used up by it', async () => {
    const { organisationId, userId, key } = await enrolled();
    const idempotencyKey = 'one';
    const refused = await logon(userId, { idempotencyKey });
    expect(refused.code).toBe('SECOND_FACTOR_REQUIRED');
    const secondFactor = key.get(refused.challenge);
    const granted = await logon(userId, { idempotencyKey, secondFactor });
    expect(granted.__typename).toBe('LogonPayload');
    // An answer that was lost is asked for again with the same proof, which is used up, or with none.
    expect(await logon(userId, { idempotencyKey, secondFactor })).toEqual(granted);
    expect(await logon(userId, { idempotencyKey })).toEqual(granted);
    expect((await logon(userId, { idempotencyKey, device: 'tablet' })).code).toBe('IDEMPOTENCY_KEY_REUSED');
    expect(await denials(organisationId)).toEqual(['SECOND_FACTOR_REQUIRED']);
  });

  test('L6: of 30 at once with one idempotency key, of which one shows a second factor, that one succeeds', async () => {
    const { organisationId, userId, key } = await enrolled();
    const secondFactor = key.get(await challenge(userId));
    // A token shows it at once: that one is decided in one batch with those before it.
    const withToken = person(userId, { multiFactorAt: clock.now() });
    const ways = [
      (same: object) => logon(userId, { ...same, secondFactor }),
      (same: object) => logon(userId, same, withToken),
    ];
    for (const [index, shown] of ways.entries()) {
      const same = { idempotencyKey: `same-${index}`, device: `device-${index}` };
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, each) => (each === 15 ? shown(same) : logon(userId, same))),
      );
      expect(answers[15].__typename).toBe('LogonPayload');
      expect(await sessions(organisationId)).toBe(index + 1);
    }
  });

  test('L1: only a logon that needs or sends a second factor costs a statement about it', async () => {
    const { userId, key } = await enrolled();
    const statements: string[] = [];
    const asked = await challenge(userId);
    const stop = server.onStatement((text) => statements.push(text));
    const about = () => statements.splice(0).filter((text) => text.includes('security_key')).length;
    try {
      await logon(userId, { licence: 'SUPERVISOR', device: 'other' });
      expect(about()).toBe(0);
      await logon(userId, {}, person(userId, { multiFactorAt: clock.now() }));
      expect(about()).toBe(0);
      await logon(userId, { secondFactor: key.get(asked) });
      expect(about()).toBe(4);
      await logon(userId);
      expect(about()).toBe(3);
    } finally {
      stop();
    }
  });
});

describe('an enrolment', () => {
  test('makes a key of the user’s, which it tells about, and never twice', async () => {
    const { users } = await firm('margaret', 'grace');
    const [userId = '', other = ''] = users;
    const key = createAuthenticator('RS256');
    const { options } = await change(server, 'beginSecurityKeyEnrolment', { userId });
    expect(JSON.parse(options)).toMatchObject({
      rp: { id: 'localhost', name: 'Seatkeeper' },
      user: { name: 'margaret' },
      pubKeyCredParams: [{ alg: -7 }, { alg: -257 }],
      attestation: 'none',
      excludeCredentials: [],
    });
    const response = key.create(options);
    const made = await change(server, 'enrolSecurityKey', { userId, name: 'Blue', response });
    expect(made.securityKey).toEqual({
      ...{ id: expect.stringMatching(/^sec_/), name: 'Blue', algorithm: 'RS256', transports: ['usb'] },
      ...{ createdAt: clock.now().toISOString(), lastUsedAt: null, suspectAt: null, user: { id: userId } },
    });
    const { data } = await server.query(
      'query ($id: ID!) { node(id: $id) { ... on SecurityKey { name } } }',
      {
        id: made.securityKey.id,
      },
    );
    expect(data.node).toEqual({ name: 'Blue' });
    expect(await change(server, 'enrolSecurityKey', { userId, name: 'Blue', response })).toMatchObject({
      code: 'INVALID_INPUT',
      field: 'response',
    });
    expect((await enrol(userId, key)).code).toBe('SECURITY_KEY_TAKEN');
    expect((await enrol(other, key)).code).toBe('SECURITY_KEY_TAKEN');
    // Elsewhere it is another key: nothing is told about other organisations.
    const elsewhere = (await firm('margaret')).users[0] ?? '';
    expect((await enrol(elsewhere, key)).__typename).toBe('EnrolSecurityKeyPayload');
    const { options: again } = await change(server, 'beginSecurityKeyEnrolment', { userId });
    expect(JSON.parse(again).excludeCredentials).toMatchObject([{ id: key.credentialId }]);
  });

  const lies: readonly (readonly [string, Lies])[] = [
    ['another origin', { origin: 'https://evil.example' }],
    ['another domain', { rpId: 'example.com' }],
    ['a logon’s type', { type: 'webauthn.get' }],
    ['a challenge that nobody made', { challenge: 'A'.repeat(43) }],
    ['nobody there', { flags: 0x40 }],
    ['no key in it', { flags: 0x01 }],
    ['an attestation that was not asked for', { format: 'fido-u2f' }],
    [
      'certificates',
      {
        format: 'packed',
        statement: [
          ['alg', -7],
          ['sig', Buffer.from('s')],
          ['x5c', [Buffer.from('c')]],
        ],
      },
    ],
    ['a statement of no kind', { statement: [['sig', Buffer.from('s')]] }],
  ];
  test('is refused with what does not hold', async () => {
    const { users } = await firm('margaret', 'grace');
    const [userId = '', other = ''] = users;
    for (const [what, lie] of lies) {
      const answer = await enrol(userId, createAuthenticator(), server, {}, lie);
      expect([what, answer.code, answer.field]).toEqual([what, 'INVALID_INPUT', 'response']);
    }
    expect((await enrol(userId, createAuthenticator('ES384'))).code).toBe('INVALID_INPUT');
    const { options } = await change(server, 'beginSecurityKeyEnrolment', { userId });
    const response = createAuthenticator().create(options);
    const send = (more: object) =>
      change(server, 'enrolSecurityKey', { userId, name: 'Key', response, ...more });
    expect((await send({ userId: other })).code).toBe('INVALID_INPUT');
    for (const garbage of [
      '',
      'null',
      '{}',
      '"text"',
      JSON.stringify({ ...JSON.parse(response), response: {} }),
    ])
      expect(await send({ response: garbage })).toMatchObject({ code: 'INVALID_INPUT', field: 'response' });
    expect((await send({ name: ' ' })).field).toBe('name');
    clock.set(later(challengeSeconds));
    expect((await send({})).code).toBe('INVALID_INPUT');
    expect(await keysOf(userId)).toEqual([]);
  });

  test('is nobody’s for another user, but an administrator’s', async () => {
    const { users } = await firm('margaret', 'grace');
    const [margaret = '', grace = ''] = users;
    const attacker = person(margaret);
    expect((await change(attacker, 'beginSecurityKeyEnrolment', { userId: grace })).code).toBe('NOT_FOUND');
    const { options } = await change(server, 'beginSecurityKeyEnrolment', { userId: grace });
    const response = createAuthenticator().create(options);
    const input = { userId: grace, name: 'Key', response };
    expect((await change(attacker, 'enrolSecurityKey', input)).code).toBe('NOT_FOUND');
    const supervisor = person(margaret, { role: 'SUPERVISOR' });
    expect((await change(supervisor, 'enrolSecurityKey', input)).code).toBe('NOT_FOUND');
    expect(await keysOf(grace)).toEqual([]);
    expect(await keysOf(grace, supervisor)).toBeNull();
  });

  test('of one’s own first key is taken on trust; of another one with the first, or a fresh token', async () => {
    const { users } = await firm('margaret');
    const [userId = ''] = users;
    const self = person(userId);
    const [first, second, third] = [
      createAuthenticator(),
      createAuthenticator('RS256'),
      createAuthenticator(),
    ];
    expect((await enrol(userId, first, self)).__typename).toBe('EnrolSecurityKeyPayload');

    const { options } = await change(self, 'beginSecurityKeyEnrolment', { userId });
    const input = { userId, name: 'Second', response: second.create(options) };
    const refused = await change(self, 'enrolSecurityKey', input);
    expect(refused.code).toBe('SECOND_FACTOR_REQUIRED');
    // The new key cannot vouch for itself.
    const vouching = second.get(refused.challenge);
    const vouched = await change(self, 'enrolSecurityKey', { ...input, secondFactor: vouching });
    expect(vouched.code).toBe('SECOND_FACTOR_REQUIRED');
    const secondFactor = first.get(vouched.challenge);
    expect((await change(self, 'enrolSecurityKey', { ...input, secondFactor })).__typename).toBe(
      'EnrolSecurityKeyPayload',
    );
    expect((await enrol(userId, third, self)).code).toBe('SECOND_FACTOR_REQUIRED');
    expect((await enrol(userId, third, person(userId, { multiFactorAt: clock.now() }))).__typename).toBe(
      'EnrolSecurityKeyPayload',
    );
  });

  test('of several first keys at once, one is the first', async () => {
    const { users } = await firm('margaret');
    const [userId = ''] = users;
    const self = person(userId);
    const options: string[] = [];
    while (options.length < maxChallenges)
      options.push((await change(self, 'beginSecurityKeyEnrolment', { userId })).options);
    const answers = await Promise.all(
      options.map((each) =>
        change(self, 'enrolSecurityKey', {
          userId,
          name: 'Key',
          response: createAuthenticator().create(each),
        }),
      ),
    );
    const made = Object.groupBy(answers, ({ __typename }): string => __typename);
    expect(made['EnrolSecurityKeyPayload']).toHaveLength(1);
    expect(made['SecondFactorRequired']).toHaveLength(maxChallenges - 1);
    expect(await keysOf(userId)).toHaveLength(1);
  });

  test('for somebody else needs a second factor of the administrator’s own, where that is a person', async () => {
    const { users } = await firm('margaret', 'grace');
    const [margaret = '', grace = ''] = users;
    const administrator = (given: Partial<Actor> = {}) =>
      person(margaret, { role: 'ADMINISTRATOR', ...given });
    const key = createAuthenticator();
    const refused = await enrol(grace, key, administrator());
    expect(refused).toMatchObject({ code: 'SECOND_FACTOR_REQUIRED', challenge: null });
    const own = createAuthenticator();
    await enrol(margaret, own, administrator());
    const { challenge: asked } = await enrol(grace, key, administrator());
    expect(JSON.parse(asked).allowCredentials).toMatchObject([{ id: own.credentialId }]);
    expect((await enrol(grace, key, administrator(), { secondFactor: own.get(asked) })).__typename).toBe(
      'EnrolSecurityKeyPayload',
    );
    const machine = administrator({ userId: null });
    expect((await enrol(grace, createAuthenticator(), machine)).__typename).toBe('EnrolSecurityKeyPayload');
  });

  test('a user has so many keys and open challenges, and none once deleted', async () => {
    const { users } = await firm('margaret');
    const [userId = ''] = users;
    for (let count = 0; count < maxKeys; count += 1) await enrol(userId, createAuthenticator());
    expect((await change(server, 'beginSecurityKeyEnrolment', { userId })).code).toBe(
      'TOO_MANY_SECURITY_KEYS',
    );
    const challenges = [];
    for (let count = 0; count < maxChallenges + 2; count += 1) {
      clock.set(later(0.001));
      challenges.push(await challenge(userId));
    }
    const { rows } = await server.pool.query(
      'select challenge from security_key_challenge where user_id = $1 and purpose = $2',
      [idsOf(userId).userId, 'LOGON'],
    );
    const newest = challenges.slice(-maxChallenges).map((each) => JSON.parse(each).challenge);
    expect(new Set(rows.map(({ challenge: kept }) => kept))).toEqual(new Set(newest));
    await setStatus(server, userId, 'DELETED');
    expect((await change(server, 'beginSecurityKeyEnrolment', { userId })).code).toBe('USER_DELETED');
  });
});

describe('a removal', () => {
  test('needs a second factor of the person’s own, and takes the key’s worth', async () => {
    const { userId, key, securityKeyId } = await enrolled();
    const self = person(userId);
    const refused = await change(self, 'removeSecurityKey', { securityKeyId });
    expect(refused.code).toBe('SECOND_FACTOR_REQUIRED');
    expect(await keysOf(userId)).toHaveLength(1);
    const open = await challenge(userId);
    const secondFactor = key.get(refused.challenge);
    expect(await change(self, 'removeSecurityKey', { securityKeyId, secondFactor })).toEqual({
      __typename: 'RemoveSecurityKeyPayload',
      user: { id: userId },
    });
    expect(await keysOf(userId)).toEqual([]);
    expect(await logon(userId, { secondFactor: key.get(open) })).toMatchObject({
      code: 'SECOND_FACTOR_REQUIRED',
      challenge: null,
    });
    expect((await change(server, 'removeSecurityKey', { securityKeyId })).code).toBe('NOT_FOUND');
  });

  test('is a colleague’s only where that is an administrator, with a second factor of their own', async () => {
    const { organisationId, userId, securityKeyId } = await enrolled();
    const colleague = await createUser(server, organisationId, 'grace', []);
    const remove = (as: Ask) => change(as, 'removeSecurityKey', { securityKeyId });
    expect((await remove(person(colleague))).code).toBe('NOT_FOUND');
    expect((await remove(person(colleague, { role: 'ADMINISTRATOR' }))).code).toBe('SECOND_FACTOR_REQUIRED');
    const fresh = { role: 'ADMINISTRATOR', multiFactorAt: clock.now() } as const;
    expect((await remove(person(colleague, fresh))).__typename).toBe('RemoveSecurityKeyPayload');
    expect(await keysOf(userId)).toEqual([]);
  });
});
