package weir

import (
	"time"

	"weir/http1"
)

// Limits bound what one client, or all together, may take. The zero value of a
// field is its default; each has its answer.
type Limits struct {
	Line      int   // request line, bytes: 8 KiB; 414
	Header    int   // all header fields, bytes: 32 KiB; 431
	Field     int   // one header field, bytes: 16 KiB; 431
	Fields    int   // header fields: 100; 431
	Body      int64 // buffered request body, bytes: 8 MiB; 413
	Bodies    int64 // bytes of requests that are kept, all together: a quarter of the memory (GOMEMLIMIT, cgroup); negative = no limit; 503
	Pipelined int   // bytes kept behind a running response: 64 KiB; reading pauses
	HighMark  int   // pending output of one connection, bytes: 256 KiB; producers wait
	LowMark   int   // where they go on: a quarter of HighMark
	Handlers  int   // goroutine handlers at once: 10,000; 503
	Streams   int   // streams at once; 0 = no limit; 503
	Conns     int   // connections: what the limit on open files allows; the one idle longest is closed, else 503
	BodyRate  int   // least pace of a request body after Timeouts.BodyGrace, bytes a second: 256; 408
}

// Timeouts bound every wait. The zero value of a field is its default.
type Timeouts struct {
	Head       time.Duration // first byte to end of head: 10 s; 408
	BodyGrace  time.Duration // before Limits.BodyRate holds: 5 s
	Idle       time.Duration // between requests: 75 s; closed silently
	WriteStall time.Duration // client acknowledges no byte: 30 s; cut with ErrSlowClient
	Linger     time.Duration // for the client to read the last answer: 2 s
	DrainGrace time.Duration // shutdown: how long new requests are still served, within Drain: none
	Drain      time.Duration // shutdown: how long streams may go on: 30 s
	Mercy      time.Duration // shutdown: over how long they are then cut: 5 s
}

func (l *Limits) fillIn() {
	orDefault(&l.Line, 8<<10)
	orDefault(&l.Header, 32<<10)
	orDefault(&l.Field, 16<<10)
	orDefault(&l.Fields, 100)
	orDefault(&l.Body, 8<<20)
	orDefault(&l.Pipelined, 64<<10)
	orDefault(&l.HighMark, 256<<10)
	orDefault(&l.LowMark, l.HighMark/4)
	orDefault(&l.Handlers, 10_000)
	orDefault(&l.BodyRate, 256)
}

func (l *Limits) head() http1.Limits {
	return http1.Limits{Line: l.Line, Header: l.Header, Field: l.Field, Fields: l.Fields}
}

func (t *Timeouts) fillIn() {
	orDefault(&t.Head, 10*time.Second)
	orDefault(&t.BodyGrace, 5*time.Second)
	orDefault(&t.Idle, 75*time.Second)
	orDefault(&t.WriteStall, 30*time.Second)
	orDefault(&t.Linger, 2*time.Second)
	orDefault(&t.Drain, 30*time.Second)
	orDefault(&t.Mercy, 5*time.Second)
}

func orDefault[T int | int64 | time.Duration](v *T, standard T) {
	if *v == 0 {
		*v = standard
	}
}
