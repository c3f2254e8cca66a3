package loopback

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// probeTimeout bounds the connection attempt that precedes a bind. Windows takes about 2 s to
// report a refusal, so silence has to mean free.
const probeTimeout = 100 * time.Millisecond

// ErrPortBusy matches, with errors.Is, the error of Listen when no port could be had.
var ErrPortBusy = errors.New("callback port busy")

// BusyError says why none of the callback URLs could be bound. It matches ErrPortBusy.
type BusyError struct {
	Tries []Try // one per URL, in order
}

// Try is one callback URL that could not be bound.
type Try struct {
	URL      string
	Addr     string // the address that stood in the way, such as "[::1]:8585"
	Answered bool   // a program accepted a connection there
	Err      error  // the system's answer to the bind, nil if Answered
}

// Reserved reports whether the system refused the port although no program holds it: a reserved
// range on Windows (WSAEACCES, as Hyper-V and WSL set aside), a privileged port elsewhere.
func (t Try) Reserved() bool { return errors.Is(t.Err, errnoReserved) }

func (t Try) String() string {
	s := t.URL + ": " + t.Addr
	if t.Reserved() {
		return s + " is reserved by the system"
	}
	s += " is held by another program"
	if strings.HasSuffix(t.Addr, ":8585") {
		s += ", perhaps OpenMetadata, whose default port it is"
	}
	return s
}

func (e *BusyError) Error() string {
	tries := make([]string, len(e.Tries))
	for i, t := range e.Tries {
		tries[i] = t.String()
	}
	return "no callback port is free: " + strings.Join(tries, "; ")
}

// Is makes a BusyError match ErrPortBusy.
func (e *BusyError) Is(target error) bool { return target == ErrPortBusy }

// network is the part of the operating system that tests replace to show an error this machine
// does not have.
type network struct {
	listen func(ctx context.Context, network, addr string) (net.Listener, error)
	dial   func(ctx context.Context, network, addr string) (net.Conn, error)
}

var system = network{
	listen: (&net.ListenConfig{Control: exclusive}).Listen,
	dial:   (&net.Dialer{}).DialContext,
}

// bind takes every endpoint of t, or none: then it says what stood in the way. Any other trouble,
// such as too many open files, is an error.
func (n network) bind(ctx context.Context, t target) ([]net.Listener, *Try, error) {
	endpoints := t.endpoints()
	if addr := n.answering(ctx, endpoints); addr != "" {
		return nil, &Try{URL: t.url, Addr: addr, Answered: true}, nil
	}
	if ctx.Err() != nil { // net.ListenConfig does not look at it for an IP address
		return nil, nil, ctx.Err()
	}
	var held []net.Listener
	release := func() {
		for _, l := range held {
			l.Close()
		}
	}
	var missing error
	for _, e := range endpoints {
		l, err := n.listen(ctx, e.network, e.addr)
		switch {
		case err == nil:
			held = append(held, l)
		case errors.Is(err, errnoInUse) || errors.Is(err, errnoReserved):
			release()
			return nil, &Try{URL: t.url, Addr: e.addr, Err: err}, nil
		case isMissingFamily(err):
			missing = err // if nobody here has ::1, a browser cannot be sent there either
		default:
			release()
			return nil, nil, err
		}
	}
	if len(held) == 0 {
		return nil, nil, fmt.Errorf("no loopback address: %w", missing)
	}
	return held, nil, nil
}

// answering returns the first endpoint on which a program accepts connections, or "". On macOS and
// Windows a bind to a loopback address succeeds beside a program that listens on all addresses: we
// would shadow its port, or it ours, and no error would tell.
func (n network) answering(ctx context.Context, endpoints []endpoint) string {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	answered := make([]bool, len(endpoints))
	var wg sync.WaitGroup
	for i, e := range endpoints {
		wg.Go(func() {
			if conn, err := n.dial(ctx, e.network, e.addr); err == nil {
				conn.Close()
				answered[i] = true
			}
		})
	}
	wg.Wait()
	for i, e := range endpoints {
		if answered[i] {
			return e.addr
		}
	}
	return ""
}

func isMissingFamily(err error) bool {
	for _, errno := range missingFamily {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
