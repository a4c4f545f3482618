package mock

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config configures a [Server]. The zero value is a server on 127.0.0.1 that
// responds fast.
type Config struct {
	Listen  string        // host:port, or unix:PATH; "" = 127.0.0.1:0
	TTFT    time.Duration // from the head of a stream to its first event; 0 = none
	Pace    time.Duration // from one event to the next; 0 = none
	Tokens  int           // of a response; 0 = 16
	Dialect string        // one of Dialects; "" = all of them
	Models  []string      // of /v1/models, though every model is served; nil = mock
	Rules   []Rule
	TLS     bool     // https with a certificate made at the start: see Server.Certificate
	Names   []string // hosts of the certificate; nil = 127.0.0.1, ::1 and localhost
	Keep    int      // records of the log's lists; 0 = 10,000; the oldest are dropped
}

const (
	defaultListen = "127.0.0.1:0"
	defaultTokens = 16
	defaultKeep   = 10_000
)

// A Server is a running mock. It is safe for concurrent use.
type Server struct {
	cfg    Config
	base   plan // what rules and requests change
	rules  ruleBook
	health atomic.Int32 // the status of /health
	seen   recorder
	tls    *tls.Config // nil = plain
	pem    []byte
	addr   net.Addr
	all    sync.WaitGroup // goroutines

	released chan struct{} // closed by Release
	freeing  sync.Once

	mu       sync.Mutex
	listener net.Listener // nil while it refuses
	holder   int          // a socket that keeps the port while it refuses; -1 = none
	conns    map[*conn]struct{}
	closed   bool
}

// TB is what Start needs of a *testing.T.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Start starts a server for the time of a test.
func Start(t TB, cfg Config) *Server {
	t.Helper()
	s, err := Listen(cfg)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// Listen starts a server, which runs until Close.
func Listen(cfg Config) (*Server, error) {
	s, err := newServer(cfg)
	if err != nil {
		return nil, err
	}
	network, address := "tcp", s.cfg.Listen
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, fmt.Errorf("mock: %w", err)
	}
	s.addr = l.Addr()
	s.accept(l)
	return s, nil
}

// At starts a server for the time of a test, on a network of the test's own: it
// says that it is at addr, and gets its connections by [Server.Serve].
func At(t TB, addr net.Addr, cfg Config) *Server {
	t.Helper()
	s, err := newServer(cfg)
	if err != nil {
		t.Fatalf("%v", err)
	}
	s.addr = addr
	t.Cleanup(s.Close)
	return s
}

// Serve serves a connection, on goroutines of the server's.
func (s *Server) Serve(conn net.Conn) { s.admit(conn) }

func newServer(cfg Config) (*Server, error) {
	cfg.fill()
	s := &Server{cfg: cfg, holder: -1, conns: make(map[*conn]struct{}), released: make(chan struct{})}
	s.base = plan{ttft: cfg.TTFT, pace: cfg.Pace, body: Body{Tokens: cfg.Tokens}}
	s.health.Store(200)
	s.seen.keep = cfg.Keep
	if err := s.SetRules(cfg.Rules...); err != nil {
		return nil, err
	}
	if cfg.TLS {
		if err := s.makeCertificate(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (cfg *Config) fill() {
	if cfg.Listen == "" {
		cfg.Listen = defaultListen
	}
	if cfg.Tokens == 0 {
		cfg.Tokens = defaultTokens
	}
	if cfg.Keep <= 0 {
		cfg.Keep = defaultKeep
	}
	if cfg.Models == nil {
		cfg.Models = []string{"mock"}
	}
}

// URL is the server's address with its scheme, without a slash at the end.
func (s *Server) URL() string {
	if s.addr.Network() == "unix" {
		return "unix:" + s.Addr()
	}
	if s.tls != nil {
		return "https://" + s.Addr()
	}
	return "http://" + s.Addr()
}

// Addr is host:port, or the path of a unix socket.
func (s *Server) Addr() string { return s.addr.String() }

// SetRules replaces the rules. On an error they stay as they were.
func (s *Server) SetRules(rules ...Rule) error { return s.rules.replace(rules) }

// SetHealth sets the status of /health.
func (s *Server) SetHealth(status int) { s.health.Store(int32(status)) }

// Release lets responses continue that hold-head and hold-event hold, now and
// from now on.
func (s *Server) Release() { s.freeing.Do(func() { close(s.released) }) }

// accept serves the listener's connections. Its caller holds the lock or is the
// only one who has s.
func (s *Server) accept(l net.Listener) {
	s.listener = l
	s.all.Go(func() {
		for {
			tcp, err := l.Accept()
			if err == nil {
				s.admit(tcp)
			} else if errors.Is(err, net.ErrClosed) {
				return
			}
		}
	})
}

func (s *Server) admit(tcp net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = tcp.Close() // there is nowhere to report it
		return
	}
	c := s.newConn(tcp)
	s.conns[c] = struct{}{}
	s.all.Go(func() {
		c.serve()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	})
}

// Close closes the listener and all connections, and returns when nothing of
// the server runs any more. The records remain.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.stopListening()
	s.release()
	for c := range s.conns {
		_ = c.tcp.Close() // it has ended whatever this returns
		c.in.drop()       // its reader may wait for room
	}
	s.mu.Unlock()
	s.all.Wait()
}

func (s *Server) stopListening() {
	if s.listener != nil {
		_ = s.listener.Close() // as above
		s.listener = nil
	}
}
