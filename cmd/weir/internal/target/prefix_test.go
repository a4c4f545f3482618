package target

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func keyOf(pieces ...string) Key {
	var p Prefix
	for _, piece := range pieces {
		p.Add([]byte(piece))
	}
	return p.Key()
}

const (
	system = `{"role":"system","content":"Be brief."}`
	hello  = `{"role":"user","content":"Hello"}`
	answer = `{"role":"assistant","content":"Hi."}`
	more   = `{"role":"user","content":"Tell me more."}`
)

func TestPrefix(t *testing.T) {
	long := strings.Repeat("x", PrefixBytes)
	tests := []struct {
		name string
		a, b string
		same bool
	}{
		{"the next turn", `[` + hello + `]`, `[` + hello + `,` + answer + `,` + more + `]`, true},
		{"the next turn, with a system prompt", `[` + system + `,` + hello + `]`, `[` + system + `,` + hello + `,` + answer, true},
		{"developer is a preamble too", `[{"content":"c","role":"developer"},` + hello, `[{"content":"c","role":"developer"},` + more, false},
		{"another beginning, same system prompt", `[` + system + `,` + hello + `]`, `[` + system + `,` + more + `]`, false},
		{"another beginning", `[` + hello + `]`, `[` + more + `]`, false},
		{"role behind the content", `[{"content":"a","role":"user"}]`, `[{"content":"a","role":"user"},` + answer + `]`, true},
		{"white space in a message", `[ {"role" : "user" }]`, `[ {"role" : "user" },1]`, true},
		{"role in the content is none", `[{"role":"user","content":[{"role":"system"}]},` + hello, `[{"role":"user","content":[{"role":"system"}]},` + more, true},
		{"role as a value is none", `[{"content":"role","name":"system"},` + hello, `[{"content":"role","name":"system"},` + more, true},
		{"a role that only begins like one", `[{"role":"developers"},` + hello, `[{"role":"developers"},` + more, true},
		{"braces and quotes in strings", `[{"role":"system","content":"}]\"}\\"},` + hello, `[{"role":"system","content":"}]\"}\\"},` + more, false},
		{"one long document", `[{"role":"user","content":"` + long + `a"}]`, `[{"role":"user","content":"` + long + `b"}]`, true},
		{"prompts", `"abc"`, `"abd"`, false},
		{"prompts that begin alike", `"` + long + `a"`, `"` + long + `b"`, true},
		{"list of prompts", `["a","b"]`, `["a","c"]`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if a, b := keyOf(tt.a), keyOf(tt.b); (a == b) != tt.same || a == 0 {
				t.Errorf("got keys %x and %x, want them the same: %v", a, b, tt.same)
			}
			for cut := range len(tt.a) {
				if got, want := keyOf(tt.a[:cut], tt.a[cut:]), keyOf(tt.a); got != want {
					t.Fatalf("cut at %d: got %x, want %x", cut, got, want)
				}
			}
		})
	}
}

func TestPrefixWantsNoMore(t *testing.T) {
	var p Prefix
	if p.Key() != 0 || !p.Add(nil) || p.Key() != 0 {
		t.Error("got a key of nothing, want none")
	}
	if !p.Add([]byte(`[` + system + `,`)) {
		t.Error("it wants no more after the system prompt, want more")
	}
	if p.Add([]byte(hello)) {
		t.Error("it wants more after the first message, want no more")
	}
	before := p.Key()
	if p.Add([]byte(answer)) || p.Key() != before {
		t.Error("what came after the first message changed the key")
	}
	p = Prefix{}
	if p.Add(make([]byte, PrefixBytes)) {
		t.Error("it wants more than PrefixBytes")
	}
}

// FuzzPrefix: pieces do not matter; and for messages that are JSON the key is
// that of what encoding/json says is the beginning.
func FuzzPrefix(f *testing.F) {
	f.Add([]byte(`[`+system+`,`+hello+`,`+answer+`]`), 10)
	f.Add([]byte(`[{"content":[{"text":"a"}],"role":"user"}]`), 3)
	f.Add([]byte(`]]}{"`), 1)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		want := keyOf(string(data))
		cut = min(max(cut, 0), len(data))
		if got := keyOf(string(data[:cut]), string(data[cut:])); got != want {
			t.Fatalf("cut at %d: got %x, want %x", cut, got, want)
		}
		if begin, ok := beginning(data); ok {
			if got := toKey(fnv(offset, begin)); got != want {
				t.Fatalf("got %x, want that of %q, %x", want, begin, got)
			}
		}
	})
}

// beginning finds the part that a Prefix reads, with encoding/json. Escapes are
// left out: they could spell role in other ways.
func beginning(data []byte) (begin []byte, ok bool) {
	if !json.Valid(data) || bytes.IndexByte(data, '\\') >= 0 {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if first, err := d.Token(); err != nil || first != json.Delim('[') {
		return nil, false
	}
	for d.More() {
		var message map[string]json.RawMessage
		if err := d.Decode(&message); err != nil || message == nil {
			return nil, false
		}
		if role := string(message["role"]); role != `"system"` && role != `"developer"` {
			return data[:min(int(d.InputOffset()), PrefixBytes)], true
		}
	}
	return data[:min(len(data), PrefixBytes)], true
}
