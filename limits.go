package weir

import (
	"fmt"
	"math"
	"time"

	"weir/http1"
	"weir/reactor"
)

// Limits bound what one client, or all together, may use. Each field lists its
// default, which zero means, and the response when it is exceeded. Negative
// means no limit; Start refuses it for sizes that must be limited.
type Limits struct {
	Line       int   // request line, bytes: 8 KiB; 414; not negative
	Header     int   // all header fields, bytes: 32 KiB; 431; not negative
	Field      int   // one header field, bytes: 16 KiB; 431; not negative
	Fields     int   // header fields: 100; 431; not negative
	Body       int64 // buffered request body, bytes: 8 MiB; 413
	Bodies     int64 // bytes of requests that are kept, all together: a quarter of the memory (GOMEMLIMIT, cgroup); 503
	Pipelined  int   // bytes kept behind a running response: 64 KiB; reading pauses; not negative
	HighMark   int   // pending output of one connection, bytes: 256 KiB; producers wait; not negative
	LowMark    int   // where they continue: a quarter of HighMark; not negative
	Handlers   int   // goroutine handlers at once: 10,000; 503
	Streams    int   // streams at once: no limit; 503
	PerConn    int   // requests at once on a connection of HTTP/2: 250; further ones wait at the client
	Handshakes int   // TLS handshakes at once on each event loop: 256; the connection is closed
	Conns      int   // connections: what the limit on open files allows, and no more if negative; the one idle longest is closed, else 503
	BodyRate   int   // least pace of a request body, bytes a second: 256; 408 when it is Timeouts.BodyGrace behind; negative: it may be slow, but not silent
}

// Timeouts bound every wait. Each field lists its default, which zero means.
// Negative means that a wait has no limit, and that a period given to clients
// (Linger, DrainGrace, Mercy) is not given.
type Timeouts struct {
	Head       time.Duration // first byte to end of head: 10 s; 408
	BodyGrace  time.Duration // how far a body may be behind Limits.BodyRate, and without a byte: 5 s; 408
	Handshake  time.Duration // from the connection to the end of its TLS handshake: 10 s; closed
	Idle       time.Duration // between requests: 75 s; closed silently
	WriteStall time.Duration // client acknowledges no byte: 30 s; reset with ErrSlowClient
	Linger     time.Duration // for the client to read the last response: 2 s
	DrainGrace time.Duration // shutdown: how long new requests are still served, within Drain: none
	Drain      time.Duration // shutdown: how long streams may continue: 30 s
	Mercy      time.Duration // shutdown: over how long they are then aborted: 5 s
}

// DefaultLimits returns what the zero value of each field means. Bodies,
// Streams and Conns are 0: none, or known only when the server starts.
func DefaultLimits() Limits {
	head := http1.DefaultLimits()
	return Limits{
		Line: head.Line, Header: head.Header, Field: head.Field, Fields: head.Fields,
		Body: 8 << 20, Pipelined: 64 << 10,
		HighMark: reactor.DefaultHighMark, LowMark: reactor.DefaultHighMark / 4,
		Handlers: 10_000, PerConn: 250, BodyRate: 256, Handshakes: reactor.DefaultHandshakes,
	}
}

// DefaultTimeouts returns what the zero value of each field means.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		Handshake: reactor.DefaultHandshakeTimeout,
		Head:      10 * time.Second, BodyGrace: 5 * time.Second, Idle: 75 * time.Second,
		WriteStall: reactor.DefaultWriteStall, Linger: reactor.DefaultLinger,
		Drain: 30 * time.Second, Mercy: 5 * time.Second,
	}
}

// never is a time-out that does not come.
const never = reactor.Never

// fillIn puts the defaults in place of zeros, and what means none in place of
// negative values.
func (l *Limits) fillIn() error {
	d := DefaultLimits()
	for _, f := range []struct {
		name     string
		value    *int
		standard int
	}{
		{"Line", &l.Line, d.Line}, {"Header", &l.Header, d.Header}, {"Field", &l.Field, d.Field}, {"Fields", &l.Fields, d.Fields},
		{"Pipelined", &l.Pipelined, d.Pipelined}, {"HighMark", &l.HighMark, d.HighMark}, {"LowMark", &l.LowMark, 0},
	} {
		if *f.value < 0 {
			return fmt.Errorf("weir: Limits.%s is %d: want a positive number, or 0 for the default", f.name, *f.value)
		}
		orDefault(f.value, f.standard)
	}
	orDefault(&l.LowMark, l.HighMark/4)
	if l.LowMark >= l.HighMark {
		return fmt.Errorf("weir: Limits.LowMark (%d) must be below HighMark (%d)", l.LowMark, l.HighMark)
	}
	orDefault(&l.Body, d.Body)
	orDefault(&l.Handlers, d.Handlers)
	orDefault(&l.BodyRate, d.BodyRate)
	orDefault(&l.Handshakes, d.Handshakes)
	orDefault(&l.PerConn, d.PerConn)
	if l.Handlers < 0 {
		l.Handlers = math.MaxInt
	}
	return nil
}

func (l *Limits) head() http1.Limits {
	return http1.Limits{Line: l.Line, Header: l.Header, Field: l.Field, Fields: l.Fields}
}

func (t *Timeouts) fillIn() {
	d := DefaultTimeouts()
	for _, f := range []struct{ value, standard *time.Duration }{
		{&t.Head, &d.Head}, {&t.BodyGrace, &d.BodyGrace}, {&t.Handshake, &d.Handshake}, {&t.Idle, &d.Idle}, {&t.WriteStall, &d.WriteStall}, {&t.Drain, &d.Drain},
	} {
		if orDefault(f.value, *f.standard); *f.value < 0 {
			*f.value = never
		}
	}
	orDefault(&t.Linger, d.Linger)
	orDefault(&t.Mercy, d.Mercy)
	t.DrainGrace = max(0, t.DrainGrace)
	t.Mercy = max(0, t.Mercy)
}

func orDefault[T int | int64 | time.Duration](v *T, standard T) {
	if *v == 0 {
		*v = standard
	}
}
