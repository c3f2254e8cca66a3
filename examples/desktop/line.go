package main

import (
	"context"
	"runtime"
	"strings"
	"unicode"

	"fyne.io/systray"
)

// line is a line of the menu. Only the goroutine that owns the menu uses it, forward apart.
type line struct {
	item  *systray.MenuItem
	title string
	off   bool // it cannot be chosen
}

func newLine(title string) *line {
	l := &line{item: systray.AddMenuItem(label(title), ""), title: title, off: true}
	l.item.Disable()
	if title == "" {
		l.item.Hide()
	}
	return l
}

// set changes what has changed: for each call the desktop draws the menu again.
func (l *line) set(title string, on bool) {
	if l.off == on {
		l.off = !on
		if on {
			l.item.Enable()
		} else {
			l.item.Disable()
		}
	}
	if l.title == title {
		return
	}
	l.title = title
	if title == "" {
		l.item.Hide()
		return
	}
	l.item.SetTitle(label(title))
	l.item.Show()
}

// forward passes clicks on. systray drops those that nobody waits for.
func (l *line) forward(ctx context.Context, to chan<- *line) {
	for {
		select {
		case <-l.item.ClickedCh:
		case <-ctx.Done():
			return
		}
		select {
		case to <- l:
		case <-ctx.Done():
			return
		}
	}
}

// label is a text as a menu takes it: one line of bearable length, in which nothing is taken for the
// mark of a shortcut. Names come from a token, so they may hold anything.
func label(text string) string {
	const most = 120
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r): // controls, and what turns the direction of writing round
			return -1
		}
		return r
	}, text)
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	switch runtime.GOOS {
	case "windows":
		return strings.ReplaceAll(text, "&", "&&")
	case "darwin":
		return text
	}
	return strings.ReplaceAll(text, "_", "__") // com.canonical.dbusmenu, property label
}
