package relay

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"weir/cmd/weir/internal/target"

	"weir/weirtest"
)

const (
	tooMany     = `{"error":{"message":"slow down","type":"tokens","param":null,"code":"rate_limit_exceeded"}}`
	tooManyHead = "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nX-Request-Id: theirs\r\nX-Ratelimit-Limit-Requests: 5\r\n" +
		"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\nRetry-After: 1\r\n"
)

func sized(head, body string) string {
	return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(body), body)
}

// wantParts holds an answer against its status and what has to be in it.
func (r *rig) wantParts(got string, status int, parts ...string) {
	r.Helper()
	if !strings.HasPrefix(got, fmt.Sprintf("HTTP/1.1 %d ", status)) {
		r.Errorf("got %.2000q, want %d", got, status)
	}
	for _, part := range parts {
		if strings.Count(got, part) != 1 {
			r.Errorf("got %.2000q, want %q in it once", got, part)
		}
	}
}

// passed429 is what an answer has that passes tooMany on.
func passed429(attempts int) []string {
	return []string{
		"X-Request-Id: theirs\r\n", "X-Ratelimit-Limit-Requests: 5\r\n", "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n", "Date: ",
		"Retry-After: 1\r\n", "Content-Type: application/json\r\n",
		fmt.Sprintf("X-Weir-Attempts: %d\r\n", attempts), "X-Weir-Upstream: up0\r\n", "Server-Timing: ",
		fmt.Sprintf("Content-Length: %d\r\n", len(tooMany)), "\r\n\r\n" + tooMany,
	}
}

// open opens the breaker of an upstream.
func (r *rig) open(i int) {
	r.Helper()
	standing := r.model.Targets[i].Upstream.Standing
	policy, _ := target.New("round_robin", 1, nil)
	var it target.Itinerary
	it.Begin(&target.Route{Legs: []target.Leg{{Targets: []target.Target{{Standing: standing}}, Policy: policy}}}, 0)
	_, why := it.Next(time.Now())
	it.Fails(target.Unreachable, time.Now())
	it.End(time.Now())
	if why != target.Granted || standing.Available(time.Now()) {
		r.Fatal("the breaker does not open")
	}
}

// nervous is a breaker that the first failure opens, for as long as a test takes.
var nervous = target.Config{Breaker: target.BreakerConfig{Share: 0.01, Volume: 1, Window: time.Hour, Open: time.Hour}}

func (r *rig) breakers() {
	for i := range r.model.Targets {
		r.model.Targets[i].Upstream.Standing.Set(nervous)
	}
}

// G2, G6: an upstream's refusal is the answer when there is nobody else: not if
// the only target may not be asked any more when its Retry-After is over, nor if
// the others do not work.
func TestRefusalIsTheAnswer(t *testing.T) {
	t.Run("the breaker opens meanwhile", func(t *testing.T) {
		atRig(t, 1, func(r *rig) {
			r.breakers()
			c := r.ask(ask)
			up := r.asked(0)
			r.seen(up)
			r.write(up, sized(tooManyHead, tooMany))
			if got := r.seen(c); got != "" {
				t.Fatalf("got %q, want nothing before the time is over", got)
			}
			r.open(0)
			time.Sleep(time.Second + 100*time.Millisecond)
			r.wantParts(r.seen(c), 429, passed429(1)...)
			if r.closed(up) {
				t.Error("the connection was not kept")
			}
		})
	})
	t.Run("the other cannot be connected to", func(t *testing.T) {
		atRig(t, 2, func(r *rig) {
			r.stop(1)
			c := r.ask(ask)
			r.write(r.asked(0), sized(tooManyHead, tooMany))
			r.wantParts(r.seen(c), 429, passed429(2)...)
		})
	})
	t.Run("the other is late", func(t *testing.T) {
		atRig(t, 2, func(r *rig) {
			c := r.ask(ask)
			r.write(r.asked(0), sized(tooManyHead, tooMany))
			if r.asked(1) == nil {
				t.Fatal("the other was not asked")
			}
			time.Sleep(11 * time.Second)
			r.wantParts(r.seen(c), 429, passed429(2)...)
		})
	})
	t.Run("the other refuses too", func(t *testing.T) {
		atRig(t, 2, func(r *rig) {
			c := r.ask(ask)
			r.write(r.asked(0), sized(tooManyHead, tooMany))
			r.write(r.asked(1), sized("HTTP/1.1 503 No\r\nRetry-After: 9\r\n", "busy"))
			r.wantParts(r.seen(c), 503, "Retry-After: 9\r\n", "X-Weir-Attempts: 2", "X-Weir-Upstream: up1", "\r\n\r\nbusy")
		})
	})
	t.Run("the other works", func(t *testing.T) {
		atRig(t, 2, func(r *rig) {
			c := r.ask(ask)
			r.write(r.asked(0), sized(tooManyHead, tooMany))
			r.write(r.asked(1), sized("HTTP/1.1 200 OK\r\n", "fine"))
			r.wantParts(r.seen(c), 200, "X-Weir-Attempts: 2", "X-Weir-Upstream: up1", "\r\n\r\nfine")
		})
	})
}

