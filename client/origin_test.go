package client_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"weir/client"
	"weir/http1"
	"weir/internal/memloop"
	"weir/reactor"
)

// originDesk is a desk whose calls are an Origin's.
type originDesk struct {
	*desk
	origin *client.Origin
	names  *nameServer
}

// nameServer is an Origin's Lookup: it knows one name.
type nameServer struct {
	addrs  []string // nil = the look-up fails
	asked  int
	pause  chan struct{} // not nil = it does not respond until something is sent
	wanted string
}

var errNoName = errors.New("no such name")

func (n *nameServer) lookup(ctx context.Context, host string) ([]string, error) {
	n.asked++
	n.wanted = host
	if n.pause != nil {
		select {
		case <-n.pause:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if n.addrs == nil {
		return nil, errNoName
	}
	return n.addrs, nil
}

// atOrigin runs f with an Origin at url, on the kernel in memory.
func atOrigin(t *testing.T, url string, o *client.Origin, f func(d *originDesk)) {
	t.Helper()
	atDesk(t, client.Config{}, func(d *desk) {
		d.Helper()
		od := &originDesk{d, o, &nameServer{addrs: []string{"127.0.0.1"}}}
		o.Endpoint, o.Lookup = endpoint(t, url), od.names.lookup
		f(od)
	})
}

// send makes a call; it must be one that can be made.
func (d *originDesk) send(req client.Request) *probe {
	d.Helper()
	p, err := d.try(req)
	if err != nil {
		d.Errorf("Do: got %v, want a call", err)
	}
	return p
}

func (d *originDesk) try(req client.Request) (p *probe, err error) {
	p = &probe{d: d.desk}
	d.do(func() { p.call, err = d.origin.Do(d.loop(), &req, p) })
	if err == nil {
		d.probes = append(d.probes, p)
	}
	return p, err
}

// exchange is a whole call on a fresh connection, which is returned.
func (d *originDesk) exchange() *memloop.Client {
	d.Helper()
	p := d.send(getX)
	s := d.server()
	d.whole(s, p)
	return s
}

// whole answers p's request, which has come to s.
func (d *originDesk) whole(s *memloop.Client, p *probe) {
	d.Helper()
	if got := d.hears(s); !strings.HasPrefix(got, "GET /x HTTP/1.1\r\n") {
		d.Errorf("the server got %q, want p's request", got)
	}
	d.says(s, answer)
	p.ended("200 hello", nil)
}

// listenAt lets the kernel accept connections to a further address.
func (d *originDesk) listenAt(addr string) (came chan *memloop.Client, stop func()) {
	came = make(chan *memloop.Client, 100)
	return came, d.kernel.Listen(addr, func(c *memloop.Client) { came <- c })
}

func fields(lines ...string) (all []client.Field) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		all = append(all, client.NewField(name, value))
	}
	return all
}

var getX = client.Request{Method: "GET", Path: []byte("/x")}

