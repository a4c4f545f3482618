package conform

import (
	"errors"
	"fmt"
	"io"
	"time"
)

func headTimeout(t *Target) time.Duration  { return t.HeadTimeout }
func idleTimeout(t *Target) time.Duration  { return t.IdleTimeout }
func bodyTimeout(t *Target) time.Duration  { return t.BodyTimeout }
func stallTimeout(t *Target) time.Duration { return t.StallTimeout }

// slowCases are items 107 to 110: peers that take their time.
func slowCases() []Case {
	const head = getLine + "\r\nHost: a\r\nX-Slow: "
	return []Case{
		c(107, "head that drips", "", drip(head, headTimeout), refuse(408)).waitsFor("HeadTimeout", headTimeout),
		c(107, "head that stops", "", send("GET /pl"), late(headTimeout), refuse(408)).waitsFor("HeadTimeout", headTimeout),
		c(107, "second head that drips", "", serve(msg(getLine, host), hello), drip(head, headTimeout), refuse(408)).
			waitsFor("HeadTimeout", headTimeout),
		c(107, "slow but complete in time", "", pieces("GET /plaintext", " HTTP/1.1\r\nHo", "st: a\r\n", "\r\n"), answer(200, is(hello)), alive),

		c(108, "no byte after accept", "", late(idleTimeout), closed).waitsFor("IdleTimeout", idleTimeout),
		c(108, "no byte after a response", "", serve(msg(getLine, host), hello), late(idleTimeout), closed).waitsFor("IdleTimeout", idleTimeout),

		c(109, "body that drips", "", send(msg(postLine, host, "Content-Length: 100000")), drip("x", bodyTimeout), refuse(408)).
			waitsFor("BodyTimeout", bodyTimeout),
		c(109, "chunked body that drips", "", send(msg(postLine, host, chunkedField)), drip("fff\r\n", bodyTimeout), refuse(408)).
			waitsFor("BodyTimeout", bodyTimeout),
		c(109, "body that drips to its reader", "", send(msg("PUT /upload HTTP/1.1", host, "Content-Length: 100000")),
			drip("x", bodyTimeout), refuse(408)).waitsFor("BodyTimeout", bodyTimeout),

		c(110, "stream that nobody reads is cut", "L8", stalled).waitsFor("StallTimeout", stallTimeout),
	}
}

// patient plays a step whose response may take the target's time-out, and more
// on a loaded machine.
func patient(of func(*Target) time.Duration, step Step) Step {
	return func(p *peer) error {
		return p.waiting(p.target.Patience+3*of(p.target), step)
	}
}

// unhurried plays a step whose response is much work.
func unhurried(step Step) Step {
	return func(p *peer) error { return p.waiting(6*p.target.Patience, step) }
}

func (p *peer) waiting(patience time.Duration, step Step) error {
	usual, longer := p.target, *p.target
	longer.Patience = patience
	p.target = &longer
	defer func() { p.target = usual }()
	return step(p)
}

// late waits for the server's first reaction, which must come about at the
// time-out: not clearly before it, and at most at three times it.
func late(of func(*Target) time.Duration) Step {
	return func(p *peer) error {
		start := time.Now()
		if err := patient(of, func(p *peer) error { return p.react(p.until()) })(p); err != nil {
			return err
		}
		return onTime(time.Since(start), of(p.target))
	}
}

// drip sends text and then x bytes one by one, ten per time-out, and wants the
// server's reaction about one time-out after the first byte: a clock that
// starts anew with each read would never run out.
func drip(text string, of func(*Target) time.Duration) Step {
	return func(p *peer) error {
		limit := of(p.target)
		start := time.Now()
		for i := 0; time.Since(start) < 4*limit; i++ {
			next := "x"
			if i < len(text) {
				next = text[i : i+1]
			}
			if err := p.send(next); err != nil {
				return err
			}
			if err := p.react(time.Now().Add(limit / 10)); !errors.Is(err, errSilent) {
				return onTime(time.Since(start), limit)
			}
		}
		return fmt.Errorf("got no reaction for %v, want one after %v", time.Since(start), limit)
	}
}

