//go:build !windows

package loopback

import "syscall"

const (
	errnoInUse    = syscall.EADDRINUSE
	errnoReserved = syscall.EACCES
)

// missingFamily are the answers of a system without IPv6 (or IPv4), or with it turned off.
var missingFamily = []syscall.Errno{
	syscall.EADDRNOTAVAIL, syscall.EAFNOSUPPORT, syscall.EPROTONOSUPPORT, syscall.ENETUNREACH, syscall.EHOSTUNREACH,
}

// exclusive has nothing to do: without SO_REUSEPORT, which Go does not set, a second listener on
// the same address fails.
func exclusive(network, address string, c syscall.RawConn) error { return nil }