// What is on the wire.
func TestOriginHead(t *testing.T) {
	for _, tt := range []struct {
		name, url string
		req       client.Request
		want      string
	}{
		{"least", "http://127.0.0.1:8000", getX, "GET /x HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"},
		{
			"query and base path", "http://127.0.0.1:8000/a/b/",
			client.Request{Method: "GET", Path: []byte("/x"), Query: []byte("q=1&?/")},
			"GET /a/b/x?q=1&?/ HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n",
		},
		{
			"a path from the root", "http://127.0.0.1:8000/a/b/",
			client.Request{Method: "GET", Path: []byte("/x"), Rooted: true},
			"GET /x HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n",
		},
		{"a name", "http://Llm.Example:8000", getX, "GET /x HTTP/1.1\r\nHost: llm.example:8000\r\n\r\n"},
		{"a socket", "unix:/run/x", getX, "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"},
		{"IPv6", "http://[::1]:8000", getX, "GET /x HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n"},
		{
			"another host", "http://127.0.0.1:8000",
			client.Request{Method: "GET", Path: []byte("/"), Host: []byte("shop.example")},
			"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n",
		},
		{
			"fields", "http://127.0.0.1:8000",
			client.Request{Method: "DELETE", Path: []byte("/"), Fields: fields("a: 1", "B: ", "a: 2 \xff", "Date: Thu, 01 Jan 1970 00:00:00 GMT")},
			"DELETE / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\na: 1\r\nB: \r\na: 2 \xff\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n",
		},
		{
			"framing is not the caller's", "http://127.0.0.1:8000",
			client.Request{Method: "GET", Path: []byte("/"), Fields: fields("host: evil", "CONTENT-LENGTH: 5", "Transfer-Encoding: chunked", "connection: close", "TE: trailers", "Upgrade: h2c", "a: 1")},
			"GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\na: 1\r\n\r\n",
		},
		{
			"a body that is empty", "http://127.0.0.1:8000", client.Request{Method: "POST", Path: []byte("/")},
			"POST / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nContent-Length: 0\r\n\r\n",
		},
		{
			"a whole body", "http://127.0.0.1:8000", client.Request{Method: "REPORT", Path: []byte("/"), Body: []byte("01234"), Length: 99},
			"REPORT / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nContent-Length: 5\r\n\r\n01234",
		},
		{
			"of known length", "http://127.0.0.1:8000", client.Request{Method: "PUT", Path: []byte("/"), Body: []byte("01"), More: true, Length: 5},
			"PUT / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nContent-Length: 5\r\n\r\n01",
		},
		{
			"of unknown length", "http://127.0.0.1:8000", client.Request{Method: "PUT", Path: []byte("/"), Body: []byte("01"), More: true},
			"PUT / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n01\r\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			atOrigin(t, tt.url, new(client.Origin), func(d *originDesk) {
				came, stop := d.came, d.refuse
				switch {
				case strings.HasPrefix(tt.url, "unix:"):
					came, stop = d.listenAt("unix:/run/x")
				case strings.Contains(tt.url, "[::1]"):
					came, stop = d.listenAt("[::1]:8000")
				}
				defer stop()
				p := d.send(tt.req)
				d.desk.came = came
				d.expects(d.server(), tt.want)
				d.do(p.call.Cancel)
			})
		})
	}
}

// The Origin's own fields are in place of the request's.
func TestOriginHeader(t *testing.T) {
	o := &client.Origin{Header: fields("authorization: Bearer k", "X-Team: infra")}
	atOrigin(t, "http://127.0.0.1:8000", o, func(d *originDesk) {
		p := d.send(client.Request{Method: "GET", Path: []byte("/"), Fields: fields("Authorization: Basic x", "a: 1", "x-team: theirs")})
		d.expects(d.server(), "GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\na: 1\r\nauthorization: Bearer k\r\nX-Team: infra\r\n\r\n")
		d.do(p.call.Cancel)
	})
}

