import { registerHooks } from 'node:module';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRates, defaultRateLimits } from '../../src/graphql/transports/rates.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createOpenIdSignIn } from '../../src/site/openid.ts';
import { createSeal } from '../../src/site/seal.ts';
import { bareRequest } from '../setup/bare-request.ts';
import { audience, type OpenIdProvider, startOpenIdProvider } from '../setup/openid.ts';
import { testPages } from '../setup/pages.ts';
import { expectNoSecrets, findSecrets, secret, textOf } from '../setup/secrets.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';

/** Where the provider sends browsers; the tests bring what it said there to the server themselves. */
const origin = 'http://127.0.0.1:1';
const sealedBy = 'the-secret-of-the-tests';
const pages = await testPages();
const lines: string[] = [];
let provider: OpenIdProvider;
let server: TestServer;
beforeAll(async () => {
  provider = await startOpenIdProvider();
  server = await serve('pages', null);
});
afterAll(async () => {
  await server.stop();
  await provider.stop();
  expectNoSecrets(lines.join('\n'), 'signing in at a provider');
});

/** A server that is this client of the provider; beside the first, where there is one. */
function serve(clientId: string, clientSecret: string | null, beside?: TestServer): Promise<TestServer> {
  const client = {
    ...{ issuer: provider.issuer, clientId, clientSecret, scope: 'openid', audience },
    redirectUrl: `${origin}/sign-in/openid/callback`,
    audienceParameter: 'resource',
  } as const;
  const write = (facts: object, message: string) => void lines.push(`${message} ${textOf(facts)}`);
  const log = { error: write, warn: write, info: write, debug: write };
  const openId = createOpenIdSignIn({ client, secret: sealedBy, clock: systemClock, log });
  return startTestServer({
    ...(beside === undefined ? {} : { beside }),
    pages: { ...pages, openId },
    proxies: 1,
    rates: createRates({ limits: { ...defaultRateLimits, failuresPerMinute: 3 }, redis: null, log }),
    openId: { openId: { ...provider.openId, operatorRole: 'chief' } },
  });
}

const cookiesOf = (headers: Headers) => headers.getSetCookie().map((cookie) => cookie.split(';', 1)[0] ?? '');

/** The server, as a browser that keeps cookies asks it. */
async function visit(path: string, cookie = '', from = '192.0.2.1', of = server) {
  const { status, headers } = await bareRequest(new URL(of.url), path, 'GET', {
    cookie,
    'sec-fetch-site': 'cross-site',
    'x-forwarded-for': from,
  });
  const setCookies = [headers['set-cookie'] ?? []].flat();
  return { status, location: String(headers.location), setCookies };
}

/** Begins, and lets the provider answer. @returns what brings the browser back, and its cookie */
async function cameBack(hint: string, path = '/sign-in/openid', of = server) {
  const { location, setCookies } = await visit(path, '', '192.0.2.1', of);
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
  const [setCookie = ''] = setCookies;
  return { path: pathname + search, cookie: setCookie.split(';', 1)[0] ?? '', setCookie, location };
}

const operator = JSON.stringify({ role: 'chief' });

// First: what is loaded once stays so.
test('where what speaks to the provider cannot be loaded, that is a sentence on the page', async () => {
  const hooks = registerHooks({
    resolve: (name, context, next) => {
      if (name === 'openid-client') throw new Error('of the test');
      return next(name, context);
    },
  });
  try {
    const flow = { state: 'state', nonce: 'nonce', verifier: 'verifier', returnUrl: `${origin}/usage` };
    const until = systemClock.now().getTime() + 60_000;
    const value = createSeal(sealedBy, 'seatkeeper openid 1').close(JSON.stringify({ ...flow, until }));
    const { location } = await visit(
      '/sign-in/openid/callback?state=state&code=code',
      `seatkeeper-openid=${value}`,
    );
    expect(location).toBe(`${origin}/usage#sign-in=unavailable`);
  } finally {
    hooks.deregister();
  }
});

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

test('the page is come back to whole, and what went wrong is told beside what of it was wanted', async () => {
  const wanted = '/usage?by=day#content';
  const { path, cookie } = await cameBack('deny', `/sign-in/openid?return=${encodeURIComponent(wanted)}`);
  expect((await visit(path, cookie)).location).toBe(`${origin}${wanted}&sign-in=refused`);
});

test('a client with a secret shows it to the provider, and to nobody else', async () => {
  const clientSecret = secret('client-secret-of-the-tests');
  const confidential = await serve('confidential-pages', clientSecret, server);
  const { path, cookie, location } = await cameBack(operator, '/sign-in/openid', confidential);
  const { location: end, setCookies } = await visit(path, cookie, '192.0.2.3', confidential);
  expect([end, setCookies.length]).toEqual([`${origin}/`, 2]);
  const { headers, body } = await bareRequest(new URL(confidential.url), '/sign-in', 'GET', {});
  const told = [location, path, ...setCookies, JSON.stringify(headers), body].join('\n');
  expect(findSecrets(told, [clientSecret])).toEqual([]);
  await confidential.stop();
});

test.each([
  ['wrong', secret('wrong-client-secret-of-the-tests')],
  ['missing', null],
])('a secret that is %s is refused by the provider, in words, and kept out of the log', async (_, given) => {
  const mistaken = await serve('confidential-pages', given, server);
  const { path, cookie } = await cameBack(operator, '/sign-in/openid', mistaken);
  const { location, setCookies } = await visit(path, cookie, '192.0.2.4', mistaken);
  expect([location, setCookies.length]).toEqual([`${origin}/#sign-in=refused`, 1]);
  // Whoever runs the server can read why.
  expect(lines.at(-1)).toContain('invalid_client');
  await mistaken.stop();
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
