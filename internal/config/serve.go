package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/cogauth/cogauth/internal/origin"
)

// Serve is one [[profiles.NAME.serve]] table as written: who may be handed the profile's token. With an
// Origin it is for requests that name that target, of any client or of Client alone. Without one, Client
// is set, and it is for that client's requests that name no target.
type Serve struct {
	Origin   string // origin: scheme, host, port and path prefix, as internal/origin reads them
	Token    string // token: IDToken or AccessToken; "" leaves it to the protocol
	Username string // username: what to send besides the token where a protocol needs one
	Client   string // client: one of Clients
}

// Values of the key token.
const (
	IDToken     = "id"
	AccessToken = "access"
)

const (
	keyServe = "serve"

	keyOrigin   = "origin"
	keyToken    = "token"
	keyUsername = "username"
	keyClient   = "client"
)

// serveKeys are the keys of an entry, in the order in which they are written.
var serveKeys = []string{keyOrigin, keyToken, keyUsername, keyClient}

var clients = []string{
	"git", "docker", "kubectl", "bazel", "cargo", "goauth", "terraform", "google", "pnpm", "keyring", "vault", "headers", "native",
}

// Clients returns what the key client may say: the names of the protocols.
func Clients() []string { return slices.Clone(clients) }

// field returns what key stands for, or nil if there is no such key.
func (s *Serve) field(key string) *string {
	switch key {
	case keyOrigin:
		return &s.Origin
	case keyToken:
		return &s.Token
	case keyUsername:
		return &s.Username
	case keyClient:
		return &s.Client
	}
	return nil
}