// What would be another request on the wire than was meant is refused, by
// whichever way it would go.
func TestOriginRefuses(t *testing.T) {
	get := func(change func(*client.Request)) client.Request {
		r := client.Request{Method: "GET", Path: []byte("/")}
		change(&r)
		return r
	}
	for name, req := range map[string]client.Request{
		"no method":          get(func(r *client.Request) { r.Method = "" }),
		"method of two":      get(func(r *client.Request) { r.Method = "GET /admin HTTP/1.1\r\nX: " }),
		"no path":            get(func(r *client.Request) { r.Path = nil }),
		"a path of a URL":    get(func(r *client.Request) { r.Path = []byte("http://evil/") }),
		"space in the path":  get(func(r *client.Request) { r.Path = []byte("/a b") }),
		"break in the path":  get(func(r *client.Request) { r.Path = []byte("/a\r\nX:b") }),
		"query in the path":  get(func(r *client.Request) { r.Path = []byte("/a?b") }),
		"fragment":           get(func(r *client.Request) { r.Query = []byte("a#b") }),
		"space in the query": get(func(r *client.Request) { r.Query = []byte("a b") }),
		"break in the host":  get(func(r *client.Request) { r.Host = []byte("a\r\nX: b") }),
		"break in a value":   get(func(r *client.Request) { r.Fields = fields("a: b\r\nX: c") }),
		"NUL in a value":     get(func(r *client.Request) { r.Fields = fields("a: b\x00") }),
		"no name":            get(func(r *client.Request) { r.Fields = []client.Field{{Value: []byte("a")}} }),
		"colon in a name": get(func(r *client.Request) {
			r.Fields = []client.Field{client.NewField("Transfer-Encoding: chunked, x", "a")}
		}),
		"body over its length": get(func(r *client.Request) {
			r.Body, r.More, r.Length = []byte("012"), true, 2
		}),
	} {
		for _, o := range []*client.Origin{{}, {NetHTTP: true}} {
			t.Run(name, func(t *testing.T) {
				atOrigin(t, "http://127.0.0.1:8000", o, func(d *originDesk) {
					p, err := d.try(req)
					if !errors.Is(err, client.ErrRequest) || p.call != nil || len(p.done) != 0 {
						t.Errorf("got %v, call %v, Done %v, want ErrRequest alone", err, p.call, p.done)
					}
					d.alone()
				})
			})
		}
	}
	atDesk(t, client.Config{}, func(d *desk) {
		od := &originDesk{d, new(client.Origin), nil}
		if _, err := od.try(getX); !errors.Is(err, client.ErrRequest) || !strings.Contains(err.Error(), "ParseEndpoint") {
			t.Errorf("got %v, want what is missing", err)
		}
	})
}

// A body in pieces is framed, also before there is a connection.
func TestOriginBody(t *testing.T) {
	for _, early := range []bool{false, true} {
		for _, tt := range []struct {
			name   string
			length int64
			want   string
		}{
			{"known", 5, "01234"},
			{"unknown", -1, "2\r\n01\r\n1\r\n2\r\n2\r\n34\r\n0\r\n\r\n"},
		} {
			atOrigin(t, "http://llm:8000", new(client.Origin), func(d *originDesk) {
				if early {
					d.names.pause = make(chan struct{})
				}
				p := d.send(client.Request{Method: "PUT", Path: []byte("/"), Body: []byte("01"), More: true, Length: tt.length})
				pieces := func() {
					if p.write("2") == early || !p.write("") || p.write("34") == early {
						t.Error("got room before there is a connection, or none afterwards")
					}
					d.do(p.call.EndBody)
					p.write("late")
					d.do(p.call.EndBody)
				}
				if early {
					pieces()
					n := 0
					d.do(func() { n = p.call.Pending() })
					if n < 50 || p.call.Connected() {
						t.Errorf("got %d bytes pending, connected %v, want head and body", n, p.call.Connected())
					}
					close(d.names.pause)
				}
				s := d.server()
				if !early {
					pieces()
				}
				if got := d.hears(s); !strings.HasSuffix(got, "\r\n\r\n"+tt.want) {
					t.Errorf("%s, early %v: got %q, want the body %q", tt.name, early, got, tt.want)
				}
				d.says(s, answer)
				p.ended("200 hello", nil)
				d.whole(s, d.send(getX)) // the connection is used again
			})
		}
	}
}

// A body that is not as long as announced would be another request, or none.
func TestOriginBodyLength(t *testing.T) {
	for name, do := range map[string]func(p *probe){
		"too long":    func(p *probe) { p.call.Write([]byte("234")); p.call.Write([]byte("56")) },
		"at once":     func(p *probe) { p.call.Write([]byte("2345")); p.call.EndBody() },
		"too short":   func(p *probe) { p.call.Write([]byte("2")); p.call.EndBody(); p.call.Write([]byte("34")) },
		"nothing":     func(p *probe) { p.call.EndBody(); p.call.EndBody() },
		"then cancel": nil,
	} {
		t.Run(name, func(t *testing.T) {
			atOrigin(t, "http://127.0.0.1:8000", new(client.Origin), func(d *originDesk) {
				p := d.send(client.Request{Method: "PUT", Path: []byte("/"), Body: []byte("01"), More: true, Length: 5})
				s := d.server()
				if do == nil {
					d.do(func() { p.call.EndBody(); p.call.Cancel() })
					p.ended("", client.ErrCancelled)
					return
				}
				d.do(func() {
					if do(p); len(p.done) != 0 {
						t.Error("got Done inside of Write, want it afterwards")
					}
				})
				p.ended("", client.ErrLength)
				if got := d.hears(s); strings.Contains(got, "6") {
					t.Errorf("the server got %q, want no byte beyond the length", got)
				}
				d.exchange() // the connection is not used again
			})
		})
	}
}

