package relay

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir"
	"weir/weirtest"
)

// upload is a request of which a part of the body is sent.
func (r *rig) upload(announced int, body string) *weirtest.Client {
	return r.dial(fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", announced, body))
}

func (r *rig) kept() int64 {
	synctest.Wait()
	return r.srv.Stats().BodyBytes
}

// G8: all kept bodies together have a bound. Who comes too late gets 503 in the dialect's shape, the others go on.
func TestBodiesHaveABudget(t *testing.T) {
	const size, limit = 3 * segment, 9 * segment
	body := padded(`{`, size, `,"model":"m"}`)
	atRigKeeping(t, 1, limit, func(r *rig) {
		first, second := r.upload(len(body), body[:size]), r.upload(len(body), body[:size])
		if kept := r.kept(); kept < 2*size || kept > limit {
			t.Fatalf("got %d bytes kept, want two times %d", kept, size)
		}
		third := r.upload(len(body), body[:size]+"x")
		got := r.seen(third)
		if !strings.HasPrefix(got, "HTTP/1.1 503 ") || !strings.Contains(got, "\r\nRetry-After: 1\r\n") || !strings.Contains(got, `"code":"request_memory_exhausted"`) {
			t.Errorf("the third: got %q, want 503", got)
		}
		third.Close()
		for _, c := range []*weirtest.Client{first, second} {
			r.write(c, body[size:])
			up := r.asked(0)
			if got := r.seen(up); !strings.HasSuffix(got, body) {
				t.Errorf("the upstream got %d bytes, want the body", len(got))
			}
			r.write(up, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
			if got := r.seen(c); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
				t.Errorf("got %q, want the response", got)
			}
		}
		if kept := r.kept(); kept != 0 {
			t.Errorf("got %d bytes kept afterwards, want none", kept)
		}
	})
	// When there is no room for its beginning a long body is not asked for.
	atRigKeeping(t, 1, segment, func(r *rig) {
		first := r.upload(len(body), body[:segment/2])
		defer first.Close()
		r.kept()
		c := r.dial(fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body)))
		if got := r.seen(c); !strings.HasPrefix(got, "HTTP/1.1 503 ") || !strings.Contains(got, "\r\nRetry-After: 1\r\n") {
			t.Errorf("got %q, want 503", got)
		}
		c.Close()
	})
}

// What waits for an upstream that takes nothing is counted, wherever it lies.
func TestUntakenBodiesAreCounted(t *testing.T) {
	body := padded(`{"model":"m",`, 20*segment, `}`)
	for _, limit := range []int64{0, 3 * segment} {
		atRigKeeping(t, 1, limit, func(r *rig) {
			c := r.upload(len(body), body[:2*segment])
			up := r.asked(0)
			up.SetWindow(0)
			r.kept()
			go func() { _, _ = io.WriteString(c, body[2*segment:]) }() // it will not get rid of all
			synctest.Wait()
			switch kept := r.kept(); {
			case limit == 0 && kept < 4*segment:
				t.Errorf("got %d bytes counted, want what is on its way to the upstream", kept)
			case limit > 0 && kept != 0:
				t.Errorf("got %d bytes kept of a request that was refused", kept)
			}
			if got := r.seen(c); (limit > 0) != strings.HasPrefix(got, "HTTP/1.1 503 ") {
				t.Errorf("limit %d: got %q", limit, got)
			}
			c.Close()
			if kept := r.kept(); kept != 0 {
				t.Errorf("got %d bytes kept afterwards, want none", kept)
			}
		})
	}
}

