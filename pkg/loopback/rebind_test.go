package loopback_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/cogauth/cogauth/pkg/loopback"
)

// childEnv makes the test binary a program that listens on that callback URL until it is killed.
const childEnv = "COGAUTH_TEST_LOOPBACK_CHILD"

func TestMain(m *testing.M) {
	url := os.Getenv(childEnv)
	if url == "" {
		os.Exit(m.Run())
	}
	srv, err := loopback.Listen(context.Background(), []string{url})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("listening")
	cb, err := srv.Await(context.Background(), state, loopback.Observer{})
	fmt.Println("received", cb.Error, err)
	select {}
}

func TestA14RebindAfterTheLoginEnded(t *testing.T) {
	needRebind := func(t *testing.T, port string) {
		t.Helper()
		srv, err := loopback.Listen(t.Context(), []string{callbackURL(port)})
		for deadline := time.Now().Add(hang); err != nil; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("rebind: got %v, want the port back", err)
			}
			srv, err = loopback.Listen(t.Context(), []string{callbackURL(port)})
		}
		srv.Close()
	}
	t.Run("closed before a callback", func(t *testing.T) {
		srv, port := serve(t)
		srv.Close()
		needRebind(t, port)
	})
	t.Run("closed while a browser waits", func(t *testing.T) {
		srv, port := serve(t)
		done := await(t, srv, loopback.Observer{})
		answer := signIn(t, port, visit{})
		wantCode(t, done)
		srv.Close()
		needRebind(t, port)
		receive(t, answer)
	})
	t.Run("context ended", func(t *testing.T) {
		srv, port := serve(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := awaitCtx(ctx, t, srv, loopback.Observer{})
		cancel()
		<-done
		srv.Close()
		needRebind(t, port)
	})
	for _, stage := range []string{"listening", "received"} {
		t.Run("killed when "+stage, func(t *testing.T) {
			port := freePort(t)
			killChildWhen(t, port, stage)
			needRebind(t, port)
		})
	}
}

// killChildWhen runs a login in another process and kills it at a stage, as SIGKILL or a crash would.
func killChildWhen(t *testing.T, port, stage string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), exe)
	child.Env = append(os.Environ(), childEnv+"="+callbackURL(port))
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		word, _, _ := strings.Cut(lines.Text(), " ")
		if word == "listening" && stage != word {
			// The browser goes on waiting until its connection breaks. The child may not be in Await yet.
			go func() {
				for range 100 {
					if got, err := (visit{target: goodTarget}).do(t, port); err != nil || got.status != 400 {
						return
					}
					time.Sleep(10 * time.Millisecond)
				}
			}()
		}
		if word == stage {
			return
		}
	}
	t.Fatalf("child: got no %q", stage)
}
