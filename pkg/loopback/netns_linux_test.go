package loopback_test

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"unsafe"

	"github.com/cogauth/cogauth/internal/rig"
)

// netnsEnv makes the test a process of its own in a network namespace of its own.
const netnsEnv = "COGAUTH_TEST_NETNS"

// A kernel whose loopback device has no ::1 is what a machine with IPv6 off looks like.
func TestA1LoginWithIPv6Off(t *testing.T) {
	if os.Getenv(netnsEnv) != "" {
		loopbackWithoutIPv6(t)
		if haveIPv6() {
			t.Fatal("the namespace still has ::1")
		}
		srv, port := serve(t)
		signInOver(t, srv, "127.0.0.1", port)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestA1LoginWithIPv6Off$", "-test.v")
	cmd.Env = append(os.Environ(), netnsEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if os.Getuid() != 0 { // a user namespace lets anybody have a network namespace, where the system allows it
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.ENOSPC) {
		rig.Missing(t, "netns", err.Error())
	}
	if err != nil {
		t.Fatalf("in a namespace without IPv6: %v\n%s", err, out)
	}
	rig.Ran(t, "netns", "linux")
}

// loopbackWithoutIPv6 brings up lo, which is down in a new namespace, and takes away its ::1.
func loopbackWithoutIPv6(t *testing.T) {
	t.Helper()
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	var up [40]byte // struct ifreq: name, flags
	copy(up[:16], "lo")
	binary.NativeEndian.PutUint16(up[16:], syscall.IFF_UP|syscall.IFF_RUNNING)
	if err := ioctl(syscall.AF_INET, syscall.SIOCSIFFLAGS, unsafe.Pointer(&up)); err != nil {
		t.Fatalf("lo up: %v", err)
	}
	var addr [24]byte // struct in6_ifreq: address, prefix length, interface
	copy(addr[:16], net.IPv6loopback)
	binary.NativeEndian.PutUint32(addr[16:], 128)
	binary.NativeEndian.PutUint32(addr[20:], uint32(lo.Index))
	if err := ioctl(syscall.AF_INET6, syscall.SIOCDIFADDR, unsafe.Pointer(&addr)); err != nil &&
		!errors.Is(err, syscall.EADDRNOTAVAIL) && !errors.Is(err, syscall.EAFNOSUPPORT) {
		t.Fatalf("remove ::1: %v", err)
	}
}

func ioctl(family int, request uintptr, arg unsafe.Pointer) error {
	fd, err := syscall.Socket(family, syscall.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}
