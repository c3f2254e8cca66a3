package loopback_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cogauth/cogauth/pkg/loopback"
)

// A16, B7: what a person pastes is judged like a request: the callback's own address, in http or https,
// with the right state; a bare code, another state or another place is refused and ends nothing.
func TestB7Deliver(t *testing.T) {
	srv, _ := serve(t)
	const state = "the-right-state"
	if err := srv.Deliver(srv.CallbackURL() + "?code=early&state=" + state); !errors.Is(err, loopback.ErrForeignAnswer) {
		t.Errorf("before Await: got %v, want ErrForeignAnswer", err)
	}
	type outcome struct {
		cb  *loopback.Callback
		err error
	}
	done := make(chan outcome, 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() {
		cb, err := srv.Await(ctx, state, loopback.Observer{})
		done <- outcome{cb, err}
	}()
	good := srv.CallbackURL() + "?code=the-code&state=" + state
	for address, want := range map[string]error{
		"the-code": loopback.ErrNotCallback,
		"":         loopback.ErrNotCallback,
		strings.Replace(good, "http://", "ftp://", 1):         loopback.ErrNotCallback,
		strings.Replace(good, "localhost", "evil.example", 1): loopback.ErrNotCallback,
		strings.Replace(good, "http://", "http://user@", 1):   loopback.ErrNotCallback,
		strings.Replace(good, "/callback", "/callback/", 1):   loopback.ErrNotCallback,
		strings.Replace(good, "/callback", "/%63allback", 1):  loopback.ErrNotCallback,
		srv.CallbackURL() + "?code=the-code":                  loopback.ErrForeignAnswer,
		srv.CallbackURL() + "?state=" + state:                 loopback.ErrForeignAnswer,
		good + "x":                                            loopback.ErrForeignAnswer,
		good + "&code=another":                                loopback.ErrForeignAnswer,
		good + "&error=access_denied":                         loopback.ErrForeignAnswer,
	} {
		if err := srv.Deliver(address); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", address, err, want)
		}
	}
	// Await may not have begun when the first address came; a good one is taken as soon as it has.
	for srv.Deliver(" "+strings.Replace(good, "http://", "https://", 1)+"#x\n") != nil {
		time.Sleep(time.Millisecond)
	}
	got := <-done
	if got.err != nil || got.cb.Code != "the-code" {
		t.Errorf("got %v, %v, want the code", got.cb, got.err)
	}
	if err := srv.Deliver(good); err != nil {
		t.Errorf("once more: got %v, want nothing", err)
	}
}
