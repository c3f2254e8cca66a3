//go:build !linux && !darwin

package rendezvous

import "net"

// ownPeer relies on the folder, which nobody else can enter.
func ownPeer(net.Conn) bool { return true }
