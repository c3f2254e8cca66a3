package loopback_test

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cogauth/cogauth/pkg/loopback"
)

// signInOver completes a login over one address and says how it went.
func signInOver(t *testing.T, srv *loopback.Server, addr, port string) {
	t.Helper()
	done := await(t, srv, loopback.Observer{})
	answer := signIn(t, port, visit{addr: addr})
	wantCode(t, done)
	if err := srv.Respond(t.Context(), successPage); err != nil {
		t.Errorf("Respond over %s: got %v, want nil", addr, err)
	}
	if got := receive(t, answer); got.status != 200 || got.body != string(render(t, successPage)) {
		t.Errorf("page over %s: got %d %s, want the success page", addr, got.status, got.body)
	}
}

func TestA1LoginOverEitherFamily(t *testing.T) {
	t.Run("tcp4", func(t *testing.T) {
		srv, port := serve(t)
		signInOver(t, srv, "127.0.0.1", port)
	})
	t.Run("tcp6", func(t *testing.T) {
		needIPv6(t)
		srv, port := serve(t)
		signInOver(t, srv, "::1", port)
	})
}

func TestA1MissingFamilyIsFine(t *testing.T) {
	for _, missing := range []string{"tcp4", "tcp6"} {
		for _, errno := range loopback.ErrnoMissing {
			t.Run(missing+" "+errno.Error(), func(t *testing.T) {
				port, addr := freePort(t), "127.0.0.1"
				if missing == "tcp4" {
					needIPv6(t)
					addr = "::1"
				}
				srv, err := loopback.ListenWith(t.Context(), without(missing, errno), []string{callbackURL(port)})
				if err != nil {
					t.Fatalf("Listen: got %v, want nil", err)
				}
				defer srv.Close()
				signInOver(t, srv, addr, port)
			})
		}
	}
	t.Run("both", func(t *testing.T) {
		srv, err := loopback.ListenWith(t.Context(), without("tcp", loopback.ErrnoMissing[0]), []string{callbackURL(freePort(t))})
		if err == nil {
			srv.Close()
		}
		if err == nil || errors.Is(err, loopback.ErrPortBusy) {
			t.Errorf("got %v, want an error that does not blame another program", err)
		}
	})
}

// without is the system's bind, but for one family, which gives errno.
func without(prefix string, errno error) loopback.ListenFunc {
	return func(ctx context.Context, network, addr string) (net.Listener, error) {
		if strings.HasPrefix(network, prefix) {
			return nil, &net.OpError{Op: "listen", Net: network, Err: os.NewSyscallError("bind", errno)}
		}
		return loopback.SystemListen(ctx, network, addr)
	}
}

