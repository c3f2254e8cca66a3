package loopback

import (
	"errors"
	"net/url"
	"strings"
)

// Errors of Deliver.
var (
	// ErrNotCallback means that an address is not one of the callback.
	ErrNotCallback = errors.New("this is not the address that the browser ends on: paste all of it, from http:// to the end")
	// ErrForeignAnswer means that an address is of the callback, but its state is missing or wrong,
	// or it is malformed.
	ErrForeignAnswer = errors.New("this address belongs to another sign-in")
)

// Deliver takes the address that a browser ended on, where that browser cannot reach the listener: it
// runs on another machine, or will not speak plain http to localhost. The address must be the
// callback's, with http or https, and is judged like a request: a code without the right state is
// refused, and an error without state goes to Observer.Unconfirmed. Await must be waiting. Of several answers the first counts, wherever it came from.
func (s *Server) Deliver(address string) error {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.EscapedPath() != s.path || !s.hosts[strings.ToLower(u.Host)] {
		return ErrNotCallback
	}
	s.mu.Lock()
	l := s.login
	s.mu.Unlock()
	cb, state, ok := parseResponse(u.RawQuery)
	if ok && l != nil && state == "" && cb.Error != "" {
		l.unconfirmed(cb.Error, cb.ErrorDescription)
		return nil
	}
	if !ok || l == nil || !l.matches(state) {
		return ErrForeignAnswer
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over && !l.done {
		l.done = true
		l.result <- cb
	}
	return nil
}
