package client_test

import (
	"errors"
	"syscall"
	"testing"
	"testing/synctest"

	"weir/client"
	"weir/internal/memloop"
	"weir/reactor"
)

// leavings are the ways in which an upstream gives a connection up.
var leavings = []struct {
	name string
	do   func(s *memloop.Client)
}{
	{"closed", func(s *memloop.Client) { s.Close() }},
	{"half closed", func(s *memloop.Client) { s.CloseWrite() }},
	{"reset", func(s *memloop.Client) { s.Reset() }},
}

// crossing has something happen to the upstream's end of a connection while
// the loop is in a turn: f runs behind it, before the loop can know.
func (d *desk) crossing(happens, f func()) {
	held, release := make(chan struct{}), make(chan struct{})
	d.loop().Post(reactor.TaskFunc(func() {
		close(held)
		<-release
		f()
	}))
	<-held
	happens()
	close(release)
	synctest.Wait()
}

// G6: a kept connection that closes before any byte of the answer: once more
// on a fresh one, unseen.
func TestStaleConnection(t *testing.T) {
	for _, leaving := range leavings {
		t.Run(leaving.name+" as the request is made", func(t *testing.T) {
			atDesk(t, client.Config{}, func(d *desk) {
				s, p := d.exchange(), d.probe()
				d.crossing(func() { leaving.do(s) }, func() { p.ask(get) })
				d.answeredAfresh(p)
			})
		})
		t.Run(leaving.name+" behind the request", func(t *testing.T) {
			atDesk(t, client.Config{}, func(d *desk) {
				s := d.exchange()
				p := d.ask(get)
				d.expects(s, getHead)
				leaving.do(s)
				d.answeredAfresh(p)
			})
		})
	}
}

// answeredAfresh expects p's request on a fresh connection.
func (d *desk) answeredAfresh(p *probe) {
	d.Helper()
	s := d.server()
	if p.call.Reused() || p.call.Responded() {
		d.Errorf("got reused %v, responded %v, want neither", p.call.Reused(), p.call.Responded())
	}
	d.serve(s, p)
	d.idle(1)
	d.alone()
}

// G6: once. And what is wrong with a fresh connection is told at once.
func TestNoSecondRetry(t *testing.T) {
	for _, leaving := range leavings {
		t.Run(leaving.name, func(t *testing.T) {
			atDesk(t, client.Config{}, func(d *desk) {
				s := d.exchange()
				p := d.ask(get)
				s.Close()
				s = d.server()
				d.expects(s, getHead)
				leaving.do(s)
				p.ended("", client.ErrNoResponse)
				d.alone()
			})
		})
	}
}

// A retry that is refused is told as what it is.
func TestRetryRefused(t *testing.T) {
	atDesk(t, client.Config{}, func(d *desk) {
		s := d.exchange()
		p := d.ask(get)
		d.refuse()
		s.Close()
		p.ended("", client.ErrConnect)
		p.ended("", syscall.ECONNREFUSED)
	})
}

// Nothing is sent twice once there was an answer.
func TestNoRetry(t *testing.T) {
	for _, test := range []struct {
		name string
		req  client.RawRequest
		do   func(d *desk, s *memloop.Client, p *probe)
		want error
	}{
		{"a byte of the answer", get, func(d *desk, s *memloop.Client, _ *probe) { d.says(s, "H") }, client.ErrTruncated},
		{"an interim answer", get, func(d *desk, s *memloop.Client, _ *probe) { d.says(s, "HTTP/1.1 103 \r\n\r\n") }, client.ErrTruncated},
	} {
		t.Run(test.name, func(t *testing.T) {
			atDesk(t, client.Config{}, func(d *desk) {
				s := d.exchange()
				p := d.ask(test.req)
				test.do(d, s, p)
				d.hears(s)
				s.CloseWrite()
				p.ended("", test.want)
				d.hungUp(s)
				d.alone()
			})
		})
	}
}

// A request of which more follows cannot be sent again: it does not go where it
// might have to be, and the kept connection stays for others.
func TestMoreIsFresh(t *testing.T) {
	atDesk(t, client.Config{}, func(d *desk) {
		kept := d.exchange()
		p := d.ask(post)
		s := d.server()
		p.write("56789")
		d.do(p.call.EndBody)
		d.expects(s, postHead+"0123456789")
		if p.call.Reused() {
			t.Error("got a connection that was kept, want a fresh one")
		}
		d.says(s, answer)
		p.ended("200 hello", nil)
		kept.Close()
		d.serve(s, d.ask(get))
	})
}

// A pause outlives the connection it was made on.
func TestRetryWhilePaused(t *testing.T) {
	atDesk(t, client.Config{}, func(d *desk) {
		s := d.exchange()
		p := d.ask(get)
		d.crossing(func() { s.Reset() }, func() { p.call.Pause() })
		s = d.server()
		d.expects(s, getHead)
		d.says(s, answer)
		p.shown("")
		d.do(p.call.Resume)
		p.ended("200 hello", nil)
	})
}

// A call is not begun anew while its loop stops, nor for an upstream that
// takes nothing.
func TestNoRetryWhenStopped(t *testing.T) {
	atDesk(t, client.Config{}, func(d *desk) {
		d.exchange()
		p := d.ask(get)
		d.r.Close()
		p.ended("", client.ErrNoResponse)
		p.ended("", reactor.ErrStopped)
		d.alone()
	})
}

// Who answers a failure by asking again is refused when the loop stops.
func TestDoWhenStopped(t *testing.T) {
	atDesk(t, client.Config{}, func(d *desk) {
		var call *client.Call
		var err error
		p := d.probe()
		p.onDone = func(error) { call, err = d.pool.Do(get, p) }
		d.do(func() { p.ask(get) })
		d.server()
		d.r.Close()
		if !errors.Is(err, client.ErrConnect) || !errors.Is(err, reactor.ErrStopped) || call != nil {
			t.Errorf("got %v, %v, want no call and ErrStopped", call, err)
		}
		d.alone()
	})
}

func TestNoRetryWhenStalled(t *testing.T) {
	atDesk(t, client.Config{}, func(d *desk) {
		s := d.exchange()
		s.SetWindow(0)
		p := d.ask(get)
		if _, err := s.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) { // after 30 s
			t.Errorf("the upstream got %v, want a reset", err)
		}
		p.ended("", client.ErrNoResponse)
		p.ended("", reactor.ErrStalled)
		d.alone()
	})
}