// G2: a refusal whose body cannot be kept still has its status and fields.
func TestRefusalWithoutBody(t *testing.T) {
	long := sized(tooManyHead, strings.Repeat("x", refusalLimit+1))
	for _, tt := range []struct {
		name, sent string
		then       func(up *weirtest.Client)
	}{
		{"too long", long, nil},
		{"in chunks, too long", tooManyHead + "Transfer-Encoding: chunked\r\n\r\n8000\r\n" + strings.Repeat("x", 0x8000), nil},
		{"late", tooManyHead + "Content-Encoding: x\r\nContent-Length: 10\r\n\r\nhalf", func(*weirtest.Client) { time.Sleep(2 * refusalWait) }},
		{"broken off", tooManyHead + "Content-Length: 10\r\n\r\nhalf", func(up *weirtest.Client) { up.Reset() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			atRig(t, 2, func(r *rig) {
				r.stop(1)
				c := r.ask(ask)
				up := r.asked(0)
				r.write(up, tt.sent)
				if tt.then != nil {
					tt.then(up)
				}
				r.seen(up)
				got := r.seen(c)
				r.wantParts(got, 429, "Retry-After: 1\r\n", "X-Request-Id: theirs\r\n", "Content-Type: application/json\r\n",
					"X-Weir-Attempts: 2\r\n", "X-Weir-Upstream: up0\r\n", "Content-Length: ",
					`{"error":{"message":"The upstream responded with 429 Too Many Requests.","type":"rate_limit_error","param":null,"code":null}}`)
				if strings.Contains(got, "Content-Encoding") {
					t.Errorf("got %q with a field of the body that is not there", got)
				}
				if !r.closed(up) {
					t.Error("the upstream was not hung up on")
				}
			})
		})
	}
}

// G2, G3: a client that leaves while a refusal is listened to, or while its time
// runs, frees everything.
func TestLeaveWhileRefused(t *testing.T) {
	for _, sent := range []string{tooManyHead + "Content-Length: 10\r\n\r\nhalf", sized(tooManyHead, tooMany)} {
		atRig(t, 1, func(r *rig) {
			c := r.ask(ask)
			up := r.asked(0)
			r.write(up, sent)
			r.seen(up)
			c.Close()
			r.seen(up)
			if r.record == nil || !r.record.Left {
				t.Fatalf("got record %+v, want a client that left", r.record)
			}
			if whole := strings.HasSuffix(sent, tooMany); r.closed(up) == whole {
				t.Errorf("got a connection that is closed %v, want that only if the answer is not whole", !whole)
			}
		})
	}
}

// G4, G5: once a keep-alive comment is out a refusal is an event, and neither
// blamed on the upstream nor taken to another target if it is the client's fault.
func TestRefusalInStream(t *testing.T) {
	const bad = "{\n  \"error\": {\"message\": \"no such tool\", \"type\": \"invalid_request_error\"}\n}"
	for _, tt := range []struct {
		name, sent, want string
		elsewhere        bool
	}{
		{"400", sized("HTTP/1.1 400 Bad Request\r\n", bad), `data: {"error":{"message":"no such tool","type":"invalid_request_error"}}`, false},
		{"400 of another kind", sized("HTTP/1.1 400 Bad Request\r\n", "<html>"), `data: {"error":{"message":"The upstream responded with 400 Bad Request.","type":"invalid_request_error","param":null,"code":null}}`, false},
		{"429", sized(tooManyHead, tooMany), "data: " + tooMany, true},
		{"500 without a body", "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", `data: {"error":{"message":"The upstream responded with 500 Internal Server Error.","type":"server_error","param":null,"code":null}}`, true},
		{"no stream", sized("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n", "{}"), `data: {"error":{"message":"The upstream is not reachable.","type":"server_error","param":null,"code":null}}`, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			atRig(t, 2, func(r *rig) {
				r.breakers()
				r.stop(1)
				r.model.Keepalive, r.model.Hold.Wait = time.Second, 0
				c := r.ask(ask)
				up := r.asked(0)
				time.Sleep(1500 * time.Millisecond)
				r.wantParts(r.seen(c), 200, "Content-Type: text/event-stream; charset=utf-8\r\n", ": keep-alive\n\n")
				r.write(up, tt.sent)
				if got, want := r.seen(c), fmt.Sprintf("%x\r\n%s\n\n\r\n0\r\n\r\n", len(tt.want)+2, tt.want); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				if got := r.record.Attempts == 2; got != tt.elsewhere {
					t.Errorf("got %d attempts, want another %v", r.record.Attempts, tt.elsewhere)
				}
				if !tt.elsewhere && !r.model.Targets[0].Upstream.Standing.Available(time.Now()) {
					t.Error("the upstream was blamed")
				}
			})
		})
	}
}

// G2: the head of an attempt that was given up does not get into the answer.
func TestHeadOfAnotherAttempt(t *testing.T) {
	atRig(t, 2, func(r *rig) {
		r.model.Keepalive = time.Second
		c := r.ask(ask)
		up := r.asked(0)
		r.write(up, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Secret: 1\r\nTransfer-Encoding: chunked\r\n\r\n")
		r.seen(up)
		up.Reset()
		if r.asked(1) == nil {
			t.Fatal("the other was not asked")
		}
		time.Sleep(1100 * time.Millisecond)
		got := r.seen(c)
		r.wantParts(got, http.StatusOK, ": keep-alive\n\n")
		if strings.Contains(got, "X-Secret") || strings.Contains(got, "X-Weir") {
			t.Errorf("got %q with fields of the first attempt", got)
		}
	})
}
