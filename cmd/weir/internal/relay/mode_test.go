package relay

import (
	"bytes"
	"context"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/mock"
	"weir/cmd/weir/internal/upstream"
)

// mode is what the gateway and its client do otherwise than usual while an
// upstream fails.
type mode struct {
	name    string
	gateway func(g *Gateway)
	model   func(m *Model)
	pad     int                // bytes by which the request is longer
	not     func(c trial) bool // true where there is nothing to be seen of the mode
	hold    func(c trial) (upstream int, fault string)
	listens bool // upstreams that are held go on when the client has heard a keep-alive
	change  func(c trial, v verdict) verdict
}

var usual = mode{name: "-"}

// alive: comments go out while the upstream is silent, and with the first one
// the head. So every failure is one in the stream (G4).
var alive = mode{
	name:    "kept alive",
	model:   func(m *Model) { m.Keepalive = 10 * time.Millisecond },
	listens: true,
	not:     func(c trial) bool { return c.atOnce() },
	hold: func(c trial) (int, string) {
		if c.away != here {
			return 0, ""
		}
		return 0, "hold-head"
	},
	change: func(c trial, v verdict) verdict {
		switch lines := c.endpoint().Framing == dialect.Lines; {
		case v.told:
			v.out, v.fault, v.theirs, v.told = v.promised, nil, true, false
			if v.end == byGateway {
				v.end = "" // it passes
			}
		case v.plain && !lines: // it is not what was promised
			v = early(502, noStream, "")
			v.heard = true
		}
		v.plain = false
		v.status, v.fields, v.ours, v.alive = 200, nil, false, true
		return v
	},
}

// long: the request is relayed while it arrives, and kept for another attempt.
var long = mode{
	name: "long body",
	pad:  80 << 10, // not so long that closing behind an early answer takes its time
}

// unkept: the request is too long to be kept, so it is sent once, but for an
// upstream that there was no connection to (G6, G8).
var unkept = mode{
	name:    "unkept body",
	gateway: func(g *Gateway) { g.MaxReplay = gatherLimit },
	pad:     80 << 10,
	change: func(c trial, v verdict) verdict {
		switch {
		case v.requests < 0:
			return v
		case v.attempts == 2:
			v = passedOn(429, "retry-after-ms: 20")
		}
		if v.elsewhere && c.two {
			v.fields = append(v.fields, "x-weir-not-retried: request_not_kept")
			if v.ours {
				v.fault.Code = "request_not_kept"
				v.fault.Message += " No other server was tried, because the request is too long to be kept for that."
			}
		}
		v.elsewhere = false
		return v
	},
}

// leaving: the client leaves while the fault is still to come, or, where another
// target is asked because of it, while that one is (G3).
var leaving = mode{
	name: "client leaves",
	not:  func(c trial) bool { i, _ := leavingHold(c); return i == 0 && c.atOnce() },
	hold: leavingHold,
}

// leavingHold is what the client leaves: the first upstream, or the second one
// if that is asked because of the fault.
func leavingHold(c trial) (int, string) {
	v := c.unary
	if c.stream {
		v = c.fault.stream
	}
	switch {
	case v.elsewhere && c.two && (c.over != "h2" || c.overHTTP2 == nil):
		return 1, "hold-head"
	case v.status != 200 || v.attempts == 2 || v.plain || c.name == "slow first event" || c.set["fault"] == "error-event-first":
		return 0, "hold-head"
	case strings.HasSuffix(c.set["fault"], "0") || strings.HasSuffix(c.set["fault"], "=1"):
		return 0, "hold-head"
	}
	return 0, "hold-event=3" // the first one has nothing of the model's
}

// staysAtFirst reports whether the client leaves while the first upstream's
// limits run.
func (c trial) staysAtFirst() bool {
	i, _ := leavingHold(c)
	return c.mode == &leaving && i == 0
}

// atOnce reports whether the first upstream fails as soon as it is asked.
func (c trial) atOnce() bool { return c.away != here && c.limits == (upstream.Timeouts{}) }

// until is what the client has seen when upstreams that are held go on; nil = they
// do not.
func (c trial) until() *regexp.Regexp {
	if !c.mode.listens {
		return nil
	}
	return c.alive
}

// leave has the client leave and checks that the upstream is free at once, and
// not to blame.
func (c trial) leave(t *testing.T, s *stand) (res result) {
	i, fault := leavingHold(c)
	conn := c.connect(t, s)
	defer conn.Close()
	c.untilHeld(t, s, i)
	if fault != "hold-head" {
		untilBody(t, conn)
	}
	_ = conn.Close()
	r := <-s.records
	if !r.Left || r.Attempts != i+1 {
		res.wrong.add("got left %v after %d attempts (%v), want true after %d", r.Left, r.Attempts, r.Err, i+1)
	}
	if u := s.ups[i]; !u.Standing.Available(time.Now()) {
		res.wrong.add("the upstream that was left is blamed")
	}
	for _, u := range s.ups {
		if n := u.Standing.Running(); n != 0 {
			res.wrong.add("%s: got %d calls that run, want none", u.Name, n)
		}
	}
	res.row = c.columns() + "\tleft\t" + c.sawLeaving(s, i, &res.wrong)
	return res
}

// untilBody reads until there is some of an answer's body.
func untilBody(t *testing.T, conn net.Conn) {
	t.Helper()
	var raw []byte
	for buf := make([]byte, 4<<10); ; {
		n, err := conn.Read(buf)
		raw = append(raw, buf[:n]...)
		if _, body, _ := bytes.Cut(raw, []byte("\r\n\r\n")); len(body) > 0 {
			return
		}
		if err != nil {
			t.Fatalf("got %q, %v, want the beginning of an answer", raw, err)
		}
	}
}

// requests is how many of them upstream i sees.
func (c trial) requests(i int) int {
	if i == 0 && c.away != here {
		return 0
	}
	return 1
}

// untilHeld waits until the request is at upstream i.
func (c trial) untilHeld(t *testing.T, s *stand, i int) {
	t.Helper()
	for range i + 1 {
		<-s.asked
	}
	ctx, cancel := context.WithTimeout(context.Background(), farAway)
	defer cancel()
	if err := s.mocks[i].Wait(ctx, func(n mock.Counts) bool { return n.Bodies >= c.requests(i) }); err != nil {
		t.Fatal(err)
	}
}

// sawLeaving checks what the upstreams saw of a departure from upstream i.
func (c trial) sawLeaving(s *stand, i int, wrong *problems) string {
	var saw []string
	for j, m := range s.mocks {
		switch {
		case j == i && c.requests(i) > 0:
			saw = append(saw, c.sees(wrong, m, j, 1, byGateway, farAway))
		case j > i:
			saw = append(saw, c.sees(wrong, m, j, 0, kept, farAway))
		}
	}
	return strings.Join(saw, "; ")
}