// No address is known: calls wait for the look-up, which is one.
func TestLookup(t *testing.T) {
	atOrigin(t, "http://llm.example:8000", new(client.Origin), func(d *originDesk) {
		d.names.pause = make(chan struct{})
		p, q, r := d.send(getX), d.send(getX), d.send(getX)
		d.alone()
		d.do(func() {
			q.call.Pause()
			r.call.Cancel()
		})
		r.ended("", client.ErrCancelled)
		close(d.names.pause)
		first, second := d.server(), d.server()
		d.hears(first)
		d.hears(second)
		d.says(first, answer)
		d.says(second, answer)
		p.ended("200 hello", nil)
		q.shown("")
		d.do(q.call.Resume)
		q.ended("200 hello", nil)
		d.alone()
		if d.names.asked != 1 || d.names.wanted != "llm.example" {
			t.Errorf("got %d look-ups of %q, want one of llm.example", d.names.asked, d.names.wanted)
		}
	})
}

// A name that is not known, and one that nobody says anything about.
func TestLookupFails(t *testing.T) {
	atOrigin(t, "http://llm.example:8000", new(client.Origin), func(d *originDesk) {
		d.names.addrs = nil
		d.send(getX).ended("", client.ErrConnect)
		p := d.send(getX)
		p.ended("", errNoName)
		if err := d.origin.Resolve(context.Background()); !errors.Is(err, errNoName) {
			t.Errorf("Resolve: got %v, want %v", err, errNoName)
		}
		d.names.addrs = []string{}
		p = d.send(getX)
		if p.ended("", client.ErrConnect); !strings.Contains(p.done[0].Error(), "no addresses") {
			t.Errorf("got %v, want that there are none", p.done[0])
		}
		d.names.pause = make(chan struct{})
		since := time.Now()
		p = d.send(getX)
		time.Sleep(6 * time.Second)
		if p.ended("", context.DeadlineExceeded); time.Since(since) != 6*time.Second {
			t.Error("time has passed")
		}
		close(d.names.pause)
		d.names.addrs = []string{"127.0.0.1"}
		if err := d.origin.Resolve(context.Background()); err != nil {
			t.Error(err)
		}
		d.exchange()
	})
}

// All addresses are tried, and later calls begin with the one that works.
func TestAddresses(t *testing.T) {
	atOrigin(t, "http://llm:8000", new(client.Origin), func(d *originDesk) {
		d.names.addrs = []string{"10.0.0.1", "10.0.0.2", "127.0.0.1", "::1"}
		v6, stop := d.listenAt("[::1]:8000")
		defer stop()
		s := d.exchange()
		if len(v6) != 0 || d.names.asked != 1 {
			t.Errorf("got %d connections elsewhere, %d look-ups, want the first address that works", len(v6), d.names.asked)
		}
		d.whole(s, d.send(getX))

		s.Close() // it is gone; the rest of the list comes next, round the end
		d.refuse()
		p := d.send(client.Request{Method: "PUT", Path: []byte("/"), More: true, Body: []byte("01")})
		if len(v6) != 1 {
			t.Fatalf("got %d connections to the last address, want one", len(v6))
		}
		s = <-v6
		if got := d.hears(s); !strings.HasSuffix(got, "\r\n\r\n2\r\n01\r\n") {
			t.Errorf("got %q, want the request whole", got)
		}
		d.says(s, answer)
		p.ended("200 hello", nil)

		stop()
		s.Close()
		d.send(getX).ended("", syscall.ECONNREFUSED) // once, of four
	})
}

