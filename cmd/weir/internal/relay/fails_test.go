package relay

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/cmd/weir/internal/dialect"
)

// broke is a response that begins with its preamble and then has the error.
func (l *tongue) broke(fields string) string {
	return "HTTP/1.1 200 OK\r\n" + fields + strings.TrimPrefix(l.head(), "HTTP/1.1 200 OK\r\n") + inChunks(append(l.preamble[:len(l.preamble):len(l.preamble)], l.broken)...) + lastChunk
}

// refused is the status and the body of a response that is the dialect's broken
// event.
func (l *tongue) refused() (int, string) {
	e := endpointOf(l.path)
	f := e.FaultOf([]byte(l.broken))
	return f.Status, string(e.Dialect.AppendError(nil, f))
}

// G2: when all targets fail before the model speaks, with an error in
// their streams, the client gets a status and an error in its dialect, and not a
// stream of which it learns that later.
func TestErrorInPlaceOfAStream(t *testing.T) {
	statuses := map[string]int{"openai": 500, "completions": 500, "responses": 500, "anthropic": 529, "ollama": 502}
	eachTongue(t, func(t *testing.T, l *tongue) {
		status, body := l.refused()
		if status != statuses[l.name] || !strings.Contains(body, "oops") || !strings.HasPrefix(body, l.refusal) {
			t.Fatalf("got %d %s, want %d and the upstream's message", status, body, statuses[l.name])
		}
		fields := "Retry-After: 7\r\nRequest-Id: theirs\r\nCache-Control: no-store\r\n"
		parts := []string{
			"Content-Type: application/json\r\n", "Retry-After: 7\r\n", "Request-Id: theirs\r\n", "Server-Timing: ", "Content-Length: ",
			"\r\n\r\n" + body,
		}
		for _, hold := range []int{1, 3} {
			l.atRig(t, 1, func(r *rig) {
				r.model.Hold.Events = hold
				c := l.send(r, l.ask)
				up := r.asked(0)
				r.write(up, l.broke(fields))
				got := r.seen(c)
				r.wantParts(got, status, append(parts, "X-Weir-Attempts: 1\r\n", "X-Weir-Upstream: up0\r\n")...)
				if strings.Contains(got, "Cache-Control") || strings.Contains(got, "X-Accel") {
					t.Errorf("got %q with fields of a stream", got)
				}
				if rec := r.record; rec.Status != status || rec.Err != errFirst || rec.Attempts != 1 {
					t.Errorf("got record %+v, want %d, %v", rec, status, errFirst)
				}
			})
		}
		l.atRig(t, 2, func(r *rig) { // both
			c := l.send(r, l.ask)
			r.write(r.asked(0), l.broke("X-First: 1\r\n"))
			r.write(r.asked(1), l.broke(fields))
			got := r.seen(c)
			r.wantParts(got, status, append(parts, "X-Weir-Attempts: 2\r\n", "X-Weir-Upstream: up1\r\n")...)
			if strings.Contains(got, "X-First") {
				t.Errorf("got %q with a field of the first", got)
			}
		})
		l.atRig(t, 2, func(r *rig) { // the other cannot be connected to: the upstream's own words are worth more
			r.stop(1)
			c := l.send(r, l.ask)
			r.write(r.asked(0), l.broke(fields))
			r.wantParts(r.seen(c), status, append(parts, "X-Weir-Attempts: 2\r\n", "X-Weir-Upstream: up0\r\n")...)
		})
		l.atRig(t, 2, func(r *rig) { // the other works
			c := l.send(r, l.ask)
			r.write(r.asked(0), l.broke(fields))
			r.write(r.asked(1), l.head()+inChunks(l.stream())+lastChunk)
			got := r.seen(c)
			if body, whole := bodyOfStream(t, got); body != l.stream() || !whole || strings.Contains(got, "theirs") {
				t.Errorf("got %q, want the second upstream's stream", got)
			}
			if rec := r.record; rec.Err != nil || rec.Status != 200 {
				t.Errorf("got record %+v, want no error", rec)
			}
		})
	})
}

// The same, wherever the upstream's bytes are cut, also where its error has no
// end.
func TestErrorInPlaceOfAStreamCut(t *testing.T) {
	eachTongue(t, func(t *testing.T, l *tongue) {
		status, body := l.refused()
		for _, stream := range []string{strings.Join(l.preamble, "") + l.broken, strings.TrimRight(l.broken, "\n")} {
			for cut := 1; cut < len(stream); cut += 7 {
				l.atRig(t, 1, func(r *rig) {
					c := l.send(r, l.ask)
					up := r.asked(0)
					r.write(up, l.head()+inChunks(stream[:cut]))
					r.seen(up)
					r.write(up, inChunks(stream[cut:])+lastChunk)
					r.wantParts(r.seen(c), status, "\r\n\r\n"+body)
				})
			}
		}
	})
}

