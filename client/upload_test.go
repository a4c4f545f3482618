package client_test

import (
	"strings"
	"testing"

	"weir/chunked"
	"weir/client"
)

// refusal is an answer to an upload that is not wanted.
const refusal = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"

// write sends a piece of a request body and returns what Write said.
func (p *probe) write(text string) (room bool) {
	p.d.do(func() { room = p.call.Write([]byte(text)) })
	return room
}

func TestBodyInPieces(t *testing.T) {
	atDesk(t, client.Config{}, func(d *desk) {
		p := d.ask(post)
		s := d.server()
		d.expects(s, postHead+"01234")
		for _, digit := range []string{"5", "6", "7", "8", "9"} {
			if !p.write(digit) {
				t.Error("got no room, want it")
			}
			d.expects(s, digit)
		}
		d.do(p.call.EndBody)
		d.says(s, answer)
		p.ended("200 hello", nil)
		d.idle(1)
		if p.drained != 0 {
			t.Errorf("got Drained %d times, want never: there was room", p.drained)
		}
	})
}

// Who says chunked writes chunks, the last one before EndBody.
func TestChunkedBody(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	atDesk(t, client.Config{}, func(d *desk) {
		p := d.ask(client.RawRequest{Method: "POST", Head: []byte(head), Body: chunked.AppendChunk(nil, []byte("he")), More: true})
		s := d.server()
		p.write(string(chunked.AppendChunk(nil, []byte("llo"))))
		p.write(string(chunked.AppendEnd(nil)))
		d.expects(s, head+"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")
		d.do(p.call.EndBody)
		d.expects(s, "")
		d.says(s, answer)
		p.ended("200 hello", nil)
		d.serve(s, d.ask(get))
	})
}

// What is written before there is a connection goes out with the head, and
// asks for a pause until then.
func TestBodyWhileConnecting(t *testing.T) {
	atDesk(t, client.Config{}, func(d *desk) {
		p := d.probe()
		body := []byte("01234-----") // what follows the body in its memory is not to be written on
		d.do(func() {
			p.ask(client.RawRequest{Method: "POST", Head: []byte(postHead), Body: body[:5], More: true})
			if p.call.Connected() {
				t.Error("got a connection at once, want to be waiting for it")
			}
			if p.call.Write([]byte("567")) || p.call.Write([]byte("89")) {
				t.Error("got room, want none before the connection")
			}
			p.call.EndBody()
		})
		s := d.server()
		d.expects(s, postHead+"0123456789")
		if p.drained != 1 || string(body) != "01234-----" {
			t.Errorf("got Drained %d times and %q, want once and nothing changed", p.drained, body)
		}
		d.says(s, answer)
		p.ended("200 hello", nil)
		d.idle(1)
	})
}

// Above the high mark a writer is told to wait, and is told when to go on.
func TestBackPressure(t *testing.T) {
	const size = 1 << 20
	for _, connected := range []bool{true, false} {
		atDesk(t, client.Config{}, func(d *desk) {
			p := d.probe()
			ask := func() { p.ask(post) }
			if connected {
				d.do(ask)
				ask = func() {}
			}
			d.do(func() {
				ask()
				if p.call.Write(make([]byte, size)) {
					t.Error("got room, want none")
				}
			})
			if p.drained != 0 {
				t.Error("got Drained, want it when the upstream has read")
			}
			s := d.server()
			if got, want := len(d.hears(s)), len(postHead)+5+size; got != want {
				t.Errorf("the upstream got %d bytes, want %d", got, want)
			}
			if p.drained != 1 {
				t.Errorf("got Drained %d times, want once", p.drained)
			}
			if !p.write("x") || p.drained != 1 {
				t.Errorf("got Drained %d times, want room", p.drained)
			}
			d.do(p.call.Cancel)
		})
	}
}

