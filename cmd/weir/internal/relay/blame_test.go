package relay

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/cmd/weir/internal/target"

	"weir/weirtest"
)

const (
	streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
	oneEvent   = "9\r\ndata: 1\n\n\r\n"
	oops       = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"
)

// Each charge needs evidence: what an attempt counts as, and whether it is held
// against its upstream. The first charge opens a breaker here.
func TestEvidence(t *testing.T) {
	long := fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", 4<<20) + padded(`{"model":"m",`, 2*gatherLimit, "")
	for _, tt := range []struct {
		name    string
		targets int
		set     func(r *rig)
		request string // ask
		act     func(r *rig, c *weirtest.Client)
		want    string // what the upstreams' attempts count as; in capital letters where that is held against them
	}{
		{name: "a connection that is refused", set: func(r *rig) { r.stop(0) }, want: "UNREACHABLE"},
		{name: "a connection that is not there in time", set: func(r *rig) { r.ups[0].Hang() },
			act: func(r *rig, _ *weirtest.Client) { time.Sleep(3 * time.Second) }, want: "CONNECT_TIMEOUT"},
		{name: "no event in time", act: func(r *rig, _ *weirtest.Client) {
			r.write(r.asked(0), streamHead)
			time.Sleep(11 * time.Second)
		}, want: "SILENT"},
		{name: "no head in time", act: func(r *rig, _ *weirtest.Client) {
			r.asked(0)
			time.Sleep(11 * time.Second)
		}, want: "SILENT"},
		{name: "a connection that is closed", act: func(r *rig, _ *weirtest.Client) { r.asked(0).Close() }, want: "NO_RESPONSE"},
		{name: "a connection that is closed in the head", act: func(r *rig, _ *weirtest.Client) {
			up := r.asked(0)
			r.write(up, streamHead[:30])
			r.seen(up)
			up.Close()
		}, want: "TRUNCATED"},
		{name: "no HTTP", act: func(r *rig, _ *weirtest.Client) { r.write(r.asked(0), "SSH-2.0-x\r\n") }, want: "INVALID"},
		{name: "a status", act: func(r *rig, _ *weirtest.Client) { r.write(r.asked(0), oops) }, want: "STATUS"},
		{name: "an error as the first event", act: func(r *rig, _ *weirtest.Client) {
			const event = "data: {\"error\":{\"message\":\"x\"}}\n\n"
			r.write(r.asked(0), fmt.Sprintf("%s%x\r\n%s\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n", streamHead, len(event), event))
		}, want: "ERROR_EVENT"},
		{name: "a stream that breaks off", act: func(r *rig, c *weirtest.Client) {
			up := r.asked(0)
			r.write(up, streamHead+oneEvent)
			r.seen(c)
			up.Reset()
		}, want: "INTERRUPTED"},
		{name: "a stream that falls silent", act: func(r *rig, _ *weirtest.Client) {
			r.write(r.asked(0), streamHead+oneEvent)
			time.Sleep(11 * time.Second)
		}, want: "INTERRUPTED"},
		{name: "a stream that ends without its mark", act: func(r *rig, _ *weirtest.Client) {
			r.write(r.asked(0), streamHead+oneEvent+"0\r\n\r\n")
		}, want: "UNFINISHED"},
		{name: "a total time in which nothing came", set: func(r *rig) { r.model.Targets[0].Upstream.Timeouts.Total = time.Second },
			act: func(r *rig, _ *weirtest.Client) {
				r.asked(0)
				time.Sleep(2 * time.Second)
			}, want: "SILENT"},

		{name: "a status that another target has, too", targets: 2, act: func(r *rig, _ *weirtest.Client) {
			r.write(r.asked(0), oops)
			r.write(r.asked(1), oops)
		}, want: "status status"},
		{name: "a status, and then a client that leaves", targets: 2, act: func(r *rig, c *weirtest.Client) {
			r.write(r.asked(0), oops)
			r.asked(1)
			c.Close()
		}, want: "status -"},
		{name: "a status, and then a client that leaves where the other answers", targets: 2, act: func(r *rig, c *weirtest.Client) {
			r.write(r.asked(0), oops)
			r.write(r.asked(1), streamHead+oneEvent)
			r.seen(c)
			c.Close()
		}, want: "STATUS -"},
		{name: "a status, and then another that refuses the request", targets: 2, act: func(r *rig, c *weirtest.Client) {
			r.write(r.asked(0), oops)
			r.write(r.asked(1), sized("HTTP/1.1 400 Bad\r\n", "bad"))
			r.seen(c)
		}, want: "status -"},
		{name: "too many requests", act: func(r *rig, _ *weirtest.Client) { r.write(r.asked(0), sized(tooManyHead, tooMany)) }, want: "overloaded"},
		{name: "too much to do", act: func(r *rig, _ *weirtest.Client) {
			r.write(r.asked(0), "HTTP/1.1 503 Busy\r\nRetry-After: 100\r\nContent-Length: 0\r\n\r\n")
		}, want: "overloaded"},
		{name: "an event beyond what is held", set: func(r *rig) { r.gateway.MaxEvent = 100 }, act: func(r *rig, _ *weirtest.Client) {
			r.write(r.asked(0), streamHead+"200\r\n"+strings.Repeat("x", 0x200)+"\r\n")
		}, want: "-"},
		{name: "a head beyond the gateway's limit", act: func(r *rig, _ *weirtest.Client) {
			r.write(r.asked(0), "HTTP/1.1 200 OK\r\nX-Large: "+strings.Repeat("x", 40<<10)+"\r\n\r\n")
		}, want: "too_long"},
		{name: "no stream where one was promised", set: func(r *rig) { r.model.Keepalive = time.Second }, act: func(r *rig, _ *weirtest.Client) {
			up := r.asked(0)
			time.Sleep(1500 * time.Millisecond)
			r.write(up, sized("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n", "{}"))
		}, want: "no_stream"},
		{name: "a total time that passes in a stream", set: func(r *rig) { r.model.Targets[0].Upstream.Timeouts.Total = time.Second },
			act: func(r *rig, _ *weirtest.Client) {
				r.write(r.asked(0), streamHead+oneEvent)
				time.Sleep(2 * time.Second)
			}, want: "too_late"},
		{name: "a total time that the client's body takes", set: func(r *rig) { r.model.Targets[0].Upstream.Timeouts.Total = time.Second }, request: long,
			act: func(r *rig, _ *weirtest.Client) {
				r.asked(0)
				time.Sleep(2 * time.Second)
			}, want: "too_late"},
		{name: "a client that sends its body slowly", request: long, act: func(r *rig, c *weirtest.Client) {
			r.seen(r.asked(0))
			for range 8 {
				time.Sleep(4 * time.Second)
				r.write(c, strings.Repeat("x", 2<<10))
			}
			c.Close()
		}, want: "-"},
		{name: "a client whose body is no JSON in the end", request: long, act: func(r *rig, c *weirtest.Client) {
			r.seen(r.asked(0))
			r.write(c, "}}}}")
			r.seen(c)
		}, want: "-"},
		{name: "a client that does not read", act: func(r *rig, c *weirtest.Client) {
			c.SetWindow(0)
			up := r.asked(0)
			r.write(up, streamHead+oneEvent)
			go func() {
				for piece := fmt.Sprintf("%x\r\n%s\r\n", 32<<10, strings.Repeat("data: x\n", 4<<10)); ; {
					if _, err := up.Write([]byte(piece)); err != nil {
						return
					}
				}
			}()
			time.Sleep(15 * time.Second)
			c.Close()
		}, want: "-"},
		{name: "a client that leaves", act: func(r *rig, c *weirtest.Client) {
			r.asked(0)
			c.Close()
		}, want: "-"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			atRig(t, max(tt.targets, 1), func(r *rig) {
				r.breakers()
				if tt.set != nil {
					tt.set(r)
				}
				c := r.Dial()
				if tt.request == "" {
					tt.request = fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(ask), ask)
				}
				r.write(c, tt.request)
				if tt.act != nil {
					tt.act(r, c)
				}
				r.seen(c)
				c.Close()
				r.asked(0) // nothing moves any more
				if got := r.evidence(); got != tt.want {
					t.Errorf("got %s, want %s; the record is %+v", got, tt.want, r.record)
				}
			})
		})
	}
}

// evidence is what the attempts counted as, upstream by upstream.
func (r *rig) evidence() string {
	var all []string
	for i := range r.model.Targets {
		snap := r.model.Targets[i].Upstream.Standing.Snapshot(time.Now())
		what := ""
		for _, reason := range target.Reasons() {
			if snap.Failures[reason] > 0 {
				what += reason.String()
			}
		}
		if snap.Breaker == target.Open {
			what = strings.ToUpper(what)
		}
		if what == "" {
			what = "-"
		}
		all = append(all, what)
	}
	return strings.Join(all, " ")
}
