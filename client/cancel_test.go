package client_test

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir/client"
	"weir/internal/memloop"
)

// hanging is where dialling does not come to an end.
const hanging = "127.0.0.1:1"

// A call can be cancelled at every stage. Done is told once and at once, the
// connection is gone, and nothing is told any more.
func TestCancel(t *testing.T) {
	half := ok + "Content-Length: 10\r\n\r\nhello"
	cancels := func(p *probe) func() { return func() { p.call.Cancel() } }
	for _, test := range []struct {
		name string
		addr string
		do   func(d *desk, p *probe)
		want string
	}{
		{"as soon as it is made", addr, func(d *desk, p *probe) {
			d.do(func() {
				p.ask(get)
				p.call.Cancel()
			})
		}, ""},
		{"dialling", hanging, func(d *desk, p *probe) {
			d.do(func() { p.ask(get) })
			d.do(p.call.Cancel)
		}, ""},
		{"before the head", addr, func(d *desk, p *probe) {
			d.do(func() { p.ask(get) })
			d.do(p.call.Cancel)
		}, ""},
		{"inside the head", addr, func(d *desk, p *probe) {
			d.do(func() { p.ask(get) })
			d.says(d.server(), half[:20])
			d.do(p.call.Cancel)
		}, ""},
		{"in Head", addr, func(d *desk, p *probe) {
			p.onHead = cancels(p)
			d.do(func() { p.ask(get) })
			d.says(d.server(), half)
		}, "200 "},
		{"in Head, without a body", addr, func(d *desk, p *probe) {
			p.onHead = cancels(p)
			d.do(func() { p.ask(get) })
			d.says(d.server(), ok+"Content-Length: 0\r\n\r\n")
		}, "200 "},
		{"in Body", addr, func(d *desk, p *probe) {
			p.onBody = func([]byte) { p.call.Cancel() }
			d.do(func() { p.ask(get) })
			d.says(d.server(), half)
		}, "200 hello"},
		{"in Body, with more behind it", addr, func(d *desk, p *probe) {
			p.onBody = func([]byte) { p.call.Cancel() }
			d.do(func() { p.ask(get) })
			d.says(d.server(), inChunks+"5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n")
		}, "200 hello"},
		{"in the last Body", addr, func(d *desk, p *probe) {
			p.onBody = func([]byte) { p.call.Cancel() }
			d.do(func() { p.ask(get) })
			d.says(d.server(), answer)
		}, "200 hello"},
		{"in Drained", addr, func(d *desk, p *probe) {
			p.onDrained = cancels(p)
			d.do(func() {
				p.ask(post)
				p.call.Write([]byte("5"))
			})
		}, ""},
		{"between two pieces", addr, func(d *desk, p *probe) {
			d.do(func() { p.ask(get) })
			d.says(d.server(), half)
			d.do(p.call.Cancel)
		}, "200 hello"},
		{"paused", addr, func(d *desk, p *probe) {
			p.onBody = func([]byte) { p.call.Pause() }
			d.do(func() { p.ask(get) })
			d.says(d.server(), inChunks+"5\r\nhello\r\n5\r\nworld\r\n")
			d.do(p.call.Cancel)
		}, "200 hello"},
		{"paused while dialling", hanging, func(d *desk, p *probe) {
			d.do(func() {
				p.ask(get)
				p.call.Pause()
			})
			d.do(p.call.Cancel)
		}, ""},
		{"a kept connection", addr, func(d *desk, p *probe) {
			d.exchange()
			d.do(func() { p.ask(get) })
			d.do(p.call.Cancel)
		}, ""},
		{"dialling again", addr, func(d *desk, p *probe) {
			s := d.exchange()
			d.do(func() { p.ask(get) })
			d.refuse()
			d.kernel.Hang(addr)
			s.Close()
			synctest.Wait()
			d.do(p.call.Cancel)
		}, ""},
		{"with much to send", addr, func(d *desk, p *probe) {
			d.do(func() { p.ask(post) })
			p.write(strings.Repeat("x", 1<<20))
			d.do(p.call.Cancel)
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			atDesk(t, client.Config{Addr: test.addr}, func(d *desk) {
				d.kernel.Hang(hanging)
				p := d.probe()
				test.do(d, p)
				p.ended(test.want, client.ErrCancelled)
				if n := d.kernel.Open(); n != 0 {
					t.Errorf("got %d open descriptors, want none", n)
				}
				d.idle(0)
				d.do(func() { useUp(p.call) })
			})
		})
	}
}

// useUp does everything that can be done with a call.
func useUp(call *client.Call) {
	call.Write([]byte("x"))
	call.EndBody()
	call.Pause()
	call.Resume()
	call.Cancel()
}

// A call that is over has no power over its connection, which may be another's.
func TestCallOver(t *testing.T) {
	atDesk(t, client.Config{}, func(d *desk) {
		p := d.probe()
		p.onDone = func(error) { useUp(p.call) }
		d.do(func() { p.ask(get) })
		s := d.server()
		d.serve(s, p)
		d.idle(1)

		q := d.ask(get)
		d.do(func() { useUp(p.call) })
		d.serve(s, q)
		d.idle(1)
		d.alone()
	})
}

