package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
)

// tool is a set of commands for the clipboard. The text goes through standard input: everybody on the
// machine can read the arguments of a program.
type tool struct {
	display            string // variable that says whether there is something to work on; "" if there always is
	copy, paste, clear []string
}

var tools = map[string][]tool{
	"darwin":  {{"", words("pbcopy"), words("pbpaste"), words("pbcopy")}},
	"windows": {{"", words("clip"), words("powershell -NoProfile -NonInteractive -Command Get-Clipboard"), words("clip")}},
}

// unixTools are those of the other systems. On Wayland an X11 program's clipboard may go unseen, so
// wl-copy comes first, although it keeps what it was given in a file of its own, which only this user can
// read, until something else is in the clipboard.
var unixTools = []tool{
	{"WAYLAND_DISPLAY", words("wl-copy"), words("wl-paste --no-newline"), words("wl-copy --clear")},
	{"DISPLAY", words("xclip -selection clipboard -in"), words("xclip -selection clipboard -out"), words("xclip -selection clipboard -in")},
	{"DISPLAY", words("xsel --clipboard --input"), words("xsel --clipboard --output"), words("xsel --clipboard --clear")},
}

func words(command string) []string { return strings.Fields(command) }

var errNoTool = errors.New("no clipboard program: install wl-clipboard, xclip or xsel")

// patience is how long a tool may take: one whose display hangs never ends.
const patience = 5 * time.Second

// clipboard is the system's. What has seen it meanwhile, such as a program that keeps its history, is
// beyond reach.
type clipboard struct{ puts atomic.Int64 }

// put replaces what is in the clipboard. The function that it returns takes text out again, if it is
// still there, when d has passed or over is closed, unless there was another put.
func (c *clipboard) put(ctx context.Context, text string) (release func(d time.Duration, over <-chan struct{}), err error) {
	t, err := findTool()
	if err != nil {
		return nil, err
	}
	mine := c.puts.Add(1)
	if err := give(ctx, t.copy, text); err != nil {
		return nil, err
	}
	return func(d time.Duration, over <-chan struct{}) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-over:
		}
		if c.puts.Load() != mine {
			return
		}
		there, err := take(t.paste)
		if err == nil && strings.TrimSpace(there) == text {
			err = give(context.Background(), t.clear, "")
		}
		if err != nil {
			slog.Warn("the clipboard may still hold the token: " + err.Error())
		}
	}, nil
}

// findTool returns the first that is installed and has something to work on.
func findTool() (tool, error) {
	list, ok := tools[runtime.GOOS]
	if !ok {
		list = unixTools
	}
	for _, t := range list {
		if t.display != "" && os.Getenv(t.display) == "" {
			continue
		}
		_, copyErr := exec.LookPath(t.copy[0])
		_, pasteErr := exec.LookPath(t.paste[0])
		if copyErr == nil && pasteErr == nil {
			return t, nil
		}
	}
	return tool{}, errNoTool
}

// give runs a command that reads text. On Unix it leaves a process behind, which hands the text out for
// as long as it is in the clipboard; so there must be no pipe to it whose end Run would wait for.
func give(ctx context.Context, command []string, text string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	_, writeErr := io.WriteString(in, text)
	in.Close()
	if err := errors.Join(cmd.Wait(), writeErr); err != nil {
		return fmt.Errorf("%s: %w", command[0], err)
	}
	return nil
}

// take runs a command that prints what is in the clipboard.
func take(command []string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, command[0], command[1:]...).Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", command[0], err)
	}
	return string(out), nil
}
