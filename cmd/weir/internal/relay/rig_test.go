package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/cmd/weir/internal/upstream"
	"weir/weirtest"
)

// rig is a gateway and its upstreams on the kernel in memory, in a bubble with
// a fake clock.
type rig struct {
	*testing.T
	*weirtest.Server
	gateway *Gateway
	model   *Model
	srv     *weir.Server
	ups     []*weirtest.Upstream
	record  *Record // of the last request that ended
}

// stop makes an upstream refuse connections.
func (r *rig) stop(i int) { r.ups[i].Close() }

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
		r := &rig{T: t}
		var ups []*upstream.Upstream
		for i := range n {
			ups = append(ups, upstream.New(upstream.Config{Name: fmt.Sprint("up", i), Endpoint: at("http://" + upstreamAddr(i))}))
		}
		r.gateway = newGateway(ups...)
		r.model = r.gateway.Models["m"]
		r.gateway.Observer = recorder{rig: r}
		mux := new(weir.Mux)
		mux.HandleLoop("/v1/chat/completions", r.gateway.At(chat))
		for _, l := range tongues[1:] {
			mux.HandleLoop("POST "+l.path, r.gateway.At(endpointOf(l.path)))
		}
		r.srv = &weir.Server{Handler: mux, Logger: slog.New(slog.DiscardHandler), Limits: weir.Limits{Bodies: bodies}}
		r.Server = weirtest.Start(t, r.srv)
		for i := range n {
			r.ups = append(r.ups, r.Listen(upstreamAddr(i)))
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
func (r *rig) dial(text string) *weirtest.Client {
	c := r.Dial()
	r.write(c, text)
	return c
}

// ask sends a request.
func (r *rig) ask(body string) *weirtest.Client {
	return r.dial(fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
}

func (r *rig) write(c *weirtest.Client, text string) {
	r.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		r.Error(err)
	}
}

// asked is the next connection to upstream i; nil if there is none.
func (r *rig) asked(i int) *weirtest.Client { return r.ups[i].Accept() }

// seen is what has come on a connection once nothing moves any more.
func (r *rig) seen(c *weirtest.Client) string { return c.Received() }

// closed reports whether the gateway has closed a connection of which all was
// read.
func (r *rig) closed(c *weirtest.Client) bool {
	synctest.Wait()
	_ = c.SetReadDeadline(time.Now().Add(time.Millisecond)) // never fails
	n, err := c.Read(make([]byte, 1))
	_ = c.SetReadDeadline(time.Time{}) // likewise
	return n == 0 && !errors.Is(err, os.ErrDeadlineExceeded)
}
