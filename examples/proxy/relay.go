package main

import (
	"errors"
	"io"
	"time"

	"weir"
	"weir/client"
	"weir/http1"
	"weir/reactor"
)

// short is how long a body may be to be kept until it is whole. A request whose
// body is sent while it arrives cannot be repeated, and gets a new connection.
const short = 64 << 10

// relay is one request on its way to the origin, and its response on the way
// back. All of it is for one loop.
type relay struct {
	x       *weir.LoopExchange
	origin  *client.Origin
	call    *client.Call // nil before it is sent, and when it has ended
	body    []byte       // until it is sent
	begun   bool         // the response's head has come
	silence time.Duration
	timer   reactor.Timer
}

// fromClient is what comes from the client's side: a weir.BodyReceiver.
type fromClient struct{ *relay }

// Data takes a piece of the request body.
func (r fromClient) Data(p []byte) {
	switch {
	case r.call != nil:
		r.wait()
		if !r.call.Write(p) {
			r.x.PauseBody()
		}
	case !r.x.Keep(int64(len(r.body) + len(p))):
		r.fail(503)
	default:
		if r.body = append(r.body, p...); len(r.body) > short {
			r.send(true)
		}
	}
}

// End is the end of the request body. If it is not whole, Closed follows.
func (r fromClient) End(err error) {
	switch {
	case err != io.EOF:
	case r.call == nil:
		r.send(false)
	default:
		r.call.EndBody()
	}
}

// Drained continues the response, when the client has caught up.
func (r fromClient) Drained() {
	if r.call != nil {
		r.wait()
		r.call.Resume()
	}
}

// Closed is the end of the exchange: the response is no longer needed.
func (r fromClient) Closed(error) {
	r.x.Loop().StopTimer(&r.timer)
	if r.call != nil {
		r.call.Cancel()
	}
}

// send sends the request, or the beginning of a long one.
func (r *relay) send(more bool) {
	in := r.x.Request()
	out := &client.Request{
		Method: in.Method(), Path: in.PathBytes(), Query: in.RawQueryBytes(),
		Body: r.body, More: more, Length: in.ContentLength(),
	}
	h := in.Header()
	for name, value := range h.Views() {
		if h.ClassOf(name)&(http1.HopByHop|http1.Forwarding) == 0 {
			out.Fields = append(out.Fields, client.Field{Name: name, Value: value})
		}
	}
	out.Fields = append(out.Fields, client.NewField("X-Forwarded-For", in.RemoteAddr().Addr().String()))
	r.wait()
	var err error
	if r.call, err = r.origin.Do(r.x.Loop(), out, fromOrigin{r}); err != nil {
		r.fail(502)
	}
}

// fromOrigin is what comes from the server's side: a client.Receiver.
type fromOrigin struct{ *relay }

// Head takes the head of the response. That of a stream is sent at once.
func (r fromOrigin) Head(h *http1.Response) {
	r.begun = true
	w := r.x.Response()
	w.SetStatus(h.Status())
	for i := range h.Len() {
		if name, value := h.Field(i); h.ClassOf(name)&(http1.HopByHop|http1.Framing) == 0 {
			r.x.AddField(name, value)
		}
	}
	_ = w.SetDate(string(h.Get("Date"))) // one that is not a date is replaced
	switch kind, n := h.Body("GET"); kind {
	case http1.BodyLength:
		w.SetContentLength(n) // it is parsed: not negative
	default:
		r.x.Commit()
	}
}

// Body takes a piece of the response. A client that is behind stops the server.
func (r fromOrigin) Body(p []byte) {
	r.wait()
	if !r.x.Push(p) && r.call != nil {
		r.x.Loop().StopTimer(&r.timer) // it is not the server that is silent
		r.call.Pause()
	}
}

// Drained continues the request body, when the server has caught up.
func (r fromOrigin) Drained() { r.x.ResumeBody() }

// Done is the end of the call. A response that broke off does not look
// complete.
func (r fromOrigin) Done(err error) {
	r.call = nil
	r.x.Loop().StopTimer(&r.timer)
	switch {
	case err == nil:
		r.x.End()
	case r.begun:
		r.x.Abort(err)
	case errors.Is(err, client.ErrCancelled):
		r.fail(504) // by late; Closed has no response any more
	default:
		r.fail(502)
	}
}

// fail responds without the server.
func (r *relay) fail(status int) {
	r.x.Response().Error(status, "the server behind this proxy does not respond")
	r.x.End()
}

// wait gives the server its time again.
func (r *relay) wait() { r.x.Loop().StartTimer(&r.timer, r.x.Loop().Now().Add(r.silence)) }

// late is called when the server has been silent for too long.
func (r *relay) late() {
	if r.call != nil {
		r.call.Cancel()
	}
}
