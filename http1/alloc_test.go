//go:build !race

package http1

import (
	"testing"
	"time"
)

// Once its memory for fields has grown, a parser does not allocate, and neither do accessors
// and writers.
func TestNoAllocations(t *testing.T) {
	var (
		req    Request
		res    Response
		wire   = []byte(browserRequest)
		answer = []byte(upstreamResponse)
		dst    = make([]byte, 0, 256)
		now    = time.Now()
		set    = NewFieldSet("x-api-key", "authorization")
		sink   int
	)
	if _, err := req.Parse(wire, nil); err != nil {
		t.Fatal(err)
	}
	parsed := req
	for name, f := range map[string]func(){
		"request": func() {
			req.Reset()
			n, err := req.Parse(wire, nil)
			if n == 0 || err != nil {
				t.Fatal(n, err)
			}
		},
		"request in two pieces": func() {
			req.Reset()
			_, _ = req.Parse(wire[:300], nil)
			if n, err := req.Parse(wire, nil); n == 0 || err != nil {
				t.Fatal(n, err)
			}
		},
		"accessors": func() {
			sink += len(parsed.Method()) + len(parsed.Path()) + len(parsed.RawQuery()) + len(parsed.Host()) + parsed.Count("accept")
			name, value := parsed.Field(3)
			sink += len(parsed.Get("cookie")) + len(name) + len(value)
		},
		"response": func() {
			res.Reset()
			n, err := res.Parse(answer, nil)
			if n == 0 || err != nil {
				t.Fatal(n, err)
			}
			kind, _ := res.Body("POST")
			sink += int(kind)
		},
		"writing": func() {
			b := AppendStatusLine(dst[:0], 200)
			b = AppendField(b, "Content-Type", "text/plain")
			b = AppendDate(b, now)
			sink += len(AppendRequestLine(b, "GET", "/"))
		},
		"checks": func() {
			if CheckField("Content-Type", "text/plain") != nil || IsFraming("Content-Type") {
				sink++
			}
		},
		"lists and classes": func() {
			name, value := parsed.Field(3)
			if parsed.HasToken("Connection", "close") || parsed.ClassOf(name) != 0 || IsMediaType(value, "text/event-stream") || set.Has(name) {
				sink++
			}
			for e := range Elements(value) {
				sink += len(e)
			}
		},
	} {
		if got := testing.AllocsPerRun(100, f); got != 0 {
			t.Errorf("%s: got %v allocations, want 0", name, got)
		}
	}
}
