import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { WebSocket } from 'ws';
import { operator } from '../../src/kernel/actor.ts';
import { createSignIns, type SignIns } from '../../src/site/sign-in.ts';
import { bareRequest } from '../setup/bare-request.ts';
import { createKey, createOrganisation } from '../setup/given.ts';
import { testPages } from '../setup/pages.ts';
import { handMovedClock, startTestServer, type TestServer } from '../setup/server.ts';
import { protocol } from '../setup/socket.ts';

const clock = handMovedClock('2026-01-01T08:00:00Z');
const pages = await testPages(clock);
let server: TestServer;
let origin: string;
beforeAll(async () => {
  server = await startTestServer({ clock, pages, allowedOrigins: ['http://friend.example'] });
  ({ origin } = new URL(server.url));
});
afterAll(() => server.stop());

const ask = (
  path: string,
  {
    method = 'GET',
    body = '',
    ...headers
  }: { readonly method?: string; readonly body?: string } & Record<string, string> = {},
) => bareRequest(new URL(server.url), path, method, headers, body);

/** As the page does, on its own origin. */
const own = () => ({ origin, 'x-requested-with': 'seatkeeper' });
const signIn = async (key = server.key, from = origin) => {
  const { status, headers, body } = await ask('/sign-in', {
    ...{ ...own(), method: 'POST', origin: from, host: new URL(from).host },
    authorization: `Bearer ${key}`,
  });
  const setCookie = String(headers['set-cookie'] ?? '');
  return { status, body, setCookie, cookie: setCookie.split(';', 1)[0] ?? '' };
};
const whoIs = async (headers: Record<string, string>) => JSON.parse((await ask('/sign-in', headers)).body);
const typename = { 'content-type': 'application/json', body: JSON.stringify({ query: '{ __typename }' }) };

