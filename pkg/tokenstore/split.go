package tokenstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cogauth/cogauth/internal/turns"
)

// How a value of any size is kept in small entries, so that a crash at any instant leaves the old value
// or the new one, and nothing that the next Put or Delete does not find and remove:
//
//   - There are two slots, and one of them is empty at rest. A new value goes into the empty one, with
//     the next generation; then the other one is emptied. No entry is ever overwritten: KeePassXC asks
//     the person before it does that, and gnome-keyring has been seen to abort.
//   - A slot is one or more entries. The first begins with a line that tells the generation, the number
//     of entries, and the length and a checksum of the whole. It is written first and deleted last, so
//     that whatever is left behind can be found; the checksum tells a whole value from a torn one.
//   - A reader takes the whole value of the highest generation. It takes no lock unless it finds none.
//   - An entry is one line of printable ASCII without a backslash, and begins with no space. KWallet
//     keeps text only, and gnome-keyring writes a collection without a password to its file as it is:
//     a newline in one entry makes it lose all that the person has there.

// Split keeps values of any size in the entries of a store that holds small ones only, such as a
// keychain, and replaces them without overwriting. Keyring does this by itself. It must not be copied,
// and its fields must not be changed while it is in use.
//
// If Entries implements Locker, any number of processes may use it at once, and so may they Split.
type Split struct {
	// Entries holds the pieces. It should refuse nothing of Limit bytes that is printable ASCII:
	// nothing else is put into it, and no backslash.
	Entries Store
	// Limit is the most bytes that an entry can hold. Zero means that there is no limit. Less than
	// 128 counts as 128.
	Limit int

	writing turns.Turns // stands in for a Locker
}

var (
	_ Store    = (*Split)(nil)
	_ Locker   = (*Split)(nil)
	_ Preparer = (*Split)(nil)
)

// Get implements Store. Errors: ErrNotFound, those of Entries.
func (s *Split) Get(ctx context.Context, name string) ([]byte, error) {
	best, _, err := s.read(ctx, name)
	if err == nil && !best.whole {
		// Nothing is there, or somebody is at it, or was when a crash came. When nobody is, we know.
		var release func()
		if release, err = s.turn(ctx, name); err == nil {
			best, _, err = s.read(ctx, name)
			release()
		}
	}
	switch {
	case err != nil:
		return nil, err
	case !best.whole:
		return nil, ErrNotFound
	}
	return best.value, nil
}

// Put implements Store. A value that is kept already is not written again. What was written is read
// back: a store that did not keep it is ErrBroken. Errors: those of Entries.
func (s *Split) Put(ctx context.Context, name string, value []byte) error {
	put, release, err := s.Prepare(ctx, name)
	if err != nil {
		return err
	}
	defer release()
	return put(ctx, value)
}

