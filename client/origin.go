package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"weir/http1"
	"weir/reactor"
)

// An Origin is a server that requests are sent to. All methods are safe for
// concurrent use, except that Do must be called on the loop that it is given,
// where the call then lives.
//
// The fields must not be changed after the first call of a method, and an
// Origin must not be copied. Only Endpoint is needed; the zero value of another
// field is its default.
//
// Calls stay on their loop, over HTTP/1.1, with TLS or without: an Origin has a
// Pool there for each address. What the loop cannot do is net/http's, on
// goroutines of its own: HTTP/2, if NetHTTP is set, and https through a proxy
// that the environment names (HTTPS_PROXY). The Receiver is called on the loop
// all the same.
type Origin struct {
	Endpoint Endpoint
	Header   []Field // part of every request; in place of a Request's fields of the same names

	// Attempt is how long connecting to one of several addresses may take,
	// a TLS handshake included, before the next one is tried: 1 s; negative = as
	// long as the system waits.
	Attempt time.Duration
	// Refresh is how old addresses may be before the name is looked up again,
	// in the background: 30 s; negative = until an address cannot be connected
	// to.
	Refresh time.Duration
	// Lookup returns the IP addresses of a host; net.DefaultResolver by
	// default. It is called on a goroutine of its own.
	Lookup func(ctx context.Context, host string) ([]string, error)
	// Looked, if set, is called after each look-up with its error, on the
	// look-up's goroutine. An error changes nothing: addresses that are known
	// stay in use.
	Looked func(err error)

	Idle     time.Duration // see Config
	MaxIdle  int           // see Config
	Limits   http1.Limits  // see Config; with net/http only Header counts
	BodySize int64         // see Config; not with net/http

	NetHTTP bool           // calls are net/http's, over HTTP/2 if an https server offers it
	Roots   *x509.CertPool // whom to trust for https; nil = the system's
	// Hold, if set, counts a connection that net/http makes among the
	// descriptors that connections may take (see reactor.Reactor.Hold), until
	// release.
	Hold func() (release func(), err error)

	names     names
	pools     sync.Map // *reactor.Loop to *pools
	closed    atomic.Bool
	once      sync.Once
	own       []byte          // Header, rendered
	replaced  *http1.FieldSet // fields of a Request that are not sent
	tls       *tls.Config     // of the pools; nil = in the clear
	transport *http.Transport // of calls that are net/http's; nil = they stay on the loop
}

// A Field is a header field.
type Field struct{ Name, Value []byte }

// NewField returns the field with this name and value.
func NewField(name, value string) Field { return Field{[]byte(name), []byte(value)} }

// A Request is what an Origin is sent. Host and what frames the body are added;
// fields of those names, and others that belong to one connection
// (http1.HopByHop), are left out. The slices are valid until Do returns, except
// Body and Buffer, which must not change until Receiver.Head or Done is called.
type Request struct {
	Method string  // a token; decides whether the response has a body
	Path   []byte  // below the Endpoint's; it begins with "/", and is as in the request line
	Rooted bool    // Path is the whole path: the Endpoint's does not precede it
	Query  []byte  // without "?"
	Host   []byte  // nil = the Endpoint's
	Fields []Field // in this order
	Body   []byte  // the body, or its beginning if there is More
	More   bool    // the rest follows by Call.Write and Call.EndBody
	Length int64   // of the whole body if there is More; 0 and less = not known, it is sent in chunks
	Buffer []byte  // memory for the head, for the next Request: Do replaces it

	// Upgrade offers to switch to this protocol (RFC 9110 7.8), "websocket" for
	// instance: the Receiver is a Switcher. Not with net/http, nor with More.
	Upgrade string
}

// The defaults of Origin's fields.
const (
	DefaultAttempt = time.Second
	DefaultRefresh = 30 * time.Second
)

// setUp makes what follows from the fields.
func (o *Origin) setUp() {
	skip := []string{"host", "content-length", "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
	for _, f := range o.Header {
		o.own = http1.AppendField(o.own, f.Name, f.Value)
		skip = append(skip, string(f.Name))
	}
	o.replaced = http1.NewFieldSet(skip...)
	if addr, ok := o.Endpoint.dialed(); ok {
		o.names.literal(addr)
	}
	switch {
	case o.NetHTTP || o.Endpoint.TLS && proxied(o.Endpoint.Authority):
		o.transport = o.newTransport()
	case o.Endpoint.TLS:
		o.tls = &tls.Config{
			RootCAs: o.Roots, ServerName: o.Endpoint.Hostname,
			ClientSessionCache: tls.NewLRUClientSessionCache(1), // of all loops and addresses
		}
	}
}

// proxied reports whether the environment names a proxy for a host, or tries to.
func proxied(authority string) bool {
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: "https", Host: authority}})
	return proxy != nil || err != nil
}

