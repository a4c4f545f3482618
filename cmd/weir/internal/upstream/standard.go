package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"weir/client"
	"weir/http1"
	"weir/reactor"
)

// pieceSize is what one read of an answer may bring.
const pieceSize = 32 << 10

// streamWindow is how much of a response an HTTP/2 upstream may send ahead of a
// client that is behind. net/http would buffer 4 MiB of each by default.
const streamWindow = 256 << 10

// newTransport is net/http's client for an https upstream, HTTP/1.1 or HTTP/2
// as the server wants. It runs on goroutines of its own.
func newTransport(roots *x509.CertPool, keepIdle time.Duration, d *dialer) *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         d.DialContext,
		TLSClientConfig:     &tls.Config{RootCAs: roots},
		ForceAttemptHTTP2:   true,
		DisableCompression:  true,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     keepIdle,
		WriteBufferSize:     16 << 10,
		ReadBufferSize:      pieceSize,
		HTTP2:               &http.HTTP2Config{MaxReceiveBufferPerStream: streamWindow},
	}
}

// remote is a call that runs on a goroutine and tells its Receiver on the
// loop. One piece of the answer is under way at a time: the goroutine reads on
// when the loop has taken it, and, after Pause, when Resume was called.
type remote struct {
	loop   *reactor.Loop
	recv   Receiver
	method string
	ctx    context.Context
	cancel context.CancelFunc
	body   *upload
	linked atomic.Bool   // there is a connection
	h2     atomic.Bool   // it speaks HTTP/2
	taken  chan struct{} // the loop has taken the piece

	// On the loop.
	over   bool
	paused bool
	owed   bool // a piece was taken while paused: the goroutine waits
}

func (u *Upstream) doRemote(l *reactor.Loop, req *Request, recv Receiver) Call {
	ctx, cancel := context.WithCancel(context.Background())
	c := &remote{loop: l, recv: recv, method: req.Method, ctx: ctx, cancel: cancel, taken: make(chan struct{}, 1)}
	trace := &httptrace.ClientTrace{GotConn: c.gotConn}
	target := u.URL + string(req.Path)
	if len(req.Query) > 0 {
		target += "?" + string(req.Query)
	}
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), req.Method, target, nil)
	if err != nil {
		l.Post(reactor.TaskFunc(func() { c.done(&client.Error{Kind: client.ErrConnect, Cause: err}) }))
		return c
	}
	u.fill(r.Header, req)
	c.setBody(r, req)
	go c.run(u.transport, r)
	return c
}

// fill sets the fields that the plain transport writes into its head.
func (u *Upstream) fill(h http.Header, req *Request) {
	for _, f := range req.Fields {
		if !u.replaced.Has(f.Name) {
			h.Add(string(f.Name), string(f.Value))
		}
	}
	u.sign(h)
	if h.Get("User-Agent") == "" {
		h["User-Agent"] = nil // net/http's own would say that it was the client
	}
}

// sign sets the upstream's own fields and its key.
func (u *Upstream) sign(h http.Header) {
	for _, f := range u.Headers {
		h.Add(f.Name, f.Value)
	}
	if u.Key != "" {
		h.Set(keyField, "Bearer "+u.Key)
	}
}

func (c *remote) setBody(r *http.Request, req *Request) {
	r.ContentLength = req.Length
	if req.More {
		c.body = &upload{drained: func() { c.post(c.recv.Drained) }, wake: make(chan struct{}, 1)}
		c.body.write(req.Body)
		r.Body = c.body
		return
	}
	whole := req.Body
	r.ContentLength = int64(len(whole))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(whole)), nil }
	r.Body, _ = r.GetBody() // cannot fail
	if r.Header.Get("Idempotency-Key") == "" {
		// An empty list is not sent. It allows net/http to do what package client
		// does: to send the request anew when a kept connection turns out to be
		// closed before a byte of the answer (G6).
		r.Header["Idempotency-Key"] = []string{}
	}
}

// gotConn is told of the connection on which the request goes out.
func (c *remote) gotConn(info httptrace.GotConnInfo) {
	t, ok := info.Conn.(*tls.Conn)
	c.h2.Store(ok && t.ConnectionState().NegotiatedProtocol == "h2")
	c.linked.Store(true)
}

// post runs f on the loop, unless the call is over by then.
func (c *remote) post(f func()) {
	c.loop.Post(reactor.TaskFunc(func() {
		if !c.over {
			f()
		}
	}))
}

// run makes the call, on its own goroutine.
func (c *remote) run(t http.RoundTripper, r *http.Request) {
	defer c.cancel()
	res, err := t.RoundTrip(r)
	if err != nil {
		c.post(func() { c.done(c.classify(err)) })
		return
	}
	defer res.Body.Close()
	head, err := headOf(res)
	if err != nil {
		c.post(func() { c.done(err) })
		return
	}
	c.post(func() { c.recv.Head(head) })
	err = c.relay(res.Body, res.ProtoMajor == 2)
	c.post(func() { c.done(err) })
}