describe('a key', () => {
  it('is exchanged for a cookie that no script reads and no other site sends', async () => {
    const { status, setCookie, cookie, body } = await signIn();
    expect(status).toBe(200);
    expect(setCookie).toMatch(/^seatkeeper=[\w-]{60,}; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(Buffer.from(cookie.split('=')[1] ?? '', 'base64url').includes(server.key)).toBe(false);
    const { role, organisationId, may } = JSON.parse(body);
    expect([role, organisationId]).toEqual(['OPERATOR', null]);
    expect(may).toContain('Mutation.forceLogoff');
    expect(await whoIs({ ...own(), cookie })).toMatchObject({ role: 'OPERATOR' });
    const { body: answer } = await ask('/graphql', { ...own(), ...typename, method: 'POST', cookie });
    expect(JSON.parse(answer)).toMatchObject({ data: { __typename: 'Query' } });
  });

  it('is exchanged over TLS for one that goes by TLS alone, and is of this host', async () => {
    const { setCookie } = await signIn(server.key, 'https://licences.example');
    expect(setCookie).toMatch(/^__Host-seatkeeper=.*; Path=\/; HttpOnly; SameSite=Strict; Secure$/);
  });

  it('that is wrong is exchanged for nothing', async () => {
    expect(await signIn('wrong-key')).toMatchObject({ status: 401, setCookie: '' });
  });

  it('of a role says what its bearer may do', async () => {
    const organisationId = await createOrganisation(server, {});
    const { key } = await createKey(server, organisationId, 'WALLBOARD');
    const { cookie, setCookie } = await signIn(key);
    expect(setCookie).toMatch(/Max-Age=34560000;/);
    const { role, organisationId: whose, may } = await whoIs({ ...own(), cookie });
    expect([role, whose]).toEqual(['WALLBOARD', organisationId]);
    expect(may).toContain('Subscription.usageChanged');
    expect(may).not.toContain('Organisation.users');
  });
});

test('who shows a key is told who that is, and given nothing', async () => {
  const { cookie } = await signIn();
  const shown = await ask('/sign-in', { ...own(), authorization: `Bearer ${server.key}` });
  expect([shown.status, JSON.parse(shown.body).role, shown.headers['set-cookie']]).toEqual([
    ...[200, 'OPERATOR', undefined],
  ]);
  const wrong = await ask('/sign-in', { ...own(), cookie, authorization: 'Bearer wrong-key' });
  expect([wrong.status, wrong.headers['set-cookie']]).toEqual([401, undefined]);
});

describe('the code of the printed link', () => {
  const exchange = (code: string) =>
    ask('/sign-in', { ...own(), method: 'POST', authorization: `Code ${code}` });

  it('is good for one exchange, and no other code for any', async () => {
    const { code } = pages.code;
    expect(await exchange(`${code}x`)).toMatchObject({ status: 401 });
    const { status, headers } = await exchange(code);
    expect(status).toBe(200);
    const cookie = String(headers['set-cookie']).split(';', 1)[0] ?? '';
    expect(await whoIs({ ...own(), cookie })).toMatchObject({ role: 'OPERATOR' });
    const again = await exchange(code);
    expect([again.status, again.headers['set-cookie']]).toEqual([401, undefined]);
    expect(again.body).toContain('Sign in with the operator key');
  });

  it('is no key of the API', async () => {
    for (const scheme of ['Code', 'Bearer']) {
      const authorization = `${scheme} ${pages.code.code}`;
      expect((await ask('/graphql', { ...typename, method: 'POST', authorization })).status).toBe(401);
    }
  });
});

describe('a cookie', () => {
  it('is nobody’s on a request of another origin’s page, whatever the browser says of the site', async () => {
    const { cookie } = await signIn();
    const elsewhere: Record<string, string>[] = [
      { origin: 'http://127.0.0.1:1' },
      { origin: 'http://friend.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'cross-site', origin },
      {},
    ];
    for (const headers of elsewhere) {
      const asked = { ...typename, 'x-requested-with': 'x', method: 'POST', cookie, ...headers };
      expect((await ask('/graphql', asked)).status, JSON.stringify(headers)).toBe(401);
    }
  });

  it('that a neighbour of the domain planted counts nowhere but over plain HTTP', async () => {
    const organisationId = await createOrganisation(server, {});
    const { key } = await createKey(server, organisationId, 'SUPERVISOR');
    const planted = (await signIn(key)).cookie;
    const own = (await signIn(server.key, 'https://licences.example')).cookie;
    expect([planted, own]).toEqual([expect.stringMatching(/^seat/), expect.stringMatching(/^__Host-seat/)]);
    const roleBy = async (cookie: string, headers: Record<string, string>) =>
      (await whoIs({ host: 'licences.example', cookie, ...headers }))?.role ?? null;
    const overTls: Record<string, string>[] = [
      { origin: 'https://licences.example' },
      { referer: 'https://licences.example/usage?by=day', 'sec-fetch-site': 'same-origin' },
      { 'sec-fetch-site': 'same-origin' },
      { 'sec-fetch-site': 'none' },
    ];
    for (const said of overTls) {
      const headers = { 'x-requested-with': 'seatkeeper', ...said };
      expect(await roleBy(`${planted}; ${own}`, headers), JSON.stringify(said)).toBe('OPERATOR');
      expect(await roleBy(`${own}; ${planted}`, headers), JSON.stringify(said)).toBe('OPERATOR');
      expect(await roleBy(planted, headers), JSON.stringify(said)).toBeNull();
      // Browsers know the prefix at the very beginning of a name alone.
      expect(await roleBy(`\u00a0__Host-${planted}`, headers), JSON.stringify(said)).toBeNull();
      // What opens a WebSocket is the same.
      expect(
        pages.signIns.open({
          method: 'GET',
          headers: { ...headers, cookie: planted, host: 'licences.example', upgrade: 'websocket' },
        } as never),
      ).toBeNull();
    }
    // A page that came over plain HTTP, as one does where somebody is in the network, is no page of the other’s.
    expect(await roleBy(own, { 'x-requested-with': 'x', origin: 'http://licences.example' })).toBeNull();
    expect(await roleBy(planted, { 'x-requested-with': 'x', origin: 'http://licences.example' })).toBe(
      'SUPERVISOR',
    );
  });

  it('is given and taken back for no other origin’s page, not for one that may use the API either', async () => {
    const { cookie } = await signIn();
    for (const elsewhere of ['http://friend.example', 'http://127.0.0.1:1', 'null']) {
      for (const method of ['POST', 'DELETE']) {
        const headers = { 'x-requested-with': 'x', authorization: `Bearer ${server.key}`, cookie };
        const { status, headers: answered } = await ask('/sign-in', {
          ...headers,
          method,
          origin: elsewhere,
        });
        expect([status, answered['set-cookie']], `${method} ${elsewhere}`).toEqual([403, undefined]);
      }
    }
  });

  it('lets a link of this origin’s page be followed where browsers say less, over plain HTTP', async () => {
    const { cookie } = await signIn();
    const follow = async (headers: Record<string, string>) =>
      (await ask('/audit/nowhere.csv', { cookie, ...headers })).status;
    expect(await follow({ referer: `${origin}/usage?by=month` })).toBe(200);
    expect(await follow({ referer: `${origin}/usage?by=month`, 'sec-fetch-site': 'same-origin' })).toBe(200);
    // A bookmark, or the address typed.
    expect(await follow({ 'sec-fetch-site': 'none' })).toBe(200);
    const elsewhere: Record<string, string>[] = [
      {},
      { referer: 'http://127.0.0.1:1/' },
      { referer: 'http://evil.example/?http://127.0.0.1' },
      { referer: `${origin}.evil.example/` },
      { referer: `${origin}/`, 'sec-fetch-site': 'same-site' },
      { referer: `${origin}/`, origin: 'null' },
    ];
    for (const headers of elsewhere) expect(await follow(headers), JSON.stringify(headers)).toBe(403);
  });

  it('that is not there, or that another page may have had sent, leads a person to the page for files, and no program', async () => {
    const { cookie } = await signIn();
    const path = '/audit/nowhere.csv?action=logon';
    const accept = 'text/html,*/*;q=0.8';
    const fromLetter = { accept, 'sec-fetch-site': 'cross-site' };
    // Of a neighbour of the domain, or with a cookie that is none of the pages’.
    const led = [{ accept }, { accept, cookie }, fromLetter, { ...fromLetter, cookie }];
    for (const headers of led) {
      const { status, headers: answered } = await ask(path, headers);
      expect([status, answered['location'], answered['set-cookie']]).toEqual([
        ...[303, '/download?of=%2Faudit%2Fnowhere.csv%3Faction%3Dlogon', undefined],
      ]);
    }
    for (const headers of [{}, { accept: '*/*' }, { accept, authorization: 'Bearer wrong-key' }]) {
      const { status, body } = await ask(path, headers);
      expect([status, JSON.parse(body).errors[0].extensions.code]).toEqual([401, 'UNAUTHENTICATED']);
    }
  });

  it('opens a WebSocket for a page of this origin, and for no other', async () => {
    const { cookie } = await signIn();
    const answered = (from: string) =>
      new Promise((resolve) => {
        const socket = new WebSocket(server.wsUrl, protocol, { headers: { cookie, origin: from } });
        socket.once('open', () => socket.send('{"type":"connection_init"}'));
        socket.once('message', (data: Buffer) => {
          resolve((JSON.parse(data.toString()) as { type: string }).type);
          socket.close();
        });
        socket.once('close', resolve);
        socket.on('error', () => {});
      });
    expect(await answered(origin)).toBe('connection_ack');
    expect(await answered('http://friend.example')).toBe(4403);
  });

  it('of a screen counts on its page alone, beside that of whoever signs in and out there', async () => {
    const organisationId = await createOrganisation(server, {});
    const { key } = await createKey(server, organisationId, 'WALLBOARD');
    const screen = { ...own(), 'x-requested-with': 'seatkeeper-screen' };
    const begin = async (shown: string) => {
      const headers = { ...screen, method: 'POST', authorization: `Bearer ${shown}` };
      return [(await ask('/sign-in', headers)).headers['set-cookie'] ?? []].flat();
    };
    const [wall = ''] = await begin(key);
    expect(wall).toMatch(
      /^seatkeeper-screen=[\w-]{60,}; Max-Age=34560000; Path=\/; HttpOnly; SameSite=Strict$/,
    );
    const [ofWall = ''] = wall.split(';', 1);
    const { cookie: ofPerson } = await signIn();
    const both = `${ofPerson}; ${ofWall}`;
    const roles = async (cookie: string) =>
      Promise.all([screen, own()].map(async (who) => (await whoIs({ ...who, cookie }))?.role));
    expect(await roles(both)).toEqual(['WALLBOARD', 'OPERATOR']);
    expect(await roles(ofWall)).toEqual(['WALLBOARD', undefined]);
    expect(await roles(ofPerson)).toEqual(['OPERATOR', 'OPERATOR']);
    // A WebSocket says it by its address.
    const socket = { cookie: both, host: 'localhost', origin: 'http://localhost', upgrade: 'websocket' };
    const open = (url: string) => pages.signIns.open({ method: 'GET', url, headers: socket } as never);
    expect([open('/graphql?screen'), open('/graphql')].map((found) => found?.authorization)).toEqual([
      `Bearer ${key}`,
      `Bearer ${server.key}`,
    ]);
    const { headers } = await ask('/sign-in', { ...own(), cookie: both, method: 'DELETE' });
    expect(String(headers['set-cookie'])).not.toContain('screen');
    // Who is to be shown on the screen’s page itself is.
    const [other, ...forgotten] = await begin(server.key);
    expect(other).toMatch(/^seatkeeper=/);
    expect(forgotten).toContain('seatkeeper-screen=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict');
  });

  it('of another secret, of a key that has ended, or changed by a character, is nobody’s', async () => {
    const { cookie } = await signIn();
    const changed = cookie.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    const sealed = (signIns: SignIns, key: string) => {
      const cookies: string[] = [];
      const response = { appendHeader: (_name: string, value: string) => cookies.push(value) };
      const shown = { authorization: `Bearer ${key}`, actor: operator, isSecure: false, isScreen: false };
      signIns.begin(response as never, shown);
      return cookies[0]?.split(';', 1)[0] ?? '';
    };
    const foreign = sealed(createSignIns('another secret', clock), server.key);
    const revoked = sealed(pages.signIns, 'a-key-that-is-worth-nothing');
    for (const wrong of [changed, foreign, revoked, 'seatkeeper=', 'seatkeeper=x']) {
      expect(await whoIs({ ...own(), cookie: wrong })).toBeNull();
    }
  });

  it('ends with the working day, and is taken back on signing out', async () => {
    const { cookie } = await signIn();
    clock.set('2026-01-01T19:59:59Z');
    expect(await whoIs({ ...own(), cookie })).not.toBeNull();
    clock.set('2026-01-01T20:00:00Z');
    expect(await whoIs({ ...own(), cookie })).toBeNull();
    const { headers } = await ask('/sign-in', { ...own(), cookie, method: 'DELETE' });
    expect(String(headers['set-cookie'])).toMatch(/,seatkeeper=; Max-Age=0; Path=\/; HttpOnly/);
  });

  it('ends what it opened: an event stream as well', async () => {
    clock.set('2026-01-01T08:00:00Z');
    const { cookie } = await signIn();
    const organisationId = await createOrganisation(server, {});
    clock.set('2026-01-01T19:59:59.5Z');
    const response = await fetch(server.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream', ...own(), cookie },
      body: JSON.stringify({
        query: `subscription { usageChanged(organisationId: "${organisationId}") { revision } }`,
      }),
      signal: AbortSignal.timeout(5000),
    });
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow('terminated');
  });
});

describe('the pages', () => {
  it('load nothing from elsewhere, run no script of their text, and are asked for each time', async () => {
    const { status, headers, body } = await ask('/');
    expect(status).toBe(200);
    const policy = String(headers['content-security-policy']);
    expect(policy).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/);
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(headers).toMatchObject({ 'cache-control': 'no-cache', 'x-content-type-options': 'nosniff' });
    expect(body).not.toMatch(/<script(?![^>]* src="\/assets\/)|<style|\son\w+=|\sstyle=/);
    const etag = String(headers['etag']);
    expect(await ask('/', { 'if-none-match': etag })).toMatchObject({ status: 304, body: '' });
  });

  it('are made of files with names of their content, kept for a year, and sent compressed', async () => {
    const { body } = await ask('/');
    const script = /src="([^"]+\.js)"/.exec(body)?.[1] ?? '';
    const sizes: number[] = [];
    for (const [accepted, encoding] of [
      ['gzip, deflate, br', 'br'],
      ['br;q=0, gzip', 'gzip'],
      ['', undefined],
    ] as const) {
      const { status, headers } = await ask(script, { 'accept-encoding': accepted });
      expect(status).toBe(200);
      expect(headers['content-encoding']).toBe(encoding);
      expect(headers).toMatchObject({
        'content-type': 'text/javascript; charset=utf-8',
        'cache-control': 'public, max-age=31536000, immutable',
        vary: 'Accept-Encoding',
      });
      sizes.push(Number(headers['content-length']));
    }
    expect(sizes).toEqual(sizes.toSorted((one, other) => one - other));
  });

  test.each([
    '/.vite/manifest.json',
    '/assets/',
    '/assets/../documents.json',
    '/documents.json',
    '/assets/%2e%2e/%2e%2e/package.json',
    '/../package.json',
    '/mapping.html',
    '/mapping',
    '/index.html',
  ])('do not lead to %s', async (path) => {
    expect((await ask(path)).status).toBe(404);
  });
});