// Where there is something of the model's ahead of the error, the stream passes,
// whether they come in one piece or in two; but another target is preferred, where
// there is one.
func TestErrorBehindTheModel(t *testing.T) {
	eachTongue(t, func(t *testing.T, l *tongue) {
		begins := strings.Join(l.preamble, "") + l.model[0]
		for _, pieces := range [][]string{{begins + l.broken}, {begins, l.broken}} {
			l.atRig(t, 1, func(r *rig) {
				c := l.send(r, l.ask)
				up := r.asked(0)
				r.write(up, l.head())
				for _, p := range pieces {
					r.write(up, inChunks(p))
					r.seen(up)
				}
				r.write(up, lastChunk)
				got := r.seen(c)
				r.wantParts(got, 200, "X-Weir-Upstream: up0\r\n")
				if body, whole := bodyOfStream(t, got); body != begins+l.broken || !whole {
					t.Errorf("%d pieces: got %q, want the upstream's", len(pieces), got)
				}
				if r.record.Err == nil {
					t.Errorf("got record %+v, want an error", r.record)
				}
			})
		}
		l.atRig(t, 2, func(r *rig) {
			c := l.send(r, l.ask)
			r.write(r.asked(0), l.head()+inChunks(begins+l.broken)+lastChunk)
			r.write(r.asked(1), l.head()+inChunks(l.stream())+lastChunk)
			if body, whole := bodyOfStream(t, r.seen(c)); body != l.stream() || !whole {
				t.Errorf("got %q, want the second upstream's stream", body)
			}
		})
	})
}

// A client that was promised a stream gets the upstream's own event in it, from
// whichever target it was.
func TestErrorBehindAPromise(t *testing.T) {
	eachTongue(t, func(t *testing.T, l *tongue) {
		for _, second := range []string{"", "stopped"} {
			l.atRig(t, 2, func(r *rig) {
				r.model.Keepalive = 5 * time.Second
				if second == "" {
					r.model.Retries = 0
					r.model.Plan(nil)
				} else {
					r.stop(1)
				}
				c := l.send(r, l.ask)
				up := r.asked(0)
				time.Sleep(6 * time.Second)
				r.seen(c)
				r.write(up, l.broke(""))
				got := r.seen(c)
				if !strings.Contains(got, "oops") || strings.Contains(got, l.mark) || !strings.HasSuffix(got, lastChunk) || strings.Count(got, "error") == 0 {
					t.Errorf("%s: got %q, want the upstream's error and no end mark", second, got)
				}
				if r.record.Err == nil || r.record.Status != 200 {
					t.Errorf("%s: got record %+v, want an error", second, r.record)
				}
			})
		}
	})
}

// An error that blames the client, or says that the upstream is busy, does not
// count against the upstream; any other does.
func TestBlameOfErrorEvents(t *testing.T) {
	l := &tongues[3]
	for kind, blamed := range map[string]bool{"overloaded_error": false, "rate_limit_error": false, "invalid_request_error": false, "api_error": true, "unheard_of": true} {
		l.atRig(t, 1, func(r *rig) {
			r.breakers()
			c := l.send(r, l.ask)
			up := r.asked(0)
			event := fmt.Sprintf("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":%q,\"message\":\"x\"}}\n\n", kind)
			r.write(up, l.head()+inChunks(event)+lastChunk)
			status := endpointOf(l.path).FaultOf([]byte(event)).Status
			r.wantParts(r.seen(c), status, fmt.Sprintf(`"type":%q`, kind))
			if got := !r.model.Targets[0].Upstream.Standing.Available(time.Now()); got != blamed {
				t.Errorf("%s: got an upstream that is blamed %v, want %v", kind, got, blamed)
			}
		})
	}
}

// An error that is longer than what is kept of a refusal still has a status.
func TestLongErrorEvent(t *testing.T) {
	l := &tongues[0]
	l.atRig(t, 1, func(r *rig) {
		c := l.send(r, l.ask)
		up := r.asked(0)
		r.write(up, l.head()+inChunks("data: {\"error\":{\"message\":\""+strings.Repeat("x", 2*refusalLimit), "\"}}\n\n")+lastChunk)
		r.wantParts(r.seen(c), 502, string(l.dialect().AppendError(nil, dialect.ServerError(502, "The upstream sent an error in place of a response."))))
	})
}

func (l *tongue) dialect() dialect.Dialect { return endpointOf(l.path).Dialect }
