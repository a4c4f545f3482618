package plugin

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

func unary(Call, Reply) error { return nil }
func stream(Call, Sink) error { return nil }

func webSocket(Call, Socket) (Receiver, error) { return nil, nil }

func TestRegister(t *testing.T) {
	var r registry
	if names := r.names(); len(names) != 0 {
		t.Errorf("names of an empty registry: got %q, want none", names)
	}
	for _, name := range []string{"demo/babble", "a/b-c.d_e", "echo", "Demo/babble", "x", "1/2/3", strings.Repeat("n", maxName)} {
		if err := r.register("a.go:1", Named{name, Handler{Stream: stream, Doc: name}}); err != nil {
			t.Fatal(err)
		}
		h, ok := r.lookup(name)
		if !ok || h.Stream == nil || h.Unary != nil || h.Doc != name || h.Limit != DefaultLimit {
			t.Errorf("%q: got %+v, %v, want the handler with the limit %d", name, h, ok, DefaultLimit)
		}
	}
	if err := r.register("a.go:2", Named{"limited", Handler{Unary: unary, Limit: 3}}); err != nil {
		t.Fatal(err)
	}
	if h, _ := r.lookup("limited"); h.Limit != 3 || h.Unary == nil {
		t.Errorf("got %+v, want the limit 3", h)
	}
	if h, ok := r.lookup("demo"); ok || h.Stream != nil {
		t.Errorf("a name that is not there: got %+v, want none", h)
	}
	names := r.names()
	if !slices.IsSorted(names) || len(names) != 8 || !slices.Contains(names, "demo/babble") {
		t.Errorf("got %q, want the 8 names, sorted", names)
	}
	names[0] = "changed"
	if slices.Contains(r.names(), "changed") {
		t.Error("the slice of names is not the caller's own")
	}
}

func TestRefusedNames(t *testing.T) {
	tests := []struct{ name, want string }{
		{"", "empty name"},
		{"/", "empty segment"},
		{"/a", "empty segment"},
		{"a/", "empty segment"},
		{"a//b", "empty segment"},
		{"..", "begin and end"},
		{"a/../b", "begin and end"},
		{"-a", "begin and end"},
		{"a/b-", "begin and end"},
		{"_a", "begin and end"},
		{"a b", "only letters"},
		{"a\n", "only letters"},
		{"a\x00", "only letters"},
		{"é", "only letters"},
		{"a/{b}", "only letters"},
		{"a:b", "only letters"},
		{`a\b`, "only letters"},
		{strings.Repeat("n", maxName+1), "at most 128"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r registry
			wantError(t, r.register("a.go:7", Named{tt.name, Handler{Unary: unary}}), "plugin: ", "a.go:7", tt.want)
			if _, ok := r.lookup(tt.name); ok {
				t.Error("the refused handler can be looked up")
			}
		})
	}
}

func TestRefusedHandlers(t *testing.T) {
	tests := []struct {
		name string
		h    Handler
		want string
	}{
		{"neither", Handler{Doc: "nothing"}, "neither Unary nor Stream"},
		{"both", Handler{Unary: unary, Stream: stream}, "more than one of"},
		{"a stream and a WebSocket", Handler{Stream: stream, WebSocket: webSocket}, "more than one of"},
		{"negative limit", Handler{Unary: unary, Limit: -1}, "limit -1"},
		{"subprotocols without a WebSocket", Handler{Stream: stream, Subprotocols: []string{"chat"}}, "for a WebSocket"},
		{"an empty subprotocol", Handler{WebSocket: webSocket, Subprotocols: []string{"chat", ""}}, `subprotocol ""`},
		{"a subprotocol that is not a token", Handler{WebSocket: webSocket, Subprotocols: []string{"chat, v2"}}, `subprotocol "chat, v2"`},
		{"a subprotocol twice", Handler{WebSocket: webSocket, Subprotocols: []string{"chat", "v2", "chat"}}, "different tokens"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r registry
			wantError(t, r.register("a.go:7", Named{"a/b", tt.h}), `"a/b"`, "a.go:7", tt.want)
		})
	}
}

