package relay

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/weirtest"
)

const eventHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

// inChunks is the pieces as chunks.
func inChunks(pieces ...string) (out string) {
	for _, p := range pieces {
		out += fmt.Sprintf("%x\r\n%s\r\n", len(p), p)
	}
	return out
}

const lastChunk = "0\r\n\r\n"

// bodyOf is what is behind the head, without chunks.
func bodyOf(t *testing.T, answer string) string {
	t.Helper()
	var r received
	r.parse(t, []byte(answer))
	return string(r.body)
}

// holding3 runs f with a gateway that holds three events back, and a request that
// has arrived at its first upstream.
func holding3(t *testing.T, upstreams int, f func(r *rig, c, up *weirtest.Client)) {
	t.Helper()
	atRig(t, upstreams, func(r *rig) {
		r.model.Hold = Hold{Events: 3, Wait: 2 * time.Second}
		c := r.ask(ask)
		up := r.asked(0)
		r.seen(up)
		f(r, c, up)
	})
}

// G2: with hold.events above one the head waits for that many events, for
// hold.wait, or for the end, whichever comes first.
func TestHoldEvents(t *testing.T) {
	const one, two, three, done = "data: 1\n\n", "data: 2\n\n", "data: 3\n\n", "data: [DONE]\n\n"
	t.Run("the third event", func(t *testing.T) {
		holding3(t, 1, func(r *rig, c, up *weirtest.Client) {
			r.write(up, eventHead+inChunks(one))
			r.write(up, inChunks(two))
			if got := r.seen(c); got != "" {
				t.Errorf("got %q, want nothing", got)
			}
			r.write(up, inChunks(three))
			if got := r.seen(c); bodyOf(t, got) != one+two+three {
				t.Errorf("got %q, want three events", got)
			}
			r.write(up, inChunks(done)+lastChunk)
			if got := r.seen(c); got != inChunks(done)+lastChunk {
				t.Errorf("got %q, want the end", got)
			}
		})
	})
	t.Run("the time", func(t *testing.T) {
		holding3(t, 1, func(r *rig, c, up *weirtest.Client) {
			r.write(up, eventHead+inChunks(one))
			time.Sleep(2*time.Second + 100*time.Millisecond)
			if got := r.seen(c); bodyOf(t, got) != one {
				t.Errorf("got %q, want what there is", got)
			}
			r.write(up, inChunks(two))
			if got := r.seen(c); got != inChunks(two) {
				t.Errorf("got %q, want what comes then at once", got)
			}
		})
	})
	t.Run("the end", func(t *testing.T) {
		holding3(t, 1, func(r *rig, c, up *weirtest.Client) {
			r.write(up, eventHead+inChunks(one, done)+lastChunk)
			if got := r.seen(c); bodyOf(t, got) != one+done || !strings.HasSuffix(got, lastChunk) {
				t.Errorf("got %q, want a whole stream", got)
			}
		})
	})
	t.Run("so much that it is not held", func(t *testing.T) {
		holding3(t, 1, func(r *rig, c, up *weirtest.Client) {
			r.gateway.MaxEvent = 1000
			comments := strings.Repeat(": not an event\n", 80)
			r.write(up, eventHead+inChunks(comments))
			if got := r.seen(c); bodyOf(t, got) != comments {
				t.Errorf("got %q, want what there is", got)
			}
		})
	})
}