// hold is a stranger's listener, which accepts nothing by itself.
func hold(t *testing.T, network, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// wantBusy checks that Listen fails with a BusyError for addr, and that our half is not kept.
func wantBusy(t *testing.T, url, addr string) loopback.Try {
	t.Helper()
	srv, err := loopback.Listen(t.Context(), []string{url})
	if err == nil {
		srv.Close()
		t.Fatal("Listen: got nil, want a BusyError")
	}
	var busy *loopback.BusyError
	if !errors.As(err, &busy) || !errors.Is(err, loopback.ErrPortBusy) || len(busy.Tries) != 1 {
		t.Fatalf("Listen: got %v, want a BusyError of one try", err)
	}
	if got := busy.Tries[0]; got.Addr != addr || got.URL != url {
		t.Errorf("try: got %+v, want %s at %s", got, url, addr)
	}
	return busy.Tries[0]
}

func TestA2ForeignListenerOnOneFamily(t *testing.T) {
	needIPv6(t)
	for _, tt := range []struct{ network, foreign, free string }{
		{"tcp6", "[::1]:", "127.0.0.1:"},
		{"tcp4", "127.0.0.1:", "[::1]:"},
	} {
		t.Run(tt.network, func(t *testing.T) {
			port := freePort(t)
			hold(t, tt.network, tt.foreign+port)
			wantBusy(t, callbackURL(port), tt.foreign+port)
			l, err := net.Listen("tcp", tt.free+port)
			if err != nil {
				t.Fatalf("other family: got %v, want it left free", err)
			}
			l.Close()
		})
	}
	// The probe sees strangers that accept; bind sees the others. Each must do it alone.
	t.Run("by bind alone", func(t *testing.T) {
		port := freePort(t)
		hold(t, "tcp6", "[::1]:"+port)
		_, err := loopback.ListenWith(t.Context(), loopback.SystemListen, []string{callbackURL(port)})
		if !errors.Is(err, loopback.ErrPortBusy) {
			t.Errorf("got %v, want ErrPortBusy", err)
		}
		l, err := net.Listen("tcp4", "127.0.0.1:"+port)
		if err != nil {
			t.Fatalf("other family: got %v, want it left free", err)
		}
		l.Close()
	})
}

func TestA3SecondURLWhenTheFirstIsBusy(t *testing.T) {
	busy, free := freePort(t), freePort(t)
	hold(t, "tcp4", "127.0.0.1:"+busy)
	srv, err := loopback.Listen(t.Context(), []string{callbackURL(busy), callbackURL(free)})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	if got, want := srv.CallbackURL(), callbackURL(free); got != want {
		t.Errorf("CallbackURL: got %q, want %q", got, want)
	}
}

func TestA3BusyErrorNamesEachURLAndTheLikelyHolder(t *testing.T) {
	second := freePort(t)
	hold(t, "tcp4", "127.0.0.1:"+second)
	if l, err := net.Listen("tcp4", "127.0.0.1:8585"); err == nil { // else somebody holds it already
		defer l.Close()
	}
	urls := []string{"http://localhost:8585/callback", callbackURL(second)}
	srv, err := loopback.Listen(t.Context(), urls)
	if err == nil {
		srv.Close()
		t.Fatal("got nil, want a BusyError")
	}
	for _, want := range append(urls, "OpenMetadata", "127.0.0.1:"+second) {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want %q in it", err, want)
		}
	}
	if n := strings.Count(err.Error(), "OpenMetadata"); n != 1 {
		t.Errorf("got OpenMetadata %d times in %q, want it for port 8585 alone", n, err)
	}
}

func TestA3ReservedPortIsSkippedAndNotBlamedOnAProgram(t *testing.T) {
	reserved, free := freePort(t), freePort(t)
	bind := func(ctx context.Context, network, addr string) (net.Listener, error) {
		if strings.HasSuffix(addr, ":"+reserved) {
			return nil, &net.OpError{Op: "listen", Net: network, Err: os.NewSyscallError("bind", loopback.ErrnoReserved)}
		}
		return loopback.SystemListen(ctx, network, addr)
	}
	srv, err := loopback.ListenWith(t.Context(), bind, []string{callbackURL(reserved), callbackURL(free)})
	if err != nil {
		t.Fatalf("Listen: got %v, want the second URL", err)
	}
	srv.Close()
	_, err = loopback.ListenWith(t.Context(), bind, []string{callbackURL(reserved)})
	if !errors.Is(err, loopback.ErrPortBusy) || !strings.Contains(err.Error(), "reserved by the system") || strings.Contains(err.Error(), "program") {
		t.Errorf("got %v, want a busy port that the system reserves", err)
	}
}

func TestOtherTroubleIsNotCalledBusy(t *testing.T) {
	_, err := loopback.ListenWith(t.Context(), without("tcp6", syscall.EMFILE), []string{callbackURL(freePort(t))})
	if !errors.Is(err, syscall.EMFILE) || errors.Is(err, loopback.ErrPortBusy) {
		t.Errorf("got %v, want %v itself", err, syscall.EMFILE)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := loopback.Listen(ctx, []string{callbackURL(freePort(t))}); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: got %v, want %v", err, context.Canceled)
	}
	if _, err := loopback.Listen(t.Context(), nil); err == nil {
		t.Error("no URL: got nil, want an error")
	}
}