// What is registered does not change with the caller's slice.
func TestSubprotocolsAreCopied(t *testing.T) {
	var r registry
	list := []string{"chat", "v2"}
	if err := r.register("a.go:7", Named{"a/b", Handler{WebSocket: webSocket, Subprotocols: list}}); err != nil {
		t.Fatal(err)
	}
	list[0] = "not a token"
	if h, _ := r.lookup("a/b"); !slices.Equal(h.Subprotocols, []string{"chat", "v2"}) {
		t.Errorf("got %q, want those of the registration", h.Subprotocols)
	}
}

func TestTakenName(t *testing.T) {
	var r registry
	if err := r.register("first.go:1", Named{"a/b", Handler{Unary: unary}}); err != nil {
		t.Fatal(err)
	}
	wantError(t, r.register("second.go:2", Named{"a/b", Handler{Stream: stream}}), `"a/b"`, "first.go:1", "second.go:2")
	if h, _ := r.lookup("a/b"); h.Unary == nil {
		t.Error("the first registration was replaced")
	}
}

// A list is registered whole or not at all, whatever is wrong and wherever in it that stands.
func TestRegisterList(t *testing.T) {
	good := []Named{{"l/a", Handler{Unary: unary}}, {"l/b", Handler{Stream: stream, Limit: 2}}}
	tests := []struct {
		name string
		bad  Named
		want []string
	}{
		{"malformed", Named{"l/", Handler{Unary: unary}}, []string{`"l/" at lib.so`, "empty segment"}},
		{"incomplete", Named{"l/c", Handler{}}, []string{`"l/c" at lib.so`, "neither"}},
		{"taken before", Named{"a/b", Handler{Unary: unary}}, []string{`"a/b" at lib.so`, "already registered at first.go:1"}},
		{"twice in the list", Named{"l/a", Handler{Stream: stream}}, []string{`"l/a" at lib.so`, "already registered at lib.so"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r registry
			if err := r.register("first.go:1", Named{"a/b", Handler{Unary: unary}}); err != nil {
				t.Fatal(err)
			}
			for i := range len(good) + 1 {
				wantError(t, r.register("lib.so", slices.Insert(slices.Clone(good), i, tt.bad)...), tt.want...)
				if got := r.names(); !slices.Equal(got, []string{"a/b"}) {
					t.Fatalf("got the names %q, want none of the list", got)
				}
			}
			if err := r.register("lib.so", good...); err != nil {
				t.Error(err)
			}
			if h, _ := r.lookup("l/a"); h.Limit != DefaultLimit {
				t.Errorf("got the limit %d, want the default", h.Limit)
			}
		})
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got error %v, want one with %q", err, part)
		}
	}
}

// TestManyAtATime registers and looks up from many goroutines; of those that want the same name, one gets it.
func TestManyAtATime(t *testing.T) {
	const workers, rounds = 8, 100
	var (
		r   registry
		wg  sync.WaitGroup
		mu  sync.Mutex
		won = map[string]int{}
	)
	for w := range workers {
		wg.Go(func() {
			for i := range rounds {
				name := fmt.Sprintf("race/h%d", i)
				if r.register(fmt.Sprintf("w%d", w), Named{name, Handler{Unary: unary}}) == nil {
					mu.Lock()
					won[name]++
					mu.Unlock()
				}
				if h, ok := r.lookup(name); !ok || h.Unary == nil {
					t.Errorf("%s: registered, but not found", name)
				}
				r.names()
			}
		})
	}
	wg.Wait()
	if got := len(r.names()); got != rounds || len(won) != rounds {
		t.Errorf("got %d names, %d won, want %d", got, len(won), rounds)
	}
	for name, n := range won {
		if n != 1 {
			t.Errorf("%s: %d registrations won, want 1", name, n)
		}
	}
}
