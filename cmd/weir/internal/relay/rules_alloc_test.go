//go:build !race && !invariants

package relay

import (
	"fmt"
	"io"
	"testing"

	"weir/cmd/weir/internal/policy"
	"weir/internal/memloop"
)

// scalarRules are what a gateway is most likely to change in an event.
var scalarRules = policy.Source{Event: []byte(`[{"op":"test","path":"/object","value":"chat.completion.chunk"},{"op":"replace","path":"/model","value":"small"}]`)}

// relayedEvent makes a stream in memory under a model's rules and returns a
// function that relays one event of it.
func relayedEvent(t testing.TB, rules policy.Source) (relay func()) {
	t.Helper()
	client, ups, model := inMemoryModel(t)
	p, problems := policy.Compile(rules)
	if problems != nil {
		t.Fatal(problems)
	}
	model.Request, model.Event = p.Request, p.Event
	fmt.Fprintf(client, "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(ask), ask)
	up := <-ups
	if _, err := io.WriteString(up, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	const event = `data: {"id":"chatcmpl-7f3a51c0d1ff4d2c9a6b7d8e9f001122","object":"chat.completion.chunk","created":1764230400,"model":"qwen5","choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}]}` + "\n\n"
	piece := fmt.Appendf(nil, "%x\r\n%s\r\n", len(event), event)
	buf := make([]byte, 4<<10)
	read := func(c *memloop.Client, least int) {
		for got := 0; got < least; {
			n, err := c.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
	}
	relay = func() { // the same chunk comes out
		if _, err := up.Write(piece); err != nil {
			t.Fatal(err)
		}
		read(client, len(piece))
	}
	if _, err := up.Write(piece); err != nil {
		t.Fatal(err)
	}
	read(client, 1) // the head
	for range 100 {
		relay()
	}
	return relay
}

// An event that is changed allocates nothing.
func TestAllocsPerRewrittenEvent(t *testing.T) {
	relay := relayedEvent(t, scalarRules)
	if n := testing.AllocsPerRun(1000, relay); n != 0 {
		t.Errorf("got %v allocations for an event that is changed, want 0", n)
	}
}

// What rules add to an event: in memory, without the system calls.
func BenchmarkEventRules(b *testing.B) {
	for _, bb := range []struct {
		name  string
		rules policy.Source
	}{{"none", policy.Source{}}, {"scalar", scalarRules}} {
		b.Run(bb.name, func(b *testing.B) {
			relay := relayedEvent(b, bb.rules)
			b.ReportAllocs()
			for b.Loop() {
				relay()
			}
		})
	}
}
