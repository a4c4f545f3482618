//go:build cgo && unix

package cabi

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/plugin"
)

// example builds a plugin of ../../examples by its Makefile, and loads it.
func example(t *testing.T, folder, handler string) plugin.Handler {
	t.Helper()
	if h, ok := plugin.Lookup(handler); ok {
		return h
	}
	for _, tool := range []string{"make", "gcc", "g++"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s: the examples cannot be built", tool)
		}
	}
	lib := filepath.Join(libraries, folder+".so")
	if out, err := exec.Command("make", "-C", "../../examples/"+folder, "OUT="+lib).CombinedOutput(); err != nil {
		t.Fatalf("make: %v\n%s", err, out)
	}
	if _, err := Load(lib); err != nil {
		t.Fatal(err)
	}
	h, ok := plugin.Lookup(handler)
	if !ok {
		t.Fatalf("the example has no handler %s", handler)
	}
	return h
}

// asking is a call with a query.
type asking struct {
	call
	query map[string]string
}

func (a asking) Query(name string) string { return a.query[name] }

// atChild runs the test in a process of its own, whose plugin has a thread that
// never ends, and reports whether it is that process.
func atChild(t *testing.T) bool {
	t.Helper()
	if os.Getenv(inChild) != "" {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inChild+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Contains(string(out), "--- SKIP") {
		t.Skipf("%s", out)
	}
	return false
}

func TestExampleC(t *testing.T) {
	if !atChild(t) {
		return
	}
	h := example(t, "native-c", "c-babble/generate")
	var sinks []*sink
	for range 5 {
		s := newSink()
		if err := h.Stream(asking{query: map[string]string{"n": "3"}}, s); err != nil {
			t.Fatal(err)
		}
		sinks = append(sinks, s)
	}
	gone := newSink()
	gone.cause = errors.New("gone")
	if err := h.Stream(asking{query: map[string]string{"n": "100000"}}, gone); err != nil {
		t.Fatal(err)
	}
	for _, s := range append(sinks, gone) {
		<-s.Done()
	}
	for _, s := range sinks {
		if text, cause := s.sent(); strings.Count(text, "data: ") != 3 || !strings.HasSuffix(text, "\n\n") || cause != nil {
			t.Errorf("got %q, %v, want three events", text, cause)
		}
	}
	bad := newSink()
	if err := h.Stream(asking{query: map[string]string{"n": "3x"}}, bad); err != nil || bad.status != 400 {
		t.Errorf("n=3x: got %v, %d, want 400", err, bad.status)
	}
	stats, _ := plugin.Lookup("c-babble/stats")
	var r reply
	if err := stats.Unary(call{}, &r); err != nil || !strings.HasPrefix(r.body.String(), `{"streams":0,"ever":`) {
		t.Errorf("got %q, %v, want no streams", r.body.String(), err)
	}
	wantNoneAlive(t)
}

func TestExampleCPP(t *testing.T) {
	h := example(t, "native-cpp", "cpp-chunker/split")
	tests := []struct {
		name, body string
		want       []string
	}{
		{"empty", "", nil},
		{"only space", " \n\t ", nil},
		{"short", "  One. ", []string{"One."}},
		{"sentences", "One sentence. Another one.", []string{"One sentence.", "Another one."}},
		{"paragraphs", "First here\n\nSecond there", []string{"First here", "Second there"}},
		{"words", "one two three four five six", []string{"one two three", "four five six"}},
		{"no space", strings.Repeat("é", 10), []string{strings.Repeat("é", 8), "éé"}},
		{"a character across the cut", "x" + strings.Repeat("é", 9), []string{"x" + strings.Repeat("é", 7), "éé"}},
		{"JSON", "a\"b\\c\x01\nd", []string{"a\"b\\c\x01\nd"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSink()
			if err := h.Stream(asking{call{body: tt.body}, map[string]string{"size": "16"}}, s); err != nil {
				t.Fatal(err)
			}
			var got []string
			for line := range strings.Lines(s.body.String()) {
				var p struct {
					Start, End int
					Text       string
				}
				if err := json.Unmarshal([]byte(line), &p); err != nil {
					t.Fatalf("%q: %v", line, err)
				}
				if cut := tt.body[p.Start:p.End]; cut != p.Text {
					t.Errorf("%d to %d is %q, the passage %q", p.Start, p.End, cut, p.Text)
				}
				got = append(got, p.Text)
			}
			if strings.Join(got, "|") != strings.Join(tt.want, "|") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	junk := newSink() // not UTF-8 at all
	if err := h.Stream(asking{call{body: strings.Repeat("\x80", 100)}, map[string]string{"size": "16"}}, junk); err != nil {
		t.Errorf("junk: %v", err)
	}
	if n := strings.Count(junk.body.String(), "\x80"); n != 100 {
		t.Errorf("junk: got %d of 100 bytes in the passages", n)
	}
	bad := newSink()
	if err := h.Stream(asking{query: map[string]string{"size": "1"}}, bad); err != nil || bad.status != 400 {
		t.Errorf("size=1: got %v, %d, want 400", err, bad.status)
	}
}

// named returns a call whose query has a name.
func named(name string) plugin.Call { return asking{query: map[string]string{"name": name}} }

// said returns what a member was sent, but for the counts, which come by the
// clock.
func (s *websocket) said() []string {
	return slices.DeleteFunc(s.got(), func(m string) bool { return strings.HasSuffix(m, " here") })
}

func TestExampleWebSocket(t *testing.T) {
	if !atChild(t) {
		return
	}
	h := example(t, "native-ws", "c-room/chat")
	join := func(name string) (*websocket, plugin.Receiver) {
		s := newSocket()
		r, err := h.WebSocket(named(name), s)
		if err != nil {
			t.Fatal(err)
		}
		return s, r
	}
	say := func(r plugin.Receiver, kind plugin.MessageKind, text string) {
		t.Helper()
		if err := r.Message(kind, []byte(text)); err != nil {
			t.Error(err)
		}
	}
	ada, fromAda := join("Ada")
	bob, fromBob := join("B\no b" + strings.Repeat("b", 100))
	say(fromAda, plugin.Text, "hello")
	say(fromBob, plugin.Text, "/quit")
	if bob.code != 1000 || bob.reason != "bye" {
		t.Errorf("got %d %q, want 1000", bob.code, bob.reason)
	}
	fromBob.Closed(1000, "bye")
	say(fromAda, plugin.Binary, "x")
	if ada.code != 1003 {
		t.Errorf("a binary message: got %d, want 1003", ada.code)
	}
	const b = "Bobbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	if got, want := ada.said(), []string{"1:* Ada joins", "1:* " + b + " joins", "1:Ada: hello", "1:* " + b + " leaves"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := bob.said(), []string{"1:* " + b + " joins", "1:Ada: hello"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	fromAda.Closed(1003, "")
	eve, fromEve := join("")
	say(fromEve, plugin.Text, strings.Repeat("x", 1001))
	if got := eve.said(); eve.code != 1009 || len(got) != 1 || !strings.HasPrefix(got[0], "1:* guest-") {
		t.Errorf("got %d and %q, want 1009 and a name", eve.code, got)
	}
	fromEve.Closed(1009, "")
	wantNoneAlive(t)
}
