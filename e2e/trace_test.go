//go:build linux

package e2e

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// Acceptance 3, S11, S12: all that a session leaves on the machine, as the kernel sees it, on a pool
// that answers to its AWS names and with a real keychain. Every file that is opened for writing is on
// a list; what is written, printed and handed to other programs holds no secret.
func TestS11S12NothingLeavesASecret(t *testing.T) {
	d := terminal(t)
	pool, proxied := awsPool(t, d)
	opened := filepath.Join(t.TempDir(), "bin")
	if err := os.Mkdir(opened, 0o700); err != nil {
		t.Fatal(err)
	}
	// A browser that takes the address and does nothing with it: the person is elsewhere.
	if err := os.WriteFile(opened+"/xdg-open", []byte("#!/bin/sh\nexit 0\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	desktop := append(slices.Clone(proxied), "DISPLAY=:99", "PATH="+opened+":"+os.Getenv("PATH"))

	var all []trace
	cmd, calls := strace(t, d.cogauth(desktop, "login"))
	address, o := d.login(person(pool), cmd)
	all = append(all, trace{"login", o, calls()})
	for _, args := range [][]string{{"token"}, {"token", "--refresh"}, {"whoami"}, {"status"}} {
		cmd, calls := strace(t, d.cogauth(proxied, args...))
		o := d.ends(cmd)
		all = append(all, trace{strings.Join(args, " "), o, calls()})
	}
	refresh := d.refreshToken(clientID)
	if !pool.Active(refresh) {
		t.Error("the refresh token in gnome-keyring is not active at the pool")
	}
	cached(t, d, pool)
	lookAround(t, d, newCanary(pool.Secrets())) // while there is a session
	cmd, calls = strace(t, d.cogauth(proxied, "logout"))
	o = d.ends(cmd)
	all = append(all, trace{"logout", o, calls()})
	if _, found := d.Value("p/" + clientID); found || pool.Active(refresh) {
		t.Errorf("after logout: record found %t, refresh token active %t, want neither", found, pool.Active(refresh))
	}

	c := newCanary(pool.Secrets())
	lookAround(t, d, c) // and after it
	seen := map[string]bool{}
	for _, tr := range all {
		tr.check(t, d, c, address, seen)
	}
	// A list nobody comes near, or a search in nothing, would prove nothing.
	for _, want := range []string{"token cache", "lock", "the opener was started with the address"} {
		if !seen[want] {
			t.Errorf("the traces do not show: %s", want)
		}
	}
	if len(pool.Secrets()) < 10 || !slices.Contains(pool.Secrets(), refresh) {
		t.Errorf("got %d secrets to search for, want at least 10 with the refresh token", len(pool.Secrets()))
	}
}

// awsPool starts a pool under its AWS names and configures the profile "p" for it. proxied is the
// environment that leads there.
func awsPool(t *testing.T, d *desktop) (pool *cognitotest.Pool, proxied []string) {
	t.Helper()
	pool, err := cognitotest.New(cognitotest.Config{Clients: []cognitotest.AppClient{{
		ID: clientID, CallbackURLs: []string{freeCallback(t)}, RefreshTokenRotation: true,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.StartAWS(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	d.write("ca.pem", string(pool.CertPEM()), 0o600)
	proxied = []string{"HTTPS_PROXY=" + pool.ProxyURL()}
	poolID := pool.Issuer()[strings.LastIndexByte(pool.Issuer(), '/')+1:]
	d.do(proxied, "configure", "--profile", "p", "--user-pool-id", poolID, "--client-id", clientID,
		"--ca-file", d.Dir+"/ca.pem", "--callback-url", pool.Client().CallbackURLs[0])
	return pool, proxied
}

// trace is what one command did.
type trace struct {
	command string
	result
	calls []call
}

// mayMake are the paths that a session may open for writing or make, and why.
func mayMake(d *desktop) map[*regexp.Regexp]string {
	uid := os.Getuid()
	cache := regexp.QuoteMeta(d.Dir + "/home/.cache/cogauth")
	locks := fmt.Sprintf("(/run/user/%d/cogauth|/tmp/cogauth-%d)", uid, uid)
	return map[*regexp.Regexp]string{
		regexp.MustCompile(`^` + cache + `$`):                           "the cache's folder",
		regexp.MustCompile(`^` + cache + `/[0-9a-f]{32}\.tokens\.\d+$`): "token cache, until it is renamed",
		regexp.MustCompile(`^` + cache + `/[0-9a-f]{32}\.tokens$`):      "token cache",
		regexp.MustCompile(`^` + locks + `$`):                           "the folder of locks",
		regexp.MustCompile(`^` + locks + `/[0-9a-f]{32}\.lock$`):        "lock",
		regexp.MustCompile(`^/dev/(null|tty)$`):                         "no file",
	}
}

// check searches a trace; address is the authorization URL, whose state and nonce the browser must
// be told. What it came across goes to seen.
func (tr trace) check(t *testing.T, d *desktop, c *canary, address string, seen map[string]bool) {
	t.Helper()
	if tr.status != 0 {
		t.Errorf("%s: got exit status %d, want 0\n%s", tr.command, tr.status, strings.ReplaceAll(tr.stderr, address, "(address)"))
	}
	may := mayMake(d)
	written := map[string]string{}
	for _, call := range tr.calls {
		switch {
		case strings.HasPrefix(call.name, "execve"):
			if slices.Contains(call.text, address) {
				seen["the opener was started with the address"] = true
			}
			text := strings.Join(slices.DeleteFunc(slices.Clone(call.text), func(s string) bool { return s == address }), "\n")
			c.clean(t, fmt.Sprintf("%s: arguments and environment of %s", tr.command, filepath.Base(call.text[0])), text)
		case call.made() != "":
			why := ""
			for pattern, reason := range may {
				if pattern.MatchString(call.made()) {
					why = reason
				}
			}
			if why == "" {
				t.Errorf("%s: %s of %q, want only what is on the list", tr.command, call.name, call.made())
			}
			seen[why] = true
		case strings.HasPrefix(call.file, "/"): // neither a pipe nor a socket
			written[call.file] += strings.Join(call.text, "")
		}
	}
	for file, text := range written {
		c.clean(t, tr.command+": written to "+file, text)
	}
	c.clean(t, tr.command+": standard error", strings.ReplaceAll(tr.stderr, address, ""))
	stdout := tr.stdout
	if strings.HasPrefix(tr.command, "token") { // the ID token is the answer, and must be all of it
		if parts := strings.Split(strings.TrimSuffix(stdout, "\n"), "."); len(parts) != 3 || !slices.Contains(c.secrets, strings.TrimSuffix(stdout, "\n")) {
			t.Errorf("%s: got %d bytes on standard output, want a token of the pool and nothing else", tr.command, len(stdout))
		}
		stdout = ""
	}
	c.clean(t, tr.command+": standard output", stdout)
}

// lookAround searches every file below the session's folder, its home among them, and the locks.
func lookAround(t *testing.T, d *desktop, c *canary) {
	t.Helper()
	locks := fmt.Sprintf("cogauth-%d", os.Getuid())
	for _, dir := range []string{d.Dir, filepath.Join("/tmp", locks), fmt.Sprintf("/run/user/%d/cogauth", os.Getuid())} {
		filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return nil
			}
			raw, err := os.ReadFile(path)
			if err == nil {
				c.clean(t, path, path+"\n"+string(raw))
			}
			return nil
		})
	}
}

// cached opens the token cache with its key from the keychain, by the layout in cache.go but none of
// its code: in it are the ID and the access token and no other secret, least of all the refresh token.
func cached(t *testing.T, d *desktop, pool *cognitotest.Pool) {
	t.Helper()
	files, _ := filepath.Glob(d.Dir + "/home/.cache/cogauth/*")
	if len(files) != 1 {
		t.Fatalf("the cache holds %v, want one file", files)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the cache's mode: got %v, %v, want 0600", info.Mode(), err)
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	entry, _ := d.Value("p/" + clientID)
	var record struct {
		Session string
		For     struct{ Provider, Scopes, IdP, Resource, Expect string }
	}
	if err := json.Unmarshal([]byte(entry), &record); err != nil {
		t.Fatalf("the record: %v", err)
	}
	keyEntry, _ := d.Lookup("service", "cogauth", "username", "key:p/"+clientID)
	_, encoded, _ := strings.Cut(strings.TrimPrefix(keyEntry, "1 "), " ")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) != 32 || !strings.Contains(keyEntry, record.Session) {
		t.Fatalf("the key's entry: got %d bytes of key (%v), want 32 and the record's session", len(key), err)
	}

	const magic = "cogauth-cache-3\n"
	secrets := pool.Secrets()
	if newCanary(secrets).found(string(key)) != nil {
		t.Error("the cache's key is one of the pool's secrets")
	}
	rest, ok := strings.CutPrefix(string(raw), magic)
	if !ok {
		t.Fatal("the cache does not begin as it should")
	}
	var uses []string
	for len(rest) > 0 {
		n := int(binary.BigEndian.Uint32([]byte(rest[33:37])))
		head, nonce, sealed := rest[:33], rest[37:49], rest[49:37+n]
		rest = rest[37+n:]
		var ad []byte
		f := record.For
		for _, s := range []string{magic, "p/" + clientID, record.Session, f.Provider, f.Scopes, f.IdP, f.Resource, f.Expect} {
			ad = append(binary.BigEndian.AppendUint32(ad, uint32(len(s))), s...)
		}
		token := unseal(t, key, nonce, sealed, append(ad, head...))
		var claims struct {
			Use string `json:"token_use"`
		}
		if parts := strings.Split(token, "."); len(parts) != 3 || decode(parts[1], &claims) != nil || !slices.Contains(secrets, token) {
			t.Errorf("the cache holds %d bytes that are no token of the pool", len(token))
		}
		if slices.ContainsFunc(secrets, func(s string) bool { return pool.Issued(s) && strings.Contains(token, s) }) {
			t.Error("the cache holds a refresh token")
		}
		uses = append(uses, claims.Use)
	}
	if !slices.Equal(slices.Sorted(slices.Values(uses)), []string{"access", "id"}) {
		t.Errorf("the cache holds %v, want an access and an id token", uses)
	}
}

func unseal(t *testing.T, key []byte, nonce, sealed string, additional []byte) string {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := aead.Open(nil, []byte(nonce), []byte(sealed), additional)
	if err != nil {
		t.Fatalf("the cache does not open with its key from the keychain: %v", err)
	}
	return string(plain)
}
