//go:build linux

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/cogauth/cogauth/internal/rig"
	"github.com/cogauth/cogauth/pkg/cognitotest"
)

// trouble is a network between a command and the pool that can be made bad: a real proxy before the token
// and revocation endpoints.
type trouble struct {
	*desktop
	pool  *cognitotest.Pool
	proxy *toxiproxy.Proxy

	elsewhere string // a callback of the app client at which nobody listens
}

// rotations are what an app client may do with refresh tokens.
var rotations = []struct {
	name  string
	edit  func(*cognitotest.AppClient)
	fatal bool // a redeemed token whose answer is lost is the end of the session
}{
	{"no rotation", func(*cognitotest.AppClient) {}, false},
	// Longer than the 15 s for which a command waits for an answer that does not come.
	{"20 s grace", func(c *cognitotest.AppClient) {
		c.RefreshTokenRotation, c.RetryGracePeriod = true, 20*time.Second
	}, false},
	{"no grace", func(c *cognitotest.AppClient) { c.RefreshTokenRotation = true }, true},
}

// troubled signs in over a network that is well, as yet.
func troubled(t *testing.T, edit func(*cognitotest.AppClient)) *trouble {
	t.Helper()
	real, seen := rig.FreePort(t), rig.FreePort(t)
	client := cognitotest.AppClient{ID: clientID, CallbackURLs: []string{freeCallback(t), freeCallback(t)}}
	edit(&client)
	pool, err := cognitotest.New(cognitotest.Config{
		Clients: []cognitotest.AppClient{client}, DomainPort: real, DomainOrigin: fmt.Sprintf("http://127.0.0.1:%d", seen),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	n := &trouble{desktop: terminal(t), pool: pool, elsewhere: client.CallbackURLs[1]}
	n.proxy = toxiproxy.NewProxy(server, "pool", fmt.Sprintf("127.0.0.1:%d", seen), fmt.Sprintf("127.0.0.1:%d", real))
	if err := n.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	rig.Ran(t, "toxiproxy", "2.12.0")
	t.Cleanup(n.proxy.Stop)
	n.do(nil, "configure", "--profile", "p", "--issuer", pool.Issuer(), "--client-id", clientID, "--callback-url", client.CallbackURLs[0])
	n.signIn(person(pool), nil)
	return n
}

// poison adds a toxic to the connections from now on, and heal removes them all.
func (n *trouble) poison(stream, kind, attributes string) {
	n.t.Helper()
	toxic := fmt.Sprintf(`{"type":%q,"stream":%q,"attributes":{%s}}`, kind, stream, attributes)
	if _, err := n.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
		n.t.Fatal(err)
	}
}

func (n *trouble) heal() {
	n.proxy.Toxics.ResetToxics(context.Background())
	n.pool.Fail("token", cognitotest.Failure{})
	n.pool.Fail("revoke", cognitotest.Failure{})
}

// fault is something that goes wrong between a command and the pool.
type fault struct {
	name   string
	apply  func(*trouble)
	served bool // the pool does what it is asked, and nobody hears of it
	status int  // of the command
	says   string
}

func cut(stream string, bytes int) func(*trouble) {
	return func(n *trouble) { n.poison(stream, "limit_data", fmt.Sprintf(`"bytes":%d`, bytes)) }
}

func stall(stream string) func(*trouble) {
	return func(n *trouble) { n.poison(stream, "timeout", `"timeout":30000`) }
}

func failing(f cognitotest.Failure) func(*trouble) {
	return func(n *trouble) {
		n.pool.Fail("token", f)
		n.pool.Fail("revoke", f)
	}
}

func once(f cognitotest.Failure) cognitotest.Failure {
	f.Times = 1
	return f
}

var faults = []fault{
	{"cut before the request", cut("upstream", 0), false, 6, "closed the connection|connection reset"},
	{"cut before the answer", cut("downstream", 0), true, 6, "closed the connection|connection reset"},
	{"cut in the middle of the answer", cut("downstream", 100), true, 6, "closed the connection|connection reset"},
	{"stalled before the request", stall("upstream"), false, 6, "did not answer in time|closed the connection"},
	{"stalled before the answer", stall("downstream"), true, 6, "did not answer in time"},
	{"429 for a second", failing(once(cognitotest.TooManyRequests(time.Second))), false, 0, ""},
	{"429 for an hour", failing(cognitotest.TooManyRequests(time.Hour)), false, 6, "come back later .HTTP 429., in 1h0m0s"},
	{"throttled once", failing(once(cognitotest.Throttled())), false, 0, ""},
	{"503 once", failing(once(cognitotest.Unavailable())), false, 0, ""},
	{"503", failing(cognitotest.Unavailable()), false, 6, "HTTP 503"},
	{"a firewall's page", failing(cognitotest.Blocked()), false, 4, "HTTP 403"},
}

// F2, F3, acceptance 5: whatever the network does to a refresh, there is one clear line, the right exit
// status, nothing on standard output, and a session afterwards. The exception is a token that was redeemed
// under rotation without grace and whose answer never came: nobody has the next one.
func TestF2F3NetworkFaultsDuringARefresh(t *testing.T) {
	for _, r := range rotations {
		for _, f := range faults {
			t.Run(r.name+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				n := troubled(t, r.edit)
				f.apply(n)
				o := n.try(nil, "token", "--refresh")
				n.wantOutcome(o, f)
				n.heal()
				after := n.try(nil, "token", "--refresh")
				if want := map[bool]int{false: 0, true: 3}[r.fatal && f.served]; after.status != want {
					t.Errorf("afterwards: got exit status %d, want %d\n%s", after.status, want, after.stderr)
				}
				if after.status == 3 && !saysLike(after.stderr, "the answer with the next one was lost") {
					t.Errorf("afterwards: got %q, want it to say that an answer was lost", strip(after.stderr))
				}
				if after.status == 0 {
					verify(t, n.pool, strings.TrimSuffix(after.stdout, "\n"))
				}
			})
		}
	}
}

