package loopback_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/cogauth/cogauth/pkg/loopback"
)

// FuzzS1Callback sends any request to the handler. Exactly the right state is accepted, and what
// is answered is one of the constant pages, whatever was asked.
func FuzzS1Callback(f *testing.F) {
	const host = "localhost:8585"
	seeds := []string{
		"code=" + code + "&state=" + state, "state=" + state + "&code=x", "error=access_denied&state=" + state,
		"error=x", "error=<script>alert(1)</script>", "code=x&state=y", "", "=", "&&&", "state", "code=1&code=2&state=" + state,
		"code=x&state=" + state + "%00", "code=x&state=" + state[:5], "code=%zz&state=" + state, "code=a;state=" + state,
		"code=x&error=y&state=" + state, "c%6fde=x&st%61te=" + state,
	}
	for _, q := range seeds {
		f.Add("GET", host, "/callback?"+q, "")
	}
	f.Add("POST", host, "/callback?"+seeds[0], "navigate")
	f.Add("GET", "attacker.example", "/callback?"+seeds[0], "navigate")
	f.Add("GET", host, "//attacker.example/callback?"+seeds[0], "cors")
	f.Add("GET", host, "http://localhost:8585/callback?"+seeds[0], "")
	pages := map[string]string{"": "empty"}
	for name, html := range loopback.ConstantPages() {
		pages[string(html)] = name
	}
	f.Fuzz(func(t *testing.T, method, host, target, mode string) {
		srv := loopback.NewUnbound("http://localhost:8585/callback")
		defer srv.Close()
		srv.Arm(state, loopback.Observer{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // a held request gives up at once
		w := httptest.NewRecorder()
		r := &http.Request{Method: method, Host: host, RequestURI: target, Header: http.Header{"Sec-Fetch-Mode": {mode}}}
		srv.Handle(w, r.WithContext(ctx))

		if _, constant := pages[w.Body.String()]; !constant {
			t.Errorf("got a body that is no constant page: %q", w.Body)
		}
		path, query, _ := strings.Cut(target, "?")
		values, err := url.ParseQuery(query)
		want := err == nil && method == "GET" && path == "/callback" && (mode == "" || mode == "navigate") &&
			len(values["state"]) == 1 && values["state"][0] == state &&
			len(values["code"])+len(values["error"]) == 1 && values.Get("code")+values.Get("error") != "" &&
			len(values["iss"]) < 2 && len(values["error_description"]) < 2
		switch strings.ToLower(host) {
		case "localhost:8585", "127.0.0.1:8585", "[::1]:8585":
		default:
			want = false
		}
		cb := srv.Delivered()
		if got := cb != nil; got != want {
			t.Errorf("got accepted: %v, want %v", got, want)
		}
		if cb != nil && (cb.Code != values.Get("code") || cb.Error != values.Get("error")) {
			t.Errorf("got another code or error than the one sent")
		}
	})
}