// String returns the entry as an inline table of TOML.
func (s Serve) String() string {
	var parts []string
	for _, key := range serveKeys {
		if v := *s.field(key); v != "" {
			parts = append(parts, key+" = "+renderString(v))
		}
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}

// Wildcard reports whether Origin is for other than one host: for many, or for none because it is wrong.
func (s Serve) Wildcard() bool {
	p, err := origin.Parse(s.Origin)
	return err != nil || p.Wildcard()
}

// whom is the entry without what is handed out, its origin in the one form that it has.
func (s Serve) whom() Serve {
	if p, err := origin.Parse(s.Origin); err == nil {
		s.Origin = p.String()
	}
	return Serve{Origin: s.Origin, Client: s.Client}
}

// Validate checks the values of an entry and returns an *Error for the first that is wrong.
func (s Serve) Validate() error {
	if err := s.check(""); err != nil {
		return err
	}
	return nil
}

// check is Validate; where follows the name of the key in the fact.
func (s Serve) check(where string) *Error {
	if s.Origin == "" && s.Client == "" {
		return invalid(keyServe, `say whom it serves, such as origin = "https://git.corp.example"`, "neither origin nor client is set%s", where)
	}
	if s.Origin != "" {
		if _, err := origin.Parse(s.Origin); err != nil {
			var fault *origin.Error
			errors.As(err, &fault)
			return invalid(keyOrigin, fault.Fix, "origin%s %s", where, fault.Fact)
		}
	}
	if s.Token != "" && s.Token != IDToken && s.Token != AccessToken {
		return invalid(keyToken, "set it to id or access", "token%s is neither id nor access", where)
	}
	if !printable(s.Username) || len(s.Username) > 255 || strings.Contains(s.Username, ":") {
		return invalid(keyUsername, "write up to 255 plain characters without a colon, such as oauth2",
			"username%s holds a colon or a control character, is not UTF-8 or is too long", where)
	}
	if s.Client != "" && !slices.Contains(clients, s.Client) {
		fix := "the clients are " + strings.Join(clients, ", ")
		if near := nearest(s.Client, clients); near != "" {
			fix = "did you mean " + near + "?"
		}
		return invalid(keyClient, fix, "client%s is none that there is", where)
	}
	return nil
}

// checkServe checks the entries of a profile. The error knows the number of the entry.
func checkServe(p Profile) *Error {
	seen := make([]Serve, 0, len(p.Serve))
	for i, s := range p.Serve {
		if err := s.check(fmt.Sprintf(" in serve entry %d", i+1)); err != nil {
			err.entry = i + 1
			return err
		}
		if j := slices.Index(seen, s.whom()); j >= 0 {
			err := invalid(keyServe, "delete one of the two", "serve entries %d and %d are for the same origin and client", j+1, i+1)
			err.entry = i + 1
			return err
		}
		seen = append(seen, s.whom())
	}
	return nil
}

// Match is what a profile has for a request: the best of its entries.
type Match struct {
	Profile string
	Serve   Serve
}

// Serving returns the profiles that serve a request of client for requestURL, sorted by name. An entry for
// the client alone beats one for all clients, then an exact host beats a wildcard, and a longer path a
// shorter one. A requestURL of "" is a request that names no target; one without a scheme begins with
// "//". Entries with wrong values match nothing.
func (f *File) Serving(requestURL, client string) []Match {
	request, err := origin.Read(requestURL)
	if err != nil && requestURL != "" {
		return nil
	}
	var matches []Match
	for name, p := range f.Profiles {
		if s := p.serving(requestURL != "", request, client); s != nil {
			matches = append(matches, Match{name, *s})
		}
	}
	slices.SortFunc(matches, func(a, b Match) int { return strings.Compare(a.Profile, b.Profile) })
	return matches
}

// ownClient is more than any rank of package origin.
const ownClient = 1 << 20

// serving returns the best entry for a request, which is named a target or not, or nil.
func (p *Profile) serving(named bool, request origin.Request, client string) *Serve {
	var best *Serve
	bestRank := -1
	for i := range p.Serve {
		s := &p.Serve[i]
		if (s.Origin != "") != named || s.Client != "" && s.Client != client || s.Origin+s.Client == "" {
			continue
		}
		rank := 0
		if named {
			pattern, err := origin.Parse(s.Origin)
			if err != nil {
				continue
			}
			var ok bool
			if rank, ok = pattern.MatchRequest(request); !ok {
				continue
			}
		}
		if s.Client != "" {
			rank += ownClient
		}
		if rank > bestRank {
			best, bestRank = s, rank
		}
	}
	return best
}

// ResolveServing is Resolve for the profile that serves a request, as Serving has it, and returns the entry
// that does. If --profile or COGAUTH_PROFILE names a profile, that one has to; else default_profile does
// not count, and just one profile may. The error matches ErrNotServed if there is none; it and
// all others are an *Error that tells no more of requestURL than scheme, host and port.
func (f *File) ResolveServing(flags Flags, env Env, requestURL, client string) (*Settings, Serve, error) {
	matches := f.Serving(requestURL, client)
	target := f.target(requestURL, client)
	if name, key := flags.asked(env); name != "" {
		if _, ok := f.Profiles[name]; !ok {
			return nil, Serve{}, f.unknownProfile(name, key)
		}
		matches = slices.DeleteFunc(matches, func(m Match) bool { return m.Profile != name })
		if len(matches) == 0 {
			return nil, Serve{}, f.notServed("profile "+quote(name)+" does not serve "+target, name)
		}
	}
	switch len(matches) {
	case 0:
		return nil, Serve{}, f.notServed("no profile serves "+target, slices.Sorted(maps.Keys(f.Profiles))...)
	case 1:
	default:
		var names []string
		for _, m := range matches {
			names = append(names, m.Profile)
		}
		last := len(names) - 1
		count := "two"
		if len(names) > 2 {
			count = fmt.Sprint(len(names))
		}
		return nil, Serve{}, &Error{
			File: f.Path, Key: keyServe,
			Fact: fmt.Sprintf("%s profiles serve %s: %s and %s", count, target, strings.Join(names[:last], ", "), names[last]),
			Fix:  "choose one by --profile, or delete the entry of all but one",
		}
	}
	flags.Profile = matches[0].Profile
	s, err := f.Resolve(flags, env)
	if err != nil {
		return nil, Serve{}, err
	}
	return s, matches[0].Serve, nil
}

// target names what a request is for, in words that may be shown.
func (f *File) target(requestURL, client string) string {
	if requestURL == "" {
		if slices.Contains(clients, client) {
			return client + ", which names no target"
		}
		return "a request that names no target"
	}
	target, err := origin.Target(requestURL)
	if err != nil {
		return "a target that is not an https URL"
	}
	return strings.TrimPrefix(target, "//")
}

// notServed is the error for a request that none of the named profiles serves. An entry that cannot match
// anything may be the one that was meant to.
func (f *File) notServed(fact string, names ...string) *Error {
	e := &Error{File: f.Path, Key: keyServe, Fact: fact, Fix: "if a profile is to serve it, add a table [[profiles.NAME.serve]] that says so", kind: ErrNotServed}
	for _, name := range names {
		if fault := checkServe(f.Profiles[name]); fault != nil {
			f.place(fault, name)
			e.Line, e.Fix = fault.Line, "correct the file, where "+fault.Fact
			break
		}
	}
	return e
}
