package ws

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"weir/client"
	"weir/http1"
	"weir/reactor"
)

// DialOptions are what a client's connections have in common. Zero is the
// default of a field, negative is none.
type DialOptions struct {
	// Options are as a server's; Subprotocols and Deflate are what is offered.
	// Origins is not used.
	Options

	Handler Handler        // what receives messages; nil: Conn.Read does
	Header  []client.Field // of the request, in addition to the handshake's own
	Roots   *x509.CertPool // whom to trust for wss; nil = the system's

	// Timeout is how long the opening handshake may take, connecting included:
	// 10 s.
	Timeout time.Duration

	// Loop is the event loop that connections live on; nil = one of this
	// package, which runs while there are connections on it. When it stops, as
	// those of a server do at the end of its shutdown, they are reset.
	Loop *reactor.Loop
}

// DefaultTimeout is the default of DialOptions.Timeout.
const DefaultTimeout = 10 * time.Second

// ErrHandshakeTimeout is the error of a handshake that took longer than
// DialOptions.Timeout.
var ErrHandshakeTimeout = errors.New("ws: the server did not complete the handshake in time")

// Dial opens a WebSocket to a server, at "ws://host/path" or "wss://host/path"
// (RFC 6455 4.1), and returns its connection, which is as a server's: o.Handler
// receives what comes, or Conn.Read. o may be nil. ctx is for the handshake; it
// does nothing to the connection.
//
// Errors: a *[HandshakeError] if the server's response does not open a
// WebSocket, [ErrHandshakeTimeout], the context's cause, and those of package
// client for a server that cannot be reached. Redirects are not followed. Proxies
// are not used: a wss server for which the environment names one is an error.
//
// Dial waits, and must not be called on an event loop: see [DialOn].
func Dial(ctx context.Context, url string, o *DialOptions) (*Conn, error) {
	if o == nil {
		o = new(DialOptions)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	d, err := o.prepare(url)
	if err != nil {
		return nil, err
	}
	if d.loop == nil {
		if d.loop, err = own.take(); err != nil {
			return nil, err
		}
		d.release = own.give
	}
	ctx, cancel := context.WithTimeoutCause(ctx, d.timeout, ErrHandshakeTimeout)
	defer cancel()
	opened := make(chan result, 1)
	d.done = func(c *Conn, err error) { opened <- result{c, err} }
	d.loop.Post(&dialTask{d, opened})
	select {
	case r := <-opened:
		return r.conn, r.err
	case <-ctx.Done():
	}
	d.loop.Post(&stopTask{d, opened})
	r := <-opened
	if r.conn != nil {
		r.conn.link.abort(context.Cause(ctx))
	} else if refusal, ok := errors.AsType[*HandshakeError](r.err); ok { // whose body has not ended
		return nil, refusal
	}
	return nil, context.Cause(ctx)
}

// result is what comes of a handshake.
type result struct {
	conn *Conn
	err  error
}

// dialTask begins a handshake on its loop.
type dialTask struct {
	*opening
	opened chan<- result
}

func (t *dialTask) Run() {
	if err := t.begin(); err != nil {
		t.finish(nil, err)
	}
}

func (t *dialTask) Dropped() {
	if t.release != nil {
		t.release()
	}
	t.opened <- result{err: reactor.ErrStopped}
}

// stopTask ends a handshake that is no longer waited for.
type stopTask struct {
	*opening
	opened chan<- result
}

func (t *stopTask) Run() { t.stop(client.ErrCancelled) }

// Dropped is called if the loop has stopped, which may have reported that.
func (t *stopTask) Dropped() {
	select {
	case t.opened <- result{err: reactor.ErrStopped}:
	default:
	}
}

// DialOn is [Dial] for code on an event loop: it must be called on l, and does
// not wait. done is called once, on l, after DialOn has returned, with the
// connection or an error; the connection lives on l. cancel ends the handshake,
// on l, and calls done with [client.ErrCancelled]; later it does nothing. What is
// known at once, such as a URL that is invalid, is returned as an error, and then
// done is not called. If l stops during the handshake, done need not be called.
func DialOn(l *reactor.Loop, url string, o *DialOptions, done func(*Conn, error)) (cancel func(), err error) {
	l.Check()
	if o == nil {
		o = new(DialOptions)
	}
	d, err := o.prepare(url)
	if err != nil {
		return nil, err
	}
	d.loop, d.done = l, done
	if err := d.begin(); err != nil {
		return nil, err
	}
	d.timer.Init((*lateOpening)(d))
	if d.timeout < never {
		l.StartTimer(&d.timer, l.Now().Add(d.timeout))
	}
	return func() { d.stop(client.ErrCancelled) }, nil
}

// lateOpening is an opening as the task of its timer.
type lateOpening opening

func (t *lateOpening) Run() { (*opening)(t).stop(ErrHandshakeTimeout) }

// prepare checks what can be checked before there is a connection.
func (o *DialOptions) prepare(url string) (*opening, error) {
	to, err := parseAddress(url)
	if err != nil {
		return nil, err
	}
	set, err := o.Options.settle()
	if err != nil {
		return nil, err
	}
	d := &opening{set: set, handler: o.Handler, timeout: o.Timeout, loop: o.Loop, key: newKey()}
	orDefault(&d.timeout, DefaultTimeout, never)
	d.origin = &client.Origin{Endpoint: to.endpoint, Header: o.Header, Roots: o.Roots, MaxIdle: -1}
	d.request = client.Request{
		Method: "GET", Path: []byte(to.path), Query: []byte(to.query), Rooted: true, Upgrade: "websocket",
		Fields: d.fields(),
	}
	if !d.origin.OnLoop() {
		return nil, errors.New("ws: the environment names a proxy for this server (HTTPS_PROXY), and proxies are not used: name the server in NO_PROXY")
	}
	for _, f := range o.Header {
		if err := http1.CheckField(f.Name, f.Value); err != nil {
			return nil, fmt.Errorf("ws: DialOptions.Header: %w", err)
		}
		if reserved(f.Name) {
			return nil, fmt.Errorf("ws: DialOptions.Header has %q, which is the handshake's own", f.Name)
		}
	}
	return d, nil
}
