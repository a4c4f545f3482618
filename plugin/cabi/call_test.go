//go:build cgo && unix

package cabi

import (
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"weir/plugin"
)

func TestUnary(t *testing.T) {
	var r reply
	if err := find(t, "unary/echo").Unary(call{body: "text\x00\xff"}, &r); err != nil {
		t.Fatal(err)
	}
	const want = "[POST][/x/7][][text\x00\xff][value of id][query q][X-TestX-Test][]"
	if got := r.body.String(); got != want || r.status != 201 || !slices.Equal(r.fields, []string{"X-Kind: native"}) {
		t.Errorf("got %q, %d, %q, want %q, 201 and the field", got, r.status, r.fields, want)
	}
	wantNoneAlive(t)
}

func TestUnaryErrors(t *testing.T) {
	tests := []struct {
		name, handler, body string
		want                error
		text                string
	}{
		{"a code of its own", "unary/fail", "x", nil, "cabi: handler unary/fail returned 7"},
		{"the reply's error comes back", "unary/fail", "", os.ErrProcessDone, ""},
		{"aborted with a reason, though WEIR_OK", "unary/abort", "", errAborted, `"out of luck"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := find(t, tt.handler).Unary(call{body: tt.body}, &reply{room: 6})
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v, want %v %s", err, tt.want, tt.text)
			}
			wantNoneAlive(t)
		})
	}
}

// Stream functions, NULL, lengths, statuses and handles that never were: each has its code, and the answer goes on.
func TestMisuse(t *testing.T) {
	var r reply
	if err := find(t, "unary/misuse").Unary(call{}, &r); err != nil {
		t.Fatal(err)
	}
	const want = "-7 -7 -7 -7 -5 -5 0 -5 -5 -5 -5 -5 -6 0 -1 -1 -1 -1 "
	if got := r.body.String(); got != want || r.status != 0 || r.fields != nil {
		t.Errorf("got %q, %d, %q, want %q and the head untouched", got, r.status, r.fields, want)
	}
}

func TestStream(t *testing.T) {
	gone := errors.New("gone")
	tests := []struct {
		name, handler, body string
		cause               error // of the sink from the start
		want                string
		err                 error
		text                string
	}{
		{name: "tokens", handler: "stream/count", body: "3", want: "1\n2\n3\n"},
		{name: "no tokens", handler: "stream/count", body: "0"},
		{name: "try_send, close and what comes after it", handler: "stream/polite", want: "a"},
		{name: "the cause comes back", handler: "stream/count", body: "3", cause: gone, err: gone},
		{name: "a code of its own", handler: "stream/fail", want: "part", text: "cabi: handler stream/fail returned 7"},
		{name: "aborted", handler: "stream/abort"},
		{name: "a batch", handler: "stream/batch", want: "one two"},
		{name: "four threads", handler: "thread/crowd", want: strings.Repeat("x", 4000)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSink()
			s.cause = tt.cause
			err := find(t, tt.handler).Stream(call{body: tt.body}, s)
			if !errors.Is(err, tt.err) && tt.text == "" || tt.text != "" && (err == nil || err.Error() != tt.text) {
				t.Errorf("got error %v, want %v %s", err, tt.err, tt.text)
			}
			if got := s.body.String(); got != tt.want {
				t.Errorf("got %.100q, want %.100q", got, tt.want)
			}
			wantNoneAlive(t)
		})
	}
}

func TestAbortReason(t *testing.T) {
	s := newSink()
	if err := find(t, "stream/abort").Stream(call{}, s); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(s.cause, errAborted) || strings.Count(s.cause.Error(), "x") != maxReason {
		t.Errorf("got the cause %.80v, want the first %d bytes of the reason", s.cause, maxReason)
	}
}

// After detach the handler returns at once; a thread of the plugin's feeds and ends the stream, and uses it once more.
func TestDetach(t *testing.T) {
	for _, tokens := range []string{"0", "1", "1000"} {
		s := newSink()
		if err := find(t, "thread/detached").Stream(call{body: tokens}, s); err != nil {
			t.Fatal(err)
		}
		if !s.detached {
			t.Error("the sink was not detached")
		}
		<-s.Done()
		if n, _ := s.sent(); strings.Count(n, "tok ") != len(n)/4 || strings.Contains(n, "LATE") {
			t.Errorf("%s tokens: got %.100q", tokens, n)
		}
	}
	wantNoneAlive(t)
}

func TestDetachAndAbort(t *testing.T) {
	s := newSink()
	if err := find(t, "thread/detached-abort").Stream(call{body: "2"}, s); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	if text, cause := s.sent(); text != "tok tok " || !errors.Is(cause, errAborted) || !strings.Contains(cause.Error(), "fell over") {
		t.Errorf("got %q, %v, want two tokens and the reason", text, cause)
	}
	wantNoneAlive(t)
}

// A handler that detaches and then fails leaves nobody to end the stream.
func TestDetachAndFail(t *testing.T) {
	s := newSink()
	if err := find(t, "thread/changed-mind").Stream(call{}, s); err != nil {
		t.Errorf("got %v, want nil: the stream has the error", err)
	}
	if _, cause := s.sent(); cause == nil || !strings.Contains(cause.Error(), "returned 5") {
		t.Errorf("got the cause %v, want the code", cause)
	}
	wantNoneAlive(t)
}

// Late use is an error, also while another call has the slot.
func TestLateUse(t *testing.T) {
	keep, late := newSink(), newSink()
	if err := find(t, "stream/keep").Stream(call{}, keep); err != nil {
		t.Fatal(err)
	}
	if err := find(t, "stream/late").Stream(call{}, late); err != nil {
		t.Errorf("got %v, want WEIR_EHANDLE from every function", err)
	}
	if k, l := keep.body.String(), late.body.String(); k != "kept" || l != "mine" {
		t.Errorf("got %q and %q, want each stream's own bytes", k, l)
	}
}

// A handler that asks in its loop learns in the same turn that nobody listens.
func TestCancellation(t *testing.T) {
	s := newSink()
	returned := make(chan error)
	go func() { returned <- find(t, "stream/spin").Stream(call{}, s) }()
	gone := errors.New("gone")
	s.mu.Lock()
	s.cause = gone
	s.mu.Unlock()
	if err := <-returned; !errors.Is(err, gone) {
		t.Errorf("got %v, want the cause", err)
	}
	if s.asked > 1 {
		t.Errorf("the handler was told %d times, want it to stop the first time", s.asked)
	}
}

// A panic on the server's side of a callback goes up through C, and the handle is over.
func TestPanicInCallback(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("got no panic")
		}
		wantNoneAlive(t)
	}()
	find(t, "unary/echo").Unary(struct{ plugin.Call }{call{}}, panicking{})
}

type panicking struct{ plugin.Reply }

// Many calls of all kinds at a time: each gets its own bytes, and no handle is left.
func TestManyAtATime(t *testing.T) {
	count, tiny, detached := find(t, "stream/count"), find(t, "unary/tiny"), find(t, "thread/detached")
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 50 {
				s, r, d := newSink(), new(reply), newSink()
				if err := errors.Join(count.Stream(call{body: "5"}, s), tiny.Unary(call{}, r), detached.Stream(call{body: "5"}, d)); err != nil {
					t.Error(err)
				}
				<-d.Done()
				text, _ := d.sent()
				if got := s.body.String() + r.body.String() + text; got != "1\n2\n3\n4\n5\nok"+strings.Repeat("tok ", 5) {
					t.Errorf("got %q", got)
				}
			}
		})
	}
	wg.Wait()
	wantNoneAlive(t)
}

// sent is what the sink got, and its cause.
func (s *sink) sent() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.body.String(), s.cause
}

func wantNoneAlive(t *testing.T) {
	t.Helper()
	if n := calls.alive(); n != 0 {
		t.Errorf("%d handles are alive, want none", n)
	}
}