// react waits until bytes, FIN or RST arrive; the next step checks which.
func (p *peer) react(deadline time.Time) error {
	if err := p.fill(deadline); errors.Is(err, errSilent) {
		return err
	}
	return nil
}

func onTime(took, limit time.Duration) error {
	if took < limit*8/10 || took > 3*limit+time.Second {
		return fmt.Errorf("got the reaction after %v, want it after about %v", took, limit)
	}
	return nil
}

// stalled opens an endless stream and reads none of it. The stream must be cut
// at the stall time-out, visibly, and a client beside it must not notice (items
// 110 and 136).
func stalled(p *peer) error {
	const buffered = 32 << 20 // more than all kernel buffers on the way hold
	if err := do(smallWindow, send(msg("GET /burst?n=1000000&size=1024 HTTP/1.1", host)))(p); err != nil {
		return err
	}
	if err := other(keepsAnswering(2*p.target.StallTimeout + 500*time.Millisecond))(p); err != nil {
		return err
	}
	r, err := p.readHead("GET")
	if err != nil {
		return err
	}
	for n := 0; n < buffered && err == nil; {
		var piece []byte
		piece, err = p.readPiece(r)
		n += len(piece)
	}
	if !errors.Is(err, errTruncated) {
		return fmt.Errorf("got end %v, want the stream cut at the stall time-out", err)
	}
	p.buf = nil // a piece of a chunk may remain
	return nil
}

// keepsAnswering sends requests for that long; each response must come quickly.
func keepsAnswering(d time.Duration) Step {
	return func(p *peer) error {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for start := time.Now(); time.Since(start) < d; <-tick.C {
			asked := time.Now()
			if err := serve(msg(getLine, host), hello)(p); err != nil {
				return err
			}
			if took := time.Since(asked); took > time.Second {
				return fmt.Errorf("a response took %v beside a stalled stream", took)
			}
		}
		return nil
	}
}

// failureCases are item 115: handlers that fail.
func failureCases() []Case {
	fails := func(query string) Step { return send(msg("GET /fail?"+query+" HTTP/1.1", host)) }
	well := other(serve(msg(getLine, host), hello))
	return []Case{
		c(115, "error before the head is a 500", "L1", fails("after=0"), answer(500), settled, well),
		c(115, "panic before the head is a 500", "L14", fails("after=0&panic=1"), refuse(500), well),
		c(115, "error in a stream truncates it", "C3", fails("after=2"), truncated, well),
		c(115, "panic in a stream truncates it", "L14", fails("after=2&panic=1"), truncated, well),
		c(115, "error in a stream to HTTP|1.0", "C3", send("GET /fail?after=2 HTTP/1.0\r\n\r\n"), answerUnended, well),
	}
}

// truncated wants a 200 whose chunks never end: no last chunk, then FIN or RST.
func truncated(p *peer) error {
	r, err := p.readHead("GET")
	if err != nil {
		return err
	}
	if r.status != 200 || r.framing != byChunks {
		return fmt.Errorf("got %d, framing %d, want a chunked 200", r.status, r.framing)
	}
	for err == nil {
		_, err = p.readPiece(r)
	}
	if !errors.Is(err, errTruncated) {
		return fmt.Errorf("got end %v, want a truncated stream", err)
	}
	p.buf = nil // a piece of a chunk may remain
	return nil
}

// answerUnended wants a response without chunks that ends by RST: a FIN would
// look like its proper end (C3).
func answerUnended(p *peer) error {
	r, err := p.readHead("GET")
	if err != nil {
		return err
	}
	if r.framing != byClose {
		return fmt.Errorf("got framing %d, want the body to end with the connection", r.framing)
	}
	for err == nil {
		_, err = p.readPiece(r)
	}
	if errors.Is(err, io.EOF) && !onUnix(p) {
		return errors.New("got FIN, which ends the body properly; want RST")
	}
	return nil
}
