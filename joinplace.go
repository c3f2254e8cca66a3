package cogauth

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/cogauth/cogauth/internal/rendezvous"
	"github.com/cogauth/cogauth/pkg/tokenstore"
)

// loginPlace is where those who want the same login meet: in the files that stand for it or, with a
// store of this process's own, in memory.
type loginPlace struct {
	lock, socket, marker string
	local                any
}

// localKey is a place in memory.
type localKey struct {
	store any
	name  string
}

// loginPlace returns the place of this Client's logins. It is one for all who would make the same
// session: a profile that is configured in two ways, as in two files, has two.
func (c *Client) loginPlace() (loginPlace, error) {
	name := "login:" + c.credential() + "\x00" + strings.Join(c.purpose().fields(), "\x00")
	s, ok := c.store.(interface {
		LockPath(name string) (string, error)
	})
	if !ok {
		var store any = c.store
		if !reflect.ValueOf(store).Comparable() {
			store = c
		}
		return loginPlace{local: localKey{store, name}}, nil
	}
	lock, err := s.LockPath(name)
	if err != nil {
		return loginPlace{}, fmt.Errorf("lock session: %w", err)
	}
	base := strings.TrimSuffix(lock, ".lock")
	return loginPlace{lock: lock, socket: socketPath(base), marker: base + ".ignored"}, nil
}

// socketPath is beside the lock. Where that has too long a name for a socket, it is in the folder of the
// user's own locks.
func socketPath(base string) string {
	path := base + ".sock"
	if len(path) <= 100 {
		return path
	}
	short, err := (&tokenstore.Keyring{}).LockPath("socket:" + filepath.Clean(base))
	if err != nil {
		return path // which cannot be made, so the login goes unheard
	}
	return strings.TrimSuffix(short, ".lock") + ".sock"
}

func (p loginPlace) meet() (*rendezvous.Lead, *rendezvous.Follow, error) {
	if p.local != nil {
		lead, follow := localLogins.Meet(p.local)
		return lead, follow, nil
	}
	return rendezvous.Meet(p.lock, p.socket)
}

// ignored is when a login ended without success, or was opened for a program and had none yet, or the
// zero time.
func (p loginPlace) ignored() time.Time {
	if p.local != nil {
		at, _ := localIgnored.Load(p.local)
		t, _ := at.(time.Time)
		return t
	}
	info, err := os.Lstat(p.marker)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// setIgnored notes what ignored returns; the zero time means that a login had success. Whoever calls it
// leads. Failing costs the person a browser window, no more.
func (p loginPlace) setIgnored(at time.Time) {
	switch {
	case p.local != nil && at.IsZero():
		localIgnored.Delete(p.local)
	case p.local != nil:
		localIgnored.Range(func(key, t any) bool {
			if at.Sub(t.(time.Time)) > coolDown {
				localIgnored.Delete(key) // and let go of its store
			}
			return true
		})
		localIgnored.Store(p.local, at)
	case at.IsZero():
		os.Remove(p.marker)
	default:
		// An empty file whose time is all it says. The folder is private: nobody else puts a link there.
		if os.WriteFile(p.marker, nil, 0o600) == nil {
			os.Chtimes(p.marker, at, at)
		}
	}
}

var (
	localLogins  rendezvous.Local
	localIgnored sync.Map // of the times of ignored logins by localKey
)
