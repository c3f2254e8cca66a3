// A program that signs a person in with npm openid-client, as its documentation has it, and that uses
// everything such a program uses: discovery, the code flow with PKCE, state and nonce, userInfo,
// refreshing, revoking. Standard input is JSON and has the secret in it:
//
//   issuer, clientId, callback
//   auth     none, client_secret_basic or client_secret_post; secret goes with the last two
//   plain    true: the issuer has no TLS
//
// It prints the address to visit on standard error, and in the end what it saw, as JSON without a
// token in it, on standard output. A refusal of the library is {"refused": …} and exit status 1.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import * as client from 'openid-client';

const asked = JSON.parse(await text(process.stdin));

// why is a library's error without its cause, which holds what the server sent.
const why = ({ name, code, error, message }) => ({ name, code, error, message });

async function visit(config) {
  const server = createServer();
  server.listen(new URL(asked.callback).port, '127.0.0.1');
  await once(server, 'listening');
  const checks = {
    pkceCodeVerifier: client.randomPKCECodeVerifier(),
    expectedState: client.randomState(),
    expectedNonce: client.randomNonce(),
    idTokenExpected: true,
  };
  console.error(client.buildAuthorizationUrl(config, {
    redirect_uri: asked.callback,
    scope: 'openid email profile',
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
    code_challenge_method: 'S256',
  }).href);
  const [request, response] = await once(server, 'request');
  response.end('You can go back to the program.');
  server.close();
  return [new URL(request.url, asked.callback), checks];
}

async function session() {
  const method = {
    none: () => client.None(),
    client_secret_basic: () => client.ClientSecretBasic(asked.secret),
    client_secret_post: () => client.ClientSecretPost(asked.secret),
  }[asked.auth]();
  // Without the second one the library takes TLS to the token endpoint for the ID token's signature, as
  // OpenID Connect Core §3.1.3.7 lets it.
  const execute = [client.enableNonRepudiationChecks];
  if (asked.plain) execute.push(client.allowInsecureRequests);
  const config = await client.discovery(new URL(asked.issuer), asked.clientId, undefined, method, { execute });

  const [callback, checks] = await visit(config);
  const tokens = await client.authorizationCodeGrant(config, callback, checks);
  const claims = tokens.claims();
  const userInfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
  const current = refreshed.refresh_token ?? tokens.refresh_token;
  await client.tokenRevocation(config, current, { token_type_hint: 'refresh_token' });
  const after = {
    refresh: await client.refreshTokenGrant(config, current).catch(why),
    userInfo: await client.fetchUserInfo(config, refreshed.access_token, claims.sub).catch(why),
  };
  return {
    supportsPKCE: config.serverMetadata().supportsPKCE(),
    expiresIn: tokens.expires_in,
    claims,
    userInfo,
    refreshed: {
      claims: refreshed.claims(),
      newAccessToken: refreshed.access_token !== tokens.access_token,
      newRefreshToken: refreshed.refresh_token !== undefined && refreshed.refresh_token !== tokens.refresh_token,
    },
    // Of an answer that should have been an error, only that it came.
    after: { refresh: after.refresh.error ?? 'granted', userInfo: after.userInfo.code ?? 'answered' },
  };
}

try {
  console.log(JSON.stringify(await session()));
  process.exit(0); // whether or not the browser keeps its connection
} catch (err) {
  console.log(JSON.stringify({ refused: why(err) }));
  process.exit(1);
}