// However a request ends, nothing is counted any more; nor is anything counted twice on the way.
func TestBodiesAreGivenBack(t *testing.T) {
	const size = 5 * segment
	late, early, short := padded(`{`, size, `,"model":"m"}`), padded(`{"model":"m",`, size, `}`), padded(`{"model":"m","stream":true,`, 40_000, `}`)
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
	for _, tt := range []struct {
		name string
		sent int // of the body, at first
		body string
		then func(r *rig, c *weirtest.Client)
	}{
		{"the client disconnects before the model", size, late, func(r *rig, c *weirtest.Client) { c.Close() }},
		{"reset before the model", size, late, func(r *rig, c *weirtest.Client) { c.Reset() }},
		{"no more comes", size, late, func(r *rig, c *weirtest.Client) { time.Sleep(2 * time.Hour) }},
		{"unknown model", size, late, func(r *rig, c *weirtest.Client) { r.write(c, late[size:len(late)-3]+`x"}`) }},
		{"no JSON", size, late, func(r *rig, c *weirtest.Client) { r.write(c, `"}}}}`) }},
		{"drain", size, late, func(r *rig, c *weirtest.Client) { r.srv.Shutdown(gone()) }},
		{"refused by all", len(late), late, func(r *rig, c *weirtest.Client) {
			for range 2 {
				r.asked(0)
			}
		}},
		{"the client disconnects while the upstream works", len(early), early, func(r *rig, c *weirtest.Client) { r.asked(0); c.Close() }},
		{"the upstreams reset", len(early), early, func(r *rig, c *weirtest.Client) { r.asked(0).Reset(); r.asked(1).Reset() }},
		{"short, answered", len(short), short, func(r *rig, c *weirtest.Client) { r.write(r.asked(0), answer) }},
		{"short, the first one refuses", len(short), short, func(r *rig, c *weirtest.Client) {
			r.write(r.asked(0), "HTTP/1.1 503 No\r\nContent-Length: 10000\r\n\r\n"+strings.Repeat("x", 10_000))
			r.write(r.asked(1), answer)
		}},
		{"short, a long event", len(short), short, func(r *rig, c *weirtest.Client) {
			up := r.asked(0)
			r.write(up, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: "+strings.Repeat("x", 100_000))
			if kept := r.kept(); kept < 140_000 {
				r.Errorf("got %d bytes kept, want the body and the event that is held", kept)
			}
			r.write(up, "\n\ndata: [DONE]\n\n")
			up.Close()
		}},
		{"short, the client disconnects", len(short), short, func(r *rig, c *weirtest.Client) { r.asked(0); c.Close() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			atRig(t, 2, func(r *rig) {
				if tt.name == "refused by all" {
					r.stop(0)
					r.stop(1)
				}
				c := r.upload(len(tt.body), tt.body[:tt.sent])
				if kept := r.kept(); kept == 0 && tt.name != "refused by all" || kept > int64(len(tt.body))*2 {
					t.Errorf("got %d bytes kept of a body of %d", kept, len(tt.body))
				}
				tt.then(r, c)
				r.seen(c)
				if kept := r.kept(); kept != 0 {
					t.Errorf("got %d bytes kept in the end, want none", kept)
				}
				c.Close()
			})
		})
	}
}

// A body that a native handler was given is counted until that has returned.
func TestHandedBodiesAreCounted(t *testing.T) {
	body := padded(`{"model":"native",`, 3*segment, `}`)
	atRig(t, 1, func(r *rig) {
		gate := make(chan struct{})
		got := ""
		r.gateway.Models["native"] = &Model{Name: "native", Native: Native{Name: "n", Handler: weir.HandlerFunc(func(w *weir.Response, req *weir.Request) {
			<-gate
			got = string(req.Body())
		})}}
		c := r.ask(body)
		other := r.ask(padded(`{"model":"m",`, 5*segment, `}`)) // its parts are nobody else's
		if kept := r.kept(); kept < int64(len(body)) {
			t.Errorf("got %d bytes kept, want the %d of the body", kept, len(body))
		}
		close(gate)
		if r.seen(c); got != body {
			t.Errorf("the handler got %d bytes, want the body", len(got))
		}
		c.Close()
		other.Close()
		if kept := r.kept(); kept != 0 {
			t.Errorf("got %d bytes kept in the end, want none", kept)
		}
	})
}

// A short request is not counted: what all loops share is left alone.
func TestShortRequestsAreNotCounted(t *testing.T) {
	atRig(t, 1, func(r *rig) {
		c := r.ask(ask)
		if kept := r.kept(); kept != 0 {
			t.Errorf("got %d bytes kept, want none counted", kept)
		}
		r.asked(0)
		c.Close()
	})
}

// gone is a context that leaves a shutdown no time.
func gone() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// However much of a body has come at once, one that falls silent is refused in time, and so is one that drips; whether it is
// gathered or on its way to an upstream.
func TestSilentUpload(t *testing.T) {
	const grace, size = 5 * time.Second, 20 * segment // what the pace of a whole minute would be, many times
	for _, tt := range []struct{ name, body string }{
		{"gathered", padded(`{`, size, `,"model":"m"}`)},
		{"relayed", padded(`{"model":"m",`, size, `}`)},
	} {
		for _, drip := range []time.Duration{0, time.Second} {
			t.Run(fmt.Sprint(tt.name, ", a byte each ", drip), func(t *testing.T) {
				atRig(t, 1, func(r *rig) {
					c := r.upload(len(tt.body), tt.body[:2*segment])
					if up := r.asked(0); up != nil {
						defer up.Close()
						go func() { _, _ = io.Copy(io.Discard, up) }() // it takes what there is
					}
					r.write(c, tt.body[2*segment:size-100])
					began := time.Now()
					for n := size - 100; drip > 0 && n < size-50; n++ {
						time.Sleep(drip)
						if _, err := io.WriteString(c, tt.body[n:n+1]); err != nil || c.Unread() > 0 {
							break
						}
					}
					if drip == 0 {
						time.Sleep(grace + 100*time.Millisecond)
					}
					if got := r.seen(c); !strings.HasPrefix(got, "HTTP/1.1 408 ") || time.Since(began) > 2*grace {
						t.Errorf("got %.60q after %v, want 408", got, time.Since(began))
					}
					c.Close()
				})
			})
		}
	}
}
