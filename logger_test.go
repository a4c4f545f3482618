package weir_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"weir"
)

// A logger whose handler does not come back keeps no request waiting, on
// whichever goroutine it is served, and the shutdown a second.
func TestLoggerThatBlocks(t *testing.T) {
	m := new(weir.Mux)
	panics := weir.HandlerFunc(func(*weir.Response, *weir.Request) { panic("on purpose") })
	m.Handle("GET /loop", panics).Inline()
	m.Handle("GET /goroutine", panics)
	log := late{Handler: slog.NewTextHandler(io.Discard, nil)}
	atDesk(t, m, log.set, func(d *desk) {
		for i := range 100 {
			path := [...]string{"/loop", "/goroutine"}[i%2]
			if status, _ := d.exchange("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n"); status != "500 Internal Server Error" {
				t.Fatalf("request %d: got %q, want 500", i, status)
			}
		}
		begin := time.Now()
		d.cut()
		if took := time.Since(begin); took != time.Second {
			t.Errorf("the shutdown took %v, want a second", took)
		}
		close(log.free)
	})
}

// What is logged may be a view of a request: it is logged as it was, though the
// handler of the log comes late.
func TestLoggerThatIsLate(t *testing.T) {
	var out strings.Builder
	log := late{Handler: slog.NewTextHandler(&out, nil)}
	m := new(weir.Mux)
	m.HandleFunc("GET /", func(_ *weir.Response, r *weir.Request) { panic(r.Path()) }).Inline()
	atDesk(t, m, log.set, func(d *desk) {
		for i := range 3 {
			d.exchange(fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i))
		}
		close(log.free)
	})
	for i := range 3 {
		if want := fmt.Sprintf("panic=/%d ", i); !strings.Contains(out.String(), want) {
			t.Errorf("got %.300q, want %q in it", out.String(), want)
		}
	}
}

// late is a slog.Handler that does not come back before it is freed.
type late struct {
	slog.Handler
	free chan struct{}
}

func (l *late) set(s *weir.Server) {
	l.free = make(chan struct{}) // in the test's bubble
	s.Logger = slog.New(l)
}

func (l *late) Handle(ctx context.Context, r slog.Record) error {
	<-l.free
	return l.Handler.Handle(ctx, r)
}
