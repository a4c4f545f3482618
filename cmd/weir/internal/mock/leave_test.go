package mock

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestDepartures: at every stage, both ways to leave are seen at once, with how
// far the answer was (G3).
func TestDepartures(t *testing.T) {
	events := StreamEvents(faultBody(Body{}))
	whole := chat{body: streamBody, keep: true}
	with := func(body, fault string) chat {
		return chat{body: body, keep: true, fields: []string{"x-mock-fault: " + fault}}
	}
	for _, tc := range []struct {
		name   string
		send   string
		want   func() string // what is read before leaving
		events int64
		bodies int
	}{
		{"before the head", with(streamBody, "slow-head=1h").String(), func() string { return "" }, 0, 1},
		{"before the head, unary", with(unaryBody, "slow-head=1h").String(), func() string { return "" }, 0, 1},
		{"before the first event", with(streamBody, "slow-first-event=1h").String(), func() string { return with(streamBody, "").streamHead() }, 0, 1},
		{"before a held head", with(streamBody, "hold-head").String(), func() string { return "" }, 0, 1},
		{"before a held event", with(streamBody, "hold-event=2").String(), func() string { return whole.streamHead() + chunks(events[:1]...) }, 1, 1},
		{"stalled at once", with(streamBody, "stall-after=0").String(), func() string { return whole.streamHead() }, 0, 1},
		{"between events", with(streamBody, "stall-after=2").String(), func() string { return whole.streamHead() + chunks(events[:2]...) }, 2, 1},
		{"before the end", with(streamBody, "stall-after=6").String(), func() string { return whole.streamHead() + chunks(events...) }, 6, 1},
		{"within a whole answer", with(unaryBody, "stall-after=1").String(), func() string {
			body := UnaryBody(faultBody(Body{}))
			return with(unaryBody, "").unaryHead(len(body)) + joined(Pieces(body)[:1])
		}, 1, 1},
		{"within the request's body", strings.TrimSuffix(whole.String(), "}"), func() string { return "" }, 0, 0},
	} {
		for _, how := range []string{byFIN, byReset} {
			t.Run(tc.name+"/"+how, func(t *testing.T) {
				s := Start(t, Config{Tokens: fewTokens})
				c := dial(t, s)
				c.send(tc.send)
				c.want(tc.want())
				await(t, s, func(n Counts) bool { return n.Requests == 1 && n.Bodies == tc.bodies && n.Events == int(tc.events) })
				at := time.Now()
				if how == byReset {
					c.reset()
				} else {
					c.tcp.Close()
				}
				q := ended(t, s, 1)
				if q.Left != how || q.Events != tc.events || q.Whole || q.LeftAt.Before(at) {
					t.Errorf("got left %q after %d events, whole %v, want %q, %d, false", q.Left, q.Events, q.Whole, how, tc.events)
				}
				await(t, s, func(n Counts) bool { return n.Closed == 1 && n.Left == 1 && n.Open == 0 })
				if got := s.Log().Connections[0]; got.Client != how || got.Mock != "" {
					t.Errorf("the connection: got ended %q by the client and %q by the mock, want %q and not", got.Client, got.Mock, how)
				}
			})
		}
	}
}

func await(t *testing.T, s *Server, holds func(Counts) bool) {
	t.Helper()
	if err := s.Wait(within(t), holds); err != nil {
		t.Fatal(err)
	}
}

// TestStallIsSilent: nothing comes after the last event, not even an end.
func TestStallIsSilent(t *testing.T) {
	for _, https := range []bool{false, true} {
		s := Start(t, Config{Tokens: fewTokens, TLS: https})
		c := dial(t, s)
		r := chat{body: streamBody, fields: []string{"x-mock-fault: stall-after=1"}}
		c.send(r.String())
		c.want(r.streamHead() + chunks(StreamEvents(faultBody(Body{}))[:1]...))
		c.silence()
	}
}