// Prepare implements Preparer. Other Puts and Deletes of the name wait until release.
func (s *Split) Prepare(ctx context.Context, name string) (put func(context.Context, []byte) error, release func(), err error) {
	done, err := s.turn(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	current, target, err := s.read(ctx, name)
	if err == nil && !current.whole { // then nothing is lost by emptying both
		err = s.empty(ctx, target)
		current, target = target.emptied(), current
	}
	if err == nil {
		err = s.empty(ctx, target)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	target.entries = 0
	put = func(ctx context.Context, value []byte) error {
		if current.whole && bytes.Equal(current.value, value) {
			return nil
		}
		if err := s.fill(ctx, &target, current.generation+1, value); err != nil {
			return err
		}
		// The new value is the one that is read from here on, whatever becomes of the old one.
		_ = s.empty(ctx, current)
		current, target = target, current.emptied()
		return nil
	}
	return put, done, nil
}

// creator writes an entry that has just been found absent, and looks no more. In a refresh it stands between
// the server's answer and its safety.
type creator interface {
	create(ctx context.Context, name string, value []byte) error
}

// fill writes a value into a slot that is empty but for what an earlier try has left.
func (s *Split) fill(ctx context.Context, target *slot, generation uint64, value []byte) error {
	pieces := s.cut(generation, value)
	if len(pieces) > maxPieces {
		return fmt.Errorf("%w: %d bytes", ErrTooLarge, len(value))
	}
	if err := s.empty(ctx, *target); err != nil {
		return err
	}
	put := s.Entries.Put
	if c, ok := s.Entries.(creator); ok {
		put = c.create
	}
	for i, piece := range pieces {
		target.entries = i + 1
		if err := put(ctx, target.entry(i), piece); err != nil {
			if errors.Is(err, ErrTooLarge) { // the store is well; other leftovers are for the next Put
				_ = s.empty(ctx, *target)
			}
			return err
		}
	}
	stored, err := s.slot(ctx, target.emptied(), true)
	if err != nil {
		return err
	}
	if !stored.whole || stored.generation != generation || !bytes.Equal(stored.value, value) {
		return fmt.Errorf("%w: it did not keep what was stored", ErrBroken)
	}
	*target = stored
	return nil
}

// Delete implements Store. Errors: those of Entries.
func (s *Split) Delete(ctx context.Context, name string) error {
	release, err := s.turn(ctx, name)
	if err != nil {
		return err
	}
	defer release()
	var slots [2]slot
	for i, place := range slotsOf(name) {
		if slots[i], err = s.slot(ctx, place, false); err != nil {
			return err
		}
	}
	if slots[0].generation > slots[1].generation {
		slots[0], slots[1] = slots[1], slots[0]
	}
	// The newest goes last, or a crash in between would bring an older value back.
	if err := s.empty(ctx, slots[0]); err != nil {
		return err
	}
	return s.empty(ctx, slots[1])
}

// Lock implements Locker with that of Entries, or else among the goroutines that share s.
func (s *Split) Lock(ctx context.Context, name string) (release func(), err error) {
	if l, ok := s.Entries.(Locker); ok {
		return l.Lock(ctx, name)
	}
	release, err = s.writing.Take(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("wait for the lock: %w", err)
	}
	return release, nil
}

// turn is Lock under a name of its own: callers of Put may hold the lock of the value's name.
func (s *Split) turn(ctx context.Context, name string) (release func(), err error) {
	return s.Lock(ctx, "write:"+name)
}

// slot is what one of the two places holds.
type slot struct {
	first      string // name of its first entry
	second     bool   // which of the two it is
	entries    int    // how many it has or had; 0 if it is empty
	generation uint64
	whole      bool
	value      []byte // if whole
}

// emptied is the same place without anything in it.
func (s slot) emptied() slot { return slot{first: s.first, second: s.second} }

// entry is the name of the i-th entry, from 0.
func (s slot) entry(i int) string {
	switch {
	case i == 0:
		return s.first
	case s.second:
		return s.first + strconv.Itoa(i+1)
	}
	return s.first + "~" + strconv.Itoa(i+1)
}

// slotsOf are both slots, as if they were empty. A tilde in the name is doubled, so that no two names
// meet in one entry.
func slotsOf(name string) [2]slot {
	name = strings.ReplaceAll(name, "~", "~~")
	return [2]slot{{first: name}, {first: name + "~b", second: true}}
}

// read returns the slot that counts, whole if there is a value at all, and the other one.
func (s *Split) read(ctx context.Context, name string) (current, other slot, err error) {
	places := slotsOf(name)
	if current, err = s.slot(ctx, places[0], true); err != nil {
		return slot{}, slot{}, err
	}
	if other, err = s.slot(ctx, places[1], true); err != nil {
		return slot{}, slot{}, err
	}
	if other.whole && (!current.whole || other.generation > current.generation) {
		current, other = other, current
	}
	return current, other, nil
}

// slot reads one slot; without its value, only what is needed to empty it.
func (s *Split) slot(ctx context.Context, sl slot, value bool) (slot, error) {
	head, err := s.Entries.Get(ctx, sl.first)
	if errors.Is(err, ErrNotFound) {
		return sl, nil
	}
	if err != nil {
		return sl, err
	}
	sl.entries = 1
	h, rest, ok := parseHeader(head)
	if !ok {
		// Not ours: a value that was put there in one piece, by an earlier version or another program.
		sl.whole, sl.value = !sl.second, head
		return sl, nil
	}
	sl.entries, sl.generation = h.entries, h.generation
	if !value {
		return sl, nil
	}
	for i := 1; i < h.entries; i++ {
		piece, err := s.Entries.Get(ctx, sl.entry(i))
		if errors.Is(err, ErrNotFound) {
			return sl, nil
		}
		if err != nil {
			return sl, err
		}
		rest = append(rest, piece...)
	}
	sl.value, sl.whole = h.decode(rest)
	return sl, nil
}

// empty deletes the entries of a slot, the one that tells of the others last.
func (s *Split) empty(ctx context.Context, sl slot) error {
	for i := sl.entries - 1; i >= 0; i-- {
		if err := s.Entries.Delete(ctx, sl.entry(i)); err != nil {
			return err
		}
	}
	return nil
}

const (
	splitMagic  = "cogauth:1"
	maxPieces   = 10000
	leastLimit  = 128 // the header takes less than 100
	checksumLen = 16
)

// header begins a slot: "cogauth:1 GENERATION ENTRIES LENGTH CHECKSUM ENCODING ". The value follows.
type header struct {
	generation uint64
	entries    int
	length     int // of the value, in bytes
	checksum   string
	base64     bool
}

func checksum(value []byte) string {
	sum := sha256.Sum256(value)
	return hex.EncodeToString(sum[:checksumLen])
}

func (h header) String() string {
	encoding := "text"
	if h.base64 {
		encoding = "base64"
	}
	return fmt.Sprintf("%s %d %d %d %s %s ", splitMagic, h.generation, h.entries, h.length, h.checksum, encoding)
}

func parseHeader(b []byte) (h header, rest []byte, ok bool) {
	f := strings.SplitN(string(b), " ", 7)
	if len(f) != 7 || f[0] != splitMagic || f[5] != "text" && f[5] != "base64" {
		return header{}, nil, false
	}
	var errs [3]error
	h.generation, errs[0] = strconv.ParseUint(f[1], 10, 64)
	h.entries, errs[1] = strconv.Atoi(f[2])
	h.length, errs[2] = strconv.Atoi(f[3])
	h.checksum, h.base64 = f[4], f[5] == "base64"
	if errors.Join(errs[:]...) != nil || h.entries < 1 || h.entries > maxPieces {
		return header{}, nil, false
	}
	return h, []byte(f[6]), true
}

// decode returns the value if b is all of it.
func (h header) decode(b []byte) (value []byte, whole bool) {
	if h.base64 {
		var err error
		if b, err = base64.StdEncoding.DecodeString(string(b)); err != nil {
			return nil, false
		}
	}
	return b, len(b) == h.length && checksum(b) == h.checksum
}

// cut makes the entries of a slot.
func (s *Split) cut(generation uint64, value []byte) [][]byte {
	h := header{generation: generation, entries: 1, length: len(value), checksum: checksum(value)}
	if !bytes.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' || r == '\\' }) {
		pieces := s.pieces(h, value)
		if !slices.ContainsFunc(pieces, func(piece []byte) bool { return piece[0] == ' ' }) {
			return pieces
		}
	}
	h.base64 = true
	return s.pieces(h, []byte(base64.StdEncoding.EncodeToString(value)))
}

// pieces are the header and body, each within the limit.
func (s *Split) pieces(h header, body []byte) [][]byte {
	if s.Limit <= 0 {
		return [][]byte{append([]byte(h.String()), body...)}
	}
	limit := max(s.Limit, leastLimit)
	// The header tells the number of entries, and its length depends on it by a digit or two.
	for n := 0; n != h.entries; {
		if n != 0 {
			h.entries = n
		}
		n = 1 + (max(len(body)-(limit-len(h.String())), 0)+limit-1)/limit
	}
	first := min(limit-len(h.String()), len(body))
	pieces := [][]byte{append([]byte(h.String()), body[:first]...)}
	for body = body[first:]; len(body) > 0; {
		n := min(limit, len(body))
		pieces = append(pieces, bytes.Clone(body[:n]))
		body = body[n:]
	}
	return pieces
}
