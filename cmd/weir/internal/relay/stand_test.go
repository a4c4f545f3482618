package relay

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/cmd/weir/internal/dialect/known"
	"weir/cmd/weir/internal/mock"
	"weir/cmd/weir/internal/target"
	"weir/cmd/weir/internal/upstream"
	"weir/internal/memloop"
	"weir/internal/patience"
)

// stand is the upstreams and the gateway in front of them.
type stand struct {
	mocks   []*mock.Server
	ups     []*upstream.Upstream
	dial    func() (net.Conn, error)
	asked   chan struct{} // an attempt was begun
	records chan *Record
}

// Asked and Ended are the Observer's.
func (s *stand) Began(*weir.Request) bool                    { return true }
func (s *stand) Asked(time.Duration)                         { s.asked <- struct{}{} }
func (s *stand) Relayed(time.Duration)                       {}
func (s *stand) Failed(Attempt)                              {}
func (s *stand) Responded(*upstream.Upstream, time.Duration) {}
func (s *stand) HungUp(time.Duration)                        {}
func (s *stand) Ended(r *Record)                             { rec := *r; s.records <- &rec }
func (s *stand) Short(error)                                 {}

// start starts them.
func (c trial) start(t *testing.T, calm time.Duration) *stand {
	t.Helper()
	s := &stand{asked: make(chan struct{}, 8), records: make(chan *Record, 8)}
	kernel := memloop.New()
	for i := range 2 {
		if i == 0 || c.two {
			s.add(t, c, []string{"first", "second"}[i], kernel)
		}
	}
	g := newGateway(s.ups...)
	g.Observer = s
	if c.line > 0 {
		g.MaxEvent = c.line
	}
	for _, u := range s.ups {
		u.Timeouts = upstream.Timeouts{Connect: farAway, FirstEvent: farAway, Idle: farAway, Whole: farAway}
	}
	if l := c.limits; l != (upstream.Timeouts{}) && !c.staysAtFirst() {
		s.ups[0].Timeouts = upstream.Timeouts{Connect: calm * l.Connect, FirstEvent: calm * l.FirstEvent, Idle: calm * l.Idle, Whole: calm * l.Whole, Total: calm * l.Total}
	}
	g.Models["m"].Hold.Wait = holdWait
	if c.mode.gateway != nil {
		c.mode.gateway(g)
	}
	if c.mode.model != nil {
		c.mode.model(g.Models["m"])
	}
	mux := new(weir.Mux)
	mux.HandleLoop("POST "+c.path, g.At(c.endpoint()))
	if c.real() {
		addr := serve(t, mux)
		s.dial = func() (net.Conn, error) { return net.Dial("tcp", addr) }
		return s
	}
	s.dial = inKernel(t, kernel, mux)
	return s
}

// inKernel serves on a kernel in memory, and returns how its clients connect.
func inKernel(t *testing.T, kernel *memloop.Kernel, h weir.Handler) func() (net.Conn, error) {
	t.Helper()
	srv := &weir.Server{Handler: h, Loops: 1, System: kernel, Logger: slog.New(slog.DiscardHandler)}
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), farAway)
		defer cancel()
		if _, err := srv.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if n := kernel.Open(); n > 0 {
			t.Errorf("got %d descriptors that are open in the end, want none", n)
		}
	})
	return func() (net.Conn, error) { return kernel.Dial(srv.Reactor(), 0), nil }
}

// add starts an upstream. The first one has the fault.
func (s *stand) add(t *testing.T, c trial, name string, kernel *memloop.Kernel) {
	t.Helper()
	cfg := upstream.Config{
		Name: name, KeepIdle: farAway, Dialects: known.Dialects[:],
		Standing: target.NewStanding(nervous, nil),
	}
	m, url := s.listen(t, c, &cfg, kernel)
	if name == "first" && c.away != here {
		url = c.nobody(t, kernel, url)
	}
	cfg.Endpoint = at(url)
	u := upstream.New(cfg)
	s.mocks, s.ups = append(s.mocks, m), append(s.ups, u)
	if name == "first" {
		c.spoil(t, m, "")
	}
}

