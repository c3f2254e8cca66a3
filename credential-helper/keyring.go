package credentialhelper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// keyring takes the place of the command of that name, for pip and uv, which look it up on PATH.
var keyring = Protocol{Name: "keyring", Program: "keyring", Run: runKeyring}

// ErrPassOn is what the keyring protocol returns for a call that is none of its own: for a service that
// is not served here, and for what it does not know how to do. Nothing was read and nothing written, so
// the caller can run the next keyring on PATH with the same arguments and the same standard input. If
// there is none it ends with exit status 1 and no output, by which pip and uv know that there is nothing.
var ErrPassOn = errors.New("this is for the next keyring on PATH")

func runKeyring(ctx context.Context, c *Call) error {
	q, ok := parseKeyring(c.Args)
	if !ok {
		return ErrPassOn
	}
	if err := plain("keyring", c.Args...); err != nil {
		return err
	}
	cred, err := c.token(ctx, Request{Client: "keyring", URL: q.url, MinTTL: briefly})
	switch {
	case err != nil && ReasonOf(err) == NotServed:
		return ErrPassOn
	case q.op != "get":
		return &Refusal{Reason: Failed, Message: fmt.Sprintf("cogauth answers for this service, and keyring %s changes nothing there", q.op), Fix: "run cogauth login or cogauth logout"}
	case err != nil:
		return err
	}
	return c.write(q.answer(cred))
}

// keyringQuery is a command line of keyring.
type keyringQuery struct {
	op, url, username string
	creds, json       bool // the user name is wanted too; in JSON
}

// parseKeyring reads the forms that pip and uv use. Options may stand anywhere, as keyring's own parser
// has it. Whoever picks a backend of keyring's, or a service that is no place on a network, means the
// real one.
func parseKeyring(args []string) (q keyringQuery, ok bool) {
	var words []string
	for i := 0; i < len(args); i++ {
		key, value, joined := strings.Cut(args[i], "=")
		switch {
		case key == "--mode" || key == "--output":
			if !joined {
				i++
				if i == len(args) {
					return q, false
				}
				value = args[i]
			}
			switch key + " " + value {
			case "--mode creds":
				q.creds = true
			case "--mode password":
				q.creds = false
			case "--output json":
				q.json = true
			case "--output plain":
				q.json = false
			default:
				return q, false
			}
		case strings.HasPrefix(args[i], "-"):
			return q, false
		default:
			words = append(words, args[i])
		}
	}
	if len(words) < 2 || len(words) > 3 || words[1] == "" {
		return q, false
	}
	q.op, q.url = words[0], words[1]
	if len(words) == 3 {
		q.username = words[2]
	}
	switch q.op {
	case "get":
		if len(words) == 2 && !q.creds {
			return q, false // keyring knows a password by service and user name
		}
	case "set", "del":
	default:
		return q, false
	}
	if !strings.Contains(q.url, "://") {
		if !onThisMachine(q.url) {
			return q, false
		}
		q.url = "//" + q.url
	}
	return q, true
}

// onThisMachine reports whether a service without a scheme is a server here. pip asks for the host alone
// after it has asked for an address in vain, http included: what it gets it then sends in the clear.
func onThisMachine(service string) bool {
	u, err := url.Parse("//" + service)
	if err != nil || u.Host != service {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}

// answer writes what keyring would: each value on a line, or an object.
func (q keyringQuery) answer(cred Credential) string {
	user := cred.Username
	if user == "" {
		user = q.username
	}
	if user == "" {
		user = "cogauth"
	}
	if !q.creds {
		user = ""
	}
	if q.json {
		b, _ := json.Marshal(struct { // strings always marshal
			Username string `json:"username,omitempty"`
			Password string `json:"password"`
		}{user, cred.Token})
		return string(b) + "\n"
	}
	if user != "" {
		user += "\n"
	}
	return user + cred.Token + "\n"
}
