package weir

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"mime/multipart"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"sync"

	"weir/http1"
	"weir/internal/pattern"
)

// A Request is one request. Use it only on its handler's goroutine and until
// Serve returns; what Context returns is safe for concurrent use. Strings may
// be kept. Byte slices are valid until Serve returns; do not modify or retain
// them.
type Request struct {
	ex        *exchange // nil in a clone
	head      http1.Request
	raw       []byte // the head's bytes
	copied    []byte // where raw is a copy, for the next one
	view      bool   // raw is the loop's buffer, not a copy
	header    Header
	texts     texts
	trailer   *Header                  // the fields behind a chunked body; nil = none
	trailing  bool                     // it is the loop's, until the body has arrived; guarded by the output's lock
	onTrailer func(name, value []byte) // adds to it; made once
	params    pattern.Params
	values    []headerField // a clone's path values
	places    []anyPlace    // of keys, see Key
	route     *Route        // by which the server serves it
	inner     *Route        // that a Mux behind it has found; nil = none; written under the output's lock
	body      []byte
	reader    bodyStream
	remote    netip.AddrPort
	proto     string // of a guest, and of a clone; else the head says it

	listened net.Addr             // of a clone
	tls      *tls.ConnectionState // of a clone
	gathers  bool                 // the body is to be read from reader, by gather
	bodyErr  error                // why that has failed
	forms    []*multipart.Form    // that were read
}

// Method returns the request's method, in the case in which it came.
func (r *Request) Method() string { return methodName(r.head.Method()) }

// methodName avoids the copy for the usual ones.
func methodName(m []byte) string {
	switch string(m) {
	case "GET":
		return "GET"
	case "POST":
		return "POST"
	case "HEAD":
		return "HEAD"
	case "PUT":
		return "PUT"
	case "DELETE":
		return "DELETE"
	case "PATCH":
		return "PATCH"
	case "OPTIONS":
		return "OPTIONS"
	}
	return string(m)
}

// Path returns the path as it came, including percent-encoding.
func (r *Request) Path() string { return r.texts.of(&r.texts.path, r.head.Path()) }

// RawQuery returns what follows "?", still encoded.
func (r *Request) RawQuery() string { return r.texts.of(&r.texts.query, r.head.RawQuery()) }

// Host returns the host that the request is for: the target's own, if it has
// one, else the Host field.
func (r *Request) Host() string { return r.texts.of(&r.texts.host, r.head.Host()) }

// Proto returns the protocol of the request: HTTP/1.1, HTTP/1.0, or HTTP/2.0
// where net/http serves that.
func (r *Request) Proto() string {
	switch {
	case r.proto != "":
		return r.proto
	case r.head.Minor() == 0:
		return "HTTP/1.0"
	}
	return "HTTP/1.1"
}

// Target returns the request target as it came: usually path and query, with
// scheme and host in a request to a proxy, or * of OPTIONS.
func (r *Request) Target() string { return string(r.head.Target()) }

// PathBytes is [Request.Path] without a copy, valid until Serve returns.
func (r *Request) PathBytes() []byte { return r.head.Path() }

// RawQueryBytes is [Request.RawQuery] without a copy, valid until Serve
// returns; nil if there is no "?".
func (r *Request) RawQueryBytes() []byte { return r.head.RawQuery() }

// HostBytes is [Request.Host] without a copy, valid until Serve returns.
func (r *Request) HostBytes() []byte { return r.head.Host() }

// texts has copies of parts of the head, made when they are asked for, which is
// by OnError and a Trace perhaps while the handler does. In a pooled request
// the last ones stay: clients ask for the same things again and again.
type texts struct {
	mu                sync.Mutex
	path, query, host string
}

func (t *texts) of(last *string, view []byte) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if *last != string(view) {
		*last = string(view)
	}
	return *last
}

// reset forgets what is too long to be kept for the next request.
func (t *texts) reset() {
	for _, s := range [...]*string{&t.path, &t.query, &t.host} {
		if len(*s) > keptField {
			*s = ""
		}
	}
}

// Query returns the decoded query; malformed pairs are omitted.
func (r *Request) Query() url.Values {
	values, _ := url.ParseQuery(string(r.head.RawQuery())) // the good pairs are returned beside the error
	return values
}

// Pattern returns the pattern that the request was routed by; "" without a
// [Mux].
func (r *Request) Pattern() string {
	if rt := r.routed(); rt != nil {
		return rt.pattern
	}
	return ""
}

// routed is the route whose handler serves the request.
func (r *Request) routed() *Route {
	if r.inner != nil {
		return r.inner
	}
	return r.route
}

// PathValue returns the decoded value of the pattern's wildcard of that name,
// or "". It may hold any byte but NUL: also slashes, CR and LF. Check it before
// it becomes part of a file name or of a line of a log.
func (r *Request) PathValue(name string) string {
	for _, v := range r.values { // of a clone
		if v.name == name {
			return v.value
		}
	}
	value, _ := r.params.Get(name) // nil when there is none
	return string(value)
}

// Header returns the request's header fields. Only later handlers of the chain
// see changes.
func (r *Request) Header() *Header { return &r.header }

// Trailer returns the fields that followed a chunked body, once the body has
// arrived whole; before that, and without any, it is empty. Fields that must not
// be trailers (RFC 9110 6.5.1) are left out.
func (r *Request) Trailer() *Header {
	if r.ex != nil {
		l := r.ex.lock()
		defer l.unlock()
	}
	if r.trailing || r.trailer == nil {
		return new(Header)
	}
	return r.trailer
}