func TestPause(t *testing.T) {
	const three = inChunks + "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n"
	t.Run("before the head", func(t *testing.T) {
		atDesk(t, client.Config{}, func(d *desk) {
			p := d.ask(get)
			d.do(p.call.Pause)
			d.says(d.server(), answer)
			p.shown("")
			d.do(p.call.Resume)
			p.ended("200 hello", nil)
			d.idle(1)
		})
	})
	t.Run("while dialling", func(t *testing.T) {
		atDesk(t, client.Config{}, func(d *desk) {
			p := d.probe()
			d.do(func() {
				p.ask(get)
				p.call.Pause()
			})
			s := d.server()
			d.expects(s, getHead)
			d.says(s, answer)
			p.shown("")
			d.do(p.call.Resume)
			p.ended("200 hello", nil)
		})
	})
	t.Run("in Head", func(t *testing.T) {
		atDesk(t, client.Config{}, func(d *desk) {
			p := d.probe()
			p.onHead = func() { p.call.Pause() }
			d.do(func() { p.ask(get) })
			d.says(d.server(), answer)
			p.shown("200 ")
			d.do(p.call.Resume)
			p.ended("200 hello", nil)
			d.idle(1)
		})
	})
	t.Run("in Body", func(t *testing.T) {
		atDesk(t, client.Config{}, func(d *desk) {
			p := d.probe()
			p.onBody = func([]byte) { p.call.Pause() }
			d.do(func() { p.ask(get) })
			s := d.server()
			d.expects(s, getHead)
			d.says(s, three)
			for _, want := range []string{"200 a", "200 ab", "200 abc"} {
				p.shown(want)
				d.do(p.call.Resume)
			}
			p.ended("200 abc", nil)
			d.serve(s, d.ask(get))
		})
	})
	t.Run("in the last Body", func(t *testing.T) {
		atDesk(t, client.Config{}, func(d *desk) {
			p := d.probe()
			p.onBody = func([]byte) { p.call.Pause() }
			d.do(func() { p.ask(get) })
			s := d.server()
			d.expects(s, getHead)
			d.says(s, answer)
			p.ended("200 hello", nil) // there is nothing to wait for
			d.serve(s, d.ask(get))    // and the connection is not paused
		})
	})
}

// A paused answer is not read: what the upstream can send ahead is bounded.
func TestPauseBoundsInput(t *testing.T) {
	const size = 4 << 20
	atDesk(t, client.Config{}, func(d *desk) {
		p := d.probe()
		p.onHead = func() { p.call.Pause() }
		d.do(func() { p.ask(get) })
		s := d.server()
		d.says(s, ok+"Content-Length: 4194304\r\n\r\n")
		_ = s.SetWriteDeadline(time.Now().Add(time.Minute)) // never fails
		n, err := s.Write(make([]byte, size))
		if !errors.Is(err, os.ErrDeadlineExceeded) || n > 128<<10 {
			t.Fatalf("the upstream sent %d bytes, %v, want to wait before 128 KiB", n, err)
		}
		p.shown("200 ")
		_ = s.SetWriteDeadline(time.Time{}) // never fails
		d.do(p.call.Resume)
		if _, err := s.Write(make([]byte, size-n)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(p.done) != 1 || p.done[0] != nil || p.body.Len() != size {
			t.Errorf("got Done %v after %d bytes, want nil after all", p.done, p.body.Len())
		}
	})
}

// What the upstream does while a call is paused.
func TestPausedUpstreamLeaves(t *testing.T) {
	const rest = "1\r\nb\r\n1\r\nc\r\n"
	for _, test := range []struct {
		name string
		rest string
		do   func(s *memloop.Client)
		now  error // told during the pause
		want string
		end  error
	}{
		{"closes behind the answer", rest + "0\r\n\r\n", func(s *memloop.Client) { s.Close() }, nil, "200 abc", nil},
		{"closes inside it", rest, func(s *memloop.Client) { s.CloseWrite() }, nil, "200 abc", client.ErrTruncated},
		{"resets", rest, func(s *memloop.Client) { s.Reset() }, syscall.ECONNRESET, "200 a", client.ErrTruncated},
	} {
		t.Run(test.name, func(t *testing.T) {
			atDesk(t, client.Config{}, func(d *desk) {
				p := d.probe()
				p.onBody = func([]byte) { p.call.Pause() }
				d.do(func() { p.ask(get) })
				s := d.server()
				d.hears(s)
				d.says(s, inChunks+"1\r\na\r\n"+test.rest)
				test.do(s)
				if test.now != nil {
					p.ended("200 a", test.now)
				} else {
					p.shown("200 a")
				}
				for range 3 {
					d.do(p.call.Resume)
				}
				p.ended(test.want, test.end)
				d.idle(0)
			})
		})
	}
	t.Run("ends a body that goes until close", func(t *testing.T) {
		atDesk(t, client.Config{}, func(d *desk) {
			p := d.probe()
			p.onHead = func() { p.call.Pause() }
			d.do(func() { p.ask(get) })
			s := d.server()
			d.says(s, ok+"\r\nhello")
			s.CloseWrite()
			p.shown("200 ")
			d.do(p.call.Resume)
			p.ended("200 hello", nil)
		})
	})
}
