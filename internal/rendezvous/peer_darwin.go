package rendezvous

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// ownPeer reports whether the process at the other end is of this user. The folder says so already; this
// says it of the process itself.
func ownPeer(conn net.Conn) bool {
	return peerIs(conn, func(fd int) bool {
		peer, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
		return err == nil && int(peer.Uid) == os.Geteuid()
	})
}
