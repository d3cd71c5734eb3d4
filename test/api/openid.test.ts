import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRates, defaultRateLimits } from '../../src/graphql/transports/rates.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createOpenIdSignIn } from '../../src/site/openid.ts';
import { bareRequest } from '../setup/bare-request.ts';
import { audience, type OpenIdProvider, startOpenIdProvider } from '../setup/openid.ts';
import { testPages } from '../setup/pages.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';

/** Where the provider sends browsers; the tests bring what it said there to the server themselves. */
const origin = 'http://127.0.0.1:1';
let provider: OpenIdProvider;
let server: TestServer;
beforeAll(async () => {
  provider = await startOpenIdProvider();
  const client = {
    issuer: provider.issuer,
    clientId: 'pages',
    clientSecret: null,
    scope: 'openid',
    redirectUrl: `${origin}/sign-in/openid/callback`,
    audience,
    audienceParameter: 'resource',
  } as const;
  const log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
  const openId = createOpenIdSignIn({ client, secret: 'the-secret-of-the-tests', clock: systemClock, log });
  server = await startTestServer({
    pages: { ...(await testPages()), openId },
    proxies: 1,
    rates: createRates({ limits: { ...defaultRateLimits, failuresPerMinute: 3 }, redis: null, log }),
    openId: { openId: { ...provider.openId, operatorRole: 'chief' } },
  });
});
afterAll(async () => {
  await server.stop();
  await provider.stop();
});

const cookiesOf = (headers: Headers) => headers.getSetCookie().map((cookie) => cookie.split(';', 1)[0] ?? '');

/** The server, as a browser that keeps cookies asks it. */
async function visit(path: string, cookie = '', from = '192.0.2.1') {
  const { status, headers } = await bareRequest(new URL(server.url), path, 'GET', {
    cookie,
    'sec-fetch-site': 'cross-site',
    'x-forwarded-for': from,
  });
  const setCookies = [headers['set-cookie'] ?? []].flat();
  return { status, location: String(headers.location), setCookies };
}

/** Begins, and lets the provider answer. @returns what brings the browser back, and its cookie */
async function cameBack(hint: string, path = '/sign-in/openid') {
  const { location, setCookies } = await visit(path);
  const jar = new Set<string>();
  let next = `${location}&login_hint=${encodeURIComponent(hint)}`;
  while (!next.startsWith(origin)) {
    const response = await fetch(next, { redirect: 'manual', headers: { cookie: [...jar].join('; ') } });
    for (const cookie of cookiesOf(response.headers)) jar.add(cookie);
    const to = response.headers.get('location');
    if (to === null) throw new Error(`The provider answered ${response.status}: ${await response.text()}`);
    next = new URL(to, next).href;
  }
  const { pathname, search } = new URL(next);
  return { path: pathname + search, cookie: setCookies[0]?.split(';', 1)[0] ?? '', setCookie: setCookies[0] };
}

const operator = JSON.stringify({ role: 'chief' });

test('GET /sign-in says where people begin', async () => {
  const { headers, body } = await bareRequest(new URL(server.url), '/sign-in', 'GET', {}, '');
  expect([headers['x-sign-in'], body]).toEqual([`${origin}/sign-in/openid`, 'null']);
});

test('who signs in at the provider has a cookie that ends with the token, and is where they wanted to be', async () => {
  const { path, cookie, setCookie } = await cameBack(operator, '/sign-in/openid?return=/usage%3Fby=day');
  expect(setCookie).toMatch(/^seatkeeper-openid=[\w-]{100,}; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax$/);
  const { status, location, setCookies } = await visit(path, cookie);
  expect([status, location]).toEqual([302, `${origin}/usage?by=day`]);
  expect(setCookies[0]).toMatch(/^seatkeeper-openid=; Max-Age=0;/);
  const [, session = ''] = setCookies;
  const seconds = Number(/^seatkeeper=.*; Max-Age=(\d+);.*SameSite=Strict/.exec(session)?.[1]);
  expect(seconds).toBeGreaterThan(30);
  expect(seconds).toBeLessThanOrEqual(60);
  const { body } = await bareRequest(new URL(server.url), '/sign-in', 'GET', {
    cookie: session.split(';', 1)[0] ?? '',
    'sec-fetch-site': 'same-origin',
  });
  expect(JSON.parse(body)).toMatchObject({ role: 'OPERATOR' });

  // What brought the browser back is worth nothing again: neither to another, nor with the cookie that it had.
  for (const again of ['', cookie]) {
    const replayed = await visit(path, again);
    expect([replayed.location, replayed.setCookies.length]).toEqual([
      again === '' ? `${origin}/#sign-in=expired` : `${origin}/usage?by=day#sign-in=expired`,
      1,
    ]);
  }
});

test('one browser’s answer signs no other in', async () => {
  const [one, other] = [await cameBack(operator), await cameBack(operator)];
  const { location, setCookies } = await visit(one.path, other.cookie);
  expect(location).toBe(`${origin}/#sign-in=expired`);
  // Nor does it take from the other what it waits with: one person may have begun in two tabs.
  expect(setCookies).toEqual([]);
  expect((await visit(other.path, other.cookie)).location).toBe(`${origin}/`);
});

test('who wanted a page with choices that fit into no cookie is signed in, and has the page without', async () => {
  const long = encodeURIComponent(`/wallboard?licences=${'x'.repeat(4000)}`);
  const { path, cookie } = await cameBack(operator, `/sign-in/openid?return=${long}`);
  // Browsers keep no larger one.
  expect(cookie.length).toBeLessThanOrEqual(4096);
  expect((await visit(path, cookie)).location).toBe(`${origin}/wallboard`);
});

test('who is refused, or is nobody here, is told so', async () => {
  const denied = await cameBack('deny');
  expect((await visit(denied.path, denied.cookie)).location).toBe(`${origin}/#sign-in=refused`);
  const stranger = await cameBack(JSON.stringify({ role: 'gardener' }));
  const { location, setCookies } = await visit(stranger.path, stranger.cookie);
  expect([location, setCookies.length]).toEqual([`${origin}/#sign-in=unknown`, 1]);
});

test('a token that fits into no cookie is said to be too long', async () => {
  const { path, cookie } = await cameBack(JSON.stringify({ role: 'chief', padding: 'x'.repeat(1500) }));
  expect((await visit(path, cookie)).location).toBe(`${origin}/#sign-in=too-long`);
});

test.each([
  '//evil.example',
  '/\\evil.example',
  '/\t/evil.example',
  'https://evil.example/',
  '/.//evil.example',
])('nobody is sent to %j', async (elsewhere) => {
  const { path, cookie } = await cameBack('deny', `/sign-in/openid?return=${encodeURIComponent(elsewhere)}`);
  expect(new URL((await visit(path, cookie)).location).origin).toBe(origin);
});

test('who tries codes of the provider is shut out', async () => {
  const { path, cookie } = await cameBack(operator);
  const locations: string[] = [];
  for (let guess = 0; guess < 4; guess += 1) {
    const { status, location } = await visit(
      path.replace(/code=[^&]+/, `code=guess-${guess}`),
      cookie,
      '192.0.2.2',
    );
    locations.push(status === 302 ? location : String(status));
  }
  expect(locations).toEqual([...Array(3).fill(`${origin}/#sign-in=expired`), '429']);
});

test('a provider that is down is a sentence on the page', async () => {
  const { path, cookie } = await cameBack(operator);
  await provider.stop();
  expect((await visit(path, cookie)).location).toBe(`${origin}/#sign-in=unavailable`);
});
