import { type Configuration, Provider } from 'oidc-provider';

/**
 * A real OpenID provider, as a process of its own: `node openid-provider.ts '{"port":…,"keys":[…]}'`. Its access tokens are
 * for whatever resource is asked for, and say what the header `x-claims` of the request for them does.
 */
const { port, keys } = JSON.parse(process.argv[2] ?? '') as {
  readonly port: number;
  readonly keys: NonNullable<Configuration['jwks']>['keys'];
};

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
  ],
  jwks: { keys },
  extraTokenClaims: (context) => JSON.parse(context.get('x-claims')) as Record<string, unknown>,
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (context, audience) => ({
        scope: '',
        audience,
        accessTokenFormat: 'jwt',
        accessTokenTTL: Number(context.get('x-seconds')),
        jwt: { sign: { alg: keys[0]?.alg as 'RS256' } },
      }),
    },
  },
});
provider.listen(port, '127.0.0.1', () => console.log('ready'));
