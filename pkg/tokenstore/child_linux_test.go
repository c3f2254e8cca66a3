package tokenstore

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The shared D-Bus connection belongs to a process and keeps the address that it was first made
// with, so each situation has a process of its own: this test binary again, which then reads
// commands from its standard input and answers each with one line, "KIND DETAIL".

const childVar = "TOKENSTORE_CHILD" // its value is "TIMEOUT PROMPT", such as "3s false"

func TestMain(m *testing.M) {
	if options := os.Getenv(childVar); options != "" {
		os.Exit(childMain(options))
	}
	os.Exit(m.Run())
}

func childMain(options string) int {
	var k Keyring
	var timeout string
	fmt.Sscan(options, &timeout, &k.Prompt)
	k.Timeout, _ = time.ParseDuration(timeout)
	var waiting atomic.Int32
	k.Waiting = func() { waiting.Add(1) }
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		args := strings.Fields(in.Text())
		if args[0] == "waiting" {
			fmt.Printf("ok %d\n", waiting.Swap(0))
			continue
		}
		detail, err := childDo(&k, args[0], args[1], append(args[2:], "", ""))
		if err != nil {
			detail = err.Error()
		}
		fmt.Printf("%s %s\n", kind(err), detail)
	}
	return 0
}

// childDo does one command to the entry name.
func childDo(k *Keyring, verb, name string, args []string) (detail string, err error) {
	ctx := context.Background()
	number, _ := strconv.Atoi(args[0])
	switch verb {
	case "get":
		value, err := k.Get(ctx, name)
		return string(value), err
	case "getentry":
		value, err := k.Entries().Get(ctx, name)
		return string(value), err
	case "putentry":
		return "", k.Entries().Put(ctx, name, []byte(args[0]))
	case "put":
		return "", k.Put(ctx, name, []byte(args[0]))
	case "putbytes": // that many, of every value
		return "", k.Put(ctx, name, everyByte(number))
	case "getbytes":
		value, err := k.Get(ctx, name)
		return fmt.Sprint(bytes.Equal(value, everyByte(number))), err
	case "delete":
		return "", k.Delete(ctx, name)
	case "getcancelled": // the caller loses interest after a moment
		ctx, cancel := context.WithCancel(ctx)
		time.AfterFunc(50*time.Millisecond, cancel)
		_, err := k.Get(ctx, name)
		return "", err
	case "getuntil": // the caller loses interest when the file is there
		ctx, cancel := context.WithCancel(ctx)
		go func() {
			for ; ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
				if _, err := os.Stat(args[0]); err == nil {
					cancel()
				}
			}
		}()
		value, err := k.Get(ctx, name)
		cancel()
		return string(value), err
	case "crowd": // so many goroutines put, get and delete
		return "", crowd(ctx, k, name, number)
	case "abandon":
		return "", abandon(k, name)
	case "lock": // and keep it
		_, err := k.Lock(ctx, name)
		return "", err
	case "count": // so many increments of the number in the file, under the lock
		return "", count(ctx, k, name, number, args[1])
	}
	return "", fmt.Errorf("no command %q", verb)
}

func everyByte(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func crowd(ctx context.Context, k *Keyring, name string, n int) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			own := name + strconv.Itoa(i)
			errs[i] = errors.Join(k.Put(ctx, own, []byte(own)), k.Put(ctx, name, []byte(own)))
			if got, err := k.Get(ctx, own); err != nil || string(got) != own {
				errs[i] = fmt.Errorf("got %q, %v, want %q", got, err, own)
			}
			if got, err := k.Get(ctx, name); err != nil || !strings.HasPrefix(string(got), name) {
				errs[i] = fmt.Errorf("got %q, %v, want one that somebody put", got, err)
			}
			errs[i] = errors.Join(errs[i], k.Delete(ctx, own))
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// abandon checks what becomes of a write that was given up, and of those that come after it.
func abandon(k *Keyring, name string) error {
	ctx, cancel := context.WithCancel(context.Background())
	begun, goOn := make(chan struct{}), make(chan struct{})
	var ended, ran atomic.Bool
	go func() { <-begun; cancel() }()
	err := k.write(ctx, name, func(*attempt) error {
		close(begun)
		<-goOn
		ended.Store(true)
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		return fmt.Errorf("first write: got %v, want context.Canceled", err)
	}
	short := &Keyring{Timeout: 300 * time.Millisecond}
	if err := short.write(context.Background(), name, func(*attempt) error { ran.Store(true); return nil }); !errors.Is(err, ErrBroken) {
		return fmt.Errorf("a write behind it: got %v, want ErrBroken", err)
	}
	if err := k.write(context.Background(), name+" other", func(*attempt) error { return nil }); err != nil {
		return fmt.Errorf("a write of another entry: got %v, want nil", err)
	}
	time.AfterFunc(100*time.Millisecond, func() { close(goOn) })
	return k.write(context.Background(), name, func(*attempt) error {
		if !ended.Load() || ran.Load() {
			return fmt.Errorf("the first write had ended: %v, want true; one that was given up while waiting ran: %v, want false", ended.Load(), ran.Load())
		}
		return nil
	})
}

func count(ctx context.Context, k *Keyring, name string, n int, file string) error {
	for range n {
		release, err := k.Lock(ctx, name)
		if err != nil {
			return err
		}
		b, _ := os.ReadFile(file)
		old, _ := strconv.Atoi(string(b))
		err = os.WriteFile(file, []byte(strconv.Itoa(old+1)), 0o600)
		release()
		if err != nil {
			return err
		}
	}
	return nil
}

// child is such a process.
type child struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	log bytes.Buffer
}

func startChild(t *testing.T, env []string, options string) *child {
	t.Helper()
	c := &child{t: t, cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(append([]string{}, env...), childVar+"="+options)
	c.cmd.Stderr = &c.log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.in, c.out = in, bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		c.cmd.Process.Kill()
		c.cmd.Wait()
		if c.log.Len() > 0 {
			t.Errorf("got %q on standard error, want a library to be quiet", c.log.String())
		}
	})
	return c
}

// ask has the child do a command. An answer that takes a long time is a hang.
func (c *child) ask(command string, args ...any) (kind, detail string) {
	c.t.Helper()
	fmt.Fprintf(c.in, command+"\n", args...)
	lines := make(chan string, 1)
	go func() {
		line, _ := c.out.ReadString('\n')
		lines <- strings.TrimSuffix(line, "\n")
	}()
	select {
	case line := <-lines:
		kind, detail, _ = strings.Cut(line, " ")
		return kind, detail
	case <-time.After(30 * time.Second):
		return "hangs", ""
	}
}

func (c *child) want(kind, command string, args ...any) (detail string) {
	c.t.Helper()
	got, detail := c.ask(command, args...)
	if got != kind {
		c.t.Errorf("%s: got %s %s, want %s", fmt.Sprintf(command, args...), got, detail, kind)
	}
	return detail
}
