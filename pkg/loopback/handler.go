package loopback

import (
	"context"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// handle answers every request. Order matters: the Host header comes before anything else, the
// state before anything in the query is believed.
func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	defer s.conns.pin(r.Context())()
	if r.ContentLength != 0 { // net/http drains what we do not read: not for long
		http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	}
	// The request line itself, as net/url would unescape, and absolute forms would bring another host.
	path, query, _ := strings.Cut(r.RequestURI, "?")
	switch {
	case !s.hosts[strings.ToLower(r.Host)]:
		reply(w, http.StatusMisdirectedRequest, pageMisdirected.html())
	case path != s.path && !s.isPagePath(path):
		reply(w, http.StatusNotFound, pageNotFound.html())
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		reply(w, http.StatusMethodNotAllowed, pageMethod.html())
	case path != s.path:
		s.servePage(w)
	case !isNavigation(r.Header):
		reply(w, http.StatusBadRequest, pageForeign.html())
	default:
		s.serveCallback(w, r, query)
	}
}

// isNavigation reports whether the browser shows the answer to the person. Browsers say so in
// Sec-Fetch-*, so a hidden image or frame in some page is not even worth a warning; a prefetch
// must not use up the one answer. Programs that are no browser send none of these headers.
func isNavigation(h http.Header) bool {
	mode, dest := h.Get("Sec-Fetch-Mode"), h.Get("Sec-Fetch-Dest")
	return (mode == "" || mode == "navigate") && (dest == "" || dest == "document") &&
		!strings.Contains(h.Get("Sec-Purpose"), "prefetch") && h.Get("Purpose") != "prefetch"
}

func (s *Server) serveCallback(w http.ResponseWriter, r *http.Request, query string) {
	l := s.awaitedLogin(r.Context())
	if l == nil {
		return // the server has closed, or the visitor has left
	}
	cb, state, ok := parseResponse(query)
	switch {
	case ok && state == "" && cb.Error != "":
		l.unconfirmed(cb.Error, cb.ErrorDescription)
		reply(w, http.StatusBadRequest, pageUnconfirmed.html())
	case !ok || !l.matches(state):
		l.foreign()
		reply(w, http.StatusBadRequest, pageForeign.html())
	default:
		switch l.take(cb) {
		case wait:
			s.hold(w, r, l)
		case duplicate:
			reply(w, http.StatusOK, pageDuplicate.html())
		case tooLate:
			reply(w, http.StatusGone, pageIncomplete.html())
		}
	}
}

// awaitedLogin returns what Await has set. A browser with a session at the issuer can be here before
// the program has come to Await: it waits, as it would have in the listener's queue.
func (s *Server) awaitedLogin(ctx context.Context) *login {
	s.mu.Lock()
	l := s.login
	s.mu.Unlock()
	if l != nil {
		return l
	}
	select {
	case <-s.awaited:
	case <-s.closing:
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.login
}

// parseResponse reads an authorization response (RFC 6749 §4.1.2, §4.1.2.1): exactly one code or
// one error. "Parameters … MUST NOT be included more than once" (§3.1), so a repeated one is
// refused rather than one of its values chosen; others are ignored, as §4.1.2 demands.
func parseResponse(query string) (cb *Callback, state string, ok bool) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, "", false
	}
	for _, name := range []string{"state", "code", "error", "error_description", "iss"} {
		if len(values[name]) > 1 {
			return nil, "", false
		}
	}
	cb = &Callback{
		Code:             values.Get("code"),
		Issuer:           values.Get("iss"),
		Error:            values.Get("error"),
		ErrorDescription: values.Get("error_description"),
	}
	if values.Has("code") == values.Has("error") || (cb.Code == "") == (cb.Error == "") {
		return nil, "", false
	}
	return cb, values.Get("state"), true
}

// hold keeps the browser waiting until the outcome is known, then sends it to a clean address.
func (s *Server) hold(w http.ResponseWriter, r *http.Request, l *login) {
	s.mu.Lock()
	late := s.isClosed
	if !late {
		s.holding.Add(1)
		defer s.holding.Done()
	}
	s.mu.Unlock()
	if late {
		reply(w, http.StatusGone, pageIncomplete.html())
		return
	}
	select {
	case <-s.answered:
	case <-s.closing:
	case <-r.Context().Done(): // the person closed the tab, or reloaded it
		l.release()
		return
	}
	s.mu.Lock()
	waiting := s.page != nil
	s.mu.Unlock()
	if !waiting {
		reply(w, http.StatusOK, pageIncomplete.html())
		return
	}
	// "303 (See Other)" makes the browser fetch the page with GET (RFC 9110 §15.4.4). Its address
	// bar, its visible history and whatever it sends as Referer then have no code. Chromium's
	// database still records where a redirect came from; by now that code has been redeemed.
	w.Header().Set("Location", s.pagePath)
	reply(w, http.StatusSeeOther, nil)
}

func (s *Server) isPagePath(path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.page != nil && subtle.ConstantTimeCompare([]byte(path), []byte(s.pagePath)) == 1
}

// servePage shows the outcome, once.
func (s *Server) servePage(w http.ResponseWriter) {
	s.mu.Lock()
	page := s.page
	s.page = nil
	s.mu.Unlock()
	if page == nil {
		reply(w, http.StatusNotFound, pageNotFound.html())
		return
	}
	defer close(s.shown) // once: page was there for one caller
	reply(w, http.StatusOK, page)
}

// reply writes one whole answer and has it on its way when it returns, so that closing the
// connection afterwards cannot cut it short.
func reply(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Connection", "close")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Content-Security-Policy", contentPolicy())
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer") // browsers put the whole callback URL in the favicon's Referer
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	rc := http.NewResponseController(w)
	rc.SetWriteDeadline(time.Now().Add(writeTimeout))
	w.WriteHeader(status)
	w.Write(body)
	rc.Flush()
}