// An address that says nothing is not waited for long while there is another.
func TestAddressHangs(t *testing.T) {
	for _, tt := range []struct{ set, want time.Duration }{{0, time.Second}, {50 * time.Millisecond, 50 * time.Millisecond}, {-1, time.Hour}} {
		atOrigin(t, "http://llm:8000", &client.Origin{Attempt: tt.set}, func(d *originDesk) {
			d.names.addrs = []string{"10.0.0.1", "127.0.0.1"}
			d.kernel.Hang("10.0.0.1:8000")
			p := d.send(getX)
			time.Sleep(tt.want - time.Millisecond)
			d.alone()
			if tt.set < 0 {
				d.do(p.call.Cancel)
				return
			}
			time.Sleep(3 * time.Millisecond)
			s := d.server()
			d.whole(s, p)
			time.Sleep(time.Second)
			d.whole(s, d.send(getX)) // the timer of the first address has nothing to do with it
		})
	}
	// The last one is the caller's to give up.
	atOrigin(t, "http://llm:8000", new(client.Origin), func(d *originDesk) {
		d.names.addrs = []string{"10.0.0.1", "10.0.0.2"}
		d.kernel.Hang("10.0.0.1:8000")
		d.kernel.Hang("10.0.0.2:8000")
		p := d.send(getX)
		time.Sleep(time.Hour)
		p.shown("")
		d.do(p.call.Cancel)
		p.ended("", client.ErrCancelled)
	})
	// A call that is given up while it connects takes its connection along.
	atOrigin(t, "http://llm:8000", new(client.Origin), func(d *originDesk) {
		d.names.addrs = []string{"10.0.0.1", "10.0.0.2"}
		d.kernel.Hang("10.0.0.1:8000")
		p := d.send(getX)
		d.do(p.call.Cancel)
		time.Sleep(time.Hour)
		if n := d.kernel.Open(); n != 0 {
			t.Errorf("got %d open descriptors, want none", n)
		}
	})
}

// For want of a descriptor no other address would do.
func TestAddressesAndShortage(t *testing.T) {
	atOrigin(t, "http://llm:8000", new(client.Origin), func(d *originDesk) {
		d.names.addrs = []string{"10.0.0.1", "127.0.0.1"}
		if err := d.origin.Resolve(context.Background()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		d.kernel.FailDials(os.NewSyscallError("socket", syscall.EMFILE))
		if _, err := d.try(getX); !errors.Is(err, client.ErrConnect) || !reactor.LocalShortage(err) {
			t.Errorf("got %v, want a local shortage", err)
		}
		if d.names.asked != 1 {
			t.Errorf("got %d look-ups, want no further one", d.names.asked)
		}
	})
}

// An address that this machine has no way to, as to one of IPv6 without IPv6, is
// no reason not to try the next one, nor is a want of ports, which each address
// has its own of. What is reported is what another address said.
func TestAddressWithoutRoute(t *testing.T) {
	noRoute := os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)
	for _, tt := range []struct {
		name     string
		addrs    []string
		want     error
		shortage bool
	}{
		{"first", []string{"::1", "127.0.0.1"}, nil, false},
		{"before a refusal", []string{"::1", "10.0.0.1"}, syscall.ECONNREFUSED, false},
		{"behind a refusal", []string{"10.0.0.1", "::1"}, syscall.ECONNREFUSED, false},
		{"alone", []string{"::1"}, syscall.EADDRNOTAVAIL, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			atOrigin(t, "http://llm:8000", new(client.Origin), func(d *originDesk) {
				d.names.addrs = tt.addrs
				d.kernel.FailDialsTo("[::1]:8000", noRoute)
				p := d.send(getX)
				if tt.want == nil {
					d.whole(d.server(), p)
					return
				}
				p.ended("", tt.want)
				if got := reactor.LocalShortage(p.done[0]); got != tt.shortage {
					t.Errorf("got %v, a local shortage: %v, want %v", p.done[0], got, tt.shortage)
				}
			})
		})
	}
}

