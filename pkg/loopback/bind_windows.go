package loopback

import "syscall"

// Winsock's own numbers: syscall.EADDRINUSE and its like are invented values on Windows, which no
// socket call returns.
const (
	wsaeProtoNoSupport = syscall.Errno(10043)
	wsaeAFNoSupport    = syscall.Errno(10047)
	wsaeAddrNotAvail   = syscall.Errno(10049)
	wsaeNetUnreach     = syscall.Errno(10051)
	wsaeHostUnreach    = syscall.Errno(10065)

	errnoInUse    = syscall.Errno(10048) // WSAEADDRINUSE
	errnoReserved = syscall.Errno(10013) // WSAEACCES
)

var missingFamily = []syscall.Errno{wsaeAddrNotAvail, wsaeAFNoSupport, wsaeProtoNoSupport, wsaeNetUnreach, wsaeHostUnreach}

// soExclusiveAddrUse is SO_EXCLUSIVEADDRUSE, which Winsock defines as ^SO_REUSEADDR.
const soExclusiveAddrUse = ^syscall.SO_REUSEADDR

// exclusive stops other programs from sharing our port: on Windows a later socket with
// SO_REUSEADDR can otherwise bind an address in use and take its connections.
func exclusive(network, address string, c syscall.RawConn) error {
	var err error
	if cerr := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(syscall.Handle(fd), syscall.SOL_SOCKET, soExclusiveAddrUse, 1)
	}); cerr != nil {
		return cerr
	}
	return err
}