// Acceptance 5: the next try of the same command learns that the lost answer had spent the token, and says so.
func TestF2ALostAnswerIsReportedAsWhatItIs(t *testing.T) {
	n := troubled(t, rotations[2].edit)
	n.pool.Fail("token", once(cognitotest.Failure{CloseAfter: true}))
	o := n.try(nil, "token", "--refresh")
	if o.status != 3 || o.stdout != "" || !saysLike(o.stderr, "refresh token is spent, and the answer with the next one was lost") {
		t.Errorf("got exit status %d, want 3 and what has happened\n%s", o.status, o.stderr)
	}
}

// Acceptance 5: the answer breaks off in its body, each time. What the pool says of a spent token is short
// enough to arrive.
func TestF2AnAnswerThatBreaksOff(t *testing.T) {
	for _, r := range rotations {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			n := troubled(t, r.edit)
			cut("downstream", 700)(n)
			want := map[bool]int{false: 6, true: 3}[r.fatal]
			if o := n.try(nil, "token", "--refresh"); o.status != want || o.stdout != "" {
				t.Errorf("got exit status %d, want %d\n%s", o.status, want, o.stderr)
			}
			n.heal()
			want = map[bool]int{false: 0, true: 3}[r.fatal]
			n.want(want, nil, "token", "--refresh")
		})
	}
}

// Acceptance 5: with a grace period the same token brings the answer that was lost, within one command.
func TestF2GraceBringsTheLostAnswer(t *testing.T) {
	n := troubled(t, rotations[1].edit)
	n.pool.Fail("token", once(cognitotest.Failure{CloseAfter: true}))
	n.want(0, nil, "token", "--refresh")
	n.want(0, nil, "token", "--refresh")
}

// Acceptance 5: a login that fails on the way leaves the session before it as it was. A code is not sent
// twice unless it was not served.
func TestF2F3NetworkFaultsDuringALogin(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			n := troubled(t, rotations[0].edit)
			before := n.do(nil, "token")
			agent := n.pool.UserAgent()
			visit := func(ctx context.Context, address string) error {
				// The person is at the pool already; the answer comes when the network is bad.
				_, _ = agent.SignIn(ctx, regexp.MustCompile(`redirect_uri=[^&]*`).ReplaceAllString(address, "redirect_uri="+url.QueryEscape(n.elsewhere)), n.pool.User().Username, n.pool.User().Password)
				location, err := agent.Authorize(ctx, address)
				if err != nil {
					return err
				}
				f.apply(n)
				resp, err := http.Get(location)
				if err != nil {
					return err
				}
				return resp.Body.Close()
			}
			_, o := n.login(visit, n.cogauth(nil, "login", "--no-browser"))
			n.wantOutcome(o, f)
			n.heal()
			after := n.want(0, nil, "token").stdout
			if o.status != 0 && after != before {
				t.Error("the failed login has changed the session")
			}
			n.want(0, nil, "token", "--refresh")
		})
	}
}

// Acceptance 5: a logout removes the session from this machine in any case, and says if the server was not told.
func TestF2F3NetworkFaultsDuringALogout(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			n := troubled(t, rotations[0].edit)
			refresh := n.refreshToken(clientID)
			f.apply(n)
			o := n.try(nil, "logout")
			n.wantOutcome(o, f)
			n.heal()
			n.want(3, nil, "token")
			if n.pool.Active(refresh) != (o.status != 0 && !f.served) {
				t.Errorf("at the pool the session is alive: %v, after exit status %d", n.pool.Active(refresh), o.status)
			}
		})
	}
}

func saysLike(stderr, pattern string) bool {
	return regexp.MustCompile(pattern).MatchString(stderr)
}

func (n *trouble) wantOutcome(o result, f fault) {
	n.t.Helper()
	if o.status != f.status {
		n.t.Errorf("got exit status %d, want %d\n%s", o.status, f.status, o.stderr)
	}
	if o.status != 0 && o.stdout != "" {
		n.t.Errorf("got %d bytes on standard output, want none", len(o.stdout))
	}
	if !saysLike(o.stderr, f.says) {
		n.t.Errorf("got %q, want it to say %q", strip(o.stderr), f.says)
	}
	if errors := strings.Count(o.stderr, "cogauth: error: "); errors != map[bool]int{false: 0, true: 1}[o.status != 0] {
		n.t.Errorf("got %d errors, want one line for a failure\n%s", errors, o.stderr)
	}
}
