import { serverAudits } from 'graphql-http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../setup/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

describe('GraphQL over HTTP', () => {
  const audits = serverAudits({
    // The server does not run yet when the audits are listed.
    url: () => server.url,
    fetchFn: (url: string, init: RequestInit = {}) => {
      const headers = new Headers(init.headers);
      headers.set('authorization', `Bearer ${server.key}`);
      return fetch(url, { ...init, headers });
    },
  });

  it('is audited in all its 61 points', () => {
    expect(audits).toHaveLength(61);
  });

  it.for(audits)('$id $name', async (audit) => {
    const result = await audit.fn();
    // An audit of the recommended kind answers `notice` or `warn` instead of failing.
    expect(result.status, 'reason' in result ? result.reason : '').toBe('ok');
  });
});
