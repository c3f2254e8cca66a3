package cognitotest

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// machineToken is the client credentials grant (RFC 6749 §4.4), for an app client that has no other
// flow. There is no person: the client itself is the subject.
func (p *Pool) machineToken(client *AppClient, scope string, rec *Request) *reply {
	if !slices.Contains(client.AllowedFlows, "client_credentials") {
		return oauthError(rec, "unauthorized_client", "")
	}
	scopes := strings.Fields(scope)
	if len(scopes) == 0 {
		scopes = client.Scopes
	}
	for _, s := range scopes {
		switch {
		case slices.Contains(client.Scopes, s):
		case p.knownScope(s):
			return oauthError(rec, "invalid_grant", "")
		default:
			return oauthError(rec, "invalid_scope", "")
		}
	}
	now := p.now()
	s := &session{client: client, user: &User{}, scopes: scopes, authTime: now, expires: now.Add(client.AccessTokenValidity)}
	token := p.signAccess(s, map[string]any{
		"sub": client.ID, "client_id": client.ID, "iss": p.Issuer(), "token_use": "access", "scope": strings.Join(scopes, " "),
		"auth_time": now.Unix(), "iat": now.Unix(), "exp": now.Add(client.AccessTokenValidity).Unix(), "version": 2, "jti": newUUID(),
	}, now)
	return jsonReply(http.StatusOK, map[string]any{
		"access_token": token, "expires_in": int(client.AccessTokenValidity / time.Second), "token_type": "Bearer",
	})
}

// knownScope reports whether there is such a scope in this pool at all.
func (p *Pool) knownScope(s string) bool {
	switch s {
	case "openid", "email", "phone", "profile", "aws.cognito.signin.user.admin":
		return true
	}
	for _, rs := range p.cfg.ResourceServers {
		if name, ok := strings.CutPrefix(s, rs.Identifier+"/"); ok && slices.Contains(rs.Scopes, name) {
			return true
		}
	}
	return false
}