// TestHold: what is held comes with Release, and what comes later is not held.
func TestHold(t *testing.T) {
	events := StreamEvents(faultBody(Body{}))
	body := UnaryBody(faultBody(Body{}))
	for _, tc := range []struct {
		fault, body string
		first, rest func(r chat) string
	}{
		{"hold-head", streamBody, always(""), streamed(Body{}, -1, lastChunk)},
		{"hold-head", unaryBody, always(""), told(Body{}, 4, "")},
		{"hold-head, reset-before-head", streamBody, always(""), always("")},
		{"hold-event=1", streamBody, chat.streamHead, always(chunks(events...) + lastChunk)},
		{"hold-event=3", streamBody, streamed(Body{}, 2, ""), always(chunks(events[2:]...) + lastChunk)},
		{"hold-event=3, cut-inside=3", streamBody, streamed(Body{}, 2, ""), always(strconv.FormatInt(int64(len(events[2])), 16) + "\r\n" + string(events[2][:len(events[2])/2]))},
		{"hold-event=2", unaryBody, told(Body{}, 1, ""), always(joined(Pieces(body)[1:]))},
	} {
		s := Start(t, Config{Tokens: fewTokens})
		r := chat{body: tc.body, fields: []string{"x-mock-fault: " + tc.fault}}
		for i := range 2 {
			c := dial(t, s)
			c.send(r.String())
			c.want(tc.first(r))
			if i == 0 {
				c.silence()
				if status, _ := call(t, s, "PUT", "/mock/release", ""); status != 200 {
					t.Errorf("%s: got %d for the release, want 200", tc.fault, status)
				}
			}
			if got, _ := c.rest(); got != tc.rest(r) {
				t.Errorf("%s: got %s behind the hold, want %s", tc.fault, quoted(got), quoted(tc.rest(r)))
			}
		}
	}
}

// TestBlockedWriter: a client that does not read stops the events, and one that
// leaves then is seen as at any other time (G7).
func TestBlockedWriter(t *testing.T) {
	for _, https := range []bool{false, true} {
		s := Start(t, Config{TLS: https})
		c := dial(t, s)
		r := chat{body: streamBody, fields: []string{"x-mock-tokens: 100000000", "x-mock-size: 65536"}}
		c.send(r.String())
		c.want(r.streamHead())
		if err := s.WaitEvents(within(t), 4); err != nil {
			t.Fatal(err)
		}
		c.tcp.Close()
		if q := ended(t, s, 1); q.Left == "" || q.Whole {
			t.Errorf("got left %q, whole %v, want a departure", q.Left, q.Whole)
		}
	}
}

// TestLeftAfterTheAnswer is no departure.
func TestLeftAfterTheAnswer(t *testing.T) {
	for range 50 {
		s := Start(t, Config{Tokens: fewTokens})
		c := dial(t, s)
		r := chat{body: unaryBody, keep: true}
		c.send(r.String())
		body := UnaryBody(faultBody(Body{}))
		c.want(r.unaryHead(len(body)) + string(body))
		c.tcp.Close()
		await(t, s, func(n Counts) bool { return n.Closed == 1 && n.Ended == 1 })
		if q := s.Log().Requests[0]; q.Left != "" || !q.Whole {
			t.Fatalf("got left %q, whole %v, want none, true", q.Left, q.Whole)
		}
	}
}

func TestLeftWithoutARequest(t *testing.T) {
	s := Start(t, Config{})
	c := dial(t, s)
	await(t, s, func(n Counts) bool { return n.Open == 1 })
	if open := s.Connections(); len(open) != 1 || open[0].Requests != 0 {
		t.Errorf("got %+v, want one connection without requests", open)
	}
	c.tcp.Close()
	await(t, s, func(n Counts) bool { return n.Open == 0 && n.Closed == 1 && n.Requests == 0 })
	if open := s.Connections(); len(open) != 0 {
		t.Errorf("got %+v, want none", open)
	}
}

// TestManyDepartures: none is lost when many leave at once.
func TestManyDepartures(t *testing.T) {
	const n = 200
	s := Start(t, Config{})
	r := chat{body: streamBody, keep: true, fields: []string{"x-mock-pace: 1ms", "x-mock-tokens: 1000000"}}
	clients := make([]*client, n)
	for i := range clients {
		clients[i] = dial(t, s)
		clients[i].send(r.String())
	}
	await(t, s, func(c Counts) bool { return c.Bodies == n })
	for i, c := range clients {
		if i%2 == 0 {
			c.reset()
		} else {
			c.tcp.Close()
		}
	}
	await(t, s, func(c Counts) bool { return c.Left == n && c.Closed == n && c.Open == 0 })
	for _, q := range s.Log().Requests {
		if !slices.Contains([]string{byFIN, byReset}, q.Left) {
			t.Errorf("request %d: got left %q", q.ID, q.Left)
		}
	}
}

// TestCloseFrees: Close ends what would go on for ever, whatever it waits for.
func TestCloseFrees(t *testing.T) {
	s := Start(t, Config{})
	for _, fault := range []string{"stall-after=0", "slow-head=1h", "slow-body=1h", "early, slow-head=1h", "close-keepalive=1h"} {
		r := chat{body: streamBody, keep: true, fields: []string{"x-mock-fault: " + fault}}
		c := dial(t, s)
		c.send(r.String() + strings.Repeat("x", inboxLimit*2)) // more than it takes in
	}
	await(t, s, func(n Counts) bool { return n.Requests == 5 })
	s.Close()
	if got := s.Counts(); got.Open != 0 {
		t.Errorf("got %d connections open after Close, want none", got.Open)
	}
}
