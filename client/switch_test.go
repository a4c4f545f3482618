package client_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"weir/client"
	"weir/http1"
	"weir/reactor"
)

const (
	switchHead = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
	switched   = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
)

var offer = client.RawRequest{Method: "GET", Head: []byte(switchHead), Upgrade: true}

// changer is a probe whose connection may become another protocol's, which the
// test speaks. Its methods are called on the loop.
type changer struct {
	*probe
	refusal error
	onto    func(c *reactor.Conn) // in Switched
	conn    *reactor.Conn
	field   string
	got     strings.Builder
	before  string // got, when the peer's end was reported
	told    []string
}

func (c *changer) Switched(h *http1.Response, rc *reactor.Conn) (reactor.Handler, error) {
	c.note("Switched")
	c.conn, c.field = rc, string(h.Get("Upgrade"))
	if c.onto != nil {
		c.onto(rc)
	}
	return (*other)(c), c.refusal
}

// other is a changer as its protocol's handler.
type other changer

func (o *other) Data(p []byte) int { o.got.Write(p); return len(p) }
func (o *other) PeerClosed() {
	o.told, o.before = append(o.told, "peer closed"), o.got.String()
	o.conn.Close()
}
func (o *other) Drained()           { o.told = append(o.told, "drained") }
func (o *other) Closed(cause error) { o.told = append(o.told, "closed") }

// change starts a call that offers another protocol.
func (d *desk) change(req client.RawRequest, with func(*changer)) *changer {
	d.Helper()
	c := &changer{probe: &probe{d: d}}
	if with != nil {
		with(c)
	}
	d.do(func() {
		var err error
		if c.call, err = d.pool.Do(req, c); err != nil {
			d.Error(err)
		}
	})
	return c
}

// What comes behind the 101, in the same segment or later, is the other
// protocol's, and so is the connection; the call does nothing any more.
func TestSwitch(t *testing.T) {
	for _, cut := range []int{0, len(switched) - 1, len(switched), len(switched) + 2} {
		atDesk(t, client.Config{}, func(d *desk) {
			c := d.change(offer, nil)
			s := d.server()
			d.expects(s, switchHead)
			all := "HTTP/1.1 103 Early Hints\r\n\r\n" + switched + "first"
			cut += len(all) - len(switched) - len("first")
			d.says(s, all[:cut])
			d.says(s, all[cut:])
			d.do(func() {
				c.call.Pause()
				c.call.Cancel()
				if c.call.Pending() != 0 {
					t.Error("the call has pending bytes")
				}
				c.conn.Lock()
				b := c.conn.Buffer()
				*b = append(*b, "second"...)
				c.conn.Flush()
			})
			d.expects(s, "second")
			d.says(s, " third")
			if got := c.got.String(); got != "first third" || c.field != "x" || c.heads != 0 || len(c.done) != 0 {
				t.Errorf("got %q, %q, %d heads and Done %v, want the protocol's bytes alone", got, c.field, c.heads, c.done)
			}
			s.Close()
			synctest.Wait()
			if got := strings.Join(c.told, ", "); got != "peer closed, closed" || len(c.done) != 0 {
				t.Errorf("got %q and Done %v, want the end for the protocol's handler", got, c.done)
			}
			d.idle(0)
		})
	}
}

// W43: the end, in the same turn as the 101 and what is behind it, does not
// overtake that.
func TestSwitchThenEnd(t *testing.T) {
	for _, cut := range []int{0, len(switched) - 1, len(switched) + 1} {
		atDesk(t, client.Config{}, func(d *desk) {
			c := d.change(offer, nil)
			s := d.server()
			d.expects(s, switchHead)
			all := switched + "last words"
			d.says(s, all[:cut])
			hold := make(chan struct{})
			d.loop().Post(reactor.TaskFunc(func() { <-hold })) // so that both are there when it reads
			if _, err := s.Write([]byte(all[cut:])); err != nil {
				t.Error(err)
			}
			s.Close()
			close(hold)
			synctest.Wait()
			if got, told := c.got.String(), strings.Join(c.told, ", "); got != "last words" || told != "peer closed, closed" || c.before != "last words" {
				t.Errorf("cut at %d: got %q, %q and %q before the end", cut, got, told, c.before)
			}
		})
	}
}

// A server need not switch: the call is like any other, and its connection is
// kept.
func TestSwitchDeclined(t *testing.T) {
	atDesk(t, client.Config{}, func(d *desk) {
		c := d.change(offer, nil)
		s := d.server()
		d.expects(s, switchHead)
		d.says(s, answer)
		c.ended("200 hello", nil)
		d.idle(1)
		again := d.change(offer, nil) // on the same connection
		d.expects(s, switchHead)
		d.says(s, switched+"x")
		if again.got.String() != "x" {
			t.Errorf("got %q, want the protocol's byte", again.got.String())
		}
		d.idle(0)
		d.do(func() { again.conn.Abort(reactor.ErrClosed) })
	})
}

