package cognitotest

import (
	"net/http"
	"slices"
	"strings"
)

// machineToken is the client credentials grant (RFC 6749 §4.4), for an app client that has no other
// flow. There is no person: the client itself is the subject.
func (p *Pool) machineToken(client *AppClient, scope string, rec *Request) *reply {
	if !slices.Contains(client.AllowedFlows, "client_credentials") {
		return oauthError(rec, "unauthorized_client", "")
	}
	allowed := slices.DeleteFunc(slices.Clone(client.Scopes), personal)
	scopes := strings.Fields(scope)
	if len(scopes) == 0 {
		scopes = allowed
	}
	for _, s := range scopes {
		switch {
		case slices.Contains(allowed, s):
		case p.knownScope(s):
			return oauthError(rec, "invalid_grant", "")
		default:
			return oauthError(rec, "invalid_scope", "")
		}
	}
	now := p.now()
	s := &session{client: client, user: &User{}, scopes: scopes, authTime: now, expires: now.Add(client.AccessTokenValidity)}
	claims := map[string]any{
		"sub": client.ID, "client_id": client.ID, "iss": p.Issuer(), "token_use": "access", "scope": strings.Join(scopes, " "),
		"auth_time": now.Unix(), "iat": now.Unix(), "exp": now.Add(client.AccessTokenValidity).Unix(), "version": 2, "jti": newUUID(),
	}
	if p.cfg.ExtraMembers {
		claims["x_unknown_member"] = p.extra()
	}
	return jsonReply(http.StatusOK, p.accessAnswer(client, p.signAccess(s, claims, now)))
}

// personal reports whether a scope is about a person, of whom this grant knows nothing.
func personal(s string) bool {
	switch s {
	case "openid", "email", "phone", "profile", "aws.cognito.signin.user.admin":
		return true
	}
	return false
}

// knownScope reports whether there is such a scope in this pool at all.
func (p *Pool) knownScope(s string) bool {
	if personal(s) {
		return true
	}
	for _, rs := range p.cfg.ResourceServers {
		if name, ok := strings.CutPrefix(s, rs.Identifier+"/"); ok && slices.Contains(rs.Scopes, name) {
			return true
		}
	}
	return false
}
