package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/cmd/weir/internal/upstream"
	"weir/internal/memloop"
)

// rig is a gateway and its upstreams on the kernel in memory, in a bubble with
// a fake clock.
type rig struct {
	*testing.T
	gateway *Gateway
	model   *Model
	srv     *weir.Server
	kernel  *memloop.Kernel
	conns   []chan *memloop.Client // to the upstreams
	stops   []func()
	record  *Record // of the last request that ended
}

// stop makes an upstream refuse connections.
func (r *rig) stop(i int) { r.stops[i]() }

// recorder keeps what the gateway tells of a request's end.
type recorder struct {
	ignore
	rig *rig
}

func (r recorder) Ended(rec *Record) {
	kept := *rec
	r.rig.record = &kept
}

// upstreamAddr is where upstream i of a rig listens.
func upstreamAddr(i int) string { return fmt.Sprintf("127.0.0.1:%d", 8000+i) }

// atRig runs f with a gateway in front of n upstreams.
func atRig(t *testing.T, n int, f func(r *rig)) {
	t.Helper()
	atRigKeeping(t, n, 0, f)
}

// atRigKeeping is atRig with a limit for all kept request bytes.
func atRigKeeping(t *testing.T, n int, bodies int64, f func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{T: t, kernel: memloop.New()}
		var ups []*upstream.Upstream
		for i := range n {
			conns := make(chan *memloop.Client, 8)
			stop := r.kernel.Listen(upstreamAddr(i), func(c *memloop.Client) { conns <- c })
			defer stop()
			r.stops = append(r.stops, stop)
			u := upstream.New(upstream.Config{Name: fmt.Sprint("up", i), Endpoint: at("http://" + upstreamAddr(i))})
			ups, r.conns = append(ups, u), append(r.conns, conns)
		}
		r.gateway = newGateway(ups...)
		r.model = r.gateway.Models["m"]
		r.gateway.Observer = recorder{rig: r}
		mux := new(weir.Mux)
		mux.HandleLoop("/v1/chat/completions", r.gateway.At(chat))
		for _, l := range tongues[1:] {
			mux.HandleLoop("POST "+l.path, r.gateway.At(endpointOf(l.path)))
		}
		r.srv = &weir.Server{Handler: mux, Loops: 1, System: r.kernel, Logger: slog.New(slog.DiscardHandler), Limits: weir.Limits{Bodies: bodies}}
		if err := r.srv.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_, _ = r.srv.Shutdown(ctx) // at once
			synctest.Wait()
			if kept := r.srv.Stats().BodyBytes; kept != 0 {
				t.Errorf("got %d bytes of requests kept afterwards, want none", kept)
			}
			for _, u := range ups {
				if n := u.Standing.Running(); n != 0 {
					t.Errorf("%s: got %d calls that run afterwards, want none", u.Name, n)
				}
			}
		}()
		f(r)
	})
}

// dial opens a client's connection with its first bytes.
func (r *rig) dial(text string) *memloop.Client {
	c := r.kernel.Dial(r.srv.Reactor(), 0)
	r.write(c, text)
	return c
}

// ask sends a request.
func (r *rig) ask(body string) *memloop.Client {
	return r.dial(fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
}

func (r *rig) write(c *memloop.Client, text string) {
	r.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		r.Error(err)
	}
}

// asked is the next connection to upstream i; nil if there is none.
func (r *rig) asked(i int) *memloop.Client {
	synctest.Wait()
	select {
	case c := <-r.conns[i]:
		return c
	default:
		return nil
	}
}

// seen is what has come on a connection once nothing moves any more.
func (r *rig) seen(c *memloop.Client) string {
	var b strings.Builder
	buf := make([]byte, 64<<10)
	for {
		synctest.Wait()
		if c.Pending() == 0 {
			return b.String()
		}
		n, _ := c.Read(buf) // there is something
		b.Write(buf[:n])
	}
}

// closed reports whether the gateway has closed a connection of which all was
// read.
func (r *rig) closed(c *memloop.Client) bool {
	synctest.Wait()
	_ = c.SetReadDeadline(time.Now().Add(time.Millisecond)) // never fails
	n, err := c.Read(make([]byte, 1))
	_ = c.SetReadDeadline(time.Time{}) // likewise
	return n == 0 && !errors.Is(err, os.ErrDeadlineExceeded)
}
