package conform

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"
)

// A Step is one step of a case: something sent, or something that must happen.
type Step func(*peer) error

// check is a requirement on one response.
type check func(*response) error

// in is the set of statuses that an item permits.
type in []int

// The parts of most cases.
const (
	getLine  = "GET /plaintext HTTP/1.1"
	postLine = "POST /echo HTTP/1.1"
	host     = "Host: weir.example"
	hello    = "Hello, World!"

	// bait follows every stimulus that must be refused: a response to it would
	// mean that the server continued with bytes it cannot place.
	bait = "GET /plaintext HTTP/1.1\r\nHost: bait.example\r\n\r\n"
)

// msg is a message head: lines joined by CRLF, and the empty line.
func msg(lines ...string) string { return strings.Join(lines, "\r\n") + "\r\n\r\n" }

// do joins steps into one.
func do(steps ...Step) Step {
	return func(p *peer) error {
		for _, step := range steps {
			if err := step(p); err != nil {
				return err
			}
		}
		return nil
	}
}

// ---- sending

// send writes raw bytes as one piece.
func send(raw string) Step { return func(p *peer) error { return p.send(raw) } }

// sent waits until everything was handed to the kernel.
func sent(p *peer) error {
	p.settleWrite()
	return nil
}

// shutdown shuts down our write side (FIN) and keeps the other open.
func shutdown(p *peer) error {
	p.settleWrite()
	half, ok := p.conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.New("the connection cannot be shut one way")
	}
	p.note("> FIN")
	return half.CloseWrite()
}

// reset drops the connection: RST on TCP, a plain close on a unix socket.
func reset(p *peer) error {
	p.settleWrite()
	p.linger(0)
	p.note("> RST")
	return p.conn.Close()
}

// pace is how long a split message waits between two pieces for a reaction that
// must not come; it makes the server see the pieces apart.
const pace = time.Millisecond

// pieces sends parts one by one; the server must stay silent before the last.
func pieces(parts ...string) Step {
	return func(p *peer) error {
		for i, part := range parts {
			if err := p.send(part); err != nil {
				return err
			}
			if i == len(parts)-1 {
				return nil
			}
			if err := quiet(pace)(p); err != nil {
				return fmt.Errorf("before piece %d of %d: %w", i+2, len(parts), err)
			}
		}
		return nil
	}
}

// ---- expecting

// quiet wants nothing to arrive for that long.
func quiet(d time.Duration) Step {
	return func(p *peer) error {
		err := p.fill(time.Now().Add(d))
		if errors.Is(err, errSilent) && len(p.buf) == 0 {
			return nil
		}
		return fmt.Errorf("got %s (%v), want silence", shorten(string(p.buf)), err)
	}
}

// answer reads one response with that status to a request other than HEAD.
func answer(status int, checks ...check) Step { return answerTo("GET", in{status}, checks...) }

// answerIn reads one response with one of the statuses.
func answerIn(statuses in, checks ...check) Step { return answerTo("GET", statuses, checks...) }

// answerTo reads one response to a request of that method.
func answerTo(method string, statuses in, checks ...check) Step {
	return func(p *peer) error {
		r, err := p.readResponse(method)
		if err != nil {
			return fmt.Errorf("%w, want a response %v", err, statuses)
		}
		if !slices.Contains(statuses, r.status) {
			return fmt.Errorf("got %d, want %v", r.status, statuses)
		}
		for _, demand := range checks {
			if err := demand(r); err != nil {
				return fmt.Errorf("response %d: %w", r.status, err)
			}
		}
		return nil
	}
}

// refuse is the rules' "R": one of the statuses, Connection: close, FIN, and
// nothing behind it.
func refuse(statuses ...int) Step {
	return do(answerIn(statuses, closing), closed)
}

// reject sends raw with a bait behind it and wants it refused.
func reject(raw string, statuses ...int) Step {
	return do(send(raw+bait), refuse(statuses...))
}

// rejectFlood is reject for more input than a server need discard before it
// closes: the response must arrive, a reset after it is permitted.
func rejectFlood(raw string, statuses ...int) Step {
	return do(send(raw+bait), answerIn(statuses, closing), dropped)
}

// serve sends raw and wants 200 with that body; the connection stays open.
func serve(raw, body string) Step { return do(send(raw), answer(200, is(body)), alive) }

