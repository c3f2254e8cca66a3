package turns

import (
	"context"
	"sync"
	"testing"
)

func TestTurnsLeaveNothingBehind(t *testing.T) {
	var turns Turns
	testTurn := func() {
		done, err := turns.Take(context.Background(), "a")
		if err != nil {
			t.Error(err)
			return
		}
		done()
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(testTurn)
	}
	wg.Wait()
	if len(turns.busy) != 0 {
		t.Errorf("got %d names kept, want none", len(turns.busy))
	}
}
