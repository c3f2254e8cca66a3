//go:build linux

package clients

import (
	"archive/tar"
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cogauth/cogauth/internal/rig"
)

// registry is a real one, which runs without TLS as only those on localhost may.
type registry struct {
	host  string
	doors *gate // where a token of the user pool is needed to get in; nil if anybody may
}

// openRegistry lets anybody in.
func openRegistry(w *world) *registry {
	w.t.Helper()
	return &registry{host: startRegistry(w, "")}
}

// tokenRegistry sends clients to a token service, as most registries do. A client gets a token of the
// registry's own there for one of the user pool, as the password of a GET or as the refresh token of a
// POST (https://distribution.github.io/distribution/spec/auth/).
func tokenRegistry(w *world) *registry {
	w.t.Helper()
	const issuer, service = "token service of the test", "registry of the test"
	signer := localhost(w.t)
	doors := plainGate(w, `Basic realm="token service"`, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		token := registryToken(w.t, signer, issuer, service, r.Header.Get("X-Token-Username"), r.Form["scope"])
		rw.Header().Set("Content-Type", "application/json")
		json.NewEncoder(rw).Encode(map[string]any{"token": token, "access_token": token, "expires_in": 300})
	}))
	roots := w.write("registry-roots-"+doors.port()+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signer.Certificate[0]})), 0o600)
	host := startRegistry(w, fmt.Sprintf("auth:\n  token:\n    realm: %s/token\n    service: %s\n    issuer: %s\n    rootcertbundle: %s\n", doors.URL, service, issuer, roots))
	return &registry{host, doors}
}

// basicRegistry takes user name and password itself.
func basicRegistry(w *world) *registry {
	w.t.Helper()
	inside := &url.URL{Scheme: "http", Host: startRegistry(w, "")}
	doors := plainGate(w, `Basic realm="registry"`, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(inside)
		r.Out.Host = r.In.Host // it is in the addresses that the registry answers with
		r.Out.Header.Del("Authorization")
	}})
	return &registry{doors.host(), doors}
}

// startRegistry starts one that keeps its images in memory, and returns its host.
func startRegistry(w *world, auth string) string {
	w.t.Helper()
	registry := dockerRegistry(w.t)
	port := rig.FreePort(w.t)
	config := w.write(fmt.Sprintf("registry-%d.yml", port), fmt.Sprintf(
		"version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {inmemory: {}}\nhttp:\n  addr: 127.0.0.1:%d\n%s", port, auth), 0o600)
	cmd := exec.Command(registry, "serve", config)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "OTEL_TRACES_EXPORTER=none"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	w.t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
		if w.t.Failed() {
			w.t.Logf("registry at port %d:\n%s", port, log.String())
		}
	})
	address := fmt.Sprintf("http://127.0.0.1:%d/v2/", port)
	for deadline := time.Now().Add(hang); ; time.Sleep(20 * time.Millisecond) {
		if answer, err := http.Get(address); err == nil {
			answer.Body.Close()
			return fmt.Sprintf("localhost:%d", port)
		}
		select {
		case <-ended:
			w.t.Fatal("the registry does not start")
		default:
		}
		if time.Now().After(deadline) {
			w.t.Fatal("the registry does not answer")
		}
	}
}

// registryToken grants all that the scopes name, such as "repository:tiny:pull,push".
func registryToken(t *testing.T, signer tls.Certificate, issuer, service, subject string, scopes []string) string {
	type access struct {
		Type    string   `json:"type"`
		Name    string   `json:"name"`
		Actions []string `json:"actions"`
	}
	granted := []access{}
	for _, scope := range strings.Fields(strings.Join(scopes, " ")) {
		if p := strings.Split(scope, ":"); len(p) == 3 {
			granted = append(granted, access{p[0], p[1], strings.Split(p[2], ",")})
		}
	}
	now := time.Now()
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	signed := part(map[string]any{"typ": "JWT", "alg": "ES256", "x5c": [][]byte{signer.Certificate[0]}}) + "." +
		part(map[string]any{
			"iss": issuer, "sub": subject, "aud": service, "jti": rand.Text(), "access": granted,
			"iat": now.Unix(), "nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		})
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, signer.PrivateKey.(*ecdsa.PrivateKey), digest[:])
	if err != nil {
		t.Error(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// tinyLayer writes what an image can be made of, and returns its path.
func tinyLayer(w *world) string {
	w.t.Helper()
	var b bytes.Buffer
	text := "hello\n"
	layer := tar.NewWriter(&b)
	if err := layer.WriteHeader(&tar.Header{Name: "hello.txt", Mode: 0o644, Size: int64(len(text))}); err != nil {
		w.t.Fatal(err)
	}
	layer.Write([]byte(text))
	if err := layer.Close(); err != nil {
		w.t.Fatal(err)
	}
	return w.write("layer.tar", b.String(), 0o600)
}

// dockerRegistry is Debian's, which would start a server if it were installed.
func dockerRegistry(t *testing.T) string {
	t.Helper()
	const part = "docker-registry"
	exe, err := exec.LookPath(part)
	if err != nil {
		exe = unpacked(t, part, part) + "/usr/bin/docker-registry"
	}
	out, err := exec.Command(exe, "--version").Output()
	if err != nil {
		rig.Missing(t, part, "Debian's does not run here")
	}
	rig.Ran(t, part, lastLine(out))
	return exe
}
