// An OpenID provider that is not ours, on loopback: node op.mjs PORT CALLBACK OFFLINE ROTATE
//
// OFFLINE=policy keeps the provider's own rule: a refresh token only for offline_access with consent.
// OFFLINE=always gives one with every code, and does not know the scope.
import Provider from 'oidc-provider';

const [port, callback, offline, rotate] = process.argv.slice(2);
const policy = offline === 'policy';
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'cogauth',
    token_endpoint_auth_method: 'none',
    application_type: 'native',
    redirect_uris: [callback],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  }],
  pkce: { required: () => true },
  scopes: policy ? ['openid', 'offline_access'] : ['openid'],
  claims: { openid: ['sub'], email: ['email'] },
  conformIdTokenClaims: false,
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@example.com` }) }),
  rotateRefreshToken: rotate === 'rotate',
  ...(policy ? {} : { issueRefreshToken: async () => true }),
  features: { revocation: { enabled: true }, devInteractions: { enabled: true } },
  ttl: { AccessToken: 300, IdToken: 300, RefreshToken: 86400, AuthorizationCode: 60, Session: 3600, Interaction: 600, Grant: 86400 },
  cookies: { keys: ['test'] },
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