// The name is looked up again: when it is long ago, and when an address fails.
func TestRefresh(t *testing.T) {
	atOrigin(t, "http://llm:8000", new(client.Origin), func(d *originDesk) {
		d.exchange()
		time.Sleep(29 * time.Second)
		s := d.exchange()
		d.asked(1)
		time.Sleep(time.Second)
		d.whole(s, d.send(getX)) // it does not wait
		d.asked(2)

		// Another order changes nothing, nor does a look-up that fails.
		other, stop := d.listenAt("10.0.0.9:8000")
		d.names.addrs = []string{"10.0.0.9", "127.0.0.1"}
		time.Sleep(30 * time.Second)
		s = d.exchange()
		d.asked(3)
		d.whole(s, d.send(getX))
		d.names.addrs = nil
		time.Sleep(30 * time.Second)
		s = d.exchange()
		d.asked(4)
		d.whole(s, d.send(getX))

		// Connections to an address that is no more are closed.
		d.names.addrs = []string{"10.0.0.9"}
		time.Sleep(30 * time.Second)
		s = d.exchange()
		d.asked(5)
		p := d.send(getX)
		d.hungUp(s)
		d.whole(<-other, p)

		// A failure has it looked up at once, but not again and again.
		stop()
		d.names.addrs = []string{"127.0.0.1"}
		time.Sleep(5 * time.Second)
		d.send(getX).ended("", client.ErrConnect)
		d.asked(6)
		d.exchange()
		d.refuse()
		time.Sleep(5 * time.Second)
		for range 100 {
			d.send(getX).ended("", client.ErrConnect)
		}
		d.asked(7)
	})
	atOrigin(t, "http://llm:8000", &client.Origin{Refresh: -1}, func(d *originDesk) {
		d.exchange()
		time.Sleep(time.Hour)
		d.exchange()
		d.asked(1)
	})
}

// asked checks how often the name was looked up.
func (d *originDesk) asked(want int) {
	d.Helper()
	synctest.Wait()
	if d.names.asked != want {
		d.Errorf("got %d look-ups, want %d", d.names.asked, want)
	}
}

// Idle connections are closed, and none is kept any more; calls go on.
func TestOriginClose(t *testing.T) {
	atOrigin(t, "http://llm:8000", new(client.Origin), func(d *originDesk) {
		s := d.exchange()
		p := d.send(getX)
		q := d.send(getX)
		other := d.server()
		d.whole(other, q)
		d.origin.Close()
		d.hungUp(other)
		d.whole(s, p)
		d.hungUp(s)
		d.hungUp(d.exchange())
	})
}

// A pooled connection that turns out to be closed is replaced, by another
// address if need be.
func TestOriginStaleConnection(t *testing.T) {
	atOrigin(t, "http://llm:8000", new(client.Origin), func(d *originDesk) {
		d.names.addrs = []string{"127.0.0.1", "10.0.0.9"}
		other, stop := d.listenAt("10.0.0.9:8000")
		defer stop()
		s := d.exchange()
		p := &probe{d: d.desk}
		d.probes = append(d.probes, p)
		d.refuse()
		d.crossing(func() { s.Close() }, func() {
			var err error
			if p.call, err = d.origin.Do(d.loop(), &getX, p); err != nil {
				t.Error(err)
			}
		})
		d.whole(<-other, p)
	})
}

// Limits are the pools'.
func TestOriginLimits(t *testing.T) {
	o := &client.Origin{Limits: http1.Limits{Header: 100}, BodySize: 5, MaxIdle: 1}
	atOrigin(t, "http://127.0.0.1:8000", o, func(d *originDesk) {
		p, q := d.send(getX), d.send(getX)
		first, second := d.server(), d.server()
		d.whole(first, p)
		d.whole(second, q)
		d.hungUp(second)
		p = d.send(getX)
		d.hears(first)
		d.says(first, inChunks+"6\r\nhello!\r\n")
		p.ended("200 ", client.ErrBodySize)
		p = d.send(getX)
		d.says(d.server(), "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 100)+"\r\n\r\n")
		var bad *http1.ParseError
		if len(p.done) != 1 || !errors.As(p.done[0], &bad) || !bad.TooLarge() {
			t.Errorf("got %v, want a head over the limit", p.done)
		}
	})
}
