package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"weir/http1"
	"weir/internal/pipe"
	"weir/reactor"
)

// This file is the calls that net/http makes for an Origin.

const (
	pieceSize = 32 << 10 // what one read of a response may bring

	// streamWindow is how much of a response an HTTP/2 server may send ahead of
	// a Receiver that has paused. net/http would buffer 4 MiB of each by
	// default.
	streamWindow = reactor.DefaultHighMark

	// Bytes of a request body that wait for net/http: above the first
	// Call.Write reports no room, at the second Drained is called.
	uploadHigh = reactor.DefaultHighMark
	uploadLow  = uploadHigh / 4
)

// newTransport returns net/http's client, for HTTP/1.1 or HTTP/2 as the server
// wants.
func (o *Origin) newTransport() *http.Transport {
	pooled := Config{Idle: o.Idle, MaxIdle: o.MaxIdle}
	pooled.fillIn()
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         o.DialContext,
		TLSClientConfig:     &tls.Config{RootCAs: o.Roots},
		ForceAttemptHTTP2:   true,
		DisableCompression:  true,
		MaxIdleConnsPerHost: pooled.MaxIdle,
		IdleConnTimeout:     pooled.Idle,
		WriteBufferSize:     16 << 10,
		ReadBufferSize:      pieceSize,
		HTTP2:               &http.HTTP2Config{MaxReceiveBufferPerStream: streamWindow},
	}
	if o.Limits.Header > 0 {
		t.MaxResponseHeaderBytes = int64(o.Limits.Header)
	}
	if o.Endpoint.Network == "unix" {
		t.Proxy = nil
	}
	return t
}

// remote is a call that runs on a goroutine and calls its Receiver on the loop.
// One piece of the response is under way at a time: the goroutine reads on when
// the loop has taken it, and, after Pause, when Resume was called.
type remote struct {
	call   *Call
	ctx    context.Context
	cancel context.CancelFunc
	body   *upload       // nil = it is whole
	linked atomic.Bool   // there is a connection
	h2     atomic.Bool   // it speaks HTTP/2
	taken  chan struct{} // the loop has taken the piece
	owed   bool          // a piece was taken while paused: the goroutine waits. For the loop
}

func (o *Origin) doRemote(call *Call, req *Request) (*remote, error) {
	c := &remote{call: call, taken: make(chan struct{}, 1)}
	url := "http://"
	if o.Endpoint.TLS {
		url = "https://"
	}
	url += o.Endpoint.Authority
	if !req.Rooted {
		url += o.Endpoint.Path
	}
	url += string(req.Path)
	if len(req.Query) > 0 {
		url += "?" + string(req.Query)
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	ctx := httptrace.WithClientTrace(c.ctx, &httptrace.ClientTrace{GotConn: c.gotConn})
	r, err := http.NewRequestWithContext(ctx, req.Method, url, nil)
	if err == nil {
		err = o.fill(r, req)
	}
	if err != nil {
		c.cancel()
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	c.setBody(r, req)
	go c.run(o.transport, r)
	return c, nil
}

// fill sets the fields that appendHead writes.
func (o *Origin) fill(r *http.Request, req *Request) error {
	for _, f := range req.Fields {
		if o.replaced.Has(f.Name) {
			continue
		}
		if err := http1.CheckField(f.Name, f.Value); err != nil {
			return err
		}
		r.Header.Add(string(f.Name), string(f.Value))
	}
	for _, f := range o.Header {
		r.Header.Add(string(f.Name), string(f.Value))
	}
	if req.Host != nil {
		r.Host = string(req.Host)
	}
	if r.Header.Get("User-Agent") == "" {
		r.Header["User-Agent"] = nil // net/http's own would say that it was the client
	}
	return nil
}

func (c *remote) setBody(r *http.Request, req *Request) {
	r.ContentLength = req.length()
	if req.More {
		c.body = newUpload(c)
		c.body.pipe.Write(req.Body)
		r.Body = c.body
		return
	}
	whole := req.Body
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(whole)), nil }
	r.Body, _ = r.GetBody() // cannot fail
	if len(whole) == 0 && !expectsBody(req.Method) {
		r.Body = http.NoBody
	}
	if r.Header.Get("Idempotency-Key") == "" {
		// An empty list is not sent. It allows net/http to do what package
		// client does: to send the request anew when a kept connection turns
		// out to be closed before a byte of the response (G6).
		r.Header["Idempotency-Key"] = []string{}
	}
}

// gotConn is called with the connection on which the request is sent.
func (c *remote) gotConn(info httptrace.GotConnInfo) {
	t, ok := info.Conn.(*tls.Conn)
	c.h2.Store(ok && t.ConnectionState().NegotiatedProtocol == "h2")
	c.linked.Store(true)
}