func TestA7SameListenerFromBindToServe(t *testing.T) {
	// One call that binds in the whole package, and nothing that lets go of a port but Close and bind.
	fset, calls := token.NewFileSet(), 0
	files, _ := filepath.Glob("*.go")
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if sel, ok := call.Fun.(*ast.SelectorExpr); ok && (sel.Sel.Name == "listen" || strings.HasPrefix(sel.Sel.Name, "Listen")) {
					calls++
				}
			}
			return true
		})
	}
	if calls != 1 {
		t.Errorf("got %d calls that bind, want 1", calls)
	}

	binds := map[string]int{}
	port := freePort(t)
	srv, err := loopback.ListenWith(t.Context(), func(ctx context.Context, network, addr string) (net.Listener, error) {
		binds[network]++
		return loopback.SystemListen(ctx, network, addr)
	}, []string{callbackURL(port)})
	if err != nil {
		t.Fatal(err)
	}
	signInOver(t, srv, "127.0.0.1", port)
	for network, n := range binds {
		if n != 1 {
			t.Errorf("%s: got %d binds for a login, want 1", network, n)
		}
	}
}

func TestA7OneOfManyLoginsGetsThePort(t *testing.T) {
	port := freePort(t)
	var mu sync.Mutex
	var winners []*loopback.Server
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			srv, err := loopback.Listen(t.Context(), []string{callbackURL(port)})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				winners = append(winners, srv)
			} else if !errors.Is(err, loopback.ErrPortBusy) {
				t.Errorf("got %v, want ErrPortBusy", err)
			}
		})
	}
	wg.Wait()
	if len(winners) != 1 {
		t.Fatalf("got %d logins with the port, want 1", len(winners))
	}
	signInOver(t, winners[0], "127.0.0.1", port)
}

func TestS16SecondBinderFails(t *testing.T) {
	_, port := serve(t)
	for _, addr := range []string{"127.0.0.1:", "[::1]:"} {
		if addr == "[::1]:" && !haveIPv6() {
			continue
		}
		if l, err := net.Listen("tcp", addr+port); err == nil {
			l.Close()
			t.Errorf("%s%s: got a second listener beside ours", addr, port)
		}
	}
}

func TestA11LoopbackOnly(t *testing.T) {
	_, port := serve(t)
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	dialled := 0
	for _, a := range addrs {
		ip, _, err := net.ParseCIDR(a.String())
		if err != nil || ip.IsLoopback() || ip.IsLinkLocalUnicast() {
			continue
		}
		dialled++
		if conn, err := net.DialTimeout("tcp", net.JoinHostPort(ip.String(), port), 2*time.Second); err == nil {
			conn.Close()
			t.Errorf("%s: got a connection from outside loopback", ip)
		}
	}
	// Machines without a network have no such address; 127.0.0.2 is never ours either.
	if conn, err := net.DialTimeout("tcp", "127.0.0.2:"+port, 2*time.Second); err == nil {
		conn.Close()
		t.Error("127.0.0.2: got a connection, want 127.0.0.1 alone bound")
	}
	t.Logf("%d addresses outside loopback dialled", dialled)
}

func TestA20WildcardListenerIsNeverShadowed(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:", "[::]:"} {
		t.Run(addr, func(t *testing.T) {
			if addr == "[::]:" {
				needIPv6(t)
			}
			port := freePort(t)
			hold(t, "tcp", addr+port)
			// Where the systems differ is bind; the probe must not leave it to bind.
			if got := wantBusy(t, callbackURL(port), "127.0.0.1:"+port); !got.Answered {
				t.Errorf("got %+v, want it found by the probe", got)
			}
		})
	}
}
