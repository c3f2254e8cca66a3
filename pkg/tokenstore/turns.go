package tokenstore

import (
	"context"
	"sync"
)

// turns lets one goroutine at a time pass under each name. The zero value is ready to use.
type turns struct {
	mu   sync.Mutex
	busy map[string]chan struct{} // closed when the turn ends
}

// take waits for the turn, or for the end of ctx.
func (t *turns) take(ctx context.Context, name string) (release func(), err error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		t.mu.Lock()
		ended, taken := t.busy[name]
		if !taken {
			if t.busy == nil {
				t.busy = make(map[string]chan struct{})
			}
			mine := make(chan struct{})
			t.busy[name] = mine
			t.mu.Unlock()
			return sync.OnceFunc(func() {
				t.mu.Lock()
				delete(t.busy, name)
				t.mu.Unlock()
				close(mine)
			}), nil
		}
		t.mu.Unlock()
		select {
		case <-ended:
		case <-ctx.Done():
		}
	}
}
