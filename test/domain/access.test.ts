import { describe, expect, test } from 'vitest';
import {
  type ClaimMapping,
  decideBearer,
  isSafeUrl,
  readClaims,
  readKey,
  writeKey,
} from '../../src/access/domain.ts';
import { readConfig } from '../../src/config.ts';
import { operator } from '../../src/kernel/actor.ts';
import { instant } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/ids.ts';

const mapping: ClaimMapping = {
  roleClaim: 'realm_access.roles',
  organisationClaim: 'https://seatkeeper.example/organisation',
  userClaim: 'sub',
  scopesClaim: null,
  operatorRole: null,
  multiFactorValues: ['mfa', 'hwk', 'urn:example:strong'],
};
const claims = {
  realm_access: { roles: ['offline_access', 'ADMINISTRATOR'] },
  'https://seatkeeper.example/organisation': 'mine',
  sub: 'margaret',
  auth_time: Date.parse('2026-03-01T09:00:00Z') / 1000,
};

test('claims are read by name or by path, and roles that are not ours passed over', () => {
  expect(readClaims(claims, mapping)).toEqual({
    role: 'ADMINISTRATOR',
    organisation: 'mine',
    user: 'margaret',
    scopes: null,
    multiFactorAt: null,
  });
});

describe('a second factor was shown when the bearer signed in', () => {
  const at = instant('2026-03-01T09:00:00Z');
  test.each<[object, Date | null]>([
    [{ amr: ['pwd', 'mfa'] }, at],
    [{ amr: ['hwk'] }, at],
    [{ acr: 'urn:example:strong' }, at],
    [{ amr: ['pwd'] }, null],
    [{ amr: ['swk'] }, null],
    [{ amr: ['mfa'], auth_time: undefined }, null],
    [{ amr: ['mfa'], auth_time: 'yesterday' }, null],
    [{ amr: ['mfa'], auth_time: 1e300 }, null],
    [{ amr: { mfa: true } }, null],
  ])('%j', (shown, expected) => {
    expect(readClaims({ ...claims, ...shown }, mapping)).toMatchObject({ multiFactorAt: expected });
  });
});

test('a key’s text tells whose it is and where to look it up, and has one form', () => {
  const organisationId = newId<'Organisation'>();
  const { key, prefix } = writeKey(organisationId, Buffer.alloc(9, 255), Buffer.alloc(32, 255));
  expect(readKey(key)).toEqual({ organisationId, prefix });
  expect(prefix).toBe('sk_____________');
  for (const wrong of [`${key} `, key.slice(1), key.replace('sk_', 'SK_'), `${key}\n`, 'sk_', ''])
    expect([wrong, readKey(wrong)]).toEqual([wrong, null]);
});

describe('the configuration of access tokens', () => {
  const issuer = { OIDC_ISSUER: 'https://id.example', OIDC_AUDIENCE: 'seatkeeper' };
  test('is none without an issuer, and RS256 where nothing else is said', () => {
    expect(readConfig({}).openId).toBeNull();
    expect(readConfig(issuer).openId).toMatchObject({
      issuer: 'https://id.example',
      audience: 'seatkeeper',
      jwksUrl: null,
      algorithms: ['RS256'],
      clockToleranceSeconds: 5,
      userClaim: 'sub',
      operatorRole: null,
      multiFactorValues: ['mfa', 'hwk'],
    });
    expect(readConfig({ ...issuer, OIDC_ALGORITHMS: 'ES256, ES384' }).openId?.algorithms).toEqual([
      'ES256',
      'ES384',
    ]);
  });
  test.each(['none', 'HS256', 'RS256,HS256', 'RS256,ES256', 'RS256,none', 'RS256,', 'rs256'])(
    'refuses OIDC_ALGORITHMS=%s',
    (algorithms) => {
      expect(() => readConfig({ ...issuer, OIDC_ALGORITHMS: algorithms })).toThrow(
        /^OIDC_ALGORITHMS must be of one family/,
      );
    },
  );
  test('refuses an issuer without an audience, and keys over plain HTTP', () => {
    expect(() => readConfig({ OIDC_ISSUER: 'https://id.example' })).toThrow(
      /^OIDC_AUDIENCE must be [^.]+\.$/,
    );
    expect(() => readConfig({ ...issuer, OIDC_ISSUER: 'http://id.example' })).toThrow('OIDC_ISSUER must be');
    expect(isSafeUrl('http://127.0.0.1:4000')).toBe(true);
    expect(isSafeUrl('http://127.0.0.1.example')).toBe(false);
    expect(isSafeUrl('file:///etc/passwd')).toBe(false);
  });
});

test('a person makes no key by which a second factor could be gone round', () => {
  const [organisationId, own, other] = [newId<'Organisation'>(), newId<'User'>(), newId<'User'>()];
  const person = { ...operator, role: 'ADMINISTRATOR', organisationId, userId: own } as const;
  const key = { role: 'ADMINISTRATOR', scopes: null, userId: null } as const;
  expect(decideBearer(person, key)?.code).toBe('FORBIDDEN');
  expect(decideBearer(person, { ...key, scopes: ['READ', 'USERS'] })?.code).toBe('FORBIDDEN');
  expect(decideBearer(person, { ...key, role: 'AGENT', userId: other })?.code).toBe('FORBIDDEN');
  expect(decideBearer(person, { ...key, scopes: ['READ', 'SESSIONS'] })).toBeNull();
  expect(decideBearer(person, { ...key, role: 'AGENT', userId: own })).toBeNull();
  expect(decideBearer(person, { ...key, role: 'WALLBOARD' })).toBeNull();
  // A platform's own keys do what they may.
  expect(decideBearer({ ...person, userId: null }, key)).toBeNull();
});

test('the value that makes an operator is none of the other roles', () => {
  const oidc = { OIDC_ISSUER: 'https://id.example', OIDC_AUDIENCE: 'seats' };
  expect(() => readConfig({ ...oidc, OIDC_OPERATOR_ROLE: 'AGENT' })).toThrow(/OIDC_OPERATOR_ROLE must be/);
  expect(readConfig({ ...oidc, OIDC_OPERATOR_ROLE: 'root' }).openId?.operatorRole).toBe('root');
});
