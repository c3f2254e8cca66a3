// Package rendezvous lets one of several callers do what all of them want, and tell the others how it
// goes. The callers may be in different processes of one user.
//
// Whoever comes first to a place leads until Close; those who come meanwhile follow. A leader is heard
// over a socket beside the lock that makes it the leader. Both end with its process, however that ends,
// and so its followers learn of it at once. What a leader says is never in a file.
package rendezvous

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/cogauth/cogauth/internal/flock"
)

const (
	// maxLine bounds what is read of a leader at a time. An authorization URL has some hundred bytes.
	maxLine = 64 << 10
	// patience is for a follower that does not take what it is told.
	patience = time.Second
	// maxSocketPath fits into every system's sockaddr_un (104 bytes on macOS, with the final zero).
	maxSocketPath = 100
)

// Lead is the leader's. Its methods are safe for concurrent use.
type Lead struct {
	mu     sync.Mutex
	said   [][]byte
	over   bool
	change chan struct{} // closed and replaced whenever said or over changes

	listener  net.Listener // nil: nobody outside this process hears
	followers sync.WaitGroup
	leave     func()
}

// Follow hears a leader. Its methods are for one goroutine.
type Follow struct {
	next func(context.Context) ([]byte, error)
	end  func()
}

// Next waits for the leader's next line; the first is the first that it said, however long ago. io.EOF
// means that the leader has closed or died. Otherwise the error is ctx's.
func (f *Follow) Next(ctx context.Context) ([]byte, error) { return f.next(ctx) }

// Close stops listening.
func (f *Follow) Close() { f.end() }

// Meet does not wait: it leads if nobody holds the lock, and else follows whoever does. Both results are
// nil if somebody holds it who cannot be heard: they may just be coming or going, or have no socket,
// or have one that cannot be reached from here. Where the socket cannot be made, one leads unheard.
//
// Lock and socket must be in a folder that only this user can enter.
func Meet(lock, socket string) (*Lead, *Follow, error) {
	release, ok, err := flock.Try(lock)
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		return nil, dial(socket), nil
	}
	l := newLead(release)
	l.listen(socket)
	return l, nil, nil
}

// Local are places within one process. The zero value is ready to use.
type Local struct {
	mu    sync.Mutex
	leads map[any]*Lead
}

// Meet leads if nobody does at the place, and follows otherwise.
func (p *Local) Meet(place any) (*Lead, *Follow) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.leads[place]; l != nil {
		return nil, l.follow()
	}
	if p.leads == nil {
		p.leads = make(map[any]*Lead)
	}
	l := newLead(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.leads, place)
	})
	p.leads[place] = l
	return l, nil
}

func newLead(leave func()) *Lead {
	return &Lead{change: make(chan struct{}), leave: leave}
}

// Say tells every follower, of now and of later, a line, which must hold no newline.
func (l *Lead) Say(line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return
	}
	l.said = append(l.said, line)
	l.changed()
}

// Close ends the lead, when those who follow have been told everything. Calls after the first do nothing.
func (l *Lead) Close() {
	l.mu.Lock()
	if l.over {
		l.mu.Unlock()
		return
	}
	l.over = true
	l.changed()
	l.mu.Unlock()
	if l.listener != nil {
		l.listener.Close() // and removes the socket, while the lock is ours
		l.followers.Wait()
	}
	l.leave()
}

func (l *Lead) changed() {
	close(l.change)
	l.change = make(chan struct{})
}

// heard returns what comes after the first n lines.
func (l *Lead) heard(n int) (line []byte, over bool, change <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n < len(l.said) {
		return l.said[n], false, nil
	}
	return nil, l.over, l.change
}

// follow listens within the process.
func (l *Lead) follow() *Follow {
	n := 0
	return &Follow{
		next: func(ctx context.Context) ([]byte, error) {
			for {
				line, over, change := l.heard(n)
				switch {
				case line != nil:
					n++
					return line, nil
				case over:
					return nil, io.EOF
				}
				select {
				case <-change:
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
		},
		end: func() {},
	}
}

// listen makes the socket. What lies there is of a leader that has died: the lock says so.
func (l *Lead) listen(path string) {
	if len(path) > maxSocketPath {
		return
	}
	os.Remove(path)
	listener, err := net.Listen("unix", path)
	if err != nil {
		return
	}
	if runtime.GOOS != "windows" { // where the folder's rights are the file's
		if err := os.Chmod(path, 0o600); err != nil {
			listener.Close()
			return
		}
	}
	l.listener = listener
	l.followers.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			l.followers.Go(func() { l.serve(conn) })
		}
	})
}

// serve tells one follower everything.
func (l *Lead) serve(conn net.Conn) {
	defer conn.Close()
	if !ownPeer(conn) {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // a follower never says anything: it only leaves
		conn.Read(make([]byte, 1))
		cancel()
	}()
	f := l.follow()
	for {
		line, err := f.Next(ctx)
		if err != nil {
			return
		}
		conn.SetWriteDeadline(time.Now().Add(patience))
		if _, err := fmt.Fprintf(conn, "%s\n", line); err != nil {
			return
		}
	}
}

// dial is nil if nobody of this user answers.
func dial(path string) *Follow {
	if len(path) > maxSocketPath {
		return nil
	}
	conn, err := net.DialTimeout("unix", path, patience)
	if err != nil {
		return nil
	}
	if !ownPeer(conn) {
		conn.Close()
		return nil
	}
	lines := bufio.NewReaderSize(conn, maxLine)
	return &Follow{
		next: func(ctx context.Context) ([]byte, error) {
			stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })
			defer stop()
			line, err := lines.ReadSlice('\n')
			if err == nil {
				return append([]byte(nil), line[:len(line)-1]...), nil
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, io.EOF // half a line is as good as none
		},
		end: func() { conn.Close() },
	}
}
