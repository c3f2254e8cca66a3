package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// questions asks on the terminal. After the first error it asks no more.
type questions struct {
	out io.Writer
	ctx context.Context
	a   *app
	err error
}

// questions go to the terminal itself, wherever standard error goes.
func (a *app) questions(ctx context.Context) (q *questions, done func()) {
	q = &questions{out: a.err, ctx: ctx, a: a}
	if tty, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0); err == nil {
		q.out = tty
		return q, func() { tty.Close() }
	}
	return q, func() {}
}

// text asks until there is an answer; an empty one takes the default.
func (q *questions) text(question, otherwise string) string {
	for q.err == nil {
		if otherwise != "" {
			fmt.Fprintf(q.out, "%s [%s]: ", question, otherwise)
		} else {
			fmt.Fprintf(q.out, "%s: ", question)
		}
		answer := q.line()
		if answer == "" {
			answer = otherwise
		}
		if answer != "" {
			return answer
		}
	}
	return ""
}

// line reads one line, or gives up when the program is told to end.
func (q *questions) line() string {
	type result struct {
		text string
		err  error
	}
	read := make(chan result, 1)
	go func() {
		text, err := q.a.input().ReadString('\n')
		read <- result{text, err}
	}()
	select {
	case r := <-read:
		if r.err != nil && (r.text == "" || !errors.Is(r.err, io.EOF)) {
			q.err = &usageError{errors.New("the questions were not answered; nothing was written")}
		}
		return strings.TrimSpace(r.text)
	case <-q.ctx.Done():
		fmt.Fprintln(q.out)
		q.err = q.ctx.Err()
		return ""
	}
}
