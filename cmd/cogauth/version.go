package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/cogauth/cogauth/internal/secret"
)

// release is the version of a release build, set with -ldflags "-X main.release=v1.2.3".
var release string

func (a *app) version() error {
	return a.print(fmt.Sprintf("cogauth %s %s/%s %s\n", versionString(), runtime.GOOS, runtime.GOARCH, runtime.Version()))
}

func versionString() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

func userAgent() string {
	if release != "" {
		return "cogauth/" + release
	}
	return "cogauth"
}

// clean makes foreign text safe for the terminal.
func clean(s string) string { return secret.Clean(s) }