// post runs f on the loop, unless the call has ended by then.
func (c *remote) post(f func()) { c.call.search.loop.Post(&posted{c, f}) }

// posted is a task. If its loop has stopped, so has the call.
type posted struct {
	remote *remote
	f      func()
}

func (p *posted) Run() {
	if !p.remote.call.over {
		p.f()
	}
}

func (p *posted) Dropped() { p.remote.cancel() }

// run makes the call, on its own goroutine.
func (c *remote) run(t http.RoundTripper, r *http.Request) {
	defer c.cancel()
	res, err := t.RoundTrip(r)
	if err != nil {
		c.post(func() { c.call.finish(c.classify(err)) })
		return
	}
	defer res.Body.Close()
	head, err := headOf(res)
	if err != nil {
		c.post(func() { c.call.finish(err) })
		return
	}
	c.post(func() {
		c.call.heard = true
		c.call.forget()
		c.call.recv.Head(head)
	})
	err = c.relay(res.Body, res.ProtoMajor == 2)
	c.post(func() { c.call.finish(err) })
}

// relay reads the response piece by piece.
func (c *remote) relay(body io.Reader, h2 bool) error {
	buf := make([]byte, pieceSize)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			piece := buf[:n]
			c.post(func() { c.piece(piece) })
			select {
			case <-c.taken:
			case <-c.ctx.Done():
				return ErrCancelled
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return cut(err, h2)
		}
	}
}

func (c *remote) piece(p []byte) {
	c.call.recv.Body(p)
	if c.call.over {
		return // stop has ended the goroutine
	}
	if c.call.paused {
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

// classify returns what a failure before the response was. What is not a
// failure of the connection is bytes that are not HTTP, and is returned
// unchanged. Over HTTP/2 it is always the end of the stream.
func (c *remote) classify(err error) error {
	var op *net.OpError
	var cert *tls.CertificateVerificationError
	switch {
	case !c.linked.Load() || errors.As(err, &op) && op.Op == "dial" || errors.As(err, &cert):
		return &Error{Kind: ErrConnect, Cause: err}
	case c.h2.Load() || connectionEnded(err) || strings.Contains(err.Error(), closedIdle):
		return &Error{Kind: ErrNoResponse, Cause: err}
	}
	return err
}

// closedIdle is in net/http's error for a connection that was kept and turned
// out to be closed. It has no other mark, and is only reported for a request
// that cannot be sent again.
const closedIdle = "server closed idle connection"

// cut returns what a failure inside the response was. Over HTTP/2 it is always
// the end of the stream.
func cut(err error, h2 bool) error {
	if h2 || connectionEnded(err) {
		return &Error{Kind: ErrTruncated, Cause: err}
	}
	return err
}

// connectionEnded reports whether the peer, the network or we ended the
// connection, as opposed to what came over it.
func connectionEnded(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &op)
}

func (c *remote) write(p []byte) (room bool) {
	full, _ := c.body.pipe.Write(p) // there is always room
	return !full
}

func (c *remote) endBody() { c.body.pipe.End(io.EOF) }

// pending is the memory that holds what net/http has not taken of a body that
// comes in pieces.
func (c *remote) pending() int {
	if c.body == nil {
		return 0
	}
	return c.body.pipe.Size()
}

func (c *remote) resume() {
	if c.owed {
		c.owed = false
		c.give()
	}
}

// stop ends the goroutine of a call that has ended.
func (c *remote) stop(cause error) {
	c.cancel()
	if c.body != nil {
		c.body.pipe.End(cause)
	}
}

// headOf renders a response's head the way a plain upstream sends it, so that
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

// upload is a request body that comes from the loop and is read by net/http.
type upload struct {
	pipe   pipe.Pipe
	remote *remote
}

func newUpload(c *remote) *upload {
	u := &upload{remote: c}
	u.pipe.Init((*uploader)(u), uploadHigh, uploadLow)
	return u
}

func (u *upload) Read(p []byte) (int, error) { return u.pipe.Read(p) }

// Close ends the upload when the response came before the request was read.
func (u *upload) Close() error {
	u.pipe.End(io.ErrClosedPipe) // not ErrCancelled: if it becomes the call's error, it must be reported
	return nil
}

// uploader is the loop's side of an upload, a pipe.Owner.
type uploader upload

func (u *uploader) Wanted() {}

func (u *uploader) Drained() {
	c := u.remote.call
	u.remote.post(func() {
		if c.full {
			c.full = false
			c.recv.Drained()
		}
	})
}

func (u *uploader) Grow(buf []byte, n int) ([]byte, bool) { return slices.Grow(buf, n), true }