// relay reads the answer piece by piece.
func (c *remote) relay(body io.Reader, h2 bool) error {
	buf := make([]byte, pieceSize)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			piece := buf[:n]
			c.loop.Post(reactor.TaskFunc(func() { c.piece(piece) }))
			select {
			case <-c.taken:
			case <-c.ctx.Done():
				return client.ErrCancelled
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return cut(err, h2)
		}
	}
}

func (c *remote) piece(p []byte) {
	if !c.over {
		c.recv.Body(p)
	}
	if c.paused && !c.over {
		c.owed = true
		return
	}
	c.give()
}

// give lets the goroutine read the next piece.
func (c *remote) give() {
	select {
	case c.taken <- struct{}{}:
	default:
	}
}

func (c *remote) done(err error) {
	c.over = true
	c.recv.Done(err)
}

// classify says what a failure before the answer was. What is no failure of the
// connection is bytes that are no HTTP, and stays as it is. Over HTTP/2 it is
// always the end of the stream.
func (c *remote) classify(err error) error {
	var op *net.OpError
	var cert *tls.CertificateVerificationError
	switch {
	case !c.linked.Load() || errors.As(err, &op) && op.Op == "dial" || errors.As(err, &cert):
		return &client.Error{Kind: client.ErrConnect, Cause: err}
	case c.h2.Load() || connectionEnded(err) || strings.Contains(err.Error(), closedIdle):
		return &client.Error{Kind: client.ErrNoAnswer, Cause: err}
	}
	return err
}

// closedIdle is in net/http's error for a connection that was kept and turned
// out to be closed. It has no other mark, and is only told for a request that
// cannot be sent again.
const closedIdle = "server closed idle connection"

// cut says what a failure inside the answer was. Over HTTP/2 it is always the
// end of the stream.
func cut(err error, h2 bool) error {
	if h2 || connectionEnded(err) {
		return &client.Error{Kind: client.ErrTruncated, Cause: err}
	}
	return err
}

// connectionEnded reports whether the peer, the network or we ended the
// connection, as opposed to what came over it.
func connectionEnded(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &op)
}

func (c *remote) Write(p []byte) (room bool) { return c.body.write(p) }

// Pending is the memory that holds what net/http has not taken of a body that
// comes in pieces.
func (c *remote) Pending() int {
	if c.body == nil {
		return 0
	}
	return c.body.size()
}

func (c *remote) EndBody() { c.body.end(io.EOF) }

func (c *remote) Pause() { c.paused = true }

func (c *remote) Resume() {
	c.paused = false
	if c.owed {
		c.owed = false
		c.give()
	}
}

func (c *remote) Connected() bool { return c.linked.Load() }

func (c *remote) Cancel() {
	if c.over {
		return
	}
	c.cancel()
	if c.body != nil {
		c.body.end(client.ErrCancelled)
	}
	c.done(client.ErrCancelled)
}

// headOf renders an answer's head the way a plain upstream sends it, so that
// there is one kind of head above.
func headOf(res *http.Response) (*http1.Response, error) {
	b := http1.AppendStatusLine(nil, res.StatusCode)
	for name, values := range res.Header {
		if strings.EqualFold(name, "Content-Length") || strings.EqualFold(name, "Transfer-Encoding") {
			continue
		}
		for _, value := range values {
			if http1.CheckField(name, value) == nil {
				b = http1.AppendField(b, name, value)
			}
		}
	}
	switch {
	case res.ContentLength >= 0 && res.StatusCode != 204:
		b = http1.AppendField(b, "Content-Length", strconv.FormatInt(res.ContentLength, 10))
	case res.ContentLength < 0:
		b = http1.AppendField(b, "Transfer-Encoding", "chunked")
	}
	h := new(http1.Response)
	_, err := h.Parse(append(b, "\r\n"...), &http1.Limits{Line: len(b), Header: len(b) + 2, Field: len(b), Fields: len(b)})
	return h, err
}

// upload is a request body that comes from the loop and is read by a
// goroutine. What waits in between is bounded by the writer's heeding write's
// answer.
type upload struct {
	drained func()
	wake    chan struct{}

	mu   sync.Mutex
	buf  []byte
	full bool
	err  error // io.EOF at the end
}

const (
	uploadHigh = 256 << 10
	uploadLow  = 64 << 10
)

func (u *upload) write(p []byte) (room bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.buf = append(u.buf, p...)
	u.signal()
	u.full = len(u.buf) > uploadHigh
	return !u.full
}

func (u *upload) size() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return cap(u.buf)
}

func (u *upload) end(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.err == nil {
		u.err = err
		u.signal()
	}
}

func (u *upload) signal() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// Read waits for bytes.
func (u *upload) Read(p []byte) (int, error) {
	for {
		n, err := u.take(p)
		if n > 0 || err != nil {
			return n, err
		}
		<-u.wake
	}
}

func (u *upload) take(p []byte) (n int, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	n = copy(p, u.buf)
	u.buf = u.buf[:copy(u.buf, u.buf[n:])]
	if n == 0 {
		err = u.err
	}
	if u.full && len(u.buf) <= uploadLow {
		u.full = false
		u.drained()
	}
	return n, err
}

// Close ends the upload when the answer came before the request was read.
func (u *upload) Close() error {
	u.end(io.ErrClosedPipe) // not ErrCancelled: if it becomes the call's error, it must be told
	return nil
}