func TestSwitchRefused(t *testing.T) {
	bad := errors.New("not what was offered")
	atDesk(t, client.Config{}, func(d *desk) {
		c := d.change(offer, func(c *changer) { c.refusal = bad })
		s := d.server()
		d.expects(s, switchHead)
		d.says(s, switched+"rest")
		c.ended("", bad)
		d.hungUp(s)
		if c.got.Len() > 0 || len(c.told) > 0 {
			t.Errorf("got %q, %q, want nothing for the handler", c.got.String(), c.told)
		}
	})
	atDesk(t, client.Config{}, func(d *desk) {
		c := d.change(offer, func(c *changer) { c.onto = func(*reactor.Conn) { c.call.Cancel() } })
		s := d.server()
		d.expects(s, switchHead)
		d.says(s, switched)
		c.ended("", client.ErrCancelled)
		d.hungUp(s)
	})
}

// A 101 that was not asked for is an error, as it always was; and what could not
// be switched is not sent.
func TestSwitchUnasked(t *testing.T) {
	atDesk(t, client.Config{}, func(d *desk) {
		c := d.change(get, nil)
		s := d.server()
		d.expects(s, getHead)
		d.says(s, switched)
		c.ended("", client.ErrSwitched)
	})
	atDesk(t, client.Config{}, func(d *desk) {
		more := offer
		more.More = true
		d.do(func() {
			if _, err := d.pool.Do(offer, &probe{d: d}); !errors.Is(err, client.ErrRequest) {
				t.Errorf("a Receiver that is not a Switcher: got %v, want ErrRequest", err)
			}
			if _, err := d.pool.Do(more, &changer{probe: &probe{d: d}}); !errors.Is(err, client.ErrRequest) {
				t.Errorf("with More: got %v, want ErrRequest", err)
			}
		})
		d.alone()
	})
}

// An Origin writes the fields of the offer, and no others of those names.
func TestOriginSwitch(t *testing.T) {
	atOrigin(t, "http://llm.test:8000/base", new(client.Origin), func(d *originDesk) {
		c := &changer{probe: &probe{d: d.desk}}
		req := client.Request{
			Method: "GET", Path: []byte("/chat"), Upgrade: "x",
			Fields: []client.Field{client.NewField("Upgrade", "y"), client.NewField("Connection", "close"), client.NewField("X-Own", "1")},
		}
		do := func(req client.Request, recv client.Receiver) (err error) {
			d.do(func() { c.call, err = d.origin.Do(d.loop(), &req, recv) })
			return err
		}
		if err := do(req, c); err != nil {
			t.Fatal(err)
		}
		s := d.server()
		d.expects(s, "GET /base/chat HTTP/1.1\r\nHost: llm.test:8000\r\nX-Own: 1\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		d.says(s, switched+"hello")
		if got := c.got.String(); got != "hello" {
			t.Errorf("got %q, want the protocol's bytes", got)
		}
		s.Reset()
		synctest.Wait()
		if got := strings.Join(c.told, ", "); got != "closed" {
			t.Errorf("got %q, want the end", got)
		}
		req.Upgrade = "no token"
		if err := do(req, c); !errors.Is(err, client.ErrRequest) {
			t.Errorf("got %v, want ErrRequest", err)
		}
	})
	atOrigin(t, "http://llm.test:8000", &client.Origin{NetHTTP: true}, func(d *originDesk) {
		d.do(func() {
			_, err := d.origin.Do(d.loop(), &client.Request{Method: "GET", Path: []byte("/"), Upgrade: "x"}, &changer{probe: &probe{d: d.desk}})
			if !errors.Is(err, client.ErrRequest) {
				t.Errorf("by net/http: got %v, want ErrRequest", err)
			}
		})
	})
}

// Over TLS the bytes behind the head are in records of their own, or in its.
func TestSwitchTLS(t *testing.T) {
	atTLS(t, new(client.Origin), func(d *tlsDesk) {
		c := &changer{probe: &probe{d: d.desk}}
		d.do(func() {
			var err error
			if c.call, err = d.origin.Do(d.loop(), &client.Request{Method: "GET", Path: []byte("/"), Upgrade: "x"}, c); err != nil {
				t.Error(err)
			}
		})
		s := d.accept()
		d.hears(s, "GET / HTTP/1.1\r\nHost: llm.test:8000\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		d.says(s, switched+"one ")
		d.says(s, "two")
		if got := c.got.String(); got != "one two" {
			t.Errorf("got %q, want both pieces", got)
		}
		d.do(func() { c.conn.Close() })
		s.Close()
		synctest.Wait()
	})
}
