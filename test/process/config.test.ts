import { expect, test } from 'vitest';
import { ConfigError, operatorKey, readConfig } from '../../src/config.ts';

const secondFactorOf = (variables: Record<string, string>) => readConfig(variables).secondFactor;

function mistakeOf(variables: Record<string, string>): string {
  try {
    return JSON.stringify(secondFactorOf(variables));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

test('L1: a server on this machine takes security keys on its own pages, unless it is told others', () => {
  expect(secondFactorOf({})).toEqual({
    ...{ rpId: 'localhost', origins: ['http://localhost:4000'], maxAgeSeconds: 900 },
  });
  expect(secondFactorOf({ PORT: '80' }).origins).toEqual(['http://localhost:80']);
  expect(secondFactorOf({ WEBAUTHN_RP_ID: 'example.com' }).origins).toEqual(['https://example.com']);
  expect(
    secondFactorOf({
      WEBAUTHN_RP_ID: 'example.com',
      WEBAUTHN_ORIGINS: 'https://example.com, https://desk.example.com:8443',
      SECOND_FACTOR_MAX_AGE_SECONDS: '60',
    }),
  ).toEqual({
    rpId: 'example.com',
    origins: ['https://example.com', 'https://desk.example.com:8443'],
    maxAgeSeconds: 60,
  });
});

test.each([
  '127.0.0.1',
  '::1',
  '[::1]',
  '0x7f.1',
  '2130706433',
  'https://example.com',
  'example.com:443',
  'a b',
])('L1: %j is no domain for security keys', (rpId) => {
  expect(mistakeOf({ WEBAUTHN_RP_ID: rpId })).toBe(
    `WEBAUTHN_RP_ID must be a domain name like licences.example.com, or localhost, and no IP address (browsers use keys on none), not ${JSON.stringify(rpId)}.`,
  );
});

test.each([
  ['http://127.0.0.1:4000'],
  ['https://[::1]'],
  ['http://example.com'],
  ['https://localhost/'],
  ['localhost'],
  ['https://localhost,'],
])('L1: %j is no origin for security keys', (origins) => {
  expect(mistakeOf({ WEBAUTHN_ORIGINS: origins })).toMatch(
    /^WEBAUTHN_ORIGINS must be origins like https:.*\.$/,
  );
});

test('L1: the pages are of the domain', () => {
  for (const origin of ['https://example.org', 'https://notexample.com', 'https://example.com.evil.org']) {
    expect(mistakeOf({ WEBAUTHN_RP_ID: 'example.com', WEBAUTHN_ORIGINS: origin })).toBe(
      `WEBAUTHN_ORIGINS must be of WEBAUTHN_RP_ID, which is "example.com", or below it, not "${origin}".`,
    );
  }
});

test.each([import.meta.filename, `${import.meta.filename}/below`])(
  'data that cannot be kept in %j are told where else, and with no stack',
  (folder) => {
    const start = () => operatorKey(readConfig({ SEATKEEPER_DATA: folder }));
    expect(start).toThrow(ConfigError);
    expect(start).toThrow('set SEATKEEPER_DATA to a folder that this user may write to');
  },
);
