import type { CDPSession, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBrowser } from '../setup/browser.ts';
import { buy, createOrganisation, createUser } from '../setup/given.ts';
import { startTestServer, type TestServer } from '../setup/server.ts';

const started = await startBrowser();

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(async () => {
  await started?.close();
  await server.stop();
});

/** What a platform's page does, as the README has it. */
const script = `
  const ask = async (key, document, input) => {
    const response = await fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer ' + key },
      body: JSON.stringify({ query: document, variables: { input } }),
    });
    return Object.values((await response.json()).data)[0];
  };
  const enrol = async (key, userId, algorithm) => {
    const { options } = await ask(key, \`mutation ($input: BeginSecurityKeyEnrolmentInput!) {
      beginSecurityKeyEnrolment(input: $input) { ... on BeginSecurityKeyEnrolmentPayload { options } }
    }\`, { userId });
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(JSON.parse(options));
    publicKey.pubKeyCredParams = publicKey.pubKeyCredParams.filter(({ alg }) => alg === algorithm);
    const credential = await navigator.credentials.create({ publicKey });
    return ask(key, \`mutation ($input: EnrolSecurityKeyInput!) {
      enrolSecurityKey(input: $input) {
        ... on EnrolSecurityKeyPayload { securityKey { algorithm transports } }
        ... on UserError { code message }
      }
    }\`, { userId, name: 'Virtual', response: JSON.stringify(credential) });
  };
  const logon = async (key, userId) => {
    const input = { userId, licence: 'ADMINISTRATOR', device: 'desktop' };
    const document = \`mutation ($input: LogonInput!) {
      logon(input: $input) {
        ... on LogonPayload { session { licenceType { code } } }
        ... on SecondFactorRequired { challenge }
        ... on UserError { code message }
      }
    }\`;
    const first = await ask(key, document, input);
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(JSON.parse(first.challenge));
    const credential = await navigator.credentials.get({ publicKey });
    return [first, await ask(key, document, { ...input, secondFactor: JSON.stringify(credential) })];
  };`;

async function open(origin: string): Promise<Page> {
  if (started === null) throw new Error('No browser');
  const page = await (await started.browser.newContext()).newPage();
  await page.route(`${origin}/**`, async (route) => {
    if (!route.request().url().endsWith('/graphql')) {
      await route.fulfill({ contentType: 'text/html', body: `<script>${script}</script>` });
      return;
    }
    await route.fulfill({ response: await route.fetch({ url: server.url }) });
  });
  await page.goto(`${origin}/`);
  return page;
}

async function plugIn(page: Page): Promise<CDPSession> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('WebAuthn.enable');
  await devtools.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'usb',
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return devtools;
}

async function administrator(): Promise<string> {
  const organisationId = await createOrganisation(server, {});
  await buy(server, organisationId, 'ADMINISTRATOR', { base: 1 });
  return createUser(server, organisationId, 'margaret', ['ADMINISTRATOR']);
}

test.skipIf(started === null).each([
  ['ES256', -7],
  ['RS256', -257],
])('L1: a browser enrols a key and logs an administrator on with it (%s)', async (algorithm, number) => {
  const userId = await administrator();
  const page = await open('http://localhost:4000');
  await plugIn(page);
  const asked = JSON.stringify([server.key, userId]);
  expect(await page.evaluate(`enrol(...${asked}, ${number})`)).toEqual({
    securityKey: { algorithm, transports: ['usb'] },
  });
  for (const _ of ['first', 'again']) {
    expect(await page.evaluate(`logon(...${asked})`)).toMatchObject([
      { code: 'SECOND_FACTOR_REQUIRED' },
      { session: { licenceType: { code: 'ADMINISTRATOR' } } },
    ]);
  }
  await page.context().close();
});

test.skipIf(started === null)('L1: a page of another origin enrols nothing', async () => {
  const userId = await administrator();
  const page = await open('http://localhost:4001');
  await plugIn(page);
  const asked = JSON.stringify([server.key, userId]);
  expect(await page.evaluate(`enrol(...${asked}, -7)`)).toMatchObject({ code: 'INVALID_INPUT' });
  await page.context().close();
});