// G2, G4: a stream that breaks while it is held has not been seen by anybody.
func TestHoldBroken(t *testing.T) {
	const some = "data: 1\n\ndata: 2\n\n"
	for _, tt := range []struct {
		name   string
		finish func(r *rig, up *weirtest.Client)
	}{
		{"clean end without [DONE]", func(r *rig, up *weirtest.Client) { r.write(up, lastChunk) }},
		{"reset", func(_ *rig, up *weirtest.Client) { up.Reset() }},
		{"silence", func(*rig, *weirtest.Client) { time.Sleep(11 * time.Second) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			holding3(t, 1, func(r *rig, c, up *weirtest.Client) {
				r.model.Hold.Wait = time.Minute
				r.write(up, eventHead+inChunks(some))
				tt.finish(r, up)
				if got := r.seen(c); !strings.HasPrefix(got, "HTTP/1.1 50") || strings.Contains(got, some) {
					t.Errorf("got %q, want an error and no part of the stream", got)
				}
			})
			holding3(t, 2, func(r *rig, c, up *weirtest.Client) {
				r.model.Hold.Wait = time.Minute
				r.write(up, eventHead+inChunks(some))
				tt.finish(r, up)
				other := r.asked(1)
				if other == nil {
					t.Fatal("the other was not asked")
				}
				const whole = "data: a\n\ndata: b\n\ndata: [DONE]\n\n"
				r.write(other, eventHead+inChunks(whole)+lastChunk)
				if got := r.seen(c); bodyOf(t, got) != whole || !strings.Contains(got, "X-Weir-Attempts: 2\r\n") {
					t.Errorf("got %q, want the other's stream", got)
				}
			})
		})
	}
}

// G1: what is no stream of events is not held, whatever hold.events is.
func TestHoldWithoutEvents(t *testing.T) {
	holding3(t, 1, func(r *rig, c, up *weirtest.Client) {
		r.write(up, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
		if got := r.seen(c); got != "" {
			t.Errorf("got %q, want nothing before the body", got)
		}
		r.write(up, "12345")
		if got := r.seen(c); !strings.HasSuffix(got, "Content-Length: 10\r\n\r\n12345") {
			t.Errorf("got %q, want the first piece", got)
		}
		r.write(up, "67890")
		if got := r.seen(c); got != "67890" {
			t.Errorf("got %q, want the second piece", got)
		}
	})
	for _, tt := range []struct{ name, sent string }{
		{"no content", "HTTP/1.1 204 No Content\r\nContent-Type: text/event-stream\r\n\r\n"},
		{"empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	} {
		holding3(t, 1, func(r *rig, c, up *weirtest.Client) {
			r.write(up, tt.sent)
			if got := r.seen(c); !strings.HasPrefix(got, tt.sent[:12]) || !strings.HasSuffix(got, "\r\n\r\n") {
				t.Errorf("%s: got %q, want the same", tt.name, got)
			}
		})
	}
}

// G1: the method goes up as it came, and an answer to HEAD has the head of one
// to GET and nothing behind it.
func TestMethods(t *testing.T) {
	const body = `{"model":"m"}`
	for _, method := range []string{"GET", "HEAD", "PUT"} {
		for _, head := range []string{"Content-Length: 5\r\n\r\n", "Content-Type: text/event-stream\r\nContent-Length: 5\r\n\r\n"} {
			if method != "HEAD" && strings.Contains(head, "event-stream") {
				continue // a stream of five bytes is broken
			}
			withMethod(t, method, body, func(r *rig, c, up *weirtest.Client) {
				sent := "HTTP/1.1 200 OK\r\n" + head
				if method != "HEAD" {
					sent += "12345"
				}
				r.write(up, sent)
				got := r.seen(c)
				if _, rest, _ := strings.Cut(got, "\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 200 ") || !strings.Contains(got, "Content-Length: 5\r\n") ||
					rest != strings.TrimPrefix(sent, "HTTP/1.1 200 OK\r\n"+head) {
					t.Errorf("%s: got %q for %q", method, got, sent)
				}
				r.write(c, "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
				if got := r.seen(c); !strings.HasPrefix(got, "HTTP/1.1 404 ") {
					t.Errorf("%s: got %q on the same connection, want 404", method, got)
				}
			})
		}
	}
}

// withMethod is holding3 for a request with another method.
func withMethod(t *testing.T, method, body string, f func(r *rig, c, up *weirtest.Client)) {
	t.Helper()
	atRig(t, 1, func(r *rig) {
		r.model.Hold.Events = 3
		c := r.dial(fmt.Sprintf("%s /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", method, len(body), body))
		up := r.asked(0)
		if got := r.seen(up); !strings.HasPrefix(got, method+" /v1/chat/completions HTTP/1.1\r\n") || !strings.HasSuffix(got, "\r\n\r\n"+body) {
			t.Errorf("upstream got %q, want %s", got, method)
		}
		f(r, c, up)
	})
}
