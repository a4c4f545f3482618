package weir_test

import (
	"bufio"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"weir"
)

// X92: a thousand pipelined requests get a thousand answers, in order, from
// handlers of both kinds.
func TestThousandPipelined(t *testing.T) {
	const n = 1000
	m := new(weir.Mux)
	m.Handle("GET /inline/{id}", says("inline")).Inline()
	m.Handle("GET /goroutine/{id}", says("goroutine"))
	for _, kind := range []string{"inline", "goroutine"} {
		var requests strings.Builder
		for i := range n {
			fmt.Fprintf(&requests, "GET /%s/%d HTTP/1.1\r\nHost: a\r\n\r\n", kind, i)
		}
		atDesk(t, m, nil, func(d *desk) {
			c := d.dial(requests.String())
			in := bufio.NewReader(c)
			for i := range n {
				if _, got := response(t, in); got != fmt.Sprintf("%s %d ", kind, i) {
					t.Fatalf("answer %d: got %q", i, got)
				}
			}
			c.Close()
		})
	}
}

// X106: of a client that reads no answers, no more is read than is bounded.
func TestUnreadAnswersBoundWhatIsRead(t *testing.T) {
	served := 0
	m := new(weir.Mux)
	m.HandleFunc("GET /s", func(w *weir.Response, _ *weir.Request) {
		served++
		w.Write(make([]byte, 1<<10))
	}).Inline()
	m.HandleFunc("GET /wait", func(_ *weir.Response, r *weir.Request) { <-r.Context().Done() })
	for _, first := range []string{"/s", "/wait"} {
		atDesk(t, m, smallMarks, func(d *desk) {
			c := d.Dial()
			c.SetWindow(1)
			go func() {
				_, _ = c.Write([]byte("GET " + first + " HTTP/1.1\r\nHost: a\r\n\r\n" + strings.Repeat(getS, 100_000)))
			}() // it is closed under it
			synctest.Wait()
			if pending := d.srv.Stats().PendingBytes; served > 20 || pending > 24<<10 {
				t.Errorf("%s: got %d requests served and %d bytes pending, want about the high mark of 16 KiB", first, served, pending)
			}
			c.Reset()
		})
	}
}
