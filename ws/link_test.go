package ws

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/reactor"
)

// A played is a link that notes what a connection does to it. It always has room.
type played struct {
	at     *reactor.Loop
	saying func() // called by sendLast, before it does anything

	mu  sync.Mutex
	log []string
}

func (l *played) note(format string, args ...any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log = append(l.log, fmt.Sprintf(format, args...))
	return nil
}

func (l *played) notes() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.log)
}

func (l *played) trySend(first byte, payload []byte) error { return l.note("%#x %s", first, payload) }
func (l *played) sendLast(first byte, payload []byte) error {
	if l.saying != nil {
		l.saying()
	}
	return l.note("%#x %x", first, payload)
}

func (l *played) end()              { _ = l.note("end") }             // it returns nil
func (l *played) abort(cause error) { _ = l.note("abort %v", cause) } // it returns nil
func (l *played) crash(value any)   { _ = l.note("crash %v", value) } // it returns nil

func (l *played) trySendBatch(*weir.Batch, []byte) error { return nil }
func (l *played) room() <-chan struct{}                  { return nil }
func (l *played) behind() bool                           { return false }
func (l *played) pause()                                 {}
func (l *played) resume()                                {}
func (l *played) keep(int64) bool                        { return true }
func (l *played) done() <-chan struct{}                  { return nil }
func (l *played) cause() error                           { return nil }
func (l *played) loop() *reactor.Loop                    { return l.at }
func (l *played) drain() (time.Time, bool)               { return time.Time{}, false }

// onPlayed returns a server's connection on such a link.
func (q *quay) onPlayed(o Options, m mode, h Handler) (*played, *receiver) {
	q.Helper()
	set, err := o.settle()
	if err != nil {
		q.Fatal(err)
	}
	l := &played{at: q.loop()}
	c := &Conn{link: l, set: set, mode: m, handler: h, dec: decoder{masked: true, deflate: o.Deflate, limit: set.MaxMessage}}
	if m == reading {
		c.queue.ready = make(chan struct{}, 1)
	}
	q.do(func() { c.startChores() })
	return l, (*receiver)(c)
}

var testMask = [4]byte{1, 2, 3, 4}

// W5, W15: if both sides close at once, the peer gets this side's Close whichever comes first, and the end behind it.
func TestBothClose(t *testing.T) {
	for _, m := range []mode{inline, working, reading} {
		for name, theirs := range map[string][]byte{
			"Close":     appendMasked(nil, finBit|8, appendClose(nil, 1000, ""), testMask),
			"a failure": appendMasked(nil, finBit|7, nil, testMask),
		} {
			atQuay(t, func(q *quay) {
				l, r := q.onPlayed(Options{}, m, OnMessage(func(*Conn, Kind, []byte) {}))
				l.saying = func() { q.do(func() { r.Data(bytes.Clone(theirs)) }) }
				if err := (*Conn)(r).Close(4000, ""); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				if got := l.notes(); !slices.Equal(got, []string{"0x88 0fa0", "end"}) {
					t.Errorf("mode %d, %s: got %q, want this side's Close, then the end", m, name, got)
				}
				if err := (*Conn)(r).Err(); CodeOf(err) != 4000 {
					t.Errorf("mode %d, %s: got %v", m, name, err)
				}
			})
		}
	}
}

// W9: what an inline connection inflates on its loop in a turn is bounded, whatever the messages are.
func TestInflateOnTheLoop(t *testing.T) {
	nothing := strings.Repeat("\x00\x00\x00\xff\xff", 1<<10) // blocks without content
	zeros := string(appendDeflated(nil, make([]byte, inflateShare), maxWindow))
	hello := string(appendDeflated(nil, []byte("hello"), maxWindow))
	for _, tt := range []struct {
		name     string
		messages []string
		size     int // of each
		most     int // of them in the turn in which they come
	}{
		{"short", slices.Repeat([]string{hello}, 5), 5, 5},
		{"many short ones", slices.Repeat([]string{hello}, 1000), 5, inflateShare / inflateCost / len(hello)},
		{"large ones", slices.Repeat([]string{zeros}, 20), inflateShare, 2},
		{"blocks without content", []string{nothing + hello}, 5, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			atQuay(t, func(q *quay) {
				got, turn := 0, 0
				_, r := q.onPlayed(Options{Deflate: true}, inline, OnMessage(func(_ *Conn, _ Kind, p []byte) {
					if got++; len(p) != tt.size {
						t.Errorf("got a message of %d bytes, want %d", len(p), tt.size)
					}
				}))
				var in []byte
				for _, p := range tt.messages {
					in = appendMasked(in, finBit|rsv1Bit|2, []byte(p), testMask)
				}
				q.do(func() {
					r.Data(in)
					turn = got
				})
				if turn > tt.most+1 || got != len(tt.messages) {
					t.Errorf("got %d messages in their turn, and %d in all, want at most %d, and %d", turn, got, tt.most, len(tt.messages))
				}
			})
		})
	}
}

// W15: a reason is sent as UTF-8 and fits, whatever it was.
func TestCloseReason(t *testing.T) {
	for reason, want := range map[string]string{
		"":                              "",
		"gone":                          "gone",
		"a\xffb":                        "a\ufffdb",
		strings.Repeat("x", 123):        strings.Repeat("x", 123),
		strings.Repeat("x", 124):        strings.Repeat("x", 123),
		strings.Repeat("é", 100):        strings.Repeat("é", 61),
		strings.Repeat("\xff", 100):     strings.Repeat("\ufffd", 41),
		strings.Repeat("x", 120) + "🎈x": strings.Repeat("x", 120),
	} {
		e, err := parseClose(appendClose(nil, Normal, reason))
		if err != nil || e.Code != Normal || e.Reason != want {
			t.Errorf("%q: got %+v and %v, want %q", reason, e, err, want)
		}
	}
	if p := appendClose(nil, NoStatus, "unsaid"); len(p) != 0 {
		t.Errorf("got %q, want nothing", p)
	}
}