func (r *Request) addTrailer(name, value string) {
	if r.trailer == nil {
		r.trailer = new(Header)
	}
	r.trailer.fields = append(r.trailer.fields, headerField{name, value})
}

// takeTrailer returns what adds a trailer field. It is called once a body.
func (r *Request) takeTrailer() func(name, value []byte) {
	if r.onTrailer == nil {
		r.onTrailer = func(name, value []byte) { r.addTrailer(string(name), string(value)) }
	}
	r.trailing = true
	return r.onTrailer
}

// RemoteAddr returns the client's address; the zero value on unix sockets.
func (r *Request) RemoteAddr() netip.AddrPort { return r.remote }

// ListenAddr returns the address of the listener that accepted the connection,
// a *[net.TCPAddr] or a *[net.UnixAddr], so that a server with several can
// distinguish them. If the server listens on all addresses of the machine it is
// the wildcard. It is nil for a connection that no listener accepted.
func (r *Request) ListenAddr() net.Addr {
	if r.ex == nil {
		return r.listened
	}
	return r.ex.carrier.listenAddr()
}

// LastEventID returns the id of the last event that a reconnecting EventSource
// received.
func (r *Request) LastEventID() string { return r.header.Get("Last-Event-ID") }

// ContentLength returns the announced length of the body: 0 if there is none,
// -1 if it comes in chunks.
func (r *Request) ContentLength() int64 {
	if r.head.Chunked() {
		return -1
	}
	return max(0, r.head.ContentLength())
}

// Body returns the whole body, valid until Serve returns. It is nil for a
// handler whose route has [Route.StreamBody], which reads with
// [Request.BodyReader]. In middleware it waits until the body has arrived, and
// is nil if the body is refused.
func (r *Request) Body() []byte {
	_ = r.gather() // next reports it
	return r.body
}

// gather reads the body for a handler whose middleware began at the end of the
// head. Handler's goroutine.
func (r *Request) gather() error {
	if !r.gathers {
		return r.bodyErr
	}
	r.gathers = false
	var piece [8 << 10]byte
	for {
		n, err := r.reader.Read(piece[:])
		if n > 0 && !r.ex.growBody(n) {
			r.bodyErr = ErrBodiesFull
			r.ex.forgetBody()
			r.ex.refuse(ErrBodiesFull)
			return r.bodyErr
		}
		r.body = append(r.body, piece[:n]...)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			r.bodyErr = err
			r.ex.forgetBody()
			return err
		}
	}
}

// BodyReader returns a reader of the body; for a handler whose route has
// [Route.StreamBody] it reads while the body arrives. Read returns
// [ErrBodyTooLarge], [ErrTimeout], [ErrClientGone] or a *[chunked.Error] if the
// body is not complete.
func (r *Request) BodyReader() io.Reader {
	if body := r.Body(); r.reader == nil || r.route.buffers() {
		return bytes.NewReader(body)
	}
	return r.reader
}

// Context returns a context that is done when the client disconnects, the
// request ends or the server aborts it; [context.Cause] returns why. It is made
// at the first call.
func (r *Request) Context() context.Context {
	if r.ex == nil {
		return context.Background()
	}
	return r.ex.context()
}

// OnClose registers f to be called once, when the request ends. The cause is
// nil if the response was sent completely. f runs on a goroutine of its own;
// for a handler that runs on the event loop it runs there, and must not block,
// but never within a call of the methods of [Stream] or Request, on any
// goroutine: the caller may hold a lock that f takes. If the request has
// already ended, f is called soon, in the same place.
func (r *Request) OnClose(f func(cause error)) {
	if r.ex != nil {
		r.ex.onClose(f)
	}
}

// Clone returns a copy that may be kept, with the values of all keys. Its
// context is never done, and its body is the buffered one.
func (r *Request) Clone() *Request {
	trailer := r.Trailer().clone()
	c := &Request{route: r.route, inner: r.inner, remote: r.remote, listened: r.ListenAddr(), tls: r.TLS(), proto: r.proto, body: bytes.Clone(r.Body()), bodyErr: r.bodyErr, header: r.header.clone(), trailer: &trailer, values: slices.Clone(r.values)}
	c.raw = bytes.Clone(r.raw)
	generous := http1.Limits{Line: len(r.raw), Header: len(r.raw), Field: len(r.raw), Fields: len(r.raw)}
	_, _ = c.head.Parse(c.raw, &generous) // parsed before, within tighter limits
	for i := range r.params.Len() {
		c.values = append(c.values, headerField{r.params.Name(i), string(r.params.Value(i))})
	}
	for _, p := range r.places {
		c.places = append(c.places, p.clone())
	}
	return c
}

// keep makes the request, with what it was routed by, independent of the buffer
// that it was parsed in.
func (r *Request) keep() {
	r.copied = append(r.copied[:0], r.raw...)
	r.raw, r.view = r.copied, false
	r.head.Rebase(r.raw)
	r.params.Rebase(r.head.Path())
}

// keptHead is the size up to which the copy of a head is kept in a pooled
// request.
const keptHead = 4 << 10

// reset prepares a pooled request for its next use.
func (r *Request) reset() {
	r.head.Reset()
	r.params.Reset()
	r.header.reset()
	r.texts.reset()
	if r.trailing = false; r.trailer != nil {
		r.trailer.reset()
	}
	r.forgetValues()
	r.raw, r.body, r.reader, r.route, r.inner = nil, nil, nil, nil, nil
	if cap(r.copied) > keptHead {
		r.copied = nil
	}
}

func (r *Request) isHead() bool { return string(r.head.Method()) == "HEAD" }
