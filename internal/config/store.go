package config

// storeFromEnv applies the variables that choose where sessions are kept, and the defaults.
func (s *Settings) storeFromEnv(env Env) error {
	if v := env.get("COGAUTH_STORE"); v != "" {
		if err := checkStoreName(v, "COGAUTH_STORE"); err != nil {
			return err
		}
		s.Store, s.origins[keyStore] = v, "environment COGAUTH_STORE"
	}
	if s.Store == "" {
		s.Store = Keychain
	}
	if s.Store != FileStore {
		return nil
	}
	for _, v := range []struct {
		variable, key string
		field         *string
		otherwise     func(Env) (string, error)
	}{
		{"COGAUTH_STORE_KEY", keyStoreKey, &s.StoreKey, DefaultStoreKey},
		{"COGAUTH_STORE_DIR", keyStoreDir, &s.StoreDir, defaultStoreDir},
	} {
		switch value := env.get(v.variable); {
		case value != "":
			p, err := env.expand(value, v.variable)
			if err != nil {
				return err
			}
			if !printable(p) || !env.abs(p) {
				return invalid(v.variable, "write the full path", "%s is not an absolute path", v.variable)
			}
			*v.field, s.origins[v.key] = p, "environment "+v.variable
		case *v.field == "":
			p, err := v.otherwise(env)
			if err != nil {
				return err
			}
			*v.field = p
		}
	}
	return nil
}
