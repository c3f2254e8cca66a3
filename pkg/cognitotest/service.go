package cognitotest

// normaliseService checks and completes what the endpoints go by: domains, issuer, secrets, scopes,
// sizes and switches.
func normaliseService(cfg *Config, fail func(string, ...any)) {
}
