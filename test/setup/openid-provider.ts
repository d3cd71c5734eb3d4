import { type ClientMetadata, type Configuration, Provider } from 'oidc-provider';

/**
 * A real OpenID provider, as a process of its own: `node openid-provider.ts '{"port":…,"keys":[…],"redirectUrl":…}'`. Its
 * access tokens are for whatever resource is asked for, and say what the header `x-claims` of the request for them does.
 * Whoever is sent to sign in is at once signed in as `login_hint` says: claims as JSON, or `deny`; without it they are asked.
 */
const { port, keys, redirectUrl } = JSON.parse(process.argv[2] ?? '') as {
  readonly port: number;
  readonly keys: NonNullable<Configuration['jwks']>['keys'];
  readonly redirectUrl: string;
};
const ofPages = {
  grant_types: ['authorization_code'],
  redirect_uris: [redirectUrl],
  response_types: ['code'],
  id_token_signed_response_alg: keys[0]?.alg as 'RS256',
} as const satisfies Partial<ClientMetadata>;

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: 'tests',
      client_secret: 'secret-of-the-tests',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: keys[0]?.alg as 'RS256',
    },
    { client_id: 'pages', token_endpoint_auth_method: 'none', ...ofPages },
    {
      client_id: 'confidential-pages',
      client_secret: 'client-secret-of-the-tests',
      token_endpoint_auth_method: 'client_secret_post',
      ...ofPages,
    },
  ],
  jwks: { keys },
  extraTokenClaims: (context, token) => {
    const claims = 'accountId' in token ? token.accountId : context.get('x-claims');
    return JSON.parse(claims) as Record<string, unknown>;
  },
  findAccount: (_context, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
  interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
  // Nobody is asked whether they agree.
  loadExistingGrant: async ({ oidc }) => {
    const { client, session } = oidc;
    if (client === undefined || session?.accountId === undefined) return undefined;
    const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope('openid');
    await grant.save();
    return grant;
  },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (context, audience) => ({
        scope: '',
        audience,
        accessTokenFormat: 'jwt',
        accessTokenTTL: Number(context.get('x-seconds') || 60),
        jwt: { sign: { alg: keys[0]?.alg as 'RS256' } },
      }),
    },
  },
});
provider.use(async (context, next) => {
  if (!context.path.startsWith('/interaction/')) {
    await next();
    return;
  }
  const { params } = await provider.interactionDetails(context.req, context.res);
  const hint = context.query['hint'] ?? params['login_hint'];
  if (typeof hint !== 'string') {
    context.type = 'html';
    context.body = `<!doctype html><html lang="en"><title>Provider</title><form>
      <label>Who are you?<input name="hint"></label><button>Go on</button></form>`;
    return;
  }
  const result = hint === 'deny' ? { error: 'access_denied' } : { login: { accountId: hint } };
  await provider.interactionFinished(context.req, context.res, result);
  context.respond = false;
});
provider.listen(port, '127.0.0.1', () => console.log('ready'));