// OnLoop reports whether calls stay on the loop that makes them: but for a TLS
// handshake no goroutine has to do with them, and nothing of them is left when
// Done was called.
func (o *Origin) OnLoop() bool {
	o.once.Do(o.setUp)
	return o.transport == nil
}

// Resolve looks the addresses up, and waits for that: to learn of a wrong name
// before the first call. Without it the first call waits. It does nothing where
// net/http makes the calls.
func (o *Origin) Resolve(ctx context.Context) error {
	if !o.OnLoop() {
		return nil
	}
	return o.names.resolve(ctx, o)
}

// Inherit takes the addresses over that another Origin knows of the same host
// and port, so that calls need not wait for a look-up, and need none to succeed.
// It must be called before the first call, and before Resolve.
func (o *Origin) Inherit(from *Origin) {
	o.once.Do(o.setUp)
	if known := from.names.addrs.Load(); known != nil && o.names.addrs.Load() == nil && o.Endpoint.Address == from.Endpoint.Address {
		found := &addresses{list: known.list}
		found.first.Store(known.first.Load())
		o.names.addrs.Store(found)
		o.names.begun.Store(from.names.begun.Load())
	}
}

// Addresses returns the addresses that calls go to, as they are known now; nil
// if none is known yet, or where net/http makes the calls.
func (o *Origin) Addresses() []string {
	o.once.Do(o.setUp)
	if known := o.names.addrs.Load(); known != nil {
		return slices.Clone(known.list)
	}
	return nil
}

// Do sends a request from loop l, and reports to recv how that goes. It never
// waits. An error that is known at once is returned, and then recv is not
// called: one that wraps ErrRequest, or an *Error of kind ErrConnect.
//
// All addresses of the name are tried before a call fails with ErrConnect,
// beginning with the one that was connected to last. For a connection that
// turns out to be closed see Pool.Do.
func (o *Origin) Do(l *reactor.Loop, req *Request, recv Receiver) (*Call, error) {
	onLoop := o.OnLoop()
	if err := o.check(req); err != nil {
		return nil, err
	}
	if err := checkSwitch(req.Upgrade != "", req.More, recv); err != nil {
		return nil, err
	}
	call := &Call{recv: recv, more: req.More, search: search{origin: o, loop: l}}
	if req.More {
		if call.framing = coded; req.Length > 0 {
			call.framing, call.owed = sized, req.Length-int64(len(req.Body))
		}
	}
	if !onLoop {
		var err error
		if call.remote, err = o.doRemote(call, req); err != nil {
			return nil, err
		}
		return call, nil
	}
	head, err := o.appendHead(req.Buffer[:0], req)
	if err != nil {
		return nil, err
	}
	req.Buffer = head
	call.req = RawRequest{Method: req.Method, Head: head, Body: req.Body, More: req.More, Upgrade: req.Upgrade != ""}
	if call.framing == coded && len(req.Body) > 0 {
		call.req.Body = appendBody(nil, req.Body, true, false)
	}
	if err := call.search.begin(call); err != nil {
		return nil, &Error{Kind: ErrConnect, Cause: err}
	}
	return call, nil
}

// check refuses what would not be the request line that was meant, or not the
// body.
func (o *Origin) check(req *Request) error {
	switch {
	case o.Endpoint.Network == "":
		return fmt.Errorf("%w: the Origin has no Endpoint; see ParseEndpoint", ErrRequest)
	case !http1.IsToken(req.Method):
		return fmt.Errorf("%w: method %q is not a token", ErrRequest, req.Method)
	case len(req.Path) == 0 || req.Path[0] != '/':
		return fmt.Errorf("%w: path %q does not begin with a slash", ErrRequest, req.Path)
	case !isPart(req.Path, '?') || !isPart(req.Query, '#') || !isPart(req.Host, '/'):
		return fmt.Errorf("%w: the path, query or host has a character that must be percent-encoded", ErrRequest)
	case req.More && req.Length > 0 && int64(len(req.Body)) > req.Length:
		return fmt.Errorf("%w: %w", ErrRequest, ErrLength)
	case req.Upgrade != "" && !http1.IsToken(req.Upgrade):
		return fmt.Errorf("%w: protocol %q is not a token", ErrRequest, req.Upgrade)
	case req.Upgrade != "" && o.transport != nil:
		return fmt.Errorf("%w: a call that net/http makes, through a proxy or over HTTP/2, cannot switch protocols", ErrRequest)
	}
	return nil
}

