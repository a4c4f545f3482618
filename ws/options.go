package ws

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"weir/http1"
)

// Options are what connections have in common. Zero is the default of a field,
// negative is none.
type Options struct {
	// Inline has the functions of a [Handler] run on the event loop, where they
	// must not block; see [Handle].
	Inline bool

	// Subprotocols are those that the server speaks, the preferred ones first.
	// The first that the client offers is the connection's.
	Subprotocols []string
	// Origins are the web origins, such as "https://example.com", whose pages
	// may connect, besides those of the host that the request is for; "*" is
	// all. Others get 403. Clients that are not browsers send no Origin, and
	// are served.
	Origins []string

	// Deflate accepts permessage-deflate (RFC 7692). Each message is compressed
	// on its own, so that a connection holds no windows: this pays for messages
	// of some size. Those below DeflateMin bytes, 256 by default, are sent as
	// they are.
	Deflate    bool
	DeflateMin int

	// MaxMessage is the size of a message, inflated: 16 MiB; the connection is
	// closed with 1009 when a frame's head announces more.
	MaxMessage int64
	// Queue is how many bytes of messages may wait for a handler that is not
	// Inline, or for Read: 64 KiB, or one message, and 256 of them; reading from
	// the peer pauses.
	Queue int

	Ping         time.Duration // between two pings: 20 s. A peer from which nothing has come until the next is disconnected.
	Idle         time.Duration // without a message in either direction, to twice as long: no limit; closed with 1001
	Lifetime     time.Duration // of a connection, up to a tenth less: no limit; closed with 1001
	CloseTimeout time.Duration // for the peer's Close, or behind it for the handler's turn to come: 5 s; the connection is closed

	// Stats, if it is not nil, counts what all connections with these options
	// do.
	Stats *Stats
}

// The defaults of Options.
const (
	DefaultMaxMessage = 16 << 20
	DefaultPing       = 20 * time.Second
	DefaultClose      = 5 * time.Second
	DefaultQueue      = 64 << 10
	DefaultDeflateMin = 256
)

// never is a time that does not come, maxSize a size that does not either.
const (
	never   = time.Duration(math.MaxInt64 / 4)
	maxSize = math.MaxInt / 4
)

// settings are Options with defaults. They do not change.
type settings struct {
	Options
	origins []origin
	any     bool // every origin
}

// settle checks the options and fills in the defaults.
func (o Options) settle() (*settings, error) {
	s := &settings{Options: o}
	s.Subprotocols = slices.Clone(o.Subprotocols)
	for i, p := range s.Subprotocols {
		if !http1.IsToken(p) || slices.Contains(s.Subprotocols[:i], p) {
			return nil, fmt.Errorf("ws: Options.Subprotocols has %q: want tokens, each once", p)
		}
	}
	for _, text := range o.Origins {
		if text == "*" {
			s.any = true
			continue
		}
		o, ok := parseOrigin(text)
		if !ok {
			return nil, fmt.Errorf("ws: Options.Origins has %q: want an origin such as https://example.com, without a path, or *", text)
		}
		s.origins = append(s.origins, o)
	}
	if o.Queue < 0 {
		return nil, errors.New("ws: Options.Queue is negative: want a positive number, or 0 for the default")
	}
	orDefault(&s.MaxMessage, DefaultMaxMessage, maxSize)
	orDefault(&s.Queue, DefaultQueue, maxSize)
	if s.DeflateMin = max(o.DeflateMin, 0); o.DeflateMin == 0 {
		s.DeflateMin = DefaultDeflateMin
	}
	orDefault(&s.Ping, DefaultPing, never)
	orDefault(&s.Idle, never, never)
	orDefault(&s.Lifetime, never, never)
	orDefault(&s.CloseTimeout, DefaultClose, never)
	if s.Stats == nil {
		s.Stats = new(Stats)
	}
	return s, nil
}

// orDefault puts the default in place of zero, and what means none in place of a
// negative value, or of one that is larger.
func orDefault[T int | int64 | time.Duration](v *T, standard, none T) {
	switch {
	case *v == 0:
		*v = standard
	case *v < 0, *v > none:
		*v = none
	}
}
