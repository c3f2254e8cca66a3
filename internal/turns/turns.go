// Package turns orders the goroutines of one process.
package turns

import (
	"context"
	"sync"
)

// Turns lets one goroutine at a time pass under each name. The zero value is ready to use.
type Turns struct {
	mu   sync.Mutex
	busy map[string]chan struct{} // closed when the turn ends
}

// Take waits for the turn, or for the end of ctx, which is ctx's error. release may be called more than
// once.
func (t *Turns) Take(ctx context.Context, name string) (release func(), err error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		release, ended := t.try(name)
		if release != nil {
			return release, nil
		}
		select {
		case <-ended:
		case <-ctx.Done():
		}
	}
}

// Try takes the turn if it is free; ok is whether it did.
func (t *Turns) Try(name string) (release func(), ok bool) {
	release, _ = t.try(name)
	return release, release != nil
}

func (t *Turns) try(name string) (release func(), ended <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ended, taken := t.busy[name]; taken {
		return nil, ended
	}
	if t.busy == nil {
		t.busy = make(map[string]chan struct{})
	}
	mine := make(chan struct{})
	t.busy[name] = mine
	return sync.OnceFunc(func() {
		t.mu.Lock()
		delete(t.busy, name)
		t.mu.Unlock()
		close(mine)
	}), nil
}
