import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig, trustedDocuments } from '../../src/config.ts';
import { createTrustedDocuments } from '../../src/graphql/transports/trusted.ts';
import { documentIdOf, ManifestError, readManifest } from '../../src/kernel/manifest.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';
import { transports, overHttp } from '../setup/transports.ts';

const trusted = 'query Trusted($first: Int) { organisations(first: $first) { totalCount } }';
const id = documentIdOf(trusted);
const subscription = 'subscription { sessionChanged(sessionId: "ses_x") { id } }';
const manifest = new Map([trusted, subscription].map((text) => [documentIdOf(text), text]));

let only: TestServer;
let allow: TestServer;
let off: TestServer;
beforeAll(async () => {
  only = await startTestServer({ documents: createTrustedDocuments('only', manifest) });
  allow = await startTestServer({ documents: createTrustedDocuments('allow', manifest) });
  off = await startTestServer();
});
afterAll(() => Promise.all([only, allow, off].map((server) => server.stop())));

const refused = (code: string) => [{ extensions: { code, requestId: expect.any(String) as string } }];

describe.for(transports)('over %s', ([, send]) => {
  it('a document is asked for by its id, again and again', async () => {
    for (const server of [only, allow, only, allow]) {
      const answer = await send(server, { documentId: id, variables: { first: 1 } });
      expect(answer).toMatchObject({ data: { organisations: { totalCount: 0 } } });
    }
  });

  it('a trusted document may be sent whole', async () => {
    expect((await send(only, { query: trusted })).errors).toBeUndefined();
  });

  it('a subscription may be asked for by its id', async () => {
    const { errors } = await send(only, { documentId: documentIdOf(subscription) });
    // It is found by its id; a plain answer over HTTP is not how it is asked for.
    const code = send === overHttp ? 'BAD_REQUEST' : 'NOT_FOUND';
    expect(errors).toMatchObject([{ extensions: { code } }]);
  });

  it.for([
    ['another document', { query: '{ __typename }' }],
    ['the same in other words', { query: `${trusted} ` }],
    ['introspection', { query: '{ __schema { types { name } } }' }],
    // Were it parsed, it would be told so.
    ['what does not parse', { query: '{' }],
    ['nothing', { query: '' }],
    ['an unknown id', { documentId: documentIdOf('{ __typename }') }],
    ['what an object brings along', { documentId: 'constructor' }],
  ] as const)('with `only`, %s is refused before it is parsed', async ([, asked]) => {
    const { data, errors } = await send(only, asked);
    expect(data).toBeUndefined();
    expect(errors).toMatchObject(refused('TRUSTED_DOCUMENTS_ONLY'));
  });

  it('with `allow`, other documents run, and an unknown id is told', async () => {
    expect((await send(allow, { query: '{ __typename }' })).data).toEqual({ __typename: 'Query' });
    const { errors } = await send(allow, { documentId: documentIdOf('{ __typename }') });
    expect(errors).toMatchObject(refused('DOCUMENT_NOT_FOUND'));
  });

  it('both an id and a document are refused, and an id where there is no manifest', async () => {
    const both = { query: '{ __typename }', documentId: id };
    expect((await send(allow, both)).errors).toMatchObject(refused('BAD_REQUEST'));
    expect((await send(only, both)).errors).toMatchObject(refused('BAD_REQUEST'));
    expect((await send(off, { documentId: id })).errors).toMatchObject(refused('BAD_REQUEST'));
  });
});

describe.for(['application/json', 'text/event-stream'])('with `only`, asked for %s', (accept) => {
  const form = new FormData();
  form.set('operations', JSON.stringify({ query: '{ __typename }' }));
  form.set('map', '{}');
  const query = encodeURIComponent('{ __typename }');
  it.for<[string, string, { readonly body: BodyInit; readonly 'content-type'?: string } | null]>([
    ['a form', '', { body: new URLSearchParams({ query: '{ __typename }' }) }],
    ['a multipart form', '', { body: form }],
    ['a bare document', '', { body: '{ __typename }', 'content-type': 'application/graphql' }],
    ['an address', `?query=${query}`, null],
  ])('another document is refused in %s too', async ([, address, sent]) => {
    const { body, ...headers } = sent ?? {};
    const response = await fetch(only.url + address, {
      method: sent === null ? 'GET' : 'POST',
      headers: { accept, authorization: `Bearer ${only.key}`, ...headers },
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    expect(text).toContain('TRUSTED_DOCUMENTS_ONLY');
    expect(text).not.toContain('"Query"');
  });
});

it('by GET the id stands in the address, also for EventSource', async () => {
  const ask = async (accept: string) => {
    const response = await fetch(`${only.url}?documentId=${encodeURIComponent(id)}`, {
      headers: { accept, authorization: `Bearer ${only.key}` },
    });
    return [response.status, await response.text()] as const;
  };
  expect(await ask('application/json')).toEqual([200, expect.stringMatching(/"totalCount":0/)]);
  expect(await ask('text/event-stream')).toEqual([200, expect.stringMatching(/"totalCount":0/)]);
});

describe('a manifest', () => {
  const folder = mkdtempSync(join(tmpdir(), 'documents-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const write = (name: string, text: string) => {
    const file = join(folder, name);
    writeFileSync(file, text);
    return file;
  };
  const run = (...files: string[]) =>
    spawnSync('node', ['src/cli/documents.ts', ...files], { encoding: 'utf8' });

  it('is written by `npm run documents`, and read by the server', () => {
    const files = [write('trusted.graphql', trusted), write('subscription.graphql', subscription)];
    const { status, stdout } = run(...files);
    expect(status).toBe(0);
    expect(readManifest(stdout)).toEqual(manifest);

    const file = write('documents.json', stdout);
    const env = { SEATKEEPER_TRUSTED_DOCUMENTS: 'only', SEATKEEPER_TRUSTED_DOCUMENTS_FILE: file };
    const documents = trustedDocuments(readConfig(env));
    expect(documents.expand({ documentId: id })).toEqual({ query: trusted });
  });

  it('is not written of documents that the schema refuses', () => {
    const { status, stdout, stderr } = run(write('wrong.graphql', '{ nothing }'), join(folder, 'missing'));
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/wrong\.graphql: Cannot query field "nothing"[^]*missing: ENOENT/);
  });

  it.for([
    ['no JSON', '{'],
    ['a list', '[]'],
    ['something else than texts', '{"sha256:1":1}'],
    ['an id that is another document’s', JSON.stringify({ [id]: '{ __typename }' })],
  ])('that is %s is none', ([, text = '']) => {
    expect(() => readManifest(text)).toThrow(ManifestError);
  });

  it('that is missing is told when the server starts', () => {
    const start = (file: string) =>
      trustedDocuments(
        readConfig({ SEATKEEPER_TRUSTED_DOCUMENTS: 'only', SEATKEEPER_TRUSTED_DOCUMENTS_FILE: file }),
      );
    expect(() => start('')).toThrow('needs SEATKEEPER_TRUSTED_DOCUMENTS_FILE');
    expect(() => start(join(folder, 'missing.json'))).toThrow('is no manifest of trusted documents');
    expect(() => start(write('broken.json', '{'))).toThrow('it is not JSON');
  });
});