// closed wants FIN and not one byte before it; a reset is a failure.
func closed(p *peer) error {
	if err := ended(p); err != io.EOF {
		return fmt.Errorf("got %w, want FIN after the response", err)
	}
	return nil
}

// dropped wants the end of the connection, by FIN or RST, and not one byte
// before it.
func dropped(p *peer) error {
	if err := ended(p); err != io.EOF && !errors.Is(err, errReset) {
		return fmt.Errorf("got %w, want the connection ended", err)
	}
	return nil
}

// ended waits for the end and returns how it came.
func ended(p *peer) error {
	deadline := p.until()
	for len(p.buf) == 0 {
		if err := p.fill(deadline); err != nil {
			return err
		}
	}
	return fmt.Errorf("bytes %s", shorten(string(p.buf)))
}

// alive proves that the connection is still open: another request gets its
// exact response, so no stray byte was in between.
func alive(p *peer) error {
	if p.last != nil && p.last.saysClose() {
		return errors.New("got Connection: close, want the connection kept")
	}
	if err := p.send(msg(getLine, host)); err != nil {
		return err
	}
	if err := answer(200, is(hello))(p); err != nil {
		return fmt.Errorf("next request: %w", err)
	}
	return nil
}

// settled wants what the last response announced: Connection: close and FIN, or
// a connection that stays open.
func settled(p *peer) error {
	if p.last.saysClose() {
		return closed(p)
	}
	return alive(p)
}

// either wants one of several sequences of statuses up to the FIN.
func either(sequences ...in) Step {
	return func(p *peer) error {
		var got in
		for len(got) < 8 {
			r, err := p.readResponse("GET")
			if errors.Is(err, io.EOF) && len(p.buf) == 0 {
				break
			}
			if err != nil {
				return fmt.Errorf("after %v: %w", got, err)
			}
			got = append(got, r.status)
		}
		for _, want := range sequences {
			if slices.Equal(got, want) {
				return nil
			}
		}
		return fmt.Errorf("got responses %v, want one of %v", got, sequences)
	}
}

// other plays steps on a connection of its own: the control client beside a bad
// one.
func other(steps ...Step) Step {
	return func(p *peer) error {
		q := &peer{target: p.target}
		defer q.close()
		if err := do(steps...)(q); err != nil {
			return fmt.Errorf("another connection: %w%s", err, q.story())
		}
		return q.nothingLeft()
	}
}

// ---- requirements on a response

func closing(r *response) error {
	if !r.saysClose() {
		return errors.New("got no Connection: close, and the server must close") // L11
	}
	return nil
}

// is wants that body.
func is(body string) check {
	return func(r *response) error {
		if !bytes.Equal(r.body, []byte(body)) {
			return fmt.Errorf("got body %s, want %s", shorten(string(r.body)), shorten(body))
		}
		return nil
	}
}

// holds wants text somewhere in the body.
func holds(text string) check {
	return func(r *response) error {
		if !bytes.Contains(r.body, []byte(text)) {
			return fmt.Errorf("got body %s, want %q in it", shorten(string(r.body)), text)
		}
		return nil
	}
}

// lacks wants text nowhere in the body.
func lacks(text string) check {
	return func(r *response) error {
		if bytes.Contains(r.body, []byte(text)) {
			return fmt.Errorf("got body %s with %q in it", shorten(string(r.body)), text)
		}
		return nil
	}
}

// has wants the field with exactly that value.
func has(name, value string) check {
	return func(r *response) error {
		if got, _ := r.value(name); got != value {
			return fmt.Errorf("got %s: %q, want %q", name, got, value)
		}
		return nil
	}
}

// names wants the field, and text in its value, in any case.
func names(name, text string) check {
	return func(r *response) error {
		got, ok := r.value(name)
		if !ok || !strings.Contains(strings.ToLower(got), text) {
			return fmt.Errorf("got %s: %q, want it to name %q", name, got, text)
		}
		return nil
	}
}

// without wants no such field.
func without(name string) check {
	return func(r *response) error {
		if got, ok := r.value(name); ok {
			return fmt.Errorf("got %s: %q, want none", name, got)
		}
		return nil
	}
}

// smallWindow makes our receive buffer small, so that the server soon notices a
// client that does not read.
func smallWindow(p *peer) error {
	if err := p.open(); err != nil {
		return err
	}
	if tcp, ok := p.conn.(*net.TCPConn); ok {
		return tcp.SetReadBuffer(4 << 10)
	}
	return nil
}
