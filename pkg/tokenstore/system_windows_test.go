package tokenstore

import (
	"syscall"
	"testing"
	"unsafe"
)

// C14: an entry stays on this machine and does not roam with the person's profile: its persistence is
// CRED_PERSIST_LOCAL_MACHINE (wincred.h).
func TestC14EntriesDoNotRoam(t *testing.T) {
	k := &Keyring{Service: "cogauth-test"}
	const name = "TestC14"
	if err := k.Put(t.Context(), name, []byte("one")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Delete(t.Context(), name) })
	target, err := syscall.UTF16PtrFromString("cogauth-test:" + name) // as go-keyring names it
	if err != nil {
		t.Fatal(err)
	}
	// CREDENTIALW
	var credential *struct {
		flags, kind     uint32
		target, comment *uint16
		written         syscall.Filetime
		size            uint32
		blob            *byte
		persist         uint32
	}
	advapi := syscall.NewLazyDLL("advapi32.dll")
	const generic = 1 // CRED_TYPE_GENERIC
	ok, _, err := advapi.NewProc("CredReadW").Call(uintptr(unsafe.Pointer(target)), generic, 0, uintptr(unsafe.Pointer(&credential)))
	if ok == 0 {
		t.Fatalf("CredReadW: %v", err)
	}
	defer advapi.NewProc("CredFree").Call(uintptr(unsafe.Pointer(credential)))
	if credential.persist != 2 {
		t.Errorf("got persistence %d, want 2, of this machine", credential.persist)
	}
}

// C13: a logon session without credentials is told apart, as go-keyring hands the error on.
func TestC13NoLogonSession(t *testing.T) {
	if got := kind(classify(syscall.Errno(1312))); got != "unavailable" {
		t.Errorf("got %s, want unavailable", got)
	}
}