// isPart reports whether b has neither a control character, a space or "#", nor
// the delimiter that ends its part of a URL.
func isPart(b []byte, delimiter byte) bool {
	for _, c := range b {
		if c <= ' ' || c == 0x7f || c == '#' || c == delimiter {
			return false
		}
	}
	return true
}

// appendHead renders the request's head.
func (o *Origin) appendHead(b []byte, req *Request) ([]byte, error) {
	b = append(append(b, req.Method...), ' ')
	if !req.Rooted {
		b = append(b, o.Endpoint.Path...)
	}
	b = append(b, req.Path...)
	if len(req.Query) > 0 {
		b = append(append(b, '?'), req.Query...)
	}
	b = append(b, " HTTP/1.1\r\nHost: "...)
	if req.Host != nil {
		b = append(b, req.Host...)
	} else {
		b = append(b, o.Endpoint.Authority...)
	}
	b = append(b, "\r\n"...)
	for _, f := range req.Fields {
		if o.replaced.Has(f.Name) {
			continue
		}
		if err := http1.CheckField(f.Name, f.Value); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrRequest, err)
		}
		b = http1.AppendField(b, f.Name, f.Value)
	}
	b = append(b, o.own...)
	if req.Upgrade != "" {
		b = append(append(append(b, "Connection: Upgrade\r\nUpgrade: "...), req.Upgrade...), "\r\n"...)
	}
	switch length := req.length(); {
	case length < 0:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case length > 0 || expectsBody(req.Method):
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), length, 10), "\r\n"...)
	}
	return append(b, "\r\n"...), nil
}

// length is that of the whole body; negative = not known.
func (r *Request) length() int64 {
	switch {
	case !r.More:
		return int64(len(r.Body))
	case r.Length > 0:
		return r.Length
	}
	return -1
}

// expectsBody reports whether a request without a body says so (RFC 9110 8.6).
func expectsBody(method string) bool { return method == "POST" || method == "PUT" || method == "PATCH" }

// Close closes idle connections, and from then on keeps none. Calls go on, and
// further ones may be made.
func (o *Origin) Close() {
	o.once.Do(o.setUp)
	o.closed.Store(true)
	for loop, p := range o.pools.Range {
		loop.(*reactor.Loop).Post(p.(*pools))
	}
	if o.transport != nil {
		o.transport.CloseIdleConnections()
	}
}

// pools are an Origin's pools on one loop, by address.
type pools struct {
	addrs *addresses // of which they were made; others are let go
	all   []*Pool
}

// pool returns the loop's connections to an address. For that loop.
func (o *Origin) pool(l *reactor.Loop, addrs *addresses, addr string) *Pool {
	v, ok := o.pools.Load(l)
	if !ok {
		v, _ = o.pools.LoadOrStore(l, new(pools))
	}
	p := v.(*pools)
	if p.addrs != addrs {
		p.leave(addrs)
	}
	for _, pool := range p.all {
		if pool.Addr() == addr {
			return pool
		}
	}
	pool := NewPool(l, Config{Addr: addr, TLS: o.tls, Idle: o.Idle, MaxIdle: o.MaxIdle, Limits: o.Limits, BodySize: o.BodySize})
	if p.all = append(p.all, pool); o.closed.Load() {
		pool.Close()
	}
	return pool
}

// leave closes the pools of addresses that the name does not have any more.
func (p *pools) leave(addrs *addresses) {
	p.addrs = addrs
	keep := p.all[:0]
	for _, pool := range p.all {
		if addrs.has(pool.Addr()) {
			keep = append(keep, pool)
		} else {
			pool.Close()
		}
	}
	clear(p.all[len(keep):])
	p.all = keep
}

// Run is a task: the Origin was closed.
func (p *pools) Run() {
	for _, pool := range p.all {
		pool.Close()
	}
}
