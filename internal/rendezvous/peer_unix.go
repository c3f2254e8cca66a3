//go:build linux || darwin

package rendezvous

import (
	"net"
	"syscall"
)

// peerIs asks the kernel about the process at the other end.
func peerIs(conn net.Conn, ask func(fd int) bool) bool {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	own := false
	err = raw.Control(func(fd uintptr) { own = ask(int(fd)) })
	return err == nil && own
}
