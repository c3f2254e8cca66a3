package main

import (
	"bytes"
	"image/png"
	"runtime"
	"strings"
	"testing"
)

func TestIconsDiffer(t *testing.T) {
	out, in := icon(false), icon(true)
	if bytes.Equal(out, in) {
		t.Error("signed in and signed out have the same icon")
	}
	for _, picture := range [][]byte{out, in} {
		if runtime.GOOS == "windows" {
			picture = picture[22:]
		}
		if img, err := png.Decode(bytes.NewReader(picture)); err != nil || img.Bounds().Dx() != iconSize {
			t.Errorf("an icon is no picture of %d pixels: %v", iconSize, err)
		}
	}
}

func TestLabel(t *testing.T) {
	long := strings.Repeat("é", 500)
	for _, tt := range []struct{ text, want string }{
		{"Sign in…", "Sign in…"},
		{"two\nlines\tand a tab", "two lines and a tab"},
		{"\x1b[31mred\u202eder", "[31mredder"},
		{long, long[:2*120] + "…"},
	} {
		if got := label(tt.text); got != tt.want {
			t.Errorf("label(%q): got %q, want %q", tt.text, got, tt.want)
		}
	}
}