// A writer that goes on when it is told to gets everything across.
func TestPump(t *testing.T) {
	piece, left := []byte(strings.Repeat("x", 100<<10)), 50
	atDesk(t, client.Config{}, func(d *desk) {
		p := d.probe()
		p.onDrained = func() {
			for ; left > 0; left-- {
				if !p.call.Write(piece) {
					left--
					return
				}
			}
		}
		d.do(func() {
			p.ask(post)
			p.onDrained()
		})
		s := d.server()
		if got, want := len(d.hears(s)), len(postHead)+5+50*len(piece); got != want {
			t.Errorf("the upstream got %d bytes, want %d", got, want)
		}
		if p.drained < 10 || left != 0 {
			t.Errorf("got Drained %d times and %d pieces left, want it often and none", p.drained, left)
		}
		d.do(p.call.Cancel)
	})
}

// What does not belong to the body is not sent: it would be the next request.
func TestNothingBehindBody(t *testing.T) {
	atDesk(t, client.Config{}, func(d *desk) {
		p := d.ask(get)
		s := d.server()
		if !p.write("more") {
			t.Error("got no room, want what is not sent to take none")
		}
		d.serve(s, p)

		p = d.ask(post)
		s = d.server()
		p.write("56789")
		d.do(p.call.EndBody)
		p.write("more")
		d.expects(s, postHead+"0123456789")
		d.says(s, answer)
		p.ended("200 hello", nil)
		p.write("more")
		d.serve(s, d.ask(get))
	})
}

// An answer that does not wait for the request's body ends the call, and the
// connection with it.
func TestAnswerBeforeBody(t *testing.T) {
	atDesk(t, client.Config{}, func(d *desk) {
		p := d.ask(post)
		s := d.server()
		d.expects(s, postHead+"01234")
		d.says(s, refusal)
		p.ended("413 no", nil)
		d.idle(0)
		if !p.write("56789") {
			t.Error("got no room, want what is not sent to take none")
		}
		d.do(p.call.EndBody)
		d.hungUp(s)
	})
	t.Run("much of the body waits", func(t *testing.T) {
		atDesk(t, client.Config{}, func(d *desk) {
			p := d.ask(post)
			p.write(strings.Repeat("x", 1<<20))
			d.says(d.server(), refusal)
			p.ended("413 no", nil)
			if n := d.kernel.Open(); n != 0 {
				t.Errorf("got %d open descriptors, want none: a part of a body is of no use", n)
			}
		})
	})
	t.Run("the body ends in time", func(t *testing.T) {
		atDesk(t, client.Config{}, func(d *desk) {
			p := d.ask(post)
			s := d.server()
			d.says(s, refusal[:len(refusal)-1])
			p.write("56789")
			d.do(p.call.EndBody)
			d.hears(s)
			d.says(s, refusal[len(refusal)-1:])
			p.ended("413 no", nil)
			d.serve(s, d.ask(get))
		})
	})
	t.Run("the body has not left yet", func(t *testing.T) {
		const size = 1 << 20
		atDesk(t, client.Config{}, func(d *desk) {
			p := d.ask(client.RawRequest{Method: "POST", Head: []byte(postHead), Body: make([]byte, size)})
			s := d.server()
			d.says(s, refusal)
			p.ended("413 no", nil)
			d.idle(0)
			if got, want := len(d.hears(s)), len(postHead)+size; got != want {
				t.Errorf("the upstream got %d bytes, want %d", got, want)
			}
			d.hungUp(s)
			s.Close()
		})
	})
}

// An answer that came before the upstream reset the connection is not lost to
// a write that fails.
func TestAnswerBeforeReset(t *testing.T) {
	atDesk(t, client.Config{}, func(d *desk) {
		p := d.ask(post)
		s := d.server()
		d.crossing(func() {
			s.Write([]byte(refusal)) // there is room
			s.Reset()
		}, func() { p.call.Write([]byte("56789")) })
		p.ended("413 no", nil)
		d.idle(0)
	})
}
