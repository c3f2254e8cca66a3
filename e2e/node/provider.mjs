// An OpenID provider that is not ours: npm oidc-provider, which is certified, on a free port of
// 127.0.0.1. Its development pages take any login and password. It prints its issuer when it is ready
// and ends with its standard input.
//
//   CALLBACK   the client's registered redirect URI
//   ROTATE     0: refresh tokens are not rotated
//   OFFLINE    1: its own policy, under which only offline_access with consent brings a refresh token;
//              otherwise every login brings one, and nobody hears of offline_access
//   ID_TTL     lifetime of ID tokens in seconds
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const { CALLBACK, ROTATE, OFFLINE, ID_TTL = '300' } = process.env;

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const configuration = {
    clients: [{
      client_id: 'cli',
      application_type: 'native', // or http://localhost is no redirect URI
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      redirect_uris: [CALLBACK],
    }],
    pkce: { required: () => true },
    scopes: OFFLINE === '1' ? ['openid', 'email', 'offline_access'] : ['openid', 'email'],
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false, // claims in the ID token, as Cognito has them
    findAccount: (ctx, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: true }),
    }),
    rotateRefreshToken: ROTATE !== '0',
    features: {
      revocation: { enabled: true },
      introspection: { enabled: true, allowedPolicy: (ctx, client, token) => client.clientId === token.clientId },
    },
    ttl: {
      AccessToken: 300, AuthorizationCode: 60, Grant: 3600, IdToken: Number(ID_TTL), Interaction: 600,
      RefreshToken: 3600, Session: 3600,
    },
    cookies: { keys: ['test'] },
  };
  if (OFFLINE !== '1') configuration.issueRefreshToken = async () => true;
  server.on('request', new Provider(issuer, configuration).callback());
  console.log(issuer);
});

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
