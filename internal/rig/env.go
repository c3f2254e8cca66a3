package rig

import (
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cogauth/cogauth/internal/flock"
)

// FreePort is a port that was free on both loopback addresses a moment ago. It is none of those that
// systems hand out by themselves, such as to a client's connections, and until the test ends it is given
// to no other test, in this process or another: it stays free unless it is asked for.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 50 {
		port := 15000 + rand.IntN(15000)
		release, ours, err := flock.Try(filepath.Join(os.TempDir(), "cogauth-test-"+strconv.Itoa(port)+".lock"))
		if err != nil || !ours {
			continue
		}
		t.Cleanup(release)
		v4, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			continue
		}
		v6, err := net.ListenTCP("tcp6", &net.TCPAddr{IP: net.IPv6loopback, Port: port})
		v4.Close()
		if err == nil {
			v6.Close()
			return port
		}
		if any6, err := net.Listen("tcp6", "[::1]:0"); err != nil {
			return port // a machine without IPv6
		} else {
			any6.Close()
		}
	}
	t.Fatal("rig: no port is free on both loopback addresses")
	return 0
}

// FakeProgram puts a program of that name first on the PATH of env. It does nothing but leave a
// mark, and started reports whether it has.
func FakeProgram(t testing.TB, env []string, name string) (with []string, started func() bool) {
	t.Helper()
	dir := t.TempDir()
	mark := dir + "/started"
	script := "#!/bin/sh\n: >'" + mark + "'\nexit 1\n"
	if err := os.WriteFile(dir+"/"+name, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	path := os.Getenv("PATH")
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			path = v
		}
	}
	return append(slices.Clone(env), "PATH="+dir+string(os.PathListSeparator)+path), func() bool {
		_, err := os.Stat(mark)
		return err == nil
	}
}
