package conform

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// streamCases are items 125 to 129, 131 to 133, 136 and 138: streams on the
// wire.
func streamCases() []Case {
	get := func(target string, lines ...string) Step {
		return send(msg(append([]string{"GET " + target + " HTTP/1.1", host}, lines...)...))
	}
	sseHead := []check{names("Content-Type", "text/event-stream"), has("Cache-Control", "no-cache"), has("X-Accel-Buffering", "no"), without("Content-Length")}
	cases := []Case{
		c(125, "SSE fields", "L2", get("/sse?n=3&interval=1ms"), answer(200, append(sseHead, chunked, ticks(3))...), alive),
		c(126, "first event leaves before the second", "", get("/sse?n=2&interval=400ms"), apart(2, 100*time.Millisecond), alive),
		c(126, "head that is committed late", "L1", get("/slow-head?delay=100ms&status=202"), answer(202, chunked), alive),
		c(126, "request behind a stream", "L10", send(msg("GET /sse?n=3&interval=10ms HTTP/1.1", host)+msg(getLine, host)),
			answer(200, ticks(3)), answer(200, is(hello)), alive),
		c(127, "Connection: close streams", "L3", get("/sse?n=2&interval=400ms", "Connection: close"), apart(2, 100*time.Millisecond), announcedClose, closed),
		c(127, "Connection: close on a pump", "L3", get("/numbers?n=3", "Connection: close"), answer(200, chunked, closing, is("1\n2\n3\n")), closed),
		c(128, "SSE to HTTP|1.0", "L3", send("GET /sse?n=3&interval=1ms HTTP/1.0\r\n\r\n"), answer(200, raw, ticks(3)), closed),
		c(128, "SSE to HTTP|1.0 with keep-alive", "L3", send("GET /sse?n=3&interval=1ms HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
			answer(200, raw, ticks(3)), closed),
		c(128, "pump to HTTP|1.0", "L3", send("GET /numbers?n=3 HTTP/1.0\r\n\r\n"), answer(200, raw, is("1\n2\n3\n")), closed),
		c(128, "trailers to HTTP|1.0", "L3", send("GET /trailers HTTP/1.0\r\n\r\n"), answer(200, raw, lacks("Server-Timing")), closed),
		c(129, "HEAD of an endless stream", "L3", send(msg("HEAD /sse?n=1000000&interval=1s HTTP/1.1", host)),
			answerTo("HEAD", in{200}, names("Content-Type", "text/event-stream"), without("Content-Length")), alive),
		c(129, "HEAD of a native stream", "L3", send(msg("HEAD /tokens?n=1000000&interval=1s HTTP/1.1", host)),
			answerTo("HEAD", in{200}, names("Content-Type", "text/event-stream")), alive),
	}
	for _, s := range []struct {
		target string
		checks []check
	}{
		{"/numbers?n=1000", []check{holds("\n999\n1000\n")}},
		{"/sse?n=20&interval=1ms", []check{ticks(20)}},
		{"/tokens?n=20&interval=1ms&size=8", []check{holds("data: [DONE]\n\n")}},
		{"/burst?n=1000&size=64", []check{atLeast(64000)}},
		{"/ndjson?n=100", []check{isNDJSON(100)}},
		{"/trailers", []check{trailer("Server-Timing")}},
	} {
		name, _, _ := strings.Cut(strings.TrimPrefix(s.target, "/"), "?")
		cases = append(cases, c(131, "one last chunk, "+name, "C1", get(s.target), answer(200, append(s.checks, chunked)...), alive))
	}
	return append(cases,
		c(132, "heartbeat while nothing is sent", "E16", get("/clock?interval=1h&heartbeat=50ms"), comments(3)),
		c(132, "no heartbeat beside traffic", "E16", get("/clock?interval=20ms&heartbeat=1s"), noComments(60)),
		c(133, "Last-Event-ID", "L17", get("/sse?n=10&interval=1ms", "Last-Event-ID: 3"), answer(200, firstID("4")), alive),
		c(133, "Last-Event-ID with high bytes", "H9", get("/sse?n=2&interval=1ms", "Last-Event-ID: \xe2\x82\xac\xff"), answerIn(in{200, 400}), settled),
		c(133, "Last-Event-ID with a control", "H6", reject(msg("GET /sse?n=2 HTTP/1.1", host, "Last-Event-ID: 3\x004"), 400)),
		c(136, "streams that nobody reads delay no other", "L8", besideUnread(4, do(get("/tokens?n=20&interval=10ms"), answer(200, holds("[DONE]")), alive))),
		c(138, "events that are alone leave alone", "", get("/tokens?n=8&interval=60ms"), apart(8, 20*time.Millisecond)),
	)
}

func chunked(r *response) error { return has("Transfer-Encoding", "chunked")(r) }

// raw wants a stream as an HTTP/1.0 client gets it: bytes until the end (L3).
func raw(r *response) error {
	if err := without("Transfer-Encoding")(r); err != nil {
		return err
	}
	return without("Content-Length")(r)
}

func announcedClose(p *peer) error { return closing(p.last) }

func atLeast(n int) check {
	return func(r *response) error {
		if len(r.body) < n {
			return fmt.Errorf("got %d bytes, want %d or more", len(r.body), n)
		}
		return nil
	}
}

func trailer(name string) check {
	return func(r *response) error {
		for _, f := range r.trailers {
			if strings.EqualFold(f.name, name) {
				return nil
			}
		}
		return fmt.Errorf("got trailers %v, want %s", r.trailers, name)
	}
}

// ticks wants n events of /sse, numbered without a gap.
func ticks(n int) check {
	return func(r *response) error {
		events := strings.SplitAfter(string(r.body), "\n\n")
		if len(events) != n+1 || events[n] != "" {
			return fmt.Errorf("got %d events in %s, want %d", len(events)-1, shorten(string(r.body)), n)
		}
		first := -1
		for i, ev := range events[:n] {
			var id, tick int
			if _, err := fmt.Sscanf(ev, "id: %d\ndata: tick %d\n\n", &id, &tick); err != nil || id != tick {
				return fmt.Errorf("got event %q, want id: i and data: tick i", ev)
			}
			if first < 0 {
				first = id
			}
			if id != first+i {
				return fmt.Errorf("got event %d after %d", id, first+i-1)
			}
		}
		return nil
	}
}

func firstID(id string) check {
	return func(r *response) error {
		if !strings.HasPrefix(string(r.body), "id: "+id+"\n") {
			return fmt.Errorf("got %s, want it to start with id %s", shorten(string(r.body)), id)
		}
		return nil
	}
}

// blocks reads a stream's events one at a time: what stands before each empty
// line.
type blocks struct {
	p    *peer
	r    *response
	rest string
}

func openBlocks(p *peer) (*blocks, error) {
	r, err := p.readHead("GET")
	if err != nil {
		return nil, err
	}
	if r.status != 200 {
		return nil, fmt.Errorf("got %d, want a stream", r.status)
	}
	return &blocks{p: p, r: r}, nil
}

// next returns one block, its empty line dropped; io.EOF after the last.
func (b *blocks) next() (string, error) {
	for {
		if block, rest, ok := strings.Cut(b.rest, "\n\n"); ok {
			b.rest = rest
			return block, nil
		}
		piece, err := b.p.readPiece(b.r)
		b.rest += string(piece)
		if err == io.EOF && b.rest != "" {
			return "", fmt.Errorf("got %q at the end, want whole events", b.rest)
		}
		if err != nil {
			return "", err
		}
	}
}

// apart reads the rest of a stream of n or more events and wants them to arrive
// one by one, at least gap apart. On a loaded machine some may be late and meet
// the next; most must not.
func apart(n int, gap time.Duration) Step {
	return func(p *peer) error {
		stream, err := openBlocks(p)
		if err != nil {
			return err
		}
		var last time.Time
		arrived, spaced := 0, 0
		for {
			if _, err = stream.next(); err != nil {
				break
			}
			if now := time.Now(); arrived == 0 || now.Sub(last) >= gap {
				spaced, last = spaced+1, now
			}
			arrived++
		}
		switch {
		case err != io.EOF:
			return fmt.Errorf("after %d events: %w", arrived, err)
		case arrived < n || spaced < max(2, n*3/4):
			return fmt.Errorf("got %d events, %d of them %v apart, want %d apart", arrived, spaced, gap, n)
		}
		return nil
	}
}

// comments wants n comment blocks and disconnects.
func comments(n int) Step {
	return func(p *peer) error {
		stream, err := openBlocks(p)
		if err != nil {
			return err
		}
		for seen := 0; seen < n; {
			block, err := stream.next()
			if err != nil {
				return fmt.Errorf("after %d heartbeats: %w", seen, err)
			}
			if strings.HasPrefix(block, ":") {
				seen++
			} else if strings.Contains(block, "\n:") {
				return fmt.Errorf("got a comment inside the event %q", block)
			}
		}
		p.buf = nil
		return nil
	}
}

// noComments reads n blocks, none of which may hold a comment, and disconnects.
func noComments(n int) Step {
	return func(p *peer) error {
		stream, err := openBlocks(p)
		if err != nil {
			return err
		}
		for range n {
			block, err := stream.next()
			if err != nil {
				return err
			}
			if strings.HasPrefix(block, ":") || strings.Contains(block, "\n:") {
				return errors.New("got a heartbeat beside traffic")
			}
		}
		p.buf = nil
		return nil
	}
}

// besideUnread plays a step while n endless streams are open and not read.
func besideUnread(n int, step Step) Step {
	return func(p *peer) error {
		for range n {
			q := &peer{target: p.target}
			defer q.close()
			if err := do(smallWindow, send(msg("GET /burst?n=1000000&size=1024 HTTP/1.1", host)))(q); err != nil {
				return err
			}
			if _, err := q.readHead("GET"); err != nil {
				return err
			}
		}
		return step(p)
	}
}
