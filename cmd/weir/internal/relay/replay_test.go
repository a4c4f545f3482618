package relay

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/weirtest"
)

// failures are ways in which an upstream fails before its response has begun.
var failures = []struct {
	name   string
	status int // of the response if no other target may be tried
	act    func(r *rig, up *weirtest.Client)
}{
	{"503", 503, func(r *rig, up *weirtest.Client) { r.write(up, "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n") }},
	{"429", 429, func(r *rig, up *weirtest.Client) { r.write(up, "HTTP/1.1 429 X\r\nContent-Length: 0\r\n\r\n") }},
	{"closed before the head", 502, func(_ *rig, up *weirtest.Client) { up.Close() }},
	{"reset in the head", 502, func(r *rig, up *weirtest.Client) { r.write(up, "HTTP/1.1 200"); up.Reset() }},
	{"silence", 504, func(*rig, *weirtest.Client) { time.Sleep(11 * time.Second) }},
}

// send sends a whole request while the upstream reads it, and returns the
// client and what the upstream got.
func (r *rig) send(body string, framing string) (c, up *weirtest.Client, got string) {
	r.Helper()
	head := fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body))
	if framing == "chunked" {
		head, body = "Transfer-Encoding: chunked\r\n\r\n", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	}
	c = r.dial("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n" + head)
	sent := make(chan struct{})
	go func() {
		_, _ = io.WriteString(c, body) // a gateway that refuses it takes no more
		close(sent)
	}()
	if up = r.asked(0); up == nil {
		r.Fatal("the upstream was not tried")
	}
	got = r.seen(up)
	synctest.Wait()
	return c, up, got
}

// G2, G8: a request up to limits.replay goes to another target,
// whatever its length and however the first one fails; the other one gets the
// same bytes.
func TestReplay(t *testing.T) {
	for _, size := range []int{50_000, 100_000, 1 << 20, 4<<20 - 100} {
		for _, framing := range []string{"length", "chunked"} {
			for _, place := range []string{"first", "last"} {
				for _, fails := range failures {
					t.Run(fmt.Sprint(size, "/", framing, "/model ", place, "/", fails.name), func(t *testing.T) {
						body := padded(`{"model":"m",`, size, `,"stream":false}`)
						if place == "last" {
							body = padded(`{`, size, `,"model":"m"}`)
						}
						atRig(t, 2, func(r *rig) {
							c, up, _ := r.send(body, framing)
							fails.act(r, up)
							other := r.asked(1)
							if other == nil {
								t.Fatalf("the other was not tried; the client got %.500q", r.seen(c))
							}
							if got := r.seen(other); !strings.HasSuffix(got, body) && framing == "length" || len(got) < len(body) {
								t.Errorf("the other got %d bytes, want the same body of %d", len(got), len(body))
							}
							r.write(other, sized("HTTP/1.1 200 OK\r\n", "fine"))
							r.wantParts(r.seen(c), 200, "X-Weir-Attempts: 2", "X-Weir-Upstream: up1", "\r\n\r\nfine")
						})
					})
				}
			}
		}
	}
}

// G8: a request is sent once more although the client had not sent all of it
// when the first upstream failed.
func TestReplayWhileItArrives(t *testing.T) {
	body := padded(`{"model":"m",`, 10*segment, `}`)
	for _, fails := range failures[:4] {
		t.Run(fails.name, func(t *testing.T) {
			atRig(t, 2, func(r *rig) {
				c := r.upload(len(body), body[:4*segment])
				up := r.asked(0)
				r.seen(up)
				fails.act(r, up)
				other := r.asked(1)
				if got := r.seen(other); !strings.HasSuffix(got, body[:4*segment]) {
					t.Errorf("the other got %d bytes, want what has arrived", len(got))
				}
				r.write(c, body[4*segment:])
				if got := r.seen(other); got != body[4*segment:] {
					t.Errorf("the other got %d more bytes, want the rest", len(got))
				}
				r.write(other, sized("HTTP/1.1 200 OK\r\n", "fine"))
				r.wantParts(r.seen(c), 200, "X-Weir-Attempts: 2", "\r\n\r\nfine")
			})
		})
	}
}

// G8: what is longer than limits.replay is not kept, and its failure says that
// no other target was tried. Nor is what limits.bodies has no room for.
func TestNoReplay(t *testing.T) {
	for _, tt := range []struct {
		name    string
		replay  int64
		bodies  int64
		framing string
	}{
		{"beyond limits.replay", 4 << 20, 0, "length"},
		{"beyond limits.replay, length not known", 4 << 20, 0, "chunked"},
		{"beyond limits.bodies", 64 << 20, 2 << 20, "length"},
	} {
		for _, fails := range failures {
			t.Run(tt.name+"/"+fails.name, func(t *testing.T) {
				body := padded(`{"model":"m",`, 20<<20, `}`)
				atRigKeeping(t, 2, tt.bodies, func(r *rig) {
					r.gateway.MaxReplay = tt.replay
					c, up, got := r.send(body, tt.framing)
					if len(got) < len(body) {
						t.Errorf("the upstream got %d bytes, want all of %d", len(got), len(body))
					}
					if kept := r.kept(); kept > 5<<20 {
						t.Errorf("got %d bytes kept, want no more than limits.replay", kept)
					}
					fails.act(r, up)
					got = r.seen(c)
					r.wantParts(got, fails.status, "X-Weir-Attempts: 1\r\n", "X-Weir-Not-Retried: request_not_kept\r\n")
					if fails.status >= 502 && fails.name != "503" && !strings.Contains(got, "No other server was tried, because the request is too long") {
						t.Errorf("got %q, want the reason", got)
					}
					if r.asked(1) != nil {
						t.Error("the other was tried")
					}
				})
			})
		}
	}
}

// G8: a request that is kept for another attempt is freed when the response
// begins, and counted until then.
func TestReplayIsFreed(t *testing.T) {
	body := padded(`{"model":"m","stream":true,`, 1<<20, `}`)
	atRig(t, 2, func(r *rig) {
		_, up, _ := r.send(body, "length")
		if kept := r.kept(); kept < 1<<20 || kept > 5<<18 {
			t.Errorf("got %d bytes kept, want the request", kept)
		}
		r.write(up, eventHead+inChunks("data: 1\n\n"))
		if kept := r.kept(); kept != 0 {
			t.Errorf("got %d bytes kept behind the first event, want none", kept)
		}
	})
}