// listen starts a mock, and returns where it is.
func (s *stand) listen(t *testing.T, c trial, cfg *upstream.Config, kernel *memloop.Kernel) (m *mock.Server, url string) {
	t.Helper()
	mocked := mock.Config{TLS: c.over == "https", Tokens: tokens}
	if c.real() {
		m = mock.Start(t, mocked)
		cfg.HTTP2 = true
		url, cfg.Roots = overH2(t, m)
		return m, url
	}
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8000 + len(s.mocks)}
	m = mock.At(t, addr, mocked)
	kernel.Listen(addr.String(), func(conn *memloop.Client) { m.Serve(conn) })
	if c.over == "https" {
		cfg.Roots = m.Pool()
	}
	return m, m.URL()
}

// nobody is a URL like that one, at which there is nobody.
func (c trial) nobody(t *testing.T, kernel *memloop.Kernel, url string) string {
	scheme, _, _ := strings.Cut(url, ":")
	addr := "127.0.0.1:7999"
	switch {
	case c.real() && c.away == refusing:
		addr = mock.Refused(t)
	case c.real():
		addr = mock.Silent(t)
	case c.away == hanging:
		kernel.Hang(addr)
	}
	return scheme + "://" + addr
}

// prepare has an upstream wait where the mode wants that.
func (c trial) prepare(t *testing.T, s *stand) {
	if c.mode.hold == nil {
		return
	}
	if i, fault := c.mode.hold(c); i == 1 {
		if err := s.mocks[1].SetRules(mock.Rule{Set: mock.Set{"fault": fault}}); err != nil {
			t.Fatal(err)
		}
	} else if fault != "" {
		c.spoil(t, s.mocks[0], fault)
	}
}

// spoil makes an upstream have the fault, and another.
func (c trial) spoil(t *testing.T, m *mock.Server, more string) {
	t.Helper()
	set := c.settings(c.set, c.stream)
	if more != "" && set == nil {
		set = mock.Set{}
	}
	if both := strings.Trim(set["fault"]+","+more, ","); both != "" {
		set["fault"] = both
	}
	rule := mock.Rule{Set: set}
	if c.onceOnly() {
		rule.Nth = 1 // when asked again it answers
	}
	if err := m.SetRules(rule); err != nil {
		t.Fatal(err)
	}
}

// onceOnly reports whether the first upstream has its fault only once.
func (c trial) onceOnly() bool { return c.fault.stream.attempts == 2 && !c.two }

// serve starts a server for the time of the test.
func serve(t *testing.T, h weir.Handler) (addr string) {
	t.Helper()
	srv := &weir.Server{Handler: h, Loops: 1}
	if err := srv.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience.Limit)
		defer cancel()
		if _, err := srv.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return srv.Addrs()[0].String()
}

// connect opens a client's connection and sends the request.
func (c trial) connect(t *testing.T, s *stand) net.Conn {
	t.Helper()
	conn, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(farAway)) // a test that hangs fails
	body := c.request()
	_, err = fmt.Fprintf(conn, "POST %s?a=b HTTP/1.1\r\nHost: gateway\r\nConnection: close, x-hop\r\nX-Hop: 1\r\n"+
		"X-Custom: 1\r\nAuthorization: Bearer secret\r\nContent-Length: %d\r\n\r\n%s", c.path, len(body), body)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// exchange makes the request on a connection of its own and reads to its end.
// An upstream that is held goes on when the client has seen until.
func (c trial) exchange(t *testing.T, s *stand, until *regexp.Regexp) received {
	t.Helper()
	conn := c.connect(t, s)
	defer conn.Close()
	var raw []byte
	for buf := make([]byte, 64<<10); ; {
		n, err := conn.Read(buf)
		raw = append(raw, buf[:n]...)
		if n > 0 && until != nil && until.Match(raw) {
			s.mocks[0].Release()
		}
		if err != nil {
			r := received{}
			if err != io.EOF {
				r.err = err
			}
			r.parse(t, raw)
			return r
		}
	}
}
