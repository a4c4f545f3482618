package logq

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// stubborn is a slog.Handler that does what users' handlers do, and worse.
type stubborn struct {
	slog.Handler
	enter chan struct{} // nil = it does not wait
	panic bool
}

func (s *stubborn) Handle(ctx context.Context, r slog.Record) error {
	if s.enter != nil {
		<-s.enter
	}
	if s.panic {
		panic("stubborn")
	}
	return s.Handler.Handle(ctx, r)
}

func TestHandlerBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		to := &stubborn{Handler: slog.NewTextHandler(&out, nil), enter: make(chan struct{})}
		h := NewHandler(to)
		log := slog.New(h)
		log.Info("first")
		synctest.Wait() // the other handler has it
		for i := range handlerRecords + 10 {
			log.Info("record", "i", i)
		}
		if got := h.Lost(); got != 10 {
			t.Errorf("got %d records lost, want 10", got)
		}
		if h.Wait(time.Second) {
			t.Error("a Handler that is stuck says that all is handled")
		}
		close(to.enter)
		if !h.Wait(time.Second) {
			t.Error("not all is handled")
		}
		log.Info("last")
		h.Wait(time.Second)
		got := out.String()
		if n := strings.Count(got, "\n"); n != handlerRecords+3 {
			t.Errorf("got %d lines, want %d", n, handlerRecords+3)
		}
		if strings.Count(got, "lost=10\n") != 1 {
			t.Error("the log does not say once that 10 records were lost")
		}
		if !strings.Contains(got, "msg=record i=4094\n") || !strings.HasSuffix(got, "msg=last\n") {
			t.Errorf("got the end %q", got[len(got)-200:])
		}
	})
}

// A handler that panics loses its record and nothing else.
func TestHandlerPanics(t *testing.T) {
	var out bytes.Buffer
	to := &stubborn{Handler: slog.NewTextHandler(&out, nil), panic: true}
	h := NewHandler(to)
	slog.New(h).Info("lost")
	h.Wait(time.Minute)
	to.panic = false
	slog.New(h).Info("kept")
	h.Wait(time.Minute)
	if got := out.String(); h.Lost() != 1 || !strings.Contains(got, "msg=kept\n") || !strings.Contains(got, "lost=1\n") {
		t.Errorf("got %d lost and %q", h.Lost(), got)
	}
}

type lazy struct{ b []byte }

func (l lazy) LogValue() slog.Value { return slog.AnyValue(l.b) }

type changing struct{ b []byte }

func (c *changing) Error() string { return string(c.b) }

// Attributes are logged as they were when they were given: their memory may be
// used again at once.
func TestHandlerFreezes(t *testing.T) {
	var out bytes.Buffer
	to := &stubborn{Handler: slog.NewTextHandler(&out, nil), enter: make(chan struct{})}
	h := NewHandler(to)
	view := []byte("view")
	err := &changing{view}
	log := slog.New(h).With("with", view).WithGroup("g")
	log.Info("m", "bytes", view, "lazy", lazy{view}, "err", err, "wrapped", fmt.Errorf("w: %w", err), slog.Group("in", "bytes", view), "stringer", bytes.NewBuffer(view))
	copy(view, "XXXX")
	close(to.enter)
	h.Wait(time.Minute)
	if got, want := out.String(), `msg=m with=view g.bytes=view g.lazy=view g.err=view g.wrapped="w: view" g.in.bytes=view g.stringer=view`; !strings.Contains(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	var kept *changing
	if e, _ := frozen(err).Any().(error); !errors.As(e, &kept) || kept != err {
		t.Error("the error's type is lost")
	}
}

func TestHandlerLevels(t *testing.T) {
	h := NewHandler(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError}))
	if ctx := t.Context(); h.Enabled(ctx, slog.LevelWarn) || !h.Enabled(ctx, slog.LevelError) {
		t.Error("the levels are not the other handler's")
	}
}
